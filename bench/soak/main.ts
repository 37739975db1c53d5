// Everything at once, for minutes or hours, and not one request lost: `npm run soak`. See bench/README.md.

import { Command, Option } from 'commander'
import { binary } from '#test/cluster/binaries.ts'
import { ensurePackages } from '#test/cluster/machine.ts'
import type { ApiKind } from '../change/cluster-api.ts'
import { isInside, runInside, setUpInside } from '../change/network-namespace.ts'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import { saveResult } from '../support/results.ts'
import { isLossless, renderOutcome } from './report.ts'
import { soak } from './soak.ts'

const args = process.argv.slice(2)
const machine = describeMachine()
const options = exitOnMistake(new Command('npm run soak --'))
  .description('Everything that can happen to a router at once, and not one request lost. See bench/README.md.')
  .addOption(new Option('--api <kind>', 'API server').choices(['fake', 'real']).default('fake'))
  .option('--seconds <n>', 'instead of minutes', wholeNumber)
  .option('--minutes <n>', 'length of the run', wholeNumber, 5)
  .option('--hours <n>', 'instead of minutes', wholeNumber)
  .option('--rate <n>', 'requests per second', wholeNumber, 1_000)
  .option('--changes <n>', 'changes of the configuration (default: 2,000 a minute)', wholeNumber)
  .option('--workers <n>', 'data threads of the router', wholeNumber, 2)
  .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
  .parse(args, { from: 'user' })
  .opts<{
    api: ApiKind
    seconds?: number
    minutes: number
    hours?: number
    rate: number
    changes?: number
    workers: number
    json?: string
  }>()

if (process.platform !== 'linux') {
  console.error('The soak reads memory from /proc: it needs Linux.')
  process.exitCode = 1
} else if (options.api === 'real' && !isInside()) {
  // What has to be fetched is fetched here: inside there is no way out.
  await Promise.all([binary('kube'), ensurePackages(['etcd-server'])])
  process.exitCode = await runInside()
} else {
  if (options.api === 'real') setUpInside()
  await run()
}

async function run(): Promise<void> {
  const { api, rate, workers, json = null } = options
  const seconds = options.seconds ?? (options.hours === undefined ? options.minutes * 60 : options.hours * 3_600)
  const changes = options.changes ?? Math.round((seconds * 2_000) / 60)
  const settings = { api, seconds, requestsPerSecond: rate, changes, workers }
  console.log(`${seconds} s of ${rate} requests/s, ${changes} changes, ${workers} data threads, ${api} API server`)
  const outcome = await soak(settings)
  console.log(`\n${renderOutcome(outcome)}`)
  const head = { date: new Date().toISOString(), command: commandLine('soak', args), machine }
  console.log(`\nKept as ${saveResult('soak', { ...head, settings, ...outcome }, json)}`)
  if (!isLossless(outcome)) process.exitCode = 1
}
