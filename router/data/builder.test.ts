// The builder's port (contract section 5): octets pass untouched in both directions, each with its own end and pace.

import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { parseCidr } from '#router/model/cidr.ts'
import type { Builder } from '#router/model/patch.ts'
import type { UpstreamId } from '#router/model/upstream.ts'
import { App, get } from '#test/support/app.ts'
import { startDataThread, type TestThread, upstreamAt, type World } from '#test/support/data-thread.ts'
import { FullBacklog } from '#test/support/full-backlog.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { RefusingPorts } from '#test/support/refusing-ports.ts'

failOnLeaks()

const id = 'builder' as UpstreamId
const builder: Builder = { upstream: id, connectTimeout: 1000, idleTimeout: 60_000 }

function startWith(ports: readonly number[], world: World = {}): Promise<TestThread> {
  return startDataThread({ builder, upstreams: [upstreamAt('builder', ...ports)], ...world })
}

async function take(peer: Peer, length: number): Promise<string> {
  return (await peer.queue.take(length)).toString('latin1')
}

test('octets pass in both directions as they are, whoever speaks first', async () => {
  await using app = await App.start()
  await using thread = await startWith([app.port])
  await using client = await connectTo(thread.builderPort)
  const end = await app.connection()
  end.send('SSH-2.0-server\r\n')
  expect(await take(client, 16)).toBe('SSH-2.0-server\r\n')
  client.send('SSH-2.0-git\r\n\0\xff')
  expect(await take(end, 15)).toBe('SSH-2.0-git\r\n\0\xff')
  // Nothing of HTTP happens to what looks like it.
  client.send(get('a.example'))
  expect(await take(end, get('a.example').length)).toBe(get('a.example'))
  expect(thread.open()).toMatchObject({ builder: 1, upstream: 1, http: 0, tunnels: 0 })
  expect([thread.count('builderAccepted'), thread.count('upstreamConnects')]).toEqual([1, 1])
  client.end()
  await end.ended()
  end.end()
  await thread.opens({ builder: 0, upstream: 0 })
})

test('whitelists never apply', async () => {
  await using app = await App.start()
  const settings = { enforceWhitelists: true, defaultWhitelist: [parseCidr('192.0.2.1')!] }
  await using thread = await startWith([app.port], { settings })
  await using client = await connectTo(thread.builderPort)
  client.send('hello')
  expect(await take(await app.connection(), 5)).toBe('hello')
})

for (const side of ['client', 'builder'] as const) {
  test(`the end of what the ${side} says crosses, and the other direction goes on`, async () => {
    await using app = await App.start()
    await using thread = await startWith([app.port])
    await using client = await connectTo(thread.builderPort)
    const far = await app.connection()
    const [first, second] = side === 'client' ? [client, far] : [far, client]
    await first.send('last words')
    first.end()
    expect(await take(second, 10)).toBe('last words')
    expect(await second.ended()).toBe('end')
    await second.send('x'.repeat(300_000))
    second.end()
    expect((await first.queue.takeAll()).length).toBe(300_000)
    await thread.opens({ builder: 0, upstream: 0 })
  })

  test(`a reset of the ${side} cuts the other one`, async () => {
    await using app = await App.start()
    await using thread = await startWith([app.port])
    await using client = await connectTo(thread.builderPort)
    const far = await app.connection()
    client.send('hello')
    await take(far, 5)
    const [first, second] = side === 'client' ? [client, far] : [far, client]
    first.reset()
    await second.ended()
    await thread.opens({ builder: 0, upstream: 0 })
  })

  test(`a ${side} that does not read holds back the other one, and no memory is spent on it`, async () => {
    await using app = await App.start()
    await using thread = await startWith([app.port])
    await using client = await connectTo(thread.builderPort)
    const far = await app.connection()
    const [slow, fast] = side === 'client' ? [client, far] : [far, client]
    slow.socket.pause()
    const size = 48 * 1024 * 1024
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    let sent = 0
    const sending = (async () => {
      for (; sent < size; sent += chunk.length) await fast.send(chunk)
      fast.end()
    })()
    await thread.stalled(() => sent)
    expect(sent).toBeLessThan(size / 2)
    slow.socket.resume()
    expect((await slow.queue.takeAll()).length).toBe(size)
    await sending
  })
}

test('a push may be silent for as long as the idle timeout, and no longer', async () => {
  await using app = await App.start()
  await using thread = await startWith([app.port])
  await using client = await connectTo(thread.builderPort)
  const far = await app.connection()
  client.send('hello')
  await take(far, 5)
  await thread.elapse(builder.idleTimeout / 2)
  far.send('still there')
  expect(await take(client, 11)).toBe('still there')
  await thread.elapse(builder.idleTimeout / 2)
  client.send('yes')
  expect(await take(far, 3)).toBe('yes')
  await thread.elapse(builder.idleTimeout + 1000)
  await client.ended()
  await far.ended()
  await thread.opens({ builder: 0, upstream: 0 })
})

test('an endpoint that refuses is passed over', async () => {
  await using app = await App.start()
  await using refusing = await RefusingPorts.reserve(1)
  await using thread = await startWith([...refusing.all, app.port])
  for (let i = 0; i < 4; i++) {
    await using client = await connectTo(thread.builderPort)
    client.send('hello')
    expect(await take(await app.connection(), 5)).toBe('hello')
  }
  expect(thread.count('upstreamConnects')).toBe(4)
  expect(thread.count('upstreamConnectRefused')).toBeGreaterThan(0)
})

test('when all refuse, the client is closed', async () => {
  await using refusing = await RefusingPorts.reserve(2)
  await using thread = await startWith(refusing.all)
  await using client = await connectTo(thread.builderPort)
  await client.ended()
  expect(thread.count('upstreamConnectRefused')).toBe(2)
  expect(thread.open()).toMatchObject({ builder: 0, upstream: 0 })
})

test('an endpoint that does not answer in time is given up', async () => {
  await using full = await FullBacklog.start()
  await using thread = await startWith([full.port])
  await using client = await connectTo(thread.builderPort)
  await thread.opens({ upstream: 1, builder: 1 })
  await thread.elapse(builder.connectTimeout + 1000)
  await client.ended()
  expect(thread.count('upstreamConnectTimeouts')).toBe(1)
  expect(thread.open()).toMatchObject({ builder: 0, upstream: 0 })
})

test('a client that leaves while we connect leaves nothing behind', async () => {
  await using full = await FullBacklog.start()
  await using thread = await startWith([full.port])
  await using client = await connectTo(thread.builderPort)
  await thread.opens({ upstream: 1, builder: 1 })
  client.reset()
  await thread.elapse(builder.connectTimeout + 1000)
  await thread.opens({ upstream: 0, builder: 0 })
})

test('the builder with the fewest pushes is next', async () => {
  await using one = await App.start()
  await using two = await App.start()
  await using thread = await startWith([one.port, two.port])
  const clients: Peer[] = []
  for (let i = 0; i < 6; i++) {
    clients.push(await connectTo(thread.builderPort))
    await thread.opens({ builder: i + 1 })
  }
  for (const app of [one, two]) for (let i = 0; i < 3; i++) await app.connection()
  for (const client of clients) await client[Symbol.asyncDispose]()
})

test('no endpoints: connections are closed at once', async () => {
  await using thread = await startWith([])
  await using client = await connectTo(thread.builderPort)
  await client.ended()
  expect([thread.count('builderAccepted'), thread.open().builder]).toEqual([1, 0])
})

test('endpoints come, go and come back; what is open stays where it is', async () => {
  await using old = await App.start()
  await using fresh = await App.start()
  await using thread = await startWith([old.port])
  await using before = await connectTo(thread.builderPort)
  before.send('one')
  const end = await old.connection()
  expect(await take(end, 3)).toBe('one')
  // No route refers to the upstream: the builder alone keeps it.
  thread.apply({ upstreams: { upserts: [upstreamAt('builder')], deletes: [] } })
  await using between = await connectTo(thread.builderPort)
  await between.ended()
  thread.apply({ upstreams: { upserts: [upstreamAt('builder', fresh.port)], deletes: [] } })
  await using after = await connectTo(thread.builderPort)
  after.send('two')
  expect(await take(await fresh.connection(), 3)).toBe('two')
  before.send('still here')
  expect(await take(end, 10)).toBe('still here')
})

test('without a builder connections are closed at once, and another one takes over', async () => {
  await using one = await App.start()
  await using two = await App.start()
  await using thread = await startWith([one.port])
  thread.apply({ builder: null })
  await using lost = await connectTo(thread.builderPort)
  await lost.ended()
  thread.apply({
    builder: { ...builder, upstream: 'other' as UpstreamId },
    upstreams: { upserts: [upstreamAt('other', two.port)], deletes: [] },
  })
  await using client = await connectTo(thread.builderPort)
  client.send('hello')
  expect(await take(await two.connection(), 5)).toBe('hello')
  expect(one.accepted).toBe(0)
})

test('the port is closed without a builder, and opens and closes on demand', async () => {
  await using thread = await startDataThread({})
  expect(thread.builderPort).toBe(0)
  const open = await thread.setBuilderPort(0)
  expect(open).toBeGreaterThan(0)
  await using client = await connectTo(open!)
  await client.ended()
  expect(await thread.setBuilderPort(null)).toBe(null)
  const [error] = (await once(connect(open!, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNREFUSED')
  expect(await thread.setBuilderPort(open)).toBe(open)
})

test('of several orders about the port the last one counts', async () => {
  await using thread = await startDataThread({})
  const [first, second, third] = await Promise.all([
    thread.setBuilderPort(0),
    thread.setBuilderPort(null),
    thread.setBuilderPort(0),
  ])
  // The answers come in any order; one port is open in the end.
  const open = [first, second, third].filter(port => port !== null)
  expect(open).toHaveLength(1)
  await using client = await connectTo(open[0]!)
  await client.ended()
  expect(thread.count('builderAccepted')).toBe(1)
})

test('a port that cannot be had costs nothing but itself', async () => {
  await using other = await App.start()
  await using thread = await startDataThread({})
  expect(await thread.setBuilderPort(other.port)).toBe(null)
  expect(thread.complaints()).toEqual(['the builder port cannot be had'])
  await using client = await connectTo(thread.httpPort)
  client.send(get('nobody.example'))
  expect((await client.response()).status).toBe(404)
  expect(await thread.setBuilderPort(null)).toBe(null)
})

test('a drain closes the port and lets a push finish', async () => {
  await using app = await App.start()
  await using thread = await startWith([app.port])
  await using client = await connectTo(thread.builderPort)
  client.send('hello')
  const far = await app.connection()
  await take(far, 5)
  const drained = thread.stop(60_000)
  const [error] = (await once(connect(thread.builderPort, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNREFUSED')
  far.send('done')
  expect(await take(client, 4)).toBe('done')
  client.end()
  far.end()
  expect(await drained).toBe(0)
})

test('a drain cuts a push that takes longer than it may', async () => {
  await using app = await App.start()
  await using thread = await startWith([app.port])
  await using client = await connectTo(thread.builderPort)
  client.send('hello')
  await take(await app.connection(), 5)
  expect(await thread.stop(10)).toBe(1)
  await client.ended()
})
