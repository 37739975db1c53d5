// A set of objects that readers follow: what a directory of manifests offers in place of a watch on the API server.

import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '#kube/types.ts'
import type { Change, Watcher } from '#kube/watch.ts'

/** What a reader has not been told yet. It holds at most one entry for each object, however slow the reader is. */
interface Reader<T> {
  reset: boolean
  readonly pending: Map<string, { readonly kind: 'upsert' | 'delete'; readonly object: T }>
  wake: (() => void) | null
}

/** Several readers may follow at once, and each sees the whole collection first. Nothing is told before the first `replace`. */
export class Collection<T extends KubeObject> implements Watcher<T> {
  #objects: ReadonlyMap<string, T> | null = null
  readonly #readers = new Set<Reader<T>>()
  #events = 0

  get synced(): boolean {
    return this.#objects !== null
  }

  /** Upserts and deletes told so far. */
  get events(): number {
    return this.#events
  }

  /** The collection is now exactly `objects`; readers hear of the differences. Of two with one name the first counts. */
  replace(objects: readonly T[]): void {
    const next = new Map<string, T>()
    for (const object of objects) {
      const key = keyOf(object)
      if (!next.has(key)) next.set(key, object)
    }
    const last = this.#objects
    this.#objects = next
    if (last !== null) {
      for (const [key, object] of next) {
        const before = last.get(key)
        // Of a file that nobody touched they are the very same.
        if (object !== before && !isDeepStrictEqual(object, before)) this.#tell(key, 'upsert', object)
      }
      for (const [key, object] of last) if (!next.has(key)) this.#tell(key, 'delete', object)
    }
    for (const reader of this.#readers) reader.wake?.()
  }

  async *changes(signal: AbortSignal): AsyncGenerator<Change<T>, void, undefined> {
    const reader: Reader<T> = { reset: true, pending: new Map(), wake: null }
    const wake = (): void => reader.wake?.()
    this.#readers.add(reader)
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted) {
        if (reader.reset && this.#objects !== null) {
          reader.reset = false
          reader.pending.clear()
          yield { kind: 'reset', objects: [...this.#objects.values()] }
        } else if (!reader.reset && reader.pending.size > 0) {
          const batch = [...reader.pending.values()]
          reader.pending.clear()
          yield* batch
        } else {
          await new Promise<void>(resolve => {
            reader.wake = resolve
          })
          reader.wake = null
        }
      }
    } finally {
      this.#readers.delete(reader)
      signal.removeEventListener('abort', wake)
    }
  }

  #tell(key: string, kind: 'upsert' | 'delete', object: T): void {
    this.#events++
    for (const reader of this.#readers) reader.pending.set(key, { kind, object })
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}
