// What one run found, as it is kept in `bench/results`.

import type { ResultHead } from '../support/results.ts'
import { median } from '../support/statistics.ts'
import type { Case } from './cases.ts'
import type { Measurement } from './measure.ts'

/** One proxy at one case: measured, or why not. */
export interface Row {
  readonly subject: string
  /** In the order of the rounds; empty when it was not measured. */
  readonly rounds: readonly Measurement[]
  /** What TLS was agreed on; null without TLS. */
  readonly tls: string | null
  /** Absent on this machine, or failed; null when measured. */
  readonly trouble: string | null
}

export interface CaseResult {
  readonly work: Case
  readonly rows: readonly Row[]
}

export interface Result extends ResultHead {
  readonly versions: Readonly<Record<string, string>>
  readonly settings: {
    readonly repeats: number
    readonly seconds: number
    readonly warmup: number
    readonly connections: number
    readonly proxyCpu: number | null
    readonly loadCpu: number | null
  }
  /** What this machine cannot measure. */
  readonly limits: readonly string[]
  readonly cases: readonly CaseResult[]
}

/** The values of one field over all rounds, without those that could not be measured. */
export function valuesOf(rounds: readonly Measurement[], field: keyof Measurement): number[] {
  return rounds.map(round => round[field]).filter(value => value !== null)
}

/**
 * The median of the rounds' own ratios: what a proxy measured against what the reference measured right beside it, so
 * that a machine that is slower for a while does not speak for either. Null without common rounds.
 */
export function ratio(
  rounds: readonly Measurement[],
  reference: readonly Measurement[],
  field: keyof Measurement,
): number | null {
  const ratios = rounds.flatMap((round, index) => {
    const [ours, theirs] = [round[field], reference[index]?.[field] ?? null]
    return ours === null || theirs === null || theirs === 0 ? [] : [ours / theirs]
  })
  return median(ratios)
}

/** What a reader must know before believing a row. */
export function doubts(work: Case, rounds: readonly Measurement[]): string[] {
  const middle = (field: keyof Measurement) => median(valuesOf(rounds, field))
  const found: string[] = []
  const failures = valuesOf(rounds, 'failures').reduce((sum, value) => sum + value, 0)
  if (failures > 0) found.push(`${failures} requests failed`)
  const connects = middle('connectsPerRequest')
  if (connects !== null && connects > 0.05)
    found.push(
      `a new upstream connection for ${(connects * 100).toFixed(0)} % of requests: upstream keep-alive does not hold`,
    )
  const log = middle('logBytesPerRequest')
  if (log !== null && log < 40) found.push(`only ${log.toFixed(0)} bytes of access log a request`)
  const strangers = middle('strangersBusy')
  if (strangers !== null && strangers > 0.05)
    found.push(`other processes took ${percent(strangers)} of its CPU: measure again on a quiet machine`)
  const [proxy, backend, load] = [middle('proxyBusy'), middle('backendBusy'), middle('loadBusy')]
  if (proxy !== null && proxy + (strangers ?? 0) < 0.9)
    found.push(
      `not at its limit (${percent(proxy)} of its CPU; the other CPU: load ${percent(load)}, backend ${percent(backend)}): ` +
        `CPU per ${work.unit} holds, its requests/s are a lower bound`,
    )
  return found
}

function percent(share: number | null): string {
  return share === null ? '?' : `${Math.round(share * 100)} %`
}
