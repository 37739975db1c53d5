// One request's life: head, route, policies, endpoint, answer, log line. Read this first.
//
//   readHead ──> dispatch ──> answer            (the router's own: 404, 503, 301...)
//                   │
//                   └──> proxy ──> connect ──> readBody*          octets of the request, as they come
//                                     │
//                                     └──> onUpstreamData*        head, then octets of the answer
//                                              └──> complete      log line, counters, back to the pool
//
// What happens to an answer on its way is in `reply.ts`.
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
import type { ClientCertificate } from './client-certificate.ts'
import type { ThreadContext } from './context.ts'
import { Body } from './http/body.ts'
import type { Client } from './http/client.ts'
import { clientTimeout } from './http/connection.ts'
import { fieldId } from './http/fields.ts'
import { effectiveScheme, forwardedLines, type Scheme } from './http/forwarded.ts'
import { headSlack, replaces, writeRequestHead } from './http/head-writer.ts'
import {
  captureLog,
  clientAddressOf,
  cookieValue,
  hopsOf,
  lastValue,
  namedValue,
  pathOf,
  targetOf,
  wantsTrailers,
} from './http/request-facts.ts'
import { method, RequestHead } from './http/request-head.ts'
import { Tunnel } from './http/upgrade.ts'
import { decide, type PolicyRequest } from './policy/chain.ts'
import { clientRefusals } from './policy/client-certificate.ts'
import { Reply, type ReplyOwner } from './reply.ts'
import { clientClosed, reasonOf, rescue } from './rescue.ts'
import type { CompiledRoute } from './table/route-table.ts'
import { Attempts, type RequestFacts } from './upstream/attempts.ts'
import { goneCode, type UpstreamChannel, type UpstreamListener } from './upstream/channel.ts'
import type { Waiter } from './upstream/queue.ts'

const maxPooled = 4096

/** A request up to this length is copied into memory that the exchange keeps; a longer one gets memory of its own. */
const keptLength = 2048

/** Statuses that carry Referrer-Policy (contract section 12). */
const referring = new Set([200, 201, 204, 206, 301, 302, 303, 304, 307, 308])

/** Failures that are the endpoint's. */
const upstreamFaults = new Set<FailureCode>([
  'connect-failed',
  'connect-timeout',
  'upstream-closed',
  'upstream-invalid',
  'upstream-timeout',
])

function copyOf(octets: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(octets.length)
  octets.copy(copy)
  return copy
}

function isHealthPath(path: string): boolean {
  return path === '/healthz' || path === '/healthz/'
}

const pool: Exchange[] = []
const notFound = errorAnswer(404, false)

export class Exchange implements UpstreamListener, PolicyRequest, RequestFacts, Waiter, LogRecord, ReplyOwner {
  readonly head = new RequestHead()
  readonly logOctets = new LogOctets()
  readonly #reply = new Reply(this)
  readonly #requestBody = new Body()
  #client!: Client
  #context!: ThreadContext
  readonly #attempts = new Attempts()
  #connection: UpstreamChannel | null = null
  #route: CompiledRoute | null = null
  /** The buffer that the request head is in, while it is at hand. */
  #source: Buffer | null = null
  /** What the endpoint gets first: the head and the octets of the body that came with it. Kept for another try. */
  #octets: Buffer | null = null
  /** What `#octets` held, once that has gone out and may have to again. */
  #kept: Buffer | null = null
  #keptOctets = 0
  /** All of it came with the head, so that it can be sent again; and it may be, as it does no harm. */
  #isWhole = false
  #replayable = false
  /** It has no endpoint yet, for want of one that takes more requests. */
  #waiting = false
  /** The client waits for 100 before it sends the body. */
  #owesContinue = false
  #upstreamBlocked = false
  #active = false
  /** It got past the redirect to HTTPS: from there on HSTS is promised. */
  #admitted = false
  #promisesHttps = false
  /** Some route names this host, whether or not one has the path. */
  #isNamedHost = false
  #startedAt = 0
  #upstreamStartedAt = 0
  #row = 0
  headDone = false
  requestDone = false
  keepAlive = false
  requestIdLines = ''
  host = ''
  status = 0
  bytesSent = 0
  clientAddress = ''
  logApp = ''
  logServerName = '_'
  logUser = '-'
  upstreamName = '-'
  upstreamNames = ''
  upstreamTime = -1
  requestTime = 0
  requestBytes = 0
  headBytesSent = 0
  accessScheme = ''
  upstreamConnectTime = -1
  upstreamHeaderTime = -1
  upstreamBytes = 0

  /** A fresh exchange for the request whose first octets have come. */
  static acquire(client: Client): Exchange {
    const exchange = pool.pop() ?? new Exchange()
    exchange.#begin(client)
    return exchange
  }

  #begin(client: Client): void {
    this.#client = client
    this.#context = client.context
    this.#active = true
    this.#context.counters[counter.requestsOpen]!++
    this.head.reset()
    this.head.majorVersion = client.majorVersion
    this.logOctets.clear()
    this.#replayable = false
    this.#owesContinue = false
    this.#reply.begin(client)
    this.#upstreamBlocked = false
    this.#admitted = false
    this.#promisesHttps = false
    this.keepAlive = false
    this.requestIdLines = ''
    this.#startedAt = performance.now()
    this.requestBytes = 0
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
    this.upstreamNames = ''
    this.upstreamTime = -1
    this.headBytesSent = 0
    this.accessScheme = ''
    this.upstreamConnectTime = -1
    this.upstreamHeaderTime = -1
    this.upstreamBytes = 0
  }

  get upstreamStatus(): number {
    return this.#reply.headDone ? this.#reply.response.status : 0
  }

  // ----------------------------------------------------------------------------------------- the request comes

  /** Parses on. Returns the position behind what belongs to this request so far, 0 for an incomplete head, -1 when it failed. */
  readHead(buffer: Buffer, start: number, end: number): number {
    const after = this.head.parse(buffer, start, end, this.#context.limits)
    if (after === 0) return 0
    if (after < 0) {
      this.#context.counters[counter.malformedRequests]!++
      if (this.head.targetEnd > this.head.methodStart) this.logUser = this.#capture(buffer)
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
    const { settings, trusted, coding } = this.#context
    if (framing.chunked) this.#requestBody.start('chunked')
    else if (framing.contentLength > 0) this.#requestBody.length(framing.contentLength)
    else this.#requestBody.none()
    this.keepAlive = !framing.close && (head.minorVersion === 1 || framing.keepAlive)
    this.logUser = this.#capture(buffer)
    const next = this.#requestBody.read(buffer, bodyStart, end)
    if (next < 0) return this.#malformedBody()
    this.requestDone = this.#requestBody.done
    this.requestBytes = next - head.methodStart

    this.host = this.#client.hostName(head, buffer)
    if (head.forwarded && !this.#client.ignoresForwardedFor)
      this.clientAddress = clientAddressOf(head, buffer, this.#client.peer, trusted)
    if (this.logOctets.format !== null) this.accessScheme = this.scheme()
    const route = this.#match(buffer)
    if (route === null) {
      this.#row = rowOffset(fixedSlot.defaultVhost)
      this.#answer(this.#defaultVhost(buffer))
      return next
    }
    this.#route = route
    this.#row = route.row
    this.logApp = route.logApp
    this.logServerName = route.logServerName
    if (settings.requestIds && !route.isDefault) this.#makeRequestIds(buffer)
    if (head.acceptEncodings > 0 && coding.enabled)
      this.#reply.preferences.remember(head, buffer, this.#client.preferences)
    else this.#reply.preferences.clear(head.minorVersion)
    const { bodySize } = settings
    if (bodySize !== 0 && (framing.contentLength > bodySize || this.#requestBody.payload > bodySize)) {
      this.fail('body-too-large')
      return -1
    }
    const answer = decide(route, this)
    if (answer !== null && clientRefusals.has(answer)) {
      this.#context.counters[counter.clientCertificatesRefused]!++
      // What a connection knows of its client never changes: a better certificate needs another one.
      this.keepAlive = false
    } else if (answer?.status === 403) this.#context.counters[counter.forbidden]!++
    if (answer === null || answer.admitted) this.#admit(route)
    if (answer !== null) this.#answer(answer)
    else if (head.marked && this.#isLoop(buffer)) this.#refuseLoop()
    else this.#proxy(route, buffer, bodyStart, next)
    return next
  }

  /**
   * Host first, then path; what none answers goes to the default tier. `/healthz` of hosts that nobody names is the
   * router's own, also where rules without a host take all else: load balancers ask for it.
   */
  #match(buffer: Buffer): CompiledRoute | null {
    const { table } = this.#context
    const { secure } = this.#client
    const host = table.matchHost(this.host, secure)
    this.#isNamedHost = host !== null && !host.isAny
    if (!this.#isNamedHost && isHealthPath(pathOf(this.head, buffer))) return null
    const route = host === null ? null : (host.everyPath ?? host.paths!.match(pathOf(this.head, buffer)))
    return route ?? table.matchDefault(pathOf(this.head, buffer), secure)
  }

  /** Whether it has passed as many routers as one may: whatever it leads to leads back here. */
  #isLoop(buffer: Buffer): boolean {
    const { maxHops } = this.#context.settings
    return maxHops > 0 && hopsOf(this.head, buffer) >= maxHops
  }

  #refuseLoop(): void {
    this.#context.log('a request goes round in a loop', {
      app: this.logApp,
      host: this.host,
      client: this.clientAddress,
    })
    this.fail('loop')
  }

  /** From here on every answer promises HTTPS to a client that uses it (contract section 8, HSTS). */
  #admit(route: CompiledRoute): void {
    this.#admitted = !route.isDefault
    this.#promisesHttps = this.#admitted && this.#context.hstsLine !== '' && this.scheme() === 'https'
  }

  #capture(buffer: Buffer): string {
    return captureLog(this.head, buffer, this.logOctets, this.#context.accessLog.format, this.#client)
  }

  #malformedBody(): -1 {
    this.#context.counters[counter.malformedRequests]!++
    this.fail('bad-request')
    return -1
  }

  #defaultVhost(buffer: Buffer): Answer {
    const health = !this.#isNamedHost && isHealthPath(pathOf(this.head, buffer))
    this.logApp = health ? 'router-healthz' : 'router-default-vhost'
    return health ? healthy : notFound
  }

  /** For policies. */
  get secure(): boolean {
    return this.#client.secure
  }

  /** For policies. */
  get clientCertificate(): ClientCertificate | null {
    return this.#client.clientCertificate
  }

  /** For policies, while the head is at hand. */
  target(): string {
    return targetOf(this.head, this.#source!)
  }

  /** For policies, while the head is at hand (contract section 8, effective scheme). */
  scheme(): Scheme {
    if (this.#client.secure) return 'https'
    if (!this.head.forwarded || !this.#heedsForwarded()) return 'http'
    const value = lastValue(this.head, this.#source!, fieldId.xForwardedProto)
    return value === '' ? 'http' : effectiveScheme(value)
  }

  /** Whose X-Forwarded-Proto and -Port count. */
  #heedsForwarded(): boolean {
    const { settings, trusted } = this.#context
    return settings.forwardedFrom === 'any' || trusted.has(this.#client.tcpPeer)
  }

  /** For policies: the path, raw and without query. */
  path(): string {
    return pathOf(this.head, this.#source!)
  }

  /** For the choice of an endpoint, while the head is at hand. */
  fieldValue(name: string): string {
    return namedValue(this.head, this.#source!, name)
  }

  /** The same. */
  cookieValue(name: string): string {
    return cookieValue(this.head, this.#source!, name)
  }

  #makeRequestIds(buffer: Buffer): void {
    const id = randomUUID().replaceAll('-', '')
    const given = lastValue(this.head, buffer, fieldId.xCorrelationId)
    const correlation = given === '' ? id : `${given},${id}`
    this.requestIdLines = `X-Request-Id: ${id}\r\nX-Correlation-Id: ${correlation}\r\n`
  }

  /** Octets of the body. Returns the position behind them, or -1 when its framing broke. */
  readBody(buffer: Buffer, start: number, end: number): number {
    const next = this.#requestBody.read(buffer, start, end)
    if (next < 0) return this.#malformedBody()
    const { bodySize } = this.#context.settings
    if (bodySize !== 0 && this.#requestBody.payload > bodySize) {
      this.fail('body-too-large')
      return -1
    }
    this.requestBytes += next - start
    const connection = this.#connection!
    connection.write(buffer, start, next)
    if (this.#requestBody.done) this.requestDone = true
    else if (connection.blocked) {
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
    const { slab } = this.#context
    const forwarded = this.#forwardedLines(buffer)
    let lines = this.requestIdLines
    if (route.requestStart) lines += `X-Request-Start: t=${(Date.now() / 1000).toFixed(3)}\r\n`
    // Hop by hop, but gRPC counts on it (RFC 9113 section 8.2.2); an endpoint of HTTP/1.1 gets none of ours.
    if (route.upstream.speaksHttp2 && wantsTrailers(head, buffer)) lines += 'TE: trailers\r\n'
    const rule = route.clientCertificate
    if (rule?.passToApp) lines += this.#client.clientCertificate?.lines ?? ''
    slab.reserve(bodyEnd - head.methodStart + forwarded.length + lines.length + headSlack)
    const from = slab.at
    const replaced =
      (this.requestIdLines === '' ? 0 : replaces.requestIds) +
      (route.requestStart ? replaces.requestStart : 0) +
      (rule === null ? 0 : replaces.clientCertificate)
    let at = writeRequestHead(head, buffer, slab.buffer, from, this.host, forwarded, lines, replaced)
    at += buffer.copy(slab.buffer, at, bodyStart, bodyEnd)
    this.#octets = slab.buffer.subarray(from, at)
    slab.at = at
    this.#isWhole = this.requestDone
    this.#replayable = this.#isWhole && (head.methodTraits & method.idempotent) !== 0
    this.#owesContinue = head.expectContinue && !this.requestDone && bodyEnd === bodyStart
    this.#attempts.begin(this.#context, route.upstream, this)
    this.#connect(route)
  }

  /** X-Forwarded-For, -Proto and -Port, and the mark; most connections have theirs made once. */
  #forwardedLines(buffer: Buffer): Buffer {
    const client = this.#client
    if (!this.head.forwarded) return client.forwarded
    const port = this.#heedsForwarded() ? lastValue(this.head, buffer, fieldId.xForwardedPort) : ''
    const scheme = this.scheme()
    const usual = client.secure ? 'https' : 'http'
    if (port === '' && scheme === usual && this.clientAddress === client.peer) return client.forwarded
    return forwardedLines(this.clientAddress, scheme, port === '' ? client.port : port, this.#context.hopLine)
  }

  /** Claims an endpoint and sends the request there, or waits for one. */
  #connect(route: CompiledRoute): void {
    const context = this.#context
    const attempts = this.#attempts
    const member = attempts.claim()
    if (member === null) {
      this.#wait(route)
      return
    }
    const { pool } = member
    this.upstreamNames = this.upstreamNames === '' ? pool.name : `${this.upstreamNames}, ${pool.name}`
    this.upstreamName = pool.name
    // Contract section 11: the router answers the expectation itself, once it knows that the app will be asked.
    if (this.#owesContinue) this.#client.sendContinue()
    this.#owesContinue = false
    const connection = pool.open(context, this, route.connectTimeout, attempts.fresh)
    this.#connection = connection
    this.#reply.expect(route)
    this.#upstreamStartedAt = performance.now()
    this.upstreamConnectTime = connection.connected ? 0 : -1
    if (!this.requestDone) connection.expectEarlyAnswer()
    connection.begin(this.#octets ?? this.#kept!.subarray(0, this.#keptOctets))
    if (connection.connected) this.#keepForRetry()
    if (!this.requestDone && (!connection.connected || connection.blocked)) {
      this.#upstreamBlocked = true
      this.#client.pause()
    } else this.onUpstreamDrain()
    this.#touch()
  }

  /** As many requests are in flight as may be: this one has its turn later, or none. */
  #wait(route: CompiledRoute): void {
    if (!route.upstream.available) {
      this.fail('no-endpoint')
      return
    }
    if (!this.#attempts.wait(this)) {
      this.fail('queue-full')
      return
    }
    this.#waiting = true
    this.#leaveSlab()
    if (!this.requestDone) {
      this.#upstreamBlocked = true
      this.#client.pause()
    }
    this.#client.setDeadline(route.upstream.settings.limits.queueTimeout)
  }

  onTurn(): void {
    this.#waiting = false
    this.#connect(this.#route!)
  }

  /** What has to be kept for a while must not hold a whole slab for as long. */
  #leaveSlab(): void {
    const octets = this.#octets
    if (octets !== null && octets.buffer.byteLength > octets.length) this.#octets = copyOf(octets)
  }

  /**
   * After the octets left only an idempotent request may be sent again, or one that the endpoint has not looked at; it must
   * not hold its slab for as long as that lasts.
   */
  #keepForRetry(): void {
    const octets = this.#octets
    if (octets === null) return
    const again = this.#replayable || (this.#isWhole && this.#connection!.disclaims)
    if (again && octets.length > keptLength) {
      this.#leaveSlab()
      return
    }
    this.#octets = null
    if (!again) return
    this.#kept ??= Buffer.allocUnsafeSlow(keptLength)
    this.#keptOctets = octets.copy(this.#kept)
  }

  onUpstreamConnect(): void {
    this.#keepForRetry()
    this.upstreamConnectTime = performance.now() - this.#upstreamStartedAt
    this.#attempts.reached()
    this.#touch()
    if (!this.#connection!.blocked) this.onUpstreamDrain()
  }

  onUpstreamDrain(): void {
    if (!this.#upstreamBlocked) return
    this.#upstreamBlocked = false
    this.#touch()
    this.#client.resume()
  }

  onClientDrain(): void {
    this.#reply.onClientDrain()
  }

  onReplyReady(): void {
    this.#touch()
    this.#connection?.resume()
  }

  // ------------------------------------------------------------------------------------------- the answer comes

  onUpstreamData(buffer: Buffer, length: number): boolean {
    this.#touch()
    this.upstreamBytes += length
    this.#reply.read(buffer, length)
    return !this.#reply.blocked
  }

  onReplyHead(buffer: Buffer): void {
    this.#octets = null
    this.upstreamTime = this.upstreamHeaderTime = performance.now() - this.#upstreamStartedAt
    this.logOctets.captureAnswer(this.#reply.response.fields, buffer)
    this.#attempts.answered(this.#reply.response.status)
  }

  onReplyDone(clean: boolean): void {
    this.#releaseConnection(clean)
    this.#complete(!this.requestDone || !this.keepAlive)
  }

  onReplyInvalid(): void {
    this.fail('upstream-invalid')
  }

  onReplyUpgrade(buffer: Buffer, start: number, end: number): void {
    const { idleTimeout } = this.#route!
    const tunnel = new Tunnel(this.#context, this.#client, this.#connection!, idleTimeout, (sent, received) => {
      this.bytesSent += sent
      this.requestBytes += received
      this.#releaseConnection(false)
      this.#end()
    })
    this.#client.upgraded(tunnel)
    tunnel.fromUpstream(buffer, start, end)
  }

  /** Contract section 12: the request ids, HSTS and Referrer-Policy; and the cookie that brings the client back. */
  addedLines(status: number): string {
    let lines = this.requestIdLines + this.#attempts.cookieLine
    if (!this.#admitted) return lines
    if (this.#promisesHttps) lines += this.#context.hstsLine
    const route = this.#route!
    return route.referrerPolicyLine !== '' && referring.has(status) ? lines + route.referrerPolicyLine : lines
  }

  onUpstreamEnd(): void {
    if (this.#reply.readEnd()) return
    this.#connection!.destroy()
    this.onUpstreamGone(goneCode.closed)
  }

  onUpstreamGone(code: string): void {
    const connection = this.#connection
    if (connection === null) return
    this.#connection = null
    const attempts = this.#attempts
    if (!connection.connected) {
      if (attempts.mayConnectElsewhere(code)) this.#connect(this.#route!)
      else this.fail(code === goneCode.connectTimeout || code === 'ETIMEDOUT' ? 'connect-timeout' : 'connect-failed')
    } else if (code === goneCode.invalid) this.#reply.refuse()
    else if (code === goneCode.unspeakable) {
      // That is no fault of the endpoint, or its clients could put it to rest.
      attempts.release()
      this.#reply.refuse()
    } else if (this.#reply.started) this.fail('upstream-closed')
    else if (
      code === goneCode.unprocessed
        ? attempts.mayPassOn(this.#isWhole)
        : attempts.mayRepeat(connection.stale, this.#replayable)
    )
      this.#connect(this.#route!)
    else this.fail('upstream-closed')
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
    if (this.#waiting) this.fail('queue-timeout')
    else if (!this.headDone || (!this.requestDone && !this.#upstreamBlocked && !this.#reply.headDone)) {
      this.fail('request-timeout')
    } else if (this.#reply.waitsForClient) {
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
    if (this.upstreamName !== '-' && upstreamFaults.has(code)) {
      this.#context.log('an endpoint failed a request', { code, app: this.logApp, endpoint: this.upstreamName })
    }
    if (this.#connection !== null && this.upstreamTime < 0)
      this.upstreamTime = performance.now() - this.#upstreamStartedAt
    if (!this.#reply.headDone && upstreamFaults.has(code)) this.#attempts.failed()
    this.#releaseConnection(false)
    if (this.#reply.headDone) {
      // The client has to notice that its answer is incomplete.
      if (this.status === 0) this.status = verdict.status
      this.#end()
      this.#client.destroy()
      return
    }
    if (verdict.close) this.keepAlive = false
    this.#answer(errorAnswer(verdict.status, this.#route !== null, false, verdict.retryAfter))
  }

  /** Sends an answer of the router's own. */
  #answer(answer: Answer): void {
    const { slab, clock, draining } = this.#context
    const close = !this.keepAlive || !this.requestDone || draining
    this.status = answer.status
    let head = `HTTP/1.1 ${answer.status} ${reasonOf(answer.status)}\r\nContent-Type: ${answer.contentType}\r\n`
    head += `Content-Length: ${answer.body.length}\r\n`
    if (answer.retryAfter > 0) head += `Retry-After: ${answer.retryAfter}\r\n`
    if (answer.location !== '') head += `Location: ${answer.location}\r\n`
    // RFC 9110 section 15.5.6: all but CONNECT and TRACE, which is why we are here.
    if (answer.status === 405) head += 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n'
    // Anybody can make up a request that seems to loop: no cache may keep what comes of it for others.
    if (answer.status === 508) head += 'Cache-Control: no-store\r\n'
    if (answer.requestIds) head += this.addedLines(answer.status)
    if (close) head += 'Connection: close\r\n'
    else if (this.head.minorVersion === 0) head += 'Connection: keep-alive\r\n'
    slab.reserve(head.length + clock.serverAndDate.length + answer.body.length + 2)
    const from = slab.at
    let at = from + slab.buffer.write(head, from, 'latin1')
    at += clock.serverAndDate.copy(slab.buffer, at)
    at += slab.buffer.write('\r\n', at, 'latin1')
    this.headBytesSent += at - from
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
    this.#context.counters[counter.requestsOpen]!--
    const now = performance.now()
    this.requestTime = now - this.#startedAt
    if (this.upstreamTime >= 0) this.upstreamTime = now - this.#upstreamStartedAt
    this.#count()
    if (this.logApp !== 'router-healthz') this.#context.accessLog.write(this.#context.clock.logTime, this)
    if (this.#waiting) this.#attempts.giveUp(this)
    this.#waiting = false
    this.#attempts.end()
    this.#octets = null
    this.#route = null
    this.#reply.end()
    if (pool.length < maxPooled) pool.push(this)
  }

  #count(): void {
    const { counters } = this.#context
    const row = this.#row
    const seconds = this.requestTime / 1000
    counters[row + appCounter.status + Math.floor(this.status / 100) - 1]!++
    counters[row + appCounter.requestBytes]! += this.requestBytes
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
    this.#attempts.release()
    const { framing, minorVersion, keepAliveTimeout } = this.#reply.response
    const persistent = !framing.close && (minorVersion === 1 || framing.keepAlive)
    if (clean && persistent && this.requestDone && this.head.upgradeField < 0) connection.release(keepAliveTimeout)
    else connection.destroy()
  }

  /** Something moved: the clock of whoever has to act next starts again. */
  #touch(): void {
    const route = this.#route
    if (route === null) return
    const forClient =
      this.#reply.waitsForClient || (!this.requestDone && !this.#upstreamBlocked && !this.#reply.headDone)
    this.#client.setDeadline(
      forClient
        ? clientTimeout
        : Math.max(route.idleTimeout, this.#connection?.connected ? 0 : route.connectTimeout + 1000),
    )
  }
}
