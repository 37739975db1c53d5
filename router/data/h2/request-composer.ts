// The head of an HTTP/2 request as the octets of HTTP/1.1 that an exchange reads (RFC 9113 section 8.3), `HTTP/2.0` in its
// request line. Strict: what is malformed there never gets to the reader here.

import { randomBytes } from 'node:crypto'
import { maxFields } from '../http/fields.ts'
import { equals, isTarget, isToken } from '../http/octets.ts'
import type { HeadLimits } from '../http/request-head.ts'
import { FieldLines, type FieldsVerdict, isValue } from './field-lines.ts'
import type { FieldSink } from './hpack-decoder.ts'

/** Browsers send each cookie in a field of its own, so there may be more of these than of others. */
const maxCookies = 512

const COLON = 0x3a
const SEMICOLON = 0x3b
const SP = 0x20

const pseudoNames = [':method', ':scheme', ':authority', ':path', ':protocol'] as const
const methodField = 0
const schemeField = 1
const authorityField = 2
const pathField = 3
const protocolField = 4

export class RequestComposer implements FieldSink {
  readonly #lines = new FieldLines()
  /** Pseudo-header fields in any order, until the request line can be made of them; and the cookies, until the end. */
  readonly #pseudo = new FieldLines()
  readonly #cookie = new FieldLines()
  readonly #start = new Int32Array(pseudoNames.length)
  readonly #end = new Int32Array(pseudoNames.length)
  #lineDone = false
  #cookies = 0
  /** What Content-Length says; -1: there is none. */
  contentLength = -1
  /** RFC 8441: it asks for a tunnel. */
  isTunnel = false

  begin(limits: HeadLimits): void {
    this.#lines.clear(limits.head, maxFields + maxCookies)
    this.#pseudo.clear(limits.head, pseudoNames.length)
    this.#cookie.clear(limits.head, maxCookies)
    this.#start.fill(-1)
    this.#lineDone = false
    this.#cookies = 0
    this.contentLength = -1
    this.isTunnel = false
  }

  /** Its field lines are many times more than anybody would send: they have been made by compression. */
  get isBomb(): boolean {
    return this.#lines.isBomb
  }

  /** What came of it, after `finish`; the head is in `[0, length)` of `buffer`. */
  get verdict(): FieldsVerdict {
    return this.#lines.verdict
  }

  get buffer(): Buffer {
    return this.#lines.buffer
  }

  get length(): number {
    return this.#lines.at
  }

  onField(source: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const lines = this.#lines
    if (!lines.admit(nameEnd - nameStart, valueEnd - valueStart)) return
    if (source[nameStart] === COLON && nameEnd > nameStart) {
      this.#onPseudo(source, nameStart, nameEnd, valueStart, valueEnd)
      return
    }
    if (!this.#lineDone) this.#requestLine()
    switch (nameEnd - nameStart) {
      case 4:
        if (equals(source, nameStart, nameEnd, 'host') && this.#start[authorityField]! >= 0) {
          // It must say what `:authority` says, and then says nothing new (RFC 9113 section 8.3.1).
          if (!this.#isAuthority(source, valueStart, valueEnd)) lines.malformed()
          return
        }
        break
      case 6:
        if (equals(source, nameStart, nameEnd, 'cookie')) {
          this.#onCookie(source, valueStart, valueEnd)
          return
        }
        break
      case 17:
        // The one that goes to the app is ours.
        if (this.isTunnel && equals(source, nameStart, nameEnd, 'sec-websocket-key')) return
        break
      case 14:
        if (equals(source, nameStart, nameEnd, 'content-length')) {
          const length = lengthIn(source, valueStart, valueEnd)
          if (length < 0 || this.contentLength >= 0) lines.malformed()
          this.contentLength = length
        }
        break
    }
    lines.line(source, nameStart, nameEnd, valueStart, valueEnd)
  }

  /** The block is complete; `endStream`: no body follows. */
  finish(endStream: boolean): void {
    const lines = this.#lines
    if (lines.verdict !== 'good') return
    if (!this.#lineDone) this.#requestLine()
    if (endStream && this.contentLength > 0) lines.malformed()
    if (this.#cookies > 0) {
      lines.text('cookie: ')
      lines.copy(this.#cookie.buffer, 0, this.#cookie.at)
      lines.text('\r\n')
    }
    if (this.isTunnel) {
      // The handshake of RFC 6455 section 4.1, whose key RFC 8441 section 5 leaves out.
      const key = randomBytes(16).toString('base64')
      lines.text(`connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${key}\r\n\r\n`)
    } else if (endStream || this.contentLength >= 0) lines.text('\r\n')
    else lines.text('transfer-encoding: chunked\r\n\r\n')
  }

  #onPseudo(source: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const field = pseudoField(source, nameStart, nameEnd)
    if (field < 0 || this.#lineDone || this.#start[field]! >= 0 || !isValue(source, valueStart, valueEnd)) {
      this.#lines.malformed()
      return
    }
    const pseudo = this.#pseudo
    this.#start[field] = pseudo.at
    pseudo.copy(source, valueStart, valueEnd)
    this.#end[field] = pseudo.at
  }

  /** RFC 9113 section 8.3.1, and RFC 8441 section 4 for `:protocol`. */
  #requestLine(): void {
    this.#lineDone = true
    const lines = this.#lines
    const [method, scheme, authority, path, protocol] = this.#start
    const { buffer } = this.#pseudo
    const isConnect = method! >= 0 && equals(buffer, method!, this.#end[methodField]!, 'CONNECT')
    this.isTunnel = isConnect && protocol! >= 0
    const plainConnect = isConnect && protocol! < 0
    const whole = plainConnect
      ? authority! >= 0 && scheme! < 0 && path! < 0
      : method! >= 0 && this.#isScheme() && path! >= 0 && (protocol! < 0 || this.isTunnel)
    if (!whole || !this.#isWritable(plainConnect) || (this.isTunnel && !this.#isWebSocket())) {
      lines.malformed()
      return
    }
    if (this.isTunnel) lines.text('GET')
    else lines.copy(buffer, method!, this.#end[methodField]!)
    lines.text(' ')
    const target = plainConnect ? authorityField : pathField
    lines.copy(buffer, this.#start[target]!, this.#end[target]!)
    lines.text(' HTTP/2.0\r\n')
    if (authority! < 0) return
    lines.text('host: ')
    lines.copy(buffer, authority!, this.#end[authorityField]!)
    lines.text('\r\n')
  }

  #isScheme(): boolean {
    const start = this.#start[schemeField]!
    const end = this.#end[schemeField]!
    const { buffer } = this.#pseudo
    return start >= 0 && (equals(buffer, start, end, 'https') || equals(buffer, start, end, 'http'))
  }

  /** Nothing in the request line may end a word of it early; a path is there, and begins with `/` or is `*`. */
  #isWritable(plainConnect: boolean): boolean {
    const { buffer } = this.#pseudo
    const path = this.#start[pathField]!
    const pathEnd = this.#end[pathField]!
    const hasPath = path < pathEnd && (buffer[path] === 0x2f || equals(buffer, path, pathEnd, '*'))
    if (!plainConnect && !hasPath) return false
    const method = this.#start[methodField]!
    const methodEnd = this.#end[methodField]!
    if (method === methodEnd) return false
    for (let i = method; i < methodEnd; i++) if (isToken[buffer[i]!] === 0) return false
    const target = plainConnect ? authorityField : pathField
    for (let i = this.#start[target]!; i < this.#end[target]!; i++) if (isTarget[buffer[i]!] === 0) return false
    return true
  }

  #isWebSocket(): boolean {
    return equals(this.#pseudo.buffer, this.#start[protocolField]!, this.#end[protocolField]!, 'websocket')
  }

  #isAuthority(source: Buffer, start: number, end: number): boolean {
    const from = this.#start[authorityField]!
    const { buffer } = this.#pseudo
    if (end - start !== this.#end[authorityField]! - from) return false
    for (let i = 0; i < end - start; i++) {
      const a = buffer[from + i]!
      const b = source[start + i]!
      if (a !== b && ((a | 0x20) !== (b | 0x20) || (a | 0x20) < 0x61 || (a | 0x20) > 0x7a)) return false
    }
    return true
  }

  /** Pieces of one cookie header are put together again (RFC 9113 section 8.2.3). */
  #onCookie(source: Buffer, start: number, end: number): void {
    const cookie = this.#cookie
    if (!cookie.admit(2, end - start)) this.#lines.verdict = cookie.verdict
    else if (!isValue(source, start, end)) this.#lines.malformed()
    else {
      cookie.reserve(end - start + 2)
      if (this.#cookies++ > 0) {
        cookie.buffer[cookie.at++] = SEMICOLON
        cookie.buffer[cookie.at++] = SP
      }
      cookie.copy(source, start, end)
    }
  }
}

/** Trailers of a request: field lines, without the empty one behind them. */
export class TrailerComposer implements FieldSink {
  readonly lines = new FieldLines()

  begin(limits: HeadLimits): void {
    this.lines.clear(limits.head, maxFields)
  }

  onField(source: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (!this.lines.admit(nameEnd - nameStart, valueEnd - valueStart)) return
    this.lines.line(source, nameStart, nameEnd, valueStart, valueEnd)
  }
}

function pseudoField(source: Buffer, start: number, end: number): number {
  for (let field = 0; field < pseudoNames.length; field++)
    if (equals(source, start, end, pseudoNames[field]!)) return field
  return -1
}

/** Digits only; -1 otherwise. */
function lengthIn(source: Buffer, start: number, end: number): number {
  if (start === end || end - start > 15) return -1
  let length = 0
  for (let i = start; i < end; i++) {
    const digit = source[i]! - 48
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
  }
  return length
}
