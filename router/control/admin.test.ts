import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { parseCidr } from '../model/cidr.ts'
import type { Hostname } from '../model/hostname.ts'
import type { HostMatch, PathMatch, Policy, Route } from '../model/route.ts'
import { type AdminPages, AdminServer, isLoopback } from './admin.ts'
import { problemsPage, routesPage } from './admin-pages.ts'
import { Published } from './published.ts'
import { certificateOf, patchOf, routeOf, upstreamOf } from './testdata/patches.ts'

let server: AdminServer | null = null
afterEach(async () => {
  await server?.[Symbol.asyncDispose]()
  server = null
})

async function start(pages: Partial<AdminPages> = {}, idleTimeout?: number, address = '127.0.0.1'): Promise<number> {
  const published = new Published(certificateOf('self-signed'))
  published.publish(
    patchOf({
      reset: true,
      routes: [
        { ...routeOf('b.example', 'b', 'default/c'), https: true },
        { ...routeOf('a.example', 'a'), https: false },
      ],
      upstreams: [upstreamOf('b', 1, 2)],
      certificates: [certificateOf('default/c', Date.UTC(2031, 0))],
    }),
  )
  const object = { kind: 'Service', namespace: 'default', name: 'b' }
  server = await AdminServer.listen(
    { flag: '--admin-port', address, number: 0 },
    {
      health: () => ({ healthy: true, text: 'ok' }),
      metrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'x 1\n' }),
      problems: () => problemsPage([{ code: 'no-port', severity: 'error', object, message: 'no port 80', since: 0 }]),
      routes: () => routesPage(published),
      config: () => ({ version: 3 }),
      explain: query => (query.get('url') === 'http://a.example/' ? { url: query.get('url') } : null),
      status: query => ({ asked: query.toString() }),
      statusPage: query => ({ body: `<p>${query.get('search')}</p>`, headers: { 'content-security-policy': 'x' } }),
      stats: () => ({ apps: {} }),
      connections: () => 'Active connections: 0 \n',
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
  ['/explain?url=http://a.example/', 200, /^application\/json$/, /"url": "http:\/\/a\.example\/"/],
  ['/explain?url=ftp:a', 400, /^text\/plain/, /\?url=URL/],
  ['/explain', 400, /^text\/plain/, /\?url=URL/],
  ['/status?app=a&search=x%26y', 200, /^application\/json$/, /"asked": "app=a&search=x%26y"/],
  ['/healthz', 200, /^text\/plain/, /^ok\n$/],
  ['/healthz/', 200, /^text\/plain/, /^ok\n$/],
  ['/healthz?probe=1', 200, /^text\/plain/, /^ok\n$/],
  ['/metrics', 200, /^text\/plain; version=0\.0\.4/, /^x 1\n$/],
  ['/config', 200, /^application\/json$/, /"version": 3/],
  ['/stats', 200, /^application\/json$/, /"apps": \{\}/],
  ['/stats/', 200, /^application\/json$/, /"apps": \{\}/],
  ['/stats?x', 200, /^application\/json$/, /"apps": \{\}/],
  ['/nginx_status', 200, /^text\/plain/, /^Active connections: 0 \n$/],
  ['/nginx_status/', 200, /^text\/plain/, /^Active connections/],
  ['/nginx_statusx/y', 200, /^text\/plain/, /^Active connections/],
  ['/statsx', 404, /^text\/plain/, /not found/],
  ['/stats/x', 404, /^text\/plain/, /not found/],
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

// A web site that gives its own name this machine's address could read everything here in the browser of who runs the platform.
const names: readonly (readonly [host: string, status: number])[] = [
  ['127.0.0.1:9090', 200],
  ['127.0.0.1', 200],
  ['[::1]:9090', 200],
  ['localhost:9090', 200],
  ['router.LOCALHOST.', 200],
  ['', 200],
  // Contract section 14: whoever probes may say anything that is no web site.
  ['x', 200],
  ['rebound.example:9090', 421],
  ['127.0.0.1.example', 421],
  ['localhost.example', 421],
  ['localhost.x.example', 421],
]
for (const [host, status] of names)
  test(`on this machine only, asked as ${host}`, async () => {
    const { status: got, body } = await ask(await start(), '/routes', 'GET', { host })
    expect(got).toBe(status)
    if (status === 421) expect(body).toBe('ask by the address, or as localhost\n')
  })

test('who listens for others too has the name of a Service', async () => {
  const port = await start({}, undefined, '0.0.0.0')
  expect(await ask(port, '/routes', 'GET', { host: 'deis-router-admin:9090' })).toMatchObject({ status: 200 })
})

const accepts: readonly (readonly [accept: string, type: RegExp])[] = [
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', /^text\/html/],
  ['TEXT/HTML', /^text\/html/],
  ['*/*', /^text\/plain/],
  ['application/json', /^text\/plain/],
  ['text/html5', /^text\/plain/],
]
for (const [accept, type] of accepts)
  test(`/ for who accepts ${accept}`, async () => {
    const { headers, body } = await ask(await start(), '/?search=a', 'GET', { accept })
    expect(headers['content-type']).toMatch(type)
    expect(headers.vary).toBe('accept')
    if (type.test('text/html')) expect([body, headers['content-security-policy']]).toEqual(['<p>a</p>', 'x'])
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
        id: 'service/default/a/a.example',
        host: 'a.example',
        path: '/',
        app: 'a',
        upstream: 'default/a:80',
        endpoints: 0,
        addresses: [],
        policies: [],
        https: false,
        certificate: null,
      },
      {
        id: 'service/default/b/b.example',
        host: 'b.example',
        path: '/',
        app: 'b',
        upstream: 'default/b:80',
        endpoints: 2,
        addresses: ['127.0.0.1:1', '127.0.0.1:2'],
        policies: [],
        https: true,
        certificate: { id: 'default/c', fingerprint: 'AB:CD', expires: '2031-01-01T00:00:00.000Z' },
      },
    ],
  })
})

const loopback: [address: string | undefined, want: boolean][] = [
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::ffff:127.0.0.1', true],
  ['::1', true],
  ['10.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['128.0.0.1', false],
  ['2001:db8::127.0.0.1', false],
  ['127.0.0.1.example', false],
  ['', false],
  [undefined, false],
]
for (const [address, want] of loopback)
  test(`${address} is ${want ? '' : 'not '}this machine`, () => expect(isLoopback(address)).toBe(want))

/** From now on the peers of this process's servers seem to have that address. */
function acceptFrom(address: string): Disposable {
  const pretend = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket }
    Object.defineProperty(socket, 'remoteAddress', { value: address })
  }
  subscribe('net.server.socket', pretend)
  return { [Symbol.dispose]: () => void unsubscribe('net.server.socket', pretend) }
}

const claims = ['X-Forwarded-For', 'X-Real-IP', 'Forwarded']
for (const path of ['/stats', '/stats/', '/nginx_status', '/nginx_status/x']) {
  test(`${path} is refused to others, whatever they say of themselves`, async () => {
    const port = await start()
    using _ = acceptFrom('192.0.2.1')
    for (const header of [...claims, 'X-Any'])
      for (const method of ['GET', 'HEAD'])
        expect((await ask(port, path, method, { [header]: '127.0.0.1' })).status).toBe(403)
    expect((await ask(port, '/healthz')).status).toBe(200)
  })

  test(`${path} goes by the socket, not by what a header says`, async () => {
    const port = await start()
    for (const header of claims) expect((await ask(port, path, 'GET', { [header]: '192.0.2.1' })).status).toBe(200)
  })
}

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

describe('/routes shows what there is of every kind', () => {
  const published = new Published(certificateOf('self-signed'))
  const hosts: [host: HostMatch, want: object][] = [
    [{ kind: 'exact', host: 'a.example' as Hostname }, { host: 'a.example' }],
    [
      { kind: 'wildcard', suffix: 'b.example' as Hostname, depth: 'any' },
      { host: '*.b.example', depth: 'any' },
    ],
    [
      { kind: 'wildcard', suffix: 'b.example' as Hostname, depth: 'one' },
      { host: '*.b.example', depth: 'one' },
    ],
    [{ kind: 'label', label: 'foo' as Hostname }, { host: 'foo.*' }],
    [{ kind: 'regex', expression: 'foo-[0-9]+' }, { host: '~foo-[0-9]+.*' }],
    [{ kind: 'any' }, { host: '*' }],
    [{ kind: 'default' }, { host: 'default' }],
  ]
  const paths: [path: PathMatch, want: string][] = [
    [{ kind: 'exact', path: '/x' }, '= /x'],
    [{ kind: 'prefix', path: '/x' }, '/x'],
    [{ kind: 'text-prefix', path: '/x' }, '/x*'],
  ]
  const blocks = Array.from({ length: 20 }, (_, i) => parseCidr(`10.${i}.0.0/16`)!)
  const policies: [policy: Policy, want: object][] = [
    [{ kind: 'maintenance' }, { kind: 'maintenance' }],
    [
      { kind: 'enforce-https', exceptChallenges: true },
      { kind: 'enforce-https', exceptChallenges: true },
    ],
    [
      { kind: 'allow-list', blocks: blocks.slice(0, 2) },
      { kind: 'allow-list', blocks: 2, shown: ['10.0.0.0/16', '10.1.0.0/16'] },
    ],
    [
      { kind: 'allow-list', blocks },
      { kind: 'allow-list', blocks: 20, shown: blocks.slice(0, 16).map(({ address }) => `${address}/16`) },
    ],
  ]
  const shown = (parts: Partial<Route>): unknown => {
    published.publish(patchOf({ reset: true, routes: [{ ...routeOf('a.example', 'a'), ...parts }] }))
    return (routesPage(published) as { readonly routes: readonly unknown[] }).routes[0]
  }
  for (const [host, want] of hosts)
    test(`host ${JSON.stringify(want)}`, () => expect(shown({ host })).toMatchObject(want))
  for (const [path, want] of paths) test(`path ${want}`, () => expect(shown({ path })).toMatchObject({ path: want }))
  for (const [policy, want] of policies)
    test(`policy ${JSON.stringify(want).slice(0, 80)}`, () =>
      expect(shown({ policies: [policy] })).toMatchObject({ policies: [want] }))

  test('addresses, as many as fit', () => {
    const endpoints = Array.from({ length: 20 }, (_, i) => ({ address: i === 1 ? 'fd00::1' : `10.0.0.${i}`, port: 80 }))
    const upstream = { ...upstreamOf('a'), endpoints }
    published.publish(patchOf({ reset: true, routes: [routeOf('a.example', 'a')], upstreams: [upstream] }))
    const { routes } = routesPage(published) as {
      readonly routes: readonly { readonly endpoints: number; readonly addresses: readonly string[] }[]
    }
    expect(routes[0]?.endpoints).toBe(20)
    expect(routes[0]?.addresses).toHaveLength(16)
    expect(routes[0]?.addresses.slice(0, 2)).toEqual(['10.0.0.0:80', '[fd00::1]:80'])
  })
})
