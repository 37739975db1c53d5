// An endpoint as one of an upstream's, with what this upstream knows of it. Two upstreams with the same endpoint share its
// connections (`endpoint-pool.ts`) and judge it each for themselves.

import type { EndpointPool } from './endpoint-pool.ts'
import { hashText, opaqueName } from './hash.ts'
import type { HealthCheck } from './health-check.ts'
import { Rest } from './rest.ts'
import type { Upstream } from './upstream.ts'

/** Where the share of a new endpoint begins. */
const smallestShare = 0.1

export class Member {
  readonly upstream: Upstream
  readonly pool: EndpointPool
  readonly hash: number
  /** Requests of this upstream in flight there. */
  inFlight = 0
  /** Meant for other zones. */
  far: boolean
  readonly rest = new Rest()
  check: HealthCheck | null = null
  healthy = true
  /** When it was new, and until when its share grows; the second is 0 unless it does. */
  #newAt = 0
  warmAt = 0
  #cookie = ''

  constructor(upstream: Upstream, pool: EndpointPool, far: boolean) {
    this.upstream = upstream
    this.pool = pool
    this.far = far
    this.hash = hashText(pool.name)
  }

  /** What a sticky cookie calls it. */
  get cookie(): string {
    if (this.#cookie === '') this.#cookie = opaqueName(this.upstream.id, this.pool.name)
    return this.#cookie
  }

  /** Its share grows for `duration` milliseconds from now on. */
  warmUp(now: number, duration: number): void {
    this.#newAt = now
    this.warmAt = now + duration
  }

  /** Of what is due to it, from a tenth to 1. */
  share(now: number): number {
    if (now >= this.warmAt) return 1
    return smallestShare + ((1 - smallestShare) * (now - this.#newAt)) / (this.warmAt - this.#newAt)
  }

  /** One more request is on its way there. */
  enter(): void {
    this.inFlight++
    this.pool.inFlight++
  }

  /** It is over, however it ended. */
  leave(): void {
    this.inFlight--
    this.pool.inFlight--
    this.upstream.left()
  }
}
