// The results of the cluster bench as a page of Markdown.

import type { ChangeTimes } from '#test/cluster/change-latency.ts'
import type { Latency } from '#test/cluster/latency.ts'
import type { LoadReport } from '#test/cluster/steady-load.ts'
import type { ResultHead } from '../support/results.ts'
import { percentile } from '../support/statistics.ts'

export interface ClusterResult extends ResultHead {
  readonly requestsPerSecond: number
  readonly latency: Latency
  /** What was rolled out, and what came of the requests meanwhile. */
  readonly rollOuts: Readonly<Record<string, LoadReport>>
}

/** Ends with a line break. */
export function renderReport(result: ClusterResult): string {
  const { date, command, machine, latency, rollOuts } = result
  const loads = { 'app from 1 to 5 pods and back': latency.scaling, 'changes of objects': latency.changes, ...rollOuts }
  return `# The router on a real cluster

${date.slice(0, 10)}, ${machine.cpus.length} CPUs (${machine.cpuModel}), kernel ${machine.kernel}, Node ${machine.node}, commit ${machine.commit ?? 'unknown'}; \`${command}\`.

Kubernetes of one node, the router and the app in pods, API server, etcd and the clients all on the same CPUs. One
router pod behind host ports for the first table, two behind a NodePort for roll-outs; ${result.requestsPerSecond} requests per second all the time, one
in five over a new connection.

From before a change is written to the API server to the end of the first answer (or handshake) that shows it;
for pods from the news in a watch of EndpointSlices to the pod's first answer, or last request. Milliseconds.

${table(['change', 'count', 'p50', 'p99', 'longest', 'goal for p99'], latency.times.map(row))}

${table(
  ['meanwhile', 'requests', 'failed', 'p50 ms', 'p99 ms', 'longest ms'],
  Object.entries(loads).map(([what, load]) => [
    what,
    String(load.sent),
    failuresOf(load),
    load.p50.toFixed(1),
    load.p99.toFixed(1),
    load.most.toFixed(0),
  ]),
)}
`
}

function failuresOf({ failed, failures }: LoadReport): string {
  const reasons = Object.entries(failures).map(([why, count]) => `${count} × ${why}`)
  return failed === 0 ? '0' : `**${failed}**: ${reasons.join(', ')}`
}

function row({ change, goal, milliseconds }: ChangeTimes): readonly string[] {
  const at = (share: number) => (percentile(milliseconds, share) ?? Number.NaN).toFixed(1)
  return [change, String(milliseconds.length), at(0.5), at(0.99), at(1), String(goal)]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = head.map((_, index) => (index === 0 ? '---' : '--:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}
