import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fullJitter } from './backoff.ts'

const range = { base: 50, cap: 30_000 }
const almostOne = 1 - 2 ** -53

const cases: [name: string, failures: number, random: number, want: number][] = [
  ['no failure, no delay', 0, almostOne, 0],
  ['the first delay may be nothing', 1, 0, 0],
  ['the first delay is at most the base', 1, almostOne, 50],
  ['the middle of the range', 1, 0.5, 25],
  ['the range doubles', 2, almostOne, 100],
  ['and doubles again', 5, almostOne, 800],
  ['until the cap', 11, almostOne, 30_000],
  ['which holds for any number of failures', 5_000, almostOne, 30_000],
]
for (const [name, failures, random, want] of cases)
  test(name, () => expect(fullJitter(failures, range, () => random)).toBe(want))

test('a delay is a whole number between zero and the cap', () => {
  const failures = fc.integer({ min: 0, max: 1e6 })
  fc.assert(
    fc.property(failures, fc.double({ min: 0, max: almostOne, noNaN: true }), (count, random) => {
      const delay = fullJitter(count, range, () => random)
      expect(Number.isInteger(delay) && delay >= 0 && delay <= range.cap).toBe(true)
    }),
  )
})
