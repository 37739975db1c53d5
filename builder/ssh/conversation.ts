// One command of a client: its input and output, and whether the client is still there. What is written to a client that is
// gone is dropped; nobody fails for it.

import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { ServerChannel } from 'ssh2'

export class Conversation {
  readonly #channel: ServerChannel
  readonly #gone = new AbortController()
  #ended = false

  constructor(channel: ServerChannel) {
    this.#channel = channel
    channel.on('error', () => {})
    channel.stderr.on('error', () => {})
    channel.once('close', () => this.#gone.abort())
  }

  /** Ends with the client's end of input. */
  get input(): Readable {
    return this.#channel
  }

  /** Not to be written to once `gone`: the library never calls back then. */
  get output(): Writable {
    return this.#channel
  }

  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** Resolves when there is room for more, or nobody to take it. */
  async write(octets: string | Uint8Array): Promise<void> {
    await this.#put(this.#channel, octets)
  }

  async complain(text: string): Promise<void> {
    await this.#put(this.#channel.stderr, text)
  }

  /** The last thing: what was written goes first. */
  async end(code: number): Promise<void> {
    if (this.#ended || this.gone.aborted) return
    this.#ended = true
    await this.#put(this.#channel, '')
    if (this.gone.aborted) return
    this.#channel.exit(code)
    this.#channel.end()
  }

  async #put(to: Writable, octets: string | Uint8Array): Promise<void> {
    if (this.gone.aborted || to.writableEnded) return
    const { promise, resolve } = Promise.withResolvers<void>()
    to.write(octets, () => resolve())
    const left = new AbortController()
    const end = once(this.gone, 'abort', { signal: left.signal }).catch(() => {})
    await Promise.race([promise, end])
    left.abort()
  }
}
