// One connection of HTTP/2 to an endpoint (RFC 9113, the client's side), shared by the streams of many requests. It takes
// streams once the endpoint's SETTINGS have come: before that nobody knows whether it speaks HTTP/2 at all. It is always
// read: what a slow client holds back is bounded by the window of its stream.

import type { Socket } from 'node:net'
import { counter } from '../../model/counters.ts'
import type { ThreadContext } from '../context.ts'
import { FrameReader, type FrameSink } from '../h2/frame-reader.ts'
import { defaultWindow, type ErrorCode, errorCode, maxWindow, preface, setting } from '../h2/frames.ts'
import { type FieldSink, HpackDecoder } from '../h2/hpack-decoder.ts'
import { Offences } from '../h2/offences.ts'
import { Timed } from '../timers.ts'
import { goneCode } from './channel.ts'
import { type Dialer, dial } from './dialer.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import type { Http2Channel } from './h2-channel.ts'
import { Delivery } from './h2-delivery.ts'
import { Output } from './h2-output.ts'
import type { RequestTranslator } from './h2-request.ts'
import { ResponseComposer } from './h2-response.ts'
import { EndpointSettings } from './h2-settings.ts'

/** What an endpoint may send ahead of a client that does not take it, for each stream. */
export const streamWindow = 64 * 1024
/** For all streams together it is given back as octets come: those who share a connection must not starve one another. */
const connectionWindow = 4 * 1024 * 1024
/** Octets of a header block, compressed, and of a head. */
const maxBlock = 64 * 1024
const tableSize = 4096
/** So long a session without streams is kept, in milliseconds: one that the endpoint closes meanwhile costs nobody a request. */
const idleTimeout = 60_000
/** An endpoint that was silent for this long while streams are open is asked for a sign of life, and then has so long. */
const pingAfter = 15_000
const pingTimeout = 10_000
/**
 * Octets that may wait for an endpoint that does not read while we owe it answers to its SETTINGS and PING frames, and
 * beyond which it gets no new streams: those that are reset make room for others, and their heads wait all the same.
 */
const maxUnread = 1024 * 1024
/** So long the endpoint may take to read our goodbye, in milliseconds. */
const closeTimeout = 2_000
/** Stream identifiers end at 2^31 - 1; a session retires before. */
const lastStream = 0x7ffffff0

/** What a session tells those who hand out its streams. */
export interface SessionOwner {
  readonly pool: EndpointPool
  onSessionReady(session: Http2Session): void
  /** It takes no more streams; those it has go on. */
  onSessionDraining(session: Http2Session): void
  onSessionRoom(): void
  /** `wasReady`: it has taken streams. */
  onSessionGone(session: Http2Session, code: string, wasReady: boolean): void
}

// One of each for a data thread: frames are read from one socket at a time.
const delivery = new Delivery()
const composer = new ResponseComposer()
const nobody: FieldSink = { onField() {} }

export class Http2Session extends Timed implements FrameSink, Dialer {
  readonly socket: Socket
  readonly application = 'h2'
  /** Streams that may be opened now. */
  takesStreams = false
  /** Octets of DATA that the endpoint takes of all streams together. */
  window = defaultWindow
  /** Streams opened so far. */
  opened = 0
  readonly #context: ThreadContext
  readonly #owner: SessionOwner
  readonly #streams = new Map<number, Http2Channel>()
  readonly #reader = new FrameReader(this, maxBlock)
  readonly #decoder = new HpackDecoder(tableSize)
  readonly #output: Output
  readonly #offences = new Offences()
  #nextStream = 1
  readonly #settings = new EndpointSettings()
  #opensWindows = false
  #credit = 0
  /** Of the DATA frame that is being read. */
  #flow = 0
  #settled = false
  #draining = false
  #gone = false
  #idle = false
  #heardAt = 0
  #pinged = false

  constructor(context: ThreadContext, owner: SessionOwner, connectTimeout: number) {
    super()
    this.#context = context
    this.#owner = owner
    context.counters[counter.upstreamOpen]!++
    this.socket = dial(context, owner.pool, this)
    this.#output = new Output(context, this.socket)
    this.socket.on('drain', () => {
      this.#flushAll()
      if (this.takesStreams) owner.onSessionRoom()
    })
    this.socket.on('end', () => this.#end(goneCode.closed))
    this.socket.on('error', error => this.#end((error as NodeJS.ErrnoException).code ?? 'ERROR'))
    this.socket.on('close', () => {
      this.#end(goneCode.closed)
      context.timers.remove(this)
    })
    context.timers.set(this, connectTimeout)
  }

  onConnect(): void {
    this.#context.counters[counter.upstreamConnects]!++
    const settings = [setting.enablePush, 0, setting.initialWindowSize, streamWindow]
    this.#output.begin(settings, connectionWindow - defaultWindow)
  }

  // -------------------------------------------------------------------------------------------------- its streams

  /** Streams that it takes beside those that are open; none while the endpoint leaves unread what it has been sent. */
  get room(): number {
    return this.takesStreams && this.#output.waiting <= maxUnread ? this.#settings.streams - this.#streams.size : 0
  }

  /** It has no streams, and waits for the next. */
  get idle(): boolean {
    return this.#idle && this.opened > 0
  }

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size
  }

  /** The endpoint takes WebSockets. */
  get allowsTunnels(): boolean {
    return this.#settings.tunnels
  }

  /** It takes no more octets for now. */
  get blocked(): boolean {
    return this.#output.blocked
  }

  /** What a stream may be sent at first. */
  get initialWindow(): number {
    return this.#settings.window
  }

  /** Opens a stream; returns its identifier. */
  attach(channel: Http2Channel): number {
    const stream = this.#nextStream
    this.#nextStream += 2
    this.opened++
    this.#context.counters[counter.upstreamStreams]!++
    this.#offences.stream(this.#context.timers.now)
    this.#streams.set(stream, channel)
    if (this.#nextStream > lastStream) this.drain()
    if (this.#idle) {
      this.#setIdle(false)
      this.#heardAt = this.#context.timers.now
      this.#context.timers.set(this, pingAfter)
    }
    return stream
  }

  /** The stream is closed. */
  detach(stream: number): void {
    if (!this.#streams.delete(stream) || this.#gone) return
    if (this.#streams.size === 0) {
      if (this.#draining) {
        this.#close(errorCode.noError)
        return
      }
      this.#setIdle(true)
      this.#context.timers.set(this, idleTimeout)
    }
    if (this.takesStreams) this.#owner.onSessionRoom()
  }

  /** Takes no more streams, and closes once those it has are closed. */
  drain(): void {
    if (this.#draining || this.#gone) return
    this.#draining = true
    this.takesStreams = false
    this.#owner.onSessionDraining(this)
    if (this.#streams.size === 0) this.#close(errorCode.noError)
  }

  #setIdle(idle: boolean): void {
    if (this.#idle === idle) return
    this.#idle = idle
    this.#context.counters[counter.upstreamIdle]! += idle ? 1 : -1
  }

  // ------------------------------------------------------------------------------------------------------ sending

  sendHead(stream: number, request: RequestTranslator, endStream: boolean): void {
    this.#output.head(stream, request, this.#owner.pool.secure, endStream)
  }

  /** Field lines of HTTP/1.1, which end the stream. */
  sendTrailers(stream: number, lines: Buffer): void {
    this.#output.trailers(stream, lines)
  }

  /** The caller has looked at both windows, and takes its own back itself. */
  sendData(stream: number, source: Buffer, start: number, end: number, endStream: boolean): void {
    this.window -= end - start
    this.#offences.data(end - start)
    this.#output.data(stream, source, start, end, endStream)
  }

  sendReset(stream: number, code: ErrorCode): void {
    this.#output.reset(stream, code)
  }

  sendWindowUpdate(stream: number, octets: number): void {
    this.#output.windowUpdate(stream, octets)
  }

  /** After an answer to a control frame: one who never reads must not make us keep them all. */
  #checkUnread(): void {
    if (this.#output.waiting > maxUnread) this.#fail(errorCode.enhanceYourCalm)
  }

  /** Windows have opened, or the socket has drained. Who has had a turn goes behind all others, or the oldest would get all. */
  #flushAll(): void {
    const streams = this.#streams
    let turns = streams.size
    for (const [stream, channel] of streams) {
      if (turns-- === 0 || this.window <= 0 || this.blocked) return
      if (!channel.blocked) continue
      streams.delete(stream)
      streams.set(stream, channel)
      channel.flush()
    }
  }

  // ------------------------------------------------------------------------------------------------------ reading

  onRead(length: number, buffer: Buffer): boolean {
    this.#heardAt = this.#context.timers.now
    const good = this.#reader.read(buffer, 0, length)
    delivery.flush()
    if (!good && !this.#gone) this.#fail(this.#reader.error)
    return !this.#gone
  }

  /** A stream that has never been opened, or that only the endpoint could have opened. */
  #isUnknown(stream: number): boolean {
    return stream >= this.#nextStream || (stream & 1) === 0
  }

  /** The stream's channel; null: it is closed, and what comes of it is dropped. Fails when it was never open. */
  #channel(stream: number): Http2Channel | null {
    if (!this.#settled || this.#isUnknown(stream)) this.#fail(errorCode.protocolError)
    return this.#streams.get(stream) ?? null
  }

  onData(stream: number, flow: number): void {
    const channel = this.#channel(stream)
    this.#credit += flow
    if (this.#credit >= connectionWindow / 2) {
      this.#output.windowUpdate(0, this.#credit)
      this.#credit = 0
    }
    this.#flow = flow
    channel?.onDataBegin(flow)
  }

  onDataPiece(stream: number, buffer: Buffer, start: number, end: number): void {
    this.#streams.get(stream)?.onData(delivery, buffer, start, end)
  }

  onDataEnd(stream: number, endStream: boolean): void {
    if (this.#flow === 0 && !endStream) this.#onIdleFrame()
    this.#streams.get(stream)?.onDataEnd(delivery, endStream)
  }

  onHeadersBegin(): void {}

  onHeaders(stream: number, buffer: Buffer, start: number, end: number, endStream: boolean): void {
    const channel = this.#channel(stream)
    if (channel === null) {
      if (!this.#decoder.decode(buffer, start, end, nobody)) this.#fail(errorCode.compressionError)
      return
    }
    if (channel.headDone) composer.beginTrailers()
    else composer.beginHead(maxBlock)
    if (!this.#decoder.decode(buffer, start, end, composer)) {
      this.#fail(errorCode.compressionError)
      return
    }
    composer.finish()
    channel.onFields(delivery, composer, endStream)
  }

  onPriority(): void {
    this.#onIdleFrame()
  }

  onReset(stream: number, code: number): void {
    const channel = this.#channel(stream)
    if (channel === null) return
    // What came before it belongs to the answer.
    delivery.flush()
    channel.onReset(code)
  }

  onSetting(id: number, value: number): void {
    if (id === setting.headerTableSize) {
      this.#output.encoder.setMaxTableSize(value)
      return
    }
    const before = this.#settings.window
    const error = this.#settings.take(id, value)
    if (error !== errorCode.noError) this.#fail(error)
    else if (this.#settings.window !== before) this.#resizeWindows(this.#settings.window - before)
  }

  /** RFC 9113 section 6.9.2: those of open streams as well. */
  #resizeWindows(difference: number): void {
    for (const channel of this.#streams.values())
      if (!channel.openWindow(difference)) this.#fail(errorCode.flowControlError)
    if (difference > 0) this.#opensWindows = true
  }

  onSettings(ack: boolean): void {
    if (ack) {
      if (!this.#settled) this.#fail(errorCode.protocolError)
      return
    }
    this.#output.settingsAck()
    if (this.#settled) {
      this.#onIdleFrame()
      this.#checkUnread()
      if (this.#opensWindows) this.#flushAll()
      this.#opensWindows = false
      if (this.takesStreams) this.#owner.onSessionRoom()
      return
    }
    this.#settled = true
    this.takesStreams = !this.#draining
    this.#setIdle(true)
    this.#context.timers.set(this, idleTimeout)
    this.#owner.onSessionReady(this)
  }

  onPing(buffer: Buffer, at: number, ack: boolean): void {
    if (!this.#settled) this.#fail(errorCode.protocolError)
    if (ack) return
    this.#output.ping(buffer, at, true)
    // Some endpoints measure the way to us with one for each DATA frame.
    this.#onReply()
    this.#checkUnread()
  }

  /** Streams behind the last one have not been looked at (RFC 9113 section 6.8). */
  onGoAway(last: number): void {
    // In the memory of an answer that is complete, octets may still wait for the end of this read.
    delivery.flush()
    this.#draining = true
    this.takesStreams = false
    this.#owner.onSessionDraining(this)
    for (const [stream, channel] of this.#streams) if (stream > last) channel.onUnprocessed()
    if (this.#streams.size === 0) this.#close(errorCode.noError)
  }

  onWindowUpdate(stream: number, increment: number): void {
    this.#onReply()
    if (stream === 0) {
      this.window += increment
      if (!this.#settled || increment === 0) this.#fail(errorCode.protocolError)
      else if (this.window > maxWindow) this.#fail(errorCode.flowControlError)
      else this.#flushAll()
      return
    }
    const channel = this.#channel(stream)
    if (channel === null) return
    if (increment === 0) channel.refuse(errorCode.protocolError)
    else if (!channel.openWindow(increment)) channel.refuse(errorCode.flowControlError)
    else channel.flush()
  }

  /** Push is off. */
  onPushPromise(): void {
    this.#fail(errorCode.protocolError)
  }

  onUnknown(): void {
    this.#onIdleFrame()
  }

  /** A frame that DATA brings about. */
  #onReply(): void {
    if (!this.#offences.companion(this.#context.timers.now)) this.#fail(errorCode.enhanceYourCalm)
  }

  #onIdleFrame(): void {
    if (!this.#offences.idleFrame(this.#context.timers.now)) this.#fail(errorCode.enhanceYourCalm)
  }

  // ------------------------------------------------------------------------------------------------------- endings

  onStranger(): void {
    this.#end('ERR_NO_H2')
  }

  override onDeadline(): void {
    if (this.#gone) {
      this.socket.destroy()
      return
    }
    if (!this.#settled) {
      this.#end(goneCode.connectTimeout)
      return
    }
    if (this.#streams.size === 0) {
      this.drain()
      return
    }
    const { timers } = this.#context
    const silence = timers.now - this.#heardAt
    if (silence < pingAfter) {
      this.#pinged = false
      timers.set(this, pingAfter - silence)
    } else if (this.#pinged) this.#end('PING_TIMEOUT')
    else {
      this.#pinged = true
      this.#output.ping(preface, 0, false)
      timers.set(this, pingTimeout)
    }
  }

  /** The endpoint broke the protocol, or asks too much. */
  #fail(code: ErrorCode): void {
    this.#reader.stop()
    if (!this.#gone) this.#close(code)
  }

  /** Says goodbye; what was written before goes out. */
  #close(code: ErrorCode): void {
    const gone = code === errorCode.noError ? goneCode.closed : goneCode.invalid
    if (!this.#settled) {
      this.#end(gone)
      return
    }
    this.#output.goAway(code)
    this.socket.end()
    this.#end(gone)
    this.#context.timers.set(this, closeTimeout)
  }

  #end(code: string): void {
    if (this.#gone) return
    this.#gone = true
    this.#output.close()
    this.#reader.stop()
    this.takesStreams = false
    const { counters, timers } = this.#context
    timers.remove(this)
    counters[counter.upstreamOpen]!--
    this.#setIdle(false)
    if (this.socket.writableEnded) this.socket.destroySoon()
    else this.socket.destroy()
    this.#owner.onSessionGone(this, code, this.#settled)
    for (const channel of this.#streams.values()) channel.onSessionGone(code)
    this.#streams.clear()
  }
}
