// Memory for octets on their way from a file, used again and again: fresh memory has to be cleared by the kernel page by page,
// which costs more than reading into it. The larger a piece, the fewer trips through the thread pool, each of which costs as
// much as copying 50 kB; the first readers get large pieces, and thousands of slow ones cannot take all memory.

const large = { size: 1024 * 1024, most: 8 } as const
const small = { size: 128 * 1024, mostIdle: 16 } as const

export class Buffers {
  /** Large ones that there are, lent or not. */
  #count = 0
  readonly #large: Uint8Array[] = []
  readonly #small: Uint8Array[] = []

  /** `wanted`: octets that it is for at most; it may well be smaller. */
  take(wanted: number): Uint8Array {
    if (wanted <= small.size) return this.#small.pop() ?? Buffer.allocUnsafeSlow(small.size)
    const idle = this.#large.pop()
    if (idle !== undefined) return idle
    if (this.#count === large.most) return this.#small.pop() ?? Buffer.allocUnsafeSlow(small.size)
    this.#count++
    return Buffer.allocUnsafeSlow(large.size)
  }

  giveBack(octets: Uint8Array): void {
    if (octets.length === large.size) this.#large.push(octets)
    else if (this.#small.length < small.mostIdle) this.#small.push(octets)
  }

  /** Instead of giving it back when somebody may still read or write it: what was broken off is perhaps under way. */
  drop(octets: Uint8Array): void {
    if (octets.length === large.size) this.#count--
  }
}
