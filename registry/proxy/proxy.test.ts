// The proxy between real sockets, and with a real registry behind it.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { failOnLeaks } from '#test/support/leaks.ts'
import { call, digestOf, RegistryStage } from '#test/support/registry-stage.ts'
import { type ProxyConfig, parseConfig } from './config.ts'
import { RegistryProxy } from './proxy.ts'

failOnLeaks()

let target: Server
let onPeer: (peer: Socket) => void
let proxy: RegistryProxy
const log = pino({ level: 'silent' })

beforeEach(async () => {
  onPeer = peer => peer.pipe(peer)
  target = createServer({ allowHalfOpen: true }, peer => {
    peer.on('error', () => {})
    onPeer(peer)
  })
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
})

afterEach(async () => {
  await proxy.stop(0)
  if (target.listening) target.close()
})

async function start(changes: Partial<ProxyConfig> = {}): Promise<void> {
  const config: ProxyConfig = {
    address: '127.0.0.1',
    ...{ port: 0, adminPort: 0, maxConnections: 10 },
    target: { host: '127.0.0.1', port: (target.address() as AddressInfo).port },
    ...{ connectTimeout: 2_000, idleTimeout: 60_000, drainTimeout: 60_000 },
    ...changes,
  }
  proxy = await RegistryProxy.start(config, log)
}

function dial(port = proxy.port): Socket {
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  // What a test waits for it hears too.
  client.on('error', () => {})
  return client
}

/** All that comes until the other side's end. Iterating would close both directions then. */
function text(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    let heard = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      heard += chunk
    })
    socket.once('end', () => resolve(heard))
  })
}

/** The other side has ended or broken it. */
function over(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.resume()
    socket.once('end', () => socket.destroy())
    socket.once('close', () => resolve())
  })
}

async function metric(name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${proxy.adminPort}/metrics`)
  return Number(new RegExp(`^deis_registry_proxy_${name} (.*)$`, 'm').exec(await answer.text())?.[1])
}

test('octets both ways, and ends of either direction', async () => {
  // Answers only when all of the question is there: the client's end has to arrive, and leave the other way open.
  onPeer = async peer => peer.end(`got ${await text(peer)}`)
  await start()
  const client = dial()
  client.end('question')
  expect(await text(client)).toBe('got question')
})

test('the end of the answer leaves the question going on', async () => {
  const rest = Promise.withResolvers<string>()
  onPeer = peer => {
    peer.end('answer')
    text(peer).then(rest.resolve, rest.reject)
  }
  await start()
  const client = dial()
  client.write('one ')
  expect(await text(client)).toBe('answer')
  client.end('two')
  expect(await rest.promise).toBe('one two')
})

test('large bodies whole, and no faster than they are taken', async () => {
  await start()
  const size = 20 * 1024 * 1024
  const client = dial()
  const given = Buffer.alloc(size, 'x')
  client.end(given)
  let received = 0
  for await (const chunk of client) received += (chunk as Buffer).length
  expect(received).toBe(size)
  while ((await metric('open_connections')) > 0) await new Promise(resolve => setImmediate(resolve))
  expect(await metric('bytes_total{direction="received"}')).toBe(size)
  expect(await metric('bytes_total{direction="sent"}')).toBe(size)
})

test('a push to the registry, and a pull', async () => {
  await using stage = await RegistryStage.start()
  await start({ target: { host: '127.0.0.1', port: stage.registry.port } })
  const layer = Buffer.alloc(3 * 1024 * 1024, 'layer')
  const begun = await call(proxy.port, 'POST', '/v2/shop/blobs/uploads/')
  const where = `${begun.headers.location}?digest=${digestOf(layer)}`
  expect((await call(proxy.port, 'PUT', where, layer)).status).toBe(201)
  const pulled = await call(proxy.port, 'GET', `/v2/shop/blobs/${digestOf(layer)}`)
  expect(pulled.body.equals(layer)).toBe(true)
})

/** Resolves with what became of it. */
function outcome(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    socket.resume()
    socket.once('end', () => resolve('ended'))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'broke'))
  })
}

// An answer whose end is that of its connection would look whole.
test('a side that breaks, breaks the other: it does not end it', async () => {
  const peers: Socket[] = []
  const came = Promise.withResolvers<void>()
  onPeer = peer => {
    peers.push(peer)
    came.resolve()
  }
  await start()
  const client = dial()
  client.write('x')
  await came.promise
  peers[0]!.write('half of it')
  await once(client, 'data')
  peers[0]!.resetAndDestroy()
  expect(await outcome(client)).toBe('ECONNRESET')
  const other = dial()
  const second = Promise.withResolvers<Socket>()
  onPeer = peer => second.resolve(peer)
  other.write('x')
  const peer = await second.promise
  other.resetAndDestroy()
  expect(await outcome(peer)).toBe('ECONNRESET')
})

test('a registry that is not there: the connection is reset, not ended', async () => {
  await start()
  target.close()
  await once(target, 'close')
  const client = dial()
  client.resume()
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNRESET')
  expect(await metric('connections_total{result="failed"}')).toBe(1)
})

test('no more connections than there may be', async () => {
  await start({ maxConnections: 1 })
  const first = dial()
  first.write('x')
  await once(first, 'data')
  const second = dial()
  await over(second)
  expect(await metric('connections_total{result="refused"}')).toBe(1)
  first.destroy()
})

test('a connection on which nothing moves is closed', async () => {
  await start({ idleTimeout: 50 })
  const client = dial()
  client.write('x')
  await over(client)
})

test('at the end, what moves may finish, and nothing new is taken', async () => {
  await start()
  const client = dial()
  client.write('x')
  await once(client, 'data')
  const { port } = proxy
  const stopped = proxy.stop()
  const late = dial(port)
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNREFUSED')
  client.end('y')
  expect(await text(client)).toBe('y')
  await stopped
})

test('what does not finish is cut off', async () => {
  await start({ drainTimeout: 50 })
  const client = dial()
  client.write('x')
  await once(client, 'data')
  await Promise.all([proxy.stop(), over(client)])
})

test('the admin port', async () => {
  await start()
  const status = async (path: string): Promise<number> =>
    (await fetch(`http://127.0.0.1:${proxy.adminPort}${path}`)).status
  expect([await status('/healthz'), await status('/metrics'), await status('/')]).toEqual([200, 200, 404])
})

test('the command line', () => {
  const env = { DEIS_REGISTRY_SERVICE_HOST: '10.0.0.3' }
  expect(parseConfig([], env, '1')).toEqual({
    kind: 'run',
    config: {
      ...{ address: '0.0.0.0', port: 5555, adminPort: 9093, target: { host: '10.0.0.3', port: 80 } },
      ...{ maxConnections: 1000, connectTimeout: 10_000, idleTimeout: 900_000, drainTimeout: 60_000 },
    },
  })
  expect(parseConfig(['--target', 'registry:5000'], env, '1')).toMatchObject({
    config: { target: { host: 'registry', port: 5000 } },
  })
  // As Kubernetes sets it for a Service of the proxy's name.
  expect(parseConfig([], { ...env, DEIS_REGISTRY_PROXY_PORT: 'tcp://10.0.0.4:5555' }, '1').kind).toBe('run')
  expect(() => parseConfig([], {}, '1')).toThrow(/pass --target HOST:PORT/)
  expect(() => parseConfig(['--target', 'x'], {}, '1')).toThrow(/--target must be HOST:PORT, not "x" \(/)
  expect(() => parseConfig(['--port', '1', '--admin-port', '1'], env, '1')).toThrow(/are both 1/)
})
