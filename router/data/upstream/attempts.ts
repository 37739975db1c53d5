// One request's attempts at endpoints of its upstream: which it asks, whether it may ask another after one has failed, and
// what its client is to remember. One for each exchange, used again with it.

import { counter, retryReasons } from '../../model/counters.ts'
import type { HashKey } from '../../model/upstream-settings.ts'
import type { Scheme } from '../http/forwarded.ts'
import { noteConnectFailure } from './connect-failure.ts'
import { hashText } from './hash.ts'
import type { Member } from './member.ts'
import type { Waiter } from './queue.ts'
import type { Ask, Upstream, UpstreamContext } from './upstream.ts'

/** Endpoints tried for one request when all failed lately, and tries after kept connections that turned out closed. */
const maxAttempts = 3
/** Endpoints that may refuse one request, while others have not. */
const maxRefusals = 10

type RetryReason = (typeof retryReasons)[number]

/** What the choice of an endpoint may depend on; asked for only where it does, while the head is at hand. */
export interface RequestFacts {
  readonly clientAddress: string
  scheme(): Scheme
  /** Of the field with this name in lower case, all its lines; empty: none. */
  fieldValue(name: string): string
  /** Of the first cookie with this name; empty: none. */
  cookieValue(name: string): string
}

export class Attempts implements Ask {
  now = 0
  key = -1
  wanted: Member | null = null
  except: Member | null = null
  hasTurn = false
  /** Endpoints asked so far. */
  count = 0
  /** The one that is asked now. */
  member: Member | null = null
  /** The next try needs a connection that has not waited. */
  fresh = false
  /** Set-Cookie for the client, once an endpoint has answered that it shall come back to; empty: nothing new. */
  cookieLine = ''
  #upstream: Upstream | null = null
  #context!: UpstreamContext
  /** Of a cookie, with and without its value, should there be one to set; empty: there is not. */
  #cookieName = ''
  #cookieEnd = ''

  /** For a request to `upstream`; `request` null: it is no request, and only asks for any endpoint. */
  begin(context: UpstreamContext, upstream: Upstream, request: RequestFacts | null): void {
    this.#context = context
    this.#upstream = upstream
    this.key = -1
    this.wanted = null
    this.except = null
    this.hasTurn = false
    this.count = 0
    this.member = null
    this.fresh = false
    this.cookieLine = ''
    this.#cookieName = ''
    const { balance, stickyCookie } = upstream.settings
    if (request !== null && (balance.kind === 'hash' || stickyCookie !== null)) this.#look(upstream, request)
  }

  #look(upstream: Upstream, request: RequestFacts): void {
    const { balance, stickyCookie } = upstream.settings
    if (balance.kind === 'hash') {
      const value = keyOf(balance.by, request)
      if (value !== '') this.key = hashText(value)
    }
    if (stickyCookie === null) return
    const scheme = request.scheme()
    this.#cookieName = stickyCookie
    this.#cookieEnd = `; Path=/; HttpOnly; SameSite=Lax${scheme === 'https' || scheme === 'wss' ? '; Secure' : ''}\r\n`
    const value = request.cookieValue(stickyCookie)
    if (value !== '') this.wanted = upstream.named(value)
  }

  /** The next endpoint; it is this request's until `release`. Null: there is none, or none that takes more. */
  claim(): Member | null {
    const { now } = this.#context.timers
    const upstream = this.#upstream!
    this.now = now
    this.member = upstream.claim(this)
    this.hasTurn = false
    if (this.member === null) return null
    if (this.count++ === 0) upstream.budget.noteRequest(now)
    return this.member
  }

  /** After `claim` gave none. False: it shall not wait either. */
  wait(waiter: Waiter): boolean {
    // Others may be there that do not take more. Whoever waits for them takes what comes.
    this.except = null
    this.hasTurn = true
    return this.#upstream!.wait(waiter)
  }

  giveUp(waiter: Waiter): void {
    this.#upstream?.giveUp(waiter)
  }

  /** The request is no longer in flight there. */
  release(): void {
    const { member } = this
    this.member = null
    member?.leave()
  }

  /** Lets go of all that it holds. */
  end(): void {
    this.release()
    this.#upstream = null
    this.wanted = null
    this.except = null
    this.cookieLine = ''
  }

  /** A connection came about. */
  reached(): void {
    const { member } = this
    member?.upstream.reached(member)
  }

  /** The head of an answer has come. */
  answered(status: number): void {
    const { member, wanted } = this
    if (member === null) return
    const { upstream } = member
    upstream.answered(member, status)
    if (this.#cookieName === '' || member === wanted) return
    // One that only takes no more for the moment is still where the client belongs.
    if (wanted !== null && upstream.isInUse(wanted)) return
    this.cookieLine = `Set-Cookie: ${this.#cookieName}=${member.cookie}${this.#cookieEnd}`
  }

  /** What came was no answer, or nothing came in time. */
  failed(): void {
    const { member } = this
    member?.upstream.failed(member)
    this.cookieLine = ''
  }

  /**
   * No connection came about; `code` as in `onUpstreamGone`. True: another endpoint may be asked, whatever the method is,
   * as not one octet left this machine.
   *
   * Pods that go at once refuse until the news of it has come: as long as there is one that can be reached, it is worth a
   * try, refusals are quick, and nobody was troubled by the request yet: that costs no budget. An endpoint that says
   * nothing costs the client its whole connectTimeout.
   */
  mayConnectElsewhere(code: string): boolean {
    const { counters, timers } = this.#context
    const upstream = this.#upstream!
    noteConnectFailure(counters, this.member!, code)
    this.release()
    const isQuick = code !== 'CONNECT_TIMEOUT' && code !== 'ETIMEDOUT'
    if (isQuick && this.count < maxRefusals && upstream.hasRested(timers.now)) return this.#again('connect')
    return this.count < Math.min(upstream.size, maxAttempts) && this.#spend() && this.#again('connect')
  }

  /**
   * The connection went before an octet of an answer had come. True: a request that may be repeated goes out again.
   *
   * A connection that had waited may have been closed by the endpoint as we wrote: the request was not looked
   * at. It goes to a connection of its own, once, and costs no budget: the endpoint gets it for the first time, and gets
   * no more than clients have sent. Else a pod may have gone with what was in its queue, or failed at the request: that
   * one is not asked again.
   */
  mayRepeat(hadWaited: boolean, replayable: boolean): boolean {
    const member = this.member!
    const isStale = hadWaited && !this.fresh
    const { upstream } = member
    if (!isStale) upstream.failed(member)
    this.release()
    if (!replayable || this.count >= maxAttempts) return false
    if (!isStale && (upstream.size < 2 || !this.#spend())) return false
    this.fresh = true
    this.except = isStale ? null : member
    return this.#again(isStale ? 'stale' : 'closed')
  }

  /**
   * The endpoint says that it has not looked at the request (RFC 9113 section 8.7). True: all of it is at hand and goes to
   * another endpoint, whatever the method is.
   */
  mayPassOn(isWhole: boolean): boolean {
    const { member } = this
    this.release()
    if (!isWhole || this.count >= maxAttempts || !this.#spend()) return false
    this.except = member
    return this.#again('unprocessed')
  }

  #spend(): boolean {
    const { counters, timers } = this.#context
    if (this.#upstream!.budget.spend(timers.now)) return true
    counters[counter.upstreamRetriesDenied]!++
    return false
  }

  #again(reason: RetryReason): true {
    this.#context.counters[counter.upstreamRetries + retryReasons.indexOf(reason)]!++
    return true
  }
}

function keyOf(by: HashKey, request: RequestFacts): string {
  switch (by.kind) {
    case 'client-address':
      return request.clientAddress
    case 'header':
      return request.fieldValue(by.name)
    case 'cookie':
      return request.cookieValue(by.name)
  }
}
