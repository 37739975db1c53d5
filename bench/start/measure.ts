// One start: from the process that begins to the last route that answers, and what memory it took.

import { readFileSync } from 'node:fs'
import { Pool } from 'undici'
import { ask } from '../proxy/probe.ts'
import type { Work } from '../proxy/subject.ts'
import { parsePeakSize, treeResidentSize, treeTicks } from '../support/process-stat.ts'
import type { Workbench } from '../support/workbench.ts'
import type { Starter } from './starters.ts'

export interface Start {
  /** Until the first, the middle and the last host were answered, each on a connection of its own. */
  readonly servingMs: number
  /** User and kernel time of the process tree until then. */
  readonly cpuMs: number
  /** Of the process tree, when every host has been asked for once. */
  readonly residentBytes: number
  /** The most that its first process ever had. */
  readonly peakBytes: number
}

/** Throws when a route is not served in the end. */
export async function measureStart(
  bench: Workbench,
  starter: Starter,
  work: Work,
  ticksPerSecond: number,
): Promise<Start> {
  const serving = await starter.start(bench, work)
  try {
    const { running, port } = serving
    const { hosts } = work
    for (const host of new Set([hosts[0]!, hosts[hosts.length >> 1]!, hosts.at(-1)!])) {
      const answers = async () => (await ask({ scheme: 'http', port, host, path: '/1k' })).status === 200
      await bench.untilReady(running, answers, 60_000)
    }
    const servingMs = performance.now() - running.startedAt
    const [ticks] = treeTicks([running.pid]) as [number]
    await askAll(port, hosts)
    return {
      servingMs,
      cpuMs: (ticks / ticksPerSecond) * 1_000,
      residentBytes: treeResidentSize(running.pid),
      peakBytes: parsePeakSize(readFileSync(`/proc/${running.pid}/status`, 'utf8')) ?? 0,
    }
  } finally {
    await bench.stop(serving.running)
    await serving[Symbol.asyncDispose]?.()
  }
}

/** That it served some hosts says nothing of the others. */
async function askAll(port: number, hosts: readonly string[]): Promise<void> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 16 })
  const rest = hosts.values()
  const lane = async (): Promise<void> => {
    for (const host of rest) {
      const { statusCode, body } = await pool.request({ method: 'GET', path: '/1k', headers: { host } })
      await body.dump()
      if (statusCode !== 200) throw new Error(`${host} was answered ${statusCode}, though the others were served`)
    }
  }
  try {
    await Promise.all(Array.from({ length: 16 }, lane))
  } finally {
    await pool.destroy()
  }
}
