import { describe, expect, test } from 'vitest'
import { fieldId, maxFields } from './fields.ts'
import { ResponseHead } from './response-head.ts'

const usualLimit = 64 * 1024

interface HeadSummary {
  readonly kind: 'head'
  readonly length: number
  readonly status: number
  readonly reason: string
  readonly minorVersion: number
  readonly contentLength: number
  readonly chunked: boolean
  readonly close: boolean
  readonly keepAlive: boolean
  readonly keepAliveTimeout: number
  readonly fields: readonly (readonly [id: number, line: string, value: string, from: number, to: number])[]
}

type Summary = HeadSummary | { readonly kind: 'incomplete' | 'refused' }

/** Reads `octets` cut at `cuts` (ascending), each time from another buffer, as a connection does. */
function read(octets: Buffer, cuts: readonly number[] = [], limit = usualLimit): Summary {
  const head = new ResponseHead()
  head.reset()
  const ends = [...cuts, octets.length]
  let base = 5
  let buffer = place(octets, ends[0]!, base)
  let result = head.parse(buffer, base, base + ends[0]!, limit)
  for (let i = 1; i < ends.length && result === 0; i++) {
    const next = i % 2 === 0 ? 20 + i : 0
    buffer = place(octets, ends[i]!, next)
    head.rebase(next - base)
    base = next
    result = head.parse(buffer, head.resume, base + ends[i]!, limit)
  }
  if (result <= 0) return { kind: result === 0 ? 'incomplete' : 'refused' }
  const { fields, framing, status, minorVersion, keepAliveTimeout } = head
  const text = (from: number, to: number): string => buffer.toString('latin1', from, to)
  const summary: HeadSummary = {
    kind: 'head',
    length: result - base,
    status,
    reason: text(head.reasonStart, head.reasonEnd),
    minorVersion,
    contentLength: framing.contentLength,
    chunked: framing.chunked,
    close: framing.close,
    keepAlive: framing.keepAlive,
    keepAliveTimeout,
    fields: Array.from({ length: fields.count }, (_, i) => [
      fields.id[i]!,
      text(fields.lineStart[i]!, fields.lineEnd[i]!),
      text(fields.valueStart[i]!, fields.valueEnd[i]!),
      fields.lineStart[i]! - base,
      fields.lineEnd[i]! - base,
    ]),
  }
  return summary
}

function place(octets: Buffer, end: number, base: number): Buffer {
  const buffer = Buffer.alloc(base + octets.length + 40, 0x41)
  octets.copy(buffer, base, 0, end)
  return buffer
}

/** Every way to cut the octets in two must give what they give whole; and so must one octet at a time. */
function readEveryWay(octets: Buffer, limit: number): Summary {
  const whole = read(octets, [], limit)
  const few = octets.length <= 600
  const cuts = few
    ? Array.from({ length: octets.length - 1 }, (_, i) => i + 1)
    : [1, 13, octets.length >> 1, octets.length - 3, octets.length - 2, octets.length - 1]
  for (const cut of cuts) expect(read(octets, [cut], limit), `cut at ${cut}`).toEqual(whole)
  expect(read(octets, cuts, limit), 'in small pieces').toEqual(whole)
  return whole
}

const ok = (fields: string): string => `HTTP/1.1 200 OK\r\n${fields}\r\n`

const refused: readonly (readonly [name: string, octets: string, limit?: number])[] = [
  ['another protocol', 'SSH-2.0-OpenSSH_10.2\r\n'],
  ['a body without a head', '<html></html>'],
  ['http in lower case', 'http/1.1 200 OK\r\n\r\n'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n'],
  ['HTTP/0.9', 'HTTP/0.9 200 OK\r\n\r\n'],
  ['version with two digits', 'HTTP/1.10 200 OK\r\n\r\n'],
  ['ICY', 'ICY 200 OK\r\n\r\n'],
  ['a leading empty line', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['two blanks before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['tab before the status', 'HTTP/1.1\t200 OK\r\n\r\n'],
  ['tab behind the status', 'HTTP/1.1 200\tOK\r\n\r\n'],
  ['status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['status with sign', 'HTTP/1.1 +20 OK\r\n\r\n'],
  ['status in letters', 'HTTP/1.1 2OO OK\r\n\r\n'],
  ['status 099', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['status 000', 'HTTP/1.1 000 OK\r\n\r\n'],
  ['status 600', 'HTTP/1.1 600 OK\r\n\r\n'],
  ['status 999', 'HTTP/1.1 999 OK\r\n\r\n'],
  ['no status', 'HTTP/1.1\r\n\r\nxxxxx'],
  ['bare LF behind the status line', 'HTTP/1.1 200 OK\nX: y\r\n\r\n'],
  ['bare LF behind the status', 'HTTP/1.1 200\nX: y\r\n\r\n'],
  ['bare CR behind the status line', 'HTTP/1.1 200 OK\rX: y\r\n\r\n'],
  ['NUL in the reason', 'HTTP/1.1 200 O\x00K\r\n\r\n'],
  ['escape in the reason', 'HTTP/1.1 200 \x1b[1mOK\r\n\r\n'],
  ['bare LF behind a field', 'HTTP/1.1 200 OK\r\nX: y\nZ: w\r\n\r\n'],
  ['bare CR in a value', ok('X: a\rb\r\n')],
  ['NUL in a value', ok('X: a\x00b\r\n')],
  ['DEL in a value', ok('X: a\x7fb\r\n')],
  ['obs-fold with SP', ok('X: a\r\n b\r\n')],
  ['obs-fold with HTAB', ok('X: a\r\n\tb\r\n')],
  ['blank before the colon', ok('Content-Length : 5\r\n')],
  ['no colon', ok('X\r\n')],
  ['no name', ok(': x\r\n')],
  ['8-bit octet in a name', ok('X\xe9: y\r\n')],
  ['Content-Length with Transfer-Encoding', ok('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')],
  ['Content-Length twice', ok('Content-Length: 5\r\nContent-Length: 5\r\n')],
  ['Content-Length as a list', ok('Content-Length: 5, 5\r\n')],
  ['Content-Length with plus', ok('Content-Length: +5\r\n')],
  ['Content-Length of nothing', ok('Content-Length:\r\n')],
  ['Content-Length of 17 digits', ok('Content-Length: 10000000000000000\r\n')],
  ['Transfer-Encoding twice', ok('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n')],
  ['Transfer-Encoding of two codings', ok('Transfer-Encoding: gzip, chunked\r\n')],
  ['Transfer-Encoding of identity', ok('Transfer-Encoding: identity\r\n')],
  ['Transfer-Encoding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['more fields than may be', ok('X: y\r\n'.repeat(maxFields + 1))],
  ['a head larger than heads may be', ok(`X: ${'a'.repeat(60)}\r\n`), 80],
  ['a status line larger than heads may be', `HTTP/1.1 200 ${'a'.repeat(80)}\r\n\r\n`, 80],
  ['a status line without end', `HTTP/1.1 200 ${'a'.repeat(80)}`, 80],
  ['a field without end', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(80)}`, 80],
  ['a bad octet behind the limit', ok(`X: ${'a'.repeat(60)}\x00\r\n`), 80],
  ['more nominations than may be', ok('Connection: x\r\n'.repeat(33))],
]

describe('refused', () => {
  for (const [name, text, limit = usualLimit] of refused) {
    test(name, () => expect(readEveryWay(Buffer.from(text, 'latin1'), limit)).toEqual({ kind: 'refused' }))
  }
})

const accepted: readonly (readonly [name: string, octets: string, facts: Partial<HeadSummary>, limit?: number])[] = [
  [
    'the shortest',
    'HTTP/1.1 200 \r\n\r\n',
    { status: 200, reason: '', minorVersion: 1, contentLength: -1, chunked: false },
  ],
  ['no blank behind the status', 'HTTP/1.1 200\r\n\r\n', { status: 200, reason: '' }],
  ['a reason of several words', 'HTTP/1.1 404 Not  Found \r\n\r\n', { status: 404, reason: 'Not  Found ' }],
  ['a reason of 8-bit octets', 'HTTP/1.1 200 \xe9\t\xff\r\n\r\n', { reason: '\xe9\t\xff' }],
  ['a long reason', `HTTP/1.1 200 ${'a'.repeat(5000)}\r\n\r\n`, { reason: 'a'.repeat(5000) }],
  ['status 100', 'HTTP/1.1 100 Continue\r\n\r\n', { status: 100 }],
  [
    'status 101',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    { status: 101 },
  ],
  ['status 599', 'HTTP/1.1 599 X\r\n\r\n', { status: 599 }],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\n', { minorVersion: 0 }],
  ['Content-Length', ok('Content-Length: 5\r\n'), { contentLength: 5 }],
  ['Content-Length of 0', ok('content-length: 0\r\n'), { contentLength: 0 }],
  ['Transfer-Encoding', ok('Transfer-Encoding: CHUNKED\r\n'), { chunked: true }],
  ['Connection: close', ok('Connection: close\r\n'), { close: true }],
  ['Connection: keep-alive', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n', { keepAlive: true, minorVersion: 0 }],
  ['Keep-Alive', ok('Keep-Alive: timeout=5\r\n'), { keepAliveTimeout: 5 }],
  ['Keep-Alive with other parameters', ok('Keep-Alive: max=100, timeout=15, x\r\n'), { keepAliveTimeout: 15 }],
  ['Keep-Alive in other letters', ok('keep-alive: Timeout=7\r\n'), { keepAliveTimeout: 7 }],
  ['Keep-Alive of 0', ok('Keep-Alive: timeout=0\r\n'), { keepAliveTimeout: 0 }],
  ['Keep-Alive that says nothing', ok('Keep-Alive: max=100\r\n'), { keepAliveTimeout: -1 }],
  ['Keep-Alive that ends early', ok('Keep-Alive: timeout=\r\n'), { keepAliveTimeout: -1 }],
  ['Keep-Alive beyond measure', ok('Keep-Alive: timeout=99999999999999999999\r\n'), { keepAliveTimeout: 999_999 }],
  ['no Keep-Alive', ok(''), { keepAliveTimeout: -1 }],
  [
    'fields, their ids and positions',
    ok('Server: nginx\r\nx_a: \t1 \r\nX-B: 2\r\nConnection: X-b\r\nX-Accel-Buffering: no\r\nDate:\r\n'),
    {
      fields: [
        [fieldId.server, 'Server: nginx\r\n', 'nginx', 17, 32],
        [fieldId.other, 'x_a: \t1 \r\n', '1', 32, 42],
        [fieldId.dropped, 'X-B: 2\r\n', '2', 42, 50],
        [fieldId.connection, 'Connection: X-b\r\n', 'X-b', 50, 67],
        [fieldId.xAccel, 'X-Accel-Buffering: no\r\n', 'no', 67, 90],
        [fieldId.date, 'Date:\r\n', '', 90, 97],
      ],
    },
  ],
  ['as many fields as may be', ok('X: y\r\n'.repeat(maxFields)), { length: 19 + maxFields * 6 }],
  ['a head as large as it may be', ok(`X: ${'a'.repeat(56)}\r\n`), { length: 80 }, 80],
]

describe('accepted', () => {
  for (const [name, text, facts, limit = usualLimit] of accepted) {
    test(name, () => {
      const head = Buffer.from(text, 'latin1')
      const summary = readEveryWay(head, limit)
      expect(summary).toMatchObject({ kind: 'head', length: head.length, ...facts })
      // What follows is not touched, whatever it is.
      expect(read(Buffer.concat([head, Buffer.from('\x00\r\n\r\n')]), [], limit)).toEqual(summary)
    })
  }
})

test('an incomplete head stays incomplete', () => {
  const head = Buffer.from(ok('X: y\r\n'))
  for (let end = 0; end < head.length; end++)
    expect(read(head.subarray(0, end)).kind, `${end} octets`).toBe('incomplete')
})

test('heads follow one another: interim answers, then the final one', () => {
  const octets = Buffer.from(
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  )
  const head = new ResponseHead()
  head.reset()
  const first = head.parse(octets, 0, octets.length, 80)
  expect([head.status, head.fields.count]).toEqual([103, 1])
  head.reset()
  expect(head.parse(octets, first, octets.length, 80)).toBe(octets.length)
  expect([head.status, head.framing.contentLength, head.fields.count]).toEqual([200, 0, 1])
})

test('no octet is read over and over, however small the pieces are', () => {
  const octets = Buffer.from(`HTTP/1.1 200 ${'a'.repeat(3000)}\r\nX:${' '.repeat(3000)}${'a'.repeat(3000)}\r\n\r\n`)
  let reads = 0
  const counted = new Proxy(octets, {
    get(target, key) {
      reads++
      return Reflect.get(target, key)
    },
  })
  const head = new ResponseHead()
  head.reset()
  let result = head.parse(counted, 0, 1, usualLimit)
  for (let end = 2; end <= octets.length && result === 0; end++)
    result = head.parse(counted, head.resume, end, usualLimit)
  expect(result).toBe(octets.length)
  expect(reads / octets.length).toBeLessThan(20)
})
