// The soak: traffic of every kind flows, everything that can happen to a router happens at once, and not one request may
// be lost.

import { mkdirSync, truncateSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type ApiKind, startApi } from '../change/cluster-api.ts'
import { routerDeployment } from '../support/manifests.ts'
import { percentile } from '../support/statistics.ts'
import { Workbench } from '../support/workbench.ts'
import { SoakApp } from './apps.ts'
import { Churn } from './churn.ts'
import { makeThingsHappen } from './events.ts'
import { Front } from './front.ts'
import { Http2Client } from './http2-client.ts'
import { Lag } from './lag.ts'
import { type Failure, type KindTotals, Ledger } from './ledger.ts'
import { keepOpen } from './long-lived.ts'
import { Pods } from './pods.ts'
import { Traffic } from './traffic.ts'

export interface SoakOptions {
  readonly api: ApiKind
  readonly seconds: number
  readonly requestsPerSecond: number
  /** Changes of the configuration over the whole run. */
  readonly changes: number
  readonly workers: number
}

export interface SoakOutcome {
  readonly totals: readonly KindTotals[]
  readonly failures: readonly Failure[]
  readonly events: Readonly<Record<string, number>>
  readonly changes: number
  /** How long after the news a removed endpoint got its last new request, milliseconds. */
  readonly removals: { readonly count: number; readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
  /** The router's memory when it had served a little, and the most of any look at it. */
  readonly residentBytes: { readonly first: number; readonly most: number }
  /** Kinds of traffic of which not one request was answered: then the soak says nothing of them. */
  readonly silent: readonly string[]
}

/** A drain may take 25 s, and then some. */
const patience = 40_000
/** How often memory is looked at and the access log cut, milliseconds. */
const lookInterval = 5_000

/** With a real API server, in its own network namespace. */
export async function soak(options: SoakOptions): Promise<SoakOutcome> {
  await using bench = new Workbench(patience)
  mkdirSync(bench.path('api'))
  await using api = await startApi(options.api, bench.path('api'))
  await using pods = await Pods.start(bench, api.backendAddress)
  const app = (name: string, kind: 'usual' | 'hasty' = 'usual') => new SoakApp(name, api, pods, kind)
  const apps = ['web-0', 'web-1', 'web-2'].map(name => app(name))
  const hasty = app('hasty', 'hasty')
  const long = app('long')
  await api.apply(routerDeployment())
  for (const one of [...apps, hasty, long]) await one.create(3)
  const front = await Front.start(bench, api.kubeconfig, options.workers)

  const ledger = new Ledger()
  using lag = new Lag()
  const over = new AbortController()
  const { signal } = over
  const traffic = new Traffic({ ledger, front, apps, hasty, requestsPerSecond: options.requestsPerSecond })
  const http2 = new Http2Client(long, front, 2)
  const churn = new Churn(api)
  const milliseconds = options.seconds * 1_000
  const minutes = options.seconds / 60
  traffic.start()
  const lived = keepOpen({ ledger, front, app: long, http2, signal }, 5)
  const happened = makeThingsHappen(
    { ledger, api, front, pods, apps, restarted: [...apps, hasty, long], churn, lag, signal, milliseconds },
    {
      changesPerSecond: options.changes / options.seconds,
      outages: Math.ceil(minutes / 2),
      deaths: Math.ceil(minutes),
      replacements: Math.ceil(minutes / 1.5),
    },
  )
  const memory = watchMemory(bench, front, signal)
  await delay(milliseconds)
  over.abort()
  const removals = await happened
  await lived
  await traffic.stop()
  http2.close()
  const totals = ledger.totals()
  const answered = new Set(totals.filter(({ done }) => done > 0).map(({ kind }) => kind))
  const at = (share: number): number => percentile(removals, share) ?? 0
  return {
    totals,
    failures: ledger.failures,
    events: ledger.events,
    changes: churn.count,
    removals: { count: removals.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) },
    residentBytes: await memory,
    silent: traffic.kinds.filter(kind => !answered.has(kind)),
  }
}

async function watchMemory(bench: Workbench, front: Front, signal: AbortSignal): Promise<SoakOutcome['residentBytes']> {
  let first = 0
  let most = 0
  for (;;) {
    await delay(lookInterval, undefined, { signal }).catch(() => {})
    if (signal.aborted) return { first, most }
    const { residentBytes } = front
    if (first === 0) first = residentBytes
    most = Math.max(most, residentBytes)
    // Hours of log would fill the disk.
    for (const { stdout } of bench.running) truncateSync(stdout, 0)
  }
}
