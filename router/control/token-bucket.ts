// So many a second, and a few more at once: a bound on what we ask of the API server.

export interface TokenBucketOptions {
  /** Tokens that come back, each second. */
  readonly rate: number
  /** Tokens at the beginning, and at most. */
  readonly burst: number
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number
}

export class TokenBucket {
  readonly #options: TokenBucketOptions
  #tokens: number
  #filledAt: number

  constructor(options: TokenBucketOptions) {
    this.#options = options
    this.#tokens = options.burst
    this.#filledAt = options.now()
  }

  /** Takes a token, if there is one. */
  take(): boolean {
    this.#fill()
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  /** Milliseconds until there is a token; 0: there is one. */
  wait(): number {
    this.#fill()
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.#options.rate) * 1000)
  }

  #fill(): void {
    const now = this.#options.now()
    const back = (Math.max(0, now - this.#filledAt) / 1000) * this.#options.rate
    this.#tokens = Math.min(this.#options.burst, this.#tokens + back)
    this.#filledAt = now
  }
}
