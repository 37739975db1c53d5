// So many builds at a time on this machine; others wait, in the order in which they came, and so many at most.

export class QueueFullError extends Error {
  constructor() {
    super('too many builds are waiting already, push again later')
    this.name = 'QueueFullError'
  }
}

export class BuildQueue {
  readonly #atOnce: number
  readonly #mostWaiting: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(atOnce: number, mostWaiting: number) {
    this.#atOnce = atOnce
    this.#mostWaiting = mostWaiting
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Held until it is disposed of. `onWait` hears how many are before it, if any. Rejects when the signal aborts. */
  async enter(signal: AbortSignal, onWait: (before: number) => void): Promise<Disposable> {
    signal.throwIfAborted()
    if (this.#running >= this.#atOnce) {
      if (this.#waiting.size >= this.#mostWaiting) throw new QueueFullError()
      onWait(this.#waiting.size + 1)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const give = (): void => {
        this.#waiting.delete(resolve)
        reject(signal.reason)
      }
      signal.addEventListener('abort', give, { once: true })
      this.#waiting.add(resolve)
      // Who leaves hands over the place: the count stays.
      await promise.finally(() => signal.removeEventListener('abort', give))
    } else this.#running++
    let left = false
    return {
      [Symbol.dispose]: () => {
        if (left) return
        left = true
        const [next] = this.#waiting
        if (next === undefined) this.#running--
        else {
          this.#waiting.delete(next)
          next()
        }
      },
    }
  }
}
