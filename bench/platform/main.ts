// How long `npm start` takes until the whole platform is up, and how much memory it holds when nothing happens, with an app
// and without. `npm run bench:platform`; see bench/README.md.

import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { Life } from '#test/e2e/life.ts'
import { localSite } from '#test/e2e/local-site.ts'
import { NpmStart } from '#test/support/npm-start.ts'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { clockTicks, describeMachine } from '../support/machine.ts'
import { processTree, treeTicks } from '../support/process-stat.ts'
import { type Spread, spread } from '../support/statistics.ts'

const args = process.argv.slice(2)
const command = exitOnMistake(new Command('npm run bench:platform --'))
  .description('Measures npm start: time to the welcome text, memory at rest. See bench/README.md.')
  .option('--starts <n>', 'starts that are timed', wholeNumber, 10)
  .option('--rest <seconds>', 'before memory is looked at', wholeNumber, 20)
  .parse(args, { from: 'user' })
const { starts, rest } = command.opts<{ starts: number; rest: number }>()

const npm = ['npm', 'start', '--']
const megabyte = 1e6
const ticks = clockTicks() ?? 100

const directory = await mkdtemp(join(tmpdir(), 'platform-bench-'))
const data = join(directory, 'data')

interface Timed {
  /** Seconds until the welcome text. */
  readonly up: number
  /** Of CPU time, npm's included: what a busy machine does not change. */
  readonly work: number
  /** Seconds until it has ended again. */
  readonly down: number
}

/** One start, on the data of the one before. */
async function timed(): Promise<Timed> {
  const began = performance.now()
  const platform = new NpmStart(data, [], npm)
  await platform.ready()
  const up = (performance.now() - began) / 1000
  const work = treeTicks([platform.child.pid!])[0]! / ticks
  const asked = performance.now()
  if ((await platform.stop()) !== 0) throw new Error(`it did not end well:\n${platform.stderr}`)
  return { up, work, down: (performance.now() - asked) / 1000 }
}

interface Held {
  /** MB, of the process that is the platform: resident, and its part of what is shared. */
  readonly resident: number
  readonly proportional: number
  /** Of npm, which waits for it. */
  readonly npm: number
  /** Of processes of apps. */
  readonly apps: number
}

/** Of the tree below `root`. */
function held(root: number): Held {
  const parts = processTree(root).map(pid => {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    const size = (name: string): number =>
      (Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(rollup)?.[1]) * 1024) / megabyte
    const kind = pid === root ? 'npm' : words.some(word => word.endsWith('standalone/main.ts')) ? 'platform' : 'app'
    return { kind, resident: size('Rss'), proportional: size('Pss') }
  })
  const sum = (kind: string, key: 'resident' | 'proportional'): number =>
    parts.filter(part => part.kind === kind).reduce((total, part) => total + part[key], 0)
  return {
    resident: sum('platform', 'resident'),
    proportional: sum('platform', 'proportional'),
    npm: sum('npm', 'proportional'),
    apps: sum('app', 'proportional'),
  }
}

const first = await timed()
const others: Timed[] = []
for (let start = 1; start < starts; start++) others.push(await timed())

const platform = new NpmStart(data, [], npm)
const site = await localSite(await platform.ready(), join(directory, 'home'))
await delay(rest * 1000)
const without = held(platform.child.pid!)
const life = new Life(site)
await life.register()
await life.addKey()
await life.create()
await life.push()
await delay(rest * 1000)
const withApp = held(platform.child.pid!)
await platform.stop()
await rm(directory, { recursive: true })

const number = (value: number, digits: number): string => value.toFixed(digits)
const times = (found: Spread | null): string =>
  found === null ? '' : `${number(found.median, 2)} | ${number(found.min, 2)} | ${number(found.max, 2)}`
const machine = describeMachine()
const text = `# The platform on one machine

\`${commandLine('bench:platform', args)}\`, ${new Date().toISOString().slice(0, 10)}; ${machine.cpuModel}, ${machine.cpus.length} CPUs,
Linux ${machine.kernel}, Node ${machine.node}, commit ${machine.commit}.

| seconds | median | least | most |
|---|---|---|---|
| from \`npm start\` to the welcome text, ${others.length} starts | ${times(spread(others.map(({ up }) => up)))} |
| CPU time of it, of all processes | ${times(spread(others.map(({ work }) => work)))} |
| from Ctrl-C to the end | ${times(spread(others.map(({ down }) => down)))} |

The first start on empty data: ${number(first.up, 2)} s. Wanted: 3 s at most. Load of the machine at the end: ${number(loadavg()[0]!, 0)}.

| MB, ${rest} s after the last that happened | without an app | with one, pushed just before |
|---|---|---|
| the platform, resident (RSS) | ${number(without.resident, 0)} | ${number(withApp.resident, 0)} |
| the platform, proportional (PSS) | ${number(without.proportional, 0)} | ${number(withApp.proportional, 0)} |
| npm, which waits for it (PSS) | ${number(without.npm, 0)} | ${number(withApp.npm, 0)} |
| processes of the app (PSS) | ${number(without.apps, 0)} | ${number(withApp.apps, 0)} |

Wanted: 350 MB at most for the platform.
`
const name = join('bench', 'results', `${new Date().toISOString().slice(0, 10)}-platform.md`)
writeFileSync(join(import.meta.dirname, '..', '..', name), text)
console.log(`${text}\nKept as ${name}`)
