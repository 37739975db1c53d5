// Requests that wait because their app has as many in flight as it may: first come, first served. Those whom it is over
// for leave by themselves.

/** Whoever waits. */
export interface Waiter {
  /** There is room, or no endpoint any more to wait for: it is out of the queue and has to claim now. */
  onTurn(): void
}

export class Queue {
  // A Set keeps the order in which they came, and lets go of any one of them at once.
  readonly #waiting = new Set<Waiter>()

  get length(): number {
    return this.#waiting.size
  }

  join(waiter: Waiter): void {
    this.#waiting.add(waiter)
  }

  /** False: it did not wait. */
  leave(waiter: Waiter): boolean {
    return this.#waiting.delete(waiter)
  }

  /** Who came first, now out of the queue; null: nobody waits. */
  shift(): Waiter | null {
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter)
      return waiter
    }
    return null
  }
}
