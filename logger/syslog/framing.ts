// Where messages of syslog begin and end in a stream of octets (RFC 6587): counted (`LEN SP MSG`) or ended by a line end, told
// apart for each message. What a sender can make it hold is bounded, and what is no message passes as a line of its own, so that
// after garbage it goes on at the next line end.

/** The message with its length before it, as it goes over TCP and TLS (RFC 6587 section 3.4.1, RFC 5425). */
export function frameMessage(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${message.length} `), message])
}

/** A count beyond this is none: whoever sends it is no sender of syslog. */
const maxCount = 1024 * 1024

const lineFeed = 0x0a
const blank = 0x20
const lessThan = 0x3c

/** Called for each message; `octets` are only good until it returns. */
export type MessageListener = (octets: Buffer, cut: boolean) => void

export class Deframer {
  readonly #most: number
  readonly #listener: MessageListener
  /** The beginning of a message whose end is yet to come, in the first `#length` octets: grows to `#most` and a count before it. */
  #held = Buffer.alloc(0)
  #length = 0
  /** Of the held message, its count included; 0: its end is a line end, or it is not known yet. */
  #wanted = 0
  /** Octets of its count. */
  #head = 0
  #known = false
  /** Octets that belong to a message that was too long, and to nobody. */
  #skip = 0
  #skipLine = false

  /** `most`: octets of a message; what is longer is cut there. */
  constructor(most: number, listener: MessageListener) {
    this.#most = most
    this.#listener = listener
  }

  /** Octets that are held. */
  get held(): number {
    return this.#held.length
  }

  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at)
        this.#skip -= skipped
        at += skipped
      } else if (this.#skipLine) {
        const end = chunk.indexOf(lineFeed, at)
        this.#skipLine = end < 0
        at = end < 0 ? chunk.length : end + 1
      } else if (this.#length === 0) at = this.#begin(chunk, at)
      else at = this.#continue(chunk, at)
    }
  }

  /** The stream has ended: what is left of a line is one; what is left of a counted message, too, cut. */
  end(): void {
    if (this.#length > 0) this.#emit(this.#held.subarray(this.#head, this.#length), this.#wanted > 0)
    this.#reset()
    this.#held = Buffer.alloc(0)
  }

  /** A message begins at `at`: mostly all of it is there. */
  #begin(chunk: Buffer, at: number): number {
    // Some end counted messages with a line end as well.
    if (chunk[at] === lineFeed || chunk[at] === 0x0d || chunk[at] === 0) return at + 1
    const count = countAt(chunk, at, chunk.length)
    if (count === null) {
      this.#hold(chunk, at, chunk.length)
      return chunk.length
    }
    if (count.octets > 0) {
      const from = at + count.head
      const end = from + count.octets
      if (count.octets > this.#most) return this.#counted(chunk, at, count)
      if (end > chunk.length) return this.#counted(chunk, at, count)
      this.#emit(chunk.subarray(from, end), false)
      return end
    }
    this.#known = true
    const end = chunk.indexOf(lineFeed, at)
    if (end >= 0 && end - at <= this.#most) {
      this.#known = false
      this.#emit(chunk.subarray(at, end), false)
      return end + 1
    }
    return this.#line(chunk, at)
  }

  #continue(chunk: Buffer, at: number): number {
    if (this.#wanted > 0) return this.#fill(chunk, at)
    if (this.#known) return this.#line(chunk, at)
    // A few octets of what may be a count: with one more each time it is soon known what it is.
    this.#hold(chunk, at, at + 1)
    const count = countAt(this.#held, 0, this.#length)
    if (count === null) return at + 1
    if (count.octets > 0) {
      this.#expect(count)
      return at + 1
    }
    this.#known = true
    // The octet that told may be the line end itself.
    if (this.#held[this.#length - 1] === lineFeed) {
      const line = this.#held.subarray(0, this.#length - 1)
      this.#reset()
      this.#emit(line, false)
    }
    return at + 1
  }

  #counted(chunk: Buffer, at: number, count: Count): number {
    this.#hold(chunk, at, at + count.head)
    this.#expect(count)
    return this.#fill(chunk, at + count.head)
  }

  #expect({ head, octets }: Count): void {
    this.#known = true
    this.#head = head
    this.#wanted = head + octets
  }

  /** Takes what is missing of a counted message. */
  #fill(chunk: Buffer, at: number): number {
    const most = this.#head + this.#most
    const until = Math.min(this.#wanted, most)
    const end = Math.min(chunk.length, at + until - this.#length)
    this.#hold(chunk, at, end)
    if (this.#length < until) return end
    const message = this.#held.subarray(this.#head, this.#length)
    this.#skip = this.#wanted - until
    const cut = this.#skip > 0
    this.#reset()
    this.#emit(message, cut)
    return end
  }

  /** Takes what is missing of a line. */
  #line(chunk: Buffer, at: number): number {
    const found = chunk.indexOf(lineFeed, at)
    const end = found < 0 ? chunk.length : found
    const taken = Math.min(end, at + this.#most - this.#length)
    this.#hold(chunk, at, taken)
    if (taken === end && found < 0) return end
    const message = this.#held.subarray(0, this.#length)
    this.#reset()
    if (found >= 0 && taken === end) {
      this.#emit(message, false)
      return end + 1
    }
    this.#skipLine = true
    this.#emit(message, true)
    return taken
  }

  #hold(chunk: Buffer, from: number, to: number): void {
    const length = this.#length + to - from
    if (length > this.#held.length) {
      const most = this.#most + 8
      const grown = Buffer.allocUnsafeSlow(Math.min(most, Math.max(512, length, this.#held.length * 2)))
      this.#held.copy(grown, 0, 0, this.#length)
      this.#held = grown
    }
    chunk.copy(this.#held, this.#length, from, to)
    this.#length = length
  }

  #reset(): void {
    this.#length = 0
    this.#wanted = 0
    this.#head = 0
    this.#known = false
  }

  #emit(octets: Buffer, cut: boolean): void {
    const end = !cut && octets[octets.length - 1] === 0x0d ? octets.length - 1 : octets.length
    if (end > 0) this.#listener(end === octets.length ? octets : octets.subarray(0, end), cut)
  }
}

interface Count {
  /** 0: the message has no count. */
  readonly octets: number
  /** Octets of the count and the blank after it. */
  readonly head: number
}

const noCount: Count = { octets: 0, head: 0 }

/**
 * The count at `at`. A number is one only when a priority follows it, which every message begins with: a line of text may begin
 * with a number. Null: more has to come to tell.
 */
function countAt(octets: Buffer, at: number, end: number): Count | null {
  let count = 0
  let i = at
  for (; i < end; i++) {
    const digit = octets[i]! - 0x30
    if (digit < 0 || digit > 9) break
    count = count * 10 + digit
    if (count === 0 || count > maxCount) return noCount
  }
  if (i === end) return null
  if (i === at || octets[i] !== blank) return noCount
  if (i + 1 === end) return null
  return octets[i + 1] === lessThan ? { octets: count, head: i + 1 - at } : noCount
}
