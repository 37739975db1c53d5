import { createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { App } from '#test/support/app.ts'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { upstreamWith } from '#test/support/data-thread.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { UpstreamStage } from '#test/support/upstream-stage.ts'
import { standardUpstreamSettings, type UpstreamSettings } from '../../model/upstream-settings.ts'
import { EndpointPool } from './endpoint-pool.ts'
import { HealthCheck } from './health-check.ts'

failOnLeaks()

const check = { path: '/healthz?deep=1', interval: 10_000, timeout: 2000, unhealthy: 3, healthy: 2 }

/** One endpoint's check, driven by a clock that stands still otherwise. */
class Checked implements Disposable {
  readonly stage = new UpstreamStage()
  readonly turns: boolean[] = []
  readonly #check: HealthCheck
  #result = Promise.withResolvers<boolean>()

  constructor(port: number, settings: Partial<UpstreamSettings> = {}) {
    this.#check = new HealthCheck({
      pool: new EndpointPool({ address: '127.0.0.1', port }),
      settings: { ...standardUpstreamSettings, healthCheck: check, ...settings },
      check,
      spread: 0,
      timers: this.stage.timers,
      onResult: well => this.#result.resolve(well),
      onTurn: healthy => this.turns.push(healthy),
    })
  }

  /** The next check begins; resolves with what it comes to. */
  next(): Promise<boolean> {
    this.#result = Promise.withResolvers()
    this.stage.elapse(check.interval)
    return this.#result.promise
  }

  /** So long nothing is heard. */
  elapse(milliseconds: number): void {
    this.stage.elapse(milliseconds)
  }

  [Symbol.dispose](): void {
    this.#check.stop()
  }
}

describe('what is well', () => {
  for (const [answer, well] of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', true],
    ['HTTP/1.0 204 \r\n\r\n', true],
    ['HTTP/1.1 399\r\n\r\n', true],
    ['HTTP/1.1 301 Moved\r\n\r\n', true],
    ['HTTP/1.1 400 Bad Request\r\n\r\n', false],
    ['HTTP/1.1 503 Service Unavailable\r\n\r\n', false],
    ['HTTP/1.1 100 Continue\r\n\r\n', false],
    ['HTTP/1.1 2000 OK\r\n\r\n', false],
    ['SSH-2.0-OpenSSH_10.0\r\n', false],
  ] as const) {
    test(JSON.stringify(answer), async () => {
      await using app = await App.start()
      app.serve(() => answer)
      using checked = new Checked(app.port)
      expect(await checked.next()).toBe(well)
    })
  }

  test('an answer in pieces', async () => {
    await using app = await App.start()
    using checked = new Checked(app.port)
    const result = checked.next()
    const peer = await app.connection()
    await peer.request()
    for (const octet of 'HTTP/1.1 200 OK\r\n') await peer.send(octet)
    expect(await result).toBe(true)
  })

  test('not one that closes without an answer, nor one that nobody listens at', async () => {
    const app = await App.start()
    {
      using checked = new Checked(app.port)
      const result = checked.next()
      const peer = await app.connection()
      await peer.request()
      peer.end()
      expect(await result).toBe(false)
      await app.close()
      expect(await checked.next()).toBe(false)
    }
  })

  test('not one that says nothing for as long as the timeout', async () => {
    await using app = await App.start()
    using checked = new Checked(app.port)
    const result = checked.next()
    const peer = await app.connection()
    await peer.request()
    checked.elapse(check.timeout)
    expect(await result).toBe(false)
    expect(await peer.ended()).not.toBe('')
  })
})

test('it asks for the path, under the address, on a connection of its own that ends with it', async () => {
  await using app = await App.start()
  using checked = new Checked(app.port)
  const result = checked.next()
  const peer = await app.connection()
  const { method, target, fields } = await peer.request()
  expect([method, target]).toEqual(['GET', '/healthz?deep=1'])
  expect(fields.map(({ name }) => name)).toEqual(['Host', 'User-Agent', 'Connection'])
  expect(fields[0]!.value).toBe(`127.0.0.1:${app.port}`)
  await peer.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
  expect(await result).toBe(true)
  await peer.ended()
})

test('an endpoint turns after so many in a row, either way', async () => {
  await using app = await App.start()
  let status = 500
  app.serve(() => `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`)
  using checked = new Checked(app.port)
  const seen: boolean[] = []
  for (const next of [500, 500, 200, 500, 500, 500, 500, 200, 500, 200, 200, 200]) {
    status = next
    await checked.next()
    seen.push(checked.turns.at(-1) ?? true)
  }
  expect(seen.map(Number).join('')).toBe('111110000011')
  expect(checked.turns).toEqual([false, true])
})

for (const protocol of ['h2c', 'h2'] as const) {
  test(`${protocol}: a connection is enough`, async () => {
    await using app = await App.start()
    using checked = new Checked(app.port, { protocol })
    expect(await checked.next()).toBe(true)
  })
}

describe('https', () => {
  const { chain, key } = fallbackCertificate()

  for (const [verify, well] of [
    [false, true],
    [true, false],
  ] as const) {
    test(`with a certificate that nobody signed, ${verify ? 'checked' : 'not checked'}`, async () => {
      const names: (string | false)[] = []
      const server = createTlsServer({ cert: chain, key }, socket => {
        names.push(socket.servername ?? '')
        socket.on('error', () => {})
        socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\n'))
      })
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as { readonly port: number }
      {
        using checked = new Checked(port, { protocol: 'https', tls: { serverName: 'app.internal', verify } })
        expect(await checked.next()).toBe(well)
      }
      if (well) expect(names).toEqual(['app.internal'])
      await new Promise(resolve => server.close(resolve))
    })
  }
})

test('one check at a time, and none after the end', async () => {
  let accepted = 0
  const server = createServer(socket => {
    accepted++
    socket.on('error', () => {})
    socket.resume()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { readonly port: number }
  const stage = new UpstreamStage()
  const upstream = stage.upstream()
  const settings = { healthCheck: { ...check, interval: 1000, timeout: 1000 } }
  upstream.update(upstreamWith('u', settings, port))
  const connections = (): Promise<number> => new Promise(resolve => server.getConnections((_, count) => resolve(count)))
  const until = async (wanted: number): Promise<void> => {
    while ((await connections()) !== wanted) await new Promise(resolve => setImmediate(resolve))
  }
  stage.elapse(1100)
  await until(1)
  stage.elapse(500)
  expect(await connections()).toBe(1)
  // The setting goes, and with it the check that is under way.
  upstream.update(upstreamWith('u', {}, port))
  await until(0)
  stage.elapse(10_000)
  upstream.update(upstreamWith('u', settings, port))
  stage.elapse(1100)
  await until(1)
  // The endpoint goes.
  upstream.update(upstreamWith('u', settings))
  await until(0)
  upstream.update(upstreamWith('u', settings, port))
  stage.elapse(1100)
  await until(1)
  // The thread is about to end.
  upstream.stopChecks()
  await until(0)
  stage.elapse(10_000)
  await new Promise(resolve => setImmediate(resolve))
  expect(accepted).toBe(3)
  await new Promise(resolve => server.close(resolve))
})
