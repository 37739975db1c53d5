// Octets that wait, first in, first out, in memory that grows with them and goes when they have.

const firstSize = 4096

export class OctetQueue {
  buffer: Buffer | null = null
  start = 0
  end = 0

  get length(): number {
    return this.end - this.start
  }

  push(source: Buffer, from: number, to: number): void {
    const octets = to - from
    let buffer = this.buffer
    if (buffer === null || this.end + octets > buffer.length) {
      const kept = this.length
      const needed = kept + octets
      const roomy = buffer !== null && needed <= buffer.length && this.start >= kept
      const target = roomy ? buffer! : Buffer.allocUnsafeSlow(Math.max(firstSize, needed + (kept >> 1)))
      if (kept > 0) buffer!.copy(target, 0, this.start, this.end)
      buffer = this.buffer = target
      this.start = 0
      this.end = kept
    }
    this.end += source.copy(buffer, this.end, from, to)
  }

  /** The first `octets` of them are used up. */
  shift(octets: number): void {
    this.start += octets
    if (this.start === this.end) this.clear()
  }

  clear(): void {
    this.buffer = null
    this.start = this.end = 0
  }
}
