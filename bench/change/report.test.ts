import { expect, test } from 'vitest'
import type { LossOutcome } from './loss.ts'
import { isLossless, renderLoss, renderSpeed, summarize } from './report.ts'

const milliseconds = Array.from({ length: 200 }, (_, index) => (index + 1) / 10)

test('times are summed up and shown', () => {
  const summary = summarize({ change: 'route added', milliseconds })
  expect(summary).toEqual({ change: 'route added', count: 200, p50Ms: 10, p99Ms: 19.8, maxMs: 20 })
  expect(
    renderSpeed([summary])
      .split('\n')
      .at(-1)!
      .split(/\s{2,}/),
  ).toEqual(['route added', '200', '10.0', '19.8', '20.0'])
})

const good: LossOutcome = {
  changes: { added: 10, changed: 10, removed: 10, ofSteady: 2 },
  load: { sent: 1_000, failed: 0, failures: {}, p50Ms: 0.5, p99Ms: 2, maxMs: 9 },
  socket: { sent: 50, echoed: 50, stayedOpen: true },
  download: { bytes: 1_000_000, whole: true, seconds: 1, trouble: null },
  troubles: [],
}

const outcomes: [name: string, outcome: LossOutcome, lossless: boolean, shown: string][] = [
  ['all well', good, true, 'Nothing was lost'],
  [
    'a failed request',
    { ...good, load: { ...good.load, failed: 2, failures: { 'status 502': 2 } } },
    false,
    '2 failed (status 502: 2)',
  ],
  ['a cut WebSocket', { ...good, socket: { ...good.socket, stayedOpen: false } }, false, 'was cut'],
  ['an echo that never came', { ...good, socket: { ...good.socket, echoed: 49 } }, false, '49 echoed'],
  [
    'a broken download',
    { ...good, download: { ...good.download, whole: false, trouble: 'aborted' } },
    false,
    'aborted',
  ],
  ['a change that did not show', { ...good, troubles: ['x was not answered 200'] }, false, '! x was not answered 200'],
]
for (const [name, outcome, lossless, shown] of outcomes)
  test(name, () => {
    expect(isLossless(outcome)).toBe(lossless)
    expect(renderLoss(outcome)).toContain(shown)
    expect(renderLoss(outcome).startsWith('Nothing was lost')).toBe(lossless)
  })
