// RFC 9113 sections 8.2 and 8.3: what of a request is malformed, and what it is as HTTP/1.1 otherwise.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RequestHead } from '../http/request-head.ts'
import { RequestComposer, TrailerComposer } from './request-composer.ts'

type Field = readonly [name: string, value: string]

const limits = { line: 1000, head: 4000 }
const basic: readonly Field[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'a.example'],
  [':path', '/'],
]

function compose(
  fields: readonly Field[],
  endStream = true,
): { verdict: string; text: string; composer: RequestComposer } {
  const composer = new RequestComposer()
  composer.begin(limits)
  for (const [name, value] of fields) {
    const source = Buffer.from(`..${name}${value}..`, 'latin1')
    composer.onField(source, 2, 2 + name.length, 2 + name.length, 2 + name.length + value.length)
    // As it is in a table or in the thread's buffer.
    source.fill(0xff)
  }
  composer.finish(endStream)
  return { verdict: composer.verdict, text: composer.buffer.toString('latin1', 0, composer.length), composer }
}

const without = (name: string): readonly Field[] => basic.filter(([given]) => given !== name)
const instead = (name: string, value: string): readonly Field[] =>
  basic.map(([given, usual]) => [given, given === name ? value : usual])

const good: [name: string, fields: readonly Field[], endStream: boolean, want: string][] = [
  ['a request', basic, true, 'GET / HTTP/2.0\r\nhost: a.example\r\n\r\n'],
  ['in another order', [...basic].reverse(), true, 'GET / HTTP/2.0\r\nhost: a.example\r\n\r\n'],
  [
    'with fields',
    [...basic, ['a', '1'], ['x-b', ''], ['a', '2 3']],
    true,
    'GET / HTTP/2.0\r\nhost: a.example\r\na: 1\r\nx-b: \r\na: 2 3\r\n\r\n',
  ],
  [
    'with a body of unknown length',
    basic,
    false,
    'GET / HTTP/2.0\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n',
  ],
  [
    'with a body of known length',
    [...basic, ['content-length', '5']],
    false,
    'GET / HTTP/2.0\r\nhost: a.example\r\ncontent-length: 5\r\n\r\n',
  ],
  [
    'with Host instead of :authority',
    [...without(':authority'), ['host', 'b.example']],
    true,
    'GET / HTTP/2.0\r\nhost: b.example\r\n\r\n',
  ],
  ['with both', [...basic, ['host', 'A.example']], true, 'GET / HTTP/2.0\r\nhost: a.example\r\n\r\n'],
  [
    'with cookies in pieces',
    [...basic, ['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2'], ['cookie', 'c=3']],
    true,
    'GET / HTTP/2.0\r\nhost: a.example\r\nx: y\r\ncookie: a=1; b=2; c=3\r\n\r\n',
  ],
  ['with an empty cookie', [...basic, ['cookie', '']], true, 'GET / HTTP/2.0\r\nhost: a.example\r\ncookie: \r\n\r\n'],
  ['with te', [...basic, ['te', 'trailers']], true, 'GET / HTTP/2.0\r\nhost: a.example\r\nte: trailers\r\n\r\n'],
  [
    'OPTIONS of the server as a whole',
    [...instead(':path', '*').slice(1), [':method', 'OPTIONS']],
    true,
    'OPTIONS * HTTP/2.0\r\nhost: a.example\r\n\r\n',
  ],
  [
    'CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'a.example:443'],
    ],
    true,
    'CONNECT a.example:443 HTTP/2.0\r\nhost: a.example:443\r\n\r\n',
  ],
]

describe('a good request', () => {
  for (const [name, fields, endStream, want] of good) {
    test(name, () => expect(compose(fields, endStream)).toMatchObject({ verdict: 'good', text: want }))
  }

  test('a WebSocket becomes an upgrade', () => {
    const { verdict, text } = compose([...instead(':method', 'CONNECT'), [':protocol', 'websocket']], false)
    expect(verdict).toBe('good')
    expect(text).toMatch(
      /^GET \/ HTTP\/2\.0\r\nhost: a\.example\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: .{24}\r\n\r\n$/,
    )
  })
})

const malformed: [name: string, fields: readonly Field[], endStream?: boolean][] = [
  ['no :method', without(':method')],
  ['no :scheme', without(':scheme')],
  ['no :path', without(':path')],
  ['nothing at all', []],
  ['an empty :path', instead(':path', '')],
  ['a :path that is none', instead(':path', 'x')],
  ['a :path with a blank', instead(':path', '/a b')],
  ['a :path with a fragment', instead(':path', '/a#b')],
  ['a line feed in :path', instead(':path', '/ HTTP/1.1\r\nx: y')],
  ['a line feed in :authority', instead(':authority', 'a\r\nx: y')],
  ['a line feed in :method', instead(':method', 'GET /\r\n')],
  ['a blank in :method', instead(':method', 'GET /x')],
  ['an empty :method', instead(':method', '')],
  ['another :scheme', instead(':scheme', 'ftp')],
  ['two :path', [...basic, [':path', '/']]],
  [':status', [...basic, [':status', '200']]],
  ['a pseudo-field nobody knows', [...basic, [':x', 'y']]],
  ['a pseudo-field behind another', [...basic.slice(1), ['a', 'b'], [':method', 'GET']]],
  ['capitals in a name', [...basic, ['X-a', 'b']]],
  ['an empty name', [...basic, ['', 'b']]],
  ['a blank in a name', [...basic, ['a b', 'c']]],
  ['a colon in a name', [...basic, ['a:b', 'c']]],
  ['NUL in a value', [...basic, ['a', 'b\0c']]],
  ['a line feed in a value', [...basic, ['a', 'b\nc: d']]],
  ['a carriage return in a value', [...basic, ['a', 'b\rc']]],
  ['a line feed in a long value', [...basic, ['a', `${'b'.repeat(40)}\r\nc: d`]]],
  ['a blank before a value', [...basic, ['a', ' b']]],
  ['a tab behind a value', [...basic, ['a', 'b\t']]],
  ['a line feed in a cookie', [...basic, ['cookie', 'a\r\nb: c']]],
  ['connection', [...basic, ['connection', 'close']]],
  ['keep-alive', [...basic, ['keep-alive', 'timeout=1']]],
  ['proxy-connection', [...basic, ['proxy-connection', 'close']]],
  ['transfer-encoding', [...basic, ['transfer-encoding', 'chunked']]],
  ['upgrade', [...basic, ['upgrade', 'h2c']]],
  ['te that is more than trailers', [...basic, ['te', 'trailers, gzip']]],
  ['Host that is not :authority', [...basic, ['host', 'b.example']]],
  ['a length of a body that does not come', [...basic, ['content-length', '5']]],
  ['two lengths', [...basic, ['content-length', '5'], ['content-length', '5']], false],
  ['a length that is none', [...basic, ['content-length', '+5']], false],
  ['CONNECT with a path', instead(':method', 'CONNECT')],
  ['CONNECT to nobody', [[':method', 'CONNECT']]],
  ['a protocol of another method', [...basic, [':protocol', 'websocket']]],
  ['another protocol', [...instead(':method', 'CONNECT'), [':protocol', 'connect-udp']], false],
]

describe('a malformed request', () => {
  for (const [name, fields, endStream] of malformed)
    test(name, () => expect(compose(fields, endStream ?? true).verdict).toBe('malformed'))
})

describe('too much', () => {
  const rows: [name: string, fields: readonly Field[]][] = [
    ['octets', [...basic, ['a', 'x'.repeat(4000)]]],
    ['octets, in many fields', [...basic, ...Array.from({ length: 300 }, (): Field => ['abcdef', 'ghijkl'])]],
    ['cookies', [...basic, ...Array.from({ length: 513 }, (): Field => ['cookie', ''])]],
  ]
  for (const [name, fields] of rows) test(name, () => expect(compose(fields).verdict).toBe('too-large'))

  test('a bomb: its octets are counted and not kept', () => {
    const composer = new RequestComposer()
    composer.begin(limits)
    const value = Buffer.alloc(4000, 'x')
    for (let i = 0; i < 100_000; i++) composer.onField(value, 0, 1, 1, 4000)
    expect(composer.verdict).toBe('too-large')
    expect(composer.buffer.length).toBeLessThan(10_000)
  })
})

test('whatever comes, the reader of HTTP/1.1 sees one request with just these fields', () => {
  const octets = fc.string({
    maxLength: 12,
    unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)),
  })
  const name = fc.oneof(octets, fc.constantFrom('a', 'host', 'cookie', 'te', 'content-length', 'x-forwarded-for'))
  const value = fc.oneof(octets, fc.constantFrom('trailers', 'a.example', '0', 'b\r\n\r\nGET / HTTP/1.1'))
  const pseudo = fc
    .constantFrom(...basic)
    .chain(([field, usual]) => fc.tuple(fc.constant(field), fc.oneof(octets, fc.constant(usual))))
  fc.assert(
    fc.property(
      fc.array(pseudo, { maxLength: 5 }),
      fc.array(fc.tuple(name, value), { maxLength: 6 }),
      (first, rest) => {
        const { verdict, composer } = compose([...first, ...rest])
        if (verdict !== 'good') return
        const head = new RequestHead()
        head.majorVersion = 2
        const after = head.parse(composer.buffer, 0, composer.length, limits)
        // It may be refused for what both versions refuse, but what it is does not go on behind its end.
        if (after > 0) {
          expect(after).toBe(composer.length)
          const cookies = rest.filter(([given]) => given === 'cookie').length
          const hosts = first.some(([given]) => given === ':authority') ? 1 : 0
          const dropped = hosts === 1 ? rest.filter(([given]) => given === 'host').length : 0
          expect(head.fields.count).toBe(rest.length - cookies - dropped + Math.min(cookies, 1) + hosts)
        } else expect(after).toBe(-1)
      },
    ),
    { numRuns: 2000 },
  )
})

describe('trailers', () => {
  const rows: [name: string, fields: readonly Field[], verdict: string, lines: string][] = [
    ['fields', [['a', 'b']], 'good', 'a: b\r\n'],
    ['a pseudo-field', [[':path', '/']], 'malformed', ''],
    ['a line feed', [['a', 'b\r\nc: d']], 'malformed', ''],
    ['too many octets', [['a', 'x'.repeat(5000)]], 'too-large', ''],
  ]
  for (const [name, fields, verdict, lines] of rows) {
    test(name, () => {
      const composer = new TrailerComposer()
      composer.begin(limits)
      for (const [field, value] of fields) {
        const source = Buffer.from(field + value, 'latin1')
        composer.onField(source, 0, field.length, field.length, source.length)
      }
      expect(composer.lines.verdict).toBe(verdict)
      if (verdict === 'good') expect(composer.lines.buffer.toString('latin1', 0, composer.lines.at)).toBe(lines)
    })
  }
})
