// Limits failed logins: guesses at one account from one place, at one account from everywhere, and from one place at all
// accounts. An attempt counts as failed from its beginning, so that many at once are no way around. Counted per process;
// what is remembered is bounded.

import { type Clock, systemClock } from '#kit/clock.ts'
import { Refusal } from '../domain/refusal.ts'

const window = 300_000
const limits = { pair: 10, account: 100, place: 100 } as const
/** Beyond it the oldest are forgotten. */
const mostCounts = 30_000

interface Count {
  failures: number
  /** When the first of them is forgotten with all others. */
  readonly until: number
}

export class LoginAttempts {
  readonly #counts = new Map<string, Count>()
  readonly #clock: Clock

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Counts as a failure until `succeeded` is told. Throws a `too-many` Refusal after too many of them. */
  begin(account: string, place: string): void {
    const now = this.#clock.now()
    const keys = keysOf(account, place)
    for (const [key, limit] of keys) {
      const count = this.#counts.get(key)
      if (count !== undefined && count.until > now && count.failures >= limit)
        throw new Refusal('too-many', 'Too many failed logins. Try again later.', {
          retryAfter: (count.until - now) / 1000,
        })
    }
    for (const [key] of keys) {
      const count = this.#counts.get(key)
      if (count !== undefined && count.until > now) count.failures++
      else {
        this.#counts.delete(key)
        this.#counts.set(key, { failures: 1, until: now + window })
      }
    }
    for (const key of this.#counts.keys()) {
      if (this.#counts.size <= mostCounts) break
      this.#counts.delete(key)
    }
  }

  /** Former failures at this account from this place are forgotten; of the others it is one less. */
  succeeded(account: string, place: string): void {
    const [[pair], ...others] = keysOf(account, place)
    this.#counts.delete(pair)
    for (const [key] of others) {
      const count = this.#counts.get(key)
      if (count !== undefined) count.failures = Math.max(0, count.failures - 1)
    }
  }
}

type Limited = readonly [key: string, limit: number]

function keysOf(account: string, place: string): readonly [Limited, ...Limited[]] {
  return [
    [JSON.stringify(['pair', account, place]), limits.pair],
    [JSON.stringify(['account', account]), limits.account],
    [JSON.stringify(['place', place]), limits.place],
  ]
}
