import { expect, test } from 'vitest'
import { median, percentile, spread } from './statistics.ts'

const medians: [name: string, values: number[], want: number | null][] = [
  ['nothing', [], null],
  ['one', [7], 7],
  ['odd count, unsorted', [9, 1, 5], 5],
  ['even count is the mean of the middle two', [4, 1, 3, 2], 2.5],
  ['sorts as numbers, not as text', [10, 9, 100], 10],
]
for (const [name, values, want] of medians) test(`median: ${name}`, () => expect(median(values)).toBe(want))

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
const percentiles: [name: string, values: number[], share: number, want: number | null][] = [
  ['nothing', [], 0.5, null],
  ['one value is every percentile', [3], 0.99, 3],
  ['p50 of 1 to 100', hundred, 0.5, 50],
  ['p99 of 1 to 100', hundred, 0.99, 99],
  ['p100 is the greatest', hundred, 1, 100],
  ['p0 is the least', hundred, 0, 1],
  ['p99 of a few is the greatest', [1, 2, 3], 0.99, 3],
]
for (const [name, values, share, want] of percentiles)
  test(`percentile: ${name}`, () => expect(percentile(values, share)).toBe(want))

test('spread holds the middle and both ends', () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
  expect(spread([])).toBeNull()
})

test('the input keeps its order', () => {
  const values = [3, 1, 2]
  median(values)
  percentile(values, 0.5)
  expect(values).toEqual([3, 1, 2])
})
