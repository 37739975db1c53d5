import { generateKeyPairSync } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import forge from 'node-forge'
import { afterEach, expect, test } from 'vitest'
import { TransportError } from './errors.ts'
import { FakeApi, type FakeApiOptions } from './fake.ts'
import { Transport } from './transport.ts'

const { cert, key } = selfSigned()

const disposals: (() => unknown)[] = []
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose()
})

async function start(tls: Partial<FakeApiOptions['tls']> | null = {}): Promise<FakeApi> {
  const api = await FakeApi.start(tls === null ? {} : { tls: { cert, key, ...tls } })
  disposals.push(() => api.close())
  return api
}

function transportTo(url: string, options: { pingInterval?: number; ca?: string } = {}): Transport {
  const { ca = cert, ...rest } = options
  const transport = new Transport({
    server: new URL(url),
    tls: async () => ({ ca, rejectUnauthorized: true }),
    ...rest,
  })
  disposals.push(() => transport.close())
  return transport
}

const never = new AbortController().signal
const configMaps = '/api/v1/namespaces/deis/configmaps'

function get(transport: Transport, path: string, signal: AbortSignal = never): ReturnType<Transport['send']> {
  return transport.send({ method: 'GET', path, headers: {}, body: null, signal })
}

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(body)).toString()
}

/** A watch, and what its body comes to: `ended`, or the error. */
async function watch(transport: Transport, signal?: AbortSignal): Promise<{ outcome: Promise<unknown> }> {
  const answer = await get(transport, `${configMaps}?watch=true`, signal)
  return {
    outcome: text(answer.body)
      .then(() => 'ended')
      .catch((error: unknown) => error),
  }
}

const protocols: [name: string, tls: Partial<FakeApiOptions['tls']> | null, protocol: string][] = [
  ['HTTP/2', {}, 'h2'],
  ['HTTP/1.1 over TLS, when ALPN says so', { http1Only: true }, 'h1'],
  ['plain HTTP/1.1', null, 'h1'],
]
for (const [name, tls, protocol] of protocols) {
  test(`${name}: a request with a body, and its answer`, async () => {
    const api = await start(tls)
    const transport = transportTo(api.url)
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: 'é' } })
    const headers = { 'content-type': 'application/json', 'x-many': ['1', '2'] }
    const answer = await transport.send({ method: 'POST', path: configMaps, headers, body, signal: never })
    expect(answer.status).toBe(201)
    expect(answer.header('content-type')).toBe('application/json')
    expect(JSON.parse(await text(answer.body)).data).toEqual({ x: 'é' })
    expect(api.requests[0]).toMatchObject({ method: 'POST', headers: { 'x-many': '1, 2' } })
    expect(transport.connections.protocol).toBe(protocol)
  })

  test(`${name}: aborting one watch leaves the others alone`, async () => {
    const api = await start(tls)
    const transport = transportTo(api.url)
    const stop = new AbortController()
    const doomed = await watch(transport, stop.signal)
    const kept = await watch(transport)
    await api.watchesToBe(2)
    stop.abort(new Error('enough'))
    expect(await doomed.outcome).toEqual(new Error('enough'))
    await api.watchesToBe(1)
    api.endWatches()
    expect(await kept.outcome).toBe('ended')
  })

  test(`${name}: aborting before the head of the answer rejects with the reason`, async () => {
    const api = await start(tls)
    api.delay = 60_000
    const stop = new AbortController()
    const answer = get(transportTo(api.url), '/version', stop.signal)
    const rejected = expect(answer).rejects.toThrow('enough')
    await api.requestsToBe(1)
    stop.abort(new Error('enough'))
    await rejected
  })

  test(`${name}: a server that dies ends all watches with an error`, async () => {
    const api = await start(tls)
    const transport = transportTo(api.url)
    const watches = await Promise.all(Array.from({ length: 20 }, () => watch(transport)))
    await api.watchesToBe(20)
    api.dropConnections()
    for (const { outcome } of watches) expect(await outcome).toBeInstanceOf(TransportError)
  })

  test(`${name}: closing ends what is open`, async () => {
    const api = await start(tls)
    const transport = transportTo(api.url)
    const open = await watch(transport)
    await api.watchesToBe(1)
    await transport.close()
    expect(await open.outcome).toBeInstanceOf(TransportError)
    await expect(get(transport, '/version')).rejects.toThrow('the client is closed')
  })
}

test('watches share connections, up to the number of streams that the server takes', async () => {
  const api = await start({ maxConcurrentStreams: 50 })
  const transport = transportTo(api.url)
  await Promise.all(Array.from({ length: 220 }, () => watch(transport)))
  await api.watchesToBe(220)
  expect(transport.connections.sessions).toBe(5)
  expect(api.connections).toBe(5)
})

test('however many streams the server takes, we put 100 on a connection', async () => {
  const api = await start({ maxConcurrentStreams: 10_000 })
  const transport = transportTo(api.url)
  await Promise.all(Array.from({ length: 150 }, () => watch(transport)))
  expect(transport.connections.sessions).toBe(2)
})

test('a watch that ends makes room on its connection', async () => {
  const api = await start({ maxConcurrentStreams: 1 })
  const transport = transportTo(api.url)
  for (let round = 0; round < 3; round++) {
    const open = await watch(transport)
    await api.watchesToBe(1)
    api.endWatches()
    expect(await open.outcome).toBe('ended')
    await api.watchesToBe(0)
  }
  expect(transport.connections.sessions).toBe(1)
})

test('watches whose readers pause do not keep the connection from others', async () => {
  const api = await start()
  const transport = transportTo(api.url)
  const paused = await Promise.all(Array.from({ length: 99 }, () => get(transport, `${configMaps}?watch=true`)))
  await api.watchesToBe(99)
  // More than a stream's window for each of them.
  api.write(Buffer.alloc(300_000, ' '))
  const answer = await get(transport, '/version')
  expect(await text(answer.body)).toContain('gitVersion')
  expect(transport.connections.sessions).toBe(1)
  expect(paused).toHaveLength(99)
})

test('after retire() requests go over a new connection, and watches stay on the old', async () => {
  const api = await start()
  const transport = transportTo(api.url)
  const old = await watch(transport)
  await api.watchesToBe(1)
  transport.retire()
  await text((await get(transport, '/version')).body)
  expect(api.connections).toBe(2)
  api.endWatches()
  expect(await old.outcome).toBe('ended')
})

test('a peer that vanished without a word is noticed by the PING that it does not answer', async () => {
  const api = await start()
  const line = await Line.to(api)
  const transport = transportTo(line.url, { pingInterval: 20 })
  const watches = await Promise.all(Array.from({ length: 3 }, () => watch(transport)))
  line.cut()
  for (const { outcome } of watches) {
    expect(await outcome).toEqual(expect.objectContaining({ message: 'the API server no longer answers' }))
  }
  line.mend()
  expect((await get(transport, '/version')).status).toBe(200)
})

test('a server that asks us to leave gets no new requests there, and watches leave it soon', async () => {
  const api = await start()
  const transport = transportTo(api.url, { pingInterval: 20 })
  const { outcome } = await watch(transport)
  await api.watchesToBe(1)
  api.askToLeave()
  expect(await outcome).toEqual(new TransportError('the API server ended the connection'))
  expect((await get(transport, '/version')).status).toBe(200)
})

test('a connection that nobody uses is closed', async () => {
  const api = await start()
  const transport = transportTo(api.url, { pingInterval: 20 })
  await text((await get(transport, '/version')).body)
  await expect.poll(() => transport.connections.sessions, { timeout: 10_000 }).toBe(0)
})

test('a server of an unknown authority is refused, in words', async () => {
  const api = await start()
  const other = transportTo(api.url, { ca: selfSigned().cert })
  await expect(get(other, '/version')).rejects.toThrow(/^cannot connect to 127\.0\.0\.1:\d+: self-signed certificate/)
})

test('a port where nobody listens is an error that says so, and safe to repeat', async () => {
  const api = await start()
  await api.close()
  disposals.shift()
  const error: unknown = await get(transportTo(api.url), '/version').catch(reason => reason)
  expect(error).toBeInstanceOf(TransportError)
  expect(error).toMatchObject({ unprocessed: true, message: expect.stringContaining('ECONNREFUSED') })
})

/** A line to the server that can be cut, so that bytes get lost while both ends believe in it. */
class Line {
  readonly url: string
  #isCut = false

  private constructor(url: string) {
    this.url = url
  }

  static async to(api: FakeApi): Promise<Line> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const sockets = new Set<Socket>()
    const server = createServer(near => {
      const far = connect(Number(new URL(api.url).port), '127.0.0.1')
      // As on a real line, what was lost once stays lost: a mended line is one for new connections.
      let lost = false
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from)
        from.on('data', bytes => {
          lost ||= line.#isCut
          if (!lost) to.write(bytes)
        })
        from.on('error', () => {})
        from.once('close', () => to.destroy())
      }
    }).listen(0, '127.0.0.1', resolve)
    await promise
    const line = new Line(`https://127.0.0.1:${(server.address() as AddressInfo).port}`)
    disposals.push(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    return line
  }

  cut(): void {
    this.#isCut = true
  }

  mend(): void {
    this.#isCut = false
  }
}

function selfSigned(): { cert: string; key: string } {
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const { pki } = forge
  const certificate = pki.createCertificate()
  certificate.publicKey = pki.publicKeyFromPem(pair.publicKey)
  certificate.serialNumber = '01'
  certificate.validity.notBefore = new Date(Date.now() - 3_600_000)
  certificate.validity.notAfter = new Date(Date.now() + 86_400_000)
  const name = [{ name: 'commonName', value: 'fake' }]
  certificate.setSubject(name)
  certificate.setIssuer(name)
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true },
    { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
  ])
  certificate.sign(pki.privateKeyFromPem(pair.privateKey), forge.md.sha256.create())
  return { cert: pki.certificateToPem(certificate), key: pair.privateKey }
}
