// What the HTTP/2 connections of a data thread share: the memory that frames are composed in, the turn at which they are
// written, and the count of what waits for clients.

import { ResponseHead } from '../http/response-head.ts'
import { RequestComposer, TrailerComposer } from './request-composer.ts'

/** Frames of one connection that are written together; larger ones get memory of their own. */
const chunkSize = 64 * 1024
const scratchSize = 160 * 1024
/** Fields that the router adds to those of an answer, at most. */
const ownFields = 16
/** Chunks kept for the next turn. */
const maxSpareChunks = 64

export interface Flushable {
  /** Writes what has been composed since it was marked. */
  flush(): void
}

export class Http2Shared {
  readonly request = new RequestComposer()
  readonly trailers = new TrailerComposer()
  /** Of the head that is being translated. */
  readonly response = new ResponseHead(ownFields)
  /** Octets of answers that wait for windows or sockets, and of requests that wait for endpoints. */
  outgoing = 0
  incoming = 0
  readonly #spare: Buffer[] = []
  readonly #scratch = Buffer.allocUnsafeSlow(scratchSize)
  #marked: Flushable[] = []
  #flushing: Flushable[] = []

  /** Memory for what is used up before anybody else asks for it. */
  scratch(octets: number): Buffer {
    return octets <= scratchSize ? this.#scratch : Buffer.allocUnsafeSlow(octets)
  }

  takeChunk(octets: number): Buffer {
    if (octets > chunkSize) return Buffer.allocUnsafeSlow(octets)
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(chunkSize)
  }

  giveChunk(chunk: Buffer): void {
    if (chunk.length === chunkSize && this.#spare.length < maxSpareChunks) this.#spare.push(chunk)
  }

  /**
   * Has `flush` called once all that the kernel had for this thread is read: answers to many streams of a connection
   * then leave in one write.
   */
  mark(connection: Flushable): void {
    if (this.#marked.push(connection) === 1) setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    const marked = this.#marked
    this.#marked = this.#flushing
    this.#flushing = marked
    for (const connection of marked) connection.flush()
    marked.length = 0
  }
}
