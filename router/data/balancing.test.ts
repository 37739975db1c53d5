// Which endpoint a request goes to, as clients see it.

import { describe, expect, test } from 'vitest'
import { App, get, ok } from '#test/support/app.ts'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { empty, upstreamWith } from '#test/support/data-thread.ts'
import { fieldValues } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTo, type Peer, type Response } from '#test/support/peer.ts'
import { type Stage, setStage } from '#test/support/stage.ts'
import type { HashKey, UpstreamSettings } from '../model/upstream-settings.ts'

failOnLeaks()

/** Apps that say which one they are. */
async function setNamed(apps: number, upstream: Partial<UpstreamSettings>): Promise<Stage> {
  const own = fallbackCertificate()
  const stage = await setStage({ apps, upstream, route: { certificate: own.id, https: true }, certificates: [own] })
  for (const [index, app] of stage.apps.entries()) app.serve(() => ok(String(index), 'Set-Cookie: own=1'))
  return stage
}

async function ask(client: Peer, ...fields: readonly string[]): Promise<Response & { readonly app: string }> {
  client.send(get('a.example', '/', ...fields))
  const response = await client.response()
  return { ...response, app: response.body.toString() }
}

async function appsOf(client: Peer, count: number, ...fields: readonly string[]): Promise<readonly string[]> {
  const apps: string[] = []
  for (let i = 0; i < count; i++) apps.push((await ask(client, ...fields)).app)
  return apps
}

describe('hash', () => {
  const keys: [by: HashKey, field: (value: string) => string][] = [
    [{ kind: 'header', name: 'x-tenant' }, value => `X-Tenant: ${value}`],
    [{ kind: 'cookie', name: 'Tenant' }, value => `Cookie: tenant=x; other=y;Tenant=${value}`],
  ]
  for (const [by, field] of keys) {
    test(`by ${by.kind}: equal values go to the same app, from whatever connection`, async () => {
      await using stage = await setNamed(4, { balance: { kind: 'hash', by } })
      const clients = [await stage.connect(), await stage.connect()]
      const found = new Set<string>()
      // Ports differ in every run: that one of four apps gets none of so many has a chance of one in ten million.
      for (let value = 0; value < 80; value++) {
        const [first, second] = clients.map(client => ask(client, field(`t${value}`)))
        const { app } = await first!
        expect((await second!).app).toBe(app)
        found.add(app)
      }
      expect(found.size).toBe(4)
    })

    test(`by ${by.kind}: requests without it are spread`, async () => {
      await using stage = await setNamed(3, { balance: { kind: 'hash', by } })
      expect(new Set(await appsOf(await stage.connect(), 6))).toEqual(new Set(['0', '1', '2']))
    })
  }

  test('by the address of the client', async () => {
    await using stage = await setNamed(4, { balance: { kind: 'hash', by: { kind: 'client-address' } } })
    const found = new Set<string>()
    for (let last = 1; last <= 20; last++) {
      await using client = await connectTo(stage.thread.httpPort, { localAddress: `127.0.0.${last}` })
      const apps = new Set(await appsOf(client, 3))
      expect(apps.size).toBe(1)
      for (const app of apps) found.add(app)
    }
    expect(found.size).toBeGreaterThan(2)
  })
})

test('round robin', async () => {
  await using stage = await setNamed(3, { balance: { kind: 'round-robin' } })
  const apps = await appsOf(await stage.connect(), 6)
  expect(apps.slice(3)).toEqual(apps.slice(0, 3))
  expect(new Set(apps).size).toBe(3)
})

describe('sticky cookie', () => {
  const settings = { stickyCookie: 'lane', balance: { kind: 'round-robin' } } as const

  const cookieOf = (response: Response): string | undefined =>
    fieldValues(response, 'set-cookie').find(value => value.startsWith('lane='))

  test('is set with the first answer, beside those of the app, and brings the client back', async () => {
    await using stage = await setNamed(3, settings)
    const client = await stage.connect()
    const first = await ask(client)
    expect(fieldValues(first, 'set-cookie')).toContain('own=1')
    const cookie = cookieOf(first)!
    expect(cookie).toMatch(/^lane=[A-Za-z0-9_-]{16}; Path=\/; HttpOnly; SameSite=Lax$/)
    const [pair] = cookie.split(';')
    for (let i = 0; i < 6; i++) {
      const next = await ask(client, `Cookie: a=b; ${pair}`)
      expect([next.app, cookieOf(next)]).toEqual([first.app, undefined])
    }
  })

  test('is for HTTPS alone where it was set there', async () => {
    await using stage = await setNamed(2, settings)
    expect(cookieOf(await ask(await stage.connectTls()))).toMatch(/; Secure$/)
  })

  for (const forged of ['', '10.0.0.1:80', 'x'.repeat(1000), '__proto__']) {
    test(`with another value (${JSON.stringify(forged.slice(0, 20))}) is none`, async () => {
      await using stage = await setNamed(2, settings)
      const response = await ask(await stage.connect(), `Cookie: lane=${forged}`)
      expect([response.status, cookieOf(response)]).toEqual([200, expect.stringMatching(/^lane=/)])
    })
  }

  test('leads elsewhere, with a new value, when its endpoint goes', async () => {
    await using stage = await setNamed(3, settings)
    const client = await stage.connect()
    const first = await ask(client)
    const [pair] = cookieOf(first)!.split(';')
    const staying = stage.apps.filter((_, index) => String(index) !== first.app).map(app => app.port)
    stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', settings, ...staying)], deletes: [] } })
    const second = await ask(client, `Cookie: ${pair}`)
    const [newPair] = cookieOf(second)!.split(';')
    expect(second.app).not.toBe(first.app)
    expect(newPair).not.toBe(pair)
    expect(await appsOf(client, 4, `Cookie: ${newPair}`)).toEqual(new Array(4).fill(second.app))
  })

  test('stays with an endpoint that only takes no more for the moment', async () => {
    await using stage = await setStage({
      apps: 2,
      upstream: {
        ...settings,
        limits: { requests: 0, endpointRequests: 1, queueLength: 0, queueTimeout: 1000 },
      },
    })
    const [one, two] = [await stage.connect(), await stage.connect()]
    one.send(get('a.example'))
    const peers = stage.apps.map(app => app.connection())
    const index = await Promise.race(peers.map((peer, index) => peer.then(() => index)))
    const busy = await peers[index]!
    await busy.request()
    await busy.send(ok('first'))
    const [pair] = cookieOf(await one.response())!.split(';')
    // The endpoint is busy with one request of this client; the next one goes to the other.
    one.send(get('a.example', '/', `Cookie: ${pair}`))
    await busy.request()
    two.send(get('a.example', '/', `Cookie: ${pair}`))
    const other = await peers[1 - index]!
    await other.request()
    await other.send(ok('other'))
    const response = await two.response()
    expect([response.body.toString(), cookieOf(response)]).toEqual(['other', undefined])
    await busy.send(ok('second'))
    expect((await one.response()).body.toString()).toBe('second')
  })

  test("is not set on an answer of the router's own", async () => {
    await using stage = await setNamed(1, settings)
    const client = await stage.connect()
    await ask(client)
    stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', settings)], deletes: [] } })
    const response = await ask(client)
    expect([response.status, fieldValues(response, 'set-cookie')]).toEqual([503, []])
    stage.thread.apply({ ...empty, upstreams: { upserts: [upstreamWith('a', settings, stage.app.port)], deletes: [] } })
    expect((await ask(client)).status).toBe(200)
  })
})

test('far endpoints get requests when the near one refuses, and only then', async () => {
  await using near = await App.start()
  await using far = await App.start()
  near.serve(() => ok('near', 'Connection: close'))
  far.serve(() => ok('far', 'Connection: close'))
  await using stage = await setStage({ apps: 0 })
  const endpoints = [
    { address: '127.0.0.1', port: far.port, far: true as const },
    { address: '127.0.0.1', port: near.port },
  ]
  stage.thread.apply({ upstreams: { upserts: [{ ...upstreamWith('a', {}), endpoints }], deletes: [] } })
  const client = await stage.connect()
  expect(await appsOf(client, 4)).toEqual(['near', 'near', 'near', 'near'])
  await near.close()
  expect(await appsOf(client, 4)).toEqual(['far', 'far', 'far', 'far'])
})
