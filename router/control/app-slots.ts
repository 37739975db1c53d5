// Which row of the counters (`counters.ts`) an app adds to. An app keeps its row while anything routes to it.

import { firstAppSlot, fixedSlot, maxApps } from '../model/counters.ts'
import type { AppSlot } from '../model/patch.ts'

// A data thread may still count a request for an app that control has already given up. By the time that this many
// others have been given up too, it does not.
const quarantine = 1024

export class AppSlots {
  readonly #held = new Map<string, { readonly slot: number; holders: number }>()
  /** Rows without an app, the longest freed first, by the app that had them and gets them back if it returns. */
  readonly #freed = new Map<string, number>()
  readonly #fresh = new Set<string>()
  #next = firstAppSlot

  /** Counts one more holder of `app`'s row; the first one assigns it. */
  acquire(app: string): void {
    const held = this.#held.get(app)
    if (held !== undefined) {
      held.holders++
      return
    }
    this.#held.set(app, { slot: this.#assign(app), holders: 1 })
    this.#fresh.add(app)
  }

  /** Takes back one `acquire`; the last one frees the row. */
  release(app: string): void {
    const held = this.#held.get(app)
    if (held === undefined || --held.holders > 0) return
    this.#held.delete(app)
    this.#fresh.delete(app)
    if (held.slot !== fixedSlot.otherApps) this.#freed.set(app, held.slot)
  }

  /** The rows assigned since the last call. */
  flush(): readonly AppSlot[] {
    const slots = [...this.#fresh].map(app => Object.freeze({ app, slot: this.#held.get(app)!.slot }))
    this.#fresh.clear()
    return Object.freeze(slots)
  }

  /** All rows that are assigned. */
  whole(): readonly AppSlot[] {
    return Object.freeze([...this.#held].map(([app, { slot }]) => Object.freeze({ app, slot })))
  }

  #assign(app: string): number {
    const own = this.#freed.get(app)
    if (own !== undefined) {
      this.#freed.delete(app)
      return own
    }
    if (this.#next < maxApps) return this.#next++
    if (this.#freed.size <= quarantine) return fixedSlot.otherApps
    const [longestFreed, slot] = this.#freed.entries().next().value!
    this.#freed.delete(longestFreed)
    return slot
  }
}
