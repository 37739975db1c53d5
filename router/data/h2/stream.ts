// One stream of a client's connection: an HTTP/2 request for an exchange, and the exchange's answer as frames. To the
// exchange it is a client like any other, whose octets are those of HTTP/1.1 (RFC 9113 section 8).
//
//   begin ──> Exchange.readHead      onData ──> Exchange.readBody       from the client
//   send ──> #head ──> HEADERS       #body ──> DATA, or #waiting        to the client

import type { Socket } from 'node:net'
import type { ClientCertificate } from '../client-certificate.ts'
import type { PreferenceMemo } from '../coding/preferences.ts'
import type { ThreadContext } from '../context.ts'
import { Exchange } from '../exchange.ts'
import { Body } from '../http/body.ts'
import type { Client } from '../http/client.ts'
import { clientTimeout } from '../http/connection.ts'
import { method, type RequestHead } from '../http/request-head.ts'
import type { Tunnel } from '../http/upgrade.ts'
import { Timed } from '../timers.ts'
import type { Http2Connection } from './connection.ts'
import { controlFrameSize, writeFrameHeader, writeWindowUpdate } from './frame-writer.ts'
import { type ErrorCode, errorCode, flag, frameHeaderSize, frameType, maxFrameSize } from './frames.ts'
import { streamWindow } from './local-settings.ts'
import { OctetQueue } from './octet-queue.ts'
import type { RequestComposer } from './request-composer.ts'
import { writeInterim, writeResponse, writeStatus, writeTrailers } from './response-writer.ts'

/** DATA frames shorter than this, cut so by a window, cost more than they carry. */
const tinyFrame = 64
/** Once the clients of a thread have this much waiting for endpoints together, streams that bring more are reset… */
const maxHeldTogether = 48 * 1024 * 1024
/** …of connections that have more than this. */
const fairShare = 256 * 1024
/** What a client may send before its tunnel stands. */
const maxBeforeTunnel = 16 * 1024
/** Smaller pieces of a body are gathered. */
const gatheredLength = 1024
/** Room for the framing of a chunk. */
const chunkSlack = 32

const awaitsHead = 0
const awaitsBody = 1
const tunnels = 2
const complete = 3

export class Http2Stream extends Timed implements Client {
  readonly id: number
  readonly context: ThreadContext
  /** What we may send: it may be negative. */
  sendWindow: number
  /** The client has said its last. */
  remoteEnded = false
  readonly #connection: Http2Connection
  readonly #serial: number
  #exchange: Exchange | null = null
  #tunnel: Tunnel | null = null
  /** Data are for a tunnel that does not stand yet. */
  #awaitsTunnel = false
  #closed = false
  // From the client.
  #receiveWindow = streamWindow
  #toReturn = 0
  #contentLength = -1
  #received = 0
  #reading = true
  /** The read that brought octets last. */
  #readSeen = 0
  #endDelivered = false
  readonly #early = new OctetQueue()
  #requestTrailers = ''
  // To the client.
  #phase = awaitsHead
  readonly #body = new Body()
  readonly #waiting = new OctetQueue()
  #isQueued = false
  /** Nothing comes behind what waits. */
  #ends = false
  #localEnded = false
  #trailers: Buffer | null = null
  #sent = 0
  #sentBefore = 0
  /** With which the client is told to send no more, should it not have said its last. */
  #refusal: ErrorCode = errorCode.noError

  constructor(connection: Http2Connection, id: number) {
    super()
    this.id = id
    this.#connection = connection
    this.context = connection.context
    this.sendWindow = connection.initialWindow
    this.#serial = connection.requests
  }

  // ------------------------------------------------------------------------------- what an exchange asks about it

  get socket(): Socket {
    return this.#connection.socket
  }

  get secure(): boolean {
    return this.#connection.secure
  }

  get peer(): string {
    return this.#connection.peer
  }

  get tcpPeer(): string {
    return this.#connection.tcpPeer
  }

  get ignoresForwardedFor(): boolean {
    return this.#connection.ignoresForwardedFor
  }

  get serial(): number {
    return this.#connection.serial
  }

  get majorVersion(): number {
    return 2
  }

  get requests(): number {
    return this.#serial
  }

  get port(): string {
    return this.#connection.port
  }

  get clientCertificate(): ClientCertificate | null {
    return this.#connection.clientCertificate
  }

  get forwarded(): Buffer {
    return this.#connection.forwarded
  }

  get preferences(): PreferenceMemo {
    return this.#connection.preferences
  }

  hostName(head: RequestHead, buffer: Buffer): string {
    return this.#connection.hostName(head, buffer)
  }

  // --------------------------------------------------------------------------------------------- from the client

  /** The head is complete, and its verdict in. */
  begin(request: RequestComposer, endStream: boolean): void {
    const exchange = Exchange.acquire(this)
    this.#exchange = exchange
    this.remoteEnded = endStream
    this.setDeadline(clientTimeout)
    if (request.verdict !== 'good') {
      // Also a head that is too large is counted: what it makes us do is more than what it costs to send.
      this.#refusal = request.verdict === 'malformed' ? errorCode.protocolError : errorCode.enhanceYourCalm
      exchange.fail(request.verdict === 'malformed' ? 'bad-request' : 'header-too-large')
      return
    }
    this.#contentLength = request.contentLength
    this.#awaitsTunnel = request.isTunnel
    exchange.readHead(request.buffer, 0, request.length)
  }

  /** Whether so many octets keep to the window. */
  admitData(octets: number): boolean {
    this.#receiveWindow -= octets
    return this.#receiveWindow >= 0
  }

  /** False: no more of this frame is wanted. */
  onData(buffer: Buffer, start: number, end: number): boolean {
    this.#received += end - start
    if (this.#contentLength >= 0 && this.#received > this.#contentLength) {
      this.#connection.returnWindow(end - start)
      this.#connection.refuseStream(this, errorCode.protocolError)
      return false
    }
    const octets = end - start
    const connection = this.#connection
    const mayPass = this.#reading && !this.#awaitsTunnel
    // The first piece of a read passes at once; small ones behind it go together, or each would be a write of its own.
    if (mayPass && this.#early.length === 0 && (octets >= gatheredLength || this.#readSeen !== connection.reads)) {
      this.#readSeen = connection.reads
      this.#consume(buffer, start, end)
      this.#used(octets)
    } else if (this.#isTooEarly(octets)) connection.returnWindow(octets)
    else {
      this.#hold(octets)
      if (mayPass && this.#early.length === 0) connection.gather(this)
      this.#early.push(buffer, start, end)
    }
    return !this.#closed
  }

  /** Whether so many octets are more than may wait; then the stream has been reset. */
  #isTooEarly(octets: number): boolean {
    const connection = this.#connection
    if (this.#awaitsTunnel && this.#early.length + octets > maxBeforeTunnel)
      connection.refuseStream(this, errorCode.enhanceYourCalm)
    else if (this.context.http2.incoming > maxHeldTogether && connection.held > fairShare)
      connection.refuseStream(this, errorCode.internalError)
    return this.#closed
  }

  /** So many octets more (or, negative, less) wait for the endpoint. */
  #hold(octets: number): void {
    this.#connection.held += octets
    this.context.http2.incoming += octets
  }

  /** The read is over: what has been gathered passes. */
  deliver(): void {
    if (this.#reading && !this.#closed) this.resume()
  }

  /** `[0, length)` are field lines. */
  onTrailers(buffer: Buffer, length: number): void {
    this.#requestTrailers = buffer.toString('latin1', 0, length)
  }

  onEnd(): void {
    if (this.#closed) return
    if (this.#contentLength >= 0 && this.#received < this.#contentLength) {
      this.#connection.refuseStream(this, errorCode.protocolError)
      return
    }
    this.remoteEnded = true
    // While nothing is to pass, the end is not either: `resume` follows.
    if (this.#early.length === 0 && this.#reading) this.#deliverEnd()
    this.#settle()
  }

  /** The client wants nothing more of it. */
  onReset(): void {
    this.remoteEnded = true
    this.#close(-1)
  }

  onConnectionGone(): void {
    this.#close(-1)
  }

  /** It broke a rule: whatever was under way ends. */
  refuse(code: ErrorCode): void {
    this.#close(code)
  }

  #consume(buffer: Buffer, start: number, end: number): void {
    if (this.#tunnel !== null) {
      if (!this.#tunnel.onClientData(buffer, start, end)) this.#reading = false
      return
    }
    const exchange = this.#exchange
    if (exchange === null) return
    if (this.#contentLength >= 0) {
      exchange.readBody(buffer, start, end)
      return
    }
    const scratch = this.context.http2.scratch(end - start + chunkSlack)
    let at = scratch.write(`${(end - start).toString(16)}\r\n`, 0, 'latin1')
    at += buffer.copy(scratch, at, start, end)
    at += scratch.write('\r\n', at, 'latin1')
    exchange.readBody(scratch, 0, at)
  }

  #deliverEnd(): void {
    if (this.#endDelivered || this.#awaitsTunnel) return
    this.#endDelivered = true
    if (this.#tunnel !== null) {
      this.#tunnel.onClientEnd()
      this.#settle()
    } else if (this.#exchange !== null && this.#contentLength < 0 && !this.#exchange.requestDone) {
      const end = `0\r\n${this.#requestTrailers}\r\n`
      const scratch = this.context.http2.scratch(end.length)
      this.#exchange.readBody(scratch, 0, scratch.write(end, 0, 'latin1'))
    }
  }

  /** So many octets are used up: the client may send more. */
  #used(octets: number): void {
    this.#connection.returnWindow(octets)
    this.returnWindow(octets)
  }

  returnWindow(octets: number): void {
    if (this.remoteEnded || this.#closed) return
    this.#toReturn += octets
    if (this.#toReturn < streamWindow / 2) return
    const { out } = this.#connection
    this.#receiveWindow += this.#toReturn
    out.at = writeWindowUpdate(out.room(controlFrameSize), out.at, this.id, this.#toReturn)
    this.#toReturn = 0
  }

  pause(): void {
    this.#reading = false
  }

  resume(): void {
    if (this.#closed) return
    this.#reading = true
    const early = this.#early
    while (this.#reading && early.length > 0 && !this.#awaitsTunnel) {
      const octets = Math.min(early.length, maxFrameSize)
      this.#consume(early.buffer!, early.start, early.start + octets)
      if (this.#closed) return
      early.shift(octets)
      this.#hold(-octets)
      this.#used(octets)
    }
    if (early.length === 0 && this.remoteEnded && this.#reading) this.#deliverEnd()
  }

  // ----------------------------------------------------------------------------------------------- to the client

  /** Infinite when nothing may be read ahead for it any more, however much the settings allow. */
  get waiting(): number {
    return this.#connection.queue.mayReadAhead ? this.#waiting.length : Infinity
  }

  get blocked(): boolean {
    return this.#waiting.length > 0
  }

  send(from: number): boolean {
    const { slab } = this.context
    const end = slab.at
    const { buffer } = slab
    // It has been translated when this returns.
    slab.at = from
    if (!this.#closed) this.#translate(buffer, from, end)
    return this.#waiting.length === 0
  }

  #translate(buffer: Buffer, start: number, end: number): void {
    let at = start
    while (this.#phase === awaitsHead && at < end) at = this.#head(buffer, at, end)
    if (at >= end || this.#closed) return
    if (this.#phase === tunnels) this.#data(buffer, at, end)
    else if (this.#phase === awaitsBody) this.#bodyOctets(buffer, at, end)
  }

  /** A head, whole as it always is; the position behind it. */
  #head(buffer: Buffer, start: number, end: number): number {
    const { response } = this.context.http2
    response.reset()
    const after = response.parse(buffer, start, end, end - start + 1)
    // What the exchange writes is HTTP.
    if (after <= 0) {
      this.#close(errorCode.internalError)
      return end
    }
    const connection = this.#connection
    const { status, framing } = response
    // To such a request any 2xx says that the tunnel stands (RFC 8441 section 5), and it does not.
    if (this.#awaitsTunnel && status >= 200 && status < 300) {
      this.#phase = complete
      this.#localEnded = true
      writeStatus(connection, this.id, 502)
      return end
    }
    if (status === 101) {
      this.#phase = tunnels
      writeResponse(connection, this.id, response, buffer, 200, false)
      return after
    }
    if (status < 200) {
      writeInterim(connection, this.id, response, buffer)
      return after
    }
    const body = this.#body
    const isHead = ((this.#exchange?.head.methodTraits ?? 0) & method.head) !== 0
    if (isHead || status === 204 || status === 304) body.none()
    else if (framing.chunked) {
      body.start('chunked')
      body.chunked.keepsTrailers = true
    } else body.length(Math.max(0, framing.contentLength))
    this.#phase = body.done ? complete : awaitsBody
    this.#localEnded = body.done
    writeResponse(connection, this.id, response, buffer, status, body.done)
    return after
  }

  #bodyOctets(buffer: Buffer, start: number, end: number): void {
    const body = this.#body
    let source = buffer
    let from = start
    let to = end
    if (body.kind === 'chunked') {
      source = this.context.http2.scratch(end - start)
      body.unchunk(buffer, start, end, source, 0)
      from = 0
      to = body.chunked.payload
    } else to = body.read(buffer, start, end)
    if (body.done) {
      this.#ends = true
      this.#phase = complete
      const { trailers } = body.chunked
      if (body.kind === 'chunked' && trailers.length > 0) this.#trailers = Buffer.from(trailers)
    }
    this.#data(source, from, to)
  }

  /** Sends what the windows allow at once, and keeps the rest. */
  #data(buffer: Buffer, start: number, end: number): void {
    let at = start
    if (this.#waiting.length === 0) at = this.#frames(buffer, start, end, maxFramesAtOnce)
    if (this.#closed) return
    if (at < end) {
      this.#waiting.push(buffer, at, end)
      this.#connection.queue.wait(end - at)
      if (!this.#isQueued) {
        this.#isQueued = true
        this.#connection.queue.enqueue(this)
      }
    } else if (this.#ends && !this.#localEnded && this.#waiting.length === 0) this.#writeEnd()
  }

  /** DATA frames of `[start, end)` as far as windows and socket allow; the position behind what went out. */
  #frames(buffer: Buffer, start: number, end: number, count: number): number {
    const connection = this.#connection
    const { out, queue } = connection
    let at = start
    for (let i = 0; i < count && at < end && !connection.isFull; i++) {
      const octets = Math.min(end - at, maxFrameSize, this.sendWindow, queue.window)
      if (octets <= 0) break
      if (octets >= tinyFrame || octets === end - at) connection.offences.data(octets)
      else if (!connection.offences.idleFrame(this.context.timers.now)) {
        connection.offend('windows opened too little')
        return end
      }
      const last = this.#ends && at + octets === end && this.#trailers === null
      const chunk = out.room(frameHeaderSize + octets)
      out.at = writeFrameHeader(chunk, out.at, octets, frameType.data, last ? flag.endStream : 0, this.id)
      out.at += buffer.copy(chunk, out.at, at, at + octets)
      at += octets
      this.sendWindow -= octets
      this.#sent += octets
      queue.spend(octets)
      if (last) this.#localEnded = true
    }
    return at
  }

  /** Sends a frame of what waits. False: nothing waits any more. */
  sendWaiting(): boolean {
    const waiting = this.#waiting
    if (this.#closed || waiting.length === 0) {
      this.#isQueued = false
      return false
    }
    const octets = this.#frames(waiting.buffer!, waiting.start, waiting.end, 1) - waiting.start
    if (this.#closed) return false
    waiting.shift(octets)
    this.#connection.queue.wait(-octets)
    if (waiting.length > 0) return true
    this.#isQueued = false
    if (this.#ends && !this.#localEnded) this.#writeEnd()
    if (this.#exchange !== null) this.#exchange.onClientDrain()
    else if (this.#tunnel !== null) this.#tunnel.onClientDrain()
    this.#settle()
    return false
  }

  #writeEnd(): void {
    this.#localEnded = true
    if (this.#trailers !== null) {
      writeTrailers(this.#connection, this.id, this.#trailers)
      return
    }
    const { out } = this.#connection
    out.at = writeFrameHeader(out.room(frameHeaderSize), out.at, 0, frameType.data, flag.endStream, this.id)
  }

  sendContinue(): void {
    const { slab } = this.context
    slab.reserve(continueAnswer.length)
    const from = slab.at
    slab.at += continueAnswer.copy(slab.buffer, from)
    this.send(from)
  }

  /** A tunnel's endpoint has said its last. */
  end(): void {
    this.#ends = true
    if (this.#waiting.length === 0 && !this.#localEnded) this.#writeEnd()
    this.#settle()
  }

  taking(): boolean {
    const before = this.#sentBefore
    this.#sentBefore = this.#sent
    return this.#sent > before
  }

  // ----------------------------------------------------------------------------------------------------- endings

  setDeadline(delay: number): void {
    // A tunnel may outlive its stream, until its endpoint has taken what is left.
    if (this.#closed && this.#tunnel === null) return
    this.context.timers.set(this, delay)
  }

  override onDeadline(): void {
    if (this.#tunnel !== null) this.#tunnel.close()
    else if (this.#exchange !== null) this.#exchange.onDeadline()
    else if (this.taking()) this.setDeadline(clientTimeout)
    else this.#close(errorCode.cancel)
  }

  finished(): void {
    this.#exchange = null
    if (this.#closed) return
    this.setDeadline(clientTimeout)
    this.#settle()
  }

  upgraded(tunnel: Tunnel): void {
    this.#tunnel = tunnel
    this.#exchange = null
    this.#awaitsTunnel = false
    this.resume()
  }

  /** The answer breaks off: the client must notice. */
  destroy(): void {
    if (this.#closed) {
      // Of a tunnel whose endpoint had octets to take when its client had ended.
      this.context.timers.remove(this)
      this.#tunnel = null
    } else this.#close(this.#localEnded ? errorCode.noError : errorCode.internalError)
  }

  /** Ends when both sides have said their last, or the router has, and does not want to hear the rest. */
  #settle(): void {
    if (this.#closed || !this.#localEnded) return
    if (this.#tunnel !== null) {
      if (this.remoteEnded) this.#close(-1, false)
    } else if (this.#exchange === null) {
      const isWhole = this.#contentLength >= 0 && this.#received === this.#contentLength
      if (this.#refusal === errorCode.noError && this.remoteEnded) this.#close(-1)
      // The end of a body that is complete is near: no reason to reset.
      else if (this.#refusal !== errorCode.noError || !isWhole) this.#close(this.#refusal)
    }
  }

  /** `code`: with which the client is told; -1: it knows. `failed`: a tunnel is cut, and not ended by both sides. */
  #close(code: ErrorCode | -1, failed = true): void {
    if (this.#closed) return
    this.#closed = true
    const { context } = this
    context.timers.remove(this)
    this.#connection.queue.wait(-this.#waiting.length)
    this.#hold(-this.#early.length)
    // What nobody will use up any more counts as used: other streams need the room.
    this.#connection.returnWindow(this.#early.length)
    this.#waiting.clear()
    this.#early.clear()
    this.#connection.closed(this, code)
    const exchange = this.#exchange
    const tunnel = this.#tunnel
    this.#exchange = null
    if (failed) this.#tunnel = null
    exchange?.onClientGone()
    tunnel?.onClientGone(failed)
  }
}

const maxFramesAtOnce = 64
const continueAnswer = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
