import { expect, test } from 'vitest'
import { isLossless, renderOutcome } from './report.ts'
import type { SoakOutcome } from './soak.ts'

const total = { kind: 'h2', done: 9, failed: 0, redone: 1, lost: 2, p50Ms: 1, p99Ms: 2, maxMs: 3 }
const good: SoakOutcome = {
  totals: [total],
  failures: [],
  events: {
    ...{ 'endpoint removed': 3, 'rolling restart': 1, 'certificate rotated': 2 },
    ...{ 'API server away': 1, 'data thread killed': 1, 'router replaced': 1 },
  },
  changes: 10,
  removals: { count: 3, p50Ms: 0, p99Ms: 4, maxMs: 4 },
  residentBytes: { first: 200e6, most: 210e6 },
  silent: [],
}

const cases: [name: string, outcome: SoakOutcome, want: boolean][] = [
  ['what died with a thread, and what HTTP lets a client send again, is no loss', good, true],
  ['one failure is', { ...good, totals: [{ ...total, failed: 1 }] }, false],
  ['traffic that never flowed proves nothing', { ...good, silent: ['TLS'] }, false],
  ['nor does an event that never took place', { ...good, events: { ...good.events, 'router replaced': 0 } }, false],
]
for (const [name, outcome, want] of cases) test(name, () => expect(isLossless(outcome)).toBe(want))

test('a failure is told with the time and what was going on', () => {
  const failure = { kind: 'h2', what: 'status 502', count: 4, seconds: 12.34, during: ['router replaced'] }
  const text = renderOutcome({ ...good, totals: [{ ...total, failed: 4 }], failures: [failure] })
  expect(text).toMatch(/^NOT PASSED: 4 failed/)
  expect(text).toContain('! 4 x h2: status 502; first after 12.3 s, during: router replaced')
})
