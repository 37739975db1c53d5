// What the app receives (contract section 11) and whom it and the log are told of (section 10).

import { expect, test } from 'vitest'
import { App, get, ok } from '#test/support/app.ts'
import { defaultSettings, upstreamAt } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues, type Head } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { Request } from '#test/support/peer.ts'
import { type Stage, setStage } from '#test/support/stage.ts'
import { parseCidr } from '../model/cidr.ts'

failOnLeaks()

/** Sends one request and resolves with what the app received of it. */
async function through(stage: Stage, octets: string): Promise<Request> {
  const client = await stage.connect()
  client.send(octets)
  const app = await stage.app.connection()
  const request = await app.request()
  app.send(ok('', 'Connection: close'))
  expect((await client.response()).status).toBe(200)
  return request
}

const names = (head: Head): string[] => head.fields.map(field => field.name)

test('a plain request: every octet that the app receives', async () => {
  await using stage = await setStage()
  const request = await through(
    stage,
    'GET /a%2Fb//c/../d?e=f&g#'.replace('#', '') +
      ' HTTP/1.1\r\nHost: A.Example:8080\r\nAccept: */*\r\nX-Odd:  two  blanks \r\n\r\n',
  )
  expect(request.raw).toBe(
    'GET /a%2Fb//c/../d?e=f&g HTTP/1.1\r\n' +
      'Host: a.example\r\n' +
      'Accept: */*\r\n' +
      'X-Odd:  two  blanks \r\n' +
      'X-Forwarded-For: 127.0.0.1\r\n' +
      'X-Forwarded-Proto: http\r\n' +
      'X-Forwarded-Port: 80\r\n' +
      'CDN-Loop: deis-router\r\n' +
      '\r\n',
  )
})

const targets: [target: string, want: string][] = [
  ['/', '/'],
  ['//double//', '//double//'],
  ['/.././..', '/.././..'],
  ['/%00%zz%2f', '/%00%zz%2f'],
  ['/\xe4\xff', '/\xe4\xff'],
  ['/?', '/?'],
  ['/?a?b/../', '/?a?b/../'],
  ['/"<>\\^`{|}', '/"<>\\^`{|}'],
  ['http://a.example/x?y', '/x?y'],
  ['http://a.example', '/'],
  ['http://a.example?y', '/?y'],
  ['HTTP://A.EXAMPLE:80/X', '/X'],
  ['https://a.example/x', '/x'],
]
for (const [target, want] of targets) {
  test(`target ${JSON.stringify(target)} arrives as ${JSON.stringify(want)}`, async () => {
    await using stage = await setStage()
    expect((await through(stage, get('a.example', target))).target).toBe(want)
  })
}

test('an absolute target names the host, whatever Host left out, and the asterisk stays', async () => {
  await using stage = await setStage()
  expect(fieldValue(await through(stage, 'GET http://A.example:80/ HTTP/1.0\r\n\r\n'), 'host')).toBe('a.example')
  expect((await through(stage, 'OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n')).line).toBe('OPTIONS * HTTP/1.1')
})

test('HTTP/1.0 is forwarded as HTTP/1.1', async () => {
  await using stage = await setStage()
  const request = await through(stage, 'GET /x HTTP/1.0\r\nHost: a.example\r\n\r\n')
  expect([request.line, names(request)]).toEqual([
    'GET /x HTTP/1.1',
    ['Host', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'CDN-Loop'],
  ])
})

test('what is for one hop only stays behind, and so do names with underscores', async () => {
  await using stage = await setStage()
  const request = await through(
    stage,
    get(
      'a.example',
      '/',
      'Connection: X-Mine, close, keep-alive',
      'X-Mine: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: keep-alive',
      'TE: trailers',
      'Upgrade: websocket',
      'Early-Data: 1',
      'X_Under: 1',
      'Content_Length: 5',
      'X-Real-IP: 192.0.2.1',
      'X-Forwarded-Host: other.example',
      'Forwarded: for=192.0.2.1',
      'X-Request-Id: mine',
      'Via: 1.1 other',
    ).replace('Connection: X-Mine, close', 'Connection: X-Mine'),
  )
  expect(names(request)).toEqual([
    'Host',
    'X-Real-IP',
    'X-Forwarded-Host',
    'Forwarded',
    'X-Request-Id',
    'Via',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Port',
    'CDN-Loop',
  ])
})

test('Connection cannot take away what framing and routing stand on', async () => {
  await using stage = await setStage()
  const request = await through(
    stage,
    'POST / HTTP/1.1\r\nHost: a.example\r\nConnection: Host, Content-Length, X-Forwarded-For, X-Forwarded-Proto\r\nContent-Length: 2\r\n\r\nhi',
  )
  expect(request.body.toString()).toBe('hi')
  expect(['host', 'x-forwarded-for', 'x-forwarded-proto'].map(name => fieldValue(request, name))).toEqual([
    'a.example',
    '127.0.0.1',
    'http',
  ])
})

test('X-Forwarded-Port of the client stays, its other claims are replaced', async () => {
  await using stage = await setStage()
  const request = await through(
    stage,
    get('a.example', '/', 'X-Forwarded-Port: 8443', 'X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: wss'),
  )
  expect(['x-forwarded-port', 'x-forwarded-for', 'x-forwarded-proto'].map(name => fieldValue(request, name))).toEqual([
    '8443',
    '127.0.0.1',
    'wss',
  ])
})

const loopback = parseCidr('127.0.0.0/8')!
const ten = parseCidr('10.0.0.0/8')!
const chains: [name: string, trusted: boolean, lists: string[], client: string][] = [
  ['nothing said', true, [], '127.0.0.1'],
  ['one address', true, ['192.0.2.7'], '192.0.2.7'],
  ['the rightmost that is not trusted', true, ['203.0.113.9, 192.0.2.7, 10.1.2.3'], '192.0.2.7'],
  ['over several lines', true, ['203.0.113.9', '192.0.2.7,10.1.2.3', '10.0.0.1'], '192.0.2.7'],
  ['all trusted: the leftmost', true, ['10.9.9.9, 10.0.0.1'], '10.9.9.9'],
  ['with a port', true, ['192.0.2.7:4711'], '192.0.2.7'],
  ['IPv6', true, ['2001:db8::7'], '2001:db8::7'],
  ['IPv6 with brackets and a port', true, ['[2001:db8::7]:4711'], '2001:db8::7'],
  ['what cannot be read keeps the peer', true, ['192.0.2.7, unknown'], '127.0.0.1'],
  ['an empty value', true, [''], '127.0.0.1'],
  ['a zone', true, ['fe80::1%eth0'], '127.0.0.1'],
  ['from a peer that is not trusted', false, ['192.0.2.7'], '127.0.0.1'],
]
for (const [name, trusted, lists, want] of chains) {
  test(`the client behind proxies (section 10): ${name}`, async () => {
    await using stage = await setStage({ settings: { proxyRealIpCidrs: trusted ? [loopback, ten] : [ten] } })
    const request = await through(stage, get('a.example', '/', ...lists.map(list => `X-Forwarded-For: ${list}`)))
    expect(fieldValues(request, 'x-forwarded-for')).toEqual([want])
    expect((await stage.thread.logged(1))[0]?.split(' - ')[2]).toBe(want)
  })
}

test('trusted proxies may change while connections are open', async () => {
  await using stage = await setStage()
  stage.app.serve(request => ok(fieldValue(request, 'x-forwarded-for') ?? ''))
  const client = await stage.connect()
  for (const [cidrs, want] of [
    [[loopback], '192.0.2.7'],
    [[], '127.0.0.1'],
  ] as const) {
    stage.thread.apply({ settings: defaultSettings({ proxyRealIpCidrs: cidrs }) })
    client.send(get('a.example', '/', 'X-Forwarded-For: 192.0.2.7'))
    expect((await client.response()).body.toString()).toBe(want)
  }
})

test('X-Request-Start has seconds and three digits, and replaces what a client says', async () => {
  await using stage = await setStage({ route: { requestStart: true } })
  const before = Date.now() / 1000
  const request = await through(stage, get('a.example', '/', 'X-Request-Start: t=1.000'))
  const value = fieldValue(request, 'x-request-start') ?? ''
  expect(value).toMatch(/^t=\d{10}\.\d{3}$/)
  expect(Math.abs(Number(value.slice(2)) - before)).toBeLessThan(10)
})

test('the answer: Server and Date are the router’s, X-Accel fields are consumed, Location is not touched (section 12)', async () => {
  await using stage = await setStage()
  stage.app.serve(() =>
    ok(
      'x',
      'Server: app',
      'Date: Mon, 01 Jan 2001 00:00:00 GMT',
      'X-Accel-Redirect: /secret',
      'X-ACCEL-Buffering: no',
      'Location: http://a.example:8080/x',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
    ),
  )
  const client = await stage.connect()
  client.send(get('a.example'))
  const response = await client.response()
  expect(fieldValue(response, 'server')).toMatch(/^deis-router\/\d+\.\d+\.\d+$/)
  expect(Math.abs(Date.parse(fieldValue(response, 'date') ?? '') - Date.now())).toBeLessThan(60_000)
  expect(response.fields.filter(field => /^x-accel/i.test(field.name))).toEqual([])
  expect(fieldValue(response, 'location')).toBe('http://a.example:8080/x')
  expect(fieldValues(response, 'set-cookie')).toEqual(['a=1', 'b=2'])
})

test('with disableServerTokens the version is not told', async () => {
  await using stage = await setStage({ settings: { disableServerTokens: true } })
  const client = await stage.connect()
  client.send(get('nobody.example'))
  expect(fieldValue(await client.response(), 'server')).toBe('deis-router')
})

test('the log line (section 14): fourteen parts, escaped, without secrets', async () => {
  await using stage = await setStage()
  const credentials = Buffer.from('jo"e:pass-word').toString('base64')
  await through(
    stage,
    get(
      'a.example:81',
      '/x"y\\z\xff',
      'Referer: http://r/"',
      'User-Agent: curl\t\xe4',
      `Authorization: Basic ${credentials}`,
    ),
  )
  const [line = ''] = await stage.thread.logged(1)
  const parts = line.split(' - ')
  expect(parts).toHaveLength(14)
  expect(parts[0]).toMatch(/^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d\]$/)
  expect(parts.slice(1, 6)).toEqual(['test/a', '127.0.0.1', 'jo\\x22e', '200', '"GET /x\\x22y\\x5Cz\\xFF HTTP/1.1"'])
  expect(parts.slice(7, 12)).toEqual([
    '"http://r/\\x22"',
    '"curl\\x09\\xE4"',
    '"a.example"',
    `127.0.0.1:${stage.app.port}`,
    'a.example:81',
  ])
  expect(line).not.toContain('pass-word')
  expect(line).not.toContain(credentials)
})

test('bytes sent are head and body, as the client counts them', async () => {
  await using stage = await setStage()
  stage.app.serve(() => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n')
  const client = await stage.connect()
  client.send(get('a.example'))
  const response = await client.response()
  const [line = ''] = await stage.thread.logged(1)
  expect(Number(line.split(' - ')[6])).toBe(response.raw.length + response.rawBody.length)
})

test('an endpoint with an IPv6 address is reached and named in brackets', async () => {
  await using stage = await setStage({ apps: 0 })
  const app = await App.start('::1').catch(() => null)
  // A machine without IPv6 has nothing to show here.
  if (app === null) return
  await using _app = app
  app.serve(() => ok('six'))
  stage.thread.apply({
    upstreams: { upserts: [{ ...upstreamAt('a'), endpoints: [{ address: '::1', port: app.port }] }], deletes: [] },
  })
  const client = await stage.connect()
  client.send(get('a.example'))
  expect((await client.response()).body.toString()).toBe('six')
  expect((await stage.thread.logged(1))[0]).toContain(` - [::1]:${app.port} - `)
})
