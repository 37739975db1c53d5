// How long until thousands of certificates are served, and what they take: `npm run bench:certificates`. See
// bench/README.md.

import { Command, Option } from 'commander'
import { FakeApi, type FakeObject } from '#kube/fake.ts'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import { routerDeployment, writeManifestLists } from '../support/manifests.ts'
import { treeResidentSize } from '../support/process-stat.ts'
import { saveResult } from '../support/results.ts'
import { type RouterOptions, startRouter } from '../support/router-process.ts'
import { percentile } from '../support/statistics.ts'
import { Workbench } from '../support/workbench.ts'
import { securedApps, shuffled } from './apps.ts'
import { shakeAll } from './handshakes.ts'

interface Options {
  readonly count: number
  readonly workers: number
  readonly source: 'manifests' | 'api'
  readonly json?: string
}

const args = process.argv.slice(2)
const machine = describeMachine()
const options = exitOnMistake(new Command('npm run bench:certificates --'))
  .description('Measures the router with many certificates. See bench/README.md.')
  .option('--count <n>', 'certificates', wholeNumber, 10_000)
  .option('--workers <n>', 'data threads of the router', wholeNumber, 2)
  .addOption(new Option('--source <kind>', 'where they come from').choices(['manifests', 'api']).default('manifests'))
  .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
  .parse(args, { from: 'user' })
  .opts<Options>()

/** Handshakes that come one at a time. */
const alone = 100
/** Of the others. */
const atOnce = 8
/** Apps in a file: it may have 4 MB. */
const perFile = 100

if (process.platform === 'linux') await run()
else {
  console.error('This bench reads memory from /proc: it needs Linux.')
  process.exitCode = 1
}

async function run(): Promise<void> {
  await using bench = new Workbench()
  const apps = securedApps(options.count, 9)
  const objects = [[routerDeployment()], ...apps.values()]
  await using api = options.source === 'api' ? await FakeApi.start() : null
  const directory = bench.path('manifests')
  if (api === null) writeManifestLists(directory, chunked(objects, perFile))
  else for (const object of objects.flat()) api.apply(object as FakeObject)
  const routerOptions: RouterOptions = {
    routes:
      api === null
        ? { kind: 'manifests', directory }
        : { kind: 'kubeconfig', file: await api.kubeconfig(bench.path('kubeconfig')) },
    workers: options.workers,
    flags: api === null ? [] : ['--secrets', 'all'],
    // As the image has it (Dockerfile).
    env: { NODE_COMPILE_CACHE: bench.path('compiled'), MALLOC_ARENA_MAX: '2' },
  }
  // Fills the cache, of which the image has all.
  await bench.stop((await startRouter(bench, routerOptions)).running)
  const started = performance.now()
  const router = await startRouter(bench, routerOptions)
  const readySeconds = (performance.now() - started) / 1_000
  const residentReady = treeResidentSize(router.running.pid)

  const names = shuffled([...apps.keys()])
  const first = await shakeAll(router.httpsPort, names.slice(0, alone), 1)
  await shakeAll(router.httpsPort, names.slice(alone), atOnce)
  const residentAfter = treeResidentSize(router.running.pid)
  const again = await shakeAll(router.httpsPort, names.slice(-alone), 1)

  const summary = {
    readySeconds,
    residentReady,
    residentAfter,
    firstHandshakeMs: { p50: percentile(first, 0.5)!, p99: percentile(first, 0.99)! },
    laterHandshakeMs: { p50: percentile(again, 0.5)!, p99: percentile(again, 0.99)! },
  }
  const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(0)} MB`
  const times = ({ p50, p99 }: { p50: number; p99: number }): string => `${p50.toFixed(1)} / ${p99.toFixed(1)} ms`
  console.log(`${options.count} certificates from ${options.source}, ${options.workers} data threads`)
  console.log(`ready after                    ${readySeconds.toFixed(2)} s`)
  console.log(`resident when ready            ${megabytes(residentReady)}`)
  console.log(`first handshake, p50 / p99     ${times(summary.firstHandshakeMs)}`)
  console.log(`once more, p50 / p99           ${times(summary.laterHandshakeMs)}`)
  console.log(`resident after a handshake each ${megabytes(residentAfter)}`)
  const head = { date: new Date().toISOString(), command: commandLine('bench:certificates', args), machine }
  const { json = null, ...settings } = options
  console.log(`\nKept as ${saveResult('certificates', { ...head, settings, summary }, json)}`)
}

function chunked<T>(groups: readonly (readonly T[])[], size: number): readonly (readonly T[])[] {
  const chunks: T[][] = []
  for (let at = 0; at < groups.length; at += size) chunks.push(groups.slice(at, at + size).flat())
  return chunks
}
