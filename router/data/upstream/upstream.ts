// Many endpoints behind one Service port: which of them requests go to now, who of them gets the next one, and who waits
// because all that may be in flight is.
//
//   patch, failures, checks, time ──▶ refresh ──▶ in use ──▶ claim ──▶ a member, or a place in the queue

import { isDeepStrictEqual } from 'node:util'
import { counter } from '../../model/counters.ts'
import type { Upstream as UpstreamData, UpstreamId } from '../../model/upstream.ts'
import { standardUpstreamSettings, type UpstreamSettings } from '../../model/upstream-settings.ts'
import type { ThreadContext } from '../context.ts'
import { Timed } from '../timers.ts'
import { bestMatch, lessBusy, type Random, Turn } from './balance.ts'
import { EndpointPools } from './endpoint-pool.ts'
import { HealthCheck } from './health-check.ts'
import { Member } from './member.ts'
import { Queue, type Waiter } from './queue.ts'
import type { RestReason } from './rest.ts'
import { RetryBudget } from './retry-budget.ts'

export type UpstreamContext = Pick<ThreadContext, 'counters' | 'timers' | 'log'>

/** Who asks for an endpoint. */
export interface Ask {
  /** On the thread's clock. */
  readonly now: number
  /** Hash of what decides where it goes; -1: nothing does. */
  readonly key: number
  /** The endpoint that the client has been with. */
  readonly wanted: Member | null
  /** Taken only if there is no other. */
  readonly except: Member | null
  /** It has waited already: those who wait now came later. */
  readonly hasTurn: boolean
}

export class Upstream {
  readonly id: UpstreamId
  readonly budget = new RetryBudget()
  readonly #context: UpstreamContext
  readonly #endpointPools: EndpointPools
  readonly #random: Random
  readonly #turn = new Turn()
  /** Among those that are not new: who steps in for a new one shall not move the turn of all. */
  readonly #settledTurn = new Turn()
  #settings: UpstreamSettings = standardUpstreamSettings
  #members: readonly Member[] = []
  /** Those that requests go to, as long as the time is before `#freshUntil`; empty: all have failed lately. */
  #inUse: readonly Member[] = []
  #freshUntil = 0
  /** How many are at rest or on trial, and until when some are new. */
  #resting = 0
  #warmUntil = 0
  #byCookie: ReadonlyMap<string, Member> | null = null
  /** Requests in flight. */
  #inFlight = 0
  #queue: Queue | null = null
  #waking = false
  /** The end of a rest is nobody's doing: who waits hears of it by the clock. */
  #alarm: Alarm | null = null
  #checked = true

  constructor(
    id: UpstreamId,
    context: UpstreamContext,
    endpointPools: EndpointPools = new EndpointPools(),
    random: Random = Math.random,
  ) {
    this.id = id
    this.#context = context
    this.#endpointPools = endpointPools
    this.#random = random
  }

  get settings(): UpstreamSettings {
    return this.#settings
  }

  /** Its endpoints are spoken to in HTTP/2, which has a place for what HTTP/1.1 has none for. */
  get speaksHttp2(): boolean {
    const { protocol } = this.#settings
    return protocol === 'h2' || protocol === 'h2c'
  }

  get available(): boolean {
    return this.#members.length !== 0
  }

  get size(): number {
    return this.#members.length
  }

  /** Whether there is an endpoint that could be reached when that was last tried, or is to be tried again. */
  hasRested(now: number): boolean {
    return this.#members.some(member => isReachable(member, now))
  }

  /** Whether requests go there as long as nothing happens. */
  isInUse(member: Member): boolean {
    return this.#inUse.includes(member)
  }

  /** The endpoint that a sticky cookie names; null: none that there is. */
  named(cookie: string): Member | null {
    return this.#byCookie?.get(cookie) ?? null
  }

  /** Keeps what is known of endpoints that stay; lets go of those that go. */
  update({ endpoints, settings }: UpstreamData): void {
    const { now } = this.#context.timers
    const before = this.#members
    const known = new Map(before.map(member => [member.pool, member]))
    const changed = !isSameCheck(this.#settings, settings)
    this.#settings = settings
    this.#members = endpoints.map(endpoint => {
      const pool = this.#endpointPools.acquire(endpoint, settings)
      const member = known.get(pool) ?? new Member(this, pool, false)
      if (!known.delete(pool) && before.length > 0) this.#warmUp(member, now)
      member.far = endpoint.far === true
      return member
    })
    for (const member of known.values()) this.#dismiss(member)
    if (settings.slowStart === 0 && now < this.#warmUntil) this.#endWarmUp(now)
    this.#byCookie =
      settings.stickyCookie === null ? null : new Map(this.#members.map(member => [member.cookie, member]))
    if (changed) for (const member of this.#members) this.#stopCheck(member)
    if (settings.healthCheck !== null && this.#checked) this.#startChecks(settings)
    this.#freshUntil = 0
    // Last: whoever waits for a connection to one that goes claims another one at once.
    for (const { pool } of before) this.#endpointPools.release(pool)
    this.#wake()
  }

  retire(): void {
    this.update({ id: this.id, endpoints: [], settings: standardUpstreamSettings })
  }

  /** For good: the thread is about to end, and what is left is served by whoever is well now. */
  stopChecks(): void {
    this.#checked = false
    for (const { check } of this.#members) check?.stop()
  }

  /**
   * The endpoint for one more request, which has to leave it in the end. Null: there is none, or (`available`) as many
   * requests are in flight as may be.
   */
  claim(ask: Ask): Member | null {
    if (this.#members.length === 0 || this.#isFull || (!ask.hasTurn && this.waiting > 0)) return null
    const { now } = ask
    if (now >= this.#freshUntil) this.#refresh(now)
    const member = this.#choose(ask)
    if (member === null) return null
    this.#inFlight++
    member.enter()
    const { rest } = member
    if (rest.reason !== null && now >= rest.until) {
      rest.tryOut(now)
      this.#freshUntil = 0
    }
    return member
  }

  /** For members: a request that was in flight no longer is. */
  left(): void {
    this.#inFlight--
    this.#wake()
  }

  // --------------------------------------------------------------------------------------------------- who waits

  /** Requests that wait. */
  get waiting(): number {
    return this.#queue === null ? 0 : this.#queue.length
  }

  /** For who got no endpoint though there are some. False: too many wait already. */
  wait(waiter: Waiter): boolean {
    if (this.waiting >= this.#settings.limits.queueLength) return false
    this.#queue ??= new Queue()
    this.#queue.join(waiter)
    const { counters } = this.#context
    counters[counter.upstreamWaits]!++
    counters[counter.upstreamWaiting]!++
    this.#setAlarm()
    return true
  }

  /** Gives a place in the queue up. */
  giveUp(waiter: Waiter): void {
    if (this.#queue?.leave(waiter)) this.#context.counters[counter.upstreamWaiting]!--
  }

  get #isFull(): boolean {
    const { requests } = this.#settings.limits
    return requests > 0 && this.#inFlight >= requests
  }

  #hasRoom(): boolean {
    if (this.#isFull) return false
    const { now } = this.#context.timers
    if (now >= this.#freshUntil) this.#refresh(now)
    const members = this.#inUse.length > 0 ? this.#inUse : this.#members
    return members.some(member => this.#takes(member))
  }

  /** Whoever leaves is in the middle of its own end: those who wait have their turn after that. */
  #wake(): void {
    if (this.#waking || this.waiting === 0) return
    this.#waking = true
    process.nextTick(serveQueue, this)
  }

  /** For `serveQueue`. */
  serveQueue(): void {
    this.#waking = false
    while (this.waiting > 0 && (!this.available || this.#hasRoom())) {
      this.#context.counters[counter.upstreamWaiting]!--
      this.#queue?.shift()?.onTurn()
    }
    if (this.waiting > 0) this.#setAlarm()
  }

  #setAlarm(): void {
    // Where the app as a whole is full, whoever leaves wakes them.
    if (this.#isFull || this.#freshUntil === Number.POSITIVE_INFINITY) return
    const { timers } = this.#context
    this.#alarm ??= new Alarm(this)
    timers.set(this.#alarm, Math.max(0, this.#freshUntil - timers.now))
  }

  // ---------------------------------------------------------------------------------------------- who is chosen

  /**
   * Near ones that are well and do not rest; else far ones; when there is neither, all that can be reached. What
   * protects from a bad endpoint must not turn all of them off.
   */
  #refresh(now: number): void {
    const members = this.#members
    let until = Number.POSITIVE_INFINITY
    for (const { rest } of members) if (now < rest.until) until = Math.min(until, rest.until)
    this.#freshUntil = until
    const fit = members.filter(member => member.healthy && now >= member.rest.until)
    const near = fit.filter(member => !member.far)
    if (near.length > 0) this.#inUse = near
    else this.#inUse = fit.length > 0 ? fit : members.filter(member => isReachable(member, now))
  }

  #takes(member: Member): boolean {
    const { endpointRequests } = this.#settings.limits
    return endpointRequests === 0 || member.inFlight < endpointRequests
  }

  /** Null: none takes more. */
  #choose(ask: Ask): Member | null {
    const { now, wanted, except } = ask
    const inUse = this.#inUse
    if (wanted !== null && wanted !== except && this.#takes(wanted) && inUse.includes(wanted)) return wanted
    if (inUse.length === 0) return this.#longestAgo(except)
    const chosen = this.#balance(inUse, ask)
    if (chosen === null || (chosen !== except && this.#takes(chosen))) return chosen
    const other = this.#instead(inUse, except)
    return other !== null || inUse.some(member => member !== except) ? other : this.#anyBut(except, now)
  }

  #balance(members: readonly Member[], { now, key }: Ask): Member | null {
    const { balance, limits } = this.#settings
    if (key >= 0 && balance.kind === 'hash') return bestMatch(members, key, now, limits.endpointRequests)
    const member =
      balance.kind === 'round-robin'
        ? members[this.#turn.next(members.length)]!
        : lessBusy(members, this.#turn, this.#random)
    if (now >= this.#warmUntil || this.#random() < member.share(now)) return member
    const settled = members.filter(({ warmAt }) => now >= warmAt)
    return settled.length === 0 ? member : lessBusy(settled, this.#settledTurn, this.#random)
  }

  /** The least busy that takes more. */
  #instead(members: readonly Member[], except: Member | null): Member | null {
    let best: Member | null = null
    for (const member of members) {
      if (member === except || !this.#takes(member)) continue
      if (best === null || member.inFlight < best.inFlight) best = member
    }
    return best
  }

  /** Where nobody in use is left: somebody else who can be reached, or could be longest ago, or `except` itself. */
  #anyBut(except: Member | null, now: number): Member | null {
    const reachable = this.#members.filter(member => isReachable(member, now))
    return this.#instead(reachable, except) ?? this.#longestAgo(except)
  }

  #longestAgo(except: Member | null): Member | null {
    const members = this.#members
    const count = members.length
    const first = this.#turn.next(count)
    let best: Member | null = null
    for (let i = 0; i < count; i++) {
      const member = members[(first + i) % count]!
      if (member === except || !this.#takes(member)) continue
      if (best === null || member.rest.failedAt < best.rest.failedAt) best = member
    }
    return best ?? (except !== null && this.#takes(except) ? except : null)
  }

  #warmUp(member: Member, now: number): void {
    const { slowStart } = this.#settings
    if (slowStart === 0) return
    member.warmUp(now, slowStart)
    this.#warmUntil = member.warmAt
  }

  #endWarmUp(now: number): void {
    this.#warmUntil = 0
    for (const member of this.#members) member.warmUp(now, 0)
  }

  // ------------------------------------------------------------------------------------------- what became of it

  /** A connection came about. */
  reached(member: Member): void {
    if (member.rest.reason === 'unreachable') this.#recovered(member, member.rest.clear())
  }

  /** No connection came about. That is no judgement: who does not answer serves nobody, so it rests however many do. */
  unreachable(member: Member): void {
    this.#restIf(member, 'unreachable')
  }

  /** A request got no answer. */
  failed(member: Member): void {
    const { on, failures } = this.#settings.ejection
    if (on === 'off') return
    const { rest } = member
    rest.failures++
    if (rest.reason === null) {
      // Half of them at most: if most fail, it is not they who are bad, and the rest could not carry the load.
      if (rest.failures < failures || (this.#resting + 1) * 2 > this.#members.length) return
    }
    this.#restIf(member, 'failing')
  }

  answered(member: Member, status: number): void {
    const { rest } = member
    if (status >= 502 && status <= 504 && this.#settings.ejection.on === 'answers') this.failed(member)
    else if (rest.reason !== null) this.#recovered(member, rest.recover(this.#context.timers.now))
    else rest.failures = 0
  }

  #restIf(member: Member, reason: RestReason): void {
    const { rest, pool } = member
    const { counters, log, timers } = this.#context
    const wasResting = rest.reason !== null
    if (!rest.begin(timers.now, reason) || !this.#members.includes(member)) return
    this.#freshUntil = 0
    counters[reason === 'unreachable' ? counter.upstreamRestsUnreachable : counter.upstreamRestsFailing]!++
    log('an endpoint rests', { upstream: this.id, endpoint: pool.name, reason, milliseconds: rest.length })
    if (wasResting) return
    this.#resting++
    counters[counter.upstreamResting]!++
  }

  #recovered(member: Member, isNews: boolean): void {
    if (!isNews || !this.#members.includes(member)) return
    this.#resting--
    this.#context.counters[counter.upstreamResting]!--
    this.#freshUntil = 0
    this.#wake()
  }

  // ---------------------------------------------------------------------------------------------------- its checks

  #startChecks(settings: UpstreamSettings): void {
    const { counters, timers, log } = this.#context
    for (const member of this.#members) {
      if (member.check !== null || settings.healthCheck === null) continue
      const { pool, hash } = member
      member.check = new HealthCheck({
        pool,
        settings,
        check: settings.healthCheck,
        spread: hash,
        timers,
        onResult: well => counters[well ? counter.healthChecksPassed : counter.healthChecksFailed]!++,
        onTurn: healthy => {
          if (!healthy) log('an endpoint fails its health checks', { upstream: this.id, endpoint: pool.name })
          this.#setHealthy(member, healthy)
        },
      })
    }
  }

  #stopCheck(member: Member): void {
    member.check?.stop()
    member.check = null
    this.#setHealthy(member, true)
  }

  #setHealthy(member: Member, healthy: boolean): void {
    if (member.healthy === healthy) return
    member.healthy = healthy
    this.#context.counters[counter.upstreamUnhealthy]! += healthy ? -1 : 1
    this.#freshUntil = 0
    this.#wake()
  }

  /** It is no endpoint of ours any more: what it has in flight ends as it will. */
  #dismiss(member: Member): void {
    this.#stopCheck(member)
    if (member.rest.reason === null) return
    this.#resting--
    this.#context.counters[counter.upstreamResting]!--
  }
}

class Alarm extends Timed {
  readonly #upstream: Upstream

  constructor(upstream: Upstream) {
    super()
    this.#upstream = upstream
  }

  override onDeadline(): void {
    this.#upstream.serveQueue()
  }
}

function serveQueue(upstream: Upstream): void {
  upstream.serveQueue()
}

function isReachable({ rest }: Member, now: number): boolean {
  return rest.reason !== 'unreachable' || now >= rest.until
}

function isSameCheck(a: UpstreamSettings, b: UpstreamSettings): boolean {
  return isDeepStrictEqual(a.healthCheck, b.healthCheck) && a.protocol === b.protocol && isDeepStrictEqual(a.tls, b.tls)
}
