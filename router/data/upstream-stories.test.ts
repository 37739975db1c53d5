// What went wrong on the side towards endpoints once, or would have: a story each.

import { describe, expect, test } from 'vitest'
import { App, get, ok } from '#test/support/app.ts'
import { backendTo, routeTo, startDataThread, type TestThread, upstreamWith } from '#test/support/data-thread.ts'
import { FullBacklog } from '#test/support/full-backlog.ts'
import { bodyOf, Http2App, type StreamHandler } from '#test/support/http2-app.ts'
import { block, frame, numbers, settings } from '#test/support/http2-frames.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { endHeaders, endStream, RawHttp2, type } from '#test/support/raw-http2.ts'
import { UpstreamStage } from '#test/support/upstream-stage.ts'
import type { Upstream } from '../model/upstream.ts'
import { hashText } from './upstream/hash.ts'

failOnLeaks()

const maxStreams = (count: number): Buffer => settings([3, count])
const answer = (stream: number): Buffer =>
  frame(type.headers, endHeaders | endStream, stream, block([':status', '200']))
const only = (app: { readonly port: number }): Upstream => upstreamWith('a', { protocol: 'h2c' }, app.port)

/** Apps that are driven frame by frame, all endpoints of one upstream, and clients of HTTP/1.1. */
class Frames implements AsyncDisposable {
  readonly apps: readonly App[]
  readonly thread: TestThread
  readonly #peers: Peer[] = []

  private constructor(apps: readonly App[], thread: TestThread) {
    this.apps = apps
    this.thread = thread
  }

  static async set(count = 1): Promise<Frames> {
    const apps: App[] = []
    for (let i = 0; i < count; i++) apps.push(await App.start())
    return new Frames(apps, await behind(...apps))
  }

  /** A client that has sent this. */
  async client(octets: string): Promise<Peer> {
    const peer = await connectTo(this.thread.httpPort)
    this.#peers.push(peer)
    void peer.send(octets)
    return peer
  }

  /** The next session of an app. */
  async session(app = this.apps[0]!, own = settings()): Promise<RawHttp2> {
    return RawHttp2.accept(await app.connection(), own)
  }

  /** From now on these are the upstream's endpoints. */
  replaceBy(upstream: Upstream): void {
    this.thread.apply({ upstreams: { upserts: [upstream], deletes: [] } })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    for (const app of this.apps) await app[Symbol.asyncDispose]()
    await this.thread[Symbol.asyncDispose]()
  }
}

function behind(...apps: readonly { readonly port: number }[]): Promise<TestThread> {
  const upstream = upstreamWith('a', { protocol: 'h2c' }, ...apps.map(app => app.port))
  return startDataThread({ routes: [routeTo('a.example', 'a')], upstreams: [upstream] })
}

describe('an endpoint of HTTP/2 that resets every stream', () => {
  const internalError = 2

  test('gets no more requests again than the budget allows', async () => {
    let seen = 0
    const refuse: StreamHandler = stream => {
      seen++
      stream.close(internalError)
    }
    await using one = await Http2App.start('h2c', refuse)
    await using two = await Http2App.start('h2c', refuse)
    await using thread = await behind(one, two)
    await using client = await connectTo(thread.httpPort)
    for (let i = 0; i < 100; i++) {
      client.send(get('a.example'))
      expect((await client.response()).status).toBe(502)
    }
    expect(seen).toBe(100 + 10 + 20)
  })

  test('comes to rest', async () => {
    await using bad = await Http2App.start('h2c', stream => stream.close(internalError))
    await using good = await Http2App.start('h2c', stream => {
      stream.respond({ ':status': 200 })
      stream.end()
    })
    await using thread = await behind(bad, good)
    await using client = await connectTo(thread.httpPort)
    for (let i = 0; i < 60; i++) {
      client.send(get('a.example').replace('GET', 'POST'))
      await client.response()
    }
    expect(thread.count('upstreamRestsFailing')).toBe(1)
  })

  test('a session that had waited and closes as we write: the request goes out once more, for free', async () => {
    await using stage = await Frames.set()
    const client = await stage.client(get('a.example'))
    let session = await stage.session()
    const serve = async (): Promise<void> => {
      await session.frame(type.headers)
      await session.send(answer(1))
      expect((await client.response()).status).toBe(200)
    }
    await serve()
    for (let i = 0; i < 20; i++) {
      void client.send(get('a.example'))
      await session.frame(type.headers)
      session.peer.end()
      session = await stage.session()
      await serve()
    }
    expect(stage.thread.retries()).toBe(20)
  })
})

describe('an endpoint that goes', () => {
  test('gets nothing of a request that waited for its settings', async () => {
    await using stage = await Frames.set(2)
    const [going, staying] = stage.apps as [App, App]
    stage.replaceBy(only(going))
    const client = await stage.client(get('a.example').replace('GET', 'POST'))
    await going.connection()
    stage.replaceBy(only(staying))
    const session = await stage.session(staying)
    await session.frame(type.headers)
    await session.send(answer(1))
    expect((await client.response()).status).toBe(200)
    expect(going.accepted).toBe(1)
  })

  test('gets no further session for those who waited for a stream', async () => {
    await using stage = await Frames.set(2)
    const [going, staying] = stage.apps as [App, App]
    stage.replaceBy(only(going))
    for (let i = 0; i < 8; i++) {
      await stage.client(get('a.example'))
      await (await stage.session(going, maxStreams(1))).frame(type.headers)
    }
    const waiting = await stage.client(get('a.example', '/waiting'))
    await stage.thread.settle()
    stage.replaceBy(only(staying))
    const session = await stage.session(staying)
    await session.frame(type.headers)
    await session.send(answer(1))
    expect((await waiting.response()).status).toBe(200)
    await stage.thread.settle()
    expect(going.accepted).toBe(8)
  })

  test('holds nobody up who is still connecting to it', async () => {
    await using going = await FullBacklog.start()
    await using staying = await App.start()
    await using thread = await startDataThread({
      routes: [routeTo('a.example', 'a', { backend: backendTo('a', { connectTimeout: 60_000 }) })],
      upstreams: [upstreamWith('a', {}, going.port)],
    })
    staying.serve(() => ok('staying'))
    await using client = await connectTo(thread.httpPort)
    client.send(get('a.example').replace('GET', 'POST'))
    await thread.opens({ upstream: 1 })
    thread.apply({ upstreams: { upserts: [upstreamWith('a', {}, staying.port)], deletes: [] } })
    expect((await client.response()).body.toString()).toBe('staying')
    expect(thread.retries()).toBe(1)
  })
})

describe('an endpoint of HTTP/2', () => {
  test('whose streams are taken and that takes no connection is not dialled again and again', async () => {
    await using stage = await Frames.set()
    const endpoint = stage.apps[0]!
    const first = await stage.client(get('a.example'))
    const session = await stage.session(endpoint, maxStreams(1))
    await session.frame(type.headers)
    const second = await stage.client(get('a.example', '/second'))
    const refuseAll = async (): Promise<void> => {
      for (;;) (await endpoint.connection()).reset()
    }
    void refuseAll()
    while (endpoint.accepted < 2) await stage.thread.settle()
    await stage.thread.stalled(() => endpoint.accepted)
    expect(endpoint.accepted).toBe(2)
    // Who waits gets the stream that is free.
    await session.send(answer(1))
    expect((await first.response()).status).toBe(200)
    expect((await session.frame(type.headers)).stream).toBe(3)
    await session.send(answer(3))
    expect((await second.response()).status).toBe(200)
  })

  test('that reads nothing is not sent one head after the other', async () => {
    await using stage = await Frames.set()
    await stage.client(get('a.example'))
    const session = await stage.session()
    await session.frame(type.headers)
    session.peer.socket.pause()
    const fields = Array.from({ length: 3 }, (_, i) => `X-${i}: ${'y'.repeat(30_000)}`)
    const rounds = 300
    for (let i = 0; i < rounds; i++) {
      const client = await stage.client(get('a.example', '/', ...fields))
      await stage.thread.opens({ http: 2 })
      await stage.thread.settle()
      client.socket.destroy()
      await stage.thread.opens({ http: 1 })
    }
    session.peer.socket.resume()
    await stage.thread.stalled(() => session.peer.queue.length)
    // All of them would be 27 MB; some are with the kernel, and 1 MB at most with us.
    expect(session.peer.queue.length).toBeLessThan(15_000_000)
    expect(stage.thread.count('upstreamStreams')).toBeLessThan(rounds / 2)
  })

  test('takes the bodies of all clients in turn, however large some are', async () => {
    await using stage = await Frames.set()
    const size = 8_000_000
    const post = (octets: number): string => `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${octets}\r\n\r\n`
    const uploads = [await stage.client(post(size))]
    const session = await stage.session(stage.apps[0]!, settings([4, 0x7fffffff]))
    await session.frame(type.headers)
    while (uploads.length < 3) {
      uploads.push(await stage.client(post(size)))
      await session.frame(type.headers)
    }
    for (const client of uploads) void client.send(Buffer.alloc(size, 'x'))
    let taken = 0
    while (taken < 65_535) taken += (await session.frame(type.data)).payload.length
    await stage.thread.stalled(() => session.peer.queue.length)
    await stage.client(`${post(5)}small`)
    const { stream: small } = await session.frame(type.headers)
    const grant = 16_384
    let grants = 0
    for (let found = false; !found && grants < 20; grants++) {
      await session.send(frame(type.window, 0, 0, numbers(grant)))
      for (let left = grant; left > 0 && !found; ) {
        const { stream, payload } = await session.frame(type.data)
        left -= payload.length
        found = stream === small
      }
      await stage.thread.settle()
    }
    // One turn for each of those who came before, and the octets that are left of one.
    expect(grants).toBeLessThanOrEqual(4)
  })

  test('may answer a method with a body that only looks like HEAD', async () => {
    await using stage = await Frames.set()
    const client = await stage.client(get('a.example').replace('GET', 'head'))
    const session = await stage.session()
    await session.frame(type.headers)
    await session.send(
      frame(type.headers, endHeaders, 1, block([':status', '200'], ['content-length', '5'])),
      frame(type.data, endStream, 1, 'hello'),
    )
    expect((await client.response()).body.toString()).toBe('hello')
  })

  for (const [name, octets] of [
    ['with a body', 'POST / HTTP/1.1\r\nContent-Length: 5\r\n'],
    ['without a key', 'GET / HTTP/1.1\r\nContent-Length: 5\r\n'],
  ] as const)
    test(`gets a request that offers a WebSocket, ${name}, as what it is`, async () => {
      const methods: unknown[] = []
      const echo: StreamHandler = (stream, headers) => {
        methods.push(headers[':method'])
        void bodyOf(stream).then(
          body => {
            stream.respond({ ':status': 200 })
            stream.end(body)
          },
          () => {},
        )
      }
      await using app = await Http2App.start('h2c', echo, { settings: { enableConnectProtocol: true } })
      await using thread = await behind(app)
      await using client = await connectTo(thread.httpPort)
      client.send(`${octets}Host: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello`)
      expect((await client.response()).body.toString()).toBe('hello')
      expect(methods).toEqual([octets.slice(0, octets.indexOf(' '))])
    })

  test('is not to blame for WebSockets that it does not know', async () => {
    await using one = await Http2App.start('h2c', stream => stream.end())
    await using two = await Http2App.start('h2c', stream => stream.end())
    await using thread = await behind(one, two)
    for (let i = 0; i < 20; i++) {
      await using client = await connectTo(thread.httpPort)
      const handshake = ['Connection: upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
      client.send(get('a.example', '/', ...handshake))
      expect((await client.response()).status).toBe(502)
    }
    expect(thread.count('upstreamRestsFailing')).toBe(0)
  })
})

describe('who gets a request', () => {
  test('by hash, when all endpoints are new at once: not one of them those of all', () => {
    const stage = new UpstreamStage()
    const upstream = stage.upstream()
    const settings = { balance: { kind: 'hash', by: { kind: 'client-address' } }, slowStart: 60_000 } as const
    upstream.update(upstreamWith('u', settings, 1))
    upstream.update(upstreamWith('u', settings, 2, 3, 4, 5))
    const counts = new Map<number, number>()
    for (let i = 0; i < 1000; i++)
      for (const port of stage.ports(upstream, 1, { key: hashText(`key ${i}`) }))
        counts.set(port, (counts.get(port) ?? 0) + 1)
    expect(Math.max(...counts.values())).toBeLessThan(350)
  })

  test('after slow start has been taken away: a new endpoint as much as all', () => {
    const stage = new UpstreamStage()
    const upstream = stage.upstream()
    upstream.update(upstreamWith('u', { slowStart: 3_600_000 }, 1))
    upstream.update(upstreamWith('u', { slowStart: 3_600_000 }, 1, 2))
    upstream.update(upstreamWith('u', {}, 1, 2))
    expect(stage.ports(upstream, 1000).filter(port => port === 2).length).toBe(500)
  })

  test('when all others are full: the endpoint whose rest is over', async () => {
    const stage = new UpstreamStage()
    const upstream = stage.upstream()
    const limits = { requests: 0, endpointRequests: 1, queueLength: 9, queueTimeout: 60_000 }
    upstream.update(upstreamWith('u', { limits }, 1, 2))
    const [, second] = stage.members(upstream, 1, 2)
    upstream.unreachable(second!)
    expect(stage.claim(upstream)?.pool.port).toBe(1)
    expect(stage.claim(upstream)).toBe(null)
    const turns: (number | undefined)[] = []
    upstream.wait({ onTurn: () => turns.push(stage.claim(upstream, { hasTurn: true })?.pool.port) })
    stage.elapse(4_000)
    expect(turns).toEqual([])
    stage.elapse(2_000)
    expect(turns).toEqual([2])
  })
})
