// Apps that speak HTTP/2, with prior knowledge or over TLS, behind clients of HTTP/1.1.

import type { IncomingHttpHeaders, ServerHttp2Stream, ServerOptions } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { get } from '#test/support/app.ts'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { routeTo, startDataThread, type TestThread, upstreamWith } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { bodyOf, Http2App, type StreamHandler } from '#test/support/http2-app.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer, type Response } from '#test/support/peer.ts'

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

describe('https: HTTP/1.1 over TLS', () => {
  test('works, keeps connections, and resumes sessions', async () => {
    const { createServer } = await import('node:https')
    const { chain, key } = fallbackCertificate()
    const reused: boolean[] = []
    const server = createServer({ cert: chain, key }, (request, response) => {
      response.end(`${request.method} ${request.url}`)
    })
    server.on('secureConnection', socket => reused.push(socket.isSessionReused()))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await using thread = await startDataThread({
      routes: [routeTo('a.example', 'a')],
      upstreams: [upstreamWith('a', { protocol: 'https' }, port)],
    })
    await using client = await connectTo(thread.httpPort)
    for (let i = 0; i < 3; i++) {
      void client.send(get('a.example', `/${i}`))
      expect((await client.response()).body.toString()).toBe(`GET /${i}`)
    }
    expect(thread.count('upstreamConnects')).toBe(1)
    server.closeAllConnections()
    await thread.opens({ upstream: 0 })
    void client.send(get('a.example'))
    expect((await client.response()).status).toBe(200)
    expect(reused).toEqual([false, true])
    server.closeAllConnections()
    server.close()
  })
})
