// The access log, and what the admin port shows (contract section 14).

import { expect } from 'vitest'
import { get } from '#test/support/app.ts'
import { contract, type Row } from './contract.ts'
import { app, secret } from './given.ts'

const time = /^\[20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d[+-]\d\d:\d\d\]$/
const seconds = /^\d+\.\d{3}$/

const names: readonly (readonly [domain: string, host: string, shown: string])[] = [
  ['exact.test', 'EXACT.test', '"exact.test"'],
  ['*.wild.test', 'a.b.wild.test', '"*.wild.test"'],
  ['dotless', 'dotless.any.test', '"~^dotless\\x5C.(?<domain>.+)$"'],
]

const rows: readonly Row[] = [
  {
    row: '§14.1 a request that an app answers',
    request: { host: 'l.test', target: '/x?y' },
    expect: {
      log: {
        0: time,
        1: 'l/app',
        2: '127.0.0.1',
        3: '-',
        4: '200',
        5: '"GET /x?y HTTP/1.1"',
        6: /^\d+$/,
        7: '"-"',
        8: /^"row-/,
        9: '"l.test"',
        10: /^127\.0\.0\.1:\d+$/,
        11: 'l.test',
        12: seconds,
        13: seconds,
      },
    },
  },
  {
    row: '§14.1 a request that nobody answers',
    request: { host: 'nobody.test' },
    expect: {
      log: { 0: time, 1: 'router-default-vhost', 4: '404', 9: '"_"', 10: '-', 11: 'nobody.test', 12: '-', 13: seconds },
    },
  },
  {
    row: '§14.2 the user of Basic authentication',
    request: { host: 'l.test', fields: [`Authorization: Basic ${Buffer.from('jane:secret').toString('base64')}`] },
    expect: { log: { 3: 'jane' } },
  },
  {
    row: '§14.2 of another scheme there is none',
    request: { host: 'l.test', fields: ['Authorization: Bearer abc'] },
    expect: { log: { 3: '-' } },
  },
  { row: '§14.2 HTTP/1.0', request: { host: 'l.test', version: '1.0' }, expect: { log: { 5: '"GET / HTTP/1.0"' } } },
  { row: '§14.2 HEAD', request: { host: 'l.test', method: 'HEAD' }, expect: { log: { 5: '"HEAD / HTTP/1.1"' } } },
  {
    row: '§14.2 over TLS',
    request: { host: 'l.test', tls: 'l.test' },
    expect: { log: { 1: 'l/app', 5: '"GET / HTTP/1.1"' } },
  },
  {
    row: '§14.2 octets of head and body',
    run: async stage => {
      const client = await stage.connect('http')
      await client.send(get('l.test', '/count', 'User-Agent: counter'))
      const response = await client.response()
      const line = await stage.logLine('"counter"')
      expect(line.split(' - ')[6]).toBe(String(response.raw.length + response.rawBody.length))
    },
  },
  {
    row: '§14.3 Referer',
    request: { host: 'l.test', fields: ['Referer: http://a.test/?b=c'] },
    expect: { log: { 7: '"http://a.test/?b=c"' } },
  },
  {
    row: '§14.3 no User-Agent',
    run: async stage => {
      const client = await stage.connect('http')
      await client.send('GET /without-agent HTTP/1.1\r\nHost: l.test\r\n\r\n')
      await client.response()
      expect((await stage.logLine('/without-agent')).split(' - ').slice(7, 9)).toEqual(['"-"', '"-"'])
    },
  },
  ...names.map(
    ([domain, host, shown], index): Row => ({
      row: `§14.4 ${domain}`,
      given: [app(`n/name-${index}`, domain)],
      request: { host },
      expect: { log: { 9: shown, 11: host } },
    }),
  ),
  {
    row: '§14.5 no answer',
    given: [app('n/refuses', 'refuses.test', { pods: 'refusing' })],
    request: { host: 'refuses.test' },
    expect: { log: { 4: '502', 10: /^127\.0\.0\.1:\d+$/, 13: seconds } },
  },
  {
    row: '§14.5 not asked',
    given: [app('n/down', { domains: 'down.test', maintenance: 'true' })],
    request: { host: 'down.test' },
    expect: { log: { 1: 'n/down', 4: '503', 10: '-', 12: '-', 13: seconds } },
  },
  {
    row: '§14.6 capitals, port and dot',
    request: { host: 'L.Test.:8080' },
    expect: { log: { 1: 'l/app', 9: '"l.test"', 11: 'L.Test.:8080' } },
  },
  {
    row: '§14.7 a quote and a backslash',
    request: { host: 'l.test', target: '/"a\\b"' },
    expect: { log: { 5: '"GET /\\x22a\\x5Cb\\x22 HTTP/1.1"' } },
  },
  {
    row: '§14.7 octets that do not print',
    request: { host: 'l.test', fields: ['Referer: a\tb\xe9\xff\x7f~'.replace('\x7f', '')] },
    expect: { log: { 7: '"a\\x09b\\xE9\\xFF~"' } },
  },
  {
    row: '§14.7 nobody forges a part',
    request: { host: 'l.test', target: '/-', fields: ['Referer: x" - forged - "', 'X-Other: - - -'] },
    expect: { log: { 7: '"x\\x22 \\x2D forged \\x2D \\x22"', 9: '"l.test"' } },
  },
  {
    row: '§14.8 no Host',
    run: async stage => {
      const client = await stage.connect('http')
      await client.send('GET /rejected HTTP/1.1\r\nUser-Agent: rejected\r\n\r\n')
      expect((await client.response()).status).toBe(400)
      const parts = (await stage.logLine('/rejected')).split(' - ')
      expect([parts[1], parts[2], parts[4], parts[10], parts[12]]).toEqual(['', '127.0.0.1', '400', '-', '-'])
    },
  },
  { row: '§14.9 health', request: { host: 'x', port: 'admin', target: '/healthz' }, expect: { status: 200 } },
  {
    row: '§14.9 health with a slash',
    request: { host: 'x', port: 'admin', target: '/healthz/' },
    expect: { status: 200 },
  },
  {
    row: '§14.9 what there is not',
    request: { host: 'x', port: 'admin', target: '/nothing' },
    expect: { status: 404 },
  },
  {
    row: '§14.9 its requests are not in the access log',
    request: { host: 'x', port: 'admin', target: '/healthz' },
    expect: { status: 200, log: null },
  },
  ...(['/stats', '/stats/'] as const).map(
    (target): Row => ({
      row: `§14.10 ${target}`,
      request: { host: 'x', port: 'admin', target },
      expect: { status: 200, fields: { 'content-type': /^application\/json/ }, body: /^\s*\{.*l\/app/s },
    }),
  ),
  ...(['/nginx_status', '/nginx_status/', '/nginx_status?x'] as const).map(
    (target): Row => ({
      row: `§14.10 ${target}`,
      request: { host: 'x', port: 'admin', target },
      expect: { status: 200, fields: { 'content-type': /^text\/plain/ }, body: /^Active connections: \d+/ },
    }),
  ),
]

contract([
  {
    name: 'log',
    given: [app('l/app', { domains: 'l.test', certificates: 'l.test:l' }), secret('l/l-cert', 'l')],
    rows,
  },
])
