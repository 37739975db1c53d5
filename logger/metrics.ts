// What the logger counts. No label comes from a sender but the app of router lines, of which there are so many and then `_other`.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { type LogSource, logSources } from './line.ts'
import type { RouterLine } from './router-line.ts'

export const transports = ['udp', 'tcp', 'tls', 'local'] as const
/** How a line came; `local`: from the same process. */
export type Transport = (typeof transports)[number]

const dropReasons = ['rate', 'apps', 'disk', 'removed', 'invalid', 'flood'] as const
/**
 * Why a line is not kept: its app says too much; too many apps; the disk is slow or full; its app is being removed; it is none;
 * too many datagrams.
 */
export type DropReason = (typeof dropReasons)[number]

const drainStates = ['idle', 'connecting', 'connected', 'waiting'] as const
export type DrainState = (typeof drainStates)[number]

/** What is asked for when somebody reads the metrics. */
export interface MetricsSources {
  readonly store: { readonly apps: number; readonly size: number; readonly flushed: number; readonly waiting: number }
  connections(): { readonly tcp: number; readonly tls: number }
  followers(): number
  drains(): Readonly<Record<DrainState, number>>
  /** Null: the kernel does not say. */
  kernelDrops(): Promise<number | null>
}

/** Apps with counters of their own. */
const maxRouterApps = 1000

interface RouterCounts {
  /** By first digit of the status. */
  readonly requests: number[]
  octets: number
  seconds: number
}

export class Metrics {
  readonly registry = new Registry()
  /** Plain numbers, as they are counted for each line. */
  readonly #received = Object.fromEntries(
    transports.map(transport => [transport, { app: 0, controller: 0, router: 0 }]),
  ) as Record<Transport, Record<LogSource, number>>
  readonly #malformed = { udp: 0, tcp: 0, tls: 0, local: 0 } satisfies Record<Transport, number>
  readonly #cut = { udp: 0, tcp: 0, tls: 0, local: 0 } satisfies Record<Transport, number>
  readonly #dropped = Object.fromEntries(dropReasons.map(reason => [reason, 0])) as Record<DropReason, number>
  readonly #router = new Map<string, RouterCounts>()
  #refused = 0
  #followerDrops = 0
  #drainSent = 0
  #drainDropped = 0

  constructor(sources: MetricsSources) {
    collectDefaultMetrics({ register: this.registry })
    const { store } = sources
    this.#counter('deis_logger_lines_received_total', 'Lines that came.', ['source', 'transport'], count => {
      for (const transport of transports)
        for (const source of logSources) count({ source, transport }, this.#received[transport][source])
    })
    this.#counter('deis_logger_malformed_total', 'Messages that are no syslog.', ['transport'], count => {
      for (const transport of transports) count({ transport }, this.#malformed[transport])
    })
    this.#counter('deis_logger_cut_total', 'Messages that were too long.', ['transport'], count => {
      for (const transport of transports) count({ transport }, this.#cut[transport])
    })
    this.#counter('deis_logger_lines_dropped_total', 'Lines that were not kept.', ['reason'], count => {
      for (const reason of dropReasons) count({ reason }, this.#dropped[reason])
    })
    this.#counter('deis_logger_written_bytes_total', 'Bytes that the disk took.', [], count => count({}, store.flushed))
    this.#counter('deis_logger_connections_refused_total', 'Connections beyond the bounds.', [], count =>
      count({}, this.#refused),
    )
    this.#counter('deis_logger_follower_lines_dropped_total', 'Lines that slow followers did not get.', [], count =>
      count({}, this.#followerDrops),
    )
    this.#counter('deis_logger_log_drain_lines_total', 'Lines of log drains.', ['outcome'], count => {
      count({ outcome: 'sent' }, this.#drainSent)
      count({ outcome: 'dropped' }, this.#drainDropped)
    })
    this.#gauge('deis_logger_apps', 'Apps, and senders without one, that lines are kept of.', () => store.apps)
    this.#gauge('deis_logger_stored_bytes', 'Bytes of lines on disk.', () => store.size)
    this.#gauge('deis_logger_waiting_bytes', 'Bytes of lines that wait for the disk.', () => store.waiting)
    this.#gauge('deis_logger_followers', 'Requests that follow a log.', () => sources.followers())
    this.#gauge('deis_logger_kernel_dropped_datagrams', 'Datagrams that found no room in the receive buffer.', () =>
      sources.kernelDrops(),
    )
    new Gauge({
      name: 'deis_logger_connections',
      help: 'Open connections of senders.',
      labelNames: ['transport'],
      registers: [this.registry],
      collect() {
        for (const [transport, open] of Object.entries(sources.connections())) this.set({ transport }, open)
      },
    })
    new Gauge({
      name: 'deis_logger_log_drains',
      help: 'Log drains by state.',
      labelNames: ['state'],
      registers: [this.registry],
      collect() {
        const counts = sources.drains()
        for (const state of drainStates) this.set({ state }, counts[state])
      },
    })
    this.#routerCounters()
  }

  received(source: LogSource, transport: Transport): void {
    this.#received[transport][source]++
  }

  malformed(transport: Transport): void {
    this.#malformed[transport]++
  }

  cut(transport: Transport): void {
    this.#cut[transport]++
  }

  dropped(reason: DropReason, lines = 1): void {
    this.#dropped[reason] += lines
  }

  connectionRefused(): void {
    this.#refused++
  }

  followerDropped(lines: number): void {
    this.#followerDrops += lines
  }

  drainLines(outcome: 'sent' | 'dropped', lines: number): void {
    if (outcome === 'sent') this.#drainSent += lines
    else this.#drainDropped += lines
  }

  routed(app: string, { status, octets, seconds }: RouterLine): void {
    let counts = this.#router.get(app)
    if (counts === undefined) {
      const name = this.#router.size < maxRouterApps ? app : '_other'
      counts = this.#router.get(name) ?? { requests: [0, 0, 0, 0, 0], octets: 0, seconds: 0 }
      this.#router.set(name, counts)
    }
    const index = Math.min(5, Math.floor(status / 100)) - 1
    counts.requests[index]!++
    counts.octets += octets
    counts.seconds += seconds
  }

  /** The app is no more. */
  forget(app: string): void {
    this.#router.delete(app)
  }

  #routerCounters(): void {
    const names = ['app']
    this.#counter(
      'deis_logger_router_requests_total',
      'Requests by the access log of the router.',
      ['app', 'status'],
      count => {
        for (const [app, { requests }] of this.#router)
          for (const [i, value] of requests.entries()) if (value > 0) count({ app, status: `${i + 1}xx` }, value)
      },
    )
    this.#counter('deis_logger_router_bytes_total', 'Bytes sent, by the access log of the router.', names, count => {
      for (const [app, { octets }] of this.#router) count({ app }, octets)
    })
    this.#counter('deis_logger_router_seconds_total', 'Seconds of requests, by the same.', names, count => {
      for (const [app, { seconds }] of this.#router) count({ app }, seconds)
    })
  }

  #counter(
    name: string,
    help: string,
    labelNames: string[],
    collect: (count: (labels: Record<string, string>, value: number) => void) => void,
  ): void {
    new Counter({
      ...{ name, help, labelNames },
      registers: [this.registry],
      collect() {
        this.reset()
        collect((labels, value) => this.inc(labels, value))
      },
    })
  }

  #gauge(name: string, help: string, value: () => number | null | Promise<number | null>): void {
    new Gauge({
      ...{ name, help },
      registers: [this.registry],
      async collect() {
        const now = await value()
        if (now !== null) this.set(now)
      },
    })
  }
}
