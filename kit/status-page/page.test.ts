import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { RouterStatus, StatusRoute } from '../router-status.ts'
import { html } from './html.ts'
import { type StatusView, statusPage } from './page.ts'
import { plot } from './plot.ts'

const object = { kind: 'Service', namespace: 'shop', name: 'shop' }
const route: StatusRoute = {
  host: 'shop.example.com',
  path: '/',
  object,
  app: 'shop',
  https: true,
  certificate: { id: 'shop/shop-cert', expires: '2026-06-11T00:00:00.000Z' },
  endpoints: { ready: 2, notReady: 1 },
  maintenance: false,
}
const series = { seconds: 5, requests: [1, 2, 4.5], errors: [0, 0, 0], mean: [null, 3, 4], slow: [null, 9, 12] }
const status: RouterStatus = {
  time: '2026-06-01T00:00:00.000Z',
  release: '0.1.0',
  healthy: true,
  health: 'ok',
  configuration: { version: 7, changedAt: '2026-06-01T00:00:00.000Z', synced: true, snapshotOf: null },
  apps: null,
  now: { connections: 1, requests: 2, tunnels: 3, endpointsResting: 4, endpointsUnhealthy: 5 },
  traffic: series,
  routes: { total: 1, offset: 0, limit: 100, search: '', items: [route] },
  appTraffic: { shop: series },
  problems: {
    total: 1,
    items: [
      { code: 'no-port', severity: 'error', object, message: 'it has no port 80', since: '2026-05-31T10:11:12.000Z' },
    ],
  },
  changes: {
    total: 1,
    items: [{ time: '2026-05-31T10:11:12.000Z', objects: [object], summary: '1 route added', milliseconds: 7.3 }],
  },
}
const view: StatusView = {
  ...{ title: 'Deis router', version: '0.1.0', parts: [], status, notice: null },
  ...{ person: null, login: false, refresh: 15 },
}

/** The texts of the cells of each row below a heading. */
function rows(body: string, id: string): readonly (readonly string[])[] {
  const section = new RegExp(`<section aria-labelledby="${id}">.*?</section>`, 's').exec(body)?.[0] ?? ''
  const table = /<tbody>(.*?)<\/tbody>/s.exec(section)?.[1] ?? ''
  return [...table.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map(([, cell = '']) =>
      cell
        .replace(/<svg.*?<\/svg>/gs, '')
        .replace(/<[^>]+>/g, '')
        .trim(),
    ),
  )
}

test('routes, problems and changes', () => {
  const { body } = statusPage(view)
  expect(rows(body, 'routes')).toEqual([
    [
      'shop.example.com',
      '/',
      'Service shop/shop',
      '2 ready and 1 not ready',
      '10 days 2026-06-11, shop/shop-cert',
      '4.5',
      '12',
    ],
  ])
  expect(rows(body, 'problems')).toEqual([['no-port', 'Service shop/shop', 'it has no port 80', '2026-05-31 10:11:12']])
  expect(rows(body, 'changes')).toEqual([['2026-05-31 10:11:12', '7.3 ms', '1 route added', 'Service shop/shop']])
  expect(body).toContain('1 to 1 of 1')
  expect(body).toMatch(/<meta http-equiv="refresh" content="15">/)
})

test('every tag that opens closes', () => {
  const { body } = statusPage({
    ...view,
    login: true,
    notice: 'a',
    parts: [{ name: 'router', state: 'up' }],
    person: { username: 'a', isAdministrator: true },
  })
  const open: string[] = []
  for (const [, slash, name = '', rest = ''] of body
    .replace(/<style>.*?<\/style>/s, '')
    .matchAll(/<(\/?)([a-z0-9]+)([^>]*)>/g)) {
    if (['meta', 'input'].includes(name) || rest.endsWith('/')) continue
    if (slash === '') open.push(name)
    else expect(open.pop()).toBe(name)
  }
  expect(open).toEqual([])
})

test('the policy lets in the one style that there is, and no script', () => {
  const { body, headers } = statusPage(view)
  const [, style = ''] = /<style>(.*?)<\/style>/s.exec(body)!
  const digest = createHash('sha256').update(style).digest('base64')
  expect(headers['content-security-policy']).toBe(
    `default-src 'none'; style-src 'sha256-${digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  )
  expect(body).not.toMatch(/<script|\sstyle=|\son[a-z]+=|https?:\/\/|url\(|@import/i)
})

describe('hostile texts are shown, not obeyed', () => {
  const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\u202e\0`
  const everywhere: RouterStatus = {
    ...status,
    healthy: false,
    health: hostile,
    configuration: { ...status.configuration, changedAt: hostile, snapshotOf: hostile },
    routes: {
      ...{ total: 400, offset: 100, limit: 100, search: hostile },
      items: [
        {
          ...route,
          ...{
            host: hostile,
            path: hostile,
            app: hostile,
            object: { kind: hostile, namespace: hostile, name: hostile },
          },
          certificate: { id: hostile, expires: hostile },
        },
      ],
    },
    appTraffic: { [hostile]: series },
    problems: {
      total: 1,
      items: [
        {
          code: hostile,
          severity: 'error',
          object: { kind: hostile, namespace: hostile, name: hostile },
          message: hostile,
          since: hostile,
        },
      ],
    },
    changes: {
      total: 1,
      items: [
        {
          time: hostile,
          objects: [{ kind: hostile, namespace: hostile, name: hostile }],
          summary: hostile,
          milliseconds: 1,
        },
      ],
    },
  }

  test('in every place', () => {
    const { body } = statusPage({
      ...view,
      ...{ title: hostile, version: hostile, status: everywhere, notice: hostile },
      parts: [{ name: hostile, state: 'away' }],
      person: { username: hostile, isAdministrator: false },
    })
    expect(body.match(/&lt;script&gt;/g)!.length).toBeGreaterThan(20)
    // Not a tag, attribute or control that is not the page's own.
    expect(body).not.toMatch(/<script|<img|[\0\u202e]/)
    const allowed = new Set([
      'html',
      'head',
      'meta',
      'title',
      'style',
      'body',
      'header',
      'h1',
      'h2',
      'span',
      'form',
      'input',
      'button',
      'label',
    ])
    for (const name of [
      'main',
      'p',
      'ul',
      'li',
      'b',
      'section',
      'div',
      'figure',
      'figcaption',
      'svg',
      'polyline',
      'circle',
    ])
      allowed.add(name)
    for (const name of ['table', 'caption', 'thead', 'tbody', 'tr', 'th', 'td', 'time', 'nav', 'a', 'footer'])
      allowed.add(name)
    for (const [, name = ''] of body.matchAll(/<\/?([a-z][a-z0-9]*)/gi)) expect(allowed).toContain(name)
  })

  test('names of members of objects are apps like others', () => {
    const { body } = statusPage({
      ...view,
      status: { ...status, routes: { ...status.routes, items: [{ ...route, app: 'constructor' }] } },
    })
    expect(rows(body, 'routes')[0]?.slice(-2)).toEqual(['–', '–'])
  })

  test('a template escapes what it is given, also within attributes', () => {
    expect(html`<a title="${`"'<>&`}">${'<b>'}${html`<i>${'&'}</i>`}${null}${[1, '<']}</a>`.toString()).toBe(
      '<a title="&quot;&#39;&lt;&gt;&amp;">&lt;b&gt;<i>&amp;</i>1&lt;</a>',
    )
  })
})

describe('pages of routes', () => {
  const paged = (total: number, offset: number, search = ''): string =>
    statusPage({ ...view, status: { ...status, routes: { total, offset, limit: 1, search, items: [route] } } }).body
  const rowsOf: readonly (readonly [name: string, body: string, want: readonly string[]])[] = [
    ['the first', paged(3, 0), ['?offset=1']],
    ['one between, of a search', paged(3, 1, 'a&b'), ['?search=a%26b', '?search=a%26b&amp;offset=2']],
    ['the last', paged(3, 2), ['?offset=1']],
    ['the only one', paged(1, 0), []],
  ]
  for (const [name, body, want] of rowsOf)
    test(name, () => {
      const [nav = ''] = /<nav.*?<\/nav>/s.exec(body) ?? []
      expect([...nav.matchAll(/href="([^"]*)"/g)].map(match => match[1])).toEqual(want)
    })
})

// Who had found a route lost it by stopping the page from coming anew.
test.each([
  [15, 'Stop that', '?search=a%26b&amp;offset=2&amp;refresh=off'],
  [null, 'Show it anew every few seconds', '?search=a%26b&amp;offset=2'],
] as const)('what is looked at stays with a refresh of %s turned', (refresh, text, want) => {
  const routes = { total: 3, offset: 2, limit: 1, search: 'a&b', items: [route] }
  const { body } = statusPage({ ...view, refresh, status: { ...status, routes } })
  expect(body).toContain(`<a href="${want}">${text}</a>`)
})

describe('states', () => {
  test('an expired certificate, none, and no endpoint', () => {
    const items: readonly StatusRoute[] = [
      { ...route, certificate: { id: 'a/b', expires: '2026-05-01T00:00:00.000Z' } },
      { ...route, certificate: null },
      { ...route, https: false, endpoints: { ready: 0, notReady: 0 }, maintenance: true },
    ]
    const { body } = statusPage({ ...view, status: { ...status, routes: { ...status.routes, items } } })
    expect(rows(body, 'routes').map(row => row[4])).toEqual([
      'expired 2026-05-01, a/b',
      'the default certificate',
      'no',
    ])
    expect(rows(body, 'routes')[2]).toMatchObject({ 0: 'shop.example.com maintenance', 3: '0 ready' })
  })
  test('without a status: parts and a login', () => {
    const { body } = statusPage({
      ...view,
      status: null,
      login: true,
      refresh: null,
      parts: [{ name: 'router', state: 'away' }],
    })
    expect(body).toMatch(/router <b class="bad">does not answer<\/b>/)
    expect(body.match(/<form method="post" action="\/"/g)).toHaveLength(2)
    expect(body).not.toMatch(/http-equiv|<table/)
  })
  test('a change that is not live yet', () => {
    const changes = { total: 1, items: [{ ...status.changes.items[0]!, milliseconds: null }] }
    expect(rows(statusPage({ ...view, status: { ...status, changes } }).body, 'changes')[0]?.[1]).toBe('not yet')
  })
})

describe('plots', () => {
  const options = { label: 'Requests', unit: 'a second', width: 100, height: 20, span: 4 }
  test('a line for each run of values, and words for who does not see it', () => {
    const svg = plot({ ...options, values: [1, 2, null, 4] }).toString()
    expect(svg).toContain('aria-label="Requests: now 4, at most 4 a second"')
    expect([svg.match(/<polyline/g)?.length, svg.match(/<circle/g)?.length]).toEqual([1, 1])
    expect(svg).toContain('points="0.0,14.5 33.3,10.0"')
  })
  test('nothing yet', () => {
    expect(plot({ ...options, values: [] }).toString()).toContain('Requests: nothing yet')
    expect(plot({ ...options, values: [0, 0] }).toString()).toContain('points="66.7,19.0 100.0,19.0"')
  })
})
