import { describe, expect, test } from 'vitest'
import { Body } from './body.ts'

const octets = Buffer.from('5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n')

describe('where a body ends (RFC 9112 section 6.3)', () => {
  const rows: readonly (readonly [name: string, start: (body: Body) => void, end: number, done: boolean])[] = [
    ['none', body => body.none(), 2, true],
    ['length of 0', body => body.length(0), 2, true],
    ['length', body => body.length(5), 7, false],
    ['length of all there is', body => body.length(octets.length - 2), octets.length, false],
    ['length of more than there is', body => body.length(1000), octets.length, false],
    ['until the connection closes', body => body.start('until-close'), octets.length, false],
  ]
  for (const [name, start, end, doneAtOnce] of rows) {
    test(name, () => {
      const body = new Body()
      start(body)
      expect(body.done).toBe(doneAtOnce)
      expect(body.read(octets, 2, octets.length)).toBe(end)
      expect(body.done).toBe(name !== 'length of more than there is' && name !== 'until the connection closes')
    })
  }

  test('chunked', () => {
    const body = new Body()
    body.start('chunked')
    expect(body.done).toBe(false)
    expect(body.read(octets, 0, 12)).toBe(12)
    expect(body.done).toBe(false)
    expect(body.read(octets, 12, octets.length)).toBe(15)
    expect(body.done).toBe(true)
  })

  test('chunked, malformed', () => {
    const body = new Body()
    body.start('chunked')
    expect(body.read(Buffer.from('5\nhello'), 0, 7)).toBe(-1)
    expect(body.done).toBe(false)
  })
})

test('a length comes to its end over many reads, and no octet behind it counts', () => {
  const body = new Body()
  body.length(10)
  expect(body.read(octets, 0, 4)).toBe(4)
  expect(body.read(octets, 4, 4)).toBe(4)
  expect(body.done).toBe(false)
  expect(body.read(octets, 4, 20)).toBe(10)
  expect(body.done).toBe(true)
  expect(body.read(octets, 10, 20)).toBe(10)
})

test('unchunk writes the payload and nothing else', () => {
  const body = new Body()
  body.start('chunked')
  const target = Buffer.alloc(12, '.')
  expect(body.unchunk(octets, 0, octets.length, target, 3)).toBe(15)
  expect(body.done).toBe(true)
  expect(body.chunked.payload).toBe(5)
  expect(target.toString()).toBe('...hello....')
})

test('a body that is used again begins anew', () => {
  const body = new Body()
  body.start('chunked')
  body.read(octets, 0, 6)
  body.start('chunked')
  expect(body.read(octets, 0, octets.length)).toBe(15)
  body.length(3)
  expect(body.done).toBe(false)
  body.none()
  expect(body.read(octets, 0, octets.length)).toBe(0)
})
