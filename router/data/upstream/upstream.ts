// Many endpoints behind one Service port, and the choice among them.

import type { Upstream as UpstreamData, UpstreamId } from '../../model/upstream.ts'
import { type EndpointPool, EndpointPools } from './endpoint-pool.ts'

/** An endpoint that could not be reached is left alone for this long while another one can be, in milliseconds. */
const restAfterFailure = 5_000

export class Upstream {
  readonly id: UpstreamId
  readonly #endpointPools: EndpointPools
  #pools: readonly EndpointPool[] = []
  #cursor = 0

  constructor(id: UpstreamId, endpointPools: EndpointPools = new EndpointPools()) {
    this.id = id
    this.#endpointPools = endpointPools
  }

  get available(): boolean {
    return this.#pools.length !== 0
  }

  get size(): number {
    return this.#pools.length
  }

  /** Whether there is an endpoint that has not failed lately. */
  hasRested(now: number): boolean {
    return this.#pools.some(pool => rested(pool, now))
  }

  /** Keeps the pools of endpoints that stay; lets go of those that go. */
  update(data: UpstreamData): void {
    const before = this.#pools
    this.#pools = data.endpoints.map(endpoint => this.#endpointPools.acquire(endpoint))
    for (const pool of before) this.#endpointPools.release(pool)
  }

  retire(): void {
    for (const pool of this.#pools) this.#endpointPools.release(pool)
    this.#pools = []
  }

  /**
   * The endpoint for one more request: of the next in turn and another one drawn by lot, the one with fewer requests in
   * flight (the power of two choices), passing over those that failed lately unless all did; then the one whose
   * failure is longest ago. Null: no endpoint. `random` is in [0, 1). `except` is chosen only if there is no other.
   */
  claim(now: number, random: () => number, except: EndpointPool | null = null): EndpointPool | null {
    const pools = this.#pools
    const count = pools.length
    if (count === 0) return null
    if (count === 1) return pools[0]!
    const next = this.#cursor++ % count
    const other = (next + 1 + Math.floor(random() * (count - 1))) % count
    const a = pools[next]!
    const b = pools[other]!
    const best = b.inFlight < a.inFlight ? b : a
    if (rested(best, now) && best !== except) return best
    let oldest = best === except ? (best === a ? b : a) : best
    for (let i = 0; i < count; i++) {
      const pool = pools[(next + i) % count]!
      if (pool === except) continue
      if (rested(pool, now)) return pool
      if (pool.failedAt < oldest.failedAt) oldest = pool
    }
    return oldest
  }
}

function rested(pool: EndpointPool, now: number): boolean {
  return pool.failedAt === 0 || now - pool.failedAt >= restAfterFailure
}
