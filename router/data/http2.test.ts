// HTTP/2 from clients (RFC 9113, RFC 8441) over real sockets, Node's own client at the other end. What only a client that
// breaks the rules can show is in http2-rules.test.ts.

import { once } from 'node:events'
import { type ClientHttp2Stream, constants } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { ok } from '#test/support/app.ts'
import { certificateOf } from '#test/support/certificates.ts'
import { routeTo } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { answerOf, Http2Client } from '#test/support/http2-client.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { type Stage, type StageOptions, setStage } from '#test/support/stage.ts'

failOnLeaks()

const certificate = certificateOf('test/a')
const get = { ':method': 'GET', ':authority': 'a.example' }
const post = { ':method': 'POST', ':authority': 'a.example' }
const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants

function setHttp2Stage(options: StageOptions = {}): Promise<Stage> {
  return setStage({ route: { certificate: certificate.id }, certificates: [certificate], ...options })
}

function clientOf(stage: Stage): Promise<Http2Client> {
  return Http2Client.tls(stage.thread.httpsPort, 'a.example')
}

/** Resolves with the code with which the stream was reset. */
async function resetCode(stream: ClientHttp2Stream): Promise<number> {
  if (!stream.closed) await once(stream, 'close')
  return stream.rstCode
}

describe('a request', () => {
  test('reaches the app as HTTP/1.1, and its answer comes back', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(request => ok(JSON.stringify([request.line, ...request.fields.map(f => `${f.name}: ${f.value}`)])))
    await using client = await clientOf(stage)
    const { status, fields, body } = await client.exchange({ ...get, ':path': '/x?y', 'x-a': '1', te: 'trailers' })
    expect(status).toBe(200)
    expect(fields['content-length']).toBe(String(body.length))
    expect(fields.server).toMatch(/^deis-router/)
    expect(fields.date).toMatch(/GMT$/)
    expect(fields.connection).toBeUndefined()
    expect(JSON.parse(body)).toEqual([
      'GET /x?y HTTP/1.1',
      'Host: a.example',
      'x-a: 1',
      'X-Forwarded-For: 127.0.0.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Port: 443',
      'CDN-Loop: deis-router',
    ])
    expect((await stage.thread.logged(1))[0]).toContain('"GET /x?y HTTP/2.0"')
  })

  test('by prior knowledge on the HTTP port, where the settings allow it, beside HTTP/1.1', async () => {
    await using stage = await setHttp2Stage({ settings: { http2Cleartext: true } })
    stage.app.serve(request => ok(fieldValue(request, 'x-forwarded-proto') ?? ''))
    await using client = await Http2Client.plain(stage.thread.httpPort)
    expect(await client.exchange({ ...get, ':scheme': 'http' })).toMatchObject({ status: 200, body: 'http' })
    const old = await stage.connect()
    await stage.sendInSegments(old, 'PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n', 1)
    expect((await old.response()).status).toBe(200)
  })

  test('by prior knowledge elsewhere is a version that the router does not speak', async () => {
    await using stage = await setHttp2Stage()
    const peer = await stage.connect()
    peer.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    expect((await peer.response()).status).toBe(505)
  })

  test('HTTP/2 that is switched off is not on offer for the next handshakes', async () => {
    await using stage = await setHttp2Stage({ settings: { http2Enabled: false } })
    const peer = await stage.connectTls({ ALPNProtocols: ['h2', 'http/1.1'] })
    expect(peer.socket.alpnProtocol).toBe('http/1.1')
  })

  test('many at once share a connection, and each gets its own answer', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(request => ok(`${request.target}${'x'.repeat(Number(request.target.slice(1)) * 37)}`))
    await using client = await clientOf(stage)
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) => client.exchange({ ...get, ':path': `/${i}` })),
    )
    for (const [i, { body }] of answers.entries()) expect(body).toBe(`/${i}${'x'.repeat(i * 37)}`)
    expect(stage.thread.count('http2Accepted')).toBe(1)
    expect(stage.thread.count('http2Streams')).toBe(300)
  })

  test('pieces of a cookie are put together again', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(request => ok(fieldValues(request, 'cookie').join('|')))
    await using client = await clientOf(stage)
    const stream = client.session.request({ ...get, cookie: ['a=1', 'b=2', 'c=3'] } as never)
    expect((await answerOf(stream)).body).toBe('a=1; b=2; c=3')
  })

  test('HEAD has no body, and 304 neither', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(({ method }) =>
      method === 'HEAD'
        ? 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
        : 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
    )
    await using client = await clientOf(stage)
    const head = await client.exchange({ ...get, ':method': 'HEAD' })
    expect([head.status, head.fields['content-length'], head.body]).toEqual([200, '5', ''])
    expect(await client.exchange(get)).toMatchObject({ status: 304, body: '', fields: { etag: '"a"' } })
  })

  test('the router answers by itself', async () => {
    await using stage = await setHttp2Stage({ routes: [routeTo('b.example', 'b', { certificate: certificate.id })] })
    await using client = await clientOf(stage)
    expect((await client.exchange({ ...get, ':authority': 'nobody.example' })).status).toBe(404)
    expect((await client.exchange({ ...get, ':authority': 'b.example' })).status).toBe(503)
    expect((await client.exchange({ ...get, 'x-big': 'x'.repeat(40_000) })).status).toBe(431)
    const connect = client.session.request({ ':method': 'CONNECT', ':authority': 'a.example:443' })
    expect((await answerOf(connect)).status).toBe(405)
    expect(await stage.thread.logged(4)).toHaveLength(4)
  })

  test('interim answers come before the final one', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(() => `HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${ok('x')}`)
    await using client = await clientOf(stage)
    const stream = client.request(get)
    const [interim] = (await once(stream, 'headers')) as [Record<string, unknown>]
    expect([interim[':status'], interim.link]).toEqual([103, '</a.css>'])
    expect((await answerOf(stream)).body).toBe('x')
  })
})

describe('a body', () => {
  test('of a length goes to the app with that length', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(request => ok(`${fieldValue(request, 'content-length')} ${request.body}`))
    await using client = await clientOf(stage)
    expect((await client.exchange({ ...post, 'content-length': '5' }, 'hello')).body).toBe('5 hello')
  })

  test('without a length goes to the app in chunks, its trailers behind it', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(request =>
      ok(`${fieldValue(request, 'transfer-encoding')} ${request.body} ${JSON.stringify(request.trailers)}`),
    )
    await using client = await clientOf(stage)
    const stream = client.session.request(post, { endStream: false })
    const trailing = client.session.request({ ...post }, { endStream: false, waitForTrailers: true })
    trailing.on('wantTrailers', () => trailing.sendTrailers({ 'x-sum': '42' }))
    stream.end('one')
    trailing.end('two')
    expect((await answerOf(stream)).body).toBe('chunked one []')
    expect((await answerOf(trailing)).body).toBe('chunked two [{"name":"x-sum","value":"42"}]')
  })

  test('of many megabytes arrives whole, and one comes back whole', async () => {
    await using stage = await setHttp2Stage()
    const octets = Buffer.alloc(8 * 1024 * 1024)
    for (let i = 0; i < octets.length; i += 4) octets.writeUInt32LE(i, i)
    stage.app.serve(request => {
      expect(Buffer.compare(request.body, octets)).toBe(0)
      return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${octets.length}\r\n\r\n`), octets])
    })
    await using client = await clientOf(stage)
    const { body } = await client.exchange(post, octets)
    expect(Buffer.compare(Buffer.from(body, 'latin1'), octets)).toBe(0)
  })

  test('of an answer in chunks comes without their framing, its trailers behind it', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(
      () =>
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 7\r\nX-B: c d\r\n\r\n',
    )
    await using client = await clientOf(stage)
    const { fields, body, trailers } = await client.exchange(get)
    expect([fields['transfer-encoding'], body]).toEqual([undefined, 'abcde'])
    expect(trailers).toMatchObject({ 'x-sum': '7', 'x-b': 'c d' })
  })

  test('of an answer until the end of the connection comes whole', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve((_, peer) => {
      setImmediate(() => peer.end())
      return 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it'
    })
    await using client = await clientOf(stage)
    expect((await client.exchange(get)).body).toBe('all of it')
  })

  test('that is compressed comes compressed', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(() => ok('x'.repeat(5000), 'Content-Type: text/html'))
    await using client = await clientOf(stage)
    const { fields, body } = await client.exchange({ ...get, 'accept-encoding': 'gzip' })
    expect(fields['content-encoding']).toBe('gzip')
    expect(body.length).toBeLessThan(200)
  })

  test('that nobody reads holds up the app, and not the other streams', async () => {
    await using stage = await setHttp2Stage()
    const size = 16 * 1024 * 1024
    let sent = 0
    stage.app.serve(({ target }, peer) => {
      if (target === '/small') return ok('small')
      setImmediate(async () => {
        const piece = Buffer.alloc(64 * 1024)
        for (; sent < size; sent += piece.length) await peer.send(piece)
      })
      return `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`
    })
    await using client = await clientOf(stage)
    // Room for other streams beside what one that is not read may hold.
    client.session.setLocalWindowSize(1024 * 1024)
    const stream = client.request({ ...get, ':path': '/large' })
    stream.pause()
    await once(stream, 'response')
    await stage.thread.stalled(() => sent)
    expect(sent).toBeLessThan(size)
    expect((await client.exchange({ ...get, ':path': '/small' })).body).toBe('small')
    let received = 0
    stream.on('data', (piece: Buffer) => {
      received += piece.length
    })
    stream.resume()
    await once(stream, 'end')
    expect(received).toBe(size)
  })

  test('that the app does not read holds up the client, and not the other streams', async () => {
    await using stage = await setHttp2Stage()
    await using client = await clientOf(stage)
    const stream = client.request({ ...post, ':path': '/upload' }, false)
    const upload = await stage.app.connection()
    let sent = 0
    const pump = (): void => {
      while (sent < 32 * 1024 * 1024) {
        sent += 64 * 1024
        if (!stream.write(Buffer.alloc(64 * 1024))) break
      }
    }
    stream.on('drain', pump)
    upload.socket.pause()
    pump()
    await stage.thread.stalled(() => sent)
    expect(sent).toBeLessThan(16 * 1024 * 1024)
    const other = client.exchange({ ...get, ':path': '/small' })
    const second = await stage.app.connection()
    await second.request()
    await second.send(ok('small'))
    expect((await other).body).toBe('small')
    stream.close(NGHTTP2_CANCEL)
    upload.socket.resume()
    await upload.ended()
  })

  test('larger than allowed: 413', async () => {
    await using stage = await setHttp2Stage({ settings: { bodySize: 1000 } })
    stage.app.serve(() => ok('never'))
    await using client = await clientOf(stage)
    expect((await client.exchange({ ...post, 'content-length': '1001' }, 'x'.repeat(1001))).status).toBe(413)
    expect((await client.exchange(post, 'x'.repeat(1001))).status).toBe(413)
  })

  test('that is asked for with 100-continue', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(request => ok(request.body.toString()))
    await using client = await clientOf(stage)
    const stream = client.request({ ...post, expect: '100-continue' }, false)
    await once(stream, 'continue')
    stream.end('now')
    expect((await answerOf(stream)).body).toBe('now')
  })

  test('answered before it has all come: the rest is not wanted, and the connection goes on', async () => {
    await using stage = await setHttp2Stage()
    await using client = await clientOf(stage)
    const stream = client.request(post, false)
    stream.write('some')
    const upload = await stage.app.connection()
    await upload.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
    expect(await answerOf(stream)).toMatchObject({ status: 403, body: 'no' })
    expect(await resetCode(stream)).toBe(NGHTTP2_NO_ERROR)
    stage.app.serve(() => ok('on'))
    expect((await client.exchange(get)).body).toBe('on')
  })
})

describe('endings', () => {
  test('a client that cancels is noticed at the app', async () => {
    await using stage = await setHttp2Stage()
    await using client = await clientOf(stage)
    const stream = client.request(get)
    const app = await stage.app.connection()
    await app.request()
    stream.close(NGHTTP2_CANCEL)
    await app.ended()
    expect((await stage.thread.logged(1))[0]).toContain(' - 499 - ')
  })

  test('an app that breaks off its answer is noticed at the client', async () => {
    await using stage = await setHttp2Stage()
    await using client = await clientOf(stage)
    const stream = client.request(get)
    const app = await stage.app.connection()
    await app.request()
    await app.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    const answer = answerOf(stream)
    await once(stream, 'response')
    app.socket.destroy()
    await expect(answer).rejects.toThrow()
    expect(stream.rstCode).toBe(NGHTTP2_INTERNAL_ERROR)
  })

  test('a client that leaves takes all its streams along', async () => {
    await using stage = await setHttp2Stage({ apps: 2 })
    {
      await using client = await clientOf(stage)
      for (let i = 0; i < 4; i++) client.request(get)
      const [a, b] = stage.apps
      for (const app of [a!, a!, b!, b!]) await (await app.connection()).request()
    }
    await stage.thread.opens({ https: 0, upstream: 0 })
    expect(stage.thread.count('requestsOpen')).toBe(0)
  })

  test('a drain tells the client to begin no more, and lets what has begun finish', async () => {
    await using stage = await setHttp2Stage()
    await using client = await clientOf(stage)
    const stream = client.request(get)
    const app = await stage.app.connection()
    await app.request()
    const goaway = once(client.session, 'goaway')
    const stopped = stage.thread.stop(5_000)
    await goaway
    await app.send(ok('late'))
    expect((await answerOf(stream)).body).toBe('late')
    if (!client.session.destroyed) await once(client.session, 'close')
    expect(await stopped).toBe(0)
  })

  test('an idle connection is closed in time', async () => {
    await using stage = await setHttp2Stage({ settings: { defaultTimeout: 30_000 } })
    stage.app.serve(() => ok('x'))
    await using client = await clientOf(stage)
    await client.exchange(get)
    const closed = once(client.session, 'close')
    await stage.thread.elapse(31_000)
    await closed
  })

  test('an app that stays silent: 504, and the connection goes on', async () => {
    await using stage = await setHttp2Stage()
    await using client = await clientOf(stage)
    const answer = client.exchange(get)
    await (await stage.app.connection()).request()
    await stage.thread.elapse(6_000)
    expect((await answer).status).toBe(504)
    stage.app.serve(() => ok('on'))
    expect((await client.exchange(get)).body).toBe('on')
  })
})

describe('a WebSocket (RFC 8441)', () => {
  const connect = {
    ...get,
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/chat',
    'sec-websocket-version': '13',
  }

  test('becomes an upgrade at the app, and octets cross both ways', async () => {
    await using stage = await setHttp2Stage()
    await using client = await clientOf(stage)
    expect(client.session.remoteSettings.enableConnectProtocol).toBe(true)
    const stream = client.request(connect, false)
    // Before the app has agreed.
    stream.write('early ')
    const app = await stage.app.connection()
    const request = await app.request()
    expect([request.line, fieldValue(request, 'upgrade'), fieldValue(request, 'connection')]).toEqual([
      'GET /chat HTTP/1.1',
      'websocket',
      'upgrade',
    ])
    expect(Buffer.from(fieldValue(request, 'sec-websocket-key') ?? '', 'base64')).toHaveLength(16)
    await app.send(
      'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: p\r\n\r\nhello',
    )
    const [fields] = (await once(stream, 'response')) as [Record<string, unknown>]
    expect([fields[':status'], fields['sec-websocket-accept'], fields['sec-websocket-protocol']]).toEqual([
      200,
      undefined,
      'p',
    ])
    expect(String((await once(stream, 'data'))[0])).toBe('hello')
    stream.write('more')
    expect((await app.queue.take(10)).toString()).toBe('early more')
    expect(stage.thread.open().tunnels).toBe(1)
    stream.end()
    await app.ended()
    app.end()
    await once(stream, 'end')
    await stage.thread.opens({ tunnels: 0, upstream: 0 })
  })

  test('that the app refuses is an answer like any other', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(() => 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
    await using client = await clientOf(stage)
    expect(await answerOf(client.request(connect, false))).toMatchObject({ status: 403, body: 'no' })
  })

  test('is cut when the client resets it', async () => {
    await using stage = await setHttp2Stage()
    await using client = await clientOf(stage)
    const stream = client.request(connect, false)
    const app = await stage.app.connection()
    await app.request()
    await app.send('HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n')
    await once(stream, 'response')
    stream.close(NGHTTP2_CANCEL)
    await app.ended().catch(() => {})
    await stage.thread.opens({ tunnels: 0, upstream: 0 })
  })
})
