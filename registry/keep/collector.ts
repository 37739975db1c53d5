// Removes what nothing refers to, while pushes go on.
//
//   1. Mark. In each repository, tags keep their manifests, and so does youth; a manifest keeps its blobs, an index its
//      manifests, and a subject those that refer to it.
//   2. Manifests that nothing keeps are removed, then links to blobs that no manifest which stays names, then blobs without
//      a link. Each is looked at again under its lock just before: what was written within the grace time stays, and whoever
//      relies on something has written it again (freshness.ts), so marks that are a little old do no harm.
//
// Cut short anywhere, it leaves only what the next run removes. When anything cannot be read, nothing is removed.

import { each } from '#kit/each.ts'
import type { Logger } from '#kit/log.ts'
import type { ObjectStore } from '#store/store.ts'
import type { Digest } from '../content/digest.ts'
import { type Manifest, readManifest } from '../content/manifest.ts'
import type { RepositoryName, Tag } from '../content/names.ts'
import type { Blobs } from './blobs.ts'
import { type Freshness, isStale } from './freshness.ts'
import type { Locks } from './locks.ts'
import { type Manifests, readWhole } from './manifests.ts'
import {
  blobKey,
  blobsPrefix,
  digestOfKey,
  linkKey,
  linkOfKey,
  linksOf,
  linksPrefix,
  manifestsOf,
  nameOfKey,
  namesPrefix,
  tagOfKey,
  tagsOf,
} from './paths.ts'

export interface CollectorOptions {
  readonly store: ObjectStore
  readonly locks: Locks
  readonly blobs: Blobs
  readonly manifests: Manifests
  readonly freshness: Freshness
  readonly log: Logger
  /** Called once for each run that was to remove something; null: it failed. */
  readonly ended: (result: Collected | null) => void
}

/** What was removed, or would be. */
export interface Collected {
  readonly dryRun: boolean
  readonly repositories: number
  readonly manifests: number
  readonly links: number
  readonly blobs: number
  /** Octets of blobs. */
  readonly octets: number
  readonly milliseconds: number
}

type Count = { -readonly [Key in keyof Collected]: Collected[Key] }

interface Marks {
  /** Blobs that manifests name which stay, by repository. */
  readonly blobs: Map<RepositoryName, ReadonlySet<Digest>>
  readonly deadManifests: { readonly repository: RepositoryName; readonly digest: Digest }[]
}

/** What it names, and nothing else of it: there are many, of megabytes each. */
type References = Pick<Manifest, 'blobs' | 'foreignBlobs' | 'children' | 'subject'>

interface Known {
  readonly references: References
  readonly stale: boolean
}

export class Collector {
  readonly #options: CollectorOptions
  #running: Promise<Collected> | null = null

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  /** One run at a time: who asks during one gets its result. Rejects when something could not be read or removed. */
  run(signal: AbortSignal, { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<Collected> {
    this.#running ??= this.#counted(signal, dryRun).finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #counted(signal: AbortSignal, dryRun: boolean): Promise<Collected> {
    let result: Collected | null = null
    try {
      result = await this.#run(signal, dryRun)
      return result
    } finally {
      if (!dryRun) this.#options.ended(result)
    }
  }

  async #run(signal: AbortSignal, dryRun: boolean): Promise<Collected> {
    const { now, grace } = this.#options.freshness
    const began = now()
    const count: Count = { dryRun, repositories: 0, manifests: 0, links: 0, blobs: 0, octets: 0, milliseconds: 0 }
    const goOn = (): void => {
      signal.throwIfAborted()
      // What was renewed when the marks were made is safe for half of the grace time.
      if (grace > 0 && now() - began > grace / 2) throw new Error('it took longer than half of the grace time')
    }
    const marks = await this.#mark(goOn)
    await this.#sweepManifests(marks, count, goOn)
    const linkless = await this.#sweepLinks(marks, count, goOn)
    await this.#sweepBlobs(linkless, count, goOn)
    await this.#sweepNames(marks, count, goOn)
    count.milliseconds = Math.round(now() - began)
    this.#options.log.info({ ...count }, dryRun ? 'a collection would remove this' : 'collected')
    return count
  }

  async #mark(goOn: () => void): Promise<Marks> {
    const marks: Marks = { blobs: new Map(), deadManifests: [] }
    for await (const { key } of this.#options.store.list(namesPrefix)) {
      goOn()
      const repository = nameOfKey(key)
      if (repository !== null) await this.#markRepository(repository, marks)
    }
    return marks
  }

  async #markRepository(repository: RepositoryName, marks: Marks): Promise<void> {
    const { store, manifests, freshness } = this.#options
    const known = new Map<Digest, Known>()
    await each(store.list(manifestsOf(repository)), async object => {
      const digest = digestOfKey(object.key)
      const octets = digest === null ? null : await readWhole(store, object.key)
      if (digest === null || octets === null) return
      known.set(digest, { references: referencesOf(octets), stale: isStale(object, freshness) })
    })
    // After the manifests: a tag that is set later has a manifest that is written later, too.
    const roots = new Set<Digest>()
    await each(store.list(tagsOf(repository)), async ({ key }) => {
      const tag: Tag | null = tagOfKey(key)
      const digest = tag === null ? null : await manifests.tagged(repository, tag)
      if (digest !== null) roots.add(digest)
    })
    const live = reach(known, roots)
    const blobs = new Set<Digest>()
    for (const [digest, { references }] of known) {
      if (!live.has(digest)) {
        marks.deadManifests.push({ repository, digest })
        continue
      }
      for (const blob of [...references.blobs, ...references.foreignBlobs, ...references.children]) blobs.add(blob)
    }
    marks.blobs.set(repository, blobs)
  }

  async #sweepManifests({ deadManifests }: Marks, count: Count, goOn: () => void): Promise<void> {
    const { manifests, freshness } = this.#options
    await each(deadManifests, async ({ repository, digest }) => {
      goOn()
      const removed =
        count.dryRun || (await manifests.removeIf(repository, digest, object => isStale(object, freshness)))
      if (removed) count.manifests++
    })
  }

  /** Returns blobs that a dry run would have taken the last link of. */
  async #sweepLinks(marks: Marks, count: Count, goOn: () => void): Promise<ReadonlySet<Digest>> {
    const { store, locks, blobs, freshness } = this.#options
    const [dying, staying] = [new Set<Digest>(), new Set<Digest>()]
    await each(store.list(linksPrefix), async object => {
      goOn()
      const link = linkOfKey(object.key)
      if (link === null) return
      const { digest, repository } = link
      const isDead = async (): Promise<boolean> => {
        if (marks.blobs.get(repository)?.has(digest) || blobs.isComing(digest)) return false
        const now = await store.stat(linkKey(digest, repository))
        return now !== null && isStale(now, freshness)
      }
      // Most links live: those need no lock.
      if (!(await isDead())) {
        if (count.dryRun) staying.add(digest)
        return
      }
      const removed = count.dryRun
        ? dying.add(digest).size > 0
        : await locks.run(digest, async () => (await isDead()) && store.delete(object.key))
      if (removed) count.links++
    })
    return dying.difference(staying)
  }

  async #sweepBlobs(linkless: ReadonlySet<Digest>, count: Count, goOn: () => void): Promise<void> {
    const { store, locks, blobs, freshness } = this.#options
    await each(store.list(blobsPrefix), async object => {
      goOn()
      const digest = digestOfKey(object.key)
      if (digest === null || !isStale(object, freshness)) return
      const isDead = async (): Promise<boolean> => {
        if (blobs.isComing(digest)) return false
        for await (const _ of store.list(linksOf(digest))) return count.dryRun && linkless.has(digest)
        const now = await store.stat(blobKey(digest))
        return now !== null && isStale(now, freshness)
      }
      if (!(await isDead())) return
      if (!count.dryRun && !(await locks.run(digest, async () => (await isDead()) && store.delete(object.key)))) return
      count.blobs++
      count.octets += object.size
    })
  }

  /** Repositories whose last manifest is gone. */
  async #sweepNames({ blobs }: Marks, count: Count, goOn: () => void): Promise<void> {
    const { store, manifests } = this.#options
    for (const repository of blobs.keys()) {
      goOn()
      const isEmpty = async (): Promise<boolean> => {
        for (const prefix of [manifestsOf(repository), tagsOf(repository)])
          for await (const _ of store.list(prefix)) return false
        return true
      }
      if (!(await isEmpty())) continue
      if (count.dryRun || (await manifests.forgetIf(repository, isEmpty))) count.repositories++
    }
  }
}

function referencesOf(octets: Buffer): References {
  const { blobs, foreignBlobs, children, subject } = readManifest(octets, null)
  return { blobs, foreignBlobs, children, subject }
}

/** What stays: roots, what is young, and all that these keep. */
function reach(known: ReadonlyMap<Digest, Known>, roots: ReadonlySet<Digest>): ReadonlySet<Digest> {
  const referrers = Map.groupBy(known.keys(), digest => known.get(digest)!.references.subject)
  const live = new Set<Digest>()
  const waiting = [...roots, ...[...known].filter(([, { stale }]) => !stale).map(([digest]) => digest)]
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    const found = known.get(digest)
    if (found === undefined || live.has(digest)) continue
    live.add(digest)
    waiting.push(...found.references.children, ...(referrers.get(digest) ?? []))
  }
  return live
}
