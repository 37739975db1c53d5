// The logger over real sockets: what goes in by syslog comes out of the retrieval API.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import pino from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { authority, clientCertificate, serverCertificate } from '#test/cluster/certificates.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { LoggerConfig } from './config.ts'
import type { LogLine } from './line.ts'
import { Logger } from './logger.ts'
import { encodeLine } from './syslog/encode.ts'
import { frameMessage } from './syslog/framing.ts'

failOnLeaks()

const megabyte = 1024 * 1024
const poll = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 })
const time = Date.parse('2016-10-18T20:29:38Z')
const line = (over: Partial<LogLine> = {}): LogLine => ({
  ...{ app: 'foo', source: 'app', process: 'web.v2.nzf60', time, text: 'test message' },
  ...over,
})

let folder: string
let logger: Logger

async function start(over: Partial<LoggerConfig> = {}): Promise<void> {
  const config: LoggerConfig = {
    ...{ address: '127.0.0.1', httpPort: 0, adminPort: 0, udpPort: 0, tcpPort: 0, tls: null, folder },
    ...{ appSize: megabyte, totalSize: 10 * megabyte, maxApps: 100, appLines: 10_000, appOctets: 10 * megabyte },
    ...{ udpRate: 10_000, maxConnections: 10, connectionsPerAddress: 5, idleTimeout: 60_000, maxFollowers: 8 },
    ...{ maxDrains: 10, drainNetworks: [], drainAuthorities: null },
    ...over,
  }
  logger = await Logger.start(config, { log: pino({ enabled: false }) })
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'logger-'))
})
afterEach(async () => {
  await logger.stop()
  await rm(folder, { recursive: true })
})

async function call(path: string, method = 'GET', body?: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${logger.httpPort}${path}`, {
    method,
    headers: { connection: 'close' },
    ...(body === undefined ? {} : { body }),
  })
  return { status: answer.status, text: await answer.text() }
}

const textOf = async (path: string): Promise<string> => (await call(path)).text
const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${logger.adminPort}/metrics`)).text()

async function send(port: number, octets: string): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.end(octets)
  socket.resume()
  await once(socket, 'close')
}

/** Whatever it ends with. */
const closed = (socket: Socket): Promise<void> => new Promise(resolve => socket.once('close', () => resolve()))

/** Reads an answer that does not end, until something is in it. */
class Reader {
  readonly answer: IncomingMessage
  text = ''
  readonly ended: Promise<unknown>

  private constructor(answer: IncomingMessage) {
    this.answer = answer
    this.ended = once(answer, 'end')
    this.ended.catch(() => {})
    answer.setEncoding('utf8').on('data', (text: string) => (this.text += text))
  }

  static async open(path: string): Promise<Reader> {
    const sent = get({ host: '127.0.0.1', port: logger.httpPort, path, agent: false })
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.on('error', () => {})
    return new Reader(answer)
  }

  async until(text: string): Promise<void> {
    await poll(() => this.text).toContain(text)
  }
}

test('contract section 10: lines, 204, junk, odd paths, removal', async () => {
  await start()
  expect(await call('/healthz')).toEqual({ status: 200, text: 'OK\n' })
  expect((await call('/healthz/')).status).toBe(200)
  expect(await call('/logs/foo')).toEqual({ status: 204, text: '' })
  logger.write(line())
  logger.write(line({ source: 'controller', process: null, text: 'INFO admin deployed 2fd9226\n' }))
  logger.write(line({ source: 'router', process: null, text: 'one request' }))
  const app = '2016-10-18T20:29:38+00:00 foo[web.v2.nzf60]: test message\n'
  const controller = '2016-10-18T20:29:38+00:00 deis[controller]: INFO admin deployed 2fd9226\n'
  const router = '2016-10-18T20:29:38+00:00 deis[router]: one request\n'
  expect(await call('/logs/foo')).toEqual({ status: 200, text: app + controller })
  for (const path of ['/logs/foo/?log_lines=x', '/logs/foo?log_lines=-1', '/logs/foo?source=nobody'])
    expect(await textOf(path)).toBe(app + controller)
  expect(await textOf('/logs/foo?log_lines=1')).toBe(controller)
  expect(await textOf('/logs/foo?source=app')).toBe(app)
  expect(await textOf('/logs/foo?source=router')).toBe(router)
  expect(await textOf('/logs/foo?source=all')).toBe(app + controller + router)
  expect((await call('/logs/foo?log_lines=0')).status).toBe(204)
  for (const path of [
    '/',
    '/logs',
    '/logs/',
    '/logs/a/b',
    '/logs/Foo',
    '/logs/..',
    '/logs/%2e%2e',
    '/logs/%',
    '/healthz/x',
    '/x',
  ])
    expect([path, (await call(path)).status]).toEqual([path, 404])
  expect((await call('/logs/foo', 'POST')).status).toBe(405)
  expect((await call('/logs/foo', 'DELETE')).status).toBe(200)
  expect((await call('/logs/foo/', 'DELETE')).status).toBe(200)
  expect((await call('/logs/foo?source=all')).status).toBe(204)
  // On its way since before: not the next app's of this name.
  logger.write(line())
  expect((await call('/logs/foo')).status).toBe(204)
  logger.write(line({ time: Date.now() + 1, text: 'new' }))
  expect(await textOf('/logs/foo')).toContain('new')
})

test('a clock that is set back by an hour after a removal costs the next app of that name a minute', async () => {
  await start()
  await call('/logs/foo', 'DELETE')
  // That of performance begins at 0 again.
  const minute = performance.now() + 61_000
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
  try {
    vi.setSystemTime(Date.now() - 3_600_000)
    logger.write(line({ time: Date.now(), text: 'on its way' }))
    vi.advanceTimersByTime(minute)
    logger.write(line({ time: Date.now(), text: 'the next one' }))
  } finally {
    vi.useRealTimers()
  }
  expect(await textOf('/logs/foo')).toMatch(/^[^\n]*: the next one\n$/)
})

test('contract section 10: a log that cannot be read', async () => {
  await start()
  logger.write(line())
  const file = join(folder, 'apps', 'foo', 'app.000000001.log')
  await poll(metrics).toContain('deis_logger_waiting_bytes 0\n')
  await rm(file)
  await mkdir(file)
  for (const path of ['/logs/foo', '/logs/foo?follow=true'])
    expect(await call(path)).toEqual({ status: 500, text: 'the logger could not do this\n' })
  expect((await call('/logs/bar')).status).toBe(204)
  await poll(metrics).toContain('deis_logger_followers 0')
})

test('the default is a hundred lines', async () => {
  await start()
  for (let i = 0; i < 150; i++) logger.write(line({ text: `${i}` }))
  expect((await textOf('/logs/foo')).split('\n').length - 1).toBe(100)
  expect((await textOf('/logs/foo?log_lines=120')).split('\n').length - 1).toBe(120)
})

test('UDP, and TCP in both framings', async () => {
  await start()
  const socket = createSocket('udp4')
  await new Promise(resolve =>
    socket.send('<13>Nov 29 03:00:00 foo[web.1]: by UDP\n', logger.udpPort!, '127.0.0.1', resolve),
  )
  await new Promise(resolve => socket.send('no syslog', logger.udpPort!, '127.0.0.1', resolve))
  socket.close()
  await send(logger.tcpPort!, '<13>1 - h foo web.2 app - counted?\n32 <13>1 - h foo web.3 app - count\nrubbish\n')
  const wanted = ['foo[web.1]: by UDP', 'foo[web.2]: counted?', 'foo[web.3]: count']
  for (const text of wanted) await poll(() => textOf('/logs/foo')).toContain(text)
  // Malformed: under the address that it came from.
  for (const text of ['127.0.0.1: no syslog\n', '127.0.0.1: rubbish\n'])
    await poll(() => textOf('/logs/127.0.0.1')).toContain(text)
  const counted = await metrics()
  expect(counted).toContain('deis_logger_malformed_total{transport="udp"} 1')
  expect(counted).toContain('deis_logger_malformed_total{transport="tcp"} 1')
  expect(counted).toContain('deis_logger_lines_received_total{source="app",transport="tcp"} 3')
  expect(counted).toContain('deis_logger_kernel_dropped_datagrams 0')
})

test('TLS: with a certificate of its own, and only for senders that have one when that is wanted', async () => {
  const issuer = await authority('logs')
  const server = await serverCertificate(issuer, { commonName: 'logger' }, { dns: ['logger.example'], addresses: [] })
  const sender = await clientCertificate(issuer, { commonName: 'sender' })
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  const tls = {
    port: 0,
    certificate: await file('tls.crt', server.certificate),
    key: await file('tls.key', server.key),
    authorities: await file('ca.crt', issuer.certificate),
  }
  await start({ tls })
  const target = { host: '127.0.0.1', port: logger.tlsPort!, servername: 'logger.example', ca: issuer.certificate }
  const message = (text: string): Buffer => frameMessage(encodeLine(line({ text }), 'h'))
  const socket = connectTls({ ...target, cert: sender.certificate, key: sender.key })
  socket.end(message('by TLS')).resume()
  await once(socket, 'close')
  await poll(() => textOf('/logs/foo')).toContain(']: by TLS')
  const stranger = connectTls(target)
  stranger.on('error', () => {})
  stranger.end(message('by a stranger')).resume()
  await closed(stranger)
  expect(await textOf('/logs/foo')).not.toContain('stranger')
})

test('connections of one sender are bounded', async () => {
  await start({ connectionsPerAddress: 2 })
  const open: Socket[] = []
  for (let i = 0; i < 2; i++) {
    const socket = connect(logger.tcpPort!, '127.0.0.1')
    socket.write(`<13>1 - h foo - app - of ${i}\n`)
    await poll(() => textOf('/logs/foo')).toContain(`of ${i}`)
    open.push(socket)
  }
  const refused = connect(logger.tcpPort!, '127.0.0.1')
  refused.on('error', () => {})
  await closed(refused.resume())
  expect(await metrics()).toContain('deis_logger_connections_refused_total 1')
  for (const socket of open) await once(socket.destroy(), 'close')
  await poll(metrics).toContain('deis_logger_connections{transport="tcp"} 0')
  await send(logger.tcpPort!, '<13>1 - h foo - app - again\n')
  await poll(() => textOf('/logs/foo')).toContain('again')
})

test('an app that says too much: the rest is left out, it is told so, and others are not concerned', async () => {
  await start({ appLines: 100 })
  for (let i = 0; i < 1000; i++) logger.write(line({ app: 'noisy', text: `${i}` }))
  for (let i = 0; i < 150; i++) logger.write(line({ text: `${i}` }))
  expect((await textOf('/logs/foo?log_lines=1000')).split('\n').length - 1).toBe(150)
  const left = /deis\[controller\]: WARN (\d+) lines of the app left out/
  await poll(() => textOf('/logs/noisy?source=controller')).toMatch(left)
  const kept = (await textOf('/logs/noisy?log_lines=1000&source=app')).split('\n').length - 1
  expect(kept).toBeGreaterThanOrEqual(200)
  expect(kept + Number(left.exec(await textOf('/logs/noisy?source=controller'))![1])).toBe(1000)
  expect(await metrics()).toContain(`deis_logger_lines_dropped_total{reason="rate"} ${1000 - kept}`)
})

test('a flood of datagrams is bounded', async () => {
  await start({ udpRate: 10 })
  const socket = createSocket('udp4')
  for (let i = 0; i < 200; i++)
    await new Promise(resolve => socket.send(`<13>1 - h foo - app - ${i}`, logger.udpPort!, '127.0.0.1', resolve))
  socket.close()
  await poll(
    async () =>
      Number(/reason="flood"\} (\d+)/.exec(await metrics())![1]) +
      (await textOf('/logs/foo?log_lines=500')).split('\n').length -
      1,
  ).toBe(200)
  expect((await textOf('/logs/foo?log_lines=500')).split('\n').length - 1).toBeLessThan(150)
})

test('following: the last lines, then each as it comes, until the app is removed', async () => {
  await start({ maxFollowers: 20 })
  for (const text of ['one', 'two']) logger.write(line({ text }))
  const reader = await Reader.open('/logs/foo?follow=true&log_lines=1')
  const fresh = await Reader.open('/logs/foo?follow=true&log_lines=0')
  const router = await Reader.open('/logs/foo?follow=true&source=router')
  expect(reader.answer.headers['transfer-encoding']).toBe('chunked')
  await reader.until('two\n')
  logger.write(line({ text: 'three' }))
  logger.write(line({ source: 'router', text: 'a request' }))
  logger.write(line({ app: 'bar', text: "another app's" }))
  for (const one of [reader, fresh]) await one.until('three\n')
  await router.until('a request\n')
  expect((await metrics()).includes('deis_logger_followers 3')).toBe(true)
  await call('/logs/foo', 'DELETE')
  await Promise.all([reader.ended, fresh.ended, router.ended])
  const prefix = '2016-10-18T20:29:38+00:00 foo[web.v2.nzf60]: '
  expect(reader.text).toBe(`${prefix}two\n${prefix}three\n`)
  expect(fresh.text).toBe(`${prefix}three\n`)
})

test('no line is missed or doubled between the last ones and those that come', async () => {
  await start()
  let next = 0
  const more = setInterval(() => {
    for (let i = 0; i < 20; i++) logger.write(line({ text: `n${next++}` }))
  }, 1)
  try {
    for (let round = 0; round < 5; round++) {
      const reader = await Reader.open('/logs/foo?follow=true&log_lines=50')
      await reader.until(`n${next + 100}\n`)
      reader.answer.destroy()
      const numbers = [...reader.text.matchAll(/: n(\d+)\n/g)].map(match => Number(match[1]))
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => numbers[0]! + i))
    }
  } finally {
    clearInterval(more)
  }
})

test('a slow follower is told what it did not get; the rest is not held up', async () => {
  await start()
  const sent = request({ host: '127.0.0.1', port: logger.httpPort, path: '/logs/foo?follow=true', agent: false })
  sent.end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  // Nothing is read, so that kernel and logger are full some time.
  answer.pause()
  const big = 'x'.repeat(10_000)
  await poll(async () => {
    for (let i = 0; i < 100; i++) logger.write(line({ text: big }))
    return Number(/deis_logger_follower_lines_dropped_total (\d+)/.exec(await metrics())![1])
  }).toBeGreaterThan(0)
  let text = ''
  answer.setEncoding('utf8').on('data', (more: string) => (text += more))
  answer.resume()
  await poll(() => text.slice(-200)).toMatch(/^-- \d+ lines left out, as they were not read in time --\n/m)
  logger.write(line({ text: 'after' }))
  await poll(() => text.slice(-200)).toMatch(/: after\n$/)
  const lost = [...text.matchAll(/^-- (\d+) lines left out/gm)].reduce((sum, match) => sum + Number(match[1]), 0)
  expect(lost).toBe(Number(/deis_logger_follower_lines_dropped_total (\d+)/.exec(await metrics())![1]))
  answer.destroy()
})

// Each held one of sixteen places for a minute.
test('who is gone before the answer holds up nobody', async () => {
  await start()
  for (let i = 0; i < 100; i++) logger.write(line({ text: 'x'.repeat(10_000) }))
  for (let i = 0; i < 40; i++) {
    const socket = connect(logger.httpPort, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(`GET /logs/foo${i % 2 === 0 ? '' : '?follow=true'} HTTP/1.1\r\nHost: logger\r\n\r\n`, () =>
      socket.destroy(),
    )
    await closed(socket)
  }
  expect((await call('/logs/foo?log_lines=1')).status).toBe(200)
  await poll(metrics).toContain('deis_logger_followers 0')
})

test('followers of one app are bounded', async () => {
  await start({ maxFollowers: 8 })
  const readers = [await Reader.open('/logs/foo?follow=true'), await Reader.open('/logs/foo?follow=true')]
  expect((await call('/logs/foo?follow=true')).status).toBe(503)
  const other = await Reader.open('/logs/bar?follow=true')
  for (const { answer } of [...readers, other]) answer.destroy()
  await poll(metrics).toContain('deis_logger_followers 0')
})

test('access lines of the router are counted by app and status', async () => {
  await start()
  const access = (status: number): string =>
    `[2016-05-31T16:56:12+00:00] - foo - 192.0.2.1 - - - ${status} - "GET / HTTP/1.1" - 100 - "-" - "-" - "~^foo" - 10.0.0.1:5000 - foo - 0.100 - 0.250`
  for (const status of [200, 204, 404, 503]) logger.write(line({ source: 'router', text: access(status) }))
  logger.write(line({ source: 'router', text: 'of another format' }))
  logger.write(line({ text: access(200) }))
  const counted = await metrics()
  for (const [status, count] of [
    ['2xx', 2],
    ['4xx', 1],
    ['5xx', 1],
  ] as const)
    expect(counted).toContain(`deis_logger_router_requests_total{app="foo",status="${status}"} ${count}\n`)
  expect(counted).toContain('deis_logger_router_bytes_total{app="foo"} 400\n')
  expect(counted).toContain('deis_logger_router_seconds_total{app="foo"} 1\n')
  await call('/logs/foo', 'DELETE')
  expect(await metrics()).not.toContain('app="foo"')
})

// It was 500, and nobody knew why. The device is the system's own: it takes nothing, as a full disk does.
test.skipIf(process.platform !== 'linux')(
  'a log drain that finds no room is 507, and is taken when there is some',
  async () => {
    await start()
    const set = () => call('/drains/foo', 'PUT', '{"url":"syslog+tls://logs.example.com:6514"}')
    await symlink('/dev/full', join(folder, 'drains.json.new'))
    expect(await set()).toMatchObject({ status: 507, text: expect.stringContaining('the disk of the logger is full') })
    expect((await call('/drains/foo')).status).toBe(404)
    await rm(join(folder, 'drains.json.new'))
    expect((await set()).status).toBe(204)
  },
)

test('what has come is there after an orderly end, log drains too', async () => {
  await start()
  expect((await call('/drains/foo', 'PUT', '{"url":"syslog+tls://logs.example.com:6514"}')).status).toBe(204)
  logger.write(line())
  logger.write(line({ app: 'bad name', text: 'x' }))
  logger.write(line({ time: Number.NaN }))
  expect(await metrics()).toContain('deis_logger_lines_dropped_total{reason="invalid"} 2')
  await logger.stop()
  await start({ udpPort: null, tcpPort: null, adminPort: null })
  expect([logger.udpPort, logger.tcpPort, logger.tlsPort, logger.adminPort]).toEqual([null, null, null, null])
  expect(await textOf('/logs/foo')).toContain('test message')
  expect(JSON.parse(await textOf('/drains/foo'))).toMatchObject({ url: 'syslog+tls://logs.example.com:6514' })
})
