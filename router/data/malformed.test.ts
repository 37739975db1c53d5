// Requests that are no HTTP, over sockets (contract section 9, step 1; section 13): refused with the right status, and
// the connection is closed, because nobody can tell where the next request would begin. The parser's own tests have
// the long list; these see to it that what it refuses reaches neither an app nor the next request.

import { expect, test } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

const host = 'Host: a.example\r\n'
const refused: [name: string, octets: string, status: number][] = [
  ['garbage', '\x16\x03\x01\r\n\r\n', 400],
  ['HTTP/0.9', 'GET /\r\n', 400],
  ['a lower-case version', `GET / http/1.1\r\n${host}\r\n`, 400],
  ['HTTP/2', `GET / HTTP/2.0\r\n${host}\r\n`, 505],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['a bare line feed', `GET / HTTP/1.1\n${host}\r\n`, 400],
  ['a bare carriage return', `GET / HTTP/1.1\r\n${host}X: a\rb\r\n\r\n`, 400],
  ['NUL', `GET / HTTP/1.1\r\n${host}X: \0\r\n\r\n`, 400],
  ['obs-fold', `GET / HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`, 400],
  ['a blank before the colon', `GET / HTTP/1.1\r\nHost : a.example\r\n\r\n`, 400],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two hosts', `GET / HTTP/1.1\r\n${host}Host: b.example\r\n\r\n`, 400],
  ['a host that is none', 'GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n', 400],
  ['a target that contradicts the host', `GET http://b.example/ HTTP/1.1\r\n${host}\r\n`, 400],
  ['both lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['two lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd`, 400],
  ['a signed length', `POST / HTTP/1.1\r\n${host}Content-Length: +4\r\n\r\nabcd`, 400],
  ['an unknown coding', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400],
  [
    'two codings',
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['chunks in HTTP/1.0', `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['CONNECT', `CONNECT a.example:443 HTTP/1.1\r\n${host}\r\n`, 405],
  ['TRACE', `TRACE / HTTP/1.1\r\n${host}\r\n`, 405],
  ['a target that is too long', `GET /${'x'.repeat(33_000)} HTTP/1.1\r\n${host}\r\n`, 414],
  ['a field that is too long', `GET / HTTP/1.1\r\n${host}X: ${'x'.repeat(33_000)}\r\n\r\n`, 431],
  ['a head that is too long', `GET / HTTP/1.1\r\n${host}${`X: ${'x'.repeat(3_000)}\r\n`.repeat(50)}\r\n`, 431],
  ['a head that never ends', `GET / HTTP/1.1\r\n${host}${'X: x\r\n'.repeat(50_000)}`, 431],
]
for (const [name, octets, status] of refused) {
  for (const [way, segment] of [
    ['at once', octets.length],
    ['in segments', Math.max(1, Math.min(octets.length >> 1, 20_000))],
  ] as const) {
    test(`${name}, ${way}: ${status}, and nothing behind it is read`, async () => {
      await using stage = await setStage()
      stage.app.serve(() => ok('an app was asked'))
      const client = await stage.connect()
      client.send(get('a.example', '/before'))
      expect((await client.response()).status).toBe(200)
      await stage.sendInSegments(client, octets, segment)
      client.send(get('a.example', '/smuggled'))
      const response = await client.response()
      expect([response.status, fieldValue(response, 'connection'), fieldValue(response, 'content-type')]).toEqual([
        status,
        'close',
        'text/html',
      ])
      expect(await client.ended()).toBe('end')
      expect(client.queue.length).toBe(0)
      expect(stage.thread.count('malformedRequests')).toBe(1)
      if (way !== 'at once') return
      const lines = await stage.thread.logged(2)
      expect(lines).toHaveLength(2)
      expect(lines[1]).toContain(` -  - 127.0.0.1 - - - ${status} - "`)
      expect(lines.join('\n')).not.toContain('smuggled')
    })
  }
}

test('the log line of a request line that is cut short holds nothing that came before on other connections', async () => {
  await using stage = await setStage()
  const other = await stage.connect()
  other.send(get('nobody.example', `/${'secret'.repeat(20)}`))
  await other.response()
  const client = await stage.connect()
  client.send('GET / X\r\n')
  expect((await client.response()).status).toBe(400)
  const lines = await stage.thread.logged(2)
  expect(lines[1]).not.toContain('secret')
})

test('a pipelined request that is malformed is answered after those before it', async () => {
  await using stage = await setStage()
  stage.app.serve(request => ok(request.target))
  const client = await stage.connect()
  client.send(`${get('a.example', '/1')}${get('a.example', '/2')}GET / HTTP/1.1\r\nHost: a\0\r\n\r\n`)
  expect((await client.response()).body.toString()).toBe('/1')
  expect((await client.response()).body.toString()).toBe('/2')
  expect((await client.response()).status).toBe(400)
  expect(await client.ended()).toBe('end')
})

test('a client that goes in the middle of a head is forgotten', async () => {
  for (const leave of ['end', 'reset'] as const) {
    await using stage = await setStage()
    const client = await stage.connect()
    await client.send('GET / HTTP/1.1\r\nHost: a.exa')
    await stage.thread.settle()
    client[leave]()
    await stage.thread.opens({ http: 0 })
    expect(await stage.thread.logged(1)).toHaveLength(1)
  }
})

test('empty lines between requests are passed over, and are no request of their own', async () => {
  await using stage = await setStage()
  stage.app.serve(() => ok('yes'))
  const client = await stage.connect()
  client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\nhi\r\n`)
  expect((await client.response()).status).toBe(200)
  await stage.thread.settle()
  client.end()
  await stage.thread.opens({ http: 0 })
  expect(await stage.thread.logged(1)).toHaveLength(1)
  expect(stage.thread.count('clientAborts')).toBe(0)
})
