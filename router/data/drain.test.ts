// The end of a data thread: it accepts no more, lets what is under way finish, and cuts what does not.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { certificateOf, fallbackCertificate } from '#test/support/certificates.ts'
import { startDataThread } from '#test/support/data-thread.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { Peer } from '#test/support/peer.ts'
import { type Stage, setStage } from '#test/support/stage.ts'
import { idleGrace } from './http/connection.ts'

failOnLeaks()

const certificate = certificateOf('test/a')

function refused(port: number): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', error => resolve((error as NodeJS.ErrnoException).code ?? ''))
    socket.on('connect', () => {
      socket.destroy()
      resolve('accepted')
    })
  })
}

test('with nothing open it is drained at once, and says so once', async () => {
  const thread = await startDataThread({})
  expect(await thread.stop(60_000)).toBe(0)
  expect(await refused(thread.httpPort)).toBe('ECONNREFUSED')
  expect(await refused(thread.httpsPort)).toBe('ECONNREFUSED')
})

test('idle connections are closed, a request in flight finishes with Connection: close, and nothing is cut', async () => {
  await using stage = await setStage()
  const idle = await stage.connect()
  idle.send(get('nobody.example'))
  await idle.response()
  const silent = await stage.connect()
  const busy = await stage.connect()
  busy.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()

  const drained = stage.thread.stop(1_000)
  expect(await refused(stage.thread.httpPort)).toBe('ECONNREFUSED')
  expect([await idle.ended(), await silent.ended()]).toEqual(['end', 'end'])
  idle.end()
  silent.end()
  expect(busy.queue.ended).toBe(null)
  app.send(ok('done'))
  const response = await busy.response()
  expect([response.body.toString(), fieldValue(response, 'connection')]).toEqual(['done', 'close'])
  expect(await busy.ended()).toBe('end')
  busy.end()
  expect(await drained).toBe(0)
  expect(stage.thread.open()).toEqual({ http: 0, https: 0, tunnels: 0, builder: 0, upstream: 0, upstreamIdle: 0 })
  // The line is out before the thread says that it is done.
  expect(stage.thread.logs()).toHaveLength(2)
})

test('a request that comes on an idle connection during the grace is answered, and told of the end', async () => {
  await using stage = await setStage()
  stage.app.serve(() => ok('yes'))
  const client = await stage.connect()
  client.send(get('a.example'))
  await client.response()
  const drained = stage.thread.stop(2_000)
  client.send(get('a.example'))
  const last = await client.response()
  expect([last.status, fieldValue(last, 'connection')]).toEqual([200, 'close'])
  expect(await client.ended()).toBe('end')
  client.end()
  expect(await drained).toBe(0)
})

test('an answer whose head was out before the end is finished, and its connection does not stay', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  app.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  await client.queue.takeThrough('hello')
  const idle = await stage.connect()
  const drained = stage.thread.stop(1_000)
  // Now the grace is over.
  await idle.ended()
  idle.end()
  app.send('world')
  expect((await client.queue.take(5)).toString()).toBe('world')
  await stage.thread.settle()
  await stage.thread.elapse(2_200)
  expect(await client.ended()).toBe('end')
  client.end()
  expect(await drained).toBe(0)
})

test('what does not end in time is cut, counted and logged', async () => {
  await using stage = await setStage()
  const clients = [await stage.connect(), await stage.connect(), await stage.connect()]
  const [waiting, upgraded, uploading] = clients
  waiting!.send(get('a.example', '/waiting'))
  const first = await stage.app.connection()
  await first.request()
  upgraded!.send('GET /upgraded HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
  const second = await stage.app.connection()
  await second.request()
  second.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
  await upgraded!.head()
  uploading!.send('POST /uploading HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhello')
  const third = await stage.app.connection()
  await third.queue.takeThrough('hello')

  expect(await stage.thread.stop(50)).toBe(3)
  for (const client of clients) await client.ended()
  for (const app of [first, second, third]) await app.ended()
  expect(stage.thread.open()).toEqual({ http: 0, https: 0, tunnels: 0, builder: 0, upstream: 0, upstreamIdle: 0 })
  const lines = stage.thread.logs()
  expect(lines.map(line => /"\w+ (\S+) HTTP/.exec(line)?.[1]).sort()).toEqual(['/upgraded', '/uploading', '/waiting'])
})

test('kept connections to apps do not outlive the thread', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example', '/', 'Connection: close'))
  const app = await stage.app.connection()
  await app.request()
  app.send(ok('x'))
  await client.response()
  client.end()
  await stage.thread.opens({ http: 0, upstreamIdle: 1 })
  expect(await stage.thread.stop(60_000)).toBe(0)
  expect(await app.ended()).toBe('end')
  expect(stage.thread.open().upstream).toBe(0)
})

function secureStage(): Promise<Stage> {
  return setStage({ route: { certificate: certificate.id }, certificates: [fallbackCertificate(), certificate] })
}

/** A connection to the HTTPS port that the router has accepted and that has not said a word. */
async function accepted(stage: Stage): Promise<Socket> {
  const socket = connect({ port: stage.thread.httpsPort, host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  await stage.thread.settle()
  return socket
}

async function handshake(socket: Socket): Promise<Peer> {
  const tls = connectTls({ socket, servername: 'a.example', rejectUnauthorized: false })
  const peer = new Peer(tls, socket)
  await once(tls, 'secureConnect')
  return peer
}

test('a handshake that begins late is finished, and the request behind it is answered', async () => {
  await using stage = await secureStage()
  stage.app.serve(() => ok('yes'))
  const socket = await accepted(stage)
  const drained = stage.thread.stop(60_000)
  const client = await handshake(socket)
  client.send(get('a.example'))
  const response = await client.response()
  expect([response.status, fieldValue(response, 'connection')]).toEqual([200, 'close'])
  client.end()
  expect(await drained).toBe(0)
  await client[Symbol.asyncDispose]()
})

test('who leaves before the handshake, or fails at it, does not hold up the drain', async () => {
  await using stage = await secureStage()
  const leaves = await accepted(stage)
  const plain = await accepted(stage)
  const drained = stage.thread.stop(60_000)
  leaves.destroy()
  plain.write(get('a.example'))
  plain.resume()
  plain.on('end', () => plain.end())
  expect(await drained).toBe(0)
})

test('who asks for nothing after a late handshake does not stay for longer than others', async () => {
  await using stage = await secureStage()
  const socket = await accepted(stage)
  const idle = await stage.connect()
  const drained = stage.thread.stop(1_000)
  // Now the grace of those that were idle is over.
  await idle.ended()
  idle.end()
  const client = await handshake(socket)
  await stage.thread.opens({ https: 1 })
  await stage.thread.elapse(idleGrace)
  await client.ended()
  expect(await drained).toBe(0)
  await client[Symbol.asyncDispose]()
})

test('a handshake that is not done in time is cut and counted', async () => {
  await using stage = await secureStage()
  const socket = await accepted(stage)
  socket.resume()
  const closed = once(socket, 'end')
  expect(await stage.thread.stop(50)).toBe(1)
  await closed
  socket.destroy()
  expect(stage.thread.open().https).toBe(0)
})

test('asking twice is asking once', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  const drained = stage.thread.stop(1_000)
  stage.thread.message({ kind: 'drain', timeout: 1 })
  app.send(ok('done'))
  expect((await client.response()).status).toBe(200)
  client.end()
  expect(await drained).toBe(0)
})
