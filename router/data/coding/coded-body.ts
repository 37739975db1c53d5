// The body of an answer on its way through an encoder (contract section 12): whether it goes there at all, payload in,
// chunks for the client out. One for each exchange, used again with it.

import { appCounter, codings, counter, slotAt } from '../../model/counters.ts'
import type { ThreadContext } from '../context.ts'
import type { Body } from '../http/body.ts'
import { FieldMemo } from '../http/field-memo.ts'
import { fieldId } from '../http/fields.ts'
import { joinedValue } from '../http/request-facts.ts'
import type { ResponseHead } from '../http/response-head.ts'
import type { Coding } from './accept.ts'
import {
  type CodingFacts,
  decideCoding,
  type RequestFieldName,
  type ResponseFieldName,
  weakEntityTag,
} from './eligible.ts'
import { Encoder, type EncoderSink } from './encoder.ts'
import { clientPlace } from './encoder-budget.ts'
import { Preferences } from './preferences.ts'

/** The answer that the body belongs to. */
export interface CodedBodyOwner {
  readonly response: ResponseHead
  /** Where the app's row begins in the counters. */
  readonly row: number
  readonly clientAddress: string
  /** Whether the client knows chunks. */
  readonly chunks: boolean
  /** Sends what the slab holds from `from` on. */
  send(from: number): void
  /** Feeding may go on after `rests`. */
  onCodedReady(): void
  /** All of it is sent; `clean`: nothing but the body came. */
  onCodedDone(clean: boolean): void
  /** It cannot be completed. `headWaits`: nothing has been sent yet, not even the head. */
  onCodedBroken(headWaits: boolean): void
}

/** Room for the framing of one chunk. */
const chunkSlack = 32
const nothing = Buffer.alloc(0)

/** Endpoints say the same media type again and again. */
const contentTypes = new FieldMemo()

const responseFields = {
  contentEncoding: fieldId.contentEncoding,
  cacheControl: fieldId.cacheControl,
  vary: fieldId.vary,
  expires: fieldId.expires,
  date: fieldId.date,
  lastModified: fieldId.lastModified,
  etag: fieldId.etag,
} as const satisfies Record<Exclude<ResponseFieldName, 'contentType'>, number>

/** The payload of a chunked body; used up before the call that filled it returns. */
let payload = Buffer.allocUnsafeSlow(0)

export class CodedBody implements CodingFacts, EncoderSink {
  /** Of the request. */
  readonly preferences = new Preferences()
  /** What the head says of the answer holds of its coded form. */
  isCoded = false
  /** The encoder has had its share of this turn. */
  rests = false
  readonly #owner: CodedBodyOwner
  #context!: ThreadContext
  #body!: Body
  #encoder: Encoder | null = null
  /** What the encoder hands out now comes from octets that it has just been given. */
  #feeding = false
  #clean = false
  /** Position among `codings`. */
  #coding = 0
  /** The buffer that the response head is in, while it is looked at. */
  #source: Buffer | null = null
  /** What is handed out is sent together, from here on; -1: nothing waits. */
  #from = -1
  #headWaits = false

  constructor(owner: CodedBodyOwner) {
    this.#owner = owner
  }

  begin(context: ThreadContext): void {
    this.#context = context
    this.isCoded = false
    this.rests = false
    this.#feeding = false
    this.#from = -1
    this.#headWaits = false
  }

  /** The body goes through the encoder. */
  get active(): boolean {
    return this.#encoder !== null
  }

  /**
   * Takes an encoder when the answer whose head is in `buffer` is to be compressed and has a body. Returns the field
   * lines that tell of it; sets `isCoded`, for HEAD too.
   */
  choose(body: Body, buffer: Buffer): string {
    const { coding: rules } = this.#context
    this.#body = body
    this.#source = buffer
    const { coding, lines, uncodedLines } = decideCoding(rules, this, Date.now())
    if (coding !== null) {
      const hasBody = body.kind !== 'none'
      if (hasBody) this.#encoder = this.#acquire(coding, rules.levels[coding])
      this.isCoded = !hasBody || this.#encoder !== null
      this.#coding = codings.indexOf(coding)
    }
    const etag = this.isCoded ? weakEntityTag(this.responseField('etag')) : ''
    this.#source = null
    if (!this.isCoded) return uncodedLines
    return etag === '' ? lines : `${lines}ETag: ${etag}\r\n`
  }

  #acquire(coding: Coding, level: number): Encoder | null {
    const { row, clientAddress } = this.#owner
    const encoder = Encoder.acquire(coding, level, slotAt(row), clientPlace(clientAddress), this)
    if (encoder === null) this.#context.counters[row + appCounter.codingsRefused]!++
    return encoder
  }

  /** The head waits in the slab from `from` on; what came behind it is in `[start, end)`. */
  start(from: number, buffer: Buffer, start: number, end: number): void {
    this.#from = from
    this.#headWaits = true
    this.read(buffer, start, end)
  }

  /** Octets as they came. */
  read(buffer: Buffer, start: number, end: number): void {
    const body = this.#body
    let source = buffer
    let from = start
    let next = end
    if (body.kind === 'chunked') {
      if (payload.length < end - start) payload = Buffer.allocUnsafeSlow(Math.max(end - start, 128 * 1024))
      next = body.unchunk(buffer, start, end, payload, 0)
      source = payload
      from = 0
    } else if (body.kind === 'length') next = body.read(buffer, start, end)
    if (next < 0) {
      this.#broken()
      return
    }
    const to = body.kind === 'chunked' ? body.chunked.payload : next
    if (body.done) {
      this.end(next === end, source, from, to)
      return
    }
    this.#context.counters[counter.codedOctetsIn + this.#coding]! += to - from
    // A read that filled its buffer has more behind it.
    const more = end === this.#context.readBuffer.length
    this.#feeding = true
    if (this.#encoder?.write(source, from, to, more) === false) this.rests = true
    this.#feeding = false
    this.#flush()
  }

  /** The last octets have come; all of it leaves now. */
  end(clean: boolean, source: Buffer = nothing, start = 0, end = 0): void {
    this.#context.counters[counter.codedOctetsIn + this.#coding]! += end - start
    this.#clean = clean
    this.#feeding = true
    this.#encoder?.end(source, start, end)
    this.#feeding = false
  }

  destroy(): void {
    this.#encoder?.destroy()
    this.#encoder = null
  }

  // ------------------------------------------------------------------------------------------ asked by the rules

  get status(): number {
    return this.#owner.response.status
  }

  get minorVersion(): number {
    return this.preferences.minorVersion
  }

  get contentLength(): number {
    const { framing } = this.#owner.response
    return framing.chunked ? -1 : framing.contentLength
  }

  requestField(name: RequestFieldName): string {
    return this.preferences.field(name)
  }

  responseField(name: ResponseFieldName): string {
    const { fields } = this.#owner.response
    if (name !== 'contentType') return joinedValue(fields, this.#source!, responseFields[name])
    const i = fields.find(fieldId.contentType)
    return i < 0 ? '' : contentTypes.read(this.#source!, fields.valueStart[i]!, fields.valueEnd[i]!)
  }

  // ---------------------------------------------------------------------------------------- told by the encoder

  onEncoded(buffer: Buffer, start: number, end: number, last: boolean): void {
    const { slab, counters } = this.#context
    const needed = end - start + chunkSlack
    if (slab.buffer.length - slab.at < needed) {
      this.#flush()
      slab.reserve(needed)
    }
    if (this.#from < 0) this.#from = slab.at
    counters[counter.codedOctetsOut + this.#coding]! += end - start
    const { chunks } = this.#owner
    let { at } = slab
    if (end > start) {
      if (chunks) at += slab.buffer.write(`${(end - start).toString(16)}\r\n`, at, 'latin1')
      at += buffer.copy(slab.buffer, at, start, end)
      if (chunks) at += slab.buffer.write('\r\n', at, 'latin1')
    }
    if (last && chunks) at += slab.buffer.write('0\r\n\r\n', at, 'latin1')
    slab.at = at
    if (!last) {
      // Between events nobody else sends what has been held.
      if (!this.#feeding) this.#flush()
      return
    }
    counters[counter.codedResponses + this.#coding]!++
    this.#encoder = null
    this.#flush()
    this.rests = false
    this.#owner.onCodedDone(this.#clean)
  }

  onEncoderReady(): void {
    this.rests = false
    this.#owner.onCodedReady()
  }

  onEncoderError(): void {
    this.#encoder = null
    this.#broken()
  }

  #broken(): void {
    if (this.#from >= 0) this.#context.slab.at = this.#from
    this.#from = -1
    this.#owner.onCodedBroken(this.#headWaits)
  }

  #flush(): void {
    if (this.#from < 0) return
    const from = this.#from
    this.#from = -1
    this.#headWaits = false
    if (this.#context.slab.at > from) this.#owner.send(from)
  }
}
