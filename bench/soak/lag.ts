// How late the event loop of this process is: what a clock in it says of others is no more exact than that.

const interval = 10
/** Looks kept: two seconds. */
const kept = 200

export class Lag {
  readonly #late = new Float64Array(kept)
  readonly #timer: NodeJS.Timeout
  #last = performance.now()
  #count = 0

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now()
      this.#late[this.#count++ % kept] = Math.max(0, now - this.#last - interval)
      this.#last = now
    }, interval).unref()
  }

  /** The longest delay of about the last two seconds, milliseconds. */
  get longest(): number {
    return Math.max(performance.now() - this.#last - interval, ...this.#late)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

/** Milliseconds of a clock that all processes of this machine share (CLOCK_MONOTONIC). */
export function sharedClock(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}
