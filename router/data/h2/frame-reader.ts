// Octets in, frames out (RFC 9113 sections 4 and 6), for either end of a connection. Pure: it knows frames and header
// blocks, not streams. DATA is handed on in the pieces that it comes in; other frames wait until they are whole, and a
// header block until its last CONTINUATION.

import { type ErrorCode, errorCode, flag, frameHeaderSize, frameType, maxFrameSize } from './frames.ts'

/** What came. Octets are valid during the call only. */
export interface FrameSink {
  /** A DATA frame has begun; `flow` octets of it, padding included, count for flow control (RFC 9113 section 6.9.1). */
  onData(stream: number, flow: number): void
  /** Some of its payload; `last`: the frame is complete. Not called when a frame without payload is. */
  onDataPiece(stream: number, buffer: Buffer, start: number, end: number): void
  /** The DATA frame is complete. */
  onDataEnd(stream: number, endStream: boolean): void
  /** A header block has begun; `whole`: it is all there, and `onHeaders` follows at once. */
  onHeadersBegin(stream: number, whole: boolean): void
  /** A whole header block. What is said of priority is not heeded, but for a stream that depends on itself: `ownParent`. */
  onHeaders(stream: number, buffer: Buffer, start: number, end: number, endStream: boolean, ownParent: boolean): void
  onPriority(stream: number, ownParent: boolean): void
  onReset(stream: number, code: number): void
  /** For each setting of a SETTINGS frame, in order. */
  onSetting(id: number, value: number): void
  /** The SETTINGS frame is complete; `ack`: it answers ours. */
  onSettings(ack: boolean): void
  /** The eight octets from `at` on. */
  onPing(buffer: Buffer, at: number, ack: boolean): void
  onGoAway(lastStream: number, code: number): void
  onWindowUpdate(stream: number, increment: number): void
  /** PUSH_PROMISE, of a stream that may exist or not. */
  onPushPromise(stream: number): void
  /** A frame of a type that nobody here knows; to be ignored (RFC 9113 section 4.1). */
  onUnknown(): void
}

/** CONTINUATION frames behind one HEADERS frame: a head of the largest size fits in far fewer. */
const maxContinuations = 16

const noError = -1

export class FrameReader {
  readonly #sink: FrameSink
  readonly #maxBlock: number
  #error: ErrorCode | -1 = noError
  /** Nothing has come yet; the first frame must be SETTINGS (RFC 9113 section 3.4). */
  #isFirst = true
  /** An incomplete frame header or frame, kept over reads. */
  #partial: Buffer | null = null
  #partialEnd = 0
  // The DATA frame whose payload is being read.
  #dataLeft = -1
  #dataPadding = 0
  #dataStream = 0
  #dataEnds = false
  // The header block that CONTINUATION frames go on with.
  #blockStream = 0
  #block: Buffer | null = null
  #blockEnd = 0
  #blockEnds = false
  #blockOwnParent = false
  #continuations = 0

  /** `maxBlock`: octets of a header block, compressed. */
  constructor(sink: FrameSink, maxBlock: number) {
    this.#sink = sink
    this.#maxBlock = maxBlock
  }

  /** What is wrong with the octets, once `read` has returned false. */
  get error(): ErrorCode {
    return this.#error === noError ? errorCode.noError : this.#error
  }

  /** A frame or a header block has begun and is not complete. */
  get isPartial(): boolean {
    return this.#partial !== null || this.#blockStream !== 0 || this.#dataLeft >= 0
  }

  /** Within a header block: nothing but its continuation may come. */
  get inBlock(): boolean {
    return this.#blockStream !== 0
  }

  /** Nothing more is read: for a sink that has given up the connection. */
  stop(): void {
    if (this.#error === noError) this.#error = errorCode.noError
  }

  /** Reads all of `[start, end)`. False: the connection cannot go on, and `error` says why; the sink hears no more. */
  read(buffer: Buffer, start: number, end: number): boolean {
    let at = start
    while (at < end && this.#error === noError) {
      if (this.#dataLeft >= 0) at = this.#data(buffer, at, end)
      else if (this.#partial !== null) at = this.#complete(buffer, at, end)
      else {
        const next = this.#frame(buffer, at, end)
        if (next === 0) {
          this.#keep(buffer, at, end)
          return true
        }
        at = next
      }
    }
    return this.#error === noError
  }

  #fail(code: ErrorCode): void {
    if (this.#error === noError) this.#error = code
  }

  #keep(buffer: Buffer, start: number, end: number): void {
    const length = end - start < frameHeaderSize ? frameHeaderSize : frameHeaderSize + lengthAt(buffer, start)
    this.#partial = Buffer.allocUnsafeSlow(Math.max(length, end - start))
    this.#partialEnd = buffer.copy(this.#partial, 0, start, end)
  }

  /** Adds to the incomplete frame what belongs to it, and reads it once it is whole. */
  #complete(buffer: Buffer, start: number, end: number): number {
    let partial = this.#partial!
    let wanted = frameHeaderSize
    if (this.#partialEnd >= frameHeaderSize) wanted += lengthAt(partial, 0)
    if (wanted > partial.length) {
      const grown = Buffer.allocUnsafeSlow(wanted)
      partial.copy(grown, 0, 0, this.#partialEnd)
      partial = this.#partial = grown
    }
    const take = Math.min(wanted - this.#partialEnd, end - start)
    buffer.copy(partial, this.#partialEnd, start, start + take)
    this.#partialEnd += take
    if (this.#partialEnd === wanted) {
      const next = this.#frame(partial, 0, wanted)
      // Only its header had come, and more of it is to be kept; a DATA frame is not kept, but read piece by piece.
      if (next !== 0) this.#partial = null
    }
    return start + take
  }

  /** The frame that begins at `start`; the position behind what was used of it, 0 when it is not whole. */
  #frame(buffer: Buffer, start: number, end: number): number {
    if (end - start < frameHeaderSize) return 0
    const length = lengthAt(buffer, start)
    if (length > maxFrameSize) {
      this.#fail(errorCode.frameSizeError)
      return end
    }
    const type = buffer[start + 3]!
    const flags = buffer[start + 4]!
    // The first bit is reserved, and ignored.
    const stream = uint32(buffer, start + 5) & 0x7fffffff
    const payload = start + frameHeaderSize
    if (this.#isFirst && (type !== frameType.settings || (flags & flag.ack) !== 0)) {
      this.#fail(errorCode.protocolError)
      return end
    }
    this.#isFirst = false
    if (this.#blockStream !== 0 && (type !== frameType.continuation || stream !== this.#blockStream)) {
      this.#fail(errorCode.protocolError)
      return end
    }
    if (type === frameType.data) return this.#dataBegins(buffer, payload, end, length, flags, stream)
    if (end - payload < length) return 0
    this.#whole(type, flags, stream, buffer, payload, payload + length)
    return payload + length
  }

  // ------------------------------------------------------------------------------------------------------- DATA

  #dataBegins(buffer: Buffer, start: number, end: number, length: number, flags: number, stream: number): number {
    let at = start
    let padding = 0
    if (stream === 0) {
      this.#fail(errorCode.protocolError)
      return end
    }
    if ((flags & flag.padded) !== 0) {
      if (length === 0) {
        this.#fail(errorCode.frameSizeError)
        return end
      }
      if (at >= end) return 0
      padding = buffer[at++]!
      if (padding >= length) {
        this.#fail(errorCode.protocolError)
        return end
      }
    }
    this.#dataStream = stream
    this.#dataEnds = (flags & flag.endStream) !== 0
    this.#dataPadding = padding
    this.#dataLeft = length - (at - start)
    this.#sink.onData(stream, length)
    return this.#data(buffer, at, end)
  }

  #data(buffer: Buffer, start: number, end: number): number {
    const take = Math.min(this.#dataLeft, end - start)
    const payload = Math.min(take, this.#dataLeft - this.#dataPadding)
    this.#dataLeft -= take
    if (payload > 0 && this.#error === noError) this.#sink.onDataPiece(this.#dataStream, buffer, start, start + payload)
    if (this.#dataLeft > 0) return start + take
    this.#dataLeft = -1
    if (this.#error === noError) this.#sink.onDataEnd(this.#dataStream, this.#dataEnds)
    return start + take
  }

  // ------------------------------------------------------------------------------------------------ whole frames

  #whole(type: number, flags: number, stream: number, buffer: Buffer, start: number, end: number): void {
    const length = end - start
    const sink = this.#sink
    switch (type) {
      case frameType.headers:
        this.#headers(flags, stream, buffer, start, end)
        return
      case frameType.continuation:
        this.#continuation(flags, stream, buffer, start, end)
        return
      case frameType.priority:
        if (stream === 0) this.#fail(errorCode.protocolError)
        else if (length !== 5) this.#fail(errorCode.frameSizeError)
        else sink.onPriority(stream, dependsOnItself(buffer, start, stream))
        return
      case frameType.rstStream:
        if (stream === 0) this.#fail(errorCode.protocolError)
        else if (length !== 4) this.#fail(errorCode.frameSizeError)
        else sink.onReset(stream, uint32(buffer, start))
        return
      case frameType.settings:
        this.#settings(flags, stream, buffer, start, end)
        return
      case frameType.pushPromise:
        sink.onPushPromise(stream)
        return
      case frameType.ping:
        if (stream !== 0) this.#fail(errorCode.protocolError)
        else if (length !== 8) this.#fail(errorCode.frameSizeError)
        else sink.onPing(buffer, start, (flags & flag.ack) !== 0)
        return
      case frameType.goAway:
        if (stream !== 0) this.#fail(errorCode.protocolError)
        else if (length < 8) this.#fail(errorCode.frameSizeError)
        else sink.onGoAway(uint32(buffer, start) & 0x7fffffff, uint32(buffer, start + 4))
        return
      case frameType.windowUpdate:
        if (length !== 4) this.#fail(errorCode.frameSizeError)
        else sink.onWindowUpdate(stream, uint32(buffer, start) & 0x7fffffff)
        return
      default:
        sink.onUnknown()
    }
  }

  #headers(flags: number, stream: number, buffer: Buffer, start: number, end: number): void {
    let from = start
    let to = end
    let ownParent = false
    if (stream === 0) {
      this.#fail(errorCode.protocolError)
      return
    }
    if ((flags & flag.padded) !== 0) {
      if (from >= to) {
        this.#fail(errorCode.frameSizeError)
        return
      }
      to -= buffer[from++]!
    }
    if ((flags & flag.priority) !== 0) {
      if (end - from < 5) {
        this.#fail(errorCode.frameSizeError)
        return
      }
      ownParent = dependsOnItself(buffer, from, stream)
      from += 5
    }
    // Padding that reaches into what is before it (RFC 9113 section 6.2).
    if (to < from) {
      this.#fail(errorCode.protocolError)
      return
    }
    const endStream = (flags & flag.endStream) !== 0
    const whole = (flags & flag.endHeaders) !== 0
    this.#sink.onHeadersBegin(stream, whole)
    if (this.#error !== noError) return
    if (whole) {
      this.#sink.onHeaders(stream, buffer, from, to, endStream, ownParent)
      return
    }
    this.#blockStream = stream
    this.#blockEnds = endStream
    this.#blockOwnParent = ownParent
    this.#block = Buffer.allocUnsafeSlow(Math.max(1024, 2 * (to - from)))
    this.#blockEnd = buffer.copy(this.#block, 0, from, to)
    this.#continuations = 0
  }

  #continuation(flags: number, stream: number, buffer: Buffer, start: number, end: number): void {
    if (this.#blockStream === 0) {
      this.#fail(errorCode.protocolError)
      return
    }
    const needed = this.#blockEnd + end - start
    if (++this.#continuations > maxContinuations || needed > this.#maxBlock) {
      this.#fail(errorCode.enhanceYourCalm)
      return
    }
    let block = this.#block!
    if (needed > block.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * block.length))
      block.copy(grown, 0, 0, this.#blockEnd)
      block = this.#block = grown
    }
    buffer.copy(block, this.#blockEnd, start, end)
    this.#blockEnd = needed
    if ((flags & flag.endHeaders) === 0) return
    this.#blockStream = 0
    this.#block = null
    this.#sink.onHeaders(stream, block, 0, needed, this.#blockEnds, this.#blockOwnParent)
  }

  #settings(flags: number, stream: number, buffer: Buffer, start: number, end: number): void {
    const ack = (flags & flag.ack) !== 0
    if (stream !== 0) {
      this.#fail(errorCode.protocolError)
      return
    }
    if (ack ? end !== start : (end - start) % 6 !== 0) {
      this.#fail(errorCode.frameSizeError)
      return
    }
    for (let at = start; at < end && this.#error === noError; at += 6)
      this.#sink.onSetting((buffer[at]! << 8) | buffer[at + 1]!, uint32(buffer, at + 2))
    if (this.#error === noError) this.#sink.onSettings(ack)
  }
}

function lengthAt(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 16) | (buffer[at + 1]! << 8) | buffer[at + 2]!
}

function uint32(buffer: Uint8Array, at: number): number {
  return ((buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!) >>> 0
}

/** RFC 7540 section 5.3.1, whose priorities are otherwise not heeded (RFC 9113 section 5.3). */
function dependsOnItself(buffer: Uint8Array, at: number, stream: number): boolean {
  return (uint32(buffer, at) & 0x7fffffff) === stream
}
