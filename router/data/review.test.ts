// What a sceptical reader of the side towards endpoints found: each test fails for one finding.

import { describe, expect, test } from 'vitest'
import { App, get, ok } from '#test/support/app.ts'
import { routeTo, startDataThread, type TestThread, upstreamWith } from '#test/support/data-thread.ts'
import { bodyOf, Http2App } from '#test/support/http2-app.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { block, endHeaders, endStream, frame, numbers, RawHttp2, settings, type } from '#test/support/raw-http2.ts'
import { setStage } from '#test/support/stage.ts'
import { UpstreamStage } from '#test/support/upstream-stage.ts'
import { readUpstreamSettings } from '../control/upstream-settings.ts'
import type { UpstreamSettings } from '../model/upstream-settings.ts'
import { standardUpstreamSettings } from '../model/upstream-settings.ts'
import { hashText } from './upstream/hash.ts'

failOnLeaks()

class Raw implements AsyncDisposable {
  readonly apps: readonly App[]
  readonly thread: TestThread
  readonly #peers: Peer[] = []
  constructor(apps: readonly App[], thread: TestThread) {
    this.apps = apps
    this.thread = thread
  }
  static async set(apps: number, upstream: Partial<UpstreamSettings> = {}): Promise<Raw> {
    const all: App[] = []
    for (let i = 0; i < apps; i++) all.push(await App.start())
    const thread = await startDataThread({
      routes: [routeTo('a.example', 'a')],
      upstreams: [upstreamWith('a', { protocol: 'h2c', ...upstream }, ...all.map(app => app.port))],
    })
    return new Raw(all, thread)
  }
  async client(): Promise<Peer> {
    const peer = await connectTo(this.thread.httpPort)
    this.#peers.push(peer)
    return peer
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    for (const app of this.apps) await app[Symbol.asyncDispose]()
    await this.thread[Symbol.asyncDispose]()
  }
}
const answer = (stream: number): Buffer => frame(type.headers, endHeaders | endStream, stream, block([':status', '200']))

test('F1 streams that an endpoint of HTTP/2 resets keep to the budget, and count against it', async () => {
  let seen = 0
  const app = await Http2App.start('h2c', stream => {
    seen++
    stream.close(2)
  })
  const thread = await startDataThread({
    routes: [routeTo('a.example', 'a')],
    upstreams: [upstreamWith('a', { protocol: 'h2c' }, app.port)],
  })
  const client = await connectTo(thread.httpPort)
  for (let i = 0; i < 100; i++) {
    client.send(get('a.example'))
    expect((await client.response()).status).toBe(502)
  }
  await client[Symbol.asyncDispose]()
  await app[Symbol.asyncDispose]()
  await thread[Symbol.asyncDispose]()
  expect(seen).toBeLessThanOrEqual(130)
})

test('F1b an endpoint of HTTP/2 that resets every stream comes to rest', async () => {
  await using bad = await Http2App.start('h2c', stream => stream.close(2))
  await using good = await Http2App.start('h2c', stream => {
    stream.respond({ ':status': 200 })
    stream.end()
  })
  await using thread = await startDataThread({
    routes: [routeTo('a.example', 'a')],
    upstreams: [upstreamWith('a', { protocol: 'h2c' }, bad.port, good.port)],
  })
  await using client = await connectTo(thread.httpPort)
  for (let i = 0; i < 60; i++) {
    client.send(get('a.example').replace('GET', 'POST'))
    await client.response()
  }
  expect(thread.count('upstreamRestsFailing')).toBe(1)
})

test('F2 a request that waits for a session when its endpoint goes is not sent there', async () => {
  await using stage = await Raw.set(2)
  const [going, staying] = stage.apps as [App, App]
  const one = (port: number) => ({ upstreams: { upserts: [upstreamWith('a', { protocol: 'h2c' }, port)], deletes: [] } })
  stage.thread.apply(one(going.port))
  const client = await stage.client()
  client.send(get('a.example'))
  await going.connection()
  stage.thread.apply(one(staying.port))
  const next = await Promise.race([going.connection().then(() => 'going'), staying.connection().then(() => 'staying')])
  expect(next).toBe('staying')
})

test('F3 a method that only looks like HEAD has its body', async () => {
  await using stage = await Raw.set(1)
  const client = await stage.client()
  client.send(get('a.example').replace('GET', 'head'))
  const app = await RawHttp2.accept(await stage.apps[0]!.connection())
  await app.frame(type.headers)
  await app.send(
    frame(type.headers, endHeaders, 1, block([':status', '200'], ['content-length', '5'])),
    frame(type.data, endStream, 1, 'hello'),
  )
  expect((await client.head()).line).toContain('200')
  expect((await client.queue.take(5)).toString()).toBe('hello')
}, 3000)

test('F4 an endpoint that is full and takes no connection is not dialled without pause', async () => {
  await using stage = await Raw.set(1)
  const endpoint = stage.apps[0]!
  const first = await stage.client()
  first.send(get('a.example'))
  const app = await RawHttp2.accept(await endpoint.connection(), settings([3, 1]))
  await app.frame(type.headers)
  const second = await stage.client()
  second.send(get('a.example', '/second'))
  const refuse = async (): Promise<void> => {
    for (;;) (await endpoint.connection()).reset()
  }
  void refuse()
  for (let i = 0; i < 200; i++) await new Promise(resolve => setImmediate(resolve))
  const dialled = endpoint.accepted - 1
  await app.send(answer(1))
  expect((await first.response()).status).toBe(200)
  expect((await app.frame(type.headers)).stream).toBe(3)
  await app.send(answer(3))
  expect((await second.response()).status).toBe(200)
  expect(dialled).toBeLessThan(5)
})

test('F5 an upload does not starve the bodies of other clients of the same session', async () => {
  await using stage = await Raw.set(1)
  const big = await stage.client()
  const size = 8_000_000
  void big.send(`POST /big HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n`)
  const app = await RawHttp2.accept(await stage.apps[0]!.connection(), settings([4, 0x7fffffff]))
  await app.frame(type.headers)
  void big.send(Buffer.alloc(size, 'x'))
  let taken = 0
  while (taken < 65_535) taken += (await app.frame(type.data)).payload.length
  await stage.thread.settle()
  const small = await stage.client()
  void small.send('POST /small HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nsmall')
  expect((await app.frame(type.headers)).stream).toBe(3)
  let grants = 0
  for (; grants < 20; grants++) {
    await app.send(frame(type.window, 0, 0, numbers(16_384)))
    const { stream } = await app.frame(type.data)
    if (stream === 3) break
    await stage.thread.settle()
    await stage.thread.settle()
  }
  expect(grants).toBeLessThan(4)
})

test('F6 backendTls.verify that cannot be read does not leave certificates unchecked', () => {
  const { settings, problems } = readUpstreamSettings(
    { 'router.deis.io/backendProtocol': 'HTTPS', 'router.deis.io/backendTls.verify': 'yes' },
    { kind: 'Service', namespace: 'n', name: 's' },
    null,
  )
  expect(problems[0]!.severity).toBe('error')
  expect(settings.tls.verify).toBe(true)
})

test('F7 hash and slow start: when all endpoints are new, keys are spread all the same', () => {
  const stage = new UpstreamStage()
  const upstream = stage.upstream()
  const balance = { kind: 'hash', by: { kind: 'client-address' } } as const
  upstream.update(upstreamWith('u', { balance, slowStart: 60_000 }, 1))
  upstream.update(upstreamWith('u', { balance, slowStart: 60_000 }, 2, 3, 4, 5))
  const counts = new Map<number, number>()
  for (let i = 0; i < 1000; i++) {
    const [port] = stage.ports(upstream, 1, { key: hashText(`key ${i}`) })
    counts.set(port!, (counts.get(port!) ?? 0) + 1)
  }
  expect(Math.max(...counts.values())).toBeLessThan(350)
})

test('F8 WebSockets that an endpoint of HTTP/2 does not know are not held against it', async () => {
  await using one = await Http2App.start('h2c', stream => stream.end())
  await using two = await Http2App.start('h2c', stream => stream.end())
  await using thread = await startDataThread({
    routes: [routeTo('a.example', 'a')],
    upstreams: [upstreamWith('a', { protocol: 'h2c' }, one.port, two.port)],
  })
  for (let i = 0; i < 20; i++) {
    await using client = await connectTo(thread.httpPort)
    client.send(get('a.example', '/', 'Connection: upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: x'))
    expect((await client.response()).status).toBe(502)
  }
  expect(thread.count('upstreamRestsFailing')).toBe(0)
})

test('F9 a POST that offers an upgrade stays a POST', async () => {
  const methods: unknown[] = []
  await using app = await Http2App.start(
    'h2c',
    (stream, headers) => {
      methods.push(headers[':method'])
      void bodyOf(stream).then(body => {
        stream.respond({ ':status': 200 })
        stream.end(body)
      })
    },
    { settings: { enableConnectProtocol: true } },
  )
  await using thread = await startDataThread({
    routes: [routeTo('a.example', 'a')],
    upstreams: [upstreamWith('a', { protocol: 'h2c' }, app.port)],
  })
  await using client = await connectTo(thread.httpPort)
  client.send(
    'POST / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello',
  )
  const response = await client.response()
  expect(response.body.toString()).toBe('hello')
  expect(methods).toEqual(['POST'])
}, 3000)

test('F10 an endpoint that goes with requests waiting for its streams is not dialled again', async () => {
  await using stage = await Raw.set(2)
  const [going, staying] = stage.apps as [App, App]
  const one = (port: number) => ({ upstreams: { upserts: [upstreamWith('a', { protocol: 'h2c' }, port)], deletes: [] } })
  stage.thread.apply(one(going.port))
  const sessions: RawHttp2[] = []
  for (let i = 0; i < 8; i++) {
    const client = await stage.client()
    client.send(get('a.example'))
    const app = await RawHttp2.accept(await going.connection(), settings([3, 1]))
    await app.frame(type.headers)
    sessions.push(app)
  }
  const waiting = await stage.client()
  waiting.send(get('a.example', '/waiting'))
  await stage.thread.settle()
  stage.thread.apply(one(staying.port))
  await staying.connection()
  await stage.thread.settle()
  await stage.thread.settle()
  expect(going.accepted).toBe(8)
})

test('F11 an endpoint that does not read is given no heads without end', async () => {
  await using stage = await Raw.set(1)
  const client = await stage.client()
  client.send(get('a.example'))
  const app = await RawHttp2.accept(await stage.apps[0]!.connection())
  await app.frame(type.headers)
  app.peer.socket.pause()
  const big = Array.from({ length: 3 }, (_, i) => `X-${i}: ${'y'.repeat(30_000)}`)
  for (let i = 0; i < 300; i++) {
    const other = await stage.client()
    void other.send(get('a.example', '/', ...big))
    await stage.thread.opens({ http: 2 })
    await stage.thread.settle()
    other.socket.destroy()
    await stage.thread.opens({ http: 1 })
  }
  app.peer.socket.resume()
  await stage.thread.stalled(() => app.peer.queue.length)
  // What kernels hold for loopback, and no more than a megabyte or two of ours.
  expect(app.peer.queue.length).toBeLessThan(12_000_000)
}, 20_000)

test('F12 an endpoint whose rest is over takes who waits', async () => {
  const stage = new UpstreamStage()
  const upstream = stage.upstream()
  const limits = { requests: 0, endpointRequests: 1, queueLength: 9, queueTimeout: 60_000 }
  upstream.update(upstreamWith('u', { limits }, 1, 2))
  const [, second] = stage.members(upstream, 1, 2)
  upstream.unreachable(second!)
  expect(stage.claim(upstream)?.pool.port).toBe(1)
  expect(stage.claim(upstream)).toBe(null)
  let turns = 0
  upstream.wait({ onTurn: () => turns++ })
  stage.elapse(10_000)
  await new Promise(resolve => setImmediate(resolve))
  expect(turns).toBe(1)
})

test('F15 slow start that is taken away ends', () => {
  const stage = new UpstreamStage()
  const upstream = stage.upstream()
  upstream.update(upstreamWith('u', { slowStart: 3_600_000 }, 1))
  upstream.update(upstreamWith('u', { slowStart: 3_600_000 }, 1, 2))
  upstream.update(upstreamWith('u', {}, 1, 2))
  const ports = stage.ports(upstream, 1000)
  expect(ports.filter(port => port === 2).length).toBeGreaterThan(400)
})

test('F16 backendTls without TLS says so', () => {
  const { problems } = readUpstreamSettings(
    { 'router.deis.io/backendTls.verify': 'true' },
    { kind: 'Service', namespace: 'n', name: 's' },
    null,
  )
  expect(problems.length).toBe(1)
})
