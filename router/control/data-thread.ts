// One place for a data thread: starts a worker, follows what it says, and starts another when it dies.

import { type Transferable, Worker } from 'node:worker_threads'
import { assertNever } from '#kit/assert-never.ts'
import type { Logger } from '#kit/log.ts'
import { counter, createCounters } from '../model/counters.ts'
import type { Begin, DataThreadOptions, FromData, ToData } from '../model/message.ts'

/** Numbers that speak of the present: with the thread they end. */
const gauges = [
  counter.httpOpen,
  counter.httpsOpen,
  counter.tunnelsOpen,
  counter.requestsOpen,
  counter.builderOpen,
  counter.upstreamOpen,
  counter.upstreamIdle,
  counter.upstreamWaiting,
  counter.upstreamResting,
  counter.upstreamUnhealthy,
  counter.configVersion,
  counter.configAppliedAt,
  counter.routes,
  counter.certificates,
]

const firstDelay = 100
const longestDelay = 10_000
/** A thread that served this long did not die of its start. */
const goodLife = 10_000
/** What a thread that is to go may take beyond the time it has for its connections. */
const drainSlack = 2_000

export type DataThreadState = 'idle' | 'starting' | 'serving' | 'dead' | 'drained'

export type ListenFailure = FromData & { readonly kind: 'listen-failed' }

/** Whom the thread reports to. */
export interface DataThreadHost {
  readonly workerUrl: URL
  /** A worker that waits for its `begin`; null: there is none. */
  spare(): Worker | null
  readonly log: Logger
  /** For a worker that starts now. */
  options(): Omit<DataThreadOptions, 'index' | 'counters'>
  listening(thread: DataThread, ports: FromData & { readonly kind: 'listening' }): void
  listenFailed(thread: DataThread, failure: ListenFailure): void
  accessLog(lines: Uint8Array): void
  heard(entry: FromData & { readonly kind: 'log' }, thread: number): void
  /** State, applied version or restarts are others now. */
  changed(thread: DataThread): void
}

export class DataThread {
  readonly index: number
  /** Kept over the death of a worker, so that its totals never fall. */
  readonly counters: SharedArrayBuffer = createCounters()
  readonly #host: DataThreadHost
  #worker: Worker | null = null
  #state: DataThreadState = 'idle'
  #appliedVersion = -1
  #startVersion = -1
  #restarts = 0
  #deathsAtStart = 0
  #deaths = 0
  #servingSince = 0
  #restart: NodeJS.Timeout | null = null
  #cut = 0
  #draining = false
  #retiring = false
  #late: NodeJS.Timeout | undefined
  #answersBuilderPort = true
  #beat = 0
  #silence = 0

  constructor(index: number, host: DataThreadHost) {
    this.index = index
    this.#host = host
  }

  get state(): DataThreadState {
    return this.#state
  }

  /** -1: none yet. */
  get appliedVersion(): number {
    return this.#appliedVersion
  }

  /** Workers started in place of one that died. */
  get restarts(): number {
    return this.#restarts
  }

  /** Deaths in a row of workers that never served. */
  get deathsAtStart(): number {
    return this.#deathsAtStart
  }

  /** On its way out, or gone, while others stay. */
  get retiring(): boolean {
    return this.#retiring
  }

  /** Starts for the first time. */
  get fresh(): boolean {
    return this.#state === 'starting' && this.#servingSince === 0 && this.#deaths === 0
  }

  /** Takes new connections. */
  get accepts(): boolean {
    return this.#state === 'serving' && !this.#draining
  }

  /** Has done what it was told last about the builder's port, as far as it could. */
  get answersBuilderPort(): boolean {
    return this.#state !== 'serving' || this.#answersBuilderPort
  }

  /** Connections that the drain cut. */
  get cut(): number {
    return this.#cut
  }

  start(): void {
    clearTimeout(this.#late)
    this.#restart = null
    this.#draining = false
    if (this.#retiring) this.#forget()
    this.#retiring = false
    this.#answersBuilderPort = true
    this.#state = 'starting'
    const workerData: DataThreadOptions = { ...this.#host.options(), index: this.index, counters: this.counters }
    this.#startVersion = workerData.world.version
    const spare = this.#host.spare()
    spare?.postMessage({ kind: 'begin', options: workerData } satisfies Begin)
    const worker = spare ?? new Worker(this.#host.workerUrl, { workerData, name: `data-${this.index}` })
    this.#worker = worker
    worker.on('message', (message: FromData) => {
      if (this.#worker === worker) this.#hear(message)
    })
    worker.on('error', error => {
      this.#host.log.error({ thread: this.index, err: error }, 'a data thread failed')
    })
    worker.on('exit', code => {
      if (this.#worker === worker) this.#died(code)
    })
    this.#host.changed(this)
  }

  post(message: ToData, transfer: readonly Transferable[] = []): void {
    if (message.kind === 'builder-port') this.#answersBuilderPort = false
    this.#worker?.postMessage(message, transfer)
  }

  /** Stops accepting, lets exchanges end, and cuts what is left after `timeout` milliseconds. */
  drain(timeout: number): void {
    this.#draining = true
    if (this.#restart !== null) clearTimeout(this.#restart)
    if (this.#state === 'serving') this.post({ kind: 'drain', timeout })
    else if (this.#state !== 'drained') void this.terminate()
  }

  /** The same, while other threads stay; `start` brings it back once it is drained. */
  retire(timeout: number): void {
    this.#retiring = true
    this.#late = setTimeout(() => void this.terminate(), timeout + drainSlack)
    this.drain(timeout)
  }

  /**
   * To be called now and then, `elapsed` milliseconds after the last time: a worker whose event loop stood still for
   * `patience` milliseconds is ended, and replaced like one that died. Never sooner: a busy machine is no fault of it.
   */
  watch(elapsed: number, patience: number): void {
    const beat = new Float64Array(this.counters)[counter.heartbeat]!
    if (this.#state !== 'serving' || beat !== this.#beat) this.#silence = 0
    else this.#silence += elapsed
    this.#beat = beat
    if (this.#silence < patience) return
    this.#silence = 0
    this.#host.log.error({ thread: this.index, seconds: patience / 1000 }, 'a data thread hangs and is ended')
    void this.#worker?.terminate()
  }

  /** Ends the worker at once; none follows it. */
  async terminate(): Promise<void> {
    this.#draining = true
    if (this.#restart !== null) clearTimeout(this.#restart)
    this.#restart = null
    clearTimeout(this.#late)
    const worker = this.#worker
    await worker?.terminate()
    if (worker === null) this.#become('drained')
  }

  /** A place that is used again starts as a new one; what it counted stays. */
  #forget(): void {
    this.#servingSince = 0
    this.#deaths = 0
    this.#deathsAtStart = 0
    this.#cut = 0
  }

  #hear(message: FromData): void {
    switch (message.kind) {
      case 'listening':
        this.#servingSince = performance.now()
        this.#deathsAtStart = 0
        // It does not listen before the world that it was given is in force.
        this.#appliedVersion = Math.max(this.#appliedVersion, this.#startVersion)
        this.#host.listening(this, message)
        this.#become('serving')
        break
      case 'listen-failed':
        this.#host.listenFailed(this, message)
        // A thread that does not listen is of no use; its exit starts the next one.
        void this.#worker?.terminate()
        break
      case 'applied':
        this.#appliedVersion = message.version
        this.#host.changed(this)
        break
      case 'drained':
        this.#cut = message.cut
        // Its place may be needed again: then nothing of the worker may be left.
        if (this.#retiring) void this.terminate()
        else this.#become('drained')
        break
      case 'builder-port':
        this.#answersBuilderPort = true
        this.#host.changed(this)
        break
      case 'access-log':
        this.#host.accessLog(message.lines)
        break
      case 'log':
        this.#host.heard(message, this.index)
        break
      default:
        assertNever(message)
    }
  }

  #died(code: number): void {
    this.#worker = null
    const view = new Float64Array(this.counters)
    for (const position of gauges) view[position] = 0
    this.#appliedVersion = -1
    if (this.#draining) {
      this.#become('drained')
      return
    }
    const served = this.#state === 'serving'
    if (!served) this.#deathsAtStart++
    this.#deaths = served && performance.now() - this.#servingSince > goodLife ? 1 : this.#deaths + 1
    const delay = Math.min(longestDelay, firstDelay * 2 ** (this.#deaths - 1))
    this.#host.log.error({ thread: this.index, code, delay }, 'a data thread ended and is replaced')
    this.#restart = setTimeout(() => {
      this.#restarts++
      this.start()
    }, delay)
    this.#become('dead')
  }

  #become(state: DataThreadState): void {
    this.#state = state
    // Who is gone for good does not hold back the version that is in force everywhere.
    if (state === 'drained' && this.#retiring) new Float64Array(this.counters)[counter.configVersion] = Infinity
    this.#host.changed(this)
  }
}
