// `/metrics`: the counters of the data threads, and control's own state, in the Prometheus text format. Everything is
// computed when it is asked for; the request path only adds.

import { collectDefaultMetrics, Registry } from 'prom-client'
import type { WatchState } from '#kube/watch.ts'
import {
  codings,
  counter,
  failureCodes,
  firstAppSlot,
  fixedSlot,
  retryReasons,
  rowOffset,
  rowSize,
} from '../model/counters.ts'
import type { AppSlot } from '../model/patch.ts'
import type { Problem } from '../model/problem.ts'
import { type AppRow, appMetrics } from './app-metrics.ts'
import type { LeadershipState } from './leadership.ts'
import type { Published } from './published.ts'
import type { Traffic } from './stats.ts'

/** What the numbers are read from. */
export interface MetricsSources {
  readonly published: Published
  /** One for each data thread. */
  readonly counters: () => readonly Float64Array[]
  readonly restarts: () => number
  /** Lines that control itself had to drop. */
  readonly accessLogDropped: () => number
  /** Lines of the router's own log that nobody took. */
  readonly logDropped: () => number
  readonly problems: () => readonly Problem[]
  readonly watches: () => readonly WatchState[]
  /** Of this replica; null or absent: there is no cluster, and so nobody to lead. */
  readonly leadership?: () => LeadershipState | null
  /** When the snapshot that is served was written, milliseconds since the epoch; null: what is served is live. */
  readonly servedSnapshot: () => number | null
  /** When the snapshot was last written, in the same way; null: never. */
  readonly snapshotSaved: () => number | null
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

type Labels = Readonly<Record<string, string>>
interface Sample {
  readonly labels: Labels
  readonly value: number
}

const prefix = 'deis_router_'
const fixedRows: readonly AppSlot[] = [
  { app: 'router-default-vhost', slot: fixedSlot.defaultVhost },
  { app: 'router-rejected', slot: fixedSlot.rejected },
  { app: 'router-other-apps', slot: fixedSlot.otherApps },
]

const nobodyLeads: LeadershipState = {
  leader: false,
  statusWrites: 0,
  statusFailures: 0,
  eventsWritten: 0,
  eventsDropped: 0,
}

export class Metrics {
  readonly #sources: MetricsSources
  readonly #registry = new Registry()
  readonly #rowOwners = new Map<number, string>()
  /** What a row held when its present app got it: the app before it had counted that. */
  readonly #baselines = new Map<number, Float64Array>()
  readonly #secretTotals = new Map<string, WatchState>()
  #secretEvents = 0
  #secretRelists = 0
  #secretReconnects = 0
  #threads: readonly Float64Array[] = []

  constructor(sources: MetricsSources) {
    this.#sources = sources
    this.#registerThreads()
    this.#registerConfiguration()
    this.#registerWatches()
    this.#registerLeadership()
  }

  readonly contentType: string = Registry.PROMETHEUS_CONTENT_TYPE

  /** To be called with the apps of every patch that is sent to the data threads, before it is sent. */
  assign(apps: readonly AppSlot[]): void {
    for (const { app, slot } of apps) {
      if (slot < firstAppSlot) continue
      const owner = this.#rowOwners.get(slot)
      this.#rowOwners.set(slot, app)
      if (owner === undefined || owner === app) continue
      this.#threads = this.#sources.counters()
      this.#baselines.set(slot, this.#sumRow(slot))
    }
  }

  /** All of it, as one text. */
  async text(): Promise<string> {
    this.#threads = this.#sources.counters()
    const apps = appMetrics(
      prefix,
      this.#rows().map(({ app, slot }) => ({ app, row: this.#row(slot) })),
    )
    return apps + (await this.#registry.metrics()) + (await processRegistry().metrics())
  }

  /** The same numbers for `stats.ts`. */
  traffic(): Traffic {
    this.#threads = this.#sources.counters()
    const rowOf = ({ app, slot }: AppSlot): AppRow => ({ app, row: this.#row(slot) })
    const total = new Float64Array(rowSize)
    // Rows of apps that are gone belong to it: what was answered stays answered.
    for (const slot of [...fixedRows.map(row => row.slot), ...this.#rowOwners.keys()]) {
      const row = this.#sumRow(slot)
      for (let at = 0; at < rowSize; at++) total[at]! += row[at]!
    }
    return {
      total,
      own: fixedRows.map(rowOf),
      apps: this.#appSlots().map(rowOf),
      sum: position => this.#sum(position),
      now: this.#sources.now(),
    }
  }

  #registerThreads(): void {
    const total = (name: string, help: string, position: number): void =>
      this.#add(name, 'counter', help, () => [{ labels: {}, value: this.#sum(position) }])
    const gauge = (name: string, help: string, position: number): void =>
      this.#add(name, 'gauge', help, () => [{ labels: {}, value: this.#sum(position) }])
    const byLabel = (
      name: string,
      type: 'counter' | 'gauge',
      help: string,
      label: string,
      at: Record<string, number>,
    ) =>
      this.#add(name, type, help, () =>
        Object.entries(at).map(([value, position]) => ({ labels: { [label]: value }, value: this.#sum(position) })),
      )

    byLabel('connections_accepted_total', 'counter', 'Connections from clients.', 'listener', {
      http: counter.httpAccepted,
      https: counter.httpsAccepted,
    })
    byLabel('connections_open', 'gauge', 'Connections from clients that are open.', 'listener', {
      http: counter.httpOpen,
      https: counter.httpsOpen,
    })
    total(
      'connections_refused_total',
      'Connections from clients closed at once, because as many as allowed were open.',
      counter.connectionsRefused,
    )
    total(
      'connections_evicted_total',
      'Idle connections from clients closed to make room for others.',
      counter.connectionsEvicted,
    )
    total(
      'accept_errors_total',
      'Times that accepting a connection failed, mostly for want of file descriptors.',
      counter.acceptErrors,
    )
    total(
      'proxy_protocol_errors_total',
      'Connections closed because they did not begin with a valid PROXY header.',
      counter.proxyProtocolErrors,
    )
    total('builder_connections_accepted_total', "Connections to the builder's port.", counter.builderAccepted)
    gauge('builder_connections_open', "Connections to the builder's port that are open.", counter.builderOpen)
    gauge('requests_open', 'Requests under way, upgraded connections among them.', counter.requestsOpen)
    gauge('tunnels_open', 'Upgraded connections that are open.', counter.tunnelsOpen)
    byLabel('tls_handshakes_total', 'counter', 'TLS handshakes with clients.', 'result', {
      ok: counter.tlsHandshakes,
      error: counter.tlsHandshakeErrors,
    })
    total('http2_connections_total', 'Connections from clients that speak HTTP/2.', counter.http2Accepted)
    total('http2_streams_total', 'Requests over HTTP/2.', counter.http2Streams)
    total('http2_resets_total', 'Streams of HTTP/2 reset before their end, by either side.', counter.http2Resets)
    total(
      'http2_offences_total',
      'Connections closed because their client did too much of what costs and brings nothing.',
      counter.http2Offences,
    )
    total('malformed_requests_total', 'Requests refused because they are not HTTP.', counter.malformedRequests)
    byLabel('upstream_connects_total', 'counter', 'Connections to endpoints that were tried.', 'result', {
      ok: counter.upstreamConnects,
      refused: counter.upstreamConnectRefused,
      timeout: counter.upstreamConnectTimeouts,
      error: counter.upstreamConnectErrors,
    })
    total(
      'upstream_requests_reused_total',
      'Requests sent on a connection that had served one before.',
      counter.upstreamReused,
    )
    total('upstream_http2_streams_total', 'Requests sent to endpoints in HTTP/2.', counter.upstreamStreams)
    gauge('upstream_connections_open', 'Connections to endpoints that are open.', counter.upstreamOpen)
    gauge('upstream_connections_idle', 'Those of them that wait for a request.', counter.upstreamIdle)
    byLabel(
      'upstream_retries_total',
      'counter',
      'Requests sent to an endpoint again, by what had become of the last try.',
      'reason',
      Object.fromEntries(retryReasons.map((reason, index) => [reason, counter.upstreamRetries + index])),
    )
    total('upstream_retries_denied_total', 'Retries that the budget did not allow.', counter.upstreamRetriesDenied)
    total('upstream_waits_total', 'Requests that had to wait for others to end.', counter.upstreamWaits)
    gauge('upstream_waiting', 'Those of them that wait.', counter.upstreamWaiting)
    byLabel('upstream_rests_total', 'counter', 'Times that a data thread let an endpoint rest.', 'reason', {
      unreachable: counter.upstreamRestsUnreachable,
      failing: counter.upstreamRestsFailing,
    })
    gauge('upstream_endpoints_resting', 'Endpoints at rest or on trial, of all data threads.', counter.upstreamResting)
    byLabel('upstream_health_checks_total', 'counter', 'Health checks of endpoints.', 'result', {
      ok: counter.healthChecksPassed,
      error: counter.healthChecksFailed,
    })
    gauge(
      'upstream_endpoints_unhealthy',
      'Endpoints that fail their health checks, of all data threads.',
      counter.upstreamUnhealthy,
    )
    total('upstream_timeouts_total', 'Requests that an endpoint did not answer in time.', counter.upstreamTimeouts)
    total(
      'upstream_invalid_responses_total',
      'Answers of endpoints that are not HTTP.',
      counter.upstreamInvalidResponses,
    )
    byLabel(
      'failures_total',
      'counter',
      'Requests that failed, by cause; answers that an endpoint cut short are among `upstream-closed`.',
      'code',
      Object.fromEntries(failureCodes.map((code, index) => [code, counter.failures + index])),
    )
    total(
      'client_aborts_total',
      'Requests whose client went away before the answer was complete.',
      counter.clientAborts,
    )
    total('forbidden_total', 'Requests answered 403, their client being in no allowed block.', counter.forbidden)
    total(
      'client_certificates_refused_total',
      'Requests refused because their client did not show the certificate that the app asks for.',
      counter.clientCertificatesRefused,
    )
    const byCoding = (name: string, help: string, first: number): void =>
      byLabel(
        name,
        'counter',
        help,
        'coding',
        Object.fromEntries(codings.map((coding, index) => [coding, first + index])),
      )
    byCoding('compressed_responses_total', 'Answers compressed, by content coding.', counter.codedResponses)
    byCoding(
      'compression_input_bytes_total',
      'Bytes of answers before they were compressed, by content coding.',
      counter.codedOctetsIn,
    )
    byCoding(
      'compression_output_bytes_total',
      'Bytes they were compressed to, by content coding.',
      counter.codedOctetsOut,
    )
    this.#add('log_dropped_total', 'counter', "Lines of the router's own log that nobody took.", () => [
      { labels: {}, value: this.#sources.logDropped() },
    ])
    this.#add('access_log_dropped_total', 'counter', 'Lines of the access log that nobody took.', () => [
      { labels: {}, value: this.#sum(counter.accessLogDropped) + this.#sources.accessLogDropped() },
    ])
    this.#add('data_thread_restarts_total', 'counter', 'Data threads started in place of one that died.', () => [
      { labels: {}, value: this.#sources.restarts() },
    ])
  }

  #registerConfiguration(): void {
    // A snapshot is as old as its writing, however lately it came into force.
    const appliedAt = (): number => this.#sources.servedSnapshot() ?? this.#extreme(counter.configAppliedAt, Math.max)
    const one = (name: string, help: string, read: () => number): void =>
      this.#add(name, 'gauge', help, () => [{ labels: {}, value: read() }])

    one('config_version', 'Version of the configuration that every data thread has in force.', () =>
      this.#extreme(counter.configVersion, Math.min),
    )
    one(
      'config_applied_timestamp_seconds',
      'When the last change came into force; of a snapshot, when it was written.',
      () => appliedAt() / 1000,
    )
    one('config_age_seconds', 'Time since the last change came into force.', () =>
      appliedAt() === 0 ? 0 : Math.max(0, this.#sources.now() - appliedAt()) / 1000,
    )
    one('snapshot_served', 'Whether the snapshot is served because the source is away.', () =>
      Number(this.#sources.servedSnapshot() !== null),
    )
    one(
      'snapshot_saved_timestamp_seconds',
      'When the snapshot was last written; 0: not known.',
      () => (this.#sources.snapshotSaved() ?? 0) / 1000,
    )
    one('routes', 'Routes in force.', () => this.#extreme(counter.routes, Math.max))
    one('certificates', 'Certificates in force.', () => this.#extreme(counter.certificates, Math.max))
    this.#add('certificate_expiry_timestamp_seconds', 'gauge', 'When a certificate expires.', () =>
      Array.from(this.#sources.published.certificates.values(), ({ id, notAfter }) => ({
        labels: { certificate: id },
        value: notAfter / 1000,
      })),
    )
    this.#add(
      'problems',
      'gauge',
      'Things that somebody wrote and that are not in force; /problems names them.',
      () => {
        const counts = new Map<string, number>(
          severities.flatMap(severity => codes.map(code => [`${code} ${severity}`, 0])),
        )
        for (const { code, severity } of this.#sources.problems()) {
          const key = `${code} ${severity}`
          counts.set(key, (counts.get(key) ?? 0) + 1)
        }
        return Array.from(counts, ([key, value]) => {
          const [code = '', severity = ''] = key.split(' ')
          return { labels: { code, severity }, value }
        })
      },
    )
  }

  #registerLeadership(): void {
    const read = (): LeadershipState => this.#sources.leadership?.() ?? nobodyLeads
    this.#add('leader', 'gauge', 'Whether this replica writes the status of Ingress objects, and Events.', () => [
      { labels: {}, value: Number(read().leader) },
    ])
    this.#add('status_writes_total', 'counter', 'Times that the status of an Ingress was written.', () => [
      { labels: { result: 'ok' }, value: read().statusWrites },
      { labels: { result: 'error' }, value: read().statusFailures },
    ])
    this.#add('events_total', 'counter', 'Problems that became Events of their objects, or could not.', () => [
      { labels: { result: 'written' }, value: read().eventsWritten },
      { labels: { result: 'dropped' }, value: read().eventsDropped },
    ])
  }

  /** Secrets count as one resource: there may be thousands. */
  #registerWatches(): void {
    const perResource =
      (read: (state: WatchState) => number, ofSecrets: (states: readonly WatchState[]) => number) =>
      (): readonly Sample[] => {
        const states = this.#sources.watches()
        const secrets = states.filter(isSecret)
        return [
          ...states
            .filter(state => !isSecret(state))
            .map(state => ({ labels: { resource: state.resource }, value: read(state) })),
          { labels: { resource: 'secrets' }, value: ofSecrets(secrets) },
        ]
      }
    this.#add(
      'watch_connected',
      'gauge',
      'Whether the watch is open; of Secrets, whether all are.',
      perResource(
        ({ connected }) => Number(connected),
        states => Number(states.every(({ connected }) => connected)),
      ),
    )
    this.#add(
      'watch_synced',
      'gauge',
      'Whether the resource was read in full; of Secrets, whether all were.',
      perResource(
        ({ synced }) => Number(synced),
        states => Number(states.every(({ synced }) => synced)),
      ),
    )
    this.#add(
      'watch_events_total',
      'counter',
      'Changes that watches told of.',
      perResource(
        ({ events }) => events,
        states => {
          this.#countSecrets(states)
          return this.#secretEvents
        },
      ),
    )
    this.#add(
      'watch_relists_total',
      'counter',
      'Lists after the first.',
      perResource(
        ({ relists }) => relists,
        states => {
          this.#countSecrets(states)
          return this.#secretRelists
        },
      ),
    )
    this.#add(
      'watch_reconnects_total',
      'counter',
      'Watches after the first.',
      perResource(
        ({ reconnects }) => reconnects,
        states => {
          this.#countSecrets(states)
          return this.#secretReconnects
        },
      ),
    )
  }

  /** Sums that do not fall when a Secret is no longer watched. */
  #countSecrets(states: readonly WatchState[]): void {
    const last = new Map(this.#secretTotals)
    this.#secretTotals.clear()
    for (const state of states) {
      const before = last.get(state.resource)
      this.#secretTotals.set(state.resource, state)
      this.#secretEvents += growth(before?.events, state.events)
      this.#secretRelists += growth(before?.relists, state.relists)
      this.#secretReconnects += growth(before?.reconnects, state.reconnects)
    }
  }

  #rows(): readonly AppSlot[] {
    return [...fixedRows, ...this.#appSlots()]
  }

  #appSlots(): readonly AppSlot[] {
    return this.#sources.published.apps().filter(({ slot }) => slot >= firstAppSlot)
  }

  #row(slot: number): Float64Array {
    const row = this.#sumRow(slot)
    const baseline = this.#baselines.get(slot)
    if (baseline !== undefined) for (let at = 0; at < rowSize; at++) row[at]! -= baseline[at]!
    return row
  }

  #sumRow(slot: number): Float64Array {
    const row = new Float64Array(rowSize)
    const offset = rowOffset(slot)
    for (const counters of this.#threads) for (let at = 0; at < rowSize; at++) row[at]! += counters[offset + at]!
    return row
  }

  #sum(position: number): number {
    return this.#threads.reduce((sum, counters) => sum + counters[position]!, 0)
  }

  #extreme(position: number, choose: (...values: number[]) => number): number {
    return this.#threads.length === 0 ? 0 : choose(...this.#threads.map(counters => counters[position]!))
  }

  /** prom-client's own classes keep values; ours are read when asked, which its registry does not mind. */
  #add(name: string, type: string, help: string, read: () => readonly Sample[]): void {
    const metric = { name: prefix + name, type, help, get: async () => ({ ...metric, values: read() }) }
    this.#registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0])
  }
}

const severities = ['error', 'warning'] as const
const codes = Object.keys({
  'invalid-annotation': true,
  'annotation-without-effect': true,
  'not-enforced': true,
  'host-conflict': true,
  'path-conflict': true,
  'no-port': true,
  'no-backend': true,
  unsupported: true,
  'certificate-missing': true,
  'certificate-invalid': true,
  'certificate-expired': true,
  'authorities-missing': true,
  'authorities-invalid': true,
  forbidden: true,
  'invalid-manifest': true,
  'invalid-object': true,
} satisfies Record<Problem['code'], true>)

function isSecret({ resource }: WatchState): boolean {
  return resource.startsWith('secret ')
}

function growth(before: number | undefined, now: number): number {
  return before === undefined || now < before ? now : now - before
}

let processMetrics: Registry | null = null

/** Numbers of the whole process, which several routers in it share; the library cannot take its observers back. */
function processRegistry(): Registry {
  if (processMetrics === null) {
    processMetrics = new Registry()
    collectDefaultMetrics({ register: processMetrics })
    // These are NaN or nonsense until something has been measured, which at the first scrape is never so.
    for (const figure of ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'])
      processMetrics.removeSingleMetric(`nodejs_eventloop_lag_${figure}_seconds`)
  }
  return processMetrics
}
