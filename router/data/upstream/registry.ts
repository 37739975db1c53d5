// The live upstreams of a data thread, by id. Routes hold them directly; endpoints change underneath.

import type { Delta } from '../../model/patch.ts'
import type { Upstream as UpstreamData, UpstreamId } from '../../model/upstream.ts'
import { EndpointPools } from './endpoint-pool.ts'
import { Upstream, type UpstreamContext } from './upstream.ts'

export class UpstreamRegistry {
  readonly #upstreams = new Map<UpstreamId, Upstream>()
  readonly #endpointPools = new EndpointPools()
  /** Those that had no endpoints when they were last touched: the ones that may be forgotten. */
  readonly #empty = new Set<UpstreamId>()
  readonly #context: UpstreamContext
  #checks = true

  constructor(context: UpstreamContext) {
    this.#context = context
  }

  /** The live upstream; one that is not known yet has no endpoints, and gets them when they come. */
  get(id: UpstreamId): Upstream {
    let upstream = this.#upstreams.get(id)
    if (upstream === undefined) {
      upstream = new Upstream(id, this.#context, this.#endpointPools)
      if (!this.#checks) upstream.stopChecks()
      this.#upstreams.set(id, upstream)
      this.#empty.add(id)
    }
    return upstream
  }

  apply(delta: Delta<UpstreamData, UpstreamId>): void {
    for (const id of delta.deletes) this.#retire(id)
    for (const data of delta.upserts) {
      this.get(data.id).update(data)
      if (data.endpoints.length === 0) this.#empty.add(data.id)
      else this.#empty.delete(data.id)
    }
  }

  #retire(id: UpstreamId): void {
    const upstream = this.#upstreams.get(id)
    if (upstream === undefined) return
    upstream.retire()
    this.#empty.add(id)
  }

  /** The thread is about to end: nobody is asked any more whether he is well. */
  stopChecks(): void {
    this.#checks = false
    for (const upstream of this.#upstreams.values()) upstream.stopChecks()
  }

  /** Retires all that are not in `ids`. */
  retain(ids: ReadonlySet<UpstreamId>): void {
    for (const id of this.#upstreams.keys()) if (!ids.has(id)) this.#retire(id)
  }

  /** Forgets those that have neither endpoints nor, as `refersTo` knows, a route. */
  prune(refersTo: (id: UpstreamId) => boolean): void {
    for (const id of this.#empty) {
      if (refersTo(id)) continue
      this.#empty.delete(id)
      this.#upstreams.delete(id)
    }
  }
}
