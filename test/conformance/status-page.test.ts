// The status pages in a browser, with scripts and without: what a tenant writes is shown and does nothing, a login works by
// forms alone, the style counts, and nothing is fetched but the page.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { startTenantRoutes, type TenantRoutes } from '#test/support/tenant-routes.ts'
import { app } from '#test/support/world-stage.ts'
import { Browser, type Page } from './browser.ts'

/** Each would do something if it were taken for what it looks like. */
const hostile = [
  '<script>document.title="run"</script>',
  '"><img src=x onerror=\'document.title="run"\'>',
  '</td></table><iframe srcdoc="<script>parent.document.title=1</script>"></iframe>',
  '<style>body{display:none}</style>',
]

let routes: TenantRoutes
let stage: ControllerStage
let browser: Browser
beforeAll(async () => {
  const mallory = hostile.map((text, at) =>
    app(`mallory/m${at}`, { domains: `m${at}.example.com`, connectTimeout: text, referrerPolicy: text }),
  )
  routes = await startTenantRoutes(...mallory)
  stage = await ControllerStage.start({ times: quick, env: { DEIS_ROUTER_ADMIN_URL: routes.admin } })
  await stage.user('root')
  const keeper = await stage.user('keeper')
  await stage.app(keeper, 'zoo')
  browser = await Browser.start()
})
afterAll(async () => {
  await browser[Symbol.asyncDispose]()
  await stage[Symbol.asyncDispose]()
  await routes[Symbol.asyncDispose]()
})

async function logIn(page: Page, username: string): Promise<void> {
  await page.open(`${stage.url}/`)
  await page.type('input[name=username]', username)
  await page.type('input[name=password]', `password of ${username}`)
  await page.enter()
}

/** Nothing ran, nothing was fetched, nothing was forbidden because it was tried. */
async function expectQuiet(page: Page, base: string): Promise<void> {
  expect(await page.value('document.title')).toMatch(/^Deis (Workflow|router)$/)
  expect(await page.value('document.querySelectorAll("script,img,iframe,link,object,td style").length')).toBe(0)
  // The browser itself asks for an icon of any site.
  expect(page.requests.filter(url => !url.startsWith(base) || /favicon/.test(url))).toEqual([])
  expect(page.complaints.filter(text => !/favicon/.test(text))).toEqual([])
}

for (const scripts of [true, false])
  describe(scripts ? 'with scripts' : 'without scripts', () => {
    async function newPage(): Promise<Page> {
      const page = await browser.page()
      if (!scripts) await page.withoutScripts()
      return page
    }

    test("the router's page", async () => {
      const page = await newPage()
      await page.open(`${routes.admin}/`)
      const source = await page.source()
      for (const host of ['shop.example.com', 'zoo.example.com', 'm0.example.com'])
        expect(source).toContain(`<td>${host}</td>`)
      // As text of a Problem, to be read.
      expect(source).toContain('&lt;script&gt;')
      await expectQuiet(page, routes.admin)
    })

    test("the controller's: an administrator logs in and sees all", async () => {
      const page = await newPage()
      await logIn(page, 'root')
      const source = await page.source()
      expect(source).toContain('root, administrator')
      expect(source).toContain('<td>m0.example.com</td>')
      expect(source).toContain('&lt;script&gt;')
      await expectQuiet(page, stage.url)
    })

    test('a user sees his own, searches, and logs out', async () => {
      const page = await newPage()
      await logIn(page, 'keeper')
      expect(await page.source()).not.toMatch(/mallory|m0\.example/)
      await page.type('input[name=search]', 'zoo.')
      await page.enter()
      expect(await page.source()).toContain('1 to 1 of 1')
      await page.send('DOM.getDocument')
      await page.send('Runtime.evaluate', { expression: 'document.querySelector("header button").focus()' })
      await page.enter()
      expect(await page.source()).not.toContain('zoo.example.com')
      await expectQuiet(page, stage.url)
    })
  })

test('the style is in force, by the taste of the visitor', async () => {
  const page = await browser.page()
  const ground = 'getComputedStyle(document.body).backgroundColor'
  await page.open(`${routes.admin}/`)
  await page.scheme('light')
  expect(await page.value(ground)).toBe('rgb(255, 255, 255)')
  await page.scheme('dark')
  expect(await page.value(ground)).toBe('rgb(18, 22, 27)')
  expect((await page.picture(1280, 800)).subarray(1, 4).toString()).toBe('PNG')
})

test('whoever reads it by ear has names for tables, plots and fields', async () => {
  const page = await browser.page()
  await page.open(`${routes.admin}/`)
  await page.send('Accessibility.enable')
  const { nodes } = await page.send('Accessibility.getFullAXTree')
  // biome-ignore lint/suspicious/noExplicitAny: the protocol's
  const named = (role: string): any[] => nodes.filter((node: any) => node.role?.value === role)
  expect(named('image').length).toBeGreaterThan(2)
  for (const role of ['image', 'table', 'textbox', 'heading', 'columnheader'])
    for (const node of named(role)) expect(node.name?.value, role).not.toBe('')
  expect(named('columnheader').length).toBeGreaterThan(10)
})
