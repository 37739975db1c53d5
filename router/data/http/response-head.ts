// The strict parser of a response head, from an endpoint (RFC 9112 sections 4 to 6). Pure, like `request-head.ts`.

import { Fields, fieldId, malformed, needMore, tooLarge } from './fields.ts'
import { Framing } from './framing.ts'
import { equals, equalsIgnoreCase, isFieldValue } from './octets.ts'

const LF = 10
const CR = 13
const SP = 32

export class ResponseHead {
  readonly fields: Fields
  readonly framing = new Framing()
  status = 0
  /** The reason phrase, without the blank before it; may be empty. */
  reasonStart = 0
  reasonEnd = 0
  minorVersion = 1
  /** Seconds of `Keep-Alive: timeout=N`, or -1. */
  keepAliveTimeout = -1
  /** Whether any X-Accel-* came. */
  hasAccel = false
  #lineDone = false
  #start = -1
  /** Octets of an incomplete reason phrase that are in order. */
  #reasonSeen = 0

  /** `more`: fields beside those that an endpoint may send. */
  constructor(more = 0) {
    this.fields = new Fields(more)
  }

  reset(): void {
    this.fields.reset()
    this.framing.reset()
    this.status = 0
    this.keepAliveTimeout = -1
    this.hasAccel = false
    this.#lineDone = false
    this.#start = -1
    this.#reasonSeen = 0
  }

  get resume(): number {
    return this.fields.resume
  }

  rebase(delta: number): void {
    this.fields.rebase(delta)
    this.#start += delta
    this.reasonStart += delta
    this.reasonEnd += delta
  }

  /** Position behind the head; 0: incomplete; -1: not HTTP, doubtful framing, or larger than `limit` octets. */
  parse(buffer: Uint8Array, position: number, end: number, limit: number): number {
    let at = position
    if (this.#start < 0) this.#start = position
    // Never beyond the limit, so that the verdict is the same however the octets come.
    const bound = Math.min(end, this.#start + limit)
    if (!this.#lineDone) {
      const next = this.#statusLine(buffer, at, bound)
      if (next <= 0) return next === needMore && bound < end ? -1 : next
      at = next
      this.#lineDone = true
    }
    const after = this.fields.scan(buffer, at, bound, limit)
    if (after === malformed || after === tooLarge) return -1
    if (after === needMore) return bound < end ? -1 : needMore
    return this.#finish(buffer) ? after : -1
  }

  #statusLine(buffer: Uint8Array, start: number, end: number): number {
    this.fields.resume = start
    const shape = Math.min(end - start, 7)
    if (!equals(buffer, start, start + shape, 'HTTP/1.'.slice(0, shape))) return -1
    if (end - start < 13) return needMore
    const minor = buffer[start + 7]! - 48
    if (minor !== 0 && minor !== 1) return -1
    if (buffer[start + 8] !== SP) return -1
    const status = number3(buffer, start + 9)
    // What is above 599 is no status (RFC 9110 section 15), and would be counted nowhere.
    if (status < 100 || status > 599) return -1
    let at = start + 12
    // Some servers leave out the blank before an empty reason.
    if (buffer[at] === SP) at++
    else if (buffer[at] !== CR) return -1
    const reason = at
    at += this.#reasonSeen
    while (at < end && isFieldValue[buffer[at]!] === 1) at++
    this.#reasonSeen = at - reason
    if (at < end && buffer[at] !== CR) return -1
    if (at + 1 >= end) return needMore
    if (buffer[at + 1] !== LF) return -1
    this.minorVersion = minor
    this.status = status
    this.reasonStart = reason
    this.reasonEnd = at
    return at + 2
  }

  #finish(buffer: Uint8Array): boolean {
    const { fields, framing } = this
    for (let i = 0; i < fields.count; i++) {
      const id = fields.id[i]!
      if (id === fieldId.contentLength || id === fieldId.transferEncoding || id === fieldId.connection) {
        if (!framing.read(fields, i, buffer)) return false
        // A length has no place in an answer without a body (RFC 9110 section 8.6); readable it had to be all the same.
        if (id === fieldId.contentLength && (this.status < 200 || this.status === 204)) fields.id[i] = fieldId.dropped
      } else if (id === fieldId.xAccel) this.hasAccel = true
      else if (id === fieldId.keepAlive) this.#keepAlive(buffer, fields.valueStart[i]!, fields.valueEnd[i]!)
    }
    return !(framing.chunked && (framing.contentLength !== -1 || this.minorVersion === 0))
  }

  #keepAlive(buffer: Uint8Array, start: number, end: number): void {
    const name = 'timeout='
    for (let at = start; at + name.length < end; at++) {
      if (!equalsIgnoreCase(buffer, at, name)) continue
      let seconds = 0
      for (let k = at + name.length; k < end && k < at + name.length + 6; k++) {
        const digit = buffer[k]! - 48
        if (digit < 0 || digit > 9) break
        seconds = seconds * 10 + digit
      }
      this.keepAliveTimeout = seconds
      return
    }
  }
}

function number3(buffer: Uint8Array, at: number): number {
  let value = 0
  for (let i = 0; i < 3; i++) {
    const digit = buffer[at + i]! - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}
