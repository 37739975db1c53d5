// Connections that another server of this process accepted and hands over, where threads cannot share a port.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { expect, test } from 'vitest'
import { parseCidr } from '#router/model/cidr.ts'
import type { PortName } from '#router/model/message.ts'
import type { UpstreamId } from '#router/model/upstream.ts'
import { App, get, ok } from '#test/support/app.ts'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { routeTo, startDataThread, type TestThread, upstreamAt } from '#test/support/data-thread.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTlsTo, connectTo } from '#test/support/peer.ts'

failOnLeaks()

/** Accepts as control does, and hands every connection to the thread. */
async function accept(thread: TestThread, port: PortName): Promise<Server & AsyncDisposable> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, socket => {
    thread.message({ kind: 'socket', port, socket })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

test('the thread opens no port of its own', async () => {
  await using thread = await startDataThread({ listens: false })
  expect([thread.httpPort, thread.httpsPort]).toEqual([0, 0])
})

for (const secure of [false, true]) {
  test(`requests, large bodies and tunnels on a connection that was handed over (${secure ? 'TLS' : 'plain'})`, async () => {
    await using app = await App.start()
    const own = fallbackCertificate()
    await using thread = await startDataThread({
      listens: false,
      routes: [routeTo('a.example', 'a', { certificate: own.id })],
      upstreams: [upstreamAt('a', app.port)],
      certificates: [own],
    })
    await using server = await accept(thread, secure ? 'https' : 'http')
    const { port } = server.address() as AddressInfo
    await using client = secure ? await connectTlsTo(port, { servername: 'a.example' }) : await connectTo(port)

    // The first octets may have been there before the hand-over.
    client.send(get('a.example', '/1') + get('a.example', '/2'))
    const peer = await app.connection()
    for (const target of ['/1', '/2']) {
      expect((await peer.request()).target).toBe(target)
      peer.send(ok(target))
      expect((await client.response()).body.toString()).toBe(target)
    }
    const size = 8 * 1024 * 1024
    const upload = client.send(
      `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n${'u'.repeat(size)}`,
    )
    expect((await peer.request()).body.length).toBe(size)
    await upload
    peer.send(ok('d'.repeat(size)))
    expect((await client.response()).body.length).toBe(size)

    client.send('GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhello')
    await peer.request()
    peer.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    await client.head()
    expect((await peer.queue.take(5)).toString()).toBe('hello')
    client.end()
    expect(await peer.ended()).toBe('end')
    peer.send('goodbye')
    peer.end()
    expect((await client.queue.takeAll()).toString()).toBe('goodbye')
    await thread.opens({ http: 0, https: 0, tunnels: 0, upstream: 0 })
    expect(thread.count(secure ? 'httpsAccepted' : 'httpAccepted')).toBe(1)
    expect(await thread.logged(4)).toHaveLength(4)
  })
}

test('what is handed over after the end is closed', async () => {
  await using thread = await startDataThread({ listens: false })
  await using server = await accept(thread, 'http')
  expect(await thread.stop()).toBe(0)
  await using client = await connectTo((server.address() as AddressInfo).port)
  expect(await client.ended()).toBe('end')
})

test('§5 a connection to the builder that was handed over', async () => {
  await using app = await App.start()
  await using thread = await startDataThread({
    listens: false,
    upstreams: [upstreamAt('builder', app.port)],
    builder: { upstream: 'builder' as UpstreamId, connectTimeout: 1000, idleTimeout: 5000 },
  })
  await using server = await accept(thread, 'builder')
  await using client = await connectTo((server.address() as AddressInfo).port)
  client.send('SSH-2.0-git')
  const builder = await app.connection()
  expect((await builder.queue.take(11)).toString()).toBe('SSH-2.0-git')
  builder.send('SSH-2.0-builder')
  expect((await client.queue.take(15)).toString()).toBe('SSH-2.0-builder')
})

for (const port of ['http', 'https'] as const) {
  test(`§10 the PROXY header of a connection that was handed over (${port})`, async () => {
    await using app = await App.start()
    const own = fallbackCertificate()
    await using thread = await startDataThread({
      listens: false,
      routes: [routeTo('a.example', 'a', { certificate: own.id })],
      upstreams: [upstreamAt('a', app.port)],
      certificates: [own],
      settings: { useProxyProtocol: true, proxyRealIpCidrs: [parseCidr('127.0.0.1')!] },
    })
    app.serve(request => ok(fieldValue(request, 'X-Forwarded-For') ?? ''))
    await using server = await accept(thread, port)
    const way = { first: 'PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n' }
    const { port: number } = server.address() as AddressInfo
    await using client =
      port === 'https' ? await connectTlsTo(number, { servername: 'a.example' }, way) : await connectTo(number, way)
    client.send(get('a.example'))
    expect((await client.response()).body.toString()).toBe('203.0.113.7')
  })
}
