// One app's log drain: its queue, and a connection that is made when there is something to send and made again, later and later, when
// it breaks. A receiver that is slow or gone costs lines of this queue and nothing else.

import { addAbortListener } from 'node:events'
import { fullJitter } from '#kit/backoff.ts'
import type { Clock } from '#kit/clock.ts'
import type { DrainUrl } from '#kit/drain-url.ts'
import type { DrainState } from '../metrics.ts'
import { type DrainConnection, type DrainRoad, openDrainConnection } from './drain-connection.ts'
import { LineQueue, type SharedRoom } from './line-queue.ts'

export interface LogDrainOptions {
  readonly url: DrainUrl
  readonly road: DrainRoad
  readonly room: SharedRoom
  readonly clock: Clock
  readonly count: (outcome: 'sent' | 'dropped', lines: number) => void
}

/** Octets that may wait: for as long as they are fewer, and although all drains together have too many. */
const queueSize = { most: 1024 * 1024, least: 64 * 1024 }
/** Octets that are written at once. */
const batchSize = 64 * 1024
const backoff = { base: 1000, cap: 60_000 }
/** A connection that stood for so long was a good one, milliseconds. */
const goodAfter = 5_000

export class LogDrain {
  readonly url: DrainUrl
  readonly #options: LogDrainOptions
  readonly #queue: LineQueue
  readonly #closing = new AbortController()
  readonly #done: Promise<void>
  #state: DrainState = 'idle'
  #error: string | null = null
  #writing = false
  #sent = 0
  #dropped = 0
  /** Since it was last told. */
  #untold = 0
  /** Something has come, or it is over. */
  #wake: () => void = () => {}

  constructor(options: LogDrainOptions) {
    this.#options = options
    this.url = options.url
    this.#queue = new LineQueue(queueSize.most, queueSize.least, options.room)
    this.#done = this.#run()
  }

  get state(): DrainState {
    return this.#state
  }

  /** As its owner may see it. */
  get status(): Readonly<Record<string, string | number | null>> {
    const { href: url } = this.url
    return {
      url,
      state: this.#state,
      error: this.#error,
      waiting: this.#queue.length,
      sent: this.#sent,
      dropped: this.#dropped,
    }
  }

  send(message: Buffer): void {
    if (this.#queue.push(message)) this.#wake()
    else this.#drop(1)
  }

  /** Lines that were dropped since the last call, and why. */
  takeUntold(): { readonly lines: number; readonly error: string | null } {
    const lines = this.#untold
    this.#untold = 0
    return { lines, error: this.#error }
  }

  /** Resolves when what waits has been sent, or `patience` milliseconds have passed; what is left is dropped. */
  async close(patience: number): Promise<void> {
    const over = new AbortController()
    const { clock } = this.#options
    const sending = (): boolean => this.#state === 'connected' && (this.#queue.length > 0 || this.#writing)
    if (sending()) {
      const empty = (async () => {
        while (sending() && !over.signal.aborted) await clock.delay(20, over.signal)
      })()
      await Promise.race([empty, clock.delay(patience, over.signal)])
    }
    over.abort()
    this.#closing.abort(new Error('the log drain was closed'))
    this.#wake()
    await this.#done
    this.#drop(this.#queue.clear())
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    const { clock, url, road } = this.#options
    let failures = 0
    while (!signal.aborted) {
      if (this.#queue.length === 0) await this.#awake()
      if (signal.aborted) return
      this.#state = 'connecting'
      let stoodAt: number | null = null
      try {
        using connection = await openDrainConnection(url, road, signal)
        stoodAt = clock.now()
        this.#state = 'connected'
        this.#error = null
        await this.#pump(connection)
        this.#state = 'idle'
        // Receivers close what is idle, and some each connection after a while.
        if (clock.now() - stoodAt >= goodAfter) {
          failures = 0
          continue
        }
        if (!signal.aborted) this.#error = 'the receiver closes the connection'
      } catch (error) {
        if (signal.aborted) return
        this.#error = sentenceOf(error)
      }
      failures = stoodAt !== null && clock.now() - stoodAt >= goodAfter ? 1 : failures + 1
      this.#state = 'waiting'
      await clock.delay(fullJitter(failures, backoff, Math.random), signal)
      this.#state = 'idle'
    }
  }

  /** Sends until the connection ends or nothing more is to be sent at all. Rejects when it breaks. */
  async #pump(connection: DrainConnection): Promise<void> {
    const { signal } = this.#closing
    using _ = addAbortListener(signal, () => connection[Symbol.dispose]())
    let ended = false
    void connection.ended.then(() => {
      ended = true
      this.#wake()
    })
    while (!ended && !signal.aborted) {
      const batch = this.#queue.take(batchSize)
      if (batch.length === 0) {
        await this.#awake()
        continue
      }
      this.#writing = true
      try {
        const sent = await connection.write(batch)
        this.#sent += sent
        this.#options.count('sent', sent)
        this.#drop(batch.length - sent)
      } catch (error) {
        // Some of it may have arrived: twice is better than never.
        this.#queue.putBack(batch)
        throw error
      } finally {
        this.#writing = false
      }
    }
  }

  #awake(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }

  #drop(lines: number): void {
    if (lines === 0) return
    this.#dropped += lines
    this.#untold += lines
    this.#options.count('dropped', lines)
  }
}

function sentenceOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return (message || code || 'it cannot be reached').slice(0, 300)
}
