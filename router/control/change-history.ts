// The last changes and how long each took to go live, for status pages: from the news of the source until the last data
// thread had it in force.

import type { StatusChange, StatusList } from '#kit/router-status.ts'
import type { Patch } from '../model/patch.ts'
import type { ObjectRef } from '../model/problem.ts'
import { refKey } from './object-shape.ts'
import type { Published } from './published.ts'
import { objectOf } from './route-text.ts'

const mostChanges = 50
/** Of one change: what is beyond is counted only. */
const mostObjects = 100
/** A change of more parts than this is counted only: it is not to come later for being described. */
const mostParts = 1000
/** Of one change, as it is shown. */
const mostShown = 5

const parts = ['added', 'changed', 'removed', 'endpoints', 'certificates', 'settings'] as const
type Counts = Partial<Record<(typeof parts)[number], number>>

/** What a Patch comes to, before it is published. */
export interface ChangeContent {
  /** Routes in all, when it is the whole world; null: it is a step. */
  readonly whole: number | null
  /** By object. */
  readonly objects: ReadonlyMap<string, { readonly ref: ObjectRef; readonly counts: Counts }>
  /** Parts of it that belong to objects which are not there. */
  readonly rest: Counts
}

/** `settings`: the object that carries the router's own. */
export function contentOf(patch: Patch, { routes }: Published, settings: ObjectRef): ChangeContent {
  const objects = new Map<string, { readonly ref: ObjectRef; readonly counts: Counts }>()
  const rest: Counts = {}
  if (patch.reset) return { whole: patch.routes.upserts.length, objects, rest }
  const { upserts, deletes } = patch.routes
  const certificates = patch.certificates.upserts.length + patch.certificates.deletes.length
  if (upserts.length + deletes.length + patch.upstreams.upserts.length + certificates > mostParts) {
    const changed = upserts.filter(({ id }) => routes.has(id)).length
    rest.added = upserts.length - changed
    rest.changed = changed
    rest.removed = deletes.length
    rest.endpoints = patch.upstreams.upserts.length
    rest.certificates = certificates
    return { whole: null, objects, rest }
  }
  const add = (ref: ObjectRef, part: keyof Counts): void => {
    const key = refKey(ref)
    const known = objects.get(key)
    const counts = known?.counts ?? (objects.size < mostObjects ? {} : rest)
    counts[part] = (counts[part] ?? 0) + 1
    if (known === undefined && counts !== rest) objects.set(key, { ref, counts })
  }
  if (patch.settings !== undefined) add(settings, 'settings')
  for (const { id } of upserts) add(objectOf(id) ?? settings, routes.has(id) ? 'changed' : 'added')
  for (const id of deletes) add(objectOf(id) ?? settings, 'removed')
  // An upstream that goes, goes with its routes.
  for (const { id } of patch.upstreams.upserts) {
    const ref = pathRef('Service', id.slice(0, id.lastIndexOf(':')))
    if (ref !== null) add(ref, 'endpoints')
  }
  for (const { id } of patch.certificates.upserts) add(pathRef('Secret', id) ?? settings, 'certificates')
  for (const id of patch.certificates.deletes) add(pathRef('Secret', id) ?? settings, 'certificates')
  return { whole: null, objects, rest }
}

interface Change {
  readonly version: number
  readonly time: number
  readonly heardAt: number
  readonly content: ChangeContent
  milliseconds: number | null
}

export interface ChangeHistoryOptions {
  /** Resolves when every data thread has this version in force. */
  readonly applied: (version: number) => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Milliseconds, only compared with each other. */
  readonly clock?: () => number
}

export class ChangeHistory {
  readonly #options: ChangeHistoryOptions
  readonly #clock: () => number
  /** The latest last. */
  readonly #changes: Change[] = []
  #total = 0
  #following = false

  constructor(options: ChangeHistoryOptions) {
    this.#options = options
    this.#clock = options.clock ?? (() => performance.now())
  }

  /** `heardAt`: when the first of the news came, by the clock. */
  add(content: ChangeContent, version: number, heardAt: number): void {
    const time = this.#options.now() - Math.max(0, this.#clock() - heardAt)
    this.#changes.push({ version, time, heardAt, content, milliseconds: null })
    this.#total++
    if (this.#changes.length > mostChanges) this.#changes.shift()
    void this.#follow()
  }

  /** The latest first; `namespaces`: what is not of these is not told of. Null: all. */
  list(namespaces: ReadonlySet<string> | null): StatusList<StatusChange> {
    const shown = this.#changes
      .toReversed()
      .map(change => shownOf(change, namespaces))
      .filter(change => change !== null)
    return { total: namespaces === null ? this.#total : shown.length, items: shown }
  }

  /** One wait at a time, for the oldest that is not live: many may come while a thread hangs. */
  async #follow(): Promise<void> {
    if (this.#following) return
    this.#following = true
    for (let next = this.#pending(); next !== undefined; next = this.#pending()) {
      try {
        await this.#options.applied(next.version)
      } catch {
        // The data threads have failed: nothing goes live any more.
        return
      }
      next.milliseconds = Math.max(0, this.#clock() - next.heardAt)
    }
    this.#following = false
  }

  #pending(): Change | undefined {
    return this.#changes.find(({ milliseconds }) => milliseconds === null)
  }
}

function shownOf({ time, milliseconds, content }: Change, namespaces: ReadonlySet<string> | null): StatusChange | null {
  const { whole, rest } = content
  const all = [...content.objects.values()]
  const seen = namespaces === null ? all : all.filter(({ ref }) => namespaces.has(ref.namespace))
  if (seen.length === 0 && namespaces !== null) return null
  const counts: Counts = namespaces === null ? { ...rest } : {}
  for (const { counts: more } of seen) for (const part of parts) counts[part] = (counts[part] ?? 0) + (more[part] ?? 0)
  return {
    time: new Date(time).toISOString(),
    objects: seen.slice(0, mostShown).map(({ ref }) => ref),
    summary: whole === null ? summaryOf(counts) : `everything: ${number(whole, 'route')}`,
    milliseconds: milliseconds === null ? null : Number(milliseconds.toFixed(1)),
  }
}

function summaryOf(counts: Counts): string {
  const text = {
    added: (count: number) => `${number(count, 'route')} added`,
    changed: (count: number) => `${number(count, 'route')} changed`,
    removed: (count: number) => `${number(count, 'route')} removed`,
    endpoints: (count: number) => `endpoints of ${number(count, 'Service')}`,
    certificates: (count: number) => number(count, 'certificate'),
    settings: () => 'settings of the router',
  } as const
  const said = parts.flatMap(part => (counts[part] ? [text[part](counts[part])] : []))
  return said.length === 0 ? 'nothing that requests notice' : said.join(', ')
}

function number(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function pathRef(kind: string, path: string): ObjectRef | null {
  const [namespace, name] = path.split('/')
  return namespace === undefined || name === undefined ? null : { kind, namespace, name }
}
