// Requests that go out again: when, how often, and where they are seen. What may be repeated at all is in `errors.test.ts`.

import { describe, expect, test } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { upstreamWith } from '#test/support/data-thread.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { RefusingPorts } from '#test/support/refusing-ports.ts'
import { type Stage, setStage } from '#test/support/stage.ts'
import { counter, retryReasons } from '../model/counters.ts'
import { standardUpstreamSettings } from '../model/upstream-settings.ts'

failOnLeaks()

const off = { ejection: { ...standardUpstreamSettings.ejection, on: 'off' } } as const

function retries(stage: Stage): Readonly<Record<string, number>> {
  const counted = retryReasons.map((reason, index) => [reason, stage.thread.counters[counter.upstreamRetries + index]!])
  return Object.fromEntries(counted.filter(([, count]) => count !== 0))
}

/** Apps that read a request and close. */
function closeAll(stage: Stage): { count: number } {
  const seen = { count: 0 }
  const serve = async (app: Stage['app']): Promise<void> => {
    for (;;) {
      const peer = await app.connection()
      void peer.request().then(
        () => {
          seen.count++
          peer.end()
        },
        () => {},
      )
    }
  }
  for (const app of stage.apps) void serve(app)
  return seen
}

describe('the budget', () => {
  test('an app that fails every request gets a fifth more of them, and ten, not twice as many', async () => {
    await using stage = await setStage({ apps: 2, upstream: off })
    const seen = closeAll(stage)
    const client = await stage.connect()
    for (let i = 0; i < 100; i++) {
      client.send(get('a.example'))
      expect((await client.response()).status).toBe(502)
    }
    expect(seen.count).toBe(100 + 10 + 20)
    expect(retries(stage)).toEqual({ closed: 30 })
    expect(stage.thread.count('upstreamRetriesDenied')).toBeGreaterThanOrEqual(70)
  })

  test('comes back with time', async () => {
    await using stage = await setStage({ apps: 2, upstream: off })
    closeAll(stage)
    const client = await stage.connect()
    const ask = async (times: number): Promise<number> => {
      const before = stage.thread.retries()
      for (let i = 0; i < times; i++) {
        client.send(get('a.example'))
        await client.response()
      }
      return stage.thread.retries() - before
    }
    expect(await ask(20)).toBe(14)
    expect(await ask(5)).toBeLessThan(3)
    await stage.thread.elapse(20_000)
    expect(await ask(5)).toBe(10)
  })

  test('is not for connections that the app closed as we wrote: each request comes to the app once', async () => {
    await using stage = await setStage({ upstream: off })
    const client = await stage.connect()
    for (let i = 0; i < 40; i++) {
      client.send(get('a.example', `/${i}`))
      const peer = await stage.app.connection()
      expect((await peer.request()).target).toBe(`/${i}`)
      await peer.send(ok('yes'))
      await client.response()
      // Kept by now; what comes next finds it closed, without having heard of that.
      client.send(get('a.example', '/again'))
      await peer.request()
      peer.reset()
      const next = await stage.app.connection()
      expect((await next.request()).target).toBe('/again')
      await next.send(ok('yes', 'Connection: close'))
      next.end()
      expect((await client.response()).status).toBe(200)
    }
    expect(retries(stage)).toEqual({ stale: 40 })
    expect(stage.thread.count('upstreamRetriesDenied')).toBe(0)
  })

  test('is not for endpoints that refuse while others do not', async () => {
    await using refusing = await RefusingPorts.reserve(9)
    await using stage = await setStage()
    stage.app.serve(() => ok('yes', 'Connection: close'))
    const ports = [...refusing.all, stage.app.port]
    for (let round = 0; round < 5; round++) {
      // They come anew each time, so that nothing is known of them.
      for (const some of [[], ports])
        stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', {}, ...some)], deletes: [] } })
      const client = await stage.connect()
      client.send(get('a.example'))
      expect((await client.response()).status).toBe(200)
    }
    expect(stage.thread.count('upstreamRetriesDenied')).toBe(0)
    expect(stage.thread.count('upstreamRestsUnreachable')).toBe(stage.thread.retries())
  })

  test('is for endpoints that refuse when all do', async () => {
    await using refusing = await RefusingPorts.reserve(3)
    await using stage = await setStage()
    stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', {}, ...refusing.all)], deletes: [] } })
    const client = await stage.connect()
    for (let i = 0; i < 50; i++) {
      client.send(get('a.example'))
      expect((await client.response()).status).toBe(502)
    }
    // Three for the first request, and then what the budget gives.
    expect(stage.thread.count('upstreamConnectRefused')).toBeLessThanOrEqual(50 + 10 + 10 + 2)
    expect(stage.thread.count('upstreamRetriesDenied')).toBeGreaterThan(0)
  })
})

test('the log of an own format lists the endpoints that were asked, the standard one names the last', async () => {
  await using refusing = await RefusingPorts.reserve(1)
  for (const logFormat of [null, '$status $upstream_addr']) {
    await using stage = await setStage({ settings: { logFormat } })
    stage.app.serve(() => ok('yes', 'Connection: close'))
    const [bad] = refusing.all
    const client = await stage.connect()
    stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', {}, bad!, stage.app.port)], deletes: [] } })
    for (let i = 0; i < 2; i++) {
      client.send(get('a.example'))
      await client.response()
    }
    const lines = await stage.thread.logged(2)
    const good = `127.0.0.1:${stage.app.port}`
    if (logFormat === null) for (const line of lines) expect(line).toContain(` - "a.example" - ${good} - a.example - `)
    else expect(lines.toSorted()).toEqual([`200 127.0.0.1:${bad}, ${good}`, `200 ${good}`].toSorted())
  }
})

describe('an endpoint that goes', () => {
  test('gets no request more once the patch is in force; those that it has end there', async () => {
    await using stage = await setStage({ apps: 2 })
    const [going, staying] = stage.apps as [Stage['app'], Stage['app']]
    staying.serve(() => ok('staying'))
    // Both have a connection that waits, and one request is in flight at the one that goes.
    const clients = [await stage.connect(), await stage.connect(), await stage.connect()]
    stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', {}, going.port)], deletes: [] } })
    clients[0]!.send(get('a.example', '/slow'))
    const slow = await going.connection()
    await slow.request()
    clients[1]!.send(get('a.example', '/quick'))
    const quick = await going.connection()
    await quick.request()
    await quick.send(ok('quick'))
    expect((await clients[1]!.response()).body.toString()).toBe('quick')

    stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', {}, staying.port)], deletes: [] } })
    for (const client of clients.slice(1)) {
      for (let i = 0; i < 10; i++) {
        client.send(get('a.example', '/next'))
        expect((await client.response()).body.toString()).toBe('staying')
      }
    }
    expect(going.accepted).toBe(2)
    await quick.ended()
    await slow.send(ok('slow'))
    expect((await clients[0]!.response()).body.toString()).toBe('slow')
    await slow.ended()
  })

  test('gets no retry either', async () => {
    await using stage = await setStage({ apps: 3 })
    const ports = stage.apps.map(app => app.port)
    const client = await stage.connect()
    const pending = stage.apps.map(app => app.connection())
    client.send(get('a.example'))
    const first = await Promise.race(pending.map((peer, index) => peer.then(() => index)))
    const peer = await pending[first]!
    await peer.request()
    // Of the three the one that stays is the only one that can get it.
    const staying = (first + 1) % 3
    stage.thread.apply({ upstreams: { upserts: [upstreamWith('a', {}, ports[first]!, ports[staying]!)], deletes: [] } })
    peer.end()
    const next = await pending[staying]!
    await next.request()
    await next.send(ok('again'))
    expect((await client.response()).body.toString()).toBe('again')
    expect(stage.apps[(first + 2) % 3]!.accepted).toBe(0)
  })
})

describe('an endpoint that fails', () => {
  test('rests after so many requests without an answer, and is tried again by one', async () => {
    const upstream = { ejection: { on: 'connections', failures: 3 } } as const
    await using stage = await setStage({ apps: 2, upstream })
    const [bad, good] = stage.apps as [Stage['app'], Stage['app']]
    good.serve(() => ok('good', 'Connection: close'))
    const client = await stage.connect()
    let asked = 0
    let mends = false
    const serveBad = async (): Promise<void> => {
      for (;;) {
        const peer = await bad.connection()
        void peer.request().then(
          async () => {
            asked++
            if (mends) await peer.send(ok('mended', 'Connection: close'))
            peer.end()
          },
          () => {},
        )
      }
    }
    void serveBad()
    const ask = async (): Promise<string> => {
      client.send(get('a.example'))
      return (await client.response()).body.toString()
    }
    for (let i = 0; i < 20; i++) expect(await ask()).toBe('good')
    expect([asked, stage.thread.count('upstreamResting'), stage.thread.count('upstreamRestsFailing')]).toEqual([
      3, 1, 1,
    ])
    expect(stage.thread.complaints()).toContain('an endpoint rests')
    // The trial fails: it rests for twice as long.
    await stage.thread.elapse(5100)
    for (let i = 0; i < 10; i++) expect(await ask()).toBe('good')
    expect(asked).toBe(4)
    mends = true
    await stage.thread.elapse(5100)
    for (let i = 0; i < 10; i++) expect(await ask()).toBe('good')
    await stage.thread.elapse(5000)
    const answers: string[] = []
    for (let i = 0; i < 10; i++) answers.push(await ask())
    expect(answers.filter(answer => answer === 'mended')).toHaveLength(5)
    expect(stage.thread.count('upstreamResting')).toBe(0)
  })

  test('rests for its answers too, where they count', async () => {
    const upstream = { ejection: { on: 'answers', failures: 2 } } as const
    await using stage = await setStage({ apps: 2, upstream })
    const [bad, good] = stage.apps as [Stage['app'], Stage['app']]
    bad.serve(() => 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n')
    good.serve(() => ok('good'))
    const client = await stage.connect()
    const statuses: number[] = []
    for (let i = 0; i < 20; i++) {
      client.send(get('a.example'))
      statuses.push((await client.response()).status)
    }
    // They are answers like all others, and are not asked for again.
    expect(statuses.filter(status => status === 503)).toHaveLength(2)
    expect(stage.thread.retries()).toBe(0)
  })

  test('its health checks is not used while another one is well, and all are when none is', async () => {
    const healthCheck = { path: '/up', interval: 1000, timeout: 500, unhealthy: 2, healthy: 1 }
    await using stage = await setStage({ apps: 2, upstream: { healthCheck } })
    const well = [true, true]
    for (const [index, app] of stage.apps.entries()) {
      app.serve(({ target }) => {
        if (target !== '/up') return ok(String(index), 'Connection: close')
        return `HTTP/1.1 ${well[index] ? 204 : 500} X\r\n\r\n`
      })
    }
    const client = await stage.connect()
    const appsOf = async (): Promise<string> => {
      const apps = new Set<string>()
      for (let i = 0; i < 8; i++) {
        client.send(get('a.example'))
        apps.add((await client.response()).body.toString())
      }
      return [...apps].sort().join('')
    }
    const unhealthy = async (count: number): Promise<void> => {
      while (stage.thread.count('upstreamUnhealthy') !== count) await stage.thread.elapse(1000)
    }
    expect(await appsOf()).toBe('01')
    well[0] = false
    await unhealthy(1)
    expect(await appsOf()).toBe('1')
    well[1] = false
    await unhealthy(2)
    expect(await appsOf()).toBe('01')
    well[0] = true
    await unhealthy(1)
    expect(await appsOf()).toBe('0')
    expect(stage.thread.count('healthChecksPassed')).toBeGreaterThan(0)
    expect(stage.thread.count('healthChecksFailed')).toBeGreaterThan(3)
    expect(stage.thread.complaints()).toContain('an endpoint fails its health checks')
    // What is checked is no request of anybody's.
    expect(await stage.thread.logged(32)).toHaveLength(32)
  })
})
