// What both heads have in common: how long the body is and what `Connection` says (RFC 9112 sections 6 and 9).

import { type Fields, fieldId } from './fields.ts'
import { equalsIgnoreCase, maxBodyLength } from './octets.ts'

const COMMA = 44
const SP = 32
const HTAB = 9

/** Fields that `Connection` may name in one message; each is compared with every field, so that more would cost us dearly. */
const maxNominations = 32

/** Framing of a message as its fields announce it. */
export class Framing {
  /** -1: no Content-Length. */
  contentLength = -1
  chunked = false
  /** What the options of `Connection` say. */
  close = false
  keepAlive = false
  upgrade = false
  #nominations = 0

  reset(): void {
    this.contentLength = -1
    this.chunked = false
    this.close = false
    this.keepAlive = false
    this.upgrade = false
    this.#nominations = 0
  }

  /** Reads one field; false: it makes the framing doubtful, or asks for too much. */
  read(fields: Fields, index: number, buffer: Uint8Array): boolean {
    const start = fields.valueStart[index]!
    const end = fields.valueEnd[index]!
    switch (fields.id[index]) {
      case fieldId.contentLength:
        if (this.contentLength !== -1) return false
        this.contentLength = parseLength(buffer, start, end)
        return this.contentLength !== -1
      case fieldId.transferEncoding:
        // Exactly `chunked`, once: any other coding, or a list, is where two parsers part ways.
        if (this.chunked || end - start !== 7 || !equalsIgnoreCase(buffer, start, 'chunked')) return false
        this.chunked = true
        return true
      case fieldId.connection:
        return this.#options(fields, buffer, start, end)
    }
    return true
  }

  #options(fields: Fields, buffer: Uint8Array, start: number, end: number): boolean {
    let at = start
    while (at < end) {
      let stop = at
      while (stop < end && buffer[stop] !== COMMA) stop++
      let from = at
      let to = stop
      while (from < to && (buffer[from] === SP || buffer[from] === HTAB)) from++
      while (to > from && (buffer[to - 1] === SP || buffer[to - 1] === HTAB)) to--
      const length = to - from
      if (length === 5 && equalsIgnoreCase(buffer, from, 'close')) this.close = true
      else if (length === 10 && equalsIgnoreCase(buffer, from, 'keep-alive')) this.keepAlive = true
      else if (length === 7 && equalsIgnoreCase(buffer, from, 'upgrade')) this.upgrade = true
      else if (length > 0) {
        if (++this.#nominations > maxNominations) return false
        fields.dropNominated(buffer, from, to)
      }
      at = stop + 1
    }
    return true
  }
}

/** Digits only; -1 otherwise, also for a number that is no safe integer. */
function parseLength(buffer: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > 16) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = buffer[at]! - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value <= maxBodyLength ? value : -1
}
