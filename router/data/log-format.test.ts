import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { logVariables, standardLogFormat } from '../model/log-variables.ts'
import { AccessLog, type LogClient, LogOctets, type LogRecord } from './access-log.ts'
import { captureLog } from './http/request-facts.ts'
import { RequestHead } from './http/request-head.ts'
import { ResponseHead } from './http/response-head.ts'
import { escapeLog } from './log-escape.ts'
import { compileLogFormat, LogFormat } from './log-format.ts'

const time = '[2016-05-31T16:56:12+02:00]'
const limits = { line: 32 * 1024, head: 128 * 1024 }

const usual = [
  'GET /shop/a%20b?x=1&y HTTP/1.1',
  'Host: A.example:80',
  'Referer: http://r/',
  'User-Agent: curl/8',
  'X-Id: one',
  'x-id: two',
  'Content-Type: text/x',
  `Authorization: Basic ${Buffer.from('alice:secret').toString('base64')}`,
]

const client: LogClient = {
  secure: false,
  majorVersion: 1,
  peer: '10.0.0.7',
  tcpPeer: '10.0.0.7',
  ignoresForwardedFor: false,
  socket: { remotePort: 4711, localAddress: '10.0.0.1', localPort: 8080 },
  serial: 17,
  requests: 3,
}

const secureClient: LogClient = {
  ...client,
  secure: true,
  socket: {
    ...client.socket,
    getProtocol: () => 'TLSv1.3',
    getCipher: () => ({ name: 'TLS_AES_128_GCM_SHA256' }),
    servername: 'a"b.example',
  },
}

const announced: LogClient = { ...client, peer: '198.51.100.9', ignoresForwardedFor: true }

const requestId = '0123456789abcdef0123456789abcdef'
const idLines = (before: string): string => `X-Request-Id: ${requestId}\r\nX-Correlation-Id: ${before}${requestId}\r\n`

interface Request {
  readonly lines?: readonly string[]
  readonly client?: LogClient
  readonly answer?: readonly string[]
  readonly record?: Partial<LogRecord>
}

/** The line for one request, through everything that a request goes through. */
function lineOf(
  text: string | null,
  { lines = usual, client: from = client, answer, record = {} }: Request = {},
): string {
  let written = ''
  const log = new AccessLog(chunk => {
    written += Buffer.from(chunk).toString()
  })
  log.use(text)
  const source = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  const head = new RequestHead()
  head.parse(source, 0, source.length, limits)
  const logOctets = new LogOctets()
  const logUser = captureLog(head, source, logOctets, log.format, from)
  source.fill('?')
  if (answer !== undefined) {
    const response = new ResponseHead()
    const octets = Buffer.from(`${answer.join('\r\n')}\r\n\r\n`, 'latin1')
    response.parse(octets, 0, octets.length, limits.head)
    logOctets.captureAnswer(response.fields, octets)
    octets.fill('?')
  }
  log.write(time, {
    logApp: 'deis/app',
    logServerName: 'a.example',
    clientAddress: '192.0.2.1',
    logUser,
    status: 200,
    bytesSent: 1234,
    upstreamName: '10.0.0.2:5000',
    upstreamTime: 12,
    requestTime: 34,
    logOctets,
    ...record,
  })
  log.flush()
  expect(written.indexOf('\n')).toBe(written.length - 1)
  return written.slice(0, -1)
}

describe('§16 variables', () => {
  const full: Partial<LogRecord> = {
    host: 'a.example',
    requestIdLines: idLines('mine,'),
    requestBytes: 500,
    headBytesSent: 234,
    upstreamStatus: 201,
    upstreamBytes: 999,
    upstreamConnectTime: 1,
    upstreamHeaderTime: 11,
    accessScheme: 'wss',
  }
  const rows: [format: string, want: string | RegExp, request?: Request][] = [
    ['$time_iso8601', '2016-05-31T16:56:12+02:00'],
    ['$time_local', '31/May/2016:16:56:12 +0200'],
    ['$msec', /^\d{10}\.\d{3}$/],
    ['$app_name', 'deis/app'],
    ['$remote_addr', '192.0.2.1'],
    ['$remote_user', 'alice'],
    ['$remote_user', '-', { lines: ['GET / HTTP/1.1', 'Host: a'] }],
    ['$status', '200'],
    ['$request', 'GET /shop/a%20b?x=1&y HTTP/1.1'],
    ['$request_method', 'GET'],
    ['$request_uri', '/shop/a%20b?x=1&y'],
    ['$request_uri', '/b?c', { lines: ['GET http://a/b?c HTTP/1.1', 'Host: a'] }],
    ['$uri', '/shop/a%20b'],
    ['$args|$query_string|$is_args', 'x=1&y|x=1&y|?'],
    ['$uri|$args|$is_args', '/b|-|-', { lines: ['GET /b HTTP/1.1', 'Host: a'] }],
    ['$args|$is_args', '-|?', { lines: ['GET /b? HTTP/1.1', 'Host: a'] }],
    ['$server_protocol', 'HTTP/1.1'],
    ['$bytes_sent', '1234'],
    ['$body_bytes_sent', '1000'],
    ['$http_referer', 'http://r/'],
    ['$http_user_agent', 'curl/8'],
    ['$http_host', 'A.example:80'],
    ['$http_x_id', 'one, two'],
    ['$http_x_none', '-'],
    ['$content_type', 'text/x'],
    ['$host', 'a.example'],
    ['$server_name', 'a.example'],
    ['$server_name', '~^foo\\x5C.(?<domain>.+)$', { record: { logServerName: escapeLog('~^foo\\.(?<domain>.+)$') } }],
    ['$upstream_addr', '10.0.0.2:5000'],
    ['$upstream_addr', '-', { record: { upstreamName: '-' } }],
    ['$upstream_response_time', '0.012'],
    ['$upstream_response_time', '-', { record: { upstreamTime: -1 } }],
    ['$upstream_connect_time', '0.001'],
    ['$upstream_header_time', '0.011'],
    ['$upstream_status', '201'],
    ['$upstream_bytes_received', '999'],
    ['$request_time', '0.034'],
    ['$request_id', '0123456789abcdef0123456789abcdef'],
    ['$correlation_id', 'mine,0123456789abcdef0123456789abcdef'],
    ['$request_length', '500'],
    ['$scheme|$https|$access_scheme', 'http|-|wss'],
    ['$scheme|$https', 'https|on', { client: secureClient }],
    ['$remote_port|$realip_remote_addr', '4711|10.0.0.7'],
    ['$server_addr|$server_port', '10.0.0.1|8080'],
    ['$connection|$connection_requests', '17|3'],
    ['$ssl_protocol|$ssl_cipher|$ssl_server_name', '-|-|-'],
    ['$ssl_protocol|$ssl_cipher', 'TLSv1.3|TLS_AES_128_GCM_SHA256', { client: secureClient }],
    ['$ssl_server_name', 'a\\x22b.example', { client: secureClient }],
    ['$proxy_protocol_addr', '-'],
    ['$proxy_protocol_addr', '198.51.100.9', { client: announced }],
    ['$realip_remote_addr', '10.0.0.7', { client: announced }],
    ['$http2|$gzip_ratio|$pipe', '-|-|.'],
    ['$pid', String(process.pid)],
    ['$hostname', /^[!-~]+$/],
    ['$upstream_http_etag', '\\x22x\\x22', { answer: ['HTTP/1.1 200 OK', 'ETag: "x"'] }],
    ['$sent_http_content_type', 'text/css', { answer: ['HTTP/1.1 200 OK', 'content-type: text/css'] }],
    ['$sent_http_location', '-', { answer: ['HTTP/1.1 200 OK', 'content-type: text/css'] }],
    ['$sent_http_location', '-'],
    ['$nonsense', '-'],
    ['$http_authorization', '-'],
    [`\${status}s $$ \${bytes_sent}`, '200s $$ 1234'],
  ]
  for (const [format, want, request = {}] of rows)
    test(`${format} ${want}`, () => {
      const line = lineOf(format, { ...request, record: { ...full, ...request.record } })
      if (want instanceof RegExp) expect(line).toMatch(want)
      else expect(line).toBe(want)
    })
})

test('what nobody provides is a hyphen, and in JSON nothing', () => {
  const names = ['host', 'request_id', 'correlation_id', 'request_length', 'body_bytes_sent', 'upstream_status']
  names.push('upstream_connect_time', 'upstream_header_time', 'upstream_bytes_received', 'access_scheme')
  for (const name of names) {
    expect(lineOf(`[$${name}]`)).toBe('[-]')
    expect(lineOf(`escape=json [$${name}]`)).toBe('[]')
  }
})

test('a request that failed before it had a head is logged in the format, too', () => {
  let written = ''
  const log = new AccessLog(chunk => {
    written += Buffer.from(chunk).toString()
  })
  log.use(`[${logVariables.map(name => `$${name}`).join('|')}] $http_x`)
  log.write(time, {
    logApp: '',
    logServerName: '_',
    clientAddress: '192.0.2.1',
    logUser: '-',
    status: 408,
    bytesSent: 0,
    upstreamName: '-',
    upstreamTime: -1,
    requestTime: 60_000,
    logOctets: new LogOctets(),
  })
  log.flush()
  expect(written).toContain('|408|')
  expect(written).toMatch(/^\[-\|-\|-\|/)
  expect(written.endsWith('] -\n')).toBe(true)
})

test('a head that broke off shows nothing of the request before it', () => {
  const head = new RequestHead()
  const first = Buffer.from('GET /secret?secret HTTP/1.1\r\nHost: a\r\nX-Id: secret\r\n\r\n')
  head.parse(first, 0, first.length, limits)
  const format = LogFormat.compile('$request|$request_method|$request_uri|$uri|$args|$server_protocol|$http_x_id')!
  const second = Buffer.from('PUT /x HTTP/9.9\r\nHost: a\r\n\r\n/secret?secret secret')
  head.reset()
  expect(head.parse(second, 0, second.length, limits)).toBe(-1)
  const octets = new LogOctets()
  captureLog(head, second, octets, format, null)
  const target = Buffer.alloc(1000)
  const end = format.write(target, 0, time, {} as LogRecord, octets.values)
  const line = target.toString('latin1', 0, end)
  expect(line).toMatch(/^PUT \/x HTTP\/9\.9\|PUT\|/)
  expect(line).not.toContain('secret')
})

describe('§14 what a client sends is escaped', () => {
  const nasty = ['GET /"\\\xe9 HTTP/1.1', 'Host: a', 'X-Id: a\t"b\\ \xc3\xa9 \xff - c']
  test('by default as in the standard format', () =>
    expect(lineOf('$request|$http_x_id', { lines: nasty })).toBe(
      'GET /\\x22\\x5C\\xE9 HTTP/1.1|a\\x09\\x22b\\x5C \\xC3\\xA9 \\xFF \\x2D c',
    ))
  test('with escape=none just so', () =>
    expect(lineOf('escape=none $http_x_id', { lines: nasty })).toBe('a\\x09\\x22b\\x5C \\xC3\\xA9 \\xFF \\x2D c'))
  test('with escape=json as JSON', () => {
    const line = lineOf('escape=json {"id":"$http_x_id","status":$status}', { lines: nasty })
    expect(line).toBe('{"id":"a\\t\\"b\\\\ é \ufffd - c","status":200}')
    expect(JSON.parse(line)).toEqual({ id: 'a\t"b\\ é \ufffd - c', status: 200 })
  })
  test('in JSON, controls and line separators of Unicode are, too', () => {
    const sent = Buffer.from('\u0085\u009b\u2028\u2029€').toString('latin1')
    const line = lineOf('escape=json "$http_x_id"', { lines: ['GET / HTTP/1.1', 'Host: a', `X-Id: ${sent}`] })
    expect(line).toBe('"\\u0085\\u009b\\u2028\\u2029€"')
  })
  test('in JSON, what was escaped before is as it came', () => {
    const record = { logServerName: escapeLog('~^foo\\.(?<domain>.+)$'), logUser: escapeLog('ä"') }
    expect(JSON.parse(lineOf('escape=json ["$server_name","$remote_user"]', { record }))).toEqual([
      '~^foo\\.(?<domain>.+)$',
      'ä"',
    ])
  })
})

describe('a line is bounded, and has all that is the format’s own', () => {
  const names = [...'abcdefgh']
  const fields = names.map(name => `"$http_x_${name}"`)
  const long = (text: string): Request => ({
    lines: [
      `GET /${text.replaceAll(' ', '_').repeat(3000)} HTTP/1.1`,
      'Host: a',
      ...names.map(name => `X-${name}: ${text.repeat(3000)}`),
    ],
  })
  const rows: [name: string, text: string][] = [
    ['plain', 'xyz'],
    ['escaped fourfold', '\xff\xfe\xfd'],
    ['like the end of a part when they are cut', 'x -y'],
  ]
  for (const [name, text] of rows) {
    test(`with values that are ${name}`, () => {
      for (let shift = 0; shift < 8; shift++) {
        const line = lineOf(
          [`${'z'.repeat(shift)}<$request`, ...names.map(each => `$http_x_${each}`), '$status>'].join(' - '),
          long(text),
        )
        expect(line.length).toBeLessThan(16 * 1024)
        expect(line.length).toBeGreaterThan(15 * 1024)
        expect(line).toMatch(/^z*<GET \/.*>$/)
        expect(line.split(' - ')).toHaveLength(10)
        expect(line.split(' - ').at(-1)).toBe('200>')
        for (const part of line.split(' - ').slice(1, -1)) expect(part).toMatch(/^(x|\\x|-$)/)
        expect(line.replaceAll(/\\x[0-9A-F]{2}/g, '')).not.toContain('\\')
      }
    })
    test(`as JSON, with values that are ${name}`, () => {
      const members = fields.map((each, index) => `"${index}":${each}`)
      const line = lineOf(`escape=json {"r":"$request",${members},"s":"$status"}`, long(text))
      expect(Buffer.byteLength(line)).toBeLessThan(16 * 1024)
      expect(JSON.parse(line)).toMatchObject({ r: expect.stringMatching(/^GET \//), s: '200' })
    })
  }
})

test('any octets in any format: one line, no longer than it may be, and JSON stays JSON', () => {
  const value = fc.uint8Array({ maxLength: 3000 }).map(octets =>
    Buffer.from(octets.map(octet => (octet === 9 || (octet > 0x1f && octet !== 0x7f) ? octet : 0x22)))
      .toString('latin1')
      .trim(),
  )
  fc.assert(
    fc.property(value, value, (first, second) => {
      const lines = ['GET / HTTP/1.1', 'Host: a', `X-A: ${first}`, `X-B: ${second}`]
      const format = '$http_x_a - "$http_x_b" - $http_x_a - $http_x_b - $correlation_id - $status'
      const record = { requestIdLines: idLines(second) }
      const plain = lineOf(format, { lines, record })
      expect(plain).toMatch(/^[\x20-\x7e]*$/)
      expect(plain.length).toBeLessThan(16 * 1024)
      expect(plain.split(' - ')).toHaveLength(6)
      const json = lineOf('escape=json {"a":"$http_x_a","b":"$http_x_b","c":"$correlation_id"}', { lines, record })
      expect(Object.keys(JSON.parse(json))).toEqual(['a', 'b', 'c'])
    }),
    { seed: 9112, numRuns: 200 },
  )
})

test('the standard format written out is the standard format', () => {
  expect(compileLogFormat(null)).toBeNull()
  expect(compileLogFormat(`  ${standardLogFormat}\n`)).toBeNull()
  expect(compileLogFormat('no variable')).toBeNull()
})

test('a format that says the same writes the same', () => {
  for (const lines of [
    usual,
    ['GET / HTTP/1.0'],
    ['GET /"\\ HTTP/1.1', 'Host: a', 'Referer: a - b', 'User-Agent: \xff'],
  ])
    expect(lineOf(`escape=default ${standardLogFormat}`, { lines })).toBe(lineOf(null, { lines }))
})

test('a request is logged in the format that was in force when its head came', () => {
  const chunks: string[] = []
  const log = new AccessLog(chunk => chunks.push(Buffer.from(chunk).toString()))
  const source = Buffer.from('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
  const head = new RequestHead()
  head.parse(source, 0, source.length, limits)
  const records = [null, '1 $uri', '2 $uri', null].map(text => {
    log.use(text)
    const logOctets = new LogOctets()
    captureLog(head, source, logOctets, log.format, client)
    return { logOctets, logApp: 'a', logServerName: '_', clientAddress: '::1', logUser: '-', upstreamName: '-' }
  })
  for (const record of records)
    log.write(time, { ...record, status: 200, bytesSent: 1, upstreamTime: -1, requestTime: 1 })
  log.flush()
  const lines = chunks.join('').split('\n')
  expect(lines.slice(1, 3)).toEqual(['1 /x', '2 /x'])
  expect(lines[0]).toBe(lines[3])
  expect(lines[0]?.split(' - ')).toHaveLength(14)
})

test('values of one request are not seen in the line of the next', () => {
  const format = LogFormat.compile('$http_x_id|$http_x_none|$upstream_http_x')!
  const octets = new LogOctets()
  const head = new RequestHead()
  const target = Buffer.alloc(20_000)
  const lines = [usual, ['GET / HTTP/1.1', 'Host: a']].map(fields => {
    const source = Buffer.from(`${fields.join('\r\n')}\r\n\r\n`)
    head.reset()
    head.parse(source, 0, source.length, limits)
    octets.clear()
    captureLog(head, source, octets, format, client)
    return target.toString('latin1', 0, format.write(target, 0, time, {} as LogRecord, octets.values))
  })
  expect(lines).toEqual(['one, two|-|-\n', '-|-|-\n'])
})

test('lines are handed over whole and in order, however many and long there are', () => {
  const chunks: string[] = []
  const log = new AccessLog(chunk => {
    chunks.push(Buffer.from(chunk).toString('latin1'))
    chunk.fill(0)
  })
  log.use('$bytes_sent $request')
  const head = new RequestHead()
  const source = Buffer.from(`GET /${'"'.repeat(8000)} HTTP/1.1\r\nHost: a\r\n\r\n`)
  head.parse(source, 0, source.length, limits)
  const logOctets = new LogOctets()
  captureLog(head, source, logOctets, log.format, client)
  const record = { logOctets, logApp: 'a', logServerName: '_', clientAddress: '::1', logUser: '-', upstreamName: '-' }
  for (let bytesSent = 0; bytesSent < 200; bytesSent++)
    log.write(time, { ...record, status: 200, bytesSent, upstreamTime: -1, requestTime: 1 })
  log.flush()
  for (const chunk of chunks) expect(chunk.endsWith('\n')).toBe(true)
  const lines = chunks.join('').trimEnd().split('\n')
  expect(lines.map(line => Number(line.split(' ')[0]))).toEqual(Array.from({ length: 200 }, (_, i) => i))
})
