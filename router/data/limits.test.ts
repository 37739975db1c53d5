// How many requests an app has at a time, and what becomes of the others.

import { constants } from 'node:http2'
import { describe, expect, test } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { upstreamWith } from '#test/support/data-thread.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { answerOf, Http2Client } from '#test/support/http2-client.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { Peer } from '#test/support/peer.ts'
import { type Stage, setStage } from '#test/support/stage.ts'
import { counter, type FailureCode, failureCodes } from '../model/counters.ts'
import { type Limits, standardUpstreamSettings } from '../model/upstream-settings.ts'

failOnLeaks()

function limited(limits: Partial<Limits>): { readonly limits: Limits } {
  return { limits: { ...standardUpstreamSettings.limits, ...limits } }
}

function failures(stage: Stage, code: FailureCode): number {
  return stage.thread.counters[counter.failures + failureCodes.indexOf(code)]!
}

/** A client whose request the app has and does not answer, and the app's end of it. */
async function occupy(stage: Stage, app = stage.app): Promise<{ readonly client: Peer; readonly peer: Peer }> {
  const client = await stage.connect()
  client.send(get('a.example', '/first'))
  const peer = await app.connection()
  await peer.request()
  return { client, peer }
}

/** A client whose request waits for its turn. */
async function waiting(stage: Stage, request: string): Promise<Peer> {
  const before = stage.thread.count('upstreamWaiting')
  const client = await stage.connect()
  client.send(request)
  while (stage.thread.count('upstreamWaiting') === before) await stage.thread.settle()
  return client
}

describe('a request beyond the limit', () => {
  for (const limits of [{ requests: 1 }, { endpointRequests: 1 }]) {
    test(`waits until another one is over (${JSON.stringify(limits)}), first come first served`, async () => {
      await using stage = await setStage({ upstream: limited(limits) })
      const { client, peer } = await occupy(stage)
      const second = await waiting(stage, get('a.example', '/second'))
      const third = await waiting(stage, get('a.example', '/third'))
      expect(stage.app.accepted).toBe(1)
      await peer.send(ok('1'))
      expect((await client.response()).body.toString()).toBe('1')
      for (const [next, target] of [
        [second, '/second'],
        [third, '/third'],
      ] as const) {
        expect((await peer.request()).target).toBe(target)
        await peer.send(ok(target))
        expect((await next.response()).body.toString()).toBe(target)
      }
      expect([stage.thread.count('upstreamWaits'), stage.thread.count('upstreamWaiting')]).toEqual([2, 0])
    })
  }

  test('is refused when as many wait as may: 503, worth another try', async () => {
    await using stage = await setStage({ upstream: limited({ requests: 1, queueLength: 1 }) })
    const { client, peer } = await occupy(stage)
    const second = await waiting(stage, get('a.example'))
    const third = await stage.connect()
    third.send(get('a.example'))
    const refused = await third.response()
    expect([refused.status, fieldValue(refused, 'retry-after')]).toEqual([503, '1'])
    expect(failures(stage, 'queue-full')).toBe(1)
    await peer.send(ok('1'))
    await client.response()
    await peer.request()
    await peer.send(ok('2'))
    expect((await second.response()).status).toBe(200)
    // The connection of the one that was refused goes on.
    third.send(get('a.example'))
    await peer.request()
    await peer.send(ok('3'))
    expect((await third.response()).status).toBe(200)
  })

  test('does not wait for longer than it may', async () => {
    await using stage = await setStage({ upstream: limited({ requests: 1, queueTimeout: 3000 }) })
    const { client, peer } = await occupy(stage)
    const second = await waiting(stage, get('a.example'))
    await stage.thread.elapse(2500)
    expect(stage.thread.count('upstreamWaiting')).toBe(1)
    await stage.thread.elapse(600)
    const refused = await second.response()
    expect([refused.status, fieldValue(refused, 'retry-after')]).toEqual([503, '1'])
    expect([failures(stage, 'queue-timeout'), stage.thread.count('upstreamWaiting')]).toEqual([1, 0])
    await peer.send(ok('1'))
    await client.response()
    const lines = await stage.thread.logged(2)
    // No endpoint was asked.
    expect(lines[0]).toMatch(/ - 503 - .* - - - a\.example - - - /)
  })

  test('that its client gives up is not made', async () => {
    await using stage = await setStage({ upstream: limited({ requests: 1 }) })
    const { client, peer } = await occupy(stage)
    const second = await waiting(stage, get('a.example', '/second'))
    const third = await waiting(stage, get('a.example', '/third'))
    second.reset()
    while (stage.thread.count('upstreamWaiting') !== 1) await stage.thread.settle()
    await peer.send(ok('1'))
    await client.response()
    expect((await peer.request()).target).toBe('/third')
    await peer.send(ok('3'))
    expect((await third.response()).body.toString()).toBe('3')
    expect(stage.thread.count('clientAborts')).toBe(1)
  })

  test('has its body read when it has an endpoint, all of it', async () => {
    await using stage = await setStage({ upstream: limited({ requests: 1 }) })
    const { client, peer } = await occupy(stage)
    const body = 'x'.repeat(1_000_000)
    const head = `POST /second HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n`
    const second = await waiting(stage, head + body.slice(0, 100))
    second.send(body.slice(100))
    await stage.thread.settle()
    await peer.send(ok('1'))
    await client.response()
    const request = await peer.request()
    expect([request.method, request.body.toString('latin1') === body]).toEqual(['POST', true])
    await peer.send(ok('2'))
    expect((await second.response()).status).toBe(200)
  })

  test('is told to continue when it has an endpoint, not before', async () => {
    await using stage = await setStage({ upstream: limited({ requests: 1, queueTimeout: 3000 }) })
    const { client, peer } = await occupy(stage)
    const head = 'PUT / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n'
    const second = await waiting(stage, head)
    const third = await waiting(stage, head)
    await peer.send(ok('1'))
    await client.response()
    expect((await second.response()).status).toBe(100)
    second.send('hello')
    expect((await peer.request()).body.toString()).toBe('hello')
    await stage.thread.elapse(3100)
    // Nothing before it.
    expect((await third.response()).status).toBe(503)
    await peer.send(ok('2'))
    expect((await second.response()).status).toBe(200)
  })
})

test('streams of HTTP/2 wait as well, beside each other; one that is cancelled is not made', async () => {
  const certificate = fallbackCertificate()
  const route = { certificate: certificate.id, https: true }
  const upstream = { ...limited({ requests: 1, queueTimeout: 3000 }), stickyCookie: 'lane' }
  await using stage = await setStage({ certificates: [certificate], route, upstream })
  await using client = await Http2Client.tls(stage.thread.httpsPort, 'a.example')
  const ask = (path: string): ReturnType<typeof client.request> =>
    client.request({ ':method': 'GET', ':authority': 'a.example', ':path': path })
  const waits = async (count: number): Promise<void> => {
    while (stage.thread.count('upstreamWaiting') !== count) await stage.thread.settle()
  }
  const first = answerOf(ask('/first'))
  const peer = await stage.app.connection()
  await peer.request()
  const cancelled = ask('/cancelled')
  await waits(1)
  const second = answerOf(ask('/second'))
  await waits(2)
  const third = answerOf(ask('/third'))
  await waits(3)
  cancelled.close(constants.NGHTTP2_CANCEL)
  await waits(2)
  await peer.send(ok('1'))
  expect((await first).fields['set-cookie']).toEqual([expect.stringMatching(/^lane=.*; Secure$/)])
  expect((await peer.request()).target).toBe('/second')
  await stage.thread.elapse(3100)
  expect(await third).toMatchObject({ status: 503, fields: { 'retry-after': '1' } })
  await peer.send(ok('2'))
  expect((await second).body).toBe('2')
})

test('upgraded connections are in flight until they end', async () => {
  await using stage = await setStage({ upstream: limited({ requests: 1, queueLength: 0 }) })
  const client = await stage.connect()
  client.send('GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
  const peer = await stage.app.connection()
  await peer.request()
  await peer.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
  await client.head()
  const other = await stage.connect()
  other.send(get('a.example'))
  expect((await other.response()).status).toBe(503)
  client.reset()
  await stage.thread.opens({ tunnels: 0 })
  stage.app.serve(() => ok('yes'))
  other.send(get('a.example'))
  expect((await other.response()).status).toBe(200)
})

test('a limit of each endpoint fills all of them', async () => {
  await using stage = await setStage({ apps: 2, upstream: limited({ endpointRequests: 2, queueLength: 0 }) })
  for (let i = 0; i < 4; i++) (await stage.connect()).send(get('a.example'))
  for (const app of stage.apps) {
    await app.connection()
    await app.connection()
  }
  const fifth = await stage.connect()
  fifth.send(get('a.example'))
  expect((await fifth.response()).status).toBe(503)
})

test('who waits goes to an endpoint that comes, and not to one that went', async () => {
  await using stage = await setStage({ apps: 2, upstream: limited({ endpointRequests: 1 }) })
  const [old, fresh] = stage.apps as [Stage['app'], Stage['app']]
  const settings = limited({ endpointRequests: 1 })
  const change = (...ports: number[]): void =>
    stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', settings, ...ports)], deletes: [] } })
  change(old.port)
  const { client, peer } = await occupy(stage, old)
  const second = await waiting(stage, get('a.example', '/second'))
  change(fresh.port)
  const other = await fresh.connection()
  expect((await other.request()).target).toBe('/second')
  await other.send(ok('2'))
  expect((await second.response()).body.toString()).toBe('2')
  // What was in flight at the one that went ends there.
  await peer.send(ok('1'))
  expect((await client.response()).body.toString()).toBe('1')
  expect(old.accepted).toBe(1)
})

test('who waits is told 503 at once when the last endpoint goes', async () => {
  await using stage = await setStage({ upstream: limited({ requests: 1 }) })
  const { client, peer } = await occupy(stage)
  const second = await waiting(stage, get('a.example'))
  stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', limited({ requests: 1 }))], deletes: [] } })
  const refused = await second.response()
  expect([refused.status, fieldValue(refused, 'retry-after')]).toEqual([503, undefined])
  expect(failures(stage, 'no-endpoint')).toBe(1)
  await peer.send(ok('1'))
  expect((await client.response()).status).toBe(200)
})
