// Lets a fixed number through at a time; the others wait in the order in which they came.

export class Turnstile {
  readonly #most: number
  #inside = 0
  /** In order: a Set, since who gives up leaves from the middle. */
  readonly #waiting = new Set<() => void>()

  constructor(most: number) {
    this.#most = most
  }

  /** Nobody is inside, nobody waits. */
  get isEmpty(): boolean {
    return this.#inside === 0 && this.#waiting.size === 0
  }

  /** Nobody is passed over: false while others wait. */
  tryEnter(): boolean {
    if (this.#inside >= this.#most) return false
    this.#inside++
    return true
  }

  /** Rejects with the signal's reason when it aborts first; then nothing was entered. */
  async enter(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.tryEnter()) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    const giveUp = (): void => {
      // Too late when it is our turn already: the promise is settled, and we are inside.
      if (this.#waiting.delete(resolve)) reject(signal?.reason)
    }
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      await promise
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  leave(): void {
    for (const next of this.#waiting) {
      // The place passes on: `inside` stays as it is, so that nobody slips in between.
      this.#waiting.delete(next)
      next()
      return
    }
    this.#inside--
  }
}
