// What the builder counts. Labels are closed lists of ours.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { PushOutcome } from './push.ts'

const commands = ['ping', 'receive-pack', 'upload-pack', 'locked', 'refused'] as const
const refusals = ['crowd', 'key', 'controller', 'timeout'] as const
const outcomes = ['deployed', 'refused', 'failed', 'lost'] as const satisfies readonly PushOutcome[]

export interface Levels {
  readonly connections: () => number
  readonly building: () => number
  readonly waiting: () => number
}

export class Metrics {
  readonly registry = new Registry()
  readonly #commands = new Counter({
    name: 'deis_builder_commands_total',
    help: 'Commands that clients asked for.',
    labelNames: ['command'],
    registers: [this.registry],
  })
  readonly #refusals = new Counter({
    name: 'deis_builder_refusals_total',
    help: 'Connections and keys that were refused.',
    labelNames: ['why'],
    registers: [this.registry],
  })
  readonly #pushes = new Counter({
    name: 'deis_builder_pushes_total',
    help: 'Pushes that reached a build, by how they ended.',
    labelNames: ['outcome'],
    registers: [this.registry],
  })
  readonly #seconds = new Histogram({
    name: 'deis_builder_push_seconds',
    help: 'From a pack that has arrived to its app being up, or not.',
    buckets: [1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800],
    registers: [this.registry],
  })

  constructor(levels: Levels) {
    collectDefaultMetrics({ register: this.registry })
    for (const command of commands) this.#commands.inc({ command }, 0)
    for (const why of refusals) this.#refusals.inc({ why }, 0)
    for (const outcome of outcomes) this.#pushes.inc({ outcome }, 0)
    this.#level('deis_builder_connections', 'SSH connections that are open.', levels.connections)
    this.#level('deis_builder_builds_under_way', 'Builds that run now.', levels.building)
    this.#level('deis_builder_builds_waiting', 'Builds that wait for others to end.', levels.waiting)
  }

  command(command: (typeof commands)[number]): void {
    this.#commands.inc({ command })
  }

  refused(why: (typeof refusals)[number]): void {
    this.#refusals.inc({ why })
  }

  pushEnded(outcome: PushOutcome, milliseconds: number): void {
    this.#pushes.inc({ outcome })
    this.#seconds.observe(milliseconds / 1000)
  }

  #level(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read())
      },
    })
  }
}
