// Who owns a host. Several objects may claim one; the first by namespace, then name, has it, for HTTP and HTTPS alike
// (contract section 7). A change is decided for the hosts that it concerns only.

import { assertNever } from '#kit/assert-never.ts'
import type { ObjectRef } from '../model/problem.ts'
import type { HostMatch } from '../model/route.ts'
import { refKey } from './object-shape.ts'

/** The identity of a HostMatch, legible: `foo.com`, `*.foo.com` (any depth), `+.foo.com` (one label), `foo.*`, `*`. */
export function hostKey(host: HostMatch): string {
  switch (host.kind) {
    case 'exact':
      return host.host
    case 'wildcard':
      return `${host.depth === 'any' ? '*' : '+'}.${host.suffix}`
    case 'label':
      return `${host.label}.*`
    case 'any':
      return '*'
    default:
      return assertNever(host)
  }
}

/** The order of precedence, by code unit: negative when `a` comes first. */
function compareClaimants(a: ObjectRef, b: ObjectRef): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1
  if (a.name !== b.name) return a.name < b.name ? -1 : 1
  return a.kind === b.kind ? 0 : a.kind < b.kind ? -1 : 1
}

/** Where `claimant` is in `list`, or would be. Binary search: thousands may claim one host, by mistake or not. */
function position(list: readonly ObjectRef[], claimant: ObjectRef): number {
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
  /** For each host its claimants, the owner first. */
  readonly #claimants = new Map<string, ObjectRef[]>()
  readonly #hosts = new Map<string, ReadonlySet<string>>()

  /** Makes `hosts` all that `claimant` claims. Returns the hosts whose owner is another one now, or none any more. */
  replace(claimant: ObjectRef, hosts: ReadonlySet<string>): ReadonlySet<string> {
    const key = refKey(claimant)
    const before = this.#hosts.get(key) ?? new Set<string>()
    const moved = new Set<string>()
    for (const host of before) if (!hosts.has(host) && this.#withdraw(host, claimant)) moved.add(host)
    for (const host of hosts) if (!before.has(host) && this.#enter(host, claimant)) moved.add(host)
    if (hosts.size > 0) this.#hosts.set(key, hosts)
    else this.#hosts.delete(key)
    return moved
  }

  owner(host: string): ObjectRef | null {
    return this.#claimants.get(host)?.[0] ?? null
  }

  /** All that claim `host`, the owner first. */
  claimants(host: string): readonly ObjectRef[] {
    return this.#claimants.get(host) ?? []
  }

  #enter(host: string, claimant: ObjectRef): boolean {
    const list = this.#claimants.get(host) ?? []
    const at = position(list, claimant)
    list.splice(at, 0, claimant)
    this.#claimants.set(host, list)
    return at === 0
  }

  #withdraw(host: string, claimant: ObjectRef): boolean {
    const list = this.#claimants.get(host) ?? []
    const at = position(list, claimant)
    list.splice(at, 1)
    if (list.length === 0) this.#claimants.delete(host)
    return at === 0
  }
}
