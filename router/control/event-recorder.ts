// Problems as Events of the objects that have them, so that `kubectl describe` tells of them. The leader alone does it.
// A Problem that appears becomes one Event, whose name follows from what it says: after a restart, or on another
// replica, the same Problem bumps the same Event. How many there are in a while is bounded; what is beyond is counted,
// and is on the admin port all the same.

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
const maxMessage = 1024
const lookInterval = 2000
const logInterval = 60_000

export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #clock: Clock
  readonly #bucket: TokenBucket
  /** Count by the key of the Problem, the least recently used first. */
  readonly #counts = new Map<string, number>()
  readonly #forbidden = new Set<string>()
  #known: ReadonlySet<string> = new Set()
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

  /** Problems that became no Event, because there were too many at a time or the API server refused. */
  get dropped(): number {
    return this.#dropped
  }

  /** Reports until `term` aborts: what there is at the beginning, then what appears. */
  async run(term: AbortSignal): Promise<void> {
    this.#known = new Set()
    while (!term.aborted) {
      if (this.#options.synced()) for (const problem of this.#appeared()) await this.#report(problem, term)
      await this.#clock.delay(lookInterval, term)
    }
  }

  /** Those that were not there at the last look and may become an Event now; the others are counted. */
  #appeared(): readonly Problem[] {
    const before = this.#known
    const now = new Set<string>()
    const appeared: Problem[] = []
    for (const problem of this.#options.problems()) {
      if (!isReportable(problem)) continue
      if (now.size >= maxProblems) break
      const key = keyOf(problem)
      now.add(key)
      if (before.has(key) || this.#forbidden.has(problem.object.namespace)) continue
      if (this.#bucket.take()) appeared.push(problem)
      else this.#dropped++
    }
    this.#known = now
    return appeared
  }

  async #report(problem: Problem, term: AbortSignal): Promise<void> {
    if (term.aborted || this.#forbidden.has(problem.object.namespace)) return
    try {
      await this.#write(problem, term)
      this.#written++
    } catch (error) {
      if (term.aborted) return
      this.#dropped++
      this.#failed(error, problem.object)
    }
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

  #failed(error: unknown, { namespace }: ObjectRef): void {
    this.#failures++
    const reason = error instanceof Error ? error.message : String(error)
    const { log } = this.#options
    if (error instanceof KubeError && error.status === 403 && !isTerminating(error)) {
      const isFirst = this.#forbidden.size === 0
      if (this.#forbidden.size < maxForbidden) this.#forbidden.add(namespace)
      if (isFirst)
        log.warn({ namespace, reason }, 'we may not write Events, here and perhaps elsewhere; problems are logged only')
      return
    }
    const now = this.#clock.now()
    if (now - this.#loggedAt < logInterval) return
    this.#loggedAt = now
    log.warn({ namespace, reason, failures: this.#failures }, 'an Event could not be written')
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
