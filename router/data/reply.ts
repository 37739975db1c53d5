// An endpoint's answer on its way to the client: the head is read, judged and written anew, the body passes as it comes,
// framed anew where the client needs it (RFC 9112 section 6.3), or through an encoder (contract section 12). One for each
// exchange, used again with it.

import { counter } from '../model/counters.ts'
import { CodedBody, type CodedBodyOwner } from './coding/coded-body.ts'
import type { Preferences } from './coding/preferences.ts'
import type { ThreadContext } from './context.ts'
import { Body } from './http/body.ts'
import type { Client } from './http/client.ts'
import { fieldId } from './http/fields.ts'
import { headSlack, remakes, writeInterimHead, writeResponseHead } from './http/head-writer.ts'
import { method, type RequestHead } from './http/request-head.ts'
import { ResponseHead } from './http/response-head.ts'
import type { CompiledRoute } from './table/route-table.ts'

const maxInterims = 16
/** Room for the framing of one chunk. */
const chunkSlack = 32
/** What an app gets that asks for buffering by itself, octets (contract section 12, X-Accel-Buffering). */
const askedReadAhead = 32 * 1024
/** The exchange, as its answer sees it. */
export interface ReplyOwner {
  readonly head: RequestHead
  readonly clientAddress: string
  readonly requestDone: boolean
  /** Whether the client's connection may be used again. */
  keepAlive: boolean
  status: number
  bytesSent: number
  headBytesSent: number
  /** The request ids, if they are on. */
  readonly requestIdLines: string
  /** Field lines that the router adds to an answer of this status. */
  addedLines(status: number): string
  /** The final head has come. */
  onReplyHead(buffer: Buffer): void
  /** 101: everything from `start` on belongs to the tunnel. */
  onReplyUpgrade(buffer: Buffer, start: number, end: number): void
  /** It may be read on, after it was `blocked`. */
  onReplyReady(): void
  /** All of it is on its way; `clean`: the connection to the endpoint can carry another request. */
  onReplyDone(clean: boolean): void
  /** What came is no answer that could be passed on. */
  onReplyInvalid(): void
}

export class Reply implements CodedBodyOwner {
  readonly response = new ResponseHead()
  /** An octet of it has come. */
  started = false
  /** Its final head has been passed on: there is no other answer any more. */
  headDone = false
  readonly #owner: ReplyOwner
  readonly #body = new Body()
  readonly #coded = new CodedBody(this)
  #client!: Client
  #context!: ThreadContext
  #route!: CompiledRoute
  /** The client takes no more for now. */
  #clientBlocked = false
  #partial: Buffer | null = null
  #partialEnd = 0
  #interims = 0
  #readAhead = 0
  #finished = false

  constructor(owner: ReplyOwner) {
    this.#owner = owner
  }

  begin(client: Client): void {
    this.#client = client
    this.#context = client.context
    this.#partial = null
    this.started = false
    this.headDone = false
    this.#clientBlocked = false
    this.#interims = 0
    this.#finished = false
    this.#coded.begin(client.context)
  }

  /** A request has been sent: whatever comes is its answer. */
  expect(route: CompiledRoute): void {
    this.#route = route
    this.#readAhead = route.readAhead
    this.response.reset()
  }

  /** For the encoder. */
  get row(): number {
    return this.#route.row
  }

  /** For the encoder. */
  get clientAddress(): string {
    return this.#owner.clientAddress
  }

  /** The client does not take what has been sent. */
  get waitsForClient(): boolean {
    return this.#clientBlocked
  }

  /** Nothing more shall be read until `onReplyReady`. */
  get blocked(): boolean {
    return this.#clientBlocked || this.#coded.rests
  }

  onClientDrain(): void {
    if (!this.#clientBlocked) return
    this.#clientBlocked = false
    if (!this.#coded.rests) this.#owner.onReplyReady()
  }

  /** What came is no answer, as the one who read it knows. */
  refuse(): void {
    this.#invalid()
  }

  /** Lets go of all that it holds. */
  end(): void {
    this.#partial = null
    this.#finished = true
    this.#coded.destroy()
  }

  read(buffer: Buffer, length: number): void {
    this.started = true
    if (this.#coded.active) this.#coded.read(buffer, 0, length)
    else if (this.headDone) this.#readBody(buffer, 0, length, -1)
    else if (this.#partial === null) this.#readHead(buffer, 0, length)
    else {
      const partial = this.#append(buffer, length)
      this.#readHead(partial, this.response.resume, this.#partialEnd)
    }
  }

  /** The endpoint sends no more. False: the answer is not complete. */
  readEnd(): boolean {
    if (!this.headDone || this.#body.kind !== 'until-close') return false
    if (this.#coded.active) {
      this.#coded.end(false)
      return true
    }
    if (this.#owner.head.minorVersion === 1) {
      const { slab } = this.#context
      slab.reserve(chunkSlack)
      const from = slab.at
      slab.at += slab.buffer.write('0\r\n\r\n', from, 'latin1')
      this.send(from)
    }
    this.#owner.onReplyDone(false)
    return true
  }

  #append(buffer: Buffer, length: number): Buffer {
    const end = this.#partialEnd + length
    let partial = this.#partial!
    if (end > partial.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, partial.length * 2))
      partial.copy(grown, 0, 0, this.#partialEnd)
      partial = this.#partial = grown
    }
    buffer.copy(partial, this.#partialEnd, 0, length)
    this.#partialEnd = end
    return partial
  }

  #readHead(buffer: Buffer, start: number, end: number): void {
    const { response } = this
    let at = start
    for (;;) {
      const after = response.parse(buffer, at, end, this.#route.headLimit)
      if (after === 0) {
        this.#keepPartial(buffer, this.#interims === 0 ? start : at, end)
        return
      }
      if (after < 0 || (response.status === 101 && !this.#mayUpgrade())) {
        this.#invalid()
        return
      }
      if (response.status >= 200 || response.status === 101) {
        this.#partial = null
        this.headDone = true
        this.#owner.onReplyHead(buffer)
        if (response.status === 101) this.#upgrade(buffer, after, end)
        else this.#startBody(buffer, after, end)
        return
      }
      if (++this.#interims > maxInterims) {
        this.#invalid()
        return
      }
      // The router has answered 100 itself; others are for the client, unless it is too old to know them.
      if (response.status !== 100 && this.#owner.head.minorVersion === 1) this.#sendInterim(buffer, after - at)
      response.reset()
      at = after
      if (at === end) {
        this.#partial = null
        return
      }
    }
  }

  #keepPartial(buffer: Buffer, from: number, end: number): void {
    if (buffer === this.#partial) return
    this.#partial = Buffer.allocUnsafeSlow(Math.max(2048, (end - from) * 2))
    this.#partialEnd = buffer.copy(this.#partial, 0, from, end)
    this.response.rebase(-from)
  }

  /** 101 answers an offer, and says to what (RFC 9110 section 15.2.2). */
  #mayUpgrade(): boolean {
    const { head, requestDone } = this.#owner
    return head.upgradeField >= 0 && requestDone && this.response.fields.has(fieldId.upgrade)
  }

  #invalid(): void {
    this.#context.counters[counter.upstreamInvalidResponses]!++
    this.#owner.onReplyInvalid()
  }

  #sendInterim(buffer: Buffer, octets: number): void {
    const { slab } = this.#context
    slab.reserve(octets + headSlack)
    const from = slab.at
    slab.at = writeInterimHead(this.response, buffer, slab.buffer, from)
    this.#owner.headBytesSent += slab.at - from
    this.send(from)
  }

  /** The final head: decides how the body is framed towards the client, and sends what is there. */
  #startBody(buffer: Buffer, bodyStart: number, end: number): void {
    const owner = this.#owner
    const { framing, status } = this.response
    const { slab, clock, draining } = this.#context
    owner.status = status
    const body = this.#body
    if ((owner.head.methodTraits & method.head) !== 0 || status === 204 || status === 304) body.none()
    else if (framing.chunked) body.start('chunked')
    else if (framing.contentLength >= 0) body.length(framing.contentLength)
    else body.start('until-close')
    if (this.response.hasAccel) this.#followAccel(buffer)
    const codingLines = this.#context.coding.enabled ? this.#coded.choose(body, buffer) : ''

    // A body without a length needs chunks to keep the connection, and HTTP/1.0 does not know them.
    const old = owner.head.minorVersion === 0
    const unbounded = body.kind === 'chunked' || body.kind === 'until-close' || this.#coded.active
    if (draining || !owner.requestDone || (old && unbounded)) owner.keepAlive = false
    let lines = owner.addedLines(status) + codingLines
    if (!owner.keepAlive) lines += 'Connection: close\r\n'
    else if (old) lines += 'Connection: keep-alive\r\n'
    const { isCoded } = this.#coded
    const wouldBeChunked = body.kind === 'none' && status !== 204 && (framing.chunked || isCoded)
    if (!old && (unbounded || wouldBeChunked)) {
      lines += 'Transfer-Encoding: chunked\r\n'
    }
    slab.reserve(end + clock.serverAndDate.length + lines.length + headSlack)
    const from = slab.at
    slab.at = this.#writeHead(buffer, lines, isCoded ? remakes.coding : remakes.nothing)
    owner.headBytesSent += slab.at - from
    if (this.#coded.active) this.#coded.start(from, buffer, bodyStart, end)
    else this.#readBody(buffer, bodyStart, end, from)
  }

  #writeHead(buffer: Buffer, lines: string, coding: number): number {
    const { slab, clock } = this.#context
    const remade = coding + (this.#owner.requestIdLines === '' ? remakes.nothing : remakes.requestIds)
    return writeResponseHead(this.response, buffer, slab.buffer, slab.at, clock.serverAndDate, lines, remade)
  }

  // ---------------------------------------------------------------------------------------------- its coded body

  /** What the request says about codings. */
  get preferences(): Preferences {
    return this.#coded.preferences
  }

  get chunks(): boolean {
    return this.#owner.head.minorVersion === 1
  }

  onCodedReady(): void {
    if (!this.#clientBlocked) this.#owner.onReplyReady()
  }

  onCodedDone(clean: boolean): void {
    this.#clientBlocked = false
    this.#owner.onReplyDone(clean)
  }

  onCodedBroken(headWaits: boolean): void {
    if (headWaits) this.#withdrawHead()
    this.#invalid()
  }

  /** X-Accel-Buffering of the app goes before the setting. */
  #followAccel(buffer: Buffer): void {
    const { fields } = this.response
    for (let i = 0; i < fields.count; i++) {
      if (fields.id[i] !== fieldId.xAccel) continue
      const name = buffer.toString('latin1', fields.lineStart[i]!, fields.nameEnd[i]!).toLowerCase()
      if (name !== 'x-accel-buffering') continue
      const value = buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!).toLowerCase()
      if (value === 'no') this.#readAhead = 0
      else if (value === 'yes') this.#readAhead = Math.max(this.#readAhead, askedReadAhead)
    }
  }

  /** Octets of the body in `[start, end)`; what the slab holds from `from` on goes out before them (-1: nothing). */
  #readBody(buffer: Buffer, start: number, end: number, from: number): void {
    const body = this.#body
    const { slab } = this.#context
    const headWaits = from >= 0
    if (!headWaits) {
      slab.reserve(end - start + chunkSlack)
      from = slab.at
    }
    let next = start
    if (body.kind === 'until-close') {
      if (end > start) this.#writeUntilClose(buffer, start, end)
      next = end
    } else if (body.kind === 'chunked' && this.#owner.head.minorVersion === 0) {
      next = body.unchunk(buffer, start, end, slab.buffer, slab.at)
      slab.at += body.chunked.payload
    } else {
      next = body.read(buffer, start, end)
      if (next > start) slab.at += buffer.copy(slab.buffer, slab.at, start, next)
    }
    if (next < 0) {
      slab.at = from
      // Nothing of it has gone out yet: the client can still be told properly.
      if (headWaits) this.#withdrawHead()
      this.#invalid()
      return
    }
    if (slab.at > from) this.send(from)
    if (!body.done || this.#finished) return
    // Whether the client takes more concerns its next answer; this endpoint must be read on.
    this.#clientBlocked = false
    // Octets behind the answer were not asked for: nobody knows what they would answer.
    this.#owner.onReplyDone(next === end)
  }

  /** Of what has been sent so far nothing but interim heads is left. */
  #withdrawHead(): void {
    this.headDone = false
    this.#owner.headBytesSent = this.#owner.bytesSent
  }

  #writeUntilClose(buffer: Buffer, start: number, end: number): void {
    const { slab } = this.#context
    const chunked = this.#owner.head.minorVersion === 1
    let at = slab.at
    if (chunked) at += slab.buffer.write(`${(end - start).toString(16)}\r\n`, at, 'latin1')
    at += buffer.copy(slab.buffer, at, start, end)
    if (chunked) at += slab.buffer.write('\r\n', at, 'latin1')
    slab.at = at
  }

  /** Sends what the slab holds from `from` on. */
  send(from: number): void {
    const client = this.#client
    this.#owner.bytesSent += this.#context.slab.at - from
    // Only `onClientDrain` takes it back: the drain is what wakes those who wait.
    if (!client.send(from) && (this.#readAhead === 0 || client.waiting > this.#readAhead)) this.#clientBlocked = true
  }

  #upgrade(buffer: Buffer, start: number, end: number): void {
    const { response } = this
    const { slab, clock } = this.#context
    const { fields } = response
    this.#owner.status = 101
    let upgrade = ''
    for (let i = 0; i < fields.count; i++) {
      if (fields.id[i] === fieldId.upgrade)
        upgrade = buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!)
    }
    const lines = `${this.#owner.addedLines(101)}Connection: upgrade\r\nUpgrade: ${upgrade}\r\n`
    slab.reserve(end + clock.serverAndDate.length + lines.length + headSlack)
    const from = slab.at
    slab.at = this.#writeHead(buffer, lines, remakes.nothing)
    this.#owner.headBytesSent += slab.at - from
    this.send(from)
    this.#owner.onReplyUpgrade(buffer, start, end)
  }
}
