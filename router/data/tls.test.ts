// The HTTPS port (contract section 8): which certificate is shown, what is served behind it, and that octets flow over
// TLS as they do without.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { expect, test } from 'vitest'
import type { Certificate } from '#router/model/certificate.ts'
import type { RouteId } from '#router/model/route.ts'
import { get, ok } from '#test/support/app.ts'
import { certificateOf, fallbackCertificate } from '#test/support/certificates.ts'
import { routeTo, upstreamAt } from '#test/support/data-thread.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { digestOf, mebibyte, receiveLarge, sendLarge } from '#test/support/large-body.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { heldInBuffers } from '#test/support/memory.ts'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { RefusingPorts } from '#test/support/refusing-ports.ts'
import { type Stage, type StageOptions, setStage } from '#test/support/stage.ts'

failOnLeaks()

const own = fallbackCertificate()
const certificates = {
  a: certificateOf('test/a'),
  wild: certificateOf('test/wild'),
  platform: certificateOf('deis/platform'),
}

/** `a.example` and `*.wild.example` with certificates of their own, `plain.example` with none. */
function setTlsStage(options: StageOptions = {}): Promise<Stage> {
  return setStage({
    route: { certificate: certificates.a.id },
    routes: [routeTo('*.wild.example', 'a', { certificate: certificates.wild.id }), routeTo('plain.example', 'a')],
    certificates: [own, ...Object.values(certificates)],
    ...options,
  })
}

function shown(peer: Awaited<ReturnType<Stage['connectTls']>>): string {
  return peer.socket.getPeerX509Certificate()?.fingerprint256 ?? ''
}

const names: [name: string, servername: string | undefined, want: Certificate, host: string, status: number][] = [
  ['the name of a route', 'a.example', certificates.a, 'a.example', 200],
  ['in capitals', 'A.EXAMPLE', certificates.a, 'a.example', 200],
  ['a wildcard, one label deep', 'x.wild.example', certificates.wild, 'x.wild.example', 200],
  ['a wildcard, two labels deep', 'y.x.wild.example', certificates.wild, 'y.x.wild.example', 200],
  ['the suffix of a wildcard itself', 'wild.example', own, 'wild.example', 404],
  ['a name nobody has', 'nobody.example', own, 'nobody.example', 404],
  ['no name', '', own, 'a.example', 200],
  [
    'a route without a certificate: 404, though it exists on the other port',
    'plain.example',
    own,
    'plain.example',
    404,
  ],
  ['one name, and another host that has TLS', 'a.example', certificates.a, 'x.wild.example', 200],
  ['one name, and another host that has no TLS', 'a.example', certificates.a, 'plain.example', 404],
]
for (const [name, servername, want, host, status] of names) {
  test(`server name: ${name}`, async () => {
    await using stage = await setTlsStage()
    stage.app.serve(() => ok('hello'))
    const client = await stage.connectTls({ servername })
    expect(shown(client)).toBe(want.fingerprint)
    client.send(get(host))
    expect((await client.response()).status).toBe(status)
    expect(stage.thread.count('tlsHandshakes')).toBe(1)
    expect(stage.thread.open()).toMatchObject({ http: 0, https: 1 })
    expect(stage.thread.count('httpsAccepted')).toBe(1)
  })
}

test('unknown names are shown the platform certificate when there is one', async () => {
  await using stage = await setTlsStage({ settings: { platformCertificate: certificates.platform.id } })
  expect(shown(await stage.connectTls({ servername: 'nobody.example' }))).toBe(certificates.platform.fingerprint)
  expect(shown(await stage.connectTls({ servername: 'a.example' }))).toBe(certificates.a.fingerprint)
})

for (const [version, accepted] of [
  ['TLSv1', false],
  ['TLSv1.1', false],
  ['TLSv1.2', true],
  ['TLSv1.3', true],
] as const) {
  test(`${version} is ${accepted ? 'spoken' : 'refused'}`, async () => {
    await using stage = await setTlsStage()
    stage.app.serve(() => ok('hello'))
    const options: ConnectionOptions = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
    if (!accepted) {
      await expect(stage.connectTls(options)).rejects.toThrow()
      await stage.thread.settle()
      expect(stage.thread.count('tlsHandshakeErrors')).toBe(1)
      expect(stage.thread.count('httpsAccepted')).toBe(0)
      return
    }
    const client = await stage.connectTls(options)
    expect(client.socket.getProtocol()).toBe(version)
    client.send(get('a.example'))
    expect((await client.response()).body.toString()).toBe('hello')
  })
}

test('ALPN: HTTP/2 goes before HTTP/1.1, and what is not spoken is refused', async () => {
  await using stage = await setTlsStage()
  expect((await stage.connectTls({ ALPNProtocols: ['http/1.1', 'h2'] })).socket.alpnProtocol).toBe('h2')
  expect((await stage.connectTls({ ALPNProtocols: ['http/1.1'] })).socket.alpnProtocol).toBe('http/1.1')
  await expect(stage.connectTls({ ALPNProtocols: ['spdy/3'] })).rejects.toThrow()
})

test('plain HTTP on the HTTPS port gets 400', async () => {
  await using stage = await setTlsStage()
  const socket = connect(stage.thread.httpsPort, '127.0.0.1')
  let got = ''
  socket.on('data', (octets: Buffer) => {
    got += octets.toString('latin1')
  })
  socket.write(get('a.example'))
  await once(socket, 'close')
  expect(got).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
  expect(stage.thread.count('tlsHandshakeErrors')).toBe(1)
})

test('garbage and half a handshake harm nobody', async () => {
  await using stage = await setTlsStage()
  stage.app.serve(() => ok('hello'))
  const garbage = connect(stage.thread.httpsPort, '127.0.0.1')
  garbage.on('error', () => {})
  garbage.resume().write(Buffer.from([22, 3, 1, 255, 255, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
  await once(garbage, 'connect')
  await stage.thread.settle()
  garbage.destroy()
  const half = connect(stage.thread.httpsPort, '127.0.0.1')
  half.on('error', () => {})
  await once(half, 'connect')
  half.resetAndDestroy()
  const client = await stage.connectTls()
  client.send(get('a.example'))
  expect((await client.response()).status).toBe(200)
  expect(stage.thread.open()).toMatchObject({ http: 0, https: 1 })
})

test('who leaves within the handshake is gone at once', async () => {
  await using stage = await setTlsStage()
  const client = await connectTo(stage.thread.httpsPort)
  client.end()
  expect(await client.ended()).toBe('end')
  expect(stage.thread.count('tlsHandshakeErrors')).toBe(1)
})

test('the app is told of https, and keep-alive holds over many requests', async () => {
  await using stage = await setTlsStage()
  stage.app.serve(request =>
    ok(`${request.target} ${fieldValue(request, 'x-forwarded-proto')} ${fieldValue(request, 'x-forwarded-port')}`),
  )
  const client = await stage.connectTls()
  for (let i = 0; i < 5; i++) {
    client.send(get('a.example', `/${i}`, 'X-Forwarded-Proto: http'))
    expect((await client.response()).body.toString()).toBe(`/${i} https 443`)
  }
  expect(stage.thread.count('tlsHandshakes')).toBe(1)
  expect(stage.app.accepted).toBe(1)
})

test('pipelined requests, each in a record of its own and all in one segment, are all answered, in order', async () => {
  await using stage = await setTlsStage()
  stage.app.serve(request => ok(`${request.target} ${request.body.length}`))
  const client = await stage.connectTls()
  // As the handshake is over, all records leave together with the first.
  const body = 'b'.repeat(1000)
  for (let i = 0; i < 40; i++)
    client.send(`POST /${i} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\n${body}`)
  for (let i = 0; i < 40; i++) expect((await client.response()).body.toString()).toBe(`/${i} 1000`)
})

test('a body in many records of one segment reaches an endpoint that is tried after another', async () => {
  await using dead = await RefusingPorts.reserve(1)
  await using stage = await setTlsStage()
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', ...dead.all, stage.app.port)], deletes: [] } })
  stage.app.serve(request => ok(createHash('sha1').update(request.body).digest('hex')))
  const body = Buffer.from(Uint8Array.from({ length: 40_000 }, (_, i) => i % 251))
  const want = createHash('sha1').update(body).digest('hex')
  for (let i = 0; i < 4; i++) {
    const client = await stage.connectTls()
    client.socket.write(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n`)
    for (let at = 0; at < body.length; at += 1000) client.socket.write(body.subarray(at, at + 1000))
    expect((await client.response()).body.toString()).toBe(want)
    await stage.thread.elapse(5_100)
  }
  expect(stage.thread.count('upstreamConnectRefused')).toBeGreaterThan(0)
})

const size = 48 * mebibyte
const digest = digestOf(size)

test('48 MiB up and down over TLS arrive whole and in little memory', async () => {
  await using stage = await setTlsStage()
  const client = await stage.connectTls()
  client.send(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n`)
  const app = await stage.app.connection()
  await app.head()
  const [up] = await Promise.all([receiveLarge(app, size), sendLarge(client, size)])
  expect(up.digest).toBe(digest)
  expect(up.held).toBeLessThan(8 * mebibyte)
  app.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
  await client.head()
  const [down] = await Promise.all([receiveLarge(client, size), sendLarge(app, size)])
  expect(down.digest).toBe(digest)
  expect(down.held).toBeLessThan(8 * mebibyte)
})

test('a client that never reads over TLS does not fill the memory', async () => {
  await using stage = await setTlsStage()
  const client = await stage.connectTls()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  client.socket.pause()
  app.send(`HTTP/1.1 200 OK\r\nContent-Length: ${128 * mebibyte}\r\n\r\n`)
  const before = heldInBuffers()
  let sent = 0
  const chunk = Buffer.alloc(64 * 1024)
  const sending = (async () => {
    for (; sent < 128 * mebibyte && !app.socket.destroyed; sent += chunk.length) await app.send(chunk)
  })()
  await stage.thread.stalled(() => sent)
  expect(sent).toBeLessThan(48 * mebibyte)
  expect(heldInBuffers() - before).toBeLessThan(4 * mebibyte)
  client.socket.destroy()
  app.socket.destroy()
  await sending
})

test('a changed certificate shows in the next handshake; a connection that is open goes on', async () => {
  await using stage = await setTlsStage()
  stage.app.serve(() => ok('hello'))
  const before = await stage.connectTls()
  const renewed = certificateOf(certificates.a.id)
  stage.thread.apply({ certificates: { upserts: [renewed], deletes: [] } })
  const after = await stage.connectTls()
  expect([shown(before), shown(after)]).toEqual([certificates.a.fingerprint, renewed.fingerprint])
  for (const client of [before, after]) {
    client.send(get('a.example'))
    expect((await client.response()).status).toBe(200)
  }
})

test('a resumed session does not bring an old certificate back', async () => {
  await using stage = await setTlsStage()
  stage.app.serve(() => ok('hello'))
  const first = await stage.connectTls({ maxVersion: 'TLSv1.2' })
  const session = first.socket.getSession()
  stage.thread.apply({ certificates: { upserts: [certificateOf(certificates.a.id)], deletes: [] } })
  const second = await stage.connectTls({ maxVersion: 'TLSv1.2', session })
  second.send(get('a.example'))
  expect((await second.response()).status).toBe(200)
})

test('certificates that a reset does not bring are forgotten', async () => {
  await using stage = await setTlsStage()
  expect(stage.thread.count('certificates')).toBe(4)
  stage.thread.apply({
    reset: true,
    routes: { upserts: [routeTo('a.example', 'a', { certificate: certificates.a.id })], deletes: [] },
    certificates: { upserts: [own, certificates.wild], deletes: [] },
  })
  expect(stage.thread.count('certificates')).toBe(2)
  // The route names one that is gone: the fallback is shown, and the host is served.
  expect(shown(await stage.connectTls())).toBe(own.fingerprint)
})

test('the fallback may change too', async () => {
  await using stage = await setTlsStage({ settings: { platformCertificate: certificates.platform.id } })
  const renewed = certificateOf(certificates.platform.id)
  stage.thread.apply({ certificates: { upserts: [renewed], deletes: [] } })
  expect(shown(await stage.connectTls({ servername: 'nobody.example' }))).toBe(renewed.fingerprint)
  stage.thread.apply({ certificates: { upserts: [], deletes: [renewed.id] } })
  expect(shown(await stage.connectTls({ servername: 'nobody.example' }))).toBe(own.fingerprint)
})

test('in place of a certificate that TLS cannot use the default one is shown, and other names do not suffer', async () => {
  await using stage = await setTlsStage()
  const broken = { ...certificates.a, key: certificates.wild.key }
  stage.thread.apply({ certificates: { upserts: [broken], deletes: [] } })
  expect(shown(await stage.connectTls())).toBe(own.fingerprint)
  expect(shown(await stage.connectTls({ servername: 'x.wild.example' }))).toBe(certificates.wild.fingerprint)
})

test('nor does it matter as the fallback: the last good one is shown, and the rest of its patch is in force', async () => {
  await using stage = await setTlsStage({ settings: { platformCertificate: certificates.platform.id } })
  stage.app.serve(() => ok('hello'))
  const broken = { ...certificates.platform, key: certificates.wild.key }
  stage.thread.apply({
    certificates: { upserts: [broken], deletes: [] },
    routes: { upserts: [routeTo('b.example', 'a')], deletes: [] },
  })
  const client = await stage.connectTls({ servername: 'nobody.example' })
  expect(shown(client)).toBe(certificates.platform.fingerprint)
  client.send(get('a.example'))
  expect((await client.response()).status).toBe(200)
  expect(stage.thread.count('routes')).toBe(4)
})

test('a host gains and loses its TLS side with its certificate', async () => {
  await using stage = await setTlsStage()
  stage.app.serve(() => ok('hello'))
  const client = await stage.connectTls()
  for (const [id, status] of [
    [null, 404],
    [certificates.wild.id, 200],
  ] as const) {
    stage.thread.apply({ routes: { upserts: [routeTo('a.example', 'a', { certificate: id })], deletes: [] } })
    client.send(get('a.example'))
    expect((await client.response()).status).toBe(status)
  }
  stage.thread.apply({ routes: { upserts: [], deletes: ['service/test/a/a.example' as RouteId] } })
  client.send(get('a.example'))
  expect((await client.response()).status).toBe(404)
})

test('the end of the TLS connection, clean or not, ends the exchange', async () => {
  for (const leave of [(peer: Peer) => peer.end(), (peer: Peer) => peer.socket.destroy()]) {
    await using stage = await setTlsStage()
    const client = await stage.connectTls()
    client.send(get('a.example'))
    const app = await stage.app.connection()
    await app.request()
    leave(client)
    await app.ended()
    await stage.thread.opens({ https: 0, upstream: 0 })
    expect((await stage.thread.logged(1))[0]).toContain(' - 499 - ')
  }
})

test('an idle TLS connection that the client ends is closed', async () => {
  await using stage = await setTlsStage()
  stage.app.serve(() => ok('hello'))
  const client = await stage.connectTls()
  client.send(get('a.example'))
  await client.response()
  client.end()
  expect(await client.ended()).toBe('end')
  await stage.thread.opens({ https: 0 })
})

test('Connection: close ends TLS cleanly', async () => {
  await using stage = await setTlsStage()
  stage.app.serve(() => ok('hello'))
  const client = await stage.connectTls()
  client.send(get('a.example', '/', 'Connection: close'))
  expect((await client.response()).body.toString()).toBe('hello')
  expect(await client.ended()).toBe('end')
})

test('a WebSocket over TLS: octets of many records, and half-close', async () => {
  await using stage = await setTlsStage()
  const client = await stage.connectTls()
  client.send('GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  for (let i = 0; i < 20; i++) client.send(`early ${String(i).padStart(2, '0')};`)
  const app = await stage.app.connection()
  await app.request()
  await stage.thread.settle()
  app.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhi')
  await client.head()
  expect((await client.queue.take(2)).toString()).toBe('hi')
  expect((await app.queue.take(180)).toString()).toBe(
    Array.from({ length: 20 }, (_, i) => `early ${String(i).padStart(2, '0')};`).join(''),
  )
  app.socket.pause()
  const sending = sendLarge(client, size).then(() => client.end())
  // So slow a reader that the router is held up when the last records come, and the end together with them.
  while (app.queue.ended === null) {
    app.socket.resume()
    await app.queue.change()
    app.socket.pause()
    await stage.thread.settle()
  }
  expect((await receiveLarge(app, size)).digest).toBe(digest)
  await sending
  expect(await app.ended()).toBe('end')
  app.send('bye')
  app.end()
  expect((await client.queue.takeAll()).toString()).toBe('bye')
  await stage.thread.opens({ tunnels: 0, https: 0, upstream: 0 })
})
