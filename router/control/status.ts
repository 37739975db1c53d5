// `GET /status` of the admin port: what a status page shows, as plain data. Whatever there is, one answer is bounded; and
// with `app`, which names namespaces, it tells nothing of any other.

import { hideNames } from '#kit/hidden-names.ts'
import type { RouterStatus, StatusList, StatusProblem, StatusRoute, TrafficSeries } from '#kit/router-status.ts'
import { version as release } from '#kit/version.ts'
import { counter } from '../model/counters.ts'
import type { Route } from '../model/route.ts'
import type { UpstreamId } from '../model/upstream.ts'
import type { ChangeHistory } from './change-history.ts'
import type { KnownEndpoint } from './endpoints.ts'
import type { DatedProblem } from './problem-book.ts'
import type { Published } from './published.ts'
import { hostText, objectOf, pathText } from './route-text.ts'
import type { TrafficHistory } from './traffic-history.ts'

const mostNamespaces = 200
const mostProblems = 100
const standardLimit = 100
const mostRoutes = 500
const longestSearch = 100

export interface StatusQuery {
  /** Null: all. */
  readonly namespaces: ReadonlySet<string> | null
  /** Lower case; empty: whatever there is. */
  readonly search: string
  readonly offset: number
  readonly limit: number
}

/** `app=A,B`, `search`, `offset`, `limit`; what makes no sense is left out, but `app` never lets more through for that. */
export function readStatusQuery(query: URLSearchParams): StatusQuery {
  return {
    namespaces: readNamespaces(query),
    search: (query.get('search') ?? '').trim().slice(0, longestSearch).toLowerCase(),
    offset: numberOf(query.get('offset'), 0, Number.MAX_SAFE_INTEGER),
    limit: Math.max(1, numberOf(query.get('limit'), standardLimit, mostRoutes)),
  }
}

/** What `app=A,B` names; null: it is not there. */
export function readNamespaces(query: URLSearchParams): ReadonlySet<string> | null {
  const names = query.get('app')?.split(',')
  if (names === undefined) return null
  return new Set(names.filter(name => /^[a-z0-9][a-z0-9.-]{0,252}$/.test(name)).slice(0, mostNamespaces))
}

export interface StatusSources {
  readonly published: Published
  readonly health: () => { readonly healthy: boolean; readonly text: string }
  /** Milliseconds since the epoch; null: never. */
  readonly changedAt: () => number | null
  readonly synced: () => boolean
  /** When the snapshot that is served was written, milliseconds since the epoch; null: what is served is live. */
  readonly servedSnapshot: () => number | null
  readonly problems: () => readonly DatedProblem[]
  /** All endpoints of an upstream, those that get no requests too. */
  readonly endpoints: (id: UpstreamId) => readonly KnownEndpoint[]
  /** A counter over all data threads. */
  readonly sum: (position: number) => number
  readonly traffic: TrafficHistory
  readonly changes: ChangeHistory
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export function routerStatus(sources: StatusSources, query: StatusQuery): RouterStatus {
  const { published, health, sum, traffic, changes } = sources
  const { namespaces } = query
  const { healthy, text } = health()
  const { page, total } = routesOf(published, query)
  return {
    time: new Date(sources.now()).toISOString(),
    release,
    healthy,
    // It names what is waited for, whoever's that is.
    health: namespaces === null || healthy ? text : 'not ready',
    configuration: {
      version: published.version,
      changedAt: dateOf(sources.changedAt()),
      synced: sources.synced(),
      snapshotOf: dateOf(sources.servedSnapshot()),
    },
    apps: namespaces === null ? null : [...namespaces],
    now:
      namespaces === null
        ? {
            connections: sum(counter.httpOpen) + sum(counter.httpsOpen),
            requests: sum(counter.requestsOpen),
            tunnels: sum(counter.tunnelsOpen),
            endpointsResting: sum(counter.upstreamResting),
            endpointsUnhealthy: sum(counter.upstreamUnhealthy),
          }
        : null,
    traffic: namespaces === null ? traffic.all() : traffic.apps(app => namespaces.has(namespaceOf(app))),
    routes: {
      total,
      offset: query.offset,
      limit: query.limit,
      search: query.search,
      items: page.map(route => statusRoute(route, sources)),
    },
    appTraffic: Object.fromEntries(appTraffic(page, query, traffic)),
    problems: problemsOf(sources.problems(), namespaces),
    changes: changes.list(namespaces),
  }
}

/** Those asked for, by host and path, and how many there are. */
function routesOf(
  { routes }: Published,
  { namespaces, search, offset, limit }: StatusQuery,
): { readonly page: readonly Route[]; readonly total: number } {
  const found: { readonly order: string; readonly route: Route }[] = []
  for (const route of routes.values()) {
    const object = objectOf(route.id)
    if (namespaces !== null && (object === null || !namespaces.has(object.namespace))) continue
    const order = `${hostText(route.host)} ${pathText(route.path)}`
    const isFound =
      search === '' ||
      `${order} ${route.app} ${object === null ? '' : `${object.namespace}/${object.name}`}`
        .toLowerCase()
        .includes(search)
    if (isFound) found.push({ order, route })
  }
  found.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
  return { page: found.slice(offset, offset + limit).map(({ route }) => route), total: found.length }
}

function statusRoute(route: Route, { published, endpoints }: StatusSources): StatusRoute {
  const { id, host, path, app, https, backend, policies } = route
  const certificate = route.certificate === null ? undefined : published.certificates.get(route.certificate)
  const ready = published.upstreams.get(backend.upstream)?.endpoints.length ?? 0
  return {
    host: hostText(host),
    path: pathText(path),
    object: objectOf(id),
    app,
    https,
    certificate: certificate === undefined ? null : { id: certificate.id, expires: dateOf(certificate.notAfter) },
    endpoints: { ready, notReady: endpoints(backend.upstream).filter(({ used }) => !used).length },
    maintenance: policies.some(({ kind }) => kind === 'maintenance'),
  }
}

/** An Ingress may lead into no other namespace than its own, but the row of an app may be shared by what is called alike. */
function* appTraffic(
  page: readonly Route[],
  { namespaces }: StatusQuery,
  traffic: TrafficHistory,
): Iterable<[app: string, series: TrafficSeries]> {
  for (const app of new Set(page.map(route => route.app))) {
    const series = namespaces === null || namespaces.has(namespaceOf(app)) ? traffic.app(app) : null
    if (series !== null) yield [app, series]
  }
}

function problemsOf(
  problems: readonly DatedProblem[],
  namespaces: ReadonlySet<string> | null,
): StatusList<StatusProblem> {
  const shown = problems.filter(({ object }) => namespaces === null || namespaces.has(object.namespace))
  const items = shown
    .toSorted((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error') || b.since - a.since)
    .slice(0, mostProblems)
    .map(({ code, severity, object, message, since }) => {
      const text = namespaces === null ? message : hideNames(message, namespace => namespaces.has(namespace))
      return { code, severity, object, message: text, since: dateOf(since) }
    })
  return { total: shown.length, items }
}

/** `APP` or `NAMESPACE/APP`, as `service.ts` makes it. */
function namespaceOf(app: string): string {
  const slash = app.indexOf('/')
  return slash < 0 ? app : app.slice(0, slash)
}

function dateOf(time: number): string
function dateOf(time: number | null): string | null
function dateOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString()
}

function numberOf(text: string | null, absent: number, most: number): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Math.min(Number(text), most) : absent
}
