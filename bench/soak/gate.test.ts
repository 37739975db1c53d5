import { expect, test } from 'vitest'
import { Gate } from './gate.ts'

test('who closes waits for those inside, and who comes then waits until it is open again', async () => {
  const gate = new Gate()
  const order: string[] = []
  const inside = Promise.withResolvers<void>()
  const away = Promise.withResolvers<void>()
  const first = gate.pass(async () => {
    await inside.promise
    order.push('first leaves')
  })
  const closing = gate.close(async () => {
    order.push('closed')
    await away.promise
    order.push('open')
  })
  const second = gate.pass(async () => void order.push('second passes'))
  expect(order).toEqual([])
  inside.resolve()
  await first
  away.resolve()
  await Promise.all([closing, second])
  expect(order).toEqual(['first leaves', 'closed', 'open', 'second passes'])
})

test('a failure inside leaves the gate as it should be', async () => {
  const gate = new Gate()
  const fail = () => Promise.reject(new Error('no'))
  await expect(gate.pass(fail)).rejects.toThrow('no')
  await expect(gate.close(fail)).rejects.toThrow('no')
  let passed = false
  await gate.pass(async () => {
    passed = true
  })
  expect(passed).toBe(true)
})
