// The keys of session tickets in this process, the same in all its data threads, so that a client may resume with any of
// them: those that all replicas share, or else our own, which no other replica can read. Shared keys that nobody
// follows up (the leader may not write them, or they were deleted) do not count for ever: then ours do.

import {
  credibleTicketKeys,
  joinTicketKeys,
  lead,
  lifeOfKeys,
  nextTicketKeys,
  type TicketKey,
} from './ticket-key-list.ts'

/** Longer than timers can wait is not needed: keys live for a week at most. */
const longestWait = 24 * 3_600_000

export class TicketKeys implements Disposable {
  readonly #onChanged: (keys: Uint8Array) => void
  readonly #now: () => number
  #life = lifeOfKeys(0)
  #own: readonly TicketKey[] = []
  #shared: readonly TicketKey[] = []
  #current: Uint8Array
  #timer: NodeJS.Timeout | undefined
  #disposed = false

  /** `onChanged` is called with what `current` has become. */
  constructor(onChanged: (keys: Uint8Array) => void, now: () => number = Date.now) {
    this.#onChanged = onChanged
    this.#now = now
    this.#current = this.#joined()
    this.#wait()
  }

  /** Sets of 48 octets, that which makes tickets first. A secret: it goes to data threads and nowhere else. */
  get current(): Uint8Array {
    return this.#current
  }

  /** Milliseconds for which sessions may be resumed. */
  outlive(sessionTimeout: number): void {
    const life = lifeOfKeys(sessionTimeout)
    if (life === this.#life) return
    this.#life = life
    this.#look()
  }

  /** What all replicas know; empty: nothing. */
  share(keys: readonly TicketKey[]): void {
    if (keys === this.#shared) return
    this.#shared = keys
    this.#look()
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    clearTimeout(this.#timer)
  }

  #look(): void {
    if (this.#disposed) return
    const joined = this.#joined()
    this.#wait()
    if (Buffer.compare(joined, this.#current) === 0) return
    this.#current = joined
    this.#onChanged(joined)
  }

  #joined(): Uint8Array {
    const now = this.#now()
    const shared = this.#usable(now)
    if (shared.length > 0) return joinTicketKeys(shared, now)
    this.#own = nextTicketKeys(this.#own, now, this.#life) ?? this.#own
    return joinTicketKeys(this.#own, now)
  }

  /** Of what replicas share; empty: our own keys are in use. */
  #usable(now: number): readonly TicketKey[] {
    const keys = credibleTicketKeys(this.#shared, now)
    const newest = keys.at(-1)
    return newest !== undefined && now < newest.since + 2 * this.#life ? keys : []
  }

  /** Until the next key's time comes, or shared ones have had theirs, or another one of our own is due. */
  #wait(): void {
    clearTimeout(this.#timer)
    const now = this.#now()
    const shared = this.#usable(now)
    const keys = shared.length > 0 ? shared : this.#own
    const newest = keys.at(-1)!.since
    const times = keys.map(({ since }) => since).filter(since => since > now)
    times.push(keys === shared ? newest + 2 * this.#life : newest + this.#life - lead)
    const wait = Math.min(longestWait, Math.max(1000, Math.min(...times) - now))
    this.#timer = setTimeout(() => this.#look(), wait).unref()
  }
}
