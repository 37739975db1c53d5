// Compressed answers through a data thread (contract section 12). What is eligible is told in coding/eligible.test.ts.

import { once } from 'node:events'
import { brotliDecompressSync, createGunzip, gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { defaultSettings } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { setStage } from '#test/support/stage.ts'
import { codings, counter } from '../model/counters.ts'

failOnLeaks()

const text = 'All work and no play makes Jack a dull boy. '.repeat(200)
const decoders = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync } as const
const plain = 'Content-Type: text/plain'

/** How an app can frame a body. */
const framings: Readonly<Record<string, (body: string, ...fields: readonly string[]) => string>> = {
  length: ok,
  chunked: (body, ...fields) => {
    const half = body.length >> 1
    const chunk = (part: string): string => `${part.length.toString(16)}\r\n${part}\r\n`
    const lines = ['Transfer-Encoding: chunked', 'Trailer: X-Sum', ...fields].map(field => `${field}\r\n`).join('')
    return `HTTP/1.1 200 OK\r\n${lines}\r\n${chunk(body.slice(0, half))}${chunk(body.slice(half))}0\r\nX-Sum: 1\r\n\r\n`
  },
}

for (const [framing, answer] of Object.entries(framings)) {
  for (const coding of codings) {
    test(`${coding}, from a body framed by ${framing}; the connection goes on`, async () => {
      await using stage = await setStage()
      stage.app.serve(request =>
        request.target === '/etag' ? answer(text, plain, 'ETag: "x"', 'Accept-Ranges: bytes') : answer(text, plain),
      )
      const client = await stage.connect()
      for (const target of ['/', '/etag', '/']) {
        client.send(get('a.example', target, `Accept-Encoding: ${coding}`))
        const response = await client.response()
        expect(decoders[coding](response.body).toString()).toBe(text)
        expect(fieldValues(response, 'content-encoding')).toEqual([coding])
        expect(fieldValues(response, 'content-length')).toEqual([])
        expect(fieldValues(response, 'transfer-encoding')).toEqual(['chunked'])
        expect(fieldValues(response, 'vary')).toEqual(['Accept-Encoding'])
        expect(fieldValue(response, 'etag')).toBe(target === '/etag' ? 'W/"x"' : undefined)
        expect(fieldValues(response, 'accept-ranges')).toEqual([])
        expect(fieldValues(response, 'trailer')).toEqual([])
      }
      expect(stage.app.accepted).toBe(1)
      expect(stage.thread.counters[counter.codedResponses + codings.indexOf(coding)]).toBe(3)
      expect(stage.thread.counters[counter.codedOctetsIn + codings.indexOf(coding)]).toBe(3 * text.length)
    })
  }
}

test('a body that ends with its connection', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example', '/', 'Accept-Encoding: gzip'))
  const app = await stage.app.connection()
  await app.head()
  await app.send(`HTTP/1.1 200 OK\r\n${plain}\r\n\r\n${text}`)
  app.end()
  const response = await client.response()
  expect(gunzipSync(response.body).toString()).toBe(text)
})

test('HEAD is told what GET would have got, without a body', async () => {
  await using stage = await setStage()
  stage.app.serve(() => `HTTP/1.1 200 OK\r\n${plain}\r\nContent-Length: ${text.length}\r\n\r\n`)
  const client = await stage.connect()
  client.send(get('a.example', '/', 'Accept-Encoding: gzip').replace('GET', 'HEAD'))
  const response = await client.response('HEAD')
  expect(fieldValue(response, 'content-encoding')).toBe('gzip')
  expect(fieldValues(response, 'content-length')).toEqual([])
  client.send(get('a.example').replace('GET', 'HEAD'))
  const without = await client.response('HEAD')
  expect(fieldValue(without, 'content-length')).toBe(String(text.length))
  expect(fieldValue(without, 'vary')).toBe('Accept-Encoding')
})

test('HTTP/1.0, where allowed: the body ends with the connection', async () => {
  const { gzip } = defaultSettings()
  await using stage = await setStage({ settings: { gzip: { ...gzip, httpVersion: '1.0' } } })
  stage.app.serve(() => framings.chunked!(text, plain))
  const client = await stage.connect()
  client.send('GET / HTTP/1.0\r\nHost: a.example\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n')
  const head = await client.head()
  expect(fieldValue(head, 'connection')).toBe('close')
  expect(fieldValues(head, 'transfer-encoding')).toEqual([])
  expect(gunzipSync(await client.queue.takeAll()).toString()).toBe(text)
})

test('events come through as they happen', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example', '/', 'Accept-Encoding: gzip'))
  const app = await stage.app.connection()
  await app.head()
  await app.send('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n')
  expect(fieldValue(await client.head(), 'content-encoding')).toBe('gzip')
  const unzip = createGunzip()
  for (const event of ['one', 'two', 'three']) {
    await app.send(`${event.length.toString(16)}\r\n${event}\r\n`)
    const size = Number.parseInt((await client.queue.takeThrough('\r\n')).toString('latin1'), 16)
    const decoded = once(unzip, 'data')
    unzip.write((await client.queue.take(size + 2)).subarray(0, size))
    expect(String((await decoded)[0])).toBe(event)
  }
  unzip.destroy()
})

describe('a slow client', () => {
  test('holds the app back, and gets all of it in the end', async () => {
    // Made before anybody waits for it: on a busy machine it takes longer than the router waits for an app.
    const random = Buffer.alloc(32 * 1024 * 1024)
    for (let i = 0, state = 1; i < random.length; i++) {
      state = (state * 48_271) % 2_147_483_647
      random[i] = state
    }
    await using stage = await setStage()
    const client = await stage.connect()
    client.socket.pause()
    client.send(get('a.example', '/', 'Accept-Encoding: gzip'))
    const app = await stage.app.connection()
    await app.head()
    const head = `HTTP/1.1 200 OK\r\n${plain}\r\nContent-Length: ${random.length}\r\n\r\n`
    const sent = app.send(Buffer.concat([Buffer.from(head), random]))
    await stage.thread.stalled(() => stage.thread.counters[counter.codedOctetsIn]!)
    expect(stage.thread.counters[counter.codedOctetsIn]).toBeLessThan(random.length)
    client.socket.resume()
    const response = await client.response()
    await sent
    expect(gunzipSync(response.body).equals(random)).toBe(true)
  })

  test('that leaves ends it', async () => {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send(get('a.example', '/', 'Accept-Encoding: br'))
    const app = await stage.app.connection()
    await app.head()
    await app.send(`HTTP/1.1 200 OK\r\n${plain}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`)
    await client.head()
    client.reset()
    await app.ended()
  })
})

test('an app that breaks off is not completed', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example', '/', 'Accept-Encoding: gzip'))
  const app = await stage.app.connection()
  await app.head()
  await app.send(`HTTP/1.1 200 OK\r\n${plain}\r\nContent-Length: 1000\r\n\r\nhello`)
  await client.head()
  app.reset()
  expect(await client.ended()).not.toBe('')
  expect((await client.queue.takeAll()).toString('latin1')).not.toMatch(/\r\n0\r\n\r\n$/)
})

test('broken framing in the first octets: still a proper answer', async () => {
  await using stage = await setStage()
  stage.app.serve(() => `HTTP/1.1 200 OK\r\n${plain}\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n`)
  const client = await stage.connect()
  client.send(get('a.example', '/', 'Accept-Encoding: gzip'))
  expect((await client.response()).status).toBe(502)
})

test('what is coded already is not coded again, whatever Connection says', async () => {
  await using stage = await setStage()
  const coded = gzipSync(text)
  const head = `HTTP/1.1 200 OK\r\n${plain}\r\nContent-Encoding: gzip\r\nConnection: content-encoding, keep-alive\r\n`
  stage.app.serve(() => Buffer.concat([Buffer.from(`${head}Content-Length: ${coded.length}\r\n\r\n`), coded]))
  const client = await stage.connect()
  client.send(get('a.example', '/', 'Accept-Encoding: gzip'))
  const response = await client.response()
  expect(fieldValues(response, 'content-encoding')).toEqual(['gzip'])
  expect(gunzipSync(response.body).toString()).toBe(text)
})

test('switched off, nothing is touched', async () => {
  const { gzip } = defaultSettings()
  await using stage = await setStage({ settings: { gzip: { ...gzip, enabled: false } } })
  stage.app.serve(() => ok(text, plain))
  const client = await stage.connect()
  client.send(get('a.example', '/', 'Accept-Encoding: gzip'))
  const response = await client.response()
  expect(response.body.toString()).toBe(text)
  expect(fieldValues(response, 'vary')).toEqual([])
})
