// All Services there are: those of the one list, and those that are watched by their names because that list leaves them out.
// If both tell of a Service it is the same one, and the list goes first.

import type { Service } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { ObjectRef } from '../model/problem.ts'
import { type Held, ObjectSet } from './object-set.ts'
import { readService } from './object-shape.ts'
import type { Shaped } from './shape.ts'

export class ServiceSet {
  readonly #listed = new ObjectSet('Service')
  /** By `NAMESPACE/NAME`: a reset of one says nothing about the others. */
  readonly #named = new Map<string, ObjectSet>()

  apply(change: Change<Service>): void {
    this.#listed.apply(change)
  }

  applyNamed(namespace: string, name: string, change: Change<Service>): void {
    const path = `${namespace}/${name}`
    const set = this.#named.get(path) ?? new ObjectSet('Service')
    this.#named.set(path, set)
    set.apply(change)
  }

  get hasNameless(): boolean {
    return this.#listed.hasNameless
  }

  /** Marks those of the list as not looked at. */
  touchAll(): void {
    this.#listed.touchAll()
  }

  /** What has come, changed or gone since the last call, by key: of the list, and by name. */
  takeDirty(): { readonly listed: ReadonlyMap<string, ObjectRef>; readonly named: readonly string[] } {
    const named = [...this.#named.values()].flatMap(set => [...set.takeDirty().keys()])
    return { listed: this.#listed.takeDirty(), named }
  }

  /** All of the list, unchecked. */
  values(): Iterable<Held> {
    return this.#listed.values()
  }

  /** The Service of this key, unchecked; null: there is none. */
  get(key: string): Held | null {
    const listed = this.#listed.get(key)
    if (listed !== null) return listed
    for (const set of this.#named.values()) {
      const held = set.get(key)
      if (held !== null) return held
    }
    return null
  }

  /** The Service of this key that the list has, checked; null: it has none. */
  readListed(key: string): Shaped<Service> | null {
    const held = this.#listed.get(key)
    return held === null ? null : readService(held.ref, held.object)
  }

  /** The Service of this key, checked; null: there is none, or it cannot be read. */
  read(key: string): Service | null {
    const held = this.get(key)
    const shaped = held === null ? null : readService(held.ref, held.object)
    return shaped?.kind === 'good' ? shaped.object : null
  }
}
