// One request's life: head, route, policies, endpoint, answer, log line. Read this first.
//
//   readHead ──> dispatch ──> answer            (the router's own: 404, 503, 301...)
//                   │
//                   └──> proxy ──> connect ──> readBody*          octets of the request, as they come
//                                     │
//                                     └──> onUpstreamData*        head, then octets of the answer
//                                              └──> complete      log line, counters, back to the pool
//
// Exchanges are pooled and hold no closures or promises. Whatever goes wrong ends in `fail`, and every exchange ends in
// `#complete`, exactly once.

import { randomUUID } from 'node:crypto'
import {
  appCounter,
  counter,
  durationBuckets,
  type FailureCode,
  failureCodes,
  fixedSlot,
  rowOffset,
} from '../model/counters.ts'
import { LogOctets, type LogRecord } from './access-log.ts'
import { type Answer, errorAnswer, healthy } from './answer.ts'
import type { ThreadContext } from './context.ts'
import { Body } from './http/body.ts'
import { type ClientConnection, clientTimeout } from './http/connection.ts'
import { fieldId } from './http/fields.ts'
import { effectiveScheme, type Scheme } from './http/forwarded.ts'
import { headSlack, replaces, writeInterimHead, writeRequestHead, writeResponseHead } from './http/head-writer.ts'
import { captureLog, clientAddressOf, lastValue, pathOf, targetOf } from './http/request-facts.ts'
import { method, RequestHead } from './http/request-head.ts'
import { ResponseHead } from './http/response-head.ts'
import { Tunnel } from './http/upgrade.ts'
import { decide, type PolicyRequest } from './policy/chain.ts'
import { clientClosed, reasonOf, rescue } from './rescue.ts'
import type { CompiledRoute } from './table/route-table.ts'
import { UpstreamConnection, type UpstreamListener } from './upstream/connection.ts'
import type { EndpointPool } from './upstream/endpoint-pool.ts'

/** Endpoints tried for one request, and further tries after a connection that had been kept turned out closed. */
const maxAttempts = 3
/** Largest head that an endpoint may send (contract section 13: a frequent complaint about 4k; we allow more). */
const responseHeadLimit = 64 * 1024
const maxInterims = 16
const maxPooled = 4096

/** Why we could not connect that is no fault of the endpoint. */
const ourOwnShortage = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL'])
/** A request up to this length is copied for another try; a longer one keeps its slab. */
const keptLength = 2048

const pool: Exchange[] = []
const notFound = errorAnswer(404, false)

export class Exchange implements UpstreamListener, PolicyRequest, LogRecord {
  readonly head = new RequestHead()
  readonly logOctets = new LogOctets()
  readonly #response = new ResponseHead()
  readonly #requestBody = new Body()
  readonly #responseBody = new Body()
  #client!: ClientConnection
  #context!: ThreadContext
  #connection: UpstreamConnection | null = null
  #pool: EndpointPool | null = null
  #route: CompiledRoute | null = null
  /** The buffer that the request head is in, while it is at hand. */
  #source: Buffer | null = null
  /** What the endpoint gets first: the head and the octets of the body that came with it. Kept for another try. */
  #octets: Buffer | null = null
  /** What `#octets` held, once that has gone out on a kept connection. */
  #kept: Buffer | null = null
  #keptOctets = 0
  #replayable = false
  #attempts = 0
  #responsePartial: Buffer | null = null
  #responsePartialEnd = 0
  #responseStarted = false
  #responseHeadDone = false
  #interims = 0
  #clientBlocked = false
  #upstreamBlocked = false
  #keepAlive = false
  #active = false
  #requestId = ''
  #correlationId = ''
  #startedAt = 0
  #upstreamStartedAt = 0
  #requestBytes = 0
  #row = 0
  headDone = false
  requestDone = false
  host = ''
  status = 0
  bytesSent = 0
  clientAddress = ''
  logApp = ''
  logServerName = '_'
  logUser = '-'
  upstreamName = '-'
  upstreamTime = -1
  requestTime = 0

  /** A fresh exchange for the request whose first octets have come. */
  static acquire(client: ClientConnection): Exchange {
    const exchange = pool.pop() ?? new Exchange()
    exchange.#begin(client)
    return exchange
  }

  #begin(client: ClientConnection): void {
    this.#client = client
    this.#context = client.context
    this.#active = true
    this.head.reset()
    this.logOctets.clear()
    this.#replayable = false
    this.#attempts = 0
    this.#responseStarted = false
    this.#responseHeadDone = false
    this.#interims = 0
    this.#clientBlocked = false
    this.#upstreamBlocked = false
    this.#keepAlive = false
    this.#requestId = ''
    this.#startedAt = performance.now()
    this.#requestBytes = 0
    this.#row = rowOffset(fixedSlot.rejected)
    this.headDone = false
    this.requestDone = false
    this.host = ''
    this.status = 0
    this.bytesSent = 0
    this.clientAddress = client.peer
    this.logApp = ''
    this.logServerName = '_'
    this.logUser = '-'
    this.upstreamName = '-'
    this.upstreamTime = -1
  }

  // ----------------------------------------------------------------------------------------- the request comes

  /** Parses on. Returns the position behind what belongs to this request so far, 0 for an incomplete head, -1 when it failed. */
  readHead(buffer: Buffer, start: number, end: number): number {
    const after = this.head.parse(buffer, start, end, this.#context.limits)
    if (after === 0) return 0
    if (after < 0) {
      this.#context.counters[counter.malformedRequests]!++
      if (this.head.targetEnd > this.head.methodStart) this.logUser = captureLog(this.head, buffer, this.logOctets)
      this.fail(this.head.error)
      return -1
    }
    this.headDone = true
    this.#source = buffer
    const next = this.#dispatch(buffer, after, end)
    this.#source = null
    return next
  }

  /** The phases up to the endpoint or the router's own answer. Returns the position behind the octets it used, or -1. */
  #dispatch(buffer: Buffer, bodyStart: number, end: number): number {
    const { head } = this
    const { framing } = head
    const { table, settings, trusted } = this.#context
    if (framing.chunked) this.#requestBody.start('chunked')
    else if (framing.contentLength > 0) this.#requestBody.length(framing.contentLength)
    else this.#requestBody.none()
    this.#keepAlive = !framing.close && (head.minorVersion === 1 || framing.keepAlive)
    this.logUser = captureLog(head, buffer, this.logOctets)
    const next = this.#requestBody.read(buffer, bodyStart, end)
    if (next < 0) return this.#malformedBody()
    this.requestDone = this.#requestBody.done
    this.#requestBytes = next - head.methodStart

    this.host = this.#client.hostName(head, buffer)
    const host = table.matchHost(this.host, this.#client.secure)
    const route = host === null ? null : (host.everyPath ?? host.paths.match(pathOf(head, buffer)))
    if (head.forwarded) this.clientAddress = clientAddressOf(head, buffer, this.#client.peer, trusted)
    if (route === null) {
      this.#row = rowOffset(fixedSlot.defaultVhost)
      this.#answer(this.#defaultVhost(buffer))
      return next
    }
    this.#route = route
    this.#row = route.row
    this.logApp = route.logApp
    this.logServerName = route.logServerName
    if (settings.requestIds) this.#makeRequestIds(buffer)
    const answer = decide(route, this)
    if (answer !== null) this.#answer(answer)
    else this.#proxy(route, buffer, bodyStart, next)
    return next
  }

  #malformedBody(): -1 {
    this.#context.counters[counter.malformedRequests]!++
    this.fail('bad-request')
    return -1
  }

  #defaultVhost(buffer: Buffer): Answer {
    const path = pathOf(this.head, buffer)
    const health = path === '/healthz' || path === '/healthz/'
    this.logApp = health ? 'router-healthz' : 'router-default-vhost'
    return health ? healthy : notFound
  }

  /** For policies, while the head is at hand. */
  target(): string {
    return targetOf(this.head, this.#source!)
  }

  /** For policies, while the head is at hand (contract section 8, effective scheme). */
  scheme(): Scheme {
    if (this.#client.secure) return 'https'
    if (!this.head.forwarded) return 'http'
    const value = lastValue(this.head, this.#source!, fieldId.xForwardedProto)
    return value === '' ? 'http' : effectiveScheme(value)
  }

  #makeRequestIds(buffer: Buffer): void {
    this.#requestId = randomUUID().replaceAll('-', '')
    const given = lastValue(this.head, buffer, fieldId.xCorrelationId)
    this.#correlationId = given === '' ? this.#requestId : `${given},${this.#requestId}`
  }

  #requestIdLines(): string {
    return this.#requestId === ''
      ? ''
      : `X-Request-Id: ${this.#requestId}\r\nX-Correlation-Id: ${this.#correlationId}\r\n`
  }

  /** Octets of the body. Returns the position behind them, or -1 when its framing broke. */
  readBody(buffer: Buffer, start: number, end: number): number {
    const next = this.#requestBody.read(buffer, start, end)
    if (next < 0) return this.#malformedBody()
    this.#requestBytes += next - start
    const connection = this.#connection!
    const { slab } = this.#context
    const length = next - start
    slab.reserve(length)
    buffer.copy(slab.buffer, slab.at, start, next)
    const { socket } = connection
    socket.write(slab.buffer.subarray(slab.at, slab.at + length))
    if (socket.writableLength !== 0) slab.at += length
    if (this.#requestBody.done) this.requestDone = true
    else if (socket.writableNeedDrain) {
      this.#upstreamBlocked = true
      this.#client.pause()
    }
    this.#touch()
    return next
  }

  // --------------------------------------------------------------------------------------- the endpoint is asked

  /** `[bodyStart, bodyEnd)` are the octets of the body that came together with the head. */
  #proxy(route: CompiledRoute, buffer: Buffer, bodyStart: number, bodyEnd: number): void {
    const { head } = this
    const { slab, settings } = this.#context
    const forwarded = this.#forwardedLines(buffer)
    let lines = this.#requestIdLines()
    if (settings.requestStartHeader) lines += `X-Request-Start: t=${(Date.now() / 1000).toFixed(3)}\r\n`
    slab.reserve(bodyEnd - head.methodStart + forwarded.length + lines.length + headSlack)
    const from = slab.at
    const replaced =
      (settings.requestIds ? replaces.requestIds : 0) + (settings.requestStartHeader ? replaces.requestStart : 0)
    let at = writeRequestHead(head, buffer, slab.buffer, from, this.host, forwarded, lines, replaced)
    at += buffer.copy(slab.buffer, at, bodyStart, bodyEnd)
    this.#octets = slab.buffer.subarray(from, at)
    slab.at = at
    this.#replayable = this.requestDone && (head.methodTraits & method.idempotent) !== 0
    // Contract section 11: the router answers the expectation itself, once it knows that the app will be asked.
    if (head.expectContinue && !this.requestDone && bodyEnd === bodyStart) this.#client.sendContinue()
    this.#connect(route, false)
  }

  /** X-Forwarded-For, -Proto and -Port; most connections have theirs made once. */
  #forwardedLines(buffer: Buffer): Buffer {
    const client = this.#client
    if (!this.head.forwarded) return client.forwarded
    const port = lastValue(this.head, buffer, fieldId.xForwardedPort)
    const scheme = this.scheme()
    const usual = client.secure ? 'https' : 'http'
    if (port === '' && scheme === usual && this.clientAddress === client.peer) return client.forwarded
    return Buffer.from(
      `X-Forwarded-For: ${this.clientAddress}\r\nX-Forwarded-Proto: ${scheme}\r\nX-Forwarded-Port: ${port === '' ? client.port : port}\r\n`,
      'latin1',
    )
  }

  /** Claims an endpoint and sends the request; `fresh`: on a connection of its own. */
  #connect(route: CompiledRoute, fresh: boolean): void {
    const context = this.#context
    const { counters } = context
    const endpoint = route.upstream.claim(context.timers.now, Math.random)
    if (endpoint === null) {
      this.fail('no-endpoint')
      return
    }
    this.#attempts++
    this.#pool = endpoint
    endpoint.inFlight++
    this.upstreamName = endpoint.name
    let connection = fresh ? null : endpoint.take()
    if (connection === null) connection = new UpstreamConnection(context, endpoint, this, route.connectTimeout)
    else {
      connection.reuse(this)
      counters[counter.upstreamReused]!++
    }
    this.#connection = connection
    connection.uses++
    this.#response.reset()
    this.#upstreamStartedAt = performance.now()
    const { socket } = connection
    if (!this.requestDone) connection.expectEarlyAnswer()
    socket.write(this.#octets ?? this.#kept!.subarray(0, this.#keptOctets))
    if (connection.connected) this.#keepForRetry()
    if (!this.requestDone && (!connection.connected || socket.writableNeedDrain)) {
      this.#upstreamBlocked = true
      this.#client.pause()
    }
    this.#touch()
  }

  /** After the octets left only an idempotent request may be sent again. A view would hold its slab for as long as this lasts. */
  #keepForRetry(): void {
    const octets = this.#octets
    if (octets === null || (this.#replayable && octets.length > keptLength)) return
    this.#octets = null
    if (!this.#replayable) return
    this.#kept ??= Buffer.allocUnsafeSlow(keptLength)
    this.#keptOctets = octets.copy(this.#kept)
  }

  onUpstreamConnect(): void {
    // A connection of its own is not tried again once it stands.
    this.#octets = null
    this.#context.counters[counter.upstreamConnects]!++
    this.#pool!.failedAt = 0
    this.#touch()
    if (!this.#connection!.socket.writableNeedDrain) this.onUpstreamDrain()
  }

  onUpstreamDrain(): void {
    if (!this.#upstreamBlocked) return
    this.#upstreamBlocked = false
    this.#touch()
    this.#client.resume()
  }

  onClientDrain(): void {
    if (!this.#clientBlocked) return
    this.#clientBlocked = false
    this.#touch()
    this.#connection?.resume()
  }

  // ------------------------------------------------------------------------------------------- the answer comes

  onUpstreamData(buffer: Buffer, length: number): boolean {
    this.#responseStarted = true
    this.#touch()
    if (this.#responseHeadDone) this.#responseOctets(buffer, 0, length)
    else if (this.#responsePartial === null) this.#readResponseHead(buffer, 0, length)
    else {
      const partial = this.#appendResponse(buffer, length)
      this.#readResponseHead(partial, this.#response.resume, this.#responsePartialEnd)
    }
    return !this.#clientBlocked
  }

  #appendResponse(buffer: Buffer, length: number): Buffer {
    const end = this.#responsePartialEnd + length
    let partial = this.#responsePartial!
    if (end > partial.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, partial.length * 2))
      partial.copy(grown, 0, 0, this.#responsePartialEnd)
      partial = this.#responsePartial = grown
    }
    buffer.copy(partial, this.#responsePartialEnd, 0, length)
    this.#responsePartialEnd = end
    return partial
  }

  #readResponseHead(buffer: Buffer, start: number, end: number): void {
    const response = this.#response
    let at = start
    for (;;) {
      const after = response.parse(buffer, at, end, responseHeadLimit)
      if (after === 0) {
        if (buffer !== this.#responsePartial) {
          const from = this.#interims === 0 ? start : at
          this.#responsePartial = Buffer.allocUnsafeSlow(Math.max(2048, (end - from) * 2))
          this.#responsePartialEnd = buffer.copy(this.#responsePartial, 0, from, end)
          response.rebase(-from)
        }
        return
      }
      if (after < 0 || (response.status === 101 && !this.#mayUpgrade())) {
        this.#invalidResponse()
        return
      }
      if (response.status >= 200 || response.status === 101) {
        this.#responsePartial = null
        this.#responseHeadDone = true
        if (response.status === 101) this.#upgrade(buffer, after, end)
        else this.#startResponse(buffer, after, end)
        return
      }
      if (++this.#interims > maxInterims) {
        this.#invalidResponse()
        return
      }
      // The router has answered 100 itself; others are for the client, unless it is too old to know them.
      if (response.status !== 100 && this.head.minorVersion === 1) this.#sendInterim(buffer, after - at)
      response.reset()
      at = after
      if (at === end) {
        this.#responsePartial = null
        return
      }
    }
  }

  /** 101 answers an offer, and says to what (RFC 9110 section 15.2.2). */
  #mayUpgrade(): boolean {
    return this.head.upgradeField >= 0 && this.requestDone && this.#response.fields.has(fieldId.upgrade)
  }

  #invalidResponse(): void {
    this.#context.counters[counter.upstreamInvalidResponses]!++
    this.fail('upstream-invalid')
  }

  #sendInterim(buffer: Buffer, octets: number): void {
    const { slab } = this.#context
    slab.reserve(octets + headSlack)
    const from = slab.at
    slab.at = writeInterimHead(this.#response, buffer, slab.buffer, from)
    this.bytesSent += slab.at - from
    this.#clientBlocked = !this.#client.send(from)
  }

  /** The final head: decides how the body is framed towards the client (RFC 9112 section 6.3), and sends what is there. */
  #startResponse(buffer: Buffer, bodyStart: number, end: number): void {
    const response = this.#response
    const { framing } = response
    const { slab, clock, draining } = this.#context
    const { status } = response
    this.status = status
    this.#octets = null
    this.upstreamTime = performance.now() - this.#upstreamStartedAt
    const body = this.#responseBody
    if ((this.head.methodTraits & method.head) !== 0 || status === 204 || status === 304) body.none()
    else if (framing.chunked) body.start('chunked')
    else if (framing.contentLength >= 0) body.length(framing.contentLength)
    else body.start('until-close')

    // A body without a length needs chunks to keep the connection, and HTTP/1.0 does not know them.
    const old = this.head.minorVersion === 0
    const unbounded = body.kind === 'chunked' || body.kind === 'until-close'
    if (draining || !this.requestDone || (old && unbounded)) this.#keepAlive = false
    let lines = this.#requestIdLines()
    if (!this.#keepAlive) lines += 'Connection: close\r\n'
    else if (old) lines += 'Connection: keep-alive\r\n'
    if (!old && (unbounded || (framing.chunked && body.kind === 'none' && status !== 204))) {
      lines += 'Transfer-Encoding: chunked\r\n'
    }
    slab.reserve(end + clock.serverAndDate.length + lines.length + headSlack)
    const from = slab.at
    const replaced = this.#requestId !== ''
    const at = writeResponseHead(response, buffer, slab.buffer, from, clock.serverAndDate, lines, replaced)
    slab.at = at
    this.#responseOctets(buffer, bodyStart, end, from)
  }

  /** Octets of the answer's body in `[start, end)`; what the slab holds from `from` on goes out before them. */
  #responseOctets(buffer: Buffer, start: number, end: number, from = -1): void {
    const body = this.#responseBody
    const { slab } = this.#context
    const headWaits = from >= 0
    if (!headWaits) {
      // Room for the octets, and for the framing of a chunk.
      slab.reserve(end - start + 32)
      from = slab.at
    }
    let next = start
    if (body.kind === 'until-close') {
      if (end > start) this.#writeUntilClose(buffer, start, end)
      next = end
    } else if (body.kind === 'chunked' && this.head.minorVersion === 0) {
      next = body.unchunk(buffer, start, end, slab.buffer, slab.at)
      slab.at += body.chunked.payload
    } else {
      next = body.read(buffer, start, end)
      if (next > start) slab.at += buffer.copy(slab.buffer, slab.at, start, next)
    }
    if (next < 0) {
      slab.at = from
      // Nothing of it has gone out yet: the client can still be told properly.
      if (headWaits) this.#responseHeadDone = false
      this.#invalidResponse()
      return
    }
    if (slab.at > from) {
      this.bytesSent += slab.at - from
      this.#clientBlocked = !this.#client.send(from)
    }
    if (!body.done || !this.#active) return
    // Whether the client takes more concerns its next answer; this endpoint must be read on.
    this.#clientBlocked = false
    // Octets behind the answer were not asked for: nobody knows what they would answer.
    this.#releaseConnection(next === end)
    this.#complete(!this.requestDone || !this.#keepAlive)
  }

  #writeUntilClose(buffer: Buffer, start: number, end: number): void {
    const { slab } = this.#context
    const chunked = this.head.minorVersion === 1
    let at = slab.at
    if (chunked) at += slab.buffer.write(`${(end - start).toString(16)}\r\n`, at, 'latin1')
    at += buffer.copy(slab.buffer, at, start, end)
    if (chunked) at += slab.buffer.write('\r\n', at, 'latin1')
    slab.at = at
  }

  #upgrade(buffer: Buffer, start: number, end: number): void {
    const response = this.#response
    const { slab, clock } = this.#context
    const connection = this.#connection!
    this.status = 101
    this.#octets = null
    this.upstreamTime = performance.now() - this.#upstreamStartedAt
    const { fields } = response
    let upgrade = ''
    for (let i = 0; i < fields.count; i++) {
      if (fields.id[i] === fieldId.upgrade)
        upgrade = buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!)
    }
    const lines = `${this.#requestIdLines()}Connection: upgrade\r\nUpgrade: ${upgrade}\r\n`
    slab.reserve(end + clock.serverAndDate.length + lines.length + headSlack)
    const from = slab.at
    slab.at = writeResponseHead(response, buffer, slab.buffer, from, clock.serverAndDate, lines, this.#requestId !== '')
    this.bytesSent += slab.at - from
    this.#client.send(from)
    const tunnel = new Tunnel(this.#context, this.#client, connection, this.#route!.idleTimeout, (sent, received) => {
      this.bytesSent += sent
      this.#requestBytes += received
      this.#releaseConnection(false)
      this.#end()
    })
    this.#client.upgraded(tunnel)
    tunnel.fromUpstream(buffer, start, end)
  }

  onUpstreamEnd(): void {
    if (this.#responseHeadDone && this.#responseBody.kind === 'until-close') {
      if (this.head.minorVersion === 1) {
        const { slab } = this.#context
        slab.reserve(8)
        const from = slab.at
        slab.at += slab.buffer.write('0\r\n\r\n', from, 'latin1')
        this.bytesSent += slab.at - from
        this.#client.send(from)
      }
      this.#releaseConnection(false)
      this.#complete(!this.requestDone || !this.#keepAlive)
      return
    }
    this.#connection!.destroy()
    this.onUpstreamGone('CLOSED')
  }

  onUpstreamGone(code: string): void {
    const { counters, timers } = this.#context
    const connection = this.#connection
    const endpoint = this.#pool
    if (connection === null || endpoint === null) return
    this.#connection = null
    this.#pool = null
    endpoint.inFlight--
    const route = this.#route!
    if (!connection.connected) {
      if (!ourOwnShortage.has(code)) endpoint.failedAt = timers.now
      if (code === 'CONNECT_TIMEOUT') counters[counter.upstreamConnectTimeouts]!++
      else if (code === 'ECONNREFUSED') counters[counter.upstreamConnectRefused]!++
      else counters[counter.upstreamConnectErrors]!++
      // Not one octet left this machine: another endpoint may be asked whatever the method is.
      if (this.#attempts < Math.min(route.upstream.size, maxAttempts)) {
        counters[counter.upstreamRetries]!++
        this.#connect(route, false)
      } else this.fail(code === 'CONNECT_TIMEOUT' || code === 'ETIMEDOUT' ? 'connect-timeout' : 'connect-failed')
      return
    }
    // A connection that had waited may have been closed by the endpoint as we wrote: the request was not looked at.
    if (!this.#responseStarted && connection.uses > 1 && this.#replayable && this.#attempts < maxAttempts) {
      counters[counter.upstreamRetries]!++
      this.#connect(route, true)
      return
    }
    this.fail('upstream-closed')
  }

  // --------------------------------------------------------------------------------------------------- endings

  /** The client went away. */
  onClientGone(): void {
    if (!this.#active) return
    this.#context.counters[counter.clientAborts]!++
    if (this.status === 0) this.status = clientClosed
    this.#releaseConnection(false)
    this.#end()
    this.#client.destroy()
  }

  onDeadline(): void {
    if (!this.headDone || (!this.requestDone && !this.#upstreamBlocked && !this.#responseHeadDone)) {
      this.fail('request-timeout')
    } else if (this.#clientBlocked) {
      if (this.#client.taking()) this.#touch()
      else this.onClientGone()
    } else {
      this.#context.counters[counter.upstreamTimeouts]!++
      this.fail('upstream-timeout')
    }
  }

  /** Ends the exchange with an error: an answer while none has begun, else by cutting the connection. */
  fail(code: FailureCode): void {
    if (!this.#active) return
    const verdict = rescue(code)
    this.#context.counters[counter.failures + failureCodes.indexOf(code)]!++
    if (this.upstreamName !== '-' && code !== 'bad-request' && code !== 'request-timeout') {
      this.#context.log('an endpoint failed a request', { code, app: this.logApp, endpoint: this.upstreamName })
    }
    if (this.#connection !== null && this.upstreamTime < 0)
      this.upstreamTime = performance.now() - this.#upstreamStartedAt
    this.#releaseConnection(false)
    if (this.#responseHeadDone) {
      // The client has to notice that its answer is incomplete.
      if (this.status === 0) this.status = verdict.status
      this.#end()
      this.#client.destroy()
      return
    }
    if (verdict.close) this.#keepAlive = false
    this.#answer(errorAnswer(verdict.status, this.#route !== null))
  }

  /** Sends an answer of the router's own. */
  #answer(answer: Answer): void {
    const { slab, clock, draining } = this.#context
    const close = !this.#keepAlive || !this.requestDone || draining
    this.status = answer.status
    let head = `HTTP/1.1 ${answer.status} ${reasonOf(answer.status)}\r\nContent-Type: ${answer.contentType}\r\n`
    head += `Content-Length: ${answer.body.length}\r\n`
    if (answer.location !== '') head += `Location: ${answer.location}\r\n`
    // RFC 9110 section 15.5.6: all but CONNECT and TRACE, which is why we are here.
    if (answer.status === 405) head += 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n'
    if (answer.requestIds) head += this.#requestIdLines()
    if (close) head += 'Connection: close\r\n'
    else if (this.head.minorVersion === 0) head += 'Connection: keep-alive\r\n'
    slab.reserve(head.length + clock.serverAndDate.length + answer.body.length + 2)
    const from = slab.at
    let at = from + slab.buffer.write(head, from, 'latin1')
    at += clock.serverAndDate.copy(slab.buffer, at)
    at += slab.buffer.write('\r\n', at, 'latin1')
    if ((this.head.methodTraits & method.head) === 0 || !this.headDone)
      at += slab.buffer.write(answer.body, at, 'latin1')
    slab.at = at
    this.bytesSent += at - from
    this.#client.send(from)
    this.#complete(close)
  }

  #complete(close: boolean): void {
    const client = this.#client
    this.#end()
    client.finished(close)
  }

  /** The one place where an exchange ends: log line, counters, back to the pool. */
  #end(): void {
    if (!this.#active) return
    this.#active = false
    this.requestTime = performance.now() - this.#startedAt
    this.#count()
    if (this.logApp !== 'router-healthz') this.#context.accessLog.write(this.#context.clock.logTime, this)
    this.#octets = null
    this.#route = null
    this.#responsePartial = null
    if (pool.length < maxPooled) pool.push(this)
  }

  #count(): void {
    const { counters } = this.#context
    const row = this.#row
    const seconds = this.requestTime / 1000
    counters[row + appCounter.status + Math.floor(this.status / 100) - 1]!++
    counters[row + appCounter.requestBytes]! += this.#requestBytes
    counters[row + appCounter.responseBytes]! += this.bytesSent
    counters[row + appCounter.durationSum]! += seconds
    let bucket = 0
    while (bucket < durationBuckets.length && seconds > durationBuckets[bucket]!) bucket++
    counters[row + appCounter.duration + bucket]!++
  }

  /** Gives the connection back if it can carry another request, else closes it. */
  #releaseConnection(clean: boolean): void {
    const connection = this.#connection
    if (connection === null) return
    this.#connection = null
    if (this.#pool !== null) this.#pool.inFlight--
    this.#pool = null
    const { framing, minorVersion, keepAliveTimeout } = this.#response
    const persistent = !framing.close && (minorVersion === 1 || framing.keepAlive)
    if (clean && persistent && this.requestDone && this.head.upgradeField < 0) connection.release(keepAliveTimeout)
    else connection.destroy()
  }

  /** Something moved: the clock of whoever has to act next starts again. */
  #touch(): void {
    const route = this.#route
    if (route === null) return
    const forClient = this.#clientBlocked || (!this.requestDone && !this.#upstreamBlocked && !this.#responseHeadDone)
    this.#client.setDeadline(
      forClient
        ? clientTimeout
        : Math.max(route.idleTimeout, this.#connection?.connected ? 0 : route.connectTimeout + 1000),
    )
  }
}
