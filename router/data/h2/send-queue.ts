// The answers of a connection that wait for the client to open its windows, or to take what has been sent: who has its
// turn next, and when the client has had its time.

import type { ThreadContext } from '../context.ts'
import { Timed } from '../timers.ts'
import { defaultWindow } from './frames.ts'
import type { Http2Stream } from './stream.ts'

/** A client that takes less than this in so many milliseconds, while more waits for it, takes nothing. */
const stallTimeout = 3_000
const leastProgress = 16 * 1024
/** As much may wait for a client that takes nothing. */
const maxStalled = 2 * 1024 * 1024
/** The same for all clients of a thread together: beyond it those that have more than a fair share waiting make room. */
const maxStalledTogether = 24 * 1024 * 1024
const fairShare = 256 * 1024
/** Once so much waits for a connection, nothing is read ahead for it. */
const maxReadAhead = 1024 * 1024

/** The connection, as its queue sees it. */
export interface SendQueueOwner {
  readonly context: ThreadContext
  /** The socket takes no more for now. */
  readonly isFull: boolean
  /** The client does not take what it has asked for. */
  onStalled(): void
}

export class SendQueue extends Timed {
  /** What may be sent on all streams together (RFC 9113 section 6.9.1). */
  window = defaultWindow
  /** Octets that wait. */
  waiting = 0
  readonly #owner: SendQueueOwner
  /** Streams with octets that wait, in their turn. */
  readonly #streams: Http2Stream[] = []
  #sent = 0
  #sentBefore = 0

  constructor(owner: SendQueueOwner) {
    super()
    this.#owner = owner
  }

  /** Whether more may be fetched for it than it takes. */
  get mayReadAhead(): boolean {
    return this.waiting <= maxReadAhead
  }

  /** Whether the thread is short of memory, and this client one of those that have much of it. */
  get isGreedy(): boolean {
    return this.#owner.context.http2.outgoing > maxStalledTogether && this.waiting > fairShare
  }

  /** So many octets of a body have been sent. */
  spend(octets: number): void {
    this.window -= octets
    this.#sent += octets
  }

  /** So many octets more (or, negative, less) wait. */
  wait(octets: number): void {
    this.waiting += octets
    this.#owner.context.http2.outgoing += octets
  }

  /** A stream has octets that wait. */
  enqueue(stream: Http2Stream): void {
    this.#streams.push(stream)
    if (this.deadline === Infinity) this.#watch()
  }

  remove(stream: Http2Stream): void {
    const at = this.#streams.indexOf(stream)
    if (at >= 0) this.#streams.splice(at, 1)
  }

  /** Lets streams that wait send, a frame each in turn, for as long as there is room. */
  pump(): void {
    const streams = this.#streams
    let blocked = 0
    while (streams.length > blocked && this.window > 0 && !this.#owner.isFull) {
      const stream = streams.shift()!
      if (!stream.sendWaiting()) continue
      streams.push(stream)
      // One after the other cannot send: only their own windows help.
      if (stream.sendWindow <= 0) blocked++
      else blocked = 0
    }
  }

  /** The connection is gone. */
  close(): void {
    this.#streams.length = 0
    this.#owner.context.timers.remove(this)
  }

  override onDeadline(): void {
    if (this.waiting === 0) return
    const isStalled = this.#sent - this.#sentBefore < Math.min(leastProgress, this.waiting)
    if (isStalled && (this.waiting > maxStalled || this.isGreedy)) this.#owner.onStalled()
    else this.#watch()
  }

  #watch(): void {
    this.#sentBefore = this.#sent
    this.#owner.context.timers.set(this, stallTimeout)
  }
}
