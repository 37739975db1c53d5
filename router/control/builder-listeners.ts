// Who listens on the builder's port: every data thread where threads can share a port, else control, which hands over.

import { Acceptor } from './acceptor.ts'
import type { DataThread } from './data-thread.ts'
import type { HandOver } from './hand-over.ts'
import { choosePort, probePort } from './port.ts'

export interface BuilderListenersOptions {
  readonly address: string
  /** 0: the kernel chooses; what it chose is kept for the next time. */
  readonly number: number
  readonly reusePort: boolean
  /** May change. */
  readonly threads: readonly DataThread[]
  readonly handOver: HandOver
  /** Resolves when `done()`, which is asked whenever something about a thread changes. */
  readonly until: (done: () => boolean) => Promise<void>
}

export class BuilderListeners {
  readonly #options: BuilderListenersOptions
  #number: number
  #ordered: number | null = null
  #acceptor: Acceptor | null = null
  #stopped = false

  constructor(options: BuilderListenersOptions) {
    this.#options = options
    this.#number = options.number
  }

  /** Where threads are to listen; also for those that start later. */
  get ordered(): number | null {
    return this.#ordered
  }

  /** Resolves with the port; rejects when it cannot be had. */
  async open(): Promise<number> {
    const { address, reusePort, handOver } = this.#options
    if (reusePort && this.#number === 0) this.#number = await choosePort(address)
    const port = { flag: '--builder-port', address, number: this.#number }
    if (reusePort) {
      // A thread that still has it would be taken for a stranger.
      await this.#settled()
      await probePort(port)
      await this.#order(port.number)
    } else {
      this.#acceptor = await Acceptor.listen(port, socket => handOver.take(socket, 'builder'))
      this.#number = this.#acceptor.port
      if (this.#stopped) this.#acceptor.close()
    }
    return this.#number
  }

  async close(): Promise<void> {
    this.#acceptor?.close()
    this.#acceptor = null
    // Threads that keep dying listen nowhere.
    if (this.#options.reusePort) await this.#order(null).catch(() => {})
  }

  /** Accepts no more; the threads see to themselves. */
  stop(): void {
    this.#stopped = true
    this.#acceptor?.close()
  }

  /** Resolves when every thread that serves has done so, or has found that it cannot for now. */
  #order(port: number | null): Promise<void> {
    this.#ordered = port
    for (const thread of this.#options.threads) thread.post({ kind: 'builder-port', port })
    return this.#settled()
  }

  #settled(): Promise<void> {
    const { threads, until } = this.#options
    return until(() => threads.every(thread => thread.answersBuilderPort))
  }
}
