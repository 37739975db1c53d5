// The text of a field that is nearly always what it was in the message before: comparing octets costs a tenth of making
// a string of them.

const maxRemembered = 512

export class FieldMemo {
  #octets: Buffer | null = null
  #text = ''

  /** The octets of `[start, end)` as latin1. */
  read(buffer: Buffer, start: number, end: number): string {
    const length = end - start
    if (length > maxRemembered) return buffer.toString('latin1', start, end)
    const known = this.#octets
    if (known !== null && known.length === length) {
      let at = 0
      while (at < length && known[at] === buffer[start + at]) at++
      if (at === length) return this.#text
    }
    this.#octets = Buffer.from(buffer.subarray(start, end))
    this.#text = buffer.toString('latin1', start, end)
    return this.#text
  }
}
