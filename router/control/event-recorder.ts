// Problems as Events of the objects that have them, so that `kubectl describe` tells of them. The leader alone does it.
// A Problem that appears becomes one Event, whose name follows from what it says: after a restart, or on another
// replica, the same Problem bumps the same Event. How many there are in a while is bounded; what is beyond waits, and
// namespaces take turns: who has hundreds of Problems does not keep others from hearing of theirs.

import { createHash } from 'node:crypto'
import { type Clock, systemClock } from '#kit/clock.ts'
import type { Logger } from '#kit/log.ts'
import { type KubeClient, resourcePath } from '#kube/client.ts'
import { KubeError } from '#kube/errors.ts'
import type { KubeObject } from '#kube/types.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import { TokenBucket } from './token-bucket.ts'

export interface EventRecorderOptions {
  readonly client: KubeClient
  /** All Problems that there are now. */
  readonly problems: () => readonly Problem[]
  /** Whether they are of a world that is known in full: before, half of them are not real. */
  readonly synced: () => boolean
  /** Who reports: the controller's name, and which replica of it. */
  readonly controller: string
  readonly instance: string
  readonly log: Logger
  readonly clock?: Clock
}

/** core/v1 Event. */
interface CoreEvent extends KubeObject {
  readonly involvedObject: {
    readonly apiVersion: string
    readonly kind: string
    readonly namespace: string
    readonly name: string
    readonly uid?: string
  }
  readonly reason: string
  readonly message: string
  readonly type: 'Warning'
  readonly source: { readonly component: string }
  readonly reportingComponent: string
  readonly reportingInstance: string
  readonly firstTimestamp: string
  readonly lastTimestamp: string
  readonly count?: number
}

/** What Events can be about. `uidless`: its uid is not worth reading it again. */
const kinds: Readonly<Record<string, { readonly apiVersion: string; readonly plural: string; uidless?: true }>> = {
  Service: { apiVersion: 'v1', plural: 'services' },
  // Reading a Secret for its uid would bring its keys along.
  Secret: { apiVersion: 'v1', plural: 'secrets', uidless: true },
  Ingress: { apiVersion: 'networking.k8s.io/v1', plural: 'ingresses' },
  Deployment: { apiVersion: 'apps/v1', plural: 'deployments' },
  DaemonSet: { apiVersion: 'apps/v1', plural: 'daemonsets' },
  EndpointSlice: { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices' },
}

const rate = 5
const burst = 50
/** Events whose count is remembered; of others the first repetition costs one request more. */
const maxRemembered = 2000
/** Problems compared from look to look; the World bounds them by the objects that there are. */
const maxProblems = 100_000
const maxForbidden = 1000
/** Until a namespace that refuses Events is tried again: somebody may have allowed them. */
const forbiddenInterval = 600_000
const maxMessage = 1024
const lookInterval = 2000
const logInterval = 60_000

export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #clock: Clock
  readonly #bucket: TokenBucket
  /** Count by the key of the Problem, the least recently used first. */
  readonly #counts = new Map<string, number>()
  /** By namespace that refused an Event, when it is tried again. */
  readonly #forbidden = new Map<string, number>()
  /** Keys of the Problems that are told, or that the API server would not have. */
  #known = new Set<string>()
  /** Keys of those whose turn has not come. */
  #waiting = new Set<string>()
  /** The namespace whose turn was last. */
  #lastTurn = ''
  #written = 0
  #dropped = 0
  #failures = 0
  #loggedAt = Number.NEGATIVE_INFINITY

  constructor(options: EventRecorderOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#bucket = new TokenBucket({ rate, burst, now: () => this.#clock.now() })
  }

  /** Events created or bumped so far. */
  get written(): number {
    return this.#written
  }

  /** Problems that became no Event: the API server refused, or they went before their turn came. */
  get dropped(): number {
    return this.#dropped
  }

  /** Reports until `term` aborts: what there is at the beginning, then what appears. */
  async run(term: AbortSignal): Promise<void> {
    this.#known = new Set()
    this.#waiting = new Set()
    while (!term.aborted) {
      if (this.#options.synced()) await this.#tell(this.#look(), term)
      await this.#clock.delay(lookInterval, term)
    }
  }

  /** The Problems that nobody has been told of, by namespace. */
  #look(): ReadonlyMap<string, Problem[]> {
    const known = new Set<string>()
    const waiting = new Set<string>()
    const queues = new Map<string, Problem[]>()
    for (const problem of this.#options.problems()) {
      if (!isReportable(problem)) continue
      if (known.size + waiting.size >= maxProblems) break
      const key = keyOf(problem)
      if (this.#known.has(key)) known.add(key)
      else if (!waiting.has(key)) {
        waiting.add(key)
        const { namespace } = problem.object
        const queue = queues.get(namespace)
        if (queue === undefined) queues.set(namespace, [problem])
        else queue.push(problem)
      }
    }
    for (const key of this.#waiting) if (!known.has(key) && !waiting.has(key)) this.#dropped++
    this.#known = known
    this.#waiting = waiting
    return queues
  }

  /** Reports one of each namespace in turn, as long as there are tokens. The others wait for the next look. */
  async #tell(queues: ReadonlyMap<string, readonly Problem[]>, term: AbortSignal): Promise<void> {
    const namespaces = [...queues.keys()].sort()
    const next = namespaces.findIndex(namespace => namespace > this.#lastTurn)
    const turns = next > 0 ? [...namespaces.slice(next), ...namespaces.slice(0, next)] : namespaces
    for (let round = 0, isMore = true; isMore; round++) {
      isMore = false
      for (const namespace of turns) {
        const problem = queues.get(namespace)?.[round]
        if (problem === undefined || this.#isForbidden(namespace)) continue
        if (term.aborted || !this.#bucket.take()) return
        this.#lastTurn = namespace
        isMore = true
        await this.#report(problem, term)
      }
    }
  }

  #isForbidden(namespace: string): boolean {
    const until = this.#forbidden.get(namespace)
    return until !== undefined && this.#clock.now() < until
  }

  async #report(problem: Problem, term: AbortSignal): Promise<void> {
    try {
      await this.#write(problem, term)
      this.#written++
      this.#settle(problem)
      this.#forbidden.delete(problem.object.namespace)
    } catch (error) {
      if (term.aborted) return
      if (this.#failed(error, problem.object) === 'final') {
        this.#dropped++
        this.#settle(problem)
      }
    }
  }

  /** It is not looked at again as long as it lasts. */
  #settle(problem: Problem): void {
    const key = keyOf(problem)
    this.#known.add(key)
    this.#waiting.delete(key)
  }

  async #write(problem: Problem, signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    const { namespace } = problem.object
    const key = keyOf(problem)
    const uid = await this.#uid(problem.object, signal)
    const event = this.#event(problem, uid)
    const resource = { apiVersion: 'v1', plural: 'events', namespace }
    const path = resourcePath({ ...resource, name: event.metadata.name })
    const { lastTimestamp } = event
    const count = this.#counts.get(key)
    if (count !== undefined) {
      const bumped = { count: count + 1, lastTimestamp }
      // Events are forgotten after an hour or so.
      if ((await unless(404, () => client.patch(path, bumped, { signal }))) !== null) {
        this.#remember(key, count + 1)
        return
      }
    }
    const created = await unless(409, () => client.create(resourcePath(resource), event, { signal }))
    if (created !== null) this.#remember(key, 1)
    else {
      // It is from before we started, and lasts: not one more, but the same still.
      const known = await client.patch<CoreEvent>(path, { lastTimestamp }, { signal })
      this.#remember(key, known.count ?? 1)
    }
  }

  /** Without it `kubectl describe` does not show the Event. Null: not known. */
  async #uid({ kind, namespace, name }: ObjectRef, signal: AbortSignal): Promise<string | null> {
    const resource = kinds[kind]
    if (resource === undefined || resource.uidless) return null
    const { apiVersion, plural } = resource
    try {
      // A list of one: what may be listed and watched need not be allowed to be got.
      const query = { fieldSelector: `metadata.name=${name}`, limit: 1 }
      const { items } = await this.#options.client.list(resourcePath({ apiVersion, plural, namespace }), {
        query,
        signal,
      })
      return items[0]?.metadata.uid ?? null
    } catch (error) {
      // Gone, or not ours to read: the Event says what it has to say without it.
      if (error instanceof KubeError) return null
      throw error
    }
  }

  #event(problem: Problem, uid: string | null): CoreEvent {
    const { controller, instance } = this.#options
    const { kind, namespace, name } = problem.object
    const now = `${new Date(this.#clock.wallClock()).toISOString().slice(0, 19)}Z`
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, name: eventName(problem, uid) },
      involvedObject: {
        apiVersion: kinds[kind]?.apiVersion ?? 'v1',
        kind,
        namespace,
        name,
        ...(uid === null ? {} : { uid }),
      },
      reason: reasonOf(problem),
      message: cut(problem.message),
      type: 'Warning',
      source: { component: 'deis-router' },
      reportingComponent: controller,
      reportingInstance: instance,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    }
  }

  #remember(key: string, count: number): void {
    this.#counts.delete(key)
    this.#counts.set(key, count)
    if (this.#counts.size <= maxRemembered) return
    const [oldest] = this.#counts.keys()
    if (oldest !== undefined) this.#counts.delete(oldest)
  }

  /** `later`: it is worth trying again. */
  #failed(error: unknown, { namespace }: ObjectRef): 'final' | 'later' {
    this.#failures++
    const reason = error instanceof Error ? error.message : String(error)
    const { log } = this.#options
    const now = this.#clock.now()
    if (error instanceof KubeError && error.status === 403 && !isTerminating(error)) {
      // Said once: who is tried again in vain is remembered still.
      const isFirst = this.#forbidden.size === 0
      this.#forbid(namespace, now + forbiddenInterval)
      if (isFirst)
        log.warn({ namespace, reason }, 'we may not write Events, here and perhaps elsewhere; problems are logged only')
      return 'later'
    }
    if (now - this.#loggedAt >= logInterval) {
      this.#loggedAt = now
      log.warn({ namespace, reason, failures: this.#failures }, 'an Event could not be written')
    }
    return 'final'
  }

  #forbid(namespace: string, until: number): void {
    this.#forbidden.delete(namespace)
    this.#forbidden.set(namespace, until)
    if (this.#forbidden.size <= maxForbidden) return
    const [oldest] = this.#forbidden.keys()
    if (oldest !== undefined) this.#forbidden.delete(oldest)
  }
}

/** `host-conflict` is `HostConflict`. */
function reasonOf({ code }: Problem): string {
  return code.replace(/(^|-)([a-z])/g, (_, _dash: string, letter: string) => letter.toUpperCase())
}

/** What is no fault of anybody, or of no object, is told elsewhere: as in the log, a key without effect is none. */
function isReportable({ code, object }: Problem): boolean {
  return code !== 'annotation-without-effect' && Object.hasOwn(kinds, object.kind) && object.namespace !== ''
}

function keyOf({ code, object, message }: Problem): string {
  return `${code} ${object.kind} ${object.namespace}/${object.name} ${message}`
}

/** A name is at most 253 characters, and its parts begin and end with a letter or digit. */
function eventName(problem: Problem, uid: string | null): string {
  const hash = createHash('sha256')
    .update(`${keyOf(problem)} ${uid ?? ''}`)
    .digest('hex')
    .slice(0, 16)
  return `${problem.object.name.slice(0, 230).replace(/[^a-z0-9]+$/, '')}.${hash}`
}

function cut(message: string): string {
  if (message.length <= maxMessage) return message
  // Not between the halves of a pair.
  const kept = message.slice(0, maxMessage - 1).replace(/[\uD800-\uDBFF]$/, '')
  return `${kept}…`
}

/** A namespace that is being deleted refuses everything new: no matter of permissions. */
function isTerminating(error: KubeError): boolean {
  return error.message.includes('is being terminated')
}

/** Null when the API server answers with this status. */
async function unless<T>(status: number, call: () => Promise<T>): Promise<T | null> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof KubeError && error.status === status) return null
    throw error
  }
}
