// Streams of a connection that have ended lately: what still comes of them is late when we reset them, and wrong when
// both sides had said their last (RFC 9113 section 5.1).

const size = 256

export class RecentStreams {
  readonly #ids = new Int32Array(size)
  readonly #reset = new Uint8Array(size)
  #next = 0

  add(id: number, reset: boolean): void {
    this.#ids[this.#next] = id
    this.#reset[this.#next] = reset ? 1 : 0
    this.#next = (this.#next + 1) % size
  }

  has(id: number): boolean {
    return this.#ids.includes(id)
  }

  /** Whether we reset it. */
  wasReset(id: number): boolean {
    const at = this.#ids.indexOf(id)
    return at >= 0 && this.#reset[at] === 1
  }
}
