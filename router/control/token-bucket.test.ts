import { expect, test } from 'vitest'
import { TokenBucket } from './token-bucket.ts'

test('gives a burst, then what comes back, and never saves up more than the burst', () => {
  let now = 1000
  const bucket = new TokenBucket({ rate: 5, burst: 3, now: () => now })
  const drain = (): number => {
    let taken = 0
    while (bucket.take()) taken++
    return taken
  }
  expect(drain()).toBe(3)
  expect(bucket.wait()).toBe(200)
  now += 199
  expect(drain()).toBe(0)
  expect(bucket.wait()).toBe(1)
  now += 1
  expect(bucket.wait()).toBe(0)
  expect(drain()).toBe(1)
  now += 400
  expect(drain()).toBe(2)
  now += 3_600_000
  expect(drain()).toBe(3)
})
