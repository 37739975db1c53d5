// The channels to one endpoint: connections of HTTP/1.1 that wait, last used first, or sessions of HTTP/2; and how many
// requests are in flight.

import type { Endpoint } from '../../model/upstream.ts'
import { standardUpstreamSettings, type UpstreamProtocol, type UpstreamTls } from '../../model/upstream-settings.ts'
import type { ThreadContext } from '../context.ts'
import type { UpstreamChannel, UpstreamListener } from './channel.ts'
import { UpstreamConnection } from './connection.ts'
import { Http2Sessions } from './h2-sessions.ts'

/** How an endpoint is spoken to. */
export interface Transport {
  readonly protocol: UpstreamProtocol
  readonly tls: UpstreamTls
}

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
  readonly transport: Transport
  /** For the next handshake: what the last one has left. */
  tlsSession: Buffer | null = null
  readonly #idle: UpstreamConnection[] = []
  /** Those that are not there yet. */
  #begun: Set<UpstreamConnection> | null = null
  #sessions: Http2Sessions | null = null

  constructor(endpoint: Endpoint, transport: Transport = standardUpstreamSettings) {
    this.transport = transport
    this.address = endpoint.address
    this.port = endpoint.port
    this.name = endpoint.address.includes(':')
      ? `[${endpoint.address}]:${endpoint.port}`
      : `${endpoint.address}:${endpoint.port}`
  }

  get secure(): boolean {
    return this.transport.protocol === 'https' || this.transport.protocol === 'h2'
  }

  /** For one request: what was used last, or a new connection; `fresh`: not one that had waited. */
  open(context: ThreadContext, listener: UpstreamListener, connectTimeout: number, fresh: boolean): UpstreamChannel {
    const { protocol } = this.transport
    if (protocol === 'h2' || protocol === 'h2c') {
      this.#sessions ??= new Http2Sessions(context, this)
      return this.#sessions.open(listener, connectTimeout)
    }
    const waiting = fresh ? undefined : this.#idle.pop()
    if (waiting === undefined) return new UpstreamConnection(context, this, listener, connectTimeout)
    waiting.reuse(listener)
    return waiting
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

  /** For connections: one is being made. */
  begin(connection: UpstreamConnection): void {
    this.#begun ??= new Set()
    this.#begun.add(connection)
  }

  /** It is there, or it will not be. */
  settle(connection: UpstreamConnection): void {
    this.#begun?.delete(connection)
  }

  /** Requests whose octets have not left go elsewhere at once: they must find their upstream without it. */
  retire(): void {
    this.retired = true
    for (const connection of this.#idle.splice(0)) connection.destroy()
    for (const connection of [...(this.#begun ?? [])]) connection.withdraw()
    this.#sessions?.retire()
  }
}

/** The pools of a thread by address and transport: Services that select the same pods share the connections to them. */
export class EndpointPools {
  readonly #pools = new Map<string, EndpointPool>()

  get size(): number {
    return this.#pools.size
  }

  acquire(endpoint: Endpoint, transport: Transport = standardUpstreamSettings): EndpointPool {
    const key = keyOf(endpoint, transport)
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      pool = new EndpointPool(endpoint, transport)
      this.#pools.set(key, pool)
    }
    pool.users++
    return pool
  }

  /** The pool retires with its last user. */
  release(pool: EndpointPool): void {
    if (--pool.users > 0) return
    this.#pools.delete(keyOf(pool, pool.transport))
    pool.retire()
  }
}

function keyOf({ address, port }: Endpoint, { protocol, tls }: Transport): string {
  const secure = protocol === 'https' || protocol === 'h2'
  return `${address} ${port} ${protocol}${secure ? ` ${tls.verify} ${tls.serverName ?? ''}` : ''}`
}
