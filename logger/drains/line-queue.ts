// Messages that wait for a log drain, bounded in octets; and bounded all together, so that many drains that nobody answers take no
// more memory than a few.

/** Octets that wait in all queues. */
export class SharedRoom {
  readonly most: number
  used = 0

  constructor(most: number) {
    this.most = most
  }
}

export class LineQueue {
  readonly #most: number
  readonly #least: number
  readonly #room: SharedRoom
  #messages: Buffer[] = []
  #from = 0
  #octets = 0

  /** `most`: octets; `least`: what it may have although all together have too many. */
  constructor(most: number, least: number, room: SharedRoom) {
    this.#most = most
    this.#least = least
    this.#room = room
  }

  get length(): number {
    return this.#messages.length - this.#from
  }

  /** False: there is no room. */
  push(message: Buffer): boolean {
    const octets = this.#octets + message.length
    if (octets > this.#most || (this.#room.used + message.length > this.#room.most && octets > this.#least))
      return false
    this.#messages.push(message)
    this.#count(message.length)
    return true
  }

  /** The oldest, together not much more than `octets`. */
  take(octets: number): Buffer[] {
    const taken: Buffer[] = []
    for (let size = 0; this.#from < this.#messages.length && size < octets; this.#from++) {
      const message = this.#messages[this.#from]!
      taken.push(message)
      size += message.length
      this.#count(-message.length)
    }
    if (this.#from > 1000 || this.#from === this.#messages.length) {
      this.#messages = this.#messages.slice(this.#from)
      this.#from = 0
    }
    return taken
  }

  /** They were taken and could not be sent: they come first again. */
  putBack(messages: readonly Buffer[]): void {
    this.#messages = [...messages, ...this.#messages.slice(this.#from)]
    this.#from = 0
    for (const { length } of messages) this.#count(length)
  }

  /** Returns how many there were. */
  clear(): number {
    const { length } = this
    this.take(Number.POSITIVE_INFINITY)
    return length
  }

  #count(octets: number): void {
    this.#octets += octets
    this.#room.used += octets
  }
}
