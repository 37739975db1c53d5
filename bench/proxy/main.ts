// Our router beside its rivals on the same work, in one run: `npm run bench`. See bench/README.md.

import { spawnSync } from 'node:child_process'
import { commandLine } from '../support/arguments.ts'
import { describeMachine, findProgram, type Machine } from '../support/machine.ts'
import { saveResult } from '../support/results.ts'
import { Workbench } from '../support/workbench.ts'
import { startBackend } from './backend.ts'
import { cases } from './cases.ts'
import { chooseLoad } from './load.ts'
import { parseOptions } from './options.ts'
import { renderCase, renderHead } from './report.ts'
import type { CaseResult, Result } from './result.ts'
import { type Run, runCase } from './run-case.ts'
import { reference, subjects } from './subjects.ts'

const args = process.argv.slice(2)
const options = parseOptions(args)
const machine = describeMachine()
const taskset = findProgram('taskset')
const limits = limitsOf(machine)
const [proxyCpu, loadCpu] = limits.length === 0 ? (machine.cpus as [number, number]) : [null, null]
// This process only waits during a measurement; it does so away from the proxy.
if (loadCpu !== null && taskset !== null) spawnSync(taskset, ['-acp', String(loadCpu), String(process.pid)])
const work = cases.filter(({ name }) => options.cases.includes(name))
const loads = new Set(work.map(chooseLoad))
if ([...loads].some(({ name }) => name === 'autocannon'))
  limits.push('no wrk: autocannon is the bottleneck, so requests/s say little about fast proxies')

await using bench = new Workbench()
const backend = await startBackend(bench, loadCpu)
const run: Run = { bench, options, backend, proxyCpu, loadCpu }
const chosen = subjects.filter(({ name }) => options.only.includes(name))

const { repeats, seconds, warmup, connections } = options
const header = {
  date: new Date().toISOString(),
  command: commandLine('bench', args),
  machine,
  versions: {
    node: process.versions.node,
    ...Object.fromEntries(
      chosen.map(subject => [subject.name, subject.absence() === null ? subject.version() : 'absent']),
    ),
    load: [...loads]
      .map(load => (load.absence() === null ? `${load.name} ${load.version()}` : `${load.name} absent`))
      .join(' and '),
    backend: backend.name,
  },
  settings: { repeats, seconds, warmup, connections, proxyCpu, loadCpu },
  limits,
}
console.log(renderHead({ ...header, cases: [] }))

const results: CaseResult[] = []
for (const each of work) {
  const result = await runCase(run, each, chosen)
  results.push(result)
  console.log(`\n${renderCase(result, reference)}`)
}

const result: Result = { ...header, cases: results }
console.log(`\nKept as ${saveResult('proxy', result, options.json)}`)
// A proxy that is absent is no failure of the run; one that did not do its work is.
process.exitCode = results.some(({ rows }) => rows.some(row => row.trouble?.startsWith('failed'))) ? 1 : 0

function limitsOf({ platform, cpus }: Machine): string[] {
  const found: string[] = []
  if (!platform.startsWith('linux')) found.push('no /proc and no taskset here: CPU time, memory and pinning need Linux')
  else if (taskset === null) found.push('no taskset (Debian: util-linux): proxy and load share CPUs')
  if (cpus.length < 2) found.push('one CPU: proxy, load and backend share it, so requests/s and latency say nothing')
  return found
}
