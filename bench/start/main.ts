// From nothing to all routes serving, and the memory it takes: `npm run bench:start`. See bench/README.md.

import { Command } from 'commander'
import { selfSign } from '#kit/self-signed.ts'
import { startBackend } from '../proxy/backend.ts'
import type { Work } from '../proxy/subject.ts'
import { commandLine, exitOnMistake, namesOf, wholeNumber } from '../support/arguments.ts'
import { messageOf } from '../support/errors.ts'
import { clockTicks, describeMachine } from '../support/machine.ts'
import { hostNames } from '../support/manifests.ts'
import { saveResult } from '../support/results.ts'
import { Workbench } from '../support/workbench.ts'
import { measureStart, type Start } from './measure.ts'
import { renderRow, type StartRow, title } from './report.ts'
import { type Starter, starters } from './starters.ts'

const names = starters.map(({ name }) => name)
const args = process.argv.slice(2)
const machine = describeMachine()
const options = exitOnMistake(new Command('npm run bench:start --'))
  .description('Measures the time from nothing to all routes serving, and memory. See bench/README.md.')
  .option('--only <names>', `comma list of ${names.join(', ')}`, namesOf(names), names)
  .option('--routes <n>', 'Services, each with a host and an endpoint', wholeNumber, 5_000)
  .option('--repeats <n>', 'starts of each', wholeNumber, 5)
  .option('--workers <n>', 'each is measured with one worker and with so many', wholeNumber, 2)
  .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
  .parse(args, { from: 'user' })
  .opts<{ only: string[]; routes: number; repeats: number; workers: number; json?: string }>()

const ticksPerSecond = clockTicks()
if (ticksPerSecond !== null) await run(ticksPerSecond)
else {
  console.error('This bench reads CPU time and memory from /proc: it needs Linux.')
  process.exitCode = 1
}

async function run(ticks: number): Promise<void> {
  await using bench = new Workbench()
  const backend = await startBackend(bench, null)
  const hosts = hostNames(options.routes)
  const pair = selfSign(hosts.slice(0, 1), 30, Date.now())
  // As the image has it (Dockerfile); nobody else minds.
  const env = { NODE_COMPILE_CACHE: bench.path('compiled'), MALLOC_ARENA_MAX: '2' }
  let count = 0
  const start = (starter: Starter, workers: number): Promise<Start> => {
    const work: Work = {
      name: `start-${++count}`,
      scheme: 'http',
      protocol: 'http/1.1',
      pair,
      hosts,
      compresses: false,
      bulk: false,
      backendPort: backend.port,
      workers,
      env,
      cpu: null,
    }
    return measureStart(bench, starter, work, ticks)
  }
  const rows = starters
    .filter(({ name }) => options.only.includes(name))
    .flatMap(starter =>
      [...new Set([1, options.workers])].map(workers => ({
        ...{ starter, name: starter.name, workers, starts: [] as Start[] },
        trouble: starter.absence(),
      })),
    )
  // Fills the cache, of which the image has all.
  for (const starter of new Set(rows.filter(({ trouble }) => trouble === null).map(row => row.starter)))
    await start(starter, 1)
  // In turns, so that a slow spell of the machine hits all of them.
  for (let round = 0; round < options.repeats; round++)
    for (const row of rows) {
      if (row.trouble !== null) continue
      try {
        row.starts.push(await start(row.starter, row.workers))
      } catch (error) {
        row.trouble = `failed: ${messageOf(error)}`
      }
    }
  const results: StartRow[] = rows.map(({ starter: _, ...row }) => row)
  console.log(`${options.routes} routes, ${options.repeats} starts of each; medians`)
  console.log([title, ...results.map(renderRow)].join('\n'))
  const head = { date: new Date().toISOString(), command: commandLine('bench:start', args), machine }
  const { json = null, ...settings } = options
  console.log(`\nKept as ${saveResult('start', { ...head, settings, rows: results }, json)}`)
  process.exitCode = results.some(({ trouble }) => trouble?.startsWith('failed')) ? 1 : 0
}
