// Field lines of HTTP/1.1 from those of HTTP/2, checked as RFC 9113 section 8.2 asks: what the other version would read as
// something else must not get there. Kept and used again: one for each kind of head in a data thread.

import { equals, isFieldValue, isToken } from '../http/octets.ts'

const HTAB = 9
const SP = 32

/** token without capitals (RFC 9113 section 8.2.1). */
const isName = Uint8Array.from(isToken, (is, octet) => (octet >= 0x41 && octet <= 0x5a ? 0 : is))

/** Fields of the connection (RFC 9113 section 8.2.2), by length. */
const connectionFields: readonly (readonly string[])[] = Array.from({ length: 18 }, (_, length) =>
  ['upgrade', 'connection', 'keep-alive', 'proxy-connection', 'transfer-encoding'].filter(
    name => name.length === length,
  ),
)

const firstSize = 4096
/** What the memory for one head may stay at between heads. */
const keptSize = 64 * 1024

const bombFactor = 4

export type FieldsVerdict = 'good' | 'malformed' | 'too-large'

export class FieldLines {
  buffer: Buffer = Buffer.allocUnsafeSlow(firstSize)
  /** Where the next line begins. */
  at = 0
  verdict: FieldsVerdict = 'good'
  #octets = 0
  #limit = 0
  #count = 0
  #maxCount = 0

  /** `limit`: octets of all names and values; `maxCount`: how many fields. */
  clear(limit: number, maxCount: number): void {
    if (this.buffer.length > keptSize) this.buffer = Buffer.allocUnsafeSlow(firstSize)
    this.at = 0
    this.verdict = 'good'
    this.#octets = 0
    this.#limit = limit
    this.#count = 0
    this.#maxCount = maxCount
  }

  /** Counts one more field; false: it is one too many, or there were already. */
  admit(nameLength: number, valueLength: number): boolean {
    this.#octets += nameLength + valueLength + 4
    if (this.verdict !== 'good') return false
    if (this.#octets <= this.#limit && ++this.#count <= this.#maxCount) return true
    this.verdict = 'too-large'
    return false
  }

  /** Many times the octets that are allowed. */
  get isBomb(): boolean {
    return this.#octets > bombFactor * this.#limit
  }

  malformed(): void {
    this.verdict = 'malformed'
  }

  reserve(octets: number): void {
    if (this.buffer.length - this.at >= octets) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.at + octets, 2 * this.buffer.length))
    this.buffer.copy(grown, 0, 0, this.at)
    this.buffer = grown
  }

  text(text: string): void {
    this.reserve(text.length)
    this.at += this.buffer.write(text, this.at, 'latin1')
  }

  copy(source: Buffer, start: number, end: number): void {
    this.reserve(end - start)
    this.at += source.copy(this.buffer, this.at, start, end)
  }

  /** Adds a field that `admit` let in; spoils the whole when it must not be there. */
  line(source: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (isOfConnection(source, nameStart, nameEnd, valueStart, valueEnd)) {
      this.malformed()
      return
    }
    this.reserve(nameEnd - nameStart + valueEnd - valueStart + 4)
    const { buffer } = this
    let { at } = this
    for (let i = nameStart; i < nameEnd; i++) {
      const octet = source[i]!
      if (isName[octet] === 0) {
        this.malformed()
        return
      }
      buffer[at++] = octet
    }
    buffer[at++] = 0x3a
    buffer[at++] = SP
    if (nameEnd === nameStart || !isValue(source, valueStart, valueEnd)) {
      this.malformed()
      return
    }
    if (valueEnd - valueStart > 32) at += source.copy(buffer, at, valueStart, valueEnd)
    else for (let i = valueStart; i < valueEnd; i++) buffer[at++] = source[i]!
    buffer[at++] = 13
    buffer[at++] = 10
    this.at = at
  }
}

/** RFC 9113 section 8.2.1: no control but the tab, and no blank at either end. */
export function isValue(source: Buffer, start: number, end: number): boolean {
  if (start === end) return true
  const first = source[start]
  const last = source[end - 1]
  if (first === SP || first === HTAB || last === SP || last === HTAB) return false
  for (let i = start; i < end; i++) if (isFieldValue[source[i]!] === 0) return false
  return true
}

/** TE may say `trailers` and nothing else. */
function isOfConnection(source: Buffer, nameStart: number, nameEnd: number, start: number, end: number): boolean {
  const length = nameEnd - nameStart
  if (length === 2) return equals(source, nameStart, nameEnd, 'te') && !equals(source, start, end, 'trailers')
  if (length > 17) return false
  for (const name of connectionFields[length]!) if (equals(source, nameStart, nameEnd, name)) return true
  return false
}
