// What all data threads have counted together, as it was when it was looked at last. A row of the counters may pass from an app
// that is gone to another one, which begins with nothing.

import { firstAppSlot, rowOffset, rowSize } from '../model/counters.ts'
import type { AppSlot } from '../model/patch.ts'

export class ThreadCounters {
  readonly #read: () => readonly Float64Array[]
  readonly #owners = new Map<number, string>()
  /** What a row held when its present app got it: the app before it had counted that. */
  readonly #baselines = new Map<number, Float64Array>()
  #threads: readonly Float64Array[] = []

  /** `read` gives the counters of each data thread. */
  constructor(read: () => readonly Float64Array[]) {
    this.#read = read
  }

  look(): void {
    this.#threads = this.#read()
  }

  /** To be called with the apps of every patch that is sent to the data threads, before it is sent. */
  assign(apps: readonly AppSlot[]): void {
    for (const { app, slot } of apps) {
      if (slot < firstAppSlot) continue
      const owner = this.#owners.get(slot)
      this.#owners.set(slot, app)
      if (owner === undefined || owner === app) continue
      this.look()
      this.#baselines.set(slot, this.whole(slot))
    }
  }

  /** Slots that an app has, or has had. */
  slots(): Iterable<number> {
    return this.#owners.keys()
  }

  /** The row of the app that has it now. */
  row(slot: number): Float64Array {
    const row = this.whole(slot)
    const baseline = this.#baselines.get(slot)
    if (baseline !== undefined) for (let at = 0; at < rowSize; at++) row[at]! -= baseline[at]!
    return row
  }

  /** The row of all apps that have had it. */
  whole(slot: number): Float64Array {
    const row = new Float64Array(rowSize)
    const offset = rowOffset(slot)
    for (const counters of this.#threads) for (let at = 0; at < rowSize; at++) row[at]! += counters[offset + at]!
    return row
  }

  sum(position: number): number {
    return this.#threads.reduce((sum, counters) => sum + counters[position]!, 0)
  }

  /** The least or most that a thread has there; 0 without threads. */
  extreme(position: number, choose: (...values: number[]) => number): number {
    return this.#threads.length === 0 ? 0 : choose(...this.#threads.map(counters => counters[position]!))
  }
}
