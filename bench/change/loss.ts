// Does traffic lose anything while routes come, change and go? Every route lives the same short life: added, served,
// changed, served, removed. Requests at a constant rate go to all routes that are live, and each one must be answered.

import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'undici'
import { selfSign } from '#kit/self-signed.ts'
import { type App, appNamespace, certificateSecret, endpointSliceOf, serviceOf } from '../support/manifests.ts'
import type { RouterProcess } from '../support/router-process.ts'
import type { ClusterApi } from './cluster-api.ts'
import { type DownloadOutcome, download, type SocketOutcome, talk } from './long-lived.ts'
import { type LoadTotals, SteadyLoad } from './steady-load.ts'

interface LossSetting {
  readonly api: ClusterApi
  readonly router: RouterProcess
  /** Live already; the first one carries the WebSocket and the download and has a certificate. */
  readonly steady: readonly App[]
  readonly ports: { readonly a: number; readonly b: number }
  /** Routes that come and go. */
  readonly routes: number
  /** Over which the additions are spread. */
  readonly seconds: number
  readonly requestsPerSecond: number
  readonly downloadBytes: number
}

export interface LossOutcome {
  readonly changes: {
    readonly added: number
    readonly changed: number
    readonly removed: number
    readonly ofSteady: number
  }
  readonly load: LoadTotals
  readonly socket: SocketOutcome
  readonly download: DownloadOutcome
  /** Changes that did not show, one sentence each. */
  readonly troubles: readonly string[]
}

/** How long a route is served before it is changed, and again before it is removed, in milliseconds. */
const rest = 1_000
const patience = 10_000

export async function measureLoss(setting: LossSetting): Promise<LossOutcome> {
  const { api, router, steady, ports, routes, seconds } = setting
  const [main] = steady as [App]
  const host = main.hosts[0]!
  const load = new SteadyLoad({
    port: router.httpPort,
    connections: 64,
    requestsPerSecond: setting.requestsPerSecond,
  })
  for (const app of steady) load.include(app.hosts[0]!)
  const troubles: string[] = []
  const done = { added: 0, changed: 0, removed: 0, ofSteady: 0 }

  const live = async (index: number): Promise<void> => {
    const app: App = { ...main, name: `churn-${index}`, hosts: [`churn-${index}.bench.example`], certificate: null }
    const name = app.hosts[0]!
    await delay((index / routes) * seconds * 1_000)
    await Promise.all([api.apply(endpointSliceOf(app)), api.apply(serviceOf(app))])
    await answers(router.httpPort, name, 200)
    done.added += 1
    load.include(name)
    await delay(rest)
    await api.apply(
      index % 2 === 0
        ? endpointSliceOf({ ...app, port: ports.b })
        : serviceOf({ ...app, annotations: { 'router.deis.io/connectTimeout': '7s' } }),
    )
    done.changed += 1
    await delay(rest)
    await load.exclude(name)
    await Promise.all([api.delete(serviceOf(app)), api.delete(endpointSliceOf(app))])
    await answers(router.httpPort, name, 404)
    done.removed += 1
  }

  /** The app with the long-lived connections changes too, in ways that are no reason to cut them. */
  const changeSteady = async (signal: AbortSignal): Promise<void> => {
    for (let turn = 1; !signal.aborted; turn++) {
      await api.apply(serviceOf({ ...main, annotations: { 'router.deis.io/connectTimeout': `${turn}s` } }))
      await api.apply(certificateSecret(appNamespace, main.certificate!, selfSign([host], 30, Date.now())))
      done.ofSteady += 2
      await delay(500)
    }
  }

  const socket = await talk(router.httpPort, host)
  const downloading = download(router.httpPort, host, setting.downloadBytes, seconds + (2 * rest) / 1_000)
  load.start()
  const over = new AbortController()
  const changing = changeSteady(over.signal)
  const lives = Array.from({ length: routes }, (_, index) =>
    live(index).catch((error: unknown) => troubles.push(error instanceof Error ? error.message : String(error))),
  )
  await Promise.all(lives)
  over.abort()
  await changing
  const [downloaded, talked, totals] = await Promise.all([downloading, socket.end(), load.stop()])
  return { changes: done, load: totals, socket: talked, download: downloaded, troubles }
}

/** Resolves once this host is answered with this status. */
async function answers(port: number, host: string, status: number): Promise<void> {
  const client = new Client(`http://127.0.0.1:${port}`)
  const deadline = performance.now() + patience
  try {
    for (;;) {
      const { statusCode, body } = await client.request({ method: 'GET', path: '/', headers: { host } })
      await body.dump()
      if (statusCode === status) return
      if (performance.now() > deadline)
        throw new Error(`${host} was not answered ${status} within ${patience / 1_000} s`)
      await delay(2)
    }
  } finally {
    await client.destroy()
  }
}
