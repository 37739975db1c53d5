// Logs of apps through the API, read and followed, and the drains that a config asks for.

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { OwnLogger } from '#test/support/own-logger.ts'
import { startLogger } from '#test/support/service-process.ts'

let logger: OwnLogger
let stage: ControllerStage
let token: string
let apps = 0
/** Of the test that runs. */
let app: string

beforeAll(async () => {
  // Whoever writes may write as much as there is.
  logger = await OwnLogger.start(['--app-rate', '1000000', '--app-lines', '1000000'])
  stage = await ControllerStage.start({ env: logger.env, times: quick })
  token = await stage.user('alice')
})

beforeEach(async () => {
  app = await stage.app(token, `shop${++apps}`)
})

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await logger[Symbol.asyncDispose]()
})

const config = (values: Record<string, string | null>) =>
  stage.call('POST', `/v2/apps/${app}/config/`, { token, body: { values } })

/** What lines say, without their time and app. */
const saidIn = (text: string): readonly string[] => [...text.matchAll(/^\S+ \S+: (.*)$/gm)].map(([, said]) => said!)
const followers = () => logger.metric('followers')
const noFollower = () => logger.until(async () => (await followers()) === 0)

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
  logger.write(app, 'GET /', 'router')
  const read = async (query: string): Promise<readonly string[]> => {
    const { status, headers, body } = await stage.call('GET', `/v2/apps/${app}/logs${query}`, { token })
    expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
    return saidIn(body)
  }
  expect(await read('')).toEqual(['one', 'two'])
  expect(await read('?log_lines=1')).toEqual(['two'])
  expect(await read('?source=router&follow=false')).toEqual(['GET /'])
  for (let line = 0; line < 150; line++) logger.write(app, `line ${line}`)
  // Both are what clients of before get.
  for (const query of ['', '?log_lines=0'])
    expect(await read(query)).toEqual(Array.from({ length: 100 }, (_, line) => `line ${line + 50}`))
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
  await following.until(() => saidIn(following.text).length === 1)
  logger.write(app, 'new')
  logger.write(app, 'GET /', 'router')
  await following.until(() => saidIn(following.text).length === 3)
  expect(saidIn(following.text)).toEqual(['old', 'new', 'GET /'])
  await logger.call('DELETE', `/logs/${app}`)
  await following.ended()
  expect(following.isWhole).toBe(true)
})

// Who wanted only what comes once got the last hundred first.
test('followed with no older lines: only what comes', async () => {
  logger.write(app, 'old')
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true&log_lines=0`)
  logger.write(app, 'new')
  await following.until(() => following.text.endsWith('new\n'))
  expect(saidIn(following.text)).toEqual(['new'])
  following.response.destroy()
  await noFollower()
})

test('a logger that breaks off: the answer does, too', async () => {
  await logger.close()
  {
    await using killed = await startLogger(logger.flags)
    const following = await Following.of(`/v2/apps/${app}/logs?follow=true`)
    await killed.end('SIGKILL')
    await following.ended()
    expect(following.isWhole).toBe(false)
  }
  await logger.open()
})

test('a client that goes lets go of the logger', async () => {
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  expect(await followers()).toBe(1)
  following.response.destroy()
  await noFollower()
})

test('a client that takes nothing makes the logger wait', async () => {
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  following.response.pause()
  const line = 'x'.repeat(16 * 1024)
  // Several times what the kernel holds for two connections. The logger leaves lines out once nobody takes them.
  const most = 4096
  let written = 0
  while ((await logger.metric('follower_lines_dropped_total')) === 0 && written < most)
    for (let end = written + 8; written < end; written++) logger.write(app, line)
  expect(written).toBeLessThan(most)
  following.response.resume()
  await following.until(() => /^-- \d+ lines left out/m.test(following.text))
  logger.write(app, 'and on')
  await following.until(() => saidIn(following.text).at(-1) === 'and on')
  following.response.destroy()
  await noFollower()
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
  await hers.until(() => saidIn(hers.text).includes('still here'))
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
  await logger.until(async () => (await followers()) === 9)
  const again = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  expect(again.response.statusCode).toBe(200)
  for (const { response } of [...open, again]) response.destroy()
})

test('a logger that is away: what clients know', async () => {
  await logger.close()
  for (const query of ['', '?follow=true']) {
    const { status, body } = await stage.call('GET', `/v2/apps/${app}/logs${query}`, { token })
    expect([status, body]).toEqual([500, `Error accessing logs for ${app}`])
  }
  await logger.open()
})

const drainIs = (url: string | null) => logger.until(async () => (await logger.drain(app)) === url)

test('a drain: set, changed, rolled back, unset; gone with the app', async () => {
  expect((await config({ DEIS_LOG_DRAIN: 'syslog+tls://one.example.com:6514' })).status).toBe(201)
  await drainIs('syslog+tls://one.example.com:6514')
  await config({ DEIS_LOG_DRAIN: 'syslog+udp://two.example.com' })
  await drainIs('syslog+udp://two.example.com:514')
  await stage.call('POST', `/v2/apps/${app}/releases/rollback/`, { token, body: { version: 2 } })
  await drainIs('syslog+tls://one.example.com:6514')
  await config({ DEIS_LOG_DRAIN: null })
  await drainIs(null)
  await config({ DEIS_LOG_DRAIN: 'syslog+tcp://three.example.com:601' })
  await drainIs('syslog+tcp://three.example.com:601')
  await stage.call('DELETE', `/v2/apps/${app}/`, { token })
  await drainIs(null)
})

test('what is no drain is refused', async () => {
  const { status, body } = await config({ DEIS_LOG_DRAIN: 'https://logs.example.com' })
  expect([status, body.values]).toEqual([
    400,
    ['DEIS_LOG_DRAIN: a log drain is syslog+tls://HOST:PORT, syslog+tcp://HOST:PORT or syslog+udp://HOST:PORT'],
  ])
})

test('what the logger refuses is told in the log of the app, once, and fails nothing', async () => {
  const { status, headers } = await config({ DEIS_LOG_DRAIN: 'syslog+tls://10.0.0.1:6514' })
  const warning = '299 - "DEIS_LOG_DRAIN is kept but not in force: log drains may not send to 10.0.0.1"'
  expect([status, headers.get('warning')]).toEqual([201, warning])
  const said = `ERROR [${app}]: DEIS_LOG_DRAIN is not in force: log drains may not send to 10.0.0.1`
  await stage.line(line => line === said)
  expect((await config({ OTHER: 'x' })).headers.get('warning')).toBe(null)
  const taken = await config({ DEIS_LOG_DRAIN: 'syslog+tls://one.example.com:6514' })
  expect([taken.status, taken.headers.get('warning')]).toEqual([201, null])
  await drainIs('syslog+tls://one.example.com:6514')
  expect(stage.lines.filter(line => line === said).length).toBe(1)
})

test('a logger that was away is told; one that has forgotten, when the controller starts', async () => {
  await logger.close()
  const { status, headers } = await config({ DEIS_LOG_DRAIN: 'syslog+tls://one.example.com:6514' })
  const warning = expect.stringMatching(
    /^299 - "DEIS_LOG_DRAIN is kept but not in force: the logger cannot be reached /,
  )
  expect([status, headers.get('warning')]).toEqual([201, warning])
  await logger.open()
  await drainIs('syslog+tls://one.example.com:6514')
  await logger.call('DELETE', `/drains/${app}`)
  const following = await Following.of(`/v2/apps/${app}/logs?follow=true`)
  await stage.close()
  await following.ended()
  expect(following.isWhole).toBe(true)
  await stage.open()
  await drainIs('syslog+tls://one.example.com:6514')
})
