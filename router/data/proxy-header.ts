// The PROXY header of one connection, read before anything else is done with it (contract section 10).

import type { Socket } from 'node:net'
import { parseProxyHeader } from '#kit/proxy-protocol.ts'
import { counter } from '../model/counters.ts'
import type { ThreadContext } from './context.ts'
import { normalizePeer } from './http/forwarded.ts'
import { OpeningReader } from './opening-reader.ts'

/** How long the header may take, in milliseconds: load balancers send it at once. */
export const headerTimeout = 10_000

/**
 * What goes on once the header is read: the client's address, and the octets behind the header, `[start, end)` of
 * `buffer`, which are valid during the call only. False stops reading until `socket.resume()`.
 */
export type AfterHeader = (address: string, buffer: Buffer, start: number, end: number) => boolean

export class ProxyHeaderReader extends OpeningReader {
  readonly #after: AfterHeader
  #source: string | null = null
  #length = 0

  /** Starts reading. The socket is closed without a word when no valid header comes in time. */
  constructor(context: ThreadContext, socket: Socket, after: AfterHeader) {
    super(context, socket, headerTimeout)
    this.#after = after
  }

  protected override judge(source: Buffer, end: number): 'whole' | 'incomplete' | 'invalid' {
    const header = parseProxyHeader(source, 0, end)
    if (header.kind === 'invalid' || header.kind === 'incomplete') return header.kind
    this.#source = header.source
    this.#length = header.length
    return 'whole'
  }

  protected override proceed(source: Buffer, end: number): boolean {
    const peer = normalizePeer(this.socket.remoteAddress)
    const believed = this.#source !== null && this.context.trusted.has(peer)
    return this.#after(believed ? this.#source! : peer, source, this.#length, end)
  }

  protected override refused(): void {
    this.context.counters[counter.proxyProtocolErrors]!++
  }
}
