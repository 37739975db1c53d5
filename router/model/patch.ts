// What crosses from control to the data threads: deltas, never worlds, except to a thread that has just started.

import type { Authorities, AuthoritiesId } from './authorities.ts'
import type { Certificate, CertificateId } from './certificate.ts'
import type { Route, RouteId } from './route.ts'
import type { RouterSettings } from './settings.ts'
import type { Upstream, UpstreamId } from './upstream.ts'

/** What changed in one collection. An id is in `upserts` or in `deletes`, never in both. */
export interface Delta<T, Id> {
  readonly upserts: readonly T[]
  readonly deletes: readonly Id[]
}

/** Where raw connections of the builder's port go (contract section 5). Times in milliseconds. */
export interface Builder {
  readonly upstream: UpstreamId
  readonly connectTimeout: number
  /** The longest silence in either direction. */
  readonly idleTimeout: number
}

/** An app and the row of the counters (`counters.ts`) that data threads add to for it. */
export interface AppSlot {
  readonly app: string
  readonly slot: number
}

/**
 * One step from the last configuration to the next. Applied whole, between two events of a data thread, so that no
 * request sees half of it. With `reset` the receiver first forgets all it has.
 */
export interface Patch {
  /** Grows by one with each patch. */
  readonly version: number
  readonly reset: boolean
  /** Absent: unchanged. Always present with `reset`. */
  readonly settings?: RouterSettings
  /** Absent: unchanged. Always present with `reset`. Null: there is no builder, and its port is closed. */
  readonly builder?: Builder | null
  readonly routes: Delta<Route, RouteId>
  readonly upstreams: Delta<Upstream, UpstreamId>
  readonly certificates: Delta<Certificate, CertificateId>
  readonly authorities: Delta<Authorities, AuthoritiesId>
  readonly apps: readonly AppSlot[]
}
