// Apps that speak HTTP/2, with prior knowledge or over TLS, or HTTP/1.1 over TLS, behind clients of HTTP/1.1.

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  connect as connectHttp2,
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { App, get } from '#test/support/app.ts'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { routeTo, startDataThread, type TestThread, upstreamWith } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { bodyOf, Http2App, type StreamHandler } from '#test/support/http2-app.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer, type Response } from '#test/support/peer.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { UpstreamSettings, UpstreamTls } from '../model/upstream-settings.ts'

failOnLeaks()

type Protocol = 'h2' | 'h2c'

class Http2Stage implements AsyncDisposable {
  readonly app: Http2App
  readonly thread: TestThread
  readonly #peers: Peer[] = []

  private constructor(app: Http2App, thread: TestThread) {
    this.app = app
    this.thread = thread
  }

  static async set(protocol: Protocol, handler: StreamHandler, options: ServerOptions = {}): Promise<Http2Stage> {
    const app = await Http2App.start(protocol, handler, options)
    const thread = await startDataThread({
      routes: [routeTo('a.example', 'a')],
      upstreams: [upstreamWith('a', { protocol }, app.port)],
    })
    return new Http2Stage(app, thread)
  }

  async connect(): Promise<Peer> {
    const peer = await connectTo(this.thread.httpPort)
    this.#peers.push(peer)
    return peer
  }

  /** One request on a connection of its own. */
  async ask(octets: string, of = 'GET'): Promise<Response> {
    const peer = await this.connect()
    void peer.send(octets)
    return peer.response(of)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    await this.thread[Symbol.asyncDispose]()
    await this.app[Symbol.asyncDispose]()
  }
}

const echo: StreamHandler = async (stream, headers) => {
  const body = await bodyOf(stream)
  stream.respond({ ':status': 200, 'content-type': 'text/plain' })
  stream.end(JSON.stringify({ headers, body }))
}

function echoed(response: Response): { headers: IncomingHttpHeaders; body: string } {
  return JSON.parse(response.body.toString('latin1'))
}

for (const protocol of ['h2c', 'h2'] as const) {
  describe(protocol, () => {
    test('a request arrives as it was meant', async () => {
      await using stage = await Http2Stage.set(protocol, echo)
      const response = await stage.ask(
        get(
          'A.Example:8080',
          '/a%2F?b',
          'X-Odd:  two  blanks  ',
          'Cookie: a=b; c=d',
          'Connection: close, X-Hop',
          'X-Hop: x',
          'Keep-Alive: timeout=5',
          'TE: gzip',
        ),
      )
      expect(response.status).toBe(200)
      const { headers } = echoed(response)
      expect(headers).toMatchObject({
        ':method': 'GET',
        ':scheme': protocol === 'h2' ? 'https' : 'http',
        ':authority': 'a.example',
        ':path': '/a%2F?b',
        'x-odd': 'two  blanks',
        cookie: 'a=b; c=d',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-port': '80',
      })
      for (const name of ['connection', 'x-hop', 'keep-alive', 'te', 'host', 'transfer-encoding'])
        expect(headers[name]).toBe(undefined)
      expect(fieldValue(response, 'content-type')).toBe('text/plain')
    })

    test('requests share a session', async () => {
      await using stage = await Http2Stage.set(protocol, echo)
      const clients = await Promise.all(Array.from({ length: 20 }, () => stage.connect()))
      for (let round = 0; round < 3; round++) {
        await Promise.all(
          clients.map(async (client, i) => {
            void client.send(get('a.example', `/${round}/${i}`))
            expect(echoed(await client.response()).headers[':path']).toBe(`/${round}/${i}`)
          }),
        )
      }
      expect(stage.app.accepted).toBe(1)
      expect(stage.thread.open()).toMatchObject({ upstream: 1, upstreamIdle: 1 })
      expect(stage.thread.count('upstreamConnects')).toBe(1)
    })

    test('bodies of both framings, of any size', async () => {
      await using stage = await Http2Stage.set(protocol, echo)
      const client = await stage.connect()
      for (const size of [0, 1, 100, 16_384, 16_385, 300_000]) {
        const body = 'x'.repeat(size)
        const length = `POST /length HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n${body}`
        void client.send(length)
        expect(echoed(await client.response()).body === body).toBe(true)
        const chunks = size === 0 ? '' : `${size.toString(16)}\r\n${body}\r\n`
        void client.send(`POST /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`)
        expect(echoed(await client.response()).body === body).toBe(true)
      }
    })
  })
}

describe('answers', () => {
  const rows: readonly (readonly [
    name: string,
    answer: (stream: ServerHttp2Stream) => void,
    want: { status: number; body: string; length: string | undefined; chunked: boolean },
    method?: string,
  ])[] = [
    [
      'a body with a length',
      stream => {
        stream.respond({ ':status': 200, 'content-length': 2 })
        stream.end('ab')
      },
      { status: 200, body: 'ab', length: '2', chunked: false },
    ],
    [
      'a body without',
      stream => {
        stream.respond({ ':status': 201 })
        stream.write('a')
        stream.end('b')
      },
      { status: 201, body: 'ab', length: undefined, chunked: true },
    ],
    [
      'none, and it is said at once',
      stream => stream.respond({ ':status': 404 }, { endStream: true }),
      { status: 404, body: '', length: '0', chunked: false },
    ],
    [
      'none, and it is said late',
      stream => {
        stream.respond({ ':status': 200 })
        stream.end()
      },
      { status: 200, body: '', length: undefined, chunked: true },
    ],
    [
      '204',
      stream => stream.respond({ ':status': 204 }, { endStream: true }),
      { status: 204, body: '', length: undefined, chunked: false },
    ],
    [
      '304 with the length of what it stands for',
      stream => stream.respond({ ':status': 304, 'content-length': 5 }, { endStream: true }),
      { status: 304, body: '', length: '5', chunked: false },
    ],
    [
      'HEAD with the length of what it stands for',
      stream => stream.respond({ ':status': 200, 'content-length': 5 }, { endStream: true }),
      { status: 200, body: '', length: '5', chunked: false },
      'HEAD',
    ],
    [
      'HEAD without a length',
      stream => stream.respond({ ':status': 200 }, { endStream: true }),
      { status: 200, body: '', length: undefined, chunked: false },
      'HEAD',
    ],
  ]
  for (const [name, answer, want, method = 'GET'] of rows) {
    test(name, async () => {
      await using stage = await Http2Stage.set('h2c', answer)
      const client = await stage.connect()
      for (let i = 0; i < 2; i++) {
        void client.send(get('a.example').replace('GET', method))
        const response = await client.response(method)
        expect({
          status: response.status,
          body: response.body.toString(),
          length: fieldValue(response, 'content-length'),
          chunked: fieldValue(response, 'transfer-encoding') === 'chunked',
        }).toEqual(want)
      }
      await stage.thread.opens({ upstream: 1, upstreamIdle: 1 })
    })
  }

  test('interim ones, fields that repeat, and trailers', async () => {
    await using stage = await Http2Stage.set('h2c', stream => {
      stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' })
      stream.respond({ ':status': 200, 'set-cookie': ['a=b', 'c=d'] }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc' }))
      stream.end('body')
    })
    const client = await stage.connect()
    void client.send(get('a.example'))
    const interim = await client.response()
    expect([interim.status, fieldValue(interim, 'link')]).toEqual([103, '</a.css>; rel=preload'])
    const response = await client.response()
    expect(response.body.toString()).toBe('body')
    expect(fieldValues(response, 'set-cookie')).toEqual(['a=b', 'c=d'])
    expect(response.trailers).toEqual([{ name: 'x-checksum', value: 'abc' }])
  })
})

test('a WebSocket from a client of HTTP/2 to an app of HTTP/2: extended CONNECT on both sides', async () => {
  const seen: IncomingHttpHeaders[] = []
  const handler: StreamHandler = (stream, headers) => {
    seen.push(headers)
    stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' })
    stream.pipe(stream)
  }
  await using app = await Http2App.start('h2c', handler, { settings: { enableConnectProtocol: true } })
  await using thread = await startThread({ protocol: 'h2c' }, app.port, { http2Cleartext: true })
  const session = connectHttp2(`http://127.0.0.1:${thread.httpPort}`)
  await once(session, 'remoteSettings')
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': '/chat',
    ':authority': 'a.example',
    'sec-websocket-version': '13',
  })
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  expect([headers[':status'], headers['sec-websocket-protocol']]).toEqual([200, 'chat'])
  stream.write('there and back')
  expect(String((await once(stream, 'data'))[0])).toBe('there and back')
  expect(seen[0]).toMatchObject({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' })
  expect(seen[0]?.['sec-websocket-key']).toBe(undefined)
  stream.end()
  stream.resume()
  await once(stream, 'close')
  await thread.opens({ tunnels: 0, upstream: 1, upstreamIdle: 1 })
  session.close()
  await once(session, 'close')
})

describe('https: HTTP/1.1 over TLS', () => {
  test('connections are kept, and sessions resumed', async () => {
    await using app = await HttpsApp.start((request, response) => response.end(`${request.method} ${request.url}`))
    await using thread = await startThread({ protocol: 'https' }, app.port)
    await using client = await connectTo(thread.httpPort)
    for (let i = 0; i < 3; i++) {
      void client.send(get('a.example', `/${i}`))
      expect((await client.response()).body.toString()).toBe(`GET /${i}`)
    }
    expect(thread.count('upstreamConnects')).toBe(1)
    app.server.closeAllConnections()
    await thread.opens({ upstream: 0 })
    void client.send(get('a.example'))
    expect((await client.response()).status).toBe(200)
    expect(app.handshakes).toEqual([
      { resumed: false, name: false },
      { resumed: true, name: false },
    ])
  })

  test('bodies cross in both directions', async () => {
    await using app = await HttpsApp.start((request, response) => request.pipe(response))
    await using thread = await startThread({ protocol: 'https' }, app.port)
    await using client = await connectTo(thread.httpPort)
    const body = 'x'.repeat(1_000_000)
    void client.send(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    expect((await client.response()).body.toString() === body).toBe(true)
  })

  test('an app that answers before it has read the body, and closes', async () => {
    await using app = await HttpsApp.start((_request, response) => {
      response.writeHead(413, { connection: 'close' })
      response.end('too large')
    })
    await using thread = await startThread({ protocol: 'https' }, app.port)
    await using client = await connectTo(thread.httpPort)
    void client.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10000000\r\n\r\n')
    void client.send('x'.repeat(3_000_000))
    const response = await client.response()
    expect([response.status, response.body.toString()]).toEqual([413, 'too large'])
  })
})

describe('TLS with endpoints', () => {
  for (const protocol of ['https', 'h2'] as const) {
    const rows: readonly (readonly [
      name: string,
      tls: UpstreamTls,
      want: { status: number; names: readonly (string | false)[] },
    ])[] = [
      [
        'any certificate will do, and no name is sent',
        { serverName: null, verify: false },
        { status: 200, names: [false] },
      ],
      [
        'the name that the app asks for is sent',
        { serverName: 'app.internal', verify: false },
        { status: 200, names: ['app.internal'] },
      ],
      [
        'a certificate that nobody vouches for is refused when it is to be checked',
        { serverName: 'app.internal', verify: true },
        { status: 502, names: [] },
      ],
    ]
    for (const [name, tls, want] of rows) {
      test(`${protocol}: ${name}`, async () => {
        await using app = await HttpsApp.start((_request, response) => response.end('ok'), protocol)
        await using thread = await startThread({ protocol, tls }, app.port)
        await using client = await connectTo(thread.httpPort)
        void client.send(get('a.example'))
        expect((await client.response()).status).toBe(want.status)
        if (want.status === 200) expect(app.handshakes.map(handshake => handshake.name)).toEqual(want.names)
        else await thread.opens({ upstream: 0 })
      })
    }
  }

  test('an endpoint that does not speak HTTP/2 over TLS: 502', async () => {
    await using app = await HttpsApp.start((_request, response) => response.end('ok'))
    await using thread = await startThread({ protocol: 'h2' }, app.port)
    await using client = await connectTo(thread.httpPort)
    void client.send(get('a.example'))
    expect((await client.response()).status).toBe(502)
    await thread.opens({ upstream: 0 })
  })

  test('an endpoint that never ends its handshake: 504 after connectTimeout', async () => {
    await using app = await App.start()
    await using thread = await startThread({ protocol: 'h2' }, app.port)
    await using client = await connectTo(thread.httpPort)
    void client.send(get('a.example'))
    await app.connection()
    await thread.elapse(2_100)
    expect((await client.response()).status).toBe(504)
    await thread.opens({ upstream: 0 })
  })

  test('a change of the protocol: the next request is spoken in it', async () => {
    await using app = await HttpsApp.start((request, response) => response.end(request.httpVersion), 'h2')
    await using thread = await startThread({ protocol: 'https' }, app.port)
    await using client = await connectTo(thread.httpPort)
    for (const [protocol, version] of [
      ['https', '1.1'],
      ['h2', '2.0'],
      ['https', '1.1'],
    ] as const) {
      thread.apply({ upstreams: { upserts: [upstreamWith('a', { protocol }, app.port)], deletes: [] } })
      void client.send(get('a.example'))
      expect((await client.response()).body.toString()).toBe(version)
    }
  })
})

function startThread(
  upstream: Partial<UpstreamSettings>,
  port: number,
  settings: Partial<RouterSettings> = {},
): Promise<TestThread> {
  const routes = [routeTo('a.example', 'a')]
  return startDataThread({ routes, upstreams: [upstreamWith('a', upstream, port)], settings })
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** An app over TLS: HTTP/1.1 alone, or HTTP/2 as well. */
class HttpsApp implements AsyncDisposable {
  readonly server: HttpsServer
  readonly handshakes: { resumed: boolean; name: string | false }[] = []
  readonly #sockets = new Set<TLSSocket>()

  private constructor(server: HttpsServer) {
    this.server = server
    server.on('secureConnection', (socket: TLSSocket) => {
      this.handshakes.push({ resumed: socket.isSessionReused(), name: socket.servername ?? false })
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
  }

  static async start(handler: Handler, protocol: 'https' | 'h2' = 'https'): Promise<HttpsApp> {
    const { chain, key } = fallbackCertificate()
    const pair = { cert: chain, key }
    const server =
      protocol === 'https'
        ? createHttpsServer(pair, handler)
        : (createSecureServer({ ...pair, allowHTTP1: true }, handler as never) as unknown as HttpsServer)
    const app = new HttpsApp(server)
    server.on('tlsClientError', () => {})
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return app
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const closed = once(this.server, 'close')
    this.server.close()
    await closed
  }
}
