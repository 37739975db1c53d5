import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { splitTicketKeys } from '../model/ticket-keys.ts'
import { lead, type TicketKey } from './ticket-key-list.ts'
import { TicketKeys } from './ticket-keys.ts'

const hour = 3_600_000
const start = Date.UTC(2026, 0, 1)

beforeEach(() => {
  vi.useFakeTimers({ now: start })
})
afterEach(() => {
  vi.useRealTimers()
})

function shared(since: number, fill: number): TicketKey {
  return { since, octets: new Uint8Array(48).fill(fill) }
}

/** The first octet of each set; those of shared keys are their own. */
const firsts = (joined: Uint8Array): number[] => splitTicketKeys(joined).map(set => set[0]!)

test('§16 keys of our own make tickets for half a day, and read them for as long again', () => {
  const told: Uint8Array[] = []
  using keys = new TicketKeys(next => told.push(next))
  const [first] = splitTicketKeys(keys.current)
  expect([keys.current.length, keys.current.buffer.byteLength]).toEqual([48, 48])
  vi.advanceTimersByTime(12 * hour - lead - 1000)
  expect(told).toHaveLength(0)
  vi.advanceTimersByTime(1000)
  // The follower is known, and does not make tickets yet.
  expect(splitTicketKeys(keys.current)).toEqual([first, expect.anything()])
  const [, second] = splitTicketKeys(keys.current)
  vi.advanceTimersByTime(lead)
  expect(splitTicketKeys(keys.current)).toEqual([second, first])
  vi.advanceTimersByTime(12 * hour)
  expect(splitTicketKeys(keys.current)).toEqual([expect.anything(), second])
  expect(told.at(-1)).toBe(keys.current)
})

test('a longer life counts for the keys in use', () => {
  const told: Uint8Array[] = []
  using keys = new TicketKeys(next => told.push(next))
  vi.advanceTimersByTime(6 * hour)
  keys.outlive(20 * hour)
  vi.advanceTimersByTime(14 * hour - lead - 1000)
  expect(told).toHaveLength(0)
  vi.advanceTimersByTime(1000)
  expect(told).toHaveLength(1)
})

test('keys that replicas share go before our own, each from its time on', () => {
  const told: Uint8Array[] = []
  using keys = new TicketKeys(next => told.push(next))
  const own = keys.current
  keys.share([shared(start, 1), shared(start + hour, 2)])
  expect(firsts(keys.current)).toEqual([1, 2])
  vi.advanceTimersByTime(hour)
  expect(firsts(keys.current)).toEqual([2, 1])
  expect(told.map(firsts)).toEqual([
    [1, 2],
    [2, 1],
  ])
  keys.share([])
  expect(keys.current).toEqual(own)
})

test('shared keys that nobody follows up end by their age', () => {
  using keys = new TicketKeys(() => {})
  keys.share([shared(start, 1)])
  vi.advanceTimersByTime(24 * hour - 1000)
  expect(firsts(keys.current)).toEqual([1])
  vi.advanceTimersByTime(1000)
  expect(Buffer.from(keys.current).subarray(0, 48)).not.toEqual(Buffer.alloc(48, 1))
})

test('a key of the far future is not believed: our own are in use', () => {
  using keys = new TicketKeys(() => {})
  const own = keys.current
  keys.share([shared(start + 48 * hour, 1)])
  expect(keys.current).toBe(own)
  vi.advanceTimersByTime(48 * hour)
  expect(firsts(keys.current)).toEqual([1])
})
