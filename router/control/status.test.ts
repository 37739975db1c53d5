import { describe, expect, test } from 'vitest'
import type { RouterStatus } from '#kit/router-status.ts'
import type { KubeObject } from '#kube/types.ts'
import { app, ingress, Stage, settings, slice, stageTime } from '#test/support/world-stage.ts'
import { ChangeHistory, contentOf } from './change-history.ts'
import { Published } from './published.ts'
import { createSelfSigned } from './self-signed.ts'
import { readStatusQuery, routerStatus, type StatusSources } from './status.ts'
import { makePair } from './testdata/make-certificate.ts'
import { TrafficHistory } from './traffic-history.ts'

const own = createSelfSigned(stageTime)
const later = stageTime + 90 * 86_400_000

function sourcesOf(stage: Stage): StatusSources {
  const published = new Published(own)
  const changes = new ChangeHistory({ applied: async () => {}, now: () => stageTime, clock: () => 0 })
  const patch = stage.world.whole()
  changes.add(
    contentOf({ ...patch, reset: false }, published, { kind: 'Deployment', namespace: 'deis', name: 'deis-router' }),
    1,
    0,
  )
  published.publish(patch)
  return {
    published,
    changes,
    health: () => ({ healthy: false, text: 'waiting for:\nsecret zoo/zoo-cert' }),
    changedAt: () => stageTime,
    synced: () => true,
    servedSnapshot: () => null,
    problems: () => stage.world.problems(),
    endpoints: id => stage.world.endpoints(id),
    sum: () => 3,
    traffic: new TrafficHistory({ counters: () => [], apps: () => [], now: () => 0 }),
    now: () => stageTime,
  }
}

function ask(stage: Stage, query = ''): RouterStatus {
  return routerStatus(sourcesOf(stage), readStatusQuery(new URLSearchParams(query)))
}

function staged(...objects: readonly KubeObject[]): Stage {
  const stage = new Stage().put(...objects)
  stage.settle()
  return stage
}

const shop = app('shop/shop', { domains: 'shop.example.com', certificates: 'shop.example.com:shop' })
const zoo = app('zoo/web', { domains: 'zoo.example.com,shop.example.com', maintenance: 'true' })

/** Two tenants, of whom the second wants the host of the first. */
function tenants(): Stage {
  const stage = staged(shop, zoo, slice('shop/shop', '', 5000, '10.0.0.1', '10.0.0.2'))
  stage.secret('shop/shop-cert', makePair('shop.example.com', later))
  stage.settle()
  return stage
}

test('routes with owner, certificate, endpoints', () => {
  const { routes, healthy, now, apps, configuration } = ask(tenants())
  expect(routes).toMatchObject({ total: 2, offset: 0, limit: 100, search: '' })
  expect(routes.items).toEqual([
    {
      host: 'shop.example.com',
      path: '/',
      object: { kind: 'Service', namespace: 'shop', name: 'shop' },
      app: 'shop',
      https: true,
      certificate: { id: 'shop/shop-cert', expires: new Date(later).toISOString() },
      endpoints: { ready: 2, notReady: 0 },
      maintenance: false,
    },
    {
      host: 'zoo.example.com',
      path: '/',
      object: { kind: 'Service', namespace: 'zoo', name: 'web' },
      app: 'zoo/web',
      https: false,
      certificate: null,
      endpoints: { ready: 0, notReady: 0 },
      maintenance: true,
    },
  ])
  expect([healthy, now?.requests, apps, configuration.synced]).toEqual([false, 3, null, true])
})

describe('with app: nothing of anybody else', () => {
  test('the one who has the host', () => {
    const status = ask(tenants(), 'app=shop')
    expect([status.routes.total, status.problems.total, status.changes.total, status.now]).toEqual([1, 0, 1, null])
    expect(status.apps).toEqual(['shop'])
    expect(JSON.stringify(status)).not.toMatch(/zoo/)
  })
  test('the one who wants it is told that he does not get it, not by whom', () => {
    const status = ask(tenants(), 'app=zoo')
    expect(status.problems.items).toMatchObject([
      {
        code: 'host-conflict',
        message: 'shop.example.com belongs to a Service of somebody else, which comes first by namespace and name',
      },
    ])
    expect(JSON.stringify(status)).not.toMatch(/shop\/shop|"shop"/)
  })
  const nobody: readonly string[] = ['app=', 'app=nobody', 'app=*', 'app=SHOP', 'app=../shop', 'app=%00shop', 'app=sho']
  for (const query of nobody)
    test(`${query} is nobody`, () => {
      const { routes, problems, changes } = ask(tenants(), query)
      expect([routes.total, problems.total, changes.total]).toEqual([0, 0, 0])
    })

  test('whatever anybody is told, no Problem names an object of another namespace', () => {
    const stage = staged(
      app('a/a', { domains: 'a.example.com', certificates: 'a.example.com:c' }),
      app('b/b', { domains: 'a.example.com,b.example.com', proxyDomain: 'a.example.com', proxyLocations: '/x' }),
      app('c/c', { domains: 'c.example.com', proxyDomain: 'a.example.com', proxyLocations: '/x' }),
      ingress('d/d', { rules: ['a.example.com / x:80', 'w.example.com /p x:80'], tls: ['t w.example.com'] }),
      ingress('e/e', { rules: ['w.example.com /p x:80', 'w.example.com / x:80'], tls: ['t w.example.com'] }),
      ingress('f/f', { rules: ['v.example.com / x:80'], fallback: 'x:80' }),
      ingress('g/g', { fallback: 'x:80' }),
      settings({ defaultServiceEnabled: 'true', defaultServiceIP: '10.9.9.9', defaultAppName: 'catch' }),
    )
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    let told = 0
    for (const name of names) {
      const { items } = ask(stage, `app=${name}`).problems
      told += items.length
      for (const { message } of items)
        for (const [, namespace] of message.matchAll(/\b([a-z])\/[a-z]/g)) expect(namespace, message).toBe(name)
    }
    expect(told).toBeGreaterThan(6)
  })
})

describe('bounds', () => {
  const many = (): Stage =>
    staged(
      ...Array.from({ length: 700 }, (_, at) =>
        app(`ns${at}/a`, { domains: `h${at}.example.com,taken.example.com`, maintenance: 'x' }),
      ),
    )

  test('a page of routes, and problems, with the whole number', () => {
    const stage = many()
    const status = ask(stage, 'limit=100000')
    expect([status.routes.total, status.routes.items.length]).toEqual([701, 500])
    expect([status.problems.items.length, status.problems.total > 700]).toEqual([100, true])
    expect(ask(stage, 'offset=690&limit=50').routes.items).toHaveLength(11)
    expect(ask(stage, 'offset=99999999').routes.items).toEqual([])
    expect(JSON.stringify(status).length).toBeLessThan(500_000)
  })

  test('search by host, app and object', () => {
    const stage = many()
    expect(ask(stage, 'search=h699').routes.items.map(({ app }) => app)).toEqual(['ns699/a'])
    expect(ask(stage, 'search=NS698/a').routes.total).toBe(1)
    expect(ask(stage, 'search=nothing').routes.total).toBe(0)
  })

  const queries: readonly (readonly [string, object])[] = [
    ['limit=0', { limit: 1 }],
    ['limit=-5&offset=-1', { limit: 100, offset: 0 }],
    ['limit=x&offset=1e9', { limit: 100, offset: 0 }],
    [`search=${'x'.repeat(1000)}`, { search: 'x'.repeat(100) }],
    ['', { namespaces: null, limit: 100, offset: 0, search: '' }],
  ]
  for (const [query, want] of queries)
    test(`?${query.slice(0, 30)}`, () => expect(readStatusQuery(new URLSearchParams(query))).toMatchObject(want))
})
