// Sees when somebody else changes or removes what we applied. The API server keeps, for each object, the set of fields
// that are ours: when another sets one of them, it leaves the set, and the time of our entry stays; when we apply anew,
// the time moves on. So neither a status nor a label that others add counts, nor what another replica of us does.

import { createHash } from 'node:crypto'
import type { Clock } from '#kit/clock.ts'
import type { KubeClient } from '#kube/client.ts'
import { ListWatch } from '#kube/list-watch.ts'
import type { KubeObject } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { AppId } from '../../domain/app.ts'
import { ownEntry, type Witness } from './applier.ts'
import { managedSelector } from './marks.ts'
import { resourceOf } from './resources.ts'

const watchedKinds = ['Deployment', 'Service', 'HorizontalPodAutoscaler'] as const
/** A hand edit often is several; and what we did ourselves is known a moment after it was seen. */
const holdoff = 250
/** Of each kind of our deeds: beyond this the oldest are forgotten, which costs a repair that finds nothing. */
const maxRemembered = 10_000

interface Seen {
  readonly uid: string
  readonly app: AppId
  /** Of the fields that are ours; null: none is. */
  readonly digest: string | null
  readonly time: string
}

/** What we did ourselves, for `watchDrift`. */
export class OwnDeeds implements Witness {
  readonly #applied = new Map<string, string | null>()
  readonly #removed = new Set<string>()
  readonly #destroyed = new Set<string>()

  applied(object: KubeObject): void {
    const { uid } = object.metadata
    if (uid === undefined || !isWatched(object)) return
    this.#applied.delete(uid)
    this.#applied.set(uid, digestOf(object))
    forgetOldest(this.#applied)
  }

  removed({ metadata: { uid } }: KubeObject): void {
    if (uid !== undefined) remember(this.#removed, uid)
  }

  /** All objects of the app go. */
  destroyed(app: AppId): void {
    remember(this.#destroyed, app)
  }

  created(app: AppId): void {
    this.#destroyed.delete(app)
  }

  /** Whether we left it like that. */
  madeSo(uid: string, digest: string | null): boolean {
    return this.#applied.get(uid) === digest
  }

  /** Whether it was us who removed it. Asked once, when it is gone. */
  didRemove(uid: string, app: AppId): boolean {
    this.#applied.delete(uid)
    return this.#removed.delete(uid) || this.#destroyed.has(app)
  }
}

export interface DriftOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly deeds: OwnDeeds
}

/** Ids of apps, each once for several things at a time, until `signal` aborts. */
export async function* watchDrift(options: DriftOptions, signal: AbortSignal): AsyncGenerator<AppId, void> {
  const { client, clock, deeds } = options
  // The reader may leave before the signal aborts.
  const left = new AbortController()
  const over = AbortSignal.any([signal, left.signal])
  const suspects = new Map<string, Seen | null>()
  let marked = Promise.withResolvers<void>()
  const watches = watchedKinds.map(async kind => {
    const book = new Book(kind)
    const watch = new ListWatch({
      client,
      ...resourceOf(kind),
      labelSelector: managedSelector,
      transform: object => trimmed(kind, object),
    })
    for await (const change of watch.changes(over)) {
      for (const { key, app, now } of book.read(change, deeds)) {
        suspects.set(`${app} ${key}`, now)
        marked.resolve()
      }
    }
  })
  const onAbort = (): void => marked.resolve()
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      await marked.promise
      await clock.delay(holdoff, signal)
      marked = Promise.withResolvers<void>()
      const apps = new Set<AppId>()
      for (const [id, seen] of suspects) {
        if (seen === null || !deeds.madeSo(seen.uid, seen.digest)) apps.add(id.slice(0, id.indexOf(' ')) as AppId)
      }
      suspects.clear()
      if (!signal.aborted) yield* apps
      if (signal.aborted) return
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    left.abort()
    await Promise.all(watches)
  }
}

interface Suspicion {
  readonly key: string
  readonly app: AppId
  /** Null: it is gone. */
  readonly now: Seen | null
}

/** What was last seen of one kind. */
class Book {
  readonly #kind: string
  readonly #seen = new Map<string, Seen>()

  constructor(kind: string) {
    this.#kind = kind
  }

  read(change: Change<KubeObject>, deeds: OwnDeeds): readonly Suspicion[] {
    switch (change.kind) {
      case 'upsert':
        return this.#upsert(change.object)
      case 'delete':
        return this.#delete(this.#keyOf(change.object), deeds)
      case 'reset': {
        const present = new Set(change.objects.map(object => this.#keyOf(object)))
        const gone = [...this.#seen.keys()].filter(key => !present.has(key))
        return [
          ...gone.flatMap(key => this.#delete(key, deeds)),
          ...change.objects.flatMap(object => this.#upsert(object)),
        ]
      }
    }
  }

  #upsert(object: KubeObject): readonly Suspicion[] {
    const key = this.#keyOf(object)
    const before = this.#seen.get(key)
    const now = seenOf(object)
    if (now === null) return []
    this.#seen.set(key, now)
    if (before === undefined || before.uid !== now.uid || before.digest === now.digest) return []
    const isOurs = now.digest !== null && now.time !== before.time
    return isOurs ? [] : [{ key, app: now.app, now }]
  }

  #delete(key: string, deeds: OwnDeeds): readonly Suspicion[] {
    const before = this.#seen.get(key)
    this.#seen.delete(key)
    if (before === undefined || deeds.didRemove(before.uid, before.app)) return []
    return [{ key, app: before.app, now: null }]
  }

  #keyOf({ metadata: { namespace, name } }: KubeObject): string {
    return `${this.#kind} ${namespace}/${name}`
  }
}

/** Null: it has our label, but no app: we did not make it. */
function seenOf(object: KubeObject): Seen | null {
  const { uid = '', namespace } = object.metadata
  if (namespace === undefined || object.metadata.labels?.app !== namespace) return null
  return { uid, app: namespace as AppId, digest: digestOf(object), time: ownEntry(object)?.time ?? '' }
}

function digestOf(object: KubeObject): string | null {
  const entry = ownEntry(object)
  if (entry === null) return null
  return createHash('sha1')
    .update(JSON.stringify(entry.fieldsV1 ?? null))
    .digest('base64')
}

function isWatched({ kind }: KubeObject): boolean {
  return (watchedKinds as readonly (string | undefined)[]).includes(kind)
}

/** Our own entry is all that counts. */
function trimmed(kind: string, object: KubeObject): KubeObject {
  const { uid, namespace, name, resourceVersion, labels } = object.metadata
  const entry = ownEntry(object)
  return {
    kind,
    metadata: {
      name,
      ...(uid === undefined ? {} : { uid }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(labels?.app === undefined ? {} : { labels: { app: labels.app } }),
      ...(entry === null ? {} : { managedFields: [entry] }),
    },
  }
}

function remember(set: Set<string>, value: string): void {
  set.add(value)
  forgetOldest(set)
}

function forgetOldest(memory: Map<string, unknown> | Set<string>): void {
  if (memory.size <= maxRemembered) return
  for (const oldest of memory.keys()) {
    memory.delete(oldest)
    return
  }
}
