// `/` of the controller: who sees what, and what its cookie is good for.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ControllerStage, quick, type Reply } from '#test/support/controller-stage.ts'
import { startTenantRoutes, type TenantRoutes } from '#test/support/tenant-routes.ts'
import { app } from '#test/support/world-stage.ts'

const hostile = '<script>document.title="run"</script>'

let routes: TenantRoutes
let stage: ControllerStage
let admin: string
let keeper: string
beforeAll(async () => {
  routes = await startTenantRoutes(app('shop/other', { domains: 'shop2.example.com', connectTimeout: hostile }))
  stage = await ControllerStage.start({ times: quick, env: { DEIS_ROUTER_ADMIN_URL: routes.admin } })
  admin = await stage.user('root')
  keeper = await stage.user('keeper')
  await stage.app(admin, 'shop')
  await stage.app(keeper, 'zoo')
})
afterAll(async () => {
  expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
  await stage[Symbol.asyncDispose]()
  await routes[Symbol.asyncDispose]()
})

const form = { 'content-type': 'application/x-www-form-urlencoded' }

function post(
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
  to = stage,
): Promise<Reply> {
  return to.call('POST', '/', { body: new URLSearchParams(fields).toString(), headers: { ...form, ...headers } })
}

const look = (cookie: string | null, path = '/'): Promise<Reply> =>
  stage.call('GET', path, cookie === null ? {} : { headers: { cookie } })

const loginOf = (username: string) => ({ action: 'login', username, password: `password of ${username}` })

/** The cookie of a login. */
async function cookieOf(fields: Readonly<Record<string, string>>, headers = {}): Promise<string> {
  const { status, headers: got } = await post(fields, headers)
  expect([status, got.get('location')]).toEqual([303, '/'])
  return got.get('set-cookie')!.split(';')[0]!
}

describe('without a login', () => {
  test('what it is, whether its parts answer, and forms; nothing of anybody', async () => {
    const { status, body, headers } = await look(null)
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(headers.get('deis_api_version')).toBe('2.3')
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body).toMatch(/<h1>Deis Workflow<\/h1>/)
    expect([...body.matchAll(/<li>(\w+) <b class="\w+">([^<]+)</g)].map(([, name, state]) => [name, state])).toEqual([
      ['controller', 'up'],
      ['database', 'up'],
      ['router', 'up'],
      ['registry', 'not set up'],
      ['logger', 'not set up'],
    ])
    expect(body).not.toMatch(/example\.com|<table|http-equiv/)
  })
  test('HEAD', async () => expect(await stage.call('HEAD', '/')).toMatchObject({ status: 200, body: '' }))
  test('other URLs are as they were', async () => {
    for (const path of ['/index.html', '/status', '/v2', '/login'])
      expect((await look(null, path)).status, path).toBe(path === '/v2' ? 401 : 404)
    expect((await stage.call('PUT', '/', { body: {} })).status).toBe(404)
  })
})

describe('logged in', () => {
  const shown = (body: string): readonly string[] => [...new Set(body.match(/\b[a-z0-9]+\.example\.com/g))].sort()

  test('a user sees his own, and of others nothing', async () => {
    const { body } = await look(await cookieOf(loginOf('keeper')))
    expect(body).toContain('<td>zoo.example.com</td>')
    expect(body).toContain('keeper, the routes of your apps are shown')
    // The host that he wanted and did not get is named by him.
    expect(shown(body)).toEqual(['shop.example.com', 'zoo.example.com'])
    expect(body).toContain('shop.example.com belongs to a Service of somebody else')
    expect(body.replaceAll('shop.example.com', '')).not.toMatch(/shop/)
  })
  test('nor by asking for it', async () => {
    const cookie = await cookieOf(loginOf('keeper'))
    for (const query of ['/?app=shop', '/?app=', '/?search=shop2', '/?app=shop&app=zoo'])
      expect((await look(cookie, query)).body, query).not.toContain('shop2.example.com')
  })
  test('an administrator sees all, with what tenants wrote as text', async () => {
    const { body } = await look(await cookieOf(loginOf('root')))
    expect(shown(body)).toEqual(['shop.example.com', 'shop2.example.com', 'zoo.example.com'])
    expect(body).toContain('&lt;script&gt;')
    expect(body).not.toContain('<script')
  })
  test('with a token of the API', async () => {
    const { body } = await look(await cookieOf({ action: 'token', token: keeper }))
    expect(body).toContain('<td>zoo.example.com</td>')
  })
  test('until the logout', async () => {
    const cookie = await cookieOf(loginOf('keeper'))
    const { status, headers } = await post({ action: 'logout' }, { cookie })
    expect([status, headers.get('set-cookie')]).toEqual([303, expect.stringMatching(/^deis_status=; .*Max-Age=0/)])
    expect((await look(cookie)).body).not.toContain('zoo.example.com')
  })
  test('until all tokens of the user end', async () => {
    const token = await stage.user('passing')
    const cookie = await cookieOf(loginOf('passing'))
    expect((await look(cookie)).body).toContain('passing, ')
    await stage.call('POST', '/v2/auth/tokens/', { token, body: {} })
    expect((await look(cookie)).body).not.toContain('passing')
  })
})

describe('the cookie', () => {
  test('is for this page alone, for eight hours, and not for scripts', async () => {
    const plain = (await post(loginOf('keeper'))).headers.get('set-cookie')
    expect(plain).toMatch(/^deis_status=\d{10}\.[\w-]{43}; Path=\/; Max-Age=28800; HttpOnly; SameSite=Strict$/)
    const secure = (await post(loginOf('keeper'), { 'x-forwarded-proto': 'https' })).headers.get('set-cookie')
    expect(secure).toMatch(/^__Host-deis_status=[^;]+; Path=\/; Max-Age=28800; HttpOnly; SameSite=Strict; Secure$/)
  })
  test('opens nothing of the API', async () => {
    const cookie = await cookieOf(loginOf('root'))
    const value = cookie.slice(cookie.indexOf('=') + 1)
    for (const token of [value, value.split('.')[1]!, `page:${value}`])
      expect((await stage.call('GET', '/v2/apps/', { token })).status).toBe(401)
    expect((await stage.call('GET', '/v2/apps/', { headers: { cookie } })).status).toBe(401)
  })
  test('a token of the API is no cookie', async () => {
    for (const value of [admin, `9999999999.${admin}`, `9999999999.${'A'.repeat(43)}`, '', 'x.y'])
      expect((await look(`deis_status=${value}`)).body).not.toContain('<table')
  })
  test('cannot be made to last longer', async () => {
    const [name, value = ''] = (await cookieOf(loginOf('root'))).split('=')
    expect((await look(`${name}=9999999999${value.slice(10)}`)).body).not.toContain('<table')
  })
})

describe('forms of other sites', () => {
  const rows: readonly (readonly [name: string, headers: Readonly<Record<string, string>>, status: number])[] = [
    ['another site', { origin: 'http://evil.example' }, 403],
    ['an app beside it', { origin: 'http://evil.127.0.0.1.nip.io', 'sec-fetch-site': 'same-site' }, 403],
    ['a sandbox', { origin: 'null' }, 403],
    ['cross-site without an origin', { 'sec-fetch-site': 'cross-site' }, 403],
    ['the page itself', { 'sec-fetch-site': 'same-origin' }, 303],
  ]
  for (const [name, headers, status] of rows)
    test(name, async () => expect((await post(loginOf('keeper'), headers)).status).toBe(status))
  test('the page itself, by its origin', async () => {
    expect((await post(loginOf('keeper'), { origin: stage.url })).status).toBe(303)
  })
  test('a form that is no form', async () => {
    const text = await stage.call('POST', '/', { body: 'action=logout', headers: { 'content-type': 'text/plain' } })
    expect(text.status).toBe(415)
    const large = await post({ action: 'login', username: 'x'.repeat(20_000), password: 'x' })
    expect(large.status).toBe(413)
  })
})

describe('wrong logins', () => {
  const rows: readonly (readonly [name: string, fields: Readonly<Record<string, string>>])[] = [
    ['password', { ...loginOf('keeper'), password: 'no' }],
    ['user', { action: 'login', username: 'nobody', password: 'no' }],
    ['neither', { action: 'login' }],
    ['token', { action: 'token', token: 'f'.repeat(40) }],
    ['no token', { action: 'token' }],
    ['a cookie as a token', { action: 'token', token: 'page:9999999999:x' }],
    ['NUL', { action: 'login', username: 'a\0b', password: 'a\0b' }],
    ['nothing', {}],
    ['another action', { action: 'delete' }],
  ]
  for (const [name, fields] of rows)
    test(name, async () => {
      const { status, body, headers } = await post(fields)
      expect([status, headers.get('set-cookie')]).toEqual([401, null])
      expect(body).toContain('That is no login.')
    })

  test('after ten of them the API knows it too: 429', async () => {
    await using other = await ControllerStage.start({ times: quick })
    await other.user('alice')
    for (let at = 0; at < 10; at++)
      expect((await post({ action: 'login', username: 'alice', password: 'no' }, {}, other)).status).toBe(401)
    const { status, headers, body } = await post(loginOf('alice'), {}, other)
    expect([status, Number(headers.get('retry-after'))]).toEqual([429, expect.any(Number)])
    expect(body).toContain('Too many failed logins')
    const api = await other.call('POST', '/v2/auth/login/', {
      body: { username: 'alice', password: 'password of alice' },
    })
    expect(api.status).toBe(429)
  })
})

test('a router that cannot be asked is said to be away, and the page is there', async () => {
  await using other = await ControllerStage.start({
    times: quick,
    env: { DEIS_ROUTER_ADMIN_URL: 'http://127.0.0.1:1' },
  })
  await other.user('alice')
  const { headers } = await post(loginOf('alice'), {}, other)
  const { status, body } = await other.call('GET', '/', {
    headers: { cookie: headers.get('set-cookie')!.split(';')[0]! },
  })
  expect(status).toBe(200)
  expect(body).toContain('The router does not answer.')
  expect(body).toMatch(/router <b class="bad">does not answer/)
})
