// Some events take an API server that is there, others send it away: many may pass while the gate is open, and who
// closes it waits until they are through.

export class Gate {
  #inside = 0
  #closed: Promise<void> | null = null
  #left: () => void = () => {}

  /** Runs `work` while the gate is open. */
  async pass(work: () => Promise<void>): Promise<void> {
    while (this.#closed !== null) await this.#closed
    this.#inside++
    try {
      await work()
    } finally {
      this.#inside--
      if (this.#inside === 0) this.#left()
    }
  }

  /** Runs `work` while nobody is inside. */
  async close(work: () => Promise<void>): Promise<void> {
    while (this.#closed !== null) await this.#closed
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#closed = promise
    try {
      if (this.#inside > 0)
        await new Promise<void>(left => {
          this.#left = left
        })
      await work()
    } finally {
      this.#closed = null
      this.#left = () => {}
      resolve()
    }
  }
}
