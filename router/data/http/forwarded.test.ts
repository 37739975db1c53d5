import { describe, expect, test } from 'vitest'
import { AddressSet, parseCidr } from '../../model/cidr.ts'
import { effectiveScheme, normalizePeer, resolveClient, type Scheme } from './forwarded.ts'

const trusted = new AddressSet(['10.0.0.0/8', '192.0.2.128/25', '2001:db8:ffff::/48'].map(cidr => parseCidr(cidr)!))

describe('§10 the client behind trusted proxies (the peer is 10.0.0.1)', () => {
  const rows: readonly (readonly [name: string, lists: readonly string[], want: string])[] = [
    ['one client', ['203.0.113.7'], '203.0.113.7'],
    ['the rightmost that is not trusted', ['198.51.100.1, 203.0.113.7'], '203.0.113.7'],
    ['trusted ones are walked past', ['203.0.113.7, 10.1.2.3, 192.0.2.200'], '203.0.113.7'],
    ['what a client made up stands left of it', ['127.0.0.1, 10.9.9.9, 203.0.113.7, 10.1.2.3'], '203.0.113.7'],
    ['all trusted: the leftmost', ['10.3.3.3, 10.2.2.2, 10.1.1.1'], '10.3.3.3'],
    ['several lines are one list', ['198.51.100.1', '203.0.113.7', '10.1.2.3'], '203.0.113.7'],
    ['several lines of several', ['198.51.100.1, 203.0.113.7', '10.1.2.3, 10.1.2.4'], '203.0.113.7'],
    ['no blanks', ['198.51.100.1,203.0.113.7,10.1.2.3'], '203.0.113.7'],
    ['many blanks and tabs', [' 203.0.113.7 \t,  10.1.2.3\t'], '203.0.113.7'],
    ['a port is cut off', ['203.0.113.7:4711'], '203.0.113.7'],
    ['a port of a trusted one, too', ['203.0.113.7, 10.1.2.3:80'], '203.0.113.7'],
    ['IPv6', ['2001:db8::7'], '2001:db8::7'],
    ['IPv6 in brackets', ['[2001:db8::7]'], '2001:db8::7'],
    ['IPv6 with port', ['[2001:db8::7]:4711'], '2001:db8::7'],
    ['IPv6 behind a trusted IPv6', ['2001:db8::7, 2001:db8:ffff::1'], '2001:db8::7'],
    ['a trusted IPv4 written as IPv6', ['203.0.113.7, ::ffff:10.1.2.3'], '203.0.113.7'],
    ['the rightmost is unreadable: the peer', ['203.0.113.7, unknown'], '10.0.0.1'],
    ['an obfuscated one: the peer', ['_hidden'], '10.0.0.1'],
    ['an unreadable one in the middle ends the walk', ['203.0.113.7, unknown, 10.1.2.3'], '10.1.2.3'],
    ['a zone is unreadable', ['203.0.113.7, [fe80::1%eth0]'], '10.0.0.1'],
    ['a zone without brackets, too', ['203.0.113.7, fe80::1%eth0'], '10.0.0.1'],
    ['a name is unreadable', ['localhost'], '10.0.0.1'],
    ['a short address is unreadable', ['127.1'], '10.0.0.1'],
    ['an octal address is unreadable', ['0177.0.0.1'], '10.0.0.1'],
    ['a network is unreadable', ['203.0.113.0/24'], '10.0.0.1'],
    ['quotes are unreadable', ['"203.0.113.7"'], '10.0.0.1'],
    ['nothing', [''], '10.0.0.1'],
    ['no list', [], '10.0.0.1'],
    ['empty elements do not count', [',203.0.113.7, ,10.1.2.3,,', ''], '203.0.113.7'],
    ['nothing but commas', [', ,', ','], '10.0.0.1'],
  ]
  for (const [name, lists, want] of rows) {
    test(name, () => expect(resolveClient('10.0.0.1', lists, trusted)).toBe(want))
  }
})

describe('an element of X-Forwarded-For; null: unreadable', () => {
  const rows: readonly (readonly [text: string, want: string | null])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:0', '192.0.2.1'],
    ['192.0.2.1:65535', '192.0.2.1'],
    ['192.0.2.1:', null],
    ['192.0.2.1:123456', null],
    ['192.0.2.1:80x', null],
    ['192.0.2.1:-1', null],
    ['192.0.2.256', null],
    ['192.0.2', null],
    [':80', null],
    ['::1', '::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['[::1]', '::1'],
    ['[::1]:80', '::1'],
    ['[::1]80', null],
    ['[::1]:', null],
    ['[::1', null],
    ['::1]', null],
    ['[]', null],
    ['[', null],
    ['[192.0.2.1]', null],
    ['[[::1]]', null],
    ['[fe80::1%eth0]:80', null],
    ['fe80::1%eth0', null],
    ['192.0.2.1 192.0.2.2', null],
    ['for=192.0.2.1', null],
  ]
  for (const [text, want] of rows)
    test(JSON.stringify(text), () => expect(resolveClient('peer', [text], trusted)).toBe(want ?? 'peer'))
})

describe('trust', () => {
  const rows: readonly (readonly [address: string, want: boolean])[] = [
    ['10.255.255.255', true],
    ['11.0.0.0', false],
    ['192.0.2.127', false],
    ['192.0.2.128', true],
    ['2001:db8:ffff::1', true],
    ['2001:db8:fffe::1', false],
    // A connection that was reset before we looked has no address.
    ['', false],
  ]
  for (const [address, want] of rows) test(JSON.stringify(address), () => expect(trusted.has(address)).toBe(want))
})

describe('the peer of a socket', () => {
  const rows: readonly (readonly [address: string | undefined, want: string])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::ffff:1:2.3.4.5', '::ffff:1:203:405'],
    ['2001:DB8:0::1', '2001:db8::1'],
    ['::ffff:x.example', ''],
    ['no address', ''],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    [undefined, ''],
  ]
  for (const [address, want] of rows) test(String(address), () => expect(normalizePeer(address)).toBe(want))
})

describe('§8 the scheme that X-Forwarded-Proto says on plain HTTP', () => {
  const rows: readonly (readonly [value: string, want: Scheme])[] = [
    ['http', 'http'],
    ['HTTPS', 'http'],
    ['foo', 'http'],
    ['https, http', 'http'],
    ['https', 'https'],
    ['http,https', 'https'],
    ['https,http , https', 'https'],
    ['ws', 'ws'],
    ['wss', 'wss'],
    ['http, wss', 'wss'],
    ['', 'http'],
    ['https,', 'http'],
    [',https', 'https'],
    [' https', 'http'],
    ['https ', 'http'],
    ['http,  https', 'http'],
    ['http,\thttps', 'http'],
    ['xhttps', 'http'],
    ['httpsx', 'http'],
    ['https http', 'http'],
    ['https\nhttps', 'http'],
    ['foo, https', 'https'],
  ]
  for (const [value, want] of rows) test(JSON.stringify(value), () => expect(effectiveScheme(value)).toBe(want))
})
