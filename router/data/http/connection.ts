// A client's connection: keep-alive, pipelining, and the octets of one request after the other. What one request does
// is in `exchange.ts`; this is what happens between requests, and when the client goes.

import type { Socket } from 'node:net'
import type { ThreadContext } from '../context.ts'
import { Exchange } from '../exchange.ts'
import { AcceptedConnection } from './accepted.ts'
import { octetsTaken, readInto } from './adopt.ts'
import type { Client } from './client.ts'
import type { Tunnel } from './upgrade.ts'

/** How long a client may take to send a head, or between two reads of a body, or to take what we send, in milliseconds. */
export const clientTimeout = 60_000
/** While draining: how long an idle connection may still bring a request before it is closed, in milliseconds. */
export const idleGrace = 2_000
/** How long octets of a refused request are read and thrown away, so that the answer is not lost to a reset. */
const lingerTimeout = 5_000

const LF = 10
const CR = 13
const continueAnswer = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')

export class ClientConnection extends AcceptedConnection implements Client {
  readonly onClosed: (connection: ClientConnection) => void
  readonly majorVersion = 1
  tunnel: Tunnel | null = null
  #exchange: Exchange | null = null
  /** An incomplete head, kept over reads. */
  #partial: Buffer | null = null
  #partialEnd = 0
  /** Octets of requests that came before their turn. */
  #carry: Buffer | null = null
  #consuming = false
  #reading = true
  #lingering = false
  #gone = false
  #emptyLine = false
  #taken = 0

  /** `announced`: whom the PROXY header named; null: the connection did not begin with one. */
  constructor(
    context: ThreadContext,
    socket: Socket,
    secure: boolean,
    announced: string | null,
    onClosed: (connection: ClientConnection) => void,
  ) {
    super(context, socket, secure, announced)
    this.onClosed = onClosed
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.#onEnd())
    socket.on('error', () => this.#onGone(true))
    socket.on('close', () => this.#onGone(false))
    // A connection that sends nothing at first may not stay for longer than one that sends half a head. One whose handshake
    // was under way when the drain began missed the goodbye to idle ones.
    context.timers.set(this, context.draining ? idleGrace : clientTimeout)
    readInto(socket, context.readBuffer, (octets, buffer) => this.#onRead(octets, buffer))
    socket.resume()
  }

  /** No request is under way. */
  get idle(): boolean {
    return this.#exchange === null && this.tunnel === null
  }

  get spare(): boolean {
    return this.idle && !this.#lingering && !this.#gone && this.socket.writableLength === 0
  }

  get idleSince(): number {
    // Every deadline of an idle connection was set when it became so.
    return this.deadline - (this.requests === 0 ? clientTimeout : this.context.settings.defaultTimeout)
  }

  setDeadline(delay: number): void {
    this.context.timers.set(this, delay)
  }

  /** Octets that somebody else has read; valid during the call only. False: read no more until this resumes. */
  feed(buffer: Buffer, start: number, end: number): boolean {
    if (start < end) this.#consume(buffer, start, end)
    return this.#reading
  }

  pause(): void {
    this.#reading = false
    if (!this.#consuming) this.socket.pause()
  }

  resume(): void {
    if (this.#reading || this.#gone) return
    if (this.#consuming) this.#reading = true
    else this.#next()
  }

  /** Sends what the slab holds from `from` to its position. False: the client takes no more for now. */
  send(from: number): boolean {
    const { slab } = this.context
    this.socket.write(slab.buffer.subarray(from, slab.at))
    if (this.socket.writableLength === 0) slab.at = from
    return !this.socket.writableNeedDrain
  }

  sendContinue(): void {
    this.socket.write(continueAnswer)
  }

  finished(close: boolean): void {
    this.#exchange = null
    if (close || this.#gone) {
      this.#linger()
      return
    }
    this.setDeadline(this.context.draining ? idleGrace : this.context.settings.defaultTimeout)
    if (!this.#consuming) this.#next()
  }

  upgraded(tunnel: Tunnel): void {
    this.tunnel = tunnel
    this.#exchange = null
    this.resume()
  }

  /** HTTP/1.1 knows no word for it but `Connection: close` on the answers to come. */
  drain(): void {}

  close(): void {
    if (this.idle) this.#linger()
  }

  /** Cuts the connection: the client must notice that its answer is incomplete. */
  destroy(): void {
    this.socket.destroy()
    this.#onGone(false)
  }

  override onDeadline(): void {
    if (this.tunnel !== null) this.tunnel.close()
    else if (this.#exchange !== null) this.#exchange.onDeadline()
    else if (this.taking()) this.setDeadline(clientTimeout)
    else this.destroy()
  }

  get waiting(): number {
    return this.socket.writableLength
  }

  get blocked(): boolean {
    return this.socket.writableNeedDrain
  }

  end(): void {
    this.socket.end()
  }

  taking(): boolean {
    if (this.socket.writableLength === 0) return false
    const before = this.#taken
    this.#taken = octetsTaken(this.socket)
    return this.#taken > before
  }

  #onRead(octets: number, buffer: Buffer): boolean {
    if (this.#reading) this.#consume(buffer, 0, octets)
    else {
      // TLS hands over every record that it has at hand, also after it has been told to stop.
      const early = buffer.subarray(0, octets)
      this.#carry = this.#carry === null ? Buffer.from(early) : Buffer.concat([this.#carry, early])
    }
    return this.#reading
  }

  #consume(buffer: Buffer, start: number, end: number): void {
    this.#consuming = true
    const rest = this.#requests(buffer, start, end)
    this.#consuming = false
    if (rest < end && !this.#gone && !this.#lingering) {
      this.#carry = Buffer.from(buffer.subarray(rest, end))
      this.#reading = false
    }
  }

  /** Works through `[start, end)`, one request behind the other; returns where it had to stop. */
  #requests(buffer: Buffer, start: number, end: number): number {
    let source = buffer
    let at = start
    let limit = end
    if (this.#partial !== null) {
      this.#append(buffer, start, end)
      source = this.#partial
      at = this.#exchange!.head.resume
      limit = this.#partialEnd
    }
    while (at < limit) {
      if (this.#gone || this.#lingering) return end
      if (this.tunnel !== null) {
        if (!this.tunnel.onClientData(source, at, limit)) this.#reading = false
        return end
      }
      // Some clients end a body with a line of its own (RFC 9112 section 2.2): it begins no request.
      if (this.#exchange === null && source[at] === CR && source[at + 1] === LF && at + 1 < limit && !this.#emptyLine) {
        this.#emptyLine = true
        at += 2
        continue
      }
      // An answer that the client does not take holds back the requests behind it, or they would pile up answers.
      if (this.#exchange === null && this.socket.writableNeedDrain) break
      const exchange = this.#exchange ?? this.#begin()
      if (!exchange.headDone) {
        const next = exchange.readHead(source, at, limit)
        if (next === 0) {
          this.#keepPartial(source, at, limit)
          return end
        }
        this.#partialDone(source)
        if (next < 0) return end
        at = next
      } else if (!exchange.requestDone) {
        const next = exchange.readBody(source, at, limit)
        if (next < 0) return end
        at = next
      } else break
    }
    if (at >= limit) return end
    if (source === buffer) return at
    // What is left belongs to a buffer of our own: carry it from there.
    this.#carry = Buffer.from(source.subarray(at, limit))
    this.#reading = false
    return end
  }

  #begin(): Exchange {
    const exchange = Exchange.acquire(this)
    this.#exchange = exchange
    this.#emptyLine = false
    this.requests++
    this.setDeadline(clientTimeout)
    return exchange
  }

  #append(buffer: Buffer, start: number, end: number): void {
    const needed = this.#partialEnd + end - start
    if (needed > this.#partial!.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#partial!.length * 2))
      this.#partial!.copy(grown, 0, 0, this.#partialEnd)
      this.#partial = grown
    }
    buffer.copy(this.#partial!, this.#partialEnd, start, end)
    this.#partialEnd = needed
  }

  #keepPartial(source: Buffer, start: number, end: number): void {
    if (source === this.#partial) return
    this.#partial = Buffer.allocUnsafeSlow(Math.max(1024, (end - start) * 2))
    this.#partialEnd = source.copy(this.#partial, 0, start, end)
    this.#exchange!.head.rebase(-start)
  }

  #partialDone(source: Buffer): void {
    if (source !== this.#partial) return
    this.#partial = null
    this.#partialEnd = 0
  }

  /** Goes on with what came early, then with reading. */
  #next(): void {
    const carry = this.#carry
    if (carry === null) {
      if (this.#reading) return
      this.#reading = true
      this.socket.resume()
      return
    }
    this.#carry = null
    this.#reading = true
    this.#consume(carry, 0, carry.length)
    if (this.#gone) return
    if (this.#reading) this.socket.resume()
    else this.socket.pause()
  }

  #onDrain(): void {
    if (this.tunnel !== null) this.tunnel.onClientDrain()
    else if (this.#exchange !== null) this.#exchange.onClientDrain()
    else if (!this.#lingering) this.#next()
  }

  #onEnd(): void {
    if (this.tunnel !== null) {
      const carry = this.#carry
      this.#carry = null
      if (carry !== null) this.tunnel.onClientData(carry, 0, carry.length)
      this.tunnel.onClientEnd()
    } else if (this.#exchange !== null) this.#exchange.onClientGone()
    // Node makes an error, with a stack, of a second end.
    else if (!this.socket.writableEnded) this.socket.end()
  }

  #linger(): void {
    if (this.#gone || this.#lingering) return
    this.#lingering = true
    this.#carry = null
    this.#partial = null
    this.setDeadline(lingerTimeout)
    this.socket.end()
    if (this.socket.readableEnded) this.socket.destroySoon()
    this.#reading = true
    if (!this.#consuming) this.socket.resume()
  }

  #onGone(failed: boolean): void {
    if (this.#gone) return
    this.#gone = true
    this.context.timers.remove(this)
    this.uncount()
    this.#carry = null
    this.#partial = null
    if (this.tunnel !== null) this.tunnel.onClientGone(failed)
    else this.#exchange?.onClientGone()
    this.#exchange = null
    this.onClosed(this)
  }
}
