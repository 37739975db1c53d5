import { describe, expect, test } from 'vitest'
import { splitTicketKeys } from '../model/ticket-keys.ts'
import {
  credibleTicketKeys,
  currentTicketKey,
  joinTicketKeys,
  lead,
  lifeOfKeys,
  nextTicketKeys,
  readTicketKeys,
  type TicketKey,
  ticketKeyData,
} from './ticket-key-list.ts'

const hour = 3_600_000
const life = 12 * hour
const start = Date.UTC(2026, 0, 1)

function key(since: number, fill = 1): TicketKey {
  return { since, octets: new Uint8Array(48).fill(fill) }
}

const value = (fill: number, length = 48): string => Buffer.alloc(length, fill).toString('base64')

for (const [sessionTimeout, want] of [
  [600_000, 12 * hour],
  [12 * hour + 1, 12 * hour + 1],
  [365 * 24 * hour, 7 * 24 * hour],
] as const) {
  test(`§16 keys outlive sessions of ${sessionTimeout} ms`, () => expect(lifeOfKeys(sessionTimeout)).toBe(want))
}

describe('the data of a Secret', () => {
  const rows: readonly (readonly [name: string, data: Record<string, unknown>, since: number[], faults: string[]])[] = [
    ['nothing', {}, [], []],
    ['two keys, oldest first', { 'since-20': value(2), 'since-3': value(1) }, [3000, 20_000], []],
    [
      'a key that is too short',
      { 'since-20': value(2), 'since-3': value(1, 47) },
      [20_000],
      ['"since-3" is no base64'],
    ],
    ['a value that is no text', { 'since-3': 7 }, [], ['"since-3" is no base64']],
    [
      'other entries',
      { 'tls.crt': value(1), x: '', 'since-x': value(1) },
      [],
      ['an entry is not called since-SECONDS'],
    ],
    [
      'more than anybody writes: the newest',
      Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`since-${i + 1}`, value(i)])),
      [3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000],
      ['it holds 10 keys, of which the 8 newest count'],
    ],
  ]
  for (const [name, data, since, faults] of rows) {
    test(name, () => {
      const reading = readTicketKeys(data)
      expect(reading.keys.map(one => one.since)).toEqual(since)
      expect(reading.faults).toEqual(faults.map(fault => expect.stringContaining(fault)))
      for (const { octets } of reading.keys) expect([octets.length, octets.buffer.byteLength]).toEqual([48, 48])
    })
  }

  test('what is written is read', () => {
    const keys = nextTicketKeys(nextTicketKeys([], start, life)!, start + life, life)!
    expect(readTicketKeys(ticketKeyData(keys))).toEqual({ keys, faults: [] })
  })
})

describe('which key makes tickets', () => {
  const keys = [key(start), key(start + hour), key(start + 2 * hour)]
  const rows: readonly (readonly [name: string, now: number, since: number])[] = [
    ['the only one whose time has come', start + 1, start],
    ['the newest of two', start + hour, start + hour],
    ['on a clock that is slow the first to come', start - hour, start],
  ]
  for (const [name, now, since] of rows) test(name, () => expect(currentTicketKey(keys, now)?.since).toBe(since))

  test('it stands before all others, newest first', () => {
    const three = [key(start, 1), key(start + hour, 2), key(start + 2 * hour, 3)]
    const joined = joinTicketKeys(three, start + hour)
    expect(splitTicketKeys(joined).map(set => set[0])).toEqual([2, 3, 1])
    expect(() => splitTicketKeys(joined.subarray(1))).toThrow(TypeError)
    expect(() => splitTicketKeys(new Uint8Array(0))).toThrow(TypeError)
  })
})

describe('followers', () => {
  test('the first key counts at once, a follower is told of before its time', () => {
    const first = nextTicketKeys([], start + 1, life)!
    expect(first.map(({ since }) => since)).toEqual([start])
    expect(nextTicketKeys(first, start + life - lead - 1, life)).toBe(null)
    const second = nextTicketKeys(first, start + life - lead, life)!
    expect(second.map(({ since }) => since)).toEqual([start, start + life])
    expect(second[0]).toBe(first[0])
    expect(second[1]!.octets).not.toEqual(first[0]!.octets)
    expect(nextTicketKeys(second, start + life, life)).toBe(null)
  })

  test('a key stays until its follower is a life old', () => {
    const keys = [key(start, 1), key(start + life, 2)]
    const next = nextTicketKeys(keys, start + 2 * life - lead, life)!
    expect(next.map(({ since }) => since)).toEqual([start + life, start + 2 * life])
  })

  test('what a clock far ahead of ours has written is not waited for', () => {
    const keys = [key(start), key(start + 48 * hour)]
    expect(credibleTicketKeys(keys, start + hour).map(({ since }) => since)).toEqual([start])
    expect(nextTicketKeys(keys, start + hour, life)).toBe(null)
    const next = nextTicketKeys(keys, start + life, life)!
    expect(next.map(({ since }) => since)).toEqual([start, start + life + lead])
    expect(nextTicketKeys([key(start + 48 * hour)], start, life)?.map(({ since }) => since)).toEqual([start])
  })
})
