// Between "something changed" and "act on it": waits for a short silence, so that a rollout becomes one step, but
// never longer than a bound, so that a busy cluster cannot starve itself.

/** The timers of the platform, or of a test. */
export interface Timers {
  now(): number
  setTimeout(callback: () => void, milliseconds: number): unknown
  clearTimeout(timer: unknown): void
}

const systemTimers: Timers = {
  now: () => performance.now(),
  setTimeout: (callback, milliseconds) => setTimeout(callback, milliseconds),
  clearTimeout: timer => clearTimeout(timer as NodeJS.Timeout),
}

export interface HoldoffOptions {
  /** Runs after this long without a mark, milliseconds. */
  readonly quiet: number
  /** But no later than this after the first mark, milliseconds. */
  readonly longest: number
  readonly timers?: Timers
}

export class Holdoff implements Disposable {
  readonly #run: () => void
  readonly #quiet: number
  readonly #longest: number
  readonly #timers: Timers
  #timer: unknown = null
  #firstMark = 0

  constructor(run: () => void, options: HoldoffOptions) {
    this.#run = run
    this.#quiet = options.quiet
    this.#longest = options.longest
    this.#timers = options.timers ?? systemTimers
  }

  /** Something changed: `run` follows. */
  mark(): void {
    const now = this.#timers.now()
    if (this.#timer === null) this.#firstMark = now
    else this.#timers.clearTimeout(this.#timer)
    const left = this.#firstMark + this.#longest - now
    this.#timer = this.#timers.setTimeout(() => this.#fire(), Math.max(0, Math.min(this.#quiet, left)))
  }

  /** Forgets a pending mark. */
  [Symbol.dispose](): void {
    if (this.#timer !== null) this.#timers.clearTimeout(this.#timer)
    this.#timer = null
  }

  #fire(): void {
    this.#timer = null
    this.#run()
  }
}
