// The connections to one endpoint: those that wait, last used first, and how many are busy.

import type { Endpoint } from '../../model/upstream.ts'
import type { UpstreamConnection } from './connection.ts'

/** Connections kept waiting for one endpoint; more than a burst leaves behind would only age. */
const maxIdle = 512

export class EndpointPool {
  readonly address: string
  readonly port: number
  /** `ADDRESS:PORT`, as the access log names it. */
  readonly name: string
  /** Requests in flight, waiting for a connection included. */
  inFlight = 0
  /** The endpoint is gone: what is busy finishes, nothing is kept. */
  retired = false
  /** Upstreams that have this endpoint. */
  users = 0
  readonly #idle: UpstreamConnection[] = []

  constructor(endpoint: Endpoint) {
    this.address = endpoint.address
    this.port = endpoint.port
    this.name = endpoint.address.includes(':')
      ? `[${endpoint.address}]:${endpoint.port}`
      : `${endpoint.address}:${endpoint.port}`
  }

  /** The connection used last, or null. */
  take(): UpstreamConnection | null {
    return this.#idle.pop() ?? null
  }

  /** False: not kept, close it. */
  keep(connection: UpstreamConnection): boolean {
    if (this.retired || this.#idle.length >= maxIdle) return false
    this.#idle.push(connection)
    return true
  }

  /** The connection closed while it waited. */
  forget(connection: UpstreamConnection): void {
    const at = this.#idle.lastIndexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  retire(): void {
    this.retired = true
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }
}

/** The pools of a thread by address: Services that select the same pods share the connections to them. */
export class EndpointPools {
  readonly #pools = new Map<string, EndpointPool>()

  get size(): number {
    return this.#pools.size
  }

  acquire(endpoint: Endpoint): EndpointPool {
    const fresh = new EndpointPool(endpoint)
    const pool = this.#pools.get(fresh.name) ?? fresh
    if (pool === fresh) this.#pools.set(pool.name, pool)
    pool.users++
    return pool
  }

  /** The pool retires with its last user. */
  release(pool: EndpointPool): void {
    if (--pool.users > 0) return
    this.#pools.delete(pool.name)
    pool.retire()
  }
}
