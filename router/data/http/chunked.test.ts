import { describe, expect, test } from 'vitest'
import { ChunkedReader } from './chunked.ts'

interface Reading {
  /** Octets that belong to the message; -1: malformed. */
  readonly length: number
  readonly done: boolean
  readonly payload: string
}

/** Reads `octets` cut at `cuts` (ascending), each piece at another place, and copies the payload out. */
function read(octets: Buffer, cuts: readonly number[] = []): Reading {
  const reader = new ChunkedReader()
  reader.reset()
  const payload = Buffer.alloc(octets.length + 3)
  let length = 0
  let copied = 3
  const ends = [...cuts, octets.length]
  for (const [i, end] of ends.entries()) {
    const from = ends[i - 1] ?? 0
    const piece = Buffer.concat([Buffer.alloc(i % 3), octets.subarray(from, end), Buffer.from('0\r\n\r\n')])
    const start = i % 3
    const next = reader.read(piece, start, start + end - from, payload, copied)
    if (next < 0) return { length: -1, done: false, payload: '' }
    copied += reader.payload
    length += next - start
    if (reader.done) break
  }
  return { length, done: reader.done, payload: payload.toString('latin1', 3, copied) }
}

/** Without copying the payload, positions must be the same. */
function lengthOf(octets: Buffer): number {
  const reader = new ChunkedReader()
  reader.reset()
  return reader.read(octets, 0, octets.length)
}

function readEveryWay(octets: Buffer): Reading {
  const whole = read(octets)
  const few = octets.length <= 500
  const cuts = Array.from({ length: octets.length - 1 }, (_, i) => i + 1)
  for (const cut of few ? cuts : []) expect(read(octets, [cut]), `cut at ${cut}`).toEqual(whole)
  expect(read(octets, cuts), 'octet by octet').toEqual(whole)
  expect(lengthOf(octets)).toBe(whole.length)
  return whole
}

const last = '0\r\n\r\n'

const complete: readonly (readonly [name: string, octets: string, payload: string])[] = [
  ['no payload', last, ''],
  ['one chunk', `5\r\nhello\r\n${last}`, 'hello'],
  ['two chunks', `5\r\nhello\r\n6\r\n world\r\n${last}`, 'hello world'],
  ['sizes in both cases', `a\r\n0123456789\r\nA\r\n0123456789\r\n${last}`, '01234567890123456789'],
  ['leading zeros', `0000000000005\r\nhello\r\n${'0'.repeat(13)}\r\n\r\n`, 'hello'],
  ['a payload that looks like framing', `7\r\n0\r\n\r\n\r\n\r\n${last}`, '0\r\n\r\n\r\n'],
  ['octets of all kinds', `4\r\n\x00\xff\r\n\r\n${last}`, '\x00\xff\r\n'],
  ['an extension', `5;a\r\nhello\r\n${last}`, 'hello'],
  ['an extension with a value', `5;a=b\r\nhello\r\n${last}`, 'hello'],
  ['an extension with a quoted value', `5;a="b;\t\\"\\\\ \xe9"\r\nhello\r\n${last}`, 'hello'],
  ['an extension with an empty quoted value', `5;a=""\r\nhello\r\n${last}`, 'hello'],
  ['several extensions', `5;a;b=c;d="e";f\r\nhello\r\n${last}`, 'hello'],
  ['an extension of the last chunk', '5\r\nhello\r\n0;a=b\r\n\r\n', 'hello'],
  ['as many octets of extensions as may be', `5;${'a'.repeat(4096)}\r\nhello\r\n${last}`, 'hello'],
  ['a trailer', '5\r\nhello\r\n0\r\nX-Checksum: abc\r\n\r\n', 'hello'],
  ['two trailers, one of them empty', '0\r\nX:\r\nY: \t \r\n\r\n', ''],
  ['a trailer of 8-bit octets', '0\r\nX: \xe9\xff\r\n\r\n', ''],
  ['a trailer whose name begins as a forbidden one', '0\r\nHosts: a\r\n\r\n', ''],
  ['a name of 64 octets', `0\r\n${'X'.repeat(64)}: a\r\n\r\n`, ''],
  ['as many octets of trailers as may be', `0\r\nX:${'a'.repeat(8192 - 6)}\r\n\r\n`, ''],
]

describe('complete', () => {
  for (const [name, text, payload] of complete) {
    test(name, () => {
      const octets = Buffer.from(text, 'latin1')
      expect(readEveryWay(octets)).toEqual({ length: octets.length, done: true, payload })
      // What follows belongs to the next message and is not looked at.
      const more = Buffer.concat([octets, Buffer.from('GET / HTTP/1.1\r\n\x00')])
      expect(readEveryWay(more)).toEqual({ length: octets.length, done: true, payload })
    })
  }
})

const refused: readonly (readonly [name: string, octets: string])[] = [
  ['no size', '\r\nhello\r\n'],
  ['no size behind a chunk', `5\r\nhello\r\n\r\n${last}`],
  ['a size that is no number', `x\r\nhello\r\n${last}`],
  ['a size with a letter behind', `5g\r\nhello\r\n${last}`],
  ['a size with 0x', `0x5\r\nhello\r\n${last}`],
  ['a size with plus', `+5\r\nhello\r\n${last}`],
  ['a negative size', `-5\r\nhello\r\n${last}`],
  ['a size with underscore', `1_0\r\n${'x'.repeat(16)}\r\n${last}`],
  ['a size in quotes', `"5"\r\nhello\r\n${last}`],
  ['a size with a fraction', `5.0\r\nhello\r\n${last}`],
  ['a size of 14 digits', `00000000000005\r\nhello\r\n${last}`],
  ['a size beyond 2^64', '10000000000000005\r\nhello\r\n'],
  ['a blank before the size', ` 5\r\nhello\r\n${last}`],
  ['a blank behind the size', `5 \r\nhello\r\n${last}`],
  ['a tab behind the size', `5\t\r\nhello\r\n${last}`],
  ['a blank before an extension', `5 ;a\r\nhello\r\n${last}`],
  ['a bare LF behind the size', `5\nhello\r\n${last}`],
  ['a bare CR behind the size', `5\rhello\r\n${last}`],
  ['two CRs behind the size', `5\r\r\nhello\r\n${last}`],
  ['a NUL behind the size', `5\x00\r\nhello\r\n${last}`],
  ['data longer than its size', `5\r\nhellooo\r\n${last}`],
  ['data shorter than its size', `6\r\nhello\r\n${last}`],
  ['another octet than CR behind the data', `5\r\nhelloX\n${last}`],
  ['a bare LF behind the data', `5\r\nhello\n${last}`],
  ['a bare CR behind the data', `5\r\nhello\r${last}`],
  ['nothing behind the data', `5\r\nhello${last}`],
  ['an empty extension', `5;\r\nhello\r\n${last}`],
  ['two semicolons', `5;;a\r\nhello\r\n${last}`],
  ['a blank in an extension', `5; a\r\nhello\r\n${last}`],
  ['a blank behind an extension', `5;a \r\nhello\r\n${last}`],
  ['a blank before an equals sign', `5;a =b\r\nhello\r\n${last}`],
  ['a blank behind an equals sign', `5;a= b\r\nhello\r\n${last}`],
  ['an extension with an empty value', `5;a=\r\nhello\r\n${last}`],
  ['an extension with two values', `5;a=b=c\r\nhello\r\n${last}`],
  ['an extension with a comma', `5;a,b\r\nhello\r\n${last}`],
  ['an extension with a quote within', `5;a=b"c"\r\nhello\r\n${last}`],
  ['an extension with something behind the quote', `5;a="b"c\r\nhello\r\n${last}`],
  ['an extension with a bare LF', `5;a\nhello\r\n${last}`],
  ['an extension with a bare CR', `5;a\rb\r\nhello\r\n${last}`],
  ['a line end in quotes', `5;a="\r\n"\r\nhello\r\n${last}`],
  ['an escaped line end in quotes', `5;a="\\\r\n"\r\nhello\r\n${last}`],
  ['a NUL in quotes', `5;a="\x00"\r\nhello\r\n${last}`],
  ['an 8-bit octet in an extension', `5;a\xe9\r\nhello\r\n${last}`],
  ['too many octets of extensions', `5;${'a'.repeat(4097)}\r\nhello\r\n${last}`],
  ['too many octets of extensions over many chunks', `1;aaaa\r\nx\r\n`.repeat(1025) + last],
  ['a bare LF as the end', '0\r\n\n'],
  ['a bare CR as the end', '0\r\n\rX'],
  ['a bare LF behind the last size', '0\n\r\n'],
  ['a trailer without colon', '0\r\nX\r\n\r\n'],
  ['a trailer without name', '0\r\n: a\r\n\r\n'],
  ['a blank before the colon of a trailer', '0\r\nX : a\r\n\r\n'],
  ['a blank before a trailer', '0\r\n X: a\r\n\r\n'],
  ['a folded trailer', '0\r\nX: a\r\n b\r\n\r\n'],
  ['a bare LF behind a trailer', '0\r\nX: a\n\r\n'],
  ['a bare CR in a trailer', '0\r\nX: a\rb\r\n\r\n'],
  ['a NUL in a trailer', '0\r\nX: \x00\r\n\r\n'],
  ['a DEL in a trailer', '0\r\nX: \x7f\r\n\r\n'],
  ['a second body', '0\r\n5\r\nhello\r\n'],
  ['a name of 65 octets', `0\r\n${'X'.repeat(65)}: a\r\n\r\n`],
  ['too many octets of trailers', `0\r\nX:${'a'.repeat(8192)}\r\n\r\n`],
  ['too many trailers', `0\r\n${'X:\r\n'.repeat(2048)}\r\n`],
  ...[
    'Content-Length',
    'transfer-encoding',
    'HOST',
    'Connection',
    'Trailer',
    'TE',
    'Upgrade',
    'Expect',
    'Authorization',
  ].map(name => [`${name} as a trailer`, `0\r\n${name}: 5\r\n\r\n`] as const),
  ...[
    'Cookie',
    'Set-Cookie',
    'Content-Type',
    'Content-Encoding',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Request-Id',
  ].map(name => [`${name} as a trailer`, `0\r\nX: a\r\n${name}: 5\r\n\r\n`] as const),
]

describe('refused', () => {
  for (const [name, text] of refused) {
    test(name, () =>
      expect(readEveryWay(Buffer.from(text, 'latin1'))).toEqual({ length: -1, done: false, payload: '' }),
    )
  }
})

test('a body that has not ended is not done, wherever it stops', () => {
  const octets = Buffer.from(`5;a="b"\r\nhello\r\n0\r\nX: y\r\n\r\n`)
  for (let end = 0; end < octets.length; end++) {
    expect(read(octets.subarray(0, end)), `${end} octets`).toMatchObject({ length: end, done: false })
  }
})

test('the largest size that is taken has 13 digits', () => {
  const reader = new ChunkedReader()
  reader.reset()
  const line = Buffer.from('fffffffffffff\r\n')
  expect(reader.read(line, 0, line.length)).toBe(line.length)
  expect(reader.done).toBe(false)
})

test('a reader is as good as new after reset, whatever it read before', () => {
  const reader = new ChunkedReader()
  reader.reset()
  for (const text of [
    '5',
    '5;a',
    '5;a="',
    '5\r\nhel',
    '5\r\nhello',
    '0\r\nContent',
    '0\r\nX: y',
    '5\nx',
    complete[18]![1],
    last,
  ]) {
    const octets = Buffer.from(text, 'latin1')
    reader.read(octets, 0, octets.length)
    reader.reset()
    const body = Buffer.from(`5;${'a'.repeat(4096)}\r\nhello\r\n0\r\nX:${'a'.repeat(8192 - 6)}\r\n\r\n`)
    expect(reader.read(body, 0, body.length)).toBe(body.length)
    expect(reader.done).toBe(true)
  }
})
