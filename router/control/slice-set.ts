// All EndpointSlices there are, of the one list and of Services that are watched by their names.

import type { EndpointSlice } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import { ObjectSet } from './object-set.ts'
import { invalidObject, readEndpointSlice, refKey } from './object-shape.ts'
import type { ProblemBook } from './problem-book.ts'
import type { UpstreamBook } from './upstream-book.ts'

const serviceLabel = 'kubernetes.io/service-name'

export class SliceSet {
  readonly #problems: ProblemBook
  readonly #listed = new ObjectSet('EndpointSlice')
  /** By what tells them apart from those of the list, which may hold them too. */
  readonly #sets = new Map<string, ObjectSet>([['', this.#listed]])

  constructor(problems: ProblemBook) {
    this.#problems = problems
  }

  apply(change: Change<EndpointSlice>): void {
    this.#listed.apply(change)
  }

  applyNamed(namespace: string, name: string, change: Change<EndpointSlice>): void {
    const prefix = `of ${namespace}/${name} `
    const set = this.#sets.get(prefix) ?? new ObjectSet('EndpointSlice')
    this.#sets.set(prefix, set)
    set.apply(change)
  }

  get hasNameless(): boolean {
    return this.#listed.hasNameless
  }

  /** The slice of the key that `read` has told, checked; null: there is none, or it cannot be read. */
  get(prefixed: string): EndpointSlice | null {
    // A key of the list begins with the kind, that of the others with what tells them apart.
    const prefix = prefixed.slice(0, prefixed.indexOf('EndpointSlice '))
    const held = this.#sets.get(prefix)?.get(prefixed.slice(prefix.length)) ?? null
    const shaped = held === null ? null : readEndpointSlice(held.ref, held.object)
    return shaped?.kind === 'good' ? shaped.object : null
  }

  /** Tells `upstreams` what has changed since the last call. */
  read(upstreams: UpstreamBook): void {
    for (const [prefix, slices] of this.#sets) {
      for (const [key, ref] of slices.takeDirty()) {
        const held = slices.get(key)
        const shaped = held === null ? null : readEndpointSlice(ref, held.object)
        this.#problems.set(`${prefix}${key}`, shaped?.kind === 'malformed' ? [invalidObject(ref, shaped.reason)] : [])
        const object = shaped?.kind === 'good' ? shaped.object : null
        const name = object?.metadata.labels?.[serviceLabel]
        const service = refKey({ kind: 'Service', namespace: ref.namespace, name: name ?? '' })
        upstreams.putSlice(`${prefix}${key}`, object === null || name === undefined ? null : service)
      }
    }
  }
}
