// Host names in the order of their parents, so that all that are below a name lie side by side. Twice the text of each name,
// however many labels it has: an index of all parents would let a tenant who names deep hosts take a hundred times as much.

import { compareText } from '#kit/compare-text.ts'

interface Entry {
  readonly name: string
  /** The name backwards: whatever is below `b.example` begins with `elpmaxe.b.`. */
  readonly reversed: string
}

/** New names up to this many are put where they belong one by one; of more all are sorted. */
const fewNew = 64

export class HostNames {
  #sorted: Entry[] = []
  readonly #fresh = new Map<string, Entry>()

  /** A name that is not there. */
  add(name: string): void {
    this.#fresh.set(name, { name, reversed: backwards(name) })
  }

  /** A name that is there. */
  delete(name: string): void {
    if (this.#fresh.delete(name)) return
    this.#sorted.splice(this.#position(backwards(name)), 1)
  }

  /** The names that end with a dot and `parent`. Not to be changed while they are looked at. */
  *below(parent: string): Iterable<string> {
    this.#sort()
    const start = `${backwards(parent)}.`
    for (let at = this.#position(start); at < this.#sorted.length; at++) {
      const { name, reversed } = this.#sorted[at]!
      if (!reversed.startsWith(start)) return
      yield name
    }
  }

  #sort(): void {
    const fresh = [...this.#fresh.values()]
    this.#fresh.clear()
    if (fresh.length <= fewNew) for (const entry of fresh) this.#sorted.splice(this.#position(entry.reversed), 0, entry)
    else this.#sorted = [...this.#sorted, ...fresh].sort((a, b) => compareText(a.reversed, b.reversed))
  }

  /** Of the first that is not less. */
  #position(reversed: string): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sorted[middle]!.reversed < reversed) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Of ASCII. */
function backwards(name: string): string {
  let reversed = ''
  for (let at = name.length - 1; at >= 0; at--) reversed += name[at]
  return reversed
}
