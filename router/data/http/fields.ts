// Field lines (headers and trailers) of one message, as positions in the buffer that holds them: no string is made
// until somebody needs one. Strict by RFC 9112 section 5: no obs-fold, no blank before the colon, no bare CR or LF.

import { equalsIgnoreCase, isFieldValue, isToken } from './octets.ts'

/** Fields that the router itself reads, replaces or removes. All others are `other` and cross untouched. */
export const fieldId = {
  other: 0,
  /** Removed: nominated by `Connection`, or a name that no field of ours may carry. */
  dropped: 1,
  host: 2,
  connection: 3,
  contentLength: 4,
  transferEncoding: 5,
  expect: 6,
  upgrade: 7,
  /** keep-alive, proxy-connection, te, http2-settings: hop by hop, nothing to read. */
  hopByHop: 8,
  xForwardedFor: 9,
  xForwardedProto: 10,
  xForwardedPort: 11,
  xRequestId: 12,
  xCorrelationId: 13,
  xRequestStart: 14,
  earlyData: 15,
  referer: 16,
  userAgent: 17,
  authorization: 18,
  server: 19,
  date: 20,
  /** x-accel-*: instructions of an app to nginx; consumed here (contract section 12). */
  xAccel: 21,
  keepAlive: 22,
  // What decides whether an answer is compressed, and what then changes (contract section 12).
  acceptEncoding: 23,
  via: 24,
  contentType: 25,
  contentEncoding: 26,
  etag: 27,
  vary: 28,
  cacheControl: 29,
  expires: 30,
  lastModified: 31,
  acceptRanges: 32,
  /** content-digest, content-md5, digest, repr-digest: of the octets as they were before. */
  contentDigest: 33,
  trailer: 34,
  /** x-client-cert-*: what the router tells apps of a client's certificate. */
  xClientCert: 35,
  /** Whom a request has passed (RFC 8586). */
  cdnLoop: 36,
} as const

/** Tables by id have this many entries. */
export const fieldIds = 64

/** More field lines than this in one message are refused. */
export const maxFields = 256

export const needMore = 0
export const malformed = -1
export const tooLarge = -2

const HTAB = 9
const LF = 10
const CR = 13
const SP = 32
const COLON = 58

export class Fields {
  count = 0
  /** Where each line begins (also where its name begins), where the name ends, and where the trimmed value begins and ends. */
  readonly lineStart: Int32Array
  readonly nameEnd: Int32Array
  readonly valueStart: Int32Array
  readonly valueEnd: Int32Array
  /** Behind the line's CRLF. */
  readonly lineEnd: Int32Array
  readonly id: Uint8Array
  /** Where `scan` goes on when more octets have come: the beginning of the incomplete line. */
  resume = 0
  /** What is known of that line: how many of its octets are in order, and the length of its name once the colon came. */
  #seen = 0
  #nameLength = 0

  /** With room for `more` than anybody may send. */
  constructor(more = 0) {
    const size = maxFields + more
    this.lineStart = new Int32Array(size)
    this.nameEnd = new Int32Array(size)
    this.valueStart = new Int32Array(size)
    this.valueEnd = new Int32Array(size)
    this.lineEnd = new Int32Array(size)
    this.id = new Uint8Array(size)
  }

  reset(): void {
    this.count = 0
    this.resume = 0
    this.#seen = 0
    this.#nameLength = 0
  }

  has(id: number): boolean {
    return this.find(id) >= 0
  }

  /** Index of the first line with this id; -1: none. */
  find(id: number): number {
    for (let i = 0; i < this.count; i++) if (this.id[i] === id) return i
    return -1
  }

  /** The octets moved: adds `delta` to every position. */
  rebase(delta: number): void {
    this.resume += delta
    for (let i = 0; i < this.count; i++) {
      this.lineStart[i]! += delta
      this.nameEnd[i]! += delta
      this.valueStart[i]! += delta
      this.valueEnd[i]! += delta
      this.lineEnd[i]! += delta
    }
  }

  /**
   * Reads lines from `position` to the empty line that ends the section. Returns the position behind that line,
   * `needMore` when it has not come yet (call again with `resume`), or `malformed` or `tooLarge`. No octet is looked at
   * twice, however small the pieces are that a line comes in.
   */
  scan(buffer: Uint8Array, position: number, end: number, lineLimit: number): number {
    let start = position
    let at = position + this.#seen
    let nameEnd = this.#nameLength === 0 ? -1 : position + this.#nameLength
    for (;;) {
      this.resume = start
      if (nameEnd < 0) {
        if (at === start && at < end && buffer[at] === CR) {
          if (at + 1 >= end) return this.#pause(0, 0)
          return buffer[at + 1] === LF ? at + 2 : malformed
        }
        while (at < end && isToken[buffer[at]!] === 1) at++
        if (at - start > lineLimit) return tooLarge
        if (at >= end) return this.#pause(at - start, 0)
        if (at === start || buffer[at] !== COLON) return malformed
        nameEnd = at++
      }
      while (at < end && isFieldValue[buffer[at]!] === 1) at++
      if (at - start > lineLimit) return tooLarge
      if (at >= end) return this.#pause(at - start, nameEnd - start)
      if (buffer[at] !== CR) return malformed
      if (at + 1 >= end) return this.#pause(at - start, nameEnd - start)
      if (buffer[at + 1] !== LF) return malformed
      let valueStart = nameEnd + 1
      let valueEnd = at
      while (valueStart < valueEnd && (buffer[valueStart] === SP || buffer[valueStart] === HTAB)) valueStart++
      while (valueEnd > valueStart && (buffer[valueEnd - 1] === SP || buffer[valueEnd - 1] === HTAB)) valueEnd--
      at += 2
      const n = this.count
      if (n === this.id.length) return tooLarge
      this.lineStart[n] = start
      this.nameEnd[n] = nameEnd
      this.valueStart[n] = valueStart
      this.valueEnd[n] = valueEnd
      this.lineEnd[n] = at
      this.id[n] = identifyField(buffer, start, nameEnd - start)
      this.count = n + 1
      start = at
      nameEnd = -1
    }
  }

  #pause(seen: number, nameLength: number): typeof needMore {
    this.#seen = seen
    this.#nameLength = nameLength
    return needMore
  }

  /** Removes the fields with this name, unless the message cannot do without them; `name` is a range of `buffer`. */
  dropNominated(buffer: Uint8Array, start: number, end: number): void {
    const length = end - start
    for (let i = 0; i < this.count; i++) {
      if (this.nameEnd[i]! - this.lineStart[i]! !== length || !nominable(this.id[i]!)) continue
      let same = true
      for (let k = 0; k < length && same; k++)
        same = lower(buffer[start + k]!) === lower(buffer[this.lineStart[i]! + k]!)
      if (same) this.id[i] = fieldId.dropped
    }
  }
}

/**
 * Framing, routing and the client's address stay whatever `Connection` says, or naming them there would change what a
 * message means or who seems to have sent it. Those of them that do not cross do not need to be named either.
 */
function nominable(id: number): boolean {
  return protectedFields[id] === 0
}

const protectedFields = Uint8Array.from({ length: fieldIds }, (_, id) =>
  id === fieldId.host ||
  id === fieldId.connection ||
  id === fieldId.contentLength ||
  id === fieldId.transferEncoding ||
  id === fieldId.xForwardedFor ||
  id === fieldId.xForwardedProto ||
  id === fieldId.xForwardedPort ||
  // Without these a coded body would pass for a plain one.
  id === fieldId.contentEncoding ||
  id === fieldId.contentType ||
  id === fieldId.cacheControl ||
  id === fieldId.vary ||
  id === fieldId.etag ||
  // What a loop is noticed by is not to be taken away (RFC 8586 section 2).
  id === fieldId.cdnLoop
    ? 1
    : 0,
)

function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet
}

/** Whether a name begins with `x-client-cert-`. To many apps a hyphen and an underscore are the same (RFC 3875 section 4.1.18). */
function isClientCert(buffer: Uint8Array, start: number): boolean {
  for (let i = 0; i < clientCert.length; i++) {
    const octet = lower(buffer[start + i]!)
    if ((octet === 0x5f ? 0x2d : octet) !== clientCert.charCodeAt(i)) return false
  }
  return true
}

const clientCert = 'x-client-cert-'

/** By length first: nearly every field is told apart by one comparison of integers. */
export function identifyField(buffer: Uint8Array, start: number, length: number): number {
  switch (length) {
    case 2:
      return equalsIgnoreCase(buffer, start, 'te') ? fieldId.hopByHop : fieldId.other
    case 3:
      return equalsIgnoreCase(buffer, start, 'via') ? fieldId.via : fieldId.other
    case 4:
      if (equalsIgnoreCase(buffer, start, 'host')) return fieldId.host
      if (equalsIgnoreCase(buffer, start, 'vary')) return fieldId.vary
      if (equalsIgnoreCase(buffer, start, 'etag')) return fieldId.etag
      return equalsIgnoreCase(buffer, start, 'date') ? fieldId.date : fieldId.other
    case 6:
      if (equalsIgnoreCase(buffer, start, 'expect')) return fieldId.expect
      if (equalsIgnoreCase(buffer, start, 'digest')) return fieldId.contentDigest
      return equalsIgnoreCase(buffer, start, 'server') ? fieldId.server : fieldId.other
    case 7:
      if (equalsIgnoreCase(buffer, start, 'upgrade')) return fieldId.upgrade
      if (equalsIgnoreCase(buffer, start, 'expires')) return fieldId.expires
      if (equalsIgnoreCase(buffer, start, 'trailer')) return fieldId.trailer
      return equalsIgnoreCase(buffer, start, 'referer') ? fieldId.referer : fieldId.other
    case 8:
      return equalsIgnoreCase(buffer, start, 'cdn-loop') ? fieldId.cdnLoop : fieldId.other
    case 10:
      if (equalsIgnoreCase(buffer, start, 'connection')) return fieldId.connection
      if (equalsIgnoreCase(buffer, start, 'user-agent')) return fieldId.userAgent
      if (equalsIgnoreCase(buffer, start, 'keep-alive')) return fieldId.keepAlive
      return equalsIgnoreCase(buffer, start, 'early-data') ? fieldId.earlyData : fieldId.other
    case 11:
      if (equalsIgnoreCase(buffer, start, 'content-md5')) return fieldId.contentDigest
      return equalsIgnoreCase(buffer, start, 'repr-digest') ? fieldId.contentDigest : fieldId.other
    case 12:
      if (equalsIgnoreCase(buffer, start, 'content-type')) return fieldId.contentType
      if (equalsIgnoreCase(buffer, start, 'x-request-id')) return fieldId.xRequestId
      break
    case 13:
      if (equalsIgnoreCase(buffer, start, 'cache-control')) return fieldId.cacheControl
      if (equalsIgnoreCase(buffer, start, 'last-modified')) return fieldId.lastModified
      if (equalsIgnoreCase(buffer, start, 'authorization')) return fieldId.authorization
      if (equalsIgnoreCase(buffer, start, 'accept-ranges')) return fieldId.acceptRanges
      break
    case 14:
      if (equalsIgnoreCase(buffer, start, 'content-digest')) return fieldId.contentDigest
      if (equalsIgnoreCase(buffer, start, 'content-length')) return fieldId.contentLength
      if (equalsIgnoreCase(buffer, start, 'http2-settings')) return fieldId.hopByHop
      break
    case 15:
      if (equalsIgnoreCase(buffer, start, 'accept-encoding')) return fieldId.acceptEncoding
      if (equalsIgnoreCase(buffer, start, 'x-forwarded-for')) return fieldId.xForwardedFor
      if (equalsIgnoreCase(buffer, start, 'x-request-start')) return fieldId.xRequestStart
      break
    case 16:
      if (equalsIgnoreCase(buffer, start, 'content-encoding')) return fieldId.contentEncoding
      if (equalsIgnoreCase(buffer, start, 'x-forwarded-port')) return fieldId.xForwardedPort
      if (equalsIgnoreCase(buffer, start, 'x-correlation-id')) return fieldId.xCorrelationId
      if (equalsIgnoreCase(buffer, start, 'proxy-connection')) return fieldId.hopByHop
      break
    case 17:
      if (equalsIgnoreCase(buffer, start, 'transfer-encoding')) return fieldId.transferEncoding
      if (equalsIgnoreCase(buffer, start, 'x-forwarded-proto')) return fieldId.xForwardedProto
      break
  }
  if (length > 8 && equalsIgnoreCase(buffer, start, 'x-accel-')) return fieldId.xAccel
  return length > 14 && isClientCert(buffer, start) ? fieldId.xClientCert : fieldId.other
}
