// Writes where their traffic can come in to the status of all Ingress objects that are ours (contract I-S1 to I-S3).
// The leader alone does it. What to write is decided in published-status.ts, from the world as it is now; here it is
// written, a few at a time, and no object more often than its watch can tell us what became of it.

import { fullJitter } from '#kit/backoff.ts'
import { type Clock, systemClock } from '#kit/clock.ts'
import type { Logger } from '#kit/log.ts'
import { type KubeClient, resourcePath } from '#kube/client.ts'
import { KubeError } from '#kube/errors.ts'
import { desiredStatus, type IngressStatus, isSame, type PublishAddress } from './published-status.ts'
import { TokenBucket } from './token-bucket.ts'

/** What is read of the world. */
export interface StatusWorld {
  /** All Ingress objects that there are. */
  ingressStatus(): Iterable<IngressStatus>
}

export interface StatusPublisherOptions {
  readonly client: KubeClient
  readonly world: StatusWorld
  /** What is to be told now; null: nothing, and what was told stays. */
  readonly addresses: () => readonly PublishAddress[] | null
  /** Whether both are known in full. Before that nothing is written: whatever is not known would seem not ours. */
  readonly synced: () => boolean
  readonly log: Logger
  readonly clock?: Clock
  /** Numbers in [0, 1). */
  readonly random?: () => number
}

interface Job {
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly addresses: readonly PublishAddress[]
}

/** The last write to an object. */
interface Attempt {
  readonly addresses: readonly PublishAddress[]
  /** Writes of the same addresses before it. */
  readonly repeats: number
  readonly notBefore: number
}

const maxInFlight = 5
const rate = 100
const burst = 200
/** Times in milliseconds. What marks tell of together is looked at together. */
const quiet = 25
/** A look that took long is followed by a rest so many times as long: with many Ingresses marks come all the time. */
const restRatio = 20
/** Our own writes come back as marks: with many of them to do, what is to do is not worked out anew for each. */
const replanInterval = 1000
const lookInterval = 5000
/** Between two writes of the same to one object: doubled each time, for another may be writing what it wants there. */
const repeatPause = { base: 2000, cap: 600_000 }
const refusedPause = 300_000
const troublePause = { base: 500, cap: 30_000 }
const logInterval = 60_000

export class StatusPublisher {
  readonly #options: StatusPublisherOptions
  readonly #clock: Clock
  readonly #bucket: TokenBucket
  /** What we wrote, or found there as if we had. */
  readonly #published = new Map<string, readonly PublishAddress[]>()
  readonly #attempts = new Map<string, Attempt>()
  #addresses: readonly PublishAddress[] | null = null
  #marked = false
  #wake: AbortController | null = null
  #plannedAt = 0
  #planTook = 0
  /** When something is due that no mark will tell of. */
  #nextDue = Number.POSITIVE_INFINITY
  #pausedUntil = 0
  #troubles = 0
  #loggedAt = Number.NEGATIVE_INFINITY
  #writes = 0
  #failures = 0

  constructor(options: StatusPublisherOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#bucket = new TokenBucket({ rate, burst, now: () => this.#clock.now() })
  }

  /** Objects written so far. */
  get writes(): number {
    return this.#writes
  }

  /** Writes that the API server refused, or never got. */
  get failures(): number {
    return this.#failures
  }

  /** The world or the addresses have changed, perhaps in something that concerns us. */
  mark(): void {
    this.#marked = true
    this.#wake?.abort()
  }

  /** Publishes until `term` aborts. What is written stays, for the next leader writes the same. */
  async run(term: AbortSignal): Promise<void> {
    // Of the time in between we know nothing.
    this.#attempts.clear()
    this.#troubles = 0
    this.#pausedUntil = 0
    while (!term.aborted) {
      this.#marked = false
      if (this.#options.synced()) await this.#carryOut(this.#plan(), term)
      await this.#rest(term)
    }
  }

  #plan(): readonly Job[] {
    const now = this.#clock.now()
    this.#plannedAt = now
    this.#nextDue = Number.POSITIVE_INFINITY
    this.#takeAddresses()
    const jobs: Job[] = []
    const seen = new Set<string>()
    for (const ingress of this.#options.world.ingressStatus()) {
      const { namespace, name } = ingress
      const key = `${namespace}/${name}`
      seen.add(key)
      const addresses = desiredStatus(ingress, this.#addresses, this.#published.get(key) ?? null)
      if (addresses === null) this.#note(key, ingress, now)
      else if (this.#isDue(key, addresses, now)) jobs.push({ key, namespace, name, addresses })
    }
    for (const key of this.#published.keys()) if (!seen.has(key)) this.#published.delete(key)
    for (const key of this.#attempts.keys()) if (!seen.has(key)) this.#attempts.delete(key)
    this.#planTook = this.#clock.now() - now
    return jobs
  }

  #takeAddresses(): void {
    const addresses = this.#options.addresses()
    if (this.#addresses === null ? addresses === null : addresses !== null && isSame(addresses, this.#addresses)) return
    this.#addresses = addresses
    const told = addresses?.map(address => ('ip' in address ? address.ip : address.hostname)) ?? []
    if (addresses === null) this.#options.log.warn('no address is known: the status of Ingress objects stays as it is')
    else this.#options.log.info({ addresses: told }, 'Ingress objects get these addresses as their status')
  }

  /** The status needs nothing from us. */
  #note(key: string, { served, loadBalancer }: IngressStatus, now: number): void {
    if (served && this.#addresses !== null && loadBalancer.length > 0) this.#published.set(key, this.#addresses)
    const attempt = this.#attempts.get(key)
    if (attempt !== undefined && now > attempt.notBefore + logInterval) this.#attempts.delete(key)
  }

  #isDue(key: string, addresses: readonly PublishAddress[], now: number): boolean {
    const attempt = this.#attempts.get(key)
    if (attempt === undefined || !isSame(addresses, attempt.addresses) || now >= attempt.notBefore) return true
    this.#nextDue = Math.min(this.#nextDue, attempt.notBefore)
    return false
  }

  async #carryOut(jobs: readonly Job[], term: AbortSignal): Promise<void> {
    // One iterator for all: each takes the next.
    const queue = jobs.values()
    const work = async (): Promise<void> => {
      for (const job of queue) {
        if (await this.#mayGoOn(term)) await this.#write(job, term)
        else {
          // This one and the rest are found again by the next look.
          this.#nextDue = 0
          return
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(maxInFlight, jobs.length) }, work))
  }

  async #mayGoOn(term: AbortSignal): Promise<boolean> {
    while (!this.#bucket.take()) {
      await this.#clock.delay(this.#bucket.wait(), term)
      if (term.aborted) return false
    }
    const now = this.#clock.now()
    const isStale = this.#marked && now - this.#plannedAt >= replanInterval
    return !term.aborted && !isStale && now >= this.#pausedUntil
  }

  async #write({ key, namespace, name, addresses }: Job, term: AbortSignal): Promise<void> {
    const resource = { apiVersion: 'networking.k8s.io/v1', plural: 'ingresses', namespace, name, subresource: 'status' }
    const patch = { status: { loadBalancer: { ingress: addresses } } }
    try {
      await this.#options.client.patch(resourcePath(resource), patch, { signal: term })
      this.#writes++
      this.#troubles = 0
      this.#published.set(key, addresses)
      this.#attempted(key, addresses, 0)
    } catch (error) {
      if (!term.aborted) this.#failed(error, key, addresses)
    }
  }

  #attempted(key: string, addresses: readonly PublishAddress[], atLeast: number): void {
    const before = this.#attempts.get(key)
    const repeats = before !== undefined && isSame(addresses, before.addresses) ? before.repeats + 1 : 0
    const pause = Math.min(repeatPause.cap, repeatPause.base * 2 ** Math.min(repeats, 20))
    this.#attempts.set(key, { addresses, repeats, notBefore: this.#clock.now() + Math.max(pause, atLeast) })
  }

  #failed(error: unknown, key: string, addresses: readonly PublishAddress[]): void {
    const status = error instanceof KubeError ? error.status : 0
    const isRefused = status === 403
    this.#attempted(key, addresses, isRefused ? refusedPause : 0)
    this.#nextDue = Math.min(this.#nextDue, this.#attempts.get(key)!.notBefore)
    // It was deleted meanwhile, which its watch is about to tell.
    if (status === 404) return
    this.#failures++
    // What concerns one object holds up no other.
    if (!isRefused && status !== 409 && status !== 422) this.#pause(error)
    const now = this.#clock.now()
    if (now - this.#loggedAt < logInterval) return
    this.#loggedAt = now
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.log.warn({ ingress: key, reason, failures: this.#failures }, 'a status could not be written')
  }

  #pause(error: unknown): void {
    const asked = error instanceof KubeError ? Math.min(error.retryAfter ?? 0, troublePause.cap) : 0
    const wait = fullJitter(++this.#troubles, troublePause, this.#options.random ?? Math.random)
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock.now() + Math.max(asked, wait, quiet))
  }

  /** Until something may be to do. */
  async #rest(term: AbortSignal): Promise<void> {
    const pause = Math.max(quiet, this.#planTook * restRatio, this.#pausedUntil - this.#clock.now())
    await this.#clock.delay(pause, term)
    const wait = Math.min(lookInterval, this.#nextDue - this.#clock.now())
    if (term.aborted || this.#marked || wait <= 0) return
    const wake = new AbortController()
    const onEnd = (): void => wake.abort()
    this.#wake = wake
    term.addEventListener('abort', onEnd)
    await this.#clock.delay(wait, wake.signal)
    term.removeEventListener('abort', onEnd)
    this.#wake = null
  }
}
