// The port of the builder (contract section 5): open while there is a builder. The rest of the router does not depend on
// it, so a port that cannot be had is an error in the log and tried again.

import type { Logger } from '#kit/log.ts'

export interface BuilderPortOptions {
  /** Resolves with the port; rejects when it cannot be had. */
  readonly open: () => Promise<number>
  readonly close: () => Promise<void>
  readonly log: Logger
  /** Milliseconds between two tries; 5000 unless told. */
  readonly retry?: number
}

export class BuilderPort {
  readonly #options: BuilderPortOptions
  #wanted = false
  #port: number | null = null
  #working: Promise<void> | null = null
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: BuilderPortOptions) {
    this.#options = options
  }

  /** Null: closed. */
  get port(): number | null {
    return this.#port
  }

  /** Resolves when the port is as wanted, or cannot be had for now. */
  want(wanted: boolean): Promise<void> {
    this.#wanted = wanted
    clearTimeout(this.#timer)
    this.#working ??= this.#work().finally(() => {
      this.#working = null
    })
    return this.#working
  }

  /** Tries no more. What is open stays so. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** One step after the other, however often the wish changes meanwhile. */
  async #work(): Promise<void> {
    const { open, close, log, retry = 5_000 } = this.#options
    while (!this.#stopped && this.#wanted !== (this.#port !== null)) {
      if (this.#port !== null) {
        this.#port = null
        await close()
        log.info('the port of the builder is closed')
        continue
      }
      try {
        this.#port = await open()
        log.info({ port: this.#port }, 'the port of the builder is open')
      } catch (error) {
        if (this.#stopped) return
        log.error({ reason: (error as Error).message }, 'the port of the builder cannot be had; it is tried again')
        this.#timer = setTimeout(() => void this.want(this.#wanted), retry)
        return
      }
    }
  }
}
