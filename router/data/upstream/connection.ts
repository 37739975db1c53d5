// One connection to an endpoint that speaks HTTP/1.1, over TCP or TLS. It belongs to one exchange at a time, or waits in
// its pool.

import type { Socket } from 'node:net'
import { counter } from '../../model/counters.ts'
import type { ThreadContext } from '../context.ts'
import { Timed } from '../timers.ts'
import { goneCode, type UpstreamChannel, type UpstreamListener } from './channel.ts'
import { type Dialer, dial } from './dialer.ts'
import type { EndpointPool } from './endpoint-pool.ts'

/** How long a connection waits for its next use when the endpoint does not say, in milliseconds: shorter than the
 *  usual 5 s of Node's own server, so that it is not closed under a request. */
const defaultIdle = 4_000
const longestIdle = 60_000

type WriteCallback = (error?: Error | null) => void

export class UpstreamConnection extends Timed implements UpstreamChannel, Dialer {
  readonly pool: EndpointPool
  readonly socket: Socket
  readonly disclaims = false
  readonly application = 'http/1.1'
  listener: UpstreamListener | null
  connected = false
  stale = false
  #waiting = false
  #gone = false
  #patient = false
  #writeFailed = false
  #context: ThreadContext

  constructor(context: ThreadContext, pool: EndpointPool, listener: UpstreamListener, connectTimeout: number) {
    super()
    this.#context = context
    this.pool = pool
    this.listener = listener
    context.counters[counter.upstreamOpen]!++
    this.socket = dial(context, pool, this)
    this.socket.on('drain', () => this.listener?.onUpstreamDrain())
    this.socket.on('end', () => this.#onEnd())
    this.socket.on('error', error => this.#onGone((error as NodeJS.ErrnoException).code ?? 'ERROR'))
    this.socket.on('close', () => this.#onGone(goneCode.closed))
    context.timers.set(this, connectTimeout)
    pool.begin(this)
  }

  get blocked(): boolean {
    return this.socket.writableNeedDrain
  }

  begin(octets: Buffer): void {
    this.socket.write(octets)
  }

  write(source: Buffer, start: number, end: number): void {
    const { slab } = this.#context
    const length = end - start
    slab.reserve(length)
    source.copy(slab.buffer, slab.at, start, end)
    this.socket.write(slab.buffer.subarray(slab.at, slab.at + length))
    if (this.socket.writableLength !== 0) slab.at += length
  }

  end(): void {
    this.socket.end()
  }

  /**
   * For a request whose body is still to come: an endpoint that does not want it answers and closes. Then our next write
   * fails, and Node would close the socket with the answer unread. From now on a write that fails is kept quiet, and the
   * connection ends when all that the endpoint had sent is read, which is near: the kernel has given it up already.
   */
  expectEarlyAnswer(): void {
    if (this.#patient) return
    this.#patient = true
    const { socket } = this
    const { _write: write, _writev: writev } = socket
    // A stream has one write under way at most, so one function serves all.
    let pending: WriteCallback = () => {}
    const written: WriteCallback = error => {
      if (error) this.#writeFailed = true
      else pending()
    }
    socket._write = (chunk, encoding, callback) => {
      pending = callback
      write.call(socket, chunk, encoding, written)
    }
    socket._writev = (chunks, callback) => {
      pending = callback
      writev?.call(socket, chunks, written)
    }
  }

  resume(): void {
    this.socket.resume()
  }

  /** Hands it back to its pool. */
  release(keepAliveTimeout: number): void {
    this.listener = null
    if (this.#gone) return
    // A second less than the endpoint waits, for what is under way; one that waits a second at most is not worth it.
    const idle = keepAliveTimeout < 0 ? defaultIdle : Math.min(keepAliveTimeout * 1000 - 1000, longestIdle)
    if (idle <= 0 || this.socket.writableLength !== 0 || !this.pool.keep(this)) {
      this.destroy()
      return
    }
    this.#waiting = true
    this.#context.counters[counter.upstreamIdle]!++
    this.#context.timers.set(this, idle)
  }

  /** Takes it out of the pool for an exchange. */
  reuse(listener: UpstreamListener): void {
    this.#waiting = false
    this.stale = true
    this.#context.counters[counter.upstreamReused]!++
    this.#context.counters[counter.upstreamIdle]!--
    this.#context.timers.clear(this)
    this.listener = listener
  }

  /** The endpoint goes before there is a connection: no octet has left, and its request is for another one. */
  withdraw(): void {
    this.#onGone(goneCode.closed)
    this.socket.destroy()
  }

  destroy(): void {
    this.listener = null
    this.socket.destroy()
    this.#onGone(goneCode.closed)
  }

  override onDeadline(): void {
    if (this.#waiting) this.destroy()
    else if (!this.connected) {
      this.#onGone(goneCode.connectTimeout)
      this.socket.destroy()
    }
  }

  onConnect(): void {
    this.connected = true
    this.pool.settle(this)
    this.#context.timers.clear(this)
    this.#context.counters[counter.upstreamConnects]!++
    this.listener?.onUpstreamConnect()
  }

  onRead(length: number, buffer: Buffer): boolean {
    if (this.listener !== null) return this.listener.onUpstreamData(buffer, length)
    // Octets that nobody asked for: what follows could be taken for the answer to the next request.
    this.destroy()
    return false
  }

  /** HTTP/1.1 is no stranger to anybody. */
  onStranger(): void {}

  #onEnd(): void {
    // The failed write took the error that reading would have told of: this is no clean end.
    if (this.#writeFailed) this.#onGone('ECONNRESET')
    else if (this.listener !== null) this.listener.onUpstreamEnd()
    else this.destroy()
  }

  #onGone(code: string): void {
    if (this.#gone) return
    this.#gone = true
    this.#context.timers.remove(this)
    this.#context.counters[counter.upstreamOpen]!--
    if (!this.connected) this.pool.settle(this)
    if (this.#waiting) {
      this.#waiting = false
      this.#context.counters[counter.upstreamIdle]!--
      this.pool.forget(this)
    }
    const listener = this.listener
    this.listener = null
    if (code !== goneCode.closed) this.socket.destroy()
    listener?.onUpstreamGone(code)
  }
}
