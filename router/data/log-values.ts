// What one request has for its line in a format of the operator's own, besides its record: octets copied out of heads
// while those were at hand, and texts.

/** Octets of such a line, with its line feed. */
export const maxLine = 16 * 1024
/** Octets kept of all of them together: no line has room for more. */
const maxKept = maxLine
/** What the memory for them may grow to and stay. */
const keptSize = 4096
const firstSize = 512

/** Kept with the exchange and used again for its next request. */
export class LogValues {
  buffer: Buffer = Buffer.allocUnsafeSlow(firstSize)
  #used = 0
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  readonly texts: string[] = []

  clear(slots: number): void {
    this.#used = 0
    if (this.buffer.length > keptSize) this.buffer = Buffer.allocUnsafeSlow(firstSize)
    this.#starts.length = this.#ends.length = this.texts.length = 0
    for (let slot = 0; slot < slots; slot++) this.#starts[slot] = this.#ends[slot] = 0
  }

  start(slot: number): number {
    return this.#starts[slot]!
  }

  end(slot: number): number {
    return this.#ends[slot]!
  }

  /** Adds octets to a slot, the last that was added to or one that is empty: `limit` at most in all. */
  add(slot: number, source: Uint8Array, start: number, end: number, limit: number): void {
    if (this.#ends[slot] === this.#starts[slot]) this.#starts[slot] = this.#ends[slot] = this.#used
    const room = Math.min(limit - (this.#used - this.#starts[slot]!), maxKept - this.#used)
    const length = Math.min(end - start, room)
    if (length <= 0) return
    const needed = this.#used + length
    if (needed > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2))
      this.buffer.copy(grown, 0, 0, this.#used)
      this.buffer = grown
    }
    this.buffer.set(source.subarray(start, start + length), this.#used)
    this.#used = this.#ends[slot] = needed
  }
}
