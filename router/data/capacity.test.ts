// How many connections may be open (contract sections 4 and 16, maxWorkerConnections): idle ones make room, then new ones are refused.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { UpstreamId } from '#router/model/upstream.ts'
import { get, ok } from '#test/support/app.ts'
import { certificateOf, fallbackCertificate } from '#test/support/certificates.ts'
import { defaultSettings, empty } from '#test/support/data-thread.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { type Stage, setStage } from '#test/support/stage.ts'

failOnLeaks()

/** So many clients, each in the middle of a request. */
async function busy(stage: Stage, count: number): Promise<Peer[]> {
  const clients: Peer[] = []
  for (let i = 0; i < count; i++) {
    const client = await stage.connect()
    client.send(get('a.example'))
    await (await stage.app.connection()).request()
    clients.push(client)
  }
  return clients
}

for (const [name, options] of [
  ['the setting', { settings: { maxWorkerConnections: 3 } }],
  ['the share of the process, without the setting', { capacity: 3, settings: { maxWorkerConnections: null } }],
] as const) {
  test(`§4 maxWorkerConnections: ${name} is the limit`, async () => {
    await using stage = await setStage(options)
    const clients = await busy(stage, 3)
    for (let i = 0; i < 2; i++) {
      await using late = await connectTo(stage.thread.httpPort)
      await late.ended()
    }
    expect(stage.thread.count('connectionsRefused')).toBe(2)
    expect(stage.thread.complaints()).toEqual(['connections are closed at once: as many as allowed are open'])
    expect(stage.thread.open()).toMatchObject({ http: 3 })
    // Room again.
    clients[0]!.reset()
    await stage.thread.opens({ http: 2 })
    await busy(stage, 1)
    expect(stage.thread.count('connectionsRefused')).toBe(2)
  })
}

test('the setting counts before the share of the process, up to what there are descriptors for', async () => {
  await using stage = await setStage({ capacity: 2, settings: { maxWorkerConnections: 3 } })
  await busy(stage, 3)
  stage.thread.apply({ settings: defaultSettings({ maxWorkerConnections: 100 }), routes: empty })
  await busy(stage, 1)
  expect(stage.thread.count('connectionsRefused')).toBe(0)
  await using late = await connectTo(stage.thread.httpPort)
  await late.ended()
  expect(stage.thread.count('connectionsRefused')).toBe(1)
})

test('the share of the process may change', async () => {
  await using stage = await setStage({ capacity: 1 })
  await busy(stage, 1)
  stage.thread.message({ kind: 'capacity', connections: 2 })
  await busy(stage, 1)
  expect(stage.thread.count('connectionsRefused')).toBe(0)
})

test('connections that were idle for longest make room; busy ones stay', async () => {
  await using stage = await setStage({ settings: { maxWorkerConnections: 4 } })
  const [working] = await busy(stage, 1)
  stage.app.serve(() => ok('hello'))
  const idle: Peer[] = []
  for (let i = 0; i < 3; i++) {
    const client = await stage.connect()
    client.send(get('a.example'))
    await client.response()
    idle.push(client)
    await stage.thread.elapse(1000)
  }
  // The first of them is used again, so the second one has waited for longest.
  idle[0]!.send(get('a.example'))
  await idle[0]!.response()
  await stage.thread.elapse(1000)
  const fresh = await stage.connect()
  fresh.send(get('a.example'))
  expect((await fresh.response()).status).toBe(200)
  expect(await idle[1]!.ended()).toBe('end')
  expect([idle[0]!, idle[2]!, working!].map(client => client.queue.ended)).toEqual([null, null, null])
  expect([stage.thread.count('connectionsEvicted'), stage.thread.count('connectionsRefused')]).toEqual([1, 0])
  expect(stage.thread.open()).toMatchObject({ http: 4 })
})

test('who has only just come is not the one to go', async () => {
  await using stage = await setStage({ settings: { maxWorkerConnections: 2 } })
  stage.app.serve(() => ok('hello'))
  const old = await stage.connect()
  old.send(get('a.example'))
  await old.response()
  await stage.thread.elapse(5000)
  const silent = await stage.connect()
  await stage.thread.opens({ http: 2 })
  await stage.thread.elapse(1000)
  await stage.connect()
  expect(await old.ended()).toBe('end')
  silent.send(get('a.example'))
  expect((await silent.response()).status).toBe(200)
})

test('an idle connection whose answer is not taken yet is not cut', async () => {
  await using stage = await setStage({ settings: { maxWorkerConnections: 1 } })
  const size = 16 * 1024 * 1024
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  client.socket.pause()
  const sent = app.send(ok('x'.repeat(size)))
  await stage.thread.stalled(() => app.socket.bytesWritten)
  await using late = await connectTo(stage.thread.httpPort)
  await late.ended()
  client.socket.resume()
  expect((await client.response()).body.length).toBe(size)
  await sent
})

test('connections count from their first moment: header, handshake, push', async () => {
  const certificate = certificateOf('test/a')
  await using stage = await setStage({
    route: { certificate: certificate.id },
    certificates: [fallbackCertificate(), certificate],
    builder: { upstream: 'a' as UpstreamId, connectTimeout: 1000, idleTimeout: 10_000 },
    settings: { maxWorkerConnections: 3, useProxyProtocol: true },
  })
  const { httpPort, httpsPort, builderPort } = stage.thread
  await using header = await connectTo(httpPort)
  await using handshake = await connectTo(httpsPort)
  await using push = await connectTo(builderPort)
  await handshake.send('PROXY UNKNOWN\r\n')
  await push.send('PROXY UNKNOWN\r\n')
  await stage.thread.opens({ builder: 1 })
  for (const port of [httpPort, httpsPort, builderPort]) {
    await using late = await connectTo(port)
    await late.ended()
  }
  expect(stage.thread.count('connectionsRefused')).toBe(3)
  for (const peer of [header, handshake, push]) peer.reset()
  await (await stage.app.connection()).ended()
  await stage.thread.opens({ builder: 0 })
  const client = await stage.connect()
  await client.send(`PROXY UNKNOWN\r\n${get('a.example')}`)
  await stage.app.connection()
  expect(stage.thread.count('connectionsRefused')).toBe(3)
})

/** A thread in a process of its own, which may have so many files open; `ask` tells how it is. */
async function withFiles(files: number) {
  const script = fileURLToPath(new URL('../../test/support/thread-process.ts', import.meta.url))
  const command = ['-c', `ulimit -n ${files} && exec "$0" "$1"`, process.execPath, script]
  const child = spawn('sh', command, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async (): Promise<Record<string, number>> => JSON.parse(String((await lines.next()).value))
  const { port = 0, limit } = await next()
  return {
    port,
    limit,
    ask() {
      child.stdin.write('\n')
      return next()
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

if (process.platform === 'linux')
  test('§16 the share of the process keeps file descriptors from running out: idle connections make room', async () => {
    await using child = await withFiles(256)
    expect(child.limit).toBe(256)
    const clients: Peer[] = []
    try {
      for (let i = 0; i < 400; i++) {
        const client = await connectTo(child.port)
        clients.push(client)
        client.send(get('nobody.example'))
        expect((await client.response()).status).toBe(404)
      }
      const { evicted, refused } = await child.ask()
      expect(refused).toBe(0)
      expect(evicted).toBeGreaterThanOrEqual(400 - 64)
    } finally {
      for (const client of clients) await client[Symbol.asyncDispose]()
    }
  })
