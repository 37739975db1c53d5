// Changes of the configuration while requests are under way: each sees the world before or after, and none fails.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { RouteId } from '#router/model/route.ts'
import type { UpstreamId } from '#router/model/upstream.ts'
import { get, ok } from '#test/support/app.ts'
import { defaultSettings, empty, routeTo, startDataThread, upstreamAt } from '#test/support/data-thread.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

test('2,000 route changes while requests and a WebSocket are running: none fails', async () => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end(`${request.url}`))
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', socket => socket.on('message', data => socket.send(data)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  {
    await using stage = await setStage({ apps: 0, upstreams: [upstreamAt('a', port)] })
    const { thread } = stage
    const socket = new WebSocket(`ws://127.0.0.1:${thread.httpPort}/`, { headers: { Host: 'a.example' } })
    await once(socket, 'open')
    let changing = true
    let requests = 0
    const clients = await Promise.all([stage.connect(), stage.connect(), stage.connect(), stage.connect()])
    const asking = clients.map(async client => {
      for (; changing; requests++) {
        client.send(
          requests % 3 === 0
            ? `POST /${requests} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc`
            : get('a.example', `/${requests}`),
        )
        expect((await client.response()).status).toBe(200)
      }
    })
    const chatting = (async () => {
      for (let i = 0; changing; i++) {
        socket.send(`message ${i}`)
        expect(String((await once(socket, 'message'))[0])).toBe(`message ${i}`)
      }
    })()
    for (let i = 0; i < 2_000; i++) {
      const id = `service/test/r${i % 500}` as RouteId
      thread.apply({
        routes:
          i % 4 === 3
            ? { upserts: [], deletes: [id] }
            : {
                upserts: [
                  routeTo(`r${i % 500}.example`, 'a', { id }),
                  routeTo('a.example', 'a', { serverName: `change ${i}` }),
                ],
                deletes: [],
              },
        upstreams: {
          upserts: i % 10 === 0 ? [upstreamAt('a', port), upstreamAt(`u${i}`, port)] : [],
          deletes: [`u${i - 10}` as UpstreamId],
        },
      })
      if (i % 5 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    changing = false
    await Promise.all([...asking, chatting])
    expect(requests).toBeGreaterThan(100)
    expect(thread.count('configVersion')).toBe(2_001)
    expect(thread.open()).toMatchObject({ tunnels: 1, http: 5 })
    expect(thread.answers('test/a', 5) + thread.answers('test/a', 4)).toBe(0)
    socket.close()
    await once(socket, 'close')
    await thread.logged(requests + 1)
  }
  sockets.close()
  server.closeAllConnections()
  server.close()
})

test('an endpoint that goes: what is in flight finishes, what is idle closes, and nothing new goes there', async () => {
  await using stage = await setStage({ apps: 2 })
  const [leaving, staying] = stage.apps
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', leaving!.port)], deletes: [] } })
  const clients = [await stage.connect(), await stage.connect()]
  for (const client of clients) client.send(get('a.example'))
  const [idle, busy] = [await leaving!.connection(), await leaving!.connection()]
  for (const peer of [idle, busy]) {
    await peer.request()
    peer.send(ok('first'))
  }
  for (const client of clients) await client.response()
  await stage.thread.opens({ upstream: 2, upstreamIdle: 2 })

  const [slow, other] = clients
  slow!.send(get('a.example', '/slow'))
  // Used last is used first.
  const working = await Promise.race([busy.request().then(() => busy), idle.request().then(() => idle)])
  const waiting = working === busy ? idle : busy
  working.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  await slow!.queue.takeThrough('hello')

  stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', staying!.port)], deletes: [] } })
  expect(await waiting.ended()).toBe('end')
  staying!.serve(() => ok('staying'))
  for (let i = 0; i < 3; i++) {
    other!.send(get('a.example'))
    expect((await other!.response()).body.toString()).toBe('staying')
  }
  working.send('world')
  expect((await slow!.queue.take(5)).toString()).toBe('world')
  // Its answer is whole; the connection is not kept, as the endpoint is none any more.
  expect(await working.ended()).toBe('end')
  slow!.send(get('a.example'))
  expect((await slow!.response()).body.toString()).toBe('staying')
  expect(leaving!.accepted).toBe(2)
  await stage.thread.opens({ upstream: 1, upstreamIdle: 1 })
})

test('an endpoint that stays keeps its connections through any change of the others', async () => {
  await using stage = await setStage()
  stage.app.serve(() => ok('yes'))
  const client = await stage.connect()
  for (const ports of [[], [1], [2, 3], []]) {
    stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', ...ports, stage.app.port)], deletes: [] } })
    for (let i = 0; i < 6; i++) {
      client.send(get('a.example'))
      expect((await client.response()).status).toBe(200)
    }
  }
  expect(stage.app.accepted).toBe(1)
})

test('scaled to zero: 503, and 200 again with the next endpoint', async () => {
  await using stage = await setStage()
  stage.app.serve(() => ok('yes'))
  const client = await stage.connect()
  for (const [ports, status] of [
    [[stage.app.port], 200],
    [[], 503],
    [[stage.app.port], 200],
  ] as const) {
    stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', ...ports)], deletes: [] } })
    client.send(get('a.example'))
    expect((await client.response()).status).toBe(status)
  }
  stage.thread.apply({ upstreams: { upserts: [], deletes: ['a' as UpstreamId] } })
  client.send(get('a.example'))
  expect((await client.response()).status).toBe(503)
  stage.thread.apply({ routes: { upserts: [], deletes: ['service/test/a/a.example' as RouteId] } })
  client.send(get('a.example'))
  expect((await client.response()).status).toBe(404)
  stage.thread.apply({
    routes: { upserts: [routeTo('a.example', 'a')], deletes: [] },
    upstreams: { upserts: [upstreamAt('a', stage.app.port)], deletes: [] },
  })
  client.send(get('a.example'))
  expect((await client.response()).status).toBe(200)
})

test('a request keeps its route to the end, even if the route, its upstream and its app are gone', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhello')
  const app = await stage.app.connection()
  await app.queue.takeThrough('hello')
  stage.thread.apply({
    routes: { upserts: [], deletes: ['service/test/a/a.example' as RouteId] },
    upstreams: { upserts: [], deletes: ['a' as UpstreamId] },
  })
  client.send('world')
  await app.queue.takeThrough('world')
  app.send(ok('done'))
  expect((await client.response()).body.toString()).toBe('done')
  client.send(get('a.example'))
  expect((await client.response()).status).toBe(404)
  expect((await stage.thread.logged(2))[0]).toContain(' - test/a - ')
  await stage.thread.opens({ upstream: 0 })
})

test('a reset brings the same world again: connections on both sides stay, traffic goes on', async () => {
  await using stage = await setStage({ apps: 2 })
  for (const app of stage.apps) app.serve(() => ok('yes'))
  const client = await stage.connect()
  const ask = async (host: string): Promise<number> => {
    client.send(get(host))
    return (await client.response()).status
  }
  for (let i = 0; i < 4; i++) expect(await ask('a.example')).toBe(200)
  const accepted = stage.apps.map(app => app.accepted)
  client.send(get('a.example').slice(0, -2))
  await stage.thread.settle()
  stage.thread.apply({
    reset: true,
    settings: defaultSettings(),
    routes: { upserts: [routeTo('a.example', 'a'), routeTo('b.example', 'a')], deletes: [] },
    upstreams: { upserts: [upstreamAt('a', ...stage.apps.map(app => app.port))], deletes: [] },
    apps: [{ app: 'test/a', slot: 3 }],
  })
  // The rest of a head that was cut in two by the reset.
  client.send('\r\n')
  expect((await client.response()).status).toBe(200)
  expect(await ask('b.example')).toBe(200)
  expect(stage.apps.map(app => app.accepted)).toEqual(accepted)
  expect(stage.thread.count('routes')).toBe(2)
  stage.thread.apply({ reset: true, settings: defaultSettings(), apps: [] })
  expect(await ask('a.example')).toBe(404)
  await stage.thread.opens({ http: 1, upstream: 0, upstreamIdle: 0 })
  expect(stage.thread.count('routes')).toBe(0)
})

test('settings change what the next request sees', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('nobody.example', '/', `X: ${'x'.repeat(20_000)}`))
  expect((await client.response()).status).toBe(404)
  stage.thread.apply({ settings: defaultSettings({ largeHeaderBuffers: { count: 4, size: 8192 } }) })
  client.send(get('nobody.example', '/', `X: ${'x'.repeat(20_000)}`))
  expect((await client.response()).status).toBe(431)
})

test('an applied patch is confirmed, and an empty one changes nothing', async () => {
  await using thread = await startDataThread({})
  for (let i = 2; i < 5; i++) {
    thread.apply({ routes: empty })
    expect(thread.count('configVersion')).toBe(i)
  }
  expect(thread.count('configAppliedAt')).toBeGreaterThan(1_600_000_000_000)
})
