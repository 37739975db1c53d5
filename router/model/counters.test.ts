import { expect, test } from 'vitest'
import {
  appCounter,
  codings,
  counter,
  createCounters,
  durationBuckets,
  failureCodes,
  firstAppSlot,
  fixedSlot,
  maxApps,
  retryReasons,
  rowOffset,
  rowSize,
  slotAt,
} from './counters.ts'

test('every counter has a place of its own, before the rows of the apps', () => {
  const lengths: Partial<Record<keyof typeof counter, number>> = {
    failures: failureCodes.length,
    codedResponses: codings.length,
    codedOctetsIn: codings.length,
    codedOctetsOut: codings.length,
    upstreamRetries: retryReasons.length,
  }
  const places = Object.entries(counter).flatMap(([name, at]) =>
    Array.from({ length: lengths[name as keyof typeof counter] ?? 1 }, (_, i) => at + i),
  )
  expect(new Set(places).size).toBe(places.length)
  for (const place of places) expect(place).toBeLessThan(rowOffset(0))
})

test('the parts of a row do not overlap, and the row ends before the next', () => {
  const parts: readonly (readonly [at: number, length: number])[] = [
    [appCounter.status, 5],
    [appCounter.requestBytes, 1],
    [appCounter.responseBytes, 1],
    [appCounter.durationSum, 1],
    [appCounter.duration, durationBuckets.length + 1],
    [appCounter.codingsRefused, 1],
  ]
  const taken = parts.flatMap(([at, length]) => Array.from({ length }, (_, i) => at + i))
  expect(new Set(taken).size).toBe(taken.length)
  expect(Math.max(...taken)).toBeLessThan(rowSize)
  expect(rowOffset(1) - rowOffset(0)).toBe(rowSize)
  expect([0, 1, maxApps - 1].map(slot => slotAt(rowOffset(slot)))).toEqual([0, 1, maxApps - 1])
})

test('the last row fits, and apps do not share the rows that always exist', () => {
  const counters = new Float64Array(createCounters())
  expect(rowOffset(maxApps - 1) + rowSize).toBe(counters.length)
  expect(Math.max(...Object.values(fixedSlot))).toBeLessThan(firstAppSlot)
  expect(counters.every(value => value === 0)).toBe(true)
})

test('the bounds of the durations grow', () => {
  expect([...durationBuckets]).toEqual(durationBuckets.toSorted((a, b) => a - b))
})
