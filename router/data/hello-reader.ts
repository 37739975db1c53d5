// The first handshake message of one connection, read before it is known which server is to answer it. Only while some
// host asks for client certificates: everybody else's handshake begins in the TLS library at once.

import type { Socket } from 'node:net'
import { type ClientHello, longestHello, parseClientHello } from './client-hello.ts'
import type { ThreadContext } from './context.ts'
import { readInto } from './http/adopt.ts'
import { Timed } from './timers.ts'

/** `octets` are all that has been read; null: the connection ended, or said nothing in time, and is closed. */
type AfterHello = (hello: ClientHello | null, octets: Buffer) => void

/** Records add their heads to a message, and may be small; a client that makes them tiny is left to the library. */
const longest = 2 * longestHello

export class HelloReader extends Timed {
  readonly #context: ThreadContext
  readonly #socket: Socket
  readonly #after: AfterHello
  readonly #fail = (): void => this.#close()
  #held: Buffer
  #done = false

  /** Starts reading behind `early`, octets that have been read already. */
  constructor(context: ThreadContext, socket: Socket, early: Buffer, timeout: number, after: AfterHello) {
    super()
    this.#context = context
    this.#socket = socket
    this.#after = after
    this.#held = early
    socket.on('end', this.#fail)
    socket.on('error', this.#fail)
    socket.on('close', this.#fail)
    if (this.#look()) return
    context.timers.set(this, timeout)
    readInto(socket, context.readBuffer, (octets, buffer) => this.#read(octets, buffer))
    socket.resume()
  }

  override onDeadline(): void {
    this.#close()
  }

  #read(octets: number, buffer: Buffer): boolean {
    if (this.#done) return false
    const fresh = buffer.subarray(0, octets)
    this.#held = this.#held.length === 0 ? Buffer.from(fresh) : Buffer.concat([this.#held, fresh])
    return !this.#look()
  }

  /** Whether it has come. */
  #look(): boolean {
    const hello = parseClientHello(this.#held, 0, this.#held.length)
    if (hello.kind === 'incomplete' && this.#held.length <= longest) return false
    this.#leave()
    this.#socket.pause()
    this.#after(hello, this.#held)
    return true
  }

  #close(): void {
    if (this.#done) return
    this.#leave()
    this.#socket.destroy()
    this.#after(null, this.#held)
  }

  #leave(): void {
    this.#done = true
    this.#context.timers.remove(this)
    for (const event of ['end', 'error', 'close']) this.#socket.off(event, this.#fail)
    // Nobody else listens yet.
    this.#socket.on('error', ignore)
  }
}

function ignore(): void {}
