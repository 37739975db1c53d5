import { describe, expect, test } from 'vitest'
import { upstreamAt, upstreamWith } from '#test/support/data-thread.ts'
import { numbers, UpstreamStage } from '#test/support/upstream-stage.ts'
import type { UpstreamId } from '../../model/upstream.ts'
import type { UpstreamSettings } from '../../model/upstream-settings.ts'
import { standardUpstreamSettings } from '../../model/upstream-settings.ts'
import type { Random } from './balance.ts'
import type { Member } from './member.ts'
import { UpstreamRegistry } from './registry.ts'
import type { Upstream } from './upstream.ts'

const extremes = [() => 0, () => 0.5, () => 1 - Number.EPSILON, numbers()]
const { limits, ejection } = standardUpstreamSettings

interface Made {
  readonly stage: UpstreamStage
  readonly upstream: Upstream
  readonly members: readonly Member[]
}

/** Endpoints at ports from 1000 on. */
function make(count: number, settings: Partial<UpstreamSettings> = {}, random: Random = numbers()): Made {
  const stage = new UpstreamStage()
  const upstream = stage.upstream(random)
  const ports = Array.from({ length: count }, (_, i) => 1000 + i)
  upstream.update(upstreamWith('u', settings, ...ports))
  return { stage, upstream, members: stage.members(upstream, ...ports) }
}

describe('claim', () => {
  test('nothing to claim', () => {
    const { stage, upstream } = make(0)
    expect([upstream.available, upstream.size, stage.claim(upstream)]).toEqual([false, 0, null])
  })

  test('the only endpoint, even when it has failed', () => {
    const { stage, upstream, members } = make(1)
    upstream.unreachable(members[0]!)
    expect(stage.ports(upstream, 3)).toEqual([1000, 1000, 1000])
  })

  for (const count of [2, 3, 10]) {
    test(`I-B5 all of ${count} endpoints are reached over as many claims, busy or not`, () => {
      for (const random of extremes) {
        for (const busy of [false, true]) {
          const { stage, upstream } = make(count, {}, random)
          const reached = new Set<Member>()
          for (let i = 0; i < count; i++) {
            const member = stage.claim(upstream)!
            if (!busy) member.leave()
            reached.add(member)
          }
          expect(reached.size).toBe(count)
        }
      }
    })
  }

  test('of two, the one with fewer requests in flight', () => {
    const { stage, upstream, members } = make(2)
    members[0]!.pool.inFlight = 3
    members[1]!.pool.inFlight = 2
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([1001]))
    members[1]!.pool.inFlight = 4
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([1000]))
  })

  test('the busiest of many is never the choice', () => {
    for (const random of extremes) {
      const { stage, upstream, members } = make(4, {}, random)
      for (const [i, { pool }] of members.entries()) pool.inFlight = i
      expect(stage.ports(upstream, 100)).not.toContain(1003)
    }
  })

  test('round robin is in turn, however busy they are', () => {
    const { stage, upstream, members } = make(3, { balance: { kind: 'round-robin' } })
    members[1]!.pool.inFlight = 100
    const ports = stage.ports(upstream, 6)
    expect(ports.slice(0, 3).toSorted()).toEqual([1000, 1001, 1002])
    expect(ports.slice(3)).toEqual(ports.slice(0, 3))
  })

  test('an endpoint that failed this request is taken again only if there is no other', () => {
    const { stage, upstream, members } = make(2)
    for (const except of members) expect(stage.ports(upstream, 10, { except })).not.toContain(except.pool.port)
    const [first = null, second] = members
    upstream.unreachable(second!)
    expect(new Set(stage.ports(upstream, 4, { except: first }))).toEqual(new Set([1001]))
    const alone = make(1)
    expect(alone.stage.ports(alone.upstream, 1, { except: alone.members[0]! })).toEqual([1000])
  })
})

describe('rest', () => {
  test('endpoints that cannot be reached are passed over while another one can be, however busy that is', () => {
    for (const random of extremes) {
      const { stage, upstream, members } = make(3, {}, random)
      upstream.unreachable(members[0]!)
      upstream.unreachable(members[1]!)
      members[2]!.pool.inFlight = 50
      expect(new Set(stage.ports(upstream, 20))).toEqual(new Set([1002]))
      expect(stage.count('upstreamResting')).toBe(2)
    }
  })

  test('after five seconds one request tries it: others follow when that went well', () => {
    const { stage, upstream, members } = make(2)
    const [failed] = members
    upstream.unreachable(failed!)
    stage.elapse(4999)
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([1001]))
    stage.elapse(1)
    expect(stage.ports(upstream, 10).filter(port => port === 1000)).toHaveLength(1)
    upstream.reached(failed!)
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([1000, 1001]))
    expect(stage.count('upstreamResting')).toBe(0)
  })

  test('a trial that fails doubles the rest, up to a minute', () => {
    const { stage, upstream, members } = make(2)
    const [failed] = members
    upstream.unreachable(failed!)
    for (const seconds of [5, 10, 20, 40, 60, 60]) {
      stage.elapse(seconds * 1000 - 1)
      expect(stage.ports(upstream, 10)).not.toContain(1000)
      stage.elapse(1)
      expect(stage.ports(upstream, 10)).toContain(1000)
      upstream.unreachable(failed!)
    }
    expect(stage.count('upstreamRestsUnreachable')).toBe(7)
    expect(stage.count('upstreamResting')).toBe(1)
  })

  test('a trial of which nothing is heard is followed by another one, after as long again', () => {
    const { stage, upstream, members } = make(2)
    upstream.unreachable(members[0]!)
    stage.elapse(5000)
    expect(stage.ports(upstream, 10)).toContain(1000)
    stage.elapse(4999)
    expect(stage.ports(upstream, 10)).not.toContain(1000)
    stage.elapse(1)
    expect(stage.ports(upstream, 10)).toContain(1000)
  })

  test('failures that were on their way together are one', () => {
    const { stage, upstream, members } = make(2)
    for (let i = 0; i < 10; i++) upstream.unreachable(members[0]!)
    expect(stage.logged).toEqual(['an endpoint rests'])
    stage.elapse(5000)
    expect(stage.ports(upstream, 10)).toContain(1000)
  })

  test('when all cannot be reached, the one whose failure is longest ago', () => {
    const { stage, upstream, members } = make(4)
    for (const index of [1, 3, 0, 2]) {
      upstream.unreachable(members[index]!)
      stage.elapse(100)
    }
    expect(stage.ports(upstream, 10)).toEqual(new Array(10).fill(1001))
    upstream.unreachable(members[1]!)
    expect(stage.ports(upstream, 10)).toEqual(new Array(10).fill(1003))
  })

  test('requests without an answer put an endpoint to rest after so many in a row', () => {
    const { stage, upstream, members } = make(2)
    const [failing] = members
    for (let i = 0; i < ejection.failures - 1; i++) upstream.failed(failing!)
    upstream.answered(failing!, 200)
    for (let i = 0; i < ejection.failures - 1; i++) upstream.failed(failing!)
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([1000, 1001]))
    upstream.failed(failing!)
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([1001]))
    expect(stage.count('upstreamRestsFailing')).toBe(1)
    // One that was under way since before says nothing about now.
    upstream.answered(failing!, 200)
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([1001]))
    stage.elapse(5000)
    expect(stage.ports(upstream, 10)).toContain(1000)
    upstream.answered(failing!, 200)
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([1000, 1001]))
  })

  for (const [count, most] of [
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [10, 5],
  ] as const) {
    test(`of ${count} endpoints that fail requests at most ${most} rest`, () => {
      const { stage, upstream, members } = make(count, { ejection: { on: 'connections', failures: 1 } })
      for (const member of members) upstream.failed(member)
      expect(stage.count('upstreamResting')).toBe(most)
      expect(new Set(stage.ports(upstream, 100)).size).toBe(count - most)
    })
  }

  const judged: [on: UpstreamSettings['ejection']['on'], status: number, rests: boolean][] = [
    ['connections', 503, false],
    ['answers', 500, false],
    ['answers', 502, true],
    ['answers', 503, true],
    ['answers', 504, true],
    ['off', 503, false],
  ]
  for (const [on, status, rests] of judged) {
    test(`ejection.on ${on}: answers ${status} ${rests ? 'count' : 'do not'}`, () => {
      const { stage, upstream, members } = make(2, { ejection: { on, failures: 3 } })
      for (let i = 0; i < 3; i++) upstream.answered(members[0]!, status)
      expect(stage.count('upstreamResting')).toBe(rests ? 1 : 0)
    })
  }

  test('ejection.on off: no answer at all does not count either, but who cannot be reached rests', () => {
    const { stage, upstream, members } = make(2, { ejection: { on: 'off', failures: 1 } })
    upstream.failed(members[0]!)
    expect(stage.count('upstreamResting')).toBe(0)
    upstream.unreachable(members[0]!)
    expect(stage.count('upstreamResting')).toBe(1)
  })
})

describe('zones', () => {
  test('far endpoints are used when no near one can be', () => {
    const { stage, upstream } = make(0)
    const far = [1000, 1001].map(port => ({ address: '127.0.0.1', port, far: true as const }))
    const near = [1002, 1003].map(port => ({ address: '127.0.0.1', port }))
    upstream.update({ ...upstreamAt('u'), endpoints: [...far, ...near] })
    expect(new Set(stage.ports(upstream, 20))).toEqual(new Set([1002, 1003]))
    for (const member of stage.members(upstream, 1002, 1003)) upstream.unreachable(member)
    expect(new Set(stage.ports(upstream, 20))).toEqual(new Set([1000, 1001]))
    stage.elapse(5000)
    const [trial] = stage.ports(upstream, 1)
    expect([1002, 1003]).toContain(trial)
  })
})

describe('slow start', () => {
  const share = (stage: UpstreamStage, upstream: Upstream, port: number): number =>
    stage.ports(upstream, 3000).filter(other => other === port).length / 3000

  for (const kind of ['power-of-two', 'round-robin'] as const) {
    test(`${kind}: the share of a new endpoint grows from a tenth`, () => {
      const settings = { slowStart: 10_000, balance: { kind } }
      const { stage, upstream } = make(2, settings)
      upstream.update(upstreamWith('u', settings, 1000, 1001, 1002))
      for (const part of [0.1, 0.55, 1]) {
        expect(Math.abs(share(stage, upstream, 1002) - part / 3)).toBeLessThan(0.015)
        stage.elapse(5000)
      }
    })
  }

  test('hash: keys move to a new endpoint one after the other, each once', () => {
    const settings: Partial<UpstreamSettings> = {
      slowStart: 10_000,
      balance: { kind: 'hash', by: { kind: 'client-address' } },
    }
    const { stage, upstream } = make(2, settings)
    upstream.update(upstreamWith('u', settings, 1000, 1001, 1002))
    const keys = Array.from({ length: 1000 }, (_, key) => key)
    let before = new Set<number>()
    for (let at = 0; at <= 10_000; at += 1000) {
      const moved = new Set(keys.filter(key => stage.ports(upstream, 1, { key })[0] === 1002))
      expect(moved.isSupersetOf(before)).toBe(true)
      before = moved
      stage.elapse(1000)
    }
    expect(before.size / keys.length).toBeCloseTo(1 / 3, 1)
  })

  test('the first endpoints of an upstream have nobody to leave requests to', () => {
    const { stage, upstream } = make(2, { slowStart: 10_000 })
    expect(share(stage, upstream, 1000)).toBeCloseTo(0.5, 1)
  })

  test('when all others have gone, the new one gets everything', () => {
    const settings = { slowStart: 10_000 }
    const { stage, upstream } = make(1, settings)
    upstream.update(upstreamWith('u', settings, 1001))
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([1001]))
  })
})

describe('limits', () => {
  test('of the app: the next one gets nothing until one is over', () => {
    const { stage, upstream } = make(2, { limits: { ...limits, requests: 3 } })
    const busy = [stage.claim(upstream), stage.claim(upstream), stage.claim(upstream)]
    expect([stage.claim(upstream), upstream.available]).toEqual([null, true])
    busy[0]!.leave()
    expect(stage.claim(upstream)).not.toBeNull()
    expect(stage.claim(upstream)).toBeNull()
  })

  for (const balance of [
    { kind: 'power-of-two' },
    { kind: 'round-robin' },
    { kind: 'hash', by: { kind: 'client-address' } },
  ] as const) {
    test(`of each endpoint, ${balance.kind}: all are filled, and no more`, () => {
      const { stage, upstream, members } = make(3, { balance, limits: { ...limits, endpointRequests: 2 } })
      for (let i = 0; i < 6; i++) expect(stage.claim(upstream, { key: 42 })).not.toBeNull()
      expect(members.map(({ inFlight }) => inFlight)).toEqual([2, 2, 2])
      expect(stage.claim(upstream, { key: 42 })).toBeNull()
      members[1]!.leave()
      expect(stage.claim(upstream, { key: 42 })).toBe(members[1])
    })
  }

  test('endpoints at rest are not filled up instead of waiting', () => {
    const { stage, upstream, members } = make(2, { limits: { ...limits, endpointRequests: 1 } })
    upstream.unreachable(members[0]!)
    expect([stage.claim(upstream), stage.claim(upstream)]).toEqual([members[1], null])
  })

  test('the limit of another endpoint does not bring back the one that failed', () => {
    const { stage, upstream, members } = make(2, { limits: { ...limits, endpointRequests: 1 } })
    const [first, second] = members
    expect(stage.claim(upstream, { except: first! })).toBe(second)
    expect(stage.claim(upstream, { except: first! })).toBeNull()
  })
})

describe('who waits', () => {
  /** Waits, and takes an endpoint on its turn. */
  class Visitor {
    member: Member | null = null
    readonly #made: Made
    readonly #order: Visitor[]

    constructor(made: Made, order: Visitor[]) {
      this.#made = made
      this.#order = order
    }

    onTurn(): void {
      this.#order.push(this)
      this.member = this.#made.stage.claim(this.#made.upstream, { hasTurn: true })
    }
  }

  const nextTick = (): Promise<void> => new Promise(resolve => process.nextTick(resolve))

  test('has its turn in the order of arrival, one for each that ends', async () => {
    const made = make(2, { limits: { ...limits, requests: 2 } })
    const { stage, upstream } = made
    const first = [stage.claim(upstream)!, stage.claim(upstream)!]
    const order: Visitor[] = []
    const visitors = [new Visitor(made, order), new Visitor(made, order), new Visitor(made, order)]
    for (const visitor of visitors) expect(upstream.wait(visitor)).toBe(true)
    expect([upstream.waiting, stage.count('upstreamWaiting')]).toEqual([3, 3])
    first[0]!.leave()
    // Nobody overtakes those who wait, though there is room for a moment.
    expect(stage.claim(upstream)).toBeNull()
    await nextTick()
    expect(order).toEqual(visitors.slice(0, 1))
    visitors[0]!.member!.leave()
    first[1]!.leave()
    await nextTick()
    expect(order).toEqual(visitors)
    expect([upstream.waiting, stage.count('upstreamWaiting'), stage.count('upstreamWaits')]).toEqual([0, 0, 3])
  })

  test('no more than may, and whoever leaves makes room', () => {
    const made = make(1, { limits: { ...limits, requests: 1, queueLength: 1 } })
    const [one, two] = [new Visitor(made, []), new Visitor(made, [])]
    expect([made.upstream.wait(one), made.upstream.wait(two)]).toEqual([true, false])
    made.upstream.giveUp(one)
    made.upstream.giveUp(one)
    expect(made.upstream.wait(two)).toBe(true)
    expect(made.stage.count('upstreamWaiting')).toBe(1)
  })

  test('hears of it when the last endpoint goes, and when there are more', async () => {
    for (const ports of [[], [1000, 1001]]) {
      const settings = { limits: { ...limits, endpointRequests: 1 } }
      const made = make(1, settings)
      made.stage.claim(made.upstream)
      const order: Visitor[] = []
      const visitor = new Visitor(made, order)
      made.upstream.wait(visitor)
      made.upstream.update(upstreamWith('u', settings, ...ports))
      await nextTick()
      expect(order).toEqual([visitor])
      expect(visitor.member?.pool.port).toBe(ports[1])
    }
  })

  test('hears of it when the limit is taken away', async () => {
    const made = make(1, { limits: { ...limits, requests: 1 } })
    made.stage.claim(made.upstream)
    const order: Visitor[] = []
    made.upstream.wait(new Visitor(made, order))
    made.upstream.update(upstreamAt('u', 1000))
    await nextTick()
    expect(order).toHaveLength(1)
  })
})

describe('update', () => {
  test('keeps what is known of what stays, and lets go of what goes', () => {
    const { stage, upstream, members } = make(3)
    const [a, b, c] = members
    upstream.unreachable(a!)
    upstream.unreachable(b!)
    expect(stage.count('upstreamResting')).toBe(2)
    upstream.update(upstreamAt('u', 1001, 2000))
    expect(new Set(stage.ports(upstream, 10))).toEqual(new Set([2000]))
    expect(members.map(({ pool }) => pool.retired)).toEqual([true, false, true])
    expect(stage.count('upstreamResting')).toBe(1)
    // What ends later at an endpoint that has gone harms nobody.
    upstream.failed(c!)
    upstream.unreachable(a!)
    upstream.reached(a!)
    expect(stage.count('upstreamResting')).toBe(1)
  })

  test('an endpoint that comes back is a new one', () => {
    const { stage, upstream, members } = make(1)
    upstream.unreachable(members[0]!)
    upstream.update(upstreamAt('u'))
    expect([upstream.available, members[0]!.pool.retired]).toEqual([false, true])
    upstream.update(upstreamAt('u', 1000))
    const member = stage.claim(upstream)!
    expect([member === members[0], member.pool.retired, member.rest.reason]).toEqual([false, false, null])
  })

  test('fewer endpoints than the turn had reached', () => {
    const { stage, upstream } = make(10)
    stage.ports(upstream, 9)
    upstream.update(upstreamAt('u', 1000, 1001))
    expect(new Set(stage.ports(upstream, 2)).size).toBe(2)
  })

  test('retire leaves nothing', () => {
    const { stage, upstream, members } = make(2)
    upstream.unreachable(members[0]!)
    upstream.retire()
    expect([upstream.available, upstream.size, ...members.map(({ pool }) => pool.retired)]).toEqual([
      false,
      0,
      true,
      true,
    ])
    expect(stage.count('upstreamResting')).toBe(0)
  })

  test('two upstreams with the same endpoint share its connections, and judge it each for themselves', () => {
    const stage = new UpstreamStage()
    const registry = new UpstreamRegistry(stage)
    registry.apply({ upserts: [upstreamAt('a', 1000, 1001), upstreamAt('b', 1000, 1001)], deletes: [] })
    const [a, b] = ['a', 'b'].map(id => registry.get(id as UpstreamId))
    const [member, other] = [a!, b!].map(upstream => stage.members(upstream, 1000)[0]!)
    expect(member!.pool).toBe(other!.pool)
    a!.unreachable(member!)
    expect([stage.ports(a!, 10), stage.ports(b!, 10)].map(ports => ports.includes(1000))).toEqual([false, true])
    registry.apply({ upserts: [upstreamAt('a', 1001)], deletes: [] })
    expect([member!.pool.retired, member!.pool.users]).toEqual([false, 1])
  })

  test('the log names an endpoint as a URI would', () => {
    const { stage, upstream } = make(0)
    upstream.update({ ...upstreamAt('u'), endpoints: [{ address: '2001:db8::1', port: 80 }] })
    expect(stage.claim(upstream)?.pool.name).toBe('[2001:db8::1]:80')
    upstream.update({ ...upstreamAt('u'), endpoints: [{ address: '192.0.2.1', port: 80 }] })
    expect(stage.claim(upstream)?.pool.name).toBe('192.0.2.1:80')
  })
})
