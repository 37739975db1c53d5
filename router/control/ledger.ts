// One collection of a Patch: what was sent last, and what has changed since. Putting what is there already, or putting
// and dropping in turn, comes to nothing.

import { isDeepStrictEqual } from 'node:util'
import type { Delta } from '../model/patch.ts'
import { freezeDeep } from './freeze.ts'

export class Ledger<Id extends string, T extends { readonly id: Id }> {
  readonly #sent = new Map<Id, T>()
  /** Null: dropped. */
  readonly #changed = new Map<Id, T | null>()

  put(value: T): void {
    const { id } = value
    const sent = this.#sent.get(id)
    if (sent !== undefined && (sent === value || isDeepStrictEqual(sent, value))) this.#changed.delete(id)
    else this.#changed.set(id, freezeDeep(value))
  }

  drop(id: Id): void {
    if (this.#sent.has(id)) this.#changed.set(id, null)
    else this.#changed.delete(id)
  }

  /** What changed since the last call; it counts as sent. Frozen. */
  flush(): Delta<T, Id> {
    const upserts: T[] = []
    const deletes: Id[] = []
    for (const [id, value] of this.#changed) {
      if (value === null) {
        this.#sent.delete(id)
        deletes.push(id)
      } else {
        this.#sent.set(id, value)
        upserts.push(value)
      }
    }
    this.#changed.clear()
    return freezeDeep({ upserts, deletes })
  }

  /** All that counts as sent, as a delta to nothing. Frozen. */
  whole(): Delta<T, Id> {
    return freezeDeep({ upserts: [...this.#sent.values()], deletes: [] })
  }
}
