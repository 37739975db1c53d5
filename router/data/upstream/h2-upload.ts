// The body of a request on its way to a stream: out of the framing of HTTP/1.1, which has been checked, into DATA frames as
// large as the windows of the endpoint allow (RFC 9113 section 6.9). What they do not allow waits here; no more than one
// read comes after the exchange has been told.

import { OctetQueue } from '../h2/octet-queue.ts'
import { ChunkedReader } from '../http/chunked.ts'
import type { Http2Session } from './h2-session.ts'

/** How it is framed in HTTP/1.1; `octets`: not at all, they are a tunnel's. */
export type UploadKind = 'length' | 'chunked' | 'octets'

/** Where payload is put that is taken out of its chunks: one for the thread. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024)

export class Upload {
  /** END_STREAM has been sent. */
  ended = false
  /** What the endpoint takes of this stream for now; may be below zero (RFC 9113 section 6.9.2). */
  window: number
  readonly #session: Http2Session
  readonly #stream: number
  readonly #kind: UploadKind
  readonly #reader: ChunkedReader | null
  #queue: OctetQueue | null = null
  #remaining: number
  /** All of it has come. */
  #complete = false

  /** `length` counts for the kind of that name. */
  constructor(session: Http2Session, stream: number, kind: UploadKind, length: number) {
    this.window = session.initialWindow
    this.#session = session
    this.#stream = stream
    this.#kind = kind
    this.#remaining = length
    this.#reader = kind === 'chunked' ? new ChunkedReader() : null
    if (this.#reader !== null) this.#reader.keepsTrailers = true
  }

  get blocked(): boolean {
    return this.#queue !== null && this.#queue.length > 0
  }

  write(source: Buffer, start: number, end: number): void {
    if (this.#complete) return
    if (this.#reader !== null) this.#unchunk(this.#reader, source, start, end)
    else {
      this.#remaining -= end - start
      this.#complete = this.#kind === 'length' && this.#remaining <= 0
      this.#send(source, start, end)
    }
  }

  /** The other end of a tunnel sends no more. */
  finish(): void {
    if (this.#complete) return
    this.#complete = true
    this.flush()
  }

  /** Sends what waits, as far as it may go now. */
  flush(): void {
    const queue = this.#queue
    if (queue !== null && queue.buffer !== null) queue.shift(this.#frames(queue.buffer, queue.start, queue.end))
    if (this.#complete && !this.ended && !this.blocked) this.#finish()
  }

  /** Lets go of what waits. */
  drop(): void {
    this.#queue = null
    this.ended = this.#complete = true
  }

  #unchunk(reader: ChunkedReader, source: Buffer, start: number, end: number): void {
    if (scratch.length < end - start) scratch = Buffer.allocUnsafeSlow(end - start)
    reader.read(source, start, end, scratch, 0)
    this.#complete = reader.done
    this.#send(scratch, 0, reader.payload)
  }

  #send(source: Buffer, start: number, end: number): void {
    const sent = this.blocked ? 0 : this.#frames(source, start, end)
    if (start + sent < end) {
      this.#queue ??= new OctetQueue()
      this.#queue.push(source, start + sent, end)
    } else if (this.#complete && !this.ended && !this.blocked) this.#finish()
  }

  /** Sends of `[start, end)` what may go now, and returns how much that is. */
  #frames(source: Buffer, start: number, end: number): number {
    const session = this.#session
    if (session.blocked) return 0
    const octets = Math.min(end - start, this.window, session.window)
    if (octets <= 0) return 0
    const last = this.#complete && octets === end - start && !this.#hasTrailers
    session.sendData(this.#stream, source, start, start + octets, last)
    this.window -= octets
    if (last) this.ended = true
    return octets
  }

  get #hasTrailers(): boolean {
    return this.#reader?.done === true && this.#reader.trailers.length > 0
  }

  #finish(): void {
    this.ended = true
    if (this.#hasTrailers) this.#session.sendTrailers(this.#stream, this.#reader!.trailers)
    else this.#session.sendData(this.#stream, scratch, 0, 0, true)
  }
}
