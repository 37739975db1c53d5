// What holds between the requests of one connection: order, persistence (RFC 9112 section 9), framing of what the
// router must not mix up, and back-pressure.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { routeTo, type TestThread } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { heldInBuffers } from '#test/support/memory.ts'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

test('100 pipelined requests in one write, some answered by the router itself, are answered in order', async () => {
  await using stage = await setStage()
  stage.app.serve(request => ok(request.target))
  const client = await stage.connect()
  let octets = ''
  for (let i = 0; i < 100; i++) octets += get(i % 3 === 0 ? 'nobody.example' : 'a.example', `/${i}`)
  client.send(octets)
  for (let i = 0; i < 100; i++) {
    const { status, body } = await client.response()
    expect(status === 200 ? body.toString() : status).toBe(i % 3 === 0 ? 404 : `/${i}`)
  }
  expect(stage.app.accepted).toBe(1)
  expect(stage.thread.count('upstreamReused')).toBe(65)
  expect(await stage.thread.logged(100)).toHaveLength(100)
})

const persistence: [name: string, request: string, stays: boolean, field: string | undefined][] = [
  ['HTTP/1.1 stays open', 'GET / HTTP/1.1\r\nHost: HOST\r\n\r\n', true, undefined],
  ['HTTP/1.1 with close', 'GET / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n', false, 'close'],
  ['close in a list and in capitals', 'GET / HTTP/1.1\r\nHost: HOST\r\nConnection: x-a ,CLOSE\r\n\r\n', false, 'close'],
  ['close beats keep-alive', 'GET / HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive, close\r\n\r\n', false, 'close'],
  ['HTTP/1.0 closes', 'GET / HTTP/1.0\r\nHost: HOST\r\n\r\n', false, 'close'],
  ['HTTP/1.0 with keep-alive', 'GET / HTTP/1.0\r\nHost: HOST\r\nConnection: Keep-Alive\r\n\r\n', true, 'keep-alive'],
  [
    'HTTP/1.0 with keep-alive and close',
    'GET / HTTP/1.0\r\nHost: HOST\r\nConnection: keep-alive, close\r\n\r\n',
    false,
    'close',
  ],
]
for (const host of ['a.example', 'nobody.example']) {
  for (const [name, request, stays, field] of persistence) {
    test(`${name} (${host === 'a.example' ? 'the app answers' : 'the router answers'})`, async () => {
      await using stage = await setStage()
      stage.app.serve(() => ok('yes'))
      const client = await stage.connect()
      for (let i = 0; i < (stays ? 3 : 1); i++) {
        client.send(request.replace('HOST', host))
        const response = await client.response()
        expect(response.status).toBe(host === 'a.example' ? 200 : 404)
        expect(fieldValue(response, 'connection')).toBe(field)
      }
      if (!stays) {
        expect(await client.ended()).toBe('end')
        client.end()
        expect(await client.closed()).toBe('end')
      }
      await stage.thread.opens({ http: stays ? 1 : 0 })
    })
  }
}

test('what follows a request with Connection: close is thrown away', async () => {
  await using stage = await setStage()
  stage.app.serve(request => ok(request.target))
  const client = await stage.connect()
  client.send(`${get('a.example', '/last', 'Connection: close')}${get('a.example', '/never')}`)
  expect((await client.response()).body.toString()).toBe('/last')
  client.send(get('a.example', '/never'))
  expect(await client.ended()).toBe('end')
  expect(client.queue.length).toBe(0)
  client.end()
  await client.closed()
  await stage.thread.elapse(0)
  expect(await stage.thread.logged(1)).toHaveLength(1)
})

const bodiless: [
  name: string,
  request: string,
  answer: string,
  status: number,
  fields: Record<string, string | undefined>,
][] = [
  [
    'HEAD with a length',
    'HEAD / HTTP/1.1',
    'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n',
    200,
    { 'content-length': '1000000' },
  ],
  [
    'HEAD with chunks',
    'HEAD / HTTP/1.1',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    200,
    { 'content-length': undefined },
  ],
  [
    'HEAD without a length',
    'HEAD / HTTP/1.1',
    'HTTP/1.1 200 OK\r\n\r\n',
    200,
    { 'content-length': undefined, 'transfer-encoding': undefined },
  ],
  [
    '204',
    'DELETE / HTTP/1.1',
    'HTTP/1.1 204 No Content\r\n\r\n',
    204,
    { 'content-length': undefined, 'transfer-encoding': undefined },
  ],
  [
    '304 with a length',
    'GET / HTTP/1.1',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: "a"\r\n\r\n',
    304,
    { 'content-length': '77', etag: '"a"' },
  ],
  [
    '304 with chunks',
    'GET / HTTP/1.1',
    'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n',
    304,
    { 'content-length': undefined },
  ],
  ['an empty body', 'GET / HTTP/1.1', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 200, { 'content-length': '0' }],
  [
    'an empty chunked body',
    'GET / HTTP/1.1',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    200,
    { 'transfer-encoding': 'chunked' },
  ],
  ['no reason phrase', 'GET / HTTP/1.1', 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n', 200, { 'content-length': '0' }],
]
for (const [name, line, answer, status, fields] of bodiless) {
  test(`${name}: nothing follows the head, and both connections go on`, async () => {
    await using stage = await setStage()
    stage.app.serve(request => (request.target === '/' ? answer : ok('next')))
    const client = await stage.connect()
    client.send(`${line}\r\nHost: a.example\r\n\r\n${get('a.example', '/next')}`)
    const response = await client.response(line.split(' ')[0])
    expect(response.status).toBe(status)
    for (const [field, value] of Object.entries(fields)) expect(fieldValue(response, field)).toBe(value)
    expect((await client.response()).body.toString()).toBe('next')
    expect(stage.app.accepted).toBe(1)
  })
}

test('HEAD of an answer of the router itself has the length of GET and no body', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(`HEAD / HTTP/1.1\r\nHost: nobody.example\r\n\r\n${get('nobody.example')}`)
  const head = await client.response('HEAD')
  const got = await client.response()
  expect([head.status, got.status]).toEqual([404, 404])
  expect(fieldValue(head, 'content-length')).toBe(String(got.body.length))
})

const conversation = [
  { octets: `POST /1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello`, body: 'hello' },
  {
    octets: `POST /2 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x="\\""\r\nde\r\n0\r\n\r\n`,
    body: 'abcde',
  },
  { octets: `GET /3 HTTP/1.1\r\nHost: nobody.example\r\n\r\n`, body: null },
  { octets: `\r\nPUT /4 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n`, body: '' },
  // Its body may be on its way yet when the answer goes out: then the answer says that it is the last.
  { octets: `POST /5 HTTP/1.1\r\nHost: nobody.example\r\nContent-Length: 3\r\n\r\nxyz`, body: null },
]
const all = conversation.map(part => part.octets).join('')
for (const size of [1, 2, 3, 7, 50, all.length]) {
  test(`requests and bodies cut into segments of ${size} octets are told apart`, async () => {
    await using stage = await setStage()
    stage.app.serve(request => ok(`${request.target} ${request.body.toString()}`))
    const client = await stage.connect()
    await stage.sendInSegments(client, all, size)
    for (const [i, { body }] of conversation.entries()) {
      const response = await client.response()
      expect(response.status).toBe(body === null ? 404 : 200)
      if (body !== null) expect(response.body.toString()).toBe(`/${i + 1} ${body}`)
    }
    expect(stage.app.accepted).toBe(1)
  })
}

for (const size of [1, 5, 40, 70, 75]) {
  test(`answers that come in segments of ${size} octets arrive whole`, async () => {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send(get('a.example').repeat(3))
    const answers = [
      `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${ok('one', 'X-A: 1')}`,
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\nX-T: t\r\n\r\n',
      'HTTP/1.1 200 OK\r\n\r\nthree',
    ]
    const app = await stage.app.connection()
    for (const answer of answers) {
      await app.request()
      await stage.sendInSegments(app, answer, size)
    }
    app.end()
    const hints = await client.response()
    expect([hints.status, fieldValue(hints, 'link')]).toEqual([103, '</x>'])
    const one = await client.response()
    expect([one.body.toString(), fieldValue(one, 'x-a')]).toEqual(['one', '1'])
    const two = await client.response()
    expect([two.body.toString(), two.trailers]).toEqual(['two', [{ name: 'X-T', value: 't' }]])
    expect((await client.response()).body.toString()).toBe('three')
  })
}

/** Resolves with how many octets a peer could be given until it takes no more; the other end is not being read. */
async function fill(peer: Peer, octets: Buffer, most: number, thread: TestThread): Promise<number> {
  for (let given = 0; given < most; given += octets.length) {
    const taken = peer.send(octets).then(() => true)
    // What is not taken though nothing else happens is not going to be.
    const stalled = thread.stalled(() => given).then(() => false)
    if (!(await Promise.race([taken, stalled]))) return given
  }
  return most
}

test('a client that never reads is not read from either: answers do not pile up', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.socket.pause()
  const most = 64 * 1024 * 1024
  expect(await fill(client, Buffer.from(get('nobody.example').repeat(2_000)), most, stage.thread)).toBeLessThan(
    most / 4,
  )
  client.reset()
  await stage.thread.opens({ http: 0 })
})

test('a client that never reads its answer does not fill the memory with it', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.socket.pause()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  const most = 128 * 1024 * 1024
  app.send(`HTTP/1.1 200 OK\r\nContent-Length: ${most}\r\n\r\n`)
  const before = heldInBuffers()
  expect(await fill(app, Buffer.alloc(64 * 1024, 'x'), most, stage.thread)).toBeLessThan(most / 4)
  expect(heldInBuffers() - before).toBeLessThan(4 * 1024 * 1024)
  // The exchange is over when nothing has been taken for as long as a client may take.
  await stage.thread.elapse(61_000)
  await stage.thread.elapse(61_000)
  await stage.thread.opens({ http: 0, upstream: 0 })
  expect((await stage.thread.logged(1))[0]).toContain(' - 200 - ')
})

test('the end of a last answer that the client is slow to take is not cut off', async () => {
  await using stage = await setStage({ listens: false })
  // Handed over, so that the router's end can be looked at.
  const accepted = Promise.withResolvers<Socket>()
  await using server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, accepted.resolve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using client = await connectTo((server.address() as AddressInfo).port)
  client.socket.pause()
  const socket = await accepted.promise
  stage.thread.message({ kind: 'socket', port: 'http', socket })
  let sent = 0
  for (; socket.writableLength === 0; sent += 20) {
    client.send(get('nobody.example').repeat(20))
    await stage.thread.settle()
  }
  client.send(get('nobody.example', '/', 'Connection: close'))
  await stage.thread.settle()
  expect(socket.writableLength).toBeGreaterThan(0)
  expect(socket.writableEnded).toBe(true)
  // Longer than a refused client is listened to; then the client says that it is done, too.
  await stage.thread.elapse(6_000)
  client.end()
  await stage.thread.settle()
  await stage.thread.elapse(6_000)
  client.socket.resume()
  for (let i = 0; i <= sent; i++) expect((await client.response()).status).toBe(404)
  expect(await client.ended()).toBe('end')
  await stage.thread.opens({ http: 0 })
})

test('an idle connection is closed after defaultTimeout (contract section 4), one that sends nothing after a minute', async () => {
  await using stage = await setStage({ settings: { defaultTimeout: 90_000 } })
  stage.app.serve(() => ok('yes'))
  const used = await stage.connect()
  const silent = await stage.connect()
  used.send(get('a.example'))
  await used.response()
  await stage.thread.elapse(61_000)
  expect(await silent.ended()).toBe('end')
  expect(silent.queue.length).toBe(0)
  expect(used.queue.ended).toBe(null)
  used.send(get('a.example'))
  expect((await used.response()).status).toBe(200)
  await stage.thread.elapse(91_000)
  expect(await used.ended()).toBe('end')
  expect(await stage.thread.logged(2)).toHaveLength(2)
})

test('hop-by-hop fields of an answer, and those that it nominates, stay behind', async () => {
  await using stage = await setStage()
  stage.app.serve(() =>
    ok(
      'x',
      'Connection: X-Hop, keep-alive',
      'X-Hop: 1',
      'Keep-Alive: timeout=9',
      'Proxy-Connection: close',
      'X-Kept: 1',
    ),
  )
  const client = await stage.connect()
  client.send(get('a.example'))
  const response = await client.response()
  expect(response.fields.map(field => field.name.toLowerCase()).sort()).toEqual([
    'content-length',
    'date',
    'server',
    'x-kept',
  ])
  expect(fieldValues(response, 'x-kept')).toEqual(['1'])
})

test('connections to several hosts share nothing but the router', async () => {
  await using stage = await setStage({ routes: [routeTo('b.example', 'a')] })
  stage.app.serve(request => ok(fieldValue(request, 'host') ?? ''))
  const client = await stage.connect()
  client.send(`${get('b.example')}${get('A.EXAMPLE:8080')}${get('b.example.')}${get('a.example')}`)
  for (const host of ['b.example', 'a.example', 'b.example', 'a.example']) {
    expect((await client.response()).body.toString()).toBe(host)
  }
})
