// Upgraded connections (RFC 9110 section 7.8): WebSockets of a real library, and what only a hand-made peer does.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { get, ok } from '#test/support/app.ts'
import { routeTo, startDataThread, upstreamAt } from '#test/support/data-thread.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { heldInBuffers } from '#test/support/memory.ts'
import type { Peer } from '#test/support/peer.ts'
import { type Stage, setStage } from '#test/support/stage.ts'

failOnLeaks()

const handshake =
  'GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n'
const switching =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n'

async function open(stage: Stage): Promise<{ client: Peer; app: Peer }> {
  const client = await stage.connect()
  client.send(handshake)
  const app = await stage.app.connection()
  await app.request()
  app.send(switching)
  expect((await client.head()).line).toBe('HTTP/1.1 101 Switching Protocols')
  return { client, app }
}

test('a WebSocket echoes small and large messages, pings, and closes with its code', async () => {
  const server = createServer()
  const sockets = new WebSocketServer({ server, maxPayload: 64 * 1024 * 1024 })
  sockets.on('connection', socket => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    socket.on('close', (code, reason) => closed.resolve(`${code} ${reason.toString()}`))
  })
  const closed = Promise.withResolvers<string>()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  {
    await using thread = await startDataThread({
      routes: [routeTo('a.example', 'a')],
      upstreams: [upstreamAt('a', (server.address() as AddressInfo).port)],
    })
    const socket = new WebSocket(`ws://127.0.0.1:${thread.httpPort}/chat`, {
      headers: { Host: 'a.example' },
      maxPayload: 64 * 1024 * 1024,
    })
    await once(socket, 'open')
    expect(thread.open()).toMatchObject({ tunnels: 1, upstream: 1, upstreamIdle: 0 })
    for (const message of ['hello', '', 'ü'.repeat(1000)]) {
      socket.send(message)
      const [data] = (await once(socket, 'message')) as [Buffer]
      expect(data.toString()).toBe(message)
    }
    socket.ping('beat')
    expect(String((await once(socket, 'pong'))[0])).toBe('beat')
    const large = Buffer.alloc(16 * 1024 * 1024, 'abc')
    socket.send(large)
    const [data] = (await once(socket, 'message')) as [Buffer]
    expect(data.equals(large)).toBe(true)
    for (const client of sockets.clients) client.ping('down')
    expect(String((await once(socket, 'ping'))[0])).toBe('down')
    expect(thread.logs()).toEqual([])

    socket.close(4321, 'enough')
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
    expect([code, reason.toString()]).toEqual([4321, 'enough'])
    await thread.opens({ tunnels: 0, http: 0, upstream: 0 })
    expect(await closed.promise).toBe('4321 enough')
    const [line = '', ...more] = await thread.logged(1)
    expect(more).toEqual([])
    expect(line).toContain(' - 101 - "GET /chat HTTP/1.1"')
    expect(Number(line.split(' - ')[6])).toBeGreaterThan(large.length)
    expect(thread.answers('test/a', 1)).toBe(1)
  }
  sockets.close()
  server.close()
  server.closeAllConnections()
})

test('the head crosses as the handshake needs it, and no more of it', async () => {
  await using stage = await setStage({ settings: { requestIds: true } })
  const client = await stage.connect()
  client.send(handshake)
  const app = await stage.app.connection()
  const request = await app.request()
  expect(fieldValue(request, 'connection')).toBe('upgrade')
  expect(fieldValue(request, 'upgrade')).toBe('websocket')
  expect(fieldValue(request, 'sec-websocket-key')).toBe('x')
  app.send(switching)
  const head = await client.head()
  expect(fieldValue(head, 'connection')).toBe('upgrade')
  expect(fieldValue(head, 'upgrade')).toBe('websocket')
  expect(fieldValue(head, 'sec-websocket-accept')).toBe('y')
  expect(fieldValue(head, 'x-request-id')).toBe(fieldValue(request, 'x-request-id'))
})

test('what the app sends right behind its head, and what the client sent before it, is not lost', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(`${handshake}early`)
  const app = await stage.app.connection()
  await app.request()
  await stage.thread.settle()
  client.send(' and more')
  await stage.thread.settle()
  expect(app.queue.length).toBe(0)
  app.send(`${switching}at once`)
  await client.head()
  expect((await client.queue.take(7)).toString()).toBe('at once')
  expect((await app.queue.take(14)).toString()).toBe('early and more')
  client.send('later')
  expect((await app.queue.take(5)).toString()).toBe('later')
})

test('the head of the answer may come octet by octet', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(handshake)
  const app = await stage.app.connection()
  await app.request()
  await stage.sendInSegments(app, `${switching}data`, 1)
  await client.head()
  expect((await client.queue.take(4)).toString()).toBe('data')
})

for (const first of ['client', 'app'] as const) {
  test(`half-close crosses: after the ${first} has ended, the other one may go on`, async () => {
    await using stage = await setStage()
    const peers = await open(stage)
    const one = peers[first]
    const other = peers[first === 'client' ? 'app' : 'client']
    one.send('last words')
    one.end()
    expect((await other.queue.takeAll()).toString()).toBe('last words')
    other.send('answer')
    expect((await one.queue.take(6)).toString()).toBe('answer')
    expect(stage.thread.open().tunnels).toBe(1)
    // Much, so that it is still under way when both have ended.
    const rest = Buffer.alloc(8 * 1024 * 1024, 'r')
    other.send(rest)
    other.end()
    expect((await one.queue.takeAll()).equals(rest)).toBe(true)
    await stage.thread.opens({ tunnels: 0, http: 0, upstream: 0 })
    expect(await stage.thread.logged(1)).toHaveLength(1)
  })

  test(`a reset of the ${first} ends the other side`, async () => {
    await using stage = await setStage()
    const peers = await open(stage)
    peers[first].reset()
    await peers[first === 'client' ? 'app' : 'client'].ended()
    await stage.thread.opens({ tunnels: 0, http: 0, upstream: 0 })
    expect(await stage.thread.logged(1)).toHaveLength(1)
  })

  test(`octets that the ${first} does not take do not pile up`, async () => {
    await using stage = await setStage()
    const peers = await open(stage)
    const slow = peers[first]
    const fast = peers[first === 'client' ? 'app' : 'client']
    slow.socket.pause()
    const size = 32 * 1024 * 1024
    const before = heldInBuffers()
    const chunk = Buffer.alloc(64 * 1024, 'z')
    let sent = 0
    const sending = (async () => {
      for (; sent < size; sent += chunk.length) await fast.send(chunk)
    })()
    await stage.thread.stalled(() => sent)
    expect(sent).toBeLessThan(size / 2)
    expect(heldInBuffers() - before).toBeLessThan(4 * 1024 * 1024)
    slow.socket.resume()
    expect((await slow.queue.take(size)).length).toBe(size)
    await sending
  })
}

test('an idle tunnel is closed after the idle time of its route (contract section 6, tcpTimeout)', async () => {
  await using stage = await setStage()
  const { client, app } = await open(stage)
  for (const [from, to] of [
    [client, app],
    [app, client],
  ] as const) {
    await stage.thread.elapse(4_000)
    from.send('x')
    await to.queue.take(1)
  }
  await stage.thread.elapse(4_000)
  expect(stage.thread.open().tunnels).toBe(1)
  await stage.thread.elapse(1_200)
  expect([await client.ended(), await app.ended()]).toEqual(['end', 'end'])
  await stage.thread.opens({ tunnels: 0, http: 0, upstream: 0 })
})

test('a tunnel that one side has ended, and in which the other takes nothing, is closed when it is idle', async () => {
  await using stage = await setStage()
  const { client, app } = await open(stage)
  app.socket.pause()
  const chunk = Buffer.alloc(1024 * 1024)
  for (let i = 0; i < 24; i++) client.send(chunk)
  app.end()
  await client.ended()
  client.end()
  await stage.thread.elapse(5_200)
  await stage.thread.opens({ tunnels: 0, http: 0, upstream: 0 })
})

test('an answer other than 101 is an ordinary one, and the connection to the client goes on', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(`${handshake}${get('a.example', '/next')}`)
  const app = await stage.app.connection()
  await app.request()
  app.send(ok('not today'))
  expect((await client.response()).body.toString()).toBe('not today')
  // Whoever was asked to switch protocols and did not say no is not to be trusted with another request.
  const next = await stage.app.connection()
  expect((await next.request()).target).toBe('/next')
  next.send(ok('next'))
  expect((await client.response()).body.toString()).toBe('next')
})

const unasked: [name: string, head: string][] = [
  ['no Upgrade field', 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\n\r\n'],
  ['Upgrade without the option of Connection', 'GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\r\n'],
  ['an empty Upgrade', 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade:\r\n\r\n'],
  [
    'h2c',
    'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
  ],
  ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
]
for (const [name, head] of unasked) {
  test(`nothing is switched without being asked properly: ${name}`, async () => {
    await using stage = await setStage()
    const client = await stage.connect()
    client.send(head)
    const app = await stage.app.connection()
    const request = await app.request()
    expect(['connection', 'upgrade', 'http2-settings'].map(field => fieldValue(request, field))).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    app.send(switching)
    expect((await client.response()).status).toBe(502)
    expect(stage.thread.open().tunnels).toBe(0)
  })
}

test('101 before the whole body has come is refused', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(handshake.replace('\r\n\r\n', '\r\nContent-Length: 10\r\n\r\n'))
  const app = await stage.app.connection()
  await app.queue.takeThrough('\r\n\r\n')
  app.send(switching)
  expect((await client.response()).status).toBe(502)
})

test('an upgraded request is in flight until it ends: others go elsewhere so long, and no longer', async () => {
  await using stage = await setStage({ apps: 2 })
  const [first, second] = stage.apps
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', first!.port)], deletes: [] } })
  for (let i = 0; i < 3; i++) {
    const { client } = await open(stage)
    client.reset()
    await stage.thread.opens({ tunnels: 0, upstream: 0 })
  }
  await open(stage)
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', first!.port, second!.port)], deletes: [] } })
  first!.serve(() => ok('1'))
  second!.serve(() => ok('2'))
  const client = await stage.connect()
  const ask = async (): Promise<string> => {
    client.send(get('a.example'))
    return (await client.response()).body.toString()
  }
  expect([await ask(), await ask(), await ask(), await ask()]).toEqual(['2', '2', '2', '2'])
  await stage.thread.elapse(5_200)
  expect(stage.thread.open().tunnels).toBe(0)
  expect([await ask(), await ask(), await ask(), await ask()].sort()).toEqual(['1', '1', '2', '2'])
})
