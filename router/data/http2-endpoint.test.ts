// What an endpoint of HTTP/2 may say and what it may not, frame by frame.

import { describe, expect, test } from 'vitest'
import { App, get } from '#test/support/app.ts'
import { backendTo, routeTo, startDataThread, type TestThread, upstreamWith } from '#test/support/data-thread.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { block, type FieldList, frame, numbers, settings } from '#test/support/http2-frames.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { ack, endHeaders, endStream, RawHttp2, type } from '#test/support/raw-http2.ts'
import { counter, retryReasons } from '../model/counters.ts'
import type { Route } from '../model/route.ts'

failOnLeaks()

class RawStage implements AsyncDisposable {
  readonly apps: readonly App[]
  readonly thread: TestThread
  readonly #peers: Peer[] = []
  /** By app: the connection that comes next, as long as nobody has got it. */
  readonly #next: (Promise<{ peer: Peer; which: number }> | null)[] = []

  private constructor(apps: readonly App[], thread: TestThread) {
    this.apps = apps
    this.thread = thread
  }

  static async set(apps = 1, route: Partial<Route> = {}): Promise<RawStage> {
    const all: App[] = []
    for (let i = 0; i < apps; i++) all.push(await App.start())
    const thread = await startDataThread({
      routes: [routeTo('a.example', 'a', route)],
      upstreams: [upstreamWith('a', { protocol: 'h2c' }, ...all.map(app => app.port))],
    })
    return new RawStage(all, thread)
  }

  async client(): Promise<Peer> {
    const peer = await connectTo(this.thread.httpPort)
    this.#peers.push(peer)
    return peer
  }

  /** A client that has sent `octets`, and the session that they are in. */
  async ask(octets = get('a.example'), own = settings()): Promise<{ client: Peer; app: RawHttp2 }> {
    const client = await this.client()
    void client.send(octets)
    const app = await RawHttp2.accept(await this.apps[0]!.connection(), own)
    return { client, app }
  }

  /** The next session, of whichever app it is; says `own` as its settings. */
  async anySession(own = settings()): Promise<{ app: RawHttp2; which: number }> {
    for (let i = 0; i < this.apps.length; i++)
      this.#next[i] ??= this.apps[i]!.connection().then(peer => ({ peer, which: i }))
    const { peer, which } = await Promise.race(this.#next.filter(next => next !== null))
    this.#next[which] = null
    return { app: await RawHttp2.accept(peer, own), which }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    for (const app of this.apps) await app[Symbol.asyncDispose]()
    await this.thread[Symbol.asyncDispose]()
  }
}

const status = (code: string): readonly [string, string] => [':status', code]
const headers = (flags: number, stream: number, ...fields: FieldList): Buffer =>
  frame(type.headers, endHeaders | flags, stream, block(...fields))
const whole = headers(endStream, 1, status('200'))

test('what a session begins with', async () => {
  await using stage = await RawStage.set()
  const { app, client } = await stage.ask()
  const first = await app.next()
  expect([first.type, first.flags, first.stream]).toEqual([type.settings, 0, 0])
  const pairs = Array.from({ length: first.payload.length / 6 }, (_, i) => [
    first.payload.readUInt16BE(6 * i),
    first.payload.readUInt32BE(6 * i + 2),
  ])
  // No push, and a window of 64 kB for each stream.
  expect(pairs).toEqual([
    [2, 0],
    [4, 65_536],
  ])
  const window = await app.next()
  expect([window.type, window.stream]).toEqual([type.window, 0])
  const acknowledged = await app.next()
  expect([acknowledged.type, acknowledged.flags]).toEqual([type.settings, ack])
  const request = await app.next()
  expect([request.type, request.flags, request.stream]).toEqual([type.headers, endHeaders | endStream, 1])
  await app.send(whole)
  expect((await client.response()).status).toBe(200)
})

test('no octet of a request leaves before the settings of the endpoint have come', async () => {
  await using stage = await RawStage.set()
  const client = await stage.client()
  void client.send(get('a.example'))
  const peer = await stage.apps[0]!.connection()
  // Preface, SETTINGS, WINDOW_UPDATE.
  const first = 24 + 9 + 12 + 9 + 4
  await peer.queue.take(first)
  await stage.thread.stalled(() => peer.queue.length)
  expect(peer.queue.length).toBe(0)
  await peer.send(settings())
  expect((await new RawHttp2(peer).frame(type.headers)).stream).toBe(1)
})

describe('an answer that is none: 502, and RST_STREAM', () => {
  const rows: readonly (readonly [name: string, frames: readonly Buffer[]])[] = [
    ['no status', [headers(endStream, 1, ['x-a', 'b'])]],
    ['no fields at all', [headers(endStream, 1)]],
    ['a status behind other fields', [headers(endStream, 1, ['x-a', 'b'], status('200'))]],
    ['two statuses', [headers(endStream, 1, status('200'), status('200'))]],
    ['a pseudo-field of requests', [headers(endStream, 1, status('200'), [':path', '/'])]],
    ['an unknown pseudo-field', [headers(endStream, 1, status('200'), [':x', 'a'])]],
    ['a status of two digits', [headers(endStream, 1, status('20'))]],
    ['a status of four digits', [headers(endStream, 1, status('2000'))]],
    ['a status with a sign', [headers(endStream, 1, status('+20'))]],
    ['a status with CRLF in it', [headers(endStream, 1, status('200\r\nx: y'))]],
    ['status 099', [headers(endStream, 1, status('099'))]],
    ['status 600', [headers(endStream, 1, status('600'))]],
    ['status 101', [headers(0, 1, status('101'))]],
    ['a name with a capital', [headers(endStream, 1, status('200'), ['X-A', 'b'])]],
    ['an empty name', [headers(endStream, 1, status('200'), ['', 'b'])]],
    ['a name with a blank', [headers(endStream, 1, status('200'), ['x a', 'b'])]],
    ['a name with a colon', [headers(endStream, 1, status('200'), ['x:a', 'b'])]],
    ['a name with CRLF', [headers(endStream, 1, status('200'), ['x\r\ny', 'b'])]],
    ['a value with LF', [headers(endStream, 1, status('200'), ['x-a', 'b\nc'])]],
    ['a value with CR', [headers(endStream, 1, status('200'), ['x-a', 'b\rc'])]],
    ['a value with NUL', [headers(endStream, 1, status('200'), ['x-a', 'b\0c'])]],
    ['a value that begins with a blank', [headers(endStream, 1, status('200'), ['x-a', ' b'])]],
    ['a value that ends with a tab', [headers(endStream, 1, status('200'), ['x-a', 'b\t'])]],
    ['connection', [headers(endStream, 1, status('200'), ['connection', 'close'])]],
    ['keep-alive', [headers(endStream, 1, status('200'), ['keep-alive', 'timeout=5'])]],
    ['transfer-encoding', [headers(0, 1, status('200'), ['transfer-encoding', 'chunked'])]],
    ['upgrade', [headers(0, 1, status('200'), ['upgrade', 'websocket'])]],
    ['two lengths', [headers(0, 1, status('200'), ['content-length', '1'], ['content-length', '1'])]],
    ['a length with a sign', [headers(0, 1, status('200'), ['content-length', '+1'])]],
    ['a length that is empty', [headers(0, 1, status('200'), ['content-length', ''])]],
    ['a length and no body', [headers(endStream, 1, status('200'), ['content-length', '1'])]],
    [
      'a body that is longer than its length',
      [headers(0, 1, status('200'), ['content-length', '1']), frame(type.data, endStream, 1, 'ab')],
    ],
    ['DATA before any head', [frame(type.data, endStream, 1, 'ab')]],
    ['DATA behind an interim head', [headers(0, 1, status('103')), frame(type.data, endStream, 1, 'ab')]],
    ['an interim head that ends the stream', [headers(endStream, 1, status('103'))]],
    [
      'more fields than a head may have',
      [
        headers(
          endStream,
          1,
          status('200'),
          ...Array.from({ length: 300 }, (_, i): [string, string] => [`x-${i}`, '']),
        ),
      ],
    ],
    ['a window update of nothing', [frame(type.window, 0, 1, numbers(0))]],
  ]
  for (const [name, frames] of rows) {
    test(name, async () => {
      await using stage = await RawStage.set()
      const { app, client } = await stage.ask()
      await app.frame(type.headers)
      await app.send(...frames)
      expect((await client.response()).status).toBe(502)
      expect((await app.frame(type.reset)).stream).toBe(1)
      expect(stage.thread.count('upstreamInvalidResponses')).toBe(1)
      // Nothing else suffers: the session goes on.
      void client.send(get('a.example'))
      expect((await app.frame(type.headers)).stream).toBe(3)
      await app.send(headers(endStream, 3, status('200')))
      expect((await client.response()).status).toBe(200)
    })
  }
})

describe('an answer that breaks after it has begun: the client is cut off', () => {
  const head = headers(0, 1, status('200'), ['content-length', '4'])
  const open = headers(0, 1, status('200'))
  const rows: readonly (readonly [name: string, first: Buffer, then: Buffer])[] = [
    ['a body that is too short', head, frame(type.data, endStream, 1, 'ab')],
    ['a body that is too long', head, frame(type.data, 0, 1, 'abcde')],
    ['trailers without an end', open, headers(0, 1, ['x-a', 'b'])],
    ['trailers with a status', open, headers(endStream, 1, status('200'))],
    ['trailers with CRLF', open, headers(endStream, 1, ['x-a', 'b\r\nc'])],
    ['a reset', open, frame(type.reset, 0, 1, numbers(2))],
  ]
  for (const [name, first, then] of rows) {
    test(name, async () => {
      await using stage = await RawStage.set()
      const { app, client } = await stage.ask()
      await app.frame(type.headers)
      await app.send(first)
      expect((await client.head()).line).toBe('HTTP/1.1 200 OK')
      await app.send(then)
      await client.ended()
      expect(client.queue.length).toBeLessThan(20)
    })
  }
})

describe('an endpoint that breaks the protocol: the session ends', () => {
  const rows: readonly (readonly [name: string, frames: readonly Buffer[], code: number])[] = [
    ['a header block that cannot be decoded', [frame(type.headers, endHeaders | endStream, 1, Buffer.from([0x80]))], 9],
    ['DATA of a stream that is not open', [frame(type.data, 0, 3, 'a')], 1],
    ['HEADERS of a stream of its own', [headers(endStream, 2, status('200'))], 1],
    ['DATA of no stream', [frame(type.data, 0, 0, 'a')], 1],
    ['RST_STREAM of a stream that is not open', [frame(type.reset, 0, 5, numbers(0))], 1],
    ['a push', [frame(type.push, endHeaders, 1, Buffer.concat([numbers(2), block([':path', '/'])]))], 1],
    ['a frame that is too large', [frame(type.data, 0, 1, Buffer.alloc(16_385))], 6],
    ['a window of the connection beyond the largest', [frame(type.window, 0, 0, numbers(0x7fffffff))], 3],
    ['a window of streams beyond the largest', [settings([4, 0x80000000])], 3],
    ['a setting that allows push', [settings([2, 1])], 1],
    ['frames that are too small to be asked for', [settings([5, 100])], 1],
    ['something within a header block', [frame(type.headers, endStream, 1, block(status('200'))), settings()], 1],
    [
      'more PING frames than there is use for',
      Array.from({ length: 1500 }, () => frame(type.ping, 0, 0, Buffer.alloc(8))),
      11,
    ],
    [
      'empty DATA frames',
      [headers(0, 1, status('200')), ...Array.from({ length: 1500 }, () => frame(type.data, 0, 1))],
      11,
    ],
    ['SETTINGS frames', Array.from({ length: 1500 }, () => settings()), 11],
  ]
  for (const [name, frames, code] of rows) {
    test(name, async () => {
      await using stage = await RawStage.set()
      const { app, client } = await stage.ask('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n')
      await app.frame(type.headers)
      await app.send(...frames)
      const goodbye = await app.frame(type.goAway)
      expect(goodbye.payload.readUInt32BE(4)).toBe(code)
      await client.response().then(
        response => expect([200, 502]).toContain(response.status),
        () => {},
      )
      await stage.thread.opens({ upstream: 0 })
    })
  }

  test('it does not speak HTTP/2 at all: 502, and no octet of the request has left', async () => {
    await using stage = await RawStage.set()
    const client = await stage.client()
    void client.send(get('a.example'))
    const peer = await stage.apps[0]!.connection()
    await peer.send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
    expect((await client.response()).status).toBe(502)
    await peer.ended()
    expect((await peer.queue.takeAll()).includes('a.example')).toBe(false)
  })
})

describe('requests that were not looked at go to another endpoint, whatever the method', () => {
  const post = 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody'
  const rows: readonly (readonly [name: string, frames: readonly Buffer[]])[] = [
    ['RST_STREAM with REFUSED_STREAM', [frame(type.reset, 0, 1, numbers(7))]],
    ['GOAWAY with an earlier stream', [frame(type.goAway, 0, 0, numbers(0, 0))]],
  ]
  for (const [name, frames] of rows) {
    test(name, async () => {
      await using stage = await RawStage.set(2)
      const client = await stage.client()
      void client.send(post)
      const first = await stage.anySession()
      await first.app.frame(type.data)
      await first.app.send(...frames)
      const second = await stage.anySession()
      expect(second.which).not.toBe(first.which)
      expect((await second.app.frame(type.data)).payload.toString()).toBe('body')
      await second.app.send(whole)
      expect((await client.response()).status).toBe(200)
      expect(stage.thread.counters[counter.upstreamRetries + retryReasons.indexOf('unprocessed')]).toBe(1)
    })
  }

  test('but not what may have been: POST is told, GET is repeated', async () => {
    await using stage = await RawStage.set(2)
    for (const [octets, want] of [
      [post, 502],
      [get('a.example'), 200],
    ] as const) {
      const client = await stage.client()
      void client.send(octets)
      const first = await stage.anySession()
      await first.app.frame(type.headers)
      first.app.peer.reset()
      if (want === 200) {
        const second = await stage.anySession()
        await second.app.frame(type.headers)
        await second.app.send(whole)
      }
      expect((await client.response()).status).toBe(want)
    }
  })

  test('a graceful GOAWAY: what is open finishes, what comes gets a new session', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask()
    await app.frame(type.headers)
    await app.send(frame(type.goAway, 0, 0, numbers(0x7fffffff, 0)))
    const other = await stage.client()
    void other.send(get('a.example'))
    const second = await RawHttp2.accept(await stage.apps[0]!.connection())
    expect((await second.frame(type.headers)).stream).toBe(1)
    await second.send(whole)
    expect((await other.response()).status).toBe(200)
    await app.send(whole)
    expect((await client.response()).status).toBe(200)
    await app.frame(type.goAway)
    await app.peer.ended()
  })
})

describe('streams', () => {
  test('as many at a time as the endpoint takes; then more sessions', async () => {
    await using stage = await RawStage.set()
    const clients = await Promise.all(Array.from({ length: 5 }, () => stage.client()))
    for (const client of clients) void client.send(get('a.example'))
    const own = settings([3, 2])
    const sessions: RawHttp2[] = []
    for (let i = 0; i < 3; i++) sessions.push(await RawHttp2.accept(await stage.apps[0]!.connection(), own))
    // Five requests: two, two and one.
    for (const [i, session] of sessions.entries()) {
      const streams = i === 2 ? [1] : [1, 3]
      for (const stream of streams) expect((await session.frame(type.headers)).stream).toBe(stream)
      for (const stream of streams) await session.send(headers(endStream, stream, status('200')))
    }
    for (const client of clients) expect((await client.response()).status).toBe(200)
    expect(stage.thread.open()).toMatchObject({ upstream: 3, upstreamIdle: 3 })
  })

  test('beyond that they wait for one that ends, and no longer than they may', async () => {
    await using stage = await RawStage.set()
    const own = settings([3, 1])
    const clients = await Promise.all(Array.from({ length: 10 }, () => stage.client()))
    for (const client of clients) void client.send(get('a.example'))
    const sessions: RawHttp2[] = []
    for (let i = 0; i < 8; i++) sessions.push(await RawHttp2.accept(await stage.apps[0]!.connection(), own))
    for (const session of sessions) await session.frame(type.headers)
    await stage.thread.settle()
    expect(stage.apps[0]!.accepted).toBe(8)
    await sessions[0]!.send(whole)
    expect((await sessions[0]!.frame(type.headers)).stream).toBe(3)
    await sessions[0]!.send(headers(endStream, 3, status('200')))
    await sessions[0]!.frame(type.headers)
    // Nine have a stream or had one; of those that wait for an answer none is cut.
    await sessions[0]!.send(headers(endStream, 5, status('200')))
    for (const session of sessions.slice(1)) await session.send(whole)
    for (const client of clients) expect((await client.response()).status).toBe(200)
  })

  test('an answer that is complete and whose stream does not end: it is ended for it', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask()
    await app.frame(type.headers)
    await app.send(headers(0, 1, status('200'), ['content-length', '2']), frame(type.data, 0, 1, 'ok'))
    expect((await client.response()).body.toString()).toBe('ok')
    expect(stage.thread.open()).toMatchObject({ upstream: 1, upstreamIdle: 0 })
    await stage.thread.elapse(5_100)
    expect((await app.frame(type.reset)).stream).toBe(1)
    expect(stage.thread.open()).toMatchObject({ upstream: 1, upstreamIdle: 1 })
  })

  test('octets where an answer has none are dropped', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask()
    await app.frame(type.headers)
    await app.send(headers(0, 1, status('204')), frame(type.data, endStream, 1, 'HTTP/1.1 200 OK'))
    expect((await client.response()).status).toBe(204)
    void client.send(get('a.example'))
    expect((await app.frame(type.headers)).stream).toBe(3)
    await app.send(headers(endStream, 3, status('404')))
    expect((await client.response()).status).toBe(404)
  })

  test('an answer that is complete before its request is: the client gets it, and the stream is let go', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask(
      'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nfirst',
    )
    await app.frame(type.data)
    await app.send(headers(endStream, 1, status('413')))
    const response = await client.response()
    expect([response.status, fieldValue(response, 'connection')]).toEqual([413, 'close'])
    expect((await app.frame(type.reset)).stream).toBe(1)
  })

  test('a client that leaves: RST_STREAM with CANCEL, and the session stays', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask()
    await app.frame(type.headers)
    client.reset()
    const reset = await app.frame(type.reset)
    expect([reset.stream, reset.payload.readUInt32BE(0)]).toEqual([1, 8])
    expect(stage.thread.open()).toMatchObject({ upstream: 1, upstreamIdle: 1 })
  })

  test('an endpoint that is silent is asked for a sign of life, and given up without one', async () => {
    await using stage = await RawStage.set(1, { backend: backendTo('a', { idleTimeout: 600_000 }) })
    const { app, client } = await stage.ask('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n')
    await app.frame(type.headers)
    for (let i = 0; i < 2; i++) {
      await stage.thread.elapse(15_500)
      const { flags, payload } = await app.frame(type.ping)
      expect(flags).toBe(0)
      await app.send(frame(type.ping, ack, 0, payload))
      await stage.thread.settle()
      await stage.thread.elapse(10_500)
      expect(stage.thread.open().upstream).toBe(1)
    }
    await stage.thread.elapse(15_500)
    await app.frame(type.ping)
    await stage.thread.elapse(10_500)
    expect((await client.response()).status).toBe(502)
    await stage.thread.opens({ upstream: 0 })
  })

  test('an idle session is closed in the end', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask()
    await app.frame(type.headers)
    await app.send(whole)
    await client.response()
    await stage.thread.elapse(50_000)
    expect(stage.thread.open().upstream).toBe(1)
    await stage.thread.elapse(11_000)
    await app.frame(type.goAway)
    await app.peer.ended()
    await stage.thread.opens({ upstream: 0 })
  })

  test('an endpoint that goes: its sessions end with their streams', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask()
    await app.frame(type.headers)
    stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', { protocol: 'h2c' })], deletes: [] } })
    await app.send(headers(0, 1, status('200')), frame(type.data, endStream, 1, 'last'))
    expect((await client.response()).body.toString()).toBe('last')
    await app.frame(type.goAway)
    await stage.thread.opens({ upstream: 0 })
  })
})

describe('flow control', () => {
  test('an upload goes as far as the windows of stream and connection let it', async () => {
    await using stage = await RawStage.set()
    const size = 100_000
    const octets = `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`
    const { app, client } = await stage.ask(octets, settings([4, 1000]))
    let received = 0
    const take = async (until: number): Promise<void> => {
      while (received < until) received += (await app.frame(type.data)).payload.length
      expect(received).toBe(until)
      await stage.thread.settle()
      // Settings are acknowledged meanwhile.
      while (app.peer.queue.length > 0) expect((await app.next()).type).not.toBe(type.data)
    }
    await take(1000)
    await app.send(frame(type.window, 0, 1, numbers(500)))
    await take(1500)
    await app.send(settings([4, 2000]))
    await take(2500)
    // Less than what is out already: nothing goes before that is made up for.
    await app.send(settings([4, 1000]), frame(type.window, 0, 1, numbers(900)))
    await take(2500)
    await app.send(frame(type.window, 0, 1, numbers(1_000_000)))
    await take(65_535)
    await app.send(frame(type.window, 0, 0, numbers(1_000_000)))
    await take(size)
    await app.send(whole)
    expect((await client.response()).status).toBe(200)
  })

  test('a window beyond the largest: 502, and RST_STREAM', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nfirst')
    await app.frame(type.data)
    await app.send(frame(type.window, 0, 1, numbers(0x7fffffff)))
    const reset = await app.frame(type.reset)
    expect([reset.stream, reset.payload.readUInt32BE(0)]).toEqual([1, 3])
    expect((await client.response()).status).toBe(502)
  })

  test('a client that does not take its answer holds back its stream, and no other', async () => {
    await using stage = await RawStage.set()
    const { app, client: slow } = await stage.ask()
    await app.frame(type.headers)
    slow.socket.pause()
    await app.send(headers(0, 1, status('200')))
    // Windows as the endpoint knows them, which it must not pass.
    let stream = 65_536
    let connection = 4 * 1024 * 1024
    let sent = 0
    const piece = Buffer.alloc(16_384, 'x')
    const heed = async (): Promise<void> => {
      await stage.thread.settle()
      while (app.peer.queue.length > 0) {
        const { type: kind, stream: id, payload } = await app.next()
        if (kind !== type.window) continue
        if (id === 0) connection += payload.readUInt32BE(0)
        else stream += payload.readUInt32BE(0)
      }
    }
    for (;;) {
      await heed()
      if (stream < piece.length || connection < piece.length) {
        await stage.thread.stalled(() => app.peer.queue.length)
        await heed()
        if (stream < piece.length || connection < piece.length) break
      }
      await app.send(frame(type.data, 0, 1, piece))
      stream -= piece.length
      connection -= piece.length
      sent += piece.length
    }
    // What buffers took, and then the window of the stream is shut; that of all streams is not.
    expect(stream).toBeLessThan(piece.length)
    expect(connection).toBeGreaterThan(1024 * 1024)
    const other = await stage.client()
    void other.send(get('a.example'))
    expect((await app.frame(type.headers)).stream).toBe(3)
    await app.send(headers(endStream, 3, status('200')))
    expect((await other.response()).status).toBe(200)
    // It takes on: all of it comes, and the endpoint may send again.
    slow.socket.resume()
    const answered = slow.response()
    await app.send(frame(type.data, endStream, 1))
    expect((await answered).body.length).toBe(sent)
  })

  test('an endpoint that passes the window of a stream is refused', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask()
    await app.frame(type.headers)
    client.socket.pause()
    const piece = frame(type.data, 0, 1, Buffer.alloc(16_384))
    await app.send(headers(0, 1, status('200')))
    void app.send(...Array.from({ length: 2_000 }, () => piece))
    const reset = await app.frame(type.reset)
    expect(reset.payload.readUInt32BE(0)).toBe(3)
  })
})

describe('WebSockets', () => {
  const handshake = get(
    'a.example',
    '/chat',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  )

  test('an endpoint that knows RFC 8441 gets them by extended CONNECT', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask(handshake, settings([8, 1]))
    const request = await app.frame(type.headers)
    expect(request.flags).toBe(endHeaders)
    await app.send(headers(0, 1, status('200'), ['sec-websocket-protocol', 'chat']))
    const head = await client.head()
    expect(head.line).toBe('HTTP/1.1 101 Switching Protocols')
    // RFC 6455 section 1.3.
    expect(fieldValue(head, 'sec-websocket-accept')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(fieldValue(head, 'sec-websocket-protocol')).toBe('chat')
    await client.send('from the client')
    expect((await app.frame(type.data)).payload.toString()).toBe('from the client')
    await app.send(frame(type.data, 0, 1, 'from the app'))
    expect((await client.queue.take(12)).toString()).toBe('from the app')
    expect(stage.thread.open().tunnels).toBe(1)
    await app.send(frame(type.data, endStream, 1))
    expect(await client.ended()).toBe('end')
    client.end()
    const last = await app.frame(type.data)
    expect([last.flags, last.payload.length]).toEqual([endStream, 0])
    await stage.thread.opens({ tunnels: 0, upstream: 1, upstreamIdle: 1 })
  })

  test('a client that leaves, and an endpoint that does', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask(handshake, settings([8, 1]))
    await app.frame(type.headers)
    await app.send(headers(0, 1, status('200')))
    await client.head()
    client.reset()
    expect((await app.frame(type.reset)).stream).toBe(1)
    const other = await stage.client()
    void other.send(handshake)
    await app.frame(type.headers)
    await app.send(headers(0, 3, status('200')))
    await other.head()
    await app.send(frame(type.reset, 0, 3, numbers(2)))
    await other.ended()
    await stage.thread.opens({ tunnels: 0 })
  })

  test('an endpoint that says no is passed on', async () => {
    await using stage = await RawStage.set()
    const { app, client } = await stage.ask(handshake, settings([8, 1]))
    await app.frame(type.headers)
    await app.send(headers(0, 1, status('403')), frame(type.data, endStream, 1, 'no'))
    const response = await client.response()
    expect([response.status, response.body.toString()]).toEqual([403, 'no'])
  })

  test('to one that does not know it: 502', async () => {
    await using stage = await RawStage.set()
    const { client } = await stage.ask(handshake)
    expect((await client.response()).status).toBe(502)
  })
})
