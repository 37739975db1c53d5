// What is waited for when the controller ends: work that would leave something half-made.

export class UnderWay {
  readonly #works = new Set<Promise<unknown>>()

  get count(): number {
    return this.#works.size
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    while (this.#works.size > 0) await Promise.allSettled(this.#works)
  }

  track<T>(work: Promise<T>): Promise<T> {
    this.#works.add(work)
    const done = (): void => void this.#works.delete(work)
    work.then(done, done)
    return work
  }
}
