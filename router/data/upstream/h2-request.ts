// The head of a request, from the octets of HTTP/1.1 that an exchange has composed to the header block of HTTP/2 (RFC 9113
// section 8.3.1). What is strict about requests has happened before: these octets are the router's own.

import { type HpackEncoder, type Indexing, maxBeginLength, maxEncodedLength } from '../h2/hpack-encoder.ts'
import { staticIndex } from '../h2/hpack-table.ts'
import { fieldId, identifyField } from '../http/fields.ts'
import { equals, equalsIgnoreCase } from '../http/octets.ts'

const HTAB = 9
const LF = 10
const CR = 13
const SP = 32
const COLON = 58

/** Those of a client and those that the router adds. */
const maxLines = 300
/** What the pseudo-fields and `te` take beside their values. */
const slack = 128

/** Not for the other version: RFC 9113 section 8.2.2. `te` has a rule of its own. */
const ofConnection = new Set<number>([
  fieldId.host,
  fieldId.connection,
  fieldId.transferEncoding,
  fieldId.upgrade,
  fieldId.hopByHop,
  fieldId.keepAlive,
  fieldId.dropped,
])

/** What is the same in many requests. All else would push these out of the table. */
const repeated = new Set<number>([
  fieldId.userAgent,
  fieldId.contentType,
  fieldId.acceptEncoding,
  fieldId.xForwardedProto,
  fieldId.xForwardedPort,
  fieldId.cdnLoop,
])

const get = Buffer.from('GET')
const post = Buffer.from('POST')
const connect = Buffer.from('CONNECT')
const tunnelled = Buffer.from(':protocolwebsocket')
const teTrailers = Buffer.from('tetrailers')

/** One for a data thread: it holds positions in the head that is being translated. */
export class RequestTranslator {
  /** Where the body begins. */
  bodyStart = 0
  /** -1: none. */
  contentLength = -1
  chunked = false
  isHead = false
  /** It asks for a WebSocket. */
  isTunnel = false
  #octets: Buffer = get
  #methodEnd = 0
  #targetEnd = 0
  #count = 0
  #hostStart = 0
  #hostEnd = 0
  #wantsTrailers = false
  #keyStart = 0
  #keyEnd = 0
  readonly #nameStart = new Int32Array(maxLines)
  readonly #nameEnd = new Int32Array(maxLines)
  readonly #valueStart = new Int32Array(maxLines)
  readonly #valueEnd = new Int32Array(maxLines)
  readonly #id = new Uint8Array(maxLines)

  /** Reads a head that is whole. False: it has more lines than a head has. */
  read(octets: Buffer): boolean {
    this.#octets = octets
    this.contentLength = -1
    this.chunked = this.isTunnel = this.#wantsTrailers = false
    this.#hostStart = this.#hostEnd = this.#keyStart = this.#keyEnd = 0
    this.#methodEnd = octets.indexOf(SP)
    this.#targetEnd = octets.indexOf(SP, this.#methodEnd + 1)
    this.isHead = equals(octets, 0, this.#methodEnd, 'HEAD')
    let count = 0
    let at = octets.indexOf(LF, this.#targetEnd) + 1
    while (octets[at] !== CR) {
      if (count === maxLines) return false
      let nameEnd = at
      while (octets[nameEnd] !== COLON) nameEnd++
      let start = nameEnd + 1
      while (isBlank(octets[start]!)) start++
      let lineEnd = start
      while (octets[lineEnd] !== CR) lineEnd++
      let end = lineEnd
      while (end > start && isBlank(octets[end - 1]!)) end--
      const id = identifyField(octets, at, nameEnd - at)
      this.#nameStart[count] = at
      this.#nameEnd[count] = nameEnd
      this.#valueStart[count] = start
      this.#valueEnd[count] = end
      this.#id[count++] = id
      this.#note(id, at, nameEnd, start, end)
      at = lineEnd + 2
    }
    if (this.isTunnel) this.isTunnel = this.#isHandshake
    this.#count = count
    this.bodyStart = at + 2
    return true
  }

  #note(id: number, nameStart: number, nameEnd: number, start: number, end: number): void {
    const octets = this.#octets
    switch (id) {
      case fieldId.host:
        this.#hostStart = start
        this.#hostEnd = end
        return
      case fieldId.contentLength:
        this.contentLength = Number(octets.toString('latin1', start, end))
        return
      case fieldId.transferEncoding:
        this.chunked = true
        return
      case fieldId.upgrade:
        this.isTunnel = end - start === 9 && equalsIgnoreCase(octets, start, 'websocket')
        return
      case fieldId.hopByHop:
        // The only one of these that an exchange lets through, and only to endpoints of HTTP/2.
        if (nameEnd - nameStart === 2) this.#wantsTrailers = true
        return
      case fieldId.contentType:
        // Clients of gRPC have to say it, and proxies before us may have taken it for hop by hop.
        if (end - start >= 16 && equalsIgnoreCase(octets, start, 'application/grpc')) this.#wantsTrailers = true
        return
      case fieldId.other:
        if (nameEnd - nameStart === 17 && equalsIgnoreCase(octets, nameStart, 'sec-websocket-key')) {
          this.#keyStart = start
          this.#keyEnd = end
        }
    }
  }

  /** RFC 6455 section 4.1. Any other request only offers an upgrade, which its endpoint may leave. */
  get #isHandshake(): boolean {
    return this.#is(get) && !this.chunked && this.contentLength <= 0 && this.#keyEnd > this.#keyStart
  }

  /** What a WebSocket's handshake has to be answered with (RFC 6455 section 1.3); HTTP/2 leaves it out. */
  get webSocketKey(): string {
    return this.#octets.toString('latin1', this.#keyStart, this.#keyEnd)
  }

  /** Octets that `write` takes at most. */
  get room(): number {
    return maxBeginLength + maxEncodedLength(this.bodyStart + slack, 0) + this.#count * maxEncodedLength(0, 0)
  }

  /** Writes the header block and returns the position behind it. */
  write(encoder: HpackEncoder, target: Buffer, position: number, secure: boolean): number {
    const octets = this.#octets
    let at = encoder.begin(target, position)
    at = this.#method(encoder, target, at)
    at = encoder.indexed(target, at, secure ? staticIndex.https : staticIndex.http)
    if (this.#hostEnd > this.#hostStart)
      at = encoder.named(target, at, staticIndex.authority, octets, this.#hostStart, this.#hostEnd, 'index')
    at = encoder.named(target, at, staticIndex.path, octets, this.#methodEnd + 1, this.#targetEnd, 'literal')
    // RFC 8441 section 4.
    if (this.isTunnel) at = encoder.field(target, at, tunnelled, 0, 9, 9, tunnelled.length, 'index')
    for (let i = 0; i < this.#count; i++) {
      const id = this.#id[i]!
      if (ofConnection.has(id)) continue
      const nameStart = this.#nameStart[i]!
      const nameEnd = this.#nameEnd[i]!
      const start = this.#valueStart[i]!
      if (this.isTunnel && start === this.#keyStart) continue
      const indexing = this.#indexing(id, nameStart, nameEnd)
      at = encoder.field(target, at, octets, nameStart, nameEnd, start, this.#valueEnd[i]!, indexing)
    }
    if (this.#wantsTrailers) at = encoder.field(target, at, teTrailers, 0, 2, 2, teTrailers.length, 'index')
    return at
  }

  #method(encoder: HpackEncoder, target: Buffer, at: number): number {
    const octets = this.#octets
    if (this.isTunnel) return encoder.named(target, at, staticIndex.methodGet, connect, 0, connect.length, 'index')
    if (this.#is(get)) return encoder.indexed(target, at, staticIndex.methodGet)
    if (this.#is(post)) return encoder.indexed(target, at, staticIndex.methodPost)
    return encoder.named(target, at, staticIndex.methodGet, octets, 0, this.#methodEnd, 'literal')
  }

  #is(method: Buffer): boolean {
    return this.#methodEnd === method.length && this.#octets.compare(method, 0, method.length, 0, method.length) === 0
  }

  /** Many clients share a connection to an endpoint: what is secret must not be probed for by what is in its table. */
  #indexing(id: number, nameStart: number, nameEnd: number): Indexing {
    if (id === fieldId.authorization) return 'never'
    if (id !== fieldId.other) return repeated.has(id) ? 'index' : 'literal'
    const length = nameEnd - nameStart
    const isSecret =
      (length === 6 && equalsIgnoreCase(this.#octets, nameStart, 'cookie')) ||
      (length === 19 && equalsIgnoreCase(this.#octets, nameStart, 'proxy-authorization'))
    return isSecret ? 'never' : 'literal'
  }
}

/** Blanks around a value are no part of it, and malformed in HTTP/2 (RFC 9113 section 8.2.1). */
function isBlank(octet: number): boolean {
  return octet === SP || octet === HTAB
}
