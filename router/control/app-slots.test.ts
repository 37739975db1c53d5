import { expect, test } from 'vitest'
import { firstAppSlot, fixedSlot, maxApps } from '../model/counters.ts'
import { AppSlots } from './app-slots.ts'

const room = maxApps - firstAppSlot

function acquireMany(slots: AppSlots, prefix: string, count: number): void {
  for (let index = 0; index < count; index++) slots.acquire(`${prefix}${index}`)
}

function releaseMany(slots: AppSlots, prefix: string, count: number): void {
  for (let index = 0; index < count; index++) slots.release(`${prefix}${index}`)
}

test('an app has one row, told once', () => {
  const slots = new AppSlots()
  slots.acquire('a')
  slots.acquire('b')
  slots.acquire('a')
  expect(slots.flush()).toEqual([
    { app: 'a', slot: firstAppSlot },
    { app: 'b', slot: firstAppSlot + 1 },
  ])
  expect(slots.flush()).toEqual([])
  expect(slots.whole()).toHaveLength(2)
})

test('an app keeps its row until its last holder lets go', () => {
  const slots = new AppSlots()
  slots.acquire('a')
  slots.acquire('a')
  slots.release('a')
  expect(slots.whole()).toEqual([{ app: 'a', slot: firstAppSlot }])
  slots.release('a')
  expect(slots.whole()).toEqual([])
  slots.release('a')
  expect(slots.whole()).toEqual([])
})

test('an app that comes back has its old row, and it is told again', () => {
  const slots = new AppSlots()
  acquireMany(slots, 'x', 3)
  slots.flush()
  slots.release('x1')
  slots.acquire('y')
  slots.acquire('x1')
  expect(slots.flush()).toEqual([
    { app: 'y', slot: firstAppSlot + 3 },
    { app: 'x1', slot: firstAppSlot + 1 },
  ])
})

test('apps beyond the rows share one, and free nothing', () => {
  const slots = new AppSlots()
  acquireMany(slots, 'x', room)
  slots.flush()
  slots.acquire('late')
  slots.acquire('later')
  expect(slots.flush()).toEqual([
    { app: 'late', slot: fixedSlot.otherApps },
    { app: 'later', slot: fixedSlot.otherApps },
  ])
  slots.release('late')
  releaseMany(slots, 'x', 1024)
  slots.acquire('latest')
  expect(slots.flush()).toEqual([{ app: 'latest', slot: fixedSlot.otherApps }])
})

test('a row is used again once 1,024 others were freed after it, the longest freed first', () => {
  const slots = new AppSlots()
  acquireMany(slots, 'x', room)
  slots.flush()
  releaseMany(slots, 'x', 1026)
  acquireMany(slots, 'y', 3)
  expect(slots.flush()).toEqual([
    { app: 'y0', slot: firstAppSlot },
    { app: 'y1', slot: firstAppSlot + 1 },
    { app: 'y2', slot: fixedSlot.otherApps },
  ])
})

test('no two apps share a row of their own', () => {
  const slots = new AppSlots()
  acquireMany(slots, 'x', room)
  releaseMany(slots, 'x', 5000)
  acquireMany(slots, 'y', 5000)
  acquireMany(slots, 'x', 5000)
  const own = slots.whole().filter(({ slot }) => slot !== fixedSlot.otherApps)
  expect(new Set(own.map(({ slot }) => slot)).size).toBe(own.length)
  expect(own.every(({ slot }) => slot >= firstAppSlot && slot < maxApps)).toBe(true)
})
