// A clock for tests of what waits: nothing is due before the test says so.

import type { Clock } from '#kit/clock.ts'

interface Timer {
  readonly at: number
  readonly signal: AbortSignal
  readonly fire: () => void
}

/** Time that stands still until it is told to pass. */
export class TestTime implements Clock {
  #now = 0
  readonly #timers = new Set<Timer>()
  readonly #waiting = new Set<() => void>()

  now(): number {
    return this.#now
  }

  wallClock(): number {
    return Date.UTC(2026, 0, 1) + this.#now
  }

  delay(duration: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer: Timer = { at: this.#now + duration, signal, fire: () => finish() }
    const finish = (): void => {
      this.#timers.delete(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    signal.addEventListener('abort', finish)
    this.#timers.add(timer)
    for (const look of this.#waiting) look()
    return promise
  }

  /** Resolves when somebody waits; with `signal`, when somebody waits with that one. */
  async waits(signal?: AbortSignal): Promise<void> {
    while (!Array.from(this.#timers).some(timer => signal === undefined || timer.signal === signal)) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
    }
  }

  /** Fires what is due within `duration`, in order; `settle` runs after each. */
  async pass(duration: number, settle: () => Promise<unknown>): Promise<void> {
    const end = this.#now + duration
    for (;;) {
      const [next] = Array.from(this.#timers).sort((a, b) => a.at - b.at)
      if (next === undefined || next.at > end) break
      this.#now = Math.max(this.#now, next.at)
      next.fire()
      await settle()
    }
    this.#now = end
  }
}
