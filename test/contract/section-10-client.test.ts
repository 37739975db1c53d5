// Whose request it is, and who may (contract section 10).

import { expect } from 'vitest'
import { get } from '#test/support/app.ts'
import { contract, type Row } from './contract.ts'
import { app, secret } from './given.ts'

const proxy = '127.0.0.2'
const stranger = '127.0.0.3'

const lists: readonly (readonly [lines: readonly string[], client: string])[] = [
  [['192.0.2.1'], '192.0.2.1'],
  [['198.51.100.1, 192.0.2.1'], '192.0.2.1'],
  [['192.0.2.1, 127.0.0.2'], '192.0.2.1'],
  [['192.0.2.1,10.1.2.3 , 127.0.0.2'], '192.0.2.1'],
  [['198.51.100.1', '192.0.2.1'], '192.0.2.1'],
  [['192.0.2.1', '10.9.9.9'], '192.0.2.1'],
]

function forwardedFor(lines: readonly string[]): readonly string[] {
  return lines.map(line => `X-Forwarded-For: ${line}`)
}

const addresses: readonly Row[] = [
  ...lists.map(
    ([lines, client]): Row => ({
      row: `§10.1 ${lines.join(' and ')}`,
      request: { host: 'c.test', from: proxy, fields: forwardedFor(lines) },
      expect: { got: { fields: { 'x-forwarded-for': client } }, log: { 2: client } },
    }),
  ),
  {
    row: '§10.1 no list',
    request: { host: 'c.test', from: proxy },
    expect: { got: { fields: { 'x-forwarded-for': proxy } }, log: { 2: proxy } },
  },
  {
    row: '§10.2 all trusted',
    request: { host: 'c.test', from: proxy, fields: forwardedFor(['10.0.0.1, 10.0.0.2, 127.0.0.2']) },
    expect: { got: { fields: { 'x-forwarded-for': '10.0.0.1' } } },
  },
  {
    row: '§10.3 IPv4 with a port',
    request: { host: 'c.test', from: proxy, fields: forwardedFor(['192.0.2.1:4711']) },
    expect: { got: { fields: { 'x-forwarded-for': '192.0.2.1' } } },
  },
  {
    row: '§10.3 IPv6',
    request: { host: 'c.test', from: proxy, fields: forwardedFor(['2001:db8::1']) },
    expect: { got: { fields: { 'x-forwarded-for': '2001:db8::1' } }, log: { 2: '2001:db8::1' } },
  },
  {
    row: '§10.3 IPv6 in brackets with a port',
    request: { host: 'c.test', from: proxy, fields: forwardedFor(['[2001:db8::1]:443']) },
    expect: { got: { fields: { 'x-forwarded-for': '2001:db8::1' } } },
  },
  {
    row: '§10.4 rightmost is no address',
    request: { host: 'c.test', from: proxy, fields: forwardedFor(['192.0.2.1, unknown']) },
    expect: { got: { fields: { 'x-forwarded-for': proxy } } },
  },
  {
    row: '§10.4 the only one is no address',
    request: { host: 'c.test', from: proxy, fields: forwardedFor(['not an address']) },
    expect: { got: { fields: { 'x-forwarded-for': proxy } } },
  },
  {
    row: '§10.5 a stranger’s list',
    request: { host: 'c.test', from: stranger, fields: forwardedFor(['192.0.2.1']) },
    expect: { got: { fields: { 'x-forwarded-for': stranger } }, log: { 2: stranger } },
  },
  {
    row: '§10.5 by default 10.0.0.0/8 only is trusted',
    steps: [
      {
        settings: {},
        request: { host: 'c.test', from: proxy, fields: forwardedFor(['192.0.2.1']) },
        expect: { got: { fields: { 'x-forwarded-for': proxy } } },
      },
    ],
  },
  {
    row: '§10.8 without useProxyProtocol a header is no request',
    request: { host: 'c.test', first: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n' },
    expect: { status: 400, app: null },
  },
]

const text1 = (source: string, family = 'TCP4') =>
  family === 'TCP4'
    ? `PROXY TCP4 ${source} 192.0.2.99 40000 443\r\n`
    : `PROXY TCP6 ${source} 2001:db8::99 40000 443\r\n`

/** Version 2: signature, version and command, family, length, addresses, TLVs. */
function binary(
  command: 0 | 1,
  family: number,
  addresses: readonly number[],
  more: readonly number[] = [],
): Uint8Array {
  const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
  const length = addresses.length + more.length
  return Uint8Array.from([...signature, 0x20 | command, family, length >> 8, length & 255, ...addresses, ...more])
}

const v4 = [192, 0, 2, 7, 192, 0, 2, 99, 0x9c, 0x40, 0x01, 0xbb]
const v6 = [
  ...[0x20, 0x01, 0x0d, 0xb8, ...Array(11).fill(0), 7],
  ...[0x20, 0x01, 0x0d, 0xb8, ...Array(11).fill(0), 99],
  0x9c,
  0x40,
  0x01,
  0xbb,
]

const headers: readonly (readonly [what: string, first: string | Uint8Array, client: string])[] = [
  ['version 1, IPv4', text1('192.0.2.7'), '192.0.2.7'],
  ['version 1, IPv6', text1('2001:db8::7', 'TCP6'), '2001:db8::7'],
  ['version 1, UNKNOWN', 'PROXY UNKNOWN\r\n', proxy],
  ['version 1, UNKNOWN with addresses', 'PROXY UNKNOWN 192.0.2.7 192.0.2.99 1 2\r\n', proxy],
  ['version 2, IPv4', binary(1, 0x11, v4), '192.0.2.7'],
  ['version 2, IPv6', binary(1, 0x21, v6), '2001:db8::7'],
  ['version 2, LOCAL', binary(0, 0x00, []), proxy],
  ['version 2, LOCAL with addresses', binary(0, 0x11, v4), proxy],
  ['version 2, with what else it may hold', binary(1, 0x11, v4, [0x03, 0, 4, 1, 2, 3, 4]), '192.0.2.7'],
  ['version 2, of no family', binary(1, 0x00, []), proxy],
]

const invalid: readonly (readonly [what: string, first: string | Uint8Array])[] = [
  ['nothing', ''],
  ['a family that is none', 'PROXY TCP5 192.0.2.7 192.0.2.99 1 2\r\n'],
  ['an address that is none', text1('192.0.2.777')],
  ['a port that is none', 'PROXY TCP4 192.0.2.7 192.0.2.99 1 70000\r\n'],
  ['no end', `PROXY TCP4 ${'1'.repeat(200)}`],
  ['LF alone', 'PROXY TCP4 192.0.2.7 192.0.2.99 1 2\n'],
  ['small letters', 'proxy TCP4 192.0.2.7 192.0.2.99 1 2\r\n'],
  [
    'version 3',
    (() => {
      const one = binary(1, 0x11, v4)
      one[12] = 0x31
      return one
    })(),
  ],
  ['addresses cut short', binary(1, 0x11, v4.slice(0, 8))],
]

const proxied: readonly Row[] = [
  ...headers.flatMap(([what, first, client]): Row[] => [
    {
      row: `§10.7 ${what}`,
      request: { host: 'c.test', from: proxy, first },
      expect: { status: 200, got: { fields: { 'x-forwarded-for': client } }, log: { 2: client } },
    },
    {
      row: `§10.7 ${what}, over TLS`,
      request: { host: 'c.test', from: proxy, first, tls: 'c.test' },
      expect: { status: 200, got: { fields: { 'x-forwarded-for': client } } },
    },
  ]),
  ...invalid.map(
    ([what, first]): Row => ({
      row: `§10.8 ${what}`,
      request: { host: 'c.test', from: proxy, first },
      expect: { closed: true },
    }),
  ),
  {
    row: '§10.8 TLS without a header',
    request: { host: 'c.test', from: proxy, tls: 'c.test' },
    expect: { refused: true },
  },
  {
    row: '§10.6 of a stranger the header is taken off and not believed',
    request: { host: 'c.test', from: stranger, first: text1('192.0.2.7') },
    expect: { status: 200, got: { fields: { 'x-forwarded-for': stranger } } },
  },
  {
    row: '§10.6 X-Forwarded-For is ignored',
    request: { host: 'c.test', from: proxy, first: text1('192.0.2.7'), fields: forwardedFor(['198.51.100.1']) },
    expect: { got: { fields: { 'x-forwarded-for': '192.0.2.7' } } },
  },
  {
    row: '§10.6 a trusted source does not make X-Forwarded-For count',
    request: { host: 'c.test', from: proxy, first: text1('10.0.0.1'), fields: forwardedFor(['198.51.100.1']) },
    expect: { got: { fields: { 'x-forwarded-for': '10.0.0.1' } } },
  },
  { row: '§10.9 the admin port', request: { host: 'x', port: 'admin', target: '/healthz' }, expect: { status: 200 } },
  {
    row: '§10.15 a header that says port 443',
    request: { host: 'c.test', from: proxy, first: text1('192.0.2.7') },
    expect: { got: { fields: { 'x-forwarded-proto': 'http', 'x-forwarded-port': '80' } } },
  },
  {
    row: '§10.7 a header in pieces',
    run: async stage => {
      const client = await stage.connect('http', { localAddress: proxy, first: 'PRO' })
      await client.send('XY TCP4 192.0.2.7 192.0.2.99 1 2\r')
      await client.send(`\n${get('c.test')}`)
      expect((await client.response()).status).toBe(200)
      expect(stage.received.at(-1)?.raw).toContain('X-Forwarded-For: 192.0.2.7\r\n')
    },
  },
  {
    row: '§10.8 one header for a connection, not for a request',
    run: async stage => {
      const client = await stage.connect('http', { localAddress: proxy, first: text1('192.0.2.7') })
      for (let i = 0; i < 2; i++) {
        await client.send(get('c.test'))
        expect((await client.response()).status).toBe(200)
        expect(stage.received.at(-1)?.raw).toContain('X-Forwarded-For: 192.0.2.7\r\n')
      }
    },
  },
  {
    row: '§10.10 whitelists see the client of the header',
    given: [app('l/proxied', { domains: 'proxied.test', whitelist: '192.0.2.7' })],
    steps: [
      { request: { host: 'proxied.test', from: proxy, first: text1('192.0.2.7') }, expect: { status: 200 } },
      { request: { host: 'proxied.test', from: proxy, first: text1('192.0.2.8') }, expect: { status: 403 } },
      { request: { host: 'proxied.test', from: stranger, first: text1('192.0.2.7') }, expect: { status: 403 } },
    ],
  },
]

/** Settings, whitelist of the app, client, and whether it gets in. */
const whitelists: readonly (readonly [
  id: '§10.10' | '§10.11' | '§10.12',
  settings: Readonly<Record<string, string>>,
  own: string | null,
  client: string,
  isIn: boolean,
])[] = [
  ['§10.11', {}, null, '192.0.2.1', true],
  ['§10.11', {}, '192.0.2.1', '192.0.2.1', true],
  ['§10.11', {}, '192.0.2.1', '192.0.2.2', false],
  ['§10.11', { defaultWhitelist: '192.0.2.0/24' }, null, '192.0.2.9', true],
  ['§10.11', { defaultWhitelist: '192.0.2.0/24' }, null, '192.0.3.9', false],
  ['§10.11', { enforceWhitelists: 'true' }, null, '192.0.2.1', false],
  ['§10.11', { enforceWhitelists: 'true' }, '192.0.2.1', '192.0.2.1', true],
  ['§10.11', { enforceWhitelists: 'true' }, '192.0.2.1', '192.0.2.2', false],
  ['§10.11', { enforceWhitelists: 'false' }, null, '192.0.2.1', true],
  ['§10.10', { defaultWhitelist: '198.51.100.1' }, '192.0.2.1', '192.0.2.1', true],
  ['§10.10', { defaultWhitelist: '198.51.100.1' }, '192.0.2.1', '198.51.100.1', true],
  ['§10.10', { defaultWhitelist: '198.51.100.1' }, '192.0.2.1', '203.0.113.1', false],
  ['§10.10', { defaultWhitelist: '198.51.100.1', whitelistMode: 'extend' }, '192.0.2.1', '198.51.100.1', true],
  ['§10.10', { defaultWhitelist: '198.51.100.1', whitelistMode: 'override' }, '192.0.2.1', '198.51.100.1', false],
  ['§10.10', { defaultWhitelist: '198.51.100.1', whitelistMode: 'override' }, '192.0.2.1', '192.0.2.1', true],
  ['§10.10', { defaultWhitelist: '198.51.100.1', whitelistMode: 'override' }, null, '198.51.100.1', true],
  ['§10.10', { defaultWhitelist: '198.51.100.1', whitelistMode: 'override' }, '', '198.51.100.1', true],
  ['§10.10', { defaultWhitelist: '198.51.100.1', whitelistMode: 'override' }, '192.0.2.1,oops', '198.51.100.1', false],
  ['§10.12', {}, '0.0.0.0/0', '192.0.2.1', true],
  ['§10.12', {}, '0.0.0.0/0', '2001:db8::1', false],
  ['§10.12', {}, '::/0', '2001:db8::1', true],
  ['§10.12', {}, '2001:db8::/32', '2001:db8::1', true],
  ['§10.12', {}, '2001:db8::/32', '2001:db9::1', false],
]

// In groups of equal settings there is one change of the configuration for each.
const bySettings = new Map<string, (readonly [index: number, row: (typeof whitelists)[number]])[]>()
for (const [index, row] of whitelists.entries()) {
  const key = JSON.stringify(row[1])
  bySettings.set(key, [...(bySettings.get(key) ?? []), [index, row]])
}

const whitelistGroups = [...bySettings].map(([key, rows]) => ({
  name: `whitelists with ${key}`,
  settings: { ...(JSON.parse(key) as Record<string, string>), proxyRealIpCidrs: '127.0.0.2' },
  rows: rows.map(
    ([index, [id, , own, client, isIn]]): Row => ({
      row: whitelistRow(id, own, client, isIn),
      given: [app(`wl/app-${index}`, { domains: `wl-${index}.test`, ...(own !== null && { whitelist: own }) })],
      request: { host: `wl-${index}.test`, from: proxy, fields: forwardedFor([client]) },
      expect: { status: isIn ? 200 : 403, app: isIn ? `wl/app-${index}` : null },
    }),
  ),
}))

function whitelistRow(id: string, own: string | null, client: string, isIn: boolean): string {
  return `${id} ${client} is ${isIn ? 'let in' : 'kept out'}, the app's own list being ${own === null ? 'absent' : JSON.stringify(own)}`
}

const exempt: readonly Row[] = [
  { row: '§10.13 an unknown host', request: { host: 'nobody.test' }, expect: { status: 404 } },
  { row: '§10.13 /healthz', request: { host: 'nobody.test', target: '/healthz' }, expect: { status: 200 } },
  { row: '§10.13 the admin port', request: { host: 'x', port: 'admin', target: '/healthz' }, expect: { status: 200 } },
  {
    row: '§10.14 X-Forwarded-For changes nothing on the admin port',
    steps: [
      {
        settings: { proxyRealIpCidrs: '127.0.0.0/8' },
        request: { host: 'x', port: 'admin', target: '/stats', fields: forwardedFor(['192.0.2.1']) },
        expect: { status: 200 },
      },
    ],
  },
  {
    row: '§10.11 enforced, and no list anywhere',
    given: [app('x/app', 'x.test')],
    request: { host: 'x.test' },
    expect: { status: 403 },
  },
  {
    row: '§10.12 an IPv6 client and a list of IPv4',
    given: [app('x/six', { domains: 'x-six.test', whitelist: '0.0.0.0/0' })],
    steps: [
      {
        settings: { enforceWhitelists: 'true', proxyRealIpCidrs: '127.0.0.2' },
        request: { host: 'x-six.test', from: proxy, fields: forwardedFor(['2001:db8::1']) },
        expect: { status: 403 },
      },
    ],
  },
  {
    row: '§10.10 the 127.x of a client',
    given: [app('x/own', { domains: 'x-own.test', whitelist: '127.0.0.0/8' })],
    request: { host: 'x-own.test', from: '127.77.0.1' },
    expect: { status: 200 },
  },
]

const client = [app('c/app', { domains: 'c.test', certificates: 'c.test:c' }), secret('c/c-cert', 'c')]

contract([
  { name: 'X-Forwarded-For', settings: { proxyRealIpCidrs: '10.0.0.0/8, 127.0.0.2' }, given: client, rows: addresses },
  {
    name: 'PROXY protocol',
    settings: { useProxyProtocol: 'true', proxyRealIpCidrs: '10.0.0.0/8,127.0.0.2' },
    given: client,
    rows: proxied,
  },
  ...whitelistGroups,
  { name: 'where whitelists do not apply', settings: { enforceWhitelists: 'true' }, rows: exempt },
])
