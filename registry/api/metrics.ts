// What the registry counts. Labels come from our own declarations, never from a request, so that nobody can make them grow.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Collected } from '../keep/collector.ts'
import type { Route } from './route.ts'

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

export interface Answered {
  readonly route: Route['kind'] | 'none'
  readonly method: string
  readonly status: number
  readonly received: number
  readonly sent: number
  readonly milliseconds: number
}

export class Metrics {
  readonly registry = new Registry()
  readonly #requests = new Counter({
    name: 'deis_registry_requests_total',
    help: 'Requests answered.',
    labelNames: ['route', 'method', 'status'],
    registers: [this.registry],
  })
  readonly #seconds = new Histogram({
    name: 'deis_registry_request_seconds',
    help: 'From the head of a request to the end of its answer.',
    labelNames: ['route', 'method'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600],
    registers: [this.registry],
  })
  readonly #octets = new Counter({
    name: 'deis_registry_body_bytes_total',
    help: 'Bytes of bodies, received and sent.',
    labelNames: ['direction'],
    registers: [this.registry],
  })
  readonly #collections = new Counter({
    name: 'deis_registry_collections_total',
    help: 'Garbage collections by how they ended; dry runs do not count.',
    labelNames: ['outcome'],
    registers: [this.registry],
  })
  readonly #collected = new Counter({
    name: 'deis_registry_collected_total',
    help: 'What garbage collections removed.',
    labelNames: ['kind'],
    registers: [this.registry],
  })
  readonly #collectedOctets = new Counter({
    name: 'deis_registry_collected_bytes_total',
    help: 'Bytes of blobs that garbage collections removed.',
    registers: [this.registry],
  })

  /** `uploads`: how many are under way. */
  constructor(uploads: () => number) {
    collectDefaultMetrics({ register: this.registry })
    new Gauge({
      name: 'deis_registry_uploads_under_way',
      help: 'Uploads that were begun and have not ended.',
      registers: [this.registry],
      collect() {
        this.set(uploads())
      },
    })
    for (const outcome of ['succeeded', 'failed']) this.#collections.inc({ outcome }, 0)
  }

  answered({ route, method, status, received, sent, milliseconds }: Answered): void {
    const known = methods.has(method) ? method : 'other'
    this.#requests.inc({ route, method: known, status })
    this.#seconds.observe({ route, method: known }, milliseconds / 1000)
    this.#octets.inc({ direction: 'received' }, received)
    this.#octets.inc({ direction: 'sent' }, sent)
  }

  /** Null: it failed. */
  collected(result: Collected | null): void {
    this.#collections.inc({ outcome: result === null ? 'failed' : 'succeeded' })
    if (result === null) return
    for (const kind of ['repositories', 'manifests', 'links', 'blobs'] as const)
      this.#collected.inc({ kind }, result[kind])
    this.#collectedOctets.inc(result.octets)
  }
}
