// What the router answers itself, and in which order (contract sections 7 to 9).

import { expect, test } from 'vitest'
import type { Policy, Route, RouteId } from '#router/model/route.ts'
import { get, ok } from '#test/support/app.ts'
import { routeTo, upstreamAt } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { RefusingPorts } from '#test/support/refusing-ports.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

const maintenance: Policy = { kind: 'maintenance' }
const enforce: Policy = { kind: 'enforce-https', exceptChallenges: false }
const none = upstreamAt('none')

for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS']) {
  test(`maintenance page, octet for octet, for ${method} of any path (section 9)`, async () => {
    await using stage = await setStage({
      routes: [routeTo('down.example', 'none', {}, [enforce, maintenance])],
      upstreams: [none],
      settings: { requestIds: true },
    })
    const client = await stage.connect()
    for (const target of ['/', '/any/path?query']) {
      client.send(`${method} ${target} HTTP/1.1\r\nHost: down.example\r\nContent-Length: 0\r\n\r\n`)
      const response = await client.response(method)
      expect(response.status).toBe(503)
      expect(fieldValue(response, 'content-type')).toBe('text/html')
      expect(fieldValue(response, 'content-length')).toBe('48')
      expect(response.body.toString()).toBe(
        method === 'HEAD' ? '' : '<!DOCTYPE html>\n<title>Site Maintenance</title>\n',
      )
      expect(fieldValues(response, 'x-request-id')).toEqual([])
    }
    expect((await stage.thread.logged(2))[0]).toMatch(
      / - test\/none - .* - 503 - .*"down\.example" - - - down\.example - - - /,
    )
  })
}

test('no endpoint: 503, before the redirect', async () => {
  await using stage = await setStage({
    routes: [routeTo('b.example', 'none', {}, [enforce]), routeTo('c.example', 'unheard-of')],
    upstreams: [none],
  })
  const client = await stage.connect()
  for (const host of ['b.example', 'c.example']) {
    client.send(get(host))
    const response = await client.response()
    expect([response.status, fieldValue(response, 'location')]).toEqual([503, undefined])
  }
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('none', stage.app.port)], deletes: [] } })
  client.send(get('b.example'))
  expect((await client.response()).status).toBe(301)
})

const redirects: [forwardedProto: string | null, location: string | null, seen: string][] = [
  [null, 'https://b.example/p%2F//../q?x=1&y', 'http'],
  ['http', 'https://b.example/p%2F//../q?x=1&y', 'http'],
  ['HTTPS', 'https://b.example/p%2F//../q?x=1&y', 'http'],
  ['foo', 'https://b.example/p%2F//../q?x=1&y', 'http'],
  ['https, http', 'https://b.example/p%2F//../q?x=1&y', 'http'],
  ['https', null, 'https'],
  ['http,https', null, 'https'],
  ['https,http , https', null, 'https'],
  ['ws', 'wss://b.example/p%2F//../q?x=1&y', 'ws'],
  ['wss', null, 'wss'],
]
for (const [proto, location, seen] of redirects) {
  test(`X-Forwarded-Proto ${proto ?? 'absent'}: ${location === null ? 'proxied' : location.slice(0, 5)}, and ${seen} for the app (section 8)`, async () => {
    await using stage = await setStage({ routes: [routeTo('b.example', 'a', {}, [enforce])] })
    stage.app.serve(request => ok(fieldValue(request, 'x-forwarded-proto') ?? ''))
    const client = await stage.connect()
    const fields = proto === null ? [] : [`X-Forwarded-Proto: ${proto}`]
    for (const method of ['GET', 'POST']) {
      client.send(get('B.Example:8080', '/p%2F//../q?x=1&y', ...fields, 'Content-Length: 0').replace('GET', method))
      const response = await client.response()
      expect(response.status).toBe(location === null ? 200 : 301)
      expect(fieldValue(response, 'location')).toBe(location ?? undefined)
      if (location === null) expect(response.body.toString()).toBe(seen)
      else expect(fieldValue(response, 'content-type')).toBe('text/html')
    }
    client.send(get('a.example', '/', ...fields))
    expect((await client.response()).body.toString()).toBe(seen)
  })
}

test('a redirect of an absolute target leads to its path', async () => {
  await using stage = await setStage({ routes: [routeTo('b.example', 'a', {}, [enforce])] })
  const client = await stage.connect()
  for (const [target, location] of [
    ['http://b.example', 'https://b.example/'],
    ['http://b.example?q', 'https://b.example/?q'],
    ['http://b.example:80/x', 'https://b.example/x'],
  ] as const) {
    client.send(get('b.example', target))
    expect(fieldValue(await client.response(), 'location')).toBe(location)
  }
})

test('request ids are on answers of an app host that the router gives itself, and the app is given the same (sections 11 and 12)', async () => {
  await using stage = await setStage({
    routes: [routeTo('b.example', 'a', {}, [enforce]), routeTo('c.example', 'none')],
    upstreams: [none],
    settings: { requestIds: true },
  })
  stage.app.serve(request =>
    ok(`${fieldValue(request, 'x-request-id')} ${fieldValue(request, 'x-correlation-id')}`, 'X-Request-Id: of-the-app'),
  )
  const client = await stage.connect()
  const seen = new Set<string>()
  for (const [host, status] of [
    ['a.example', 200],
    ['b.example', 301],
    ['c.example', 503],
  ] as const) {
    for (const correlation of [undefined, 'mine']) {
      client.send(
        get(
          host,
          '/',
          'X-Request-Id: forged',
          ...(correlation === undefined ? [] : [`X-Correlation-Id: ${correlation}`]),
        ),
      )
      const response = await client.response()
      const id = fieldValue(response, 'x-request-id') ?? ''
      expect(response.status).toBe(status)
      expect(id).toMatch(/^[0-9a-f]{32}$/)
      expect(fieldValue(response, 'x-correlation-id')).toBe(correlation === undefined ? id : `mine,${id}`)
      if (status === 200)
        expect(response.body.toString()).toBe(`${id} ${correlation === undefined ? id : `mine,${id}`}`)
      seen.add(id)
    }
  }
  expect(seen.size).toBe(6)
  await using dead = await RefusingPorts.reserve(1)
  stage.thread.apply({ upstreams: { upserts: [upstreamAt('a', ...dead.all)], deletes: [] } })
  client.send(get('a.example'))
  const failed = await client.response()
  expect([failed.status, fieldValue(failed, 'x-request-id')?.length]).toEqual([502, 32])
  client.send(get('nobody.example'))
  expect(fieldValue(await client.response(), 'x-request-id')).toBe(undefined)
})

test('the default virtual host: /healthz is 200 and not logged, all else is 404 (section 9)', async () => {
  await using stage = await setStage()
  stage.app.serve(request => ok(`app ${request.target}`))
  const client = await stage.connect()
  for (const host of [
    'nobody.example',
    '10.0.0.1',
    '[::1]:8080',
    'a.example.com',
    'xa.example',
    'x.a.example',
    'a',
    '',
  ]) {
    for (const [target, status] of [
      ['/healthz', 200],
      ['/healthz/', 200],
      ['/healthz?x', 200],
      ['/healthz/x', 404],
      ['/healthzz', 404],
      ['/', 404],
    ] as const) {
      client.send(get(host, target))
      const response = await client.response()
      expect([host, target, response.status]).toEqual([host, target, status])
      if (status === 200)
        expect([response.body.length, fieldValue(response, 'content-type')]).toEqual([0, 'text/plain'])
    }
  }
  client.send('GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  expect((await client.response()).status).toBe(200)
  client.send(get('a.example', '/healthz'))
  expect((await client.response()).body.toString()).toBe('app /healthz')
  client.send('OPTIONS * HTTP/1.1\r\nHost: nobody.example\r\n\r\n')
  expect((await client.response()).status).toBe(404)
  const lines = await stage.thread.logged(26)
  expect(lines).toHaveLength(26)
  expect(lines[0]).toMatch(
    / - router-default-vhost - 127\.0\.0\.1 - - - 404 - "GET \/healthz\/x HTTP\/1\.1" - \d+ - "-" - "-" - "_" - - - nobody\.example - - - \d\.\d{3}$/,
  )
  expect(lines.filter(line => line.includes('healthz HTTP')).length).toBe(1)
})

const hosts: [host: string, want: string | null][] = [
  ['a.example', 'exact'],
  ['A.EXAMPLE.', 'exact'],
  ['x.a.example', null],
  ['www.shop.example', 'exact www'],
  ['x.shop.example', 'shop wildcard'],
  ['y.x.shop.example', 'shop wildcard'],
  ['z.deep.shop.example', 'deep wildcard'],
  ['shop.example', null],
  ['blog.nip.example', 'label'],
  ['blog.10.0.0.1.nip.io', 'label'],
  ['blog', null],
  ['blogs.example', null],
  ['blog.shop.example', 'shop wildcard'],
]
for (const [host, want] of hosts) {
  test(`host ${host} goes to ${want ?? 'nobody'} (section 7)`, async () => {
    await using stage = await setStage({
      routes: [
        routeTo('www.shop.example', 'a', { app: 'exact www' }),
        routeTo('*.shop.example', 'a', { app: 'shop wildcard' }),
        routeTo('*.deep.shop.example', 'a', { app: 'deep wildcard' }),
        routeTo('blog', 'a', { app: 'label' }),
      ],
      route: { app: 'exact' },
    })
    stage.app.serve(() => ok('yes'))
    const client = await stage.connect()
    client.send(get(host))
    expect((await client.response()).status).toBe(want === null ? 404 : 200)
    expect((await stage.thread.logged(1))[0]?.split(' - ')[1]).toBe(want ?? 'router-default-vhost')
  })
}

const paths: [target: string, want: string][] = [
  ['/', 'root'],
  ['/api', 'api'],
  ['/api?x=/other', 'api'],
  ['/api/v1', 'api'],
  ['/apiary', 'root'],
  ['/api/v2/x', 'v2'],
  ['/exact', 'exact'],
  ['/exact/more', 'root'],
  ['http://b.example/api/x', 'api'],
]
test('paths of one host go to the longest that matches, whole segments only', async () => {
  const at = (app: string, path: Route['path']): Route =>
    routeTo('b.example', 'a', { app, path, id: `test/${app}` as RouteId })
  await using stage = await setStage({
    routes: [
      at('api', { kind: 'prefix', path: '/api' }),
      at('root', { kind: 'prefix', path: '/' }),
      at('v2', { kind: 'prefix', path: '/api/v2/' }),
      at('exact', { kind: 'exact', path: '/exact' }),
    ],
  })
  stage.app.serve(() => ok('yes'))
  const client = await stage.connect()
  for (const [target] of paths) {
    client.send(get('b.example', target))
    expect((await client.response()).status).toBe(200)
  }
  const lines = await stage.thread.logged(paths.length)
  expect(lines.map(line => line.split(' - ')[1])).toEqual(paths.map(([, want]) => want))
})

test('a route for any host takes what no other takes', async () => {
  await using stage = await setStage({ routes: [routeTo('x.example', 'a', { host: { kind: 'any' }, app: 'any' })] })
  stage.app.serve(() => ok('yes'))
  const client = await stage.connect()
  for (const request of [
    get('whatever.example', '/healthz'),
    'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    get(''),
  ]) {
    client.send(request)
    expect((await client.response()).status).toBe(200)
  }
})
