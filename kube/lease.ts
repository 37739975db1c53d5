// Leader election by a coordination.k8s.io/v1 Lease, by the rules of client-go: whoever holds the Lease renews it, and
// whoever sees it unchanged for its whole duration, by a monotonic clock of its own, takes it over. What the clock of
// another machine says is never compared with ours. Every write is conditional on the version that was read.

import { fullJitter } from '#kit/backoff.ts'
import { type Clock, systemClock } from '#kit/clock.ts'
import { type KubeClient, resourcePath } from './client.ts'
import { KubeError, TransportError } from './errors.ts'
import type { KubeObject } from './types.ts'

/** coordination.k8s.io/v1 Lease. */
interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

export interface ElectionOptions {
  readonly client: KubeClient
  /** Where the Lease is. */
  readonly namespace: string
  readonly name: string
  /** Who we are; no two candidates may say the same. */
  readonly identity: string
  /**
   * What the leader does, until `term` aborts; the Lease is not given back, nor a new term begun, before it ends. When it
   * ends by itself or throws, the term is over: another candidate may do better.
   */
  readonly lead: (term: AbortSignal) => Promise<void>
  /** Called when the API server could not be asked or said no for the first time, and when `lead` threw. */
  readonly onError?: (error: unknown) => void
  readonly clock?: Clock
  /** Numbers in [0, 1). */
  readonly random?: () => number
}

/** Milliseconds. A leader that cannot renew steps down a third of the duration before another may take over. */
const leaseDuration = 15_000
const renewDeadline = 10_000
const renewInterval = 5000
/** After a renewal that failed. */
const retryInterval = 1000
const requestTimeout = 5000
const releaseTimeout = 2000
/** A Lease that says it lasts longer is not believed: nobody who died would ever be followed. */
const longestDuration = 120_000
const candidateBackoff = { base: 1000, cap: 15_000 }
/** After a term that ended by itself. At the beginning longer than others take to see that the Lease is free. */
const lapseBackoff = { base: 15_000, cap: 300_000 }
/** A term that lasted so long did not end for the reason of the one before. */
const longTerm = 600_000

type Outcome =
  | { readonly kind: 'held' }
  /** Somebody else has it, for so many milliseconds if they stay silent. */
  | { readonly kind: 'taken'; readonly left: number }
  | { readonly kind: 'failed'; readonly error: unknown }

interface Term {
  readonly controller: AbortController
  readonly ended: Promise<void>
  readonly begunAt: number
  /** Whether `lead` has ended before the term, and what resolves then. */
  hasLapsed: boolean
  readonly lapsed: Promise<void>
}

/** One candidate. `run` it once. */
export class LeaderElection {
  readonly #options: ElectionOptions
  readonly #clock: Clock
  readonly #random: () => number
  readonly #collection: string
  readonly #path: string
  /** As last read or written, with the time at which its record was first seen like this. */
  #observed: { readonly lease: Lease; readonly record: string; readonly since: number } | null = null
  #term: Term | null = null
  /** When the last renewal that came through had been begun. */
  #renewedAt = 0
  /** Whether the Lease may be in our name. */
  #mayHold = false
  #failures = 0
  /** Terms in a row that ended by themselves. */
  #lapses = 0

  constructor(options: ElectionOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? Math.random
    const { namespace, name } = options
    const resource = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases', namespace }
    this.#collection = resourcePath(resource)
    this.#path = resourcePath({ ...resource, name })
  }

  /** Whether we may act as the leader right now: false also when we slept through the time that we had. */
  get isLeader(): boolean {
    if (this.#term === null || this.#term.hasLapsed) return false
    return !this.#term.controller.signal.aborted && this.#clock.now() < this.#deadline
  }

  /** Who the Lease was last seen to name; null: nobody, or not known. */
  get holder(): string | null {
    return this.#observed?.lease.spec?.holderIdentity || null
  }

  /** Stands for election until `stop` aborts, then ends the term and gives the Lease back, within 2 s. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      if (this.#term?.hasLapsed) {
        await this.#clock.delay(await this.#lapse(this.#term), stop)
        continue
      }
      const begun = this.#clock.now()
      if (this.#term !== null && begun >= this.#deadline) await this.#endTerm()
      const outcome = await this.#try(begun, stop)
      if (stop.aborted) break
      await this.#settle(outcome, begun)
      const pause = this.#clock.delay(this.#pause(outcome), stop)
      await (this.#term === null ? pause : Promise.race([pause, this.#term.lapsed]))
    }
    await this.#endTerm()
    if (this.#mayHold) await this.#release()
  }

  get #deadline(): number {
    return this.#renewedAt + renewDeadline
  }

  async #try(begun: number, stop: AbortSignal): Promise<Outcome> {
    const limit = this.#term === null ? requestTimeout : Math.min(requestTimeout, this.#deadline - begun)
    try {
      return await this.#bounded(limit, stop, signal => this.#acquireOrRenew(signal))
    } catch (error) {
      return { kind: 'failed', error }
    }
  }

  async #settle(outcome: Outcome, begun: number): Promise<void> {
    switch (outcome.kind) {
      case 'held':
        this.#failures = 0
        this.#renewedAt = begun
        if (this.#clock.now() >= this.#deadline) await this.#endTerm()
        else this.#term ??= this.#beginTerm()
        return
      case 'taken':
        this.#failures = 0
        await this.#endTerm()
        return
      case 'failed':
        this.#failures++
        if (this.#failures === 1) this.#options.onError?.(outcome.error)
        if (this.#clock.now() >= this.#deadline) await this.#endTerm()
    }
  }

  /** How long to wait before the next try. Never past the time at which leadership or the other's Lease runs out. */
  #pause(outcome: Outcome): number {
    const interval = renewInterval * (0.9 + 0.2 * this.#random())
    switch (outcome.kind) {
      case 'held':
        return interval
      case 'taken':
        // A little later than at the end of the Lease, and not all candidates at once.
        return Math.min(interval, Math.max(0, outcome.left) + retryInterval * this.#random())
      case 'failed':
        if (this.#term === null) return Math.max(retryInterval / 2, this.#backoff())
        return Math.max(0, Math.min(retryInterval * (0.5 + this.#random()), this.#deadline - this.#clock.now()))
    }
  }

  #backoff(): number {
    return fullJitter(this.#failures, candidateBackoff, this.#random)
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<Outcome> {
    if (this.#term !== null && this.#observed !== null) {
      const renewed = await this.#write(this.#observed.lease, signal)
      if (renewed !== null) return renewed
    }
    const lease = await this.#read(signal)
    if (lease === null) return (await this.#create(signal)) ?? this.#conflict()
    const { since } = this.#observe(lease)
    const left = since + durationOf(lease) - this.#clock.now()
    const holder = lease.spec?.holderIdentity || null
    if (holder !== null && holder !== this.#options.identity) {
      this.#mayHold = false
      if (left > 0) return { kind: 'taken', left }
    }
    return (await this.#write(lease, signal)) ?? this.#conflict()
  }

  /** Somebody was faster: look again soon. A leader may go on until then, for the Lease was its own a moment ago. */
  #conflict(): Outcome {
    if (this.#term === null) return { kind: 'taken', left: 0 }
    return { kind: 'failed', error: new KubeError(409, 'Conflict', 'the Lease changes faster than we can renew it') }
  }

  async #read(signal: AbortSignal): Promise<Lease | null> {
    try {
      return await this.#options.client.get<Lease>(this.#path, { signal })
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return null
      throw error
    }
  }

  /** Null: somebody else has created it meanwhile. */
  async #create(signal: AbortSignal): Promise<Outcome | null> {
    const { client, namespace, name } = this.#options
    const lease = { ...this.#lease({ name, namespace }), spec: this.#record(null) }
    this.#mayHold = true
    return this.#unlessConflict(() => client.create<Lease>(this.#collection, lease, { signal }))
  }

  /** Null: somebody else has changed it meanwhile. */
  async #write(before: Lease, signal: AbortSignal): Promise<Outcome | null> {
    const lease = { ...this.#lease(before.metadata), spec: { ...before.spec, ...this.#record(before) } }
    this.#mayHold = true
    return this.#unlessConflict(() => this.#options.client.update<Lease>(this.#path, lease, { signal }))
  }

  async #unlessConflict(write: () => Promise<Lease>): Promise<Outcome | null> {
    try {
      this.#observe(await write())
      return { kind: 'held' }
    } catch (error) {
      // Gone counts as changed: the next look creates it anew.
      if (error instanceof KubeError && (error.status === 409 || error.status === 404)) return null
      throw error
    }
  }

  #lease(metadata: Lease['metadata']): Lease {
    return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata }
  }

  /** The Lease in our name, from now on. */
  #record(before: Lease | null): NonNullable<Lease['spec']> {
    const { holderIdentity, acquireTime, leaseTransitions = 0 } = before?.spec ?? {}
    const { identity } = this.#options
    const now = microTime(this.#clock.wallClock())
    const isOurs = holderIdentity === identity
    return {
      holderIdentity: identity,
      leaseDurationSeconds: leaseDuration / 1000,
      acquireTime: isOurs && acquireTime !== undefined ? acquireTime : now,
      renewTime: now,
      leaseTransitions: before === null || isOurs ? leaseTransitions : leaseTransitions + 1,
    }
  }

  #observe(lease: Lease): { readonly since: number } {
    const record = JSON.stringify(lease.spec ?? null)
    const since = this.#observed?.record === record ? this.#observed.since : this.#clock.now()
    this.#observed = { lease, record, since }
    return this.#observed
  }

  #beginTerm(): Term {
    const controller = new AbortController()
    const { promise: lapsed, resolve: lapse } = Promise.withResolvers<void>()
    const lead = async (): Promise<void> => {
      // Not before `isLeader` says so.
      await Promise.resolve()
      try {
        await this.#options.lead(controller.signal)
      } catch (error) {
        if (!controller.signal.aborted) this.#options.onError?.(error)
      }
      term.hasLapsed = !controller.signal.aborted
      if (term.hasLapsed) lapse()
    }
    const term: Term = { controller, ended: lead(), begunAt: this.#clock.now(), hasLapsed: false, lapsed }
    return term
  }

  async #endTerm(): Promise<void> {
    if (this.#term === null) return
    this.#term.controller.abort()
    await this.#term.ended
    this.#term = null
  }

  /** Ends a term whose work has ended, and gives the Lease back. Returns how long to leave it to others. */
  async #lapse({ begunAt }: Term): Promise<number> {
    this.#lapses = this.#clock.now() - begunAt < longTerm ? this.#lapses + 1 : 1
    await this.#endTerm()
    await this.#release()
    const { base } = lapseBackoff
    return base + fullJitter(this.#lapses, lapseBackoff, this.#random)
  }

  /** Whoever waits need not wait for the Lease to run out. What fails here costs them that wait, and us nothing. */
  async #release(): Promise<void> {
    const { client, identity } = this.#options
    try {
      await this.#bounded(releaseTimeout, null, async signal => {
        const lease = await this.#read(signal)
        if (lease === null || lease.spec?.holderIdentity !== identity) return
        const renewTime = microTime(this.#clock.wallClock())
        const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime }
        this.#observe(await client.update<Lease>(this.#path, { ...this.#lease(lease.metadata), spec }, { signal }))
      })
    } catch (error) {
      this.#options.onError?.(error)
    }
  }

  /** `call` with a signal that aborts after `limit` milliseconds of our clock, or with `stop`. */
  async #bounded<T>(limit: number, stop: AbortSignal | null, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const cut = new AbortController()
    const done = new AbortController()
    const onStop = (): void => cut.abort(stop?.reason)
    stop?.addEventListener('abort', onStop)
    void this.#clock.delay(limit, done.signal).then(() => {
      if (!done.signal.aborted) cut.abort(new TransportError('the API server did not answer in time'))
    })
    try {
      return await call(cut.signal)
    } finally {
      done.abort()
      stop?.removeEventListener('abort', onStop)
    }
  }
}

function durationOf({ spec }: Lease): number {
  const seconds = spec?.leaseDurationSeconds
  return seconds === undefined || seconds <= 0 ? leaseDuration : Math.min(seconds * 1000, longestDuration)
}

/** Kubernetes takes a MicroTime with six digits only. */
function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z')
}
