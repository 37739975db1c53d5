// Frames of a session on their way to the endpoint. They are composed in the thread's slab; what is written in one round of
// the loop, for many streams maybe, leaves in one write.

import type { Socket } from 'node:net'
import type { ThreadContext } from '../context.ts'
import {
  controlFrameSize,
  frameHeaderBlock,
  writeFrameHeader,
  writeGoAway,
  writePing,
  writeReset,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from '../h2/frame-writer.ts'
import { flag, frameHeaderSize, frameType, maxFrameSize, preface } from '../h2/frames.ts'
import { HpackEncoder, maxBeginLength, maxEncodedLength } from '../h2/hpack-encoder.ts'
import type { RequestTranslator } from './h2-request.ts'

const HTAB = 9
const CR = 13
const SP = 32
const COLON = 58

/** Outputs that hold something back, until all that the kernel had for this thread is read. */
const corked: Output[] = []

function uncorkAll(): void {
  for (const output of corked.splice(0)) output.uncork()
}

export class Output {
  readonly encoder = new HpackEncoder()
  readonly #context: ThreadContext
  readonly #socket: Socket
  #corked = false
  #closed = false

  constructor(context: ThreadContext, socket: Socket) {
    this.#context = context
    this.#socket = socket
  }

  /** It takes no more for now. */
  get blocked(): boolean {
    return this.#closed || this.#socket.writableNeedDrain
  }

  /** Octets that wait. */
  get waiting(): number {
    return this.#socket.writableLength
  }

  /** What is sent from now on is dropped. */
  close(): void {
    this.#closed = true
  }

  uncork(): void {
    this.#corked = false
    this.#socket.uncork()
  }

  /** What a connection begins with. */
  begin(settings: readonly number[], window: number): void {
    const { slab } = this.#context
    slab.reserve(preface.length + frameHeaderSize + 3 * settings.length + controlFrameSize)
    const from = slab.at
    slab.at += preface.copy(slab.buffer, from)
    slab.at = writeSettings(slab.buffer, slab.at, settings)
    slab.at = writeWindowUpdate(slab.buffer, slab.at, 0, window)
    this.#write(from)
  }

  head(stream: number, request: RequestTranslator, secure: boolean, endStream: boolean): void {
    const { slab } = this.#context
    const { room } = request
    slab.reserve(room + frameHeaderSize * (2 + Math.ceil(room / maxFrameSize)))
    const from = slab.at
    const end = request.write(this.encoder, slab.buffer, from + frameHeaderSize, secure)
    slab.at = frameHeaderBlock(slab.buffer, from + frameHeaderSize, end, stream, endStream, maxFrameSize)
    this.#write(from)
  }

  /** Field lines of HTTP/1.1, which end the stream. */
  trailers(stream: number, lines: Buffer): void {
    const { slab } = this.#context
    // The shortest line has four octets: a name, a colon, CRLF.
    slab.reserve(maxBeginLength + lines.length + (lines.length >> 2) * maxEncodedLength(0, 0) + 2 * frameHeaderSize)
    const from = slab.at
    const { buffer } = slab
    let to = this.encoder.begin(buffer, from + frameHeaderSize)
    for (let at = 0; at < lines.length; ) {
      const nameEnd = lines.indexOf(COLON, at)
      const lineEnd = lines.indexOf(CR, nameEnd)
      let start = nameEnd + 1
      let end = lineEnd
      while (start < end && (lines[start] === SP || lines[start] === HTAB)) start++
      while (end > start && (lines[end - 1] === SP || lines[end - 1] === HTAB)) end--
      to = this.encoder.field(buffer, to, lines, at, nameEnd, start, end, 'literal')
      at = lineEnd + 2
    }
    slab.at = frameHeaderBlock(buffer, from + frameHeaderSize, to, stream, true, maxFrameSize)
    this.#write(from)
  }

  data(stream: number, source: Buffer, start: number, end: number, endStream: boolean): void {
    const { slab } = this.#context
    const frames = Math.max(1, Math.ceil((end - start) / maxFrameSize))
    slab.reserve(end - start + frames * frameHeaderSize)
    const from = slab.at
    const { buffer } = slab
    let to = from
    let at = start
    for (let left = frames; left > 0; left--) {
      const length = Math.min(end - at, maxFrameSize)
      const flags = endStream && left === 1 ? flag.endStream : 0
      to = writeFrameHeader(buffer, to, length, frameType.data, flags, stream)
      to += source.copy(buffer, to, at, at + length)
      at += length
    }
    slab.at = to
    this.#write(from)
  }

  reset(stream: number, code: number): void {
    const from = this.#control()
    const { slab } = this.#context
    slab.at = writeReset(slab.buffer, from, stream, code)
    this.#write(from)
  }

  /** `stream` 0: for all of them. */
  windowUpdate(stream: number, octets: number): void {
    const from = this.#control()
    const { slab } = this.#context
    slab.at = writeWindowUpdate(slab.buffer, from, stream, octets)
    this.#write(from)
  }

  settingsAck(): void {
    const from = this.#control()
    const { slab } = this.#context
    slab.at = writeSettingsAck(slab.buffer, from)
    this.#write(from)
  }

  /** With the eight octets of `source` from `at` on. */
  ping(source: Buffer, at: number, ack: boolean): void {
    const from = this.#control()
    const { slab } = this.#context
    slab.at = writePing(slab.buffer, from, source, at, ack)
    this.#write(from)
  }

  /** The endpoint opens no streams, so that the last one of them is none. */
  goAway(code: number): void {
    const from = this.#control()
    const { slab } = this.#context
    slab.at = writeGoAway(slab.buffer, from, 0, code)
    this.#write(from)
  }

  #control(): number {
    const { slab } = this.#context
    slab.reserve(controlFrameSize)
    return slab.at
  }

  /** Sends what the slab holds from `from` on. */
  #write(from: number): void {
    const { slab } = this.#context
    if (this.#closed) {
      slab.at = from
      return
    }
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      if (corked.push(this) === 1) setImmediate(uncorkAll)
    }
    this.#socket.write(slab.buffer.subarray(from, slab.at))
  }
}
