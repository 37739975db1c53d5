// What the client receives (contract sections 12 and 13).

import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { expect } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { type Ask, ask, contract, type Fields, type Row } from './contract.ts'
import { app } from './given.ts'

const id = /^[0-9a-f]{32}$/

const ids: readonly Row[] = [
  {
    row: '§12.1 200',
    request: { host: 'i.test' },
    expect: { status: 200, fields: { 'x-request-id': id, 'x-correlation-id': id } },
  },
  {
    row: '§12.1 301',
    given: [app('i/enforced', { domains: 'i-enforced.test', 'ssl.enforce': 'true' })],
    request: { host: 'i-enforced.test' },
    expect: { status: 301, fields: { 'x-request-id': id, 'x-correlation-id': id } },
  },
  {
    row: '§12.1 403',
    given: [app('i/listed', { domains: 'i-listed.test', whitelist: '192.0.2.1' })],
    request: { host: 'i-listed.test' },
    expect: { status: 403, fields: { 'x-request-id': id } },
  },
  {
    row: '§12.1 502',
    given: [app('i/refused', 'i-refused.test', { pods: 'refusing' })],
    request: { host: 'i-refused.test' },
    expect: { status: 502, fields: { 'x-request-id': id } },
  },
  {
    row: '§12.1 503',
    given: [app('i/empty', 'i-empty.test', { pods: 'none' })],
    request: { host: 'i-empty.test', fields: ['X-Correlation-Id: mine'] },
    expect: { status: 503, fields: { 'x-request-id': id, 'x-correlation-id': /^mine,/ } },
  },
  {
    row: '§12.1 504',
    given: [app('i/silent', { domains: 'i-silent.test', tcpTimeout: '300ms' }, { answer: { kind: 'silence' } })],
    request: { host: 'i-silent.test' },
    expect: { status: 504, fields: { 'x-request-id': id } },
  },
  {
    row: '§12.1 413',
    request: { bytes: 'POST / HTTP/1.1\r\nHost: i.test\r\nContent-Length: 2000000\r\n\r\n' },
    expect: { status: 413, fields: { 'x-request-id': id } },
  },
  {
    row: '§12.1 not on maintenance',
    given: [app('i/down', { domains: 'i-down.test', maintenance: 'true' })],
    request: { host: 'i-down.test' },
    expect: { status: 503, fields: { 'x-request-id': null, 'x-correlation-id': null } },
  },
  {
    row: '§12.1 not on the default host',
    request: { host: 'nobody.test' },
    expect: { status: 404, fields: { 'x-request-id': null, 'x-correlation-id': null } },
  },
  {
    row: '§12.1 in place of the app’s own',
    given: [app('i/own', 'i-own.test', { answer: ok('x', 'X-Request-Id: app', 'X-Correlation-Id: app') })],
    request: { host: 'i-own.test' },
    expect: { fields: { 'x-request-id': id, 'x-correlation-id': id } },
  },
]

const date = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

const passing: readonly Row[] = [
  {
    row: '§12.2 those of the app',
    given: [
      app('f/server', 'server.test', {
        answer: ok('x', 'Server: Apache', 'Date: Thu, 01 Jan 1970 00:00:00 GMT', 'X-Powered-By: PHP'),
      }),
    ],
    request: { host: 'server.test' },
    expect: { fields: { server: /^deis-router\//, date: /^(?!.*1970)/, 'x-powered-by': 'PHP' } },
  },
  {
    row: '§12.2 where the app has none',
    given: [app('f/none', 'none.test', { answer: ok('x') })],
    request: { host: 'none.test' },
    expect: { fields: { server: /^deis-router\//, date } },
  },
  {
    row: '§12.3 all of them',
    given: [
      app('f/accel', 'accel.test', {
        answer: ok(
          'mine',
          'X-Accel-Redirect: /secret',
          'X-Accel-Buffering: no',
          'X-Accel-Charset: utf-8',
          'X-Accel-Expires: 10',
          'X-Accel-Limit-Rate: 10',
          'X-Accelerated: yes',
        ),
      }),
    ],
    request: { host: 'accel.test' },
    expect: {
      status: 200,
      body: 'mine',
      app: 'f/accel',
      fields: {
        'x-accel-redirect': null,
        'x-accel-buffering': null,
        'x-accel-charset': null,
        'x-accel-expires': null,
        'x-accel-limit-rate': null,
        'x-accelerated': 'yes',
      },
    },
  },
  ...(['http://f.test:5000/x', 'http://10.0.0.1/', '/relative', 'https://other.test/'] as const).map(
    (location, index): Row => ({
      row: `§12.4 ${location}`,
      given: [
        app(`f/location-${index}`, `location-${index}.test`, {
          answer: `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`,
        }),
      ],
      request: { host: `location-${index}.test` },
      expect: { status: 302, fields: { location } },
    }),
  ),
  {
    row: '§12.14 events one by one',
    given: [app('f/events', 'events.test', { answer: { kind: 'by hand' } })],
    run: async stage => {
      const client = await stage.connect('http')
      await client.send(get('events.test', '/', 'Accept-Encoding: gzip'))
      const pod = await stage.rawPod('f/events')
      await pod.head()
      await pod.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
      expect((await client.head()).line).toBe('HTTP/1.1 200 OK')
      for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
        await pod.send(event)
        await client.queue.takeThrough(event)
      }
      await pod.reset()
      await client.ended()
    },
  },
  {
    row: '§12.14 compressed octets do not wait for more either',
    given: [app('f/slow', 'slow.test', { answer: { kind: 'by hand' } })],
    run: async stage => {
      const client = await stage.connect('http')
      await client.send(get('slow.test', '/', 'Accept-Encoding: gzip'))
      const pod = await stage.rawPod('f/slow')
      await pod.head()
      await pod.send('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n')
      await client.head()
      // The first chunk of a gzip stream that holds what has come so far.
      await client.queue.takeThrough('\r\n')
      await client.queue.take(2)
      await pod.send('6\r\nsecond\r\n0\r\n\r\n')
      await client.queue.takeThrough('0\r\n\r\n')
    },
  },
]

const withPolicy = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308]
const withoutPolicy = [202, 400, 401, 403, 404, 410, 500, 503]
const policies: readonly Row[] = [...withPolicy, ...withoutPolicy].map(status => ({
  row: `§12.5 on ${status}${withPolicy.includes(status) ? '' : ' there is none'}`,
  given: [app(`p/s${status}`, `p${status}.test`, { answer: statusAnswer(status) })],
  request: { host: `p${status}.test` },
  expect: { status, fields: { 'referrer-policy': withPolicy.includes(status) ? 'strict-origin' : null } },
}))

function statusAnswer(status: number, ...fields: readonly string[]): string {
  const body = status === 204 || status === 304 ? '' : 'Content-Length: 0\r\n'
  return `HTTP/1.1 ${status} Status\r\n${fields.map(field => `${field}\r\n`).join('')}${body}\r\n`
}

const long = 'compress me, compress me, '.repeat(40)
const typed = (type: string, body = long, ...more: readonly string[]) => ok(body, `Content-Type: ${type}`, ...more)

interface Compression {
  readonly row: string
  readonly answer?: string
  /** Accept-Encoding; null: no such field. */
  readonly accepts?: string | null
  readonly request?: Partial<Ask>
  /** The coding of the answer; null: none. */
  readonly coding: 'gzip' | 'br' | 'zstd' | null
  /** Whether Vary has Accept-Encoding. */
  readonly varies?: boolean
  readonly fields?: Fields
}

const compressions: readonly Compression[] = [
  { row: '§12.6 gzip', accepts: 'gzip', coding: 'gzip', varies: true },
  { row: '§12.6 no field', accepts: null, coding: null, varies: true },
  { row: '§12.6 identity', accepts: 'identity', coding: null, varies: true },
  { row: '§12.6 * alone', accepts: '*', coding: null, varies: true },
  { row: '§12.6 a weight', accepts: 'gzip;q=0.5', coding: 'gzip' },
  { row: '§12.6 a weight of 0', accepts: 'gzip;q=0', coding: null },
  { row: '§12.6 a weight of 0.000', accepts: 'gzip; q=0.000', coding: null },
  { row: '§12.6 among others', accepts: 'deflate, gzip', coding: 'gzip' },
  { row: '§12.6 deflate alone', accepts: 'deflate', coding: null },
  { row: '§12.6 HTTP/1.0', accepts: 'gzip', request: { version: '1.0' }, coding: null },
  { row: '§12.6 over POST', accepts: 'gzip', request: { method: 'POST', body: 'x' }, coding: 'gzip' },
  {
    row: '§12.7 404',
    answer: typed('text/plain').replace('200 OK', '404 Not Found'),
    accepts: 'gzip',
    coding: 'gzip',
    varies: true,
  },
  {
    row: '§12.7 403',
    answer: typed('text/plain').replace('200 OK', '403 Forbidden'),
    accepts: 'gzip',
    coding: 'gzip',
    varies: true,
  },
  {
    row: '§12.7 500',
    answer: typed('text/plain').replace('200 OK', '500 Oh'),
    accepts: 'gzip',
    coding: null,
    varies: false,
  },
  {
    row: '§12.7 201',
    answer: typed('text/plain').replace('200 OK', '201 Created'),
    accepts: 'gzip',
    coding: null,
    varies: false,
  },
  {
    row: '§12.7 206',
    answer: typed('text/plain').replace('200 OK', '206 Part'),
    accepts: 'gzip',
    coding: null,
    varies: false,
  },
  { row: '§12.7 HTML', answer: typed('text/html; charset=utf-8'), accepts: 'gzip', coding: 'gzip' },
  { row: '§12.7 JSON in capitals', answer: typed('Application/JSON'), accepts: 'gzip', coding: 'gzip' },
  { row: '§12.7 CSS', answer: typed('text/css'), accepts: 'gzip', coding: 'gzip' },
  { row: '§12.7 application/javascript', answer: typed('application/javascript'), accepts: 'gzip', coding: 'gzip' },
  {
    row: '§12.7 text/javascript is not in the list',
    answer: typed('text/javascript'),
    accepts: 'gzip',
    coding: null,
    varies: false,
  },
  { row: '§12.7 an image', answer: typed('image/png'), accepts: 'gzip', coding: null, varies: false },
  { row: '§12.7 no type', answer: ok(long), accepts: 'gzip', coding: null, varies: false },
  {
    row: '§12.7 a coding of the app',
    answer: typed('text/plain', long, 'Content-Encoding: x-own'),
    accepts: 'gzip',
    coding: null,
    fields: { 'content-encoding': 'x-own' },
  },
  {
    row: '§12.8 256 octets',
    answer: typed('text/plain', 'x'.repeat(256)),
    accepts: 'gzip',
    coding: 'gzip',
    varies: true,
  },
  {
    row: '§12.8 255 octets',
    answer: typed('text/plain', 'x'.repeat(255)),
    accepts: 'gzip',
    coding: null,
    varies: false,
  },
  {
    row: '§12.8 20 octets in chunks',
    answer:
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n0\r\n\r\n',
    accepts: 'gzip',
    coding: 'gzip',
    varies: true,
  },
  {
    row: '§12.9 no length, and chunks instead',
    accepts: 'gzip',
    coding: 'gzip',
    fields: { 'content-length': null, 'transfer-encoding': 'chunked' },
  },
  {
    row: '§12.9 a strong ETag',
    answer: typed('text/plain', long, 'ETag: "abc"'),
    accepts: 'gzip',
    coding: 'gzip',
    fields: { etag: 'W/"abc"' },
  },
  {
    row: '§12.9 a weak ETag',
    answer: typed('text/plain', long, 'ETag: W/"abc"'),
    accepts: 'gzip',
    coding: 'gzip',
    fields: { etag: 'W/"abc"' },
  },
  {
    row: '§12.9 an ETag of what is not compressed',
    answer: typed('image/png', long, 'ETag: "abc"'),
    accepts: 'gzip',
    coding: null,
    fields: { etag: '"abc"' },
  },
  {
    row: '§12.9 HEAD',
    answer: `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: "abc"\r\nContent-Length: 1000\r\n\r\n`,
    request: { method: 'HEAD' },
    accepts: 'gzip',
    coding: 'gzip',
    varies: true,
    fields: { 'content-length': null, etag: 'W/"abc"' },
  },
  {
    row: '§12.10 beside the app’s Vary',
    answer: typed('text/plain', long, 'Vary: Cookie'),
    accepts: 'gzip',
    coding: 'gzip',
    varies: true,
  },
  {
    row: '§12.10 once, if the app has it',
    answer: typed('text/plain', long, 'Vary: Accept-Encoding'),
    accepts: 'gzip',
    coding: 'gzip',
    varies: true,
  },
  { row: '§12.12 any: a request with Via', accepts: 'gzip', request: { fields: ['Via: 1.1 other'] }, coding: 'gzip' },
  {
    row: '§12.11 a user agent that cannot',
    accepts: 'gzip',
    request: { fields: ['User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)'] },
    coding: null,
  },
  {
    row: '§12.11 MSIE 6 of Service Pack 2 can',
    accepts: 'gzip',
    request: { fields: ['User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)'] },
    coding: 'gzip',
  },
  { row: '§12.13 brotli', accepts: 'br', coding: 'br', varies: true },
  { row: '§12.13 zstd', accepts: 'zstd', coding: 'zstd', varies: true },
  { row: '§12.13 a client that prefers gzip', accepts: 'gzip;q=1, br;q=0.5, zstd;q=0.1', coding: 'gzip' },
]

const changed: readonly (Compression & { readonly settings: Readonly<Record<string, string>> })[] = [
  { row: '§12.11 switched off', settings: { 'gzip.enabled': 'false' }, accepts: 'gzip', coding: null, varies: false },
  {
    row: '§12.11 from HTTP/1.0 on',
    settings: { 'gzip.httpVersion': '1.0' },
    accepts: 'gzip',
    request: { version: '1.0' },
    coding: 'gzip',
  },
  { row: '§12.11 level 9', settings: { 'gzip.compLevel': '9' }, accepts: 'gzip', coding: 'gzip' },
  { row: '§12.11 level 1', settings: { 'gzip.compLevel': '1' }, accepts: 'gzip', coding: 'gzip' },
  {
    row: '§12.11 a type of one’s own',
    settings: { 'gzip.types': 'text/javascript' },
    answer: typed('text/javascript'),
    accepts: 'gzip',
    coding: 'gzip',
  },
  {
    row: '§12.11 and the others no more',
    settings: { 'gzip.types': 'text/javascript' },
    answer: typed('text/plain'),
    accepts: 'gzip',
    coding: null,
  },
  {
    row: '§12.11 but HTML always',
    settings: { 'gzip.types': 'text/javascript' },
    answer: typed('text/html'),
    accepts: 'gzip',
    coding: 'gzip',
  },
  {
    row: '§12.11 another user agent',
    settings: { 'gzip.disable': 'Curl/7\\. msie6' },
    accepts: 'gzip',
    request: { fields: ['User-Agent: curl/7.1'] },
    coding: null,
  },
  {
    row: '§12.11 not that one',
    settings: { 'gzip.disable': 'Curl/7\\. msie6' },
    accepts: 'gzip',
    request: { fields: ['User-Agent: curl/8.1'] },
    coding: 'gzip',
  },
  { row: '§12.11 no Vary', settings: { 'gzip.vary': 'off' }, accepts: 'gzip', coding: 'gzip', varies: false },
  {
    row: '§12.8 a minLength of one’s own',
    settings: { 'gzip.minLength': '0' },
    answer: typed('text/plain', 'x'),
    accepts: 'gzip',
    coding: 'gzip',
  },
  {
    row: '§12.12 off',
    settings: { 'gzip.proxied': 'off' },
    accepts: 'gzip',
    request: { fields: ['Via: 1.1 other'] },
    coding: null,
  },
  { row: '§12.12 off, without Via', settings: { 'gzip.proxied': 'off' }, accepts: 'gzip', coding: 'gzip' },
  {
    row: '§12.12 no-store, and it is',
    settings: { 'gzip.proxied': 'no-store' },
    answer: typed('text/plain', long, 'Cache-Control: no-store'),
    accepts: 'gzip',
    request: { fields: ['Via: 1.1 other'] },
    coding: 'gzip',
  },
  {
    row: '§12.12 no-store, and it is not',
    settings: { 'gzip.proxied': 'no-store' },
    answer: typed('text/plain', long, 'Cache-Control: max-age=5'),
    accepts: 'gzip',
    request: { fields: ['Via: 1.1 other'] },
    coding: null,
  },
  {
    row: '§12.12 auth',
    settings: { 'gzip.proxied': 'auth' },
    accepts: 'gzip',
    request: { fields: ['Via: 1.1 other', 'Authorization: Basic YTpi'] },
    coding: 'gzip',
  },
  {
    row: '§12.12 no_etag',
    settings: { 'gzip.proxied': 'no_etag' },
    answer: typed('text/plain', long, 'ETag: "a"'),
    accepts: 'gzip',
    request: { fields: ['Via: 1.1 other'] },
    coding: null,
  },
  { row: '§12.13 brotli switched off', settings: { 'brotli.enabled': 'false' }, accepts: 'br', coding: null },
  { row: '§12.13 zstd switched off', settings: { 'zstd.enabled': 'false' }, accepts: 'zstd', coding: null },
  {
    row: '§12.13 both switched off: gzip',
    settings: { 'brotli.enabled': 'false', 'zstd.enabled': 'false' },
    accepts: 'gzip, br, zstd',
    coding: 'gzip',
  },
]

function bodyOf(answer: string): string {
  if (!answer.includes('chunked')) return answer.slice(answer.indexOf('\r\n\r\n') + 4)
  return '01234567890123456789'
}

function compressionRow(one: Compression, serial: string): Row {
  const { answer = typed('text/plain'), accepts, request, coding, varies, fields } = one
  const host = `z-${serial}.test`
  const accept = accepts === null || accepts === undefined ? [] : [`Accept-Encoding: ${accepts}`]
  return {
    row: one.row,
    given: [app(`z/${serial}`, host, { answer })],
    run: async stage => {
      const response = await ask(stage, { ...request, host, fields: [...accept, ...(request?.fields ?? [])] })
      const shown = fieldValue(response, 'content-encoding') ?? null
      expect(shown).toBe(fields?.['content-encoding'] ?? coding)
      const body = shown === coding ? decoded(response.body, request?.method === 'HEAD' ? null : coding) : response.body
      expect(body.toString('latin1')).toBe(request?.method === 'HEAD' ? '' : bodyOf(answer))
      const vary = response.fields
        .filter(({ name }) => name.toLowerCase() === 'vary')
        .flatMap(({ value }) => value.split(/ *, */))
      if (varies !== undefined)
        expect(vary.filter(name => name.toLowerCase() === 'accept-encoding')).toHaveLength(varies ? 1 : 0)
      if (/Vary: Cookie/.test(answer)) expect(vary).toContain('Cookie')
      for (const [name, want] of Object.entries(fields ?? {}))
        expect([name, fieldValue(response, name) ?? null]).toEqual([name, want])
    },
  }
}

function decoded(body: Buffer, coding: Compression['coding']): Buffer {
  switch (coding) {
    case 'gzip':
      return gunzipSync(body)
    case 'br':
      return brotliDecompressSync(body)
    case 'zstd':
      return zstdDecompressSync(body)
    case null:
      return body
  }
}

const reasons: readonly Row[] = [
  {
    row: '§13.5 404',
    request: { host: 'nobody.test' },
    expect: { status: 404, fields: { 'content-type': 'text/html' }, body: /404 Not Found/ },
  },
  {
    row: '§13.5 503',
    given: [app('l/empty', 'l-empty.test', { pods: 'none' })],
    request: { host: 'l-empty.test' },
    expect: { status: 503, fields: { 'content-type': 'text/html' }, body: /503 Service (Temporarily )?Unavailable/ },
  },
  {
    row: '§13.5 502',
    given: [app('l/refused', 'l-refused.test', { pods: 'refusing' })],
    request: { host: 'l-refused.test' },
    expect: { status: 502, fields: { 'content-type': 'text/html' }, body: /502 Bad Gateway/ },
  },
  {
    row: '§13.5 400',
    request: { bytes: 'GET / HTTP/1.1\r\n\r\n' },
    expect: { status: 400, fields: { 'content-type': 'text/html' }, body: /400 Bad Request/ },
  },
]

const line = (length: number) => `GET /${'p'.repeat(length - 'GET / HTTP/1.1'.length)} HTTP/1.1`
const limits: readonly Row[] = [
  {
    row: '§13.1 just as long as it may be',
    request: { bytes: `${line(1024)}\r\nHost: l.test\r\n\r\n` },
    expect: { status: 200 },
  },
  {
    row: '§13.1 longer',
    request: { bytes: `${line(1100)}\r\nHost: l.test\r\n\r\n` },
    expect: { status: 414, app: null, fields: { 'content-type': 'text/html' } },
  },
  {
    row: '§13.2 a field line just as long as it may be',
    request: { host: 'l.test', fields: [`X: ${'x'.repeat(1000)}`] },
    expect: { status: 200 },
  },
  {
    row: '§13.2 a longer one',
    request: { host: 'l.test', fields: [`X: ${'x'.repeat(1100)}`] },
    expect: { status: 431, app: null, fields: { 'content-type': 'text/html' } },
  },
  {
    row: '§13.2 all together longer than count times size',
    request: { host: 'l.test', fields: Array.from({ length: 5 }, (_, i) => `X${i}: ${'x'.repeat(900)}`) },
    expect: { status: 431, app: null },
  },
]

const defaults: readonly Row[] = [
  {
    row: '§13.1 by default 32k: just below',
    request: { bytes: `${line(32_000)}\r\nHost: l.test\r\n\r\n` },
    expect: { status: 200 },
  },
  {
    row: '§13.1 by default 32k: above',
    request: { bytes: `${line(33_000)}\r\nHost: l.test\r\n\r\n` },
    expect: { status: 414 },
  },
  {
    row: '§13.2 by default 32k: just below',
    request: { host: 'l.test', fields: [`Cookie: ${'x'.repeat(32_000)}`] },
    expect: { status: 200 },
  },
  {
    row: '§13.2 by default 32k: above',
    request: { host: 'l.test', fields: [`Cookie: ${'x'.repeat(33_000)}`] },
    expect: { status: 431 },
  },
  {
    row: '§13.3 a head of 5 kB',
    given: [app('l/h5', 'h5.test', { answer: ok('x', `X: ${'x'.repeat(5_000)}`) })],
    request: { host: 'h5.test' },
    expect: { status: 200 },
  },
  {
    row: '§13.3 a head of 16 kB',
    given: [app('l/h16', 'h16.test', { answer: ok('x', `X: ${'x'.repeat(16_000)}`) })],
    request: { host: 'h16.test' },
    expect: { status: 200 },
  },
  {
    row: '§13.3 a head of 300 kB',
    given: [
      app('l/h300', 'h300.test', {
        answer: ok('x', ...Array.from({ length: 30 }, (_, i) => `X${i}: ${'x'.repeat(10_000)}`)),
      }),
    ],
    request: { host: 'h300.test' },
    expect: { status: 502 },
  },
  {
    row: '§13.3 a larger buffer lets larger heads through',
    given: [
      app(
        'l/h200',
        { domains: 'h200.test', 'nginx.proxyBuffers.enabled': 'true', 'nginx.proxyBuffers.size': '256k' },
        { answer: ok('x', ...Array.from({ length: 20 }, (_, i) => `X${i}: ${'x'.repeat(10_000)}`)) },
      ),
    ],
    request: { host: 'h200.test' },
    expect: { status: 200 },
  },
]

contract([
  { name: 'ids', settings: { requestIDs: 'true' }, given: [app('i/app', 'i.test')], rows: ids },
  { name: 'fields and order', rows: passing },
  { name: 'referrer policy', settings: { referrerPolicy: 'strict-origin' }, rows: policies },
  { name: 'compression', rows: compressions.map((one, index) => compressionRow(one, `c${index}`)) },
  ...changed.map((one, index) => ({
    name: JSON.stringify(one.settings),
    settings: one.settings,
    rows: [compressionRow(one, `d${index}`)],
  })),
  { name: 'error bodies', rows: reasons },
  { name: 'limits by default', given: [app('l/app', 'l.test')], rows: defaults },
  {
    name: 'limits',
    settings: { largeHeaderBuffersCount: '4', largeHeaderBuffersSize: '1k' },
    given: [app('l/app', 'l.test')],
    rows: limits,
  },
])
