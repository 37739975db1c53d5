// The data threads as control sees them: started, told of each change, replaced when they die, drained at the end.

import type { Worker } from 'node:worker_threads'
import { collectGarbage } from '#kit/collect-garbage.ts'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { LineWriter } from '#kit/line-writer.ts'
import type { Logger } from '#kit/log.ts'
import type { DataThreadOptions, FromData } from '../model/message.ts'
import type { Patch } from '../model/patch.ts'
import { type SharedPatch, sharePatch } from '../model/shared-certificates.ts'
import { Acceptor } from './acceptor.ts'
import { BuilderListeners } from './builder-listeners.ts'
import { BuilderPort } from './builder-port.ts'
import { DataThread, type DataThreadHost, type DataThreadState, type ListenFailure } from './data-thread.ts'
import { capacityOf, fileLimit } from './file-limit.ts'
import { HandOver } from './hand-over.ts'
import { listenError, type Port, probePort } from './port.ts'
import type { Published } from './published.ts'
import { SpareWorkers } from './spare-workers.ts'
import { ThreadLog } from './thread-log.ts'
import type { TicketKey } from './ticket-key-list.ts'
import { TicketKeys } from './ticket-keys.ts'

/** A thread that died this often before it served will not serve. */
const hopeless = 5
/** Milliseconds between two looks at whether threads are alive. */
const watchInterval = 1_000
/** So long may the event loop of a thread stand still: machines can be very busy, and tables very large. */
const patience = 30_000

export interface DataPlaneOptions {
  readonly address: string
  /** 0: the kernel chooses. */
  readonly httpPort: number
  readonly httpsPort: number
  /** Open only while there is a builder. */
  readonly builderPort: number
  /** How long the connections of a thread that is not needed any more may go on, milliseconds. */
  readonly drainTimeout: number
  /** What a thread starts from. */
  readonly published: Published
  readonly accessLog: LineWriter
  readonly log: Logger
  /** Every thread keeps dying before it serves: nothing here can help. Called once, and only after `start` resolved. */
  readonly onHopeless: (error: StartupError) => void
  /** Whether threads share ports (`SO_REUSEPORT`, which spreads connections on Linux only). */
  readonly reusePort?: boolean
  readonly workerUrl?: URL
  /** How long a thread may hang before it is replaced, milliseconds; 30 s unless told. */
  readonly patience?: number
  /** Milliseconds until the port of the builder is tried again; 5 s unless told. */
  readonly builderRetry?: number
  /** Called once, when the threads are started; collects garbage unless told. */
  readonly onThreadsStarted?: () => void
}

export interface Ports {
  readonly httpPort: number
  readonly httpsPort: number
  /** Null: closed, for there is no builder or the port cannot be had. */
  readonly builderPort: number | null
}

export interface ThreadStatus {
  readonly index: number
  readonly state: DataThreadState
  readonly appliedVersion: number
  readonly restarts: number
}

export class DataPlane implements DataThreadHost {
  readonly workerUrl: URL
  readonly log: Logger
  readonly #options: DataPlaneOptions
  readonly #reusePort: boolean
  readonly #onThreadsStarted: () => void
  readonly #threadLog: ThreadLog
  readonly #waiting = new Set<() => void>()
  readonly #files = fileLimit()
  readonly #ticketKeys = new TicketKeys(keys => {
    for (const thread of this.#places) thread.post({ kind: 'ticket-keys', keys })
  })
  readonly #spare: SpareWorkers
  readonly #builderListeners: BuilderListeners
  readonly #builderPort: BuilderPort
  /** Every place that a thread ever had, retired ones too: their totals still count. */
  readonly #places: DataThread[] = []
  readonly #handOver: HandOver
  #lastWorld: WeakRef<SharedPatch> | null = null
  #wanted = 0
  #ports: Pick<Ports, 'httpPort' | 'httpsPort'>
  #acceptors: readonly Acceptor[] = []
  #watch: NodeJS.Timeout | undefined
  #started = false
  #failure: StartupError | null = null
  #draining = false

  constructor(options: DataPlaneOptions) {
    this.#options = options
    this.workerUrl = options.workerUrl ?? new URL('../data/main.ts', import.meta.url)
    this.#spare = new SpareWorkers(this.workerUrl)
    this.log = options.log
    this.#reusePort = options.reusePort ?? process.platform === 'linux'
    this.#threadLog = new ThreadLog(options.log)
    this.#onThreadsStarted = options.onThreadsStarted ?? collectGarbage
    this.#handOver = new HandOver(this.#places, options.log)
    this.#ports = { httpPort: options.httpPort, httpsPort: options.httpsPort }
    const listeners = new BuilderListeners({
      address: options.address,
      number: options.builderPort,
      reusePort: this.#reusePort,
      threads: this.#places,
      handOver: this.#handOver,
      until: done => this.#until(done),
    })
    this.#builderListeners = listeners
    this.#builderPort = new BuilderPort({
      open: () => listeners.open(),
      close: () => listeners.close(),
      log: this.log,
      ...(options.builderRetry !== undefined && { retry: options.builderRetry }),
    })
  }

  /** Throws StartupError 69 when a port is not to be had. Call it early: `start` waits for the first configuration. */
  async probe(): Promise<void> {
    for (const port of this.#portsWanted()) await probePort(port)
  }

  /** Starts what `start` will take, so that it takes less time. So many that are too many end again. */
  prepare(threads: number): void {
    this.#spare.prepare(threads)
  }

  /** Starts `threads` threads from what is published. Rejects with StartupError 69 when they cannot listen or keep dying. */
  async start(threads: number): Promise<Ports> {
    this.#wanted = threads
    for (let index = 0; index < threads; index++) this.#places.push(new DataThread(index, this))
    try {
      this.#applySettings()
      if (this.#reusePort) await this.probe()
      else await this.#accept()
      if (this.#draining) throw new StartupError(exitCode.unavailable, 'asked to end before the start was complete')
      this.#places[0]?.start()
      // The first one turns port 0 into a number for the others.
      if (this.#ports.httpPort === 0 || this.#ports.httpsPort === 0)
        await this.#until(() => this.#places[0]?.state === 'serving')
      for (const thread of this.#places.slice(1)) thread.start()
      void this.#spare.end()
      // The threads are busy with what we have told them; what it took to find that out is garbage now.
      this.#onThreadsStarted()
      await this.#until(() => this.#places.every(({ state }) => state === 'serving'))
      await this.#followBuilder()
    } catch (error) {
      await this.close()
      throw error
    }
    this.#started = true
    this.#watchOver()
    this.#resize()
    // Either may have changed while the start was under way.
    void this.#followBuilder()
    return { ...this.#ports, builderPort: this.#builderPort.port }
  }

  /** From now on there are to be so many threads: new ones serve before others go. */
  resize(threads: number): void {
    this.#wanted = threads
    this.#resize()
  }

  /** Every thread accepts connections, but for those that have only just been added to others. */
  get serving(): boolean {
    const staying = this.#staying()
    return (
      staying.some(({ state }) => state === 'serving') &&
      staying.every(({ state, fresh }) => state === 'serving' || fresh)
    )
  }

  get draining(): boolean {
    return this.#draining
  }

  /** Threads that there are, those on their way out included. */
  threads(): readonly ThreadStatus[] {
    return this.#places
      .filter(({ retiring, state }) => !retiring || state !== 'drained')
      .map(({ index, state, appliedVersion, restarts }) => ({ index, state, appliedVersion, restarts }))
  }

  /** Threads started in place of one that died, ever. */
  get restarts(): number {
    return this.#places.reduce((sum, { restarts }) => sum + restarts, 0)
  }

  /** Laid out by model/counters.ts, one for each thread that there ever was. */
  counters(): readonly Float64Array[] {
    return this.#places.map(({ counters }) => new Float64Array(counters))
  }

  /** Sends what is already in `published` to every thread; those that are dead will start from it. */
  apply(patch: Patch): void {
    if (patch.settings !== undefined) this.#applySettings()
    const shared = sharePatch(patch)
    for (const thread of this.#places) thread.post({ kind: 'patch', patch: shared })
    if (this.#started && patch.builder !== undefined) void this.#followBuilder()
  }

  /** The keys of session tickets that all replicas know; empty: none, and the threads share what no other process knows. */
  shareTicketKeys(keys: readonly TicketKey[]): void {
    this.#ticketKeys.share(keys)
  }

  /** Resolves when every thread that serves has this version or a later one in force. */
  applied(version: number): Promise<void> {
    return this.#until(() =>
      this.#places.every(thread => thread.state !== 'serving' || thread.appliedVersion >= version),
    )
  }

  /**
   * Accepts no more, lets open exchanges end for up to `timeout` milliseconds and cuts what is left.
   * Resolves with the number of connections cut.
   */
  async drain(timeout: number): Promise<number> {
    this.#acceptNoMore()
    const staying = this.#staying()
    for (const thread of this.#places) thread.drain(timeout)
    // The threads keep to the timeout themselves; one that does not answer is ended.
    const late = AbortSignal.timeout(timeout + 2000)
    await this.#until(() => this.#places.every(({ state }) => state === 'drained'), late).catch(() => {
      this.log.warn({ timeout }, 'data threads did not answer the drain and are ended')
    })
    await Promise.all(this.#places.map(thread => thread.terminate()))
    return staying.reduce((cut, thread) => cut + thread.cut, 0)
  }

  /** Ends all threads at once. */
  async close(): Promise<void> {
    this.#acceptNoMore()
    await Promise.all([this.#spare.end(), ...this.#places.map(thread => thread.terminate())])
  }

  spare(): Worker | null {
    return this.#spare.take()
  }

  options(): Omit<DataThreadOptions, 'index' | 'counters'> {
    return {
      address: this.#options.address,
      ...this.#ports,
      builderPort: this.#builderListeners.ordered,
      reusePort: this.#reusePort,
      capacity: this.#capacity(),
      ticketKeys: this.#ticketKeys.current,
      world: this.#world(),
    }
  }

  /** For all threads that start before the next change, and no longer. */
  #world(): SharedPatch {
    const { published } = this.#options
    const last = this.#lastWorld?.deref()
    if (last?.version === published.version) return last
    const world = sharePatch(published.whole())
    this.#lastWorld = new WeakRef(world)
    return world
  }

  listening(thread: DataThread, { httpPort, httpsPort, builderPort }: FromData & { readonly kind: 'listening' }): void {
    if (!this.#reusePort) return
    this.#ports = { httpPort, httpsPort }
    // The wish may have changed while it started.
    const port = this.#builderListeners.ordered
    if (builderPort !== port) thread.post({ kind: 'builder-port', port })
  }

  listenFailed(thread: DataThread, { port, code, message }: ListenFailure): void {
    if (this.#started) {
      this.log.error({ thread: thread.index, port, code, reason: message }, 'a data thread cannot listen')
      return
    }
    const wanted = this.#portsWanted()
    this.#failure = listenError(wanted.find(({ number }) => number === port) ?? wanted[0]!, code)
    this.#wake()
  }

  accessLog(lines: Uint8Array): void {
    this.#options.accessLog.write(lines)
  }

  heard(entry: FromData & { readonly kind: 'log' }, thread: number): void {
    this.#threadLog.write(entry, thread)
  }

  changed(): void {
    const staying = this.#staying()
    const hopelessly = staying.filter(({ deathsAtStart }) => deathsAtStart >= hopeless).length
    const started = staying.filter(({ state }) => state !== 'idle').length
    if (hopelessly > 0 && hopelessly === started && this.#failure === null && !this.#draining) {
      this.#failure = new StartupError(
        exitCode.unavailable,
        'the data threads keep dying before they serve; see the errors above',
      )
      if (this.#started) this.#options.onHopeless(this.#failure)
    }
    this.#resize()
    this.#wake()
  }

  #portsWanted(): readonly Port[] {
    const { address } = this.#options
    return [
      { flag: '--http-port', address, number: this.#ports.httpPort },
      { flag: '--https-port', address, number: this.#ports.httpsPort },
    ]
  }

  #staying(): readonly DataThread[] {
    return this.#places.filter(({ retiring }) => !retiring)
  }

  /** New threads start at once; surplus ones go when all that stay serve. */
  #resize(): void {
    if (!this.#started || this.#draining) return
    const before = this.#staying().length
    // What threads do in here leads back here: so each step looks anew.
    while (this.#staying().length < this.#wanted) this.#freePlace().start()
    while (this.#staying().length > this.#wanted) {
      const staying = this.#staying()
      if (staying.slice(0, this.#wanted).some(({ state }) => state !== 'serving')) break
      staying.at(-1)?.retire(this.#options.drainTimeout)
    }
    const { length } = this.#staying()
    if (length === before) return
    this.log.info({ threads: length }, 'the number of data threads changes')
    const connections = this.#capacity()
    for (const thread of this.#places) thread.post({ kind: 'capacity', connections })
  }

  #freePlace(): DataThread {
    const free = this.#places.find(({ retiring, state }) => retiring && state === 'drained')
    if (free !== undefined) return free
    const thread = new DataThread(this.#places.length, this)
    this.#places.push(thread)
    return thread
  }

  #capacity(): number {
    return capacityOf(this.#files, Math.max(1, this.#staying().length))
  }

  /** Ends threads that hang. */
  #watchOver(): void {
    let last = performance.now()
    this.#watch = setInterval(() => {
      const now = performance.now()
      // When we stood still ourselves, so did they maybe.
      const elapsed = Math.min(now - last, 2 * watchInterval)
      last = now
      for (const thread of this.#places) thread.watch(elapsed, this.#options.patience ?? patience)
    }, watchInterval)
  }

  #acceptNoMore(): void {
    this.#draining = true
    clearInterval(this.#watch)
    this.#builderPort.stop()
    this.#ticketKeys[Symbol.dispose]()
    this.#builderListeners.stop()
    for (const acceptor of this.#acceptors) acceptor.close()
  }

  #applySettings(): void {
    const { settings } = this.#options.published
    if (settings === null) return
    this.#threadLog.follow(settings.errorLogLevel)
    this.#ticketKeys.outlive(settings.tls.sessionTimeout)
  }

  async #accept(): Promise<void> {
    const [http, https] = this.#portsWanted()
    const plain = await Acceptor.listen(http!, socket => this.#handOver.take(socket, 'http'))
    this.#acceptors = [plain]
    const secure = await Acceptor.listen(https!, socket => this.#handOver.take(socket, 'https'))
    this.#acceptors = [plain, secure]
    this.#ports = { httpPort: plain.port, httpsPort: secure.port }
  }

  #followBuilder(): Promise<void> {
    return this.#builderPort.want(this.#options.published.builder !== null)
  }

  #until(done: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (!done() && this.#failure === null && !signal?.aborted) return
        this.#waiting.delete(check)
        signal?.removeEventListener('abort', check)
        if (done()) resolve()
        else reject(this.#failure ?? signal?.reason)
      }
      this.#waiting.add(check)
      signal?.addEventListener('abort', check)
      check()
    })
  }

  #wake(): void {
    for (const check of [...this.#waiting]) check()
  }
}
