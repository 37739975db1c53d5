// Formats of an operator's own (contract section 16), through a data thread as it runs.

import { expect, test } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { certificateOf, fallbackCertificate } from '#test/support/certificates.ts'
import { defaultSettings } from '#test/support/data-thread.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

test('§16 what only the exchange knows', async () => {
  const logFormat =
    '$host $access_scheme $scheme $request_length $bytes_sent $body_bytes_sent $upstream_status $upstream_bytes_received ' +
    '$request_id $correlation_id $server_port $sent_http_content_type $http_x_forwarded_proto'
  await using stage = await setStage({ settings: { logFormat, requestIds: true } })
  stage.app.serve(() => ok('hello'))
  const client = await stage.connect()
  const request = get('a.example', '/x', 'X-Forwarded-Proto: https', 'X-Correlation-Id: mine "quoted"')
  client.send(request)
  const answer = await client.response()
  const [line = ''] = await stage.thread.logged(1)
  const id = /[0-9a-f]{32}/.exec(line)?.[0]
  const parts = line.split(' ')
  expect(parts.slice(0, 4)).toEqual(['a.example', 'https', 'http', String(request.length)])
  expect(Number(parts[4]) - Number(parts[5])).toBeGreaterThan(100)
  expect(parts[5]).toBe('5')
  expect(parts[6]).toBe('200')
  expect(Number(parts[7])).toBeGreaterThan(20)
  expect(parts.slice(8)).toEqual([
    id,
    'mine',
    `\\x22quoted\\x22,${id}`,
    String(stage.thread.httpPort),
    expect.any(String),
    'https',
  ])
  expect(answer.status).toBe(200)
})

test('§14 times: connecting, the head and the rest come one after the other', async () => {
  const logFormat = '$upstream_connect_time $upstream_header_time $upstream_response_time $request_time'
  await using stage = await setStage({ settings: { logFormat } })
  stage.app.serve(() => ok('hello'))
  const client = await stage.connect()
  for (let i = 0; i < 2; i++) {
    client.send(get('a.example'))
    await client.response()
  }
  const lines = await stage.thread.logged(2)
  for (const line of lines) {
    expect(line).toMatch(/^(\d+\.\d{3} ?){4}$/)
    const times = line.split(' ').map(Number)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  }
  // The second went over a connection that stood.
  expect(lines[1]).toMatch(/^0\.000 /)
})

test('§16 what has no endpoint and what is no HTTP are lines in the format, too', async () => {
  const logFormat = 'escape=json {"s":$status,"u":"$upstream_addr","r":"$request","t":"$access_scheme"}'
  await using stage = await setStage({ settings: { logFormat } })
  const client = await stage.connect()
  client.send(get('unknown.example', '/"'))
  await client.response()
  client.send('GARBAGE\r\n\r\n')
  await client.response()
  const lines = (await stage.thread.logged(2)).map(line => JSON.parse(line))
  expect(lines).toEqual([
    { s: 404, u: '', r: 'GET /" HTTP/1.1', t: 'http' },
    { s: 400, u: '', r: '', t: '' },
  ])
})

test('a change holds for requests that begin after it', async () => {
  await using stage = await setStage()
  stage.app.serve(() => ok('x'))
  const client = await stage.connect()
  const formats = [null, '1 $status', '2 $status', 'no variable']
  for (const [index, logFormat] of formats.entries()) {
    stage.thread.apply({ settings: defaultSettings({ logFormat }) })
    client.send(get('a.example'))
    await client.response()
    await stage.thread.logged(index + 1)
  }
  const lines = stage.thread.logs()
  expect(lines.slice(1, 3)).toEqual(['1 200', '2 200'])
  for (const line of [lines[0], lines[3]]) expect(line?.split(' - ')).toHaveLength(14)
})

test('§16 which connection, and which of its requests', async () => {
  const certificate = certificateOf('test/a')
  await using stage = await setStage({
    settings: { logFormat: '$connection $connection_requests $uri' },
    route: { certificate: certificate.id },
    certificates: [fallbackCertificate(), certificate],
  })
  stage.app.serve(() => ok('x'))
  const first = await stage.connect()
  // The second is in the same segment, the third comes later.
  first.send(get('a.example', '/1') + get('a.example', '/2'))
  for (let i = 0; i < 2; i++) await first.response()
  const second = await stage.connectTls()
  second.send(get('a.example', '/3'))
  await second.response()
  first.send(get('a.example', '/4'))
  await first.response()
  expect(await stage.thread.logged(4)).toEqual(['1 1 /1', '1 2 /2', '2 1 /3', '1 3 /4'])
})

test('requests under way are counted', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  expect(stage.thread.count('requestsOpen')).toBe(0)
  client.send(get('a.example'))
  const endpoint = await stage.app.connection()
  await endpoint.request()
  expect(stage.thread.count('requestsOpen')).toBe(1)
  endpoint.send(ok('x'))
  await client.response()
  expect(stage.thread.count('requestsOpen')).toBe(0)
})

test('§16 what the TLS connection is', async () => {
  const named = certificateOf('test/a')
  await using stage = await setStage({
    settings: { logFormat: '$scheme $https $ssl_protocol $ssl_cipher $ssl_server_name $remote_port $server_port' },
    route: { certificate: named.id },
    certificates: [fallbackCertificate(), named],
  })
  stage.app.serve(() => ok('x'))
  const client = await stage.connectTls({ minVersion: 'TLSv1.3' })
  client.send(get('a.example'))
  await client.response()
  const [line] = await stage.thread.logged(1)
  expect(line).toMatch(/^https on TLSv1\.3 TLS_[A-Z0-9_]+ a\.example \d+ \d+$/)
  expect(line?.split(' ').at(-1)).toBe(String(stage.thread.httpsPort))
})
