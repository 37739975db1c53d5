// The strict parser of a request head (RFC 9112 sections 2 to 6; contract section 9 step 1). Pure: octets in, positions
// out. It may be called again and again as octets come; it never reads a line twice once that line was complete.

import type { FailureCode } from '../../model/counters.ts'
import { Fields, fieldId, malformed, needMore, tooLarge } from './fields.ts'
import { Framing } from './framing.ts'
import { equals, equalsIgnoreCase, hexValue, isRegName, isTarget, isToken } from './octets.ts'

export interface HeadLimits {
  /** Octets in a field line or the request line. */
  readonly line: number
  /** Octets in the whole head. */
  readonly head: number
}

const LF = 10
const CR = 13
const SP = 32
const SLASH = 47
const COLON = 58
const DOT = 46
const BRACKET = 91
const BRACKET_END = 93
const ASTERISK = 42
const QUESTION = 63

/** Bits of `methodTraits`. */
export const method = { head: 1, idempotent: 2, connect: 4, trace: 8, options: 16 } as const

/** Empty lines that may stand before a request line (RFC 9112 section 2.2 asks for one at least). */
const maxLeadingEmptyLines = 4

/** Longest method name; the registry's longest has 17 letters. */
const maxMethod = 32

export class RequestHead {
  readonly fields = new Fields()
  readonly framing = new Framing()
  /** Why `parse` returned -1. */
  error: FailureCode = 'bad-request'
  /** Positions; the line begins at the method. */
  methodStart = 0
  methodEnd = 0
  targetStart = 0
  targetEnd = 0
  /** End of the request line without its CRLF, as far as it could be read. */
  lineEnd = 0
  /** The path and query to forward: the target itself, or what follows the authority of an absolute target. Empty: `/`. */
  pathStart = 0
  pathEnd = 0
  /** The authority of an absolute target; equal positions: none. */
  authorityStart = 0
  authorityEnd = 0
  /** The value of Host; equal positions: none or empty. */
  hostStart = 0
  hostEnd = 0
  methodTraits = 0
  /** Which version of HTTP the octets must name: 2 when they were translated from that. */
  majorVersion = 1
  /** 0 or 1; 1 also for HTTP/2. */
  minorVersion = 1
  expectContinue = false
  /** Whether any X-Forwarded-* came; most requests have none and need no look-up. */
  forwarded = false
  /** Whether CDN-Loop came: nearly no request has it. */
  marked = false
  /** Index of the Upgrade field, or -1. An offer of h2c counts as none: such a tunnel would bypass every policy. */
  upgradeField = -1
  /** Index of the first Accept-Encoding, or -1, and how many there are. */
  acceptEncodingField = -1
  acceptEncodings = 0
  #lineDone = false
  #emptyLines = 0
  #start = -1
  /** Octets of an incomplete target that are in order. */
  #targetSeen = 0

  reset(): void {
    this.fields.reset()
    this.framing.reset()
    this.#lineDone = false
    this.#emptyLines = 0
    this.#start = -1
    this.#targetSeen = 0
    this.authorityStart = this.authorityEnd = 0
    this.hostStart = this.hostEnd = 0
    // So that a log line of a request that never had a request line holds nothing.
    this.methodStart = this.targetEnd = this.lineEnd = 0
    this.methodTraits = 0
    this.minorVersion = 1
    this.expectContinue = false
    this.forwarded = false
    this.marked = false
    this.upgradeField = -1
    this.acceptEncodingField = -1
    this.acceptEncodings = 0
  }

  /** Where parsing goes on once more octets have come. */
  get resume(): number {
    return this.fields.resume
  }

  /** The octets moved by `delta` within or to another buffer. */
  rebase(delta: number): void {
    this.fields.rebase(delta)
    this.#start += delta
    if (!this.#lineDone) return
    this.methodStart += delta
    this.methodEnd += delta
    this.targetStart += delta
    this.targetEnd += delta
    this.lineEnd += delta
    this.pathStart += delta
    this.pathEnd += delta
    this.authorityStart += delta
    this.authorityEnd += delta
    this.hostStart += delta
    this.hostEnd += delta
  }

  /**
   * Parses from `position` (first the beginning of the request, then `resume`) up to `end`.
   * Returns the position behind the head, 0 when it is not complete, or -1 with `error`.
   */
  parse(buffer: Uint8Array, position: number, end: number, limits: HeadLimits): number {
    let at = position
    if (this.#start < 0) this.#start = position
    if (!this.#lineDone) {
      const next = this.#requestLine(buffer, at, end, limits)
      if (next <= 0) return next
      at = next
      this.#lineDone = true
    }
    // Never beyond the limit, so that the verdict is the same however the octets come.
    const bound = Math.min(end, this.#start + limits.head)
    const after = this.fields.scan(buffer, at, bound, limits.line)
    if (after === malformed) return this.#fail('bad-request')
    if (after === tooLarge || (after === needMore && bound < end)) return this.#fail('header-too-large')
    if (after === needMore) return needMore
    return this.#finish(buffer) ? after : -1
  }

  #fail(code: FailureCode): -1 {
    this.error = code
    return -1
  }

  #requestLine(buffer: Uint8Array, position: number, end: number, limits: HeadLimits): number {
    let at = position
    while (at < end && buffer[at] === CR) {
      this.fields.resume = at
      if (at + 1 >= end) return needMore
      if (buffer[at + 1] !== LF || ++this.#emptyLines > maxLeadingEmptyLines) return this.#fail('bad-request')
      at += 2
    }
    const start = at
    this.fields.resume = start
    while (at < end && isToken[buffer[at]!] === 1) at++
    if (at - start > maxMethod) return this.#fail('bad-request')
    if (at >= end) return needMore
    if (at === start || buffer[at] !== SP) return this.#fail('bad-request')
    this.methodStart = start
    this.methodEnd = at++
    const targetStart = at
    at += this.#targetSeen
    while (at < end && isTarget[buffer[at]!] === 1) at++
    if (at - start > limits.line) return this.#fail('uri-too-long')
    if (at >= end) {
      this.#targetSeen = at - targetStart
      return needMore
    }
    if (at === targetStart || buffer[at] !== SP) return this.#fail('bad-request')
    this.targetStart = targetStart
    this.#targetSeen = at - targetStart
    this.targetEnd = this.lineEnd = at++
    // "HTTP/1.1" CR LF
    if (end - at < 10) return this.#versionPrefix(buffer, at, end) ? needMore : this.#fail('bad-request')
    if (!equals(buffer, at, at + 5, 'HTTP/') || buffer[at + 6] !== DOT) return this.#fail('bad-request')
    const major = buffer[at + 5]! - 48
    const minor = buffer[at + 7]! - 48
    if (major < 0 || major > 9 || minor < 0 || minor > 9) return this.#fail('bad-request')
    if (buffer[at + 8] !== CR || buffer[at + 9] !== LF) return this.#fail('bad-request')
    this.lineEnd = at + 8
    if (major !== this.majorVersion || minor > 2 - major) return this.#fail('version-not-supported')
    this.minorVersion = major === 2 ? 1 : minor
    this.methodTraits = traitsOf(buffer, start, this.methodEnd)
    if (!this.#target(buffer)) return this.#fail('bad-request')
    return at + 10
  }

  /** Whether an incomplete rest of a request line can still become a version and CRLF. */
  #versionPrefix(buffer: Uint8Array, at: number, end: number): boolean {
    const shape = 'HTTP/0.0\r'
    for (let i = 0; at + i < end; i++) {
      const octet = buffer[at + i]!
      if ((octet >= 0x30 && octet <= 0x39 ? 0x30 : octet) !== shape.charCodeAt(i)) return false
    }
    return true
  }

  /** RFC 9112 section 3.2: origin-form, absolute-form of http and https, asterisk-form of OPTIONS. */
  #target(buffer: Uint8Array): boolean {
    const start = this.targetStart
    const end = this.targetEnd
    this.pathStart = start
    this.pathEnd = end
    const first = buffer[start]
    if (first === SLASH) return true
    if (first === ASTERISK) return end - start === 1 && (this.methodTraits & method.options) !== 0
    // CONNECT is refused later by its own status, so its authority-form is not read.
    if ((this.methodTraits & method.connect) !== 0) return true
    let authority = 0
    if (end - start > 7 && equalsIgnoreCase(buffer, start, 'http://')) authority = start + 7
    else if (end - start > 8 && equalsIgnoreCase(buffer, start, 'https://')) authority = start + 8
    else return false
    let at = authority
    while (at < end && buffer[at] !== SLASH && buffer[at] !== QUESTION) at++
    // An http URI without a host is to be refused (RFC 9110 section 4.2.1).
    if (at === authority || buffer[authority] === COLON || !isAuthority(buffer, authority, at)) return false
    this.authorityStart = authority
    this.authorityEnd = at
    this.pathStart = at
    return true
  }

  #finish(buffer: Uint8Array): boolean {
    const { fields, framing } = this
    let hosts = 0
    for (let i = 0; i < fields.count; i++) {
      const id = fields.id[i]!
      if (id === fieldId.other || id === fieldId.xAccel) {
        if (hasUnderscore(buffer, fields.lineStart[i]!, fields.nameEnd[i]!)) fields.id[i] = fieldId.dropped
      } else if (id === fieldId.host) {
        hosts++
        this.hostStart = fields.valueStart[i]!
        this.hostEnd = fields.valueEnd[i]!
      } else if (id === fieldId.contentLength || id === fieldId.transferEncoding || id === fieldId.connection) {
        if (!framing.read(fields, i, buffer)) return this.#fail('bad-request') > 0
      } else if (id === fieldId.expect) {
        const length = fields.valueEnd[i]! - fields.valueStart[i]!
        if (length === 12 && equalsIgnoreCase(buffer, fields.valueStart[i]!, '100-continue')) {
          this.expectContinue = this.minorVersion === 1
          fields.id[i] = fieldId.dropped
        }
      } else if (id === fieldId.upgrade) this.upgradeField = i
      else if (id === fieldId.acceptEncoding) {
        if (this.acceptEncodings++ === 0) this.acceptEncodingField = i
      } else if (id >= fieldId.xForwardedFor && id <= fieldId.xForwardedPort) this.forwarded = true
      else if (id === fieldId.cdnLoop) this.marked = true
    }
    const bad =
      hosts > 1 ||
      (hosts === 0 && this.minorVersion === 1) ||
      !isAuthority(buffer, this.hostStart, this.hostEnd) ||
      (framing.chunked && (framing.contentLength !== -1 || this.minorVersion === 0)) ||
      (this.authorityEnd > this.authorityStart && hosts === 1 && !this.#sameAuthority(buffer))
    if (bad) return this.#fail('bad-request') > 0
    if ((this.methodTraits & (method.connect | method.trace)) !== 0) return this.#fail('method-not-allowed') > 0
    if (this.upgradeField >= 0 && !this.#upgradeWanted(buffer)) this.upgradeField = -1
    return true
  }

  /** Host must say the same as an absolute target; a default port may be left out on one side. */
  #sameAuthority(buffer: Uint8Array): boolean {
    const secure = (buffer[this.targetStart + 4]! | 0x20) === 0x73
    const a = withoutDefaultPort(buffer, this.authorityStart, this.authorityEnd, secure)
    const b = withoutDefaultPort(buffer, this.hostStart, this.hostEnd, secure)
    const length = a - this.authorityStart
    if (length !== b - this.hostStart) return false
    for (let i = 0; i < length; i++) {
      const x = buffer[this.authorityStart + i]!
      const y = buffer[this.hostStart + i]!
      if (x !== y && (x | 0x20) !== (y | 0x20)) return false
    }
    return true
  }

  #upgradeWanted(buffer: Uint8Array): boolean {
    const start = this.fields.valueStart[this.upgradeField]!
    const end = this.fields.valueEnd[this.upgradeField]!
    if (!this.framing.upgrade || this.minorVersion === 0 || start === end) return false
    for (let at = start; at + 3 <= end; at++) if (equalsIgnoreCase(buffer, at, 'h2c')) return false
    return true
  }
}

/** reg-name or address, with an optional port of digits; empty is allowed here (no virtual host has that name). */
function isAuthority(buffer: Uint8Array, start: number, end: number): boolean {
  let at = start
  if (at < end && buffer[at] === BRACKET) {
    do at++
    while (at < end && (hexValue[buffer[at]!] !== 255 || buffer[at] === COLON || buffer[at] === DOT))
    if (at === end || buffer[at] !== BRACKET_END) return false
    at++
  } else while (at < end && isRegName[buffer[at]!] === 1) at++
  if (at === end) return true
  if (buffer[at] !== COLON) return false
  for (at++; at < end; at++) if (buffer[at]! < 0x30 || buffer[at]! > 0x39) return false
  return true
}

function withoutDefaultPort(buffer: Uint8Array, start: number, end: number, secure: boolean): number {
  const port = secure ? ':443' : ':80'
  const at = end - port.length
  return at > start && buffer[at] === COLON && equals(buffer, at, end, port) ? at : end
}

function hasUnderscore(buffer: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (buffer[at] === 0x5f) return true
  return false
}

/** Methods are compared with case (RFC 9110 section 9.1). */
function traitsOf(buffer: Uint8Array, start: number, end: number): number {
  switch (end - start) {
    case 3:
      return equals(buffer, start, end, 'GET') || equals(buffer, start, end, 'PUT') ? method.idempotent : 0
    case 4:
      return equals(buffer, start, end, 'HEAD') ? method.head | method.idempotent : 0
    case 5:
      return equals(buffer, start, end, 'TRACE') ? method.trace : 0
    case 6:
      return equals(buffer, start, end, 'DELETE') ? method.idempotent : 0
    case 7:
      if (equals(buffer, start, end, 'OPTIONS')) return method.options | method.idempotent
      return equals(buffer, start, end, 'CONNECT') ? method.connect : 0
    default:
      return 0
  }
}
