// Follows one collection of the API server: list, watch, and everything that goes wrong in between.
//
//   list (pages) ── reset ──▶ watch from the list's version ── upsert, delete ──▶ it ends
//     ▲                          ▲                                                 │
//     │                          └── resume from the last version: end, break, 5xx ┤
//     └───────────── the server has forgotten that version: 410 ───────────────────┘
//
// Nothing but the caller's signal ends it: what is refused (401, 403, 404) is reported and asked for again.

import { setTimeout as delay } from 'node:timers/promises'
import { fullJitter } from '#kit/backoff.ts'
import { type KubeClient, resourcePath } from './client.ts'
import { KubeError, kubeErrorOfStatus, TransportError } from './errors.ts'
import type { KubeObject } from './types.ts'
import type { Change, Watcher, WatchState } from './watch.ts'

const pageSize = 500
/** Lists that expire between two pages are begun again so often before that counts as a failure. */
const listAttempts = 3
const backoff = { base: 50, cap: 30_000 }
/** A Retry-After beyond this is cut: it would keep us blind. */
const maxRetryAfter = 60_000
/** We ask the server to end each watch after 5–10 minutes; one that still goes on this much later has stalled. */
const watchSeconds = { min: 300, max: 600 }
const stallGrace = 15_000
/** A watch that ended sooner, with nothing said, is taken for a failure: else we would reconnect in a circle. */
const shortLife = 1_000
/** Watches that find the server back together spread over this time. */
const wakeSpread = 1_000

/** How it fares. */
export interface ListWatchState extends WatchState {
  /** The last answer was 403: we lack the permission. */
  readonly forbidden: boolean
}

export interface ListWatchOptions<T extends KubeObject> {
  readonly client: KubeClient
  /** `v1`, `discovery.k8s.io/v1`, … */
  readonly apiVersion: string
  readonly plural: string
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Name for `state`; absent: the plural. */
  readonly resource?: string
  /** Keeps of each object what is needed, at once: the rest is garbage before the next page comes. */
  readonly transform?: (object: T) => T
  /** Called when `connected`, `synced`, `lastError` or `forbidden` has changed. */
  readonly onState?: (state: ListWatchState) => void
  readonly clock?: ListWatchClock
  /** Numbers in [0, 1), for delays. */
  readonly random?: () => number
}

export interface ListWatchClock {
  /** Milliseconds, only compared with each other. */
  now(): number
  /** Rejects when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

const realClock: ListWatchClock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => delay(milliseconds, undefined, { signal }),
}

interface WatchEvent {
  readonly type: string
  readonly object: KubeObject
}

export class ListWatch<T extends KubeObject> implements Watcher<T> {
  readonly #options: ListWatchOptions<T>
  readonly #path: string
  readonly #clock: ListWatchClock
  readonly #random: () => number
  #state: ListWatchState

  constructor(options: ListWatchOptions<T>) {
    this.#options = options
    const { apiVersion, plural, namespace } = options
    this.#path = resourcePath({ apiVersion, plural, ...(namespace === undefined ? {} : { namespace }) })
    this.#clock = options.clock ?? realClock
    this.#random = options.random ?? Math.random
    this.#state = {
      resource: options.resource ?? plural,
      connected: false,
      synced: false,
      events: 0,
      relists: 0,
      reconnects: 0,
      lastError: null,
      forbidden: false,
    }
  }

  get state(): ListWatchState {
    return this.#state
  }

  async *changes(signal: AbortSignal): AsyncGenerator<Change<T>, void> {
    const scope = new Scope(signal)
    const reader = new Reader<T>(this.#options.transform)
    let failures = 0
    let expiries = 0
    let synced = false
    let watched = false
    try {
      while (!signal.aborted) {
        let opened: number | null = null
        let delivered = false
        let problem: unknown = null
        try {
          if (reader.version === null) {
            const objects = await this.#list(reader, scope.signal)
            this.#update({ synced: true, forbidden: false, relists: this.#state.relists + (synced ? 1 : 0) })
            synced = true
            yield { kind: 'reset', objects }
          }
          const watch = this.#watch(reader.version, scope.signal, () => {
            opened = this.#clock.now()
            const reconnects = this.#state.reconnects + (watched ? 1 : 0)
            this.#update({ connected: true, lastError: null, forbidden: false, reconnects })
            watched = true
          })
          for await (const event of watch) {
            delivered = true
            const change = reader.read(event)
            if (change === null) continue
            this.#state = { ...this.#state, events: this.#state.events + 1 }
            yield change
          }
        } catch (error) {
          problem = error
        }
        if (signal.aborted) return

        const healthy = opened !== null && (delivered || this.#clock.now() - opened >= shortLife)
        if (healthy) failures = expiries = 0
        if (problem === null && healthy) {
          this.#update({ connected: false })
          continue
        }
        problem ??= new TransportError('the watch ended as soon as it began')
        this.#update({ connected: false, lastError: describe(problem), forbidden: isForbidden(problem) })
        if (isExpired(problem)) {
          reader.forget()
          // Counted apart: a server that was away and forgot our version is back, so there is no cause to wait long.
          failures = 0
          expiries += 1
        } else {
          failures += 1
        }
        const reachable = await this.#rest(this.#delay(failures || expiries, problem), problem, signal)
        if (reachable) failures = 0
      }
    } finally {
      scope.end()
      this.#update({ connected: false })
    }
  }

  /** All pages, trimmed. Sets the reader's version only when the last one is in. */
  async #list(reader: Reader<T>, signal: AbortSignal): Promise<readonly T[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const objects: T[] = []
        let next: string | undefined
        for (;;) {
          const page = await this.#options.client.list<T>(this.#path, {
            query: { ...this.#selectors(), limit: pageSize, continue: next },
            signal,
          })
          const kind = page.kind?.endsWith('List') ? page.kind.slice(0, -'List'.length) : undefined
          for (const item of page.items ?? []) objects.push(reader.trim(withType(item, page.apiVersion, kind)))
          next = page.metadata.continue
          if (next) continue
          if (!page.metadata.resourceVersion) throw new TransportError('the list has no resourceVersion')
          reader.reset(objects, page.metadata.resourceVersion)
          return objects
        }
      } catch (error) {
        // The server keeps the state that pages are cut from only so long.
        if (!(error instanceof KubeError && error.status === 410 && attempt < listAttempts)) throw error
      }
    }
  }

  /** The events of one watch. Throws a TransportError when it outlives the time that the server was given. */
  async *#watch(version: string | null, signal: AbortSignal, onOpen: () => void): AsyncGenerator<WatchEvent, void> {
    const seconds = watchSeconds.min + Math.floor(this.#random() * (watchSeconds.max - watchSeconds.min + 1))
    const scope = new Scope(signal)
    this.#clock.sleep(seconds * 1000 + stallGrace, scope.signal).then(
      () => scope.end(new TransportError('the watch has stalled')),
      () => {},
    )
    try {
      const events = this.#options.client.stream<{ type: string; object: unknown }>(this.#path, {
        query: {
          ...this.#selectors(),
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion: version ?? undefined,
          timeoutSeconds: seconds,
        },
        signal: scope.signal,
        onOpen,
      })
      for await (const { type, object } of events) {
        if (type === 'ERROR') throw kubeErrorOfStatus(object)
        if (isObject(object)) yield { type, object }
      }
    } finally {
      scope.end()
    }
  }

  #selectors(): { readonly labelSelector?: string; readonly fieldSelector?: string } {
    const { labelSelector, fieldSelector } = this.#options
    return {
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    }
  }

  /**
   * Waits, but when the server could not be reached only until some other call of the client reaches it: then it says
   * true, after a moment that differs for each watch. Long delays are for servers in trouble, not for those back.
   */
  async #rest(milliseconds: number, problem: unknown, signal: AbortSignal): Promise<boolean> {
    const scope = new Scope(signal)
    let reachable = false
    const unsubscribe = this.#options.client.onReachable(() => {
      if (!(problem instanceof TransportError)) return
      reachable = true
      scope.end()
    })
    await this.#clock.sleep(milliseconds, scope.signal).catch(() => {})
    unsubscribe()
    scope.end()
    if (reachable) await this.#clock.sleep(Math.floor(this.#random() * wakeSpread), signal).catch(() => {})
    return reachable
  }

  #delay(failures: number, problem: unknown): number {
    const asked = problem instanceof KubeError ? (problem.retryAfter ?? 0) : 0
    return Math.max(fullJitter(failures, backoff, this.#random), Math.min(asked, maxRetryAfter))
  }

  #update(fields: Partial<ListWatchState>): void {
    const before = this.#state
    const after = { ...before, ...fields }
    this.#state = after
    const seen = ['connected', 'synced', 'lastError', 'forbidden'] as const
    if (seen.some(name => before[name] !== after[name])) this.#options.onState?.(after)
  }
}

/** One reader's view: which version of each object it was told of, and where to resume. */
class Reader<T extends KubeObject> {
  /** Where the next watch begins; null: list first. */
  version: string | null = null
  readonly #transform: (object: T) => T
  readonly #known = new Map<string, string>()

  constructor(transform: (object: T) => T = object => object) {
    this.#transform = transform
  }

  /** An object that the transform cannot stand costs its memory, not the watch. */
  trim(object: T): T {
    try {
      return this.#transform(object)
    } catch {
      return object
    }
  }

  reset(objects: readonly T[], version: string): void {
    this.#known.clear()
    for (const object of objects) this.#known.set(keyOf(object), object.metadata.resourceVersion ?? '')
    this.version = version
  }

  forget(): void {
    this.version = null
  }

  /** The change that an event is; null for a bookmark, for what the reader knows, and for event types to come. */
  read(event: WatchEvent): Change<T> | null {
    const version = event.object.metadata.resourceVersion ?? null
    if (version !== null) this.version = version
    const key = keyOf(event.object)
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        if (version !== null && this.#known.get(key) === version) return null
        this.#known.set(key, version ?? '')
        // The watch is of this resource, so its objects are what the caller says that the resource holds.
        return { kind: 'upsert', object: this.trim(event.object as T) }
      case 'DELETED':
        return this.#known.delete(key) ? { kind: 'delete', object: this.trim(event.object as T) } : null
      default:
        return null
    }
  }
}

/** A signal that follows another and can be ended on its own, without leaving a listener behind. */
class Scope {
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal
  readonly #onAbort = (): void => this.end(this.#outer.reason)

  constructor(outer: AbortSignal) {
    this.#outer = outer
    if (outer.aborted) this.#onAbort()
    else outer.addEventListener('abort', this.#onAbort)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  end(reason?: unknown): void {
    this.#outer.removeEventListener('abort', this.#onAbort)
    this.#controller.abort(reason)
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

/** The API server leaves type and version out of a list's items; a watch has them. */
function withType<T extends KubeObject>(item: T, apiVersion: string | undefined, kind: string | undefined): T {
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    ...item,
  }
}

function isObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return false
  return typeof value.metadata === 'object' && value.metadata !== null
}

/** The version we hold means nothing to the server, or (400) not any more: only a list helps. */
function isExpired(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false
  if (error.status === 410 || error.status === 400) return true
  // After a restore from a backup the server is behind us.
  return error.status === 504 && error.message.includes('Too large resource version')
}

function isForbidden(error: unknown): boolean {
  return error instanceof KubeError && error.status === 403
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
