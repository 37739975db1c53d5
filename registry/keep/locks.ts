// One at a time for each name, in the order in which they came: what looks and then writes, beside what removes.

export class Locks {
  readonly #last = new Map<string, Promise<void>>()

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last.set(name, promise)
    try {
      await before
      return await work()
    } finally {
      if (this.#last.get(name) === promise) this.#last.delete(name)
      resolve()
    }
  }
}
