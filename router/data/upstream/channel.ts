// What carries one request to an endpoint and its answer back, one at a time: a connection of HTTP/1.1 (`connection.ts`) or a
// stream of HTTP/2 (`h2-channel.ts`). Inside the router every message is octets of HTTP/1.1; what an endpoint speaks is
// translated at this edge.

import type { EndpointPool } from './endpoint-pool.ts'

/** What an exchange, or the tunnel that it became, hears of its channel. */
export interface UpstreamListener {
  onUpstreamConnect(): void
  /** Octets are valid during the call only. False: stop reading until `resume`. */
  onUpstreamData(buffer: Buffer, length: number): boolean
  onUpstreamDrain(): void
  /** The endpoint sends no more. */
  onUpstreamEnd(): void
  /** The channel is gone; `code` is Node's (`ECONNREFUSED`...), or one of `goneCode`. Called once. */
  onUpstreamGone(code: string): void
}

/** Ends of channels that Node has no code for. */
export const goneCode = {
  closed: 'CLOSED',
  connectTimeout: 'CONNECT_TIMEOUT',
  /** The endpoint says that it has not looked at the request (RFC 9113 section 8.7). */
  unprocessed: 'UNPROCESSED',
  /** What came is no answer that could be passed on. */
  invalid: 'INVALID',
  /** There is no way to say to this endpoint what the client asks for; it has heard nothing of it. */
  unspeakable: 'UNSPEAKABLE',
} as const

export interface UpstreamChannel {
  readonly pool: EndpointPool
  listener: UpstreamListener | null
  /** Octets of the request can have reached the endpoint. */
  readonly connected: boolean
  /** What is under it had waited: the endpoint may have closed it as we wrote. */
  readonly stale: boolean
  /** Its endpoint can say of a request that it was not processed, and may be repeated whatever it asks for. */
  readonly disclaims: boolean
  /** It takes no more for now; `onUpstreamDrain` follows. */
  readonly blocked: boolean
  /** Sends the first octets, the whole head among them. They must stay as they are until the listener hears of a connection. */
  begin(octets: Buffer): void
  /** Sends what follows; octets are valid during the call only. */
  write(source: Buffer, start: number, end: number): void
  /** Sends no more: half-close. */
  end(): void
  /** The body is still to come: an endpoint that does not want it may answer and close. */
  expectEarlyAnswer(): void
  /** Reads on after `onUpstreamData` returned false. */
  resume(): void
  /** Request and answer are complete: what is under it may be used again. `keepAliveTimeout` in seconds, -1: unknown. */
  release(keepAliveTimeout: number): void
  /** Ends it at once; its listener hears no more of it. */
  destroy(): void
}
