// `GET /v2/router/explain` on a router that runs: who may learn what of whom.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RouterAdmin } from '#controller/router-admin.ts'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { startTenantRoutes, type TenantRoutes } from '#test/support/tenant-routes.ts'

let routes: TenantRoutes
let stage: ControllerStage
let admin: string
let shopkeeper: string
let keeper: string
let friend: string
let stranger: string
beforeAll(async () => {
  routes = await startTenantRoutes()
  stage = await ControllerStage.start({ times: quick, env: { DEIS_ROUTER_ADMIN_URL: routes.admin } })
  admin = await stage.user('root')
  shopkeeper = await stage.user('shopkeeper')
  keeper = await stage.user('keeper')
  friend = await stage.user('friend')
  stranger = await stage.user('stranger')
  await stage.app(shopkeeper, 'shop')
  await stage.app(keeper, 'zoo')
  await stage.call('POST', '/v2/apps/zoo/perms/', { token: keeper, body: { username: 'friend' } })
})
afterAll(async () => {
  expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
  await stage[Symbol.asyncDispose]()
  await routes[Symbol.asyncDispose]()
})

const ask = (token: string | null, url: string) =>
  stage.call('GET', `/v2/router/explain?url=${encodeURIComponent(url)}`, { token })

const ref = (namespace: string) => ({ kind: 'Service', namespace, name: namespace })

test('an administrator learns all', async () => {
  const { status, body } = await ask(admin, 'http://shop.example.com/a')
  expect(status).toBe(200)
  expect(body).toMatchObject({
    outcome: { kind: 'app' },
    route: { object: ref('shop'), host: 'shop.example.com' },
    upstream: { id: 'shop/shop:80', ready: 1 },
    others: [{ object: ref('zoo'), reason: 'host-taken', owner: ref('shop') }],
    problems: [{ code: 'host-conflict', object: ref('zoo') }],
  })
  expect((await ask(admin, 'http://shp.example.com/')).body.nearest).toEqual(['shop.example.com'])
})

test('who has the host learns all of his own, and not who else wanted it', async () => {
  const { body } = await ask(shopkeeper, 'http://shop.example.com/a')
  expect(body).toMatchObject({
    outcome: { kind: 'app' },
    route: { object: ref('shop') },
    upstream: { id: 'shop/shop:80' },
    others: [],
    problems: [],
  })
  expect(body.policies.map(({ kind }: { kind: string }) => kind)).toContain('allow-list')
  expect(JSON.stringify(body)).not.toContain('zoo')
})

for (const [who, token] of [
  ['its owner', () => keeper],
  ['with whom it is shared', () => friend],
] as const)
  test(`who wanted it learns that another app has it, not which: ${who}`, async () => {
    const { body } = await ask(token(), 'http://shop.example.com/a')
    expect(body).toMatchObject({
      outcome: { kind: 'hidden', status: null },
      ...{ route: null, certificate: null, upstream: null, policies: [] },
      others: [{ object: ref('zoo'), reason: 'host-taken', owner: null, text: 'another app has this host' }],
    })
    expect(body.problems[0].message).toMatch(/^shop\.example\.com belongs to a Service of somebody else/)
    const said = JSON.stringify(body).replaceAll('shop.example.com', '')
    expect(said).not.toContain('shop')
  })

test('a stranger learns that there is an app', async () => {
  const { body } = await ask(stranger, 'http://shop.example.com/')
  expect(body).toMatchObject({
    outcome: { kind: 'hidden', text: 'another app has shop.example.com' },
    others: [],
    problems: [],
  })
  expect(JSON.stringify(body).replaceAll('shop.example.com', '')).not.toMatch(/shop|zoo/)
  const near = await ask(stranger, 'http://shp.example.com/')
  expect(near.body).toMatchObject({ outcome: { kind: 'not-found', status: 404 }, nearest: [] })
  expect((await ask(shopkeeper, 'http://shp.example.com/')).body.nearest).toEqual(['shop.example.com'])
})

describe('what is refused', () => {
  const rows: readonly (readonly [name: string, path: string, status: number, detail: RegExp])[] = [
    ['no URL', '/v2/router/explain', 400, /url is a required parameter/],
    ['an empty one', '/v2/router/explain/?url=', 400, /url is a required parameter/],
    ['none of HTTP', '/v2/router/explain?url=ftp%3A%2F%2Fa', 400, /must be an http or https URL/],
  ]
  for (const [name, path, status, detail] of rows)
    test(name, async () => {
      const reply = await stage.call('GET', path, { token: stranger })
      expect([reply.status, reply.body.detail]).toEqual([status, expect.stringMatching(detail)])
    })
  test('nobody', async () => expect((await ask(null, 'http://a/')).status).toBe(401))
  test('whom it is for cannot be chosen', async () => {
    const { body } = await stage.call('GET', '/v2/router/explain?url=http://shop.example.com/&app=shop', {
      token: stranger,
    })
    expect(body.outcome.kind).toBe('hidden')
  })
})

describe('a router that cannot be asked: 503, and why', () => {
  const rows: readonly (readonly [name: string, answer: string | null, detail: RegExp])[] = [
    ['away', null, /does not answer/],
    ['something else', '{"hello": "world"}', /something else/],
    ['no JSON', '<html>', /something else/],
    ['too much', `"${'x'.repeat(5 * 1024 * 1024)}"`, /something else/],
  ]
  for (const [name, answer, detail] of rows)
    test(name, async () => {
      const server = createServer((_request, response) => response.end(answer))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      if (answer === null) server.close()
      await using other = await ControllerStage.start({ times: quick, env: { DEIS_ROUTER_ADMIN_URL: url } })
      const reply = await other.call('GET', '/v2/router/explain?url=http://a.example/', { token: await other.user() })
      server.close()
      expect([reply.status, reply.body.detail]).toEqual([503, expect.stringMatching(detail)])
      expect(reply.body.detail).not.toContain('127.0.0.1')
    })
  test('asked by too many at once: 429 for those who would wait too long', async () => {
    const server = createServer((_request, response) => setTimeout(() => response.end('{}'), 20))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const router = new RouterAdmin(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    const { signal } = new AbortController()
    const asked = Array.from({ length: 60 }, () => router.explain('http://a/', null, signal))
    const ends = await Promise.allSettled(asked)
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(52)
    for (const end of ends.slice(52)) expect(end).toMatchObject({ reason: { kind: 'too-many', retryAfter: 1 } })
    server.close()
  })
  test('not set up', async () => {
    await using other = await ControllerStage.start({ times: quick })
    const reply = await other.call('GET', '/v2/router/explain?url=http://a.example/', { token: await other.user() })
    expect([reply.status, reply.body.detail]).toEqual([
      503,
      expect.stringMatching(/was not told where its admin port is/),
    ])
  })
})

test('the document has it, with its parameter', async () => {
  const { body } = await stage.call('GET', '/v2/openapi.json')
  expect(body.paths['/v2/router/explain/'].get.parameters).toEqual([
    { name: 'url', in: 'query', description: expect.any(String), schema: { type: 'string' } },
  ])
})
