// Which namespace has a host, where `nginx.hostOwnership` is `namespace` (docs/adr/0019). A title is what the objects of
// one namespace claim of one host, and as old as the oldest of them. Titles are granted from the oldest on: one that
// overlaps with a title granted to another namespace is refused, and one that was refused keeps nobody away.
//
//   overlaps: a host with itself; a wildcard with all that is below it; a dotless domain, which answers below any parent,
//   with every host that begins with it and with every wildcard, if these are younger (older ones go before it anyway).
//
// What follows depends on the objects there are, not on the order in which they came. A change is decided for the titles
// that it concerns: those that overlap and are younger.

import { compareText } from '#kit/compare-text.ts'
import { added, type Few, membersOf, removed } from '#kit/few.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { HostMatch } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import { claimKey } from './claims.ts'
import { FirstTitles } from './first-titles.ts'
import { HostNames } from './host-names.ts'
import { compareTitles, type HostTitle } from './host-title.ts'
import { refKey, refOfKey } from './object-shape.ts'
import { TitleQueue } from './title-queue.ts'

/** What an object claims of hosts. */
export interface HostClaim {
  /** When the object was created, comparable as text. */
  readonly created: string
  readonly hosts: readonly HostMatch[]
}

/** Who keeps a namespace from a host. */
export interface HostHolder {
  readonly namespace: string
  /** The object that its title is as old as. */
  readonly object: ObjectRef
}

/** Why an object does not get a host that another namespace has, without a name. */
export const heldWhy = 'the host, or one that overlaps with it, belongs to another namespace, which claimed it first'

/** The Problem of an object that is kept from `host`. It names no object: the other namespace's are its own affair. */
export function hostHeld(object: ObjectRef, host: string, { namespace }: HostHolder): Problem {
  const message = `${host} is not served: it, or a host that overlaps with it, belongs to namespace ${namespace}, which claimed it first`
  return { code: 'host-conflict', severity: 'warning', object, message }
}

const nobody: ReadonlySet<string> = new Set()

export class HostTitles {
  #isOn = false
  #trusted = nobody
  /** By `claimKey`, each list in the order of grants. */
  readonly #titles = new Map<string, HostTitle[]>()
  /** The hosts that each object claims. */
  readonly #objects = new Map<string, ReadonlySet<string>>()
  /** The keys of exact hosts and wildcards. */
  readonly #names = new HostNames()
  /** Keys of exact hosts by their first label. */
  readonly #firstLabels = new Map<string, Few>()
  /** Of each wildcard what is granted below it. */
  readonly #wildcards = new Map<string, FirstTitles>()
  readonly #labels = new Set<string>()
  readonly #grantedLabels = new FirstTitles(() => this.#granted(this.#labels))
  readonly #queue = new TitleQueue()

  /** All objects have to be told anew when the settings have changed. */
  follow({ hostOwnership, hostOwnershipTrusted }: RouterSettings): void {
    this.#isOn = hostOwnership === 'namespace'
    this.#trusted = new Set(hostOwnershipTrusted)
  }

  /** Makes `claim` all that the object claims; null: nothing. */
  replace(ref: ObjectRef, claim: HostClaim | null): void {
    if (!this.#isOn && this.#objects.size === 0) return
    const key = refKey(ref)
    const before = this.#objects.get(key)
    const keys = new Set(this.#isOn && claim !== null ? claim.hosts.filter(isOwnable).map(claimKey) : [])
    if (before === undefined && keys.size === 0) return
    const created = claim?.created ?? ''
    const trusted = this.#trusted.has(ref.namespace)
    for (const host of before ?? []) if (!keys.has(host)) this.#change(host, ref, key, null, trusted)
    for (const host of keys) this.#change(host, ref, key, created, trusted)
    if (keys.size > 0) this.#objects.set(key, keys)
    else this.#objects.delete(key)
  }

  /** Decides what is open. Returns the keys of the objects that have a host now, or lost one, or to somebody else. */
  settle(): ReadonlySet<string> {
    if (this.#queue.isEmpty) return nobody
    const moved = new Set<string>()
    for (let title = this.#queue.take(); title !== null; title = this.#queue.take()) {
      if (title.isGone) continue
      const before = title.blocker
      const blocker = this.#blockerOf(title)
      if (blocker === before) continue
      title.blocker = blocker
      for (const key of title.claims.keys()) moved.add(key)
      if (blocker === null) this.#grant(title)
      else if (before === null) this.#release(title)
    }
    return moved
  }

  /** Who keeps objects of `namespace` from the host of this key; null: nobody. As of the last `settle`. */
  holder(key: string, namespace: string): HostHolder | null {
    const blocker = this.#titles.get(key)?.find(title => title.namespace === namespace)?.blocker ?? null
    if (blocker === null) return null
    const oldest = [...blocker.claims].filter(([, created]) => created === blocker.created).map(([ref]) => ref)
    return { namespace: blocker.namespace, object: refOfKey(oldest.sort(compareText)[0]!) }
  }

  /** The namespaces whose certificates may be shown for hosts of `namespace`: one text for each set of them. */
  realm(namespace: string): string {
    return this.#isOn ? namespace : ''
  }

  /** Whether objects of `guest` may add to what `host` has. */
  admits(guest: string, host: string): boolean {
    return !this.#isOn || guest === host || this.#trusted.has(guest)
  }

  /** One object's part in one title; `created` null: none. */
  #change(host: string, { namespace }: ObjectRef, object: string, created: string | null, isTrusted: boolean): void {
    const title = this.#titles.get(host)?.find(each => each.namespace === namespace)
    const claims = title?.claims ?? new Map<string, string>()
    if (created === null) claims.delete(object)
    else claims.set(object, created)
    let oldest: string | null = null
    for (const each of claims.values()) if (oldest === null || each < oldest) oldest = each
    if (title !== undefined && title.created === oldest && title.isTrusted === isTrusted) return
    if (title !== undefined) this.#drop(title)
    if (oldest === null) return
    this.#enter({ key: host, namespace, isTrusted, created: oldest, claims, blocker: undefined, isGone: false })
  }

  #enter(title: HostTitle): void {
    const { key } = title
    const list = this.#titles.get(key)
    if (list === undefined) {
      this.#titles.set(key, [title])
      this.#index(key)
    } else {
      const at = list.findIndex(other => compareTitles(title, other) < 0)
      list.splice(at < 0 ? list.length : at, 0, title)
    }
    this.#queue.add(title)
  }

  #drop(title: HostTitle): void {
    const list = this.#titles.get(title.key) ?? []
    list.splice(list.indexOf(title), 1)
    title.isGone = true
    if (title.blocker === null) this.#release(title)
    if (list.length > 0) return
    this.#titles.delete(title.key)
    this.#unindex(title.key)
  }

  /** The first granted title that this one gives way to; all before it have been decided. */
  #blockerOf(title: HostTitle): HostTitle | null {
    let first: HostTitle | null = null
    for (const other of this.#rivals(title))
      if (compareTitles(other, title) < 0 && (first === null || compareTitles(other, first) < 0)) first = other
    return first
  }

  /** Granted titles of other namespaces that it gives way to if they go before it: of each kind of overlap the first. */
  *#rivals({ key, namespace }: HostTitle): Iterable<HostTitle> {
    yield* this.#firstAt(key, key, namespace)
    const kind = kindOf(key)
    if (kind === 'any' || kind === 'label') return
    for (const wildcard of this.#wildcardsOver(key)) yield* this.#firstAt(wildcard, key, namespace)
    if (kind === 'exact') {
      yield* this.#firstAt(labelKey(key), key, namespace)
      return
    }
    for (const firsts of [this.#wildcards.get(key), this.#grantedLabels]) {
      const first = firsts?.besides(namespace) ?? null
      if (first !== null) yield first
    }
  }

  /** The first title of the host `at` that titles of `namespace` to `key` give way to. */
  *#firstAt(at: string, key: string, namespace: string): Iterable<HostTitle> {
    for (const other of this.#titles.get(at) ?? []) {
      if (other.blocker !== null || other.namespace === namespace) continue
      // What is below the wildcards of those that are trusted is free.
      if (other.isTrusted && at !== key && at.startsWith('*.')) continue
      yield other
      return
    }
  }

  *#granted(keys: Iterable<string>): Iterable<HostTitle> {
    for (const key of keys) for (const title of this.#titles.get(key) ?? []) if (title.blocker === null) yield title
  }

  /** A title has been granted: those that have to give way to it are decided anew. */
  #grant(title: HostTitle): void {
    for (const set of this.#setsOf(title.key)) set.add(title)
    for (const key of this.#dependents(title.key))
      for (const other of this.#titles.get(key) ?? []) {
        const { blocker } = other
        // Of most claims of one wildcard an older one is known to keep them away.
        if (blocker === undefined || other.namespace === title.namespace) continue
        if (blocker !== null && compareTitles(blocker, title) < 0) continue
        if (compareTitles(title, other) < 0) this.#queue.add(other)
      }
  }

  /** A title is not granted any more, or gone: those that gave way to it are decided anew. */
  #release(title: HostTitle): void {
    for (const set of this.#setsOf(title.key)) set.delete(title)
    for (const key of this.#dependents(title.key))
      for (const other of this.#titles.get(key) ?? []) if (other.blocker === title) this.#queue.add(other)
  }

  /** What titles of `key` are kept in. */
  *#setsOf(key: string): Iterable<FirstTitles> {
    if (kindOf(key) === 'label') yield this.#grantedLabels
    else for (const wildcard of this.#wildcardsOver(key)) yield this.#wildcards.get(wildcard)!
  }

  /** The keys whose titles, if they are younger, may give way to those of `key`. */
  *#dependents(key: string): Iterable<string> {
    yield key
    switch (kindOf(key)) {
      case 'any':
        return
      case 'label':
        yield* membersOf(this.#firstLabels.get(key))
        yield* this.#wildcards.keys()
        return
      case 'exact':
        yield* this.#wildcardsOver(key)
        return
      case 'wildcard':
        yield* this.#wildcardsOver(key)
        yield* this.#below(key)
    }
  }

  /** What a wildcard overlaps with, besides itself and wildcards over it. */
  *#below(wildcard: string): Iterable<string> {
    for (const key of this.#names.below(wildcard.slice(2))) if (key !== wildcard) yield key
  }

  *#wildcardsOver(key: string): Iterable<string> {
    const name = key.startsWith('*.') ? key.slice(2) : key
    for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1)) {
      const wildcard = `*${name.slice(dot)}`
      if (this.#wildcards.has(wildcard)) yield wildcard
    }
  }

  #index(key: string): void {
    const kind = kindOf(key)
    if (kind === 'label') this.#labels.add(key)
    if (kind === 'wildcard') this.#wildcards.set(key, new FirstTitles(() => this.#granted(this.#below(key))))
    if (kind === 'wildcard' || kind === 'exact') this.#names.add(key)
    if (kind === 'exact') this.#firstLabels.set(labelKey(key), added(this.#firstLabels.get(labelKey(key)), key))
  }

  #unindex(key: string): void {
    const kind = kindOf(key)
    if (kind === 'label') this.#labels.delete(key)
    if (kind === 'wildcard') this.#wildcards.delete(key)
    if (kind === 'wildcard' || kind === 'exact') this.#names.delete(key)
    if (kind !== 'exact') return
    const rest = removed(this.#firstLabels.get(labelKey(key)), key)
    if (rest === undefined) this.#firstLabels.delete(labelKey(key))
    else this.#firstLabels.set(labelKey(key), rest)
  }
}

/** The default tier is one slot, which the oldest has; expressions are not in force. */
function isOwnable({ kind }: HostMatch): boolean {
  return kind !== 'default' && kind !== 'regex'
}

function kindOf(key: string): 'any' | 'wildcard' | 'label' | 'exact' {
  if (key === '*') return 'any'
  if (key.startsWith('*.')) return 'wildcard'
  return key.endsWith('.*') ? 'label' : 'exact'
}

/** The key of the dotless domain that answers for this host too. */
function labelKey(host: string): string {
  const dot = host.indexOf('.')
  return `${dot < 0 ? host : host.slice(0, dot)}.*`
}
