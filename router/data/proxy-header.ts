// The PROXY header of one connection, read before anything else is done with it (contract section 10).

import type { Socket } from 'node:net'
import { counter } from '../model/counters.ts'
import type { ThreadContext } from './context.ts'
import { readInto } from './http/adopt.ts'
import { normalizePeer } from './http/forwarded.ts'
import { parseProxyHeader } from './proxy-protocol.ts'
import { Timed } from './timers.ts'

/** How long the header may take, in milliseconds: load balancers send it at once. */
export const headerTimeout = 10_000

/**
 * What goes on once the header is read: the client's address, and the octets behind the header, `[start, end)` of
 * `buffer`, which are valid during the call only. False stops reading until `socket.resume()`.
 */
export type AfterHeader = (address: string, buffer: Buffer, start: number, end: number) => boolean

export class ProxyHeaderReader extends Timed {
  readonly #context: ThreadContext
  readonly #socket: Socket
  readonly #after: AfterHeader
  readonly #refuse = (): void => this.#close()
  /** What came so far, when it came in pieces. */
  #held: Buffer | null = null
  #done = false

  /** Starts reading. The socket is closed without a word when no valid header comes in time. */
  constructor(context: ThreadContext, socket: Socket, after: AfterHeader) {
    super()
    this.#context = context
    this.#socket = socket
    this.#after = after
    socket.on('end', this.#refuse)
    socket.on('error', this.#refuse)
    socket.on('close', this.#refuse)
    context.timers.set(this, headerTimeout)
    readInto(socket, context.readBuffer, (octets, buffer) => this.#read(octets, buffer))
    socket.resume()
  }

  override onDeadline(): void {
    this.#close()
  }

  #read(octets: number, buffer: Buffer): boolean {
    if (this.#done) return false
    let source = buffer
    let end = octets
    if (this.#held !== null) {
      source = Buffer.concat([this.#held, buffer.subarray(0, octets)])
      end = source.length
    }
    const header = parseProxyHeader(source, 0, end)
    if (header.kind === 'invalid') {
      this.#close()
      return false
    }
    if (header.kind === 'incomplete') {
      this.#held = Buffer.from(source.subarray(0, end))
      return true
    }
    this.#leave()
    const peer = normalizePeer(this.#socket.remoteAddress)
    const believed = header.source !== null && this.#context.trusted.has(peer)
    return this.#after(believed ? header.source : peer, source, header.length, end)
  }

  #close(): void {
    if (this.#done) return
    this.#leave()
    this.#context.counters[counter.proxyProtocolErrors]!++
    this.#socket.destroy()
  }

  #leave(): void {
    this.#done = true
    this.#held = null
    this.#context.timers.remove(this)
    for (const event of ['end', 'error', 'close']) this.#socket.off(event, this.#refuse)
    // Nobody else listens yet.
    this.#socket.on('error', ignore)
  }
}

function ignore(): void {}
