// `/metrics`: the counters of the data threads, and control's own state, in the Prometheus text format. Everything is
// computed when it is asked for; the request path only adds.

import { collectDefaultMetrics, Registry } from 'prom-client'
import type { WatchState } from '#kube/watch.ts'
import { counter, firstAppSlot, fixedSlot, rowSize } from '../model/counters.ts'
import type { AppSlot } from '../model/patch.ts'
import { type AppRow, appMetrics } from './app-metrics.ts'
import { type ConfigurationSources, configurationMetrics } from './configuration-metrics.ts'
import type { LeadershipState } from './leadership.ts'
import { type Metric, single } from './metric.ts'
import type { Traffic } from './stats.ts'
import { ThreadCounters } from './thread-counters.ts'
import { threadMetrics } from './thread-metrics.ts'
import { watchMetrics } from './watch-metrics.ts'

/** What the numbers are read from. */
export interface MetricsSources extends ConfigurationSources {
  /** One for each data thread. */
  readonly counters: () => readonly Float64Array[]
  readonly restarts: () => number
  /** Lines that control itself had to drop. */
  readonly accessLogDropped: () => number
  /** Lines of the router's own log that nobody took. */
  readonly logDropped: () => number
  readonly watches: () => readonly WatchState[]
  /** Of this replica; null or absent: there is no cluster, and so nobody to lead. */
  readonly leadership?: () => LeadershipState | null
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
  readonly #counters: ThreadCounters

  constructor(sources: MetricsSources) {
    this.#sources = sources
    const counters = new ThreadCounters(sources.counters)
    this.#counters = counters
    const sum = (position: number): number => counters.sum(position)
    const all = [
      ...threadMetrics(sum),
      single('log_dropped_total', 'counter', "Lines of the router's own log that nobody took.", sources.logDropped),
      single(
        'access_log_dropped_total',
        'counter',
        'Lines of the access log that nobody took.',
        () => sum(counter.accessLogDropped) + sources.accessLogDropped(),
      ),
      single(
        'data_thread_restarts_total',
        'counter',
        'Data threads started in place of one that died.',
        sources.restarts,
      ),
      ...configurationMetrics(sources, counters),
      ...watchMetrics(sources.watches),
      ...leadershipMetrics(() => sources.leadership?.() ?? nobodyLeads),
    ]
    for (const metric of all) this.#register(metric)
  }

  readonly contentType: string = Registry.PROMETHEUS_CONTENT_TYPE

  /** To be called with the apps of every patch that is sent to the data threads, before it is sent. */
  assign(apps: readonly AppSlot[]): void {
    this.#counters.assign(apps)
  }

  /** All of it, as one text. */
  async text(): Promise<string> {
    this.#counters.look()
    const apps = appMetrics(prefix, [...fixedRows, ...this.#appSlots()].map(this.#rowOf))
    return apps + (await this.#registry.metrics()) + (await processRegistry().metrics())
  }

  /** The same numbers for `stats.ts`. */
  traffic(): Traffic {
    this.#counters.look()
    const total = new Float64Array(rowSize)
    // Rows of apps that are gone belong to it: what was answered stays answered.
    for (const slot of [...fixedRows.map(row => row.slot), ...this.#counters.slots()]) {
      const row = this.#counters.whole(slot)
      for (let at = 0; at < rowSize; at++) total[at]! += row[at]!
    }
    return {
      total,
      own: fixedRows.map(this.#rowOf),
      apps: this.#appSlots().map(this.#rowOf),
      sum: position => this.#counters.sum(position),
      now: this.#sources.now(),
    }
  }

  readonly #rowOf = ({ app, slot }: AppSlot): AppRow => ({ app, row: this.#counters.row(slot) })

  #appSlots(): readonly AppSlot[] {
    return this.#sources.published.apps().filter(({ slot }) => slot >= firstAppSlot)
  }

  /** prom-client's own classes keep values; ours are read when asked, which its registry does not mind. */
  #register({ name, type, help, read }: Metric): void {
    const metric = { name: prefix + name, type, help, get: async () => ({ ...metric, values: read() }) }
    this.#registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0])
  }
}

function leadershipMetrics(read: () => LeadershipState): readonly Metric[] {
  return [
    single('leader', 'gauge', 'Whether this replica writes the status of Ingress objects, and Events.', () =>
      Number(read().leader),
    ),
    {
      name: 'status_writes_total',
      type: 'counter',
      help: 'Times that the status of an Ingress was written.',
      read: () => [
        { labels: { result: 'ok' }, value: read().statusWrites },
        { labels: { result: 'error' }, value: read().statusFailures },
      ],
    },
    {
      name: 'events_total',
      type: 'counter',
      help: 'Problems that became Events of their objects, or could not.',
      read: () => [
        { labels: { result: 'written' }, value: read().eventsWritten },
        { labels: { result: 'dropped' }, value: read().eventsDropped },
      ],
    },
  ]
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
