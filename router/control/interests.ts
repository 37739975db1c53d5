// Who is to be asked again when something changes: keys of objects by the topics that they depend on.

import { added, type Few, membersOf, removed } from '#kit/few.ts'

export class Interests {
  readonly #keys = new Map<string, Few>()
  readonly #topics = new Map<string, Few>()

  /** Makes `topics` all that `key` depends on. */
  replace(key: string, topics: Iterable<string>): void {
    const before = this.#topics.get(key)
    let after: Few
    for (const topic of topics) after = added(after, topic)
    const kept = new Set(membersOf(after))
    for (const topic of membersOf(before)) {
      if (kept.has(topic)) continue
      const keys = removed(this.#keys.get(topic), key)
      if (keys === undefined) this.#keys.delete(topic)
      else this.#keys.set(topic, keys)
    }
    for (const topic of kept) this.#keys.set(topic, added(this.#keys.get(topic), key))
    if (after === undefined) this.#topics.delete(key)
    else this.#topics.set(key, after)
  }

  /** The keys that depend on `topic`. */
  in(topic: string): Iterable<string> {
    return membersOf(this.#keys.get(topic))
  }
}
