// Message bodies in both directions: how they are framed on either side, that they stream and are never collected, and
// what becomes of one that does not end as it should.

import { expect, test } from 'vitest'
import { App, get, ok } from '#test/support/app.ts'
import { routeTo, upstreamAt } from '#test/support/data-thread.ts'
import { fieldValue, type Message } from '#test/support/http-message.ts'
import { digestOf, mebibyte, pieces, receiveLarge, sendLarge } from '#test/support/large-body.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { Peer } from '#test/support/peer.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

// ------------------------------------------------------------------------------------------------ requests' framing

const uploads: [name: string, head: string, body: string, framing: 'content-length' | 'transfer-encoding' | null][] = [
  ['a length', 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\n\r\n', 'hello\r\nworl', 'content-length'],
  ['a length of zero', 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n', '', 'content-length'],
  ['a length on GET', 'GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\n', 'abc', 'content-length'],
  ['no body', 'POST / HTTP/1.1\r\nHost: a.example\r\n\r\n', '', null],
  [
    'a length from HTTP/1.0',
    'POST / HTTP/1.0\r\nHost: a.example\r\nContent-Length: 3\r\n\r\n',
    'abc',
    'content-length',
  ],
  [
    'chunks',
    'POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n',
    '3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n',
    'transfer-encoding',
  ],
  [
    'chunks in capitals',
    'POST / HTTP/1.1\r\nHost: a.example\r\nTRANSFER-ENCODING: Chunked\r\n\r\n',
    '0\r\n\r\n',
    'transfer-encoding',
  ],
  [
    'chunks with extensions and trailers',
    'PUT / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n',
    '1;a=b\r\nx\r\n2;c="d\\"e"\r\nyz\r\n000\r\nX-Sum: 9\r\nX-More: \r\n\r\n',
    'transfer-encoding',
  ],
]
for (const [name, head, body, framing] of uploads) {
  for (const together of [true, false]) {
    test(`a request body with ${name} reaches the app as it came (${together ? 'with' : 'behind'} its head)`, async () => {
      await using stage = await setStage()
      const client = await stage.connect()
      if (together) client.send(head + body)
      else client.send(head)
      const app = await stage.app.connection()
      const reading = app.request()
      if (!together) client.send(body)
      const request = await reading
      expect(request.rawBody.toString('latin1')).toBe(body)
      expect(['content-length', 'transfer-encoding'].filter(field => fieldValue(request, field) !== undefined)).toEqual(
        framing === null ? [] : [framing],
      )
      expect(request.line).toMatch(/^[A-Z]+ \/ HTTP\/1\.1$/)
      app.send(ok('done'))
      expect((await client.response()).body.toString()).toBe('done')
      await stage.thread.opens({ upstreamIdle: 1 })
    })
  }
}

// ------------------------------------------------------------------------------------------------ answers' framing

interface Framing {
  readonly length?: string
  readonly coding?: string
  readonly stays: boolean
}
const downloads: [
  name: string,
  version: string,
  answer: string,
  closes: boolean,
  body: string,
  raw: string,
  framing: Framing,
][] = [
  [
    'a length',
    '1.1',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    false,
    'hello',
    'hello',
    { length: '5', stays: true },
  ],
  [
    'a length and close',
    '1.1',
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello',
    true,
    'hello',
    'hello',
    { length: '5', stays: true },
  ],
  [
    'chunks',
    '1.1',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
    false,
    'abc',
    '3;x=1\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
    { coding: 'chunked', stays: true },
  ],
  [
    'no length',
    '1.1',
    'HTTP/1.1 200 OK\r\n\r\nhello',
    true,
    'hello',
    '5\r\nhello\r\n0\r\n\r\n',
    { coding: 'chunked', stays: true },
  ],
  [
    'no length, from HTTP/1.0',
    '1.1',
    'HTTP/1.0 200 OK\r\n\r\nhello',
    true,
    'hello',
    '5\r\nhello\r\n0\r\n\r\n',
    { coding: 'chunked', stays: true },
  ],
  [
    'no length and no octet',
    '1.1',
    'HTTP/1.1 200 OK\r\n\r\n',
    true,
    '',
    '0\r\n\r\n',
    { coding: 'chunked', stays: true },
  ],
  [
    'a length, for HTTP/1.0',
    '1.0',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    false,
    'hello',
    'hello',
    { length: '5', stays: true },
  ],
  [
    'chunks, for HTTP/1.0',
    '1.0',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n',
    false,
    'abcde',
    'abcde',
    { stays: false },
  ],
  ['no length, for HTTP/1.0', '1.0', 'HTTP/1.1 200 OK\r\n\r\nhello', true, 'hello', 'hello', { stays: false }],
]
for (const [name, version, answer, closes, body, raw, framing] of downloads) {
  for (const segment of [answer.length, 1]) {
    test(`an answer with ${name}${segment === 1 ? ', octet by octet' : ''}`, async () => {
      await using stage = await setStage()
      const client = await stage.connect()
      client.send(`GET / HTTP/${version}\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n`)
      const app = await stage.app.connection()
      await app.request()
      await stage.sendInSegments(app, answer, segment)
      if (closes) app.end()
      const response = await client.response()
      if (segment > 1) expect(response.rawBody.toString('latin1')).toBe(raw)
      expect(response.body.toString('latin1')).toBe(body)
      expect(fieldValue(response, 'content-length')).toBe(framing.length)
      expect(fieldValue(response, 'transfer-encoding')).toBe(framing.coding)
      await stage.thread.opens({ upstream: closes ? 0 : 1, upstreamIdle: closes ? 0 : 1 })
      if (framing.stays) expect(client.queue.ended).toBe(null)
      else expect(await client.ended()).toBe('end')
    })
  }
}

test('octets reach the client as they come: a stream of events is not held back', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  app.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
  expect(fieldValue(await client.head(), 'content-type')).toBe('text/event-stream')
  for (let i = 0; i < 5; i++) {
    const event = `data: ${i}\n\n`
    app.send(event)
    expect((await client.queue.take(event.length + 5)).toString()).toBe(`9\r\n${event}\r\n`)
  }
  app.end()
  expect((await client.queue.take(5)).toString()).toBe('0\r\n\r\n')
})

// ------------------------------------------------------------------------------------------------ large bodies

const size = 64 * mebibyte
const digest = digestOf(size)

for (const direction of ['up', 'down']) {
  for (const [chunked, slow] of [
    [false, false],
    [true, false],
    [false, true],
  ] as const) {
    test(`64 MiB ${direction}, ${chunked ? 'chunked' : 'with a length'}${slow ? ', to a slow reader' : ''}, whole and in little memory`, async () => {
      await using stage = await setStage()
      const client = await stage.connect()
      const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${size}`
      client.send(direction === 'up' ? `PUT / HTTP/1.1\r\nHost: a.example\r\n${framing}\r\n\r\n` : get('a.example'))
      const app = await stage.app.connection()
      await app.head()
      if (direction === 'down') {
        app.send(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`)
        await client.head()
      }
      const [from, to] = direction === 'up' ? [client, app] : [app, client]
      const [received] = await Promise.all([receiveLarge(to, size, { chunked, slow }), sendLarge(from, size, chunked)])
      expect(received.digest).toBe(digest)
      expect(received.held).toBeLessThan(8 * mebibyte)
      if (direction === 'up') {
        app.send(ok('stored'))
        expect((await client.response()).body.toString()).toBe('stored')
      }
      await stage.thread.opens({ upstreamIdle: 1 })
      client.send(get('a.example', '/after'))
      expect((await app.request()).target).toBe('/after')
      app.send(ok('after'))
      await client.response()
      const [line = ''] = await stage.thread.logged(1)
      const bytes = Number(line.split(' - ')[6])
      if (direction === 'down') expect(bytes).toBeGreaterThanOrEqual(size)
      else expect(bytes).toBeLessThan(1000)
    })
  }
}

test('octets that wait for a slow peer stay as they are, whatever else goes through the thread', async () => {
  await using stage = await setStage({ routes: [routeTo('b.example', 'b')] })
  await using other = await App.start()
  other.serve(request => ok(request.target.repeat(50)))
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('b', other.port)], deletes: [] } })
  const length = 24 * mebibyte

  const uploader = await stage.connect()
  uploader.send(`PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${length}\r\n\r\n`)
  const store = await stage.app.connection()
  await store.head()
  const downloader = await stage.connect()
  downloader.send(get('a.example'))
  const source = await stage.app.connection()
  await source.head()
  source.send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`)
  await downloader.head()
  for (const peer of [store, downloader]) peer.socket.pause()
  let steps = 0
  // In pieces that are smaller than any limit of a stream: several wait at a time.
  const trickle = async (peer: Peer): Promise<void> => {
    for (const piece of pieces(length, 5_000)) {
      await peer.send(piece)
      steps++
    }
  }
  const sending = Promise.all([trickle(uploader), trickle(source)])
  const client = await stage.connect()
  const ask = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) {
      client.send(get('b.example', `/${i}`))
      expect((await client.response()).body.toString()).toBe(`/${i}`.repeat(50))
    }
  }
  await stage.thread.stalled(() => steps)
  await ask()
  for (const peer of [store, downloader]) peer.socket.resume()
  const receiving = Promise.all([receiveLarge(store, length), receiveLarge(downloader, length)])
  await ask()
  for (const received of await receiving) expect(received.digest).toBe(digestOf(length))
  await sending
  store.send(ok('stored'))
  expect((await uploader.response()).body.toString()).toBe('stored')
})

// ------------------------------------------------------------------------------------------------ bodies cut short

const truncated: [name: string, answer: string, kill: (app: Peer) => void][] = [
  ['a length that is not reached', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', app => app.end()],
  ['a length, and a reset', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', app => app.reset()],
  ['chunks without the last', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', app => app.end()],
  ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello', app => app.end()],
  ['no end of trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: 1\r\n', app => app.end()],
  ['no length, and a reset', 'HTTP/1.1 200 OK\r\n\r\nhello', app => app.reset()],
]
for (const [name, answer, kill] of truncated) {
  test(`the client notices an answer cut short: ${name}`, async () => {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send(get('a.example'))
    const app = await stage.app.connection()
    await app.request()
    app.send(answer)
    const head = await client.head()
    // The reset shall not overtake the octets.
    await client.queue.takeThrough(name === 'no end of trailers' ? '0\r\n' : 'hello')
    kill(app)
    await client.ended()
    const rest = client.queue.length
    expect(rest).toBeLessThan(10)
    expect((await client.queue.takeAll()).toString('latin1')).not.toContain('0\r\n\r\n')
    expect(head.line).toBe('HTTP/1.1 200 OK')
    expect((await stage.thread.logged(1))[0]).toContain(' - 200 - ')
    await stage.thread.opens({ http: 0, upstream: 0 })
  })
}

const brokenChunks: [name: string, body: string][] = [
  ['a size that is no number', 'xyz\r\n'],
  ['a bare line feed', '5\nhello\r\n0\r\n\r\n'],
  ['a blank before the size', ' 5\r\nhello\r\n'],
  ['a negative size', '-1\r\n'],
  ['more octets than the size says', '3\r\nhello\r\n'],
  ['a size beyond all bounds', 'ffffffffffffffff\r\n'],
  ['a forbidden trailer', '0\r\nContent-Length: 5\r\n\r\n'],
]
for (const [name, body] of brokenChunks) {
  test(`a body that breaks its framing gets 400 and the app's connection is closed: ${name}`, async () => {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send('POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n')
    const app = await stage.app.connection()
    await app.queue.takeThrough('2\r\nok\r\n')
    client.send(body + get('a.example', '/smuggled'))
    const response = await client.response()
    expect(response.status).toBe(400)
    expect(fieldValue(response, 'connection')).toBe('close')
    expect(await client.ended()).toBe('end')
    await app.ended()
    expect((await app.queue.takeAll()).toString('latin1')).not.toContain('smuggled')
    expect(stage.thread.count('malformedRequests')).toBe(1)
    expect((await stage.thread.logged(1))[0]).toContain(' - 400 - "POST / HTTP/1.1"')
  })

  test(`and so at once, when it comes together with its head: ${name}`, async () => {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send(`POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)
    expect((await client.response()).status).toBe(400)
    expect(await client.ended()).toBe('end')
    expect(stage.app.accepted).toBe(0)
  })

  test(`an answer that breaks its framing cuts the client off: ${name}`, async () => {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send(get('a.example'))
    const app = await stage.app.connection()
    await app.request()
    app.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n')
    await client.queue.takeThrough('2\r\nok\r\n')
    app.send(body)
    await client.ended()
    expect((await client.queue.takeAll()).toString('latin1')).not.toContain('0\r\n\r\n')
    await app.ended()
    expect(stage.thread.count('upstreamInvalidResponses')).toBe(1)
    await stage.thread.opens({ http: 0, upstream: 0 })
  })
}

// ------------------------------------------------------------------------------------------------ answers that come early

test('an answer that comes before the whole request reaches the client, and its connection is closed', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nsome')
  const app = await stage.app.connection()
  await app.queue.takeThrough('some')
  app.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!')
  const response = await client.response()
  expect([response.status, response.body.toString(), fieldValue(response, 'connection')]).toEqual([413, 'no!', 'close'])
  // What it still sends is taken and thrown away, so that no reset overtakes the answer.
  await client.send(Buffer.alloc(mebibyte))
  expect(await client.ended()).toBe('end')
  await app.ended()
  client.end()
  await stage.thread.opens({ http: 0, upstream: 0 })
  expect(await stage.thread.logged(1)).toHaveLength(1)
})

test('an early answer that closes the connection, while octets are under way, reaches the client', async () => {
  await using stage = await setStage()
  for (let i = 0; i < 20; i++) {
    const client = await stage.connect()
    client.send(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${64 * mebibyte}\r\n\r\n`)
    const upload = Buffer.alloc(256 * 1024)
    const sending = (async () => {
      while (!client.socket.destroyed && client.queue.ended === null) await client.send(upload)
    })()
    const app = await stage.app.connection()
    await app.queue.takeThrough('\r\n\r\n')
    await app.send('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno!')
    // As a server does that answers and closes: octets that it has not read make it a reset.
    app.socket.destroy()
    expect((await client.response()).status).toBe(413)
    client.socket.destroy()
    await sending
  }
})

test('an early answer of unknown length that ends in a reset is not passed on as whole', async () => {
  await using stage = await setStage()
  for (let i = 0; i < 20; i++) {
    const client = await stage.connect()
    client.send(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${64 * mebibyte}\r\n\r\n`)
    const upload = Buffer.alloc(256 * 1024)
    const sending = (async () => {
      while (!client.socket.destroyed && client.queue.ended === null) await client.send(upload)
    })()
    const app = await stage.app.connection()
    await app.queue.takeThrough('\r\n\r\n')
    await app.send('HTTP/1.1 413 Content Too Large\r\n\r\npart of it')
    app.reset()
    expect((await client.queue.takeAll()).toString('latin1')).not.toMatch(/0\r\n\r\n$/)
    client.socket.destroy()
    await sending
  }
})

test('an app that closes in the middle of an upload without a word gives 502', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nsome')
  const app = await stage.app.connection()
  await app.queue.takeThrough('some')
  app.reset()
  const response = await client.response()
  expect([response.status, fieldValue(response, 'connection')]).toEqual([502, 'close'])
  expect(await client.ended()).toBe('end')
  expect(stage.app.accepted).toBe(1)
})

test('a client that goes in the middle of its body takes the connection to the app with it', async () => {
  for (const leave of ['end', 'reset'] as const) {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nsome')
    const app = await stage.app.connection()
    await app.queue.takeThrough('some')
    client[leave]()
    await app.ended()
    expect((await stage.thread.logged(1))[0]).toContain(' - 499 - "POST / HTTP/1.1"')
    expect(stage.thread.count('clientAborts')).toBe(1)
    await stage.thread.opens({ http: 0, upstream: 0 })
  }
})

// ------------------------------------------------------------------------------------------------ Expect

test('the router answers Expect: 100-continue itself (contract section 11), once it knows the app will be asked', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  const head = 'POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-Continue\r\n'
  client.send(`${head}Host: a.example\r\n\r\n`)
  expect((await client.response()).status).toBe(100)
  const app = await stage.app.connection()
  client.send('data')
  const request: Message = await app.request()
  expect(fieldValue(request, 'expect')).toBe(undefined)
  app.send(`HTTP/1.1 100 Continue\r\n\r\n${ok('x')}`)
  expect((await client.response()).status).toBe(200)

  client.send(`${head}Host: nobody.example\r\n\r\n`)
  const refused = await client.response()
  expect([refused.status, fieldValue(refused, 'connection')]).toEqual([404, 'close'])
})

test('no 100 for a body that is there already, nor for HTTP/1.0', async () => {
  await using stage = await setStage()
  stage.app.serve(request => ok(request.body.toString()))
  const client = await stage.connect()
  client.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\ndata')
  expect((await client.response()).status).toBe(200)
  client.send('POST / HTTP/1.0\r\nHost: a.example\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n')
  await stage.thread.settle()
  client.send('data')
  const response = await client.response()
  expect([response.status, response.body.toString()]).toEqual([200, 'data'])
})
