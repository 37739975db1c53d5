// What answers when no route does: the default service, or the default virtual host (contract section 9).

import { expect, test } from 'vitest'
import type { Hostname } from '#router/model/hostname.ts'
import type { RouteId } from '#router/model/route.ts'
import { get, ok } from '#test/support/app.ts'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { routeTo } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

const fallback = routeTo('x', 'a', {
  id: 'default-service' as RouteId,
  app: 'fallback',
  host: { kind: 'default' },
  serverName: '_',
  https: true,
})

test('unknown hosts go to the default service, their health does not', async () => {
  await using stage = await setStage({ routes: [fallback], settings: { requestIds: true } })
  stage.app.serve(request =>
    ok(`${request.line} ${fieldValue(request, 'host')} ${fieldValue(request, 'x-request-id')}`),
  )
  const client = await stage.connect()
  client.send(get('Unknown.example:80', '/x'))
  const response = await client.response()
  expect(response.body.toString()).toBe('GET /x HTTP/1.1 unknown.example undefined')
  expect(fieldValues(response, 'x-request-id')).toEqual([])
  for (const path of ['/healthz', '/healthz/']) {
    client.send(get('unknown.example', path))
    const health = await client.response()
    expect([health.status, fieldValue(health, 'content-type'), health.body.length]).toEqual([200, 'text/plain', 0])
  }
  client.send('GET / HTTP/1.0\r\n\r\n')
  expect((await client.response()).status).toBe(200)
  expect((await stage.thread.logged(2))[0]).toMatch(
    / - fallback - .* - "_" - 127\.0\.0\.1:\d+ - Unknown\.example:80 - /,
  )
})

test('§9 /healthz of a host that some route has is not the router’s, whether or not a route has the path', async () => {
  await using stage = await setStage({
    routes: [routeTo('b.example', 'a', { path: { kind: 'prefix', path: '/api' } })],
  })
  const client = await stage.connect()
  client.send(get('b.example', '/healthz'))
  expect((await client.response()).status).toBe(404)
  stage.thread.apply({ routes: { upserts: [fallback], deletes: [] } })
  stage.app.serve(() => ok('the default'))
  client.send(get('b.example', '/healthz'))
  expect((await client.response()).body.toString()).toBe('the default')
})

test('the /healthz of load balancers stays with the router when a rule without a host takes all else', async () => {
  await using stage = await setStage({
    routes: [routeTo('any', 'gone', { id: 'any' as RouteId, host: { kind: 'any' } })],
  })
  const client = await stage.connect()
  for (const [path, status] of [
    ['/healthz', 200],
    ['/healthz/', 200],
    ['/', 503],
    ['/healthz/x', 503],
  ] as const) {
    client.send(get('unknown.example', path))
    expect((await client.response()).status, path).toBe(status)
  }
})

test('I-H5 a host none of whose paths match goes to the default, not to a less specific host', async () => {
  await using stage = await setStage({
    apps: 2,
    routes: [
      routeTo('b.example', 'a', { path: { kind: 'prefix', path: '/only' } }),
      routeTo('any', 'a', { id: 'any' as RouteId, host: { kind: 'any' } }),
      routeTo('*.example', 'a', { host: { kind: 'wildcard', suffix: 'example' as Hostname, depth: 'any' } }),
    ],
  })
  const client = await stage.connect()
  client.send(get('b.example', '/other'))
  expect((await client.response()).status).toBe(404)
  stage.thread.apply({ routes: { upserts: [fallback], deletes: [] } })
  for (const app of stage.apps) app.serve(() => ok('default'))
  client.send(get('b.example', '/other'))
  expect((await client.response()).body.toString()).toBe('default')
  expect((await stage.thread.logged(2))[1]).toContain(' - fallback - ')
  stage.thread.apply({ routes: { upserts: [], deletes: [fallback.id] } })
  client.send(get('b.example', '/other'))
  expect((await client.response()).status).toBe(404)
})

test('on the HTTPS port with the default certificate', async () => {
  await using stage = await setStage({ routes: [fallback], certificates: [fallbackCertificate()] })
  stage.app.serve(request => ok(fieldValue(request, 'x-forwarded-proto') ?? ''))
  const client = await stage.connectTls({ servername: 'unknown.example' })
  client.send(get('unknown.example'))
  expect((await client.response()).body.toString()).toBe('https')
})
