// The objects of one kind, as last told by their source, and which of them somebody still has to look at. It knows
// them by name only; what is in them is for others to check.

import type { Change } from '#kube/watch.ts'
import type { ObjectRef } from '../model/problem.ts'
import { readRef, refKey } from './object-shape.ts'

export interface Held {
  readonly ref: ObjectRef
  /** Unchecked. */
  readonly object: unknown
}

export class ObjectSet {
  readonly #kind: string
  #objects = new Map<string, Held>()
  #dirty = new Map<string, ObjectRef>()
  #hasNameless = false

  constructor(kind: string) {
    this.#kind = kind
  }

  /** Whether the last `reset`, or a change since, brought an object that cannot be told from others. */
  get hasNameless(): boolean {
    return this.#hasNameless
  }

  get(key: string): Held | null {
    return this.#objects.get(key) ?? null
  }

  apply(change: Change<unknown>): void {
    if (change.kind === 'reset') {
      this.#reset(change.objects)
      return
    }
    const ref = readRef(this.#kind, change.object)
    if (ref === null) {
      this.#hasNameless = change.kind === 'upsert'
      return
    }
    const key = refKey(ref)
    if (change.kind === 'upsert') this.#objects.set(key, { ref, object: change.object })
    else this.#objects.delete(key)
    this.#dirty.set(key, ref)
  }

  /** All that there are. */
  values(): Iterable<Held> {
    return this.#objects.values()
  }

  /** Marks the one of this key, if there is one, as not looked at. */
  touch(key: string): void {
    const held = this.#objects.get(key)
    if (held !== undefined) this.#dirty.set(key, held.ref)
  }

  /** Marks all as not looked at. */
  touchAll(): void {
    for (const [key, { ref }] of this.#objects) this.#dirty.set(key, ref)
  }

  /** What has come, changed or gone since the last call, by key. */
  takeDirty(): ReadonlyMap<string, ObjectRef> {
    const dirty = this.#dirty
    this.#dirty = new Map()
    return dirty
  }

  #reset(objects: readonly unknown[]): void {
    const before = this.#objects
    this.#objects = new Map()
    this.#hasNameless = false
    for (const object of objects) {
      const ref = readRef(this.#kind, object)
      if (ref === null) {
        this.#hasNameless = true
        continue
      }
      const key = refKey(ref)
      this.#objects.set(key, { ref, object })
      if (before.get(key)?.object !== object) this.#dirty.set(key, ref)
    }
    for (const [key, { ref }] of before) if (!this.#objects.has(key)) this.#dirty.set(key, ref)
  }
}
