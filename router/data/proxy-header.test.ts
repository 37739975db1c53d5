// The PROXY protocol on the three ports (contract section 10): who the client is, and who is sent away without a word.

import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { parseCidr } from '#router/model/cidr.ts'
import type { UpstreamId } from '#router/model/upstream.ts'
import { get, ok } from '#test/support/app.ts'
import { certificateOf, fallbackCertificate } from '#test/support/certificates.ts'
import { defaultSettings, empty, upstreamAt } from '#test/support/data-thread.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { type Stage, type StageOptions, setStage } from '#test/support/stage.ts'
import { headerTimeout } from './proxy-header.ts'

failOnLeaks()

const certificate = certificateOf('test/a')
const trusted = [parseCidr('127.0.0.0/8')!]
const text = 'PROXY TCP4 203.0.113.7 10.0.0.1 4711 8080\r\n'
const binary = Buffer.from('0d0a0d0a000d0a515549540a2111000ccb00710709000001000a1f90', 'hex')
const local = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex')

function setProxyStage(options: StageOptions = {}): Promise<Stage> {
  return setStage({
    route: { certificate: certificate.id },
    certificates: [fallbackCertificate(), certificate],
    ...options,
    settings: { useProxyProtocol: true, proxyRealIpCidrs: trusted, ...options.settings },
  })
}

/** A handshake over a connection that is there already, whose own octets are cut as `write` likes. */
async function secure(peer: Peer, write: (octets: Buffer) => Promise<void>): Promise<TLSSocket> {
  const socket = peer.socket
  socket.removeAllListeners('data')
  const stream = new Duplex({
    read() {},
    write: (octets: Buffer, _encoding, done) => void write(octets).then(() => done(), done),
  })
  socket.on('data', (octets: Buffer) => stream.push(octets))
  socket.on('end', () => stream.push(null))
  const options: ConnectionOptions = { socket: stream, servername: 'a.example', rejectUnauthorized: false }
  const tls = connectTls(options)
  await once(tls, 'secureConnect')
  return tls
}

interface Case {
  readonly name: string
  readonly header: string | Buffer
  readonly fields?: string
  readonly from?: string
  readonly want: string
}

const cases: readonly Case[] = [
  { name: 'v1 from a trusted peer names the client', header: text, want: '203.0.113.7' },
  { name: 'v2 from a trusted peer names the client', header: binary, want: '203.0.113.7' },
  { name: 'IPv6', header: 'PROXY TCP6 2001:db8::7 ::1 1 2\r\n', want: '2001:db8::7' },
  { name: 'UNKNOWN: the peer', header: 'PROXY UNKNOWN\r\n', want: '127.0.0.1' },
  { name: 'LOCAL: the peer', header: local, want: '127.0.0.1' },
  { name: 'X-Forwarded-For does not count', header: text, fields: 'X-Forwarded-For: 192.0.2.9', want: '203.0.113.7' },
  {
    name: 'nor when the client that is named is a trusted proxy itself',
    header: 'PROXY TCP4 127.0.0.9 10.0.0.1 1 2\r\n',
    fields: 'X-Forwarded-For: 192.0.2.9',
    want: '127.0.0.9',
  },
  {
    name: 'nor when the header names nobody',
    header: 'PROXY UNKNOWN\r\n',
    fields: 'X-Forwarded-For: 192.0.2.9',
    want: '127.0.0.1',
  },
]
for (const { name, header, fields, want } of cases) {
  test(`§10 useProxyProtocol: ${name}`, async () => {
    await using stage = await setProxyStage()
    const client = await stage.connect()
    client.send(header)
    // Two requests: what holds for the connection holds for both.
    client.send(get('a.example', '/1', ...(fields === undefined ? [] : [fields])) + get('a.example', '/2'))
    const app = await stage.app.connection()
    for (const target of ['/1', '/2']) {
      const request = await app.request()
      expect([request.target, fieldValue(request, 'X-Forwarded-For')]).toEqual([target, want])
      app.send(ok('hello'))
      expect((await client.response()).status).toBe(200)
    }
    expect((await stage.thread.logged(2))[0]).toContain(want)
    expect(stage.thread.open()).toMatchObject({ http: 1 })
  })
}

test('§10 an untrusted peer names nobody: its header is read and its own address counts', async () => {
  await using stage = await setProxyStage({ settings: { proxyRealIpCidrs: [parseCidr('10.0.0.0/8')!] } })
  stage.app.serve(request => ok(fieldValue(request, 'X-Forwarded-For') ?? ''))
  const client = await stage.connect()
  client.send(text + get('a.example', '/', 'X-Forwarded-For: 192.0.2.9'))
  expect((await client.response()).body.toString()).toBe('127.0.0.1')
})

for (const [name, header] of [
  ['v1', text],
  ['v2', binary.toString('latin1')],
] as const) {
  for (const size of [1, 7, 100_000]) {
    test(`§10 a ${name} header and a request in segments of ${size}`, async () => {
      await using stage = await setProxyStage()
      stage.app.serve(request => ok(fieldValue(request, 'X-Forwarded-For') ?? ''))
      const client = await stage.connect()
      await stage.sendInSegments(client, header + get('a.example', '/'), size)
      expect((await client.response()).body.toString()).toBe('203.0.113.7')
      client.send(get('a.example', '/'))
      expect((await client.response()).body.toString()).toBe('203.0.113.7')
    })

    test(`§10 a ${name} header and a handshake in segments of ${size}`, async () => {
      await using stage = await setProxyStage()
      stage.app.serve(request => ok(fieldValue(request, 'X-Forwarded-For') ?? ''))
      await using client = await connectTo(stage.thread.httpsPort)
      let first = header
      const tls = await secure(client, async octets => {
        const all = first + octets.toString('latin1')
        first = ''
        await stage.sendInSegments(client, all, size)
      })
      expect(tls.getPeerX509Certificate()?.fingerprint256).toBe(certificate.fingerprint)
      tls.write(get('a.example', '/', 'X-Forwarded-For: 192.0.2.9'))
      const [answer] = (await once(tls, 'data')) as [Buffer]
      expect(answer.toString()).toMatch(/203\.0\.113\.7$/)
      expect(stage.thread.open()).toMatchObject({ https: 1, http: 0 })
      expect(stage.thread.count('tlsHandshakes')).toBe(1)
      tls.destroy()
    })
  }
}

test('§10 a large upload right behind the header arrives whole', async () => {
  await using stage = await setProxyStage({ settings: { bodySize: 0 } })
  const client = await stage.connect()
  const body = 'x'.repeat(3 * 1024 * 1024)
  const sent = client.send(`${text}POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  const app = await stage.app.connection()
  expect((await app.request()).body.toString()).toBe(body)
  app.send(ok('thanks'))
  expect((await client.response()).body.toString()).toBe('thanks')
  await sent
})

const refused: [name: string, octets: string | Buffer][] = [
  ['a request without header', get('a.example')],
  ['a handshake without header', Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252])],
  ['a header that is none', 'PROXY TCP4 nobody 10.0.0.1 1 2\r\n'],
  ['a first version without end', `PROXY ${'x'.repeat(200)}`],
]
for (const port of ['httpPort', 'httpsPort', 'builderPort'] as const) {
  for (const [name, octets] of refused) {
    test(`§10 ${port}: ${name} is closed without an answer`, async () => {
      await using stage = await setProxyStage({
        builder: { upstream: 'a' as UpstreamId, connectTimeout: 1000, idleTimeout: 1000 },
      })
      await using client = await connectTo(stage.thread[port])
      client.send(octets)
      await client.ended()
      expect((await client.queue.takeAll().catch(() => Buffer.alloc(0))).length).toBe(0)
      expect(stage.thread.count('proxyProtocolErrors')).toBe(1)
      expect(stage.app.accepted).toBe(0)
    })
  }

  test(`§10 ${port}: who says nothing is closed in time, and not before`, async () => {
    await using stage = await setProxyStage({
      builder: { upstream: 'a' as UpstreamId, connectTimeout: 1000, idleTimeout: 1000 },
    })
    await using client = await connectTo(stage.thread[port])
    await client.send(text.slice(0, 20))
    await stage.thread.elapse(headerTimeout / 2)
    expect(client.queue.ended).toBe(null)
    await stage.thread.elapse(headerTimeout)
    await client.ended()
    expect(stage.thread.count('proxyProtocolErrors')).toBe(1)
  })
}

test('§10 who leaves within the header is forgotten', async () => {
  await using stage = await setProxyStage()
  for (const port of [stage.thread.httpPort, stage.thread.httpsPort]) {
    await using client = await connectTo(port)
    await client.send('PROXY TCP4 ')
    await stage.thread.settle()
    client.end()
    await client.ended()
  }
  expect(stage.thread.count('proxyProtocolErrors')).toBe(2)
})

test('§5 §10 the builder sees no header, and not the octets before it is read', async () => {
  await using stage = await setProxyStage({
    builder: { upstream: 'b' as UpstreamId, connectTimeout: 1000, idleTimeout: 5000 },
    upstreams: [],
  })
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('b', stage.app.port)], deletes: [] } })
  await using client = await connectTo(stage.thread.builderPort)
  client.send(`${text}SSH-2.0-git\r\n`)
  const builder = await stage.app.connection()
  expect((await builder.queue.take(13)).toString()).toBe('SSH-2.0-git\r\n')
  client.send('more')
  expect((await builder.queue.take(4)).toString()).toBe('more')
})

test('§10 a change counts for connections accepted afterwards; those that are open go on', async () => {
  await using stage = await setStage({ settings: { proxyRealIpCidrs: trusted } })
  stage.app.serve(request => ok(fieldValue(request, 'X-Forwarded-For') ?? ''))
  const before = await stage.connect()
  before.send(get('a.example'))
  expect((await before.response()).body.toString()).toBe('127.0.0.1')
  const set = (useProxyProtocol: boolean): void =>
    stage.thread.apply({ settings: defaultSettings({ useProxyProtocol, proxyRealIpCidrs: trusted }), routes: empty })
  set(true)
  const during = await stage.connect()
  during.send(text + get('a.example'))
  expect((await during.response()).body.toString()).toBe('203.0.113.7')
  set(false)
  const after = await stage.connect()
  for (const [client, want] of [
    [before, '127.0.0.1'],
    [during, '203.0.113.7'],
    [after, '127.0.0.1'],
  ] as const) {
    client.send(get('a.example'))
    expect((await client.response()).body.toString()).toBe(want)
  }
})

test('a drain waits for those who are about to say who they are, and for their request', async () => {
  await using stage = await setProxyStage()
  stage.app.serve(() => ok('yes'))
  const client = await stage.connect()
  await client.send(text.slice(0, 20))
  await stage.thread.settle()
  const drained = stage.thread.stop(60_000)
  client.send(text.slice(20) + get('a.example'))
  const response = await client.response()
  expect([response.status, fieldValue(response, 'connection')]).toEqual([200, 'close'])
  client.end()
  expect(await drained).toBe(0)
})

test('who leaves within the header does not hold up a drain', async () => {
  await using stage = await setProxyStage({
    builder: { upstream: 'nobody' as UpstreamId, connectTimeout: 1000, idleTimeout: 1000 },
  })
  const leaves = await stage.connect()
  await leaves.send('PROXY TCP4 ')
  const wrong = await stage.connect()
  await wrong.send('PROXY ')
  // The builder has no endpoint to connect this one to.
  await using refused = await connectTo(stage.thread.builderPort)
  await refused.send('PROXY ')
  await stage.thread.settle()
  const drained = stage.thread.stop(60_000)
  leaves.end()
  wrong.send('TCP5\r\n')
  refused.send(text.slice('PROXY '.length))
  expect(await drained).toBe(0)
  for (const client of [leaves, wrong, refused]) await client.ended()
})

test('who does not say in time is cut at the end of the drain, and counted', async () => {
  await using stage = await setProxyStage()
  const client = await stage.connect()
  await client.send('PROXY TCP4 ')
  await stage.thread.settle()
  expect(await stage.thread.stop(50)).toBe(1)
  await client.ended()
})

for (const useProxyProtocol of [false, true]) {
  test(`so is who does not end a handshake in time, ${useProxyProtocol ? 'behind a header' : 'without a header'}`, async () => {
    await using stage = await setProxyStage({ settings: { useProxyProtocol } })
    const clients: Peer[] = []
    // Nothing, half of a record, and a hello whose answer is not taken.
    const hellos = ['', '\x16\x03\x01\x02\x00\x01\x00', await helloOf()]
    for (const hello of hellos) {
      const client = await connectTo(stage.thread.httpsPort)
      await client.send((useProxyProtocol ? text : '') + hello)
      clients.push(client)
    }
    await stage.thread.settle()
    expect(await stage.thread.stop(50)).toBe(hellos.length)
    for (const client of clients) {
      await client.ended()
      await client[Symbol.asyncDispose]()
    }
  })
}

/** The first octets of a client of TLS. */
async function helloOf(): Promise<string> {
  const octets = Promise.withResolvers<Buffer>()
  const stream = new Duplex({ read() {}, write: (chunk: Buffer) => octets.resolve(chunk) })
  const tls = connectTls({ socket: stream, servername: 'a.example' })
  tls.on('error', () => {})
  const hello = await octets.promise
  tls.destroy()
  return hello.toString('latin1')
}
