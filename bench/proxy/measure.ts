// One measurement: load runs, and an interval in the middle of it is measured exactly. CPU time comes from /proc and
// the number of requests from the backend's own count, both read at the same two moments, so that connecting and TLS
// handshakes (but where they are the work), and the generator's start and end are left out.

import { readFileSync, statSync, truncateSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { cpuTimes, treeResidentSize, treeTicks } from '../support/process-stat.ts'
import type { Running, Workbench } from '../support/workbench.ts'
import type { Backend } from './backend.ts'
import type { Case } from './cases.ts'
import type { LoadGenerator, LoadPlan } from './load.ts'
import type { Serving } from './subject.ts'

/** Numbers of one proxy at one case in one interval. Null where this machine cannot tell. */
export interface Measurement {
  /** CPU microseconds (user and kernel, whole process tree) for each unit of work. */
  readonly cpuPerUnit: number | null
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Resident bytes of the process tree at the end of the interval. */
  readonly residentBytes: number | null
  /** Shares of one CPU that were used, 0 to 1. */
  readonly proxyBusy: number | null
  readonly backendBusy: number | null
  readonly loadBusy: number | null
  /** Share of the proxy's CPU that went to anybody else: above a few per cent, the machine is not quiet. */
  readonly strangersBusy: number | null
  /** New upstream connections for each request: near zero when upstream keep-alive works. */
  readonly connectsPerRequest: number
  /** Bytes of access log for each request. */
  readonly logBytesPerRequest: number
  readonly failures: number
}

export interface Setting {
  readonly bench: Workbench
  readonly work: Case
  readonly backend: Backend
  readonly load: LoadGenerator
  readonly proxyCpu: number | null
  readonly loadCpu: number | null
  readonly hosts: readonly string[]
  readonly connections: number
  /** Clock ticks per second; null: no /proc. */
  readonly ticksPerSecond: number | null
}

/** Load that flows before the measured interval begins, in milliseconds: connections open, buffers fill. */
const lead = 300

/** Loads the proxy for `seconds` without measuring. */
export async function warmUp(setting: Setting, serving: Serving, seconds: number): Promise<void> {
  const { running } = await startLoad(setting, serving, seconds)
  await running.ended
  truncateSync(serving.accessLog, 0)
}

/** Measures an interval of `seconds`. Throws when the proxy ends or the generator cannot work. */
export async function measure(setting: Setting, serving: Serving, seconds: number): Promise<Measurement> {
  const { backend, load, ticksPerSecond, work } = setting
  const before = await backend.counts()
  const { running, stem } = await startLoad(setting, serving, seconds + 1)
  const flows = async () => (await backend.counts()).requests > before.requests + 2 * setting.connections
  await setting.bench.untilReady(running, flows, 10_000)
  await delay(lead)

  const trees = [serving.running.pid, backend.running.pid, running.pid]
  const sample = async () => {
    const { requests, connections } = await backend.counts()
    const ticks = ticksPerSecond === null ? null : treeTicks(trees)
    const cpu = setting.proxyCpu === null ? null : cpuTimes(setting.proxyCpu)
    return { requests, connections, ticks, cpu, at: performance.now() }
  }
  const start = await sample()
  await delay(seconds * 1_000)
  const end = await sample()
  const residentBytes = ticksPerSecond === null ? null : treeResidentSize(serving.running.pid)
  if (running.hasEnded()) throw new Error(`${load.name} ended within the interval: ${setting.bench.lastWords(running)}`)

  const code = await running.ended
  if (serving.running.hasEnded())
    throw new Error(`${serving.running.command.name} ended under load: ${setting.bench.lastWords(serving.running)}`)
  if (code !== 0) throw new Error(`${load.name} failed (${code}): ${setting.bench.lastWords(running)}`)
  const result = load.parse(readFileSync(running.stdout, 'utf8'), stem)

  // The first of the two counts itself is a request too, on a connection of its own.
  const requests = end.requests - start.requests - 1
  const connects = Math.max(0, end.connections - start.connections - 1)
  const elapsed = (end.at - start.at) / 1_000
  const used = (tree: number): number | null =>
    start.ticks === null || end.ticks === null || ticksPerSecond === null
      ? null
      : (end.ticks[tree]! - start.ticks[tree]!) / ticksPerSecond
  const proxyUsed = used(0)
  const units = work.unit === 'MB' ? (requests * work.answerBytes) / 1_000_000 : requests
  const logBytes = statSync(serving.accessLog).size
  truncateSync(serving.accessLog, 0)
  return {
    cpuPerUnit: proxyUsed === null ? null : (proxyUsed * 1_000_000) / units,
    requestsPerSecond: requests / elapsed,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    residentBytes,
    proxyBusy: share(proxyUsed, elapsed),
    backendBusy: share(used(1), elapsed),
    loadBusy: share(used(2), elapsed),
    strangersBusy:
      start.cpu === null || end.cpu === null || proxyUsed === null
        ? null
        : Math.max(0, (end.cpu.busy - start.cpu.busy) / (end.cpu.total - start.cpu.total) - proxyUsed / elapsed),
    connectsPerRequest: connects / requests,
    logBytesPerRequest: logBytes / result.requests,
    failures: result.failures,
  }
}

function share(used: number | null, elapsed: number): number | null {
  return used === null ? null : used / elapsed
}

async function startLoad(
  setting: Setting,
  serving: Serving,
  seconds: number,
): Promise<{ readonly running: Running; readonly stem: string }> {
  const { bench, work, load, hosts, connections } = setting
  const { scheme, method, path, requestBytes, compression, streams } = work
  const asksForGzip = compression === 'asked'
  const ask = { scheme, port: serving.port, method, path, requestBytes, asksForGzip }
  const plan: LoadPlan = { ...ask, hosts, connections, streams, seconds }
  const stem = bench.path(`load-${work.name}`)
  const { program, args } = load.prepare(plan, stem)
  return { running: await bench.start({ name: load.name, program, args, cpu: setting.loadCpu }), stem }
}
