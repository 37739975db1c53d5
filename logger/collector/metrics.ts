// What the collector counts. No label comes from a pod or a line, so that nobody can make them grow.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { type LogSource, logSources } from '../line.ts'

export interface Gauges {
  readonly containers: () => number
  readonly openFiles: () => number
  readonly isConnected: () => boolean
  readonly connectionsLost: () => number
  readonly octets: () => number
  readonly isWatching: () => boolean
}

export class Metrics {
  readonly registry = new Registry()
  readonly #lines = this.#counter('lines_total', 'Lines read, by who wrote them.', ['source'])
  readonly #unattributed = this.#counter(
    'unattributed_lines_total',
    'Lines of controller and router that are of no app.',
  )
  readonly #malformed = this.#counter('malformed_records_total', 'Lines of log files that are no records.')
  readonly #cut = this.#counter('cut_records_total', 'Records that were too long: their end was left out.')
  readonly #lostFiles = this.#counter('lost_files_total', 'Log files that went before they were read to their end.')
  readonly #lostOctets = this.#counter('lost_bytes_total', 'What was in them, as far as it is known.')

  constructor(gauges: Gauges) {
    collectDefaultMetrics({ register: this.registry })
    for (const source of logSources) this.#lines.inc({ source }, 0)
    this.#gauge('containers', 'Containers whose logs are read.', gauges.containers)
    this.#gauge('open_files', 'Log files that are open.', gauges.openFiles)
    this.#gauge('logger_connected', 'Whether there is a connection to the logger.', () => Number(gauges.isConnected()))
    this.#gauge('watch_connected', 'Whether the API server tells of pods.', () => Number(gauges.isWatching()))
    this.#total('connections_lost_total', 'Connections to the logger that broke.', gauges.connectionsLost)
    this.#total('sent_bytes_total', 'Bytes given to connections.', gauges.octets)
  }

  line(source: LogSource | null): void {
    if (source === null) this.#unattributed.inc()
    else this.#lines.inc({ source })
  }

  malformed(): void {
    this.#malformed.inc()
  }

  cut(): void {
    this.#cut.inc()
  }

  lost(octets: number): void {
    this.#lostFiles.inc()
    this.#lostOctets.inc(octets)
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: `deis_collector_${name}`, help, labelNames, registers: [this.registry] })
  }

  #total(name: string, help: string, read: () => number): void {
    const counter = new Counter({
      name: `deis_collector_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.reset()
        this.inc(read())
      },
    })
    void counter
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge = new Gauge({
      name: `deis_collector_${name}`,
      help,
      registers: [this.registry],
      collect() {
        this.set(read())
      },
    })
    void gauge
  }
}
