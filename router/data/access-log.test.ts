import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AccessLog, LogOctets, type LogRecord } from './access-log.ts'
import { escapeLog } from './log-escape.ts'

const time = '[2016-05-31T16:56:12+00:00]'

interface Values {
  readonly line: string
  readonly referer: string
  readonly agent: string
  readonly host: string
}

function capture(values: Values): LogOctets {
  const { line, referer, agent, host } = values
  const octets = new LogOctets()
  const source = Buffer.from(`??${line}${referer}${agent}${host}??`, 'latin1')
  const ends = [line, referer, agent, host].map(part => part.length)
  let at = 2
  const ranges = ends.flatMap(length => {
    at += length
    return [at - length, at]
  }) as [number, number, number, number, number, number, number, number]
  octets.capture(source, ...ranges)
  return octets
}

const usual: Values = { line: 'GET /x HTTP/1.1', referer: 'http://r/', agent: 'curl/8', host: 'a.example:80' }

function record(overrides: Partial<LogRecord> = {}, values: Values | null = usual): LogRecord {
  return {
    logApp: 'deis/app',
    logServerName: 'a.example',
    clientAddress: '192.0.2.1',
    logUser: '-',
    status: 200,
    bytesSent: 1234,
    upstreamName: '10.0.0.1:80',
    upstreamTime: 12,
    requestTime: 34,
    logOctets: values === null ? new LogOctets() : capture(values),
    ...overrides,
  }
}

function write(...records: readonly LogRecord[]): string {
  let text = ''
  const log = new AccessLog(lines => {
    text += Buffer.from(lines).toString('latin1')
  })
  for (const entry of records) log.write(time, entry)
  log.flush()
  return text
}

describe('§14 the line', () => {
  const rows: readonly (readonly [name: string, entry: LogRecord, want: string])[] = [
    [
      'of a request that an app answered',
      record(),
      `${time} - deis/app - 192.0.2.1 - - - 200 - "GET /x HTTP/1.1" - 1234 - "http://r/" - "curl/8" - "a.example" - 10.0.0.1:80 - a.example:80 - 0.012 - 0.034\n`,
    ],
    [
      'of one that nobody was asked for',
      record({ logApp: 'router-default-vhost', logServerName: '_', status: 404, upstreamName: '-', upstreamTime: -1 }),
      `${time} - router-default-vhost - 192.0.2.1 - - - 404 - "GET /x HTTP/1.1" - 1234 - "http://r/" - "curl/8" - "_" - - - a.example:80 - - - 0.034\n`,
    ],
    [
      'of one that failed before routing',
      record({ logApp: '', logServerName: '_', status: 400, upstreamName: '-', upstreamTime: -1 }, null),
      `${time} -  - 192.0.2.1 - - - 400 - "" - 1234 - "-" - "-" - "_" - - - - - - - 0.034\n`,
    ],
    [
      'of one that says nothing of itself',
      record({}, { line: 'GET / HTTP/1.0', referer: '', agent: '', host: '' }),
      `${time} - deis/app - 192.0.2.1 - - - 200 - "GET / HTTP/1.0" - 1234 - "-" - "-" - "a.example" - 10.0.0.1:80 - - - 0.012 - 0.034\n`,
    ],
    [
      'of a client and an endpoint with IPv6, and a user',
      record({ clientAddress: '2001:db8::1', upstreamName: '[2001:db8::2]:80', logUser: 'alice' }),
      `${time} - deis/app - 2001:db8::1 - alice - 200 - "GET /x HTTP/1.1" - 1234 - "http://r/" - "curl/8" - "a.example" - [2001:db8::2]:80 - a.example:80 - 0.012 - 0.034\n`,
    ],
    [
      'with octets that must be escaped',
      record({}, { line: 'GET /"\\\xe9 HTTP/1.1', referer: '\x00', agent: '\t"', host: 'b\xfc' }),
      `${time} - deis/app - 192.0.2.1 - - - 200 - "GET /\\x22\\x5C\\xE9 HTTP/1.1" - 1234 - "\\x00" - "\\x09\\x22" - "a.example" - 10.0.0.1:80 - b\\xFC - 0.012 - 0.034\n`,
    ],
  ]
  for (const [name, entry, want] of rows) {
    test(name, () => {
      expect(write(entry)).toBe(want)
      expect(want.split(' - ')).toHaveLength(14)
    })
  }
})

describe('§14 times are seconds with three decimals', () => {
  const rows: readonly (readonly [milliseconds: number, want: string])[] = [
    [0, '0.000'],
    [0.4, '0.000'],
    [0.5, '0.001'],
    [1, '0.001'],
    [12.3, '0.012'],
    [999.4, '0.999'],
    [999.5, '1.000'],
    [1000, '1.000'],
    [1049.6, '1.050'],
    [61_001, '61.001'],
    [-0.2, '0.000'],
    [-5, '0.000'],
  ]
  for (const [milliseconds, want] of rows) {
    test(`${milliseconds} ms`, () =>
      expect(
        write(record({ requestTime: milliseconds }))
          .trimEnd()
          .split(' - ')[13],
      ).toBe(want))
  }
})

test('any values: one line of 14 parts, each where consumers look for it', () => {
  const text = fc.string({ unit: fc.constantFrom(...' -"\\a\r\n\xff'), maxLength: 12 })
  fc.assert(
    fc.property(
      text,
      text,
      text,
      text,
      text,
      fc.integer({ min: 100, max: 599 }),
      (line, referer, agent, host, user, status) => {
        const logUser = user === '' ? '-' : escapeLog(user)
        const written = write(record({ logUser, status }, { line, referer, agent, host }))
        expect(written.indexOf('\n')).toBe(written.length - 1)
        const parts = written.slice(0, -1).split(' - ')
        expect(parts).toHaveLength(14)
        expect([parts[1], parts[3], parts[4], parts[6], parts[12], parts[13]]).toEqual([
          'deis/app',
          logUser,
          String(status),
          '1234',
          '0.012',
          '0.034',
        ])
      },
    ),
    { seed: 9112, numRuns: 1000 },
  )
})

test('what a client sends at length is cut', () => {
  const long = '"'.repeat(100_000)
  const line = write(record({}, { line: long, referer: long, agent: long, host: long }))
  const parts = line.trimEnd().split(' - ')
  expect(parts).toHaveLength(14)
  expect(parts.slice(5, 12).map(part => part.length)).toEqual([
    4 * 8192 + 2,
    4,
    4 * 2048 + 2,
    4 * 2048 + 2,
    11,
    11,
    4 * 255,
  ])
})

test('octets of one request are not seen in the line of the next', () => {
  const octets = capture({ line: 'GET /secret HTTP/1.1', referer: 'r', agent: 'a', host: 'h' })
  octets.clear()
  expect(write(record({ logOctets: octets }))).toContain(' - "" - 1234 - "-" - "-" - ')
})

test('the memory that a huge request took is given back', () => {
  const octets = capture({ ...usual, line: 'x'.repeat(8192) })
  expect(octets.buffer.length).toBeGreaterThan(8192)
  octets.clear()
  expect(octets.buffer.length).toBeLessThanOrEqual(8192)
})

test('lines are handed over whole and in order, however many there are', () => {
  const chunks: string[] = []
  const buffers = new Set<ArrayBufferLike>()
  const log = new AccessLog(lines => {
    chunks.push(Buffer.from(lines).toString('latin1'))
    // The receiver may keep or transfer the memory: nothing is written there again.
    buffers.add(lines.buffer)
    lines.fill(0)
  })
  for (let i = 0; i < 5000; i++) log.write(time, record({ bytesSent: i }))
  log.flush()
  log.flush()
  for (const chunk of chunks) expect(chunk.endsWith('\n')).toBe(true)
  expect(buffers.size).toBe(chunks.length)
  const sent = chunks
    .join('')
    .trimEnd()
    .split('\n')
    .map(line => Number(line.split(' - ')[6]))
  expect(sent).toEqual(Array.from({ length: 5000 }, (_, i) => i))
})
