// One push or fetch at a time for each app (builder contract, section 5). A lock lives for a while only: who waits for a
// build that never ends must not keep others out for good.

export interface AppLock {
  /** Aborts when the lock is no longer this one's, by time; not when it is released. */
  readonly expired: AbortSignal
  release(): void
}

export class AppLocks {
  readonly #longest: number
  readonly #locks = new Map<string, object>()

  /** Milliseconds. */
  constructor(longest: number) {
    this.#longest = longest
  }

  /** Null: somebody else has it. */
  take(app: string): AppLock | null {
    if (this.#locks.has(app)) return null
    const mine = {}
    this.#locks.set(app, mine)
    const expired = new AbortController()
    const free = (): void => {
      clearTimeout(timer)
      if (this.#locks.get(app) === mine) this.#locks.delete(app)
    }
    const timer = setTimeout(() => {
      free()
      expired.abort(new Error('the lock has expired'))
    }, this.#longest)
    return { expired: expired.signal, release: free }
  }
}
