// What the controller counts: requests by route, deploys by outcome. Labels come from our own declarations, never from a
// request, so that nobody can make them grow.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

const methods = new Set(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PATCH'])

export class Metrics {
  readonly registry = new Registry()
  readonly #requests = new Counter({
    name: 'deis_controller_requests_total',
    help: 'Requests answered.',
    labelNames: ['route', 'method', 'status'],
    registers: [this.registry],
  })
  readonly #seconds = new Histogram({
    name: 'deis_controller_request_seconds',
    help: 'From the head of a request to the end of its answer.',
    labelNames: ['route', 'method'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600],
    registers: [this.registry],
  })
  readonly #deploys = new Counter({
    name: 'deis_controller_deploys_total',
    help: 'Deploys by how they ended.',
    labelNames: ['outcome'],
    registers: [this.registry],
  })
  readonly #deploySeconds = new Histogram({
    name: 'deis_controller_deploy_seconds',
    help: 'From the release to its processes being ready.',
    buckets: [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200],
    registers: [this.registry],
  })
  readonly #repairs = new Counter({
    name: 'deis_controller_repairs_total',
    help: 'Objects of apps that differed from what they should be, and were brought back.',
    registers: [this.registry],
  })
  readonly #underWay = new Gauge({
    name: 'deis_controller_deploys_under_way',
    help: 'Deploys that are waited for now.',
    registers: [this.registry],
  })

  constructor() {
    collectDefaultMetrics({ register: this.registry })
    for (const outcome of ['succeeded', 'failed', 'recovered']) this.#deploys.inc({ outcome }, 0)
  }

  /** `milliseconds`: from its head to the end of the answer. */
  answered(route: string, method: string, status: number, milliseconds: number): void {
    const known = methods.has(method) ? method : 'other'
    this.#requests.inc({ route, method: known, status })
    this.#seconds.observe({ route, method: known }, milliseconds / 1000)
  }

  deployBegan(): void {
    this.#underWay.inc()
  }

  deployEnded(outcome: 'succeeded' | 'failed' | 'recovered', milliseconds: number): void {
    this.#underWay.dec()
    this.#deploys.inc({ outcome })
    this.#deploySeconds.observe(milliseconds / 1000)
  }

  repaired(count: number): void {
    this.#repairs.inc(count)
  }
}
