// So many pieces of work at once; others wait for their turn, and when too many wait they are refused.

export class Slots {
  readonly #most: number
  readonly #mostWaiting: number
  readonly #waiting: (() => void)[] = []
  #taken = 0

  constructor(most: number, mostWaiting: number) {
    this.#most = most
    this.#mostWaiting = mostWaiting
  }

  /** Null: too many wait already. */
  async take(): Promise<Disposable | null> {
    if (this.#taken < this.#most) this.#taken++
    else {
      if (this.#waiting.length >= this.#mostWaiting) return null
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (!held) return
        held = false
        const next = this.#waiting.shift()
        if (next === undefined) this.#taken--
        else next()
      },
    }
  }
}
