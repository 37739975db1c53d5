// Whether an endpoint is left alone for a while, because requests to it failed. Pure: time comes in.
//
//   in use ──failed──▶ at rest ──over──▶ one request on trial ──▶ in use again, or at rest for twice as long

/** Milliseconds: the first rest, and the longest. */
const shortest = 5_000
const longest = 60_000

/** Stable: metrics and the log name them. `unreachable`: no connection came about; `failing`: it answers no more. */
export type RestReason = 'unreachable' | 'failing'

export class Rest {
  /** Failures in a row. */
  failures = 0
  /** Left alone before this time. */
  until = 0
  /** What it failed at last; null: it is in use without reserve. */
  reason: RestReason | null = null
  /** When it failed last. */
  failedAt = 0
  #length = 0
  #onTrial = false

  /** Milliseconds that the present rest takes in all. */
  get length(): number {
    return this.#length
  }

  /** False: it rests already, and this tells nothing new. */
  begin(now: number, reason: RestReason): boolean {
    this.failedAt = now
    if (now < this.until && !this.#onTrial) return false
    this.#length = Math.min(longest, this.reason === null ? shortest : this.#length * 2)
    this.#onTrial = false
    this.reason = reason
    this.until = now + this.#length
    return true
  }

  /** The rest is over, and one request goes there. Others stay away until it is known how that ended, or for as long again. */
  tryOut(now: number): void {
    this.#onTrial = true
    this.until = now + this.#length
  }

  /** A request went well. False: nothing has changed by it, as it may have been on its way since before the rest. */
  recover(now: number): boolean {
    this.failures = 0
    return (now >= this.until || this.#onTrial) && this.clear()
  }

  /** Whatever it failed at is over. False: nothing was. */
  clear(): boolean {
    if (this.reason === null) return false
    this.failures = 0
    this.#length = 0
    this.#onTrial = false
    this.reason = null
    this.until = 0
    return true
  }
}
