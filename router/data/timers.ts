// One coarse timer for a whole data thread. A deadline is a number in a field: moving it later, which every read and
// write does, costs a store; only what comes due is looked at. Resolution is one tick.

/** Something with a deadline. Entries link themselves into the wheel: no allocation per timer. */
export abstract class Timed {
  /** Milliseconds on the wheel's clock; Infinity: no deadline. */
  deadline = Infinity
  /** Tick at which the wheel looks at this entry; -1: not on the wheel. */
  tick = -1
  previous: Timed | null = null
  next: Timed | null = null
  /** Called once when the deadline has passed. */
  abstract onDeadline(): void
}

const slots = 512

export class TimerWheel {
  readonly resolution: number
  /** Milliseconds at the last tick, monotonic. */
  now: number
  #tick = 0
  /** Milliseconds that have passed and not filled a tick yet. */
  #rest = 0
  readonly #heads: (Timed | null)[] = new Array<Timed | null>(slots).fill(null)
  readonly #clock: () => number

  constructor(clock: () => number, resolution = 100) {
    this.#clock = clock
    this.resolution = resolution
    this.now = clock()
  }

  /** Sets the deadline to `delay` milliseconds from now. */
  set(entry: Timed, delay: number): void {
    const deadline = this.now + delay
    entry.deadline = deadline
    // An entry that is looked at early is put back; so only an earlier deadline needs a move now.
    const ahead = Math.min(Math.max(1, Math.ceil(delay / this.resolution) + 1), slots - 1)
    if (entry.tick !== -1) {
      if (entry.tick <= this.#tick + ahead) return
      this.#unlink(entry)
    }
    this.#link(entry, this.#tick + ahead)
  }

  /** No deadline; the entry leaves the wheel when it is next looked at. */
  clear(entry: Timed): void {
    entry.deadline = Infinity
  }

  /** Takes the entry off at once, so that the wheel holds no reference to it. */
  remove(entry: Timed): void {
    entry.deadline = Infinity
    if (entry.tick !== -1) this.#unlink(entry)
  }

  /** Call it every `resolution` milliseconds; late calls catch up, and early ones wait for the rest of their tick. */
  advance(): void {
    const now = this.#clock()
    const passed = this.#rest + now - this.now
    const due = Math.floor(passed / this.resolution)
    this.now = now
    this.#rest = passed - due * this.resolution
    // Once around the wheel looks at every entry.
    for (let i = Math.min(due, slots); i > 0; i--) this.#expire(++this.#tick)
  }

  #expire(tick: number): void {
    const slot = tick % slots
    // Nothing links into this slot while it is worked off: every link goes between 1 and slots - 1 ticks ahead.
    for (let entry = this.#heads[slot] ?? null; entry !== null; entry = this.#heads[slot] ?? null) {
      this.#unlink(entry)
      if (entry.deadline <= this.now) {
        entry.deadline = Infinity
        entry.onDeadline()
      } else if (entry.deadline !== Infinity) {
        const ahead = Math.ceil((entry.deadline - this.now) / this.resolution)
        this.#link(entry, tick + Math.min(Math.max(1, ahead), slots - 1))
      }
    }
  }

  #link(entry: Timed, tick: number): void {
    const slot = tick % slots
    const head = this.#heads[slot] ?? null
    entry.tick = tick
    entry.previous = null
    entry.next = head
    if (head !== null) head.previous = entry
    this.#heads[slot] = entry
  }

  #unlink(entry: Timed): void {
    if (entry.previous !== null) entry.previous.next = entry.next
    else this.#heads[entry.tick % slots] = entry.next
    if (entry.next !== null) entry.next.previous = entry.previous
    entry.previous = null
    entry.next = null
    entry.tick = -1
  }
}
