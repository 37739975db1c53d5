import { expect, test } from 'vitest'
import { Turnstile } from './turnstile.ts'

test('as many as fit are inside, the others follow in order', async () => {
  const turnstile = new Turnstile(2)
  const order: number[] = []
  const arrive = (number: number) => turnstile.enter().then(() => order.push(number))
  const all = [1, 2, 3, 4].map(arrive)
  await Promise.all(all.slice(0, 2))
  expect([order, turnstile.tryEnter()]).toEqual([[1, 2], false])
  turnstile.leave()
  // The place is promised already: nobody slips in.
  expect(turnstile.tryEnter()).toBe(false)
  turnstile.leave()
  await Promise.all(all)
  expect(order).toEqual([1, 2, 3, 4])
  turnstile.leave()
  turnstile.leave()
  expect(turnstile.isEmpty).toBe(true)
})

test('who gives up has no place', async () => {
  const turnstile = new Turnstile(1)
  await turnstile.enter()
  const controller = new AbortController()
  const waiting = turnstile.enter(controller.signal)
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  await expect(turnstile.enter(controller.signal)).rejects.toThrow('enough')
  turnstile.leave()
  expect(turnstile.isEmpty).toBe(true)
})

test('who gives up after it was his turn is inside', async () => {
  const turnstile = new Turnstile(1)
  await turnstile.enter()
  const controller = new AbortController()
  const waiting = turnstile.enter(controller.signal)
  turnstile.leave()
  controller.abort()
  await waiting
  expect(turnstile.tryEnter()).toBe(false)
})
