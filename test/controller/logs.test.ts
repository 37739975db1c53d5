// Logs of apps through the API, read and followed, and the drains that a config asks for.

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { SmallLogger } from '#test/support/small-logger.ts'

let logger: SmallLogger
let stage: ControllerStage
let token: string
let apps = 0
/** Of the test that runs. */
let app: string

beforeAll(async () => {
  logger = await SmallLogger.start()
  stage = await ControllerStage.start({ env: logger.env, times: quick })
  token = await stage.user('alice')
})

beforeEach(async () => {
  app = await stage.app(token, `shop${++apps}`)
  logger.requests.length = 0
})

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await logger[Symbol.asyncDispose]()
})

const config = (values: Record<string, string | null>) =>
  stage.call('POST', `/v2/apps/${app}/config/`, { token, body: { values } })

/** The answer, and what has come of it so far. */
class Following {
  readonly response: IncomingMessage
  text = ''
  isWhole: boolean | null = null
  readonly #change = new Set<() => void>()

  constructor(response: IncomingMessage) {
    this.response = response
    response.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk
      this.#wake()
    })
    response.on('error', () => {})
    response.once('close', () => {
      this.isWhole = response.complete
      this.#wake()
    })
  }

  static async of(path: string, as = token): Promise<Following> {
    const sent = request(`${stage.url}${path}`, { headers: { authorization: `token ${as}` }, agent: false })
    sent.on('error', () => {})
    sent.end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    return new Following(response)
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>(resolve => this.#change.add(resolve))
  }

  ended(): Promise<void> {
    return this.until(() => this.isWhole !== null)
  }

  #wake(): void {
    for (const wake of [...this.#change]) {
      this.#change.delete(wake)
      wake()
    }
  }
}

test('the last lines, as before; and of one source', async () => {
  expect((await stage.call('GET', `/v2/apps/${app}/logs`, { token })).status).toBe(204)
  logger.write(app, 'one')
  logger.write(app, 'two')
  const { status, headers, body } = await stage.call('GET', `/v2/apps/${app}/logs?log_lines=1`, { token })
  expect([status, headers.get('content-type'), body]).toEqual([200, 'text/plain; charset=utf-8', 'two\n'])
  await stage.call('GET', `/v2/apps/${app}/logs?source=router&follow=false`, { token })
  expect(logger.requests.filter(one => one.startsWith('GET'))).toEqual([
    `GET /logs/${app}?log_lines=100`,
    `GET /logs/${app}?log_lines=1`,
    `GET /logs/${app}?log_lines=100&source=router`,
  ])
  const refused = await stage.call('GET', `/v2/apps/${app}/logs?source=x`, { token })
  expect([refused.status, refused.body.detail]).toEqual([400, 'source must be app, controller, router, all'])
})

test('followed: each line as it comes, until the logger ends it', async () => {
  logger.write(app, 'old')
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true&source=all&log_lines=5`)
  expect([following.response.statusCode, following.response.headers['content-type']]).toEqual([
    200,
    'text/plain; charset=utf-8',
  ])
  await following.until(() => following.text === 'old\n')
  logger.write(app, 'new')
  await following.until(() => following.text === 'old\nnew\n')
  expect(logger.requests.at(-1)).toBe(`GET /logs/${app}?log_lines=5&source=all&follow=true`)
  logger.end(app, 'end')
  await following.ended()
  expect(following.isWhole).toBe(true)
})

// Who wanted only what comes once got the last hundred first.
test('followed with no older lines: only what comes', async () => {
  logger.write(app, 'old')
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true&log_lines=0`)
  logger.write(app, 'new')
  await following.until(() => following.text.endsWith('new\n'))
  expect(following.text).toBe('new\n')
  expect(logger.requests.at(-1)).toBe(`GET /logs/${app}?log_lines=0&follow=true`)
  following.response.destroy()
  await logger.until(() => logger.followers(app) === 0)
  await stage.call('GET', `/v2/apps/${app}/logs?log_lines=0`, { token })
  expect(logger.requests.at(-1)).toBe(`GET /logs/${app}?log_lines=100`)
})

test('a logger that breaks off: the answer does, too', async () => {
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  logger.end(app, 'destroy')
  await following.ended()
  expect(following.isWhole).toBe(false)
})

test('a client that goes lets go of the logger', async () => {
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  expect(logger.followers(app)).toBe(1)
  following.response.destroy()
  await logger.until(() => logger.followers(app) === 0)
})

test('a client that takes nothing makes the logger wait', async () => {
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  following.response.pause()
  const line = 'x'.repeat(64 * 1024)
  const count = 600
  for (let at = 0; at < count; at++) logger.write(app, line)
  // Nothing tells that no more is going to be taken: until two looks see the same.
  for (let before = -1; before !== logger.waiting(app); ) {
    before = logger.waiting(app)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  // All but what the kernel holds for two connections, and what waits for one turn in between.
  expect(logger.waiting(app)).toBeGreaterThan((count * line.length) / 3)
  following.response.resume()
  await following.until(() => following.text.length === count * (line.length + 1))
  following.response.destroy()
  await logger.until(() => logger.followers(app) === 0)
})

test('the right is lost: the stream ends; others go on', async () => {
  const bob = await stage.user('bob')
  const perms = `/v2/apps/${app}/perms`
  await stage.call('POST', perms, { token, body: { username: 'bob' } })
  const his = await Following.of(`/v2/apps/${app}/logs?follow=true`, bob)
  const hers = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  expect((await stage.call('DELETE', `${perms}/bob`, { token })).status).toBe(204)
  await his.ended()
  expect(his.isWhole).toBe(true)
  logger.write(app, 'still here')
  await hers.until(() => hers.text === 'still here\n')
  hers.response.destroy()
})

test('the app is destroyed', async () => {
  const gone = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  expect((await stage.call('DELETE', `/v2/apps/${app}/`, { token })).status).toBe(204)
  await gone.ended()
  expect(gone.isWhole).toBe(true)
})

test('an app begins without the lines of one that had its name, also those that came after that was gone', async () => {
  expect((await stage.call('DELETE', `/v2/apps/${app}/`, { token })).status).toBe(204)
  logger.write(app, '502 - GET /somebody-elses-secret-path')
  const eve = await stage.user('eve')
  await stage.app(eve, app)
  expect((await stage.call('GET', `/v2/apps/${app}/logs`, { token: eve })).status).toBe(204)
})

test('so many for a user', async () => {
  const open = await Promise.all(Array.from({ length: 10 }, () => Following.of(`/v2/apps/${app}/logs?follow=true`)))
  const refused = await stage.call('GET', `/v2/apps/${app}/logs?follow=true`, { token })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10'])
  expect((await stage.call('GET', `/v2/apps/${app}/logs`, { token })).status).toBe(204)
  open[0]!.response.destroy()
  await logger.until(() => logger.followers(app) === 9)
  const again = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  expect(again.response.statusCode).toBe(200)
  for (const { response } of [...open, again]) response.destroy()
})

test('a logger that is away: what clients know', async () => {
  const { port } = logger
  await logger[Symbol.asyncDispose]()
  for (const query of ['', '?follow=true']) {
    const { status, body } = await stage.call('GET', `/v2/apps/${app}/logs${query}`, { token })
    expect([status, body]).toEqual([500, `Error accessing logs for ${app}`])
  }
  logger = await SmallLogger.start(port)
})

test('a drain: set, changed, rolled back, unset; gone with the app', async () => {
  expect((await config({ DEIS_LOG_DRAIN: 'syslog+tls://one.example.com:6514' })).status).toBe(201)
  await logger.until(() => logger.drains.get(app) === 'syslog+tls://one.example.com:6514')
  await config({ DEIS_LOG_DRAIN: 'syslog+udp://two.example.com' })
  await logger.until(() => logger.drains.get(app) === 'syslog+udp://two.example.com')
  await stage.call('POST', `/v2/apps/${app}/releases/rollback/`, { token, body: { version: 2 } })
  await logger.until(() => logger.drains.get(app) === 'syslog+tls://one.example.com:6514')
  await config({ DEIS_LOG_DRAIN: null })
  await logger.until(() => !logger.drains.has(app))
  await config({ DEIS_LOG_DRAIN: 'syslog+tcp://three.example.com:601' })
  await logger.until(() => logger.drains.has(app))
  await stage.call('DELETE', `/v2/apps/${app}/`, { token })
  await logger.until(() => !logger.drains.has(app))
})

test('what is no drain is refused', async () => {
  const { status, body } = await config({ DEIS_LOG_DRAIN: 'https://logs.example.com' })
  expect([status, body.values]).toEqual([
    400,
    ['DEIS_LOG_DRAIN: a log drain is syslog+tls://HOST:PORT, syslog+tcp://HOST:PORT or syslog+udp://HOST:PORT'],
  ])
})

test('what the logger refuses is told in the log of the app, once, and fails nothing', async () => {
  logger.refusal = [400, 'log drains may not lead to 10.0.0.0/8\n']
  expect((await config({ DEIS_LOG_DRAIN: 'syslog+tls://10.0.0.1:6514' })).status).toBe(201)
  const said = `ERROR [${app}]: DEIS_LOG_DRAIN is not in force: log drains may not lead to 10.0.0.0/8`
  await stage.line(line => line === said)
  logger.refusal = null
  await config({ OTHER: 'x' })
  await logger.until(() => logger.drains.has(app))
  expect(stage.lines.filter(line => line === said).length).toBe(1)
})

test('a logger that was away is told; one that has forgotten, when the controller starts', async () => {
  const { port } = logger
  await logger[Symbol.asyncDispose]()
  expect((await config({ DEIS_LOG_DRAIN: 'syslog+tls://one.example.com:6514' })).status).toBe(201)
  logger = await SmallLogger.start(port)
  await logger.until(() => logger.drains.has(app))
  logger.drains.clear()
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  await stage.close()
  await following.ended()
  expect(following.isWhole).toBe(true)
  await stage.open()
  await logger.until(() => logger.drains.has(app))
})
