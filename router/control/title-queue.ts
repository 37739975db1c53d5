// Titles that are to be decided, each once, the first in the order of grants first: whatever one depends on goes before it.
// A binary heap.

import { compareTitles, type HostTitle } from './host-title.ts'

export class TitleQueue {
  readonly #heap: HostTitle[] = []
  readonly #members = new Set<HostTitle>()

  get isEmpty(): boolean {
    return this.#heap.length === 0
  }

  add(title: HostTitle): void {
    if (this.#members.has(title)) return
    this.#members.add(title)
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (compareTitles(heap[parent]!, title) <= 0) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = title
  }

  /** The first, which is not in it any more; null: there is none. */
  take(): HostTitle | null {
    const heap = this.#heap
    const [first] = heap
    if (first === undefined) return null
    this.#members.delete(first)
    const last = heap.pop()!
    if (heap.length > 0) this.#sink(last)
    return first
  }

  /** Puts `title` in the place of the first and lets it sink. */
  #sink(title: HostTitle): void {
    const heap = this.#heap
    let at = 0
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const other = child + 1
      if (other < heap.length && compareTitles(heap[other]!, heap[child]!) < 0) child = other
      if (compareTitles(title, heap[child]!) <= 0) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = title
  }
}
