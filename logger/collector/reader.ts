// Reads the containers in turn and hands lines to the sender. Each gets one piece at a time, whoever writes most; nothing is
// read while the logger takes nothing, so that what waits, waits in the files.
//
// Each second the connection is ended, and the logger ends its side when it has read all of it: then all that was read counts as
// settled, and the next connection begins. When a connection is lost, every container is read again from its settled
// position: lines may come twice, and none is left out.

import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '#kit/log.ts'
import type { LogLine } from '../line.ts'
import type { Container } from './containers.ts'
import type { SyslogSender } from './sender.ts'

/** Octets that a container is read at a time; also the longest record. */
const pieceSize = 128 * 1024
/** Milliseconds to rest when nothing is left to read, so that who writes line by line does not cost a turn for each. */
const rest = 20
/** Milliseconds from the first line of a connection to its end. */
const settleInterval = 1_000
/** And after a file that could not be read. */
const faultPause = 5_000
/** Files that are open; containers that say nothing are closed beyond it. */
const mostOpen = 1_000

export interface ReaderOptions {
  readonly sender: SyslogSender
  readonly log: Logger
  readonly all: ReadonlyMap<string, Container>
  readonly remove: (container: Container) => Promise<void>
  readonly counted: (line: LogLine | null) => void
  /** Files open for all; 1,000 when absent. */
  readonly mostOpen?: number
}

export class Reader {
  readonly #options: ReaderOptions
  readonly #buffer = Buffer.allocUnsafeSlow(pieceSize)
  /** Those that may have something to read, in the order of their turns. */
  readonly #ready = new Set<Container>()
  /** Those with an open file, the one read last at the end. */
  readonly #open = new Set<Container>()
  readonly #later = new Set<NodeJS.Timeout>()
  #wake = Promise.withResolvers<void>()
  /** The connection that positions are of. */
  #connection = 0
  /** When the first turn was that is not settled; null: all are. */
  #unsettledSince: number | null = null
  #settlements = 0

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  /** There may be something to read. */
  add(container: Container): void {
    this.#ready.add(container)
    this.#wake.resolve()
  }

  get openFiles(): number {
    let count = 0
    for (const { tail } of this.#open) count += tail.openFiles
    return count
  }

  /** How often positions were settled. */
  get settlements(): number {
    return this.#settlements
  }

  /** Until the signal aborts; what the logger is to confirm then is waited for until `over` does. */
  async run(signal: AbortSignal, over: AbortSignal): Promise<void> {
    const { sender, log } = this.#options
    const wake = (): void => this.#wake.resolve()
    signal.addEventListener('abort', wake, { once: true })
    try {
      while (!signal.aborted) {
        const wait = this.#untilDue()
        if (wait <= 0) {
          await this.settle(over)
          continue
        }
        const [container] = this.#ready
        if (container === undefined) {
          const timer = wait === Infinity ? null : setTimeout(wake, wait)
          await this.#wake.promise
          if (timer !== null) clearTimeout(timer)
          this.#wake = Promise.withResolvers<void>()
          await delay(rest)
          continue
        }
        const connection = await sender.ready(signal)
        if (connection !== this.#connection) this.#rewind(connection)
        this.#ready.delete(container)
        this.#unsettledSince ??= performance.now()
        try {
          await this.#turn(container, connection)
        } catch (error) {
          log.warn({ container: container.key, error: String(error) }, 'a log cannot be read; it is tried again')
          container.tail.touch()
          this.#addLater(container, faultPause)
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      for (const timer of this.#later) clearTimeout(timer)
    }
  }

  /** Has the logger confirm what it was sent, and removes what is finished; not to be called during a turn. */
  async settle(signal: AbortSignal): Promise<void> {
    this.#unsettledSince = null
    // When it does not, the next connection begins where it was settled.
    if (!(await this.#options.sender.confirm(this.#connection, signal))) return
    for (const container of this.#options.all.values()) {
      const { tail, state } = container
      if (tail.place !== null) tail.settle(tail.place)
      if (state === 'finished') await this.#remove(container)
    }
    this.#settlements++
  }

  #untilDue(): number {
    const since = this.#unsettledSince
    return since === null ? Infinity : since + settleInterval - performance.now()
  }

  async #turn(container: Container, connection: number): Promise<void> {
    const { sender, counted } = this.#options
    if (container.state === 'unread') {
      await this.#remove(container)
      return
    }
    const lines: LogLine[] = []
    const end = await container.tail.turn(this.#buffer, (time, text) => {
      const line = container.attribute(time, text)
      counted(line)
      if (line !== null) lines.push(line)
    })
    // A connection that is gone meanwhile: all is read again for the next one.
    sender.write(connection, lines)
    if (end.kind === 'finished') container.state = 'finished'
    if (end.kind === 'more') this.#ready.add(container)
    else if (end.kind === 'later') this.#addLater(container, end.after)
    this.#open.delete(container)
    this.#open.add(container)
    await this.#closeSilent()
  }

  #addLater(container: Container, after: number): void {
    const timer = setTimeout(() => {
      this.#later.delete(timer)
      this.add(container)
    }, after)
    this.#later.add(timer)
  }

  #rewind(connection: number): void {
    this.#connection = connection
    this.#unsettledSince = null
    for (const container of this.#options.all.values()) {
      if (container.tail.isSettled) continue
      container.tail.rewind()
      this.#ready.add(container)
    }
  }

  async #closeSilent(): Promise<void> {
    const { mostOpen: most = mostOpen } = this.#options
    for (const container of this.#open) {
      if (this.#open.size <= most) return
      // What is not settled may have to be read again, from a file that has no name any more.
      if (!container.tail.isSettled || this.#ready.has(container)) continue
      this.#open.delete(container)
      await container.tail.release()
    }
  }

  async #remove(container: Container): Promise<void> {
    this.#open.delete(container)
    this.#ready.delete(container)
    await this.#options.remove(container)
  }
}
