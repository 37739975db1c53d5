// Addresses of the names that Services of type ExternalName lead to (ingress contract I-B6): asked for by DNS, anew when
// their time to live is over, and kept for a while when DNS fails.
//
//   want ─▶ due now ─▶ ask for A and for AAAA ─┬─ addresses ─▶ deliver, due at the TTL
//             ▲                                ├─ no such name ─▶ without them, due soon
//             └────────────────────────────────┴─ failed ─▶ with the last ones for 5 min, due soon

import type { RecordWithTtl } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { type Clock, systemClock } from '#kit/clock.ts'
import type { Logger } from '#kit/log.ts'
import { isReachable } from './reachable-address.ts'

/** The part of `Resolver` that is needed here. */
interface NameResolver {
  resolve4(host: string, options: { readonly ttl: true }): Promise<RecordWithTtl[]>
  resolve6(host: string, options: { readonly ttl: true }): Promise<RecordWithTtl[]>
  cancel(): void
}

export interface ExternalNamesOptions {
  /** Told after each answer, also of the same addresses: sorted, at least one; null: there is none. */
  readonly deliver: (host: string, addresses: readonly string[] | null) => void
  readonly log: Logger
  /** Asks the servers of the system when absent. */
  readonly resolver?: NameResolver
  readonly clock?: Clock
}

/** What is known of a name in one address family. */
interface Family {
  addresses: readonly string[]
  /** Until when they hold without an answer. */
  goodUntil: number
}

interface Name {
  readonly host: string
  readonly families: readonly [v4: Family, v6: Family]
  due: number
  failures: number
  running: boolean
  /** What the log was told last. */
  trouble: string | null
}

/** Of one family. */
type Answer =
  | { readonly kind: 'records'; readonly records: readonly RecordWithTtl[] }
  /** DNS says that there is no such name, or that it has no address. */
  | { readonly kind: 'none'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }

/** Names beyond are not resolved. */
const maxNames = 1000
/** Of one name. */
const maxAddresses = 64
const maxInFlight = 10
/** Milliseconds. */
const shortestLife = 5000
const longestLife = 300_000
/** How long addresses outlive their time when DNS cannot be asked. */
const grace = 300_000
const retry = { base: 5000, cap: 60_000 }

/** Answers that are about the name, not about the server. */
const negative = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME'])

export class ExternalNames {
  readonly #options: ExternalNamesOptions
  readonly #clock: Clock
  readonly #resolver: NameResolver
  readonly #names = new Map<string, Name>()
  #wanted: ReadonlySet<string> = new Set()
  #inFlight = 0
  #left = 0
  #wake: AbortController | null = null
  #stopped = false

  constructor(options: ExternalNamesOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#resolver = options.resolver ?? new Resolver({ timeout: 2000, tries: 2 })
  }

  /** Makes `hosts` the names to resolve: new ones at once. What is no longer among them is forgotten. */
  want(hosts: ReadonlySet<string>): void {
    if (hosts === this.#wanted) return
    this.#wanted = hosts
    for (const host of this.#names.keys()) if (!hosts.has(host)) this.#names.delete(host)
    let left = 0
    for (const host of hosts) {
      if (this.#names.has(host)) continue
      if (this.#names.size < maxNames) this.#names.set(host, newName(host))
      else left++
    }
    if (left > 0 && this.#left === 0)
      this.#options.log.warn({ most: maxNames, left }, 'too many external names: some lead nowhere')
    this.#left = left
    this.#wake?.abort()
  }

  /** Resolves what is due until `stop` aborts; after that nothing is delivered. */
  async run(stop: AbortSignal): Promise<void> {
    const onStop = (): void => {
      this.#stopped = true
      this.#resolver.cancel()
      this.#wake?.abort()
    }
    stop.addEventListener('abort', onStop)
    while (!stop.aborted) {
      const wake = new AbortController()
      this.#wake = wake
      const next = this.#begin()
      if (!stop.aborted) await this.#clock.delay(Math.min(longestLife, next), wake.signal)
    }
    stop.removeEventListener('abort', onStop)
  }

  /** Begins what is due, as far as there is room. Milliseconds until more is due. */
  #begin(): number {
    const now = this.#clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const name of this.#names.values()) {
      if (name.running) continue
      if (name.due > now) next = Math.min(next, name.due - now)
      else if (this.#inFlight < maxInFlight) void this.#look(name)
    }
    return next
  }

  async #look(name: Name): Promise<void> {
    name.running = true
    this.#inFlight++
    const { host } = name
    const answers = await Promise.all([
      answerOf(this.#resolver.resolve4(host, { ttl: true })),
      answerOf(this.#resolver.resolve6(host, { ttl: true })),
    ])
    this.#inFlight--
    name.running = false
    if (!this.#stopped && this.#names.get(host) === name) this.#take(name, answers)
    this.#wake?.abort()
  }

  #take(name: Name, answers: readonly [v4: Answer, v6: Answer]): void {
    const now = this.#clock.now()
    const records = answers.flatMap(answer => (answer.kind === 'records' ? answer.records : []))
    const ttl = Math.min(longestLife, ...records.map(record => record.ttl * 1000))
    const life = Math.max(shortestLife, ttl)
    // Each family for itself: there are name servers that never answer for one of the two.
    for (const [index, answer] of answers.entries()) takeFamily(name.families[index]!, answer, now, life + grace)
    const addresses = [...new Set(name.families.flatMap(family => family.addresses))].sort().slice(0, maxAddresses)
    const isCertain = addresses.length > 0 && answers.every(({ kind }) => kind !== 'failed')
    if (isCertain) name.failures = 0
    name.due = now + (isCertain ? life : this.#pause(name))
    this.#tell(name, records.some(({ address }) => isReachable(address)) ? null : reasonOf(answers))
    this.#options.deliver(name.host, addresses.length > 0 ? addresses : null)
  }

  #pause(name: Name): number {
    return Math.min(retry.cap, retry.base * 2 ** Math.min(name.failures++, 10))
  }

  /** Each trouble once, and its end. */
  #tell(name: Name, trouble: string | null): void {
    if (name.trouble === trouble) return
    const { host } = name
    name.trouble = trouble
    if (trouble === null) this.#options.log.info({ host }, 'the external name has addresses')
    else this.#options.log.warn({ host, reason: trouble }, 'the external name cannot be resolved')
  }
}

function newName(host: string): Name {
  const unknown = (): Family => ({ addresses: [], goodUntil: 0 })
  return { host, families: [unknown(), unknown()], due: 0, failures: 0, running: false, trouble: null }
}

function takeFamily(family: Family, answer: Answer, now: number, lasts: number): void {
  if (answer.kind === 'records') {
    family.addresses = answer.records.map(({ address }) => address).filter(isReachable)
    family.goodUntil = now + lasts
  } else if (answer.kind === 'none' || now >= family.goodUntil) family.addresses = []
}

async function answerOf(asked: Promise<RecordWithTtl[]>): Promise<Answer> {
  try {
    return { kind: 'records', records: await asked }
  } catch (error) {
    const reason = codeOf(error)
    return { kind: negative.has(reason) ? 'none' : 'failed', reason }
  }
}

/** Why a name has no address that can be used. */
function reasonOf(answers: readonly Answer[]): string {
  if (answers.some(({ kind }) => kind === 'records')) return 'its addresses are local ones'
  const failed = answers.find(({ kind }) => kind === 'failed') ?? answers[0]
  return failed === undefined || failed.kind === 'records' ? '' : failed.reason
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error)
}
