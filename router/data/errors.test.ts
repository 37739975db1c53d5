// What the client is told when the app cannot be reached, does not answer, or answers what is no HTTP (contract
// section 9, step 9), and what it never is told twice.

import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { routeTo, upstreamAt } from '#test/support/data-thread.ts'
import { FullBacklog } from '#test/support/full-backlog.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { Peer } from '#test/support/peer.ts'
import { RefusingPorts } from '#test/support/refusing-ports.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

test('nobody listens: 502, and the client keeps its connection', async () => {
  await using dead = await RefusingPorts.reserve(1)
  await using stage = await setStage()
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', ...dead.all)], deletes: [] } })
  const client = await stage.connect()
  for (let i = 1; i <= 2; i++) {
    client.send(i === 1 ? get('a.example') : 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi')
    const response = await client.response()
    expect([response.status, fieldValue(response, 'content-type'), fieldValue(response, 'connection')]).toEqual([
      502,
      'text/html',
      undefined,
    ])
    expect(stage.thread.count('upstreamConnectRefused')).toBe(i)
  }
  expect(stage.thread.answers('test/a', 5)).toBe(2)
  const [line] = await stage.thread.logged(2)
  expect(line).toMatch(/ - 502 - .* - 127\.0\.0\.1:\d+ - a\.example - \S+ - \d\.\d{3}$/)
})

for (const body of ['', 'hello']) {
  test(`an endpoint that refuses is passed over for one that does not, whatever the method (body: "${body}")`, async () => {
    await using dead = await RefusingPorts.reserve(1)
    await using stage = await setStage()
    stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', ...dead.all, stage.app.port)], deletes: [] } })
    stage.app.serve(request => ok(request.body.toString()))
    const client = await stage.connect()
    for (let i = 0; i < 10; i++) {
      client.send(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n`)
      if (body !== '') client.send(body)
      const response = await client.response()
      expect([response.status, response.body.toString()]).toEqual([200, body])
    }
    // It rests after a failure, so it was asked once at most.
    expect(stage.thread.count('upstreamConnectRefused')).toBe(1)
    expect(stage.thread.retries()).toBe(1)
    // When it has rested it is asked again.
    await stage.thread.elapse(5_100)
    for (let i = 0; i < 10; i++) {
      client.send(get('a.example'))
      expect((await client.response()).status).toBe(200)
    }
    expect(stage.thread.count('upstreamConnectRefused')).toBe(2)
    expect(await stage.thread.logged(20)).toHaveLength(20)
  })
}

test('pods that go all at once: one that stays is found behind any number of them, up to nine', async () => {
  for (const [count, status, refused] of [
    [9, 200, null],
    [12, 502, 10],
  ] as const) {
    await using dead = await RefusingPorts.reserve(count)
    await using stage = await setStage()
    const ports = refused === null ? [...dead.all, stage.app.port] : dead.all
    stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', ...ports)], deletes: [] } })
    stage.app.serve(() => ok('here'))
    const client = await stage.connect()
    client.send(get('a.example'))
    expect((await client.response()).status).toBe(status)
    if (refused !== null) expect(stage.thread.count('upstreamConnectRefused')).toBe(refused)
  }
})

describe('a pod that goes with a request in its queue', () => {
  const long = `X-Long: ${'x'.repeat(5_000)}`
  for (const [name, method, fields, apps, status, asked] of [
    ['another one is asked', 'GET', [], 2, 200, 2],
    ['another one is asked, also for a long request', 'GET', [long], 2, 200, 2],
    ['a POST may have been acted on', 'POST', ['Content-Length: 0'], 2, 502, 1],
    ['there is no other', 'GET', [], 1, 502, 1],
  ] as const) {
    test(name, async () => {
      await using stage = await setStage({ apps })
      let requests = 0
      for (const app of stage.apps)
        app.serve((request, peer) => {
          requests++
          if (requests > 1) return ok(`${request.method} ${request.raw.length > 5_000}`)
          peer.reset()
          return ''
        })
      const client = await stage.connect()
      client.send(get('a.example', '/', ...fields).replace('GET', method))
      const response = await client.response()
      expect([response.status, requests]).toEqual([status, asked])
      if (status === 200) expect(response.body.toString()).toBe(`GET ${fields.length > 0}`)
    })
  }
})

test('when all endpoints have refused lately, three of them are tried again, not more', async () => {
  await using dead = await RefusingPorts.reserve(5)
  await using stage = await setStage({ routes: [routeTo('b.example', 'b')], upstreams: [upstreamAt('b', ...dead.all)] })
  const client = await stage.connect()
  client.send(get('b.example'))
  expect((await client.response()).status).toBe(502)
  expect(stage.thread.count('upstreamConnectRefused')).toBe(5)
  client.send(get('b.example'))
  expect((await client.response()).status).toBe(502)
  expect(stage.thread.count('upstreamConnectRefused')).toBe(8)
  expect(stage.thread.retries()).toBe(6)
})

test('no TCP connection within connectTimeout: 504, after another endpoint was tried', async () => {
  await using full = await FullBacklog.start()
  await using stage = await setStage({ routes: [routeTo('b.example', 'b')], upstreams: [upstreamAt('b', full.port)] })
  const client = await stage.connect()
  client.send('POST / HTTP/1.1\r\nHost: b.example\r\nContent-Length: 5\r\n\r\nhello')
  await stage.thread.opens({ upstream: 1 })
  await stage.thread.elapse(1_500)
  expect(client.queue.length).toBe(0)
  await stage.thread.elapse(700)
  expect((await client.response()).status).toBe(504)
  expect(stage.thread.count('upstreamConnectTimeouts')).toBe(1)
  expect(stage.thread.open().upstream).toBe(0)

  stage.app.serve(request => ok(request.body.toString()))
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('b', full.port, stage.app.port)], deletes: [] } })
  // The endpoint that failed rests: no waiting.
  client.send('POST / HTTP/1.1\r\nHost: b.example\r\nContent-Length: 5\r\n\r\nhello')
  expect((await client.response()).body.toString()).toBe('hello')
  await stage.thread.elapse(5_100)
  // Its rest is over and both are idle: one of two requests goes there, and then on to the other.
  client.send(get('b.example', '/1'))
  const waiting = client.response()
  const other = await stage.connect()
  other.send(get('b.example', '/2'))
  const waitingToo = other.response()
  await stage.thread.elapse(2_200)
  expect([(await waiting).status, (await waitingToo).status]).toEqual([200, 200])
})

test('a client that goes while its request waits for a connection ends the attempt', async () => {
  await using full = await FullBacklog.start()
  await using stage = await setStage({ routes: [routeTo('b.example', 'b')], upstreams: [upstreamAt('b', full.port)] })
  const client = await stage.connect()
  client.send(get('b.example'))
  await stage.thread.opens({ upstream: 1 })
  client.end()
  await stage.thread.opens({ http: 0, upstream: 0 })
  expect((await stage.thread.logged(1))[0]).toContain(' - 499 - ')
})

// -------------------------------------------------------------------------------------- before and behind the head

const silent: [name: string, octets: string, kill: (app: Peer) => void][] = [
  ['closes without a word', '', app => app.end()],
  ['resets without a word', '', app => app.reset()],
  ['closes within its head', 'HTTP/1.1 200 OK\r\nContent-Le', app => app.end()],
  ['resets within its head', 'HTTP/1.1 200 OK\r\nContent-Le', app => app.reset()],
  ['closes behind an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n', app => app.end()],
]
for (const [name, octets, kill] of silent) {
  test(`an app that ${name}: 502, once, and not asked again`, async () => {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send(get('a.example'))
    const app = await stage.app.connection()
    await app.request()
    if (octets !== '') await app.send(octets)
    await stage.thread.settle()
    kill(app)
    expect((await client.response()).status).toBe(502)
    expect(stage.app.accepted).toBe(1)
    expect(stage.thread.retries()).toBe(0)
    await stage.thread.opens({ upstream: 0, http: 1 })
    client.send(get('nobody.example'))
    expect((await client.response()).status).toBe(404)
    expect(await stage.thread.logged(2)).toHaveLength(2)
  })
}

const longField = `X-Long: ${'x'.repeat(70_000)}\r\n`
const invalid: [name: string, answer: string][] = [
  ['garbage', 'what?\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['HTTP/0.9', '<html>hello</html>'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status with a sign', 'HTTP/1.1 +20 OK\r\n\r\n'],
  ['a status beyond 599', 'HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n'],
  ['bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['a head that is too large', `HTTP/1.1 200 OK\r\n${longField}\r\n`],
  ['a head that never ends', `HTTP/1.1 200 OK\r\n${'X-Some: more\r\n'.repeat(6_000)}`],
  [
    'both Content-Length and Transfer-Encoding',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
  ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello'],
  ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['obs-fold', 'HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n'],
  ['a blank before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
  ['NUL in a value', 'HTTP/1.1 200 OK\r\nX-A: \0\r\nContent-Length: 0\r\n\r\n'],
  [
    '101 that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  ],
  ['interim answers without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)],
]
for (const [name, answer] of invalid) {
  for (const cut of [false, true]) {
    test(`an answer that is no HTTP gives 502: ${name}${cut ? ', in two segments' : ''}`, async () => {
      await using stage = await setStage()
      const client = await stage.connect()
      client.send('GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n')
      const app = await stage.app.connection()
      await app.request()
      const middle = cut ? answer.length >> 1 : answer.length
      await app.send(answer.slice(0, middle))
      if (cut) {
        await stage.thread.settle()
        app.send(answer.slice(middle))
      }
      // HTTP/1.0 has no interim answers, so the first head is the last.
      expect((await client.response()).status).toBe(502)
      await app.ended()
      expect(stage.thread.count('upstreamInvalidResponses')).toBe(1)
      await stage.thread.opens({ http: 1, upstream: 0 })
    })
  }
}

test('interim answers pass to HTTP/1.1 in order, 100 does not, and HTTP/1.0 gets none', async () => {
  await using stage = await setStage()
  stage.app.serve(
    () =>
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\nConnection: x\r\nX: 1\r\n\r\n${ok('final')}`,
  )
  const client = await stage.connect()
  client.send(get('a.example'))
  expect((await client.head()).raw).toBe('HTTP/1.1 102 Processing\r\n\r\n')
  expect((await client.head()).raw).toBe('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n')
  expect((await client.response()).body.toString()).toBe('final')
  client.send('GET / HTTP/1.0\r\nHost: a.example\r\n\r\n')
  expect((await client.response()).status).toBe(200)
})

// -------------------------------------------------------------------------------------- connections that were kept

/** Lets the app answer once; the connection to it then waits in the pool. */
async function warm(
  stage: Awaited<ReturnType<typeof setStage>>,
  ...fields: readonly string[]
): Promise<{ client: Peer; app: Peer }> {
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  app.send(ok('warm', ...fields))
  await client.response()
  return { client, app }
}

for (const [method, body] of [
  ['GET', ''],
  ['HEAD', ''],
  ['PUT', 'data'],
  ['DELETE', ''],
  ['OPTIONS', ''],
]) {
  test(`${method} on a kept connection that the app closes is sent once more, on a new one`, async () => {
    await using stage = await setStage()
    const { client, app } = await warm(stage)
    client.send(`${method} /again HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body?.length}\r\n\r\n${body}`)
    await app.request()
    app.end()
    const next = await stage.app.connection()
    const request = await next.request()
    expect([request.method, request.target, request.body.toString()]).toEqual([method, '/again', body])
    next.send(ok('').replace('0', '0'))
    expect((await client.response(method)).status).toBe(200)
    expect(stage.thread.retries()).toBe(1)
    expect(stage.thread.count('upstreamReused')).toBe(1)
    expect(await stage.thread.logged(2)).toHaveLength(2)
  })
}

test('of several connections that are all stale, one is tried: the second try has a connection of its own', async () => {
  await using stage = await setStage()
  const clients = await Promise.all([stage.connect(), stage.connect(), stage.connect(), stage.connect()])
  for (const client of clients) client.send(get('a.example'))
  const apps = await Promise.all(clients.map(() => stage.app.connection()))
  for (const app of apps) {
    await app.request()
    app.send(ok('warm'))
  }
  for (const client of clients) await client.response()
  await stage.thread.opens({ upstreamIdle: 4 })
  clients[0]!.send(get('a.example', '/again'))
  const stale = await Promise.race(
    apps.map(async app => {
      await app.request()
      return app
    }),
  )
  const next = stage.app.connection()
  stale.end()
  expect((await (await next).request()).target).toBe('/again')
  ;(await next).send(ok('fresh'))
  expect((await clients[0]!.response()).body.toString()).toBe('fresh')
  for (const app of apps) app.socket.destroy()
})

test('what was sent once more on a new connection is not sent a third time', async () => {
  await using stage = await setStage()
  const { client, app } = await warm(stage)
  client.send(get('a.example', '/again'))
  await app.request()
  app.reset()
  const next = await stage.app.connection()
  await next.request()
  next.reset()
  expect((await client.response()).status).toBe(502)
  expect(stage.app.accepted).toBe(2)
})

for (const [name, request] of [
  ['POST', 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi'],
  ['PATCH', 'PATCH / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n'],
  ['an unknown method', 'BREW / HTTP/1.1\r\nHost: a.example\r\n\r\n'],
  ['a body that has not come whole', 'PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nhi'],
] as const) {
  test(`not sent twice: ${name}`, async () => {
    await using stage = await setStage()
    const { client, app } = await warm(stage)
    client.send(request)
    await app.queue.takeThrough('\r\n\r\n')
    app.end()
    expect((await client.response()).status).toBe(502)
    expect(stage.app.accepted).toBe(1)
    expect(stage.thread.retries()).toBe(0)
  })
}

test('a kept connection that fails within its answer is not asked again', async () => {
  await using stage = await setStage()
  const { client, app } = await warm(stage)
  client.send(get('a.example'))
  await app.request()
  await app.send('HTTP/1.1 200')
  await stage.thread.settle()
  app.end()
  expect((await client.response()).status).toBe(502)
  expect(stage.app.accepted).toBe(1)
})

const unfit: [name: string, answer: string][] = [
  ['octets behind the answer', `${ok('x')}HTTP/1.1 200 OK\r\n`],
  ['a body to HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ['close', ok('x', 'Connection: close')],
  ['HTTP/1.0', ok('x').replace('HTTP/1.1', 'HTTP/1.0')],
  ['HTTP/1.0 with keep-alive and close', ok('x', 'Connection: keep-alive, close').replace('HTTP/1.1', 'HTTP/1.0')],
  ['a timeout of a second', ok('x', 'Keep-Alive: timeout=1')],
  ['a timeout of zero', ok('x', 'Keep-Alive: timeout=0, max=5')],
]
for (const [name, answer] of unfit) {
  test(`a connection to an app is not used again after: ${name}`, async () => {
    await using stage = await setStage()
    stage.app.serve(() => answer)
    const client = await stage.connect()
    const method = name === 'a body to HEAD' ? 'HEAD' : 'GET'
    for (let i = 1; i <= 2; i++) {
      client.send(`${method} / HTTP/1.1\r\nHost: a.example\r\n\r\n`)
      const response = await client.response(method)
      expect([response.status, client.queue.length]).toEqual([200, 0])
      expect(stage.app.accepted).toBe(i)
      await stage.thread.opens({ upstream: 0, upstreamIdle: 0 })
    }
  })
}

const kept: [name: string, answer: string][] = [
  ['HTTP/1.1', ok('x')],
  ['HTTP/1.0 with keep-alive', ok('x', 'Connection: keep-alive').replace('HTTP/1.1', 'HTTP/1.0')],
  ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
]
for (const [name, answer] of kept) {
  test(`a connection to an app is used again after ${name}`, async () => {
    await using stage = await setStage()
    stage.app.serve(() => answer)
    const client = await stage.connect()
    for (let i = 0; i < 3; i++) {
      client.send(get('a.example'))
      await client.response()
    }
    expect(stage.app.accepted).toBe(1)
    expect(stage.thread.open()).toMatchObject({ upstream: 1, upstreamIdle: 1 })
  })
}

test('a kept connection goes from the pool when the app closes it, or says anything on it', async () => {
  for (const leave of [
    (app: Peer) => app.end(),
    (app: Peer) => app.reset(),
    (app: Peer) => void app.send('HTTP/1.1 408 Request Timeout\r\n\r\n'),
  ]) {
    await using stage = await setStage()
    const { client, app } = await warm(stage)
    expect(stage.thread.open()).toMatchObject({ upstream: 1, upstreamIdle: 1 })
    leave(app)
    await stage.thread.opens({ upstream: 0, upstreamIdle: 0 })
    client.send(get('a.example'))
    const next = await stage.app.connection()
    await next.request()
    next.send(ok('fresh'))
    expect((await client.response()).body.toString()).toBe('fresh')
    expect(stage.thread.retries()).toBe(0)
  }
})

for (const [fields, before, after] of [
  [[], 3_500, 700],
  [['Keep-Alive: timeout=30'], 28_500, 700],
  [['Keep-Alive: max=100, timeout=10'], 8_500, 700],
  [['Keep-Alive: timeout=100000'], 59_500, 700],
] as const) {
  test(`a kept connection waits as long as the app allows, and less (${fields[0] ?? 'it does not say'})`, async () => {
    await using stage = await setStage()
    const { app } = await warm(stage, ...fields)
    await stage.thread.elapse(before)
    expect(stage.thread.open()).toMatchObject({ upstream: 1, upstreamIdle: 1 })
    await stage.thread.elapse(after)
    expect(stage.thread.open()).toMatchObject({ upstream: 0, upstreamIdle: 0 })
    expect(await app.ended()).toBe('end')
  })
}

// -------------------------------------------------------------------------------------- clients that are gone

test('a client that goes while the app thinks takes the connection to the app with it: 499', async () => {
  for (const leave of ['end', 'reset'] as const) {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send(get('a.example'))
    const app = await stage.app.connection()
    await app.request()
    client[leave]()
    await app.ended()
    await stage.thread.opens({ http: 0, upstream: 0 })
    expect((await stage.thread.logged(1))[0]).toMatch(
      / - test\/a - 127\.0\.0\.1 - - - 499 - "GET \/ HTTP\/1\.1" - 0 - /,
    )
    expect(stage.thread.count('clientAborts')).toBe(1)
    expect(stage.thread.answers('test/a', 4)).toBe(1)
  }
})

test('a client that goes within its answer is logged with the status that it saw', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  app.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello')
  await client.queue.takeThrough('hello')
  client.reset()
  await app.ended()
  expect((await stage.thread.logged(1))[0]).toContain(' - 200 - "GET / HTTP/1.1"')
  expect(stage.thread.count('clientAborts')).toBe(1)
  await stage.thread.opens({ http: 0, upstream: 0 })
})

test('a client that has gone before it was accepted harms nobody, whatever it sent', async () => {
  await using stage = await setStage()
  stage.app.serve(() => ok('alive'))
  // The loop stands still while another process connects, sends and resets: the kernel then tells no address of it.
  const script = `
    const socket = require('node:net').connect(${stage.thread.httpPort}, '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\\r\\nHost: a.example\\r\\nX-Forwarded-For: 192.0.2.7\\r\\n\\r\\n', () => socket.resetAndDestroy())
    })`
  execFileSync(process.execPath, ['-e', script])
  const client = await stage.connect()
  client.send(get('a.example'))
  expect((await client.response()).body.toString()).toBe('alive')
  await stage.thread.opens({ http: 1 })
  // Nor is the app asked on behalf of nobody.
  expect(stage.thread.count('httpAccepted')).toBe(1)
})
