// Octets of answers on their way from frames to those who wait for them. What belongs to one stream and came in one read is
// handed over at once: a small answer, head and body and end, is one write to its client.

const size = 192 * 1024

export interface Receiver {
  /** Octets `[0, length)`, valid during the call only. */
  deliver(buffer: Buffer, length: number): void
}

/** One for a data thread, empty between reads. */
export class Delivery {
  readonly #buffer = Buffer.allocUnsafeSlow(size)
  #length = 0
  #receiver: Receiver | null = null

  text(receiver: Receiver, text: string): void {
    this.#reserve(receiver, text.length)
    this.#length += this.#buffer.write(text, this.#length, 'latin1')
  }

  octets(receiver: Receiver, source: Buffer, start: number, end: number): void {
    this.#reserve(receiver, end - start)
    this.#length += source.copy(this.#buffer, this.#length, start, end)
  }

  /** As one chunk of a chunked body. */
  chunk(receiver: Receiver, source: Buffer, start: number, end: number): void {
    this.#reserve(receiver, end - start + 12)
    const buffer = this.#buffer
    let at = writeHex(buffer, this.#length, end - start)
    at += source.copy(buffer, at, start, end)
    buffer[at++] = 13
    buffer[at++] = 10
    this.#length = at
  }

  /** Hands over what is there. */
  flush(): void {
    const receiver = this.#receiver
    if (receiver === null) return
    const length = this.#length
    this.#receiver = null
    this.#length = 0
    receiver.deliver(this.#buffer, length)
  }

  /** A read, a frame and a head are all smaller than the buffer, so that after a flush there is always room. */
  #reserve(receiver: Receiver, octets: number): void {
    if (this.#receiver !== receiver || size - this.#length < octets) this.flush()
    this.#receiver = receiver
  }
}

/** Hexadecimal digits and CRLF. */
function writeHex(target: Buffer, position: number, value: number): number {
  let at = position
  for (let shift = 28 - (Math.clz32(value) & ~3); shift >= 0; shift -= 4) {
    const digit = (value >>> shift) & 15
    target[at++] = digit < 10 ? 0x30 + digit : 0x57 + digit
  }
  target[at++] = 13
  target[at++] = 10
  return at
}
