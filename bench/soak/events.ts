// What happens to the router and around it while traffic flows, each event again and again at its own pace.

import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterApi } from '../change/cluster-api.ts'
import type { RouterProcess } from '../support/router-process.ts'
import type { SoakApp } from './apps.ts'
import type { Churn } from './churn.ts'
import type { Front } from './front.ts'
import { Gate } from './gate.ts'
import { askAnew } from './http1-clients.ts'
import { type Lag, sharedClock } from './lag.ts'
import type { Ledger } from './ledger.ts'
import type { Pods } from './pods.ts'

/** New requests may reach an endpoint for so long after the router has been told that it is gone, milliseconds. */
const removalLimit = 20
/** What both clocks, the kernel and the router's own batching may add on a machine that they all share. */
const removalSlack = 30
/** An endpoint is out of use for so long before we look at what still reached it. */
const removalRest = 400
/** How long anything may take to show. */
const patience = 10_000

export interface EventOptions {
  readonly ledger: Ledger
  readonly api: ClusterApi
  readonly front: Front
  readonly pods: Pods
  /** Those that requests go to; all are restarted, and the endpoints of all but hasty ones removed. */
  readonly apps: readonly SoakApp[]
  readonly restarted: readonly SoakApp[]
  readonly churn: Churn
  readonly lag: Lag
  readonly signal: AbortSignal
  /** Of the whole run. */
  readonly milliseconds: number
}

export interface Pace {
  readonly changesPerSecond: number
  /** Over the whole run. */
  readonly outages: number
  readonly deaths: number
  readonly replacements: number
}

/** What is measured of removals: how long after the news the last new request came, milliseconds; 0: none did. */
export type Removals = number[]

/** Resolves when the signal has aborted and everything under way has come to its end. */
export async function makeThingsHappen(options: EventOptions, pace: Pace): Promise<Removals> {
  const { ledger, api, front, pods, apps, restarted, churn, lag, signal, milliseconds } = options
  const gate = new Gate()
  const removals: Removals = []
  let turn = 0
  const next = <T>(items: readonly T[]): T | undefined => items[turn++ % items.length]
  const free = (some: readonly SoakApp[]): SoakApp | undefined => next(some.filter(({ busy }) => !busy))

  const removeEndpoint = async (): Promise<void> => {
    const app = free(apps)
    const port = app === undefined ? undefined : next(app.ports)
    if (app === undefined || port === undefined) return
    using _taken = app.take()
    using _ = ledger.during('endpoint removed')
    await app.setReady(port, false)
    const told = sharedClock()
    await delay(removalRest)
    const state = await pods.state(port)
    const late = Math.max(0, state.lastArrival - told)
    removals.push(late)
    // The pod's clock shows when the pod had time to look, and ours when we had.
    const allowed = removalLimit + removalSlack + state.lag + lag.longest
    if (late > allowed) {
      const times = `${late.toFixed(1)} ms after the news, ${allowed.toFixed(1)} ms are allowed`
      ledger.failed('removal', performance.now(), new Error(`a request reached a removed endpoint ${times}`))
    } else ledger.done('removal', performance.now() - late)
    await app.setReady(port, true)
  }

  const restart = async (): Promise<void> => {
    const app = free(restarted)
    if (app === undefined) return
    using _taken = app.take()
    using _ = ledger.during('rolling restart')
    for (const port of [...app.ports]) {
      await gate.pass(async () => {
        await app.addPod()
        await delay(200)
        await app.setReady(port, false)
        await delay(200)
      })
      // Tunnels may keep it for long, and the API server is not needed for that.
      await app.endPod(port)
      await gate.pass(() => app.forgetPod(port))
    }
  }

  const rotate = async (): Promise<void> => {
    const app = next(apps)!
    using _ = ledger.during('certificate rotated')
    const started = performance.now()
    await app.rotate()
    while (!app.rotated) {
      if (performance.now() - started > patience) throw new Error(`the new certificate of ${app.host} does not show`)
      await askAnew(app, front, 'https')
      await delay(5)
    }
    ledger.done('rotation', started)
  }

  const outage = async (): Promise<void> => {
    using _ = ledger.during('API server away')
    await api.goAway()
    await delay(Math.min(10_000, milliseconds / 10))
    await api.comeBack()
    const started = performance.now()
    await front.caughtUp()
    ledger.done('return of the API server', started)
  }

  const death = async (): Promise<void> => {
    using _ = ledger.during('data thread killed')
    const started = performance.now()
    ledger.killed()
    await front.killThread()
    ledger.done('return of a data thread', started)
  }

  const replacement = async (): Promise<void> => {
    const started = performance.now()
    using _ = ledger.during('router replaced')
    let another: RouterProcess | null = null
    await gate.pass(async () => {
      another = await front.another()
    })
    await front.replace(another!)
    ledger.done('replacement', started)
  }

  const change = (): Promise<void> => (api.changesWhileAway ? churn.step() : gate.pass(() => churn.step()))

  /** `event` every so many milliseconds, until the end. What it throws is a failure of its own. */
  const every = async (
    name: string,
    interval: number,
    event: () => Promise<void>,
    first: number = interval,
  ): Promise<void> => {
    for (let due = first; due < milliseconds; due += interval) {
      await delay(Math.max(0, due - ledger.seconds * 1_000), undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      const started = performance.now()
      await event().catch(error => ledger.failed(name, started, error))
    }
  }
  /** So many times over the whole run, for the first time after this share of an interval. */
  const times = (name: string, count: number, event: () => Promise<void>, share: number): Promise<void> =>
    every(name, milliseconds / count, event, (share * milliseconds) / count)
  await Promise.all([
    every('change', 1_000 / pace.changesPerSecond, change),
    every('removal', 500, () => gate.pass(removeEndpoint)),
    every('restart', 4_000, restart),
    every('rotation', 1_000, () => gate.pass(rotate)),
    times('return of the API server', pace.outages, () => gate.close(outage), 0.2),
    times('return of a data thread', pace.deaths, death, 0.4),
    times('replacement', pace.replacements, replacement, 0.5),
  ])
  return removals
}
