import { expect, test } from 'vitest'
import { Slab } from './slab.ts'

test('there is room behind the position for what was reserved, and what lies before it is not touched', () => {
  const slab = new Slab()
  const seen = new Set<Buffer>()
  for (let i = 1; i <= 400; i++) {
    const octets = i * 7
    slab.reserve(octets)
    expect(slab.buffer.length - slab.at).toBeGreaterThanOrEqual(octets)
    if (!seen.has(slab.buffer)) expect(slab.at).toBe(0)
    seen.add(slab.buffer)
    slab.buffer.fill(i, slab.at, slab.at + octets)
    slab.at += octets
  }
  expect(seen.size).toBeGreaterThan(1)
})

test('more than a slab holds gets a slab of its own', () => {
  const slab = new Slab()
  const before = slab.buffer
  slab.at = 10
  slab.reserve(before.length + 1)
  expect(slab.buffer).not.toBe(before)
  expect([slab.at, slab.buffer.length]).toEqual([0, before.length + 1])
})

test('room that is there is used', () => {
  const slab = new Slab()
  const before = slab.buffer
  slab.at = 10
  slab.reserve(before.length - 10)
  expect(slab.buffer).toBe(before)
  expect(slab.at).toBe(10)
})
