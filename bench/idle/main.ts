// What a connection takes that does nothing: `npm run bench:idle`. See bench/README.md.

import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import { treeResidentSize } from '../support/process-stat.ts'
import { saveResult } from '../support/results.ts'
import { median } from '../support/statistics.ts'
import { Workbench } from '../support/workbench.ts'
import { IdleConnections, type Scheme } from './connections.ts'
import { type Subject, subjects } from './subjects.ts'

interface Row {
  readonly scheme: Scheme
  readonly subject: string
  /** Resident bytes of the process tree, by how many connections are open. */
  readonly resident: Readonly<Record<string, number>>
  readonly bytesEach: number
}

const args = process.argv.slice(2)
const machine = describeMachine()
const options = exitOnMistake(new Command('npm run bench:idle --'))
  .description('Measures the memory of idle connections. See bench/README.md.')
  .option('--from <n>', 'connections at the first reading', wholeNumber, 2_000)
  .option('--to <n>', 'connections at the last one', wholeNumber, 6_000)
  .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
  .parse(args, { from: 'user' })
  .opts<{ from: number; to: number; json?: string }>()

/** Until memory is what it stays, milliseconds. */
const settling = 6_000

if (process.platform === 'linux') await run()
else {
  console.error('This bench reads memory from /proc: it needs Linux.')
  process.exitCode = 1
}

async function run(): Promise<void> {
  await using bench = new Workbench()
  console.log(`Resident memory for each idle connection, from ${options.from} to ${options.to} of them`)
  const rows: Row[] = []
  for (const scheme of ['http', 'https'] as const) {
    for (const subject of subjects) {
      const absence = subject.absence()
      if (absence !== null) {
        console.log(`${scheme.padEnd(6)} ${subject.name.padEnd(8)} ${absence}`)
        continue
      }
      const row = await measure(bench, subject, scheme)
      rows.push(row)
      console.log(`${scheme.padEnd(6)} ${subject.name.padEnd(8)} ${(row.bytesEach / 1_000).toFixed(1).padStart(6)} kB`)
    }
  }
  const head = { date: new Date().toISOString(), command: commandLine('bench:idle', args), machine }
  const { json = null, ...settings } = options
  console.log(`\nKept as ${saveResult('idle', { ...head, settings, rows }, json)}`)
}

async function measure(bench: Workbench, subject: Subject, scheme: Scheme): Promise<Row> {
  const { pid, port } = await subject.start(bench, scheme)
  using connections = new IdleConnections(scheme, port)
  const resident: Record<string, number> = {}
  for (const count of [options.from, options.to]) {
    await connections.grow(count)
    resident[count] = await settled(pid)
  }
  if (connections.lost > 0) throw new Error(`${subject.name} closed ${connections.lost} connections`)
  const bytesEach = (resident[options.to]! - resident[options.from]!) / (options.to - options.from)
  return { scheme, subject: subject.name, resident, bytesEach }
}

/** The middle one of some readings. */
async function settled(pid: number): Promise<number> {
  await delay(settling)
  const readings: number[] = []
  for (let i = 0; i < 5; i++) {
    readings.push(treeResidentSize(pid))
    await delay(200)
  }
  return median(readings)!
}
