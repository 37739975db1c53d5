// A controller while others watch, when it ends, and beside another one on the same database (controller contract,
// sections 5 and 8, and what goes beyond it: events, graceful stops, replicas).

import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ControllerStage, idleProcfile, quick } from '#test/support/controller-stage.ts'
import { onEachDatabase, onPostgres } from '#test/support/databases.ts'
import { EventStream } from '#test/support/event-stream.ts'

const healthcheck = (file: string) => ({
  web: { readinessProbe: { exec: { command: ['test', '-f', file] }, initialDelaySeconds: 0, periodSeconds: 1 } },
})

/** A deploy of `app` that goes on until its gate is opened. */
async function heldDeploy(stage: ControllerStage, token: string, app: string) {
  const gate = join(stage.directory, `gate-${app}`)
  await using events = await EventStream.open(`${stage.url}/v2/apps/${app}/events`, token)
  const reply = stage.call('POST', `/v2/apps/${app}/config/`, { token, body: { healthcheck: healthcheck(gate) } })
  await events.until(({ event }) => event === 'progress')
  return { reply, open: () => writeFile(gate, '') }
}

const refused = async (port: number): Promise<void> => {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const outcome = await new Promise(resolve => {
      socket.once('connect', () => resolve('open'))
      socket.once('error', () => resolve('refused'))
    })
    socket.destroy()
    if (outcome === 'refused') return
  }
}

onEachDatabase((fresh, onAny) => {
  onAny('events', () => {
    test('come in order, and go on where a client was cut off', async () => {
      await using stage = await ControllerStage.start({ database: await fresh(), times: quick })
      const token = await stage.user('alice')
      await stage.idleApp(token, 'shop')
      const url = `${stage.url}/v2/apps/shop/events`
      const config = (value: number) =>
        stage.call('POST', '/v2/apps/shop/config/', { token, body: { values: { A: value } } })

      await using first = await EventStream.open(url, token)
      expect([first.status, first.headers['content-type'], first.headers.deis_api_version]).toEqual([
        200,
        'text/event-stream',
        '2.3',
      ])
      await config(1)
      const seen = await first.until(({ event }) => event === 'deploy-succeeded')
      const names = seen.map(({ event }) => event)
      expect(names.indexOf('deploy-started')).toBeLessThan(names.indexOf('progress'))
      expect(seen.at(-1)!.data).toEqual({ time: expect.any(String), release: 3, message: 'alice added A' })
      expect(seen.map(({ event, data }) => `${event} ${data.message}`)).toContain('log alice added A')
      const numbers = seen.map(({ id }) => Number(id.split('-').at(-1)))
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b))

      await config(2)
      await using resumed = await EventStream.open(url, token, { 'last-event-id': seen.at(-1)!.id })
      const missed = await resumed.until(({ event }) => event === 'deploy-succeeded')
      expect(missed.at(-1)!.data.release).toBe(4)
      expect(missed.some(({ id }) => seen.some(event => event.id === id))).toBe(false)
      // An id of a process before this one: everything may be new.
      await using other = await EventStream.open(url, token, { 'last-event-id': 'x-1' })
      expect((await other.next())!.event).toBe('log')
    })

    test('end with the controller', async () => {
      await using stage = await ControllerStage.start({ database: await fresh(), times: quick })
      const token = await stage.user('alice')
      await stage.app(token, 'shop')
      await using events = await EventStream.open(`${stage.url}/v2/apps/shop/events`, token)
      await stage.close()
      expect(await events.next()).toBeNull()
    })

    test('end with the app and with the right to it: the next app of that name is of somebody else', async () => {
      await using stage = await ControllerStage.start({ database: await fresh(), times: quick })
      await stage.user('admin')
      const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
      await stage.app(alice, 'shop')
      const follow = (token: string, headers = {}) =>
        EventStream.open(`${stage.url}/v2/apps/shop/events`, token, headers)
      const isOver = async (events: EventStream): Promise<void> => {
        for (;;) if ((await events.next()) === null) return
      }
      await stage.call('POST', '/v2/apps/shop/perms/', { token: alice, body: { username: 'bob' } })
      await using shared = await follow(bob)
      await stage.call('DELETE', '/v2/apps/shop/perms/bob', { token: alice })
      await isOver(shared)
      expect((await follow(bob)).status).toBe(403)

      await using own = await follow(alice)
      await stage.call('DELETE', '/v2/apps/shop/', { token: alice })
      await isOver(own)
      await stage.app(bob, 'shop')
      await using next = await follow(bob, { 'last-event-id': 'x-1' })
      const first = await next.next()
      expect(first!.data.message).toMatch(/^config shop-/)
      expect((await follow(alice)).status).toBe(403)
    })

    test('are for 50 at once', async () => {
      await using stage = await ControllerStage.start({ database: await fresh(), times: quick })
      const token = await stage.user('alice')
      await stage.app(token, 'shop')
      const url = `${stage.url}/v2/apps/shop/events`
      await using streams = new AsyncDisposableStack()
      for (let count = 0; count < 50; count++) streams.use(await EventStream.open(url, token))
      const more = streams.use(await EventStream.open(url, token))
      expect([more.status, Number(more.headers['retry-after']) > 0]).toEqual([429, true])
      expect((await stage.call('HEAD', '/v2/apps/shop/events', { token })).status).toBe(429)
    })
  })

  onAny('the end of a controller', () => {
    test('waits for a deploy that is under way, and refuses whoever comes', async () => {
      await using stage = await ControllerStage.start({ database: await fresh(), times: quick })
      const token = await stage.user('alice')
      await stage.idleApp(token, 'shop')
      const { reply, open } = await heldDeploy(stage, token, 'shop')
      const { port } = stage.controller
      const closed = stage.close()
      await refused(port)
      await open()
      expect((await reply).status).toBe(201)
      await closed
      await stage.open()
      await stage.controller.reconciled
      const { body } = await stage.call('GET', '/v2/apps/shop/releases/', { token })
      expect(body.results[0]).toMatchObject({ version: 3, failed: false })
    })

    test('without patience leaves the deploy to the next, which ends it', async () => {
      await using stage = await ControllerStage.start({ database: await fresh(), times: quick })
      const token = await stage.user('alice')
      await stage.idleApp(token, 'shop')
      const { reply, open } = await heldDeploy(stage, token, 'shop')
      await stage.close(0)
      expect(await reply).toMatchObject({ status: 503, body: { detail: expect.stringContaining('restarted') } })
      await open()
      await stage.open()
      await stage.controller.reconciled
      const { body } = await stage.call('GET', '/v2/apps/shop/releases/', { token })
      expect(body.results[0]).toMatchObject({
        version: 3,
        failed: false,
        summary: expect.not.stringContaining('failed'),
      })
      // The apps that are well come first: the deploy goes on beside them.
      const pods = async () => (await stage.call('GET', '/v2/apps/shop/pods/', { token })).body.results
      await expect.poll(pods, { timeout: 15_000 }).toMatchObject([{ release: 'v3' }])
    })
  })

  test('one deploy at a time: config is 409, a build 400, and a rollback takes its place', async () => {
    await using stage = await ControllerStage.start({ database: await fresh(), times: quick })
    const token = await stage.user('alice')
    await stage.idleApp(token, 'shop')
    const post = (path: string, body: unknown) => stage.call('POST', `/v2/apps/shop/${path}`, { token, body })
    await post('config/', { values: { A: 'b' } })
    const { reply } = await heldDeploy(stage, token, 'shop')
    const busy = { detail: 'Deployment for shop is already in progress' }
    expect(await post('config/', { values: { A: 'c' } })).toMatchObject({ status: 409, body: busy })
    expect(await post('builds/', { image: await stage.image(), procfile: idleProcfile })).toMatchObject({
      status: 400,
      body: busy,
    })
    expect(await post('scale/', { web: 2 })).toMatchObject({ status: 409, body: busy })
    expect(await post('releases/rollback/', { version: 2 })).toMatchObject({ status: 201, body: { version: 5 } })
    expect((await reply).status).toBe(400)
    const { body } = await stage.call('GET', '/v2/apps/shop/releases/', { token })
    expect(
      body.results.map((release: { version: number; failed: boolean }) => [release.version, release.failed]),
    ).toEqual([
      [5, false],
      [4, true],
      [3, false],
      [2, false],
      [1, false],
    ])
  })
})

onPostgres(fresh => {
  const replicas = async () => {
    const database = await fresh()
    const one = await ControllerStage.start({ database, times: quick })
    const two = await ControllerStage.start({ database, times: quick })
    return { one, two }
  }

  test('two replicas: what one deploys the other leaves alone', async () => {
    const { one, two } = await replicas()
    await using _one = one
    await using _two = two
    const token = await one.user('alice')
    await one.idleApp(token, 'shop')
    const { reply, open } = await heldDeploy(one, token, 'shop')
    const post = (path: string, body: unknown) => two.call('POST', `/v2/apps/shop/${path}`, { token, body })
    const busy = { detail: 'Deployment for shop is already in progress' }
    expect(await post('config/', { values: { A: 'c' } })).toMatchObject({ status: 409, body: busy })
    expect(await post('builds/', { image: '/x' })).toMatchObject({ status: 400, body: busy })
    await open()
    expect((await reply).status).toBe(201)
    expect((await two.call('GET', '/v2/apps/shop/releases/', { token })).body.count).toBe(3)
  })

  test('two replicas: of one name there is one app, of many changes none is lost', async () => {
    const { one, two } = await replicas()
    await using _one = one
    await using _two = two
    const token = await one.user('alice')
    const on = (index: number) => (index % 2 === 0 ? one : two)
    const made = await Promise.all(
      Array.from({ length: 4 }, (_, index) => on(index).call('POST', '/v2/apps/', { token, body: { id: 'shop' } })),
    )
    expect(made.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400])
    const changed = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        on(index).call('POST', '/v2/apps/shop/config/', { token, body: { values: { [`K${index}`]: 'v' } } }),
      ),
    )
    expect(changed.map(({ status, body }) => [status, status === 201 ? null : body])).toEqual(
      changed.map(() => [201, null]),
    )
    expect(Object.keys((await two.call('GET', '/v2/apps/shop/config/', { token })).body.values)).toHaveLength(8)
    // A token of one is good at the other, and dies at both.
    await two.call('POST', '/v2/auth/tokens/', { token, body: '' })
    expect((await one.call('GET', '/v2/', { token })).status).toBe(401)
  })

  test('two replicas: scaling at once keeps both counts', async () => {
    const { one, two } = await replicas()
    await using _one = one
    await using _two = two
    const token = await one.user('alice')
    await one.idleApp(token, 'shop')
    const scaled = await Promise.all([
      one.call('POST', '/v2/apps/shop/scale/', { token, body: { web: 2 } }),
      two.call('POST', '/v2/apps/shop/scale/', { token, body: { worker: 2 } }),
    ])
    expect(scaled.map(({ status, body }) => [status, body])).toEqual([
      [204, ''],
      [204, ''],
    ])
    expect((await one.call('GET', '/v2/apps/shop/', { token })).body.structure).toEqual({ web: 2, worker: 2 })
  })
})
