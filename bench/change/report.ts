// The results of the change bench as text.

import { percentile } from '../support/statistics.ts'
import type { LossOutcome } from './loss.ts'
import type { ChangeTimes } from './speed.ts'

export interface ChangeSummary {
  readonly change: string
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export function summarize({ change, milliseconds }: ChangeTimes): ChangeSummary {
  const at = (share: number) => percentile(milliseconds, share) ?? 0
  return { change, count: milliseconds.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

export function renderSpeed(summaries: readonly ChangeSummary[]): string {
  const row = (cells: readonly string[]) =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(22) : cell.padStart(9))).join('')
  return [
    'Change at the API to the first request that shows it, milliseconds',
    row(['', 'changes', 'p50', 'p99', 'max']),
    ...summaries.map(({ change, count, p50Ms, p99Ms, maxMs }) =>
      row([change, String(count), ...[p50Ms, p99Ms, maxMs].map(value => value.toFixed(1))]),
    ),
  ].join('\n')
}

/** Whether nothing at all was lost. */
export function isLossless({ load, socket, download, troubles }: LossOutcome): boolean {
  return (
    load.failed === 0 && socket.stayedOpen && socket.echoed === socket.sent && download.whole && troubles.length === 0
  )
}

export function renderLoss(outcome: LossOutcome): string {
  const { changes, load, socket, download, troubles } = outcome
  const failures = Object.entries(load.failures).map(([why, count]) => `${why}: ${count}`)
  const shown = troubles.slice(0, 5).map(trouble => `  ! ${trouble}`)
  return [
    `${isLossless(outcome) ? 'Nothing was lost' : 'SOMETHING WAS LOST'}: ${changes.added} routes added, ${changes.changed} changed, ${changes.removed} removed; ${changes.ofSteady} changes of the app with the open connections`,
    `  requests    ${load.sent} sent, ${load.failed} failed${failures.length > 0 ? ` (${failures.join(', ')})` : ''}; p50 ${load.p50Ms.toFixed(1)} ms, p99 ${load.p99Ms.toFixed(1)} ms, max ${load.maxMs.toFixed(1)} ms`,
    `  WebSocket   ${socket.sent} messages sent, ${socket.echoed} echoed, ${socket.stayedOpen ? 'stayed open' : 'was cut'}`,
    `  download    ${(download.bytes / 1_000_000).toFixed(1)} MB in ${download.seconds.toFixed(1)} s, ${download.trouble ?? 'whole'}`,
    ...(troubles.length > 0 ? [`  changes     ${troubles.length} did not show`, ...shown] : []),
  ].join('\n')
}
