import { expect, test } from 'vitest'
import type { Patch } from '../model/patch.ts'
import { ChangeHistory, contentOf } from './change-history.ts'
import { Published } from './published.ts'
import { certificateOf, patchOf, routeOf, upstreamOf } from './testdata/patches.ts'

const settings = { kind: 'Deployment', namespace: 'deis', name: 'deis-router' }

/** A router whose data threads have a version in force when a test says so. */
class Bench {
  readonly published = new Published(certificateOf('self-signed'))
  now = 1000
  readonly #waiting = new Map<number, () => void>()
  readonly history = new ChangeHistory({
    applied: version => new Promise(resolve => this.#waiting.set(version, resolve)),
    now: () => Date.UTC(2026, 0) + this.now,
    clock: () => this.now,
  })

  publish(patch: Patch, heardAt = this.now): void {
    const content = contentOf(patch, this.published, settings)
    this.history.add(content, this.published.publish(patch).version, heardAt)
  }

  async live(version: number): Promise<void> {
    this.#waiting.get(version)!()
    this.#waiting.delete(version)
    await new Promise(setImmediate)
  }

  get waits(): number {
    return this.#waiting.size
  }
}

const world = patchOf({ reset: true, routes: [routeOf('a.example', 'a')], upstreams: [upstreamOf('a', 1)] })

test('what changed, the latest first, and the time from the news to the last data thread', async () => {
  const bench = new Bench()
  bench.publish(world, 900)
  bench.now = 1100
  await bench.live(1)
  bench.publish(
    patchOf({ routes: [routeOf('a.example', 'a'), routeOf('b.example', 'b')], upstreams: [upstreamOf('b', 2)] }),
  )
  bench.now = 1107.25
  const before = bench.history.list(null)
  expect(before.items[0]?.milliseconds).toBe(null)
  await bench.live(2)
  expect(bench.history.list(null)).toEqual({
    total: 2,
    items: [
      {
        time: '2026-01-01T00:00:01.100Z',
        objects: [
          { kind: 'Service', namespace: 'default', name: 'a' },
          { kind: 'Service', namespace: 'default', name: 'b' },
        ],
        summary: '1 route added, 1 route changed, endpoints of 1 Service',
        milliseconds: 7.3,
      },
      { time: '2026-01-01T00:00:00.900Z', objects: [], summary: 'everything: 1 route', milliseconds: 200 },
    ],
  })
})

test('routes that go, certificates', async () => {
  const bench = new Bench()
  bench.publish(world)
  await bench.live(1)
  bench.publish(patchOf({ withoutRoutes: ['service/default/a/a.example'], certificates: [certificateOf('zoo/tls')] }))
  expect(bench.history.list(null).items[0]).toMatchObject({
    summary: '1 route removed, 1 certificate',
    objects: [
      { kind: 'Service', name: 'a' },
      { kind: 'Secret', namespace: 'zoo' },
    ],
  })
})

test('for some namespaces: nothing of others, and not that everything changed', async () => {
  const bench = new Bench()
  bench.publish(world)
  bench.publish(patchOf({ routes: [routeOf('b.example', 'b')], certificates: [certificateOf('zoo/tls')] }))
  bench.publish(patchOf({ routes: [routeOf('c.example', 'c')] }))
  const { total, items } = bench.history.list(new Set(['zoo']))
  expect([total, items.map(({ summary }) => summary)]).toEqual([1, ['1 certificate']])
  expect(JSON.stringify(items)).not.toContain('default')
})

test('fifty are kept, and one is waited for at a time', async () => {
  const bench = new Bench()
  for (let at = 0; at < 70; at++) bench.publish(patchOf({ routes: [routeOf(`a${at}.example`, `a${at}`)] }))
  const { total, items } = bench.history.list(null)
  expect([total, items.length, bench.waits]).toEqual([70, 50, 1])
})

test('of a change of very many objects a part is named, and all are counted', () => {
  const bench = new Bench()
  bench.publish(patchOf({ routes: Array.from({ length: 300 }, (_, at) => routeOf(`a${at}.example`, `a${at}`)) }))
  const [change] = bench.history.list(null).items
  expect([change?.objects.length, change?.summary]).toEqual([5, '300 routes added'])
})

test('a change of thousands is counted, and names nothing', () => {
  const bench = new Bench()
  const routes = Array.from({ length: 2000 }, (_, at) => routeOf(`a${at}.example`, `a${at}`))
  bench.publish(patchOf({ routes: routes.slice(0, 3) }))
  bench.publish(patchOf({ routes }))
  const [change] = bench.history.list(null).items
  expect([change?.objects, change?.summary]).toEqual([[], '1997 routes added, 3 routes changed'])
  expect(bench.history.list(new Set(['default'])).total).toBe(1)
})
