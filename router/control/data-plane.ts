// The data threads as control sees them: started, told of each change, replaced when they die, drained at the end.

import type { Socket } from 'node:net'
import type { Transferable } from 'node:worker_threads'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { LineWriter } from '#kit/line-writer.ts'
import { type Logger, levelOf } from '#kit/log.ts'
import type { DataThreadOptions, FromData } from '../model/message.ts'
import type { Patch } from '../model/patch.ts'
import { Acceptor } from './acceptor.ts'
import { DataThread, type DataThreadHost, type DataThreadState, type ListenFailure } from './data-thread.ts'
import { listenError, type Port, probePort } from './port.ts'
import type { Published } from './published.ts'

/** A thread that died this often before it served will not serve. */
const hopeless = 5
/** Lines that data threads may log in a second; tenants' endpoints can provoke any number. */
const maxLogLines = 100

export interface DataPlaneOptions {
  readonly address: string
  /** 0: the kernel chooses. */
  readonly httpPort: number
  readonly httpsPort: number
  /** What a thread starts from. */
  readonly published: Published
  readonly accessLog: LineWriter
  readonly log: Logger
  /** Every thread keeps dying before it serves: nothing here can help. Called once, and only after `start` resolved. */
  readonly onHopeless: (error: StartupError) => void
  /** Whether threads share ports (`SO_REUSEPORT`, which spreads connections on Linux only). */
  readonly reusePort?: boolean
  readonly workerUrl?: URL
}

export interface Ports {
  readonly httpPort: number
  readonly httpsPort: number
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
  readonly #dataLog: Logger
  readonly #waiting = new Set<() => void>()
  #threads: readonly DataThread[] = []
  #ports: Ports
  #acceptors: readonly Acceptor[] = []
  #next = 0
  #started = false
  #failure: StartupError | null = null
  #draining = false
  #logWindow = 0
  #logLines = 0

  constructor(options: DataPlaneOptions) {
    this.#options = options
    this.workerUrl = options.workerUrl ?? new URL('../data/main.ts', import.meta.url)
    this.log = options.log
    this.#reusePort = options.reusePort ?? process.platform === 'linux'
    this.#dataLog = options.log.child({})
    this.#ports = { httpPort: options.httpPort, httpsPort: options.httpsPort }
  }

  /** Throws StartupError 69 when a port is not to be had. Call it early: `start` waits for the first configuration. */
  async probe(): Promise<void> {
    for (const port of this.#portsWanted()) await probePort(port)
  }

  /** Starts `threads` threads from what is published. Rejects with StartupError 69 when they cannot listen or keep dying. */
  async start(threads: number): Promise<Ports> {
    this.#threads = Array.from({ length: threads }, (_, index) => new DataThread(index, this))
    try {
      this.#applySettings()
      if (this.#reusePort) await this.probe()
      else await this.#accept()
      if (this.#draining) throw new StartupError(exitCode.unavailable, 'asked to end before the start was complete')
      // The first one turns port 0 into a number for the others.
      this.#threads[0]?.start()
      await this.#until(() => this.#threads[0]?.state === 'serving')
      for (const thread of this.#threads.slice(1)) thread.start()
      await this.#until(() => this.serving)
    } catch (error) {
      await this.close()
      throw error
    }
    this.#started = true
    return this.#ports
  }

  /** Every thread accepts connections. */
  get serving(): boolean {
    return this.#threads.length > 0 && this.#threads.every(({ state }) => state === 'serving')
  }

  get draining(): boolean {
    return this.#draining
  }

  threads(): readonly ThreadStatus[] {
    return this.#threads.map(({ index, state, appliedVersion, restarts }) => ({
      index,
      state,
      appliedVersion,
      restarts,
    }))
  }

  /** Laid out by model/counters.ts, one for each thread. */
  counters(): readonly Float64Array[] {
    return this.#threads.map(({ counters }) => new Float64Array(counters))
  }

  /** Sends what is already in `published` to every thread; those that are dead will start from it. */
  apply(patch: Patch): void {
    if (patch.settings !== undefined) this.#applySettings()
    for (const thread of this.#threads) thread.post({ kind: 'patch', patch })
  }

  /** Resolves when every thread that serves has this version or a later one in force. */
  applied(version: number): Promise<void> {
    return this.#until(() =>
      this.#threads.every(thread => thread.state !== 'serving' || thread.appliedVersion >= version),
    )
  }

  /**
   * Accepts no more, lets open exchanges end for up to `timeout` milliseconds and cuts what is left.
   * Resolves with the number of connections cut.
   */
  async drain(timeout: number): Promise<number> {
    this.#draining = true
    for (const acceptor of this.#acceptors) acceptor.close()
    for (const thread of this.#threads) thread.drain(timeout)
    // The threads keep to the timeout themselves; one that does not answer is ended.
    const late = AbortSignal.timeout(timeout + 2000)
    await this.#until(() => this.#threads.every(({ state }) => state === 'drained'), late).catch(() => {
      this.log.warn({ timeout }, 'data threads did not answer the drain and are ended')
    })
    await Promise.all(this.#threads.map(thread => thread.terminate()))
    return this.#threads.reduce((cut, thread) => cut + thread.cut, 0)
  }

  /** Ends all threads at once. */
  async close(): Promise<void> {
    this.#draining = true
    for (const acceptor of this.#acceptors) acceptor.close()
    await Promise.all(this.#threads.map(thread => thread.terminate()))
  }

  options(): Omit<DataThreadOptions, 'index' | 'counters'> {
    return {
      address: this.#options.address,
      ...this.#ports,
      reusePort: this.#reusePort,
      world: this.#options.published.whole(),
    }
  }

  listening({ httpPort, httpsPort }: Ports): void {
    if (this.#reusePort) this.#ports = { httpPort, httpsPort }
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

  heard({ level, message, fields }: FromData & { readonly kind: 'log' }, thread: number): void {
    const window = Math.floor(performance.now() / 1000)
    if (window !== this.#logWindow) {
      const lost = this.#logLines - maxLogLines
      if (lost > 0) this.#dataLog.warn({ lines: lost }, 'data threads logged too much; lines were left out')
      this.#logWindow = window
      this.#logLines = 0
    }
    if (this.#dataLog.isLevelEnabled(level) && ++this.#logLines <= maxLogLines)
      this.#dataLog[level]({ ...fields, thread }, message)
  }

  changed(): void {
    const hopelessly = this.#threads.filter(({ deathsAtStart }) => deathsAtStart >= hopeless).length
    const started = this.#threads.filter(({ state }) => state !== 'idle').length
    if (hopelessly > 0 && hopelessly === started && this.#failure === null && !this.#draining) {
      this.#failure = new StartupError(
        exitCode.unavailable,
        'the data threads keep dying before they serve; see the errors above',
      )
      if (this.#started) this.#options.onHopeless(this.#failure)
    }
    this.#wake()
  }

  #portsWanted(): readonly Port[] {
    const { address } = this.#options
    return [
      { flag: '--http-port', address, number: this.#ports.httpPort },
      { flag: '--https-port', address, number: this.#ports.httpsPort },
    ]
  }

  #applySettings(): void {
    const { settings } = this.#options.published
    if (settings !== null) this.#dataLog.level = levelOf(settings.errorLogLevel)
  }

  async #accept(): Promise<void> {
    const [http, https] = this.#portsWanted()
    const plain = await Acceptor.listen(http!, socket => this.#handOver(socket, false))
    this.#acceptors = [plain]
    const secure = await Acceptor.listen(https!, socket => this.#handOver(socket, true))
    this.#acceptors = [plain, secure]
    this.#ports = { httpPort: plain.port, httpsPort: secure.port }
  }

  #handOver(socket: Socket, secure: boolean): void {
    for (let tried = 0; tried < this.#threads.length; tried++) {
      const thread = this.#threads[this.#next++ % this.#threads.length]!
      if (thread.state !== 'serving') continue
      try {
        // Node can move a connected socket to another thread; its types do not say so yet.
        thread.post({ kind: 'socket', secure, socket }, [socket as unknown as Transferable])
        return
      } catch (error) {
        // The client went away in between.
        this.log.debug({ err: error }, 'a connection could not be handed over')
        break
      }
    }
    socket.destroy()
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
