// Log drains against receivers that are real servers on this machine.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import pino from 'pino'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type DrainUrl, parseDrainUrl } from '#kit/drain-url.ts'
import { authority, type KeyPair, serverCertificate } from '#test/cluster/certificates.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { LoggerConfig } from '../config.ts'
import type { LogLine } from '../line.ts'
import { Logger } from '../logger.ts'
import { decodeMessage } from '../syslog/decode.ts'
import { Deframer } from '../syslog/framing.ts'
import { LogDrains } from './log-drains.ts'
import { AllowedNetworks, parseNetwork } from './networks.ts'

failOnLeaks()

const megabyte = 1024 * 1024
const poll = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 })

let issuer: KeyPair
let good: KeyPair
beforeAll(async () => {
  issuer = await authority('receivers')
  good = await serverCertificate(issuer, { commonName: 'r' }, { dns: ['logs.example'], addresses: ['127.0.0.1'] })
})

/** A receiver of syslog, over TLS when it has a pair. */
class Receiver implements AsyncDisposable {
  readonly texts: string[] = []
  readonly sockets: Socket[] = []
  readonly server: Server
  connections = 0

  constructor(pair: KeyPair | null, reads = true) {
    const onSocket = (socket: Socket): void => {
      this.connections++
      this.sockets.push(socket)
      socket.on('error', () => {})
      const deframer = new Deframer(100_000, octets => this.texts.push(decodeMessage(octets, 0).text))
      if (reads) socket.on('data', (chunk: Buffer) => deframer.push(chunk))
      else socket.pause()
    }
    this.server =
      pair === null ? createServer(onSocket) : createTlsServer({ cert: pair.certificate, key: pair.key }, onSocket)
    this.server.on('tlsClientError', () => {})
  }

  static async open(pair: KeyPair | null, reads = true, port = 0): Promise<Receiver> {
    const receiver = new Receiver(pair, reads)
    receiver.server.listen(port, '127.0.0.1')
    await once(receiver.server, 'listening')
    return receiver
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.server.listening) return
    const closed = once(this.server, 'close')
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
    await closed
  }
}

let folder: string
let logger: Logger
let names: Record<string, readonly string[]>

async function start(over: Partial<LoggerConfig> = {}, log = pino({ enabled: false })): Promise<void> {
  const config: LoggerConfig = {
    ...{ address: '127.0.0.1', httpPort: 0, adminPort: 0, udpPort: null, tcpPort: null, tls: null, folder },
    ...{
      appSize: 16 * megabyte,
      totalSize: 100 * megabyte,
      maxApps: 100,
      appLines: 1_000_000,
      appOctets: 1000 * megabyte,
    },
    ...{ udpRate: 10_000, maxConnections: 10, connectionsPerAddress: 5, idleTimeout: 60_000, maxFollowers: 8 },
    ...{ maxDrains: 3, drainNetworks: [parseNetwork('127.0.0.0/8')!], drainAuthorities: issuer.certificate },
    ...over,
  }
  const resolve = async (host: string): Promise<readonly string[]> =>
    names[host] ?? Promise.reject(new Error('no such name'))
  logger = await Logger.start(config, { log, resolve })
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-drains-'))
  names = {}
})
afterEach(async () => {
  await logger.stop()
  await rm(folder, { recursive: true })
})

async function call(method: string, app: string, body?: unknown): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${logger.httpPort}/drains/${app}`, {
    method,
    headers: { connection: 'close' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: answer.status, text: await answer.text() }
}

interface Status {
  readonly url: string
  readonly state: string
  readonly error: string | null
  readonly waiting: number
  readonly sent: number
  readonly dropped: number
}

const put = async (app: string, url: string): Promise<number> => (await call('PUT', app, { url })).status
const status = async (app: string): Promise<Status> => JSON.parse((await call('GET', app)).text)
const logOf = async (app: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${logger.httpPort}/logs/${app}`, { headers: { connection: 'close' } })).text()

let next = 0
function write(app = 'foo', text = `line ${next++}`, source: LogLine['source'] = 'app'): string {
  logger.write({ app, source, process: 'web.v1.a', time: Date.now(), text })
  return text
}

test('TLS to a name: checked, counted octets, all sources of that app and no other', async () => {
  await using receiver = await Receiver.open(good)
  names['logs.example'] = ['127.0.0.1']
  await start()
  const url = `syslog+tls://logs.example:${receiver.port}`
  expect(await put('foo', url)).toBe(204)
  const wanted = [write(), write('foo', 'a #012 b', 'controller'), write('foo', 'a request', 'router')]
  write('bar')
  await poll(() => receiver.texts).toEqual(wanted)
  expect(await status('foo')).toEqual({ url, state: 'connected', error: null, waiting: 0, sent: 3, dropped: 0 })
  expect((await call('GET', 'bar')).status).toBe(404)
  expect((await call('DELETE', 'foo')).status).toBe(204)
  await poll(() => receiver.sockets.every(socket => socket.destroyed)).toBe(true)
  write()
  expect((await call('GET', 'foo')).status).toBe(404)
  expect((await call('DELETE', 'foo')).status).toBe(204)
  expect(receiver.texts.length).toBe(3)
})

const wrong: [name: string, pair: () => Promise<KeyPair>, error: RegExp][] = [
  [
    'for another name',
    () => serverCertificate(issuer, { commonName: 'x' }, { dns: ['other.example'], addresses: [] }),
    /altnames/,
  ],
  [
    'of an authority that nobody knows',
    async () =>
      serverCertificate(await authority('unknown'), { commonName: 'x' }, { dns: ['logs.example'], addresses: [] }),
    /certificate/,
  ],
]
test.for(wrong)('a certificate %s: nothing is sent', async ([, pair, error]) => {
  await using receiver = await Receiver.open(await pair())
  names['logs.example'] = ['127.0.0.1']
  await start()
  await put('foo', `syslog+tls://logs.example:${receiver.port}`)
  write()
  await poll(async () => (await status('foo')).error ?? '').toMatch(error)
  expect(receiver.texts).toEqual([])
  expect((await status('foo')).waiting).toBe(1)
})

test('TLS to an address, TCP, and UDP', async () => {
  await using tls = await Receiver.open(good)
  await using tcp = await Receiver.open(null)
  const udp = createSocket('udp4')
  udp.bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const datagrams: string[] = []
  udp.on('message', octets => datagrams.push(decodeMessage(octets, 0).text))
  await start()
  await put('a', `syslog+tls://127.0.0.1:${tls.port}`)
  await put('b', `syslog+tcp://127.0.0.1:${tcp.port}`)
  await put('c', `syslog+udp://127.0.0.1:${udp.address().port}`)
  const wanted = ['a', 'b', 'c'].map(app => write(app))
  await poll(() => [...tls.texts, ...tcp.texts, ...datagrams]).toEqual(wanted)
  // There may be three.
  expect(await put('d', 'syslog+tcp://127.0.0.1:1')).toBe(503)
  expect(await put('a', `syslog+tcp://127.0.0.1:${tcp.port}`)).toBe(204)
  await poll(() => tls.sockets.every(socket => socket.destroyed)).toBe(true)
  const more = write('a')
  await poll(() => tcp.texts).toContain(more)
  udp.close()
})

test('where a log drain may not lead', async () => {
  await start({ drainNetworks: [] })
  for (const host of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '[::1]', '224.0.0.1'])
    expect(await put('foo', `syslog+tcp://${host}:514`)).toBe(400)
  await using receiver = await Receiver.open(null)
  names['inside.example'] = ['127.0.0.1', '10.0.0.1', '::1']
  expect(await put('foo', `syslog+tcp://inside.example:${receiver.port}`)).toBe(204)
  write()
  await poll(async () => (await status('foo')).error).toBe(
    'inside.example leads to a network that log drains may not send to',
  )
  expect(receiver.connections).toBe(0)
})

test('what is no log drain', async () => {
  await start()
  const bodies = ['', '{', '[]', '{"url":1}', '{"url":"https://x"}', { url: 'syslog+tls://a:b@c' }, 'x'.repeat(100_000)]
  for (const body of bodies) expect([body, (await call('PUT', 'foo', body)).status]).toEqual([body, 400])
  expect((await call('PUT', '192.0.2.1', { url: 'syslog+tcp://192.0.2.1' })).status).toBe(404)
  expect((await call('POST', 'foo')).status).toBe(405)
})

test('a receiver that goes and comes back gets what waited', async () => {
  const first = await Receiver.open(null)
  const { port } = first
  await start()
  await put('foo', `syslog+tcp://127.0.0.1:${port}`)
  const one = write()
  await poll(() => first.texts).toEqual([one])
  await first[Symbol.asyncDispose]()
  await poll(async () => (await status('foo')).state).not.toBe('connected')
  const waited = [write(), write()]
  await poll(async () => (await status('foo')).error ?? '').toMatch(/ECONNREFUSED|closes the connection/)
  await using second = await Receiver.open(null, true, port)
  await poll(() => second.texts).toEqual(waited)
})

test('a receiver that takes nothing costs only its own lines, and its app is told', async () => {
  await using stuck = await Receiver.open(null, false)
  await using well = await Receiver.open(null)
  await start()
  await put('slow', `syslog+tcp://127.0.0.1:${stuck.port}`)
  await put('fast', `syslog+tcp://127.0.0.1:${well.port}`)
  const big = 'x'.repeat(10_000)
  let written = 0
  // Until the kernel's buffers and the queue are full.
  await poll(async () => {
    for (let i = 0; i < 100; i++, written++) write('slow', big)
    return (await status('slow')).dropped
  }).toBeGreaterThan(0)
  const text = write('fast')
  await poll(() => well.texts).toEqual([text])
  const { waiting, sent, dropped } = await status('slow')
  expect(waiting).toBeLessThan(200)
  expect(sent + waiting + dropped).toBeGreaterThanOrEqual(written - 7)
  const told = /WARN \d+ lines were not sent to the log drain syslog\+tcp:\/\/127\.0\.0\.1:\d+: its receiver is slow/
  await poll(() => logOf('slow')).toMatch(told)
})

test('removing the app removes its log drain; the file is read again', async () => {
  await start()
  for (const app of ['a', 'b']) await put(app, 'syslog+tls://logs.example')
  await fetch(`http://127.0.0.1:${logger.httpPort}/logs/a`, { method: 'DELETE', headers: { connection: 'close' } })
  const file = join(folder, 'drains.json')
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ b: 'syslog+tls://logs.example:6514' })
  await logger.stop()
  await writeFile(file, JSON.stringify({ b: 'syslog+tls://logs.example:6514', c: 'nothing', 'A B': 'syslog+tls://x' }))
  await start()
  expect((await status('b')).state).toBe('idle')
  for (const app of ['a', 'c']) expect((await call('GET', app)).status).toBe(404)
  await logger.stop()
  await rm(file)
  await mkdir(file)
  await expect(start()).rejects.toThrow('drains.json cannot be read')
  await rm(file, { recursive: true })
  await start()
})

// It ended the logger at each start, and with it the whole platform of one machine.
for (const broken of ['', '{bad', '{"shop":5}', '[]', 'null'])
  test(`a broken file of log drains is set aside, and the logger starts: ${broken}`, async () => {
    const file = join(folder, 'drains.json')
    await writeFile(`${file}.corrupt`, 'of an earlier time')
    await writeFile(file, broken)
    const said: string[] = []
    await start({}, pino({ level: 'warn' }, { write: line => void said.push(line) }))
    expect(said.map(line => JSON.parse(line).msg)).toEqual([expect.stringContaining('is broken and was set aside')])
    expect(await readFile(`${file}.corrupt`, 'utf8')).toBe(broken)
    expect((await call('GET', 'shop')).status).toBe(404)
    expect(await put('shop', 'syslog+tls://logs.example')).toBe(204)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ shop: 'syslog+tls://logs.example:6514' })
  })

// On a disk that was full nothing of the app could be removed, which would have made room.
test('the lines of an app go although its log drain cannot be forgotten', async () => {
  await start()
  expect(await put('foo', 'syslog+tls://logs.example')).toBe(204)
  write()
  expect(await logOf('foo')).not.toBe('')
  await mkdir(join(folder, 'drains.json.new'))
  const remove = () =>
    fetch(`http://127.0.0.1:${logger.httpPort}/logs/foo`, { method: 'DELETE', headers: { connection: 'close' } })
  expect((await remove()).status).toBe(500)
  expect(await logOf('foo')).toBe('')
  await rm(join(folder, 'drains.json.new'), { recursive: true })
  expect((await remove()).status).toBe(200)
  expect((await call('GET', 'foo')).status).toBe(404)
})

test('that an app was told of lost lines is not told again, when the log drain has no room for that either', async () => {
  await start()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  const told: string[] = []
  const drains = LogDrains.open({
    file: join(folder, 'others.json'),
    road: {
      networks: new AllowedNetworks([]),
      secureContext: createSecureContext,
      resolve: () => Promise.reject(new Error('no such name')),
    },
    most: 1,
    log: pino({ enabled: false }),
    count: () => {},
    notice(app, sentence) {
      told.push(sentence)
      drains.send({ app, source: 'controller', process: null, time: 0, text: sentence })
    },
  })
  try {
    await drains.set('foo', parseDrainUrl('syslog+tcp://logs.example') as DrainUrl)
    const more = (): void => drains.send({ app: 'foo', source: 'app', process: null, time: 0, text: 'x' })
    while (drains.statusOf('foo')!.dropped === 0) more()
    vi.advanceTimersByTime(1000)
    expect(told).toEqual([expect.stringMatching(/^1 lines were not sent/)])
    vi.advanceTimersByTime(200_000)
    expect(told.length).toBe(1)
    for (let i = 0; i < 3; i++) more()
    vi.advanceTimersByTime(1000)
    expect(told.slice(1)).toEqual([expect.stringMatching(/^3 lines were not sent/)])
  } finally {
    vi.useRealTimers()
    await drains.close(0)
  }
})
