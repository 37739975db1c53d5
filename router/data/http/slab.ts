// Memory for what goes out. Everything a thread sends is composed here, one message behind the other. When the kernel
// took a message at once, its room is used again; otherwise it stays as it is until the socket lets go of it, and the
// collector takes the whole slab once nobody refers to it. So nothing is copied twice and nothing is handed back.

const slabSize = 256 * 1024

export class Slab {
  buffer: Buffer = Buffer.allocUnsafeSlow(slabSize)
  /** Where the next message begins. */
  at = 0

  /** Makes sure that `octets` fit behind `at`. Call it before composing. */
  reserve(octets: number): void {
    if (this.buffer.length - this.at >= octets) return
    this.buffer = Buffer.allocUnsafeSlow(Math.max(slabSize, octets))
    this.at = 0
  }
}
