// What the router is doing, as its `GET /status` says it: for the status pages, the router's own and the controller's. Plain
// data, bounded whatever there is: lists come with their whole length.

import type { ExplainedObject } from './explanation.ts'

/** Numbers at equal distances, the oldest first, all lists of the same length. */
export interface TrafficSeries {
  /** Between two numbers. */
  readonly seconds: number
  /** Answers in a second. */
  readonly requests: readonly number[]
  /** Those of them with a status from 500 on. */
  readonly errors: readonly number[]
  /** Mean time of a request, milliseconds; null: there was none. */
  readonly mean: readonly (number | null)[]
  /** 99 of 100 requests took no longer, milliseconds, as far as the buckets of the counters tell; of several apps the greatest. */
  readonly slow: readonly (number | null)[]
}

export interface StatusRoute {
  /** As `ExplainedRoute` writes it. */
  readonly host: string
  readonly path: string
  /** Null: the router's own settings. */
  readonly object: ExplainedObject | null
  readonly app: string
  readonly https: boolean
  /** What is shown on HTTPS when it is not the default one. */
  readonly certificate: { readonly id: string; readonly expires: string } | null
  /** Endpoints that requests go to, and others that are known and not ready. */
  readonly endpoints: { readonly ready: number; readonly notReady: number }
  readonly maintenance: boolean
}

export interface StatusProblem {
  readonly code: string
  readonly severity: 'error' | 'warning'
  readonly object: ExplainedObject
  readonly message: string
  /** ISO 8601. */
  readonly since: string
}

export interface StatusChange {
  /** When the router heard of it, ISO 8601. */
  readonly time: string
  /** Some of what it was about. */
  readonly objects: readonly ExplainedObject[]
  readonly summary: string
  /** Until every data thread had it in force; null: not yet. */
  readonly milliseconds: number | null
}

export interface StatusList<T> {
  /** Of all there are; `items` may be fewer. */
  readonly total: number
  readonly items: readonly T[]
}

export interface RouterStatus {
  /** ISO 8601. */
  readonly time: string
  /** Of the router's release. */
  readonly release: string
  readonly healthy: boolean
  /** Why not, or `ok`. */
  readonly health: string
  readonly configuration: {
    readonly version: number
    /** Null: none yet. */
    readonly changedAt: string | null
    /** The source has been heard in full. */
    readonly synced: boolean
    /** When the snapshot that is served was written; null: what is served is live. */
    readonly snapshotOf: string | null
  }
  /** The namespaces that all below is about; null: all. */
  readonly apps: readonly string[] | null
  /** Null when `apps` is not: they speak of everybody. */
  readonly now: {
    readonly connections: number
    readonly requests: number
    readonly tunnels: number
    readonly endpointsResting: number
    readonly endpointsUnhealthy: number
  } | null
  readonly traffic: TrafficSeries
  /** Those that match the search, `limit` of them at most, from `offset` on. */
  readonly routes: StatusList<StatusRoute> & {
    readonly offset: number
    readonly limit: number
    readonly search: string
  }
  /** Of the apps of these routes, by name; one without traffic, or beyond the bound, is not there. */
  readonly appTraffic: Readonly<Record<string, TrafficSeries>>
  readonly problems: StatusList<StatusProblem>
  readonly changes: StatusList<StatusChange>
}
