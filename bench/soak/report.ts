// The outcome of the soak as text.

import type { SoakOutcome } from './soak.ts'

const columns = ['done', 'failed', 'redone', 'lost', 'p50 ms', 'p99 ms', 'max ms'] as const

const expected = [
  'endpoint removed',
  'rolling restart',
  'certificate rotated',
  'API server away',
  'data thread killed',
  'router replaced',
]

/** Whether nothing at all was lost that need not be, and everything was tried. */
export function isLossless({ totals, silent, events }: SoakOutcome): boolean {
  const lossless = totals.every(({ failed }) => failed === 0)
  return lossless && silent.length === 0 && expected.every(event => (events[event] ?? 0) > 0)
}

export function renderOutcome(outcome: SoakOutcome): string {
  const { totals, failures, events, changes, removals, residentBytes, silent } = outcome
  const row = (cells: readonly string[]) =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(28) : cell.padStart(9))).join('')
  const numbers = totals.map(({ kind, done, failed, redone, lost, p50Ms, p99Ms, maxMs }) =>
    row([kind, ...[done, failed, redone, lost].map(String), ...[p50Ms, p99Ms, maxMs].map(value => value.toFixed(1))]),
  )
  const failed = totals.reduce((sum, total) => sum + total.failed, 0)
  const megabytes = (bytes: number) => (bytes / 1_000_000).toFixed(0)
  const shown = failures.slice(0, 20).map(({ seconds, kind, what, count, during }) => {
    const meanwhile = during.length === 0 ? 'nothing special' : during.join(', ')
    return `  ! ${count} x ${kind}: ${what}; first after ${seconds.toFixed(1)} s, during: ${meanwhile}`
  })
  return [
    isLossless(outcome) ? 'Nothing was lost' : `NOT PASSED: ${failed} failed`,
    row(['', ...columns]),
    ...numbers,
    `${changes} changes; ${Object.entries(events)
      .map(([event, count]) => `${event} ${count}x`)
      .join(', ')}`,
    `last new request to a removed endpoint, after the news: p50 ${removals.p50Ms.toFixed(1)} ms, p99 ${removals.p99Ms.toFixed(1)} ms, max ${removals.maxMs.toFixed(1)} ms of ${removals.count}`,
    `memory of the router: ${megabytes(residentBytes.first)} MB, at most ${megabytes(residentBytes.most)} MB`,
    ...silent.map(kind => `  ! not one request of this kind was answered: ${kind}`),
    ...shown,
  ].join('\n')
}
