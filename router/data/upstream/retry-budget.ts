// How many requests of an upstream may be sent again: what fails under load must not get more load by that. A fifth of the
// requests of the last ten seconds, and ten, so that an app with few requests has its retries too. Pure.

const window = 10_000
const allowance = 10
const portion = 0.2

export class RetryBudget {
  // Two windows side by side: what counts of the one before fades as the present one fills. A number for each instead
  // of a list of times.
  #began = Number.NEGATIVE_INFINITY
  #requests = 0
  #retries = 0
  #requestsBefore = 0
  #retriesBefore = 0

  noteRequest(now: number): void {
    if (now - this.#began >= window) this.#turn(now)
    this.#requests++
  }

  /** Takes one retry out of the budget; false: there is none. */
  spend(now: number): boolean {
    if (now - this.#began >= window) this.#turn(now)
    const rest = 1 - (now - this.#began) / window
    const requests = this.#requests + this.#requestsBefore * rest
    const retries = this.#retries + this.#retriesBefore * rest
    if (retries + 1 > allowance + portion * requests) return false
    this.#retries++
    return true
  }

  #turn(now: number): void {
    const isNext = now - this.#began < 2 * window
    this.#requestsBefore = isNext ? this.#requests : 0
    this.#retriesBefore = isNext ? this.#retries : 0
    this.#began = isNext ? this.#began + window : now
    this.#requests = 0
    this.#retries = 0
  }
}
