// One request on a stream of HTTP/2: octets of HTTP/1.1 go in and come out, as if it were a connection that speaks it.
//
//   begin ──> (waits for a session) ──> attach: HEADERS, then DATA as `h2-upload.ts` has it
//   HEADERS, DATA, HEADERS ──> head, chunks or octets, trailers ──> `onUpstreamData`

import { createHash } from 'node:crypto'
import type { ThreadContext } from '../context.ts'
import { type ErrorCode, errorCode, maxWindow } from '../h2/frames.ts'
import { OctetQueue } from '../h2/octet-queue.ts'
import { Timed } from '../timers.ts'
import { goneCode, type UpstreamChannel, type UpstreamListener } from './channel.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import type { Delivery, Receiver } from './h2-delivery.ts'
import { RequestTranslator } from './h2-request.ts'
import type { ResponseComposer } from './h2-response.ts'
import { type Http2Session, streamWindow } from './h2-session.ts'
import { Upload } from './h2-upload.ts'

/** How long an answer that is complete in HTTP/1.1 may take to end its stream, in milliseconds. */
const lingerTimeout = 5_000
/** What a client gets at a time that takes its answer again. */
const slice = 64 * 1024
const chunkEnd = Buffer.from('\r\n', 'latin1')

// One of each for a data thread.
const translator = new RequestTranslator()
const resumed: Http2Channel[] = []

/** As a socket does it: not from within the call that asks for it. */
function readOn(): void {
  for (const channel of resumed.splice(0)) channel.readOn()
}

/** Who hands out streams, as its channels see it. */
export interface ChannelOwner {
  /** It has waited for a stream long enough, or does not want one any more. */
  abandon(channel: Http2Channel): void
}

export class Http2Channel extends Timed implements UpstreamChannel, Receiver {
  readonly pool: EndpointPool
  readonly disclaims = true
  listener: UpstreamListener | null
  connected = false
  stale = false
  /** The final head has come. */
  headDone = false
  readonly #context: ThreadContext
  readonly #owner: ChannelOwner
  #session: Http2Session | null = null
  #stream = 0
  /** What is to be sent once there is a stream. */
  #early: Buffer | null = null
  #headSent = false
  /** Null: the request has no body. */
  #upload: Upload | null = null
  #isHead = false
  /** What a WebSocket's handshake is answered with; empty: it is none. */
  #webSocketKey = ''
  #isTunnel = false
  /** How the body goes on: in chunks, or as so many octets as are left; -1: as many as come. */
  #chunked = false
  #bodiless = false
  #remaining = 0
  /** The answer is complete. */
  #answered = false
  /** Octets for a listener that takes none for now. */
  #held: OctetQueue | null = null
  #paused = false
  #resuming = false
  /** A tunnel has heard that the endpoint sends no more. */
  #endTold = false
  /** What the endpoint may send still, and what it has sent that it has not been given back. */
  #window = streamWindow
  #credit = 0

  constructor(context: ThreadContext, owner: ChannelOwner, pool: EndpointPool, listener: UpstreamListener) {
    super()
    this.#context = context
    this.#owner = owner
    this.pool = pool
    this.listener = listener
  }

  // --------------------------------------------------------------------------------------------------- the request

  /** Gets a stream of its own. */
  attach(session: Http2Session): void {
    this.#context.timers.remove(this)
    this.#session = session
    this.stale = session.idle
    this.#stream = session.attach(this)
    this.connected = true
    const early = this.#early
    this.#early = null
    if (early !== null) this.begin(early)
  }

  begin(octets: Buffer): void {
    const session = this.#session
    if (session === null) {
      this.#early = octets
      return
    }
    if (!translator.read(octets) || (translator.isTunnel && !session.allowsTunnels)) {
      // Not from within the call: who calls expects to have a channel after it.
      process.nextTick(() => this.#gone(goneCode.unspeakable))
      return
    }
    const { contentLength, chunked, isHead, isTunnel, bodyStart } = translator
    this.#isHead = isHead
    if (isTunnel) this.#webSocketKey = translator.webSocketKey
    const hasBody = isTunnel || chunked || contentLength > 0
    this.#headSent = true
    session.sendHead(this.#stream, translator, !hasBody)
    if (!hasBody) return
    const kind = isTunnel ? 'octets' : chunked ? 'chunked' : 'length'
    this.#upload = new Upload(session, this.#stream, kind, contentLength)
    if (bodyStart < octets.length) this.#upload.write(octets, bodyStart, octets.length)
  }

  get blocked(): boolean {
    return this.#upload?.blocked ?? false
  }

  get #requestEnded(): boolean {
    return this.#upload === null || this.#upload.ended
  }

  write(source: Buffer, start: number, end: number): void {
    this.#upload?.write(source, start, end)
    this.#closeIfDone()
  }

  end(): void {
    this.#upload?.finish()
    this.#closeIfDone()
  }

  /** An endpoint of HTTP/2 answers early without closing anything. */
  expectEarlyAnswer(): void {}

  /** The endpoint, or the socket, takes more. */
  flush(): void {
    const upload = this.#upload
    if (upload === null || !upload.blocked) return
    upload.flush()
    if (upload.blocked) return
    this.#closeIfDone()
    this.listener?.onUpstreamDrain()
  }

  /** The endpoint opens the stream's window, or closes it with a negative number. False: too far. */
  openWindow(octets: number): boolean {
    if (this.#upload === null) return true
    this.#upload.window += octets
    return this.#upload.window <= maxWindow
  }

  // ---------------------------------------------------------------------------------------------------- the answer

  onFields(delivery: Delivery, composer: ResponseComposer, endStream: boolean): void {
    if (this.#answered) {
      this.refuse(errorCode.streamClosed)
      return
    }
    if (
      composer.verdict !== 'good' ||
      !(this.headDone ? this.#trailers(delivery, composer, endStream) : this.#head(delivery, composer, endStream))
    )
      this.refuse(errorCode.protocolError)
  }

  #head(delivery: Delivery, composer: ResponseComposer, endStream: boolean): boolean {
    const { status, contentLength } = composer
    if (status < 200) {
      if (endStream) return false
      delivery.octets(this, composer.buffer, 0, composer.length)
      delivery.octets(this, chunkEnd, 0, 2)
      return true
    }
    this.headDone = true
    if (this.#webSocketKey !== '' && status < 300) {
      this.#startTunnel(delivery, composer)
      if (endStream) this.#onEnd(delivery)
      return true
    }
    const bodiless = this.#isHead || status === 204 || status === 304
    this.#bodiless = bodiless
    if (bodiless || contentLength >= 0) this.#remaining = bodiless ? 0 : contentLength
    else if (!endStream) this.#chunked = true
    if (endStream && this.#remaining > 0) return false
    delivery.octets(this, composer.buffer, 0, composer.length)
    if (this.#chunked) delivery.text(this, 'transfer-encoding: chunked\r\n\r\n')
    else if (endStream && !bodiless && contentLength < 0) delivery.text(this, 'content-length: 0\r\n\r\n')
    else delivery.octets(this, chunkEnd, 0, 2)
    if (endStream) this.#onEnd(delivery)
    return true
  }

  /** What a client of HTTP/1.1 waits for (RFC 6455 section 4.2.2), of an answer that says yes in HTTP/2 (RFC 8441). */
  #startTunnel(delivery: Delivery, composer: ResponseComposer): void {
    this.#isTunnel = true
    this.#remaining = -1
    const { buffer, length } = composer
    const accept = createHash('sha1')
      .update(`${this.#webSocketKey}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    delivery.text(this, 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n')
    delivery.text(this, `sec-websocket-accept: ${accept}\r\n`)
    delivery.octets(this, buffer, buffer.indexOf(10) + 1, length)
    delivery.octets(this, chunkEnd, 0, 2)
  }

  /** Behind a body with a length HTTP/1.1 has no place for them. */
  #trailers(delivery: Delivery, composer: ResponseComposer, endStream: boolean): boolean {
    if (!endStream || this.#isTunnel) return false
    if (!this.#chunked) return this.#onEnd(delivery)
    delivery.text(this, '0\r\n')
    delivery.octets(this, composer.buffer, 0, composer.length)
    delivery.octets(this, chunkEnd, 0, 2)
    this.#chunked = false
    return this.#onEnd(delivery)
  }

  onDataBegin(flow: number): void {
    this.#window -= flow
    this.#credit += flow
    if (this.#window < 0) this.refuse(errorCode.flowControlError)
    else if (!this.headDone || this.#answered) this.refuse(errorCode.protocolError)
  }

  onData(delivery: Delivery, buffer: Buffer, start: number, end: number): void {
    // Where HTTP/1.1 has no place for them: the answer is complete all the same.
    if (this.#bodiless) return
    if (this.#chunked) {
      delivery.chunk(this, buffer, start, end)
      return
    }
    if (!this.#isTunnel) {
      this.#remaining -= end - start
      // More than it said, or something where nothing may be (RFC 9113 section 8.1.1).
      if (this.#remaining < 0) {
        this.refuse(errorCode.protocolError)
        return
      }
    }
    delivery.octets(this, buffer, start, end)
  }

  onDataEnd(delivery: Delivery, endStream: boolean): void {
    if (!endStream) this.#giveBack()
    else if (!this.#onEnd(delivery)) this.refuse(errorCode.protocolError)
  }

  /** END_STREAM has come; false: too early. */
  #onEnd(delivery: Delivery): boolean {
    if (this.#remaining > 0) return false
    if (this.#chunked) delivery.text(this, '0\r\n\r\n')
    this.#answered = true
    if (this.#isTunnel) {
      delivery.flush()
      if (this.#held === null) this.#tellEnd()
    }
    this.#closeIfDone()
    return true
  }

  deliver(buffer: Buffer, length: number): void {
    const { listener } = this
    if (listener === null) return
    if (this.#paused) {
      this.#held ??= new OctetQueue()
      this.#held.push(buffer, 0, length)
    } else if (!listener.onUpstreamData(buffer, length)) this.#paused = true
  }

  resume(): void {
    if (!this.#paused || this.#resuming) return
    this.#resuming = true
    if (resumed.push(this) === 1) process.nextTick(readOn)
  }

  /** Hands over what was held back. */
  readOn(): void {
    this.#resuming = false
    this.#paused = false
    for (let held = this.#held; held !== null && held.length > 0; held = this.#held) {
      const { listener } = this
      if (listener === null) return
      const length = Math.min(slice, held.length)
      const octets = held.buffer!.subarray(held.start, held.start + length)
      held.shift(length)
      if (listener.onUpstreamData(octets, length)) continue
      this.#paused = true
      return
    }
    this.#held = null
    this.#giveBack()
    if (!this.#isTunnel || !this.#answered) return
    this.#tellEnd()
    this.#closeIfDone()
  }

  #tellEnd(): void {
    if (this.#endTold) return
    this.#endTold = true
    this.listener?.onUpstreamEnd()
  }

  /** Lets the endpoint send as much again as its listener has taken. */
  #giveBack(): void {
    if (this.#paused || this.#answered || this.#credit < streamWindow / 2) return
    this.#session?.sendWindowUpdate(this.#stream, this.#credit)
    this.#window += this.#credit
    this.#credit = 0
  }

  // ------------------------------------------------------------------------------------------------------- endings

  onReset(code: number): void {
    // An answer that is complete is one, whatever becomes of the request (RFC 9113 section 8.1).
    this.stale = false
    if (this.#answered) {
      this.#leave()
      this.listener?.onUpstreamDrain()
    } else this.#gone(code === errorCode.refusedStream ? goneCode.unprocessed : 'RESET')
  }

  onUnprocessed(): void {
    this.#gone(this.headDone ? 'RESET' : goneCode.unprocessed)
  }

  onSessionGone(code: string): void {
    if (this.#answered) {
      this.#leave()
      this.listener?.onUpstreamDrain()
    } else this.#gone(code)
  }

  /** Who hands out streams has none, and will have none. */
  onNoStream(code: string): void {
    this.#gone(code)
  }

  /** What the endpoint sends is no answer. */
  refuse(code: ErrorCode): void {
    if (this.#session === null || this.listener === null) return
    this.#reset(code)
    this.#gone(goneCode.invalid)
  }

  release(): void {
    this.listener = null
    this.#held = null
    if (this.#session === null) return
    if (!this.#requestEnded) this.#cancel()
    // END_STREAM may come in a frame of its own.
    else if (!this.#answered) this.#context.timers.set(this, lingerTimeout)
  }

  destroy(): void {
    this.listener = null
    this.#held = null
    if (this.#session === null) {
      this.#context.timers.remove(this)
      if (!this.connected) this.#owner.abandon(this)
    } else this.#cancel()
  }

  override onDeadline(): void {
    if (this.#session !== null) this.#cancel()
    else if (!this.connected) {
      this.#owner.abandon(this)
      this.#gone(goneCode.connectTimeout)
    }
  }

  #cancel(): void {
    this.#reset(errorCode.cancel)
    this.#leave()
  }

  /** A stream whose head has not been sent is none yet. */
  #reset(code: ErrorCode): void {
    if (this.#headSent) this.#session?.sendReset(this.#stream, code)
  }

  #closeIfDone(): void {
    if (!this.#answered || !this.#requestEnded) return
    this.#leave()
    // A tunnel waits for both its ends to be gone; an exchange knows by the octets.
    if (this.#endTold) this.#gone(goneCode.closed)
  }

  /** The stream is over, for the session. */
  #leave(): void {
    this.#context.timers.remove(this)
    const session = this.#session
    if (session === null) return
    this.#session = null
    this.#upload?.drop()
    session.detach(this.#stream)
  }

  #gone(code: string): void {
    this.#held = null
    this.#leave()
    const { listener } = this
    this.listener = null
    listener?.onUpstreamGone(code)
  }
}
