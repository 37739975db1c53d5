// An upgraded connection (RFC 9110 section 7.8): octets both ways, each direction with its own back-pressure and end.

import { counter } from '../../model/counters.ts'
import type { ThreadContext } from '../context.ts'
import type { UpstreamChannel, UpstreamListener } from '../upstream/channel.ts'

/** The client's end of a tunnel. */
export interface TunnelClient {
  /** It takes no more for now; the tunnel's `onClientDrain` follows. */
  readonly blocked: boolean
  /** Sends no more after what has been sent. */
  end(): void
  setDeadline(delay: number): void
  /** Sends what the slab holds from `from` to its position. False: it takes no more for now. */
  send(from: number): boolean
  /** Reads on after `onClientData` returned false. */
  resume(): void
  destroy(): void
}

export class Tunnel implements UpstreamListener {
  readonly #context: ThreadContext
  readonly #client: TunnelClient
  readonly #upstream: UpstreamChannel
  readonly #idleTimeout: number
  readonly #gauge: number
  readonly #onClosed: (bytesToClient: number, bytesToUpstream: number) => void
  #toClient = 0
  #toUpstream = 0
  #clientEnded = false
  #upstreamEnded = false
  #clientGone = false
  #upstreamGone = false
  #closed = false

  /** `gauge`: the counter of those that are open. */
  constructor(
    context: ThreadContext,
    client: TunnelClient,
    upstream: UpstreamChannel,
    idleTimeout: number,
    onClosed: (bytesToClient: number, bytesToUpstream: number) => void,
    gauge: number = counter.tunnelsOpen,
  ) {
    this.#context = context
    this.#client = client
    this.#upstream = upstream
    this.#idleTimeout = idleTimeout
    this.#onClosed = onClosed
    this.#gauge = gauge
    upstream.listener = this
    context.counters[gauge]!++
    client.setDeadline(idleTimeout)
  }

  /** Octets from the client; false: stop reading them. */
  onClientData(buffer: Buffer, start: number, end: number): boolean {
    this.#client.setDeadline(this.#idleTimeout)
    if (this.#closed || end === start) return true
    this.#upstream.write(buffer, start, end)
    this.#toUpstream += end - start
    return !this.#upstream.blocked
  }

  onUpstreamData(buffer: Buffer, length: number): boolean {
    this.fromUpstream(buffer, 0, length)
    return !this.#client.blocked
  }

  fromUpstream(buffer: Buffer, start: number, end: number): void {
    this.#client.setDeadline(this.#idleTimeout)
    if (this.#closed || end === start) return
    const { slab } = this.#context
    slab.reserve(end - start)
    const from = slab.at
    slab.at += buffer.copy(slab.buffer, from, start, end)
    this.#client.send(from)
    this.#toClient += end - start
  }

  onClientDrain(): void {
    this.#upstream.resume()
  }

  onUpstreamDrain(): void {
    this.#client.resume()
  }

  /** Half-close crosses: one side may go on after the other has said its last. */
  onClientEnd(): void {
    this.#clientEnded = true
    this.#upstream.end()
  }

  onUpstreamEnd(): void {
    this.#upstreamEnded = true
    this.#client.end()
  }

  onUpstreamConnect(): void {}

  onUpstreamGone(code: string): void {
    this.#upstreamGone = true
    // After a clean end of both directions the other side may still have octets to take.
    if (code !== 'CLOSED' || !this.#clientEnded || !this.#upstreamEnded || this.#clientGone) this.close()
  }

  onClientGone(failed: boolean): void {
    this.#clientGone = true
    if (failed || !this.#clientEnded || !this.#upstreamEnded || this.#upstreamGone) this.close()
    // What is left for the endpoint has as long as any silence may last.
    else this.#client.setDeadline(this.#idleTimeout)
  }

  /** Ends both sides at once; what the kernel has not taken yet is lost. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#context.counters[this.#gauge]!--
    this.#upstream.destroy()
    this.#onClosed(this.#toClient, this.#toUpstream)
    this.#client.destroy()
  }
}
