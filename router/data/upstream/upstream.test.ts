import { describe, expect, test } from 'vitest'
import { upstreamAt } from '#test/support/data-thread.ts'
import type { UpstreamId } from '../../model/upstream.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import { Upstream } from './upstream.ts'

function upstreamOf(count: number): Upstream {
  const upstream = new Upstream('u' as UpstreamId)
  upstream.update(upstreamAt('u', ...Array.from({ length: count }, (_, i) => 1000 + i)))
  return upstream
}

/** Numbers in [0, 1) that look random and are the same in every run. */
function numbers(): () => number {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

const extremes = [() => 0, () => 0.5, () => 1 - Number.EPSILON, numbers()]

function poolsOf(upstream: Upstream): EndpointPool[] {
  const pools = new Set<EndpointPool>()
  for (let i = 0; i < upstream.size; i++) pools.add(upstream.claim(0, () => 0)!)
  return [...pools].sort((a, b) => a.port - b.port)
}

describe('claim', () => {
  test('nothing to claim', () => {
    const upstream = new Upstream('u' as UpstreamId)
    expect([upstream.available, upstream.size, upstream.claim(0, Math.random)]).toEqual([false, 0, null])
  })

  test('the only endpoint, even when it has failed', () => {
    const upstream = upstreamOf(1)
    const pool = upstream.claim(0, () => 0)!
    pool.failedAt = 1000
    expect(upstream.claim(1001, () => 0)).toBe(pool)
  })

  for (const count of [2, 3, 10]) {
    test(`I-B5 all of ${count} endpoints are reached over as many claims, busy or not`, () => {
      for (const random of extremes) {
        for (const busy of [0, 1]) {
          const upstream = upstreamOf(count)
          const reached = new Set<EndpointPool>()
          for (let i = 0; i < count; i++) {
            const pool = upstream.claim(0, random)!
            pool.inFlight += busy
            reached.add(pool)
          }
          expect(reached.size).toBe(count)
        }
      }
    })
  }

  test('of two, the one with fewer requests in flight', () => {
    const upstream = upstreamOf(2)
    const [a, b] = poolsOf(upstream) as [EndpointPool, EndpointPool]
    a.inFlight = 3
    b.inFlight = 2
    for (let i = 0; i < 10; i++) expect(upstream.claim(0, numbers())).toBe(b)
    b.inFlight = 4
    for (let i = 0; i < 10; i++) expect(upstream.claim(0, numbers())).toBe(a)
  })

  test('a slow endpoint gets few of many requests', () => {
    const upstream = upstreamOf(5)
    const slow = poolsOf(upstream)[2]!
    slow.inFlight = 1_000_000
    const random = numbers()
    for (let i = 0; i < 1000; i++) expect(upstream.claim(0, random)).not.toBe(slow)
  })

  test('the busiest of many is never the choice', () => {
    const upstream = upstreamOf(4)
    for (const [i, pool] of poolsOf(upstream).entries()) pool.inFlight = i
    const busiest = poolsOf(upstream)[3]!
    for (const random of extremes) {
      for (let i = 0; i < 100; i++) expect(upstream.claim(0, random)).not.toBe(busiest)
    }
  })
})

describe('endpoints that could not be reached', () => {
  test('are passed over while another one can be, however busy that is', () => {
    const upstream = upstreamOf(3)
    const [a, b, c] = poolsOf(upstream) as [EndpointPool, EndpointPool, EndpointPool]
    a.failedAt = 1000
    b.failedAt = 1000
    c.inFlight = 50
    for (const random of extremes) {
      for (let i = 0; i < 20; i++) expect(upstream.claim(1001, random)).toBe(c)
    }
  })

  test('count again after five seconds', () => {
    const upstream = upstreamOf(2)
    const [a, b] = poolsOf(upstream) as [EndpointPool, EndpointPool]
    a.failedAt = 1000
    b.inFlight = 1
    expect(upstream.claim(5999, () => 0)).toBe(b)
    expect(upstream.claim(6000, () => 0)).toBe(a)
  })

  test('when all have failed, the one whose failure is longest ago', () => {
    const upstream = upstreamOf(4)
    const pools = poolsOf(upstream)
    for (const [i, failedAt] of [3000, 1000, 4000, 2000].entries()) pools[i]!.failedAt = failedAt
    for (const random of extremes) {
      for (let i = 0; i < 20; i++) expect(upstream.claim(4500, random)).toBe(pools[1])
    }
  })
})

describe('update', () => {
  test('keeps the pools of what stays and retires those of what goes', () => {
    const upstream = upstreamOf(3)
    const [a, b, c] = poolsOf(upstream) as [EndpointPool, EndpointPool, EndpointPool]
    upstream.update(upstreamAt('u', 1001, 2000))
    const after = poolsOf(upstream)
    expect(after[0]).toBe(b)
    expect(after[1]!.port).toBe(2000)
    expect([a.retired, b.retired, c.retired]).toEqual([true, false, true])
  })

  test('an endpoint that comes back is a new one', () => {
    const upstream = upstreamOf(1)
    const before = upstream.claim(0, () => 0)!
    upstream.update(upstreamAt('u'))
    expect([upstream.available, before.retired]).toEqual([false, true])
    upstream.update(upstreamAt('u', 1000))
    expect(upstream.claim(0, () => 0)).not.toBe(before)
    expect(upstream.claim(0, () => 0)?.retired).toBe(false)
  })

  test('fewer endpoints than the turn had reached', () => {
    const upstream = upstreamOf(10)
    for (let i = 0; i < 9; i++) upstream.claim(0, () => 0)
    upstream.update(upstreamAt('u', 1000, 1001))
    expect(new Set([upstream.claim(0, () => 0), upstream.claim(0, () => 0)]).size).toBe(2)
  })

  test('retire leaves nothing', () => {
    const upstream = upstreamOf(2)
    const pools = poolsOf(upstream)
    upstream.retire()
    expect([upstream.available, upstream.size, ...pools.map(pool => pool.retired)]).toEqual([false, 0, true, true])
  })

  test('the log names an endpoint as a URI would', () => {
    const upstream = new Upstream('u' as UpstreamId)
    upstream.update({ ...upstreamAt('u'), endpoints: [{ address: '2001:db8::1', port: 80 }] })
    expect(upstream.claim(0, () => 0)?.name).toBe('[2001:db8::1]:80')
    upstream.update({ ...upstreamAt('u'), endpoints: [{ address: '192.0.2.1', port: 80 }] })
    expect(upstream.claim(0, () => 0)?.name).toBe('192.0.2.1:80')
  })
})
