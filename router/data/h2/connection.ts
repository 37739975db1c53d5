// A client's connection that speaks HTTP/2 (RFC 9113): frames in, the streams they belong to, windows and settings, frames
// out. What one stream does is in `stream.ts`; what a client may do too much of in `offences.ts`.
//
//   readInto ──> FrameReader ──> this ──> Http2Stream ──> Exchange          a request
//   write <── FrameOutput, once a turn <── Http2Stream <── Exchange         its answer

import type { Socket } from 'node:net'
import { counter } from '../../model/counters.ts'
import type { ThreadContext } from '../context.ts'
import { AcceptedConnection } from '../http/accepted.ts'
import { octetsTaken, readInto } from '../http/adopt.ts'
import { clientTimeout, idleGrace } from '../http/connection.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import {
  controlFrameSize,
  writeGoAway,
  writePing,
  writeReset,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from './frame-writer.ts'
import {
  defaultWindow,
  type ErrorCode,
  errorCode,
  frameHeaderSize,
  maxFrameSize,
  maxWindow,
  preface,
  setting,
} from './frames.ts'
import { HpackDecoder } from './hpack-decoder.ts'
import { HpackEncoder } from './hpack-encoder.ts'
import { connectionWindow, decoderTable, maxStreams, streamWindow } from './local-settings.ts'
import { Offences } from './offences.ts'
import { FrameOutput } from './output.ts'
import { RecentStreams } from './recent-streams.ts'
import { SendQueue, type SendQueueOwner } from './send-queue.ts'
import type { Flushable, Http2Shared } from './shared.ts'
import { Http2Stream } from './stream.ts'

/** How long the preface and the SETTINGS behind it may take, and a header block from its first frame to its last. */
const openingTimeout = 4_000
/** How long a connection that has been given up may take to notice; one that ends in order, as long as it takes something. */
const farewell = 1_000
const goodbye = 5_000
/** Octets that may wait in the socket before nothing more is read, and before a client that only asks is given up. */
const maxUnsent = 512 * 1024

/** A head that is too large is read to its end all the same, as its field lines belong to the table. */
const largeHeadWeight = 10

/** Why we reset a stream, when it is the client's doing. */
const blaming = new Set<number>([
  errorCode.protocolError,
  errorCode.streamClosed,
  errorCode.flowControlError,
  errorCode.enhanceYourCalm,
])

export class Http2Connection extends AcceptedConnection implements FrameSink, Flushable, SendQueueOwner {
  readonly shared: Http2Shared
  readonly out: FrameOutput
  readonly encoder = new HpackEncoder()
  readonly offences = new Offences()
  readonly queue = new SendQueue(this)
  /** What we may send on a stream that begins now. */
  initialWindow = defaultWindow
  /** Octets of requests that wait for endpoints. */
  held = 0
  /** Counts the reads. */
  reads = 0
  readonly #onClosed: (connection: Http2Connection) => void
  readonly #reader: FrameReader
  readonly #decoder = new HpackDecoder(decoderTable)
  readonly #streams = new Map<number, Http2Stream>()
  readonly #recent = new RecentStreams()
  #lastStream = 0
  #prefaceSeen = 0
  /** The client's SETTINGS have come. */
  #isOpen = false
  #receiveWindow = connectionWindow
  #toReturn = 0
  /** The stream whose DATA frame is being read, and what of the frame is not handed on yet. */
  #dataStream: Http2Stream | null = null
  #dataLeft = 0
  #dataSeen = false
  /** Streams that have gathered octets in this read. */
  readonly #gathering: Http2Stream[] = []
  /** When the header block began that is not complete. */
  #blockSince = 0
  /** When the client was told that this is to end; Infinity: it was not. */
  #announcedAt = Infinity
  #goingAway = false
  #lingering = false
  #gone = false
  #takenBefore = 0

  /** `announced`: whom the PROXY header named; null: the connection did not begin with one. */
  constructor(
    context: ThreadContext,
    socket: Socket,
    secure: boolean,
    announced: string | null,
    onClosed: (connection: Http2Connection) => void,
  ) {
    super(context, socket, secure, announced)
    this.shared = context.http2
    this.out = new FrameOutput(context.http2, socket, this)
    this.#onClosed = onClosed
    this.#reader = new FrameReader(this, context.limits.head)
    context.counters[counter.http2Accepted]!++
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.#onEnd())
    socket.on('error', () => this.#onGone())
    socket.on('close', () => this.#onGone())
    context.timers.set(this, openingTimeout)
    this.#greet()
    readInto(socket, context.readBuffer, (octets, buffer) => this.#onRead(buffer, 0, octets))
    socket.resume()
    // One whose handshake was under way when the drain began.
    if (context.draining) this.drain()
  }

  get spare(): boolean {
    const isIdle = this.#streams.size === 0 && this.out.isEmpty && this.socket.writableLength === 0
    return isIdle && !this.#gone && !this.#lingering
  }

  get idleSince(): number {
    return this.deadline - (this.#isOpen ? this.context.settings.defaultTimeout : openingTimeout)
  }

  /** The socket takes no more for now. */
  get isFull(): boolean {
    return this.socket.writableNeedDrain
  }

  /** Octets that somebody else has read; valid during the call only. False: read no more until this resumes. */
  feed(buffer: Buffer, start: number, end: number): boolean {
    return start === end || this.#onRead(buffer, start, end)
  }

  /** The client shall begin no more streams; those under way on their way to us are still served. */
  drain(): void {
    if (this.#announcedAt !== Infinity || this.#lingering || this.#gone) return
    this.#announcedAt = this.context.timers.now
    const { out } = this
    out.at = writeGoAway(out.room(controlFrameSize), out.at, 0x7fffffff, errorCode.noError)
  }

  /** Serves what has begun, and no more. */
  close(): void {
    if (this.#goingAway || this.#lingering || this.#gone) return
    this.#goingAway = true
    const { out } = this
    out.at = writeGoAway(out.room(controlFrameSize), out.at, this.#lastStream, errorCode.noError)
    if (this.#streams.size === 0) this.#end()
  }

  destroy(): void {
    this.socket.destroy()
    this.#onGone()
  }

  override onDeadline(): void {
    if (this.#lingering && this.#isTaking()) this.context.timers.set(this, farewell)
    else if (this.#lingering || !this.#isOpen || this.#reader.isPartial) this.destroy()
    else if (this.#streams.size === 0) this.close()
  }

  /** It has taken some of what waits for it since this was asked last. */
  #isTaking(): boolean {
    const before = this.#takenBefore
    this.#takenBefore = octetsTaken(this.socket)
    return this.socket.writableLength > 0 && this.#takenBefore > before
  }

  // -------------------------------------------------------------------------------------------------------- out

  flush(): void {
    this.out.turned()
    if (this.#gone) return
    // Whoever asks on and on and reads no answer is not heard, and in the end given up.
    if (this.socket.writableLength > 4 * maxUnsent) this.destroy()
    else if (this.socket.writableLength > maxUnsent) this.socket.pause()
    else if (this.#goingAway && this.#streams.size === 0) this.#end()
  }

  onStalled(): void {
    this.offend('answers not taken')
  }

  // --------------------------------------------------------------------------------------------------------- in

  #onRead(buffer: Buffer, start: number, end: number): boolean {
    if (this.#lingering || this.#gone) return !this.#gone
    const from = this.#prefaceSeen < preface.length ? this.#preface(buffer, start, end) : start
    if (from < 0) {
      this.fail(errorCode.protocolError)
      return true
    }
    this.reads++
    if (from < end && !this.#reader.read(buffer, from, end) && !this.#lingering) this.#refuse()
    if (this.#gathering.length > 0) this.#handOver()
    this.#setDeadline()
    return this.socket.writableLength <= maxUnsent
  }

  /** A stream has octets that are to be handed over together, once all of this read is seen. */
  gather(stream: Http2Stream): void {
    this.#gathering.push(stream)
  }

  #handOver(): void {
    for (const stream of this.#gathering) stream.deliver()
    this.#gathering.length = 0
  }

  /** How long this may stay as it is. */
  #setDeadline(): void {
    const { timers, settings, draining } = this.context
    if (this.#lingering || this.#gone || !this.#isOpen) return
    if (this.#reader.inBlock) timers.set(this, Math.max(0, openingTimeout - (timers.now - this.#blockSince)))
    else if (this.#streams.size > 0) timers.clear(this)
    else if (this.#reader.isPartial) timers.set(this, clientTimeout)
    else timers.set(this, draining ? idleGrace : settings.defaultTimeout)
  }

  #refuse(): void {
    if (this.#reader.error === errorCode.enhanceYourCalm) this.offend('endless field lines')
    else this.fail(this.#reader.error)
  }

  /** The position behind it; -1: that is none. */
  #preface(buffer: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && this.#prefaceSeen < preface.length) if (buffer[at++] !== preface[this.#prefaceSeen++]) return -1
    return at
  }

  #greet(): void {
    const { out } = this
    const chunk = out.room(frameHeaderSize + 6 * 4 + controlFrameSize)
    out.at = writeSettings(chunk, out.at, [
      setting.maxConcurrentStreams,
      maxStreams,
      setting.initialWindowSize,
      streamWindow,
      setting.maxHeaderListSize,
      this.context.limits.head,
      setting.enableConnectProtocol,
      1,
    ])
    out.at = writeWindowUpdate(chunk, out.at, 0, connectionWindow - defaultWindow)
  }

  onData(id: number, flow: number): void {
    this.#dataStream = null
    this.#dataSeen = false
    this.#dataLeft = flow
    this.#receiveWindow -= flow
    if (this.#receiveWindow < 0) {
      this.fail(errorCode.flowControlError)
      return
    }
    const stream = this.#streams.get(id)
    if (stream === undefined) this.#strayFrame(id, true)
    else if (stream.remoteEnded) this.refuseStream(stream, errorCode.streamClosed)
    else if (!stream.admitData(flow)) this.refuseStream(stream, errorCode.flowControlError)
    else this.#dataStream = stream
  }

  onDataPiece(_id: number, buffer: Buffer, start: number, end: number): void {
    this.#dataLeft -= end - start
    this.#dataSeen = true
    if (this.#dataStream === null) this.returnWindow(end - start)
    else {
      this.offences.data(end - start)
      if (!this.#dataStream.onData(buffer, start, end)) this.#dataStream = null
    }
  }

  onDataEnd(_id: number, endStream: boolean): void {
    if (!this.#dataSeen && !endStream) this.#onIdleFrame()
    // Padding is used up at once.
    if (this.#dataLeft > 0) {
      this.returnWindow(this.#dataLeft)
      this.#dataStream?.returnWindow(this.#dataLeft)
    }
    if (endStream) this.#dataStream?.onEnd()
    this.#dataStream = null
  }

  onHeadersBegin(id: number, whole: boolean): void {
    if ((id & 1) === 0) this.fail(errorCode.protocolError)
    else if (!whole) this.#blockSince = this.context.timers.now
  }

  onHeaders(id: number, buffer: Buffer, start: number, end: number, endStream: boolean, ownParent: boolean): void {
    const stream = this.#streams.get(id)
    if (stream === undefined && id > this.#lastStream) {
      this.#begin(id, buffer, start, end, endStream, ownParent)
      return
    }
    const { trailers } = this.shared
    trailers.begin(this.context.limits)
    if (!this.#decoder.decode(buffer, start, end, trailers)) this.fail(errorCode.compressionError)
    else if (trailers.lines.isBomb) this.offend('a head of many times its size')
    else if (stream === undefined) {
      if (this.#recent.wasReset(id)) this.#onIdleFrame()
      else this.fail(this.#recent.has(id) ? errorCode.streamClosed : errorCode.protocolError)
    } else if (stream.remoteEnded) this.refuseStream(stream, errorCode.streamClosed)
    else if (ownParent || !endStream || trailers.lines.verdict !== 'good')
      this.refuseStream(stream, errorCode.protocolError)
    else {
      stream.onTrailers(trailers.lines.buffer, trailers.lines.at)
      stream.onEnd()
    }
  }

  #begin(id: number, buffer: Buffer, start: number, end: number, endStream: boolean, ownParent: boolean): void {
    const { context } = this
    const { request } = this.shared
    request.begin(context.limits)
    if (!this.#decoder.decode(buffer, start, end, request)) {
      this.fail(errorCode.compressionError)
      return
    }
    if (ownParent) {
      this.fail(errorCode.protocolError)
      return
    }
    if (request.isBomb) {
      this.offend('a head of many times its size')
      return
    }
    // It came after the end that we announced, and may be repeated elsewhere.
    if (this.#goingAway) return
    this.#lastStream = id
    this.offences.stream(context.timers.now)
    const isGreedy = this.queue.isGreedy
    if (isGreedy || this.#streams.size >= maxStreams) {
      this.#reset(id, errorCode.refusedStream)
      if (!isGreedy && !this.offences.reset(context.timers.now)) this.offend('resets')
      return
    }
    context.counters[counter.http2Streams]!++
    this.requests++
    request.finish(endStream)
    const stream = new Http2Stream(this, id)
    this.#streams.set(id, stream)
    stream.begin(request, endStream)
    // No number is used twice: the next ones belong to another connection.
    if (id > 0x3fffffff) this.close()
  }

  onPriority(_id: number, ownParent: boolean): void {
    if (ownParent) this.fail(errorCode.protocolError)
    else this.#onIdleFrame()
  }

  onReset(id: number, _code: number): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      this.#strayFrame(id, false)
      return
    }
    this.context.counters[counter.http2Resets]!++
    stream.onReset()
    if (!this.offences.reset(this.context.timers.now)) this.offend('resets')
  }

  onSetting(id: number, value: number): void {
    switch (id) {
      case setting.headerTableSize:
        this.encoder.setMaxTableSize(value)
        return
      case setting.enablePush:
        if (value > 1) this.fail(errorCode.protocolError)
        return
      case setting.initialWindowSize:
        this.#resizeWindows(value)
        return
      case setting.maxFrameSize:
        // We never send larger ones than the least that may be asked for.
        if (value < maxFrameSize || value > 0xffffff) this.fail(errorCode.protocolError)
    }
  }

  /** RFC 9113 section 6.9.2: of streams that are open too, whose windows may become negative. */
  #resizeWindows(value: number): void {
    if (value > maxWindow) {
      this.fail(errorCode.flowControlError)
      return
    }
    const change = value - this.initialWindow
    this.initialWindow = value
    for (const stream of this.#streams.values()) {
      stream.sendWindow += change
      if (stream.sendWindow > maxWindow) {
        this.fail(errorCode.flowControlError)
        return
      }
    }
  }

  onSettings(ack: boolean): void {
    if (ack) return
    this.out.at = writeSettingsAck(this.out.room(controlFrameSize), this.out.at)
    this.queue.pump()
    this.#onIdleFrame()
    this.#isOpen = true
    this.context.timers.set(this, this.context.draining ? idleGrace : this.context.settings.defaultTimeout)
  }

  onPing(buffer: Buffer, at: number, ack: boolean): void {
    if (!ack) this.out.at = writePing(this.out.room(controlFrameSize), this.out.at, buffer, at, true)
    this.#admitCompanion()
  }

  onGoAway(): void {
    // It begins no more streams; there were none that we began. What is open goes on.
    this.#onIdleFrame()
  }

  onWindowUpdate(id: number, increment: number): void {
    if (!this.#admitCompanion()) return
    if (id === 0) {
      this.queue.window += increment
      if (increment === 0) this.fail(errorCode.protocolError)
      else if (this.queue.window > maxWindow) this.fail(errorCode.flowControlError)
      else this.queue.pump()
      return
    }
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      // Late ones are usual: whoever reads an answer to its end opens its window once more.
      if (id > this.#lastStream) this.#onUnopened()
      return
    }
    stream.sendWindow += increment
    if (increment === 0) this.refuseStream(stream, errorCode.protocolError)
    else if (stream.sendWindow > maxWindow) this.refuseStream(stream, errorCode.flowControlError)
    else this.queue.pump()
  }

  onPushPromise(): void {
    this.fail(errorCode.protocolError)
  }

  onUnknown(): void {
    this.#onIdleFrame()
  }

  #admitCompanion(): boolean {
    if (this.offences.companion(this.context.timers.now)) return true
    this.offend('frames without use')
    return false
  }

  #onIdleFrame(): void {
    if (!this.offences.idleFrame(this.context.timers.now)) this.offend('frames without use')
  }

  /** A frame of a stream that is not open; `data`: one that must not come any more (RFC 9113 section 5.1). */
  #strayFrame(id: number, data: boolean): void {
    if (id > this.#lastStream) this.#onUnopened()
    else if (!this.#recent.wasReset(id)) {
      if (data) this.#reset(id, errorCode.streamClosed)
      this.#onIdleFrame()
    }
  }

  /** A frame of a stream that never began: wrong, unless it came behind the end that we announced. */
  #onUnopened(): void {
    if (!this.#goingAway) this.fail(errorCode.protocolError)
  }

  // ---------------------------------------------------------------------------------------------------- windows

  /** Octets of a body have been used up, or are not wanted: the client may send as many again. */
  returnWindow(octets: number): void {
    this.#toReturn += octets
    // What is held may be most of the window: others shall not wait until that is used up.
    if (this.#toReturn < Math.min(connectionWindow / 2, this.#receiveWindow) || this.#lingering) return
    this.#receiveWindow += this.#toReturn
    this.out.at = writeWindowUpdate(this.out.room(controlFrameSize), this.out.at, 0, this.#toReturn)
    this.#toReturn = 0
  }

  // ---------------------------------------------------------------------------------------------------- endings

  /** A stream has ended; `code`: so that the client must be told, -1: it knows. */
  closed(stream: Http2Stream, code: ErrorCode | -1): void {
    this.#streams.delete(stream.id)
    if (this.#dataStream === stream) this.#dataStream = null
    this.queue.remove(stream)
    if (code >= 0) this.#reset(stream.id, code as ErrorCode)
    else this.#recent.add(stream.id, false)
    // Also who makes us reset streams, so as to begin others, is counted.
    const weight = code === errorCode.enhanceYourCalm ? largeHeadWeight : 1
    if (blaming.has(code) && !this.offences.reset(this.context.timers.now, weight)) this.offend('resets')
    if (this.#gone || this.#lingering) return
    // It had its time to notice; one that is never idle has no other end.
    if (this.context.timers.now - this.#announcedAt >= idleGrace) this.close()
    if (this.#streams.size > 0) return
    if (this.#goingAway) this.flush()
    else this.#setDeadline()
  }

  /** The client broke a rule on a stream: that ends, and the others go on. Who does it again and again is closed. */
  refuseStream(stream: Http2Stream, code: ErrorCode): void {
    this.context.counters[counter.malformedRequests]!++
    stream.refuse(code)
  }

  #reset(id: number, code: ErrorCode): void {
    this.#recent.add(id, true)
    if (this.#gone || this.#lingering) return
    this.context.counters[counter.http2Resets]!++
    this.out.at = writeReset(this.out.room(controlFrameSize), this.out.at, id, code)
  }

  /** It does too much of what costs us and brings nothing. */
  offend(reason: string): void {
    if (this.#lingering || this.#gone) return
    this.context.counters[counter.http2Offences]!++
    this.context.log('an HTTP/2 client was closed for what it did', { client: this.peer, reason })
    this.fail(errorCode.enhanceYourCalm)
  }

  /** The connection is over, and the client learns why. */
  fail(code: ErrorCode): void {
    if (this.#lingering || this.#gone) return
    this.#reader.stop()
    this.out.at = writeGoAway(this.out.room(controlFrameSize), this.out.at, this.#lastStream, code)
    this.#end(farewell)
    this.#abandon()
  }

  /** Says its last; what still comes is thrown away. */
  #end(patience = goodbye): void {
    if (this.#lingering || this.#gone) return
    this.out.write()
    this.out.close()
    this.#lingering = true
    this.context.timers.set(this, patience)
    this.socket.end()
    this.socket.resume()
  }

  /** The exchanges of all streams end as when their client leaves. */
  #abandon(): void {
    for (const stream of [...this.#streams.values()]) stream.onConnectionGone()
  }

  #onDrain(): void {
    if (this.#gone) return
    this.queue.pump()
    this.socket.resume()
  }

  /** The client sends no more: as with HTTP/1.1, who waits for answers then is given up. */
  #onEnd(): void {
    if (this.#streams.size === 0) this.#end()
    else this.destroy()
  }

  #onGone(): void {
    if (this.#gone) return
    this.#gone = true
    this.out.close()
    this.#reader.stop()
    this.context.timers.remove(this)
    this.uncount()
    this.#abandon()
    this.queue.close()
    this.#onClosed(this)
  }
}
