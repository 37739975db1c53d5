import { expect, test } from 'vitest'
import { appCounter, createCounters, durationBuckets, firstAppSlot, fixedSlot, rowOffset } from '../model/counters.ts'
import type { AppSlot } from '../model/patch.ts'
import { sampleInterval, TrafficHistory } from './traffic-history.ts'

class Bench {
  readonly threads = [new Float64Array(createCounters()), new Float64Array(createCounters())]
  apps: readonly AppSlot[] = [
    { app: 'shop', slot: firstAppSlot },
    { app: 'zoo/web', slot: firstAppSlot + 1 },
  ]
  #now = 0
  readonly history = new TrafficHistory({ counters: () => this.threads, apps: () => this.apps, now: () => this.#now })

  /** `count` answers of a class that took `seconds` each. */
  answer(slot: number, count: number, seconds = 0.002, status = 2, thread = 0): this {
    const row = this.threads[thread]!.subarray(rowOffset(slot))
    const bucket = durationBuckets.findIndex(bound => seconds <= bound)
    row[appCounter.status + status - 1]! += count
    row[appCounter.durationSum]! += count * seconds
    row[appCounter.duration + (bucket < 0 ? durationBuckets.length : bucket)]! += count
    return this
  }

  sample(times = 1): this {
    for (let i = 0; i < times; i++) {
      this.#now += sampleInterval
      this.history.sample()
    }
    return this
  }
}

const [shop, zoo] = [firstAppSlot, firstAppSlot + 1]

test('requests and errors a second, mean and slow times, over all threads', () => {
  const bench = new Bench()
    .answer(shop, 50)
    .answer(shop, 25, 0.2, 5, 1)
    .answer(fixedSlot.defaultVhost, 25, 0.002, 4)
    .sample()
  expect(bench.history.app('shop')).toEqual({ seconds: 5, requests: [15], errors: [5], mean: [68], slow: [246] })
  expect(bench.history.all()).toMatchObject({ requests: [20], errors: [5] })
  expect(bench.sample().history.app('shop')).toEqual({
    ...{ seconds: 5, requests: [15, 0], errors: [5, 0], mean: [68, null], slow: [246, null] },
  })
})

test('an app without traffic has none to show', () => {
  expect(new Bench().sample(3).history.app('shop')).toBe(null)
  expect(new Bench().history.all()).toEqual({ seconds: 5, requests: [], errors: [], mean: [], slow: [] })
})

test('what happened before the app had traffic is zero, and five minutes are kept', () => {
  const bench = new Bench().sample(3).answer(shop, 10).sample()
  expect(bench.history.app('shop')?.requests).toEqual([0, 0, 0, 2])
  expect(bench.sample(58).history.app('shop')?.requests).toHaveLength(60)
  expect(bench.history.all().requests.reduce((sum, value) => sum + value, 0)).toBe(2)
  expect(
    bench
      .sample(2)
      .history.all()
      .requests.reduce((sum, value) => sum + value, 0),
  ).toBe(0)
  expect(bench.history.app('shop')).toBe(null)
})

test('an app that wakes up again does not count all that it ever had', () => {
  const bench = new Bench().answer(shop, 1000).sample(62).answer(shop, 10).sample().answer(shop, 5).sample()
  expect(bench.history.app('shop')?.requests.slice(-2)).toEqual([0, 1])
  expect(bench.history.all().requests.slice(-2)).toEqual([2, 1])
})

test('a row that gets another app counts anew, and what the first had stays counted', () => {
  const bench = new Bench().answer(shop, 100).sample()
  bench.apps = [{ app: 'other', slot: shop }]
  bench.answer(shop, 10).sample().answer(shop, 20).sample()
  expect(bench.history.app('shop')).toBe(null)
  expect(bench.history.app('other')?.requests.slice(-1)).toEqual([4])
  expect(bench.history.all().requests).toEqual([20, 2, 4])
})

test('of several apps together: sums, and the greatest of slow times', () => {
  const bench = new Bench().answer(shop, 10, 0.002).answer(zoo, 30, 20).sample()
  expect(bench.history.apps(() => true)).toMatchObject({ requests: [8], mean: [15_000], slow: [29_800] })
  expect(bench.history.apps(app => app === 'shop')).toMatchObject({ requests: [2], mean: [2] })
  expect(bench.history.apps(() => false)).toMatchObject({ requests: [0], mean: [null] })
})

test('a request that takes longer than the last bucket takes at least that', () => {
  expect(new Bench().answer(shop, 1, 100).sample().history.app('shop')?.slow).toEqual([60_000])
})

test('no more than 1,000 apps', () => {
  const bench = new Bench()
  bench.apps = Array.from({ length: 1200 }, (_, index) => ({ app: `app${index}`, slot: firstAppSlot + index }))
  for (const { slot } of bench.apps) bench.answer(slot, 5)
  bench.sample()
  expect(bench.apps.filter(({ app }) => bench.history.app(app) !== null)).toHaveLength(1000)
  expect(bench.history.all().requests).toEqual([1200])
})
