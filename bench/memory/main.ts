// The router's memory while large bodies stream through it: `npm run bench:memory`. See bench/README.md.

import { Command } from 'commander'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import { type App, endpointSliceOf, routerDeployment, serviceOf, writeManifests } from '../support/manifests.ts'
import { startPods } from '../support/pods.ts'
import { saveResult } from '../support/results.ts'
import { startRouter } from '../support/router-process.ts'
import { Workbench } from '../support/workbench.ts'
import { measureTransfer, type TransferOutcome, transfers } from './transfer.ts'

const args = process.argv.slice(2)
const machine = describeMachine()
const options = exitOnMistake(new Command('npm run bench:memory --'))
  .description('Measures the memory of the router while large bodies stream through it. See bench/README.md.')
  .option('--bytes <n>', 'size of each body', wholeNumber, 1_000_000_000)
  .option('--workers <n>', 'data threads of the router', wholeNumber, 1)
  .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
  .parse(args, { from: 'user' })
  .opts<{ bytes: number; workers: number; json?: string }>()

if (process.platform === 'linux') await run()
else {
  console.error('This bench reads memory from /proc: it needs Linux.')
  process.exitCode = 1
}

async function run(): Promise<void> {
  await using bench = new Workbench()
  const pods = await startPods(bench, '127.0.0.1')
  const host = 'large.bench.example'
  const app: App = { name: 'large', hosts: [host], address: '127.0.0.1', port: pods.a, certificate: null }
  const directory = bench.path('manifests')
  // Uploads have no limit here; the default is 1 MB.
  writeManifests(directory, [[routerDeployment({ bodySize: '0' })], [serviceOf(app), endpointSliceOf(app)]])
  const router = await startRouter(bench, { routes: { kind: 'manifests', directory }, workers: options.workers })
  const target = { port: router.httpPort, host, routerPid: router.running.pid }

  const megabytes = (bytes: number) => (bytes / 1_000_000).toFixed(0)
  const row = (cells: readonly string[]) =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(30) : cell.padStart(9))).join('')
  console.log(`Resident memory of the router, MB; bodies of ${megabytes(options.bytes)} MB`)
  console.log(row(['', 'before', 'peak', 'after', 'MB/s']))
  const outcomes: TransferOutcome[] = []
  for (const transfer of transfers) {
    const outcome = await measureTransfer(transfer, target, options.bytes)
    outcomes.push(outcome)
    const rate = outcome.bytes / 1_000_000 / outcome.seconds
    const { before, peak, after } = outcome
    console.log(row([outcome.name, ...[before, peak, after].map(megabytes), rate.toFixed(0)]))
  }
  const head = { date: new Date().toISOString(), command: commandLine('bench:memory', args), machine }
  const { json = null, ...settings } = options
  console.log(`\nKept as ${saveResult('memory', { ...head, settings, transfers: outcomes }, json)}`)
}
