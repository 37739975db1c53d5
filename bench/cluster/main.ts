// How fast the router follows a real cluster, and what traffic loses while it is upgraded: installed with helm on a
// Kubernetes of one node on this machine, from its image. `npm run bench:cluster`; see bench/README.md.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { appHost, appName, appNamespace, Installation, routerNamespace } from '#test/cluster/installation.ts'
import { measureLatency, requestsPerSecond } from '#test/cluster/latency.ts'
import { type LoadReport, underLoad } from '#test/cluster/steady-load.ts'
import { commandLine, exitOnMistake, wholeNumber } from '../support/arguments.ts'
import { describeMachine } from '../support/machine.ts'
import { renderReport } from './report.ts'

const args = process.argv.slice(2)
const page = 'cluster-latency.md'
const command = exitOnMistake(new Command('npm run bench:cluster --'))
  .description('Measures a real cluster: how fast changes reach traffic, what roll-outs cost. See bench/README.md.')
  .option('--changes <n>', 'changes of each kind', wholeNumber, 200)
  .option('--scalings <n>', 'times that the app is scaled from one pod to five and back', wholeNumber, 10)
  .parse(args, { from: 'user' })
const { changes, scalings } = command.opts<{ changes: number; scalings: number }>()

const installation = new Installation()
try {
  await installation.start('one', 'two')
  const ports = await installation.installOnHostPorts('one')
  const latency = await measureLatency(installation, ports, { changes, scalings })
  const nodePort = await installation.upgradeToNodePort('one')
  const under = (during: () => Promise<void>) => underLoad(nodePort, appHost, requestsPerSecond, during)
  const rollOuts: Record<string, LoadReport> = {
    'helm upgrade to another image': await under(async () => void (await installation.upgradeToNodePort('two'))),
    'restart of the router': await under(() => installation.restart(routerNamespace, 'deis-router')),
    'restart of the app': await under(() => installation.restart(appNamespace, appName)),
  }
  const report = renderReport({
    date: new Date().toISOString(),
    command: commandLine('bench:cluster', args),
    machine: describeMachine(),
    requestsPerSecond,
    latency,
    rollOuts,
  })
  console.log(report)
  writeFileSync(join(import.meta.dirname, '../results', page), report)
  console.log(`Kept as bench/results/${page}`)
  const loads = [latency.scaling, latency.changes, ...Object.values(rollOuts)]
  if (loads.some(({ failed }) => failed > 0)) process.exitCode = 1
} finally {
  await installation.stop()
}
