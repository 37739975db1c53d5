// Two Patches as one, for when the first was held back until the second came.

import type { Delta, Patch } from '../model/patch.ts'

/** What `first` and then `second` come to, under the version of `second`. */
export function compose(first: Patch | null, second: Patch): Patch {
  if (first === null || second.reset) return second
  const settings = second.settings ?? first.settings
  // Null says something: there is no builder.
  const builder = second.builder === undefined ? first.builder : second.builder
  return {
    version: second.version,
    reset: first.reset,
    ...(settings !== undefined && { settings }),
    ...(builder !== undefined && { builder }),
    routes: composeDelta(first.routes, second.routes),
    upstreams: composeDelta(first.upstreams, second.upstreams),
    certificates: composeDelta(first.certificates, second.certificates),
    authorities: composeDelta(first.authorities, second.authorities),
    apps: [...first.apps, ...second.apps],
  }
}

function composeDelta<T extends { readonly id: Id }, Id>(first: Delta<T, Id>, second: Delta<T, Id>): Delta<T, Id> {
  const upserts = new Map(first.upserts.map(item => [item.id, item]))
  const deletes = new Set(first.deletes)
  for (const id of second.deletes) {
    upserts.delete(id)
    deletes.add(id)
  }
  for (const item of second.upserts) {
    upserts.set(item.id, item)
    deletes.delete(item.id)
  }
  return { upserts: [...upserts.values()], deletes: [...deletes] }
}
