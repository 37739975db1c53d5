// What went wrong with HTTP/2 once, or would have: a story each.

import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectPlain, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { ok } from '#test/support/app.ts'
import { certificateOf } from '#test/support/certificates.ts'
import { backendTo, upstreamWith } from '#test/support/data-thread.ts'
import { FramePeer } from '#test/support/frame-peer.ts'
import { Http2Client } from '#test/support/http2-client.ts'
import { block, frame, numbers, pair, request } from '#test/support/http2-frames.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { RefusingPorts } from '#test/support/refusing-ports.ts'
import { type Stage, type StageOptions, setStage } from '#test/support/stage.ts'
import { errorCode, flag, frameType, preface, setting } from './h2/frames.ts'

failOnLeaks()

const certificate = certificateOf('test/a')
const host = 'a.example'
const whole = flag.endHeaders | flag.endStream
const get = { ':method': 'GET', ':authority': host }

function setHttp2Stage(options: StageOptions = {}): Promise<Stage> {
  const { route, ...rest } = options
  return setStage({ route: { certificate: certificate.id, ...route }, certificates: [certificate], ...rest })
}

function open(stage: Stage, ...settings: readonly Buffer[]): Promise<FramePeer> {
  return FramePeer.open(stage.thread.httpsPort, host, ...settings)
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const wide = [pair(setting.initialWindowSize, 0x7fffffff)]
const wideConnection = frame(frameType.windowUpdate, 0, 0, numbers(0x7fff0000 - 65_535))

async function ping(peer: FramePeer, text: string): Promise<boolean> {
  peer.send(frame(frameType.ping, 0, 0, text))
  return (await peer.find(f => f.type === frameType.ping && f.payload.toString('latin1') === text)) !== null
}

function connectBlock(path = '/ws', ...more: (readonly [string, string])[]): Buffer {
  return block(
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'https'],
    [':authority', host],
    [':path', path],
    ['sec-websocket-version', '13'],
    ...more,
  )
}

/** A POST without a length and without octets, which endpoints refuse before the app gets it. */
async function postBehind(refusing: RefusingPorts, stage: Stage, peer: FramePeer): Promise<Peer> {
  stage.thread.apply({
    upstreams: { upserts: [upstreamWith('a', {}, ...refusing.all, stage.app.port)], deletes: [] },
  })
  peer.send(
    frame(frameType.headers, flag.endHeaders, 1, request(host, 'POST')),
    frame(frameType.data, flag.endStream, 1),
  )
  return await stage.app.connection()
}

describe('nothing is cut or lost', () => {
  test('a download of 48 MB by Node, which opens its windows as it goes, is not an offence', async () => {
    await using stage = await setHttp2Stage()
    const size = 48 * 1024 * 1024
    const body = Buffer.alloc(size)
    stage.app.serve(() => Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`), body]))
    await using client = await Http2Client.tls(stage.thread.httpsPort, host)
    const stream = client.request(get)
    let received = 0
    stream.on('data', (piece: Buffer) => {
      received += piece.length
    })
    await Promise.race([once(stream, 'end'), once(stream, 'close'), once(client.session, 'close')])
    expect(stage.thread.complaints()).toEqual([])
    expect(received).toBe(size)
  })

  // Go's net/http opens both windows after each read of 4 kB or more (`inflowMinRefresh`): up to eight frames for 16 kB.
  test('windows opened in steps of 4 kB, as by Go, are not an offence', async () => {
    await using stage = await setHttp2Stage()
    const size = 8 * 1024 * 1024
    const body = Buffer.alloc(size)
    stage.app.serve(() => Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`), body]))
    await using peer = await open(stage)
    peer.get(1, host)
    let received = 0
    for (let at = 0; !peer.isClosed && received < size; ) {
      await peer.find(f => f.type === frameType.goAway || (f.type === frameType.data && peer.frames.indexOf(f) >= at))
      for (; at < peer.frames.length; at++) {
        const { type, payload } = peer.frames[at]!
        if (type !== frameType.data) continue
        received += payload.length
        for (let n = 0; n < payload.length; n += 4096) {
          const step = numbers(Math.min(4096, payload.length - n))
          peer.send(frame(frameType.windowUpdate, 0, 0, step), frame(frameType.windowUpdate, 0, 1, step))
        }
      }
      if (peer.frames.some(f => f.type === frameType.goAway)) break
    }
    expect(stage.thread.complaints()).toEqual([])
    expect(received).toBe(size)
  })

  test('the end of a body without a length while the request waits for its turn does not bring the thread down', async () => {
    await using stage = await setHttp2Stage({
      upstream: { limits: { requests: 1, endpointRequests: 0, queueLength: 64, queueTimeout: 1000 } },
    })
    const crashed: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const note = (error: unknown): void => void crashed.push(error)
    process.on('uncaughtException', note)
    try {
      await using peer = await open(stage)
      peer.get(1, host)
      await (await stage.app.connection()).request()
      peer.send(frame(frameType.headers, flag.endHeaders, 3, request(host, 'POST')))
      peer.send(frame(frameType.data, flag.endStream, 3))
      await stage.thread.stalled(() => stage.thread.count('requestsOpen'))
    } finally {
      process.off('uncaughtException', note)
      for (const listener of listeners) process.on('uncaughtException', listener)
    }
    expect(crashed).toEqual([])
  })

  test('the end of a body that came while connecting is sent to the next endpoint too, when the first refuses', async () => {
    await using stage = await setHttp2Stage()
    await using refusing = await RefusingPorts.reserve(6)
    await using peer = await open(stage)
    const app = await postBehind(refusing, stage, peer)
    expect(
      await Promise.race([app.request().then(() => 'whole'), stage.thread.stalled(() => 0).then(() => 'half')]),
    ).toBe('whole')
  })

  test('and its connection is not given to another request, whose octets would belong to the first', async () => {
    await using stage = await setHttp2Stage()
    await using refusing = await RefusingPorts.reserve(6)
    await using peer = await open(stage)
    const app = await postBehind(refusing, stage, peer)
    await app.head()
    await app.send('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
    await peer.find(f => f.stream === 1 && f.type === frameType.headers)
    await stage.thread.settle()
    await using other = await connectTo(stage.thread.httpPort)
    await other.send(`GET /victim HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    await stage.thread.stalled(() => 0)
    // What an app that waits for a chunk reads now.
    const rest = app.queue.length
    const octets = rest === 0 ? '' : (await app.queue.take(rest)).toString('latin1')
    expect(octets === '' || octets.startsWith('0\r\n\r\n'), JSON.stringify(octets)).toBe(true)
  })

  test('small answers and PING acks that wait for a socket do not hold 64 kB each', async () => {
    await using stage = await setHttp2Stage()
    const size = 64 * 1024 * 1024
    stage.app.serve((_, peer) => {
      setImmediate(async () => {
        const piece = Buffer.alloc(64 * 1024)
        for (let sent = 0; sent < size && !peer.socket.destroyed; sent += piece.length) await peer.send(piece)
      })
      return `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`
    })
    await using peer = await open(stage, ...wide)
    peer.send(wideConnection)
    await peer.find(f => f.type === frameType.settings)
    peer.socket.pause()
    peer.get(1, host, '/large')
    // The kernel is full then.
    await stage.thread.stalled(() => peer.socket.bytesRead)
    await stage.thread.stalled(() => stage.thread.count('upstreamConnects'))
    collect()
    const before = process.memoryUsage().arrayBuffers
    const count = 1000
    for (let n = 1; n <= count; n++) {
      // The router answers by itself: 404, some 200 octets.
      peer.send(frame(frameType.headers, whole, 2 * n + 1, request('x.example', 'HEAD')))
      await stage.thread.settle()
    }
    collect()
    const grown = process.memoryUsage().arrayBuffers - before
    expect(peer.isClosed).toBe(false)
    expect(Math.round(grown / count)).toBeLessThan(8 * 1024)
  })
})

describe('what one client does is not felt by others', () => {
  test('three streams that wait do not stop a fourth for good', async () => {
    await using stage = await setHttp2Stage()
    await using peer = await open(stage)
    const piece = Buffer.alloc(16_384)
    for (const id of [1, 3, 5]) {
      peer.send(frame(frameType.headers, flag.endHeaders, id, connectBlock()))
      await (await stage.app.connection()).head()
      for (let i = 0; i < 16; i++) peer.send(frame(frameType.data, 0, id, piece))
    }
    // 768 kB of 1 MB are held. A well-behaved upload: no more than its windows.
    peer.send(frame(frameType.headers, flag.endHeaders, 7, request(host, 'POST')))
    const app = await stage.app.connection()
    await app.head()
    for (let i = 0; i < 15; i++) peer.send(frame(frameType.data, 0, 7, piece))
    peer.send(frame(frameType.data, 0, 7, piece.subarray(0, 16_384)))
    await stage.thread.stalled(() => app.queue.length)
    // All 1 MB is used up; the 256 kB of stream 7 are with the app.
    const updates = peer.frames.filter(f => f.type === frameType.windowUpdate && f.stream === 0).length
    expect(app.queue.length).toBeGreaterThan(256 * 1024)
    expect(updates).toBeGreaterThan(1)
  })

  test('answers that wait are bounded for the thread, as the page says (48 MB)', async () => {
    await using big = await setHttp2Stage({
      route: { backend: backendTo('a', { readAhead: 4 * 1024 * 1024, idleTimeout: 600_000 }) },
    })
    const size = 8 * 1024 * 1024
    big.app.serve((_, peer) => {
      setImmediate(async () => {
        const piece = Buffer.alloc(64 * 1024)
        for (let sent = 0; sent < size && !peer.socket.destroyed; sent += piece.length) await peer.send(piece)
      })
      return `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`
    })
    const before = process.memoryUsage().arrayBuffers
    await using peer = await open(big, pair(setting.initialWindowSize, 0))
    let next = 1
    for (let i = 0; i < 30; i++, next += 2) peer.get(next, host, '/large')
    // Any head within three seconds starts the watch anew, and any octet taken.
    for (let seconds = 0; seconds < 20; seconds += 2) {
      await big.thread.stalled(() => process.memoryUsage().arrayBuffers)
      await big.thread.elapse(2_000)
      peer.get(next, 'nobody.example')
      next += 2
    }
    const grown = process.memoryUsage().arrayBuffers - before
    expect({ closed: peer.isClosed, megabytes: grown >> 20 }).not.toMatchObject({
      closed: false,
      megabytes: expect.toSatisfy((n: number) => n > 64),
    })
  })

  test('a client that takes nothing for 3 s is not closed for what others keep waiting', async () => {
    await using stage = await setHttp2Stage({ route: { backend: backendTo('a', { idleTimeout: 1_300_000 }) } })
    // An app that takes its time for a WebSocket.
    stage.app.serve(({ target }) => (target === '/slow' ? ok('x'.repeat(1000)) : ''))
    const attackers: FramePeer[] = []
    try {
      const piece = Buffer.alloc(16_384)
      for (let n = 0; n < 25; n++) {
        const peer = await open(stage)
        attackers.push(peer)
      }
      await using victim = await open(stage, pair(setting.initialWindowSize, 10))
      victim.get(1, host, '/slow')
      await victim.find(f => f.type === frameType.data)
      await stage.thread.elapse(3_200)
      await stage.thread.elapse(3_200)
      expect(victim.isClosed).toBe(false)
      for (const peer of attackers) {
        for (const id of [1, 3, 5, 7]) {
          peer.send(frame(frameType.headers, flag.endHeaders, id, connectBlock('/hang')))
          for (let i = 0; i < 16; i++) peer.send(frame(frameType.data, 0, id, piece))
        }
        await peer.drained()
      }
      await stage.thread.stalled(() => stage.thread.count('requestsOpen'))
      await Promise.all(attackers.map(peer => ping(peer, 'all read')))
      await stage.thread.elapse(3_200)
      await stage.thread.elapse(3_200)
      expect(attackers.filter(peer => peer.isClosed)).toHaveLength(0)
      expect(victim.isClosed).toBe(false)
    } finally {
      for (const peer of attackers) await peer[Symbol.asyncDispose]()
    }
  })

  test('an answer that a slow client still takes is not cut a second after the connection has been ended', async () => {
    await using stage = await setHttp2Stage({ settings: { defaultTimeout: 30_000 } })
    const size = 64 * 1024 * 1024
    stage.app.serve(({ target }, peer) => {
      if (target !== '/large') return 'HTTP/1.1 204 No Content\r\n\r\n'
      setImmediate(async () => {
        const piece = Buffer.alloc(64 * 1024)
        for (let sent = 0; sent < size && !peer.socket.destroyed; sent += piece.length) await peer.send(piece)
      })
      return `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`
    })
    await using peer = await open(stage, ...wide)
    peer.send(wideConnection)
    await peer.find(f => f.type === frameType.settings)
    peer.socket.pause()
    peer.get(1, host, '/large')
    await stage.thread.stalled(() => stage.thread.count('upstreamConnects'))
    peer.send(frame(frameType.rstStream, 0, 1, numbers(errorCode.cancel)))
    peer.send(frame(frameType.headers, whole, 3, request(host, 'POST', '/done')))
    await stage.thread.logged(2)
    // Idle for too long: that is the end.
    await stage.thread.elapse(31_000)
    await stage.thread.elapse(1_200)
    peer.socket.resume()
    expect(await peer.find(f => f.stream === 3 && f.type === frameType.headers)).not.toBeNull()
  })

  test('an app that answers the offer of a WebSocket with 200 has not opened a tunnel', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(() => ok('<html>'))
    await using peer = await open(stage)
    peer.send(frame(frameType.headers, flag.endHeaders, 1, connectBlock()))
    const head = await peer.find(f => f.stream === 1 && f.type === frameType.headers)
    // 0x88: `:status 200` of the static table.
    expect(head?.payload[0]).not.toBe(0x88)
  })

  test('small DATA frames that came together go to the endpoint together', async () => {
    await using stage = await setHttp2Stage()
    await using peer = await open(stage)
    peer.send(frame(frameType.headers, flag.endHeaders, 1, request(host, 'POST')))
    const app = await stage.app.connection()
    await app.head()
    let writes = 0
    const { write } = Socket.prototype
    const port = stage.app.port
    Socket.prototype.write = function (this: Socket, ...args: never[]) {
      if (this.remotePort === port) writes++
      return (write as (...args: never[]) => boolean).apply(this, args)
    } as never
    const many = Buffer.concat(Array.from({ length: 20_000 }, () => frame(frameType.data, 0, 1, 'x')))
    try {
      peer.send(many)
      await stage.thread.stalled(() => app.queue.length)
    } finally {
      Socket.prototype.write = write
    }
    if (!peer.isClosed) expect(writes).toBeLessThan(2_000)
  })

  test('header blocks of a stream that was reset are counted for what they cost', async () => {
    await using stage = await setHttp2Stage()
    await using peer = await open(stage)
    // Malformed: reset by us.
    peer.send(frame(frameType.headers, whole, 1, block([':method', 'GET'])))
    await peer.resetCode(1)
    // An entry of nearly 4 kB, then again and again a new entry of the same name: two octets each.
    const name = 'n'.repeat(4000)
    const length = Buffer.from([0x7f, ((4000 - 127) & 0x7f) | 0x80, (4000 - 127) >> 7])
    const first = Buffer.concat([Buffer.from([0x40]), length, Buffer.from(name), Buffer.from([0])])
    peer.send(frame(frameType.headers, whole, 1, first))
    const again = Buffer.alloc(16_384)
    for (let i = 0; i < again.length; i += 2) again[i] = 0x7e
    const costly = frame(frameType.headers, whole, 1, again)
    await ping(peer, 'before..')
    for (let i = 0; i < 100; i++) {
      peer.send(costly)
      await peer.drained()
    }
    await ping(peer, 'behind..')
    expect(peer.isClosed).toBe(true)
  })

  test('pings beside answers, as gRPC measures its bandwidth with, are not an offence', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(() => ok('x'))
    await using peer = await open(stage)
    for (let n = 0; n < 1100 && !peer.isClosed; n++) {
      peer.get(2 * n + 1, host)
      await peer.find(f => f.stream === 2 * n + 1 && (f.flags & flag.endStream) !== 0)
      if (!(await ping(peer, String(n).padStart(8, '.')))) break
    }
    expect(stage.thread.complaints()).toEqual([])
    expect(peer.isClosed).toBe(false)
  })

  test('a client of the PROXY protocol whose first octets come with the header is served, HTTP/2 in the clear allowed', async () => {
    await using stage = await setStage({ settings: { http2Cleartext: true, useProxyProtocol: true } })
    stage.app.serve(() => ok('x'))
    await using peer = await connectTo(stage.thread.httpPort, {
      first: `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    })
    expect(
      await Promise.race([
        peer.response().then(({ status }) => status),
        stage.thread.stalled(() => 0).then(() => 'silence'),
      ]),
    ).toBe(200)
  })

  test('the same, with HTTP/2', async () => {
    await using stage = await setStage({ settings: { http2Cleartext: true, useProxyProtocol: true } })
    stage.app.serve(() => ok('x'))
    await using peer = await connectTo(stage.thread.httpPort)
    await peer.send(
      Buffer.concat([
        Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'),
        preface,
        frame(frameType.settings, 0, 0),
        frame(frameType.headers, whole, 1, request(host)),
      ]),
    )
    await stage.thread.stalled(() => stage.app.accepted)
    expect(stage.app.accepted).toBe(1)
  })
})

describe('small things', () => {
  test('a connection with an answer composed and not written yet is not spare', async () => {
    await using stage = await setHttp2Stage({ settings: { http2Cleartext: true, maxWorkerConnections: 1 } })
    const socket = connectPlain({ port: stage.thread.httpPort, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const got: Buffer[] = []
    socket.on('data', (octets: Buffer) => got.push(octets))
    socket.on('error', () => {})
    socket.write(Buffer.concat([preface, frame(frameType.settings, 0, 0)]))
    await stage.thread.stalled(() => got.length)
    const before = Buffer.concat(got).length
    socket.write(frame(frameType.headers, whole, 1, request('x.example')))
    const second = connectPlain({ port: stage.thread.httpPort, host: '127.0.0.1' })
    second.on('error', () => {})
    await stage.thread.logged(1)
    await stage.thread.stalled(() => got.length)
    expect(stage.thread.logs()[0]).toContain(' - 404 - ')
    const after = Buffer.concat(got).length
    socket.destroy()
    second.destroy()
    await stage.thread.opens({ http: 0 })
    expect(after).toBeGreaterThan(before)
  })

  test('a connection whose handshake ends behind the goodbye to idle ones learns of the drain', async () => {
    await using stage = await setHttp2Stage()
    const tcp = connectPlain({ port: stage.thread.httpsPort, host: '127.0.0.1' })
    await once(tcp, 'connect')
    const idle = await stage.connect()
    await stage.thread.opens({ http: 1 })
    const stopped = stage.thread.stop(2_000)
    await idle.ended()
    const tls = connectTls({ socket: tcp, servername: host, ALPNProtocols: ['h2'], rejectUnauthorized: false })
    const session = connectHttp2(`https://${host}`, { createConnection: () => tls })
    session.on('error', () => {})
    await once(session, 'goaway')
    session.destroy()
    await stopped
  })

  test('a head whose frame is never complete is not waited for as long as an idle client', async () => {
    await using stage = await setHttp2Stage()
    await using peer = await open(stage)
    await ping(peer, 'is open.')
    peer.send(frame(frameType.headers, whole, 1, request(host)).subarray(0, 20))
    await stage.thread.settle()
    await stage.thread.elapse(61_000)
    await stage.thread.stalled(() => 0)
    expect(peer.isClosed).toBe(true)
  })

  test('a header block in pieces has four seconds, also when the last stream ends meanwhile', async () => {
    await using stage = await setHttp2Stage()
    await using peer = await open(stage)
    peer.get(1, host)
    const app = await stage.app.connection()
    await app.request()
    peer.send(frame(frameType.headers, flag.endStream, 3, request(host)))
    await stage.thread.stalled(() => 0)
    await app.send(ok('x'))
    await peer.find(f => f.stream === 1 && f.type === frameType.data)
    await stage.thread.elapse(61_000)
    await stage.thread.stalled(() => 0)
    expect(peer.isClosed).toBe(true)
  })

  test('trailers in pieces of a stream that we reset do not end the connection four seconds later', async () => {
    await using stage = await setHttp2Stage()
    await using peer = await open(stage)
    peer.send(frame(frameType.headers, flag.endHeaders, 1, request('nobody.example', 'POST')))
    expect(await peer.resetCode(1)).toBe(errorCode.noError)
    peer.send(
      frame(frameType.headers, flag.endStream, 1, block(['x-sum', '1'])),
      frame(frameType.continuation, flag.endHeaders, 1),
    )
    await ping(peer, 'all read')
    await stage.thread.elapse(4_500)
    await stage.thread.stalled(() => 0)
    expect(peer.frames.some(f => f.type === frameType.goAway)).toBe(false)
  })

  test('an answer with as many fields as HTTP/1.1 passes on arrives', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(() => ok('x', ...Array.from({ length: 255 }, (_, i) => `x-f${i}: 1`)))
    const plain = await stage.connect()
    await plain.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    expect((await plain.response()).status).toBe(200)
    await using peer = await open(stage)
    peer.get(1, host)
    const data = await peer.find(({ type }) => type === frameType.data || type === frameType.rstStream)
    expect(data?.payload.toString()).toBe('x')
  })

  test('the key of a WebSocket is there once', async () => {
    await using stage = await setHttp2Stage()
    await using peer = await open(stage)
    peer.send(frame(frameType.headers, flag.endHeaders, 1, connectBlock('/ws', ['sec-websocket-key', 'abc'])))
    const head = await (await stage.app.connection()).head()
    expect(head.fields.filter(f => f.name.toLowerCase() === 'sec-websocket-key')).toHaveLength(1)
  })
})
