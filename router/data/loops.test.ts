// Routes that lead back to the router: without an end one request would become as many as there are connections.

import { describe, expect, test } from 'vitest'
import type { RouterSettings } from '#router/model/settings.ts'
import type { UpstreamSettings } from '#router/model/upstream-settings.ts'
import { get, ok } from '#test/support/app.ts'
import { defaultSettings, empty, type TestThread, upstreamWith } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { Response } from '#test/support/peer.ts'
import { type Stage, setStage } from '#test/support/stage.ts'
import { counter, failureCodes } from '../model/counters.ts'
import { marksIn } from './hop-mark.ts'

failOnLeaks()

/** A router whose route leads to itself. */
async function looped(
  settings: Partial<RouterSettings> = {},
  upstream: Partial<UpstreamSettings> = {},
): Promise<Stage> {
  const stage = await setStage({ settings, apps: 0 })
  lead(stage.thread, stage.thread.httpPort, upstream)
  return stage
}

function lead(thread: TestThread, port: number, upstream: Partial<UpstreamSettings> = {}): void {
  thread.apply({ upstreams: { ...empty, upserts: [upstreamWith('a', upstream, port)] } })
}

async function ask(stage: Stage, octets = get('a.example')): Promise<Response> {
  const client = await stage.connect()
  void client.send(octets)
  return client.response()
}

const loops = ({ counters }: TestThread) => counters[counter.failures + failureCodes.indexOf('loop')]!

describe('an endpoint that is the router itself: 508 after five rounds', () => {
  const rows: readonly (readonly [
    name: string,
    octets: string,
    settings: Partial<RouterSettings>,
    upstream: Partial<UpstreamSettings>,
  ])[] = [
    ['GET', get('a.example'), {}, {}],
    ['behind a proxy that says who the client is', get('a.example', '/', 'X-Forwarded-For: 192.0.2.1'), {}, {}],
    ['POST', 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi', {}, {}],
    ['a WebSocket', get('a.example', '/', 'Connection: upgrade', 'Upgrade: websocket'), {}, {}],
    ['a client that would have the mark taken away', get('a.example', '/', 'Connection: CDN-Loop'), {}, {}],
    ['over HTTP/2', get('a.example'), { http2Cleartext: true }, { protocol: 'h2c' }],
  ]
  for (const [name, octets, settings, upstream] of rows)
    test(name, async () => {
      await using stage = await looped(settings, upstream)
      const response = await ask(stage, octets)
      expect([response.status, fieldValue(response, 'cache-control')]).toEqual([508, 'no-store'])
      expect(response.body.toString()).toContain('passed through a router too often')
      expect(loops(stage.thread)).toBe(1)
      const lines = await stage.thread.logged(6)
      expect(lines.filter(line => line.includes(' - 508 - '))).toHaveLength(6)
      expect(stage.thread.complaints()).toEqual(['a request goes round in a loop'])
      // The connection of the client is as good as before.
      expect(fieldValue(response, 'connection')).toBe(undefined)
    })
})

test('a loop through two routers, with an app behind the second for whom it is none', async () => {
  await using first = await setStage({ apps: 0 })
  await using second = await setStage()
  lead(first.thread, second.thread.httpPort)
  second.app.serve(request => ok(String(fieldValues(request, 'cdn-loop'))))
  // Two tiers of one kind.
  expect((await ask(first)).body.toString()).toBe('deis-router,deis-router')
  lead(second.thread, first.thread.httpPort)
  expect((await ask(first)).status).toBe(508)
  expect([loops(first.thread), loops(second.thread)]).toEqual([0, 1])
})

test('an app that asks through the router again, and passes on what it got', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  stage.app.serve(request => ok(String(fieldValues(request, 'cdn-loop'))))
  const passed = Array(4).fill('CDN-Loop: deis-router')
  void client.send(get('a.example', '/', ...passed))
  expect((await client.response()).body.toString()).toBe(Array(5).fill('deis-router').join(','))
  void client.send(get('a.example', '/', ...passed, 'CDN-Loop: cloudflare; loops=1, Deis-Router;x="1"'))
  expect((await client.response()).status).toBe(508)
  // Whoever makes that up harms this request and no other.
  void client.send(get('a.example'))
  expect((await client.response()).body.toString()).toBe('deis-router')
})

test('what others have said of themselves stays, whoever is named in Connection', async () => {
  await using stage = await setStage()
  stage.app.serve(request => ok(String(fieldValues(request, 'cdn-loop'))))
  const response = await ask(stage, get('a.example', '/', 'CDN-Loop: cloudflare; loops=1', 'Connection: cdn-loop'))
  expect(response.body.toString()).toBe('cloudflare; loops=1,deis-router')
})

test('maxHops: while it runs, on open connections too', async () => {
  await using stage = await setStage()
  const { thread } = stage
  stage.app.serve(request => ok(String(fieldValues(request, 'cdn-loop'))))
  const client = await stage.connect()
  const settle = async (maxHops: number, ...fields: readonly string[]) => {
    thread.apply({ settings: defaultSettings({ maxHops }) })
    void client.send(get('a.example', '/', ...fields))
    const response = await client.response()
    return response.status === 200 ? response.body.toString() : response.status
  }
  const once = 'CDN-Loop: deis-router'
  expect(await settle(1)).toBe('deis-router')
  expect(await settle(1, once)).toBe(508)
  expect(await settle(2, once)).toBe('deis-router,deis-router')
  expect(await settle(0)).toBe('')
  expect(await settle(0, ...Array(60).fill(once))).toBe(Array(60).fill('deis-router').join(','))
})

test('a redirect, a refusal or a maintenance page ends a loop as anything does', async () => {
  await using stage = await setStage({ apps: 0, route: { policies: [{ kind: 'maintenance' }] } })
  lead(stage.thread, stage.thread.httpPort)
  expect((await ask(stage, get('a.example', '/', ...Array(9).fill('CDN-Loop: deis-router')))).status).toBe(503)
})

describe('marks in a value', () => {
  const rows: readonly (readonly [value: string, marks: number])[] = [
    ['', 0],
    ['deis-router', 1],
    ['DEIS-Router ; v=1', 1],
    ['deis-router,deis-router , other', 2],
    ['deis-router2, not-deis-router, x; deis-router', 0],
    [', ,deis-router,', 1],
  ]
  for (const [value, marks] of rows) test(JSON.stringify(value), () => expect(marksIn(value)).toBe(marks))
})
