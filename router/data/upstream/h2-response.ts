// Heads and trailers of answers, from the fields of HTTP/2 to octets of HTTP/1.1 (RFC 9113 section 8.3.2). Strict: what an
// endpoint says must not become something else by being written in another way.

import { STATUS_CODES } from 'node:http'
import { FieldLines, type FieldsVerdict } from '../h2/field-lines.ts'
import type { FieldSink } from '../h2/hpack-decoder.ts'
import { forbiddenTrailers, maxTrailerName, maxTrailers } from '../http/chunked.ts'
import { maxFields } from '../http/fields.ts'
import { equals } from '../http/octets.ts'

const COLON = 0x3a

/** Status lines, made once. */
const statusLines: readonly string[] = Array.from({ length: 600 }, (_, status) =>
  status < 100 ? '' : `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`,
)

/** One for a data thread. */
export class ResponseComposer implements FieldSink {
  status = 0
  /** What Content-Length says; -1: there is none. */
  contentLength = -1
  readonly #lines = new FieldLines()
  #trailers = false

  /** `limit`: octets of the head. */
  beginHead(limit: number): void {
    this.#lines.clear(limit, maxFields + 1)
    this.status = 0
    this.contentLength = -1
    this.#trailers = false
  }

  beginTrailers(): void {
    // The last of them has to fit with the empty line behind it.
    this.#lines.clear(maxTrailers - 2, maxFields)
    this.#trailers = true
  }

  get verdict(): FieldsVerdict {
    return this.#lines.verdict
  }

  /** The lines are in `[0, length)`, without the empty one that ends them. */
  get buffer(): Buffer {
    return this.#lines.buffer
  }

  get length(): number {
    return this.#lines.at
  }

  onField(source: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const lines = this.#lines
    if (!lines.admit(nameEnd - nameStart, valueEnd - valueStart)) return
    if (this.#trailers) {
      if (!mustNotTrail(source, nameStart, nameEnd)) lines.line(source, nameStart, nameEnd, valueStart, valueEnd)
      else if (source[nameStart] === COLON) lines.malformed()
      return
    }
    if (this.status === 0) {
      // The one pseudo-field, once and before all others.
      this.status = equals(source, nameStart, nameEnd, ':status') ? statusIn(source, valueStart, valueEnd) : 0
      if (this.status === 0) lines.malformed()
      else lines.text(statusLines[this.status]!)
      return
    }
    if (nameEnd - nameStart === 14 && equals(source, nameStart, nameEnd, 'content-length')) {
      const length = lengthIn(source, valueStart, valueEnd)
      if (length < 0 || this.contentLength >= 0) {
        lines.malformed()
        return
      }
      this.contentLength = length
    }
    lines.line(source, nameStart, nameEnd, valueStart, valueEnd)
  }

  /** The block is complete: no head is without a status. */
  finish(): void {
    if (!this.#trailers && this.status === 0) this.#lines.malformed()
  }
}

/** Three digits. 101 has no place in HTTP/2 (RFC 9113 section 8.6), and what is above 599 none anywhere. 0: neither. */
function statusIn(source: Buffer, start: number, end: number): number {
  const status = end - start === 3 ? lengthIn(source, start, end) : -1
  return status < 100 || status > 599 || status === 101 ? 0 : status
}

/** Digits only; -1 otherwise. */
function lengthIn(source: Buffer, start: number, end: number): number {
  if (start === end || end - start > 15) return -1
  let length = 0
  for (let at = start; at < end; at++) {
    const digit = source[at]! - 48
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
  }
  return length
}

/** Fields that our own reader of chunked bodies refuses behind the body: an endpoint that sends them loses just these. */
function mustNotTrail(source: Buffer, start: number, end: number): boolean {
  if (source[start] === COLON || end - start > maxTrailerName) return true
  return forbiddenTrailers.has(source.toString('latin1', start, end))
}
