// The way to the logger: syslog (RFC 5424) over one TCP connection, each message with its length before it (RFC 6587,
// octet counting). Syslog has no answers; but who reads a connection to its end closes it, and that is one: what a connection
// has taken is surely read when it was ended by us first, and by the logger then.

import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fullJitter } from '#kit/backoff.ts'
import type { HostAndPort } from '#kit/host-and-port.ts'
import type { Logger } from '#kit/log.ts'
import type { LogLine } from '../line.ts'
import { encodeLine } from '../syslog/encode.ts'

/** Octets that may wait for the kernel to take them. */
const maxWaiting = 256 * 1024
/** Milliseconds, all of them. */
const connectTimeout = 10_000
const keepAliveAfter = 15_000
/** A logger that takes nothing for so long is given up. */
const patience = 30_000
const retry = { base: 100, cap: 5_000 }
/** A connection that ended sooner counts as a failure. */
const shortLife = 1_000

export interface SenderOptions {
  readonly target: HostAndPort
  /** Of the messages. */
  readonly hostname: string
  readonly log: Logger
}

interface Connection {
  readonly number: number
  readonly socket: Socket
  /** Octets that were given to it, and those of them that the kernel has taken. */
  given: number
  taken: number
  takenAt: number
  /** We have ended it, and wait for the logger to do so. */
  isEnding: boolean
}

interface Served {
  /** Milliseconds; null: there was no connection. */
  readonly lived: number | null
  readonly text: string
  /** The logger has read it to its end. */
  readonly isConfirmed: boolean
}

export class SyslogSender {
  readonly #options: SenderOptions
  #connection: Connection | null = null
  #connections = 0
  /** Number of the last one that the logger has read to its end. */
  #confirmed = 0
  #isAway = true
  #lost = 0
  #octets = 0
  #change = Promise.withResolvers<void>()

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /** Connects, again and again, until the signal aborts. Then the connection stays until `close`, and it resolves. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, target } = this.#options
    let failures = 0
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      const { lived, text, isConfirmed } = await this.#serve(signal)
      if (signal.aborted) return
      if (isConfirmed) {
        failures = 0
        continue
      }
      failures = lived !== null && lived >= shortLife ? 1 : failures + 1
      // Once for a connection that was there, once for a logger that is away.
      if (lived !== null || failures === 1) log.warn({ ...target, error: text }, 'the logger is away')
      await delay(fullJitter(failures, retry, Math.random), undefined, { signal }).catch(() => {})
    }
  }

  /** Resolves with the number of a connection that takes more. Rejects when the signal, that of `run`, aborts. */
  async ready(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted()
      const connection = this.#connection
      if (connection !== null && !connection.isEnding && connection.socket.writableLength < maxWaiting)
        return connection.number
      await this.#change.promise
    }
  }

  /** False: that connection is no more. */
  write(number: number, lines: readonly LogLine[]): boolean {
    const connection = this.#connection
    if (connection?.number !== number || connection.isEnding) return false
    const pieces: Buffer[] = []
    for (const line of lines) {
      const message = encodeLine(line, this.#options.hostname)
      pieces.push(Buffer.from(`${message.length} `), message)
    }
    const octets = Buffer.concat(pieces)
    if (octets.length === 0) return true
    if (connection.taken === connection.given) connection.takenAt = performance.now()
    connection.given += octets.length
    this.#octets += octets.length
    connection.socket.write(octets, error => {
      if (error) return
      connection.taken += octets.length
      connection.takenAt = performance.now()
      this.#wake()
    })
    return true
  }

  /** Null while there is none. */
  get connection(): { readonly number: number; readonly given: number; readonly taken: number } | null {
    return this.#connection
  }

  /** Connections that broke or were ended by the logger. */
  get lost(): number {
    return this.#lost
  }

  /** That were given to connections. */
  get octets(): number {
    return this.#octets
  }

  /**
   * Ends the connection of that number, if there is something on it. True when the logger has read all of it; false when it
   * broke before, or the signal aborts: then it is given up. `run` makes the next one.
   */
  async confirm(number: number, signal: AbortSignal): Promise<boolean> {
    const connection = this.#connection
    if (connection?.number !== number) return number === 0
    const { socket } = connection
    if (connection.given === 0) return true
    connection.isEnding = true
    if (connection.taken === connection.given) connection.takenAt = performance.now()
    const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
    const giveUp = (): void => void socket.destroy()
    signal.addEventListener('abort', giveUp)
    if (signal.aborted) giveUp()
    socket.end()
    await closed
    signal.removeEventListener('abort', giveUp)
    return this.#confirmed === number
  }

  /** What is not confirmed may be lost. */
  close(): void {
    this.#connection?.socket.destroy()
  }

  /** Until the connection ends; resolves with what became of it. */
  async #serve(signal: AbortSignal): Promise<Served> {
    const { target, log } = this.#options
    // Half open: `end` needs to see the other side's end after its own.
    const socket = connect({ ...target, keepAlive: true, keepAliveInitialDelay: keepAliveAfter, allowHalfOpen: true })
    socket.setNoDelay(true)
    socket.setTimeout(connectTimeout, () => socket.destroy(new Error(`no connection within ${connectTimeout} ms`)))
    const give = (): void => {
      if (this.#connection?.socket !== socket) socket.destroy()
    }
    signal.addEventListener('abort', give)
    let text = 'it closed the connection'
    socket.on('error', error => {
      text = error.message
    })
    const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
    let watch: NodeJS.Timeout | null = null
    let since: number | null = null
    socket.once('connect', () => {
      socket.setTimeout(0)
      const now = performance.now()
      since = now
      const connection: Connection = {
        number: ++this.#connections,
        socket,
        given: 0,
        taken: 0,
        takenAt: now,
        isEnding: false,
      }
      this.#connection = connection
      if (this.#isAway) log.info(target, 'connected to the logger')
      this.#isAway = false
      // It says nothing; but its end is only seen when it is read.
      socket.resume()
      socket.once('end', () => {
        if (socket.writableFinished) this.#confirmed = connection.number
        socket.destroy()
      })
      socket.on('drain', () => this.#wake())
      watch = setInterval(() => {
        const isWaiting = connection.isEnding || connection.taken < connection.given
        const isStuck = isWaiting && performance.now() - connection.takenAt > patience
        if (isStuck) socket.destroy(new Error(`it takes nothing for ${patience / 1000} s`))
      }, patience / 6)
      this.#wake()
    })
    await closed
    if (watch !== null) clearInterval(watch)
    signal.removeEventListener('abort', give)
    if (since === null) return { lived: null, text, isConfirmed: false }
    const isConfirmed = this.#confirmed === this.#connection?.number
    this.#connection = null
    if (!isConfirmed) {
      this.#lost++
      this.#isAway = true
    }
    this.#wake()
    return { lived: performance.now() - since, text, isConfirmed }
  }

  #wake(): void {
    const { resolve } = this.#change
    this.#change = Promise.withResolvers<void>()
    resolve()
  }
}
