import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { type AdminPages, AdminServer } from './admin.ts'
import { problemsPage, routesPage } from './admin-pages.ts'
import { Published } from './published.ts'
import { certificateOf, patchOf, routeOf, upstreamOf } from './testdata/patches.ts'

let server: AdminServer | null = null
afterEach(async () => {
  await server?.[Symbol.asyncDispose]()
  server = null
})

async function start(pages: Partial<AdminPages> = {}, idleTimeout?: number): Promise<number> {
  const published = new Published(certificateOf('self-signed'))
  published.publish(
    patchOf({
      reset: true,
      routes: [routeOf('b.example', 'b', 'default/c'), routeOf('a.example', 'a')],
      upstreams: [upstreamOf('b', 1, 2)],
      certificates: [certificateOf('default/c', Date.UTC(2031, 0))],
    }),
  )
  const object = { kind: 'Service', namespace: 'default', name: 'b' }
  server = await AdminServer.listen(
    { flag: '--admin-port', address: '127.0.0.1', number: 0 },
    {
      health: () => ({ healthy: true, text: 'ok' }),
      metrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'x 1\n' }),
      problems: () => problemsPage([{ code: 'no-port', severity: 'error', object, message: 'no port 80', since: 0 }]),
      routes: () => routesPage(published),
      config: () => ({ version: 3 }),
      ...pages,
    },
    createLogger({ level: 'fatal' }),
    idleTimeout,
  )
  return server.port
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

async function ask(port: number, path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Answer> {
  const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false })
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, headers: response.headers, body: await text(response) }
}

const pages: [path: string, status: number, type: RegExp, body: RegExp][] = [
  ['/', 200, /^text\/plain/, /\/healthz.*\/metrics.*\/problems.*\/routes.*\/config/s],
  ['/healthz', 200, /^text\/plain/, /^ok\n$/],
  ['/healthz/', 200, /^text\/plain/, /^ok\n$/],
  ['/healthz?probe=1', 200, /^text\/plain/, /^ok\n$/],
  ['/metrics', 200, /^text\/plain; version=0\.0\.4/, /^x 1\n$/],
  ['/config', 200, /^application\/json$/, /"version": 3/],
  ['/nowhere', 404, /^text\/plain/, /not found/],
  ['/healthz/x', 404, /^text\/plain/, /not found/],
  ['//healthz', 404, /^text\/plain/, /not found/],
]
for (const [path, status, type, body] of pages)
  test(`GET ${path}`, async () => {
    const answer = await ask(await start(), path)
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toMatch(type)
    expect(answer.body).toMatch(body)
  })

test('/healthz tells what it waits for', async () => {
  const port = await start({ health: () => ({ healthy: false, text: 'waiting for:\nservices' }) })
  expect(await ask(port, '/healthz')).toMatchObject({ status: 503, body: 'waiting for:\nservices\n' })
})

test('/problems', async () => {
  expect(JSON.parse((await ask(await start(), '/problems')).body)).toEqual({
    problems: [
      {
        code: 'no-port',
        severity: 'error',
        object: { kind: 'Service', namespace: 'default', name: 'b' },
        message: 'no port 80',
        since: '1970-01-01T00:00:00.000Z',
      },
    ],
  })
})

test('/routes, ordered by host, without a key', async () => {
  const { body } = await ask(await start(), '/routes')
  expect(body).not.toContain('PRIVATE')
  expect(JSON.parse(body)).toEqual({
    version: 1,
    routes: [
      {
        host: 'a.example',
        path: '/',
        app: 'a',
        upstream: 'default/a:80',
        endpoints: 0,
        policies: [],
        certificate: null,
      },
      {
        host: 'b.example',
        path: '/',
        app: 'b',
        upstream: 'default/b:80',
        endpoints: 2,
        policies: [],
        certificate: { id: 'default/c', fingerprint: 'AB:CD', expires: '2031-01-01T00:00:00.000Z' },
      },
    ],
  })
})

for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
  test(`${method} is refused`, async () => {
    const answer = await ask(await start(), '/healthz', method)
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  })

test('HEAD has the fields of GET and no body', async () => {
  const port = await start()
  const [head, get] = [await ask(port, '/routes', 'HEAD'), await ask(port, '/routes')]
  expect(head.body).toBe('')
  expect(head.headers['content-length']).toBe(get.headers['content-length'])
})

test('a page that fails is a 500 without a word about why', async () => {
  const port = await start({
    metrics: () => Promise.reject(new Error('a detail')),
  })
  expect(await ask(port, '/metrics')).toMatchObject({ status: 500, body: 'internal error\n' })
  expect((await ask(port, '/healthz')).status).toBe(200)
})

test('what is no HTTP is refused and costs nothing', async () => {
  const port = await start()
  const socket = connect(port, '127.0.0.1')
  socket.write('hello\r\n\r\n')
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /)
  expect((await ask(port, '/healthz')).status).toBe(200)
})

test('disposing ends idle connections too', async () => {
  const port = await start()
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  const closed = once(socket.resume(), 'close')
  await server![Symbol.asyncDispose]()
  await closed
  server = null
})

test('every answer ends its connection', async () => {
  const port = await start()
  for (const path of ['/healthz', '/nowhere']) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n\r\n`)
    expect(await text(socket)).toMatch(/^connection: close\r$/im)
  }
})

test('a connection that sends nothing is closed', async () => {
  const socket = connect(await start({}, 50), '127.0.0.1').on('error', () => {})
  await once(socket.resume(), 'close')
})

test('connections that are held keep nobody out: the oldest gives way', async () => {
  const port = await start()
  const held: Socket[] = []
  for (let i = 0; i < 256; i++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    held.push(socket.resume())
  }
  const closed = once(held[0]!, 'close')
  expect((await ask(port, '/healthz')).status).toBe(200)
  await closed
  expect(held.filter(socket => socket.destroyed)).toHaveLength(1)
  for (const socket of held) socket.destroy()
})

test('a port that is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const pages = {} as AdminPages
  const error: unknown = await AdminServer.listen(
    { flag: '--admin-port', address: '127.0.0.1', number: port },
    pages,
    createLogger({ level: 'fatal' }),
  ).catch(error => error)
  expect(error).toMatchObject({ exitCode: 69, message: expect.stringContaining(`port ${port} (--admin-port)`) })
  other.close()
})
