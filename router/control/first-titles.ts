// Of a set of granted titles the first in the order of grants, and the first of another namespace: whoever asks which of them
// it gives way to needs no more, as nobody gives way to the own namespace. What hundreds of claims of one wildcard ask for is
// found once.

import { compareTitles, type HostTitle } from './host-title.ts'

export class FirstTitles {
  readonly #all: () => Iterable<HostTitle>
  #isKnown = false
  #first: HostTitle | null = null
  #second: HostTitle | null = null

  /** `all`: the granted titles of the set, looked through when the first are not known. */
  constructor(all: () => Iterable<HostTitle>) {
    this.#all = all
  }

  /** One of the set has been granted. */
  add(title: HostTitle): void {
    if (!this.#isKnown) return
    const first = this.#first
    if (first === null || compareTitles(title, first) < 0) {
      if (first !== null && first.namespace !== title.namespace) this.#second = first
      this.#first = title
      return
    }
    if (title.namespace === first.namespace) return
    if (this.#second === null || compareTitles(title, this.#second) < 0) this.#second = title
  }

  /** One of the set is not granted any more. */
  delete(title: HostTitle): void {
    if (title === this.#first || title === this.#second) this.#isKnown = false
  }

  /** The first that is of another namespace; null: there is none. */
  besides(namespace: string): HostTitle | null {
    if (!this.#isKnown) {
      this.#isKnown = true
      this.#first = null
      this.#second = null
      for (const title of this.#all()) this.add(title)
    }
    return this.#first?.namespace === namespace ? this.#second : this.#first
  }
}
