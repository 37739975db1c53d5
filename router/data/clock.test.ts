import { expect, test } from 'vitest'
import { ClockText } from './clock.ts'

const at = Date.UTC(2016, 4, 31, 16, 56, 12, 345)

test('Server and Date, as field lines (RFC 9110 section 5.6.7)', () => {
  const clock = new ClockText('deis-router/1', at)
  expect(clock.serverAndDate.toString()).toBe('Server: deis-router/1\r\nDate: Tue, 31 May 2016 16:56:12 GMT\r\n')
})

test('§14 the time of the log is local and says its offset', () => {
  const { logTime } = new ClockText('x', at)
  expect(logTime).toMatch(/^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d\]$/)
  expect(Date.parse(logTime.slice(1, -1))).toBe(Math.floor(at / 1000) * 1000)
})

test('the texts change with the second, and not before', () => {
  const clock = new ClockText('x', at)
  const { serverAndDate, logTime } = clock
  clock.update(at + 654)
  expect(clock.serverAndDate).toBe(serverAndDate)
  expect(clock.logTime).toBe(logTime)
  clock.update(at + 655)
  expect(clock.serverAndDate.toString()).toContain('16:56:13 GMT')
  expect(clock.logTime).not.toBe(logTime)
})

test('a clock that is set back is followed', () => {
  const clock = new ClockText('x', at)
  clock.update(at - 5000)
  expect(clock.serverAndDate.toString()).toContain('16:56:07 GMT')
})

test('another product is named from the next update on, within the same second', () => {
  const clock = new ClockText('x', at)
  clock.server = 'y'
  clock.update(at)
  expect(clock.serverAndDate.toString()).toMatch(/^Server: y\r\n/)
})
