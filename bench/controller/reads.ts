// Reads that come at a steady rate, whatever the answers do: how long each took from the moment it was due.

import { percentile } from '../support/statistics.ts'
import type { Client } from './client.ts'

export interface ReadOptions {
  readonly client: Client
  readonly paths: readonly string[]
  /** Each second. */
  readonly rate: number
  readonly seconds: number
}

export interface ReadResult {
  readonly requests: number
  readonly errors: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly slowest: number
}

export async function steadyReads({ client, paths, rate, seconds }: ReadOptions): Promise<ReadResult> {
  const times: number[] = []
  let errors = 0
  const under: Promise<void>[] = []
  const began = performance.now()
  const read = async (index: number, due: number): Promise<void> => {
    const { status } = await client.call('GET', paths[index % paths.length]!).catch(() => ({ status: 0 }))
    if (status !== 200) errors++
    times.push(performance.now() - due)
  }
  const total = rate * seconds
  for (let index = 0; index < total; ) {
    const due = began + (index * 1_000) / rate
    if (due > performance.now()) {
      await new Promise(resolve => setTimeout(resolve, 1))
      continue
    }
    under.push(read(index++, due))
  }
  await Promise.all(under)
  const [p50, p99, slowest] = [0.5, 0.99, 1].map(share => Math.round(percentile(times, share)! * 100) / 100)
  return { requests: total, errors, p50: p50!, p99: p99!, slowest: slowest! }
}
