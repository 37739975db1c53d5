import { afterEach, describe, expect, test } from 'vitest'
import { clientPlace, encodersInUse, giveEncoderMemory, takeEncoderMemory } from './encoder-budget.ts'

const MB = 1024 * 1024
const all = 48

/** What has been taken in a test, to be given back behind it. */
const taken: (readonly [app: number, client: number])[] = []

/** Takes megabytes one at a time until there is no more; returns how many. */
function takeAll(app: number, client: number, most = all + 1): number {
  let count = 0
  while (count < most && takeEncoderMemory(app, client, MB)) {
    taken.push([app, client])
    count++
  }
  return count
}

afterEach(() => {
  for (const [app, client] of taken.splice(0)) giveEncoderMemory(app, client, MB)
  expect(encodersInUse).toEqual({ count: 0, octets: 0 })
})

test('of 40 MB one client gets half, all clients of an app three quarters, and the rest is for others', () => {
  expect(takeAll(1, 1)).toBe(20)
  expect(takeAll(1, 2) + takeAll(1, 3) + takeAll(1, 4)).toBe(10)
  // The client has its share in whatever app.
  expect(takeAll(2, 1)).toBe(0)
  expect(takeAll(2, 5)).toBe(5)
  expect(encodersInUse).toEqual({ count: 35, octets: 35 * MB })
})

test('two that are greedy in turn share alike, and leave as much and the reserve', () => {
  let counts = [0, 0]
  for (let more = true; more; ) {
    const next = counts.map((count, who) => count + takeAll(who, who, 1))
    more = next[0] !== counts[0] || next[1] !== counts[1]
    counts = next
  }
  expect([...counts, all - encodersInUse.count]).toEqual([14, 13, 13 + 8])
})

test('who comes when little is left gets something', () => {
  // Ten apps, each with clients of its own.
  for (let app = 0; app < 10; app++) for (let client = 0; client < 10; client++) takeAll(app, 10 * app + client)
  expect(takeAll(99, 999, 1)).toBe(1)
})

test('what is given back is there for anybody', () => {
  takeAll(1, 1)
  expect(takeAll(1, 1)).toBe(0)
  const [app, client] = taken.pop()!
  giveEncoderMemory(app, client, MB)
  expect(takeAll(1, 1)).toBe(1)
})

describe('where clients are counted', () => {
  const same: readonly (readonly [a: string, b: string])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:ffff::1'],
    ['2001:db8::1', '2001:db8::ffff:2'],
    ['::1', '::2'],
  ]
  for (const [a, b] of same) test(`${a} with ${b}`, () => expect(clientPlace(a)).toBe(clientPlace(b)))

  test('others apart, all but a few', () => {
    const addresses = Array.from({ length: 256 }, (_, i) => [
      `192.0.2.${i}`,
      `10.${i}.0.1`,
      `2001:db8:1:${i.toString(16)}::1`,
    ])
    const places = new Set(addresses.flat().map(clientPlace))
    // 768 at random in 4,096 places: 699 are expected.
    expect(places.size).toBeGreaterThan(620)
    for (const place of places) expect(place >= 0 && place < 4096).toBe(true)
  })
})
