// The PROXY protocol's header, octet by octet (contract section 10; HAProxy's proxy-protocol.txt).

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxHeaderLength, type ProxyHeader, parseProxyHeader } from './proxy-protocol.ts'

const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

function binary(command: number, family: number, block: readonly number[], length = block.length): Buffer {
  return Buffer.from([...signature, command, family, length >> 8, length & 0xff, ...block])
}

function parse(octets: Buffer | string): ProxyHeader {
  const buffer = Buffer.from(octets as string, 'latin1')
  // Somewhere inside of a buffer, as it comes from the kernel.
  const around = Buffer.concat([Buffer.from('PROXY'), buffer, Buffer.from('\r\n')])
  return parseProxyHeader(around, 5, 5 + buffer.length)
}

const v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0x1f, 0x90]
const v6 = (source: string): number[] => [
  ...source.split(':').flatMap(group => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  ...Array.from({ length: 20 }, () => 0),
]
const unix = Array.from({ length: 216 }, () => 0x2f)
const invalid = 'invalid'
const incomplete = 'incomplete'

/** What comes of a whole header: its source, or null for the peer itself. */
const rows: [name: string, octets: Buffer | string, want: 'invalid' | 'incomplete' | { source: string | null }][] = [
  ['v1 TCP4', 'PROXY TCP4 192.0.2.1 10.0.0.1 4711 8080\r\n', { source: '192.0.2.1' }],
  ['v1 TCP6', 'PROXY TCP6 2001:db8::1 ::1 4711 8080\r\n', { source: '2001:db8::1' }],
  ['v1 TCP6 with an IPv4 address in it', 'PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n', { source: '192.0.2.1' }],
  ['v1 the same in upper case', 'PROXY TCP6 ::FFFF:10.1.2.3 ::1 1 2\r\n', { source: '10.1.2.3' }],
  ['v1 the same in groups', 'PROXY TCP6 0:0:0:0:0:ffff:a0a:a0a ::1 1 2\r\n', { source: '10.10.10.10' }],
  ['v1 TCP6 with nearly one', 'PROXY TCP6 ::ffff:1:2.3.4.5 ::1 1 2\r\n', { source: '::ffff:1:203:405' }],
  ['v1 TCP6 at length', 'PROXY TCP6 2001:0DB8:0:0:0:0:0:0001 ::1 1 2\r\n', { source: '2001:db8::1' }],
  [
    'v1, the longest address line',
    `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`,
    { source: `${'ffff:'.repeat(7)}ffff` },
  ],
  ['v1 ports at their ends', 'PROXY TCP4 192.0.2.1 10.0.0.1 0 65535\r\n', { source: '192.0.2.1' }],
  ['v1 UNKNOWN', 'PROXY UNKNOWN\r\n', { source: null }],
  ['v1 UNKNOWN with more', 'PROXY UNKNOWN ffff::1 whatever\t there is\r\n', { source: null }],
  ['v1 UNKNOWN of 107 octets', `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`, { source: null }],
  ['v1 UNKNOWN of 108 octets', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, invalid],
  ['v1 UNKNOWNS', 'PROXY UNKNOWNS\r\n', invalid],
  ['v1 of 106 octets without an end', `PROXY UNKNOWN ${'x'.repeat(92)}`, incomplete],
  ['v1 of 107 octets without an end', `PROXY UNKNOWN ${'x'.repeat(93)}`, invalid],
  ['v1 of 107 octets that end in CR', `PROXY UNKNOWN ${'x'.repeat(92)}\r`, invalid],
  ['v1 in lower case', 'proxy TCP4 192.0.2.1 10.0.0.1 1 2\r\n', invalid],
  ['v1 protocol in lower case', 'PROXY tcp4 192.0.2.1 10.0.0.1 1 2\r\n', invalid],
  ['v1 without protocol', 'PROXY \r\n', invalid],
  ['v1 without the blank', 'PROXY\r\n', invalid],
  ['v1 two blanks', 'PROXY TCP4  192.0.2.1 10.0.0.1 1 2\r\n', invalid],
  ['v1 blank at the end', 'PROXY TCP4 192.0.2.1 10.0.0.1 1 2 \r\n', invalid],
  ['v1 LF alone', 'PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n', incomplete],
  ['v1 LF alone, then a request', `PROXY TCP4 192.0.2.1 10.0.0.1 1 2\nGET / HTTP/1.1\r\n`, invalid],
  ['v1 CR alone', 'PROXY TCP4 192.0.2.1 10.0.0.1 1 2\rX', invalid],
  ['v1 port above 65535', 'PROXY TCP4 192.0.2.1 10.0.0.1 65536 2\r\n', invalid],
  ['v1 port with a leading zero', 'PROXY TCP4 192.0.2.1 10.0.0.1 01 2\r\n', invalid],
  ['v1 port with a sign', 'PROXY TCP4 192.0.2.1 10.0.0.1 +1 2\r\n', invalid],
  ['v1 without ports', 'PROXY TCP4 192.0.2.1 10.0.0.1\r\n', invalid],
  ['v1 TCP4 with IPv6', 'PROXY TCP4 2001:db8::1 10.0.0.1 1 2\r\n', invalid],
  ['v1 TCP6 with IPv4', 'PROXY TCP6 192.0.2.1 ::1 1 2\r\n', invalid],
  ['v1 TCP6 with a zone', 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n', invalid],
  ['v1 octal address', 'PROXY TCP4 0192.0.2.01 10.0.0.1 1 2\r\n', invalid],
  ['v1 bad destination', 'PROXY TCP4 192.0.2.1 nobody 1 2\r\n', invalid],
  ['a request', 'GET / HTTP/1.1\r\n\r\n', invalid],
  ['POST, which begins alike', 'POST / HTTP/1.1\r\n\r\n', invalid],
  ['a handshake', Buffer.from([22, 3, 1, 0, 5]), invalid],
  ['an empty line', '\r\nGET / HTTP/1.1\r\n\r\n', invalid],
  ['nothing', '', incomplete],
  ['P', 'P', incomplete],
  ['CR', '\r', incomplete],
  ['v2 TCP over IPv4', binary(0x21, 0x11, v4), { source: '192.0.2.1' }],
  ['v2 TCP over IPv6', binary(0x21, 0x21, v6('2001:db8:0:0:0:0:0:1')), { source: '2001:db8::1' }],
  ['v2 IPv6, the first of two runs of zeros', binary(0x21, 0x21, v6('1:0:0:2:0:0:3:4')), { source: '1::2:0:0:3:4' }],
  ['v2 IPv6, zeros at the end', binary(0x21, 0x21, v6('2001:db8:0:0:0:0:0:0')), { source: '2001:db8::' }],
  ['v2 IPv6, a single zero stays', binary(0x21, 0x21, v6('1:2:3:0:5:6:7:8')), { source: '1:2:3:0:5:6:7:8' }],
  ['v2 IPv6, nothing but zeros', binary(0x21, 0x21, v6('0:0:0:0:0:0:0:0')), { source: '::' }],
  ['v2 IPv4 in IPv6', binary(0x21, 0x21, v6('0:0:0:0:0:ffff:c000:201')), { source: '192.0.2.1' }],
  ['v2 with TLVs', binary(0x21, 0x11, [...v4, 0x04, 0, 3, 1, 2, 3]), { source: '192.0.2.1' }],
  ['v2 LOCAL', binary(0x20, 0x00, []), { source: null }],
  ['v2 LOCAL with addresses', binary(0x20, 0x11, v4), { source: null }],
  ['v2 LOCAL with a family nobody has', binary(0x20, 0x99, [1, 2, 3]), { source: null }],
  ['v2 unspecified family', binary(0x21, 0x00, []), { source: null }],
  ['v2 unspecified family with more', binary(0x21, 0x00, [1, 2, 3]), { source: null }],
  ['v2 UDP over IPv4', binary(0x21, 0x12, v4), { source: null }],
  ['v2 UNIX', binary(0x21, 0x31, unix), { source: null }],
  ['v2 UNIX datagrams', binary(0x21, 0x32, unix), { source: null }],
  ['v2 UNIX, too short', binary(0x21, 0x31, unix.slice(1)), invalid],
  ['v2 IPv4, too short', binary(0x21, 0x11, v4.slice(1)), invalid],
  ['v2 IPv6, too short', binary(0x21, 0x21, v4), invalid],
  ['v2 family nobody has', binary(0x21, 0x41, unix), invalid],
  ['v2 transport nobody has', binary(0x21, 0x13, unix), invalid],
  ['v2 command nobody has', binary(0x22, 0x11, v4), invalid],
  ['version 1 in binary', binary(0x11, 0x11, v4), invalid],
  ['version 3', binary(0x31, 0x11, v4), invalid],
  ['v2 of 4096 octets', binary(0x20, 0x00, new Array(4096).fill(0)), { source: null }],
  ['v2 of 4097 octets', binary(0x20, 0x00, [], 4097), invalid],
  ['v2 whose last octet is to come', binary(0x21, 0x11, v4.slice(0, 11), 12), incomplete],
  ['v2 whose signature breaks off', Buffer.from([...signature.slice(0, 11), 0x0b]), invalid],
]

/** What follows the header has no part in it; a result is the same whatever comes behind. */
for (const rest of ['', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n']) {
  describe(`§10 useProxyProtocol: the header, ${rest === '' ? 'alone' : 'and a request in the same segment'}`, () => {
    for (const [name, octets, want] of rows) {
      if (rest !== '' && want === incomplete) continue
      const bytes = Buffer.from(octets as string, 'latin1')
      test(name, () => {
        const header = parse(Buffer.concat([bytes, Buffer.from(rest)]))
        if (typeof want === 'string') expect(header).toEqual({ kind: want })
        else expect(header).toEqual({ kind: 'header', length: bytes.length, source: want.source })
      })
    }
  })
}

test('a valid header is incomplete until its last octet', () => {
  for (const [name, octets, want] of rows) {
    if (typeof want === 'string') continue
    const bytes = Buffer.from(octets as string, 'latin1')
    for (let length = 0; length < bytes.length; length++)
      expect([name, length, parse(bytes.subarray(0, length)).kind]).toEqual([name, length, incomplete])
  }
})

const addressBytes = fc.uint8Array({ minLength: 12, maxLength: 12 })
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }).map(tail => Buffer.concat([Buffer.from('PROXY '), tail])),
  fc.uint8Array({ maxLength: 300 }).map(tail => Buffer.concat([Buffer.from('PROXY TCP4 '), tail])),
  fc.uint8Array({ maxLength: 300 }).map(tail => Buffer.concat([Buffer.from(signature), tail])),
  fc.tuple(fc.constantFrom(...rows), fc.nat(), fc.nat(255)).map(([[, octets], at, octet]) => {
    const bytes = Buffer.from(octets as string, 'latin1')
    if (bytes.length > 0) bytes[at % bytes.length] = octet
    return bytes
  }),
)

describe('whatever comes', () => {
  test('is judged once: more octets change nothing but "incomplete"', () => {
    fc.assert(
      fc.property(anything, fc.nat(), (bytes, cut) => {
        const whole = Buffer.from(bytes)
        const part = parse(whole.subarray(0, cut % (whole.length + 1)))
        if (part.kind !== 'incomplete') expect(parse(whole)).toEqual(part)
      }),
      { numRuns: 3000 },
    )
  })

  test('a header lies within the octets and within its bound', () => {
    fc.assert(
      fc.property(anything, bytes => {
        const header = parse(Buffer.from(bytes))
        if (header.kind !== 'header') return
        expect(header.length).toBeLessThanOrEqual(Math.min(bytes.length, maxHeaderLength))
      }),
      { numRuns: 3000 },
    )
  })

  test('no more than the bound is ever waited for', () => {
    fc.assert(
      fc.property(anything, bytes => {
        const padded = Buffer.concat([bytes, Buffer.alloc(maxHeaderLength, 0x20)])
        expect(parse(padded).kind).not.toBe('incomplete')
      }),
      { numRuns: 1000 },
    )
  })

  test('any IPv4 source comes out as it went in', () => {
    fc.assert(
      fc.property(addressBytes, bytes => {
        expect(parse(binary(0x21, 0x11, [...bytes]))).toMatchObject({ source: bytes.subarray(0, 4).join('.') })
      }),
    )
  })
})
