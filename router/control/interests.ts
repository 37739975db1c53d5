// Who is to be asked again when something changes: keys of objects by the topics that they depend on.

export class Interests {
  readonly #keys = new Map<string, Set<string>>()
  readonly #topics = new Map<string, ReadonlySet<string>>()

  /** Makes `topics` all that `key` depends on. */
  replace(key: string, topics: ReadonlySet<string>): void {
    for (const topic of this.#topics.get(key) ?? []) {
      if (topics.has(topic)) continue
      const keys = this.#keys.get(topic)
      keys?.delete(key)
      if (keys?.size === 0) this.#keys.delete(topic)
    }
    for (const topic of topics) {
      const keys = this.#keys.get(topic)
      if (keys === undefined) this.#keys.set(topic, new Set([key]))
      else keys.add(key)
    }
    if (topics.size > 0) this.#topics.set(key, topics)
    else this.#topics.delete(key)
  }

  /** The keys that depend on `topic`. */
  in(topic: string): Iterable<string> {
    return this.#keys.get(topic) ?? []
  }
}
