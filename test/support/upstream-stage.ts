// What upstreams need of a data thread, with a clock that stands until a test moves it.

import { TimerWheel } from '#router/data/timers.ts'
import type { Random } from '#router/data/upstream/balance.ts'
import type { Member } from '#router/data/upstream/member.ts'
import { type Ask, Upstream, type UpstreamContext } from '#router/data/upstream/upstream.ts'
import { counter, createCounters } from '#router/model/counters.ts'
import type { UpstreamId } from '#router/model/upstream.ts'

/** Numbers in [0, 1) that look random and are the same in every run. */
export function numbers(): Random {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

export class UpstreamStage implements UpstreamContext {
  /** Milliseconds; the rest of an endpoint that failed at 0 is no different from one that never did. */
  #now = 1000
  readonly counters = new Float64Array(createCounters())
  readonly timers = new TimerWheel(() => this.#now)
  /** What was logged. */
  readonly logged: string[] = []
  readonly log = (message: string): void => {
    this.logged.push(message)
  }

  get now(): number {
    return this.#now
  }

  upstream(random: Random = numbers(), name = 'u'): Upstream {
    return new Upstream(name as UpstreamId, this, undefined, random)
  }

  /** One more request, which stays in flight until it leaves. */
  claim(upstream: Upstream, ask: Partial<Ask> = {}): Member | null {
    return upstream.claim({ now: this.#now, key: -1, wanted: null, except: null, hasTurn: false, ...ask })
  }

  /** Where `count` requests go that are over at once, by the port; fewer if some get none. */
  ports(upstream: Upstream, count: number, ask: Partial<Ask> = {}): readonly number[] {
    return Array.from({ length: count }, () => {
      const member = this.claim(upstream, ask)
      member?.leave()
      return member?.pool.port ?? 0
    }).filter(port => port !== 0)
  }

  /** Each endpoint, by its port, whether requests go there or not. */
  members(upstream: Upstream, ...ports: readonly number[]): readonly Member[] {
    const found = new Map<number, Member>()
    for (let i = 0; i < 10_000 && found.size < ports.length; i++) {
      const member = this.claim(upstream)
      member?.leave()
      if (member !== null) found.set(member.pool.port, member)
    }
    return ports.map(port => found.get(port)!)
  }

  elapse(milliseconds: number): void {
    this.#now += milliseconds
    this.timers.advance()
  }

  count(name: keyof typeof counter): number {
    return this.counters[counter[name]]!
  }
}
