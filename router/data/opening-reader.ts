// What a connection begins with, read before it is known who it is for: a PROXY header, or the preface of HTTP/2.

import type { Socket } from 'node:net'
import type { ThreadContext } from './context.ts'
import { readInto } from './http/adopt.ts'
import { Timed } from './timers.ts'

export abstract class OpeningReader extends Timed {
  protected readonly context: ThreadContext
  protected readonly socket: Socket
  readonly #refuse = (): void => this.#close()
  /** What came so far, when it came in pieces. */
  #held: Buffer | null = null
  #done = false

  /** Starts reading. The socket is closed without a word when what has to come does not within `timeout` milliseconds. */
  constructor(context: ThreadContext, socket: Socket, timeout: number) {
    super()
    this.context = context
    this.socket = socket
    socket.on('end', this.#refuse)
    socket.on('error', this.#refuse)
    socket.on('close', this.#refuse)
    context.timers.set(this, timeout)
    readInto(socket, context.readBuffer, (octets, buffer) => this.#read(octets, buffer))
    socket.resume()
  }

  /** Whether `[0, end)` of `source` is all that was waited for, can become it, or cannot. */
  protected abstract judge(source: Buffer, end: number): 'whole' | 'incomplete' | 'invalid'
  /** It is whole; the octets are valid during the call only. False stops reading until `socket.resume()`. */
  protected abstract proceed(source: Buffer, end: number): boolean
  /** The socket is about to be closed. */
  protected abstract refused(): void

  override onDeadline(): void {
    this.#close()
  }

  /** Octets that somebody else has read; valid during the call only. False: read no more until the socket is resumed. */
  feed(octets: Buffer): boolean {
    return octets.length === 0 || this.#read(octets.length, octets)
  }

  #read(octets: number, buffer: Buffer): boolean {
    if (this.#done) return false
    let source = buffer
    let end = octets
    if (this.#held !== null) {
      source = Buffer.concat([this.#held, buffer.subarray(0, octets)])
      end = source.length
    }
    switch (this.judge(source, end)) {
      case 'invalid':
        this.#close()
        return false
      case 'incomplete':
        this.#held = Buffer.from(source.subarray(0, end))
        return true
      case 'whole':
        this.#leave()
        return this.proceed(source, end)
    }
  }

  #close(): void {
    if (this.#done) return
    this.#leave()
    this.refused()
    this.socket.destroy()
  }

  #leave(): void {
    this.#done = true
    this.#held = null
    this.context.timers.remove(this)
    for (const event of ['end', 'error', 'close']) this.socket.off(event, this.#refuse)
    // Nobody else listens yet.
    this.socket.on('error', ignore)
  }
}

function ignore(): void {}
