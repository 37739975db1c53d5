import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lifeOfKeys, TicketKeys } from './ticket-keys.ts'

const hour = 3_600_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

for (const [sessionTimeout, want] of [
  [600_000, 12 * hour],
  [12 * hour + 1, 12 * hour + 1],
  [365 * 24 * hour, 7 * 24 * hour],
] as const) {
  test(`§16 keys outlive sessions of ${sessionTimeout} ms`, () => expect(lifeOfKeys(sessionTimeout)).toBe(want))
}

test('§16 keys are 48 octets, made anew when their life is over, and not before', () => {
  const made: Uint8Array[] = []
  using keys = new TicketKeys(next => made.push(next))
  const first = keys.current
  expect([first.length, first.buffer.byteLength]).toEqual([48, 48])
  vi.advanceTimersByTime(12 * hour - 1)
  expect(keys.current).toBe(first)
  vi.advanceTimersByTime(1)
  expect(made).toEqual([keys.current])
  expect(keys.current).not.toEqual(first)
  vi.advanceTimersByTime(12 * hour)
  expect(made).toHaveLength(2)
})

test('a longer life counts for the keys in use; what has passed of it counts too', () => {
  const made: Uint8Array[] = []
  using keys = new TicketKeys(next => made.push(next))
  vi.advanceTimersByTime(6 * hour)
  keys.outlive(20 * hour)
  vi.advanceTimersByTime(14 * hour - 1)
  expect(made).toHaveLength(0)
  vi.advanceTimersByTime(1)
  expect(made).toHaveLength(1)
  vi.advanceTimersByTime(13 * hour)
  // Shorter again, and already over.
  keys.outlive(hour)
  vi.advanceTimersByTime(0)
  expect(made).toHaveLength(2)
})
