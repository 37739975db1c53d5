// Who has a thing that several objects may claim: a host, a path of a host, the certificate of a host. The one with the
// least rank has it, among equals the first by namespace, then name (contract section 7, ingress contract I-H4 and I-T5).
// A change is decided for the things that it concerns only.

import { assertNever } from '#kit/assert-never.ts'
import { compareText } from '#kit/compare-text.ts'
import type { ObjectRef } from '../model/problem.ts'
import type { HostMatch } from '../model/route.ts'
import { refKey } from './object-shape.ts'

/**
 * The identity of a HostMatch, legible: `foo.com`, `*.foo.com`, `foo.*`, `~foo-\d+`, `*` (any), `-` (default). Wildcards of
 * either depth are one host: only one kind of object can have it.
 */
export function claimKey(host: HostMatch): string {
  switch (host.kind) {
    case 'exact':
      return host.host
    case 'wildcard':
      return `*.${host.suffix}`
    case 'label':
      return `${host.label}.*`
    case 'regex':
      return `~${host.expression}`
    case 'any':
      return '*'
    case 'default':
      return '-'
    default:
      return assertNever(host)
  }
}

interface Claimant {
  readonly ref: ObjectRef
  /** Compared as text. */
  readonly rank: string
}

/** The order of precedence, by code unit: negative when `a` comes first. */
function compareClaimants(a: Claimant, b: Claimant): number {
  return (
    compareText(a.rank, b.rank) ||
    compareText(a.ref.namespace, b.ref.namespace) ||
    compareText(a.ref.name, b.ref.name) ||
    compareText(a.ref.kind, b.ref.kind)
  )
}

/** Where `claimant` is in `list`, or would be. Binary search: thousands may claim one thing, by mistake or not. */
function position(list: readonly Claimant[], claimant: Claimant): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareClaimants(list[middle]!, claimant) < 0) low = middle + 1
    else high = middle
  }
  return low
}

export class Claims {
  /** For each thing its claimants, the owner first. */
  readonly #claimants = new Map<string, Claimant[]>()
  /** What each claims, with its rank: a list, as most claim one thing, and a Map of one takes four times as much. */
  readonly #claims = new Map<string, readonly (readonly [thing: string, rank: string])[]>()

  /**
   * Makes `claims` (things, each with the rank of the claim) all that `ref` claims. Returns the things whose owner is
   * another one now, or none any more.
   */
  replace(ref: ObjectRef, claims: ReadonlyMap<string, string>): ReadonlySet<string> {
    const key = refKey(ref)
    const before = new Map(this.#claims.get(key))
    const moved = new Set<string>()
    for (const [thing, rank] of before) {
      const next = claims.get(thing)
      if (next === rank) continue
      const owner = this.#ownerKey(thing)
      this.#withdraw(thing, { ref, rank })
      if (next !== undefined) this.#enter(thing, { ref, rank: next })
      if (this.#ownerKey(thing) !== owner) moved.add(thing)
    }
    for (const [thing, rank] of claims) {
      if (before.has(thing)) continue
      const owner = this.#ownerKey(thing)
      this.#enter(thing, { ref, rank })
      if (this.#ownerKey(thing) !== owner) moved.add(thing)
    }
    if (claims.size > 0) this.#claims.set(key, [...claims])
    else this.#claims.delete(key)
    return moved
  }

  owner(thing: string): ObjectRef | null {
    return this.#claimants.get(thing)?.[0]?.ref ?? null
  }

  /** All that claim `thing`, the owner first. */
  claimants(thing: string): readonly ObjectRef[] {
    return (this.#claimants.get(thing) ?? []).map(({ ref }) => ref)
  }

  #ownerKey(thing: string): string | null {
    const owner = this.owner(thing)
    return owner === null ? null : refKey(owner)
  }

  #enter(thing: string, claimant: Claimant): void {
    const list = this.#claimants.get(thing)
    if (list === undefined) this.#claimants.set(thing, [claimant])
    else list.splice(position(list, claimant), 0, claimant)
  }

  #withdraw(thing: string, claimant: Claimant): void {
    const list = this.#claimants.get(thing) ?? []
    list.splice(position(list, claimant), 1)
    if (list.length === 0) this.#claimants.delete(thing)
  }
}
