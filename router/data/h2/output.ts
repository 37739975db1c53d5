// Frames on their way out. They are composed one behind the other, and all that a turn of the event loop brings for a
// connection leaves in one write.

import type { Socket } from 'node:net'
import type { Flushable, Http2Shared } from './shared.ts'

/** So much is copied rather than that it might hold a whole chunk. */
const smallWrite = 2048

export class FrameOutput {
  /** Where the next frame begins in what `room` returns. */
  at = 0
  readonly #shared: Http2Shared
  readonly #socket: Socket
  readonly #owner: Flushable
  #chunk: Buffer | null = null
  #isMarked = false
  #isClosed = false
  /** Chunks that the socket has not let go of. */
  readonly #written: Buffer[] = []

  /** `owner` has its `flush` called after a turn that brought frames; it calls `write` then. */
  constructor(shared: Http2Shared, socket: Socket, owner: Flushable) {
    this.#shared = shared
    this.#socket = socket
    this.#owner = owner
  }

  /** Memory with room for so many octets behind `at`; whoever has written there moves `at`. */
  room(octets: number): Buffer {
    if (this.#chunk !== null && this.#chunk.length - this.at < octets) this.write()
    this.#chunk ??= this.#shared.takeChunk(octets)
    if (!this.#isMarked) {
      this.#isMarked = true
      this.#shared.mark(this.#owner)
    }
    return this.#chunk
  }

  /** All that has been composed is with the socket. */
  get isEmpty(): boolean {
    return this.at === 0
  }

  /** The turn is over. */
  turned(): void {
    this.#isMarked = false
    this.write()
  }

  write(): void {
    const chunk = this.#chunk
    if (chunk === null) return
    const { at } = this
    this.#chunk = null
    this.at = 0
    if (this.#isClosed || at === 0) {
      this.#shared.giveChunk(chunk)
      return
    }
    if (at <= smallWrite || this.#written.length > 0) {
      // While the socket does not take octets, each turn would keep a chunk for a few of them.
      this.#socket.write(Buffer.from(chunk.subarray(0, at)))
      this.#shared.giveChunk(chunk)
      return
    }
    this.#written.push(chunk)
    this.#socket.write(chunk.subarray(0, at), this.#onWritten)
  }

  /** What is composed from now on is not written. */
  close(): void {
    this.#isClosed = true
  }

  readonly #onWritten = (): void => {
    this.#shared.giveChunk(this.#written.shift()!)
  }
}
