// The chunked transfer coding, read strictly (RFC 9112 section 7.1), in order to know where a message ends and to let
// its octets pass as they came. Extensions must be well formed; blanks around them (the grammar's "bad whitespace")
// and bare line feeds are refused, because recipients disagree about them.

import { hexValue, isFieldValue, isToken, maxBodyLength } from './octets.ts'

const LF = 10
const CR = 13
const SP = 32
const HTAB = 9
const QUOTE = 34
const COLON = 58
const SEMICOLON = 59
const EQUALS = 61
const BACKSLASH = 92

/** Octets of extensions in one message; there is no use for more, and each costs us and not the sender's peer. */
const maxExtensions = 4096
export const maxTrailers = 8192
export const maxTrailerName = 64

const noTrailers = Buffer.alloc(0)

const size = 0
const sizeMore = 1
const extension = 2
const extensionName = 3
const extensionValue = 4
const extensionQuoted = 5
const extensionEscape = 6
const extensionQuotedEnd = 7
const sizeLf = 8
const data = 9
const dataCr = 10
const dataLf = 11
const trailerStart = 12
const trailerName = 13
const trailerValue = 14
const trailerLf = 15
const endLf = 16
const done = 17
const extensionValueStart = 18

/** Fields that must not come behind the body: they would change framing, routing or who the client seems to be. */
export const forbiddenTrailers: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'authorization',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-correlation-id',
  'x-forwarded-for',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-request-id',
])

export class ChunkedReader {
  #state = size
  #digits = 0
  #remaining = 0
  #total = 0
  #extensions = 0
  #trailers = 0
  #name = ''
  /** Octets of payload in the last call's range; `copyTo` received them. */
  payload = 0
  /** Whoever sets it finds the field lines of the trailers here, CRLFs included, once `done`. */
  keepsTrailers = false
  #kept: Buffer | null = null
  #keptEnd = 0

  reset(): void {
    this.#state = size
    this.#digits = 0
    this.#remaining = 0
    this.#total = 0
    this.#extensions = 0
    this.#trailers = 0
    this.#name = ''
    this.#kept = null
    this.#keptEnd = 0
  }

  /** Empty: there were none. */
  get trailers(): Buffer {
    return this.#kept === null ? noTrailers : this.#kept.subarray(0, this.#keptEnd)
  }

  get done(): boolean {
    return this.#state === done
  }

  /**
   * Reads on in `[start, end)`. Returns the position behind what belongs to the message (`end` unless `done`), or -1
   * when it is malformed. With `copyTo` the payload alone is written there from `copyAt` on.
   */
  read(buffer: Uint8Array, start: number, end: number, copyTo: Uint8Array | null = null, copyAt = 0): number {
    let at = start
    this.payload = 0
    while (at < end) {
      if (this.#state === data) {
        const take = Math.min(this.#remaining, end - at)
        if (copyTo !== null) copyTo.set(buffer.subarray(at, at + take), copyAt + this.payload)
        this.payload += take
        at += take
        this.#remaining -= take
        if (this.#remaining === 0) this.#state = dataCr
        continue
      }
      const octet = buffer[at]!
      if (!this.#step(octet)) return -1
      if (this.keepsTrailers && this.#trailers > 0 && this.#state < endLf) this.#keep(octet)
      at++
      if (this.#state === done) return at
    }
    return at
  }

  #keep(octet: number): void {
    this.#kept ??= Buffer.allocUnsafeSlow(maxTrailers)
    this.#kept[this.#keptEnd++] = octet
  }

  #step(octet: number): boolean {
    switch (this.#state) {
      case size:
      case sizeMore:
        return this.#size(octet)
      case extension:
        return this.#extension(isToken[octet] === 1, extensionName)
      case extensionName:
        if (octet === EQUALS) return this.#extension(true, extensionValueStart)
        return this.#extensionOrEnd(octet, extensionName)
      case extensionValueStart:
        if (octet === QUOTE) return this.#extension(true, extensionQuoted)
        return this.#extension(isToken[octet] === 1, extensionValue)
      case extensionValue:
        return this.#extensionOrEnd(octet, extensionValue)
      case extensionQuoted:
        if (octet === BACKSLASH) return this.#extension(true, extensionEscape)
        return this.#extension(isFieldValue[octet] === 1, octet === QUOTE ? extensionQuotedEnd : extensionQuoted)
      case extensionEscape:
        return this.#extension(isFieldValue[octet] === 1, extensionQuoted)
      case extensionQuotedEnd:
        return this.#extensionOrEnd(octet, -1)
      case sizeLf:
        this.#state = this.#remaining === 0 ? trailerStart : data
        return octet === LF
      case dataCr:
        this.#state = dataLf
        return octet === CR
      case dataLf:
        this.#state = size
        this.#digits = 0
        return octet === LF
      default:
        return this.#trailer(octet)
    }
  }

  #size(octet: number): boolean {
    const value = hexValue[octet]!
    if (value !== 255) {
      // 13 digits stay below 2^53.
      if (++this.#digits > 13) return false
      this.#remaining = this.#digits === 1 ? value : this.#remaining * 16 + value
      this.#state = sizeMore
      return true
    }
    if (this.#state === size) return false
    this.#total += this.#remaining
    if (this.#total > maxBodyLength) return false
    if (octet === CR) this.#state = sizeLf
    else if (octet === SEMICOLON) this.#state = extension
    else return false
    return true
  }

  #extension(allowed: boolean, next: number): boolean {
    this.#state = next
    return allowed && ++this.#extensions <= maxExtensions
  }

  /** Within a name or a value (`same`), or behind a quoted value (-1). */
  #extensionOrEnd(octet: number, same: number): boolean {
    if (octet === CR) {
      this.#state = sizeLf
      return true
    }
    if (octet === SEMICOLON) return this.#extension(true, extension)
    return this.#extension(same >= 0 && isToken[octet] === 1, same)
  }

  #trailer(octet: number): boolean {
    if (++this.#trailers > maxTrailers) return false
    switch (this.#state) {
      case trailerStart:
        if (octet === CR) {
          this.#state = endLf
          return true
        }
        this.#name = String.fromCharCode(octet)
        this.#state = trailerName
        return isToken[octet] === 1
      case trailerName:
        if (octet === COLON) {
          this.#state = trailerValue
          return !forbiddenTrailers.has(this.#name.toLowerCase())
        }
        this.#name += String.fromCharCode(octet)
        return isToken[octet] === 1 && this.#name.length <= maxTrailerName
      case trailerValue:
        if (octet === CR) this.#state = trailerLf
        return octet === CR || octet === SP || octet === HTAB || isFieldValue[octet] === 1
      case trailerLf:
        this.#state = trailerStart
        return octet === LF
      case endLf:
        this.#state = done
        return octet === LF
    }
    return false
  }
}
