import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { StartupError } from '#kit/exit.ts'
import { LineWriter } from '#kit/line-writer.ts'
import { createLogger } from '#kit/log.ts'
import { counter } from '../model/counters.ts'
import type { Patch } from '../model/patch.ts'
import { DataPlane, type DataPlaneOptions } from './data-plane.ts'
import { Published } from './published.ts'
import { createSelfSigned } from './self-signed.ts'
import { patchOf, routeOf, upstreamOf } from './testdata/patches.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Bench {
  readonly plane: DataPlane
  readonly logged: string[]
  readonly accessLog: string[]
  /** Publishes and sends. */
  publish(patch: Patch): Patch
  readonly hopeless: Promise<StartupError>
}

function bench(options: Partial<DataPlaneOptions> = {}, first = patchOf({ reset: true })): Bench {
  const logged: string[] = []
  const log = createLogger({ destination: { write: line => void logged.push(JSON.parse(line).message) } })
  const accessLog: string[] = []
  const out = new Writable({
    write(chunk, _encoding, done) {
      accessLog.push(String(chunk))
      done()
    },
  })
  const published = new Published(createSelfSigned(Date.now()))
  published.publish(first)
  const { promise: hopeless, resolve: onHopeless } = Promise.withResolvers<StartupError>()
  const plane = new DataPlane({
    address: '127.0.0.1',
    httpPort: 0,
    httpsPort: 0,
    builderPort: 0,
    drainTimeout: 1000,
    published,
    accessLog: new LineWriter(out, { maxWaiting: 1024 * 1024, onError: () => {} }),
    log,
    onHopeless,
    // The garbage here is the test runner's.
    onThreadsStarted: () => {},
    ...options,
  })
  cleanups.push(() => plane.close())
  const publish = (patch: Patch): Patch => {
    const next = published.publish(patch)
    plane.apply(next)
    return next
  }
  return { plane, logged, accessLog, publish, hopeless }
}

/** A worker's module, in place of the real one. */
function worker(source: string): URL {
  return new URL(
    `data:text/javascript,${encodeURIComponent(`
    import { parentPort, workerData } from 'node:worker_threads'
    import { createServer } from 'node:http'
    const counters = new Float64Array(workerData.counters)
    const say = message => parentPort.postMessage(message)
    const listening = (port = 1) => say({ kind: 'listening', httpPort: port, httpsPort: port, builderPort: null })
    ${source}`)}`,
  )
}

const listening = worker(`
  let version = workerData.world.version
  parentPort.on('message', ({ kind, patch }) => {
    if (kind === 'drain') return say({ kind: 'drained', cut: 2 })
    version = patch.version
    say({ kind: 'applied', version })
  })
  const server = createServer((request, response) => {
    if (request.url === '/die') process.exit(7)
    if (request.url === '/count') { counters[${counter.httpAccepted}]++; counters[${counter.httpOpen}]++ }
    response.setHeader('connection', 'close').end(String(version))
  })
  server.listen({ port: workerData.httpPort, host: '127.0.0.1', reusePort: true }, () => listening(server.address().port))`)

async function fetchText(port: number, path = '/', host = 'a.example'): Promise<{ status: number; body: string }> {
  const request = get({ host: '127.0.0.1', port, path, headers: { host, connection: 'close' }, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, body: await text(response) }
}

async function backend(answer: string): Promise<number> {
  const server = createServer((_request, response) => response.end(answer))
  return listenOn(server)
}

async function listenOn(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

async function until(done: () => boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !done(); ) {
    if (Date.now() > end) throw new Error('it did not happen')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

for (const reusePort of process.platform === 'linux' ? [true, false] : [false])
  test(`real data threads serve what is published, ${reusePort ? 'each with its own listener' : 'by hand-over'}`, async () => {
    const port = await backend('hello')
    const { plane, publish, accessLog } = bench({ reusePort })
    const { httpPort, httpsPort } = await plane.start(2)
    expect(httpPort).toBeGreaterThan(0)
    expect(httpsPort).toBeGreaterThan(0)
    expect((await fetchText(httpPort)).status).toBe(404)
    const { version } = publish(
      patchOf({
        routes: [routeOf('a.example', 'a')],
        upstreams: [upstreamOf('a', port)],
        apps: [{ app: 'a', slot: 3 }],
      }),
    )
    await plane.applied(version)
    expect(plane.threads().map(({ appliedVersion }) => appliedVersion)).toEqual([version, version])
    for (let i = 0; i < 4; i++) expect(await fetchText(httpPort)).toEqual({ status: 200, body: 'hello' })
    expect(plane.counters().reduce((sum, counters) => sum + counters[counter.httpAccepted]!, 0)).toBe(5)
    await until(() => plane.counters().every(counters => counters[counter.heartbeat]! > 1))
    expect(await plane.drain(1000)).toBe(0)
    expect(accessLog.join('').match(/GET \/ HTTP\/1.1/g)).toHaveLength(5)
  })

for (const prepared of [1, 3])
  test(`${prepared} prepared, two wanted`, async () => {
    const { plane } = bench({ reusePort: process.platform === 'linux' })
    plane.prepare(prepared)
    const { httpPort } = await plane.start(2)
    expect(states(plane)).toEqual(['0 serving', '1 serving'])
    expect((await fetchText(httpPort)).status).toBe(404)
  })

test('prepared threads end when no start follows', async () => {
  const { plane } = bench()
  plane.prepare(2)
  await plane.close()
  expect(plane.spare()).toBe(null)
})

test('a thread that dies is replaced from what is published now, and keeps its totals', async () => {
  const { plane, publish, logged } = bench({ reusePort: true, workerUrl: listening })
  const { httpPort } = await plane.start(1)
  await fetchText(httpPort, '/count')
  expect([...plane.counters()[0]!.subarray(0, 3)]).toEqual([1, 0, 1])
  await fetchText(httpPort, '/die').catch(() => {})
  await until(() => !plane.serving)
  expect([...plane.counters()[0]!.subarray(0, 3)]).toEqual([1, 0, 0])
  const { version } = publish(patchOf({ routes: [routeOf('a.example', 'a')] }))
  await until(() => plane.serving)
  expect(plane.threads()).toEqual([{ index: 0, state: 'serving', appliedVersion: version, restarts: 1 }])
  expect((await fetchText(httpPort)).body).toBe(String(version))
  expect(logged).toContain('a data thread ended and is replaced')
})

/** Index and state of each thread. */
const states = (plane: DataPlane): string[] => plane.threads().map(({ index, state }) => `${index} ${state}`)

test('§4 workerProcesses: threads are added, and totals of those that go stay', async () => {
  const { plane, publish } = bench({ reusePort: true, workerUrl: listening, drainTimeout: 60_000 })
  const { httpPort } = await plane.start(1)
  const total = (): number => plane.counters().reduce((sum, counters) => sum + counters[counter.httpAccepted]!, 0)
  plane.resize(3)
  // Readiness does not wait for them.
  expect(plane.serving).toBe(true)
  await until(() => states(plane).join() === '0 serving,1 serving,2 serving')
  for (let i = 0; i < 12; i++) await fetchText(httpPort, '/count')
  expect(total()).toBe(12)
  plane.resize(1)
  await until(() => states(plane).join() === '0 serving')
  expect(total()).toBe(12)
  for (const counters of plane.counters().slice(1)) {
    expect(counters[counter.httpOpen]).toBe(0)
    expect(counters[counter.configVersion]).toBe(Infinity)
  }
  const { version } = publish(patchOf({}))
  await plane.applied(version)
  // Places are used again, with what is published now.
  plane.resize(2)
  await until(() => states(plane).join() === '0 serving,1 serving')
  expect(plane.threads()[1]!.appliedVersion).toBe(version)
  expect(plane.counters()).toHaveLength(3)
  await fetchText(httpPort, '/count')
  expect(total()).toBe(13)
  expect(await plane.drain(1000)).toBe(4)
})

test('§4 workerProcesses: surplus threads go when those that stay serve', async () => {
  // The second one takes a while to serve.
  const source = `
    parentPort.on('message', ({ kind }) => {
      if (kind === 'drain') say({ kind: 'drained', cut: 0 })
      if (kind === 'patch') listening()
    })
    if (workerData.index !== 1) listening()`
  const { plane, publish } = bench({ reusePort: true, workerUrl: worker(source) })
  await plane.start(1)
  plane.resize(3)
  await until(() => plane.threads()[2]?.state === 'serving')
  plane.resize(2)
  expect(states(plane)).toEqual(['0 serving', '1 starting', '2 serving'])
  publish(patchOf({}))
  await until(() => states(plane).join() === '0 serving,1 serving')
})

test('a thread that is to go and does not answer is ended', async () => {
  const { plane } = bench({
    reusePort: true,
    workerUrl: worker('listening()\nsetInterval(() => {}, 1000)'),
    drainTimeout: 0,
  })
  await plane.start(2)
  plane.resize(1)
  await until(() => states(plane).join() === '0 serving')
})

test('a thread that hangs is replaced', async () => {
  const source = `
    setInterval(() => counters[${counter.heartbeat}]++, 50)
    listening()
    parentPort.on('message', () => { if (counters[63]++ === 0) for (;;) {} })`
  const { plane, publish, logged } = bench({ reusePort: true, workerUrl: worker(source), patience: 2_000 })
  await plane.start(1)
  publish(patchOf({}))
  await until(() => plane.restarts === 1 && plane.serving)
  expect(logged).toContain('a data thread hangs and is ended')
})

for (const reusePort of process.platform === 'linux' ? [true, false] : [false])
  test(`§5 the port of the builder opens and closes with it, ${reusePort ? 'in each thread' : 'by hand-over'}`, async () => {
    const builder = createTcpServer(socket => socket.end('SSH-2.0-builder'))
    builder.listen(0, '127.0.0.1')
    await once(builder, 'listening')
    cleanups.push(() => builder.close())
    const { port } = builder.address() as AddressInfo
    const upstream = upstreamOf('builder', port)
    const withBuilder = { builder: { upstream: upstream.id, connectTimeout: 1000, idleTimeout: 10_000 } }
    const first = { ...patchOf({ reset: true, upstreams: [upstream] }), ...withBuilder }
    const { plane, publish, logged } = bench({ reusePort }, first)
    const { builderPort } = await plane.start(2)
    const ask = async (): Promise<string> => {
      const socket = connect(builderPort!, '127.0.0.1')
      return text(socket).catch((error: NodeJS.ErrnoException) => error.code ?? 'ERROR')
    }
    for (let i = 0; i < 4; i++) expect(await ask()).toBe('SSH-2.0-builder')
    publish({ ...patchOf({}), builder: null })
    await until(() => logged.includes('the port of the builder is closed'))
    expect(await ask()).toBe('ECONNREFUSED')
    publish({ ...patchOf({}), ...withBuilder })
    await until(() => logged.filter(line => line === 'the port of the builder is open').length === 2)
    for (let i = 0; i < 4; i++) expect(await ask()).toBe('SSH-2.0-builder')
    // Threads that come later have it too.
    plane.resize(3)
    await until(() => states(plane).length === 3 && plane.threads().every(({ state }) => state === 'serving'))
    for (let i = 0; i < 6; i++) expect(await ask()).toBe('SSH-2.0-builder')
    const accepted = plane.counters().reduce((sum, counters) => sum + counters[counter.builderAccepted]!, 0)
    expect(accepted).toBe(14)
    await plane.drain(1000)
    expect(await ask()).toBe('ECONNREFUSED')
  })

test('§5 a port of the builder that another process has keeps nothing else from serving', async () => {
  const other = createTcpServer()
  other.listen({ port: 0, host: '127.0.0.1', reusePort: true })
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const upstream = upstreamOf('builder', 1)
  const builder = { upstream: upstream.id, connectTimeout: 1000, idleTimeout: 10_000 }
  const first = { ...patchOf({ reset: true, upstreams: [upstream] }), builder }
  const { plane, logged } = bench(
    { reusePort: process.platform === 'linux', builderPort: port, builderRetry: 20 },
    first,
  )
  const ports = await plane.start(1)
  expect(ports.builderPort).toBe(null)
  expect(logged).toContain('the port of the builder cannot be had; it is tried again')
  expect((await fetchText(ports.httpPort)).status).toBe(404)
  other.close()
  await until(() => logged.includes('the port of the builder is open'))
  // Nobody answers, but the port is ours.
  expect(await text(connect(port, '127.0.0.1'))).toBe('')
})

test('threads that keep dying at the start', async () => {
  const { plane, logged } = bench({ reusePort: true, workerUrl: worker('throw new Error("broken")') })
  const error: unknown = await plane.start(1).catch(error => error)
  expect(error).toBeInstanceOf(StartupError)
  expect(error).toMatchObject({ exitCode: 69 })
  expect(logged.filter(line => line === 'a data thread failed')).toHaveLength(5)
})

test('threads that keep dying later', async () => {
  // The first life of each serves until it is told of a change; the counters outlive it and tell the next one.
  const source = `if (counters[63]++ > 0) process.exit(1)
    listening()
    parentPort.on('message', () => process.exit(1))`
  const { plane, hopeless, publish } = bench({ reusePort: true, workerUrl: worker(source) })
  await plane.start(2)
  publish(patchOf({}))
  expect(await hopeless).toMatchObject({ exitCode: 69 })
})

test('what threads may log in a second is bounded', async () => {
  const source = `listening()
    for (let i = 0; i < 5000; i++) say({ kind: 'log', level: 'error', message: 'noise', fields: {} })`
  const { plane, logged } = bench({ reusePort: true, workerUrl: worker(source) })
  await plane.start(1)
  await plane.drain(0)
  // Two windows at most, if the second turns while they come.
  expect(logged.filter(line => line === 'noise').length).toBeLessThanOrEqual(200)
  expect(logged).toContain('noise')
})

test('threads say no less than the annotation errorLogLevel asks for', async () => {
  const source = `listening()
    for (const level of ['debug', 'info', 'warn', 'error']) say({ kind: 'log', level, message: level, fields: {} })
    parentPort.on('message', () => say({ kind: 'drained', cut: 0 }))`
  const { plane, logged } = bench({ reusePort: true, workerUrl: worker(source) })
  await plane.start(1)
  await plane.drain(1000)
  expect(logged).toEqual(['error'])
})

test('a drain tells how many connections it cut', async () => {
  const { plane } = bench({ reusePort: true, workerUrl: listening })
  await plane.start(2)
  expect(await plane.drain(1000)).toBe(4)
  expect(plane.threads().map(({ state }) => state)).toEqual(['drained', 'drained'])
})

test('a thread that does not answer the drain is ended', async () => {
  const { plane, logged } = bench({ reusePort: true, workerUrl: worker('listening(); setInterval(() => {}, 1000)') })
  await plane.start(1)
  expect(await plane.drain(0)).toBe(0)
  expect(logged).toContain('data threads did not answer the drain and are ended')
})

const taken: [name: string, reusePort: boolean][] = [
  ['a port that another process has', false],
  ['a port that another process would share', true],
]
for (const [name, reusePort] of process.platform === 'linux' ? taken : taken.slice(0, 1))
  test(name, async () => {
    const other = createTcpServer()
    other.listen({ port: 0, host: '127.0.0.1', reusePort })
    await once(other, 'listening')
    cleanups.push(() => other.close())
    const { port } = other.address() as AddressInfo
    const { plane } = bench({ httpsPort: port, reusePort: true, workerUrl: listening })
    const message = `cannot listen on 127.0.0.1 port ${port} (--https-port): another process has it; "ss -ltnp sport = :${port}" shows which`
    for (const attempt of [() => plane.probe(), () => plane.start(1)]) {
      const error: unknown = await attempt().catch(error => error)
      expect(error).toBeInstanceOf(StartupError)
      expect(error).toMatchObject({ exitCode: 69, message })
    }
  })

test('a thread that cannot listen at the start', async () => {
  const source = "say({ kind: 'listen-failed', port: workerData.httpPort, code: 'EACCES', message: 'x' })"
  const { plane } = bench({ reusePort: true, workerUrl: worker(source) })
  const error: unknown = await plane.start(1).catch(error => error)
  expect(error).toMatchObject({ exitCode: 69, message: expect.stringContaining('(--http-port): ports this low') })
})

test('hand-over takes turns and passes over threads that are dead', async () => {
  // A thread that died once does not come back: it dies again before it serves.
  const source = `if (counters[63]++ > 0) process.exit(1)
    listening(0)
    parentPort.on('message', ({ kind, socket }) => {
      if (kind !== 'socket') return
      socket.on('data', text => { if (text.includes('die')) process.exit(1); socket.end(String(workerData.index)) })
      socket.resume()
    })`
  const { plane } = bench({ reusePort: false, workerUrl: worker(source) })
  const { httpPort } = await plane.start(2)
  const ask = async (question: string): Promise<string> => {
    const socket: Socket = connect(httpPort, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(question)
    return text(socket).catch(() => 'cut')
  }
  expect([await ask('a'), await ask('b'), await ask('c')].join('')).toMatch(/^(010|101)$/)
  await ask('die')
  await until(() => !plane.serving)
  const alive = plane.threads().find(({ state }) => state === 'serving')!.index
  expect([await ask('a'), await ask('b')]).toEqual([String(alive), String(alive)])
})
