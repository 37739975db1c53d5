// How fast a change reaches traffic, and what traffic loses meanwhile: `npm run bench:change`. See bench/README.md.

import { mkdirSync } from 'node:fs'
import { selfSign } from '#kit/self-signed.ts'
import { binary } from '#test/cluster/binaries.ts'
import { ensurePackages } from '#test/cluster/machine.ts'
import { commandLine } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import {
  type App,
  appNamespace,
  certificateSecret,
  endpointSliceOf,
  hostNames,
  serviceOf,
} from '../support/manifests.ts'
import { startPods } from '../support/pods.ts'
import { saveResult } from '../support/results.ts'
import { startRouter } from '../support/router-process.ts'
import { Workbench } from '../support/workbench.ts'
import { startApi } from './cluster-api.ts'
import { measureLoss } from './loss.ts'
import { isInside, runInside, setUpInside } from './network-namespace.ts'
import { parseOptions } from './options.ts'
import { isLossless, renderLoss, renderSpeed, summarize } from './report.ts'
import { measureSpeed } from './speed.ts'

const args = process.argv.slice(2)
const machine = describeMachine()
const options = parseOptions(args, machine.cpus.length)

if (options.api === 'real' && !isInside()) {
  // What has to be fetched is fetched here: inside there is no way out.
  await Promise.all([binary('kube'), ensurePackages(['etcd-server'])])
  process.exitCode = await runInside()
} else {
  if (options.api === 'real') setUpInside()
  await run()
}

async function run(): Promise<void> {
  await using bench = new Workbench()
  mkdirSync(bench.path('api'))
  await using api = await startApi(options.api, bench.path('api'))
  const ports = await startPods(bench, api.backendAddress)
  const apps = hostNames(options.table).map(
    (host, index): App => ({
      name: `app-${index}`,
      hosts: [host],
      address: api.backendAddress,
      port: ports.a,
      certificate: index === 0 ? 'main' : null,
    }),
  )
  await api.apply(certificateSecret(appNamespace, 'main', selfSign(apps[0]!.hosts, 30, Date.now())))
  await inTurns(apps, 16, async app => {
    await api.apply(endpointSliceOf(app))
    await api.apply(serviceOf(app))
  })
  const started = performance.now()
  const router = await startRouter(bench, {
    routes: { kind: 'kubeconfig', file: api.kubeconfig },
    workers: options.workers,
  })
  const readyMs = performance.now() - started
  console.log(
    `${options.api} API server, ${options.table} routes, ${options.workers} data threads; ready after ${readyMs.toFixed(0)} ms`,
  )

  const setting = { api, router, ports }
  const speed = options.parts.includes('speed')
    ? (await measureSpeed({ ...setting, app: apps[0]!, count: options.changes })).map(summarize)
    : null
  if (speed !== null) console.log(`\n${renderSpeed(speed)}`)
  const loss = options.parts.includes('loss')
    ? await measureLoss({
        ...setting,
        steady: apps.slice(0, 20),
        routes: options.routes,
        seconds: options.seconds,
        requestsPerSecond: options.rate,
        downloadBytes: options.bytes,
      })
    : null
  if (loss !== null) console.log(`\n${renderLoss(loss)}`)

  const head = { date: new Date().toISOString(), command: commandLine('bench:change', args), machine }
  const { json, ...settings } = options
  console.log(`\nKept as ${saveResult('change', { ...head, settings, readyMs, speed, loss }, json)}`)
  if (loss !== null && !isLossless(loss)) process.exitCode = 1
}

/** Applies `work` to all items, `width` at a time. */
async function inTurns<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  const lane = async () => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: width }, lane))
}
