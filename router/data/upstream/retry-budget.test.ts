import { expect, test } from 'vitest'
import { RetryBudget } from './retry-budget.ts'

function spendAll(budget: RetryBudget, now: number): number {
  let spent = 0
  while (budget.spend(now)) spent++
  return spent
}

test('an app with hardly any requests has ten retries', () => {
  expect(spendAll(new RetryBudget(), 0)).toBe(10)
})

test('a fifth of the requests besides', () => {
  const budget = new RetryBudget()
  for (let i = 0; i < 1000; i++) budget.noteRequest(i)
  expect(spendAll(budget, 1000)).toBe(210)
})

test('what was spent comes back as the window moves on', () => {
  const budget = new RetryBudget()
  budget.noteRequest(0)
  spendAll(budget, 0)
  expect(budget.spend(9999)).toBe(false)
  // Half a window after the one in which they were spent, half of them count.
  expect(spendAll(budget, 15_000)).toBe(5)
  expect(spendAll(budget, 60_000)).toBe(10)
})

for (const rate of [1, 10, 1000]) {
  test(`at ${rate} requests a second, all of which fail, a fifth goes out again, and one a second`, () => {
    const budget = new RetryBudget()
    let requests = 0
    let retries = 0
    for (let now = 0; now < 100_000; now += 1000 / rate) {
      budget.noteRequest(now)
      requests++
      while (budget.spend(now)) retries++
    }
    const least = 0.2 * requests + 100
    expect(retries).toBeGreaterThan(0.85 * least)
    expect(retries).toBeLessThan(1.1 * least + 10)
  })
}

test('after a pause nothing of before counts', () => {
  const budget = new RetryBudget()
  for (let i = 0; i < 1000; i++) budget.noteRequest(0)
  expect(spendAll(budget, 25_000)).toBe(10)
})
