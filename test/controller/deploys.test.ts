// Builds, releases, processes, and who is told of them (controller contract, sections 3, 5, 6, 8 and 9), with processes of
// this machine.

import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { builderKey, ControllerStage, idleProcfile, quick } from '#test/support/controller-stage.ts'
import { onEachDatabase } from '#test/support/databases.ts'

const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
const date = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)

interface Heard {
  readonly url: string
  readonly authorization: string | undefined
  readonly length: number
}

/** Somebody who is told of releases. */
async function hookReceiver() {
  const heard: Heard[] = []
  let onHeard = (): void => {}
  const server = createServer((request, response) => {
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
    })
    request.on('end', () => {
      heard.push({ url: request.url!, authorization: request.headers.authorization, length })
      response.end()
      onHeard()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async first(fits: (heard: Heard) => boolean): Promise<Heard> {
      for (;;) {
        const found = heard.find(fits)
        if (found !== undefined) return found
        await new Promise<void>(resolve => {
          onHeard = resolve
        })
      }
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

onEachDatabase((fresh, onAny) => {
  let stage: ControllerStage
  let token: string
  let image: string
  let receiver: Awaited<ReturnType<typeof hookReceiver>>
  beforeAll(async () => {
    receiver = await hookReceiver()
    stage = await ControllerStage.start({
      database: await fresh(),
      times: quick,
      env: {
        DEIS_DEPLOY_HOOK_URLS: `http://127.0.0.1:${receiver.port}/hook?key=secret-of-hook,http://127.0.0.1:1/nobody`,
        DEIS_DEPLOY_HOOK_SECRET_KEY: 'hook-secret',
      },
    })
    token = await stage.user('alice')
    image = await stage.image()
  })
  afterAll(async () => {
    expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
    await stage[Symbol.asyncDispose]()
    await receiver[Symbol.asyncDispose]()
  })

  const call = async (method: string, path: string, body?: unknown, headers = {}) => {
    const reply = await stage.call(method, `/v2/apps/${path}`, {
      token,
      headers,
      ...(body === undefined ? {} : { body }),
    })
    return [reply.status, reply.body] as const
  }
  /** Such that no port is waited for. */
  const app = async (id: string): Promise<string> => {
    await stage.app(token, id)
    await call('POST', `${id}/settings/`, { routable: false })
    return id
  }
  const build = (id: string, more = {}) => call('POST', `${id}/builds/`, { image, procfile: idleProcfile, ...more })
  const newest = async (id: string) => (await call('GET', `${id}/releases/?limit=1`))[1].results[0]

  onAny('builds', () => {
    test('the first, its shape and lines', async () => {
      await app('first')
      const [status, body] = await build('first', { sha: '', owner: 'mallory' })
      expect(status).toBe(201)
      expect(body).toStrictEqual({
        owner: 'alice',
        app: 'first',
        image,
        sha: '',
        procfile: idleProcfile,
        dockerfile: '',
        created: date,
        updated: date,
        uuid,
      })
      expect((await call('GET', 'first/'))[1].structure).toEqual({ web: 1 })
      expect(await call('GET', `first/builds/${body.uuid}/`)).toEqual([200, body])
      expect((await call('GET', 'first/builds/'))[1]).toMatchObject({ count: 1, results: [body] })
      expect(await newest('first')).toMatchObject({
        version: 2,
        summary: `alice deployed ${image}`,
        failed: false,
        build: body.uuid,
      })
      expect(stage.lines).toContain(`INFO [first]: build first-${body.uuid.slice(0, 7)} created`)
      expect(stage.lines).toContain(`INFO [first]: alice deployed ${image}`)
    })
    const rows: [name: string, body: unknown, status: number, answer: unknown][] = [
      ['no image', {}, 400, { image: ['This field is required.'] }],
      ['a blank image', { image: '' }, 400, { image: ['This field may not be blank.'] }],
      [
        'one of the platform',
        { image: 'deis/controller:latest' },
        400,
        { detail: 'Repository name deis/controller is not allowed, as it is reserved by Deis' },
      ],
      [
        'a long sha',
        { image: 'a', sha: 'a'.repeat(41) },
        400,
        { sha: ['Ensure this field has no more than 40 characters.'] },
      ],
      [
        'a type in capitals',
        { image: 'a', procfile: { Web: 'x' } },
        400,
        { procfile: ['Process types can only contain lowercase alphanumeric characters'] },
      ],
      [
        'an empty command',
        { image: 'a', procfile: { web: '' } },
        400,
        { procfile: ["Command can't be empty for process type"] },
      ],
    ]
    for (const [name, body, status, answer] of rows)
      test(name, async () => {
        const before = await newest('first')
        expect(await call('POST', 'first/builds/', body)).toEqual([status, answer])
        expect(await newest('first')).toEqual(before)
      })
    test('an image that is not there: 400, the release stays and is failed, the one before runs', async () => {
      const [status, body] = await build('first', { image: '/no/such/image' })
      expect(status).toBe(400)
      expect(body.detail).toMatch(
        /^\(app::deploy\): There was a problem deploying v3\. Rolling back process types to release v2\.\nimage .* not found/,
      )
      const release = await newest('first')
      expect(release).toMatchObject({
        version: 3,
        failed: true,
        summary: `alice deployed ${release.build.slice(0, 7)} which failed`,
      })
      expect((await call('GET', 'first/pods/'))[1].results).toMatchObject([{ release: 'v2', state: 'up' }])
    })
    test('types that are gone are scaled to nothing', async () => {
      expect((await call('POST', 'first/scale/', { worker: 1 }))[0]).toBe(204)
      expect((await build('first', { procfile: { web: idleProcfile.web } }))[0]).toBe(201)
      expect((await call('GET', 'first/'))[1].structure).toEqual({ web: 1, worker: 0 })
    })
    test('a procfile may be JSON in a string', async () => {
      expect((await build('first', { procfile: JSON.stringify(idleProcfile) }))[1].procfile).toEqual(idleProcfile)
    })
  })

  onAny('config of what runs', () => {
    test('is deployed before it is answered; a failure keeps the former', async () => {
      const id = await app('configured')
      await build(id)
      expect((await call('POST', `${id}/config/`, { values: { WORD: 'a' } }))[0]).toBe(201)
      expect((await call('GET', `${id}/pods/`))[1].results).toMatchObject([{ release: 'v3' }])
      const probe = {
        exec: { command: ['/no/such/command'] },
        initialDelaySeconds: 0,
        periodSeconds: 1,
        failureThreshold: 1,
      }
      const [status, body] = await call('POST', `${id}/config/`, {
        values: { DEIS_DEPLOY_TIMEOUT: 1 },
        healthcheck: { web: { readinessProbe: probe } },
      })
      expect([status, body.detail]).toEqual([
        400,
        expect.stringMatching(/^\(app::deploy\): There was a problem deploying v4/),
      ])
      expect(await newest(id)).toMatchObject({ failed: true, summary: 'alice deployed a config that failed' })
      const [, config] = await call('GET', `${id}/config/`)
      expect([config.values, config.healthcheck]).toEqual([{ WORD: 'a' }, {}])
    })
  })

  describe('releases', () => {
    test('back to a former one, to the one before, and never to a failed one', async () => {
      const id = await app('back')
      await build(id)
      await call('POST', `${id}/config/`, { values: { A: '1' } })
      await build(id, { image: '/no/such/image' })
      expect(await call('POST', `${id}/releases/rollback/`, { version: 4 })).toEqual([
        400,
        { detail: 'Cannot roll back to failed release.' },
      ])
      expect(await call('POST', `${id}/releases/rollback/`, { version: 'x' })).toEqual([
        400,
        { version: ['A valid integer is required.'] },
      ])
      expect(await call('POST', `${id}/releases/rollback/`)).toEqual([201, { version: 5 }])
      expect(await newest(id)).toMatchObject({ version: 5, summary: 'alice rolled back to v2' })
      expect((await call('GET', `${id}/config/`))[1].values).toEqual({})
      expect(await call('POST', `${id}/releases/rollback/`, { version: '3' })).toEqual([201, { version: 6 }])
      expect((await call('GET', `${id}/config/`))[1].values).toEqual({ A: '1' })
      expect(
        (await call('GET', `${id}/releases/`))[1].results.map(({ version }: { version: number }) => version),
      ).toEqual([6, 5, 4, 3, 2, 1])
    })
  })

  onAny('processes', () => {
    const id = 'scaled'
    beforeAll(async () => {
      await app(id)
      await build(id)
    })
    test('scaling merges, and does nothing when nothing changes', async () => {
      expect(await call('POST', `${id}/scale/`, { web: 2, worker: '1' })).toEqual([204, ''])
      const [, list] = await call('GET', `${id}/pods/`)
      expect(list.count).toBe(3)
      expect(list.results[0]).toStrictEqual({
        name: expect.stringMatching(/^scaled-(web|worker)-/),
        state: 'up',
        release: 'v2',
        type: expect.any(String),
        started: date,
      })
      const lines = stage.lines.length
      expect(await call('POST', `${id}/scale/`, { web: 2 })).toEqual([204, ''])
      expect(stage.lines.slice(lines).filter(line => line.includes('scaled pods'))).toEqual([])
      expect(stage.lines).toContain(`INFO [${id}]: alice scaled pods web=2 worker=1`)
    })
    const faults: [body: unknown, status: number, answer: unknown][] = [
      [{ none: 1 }, 404, { detail: 'Container type none does not exist in application' }],
      [{ web: 'x' }, 400, { detail: expect.stringMatching(/^Invalid scaling format: /) }],
      [{ web: -1 }, 400, { detail: expect.stringMatching(/^Invalid scaling format: /) }],
      [{ web: 1.5 }, 400, { detail: expect.stringMatching(/^Invalid scaling format: /) }],
    ]
    for (const [body, status, answer] of faults)
      test(`scaling ${JSON.stringify(body)}`, async () =>
        expect(await call('POST', `${id}/scale/`, body)).toEqual([status, answer]))
    test('what cannot be reached is not kept', async () => {
      const [status, body] = await call('POST', `${id}/scale/`, { cmd: 1 })
      expect([status, body.detail]).toEqual([503, expect.stringMatching(/^\(scale\): /)])
      expect((await call('GET', `${id}/`))[1].structure).toEqual({ web: 2, worker: 1 })
    })
    test('lists by type and name', async () => {
      const [, { results }] = await call('GET', `${id}/pods/worker/`)
      expect(results).toHaveLength(1)
      const { name } = results[0]
      expect((await call('GET', `${id}/pods/worker/${name}/`))[1].count).toBe(1)
      expect((await call('GET', `${id}/pods/web/${name}/`))[1].count).toBe(0)
      expect((await call('GET', `${id}/pods/none/`))[1]).toEqual({ results: [], count: 0 })
    })
    test('restart one, however a client cuts its name; a type; none', async () => {
      const names = async (): Promise<string[]> => {
        const [, { results }] = await call('GET', `${id}/pods/`)
        return results
          .filter(({ state }: { state: string }) => state !== 'terminating')
          .map(({ name }: { name: string }) => name)
      }
      const before = await names()
      const web = before.find(name => name.includes('-web-'))!
      const [status, fresh] = await call('POST', `${id}/pods/${web.split('-')[2]}/${web.slice(id.length + 1)}/restart/`)
      expect([status, fresh.length, fresh[0].type, fresh[0].state]).toEqual([200, 1, 'web', 'up'])
      expect(await names()).not.toContain(web)
      const [, worker] = await call('POST', `${id}/pods/nonsense/worker/restart/`)
      expect(worker.map(({ type }: { type: string }) => type)).toEqual(['worker'])
      const [, webs] = await call('POST', `${id}/pods/web/restart/`)
      expect(webs).toHaveLength(2)
      expect(await call('POST', `${id}/pods/none/restart/`)).toEqual([200, []])
      expect((await names()).length).toBe(3)
    })
    test('run: both streams and the exit code', async () => {
      expect(await call('POST', `${id}/run`, { command: 'echo out; echo err >&2; exit 3' })).toEqual([
        200,
        { exit_code: 3, output: expect.stringMatching(/out\nerr\n|err\nout\n/) },
      ])
      expect(stage.lines.some(line => /alice .*runs 'echo out/.test(line))).toBe(true)
    })
    test('to nothing', async () => {
      expect((await call('POST', `${id}/scale/`, { web: 0, worker: 0 }))[0]).toBe(204)
      const [, { results }] = await call('GET', `${id}/pods/`)
      expect(results.filter(({ state }: { state: string }) => state !== 'terminating')).toEqual([])
    })
  })

  describe('Idempotency-Key', () => {
    const id = 'once'
    beforeAll(() => app(id))
    const keyed = (key: string, body: unknown = { image, procfile: idleProcfile }, as = token) =>
      stage.call('POST', `/v2/apps/${id}/builds/`, { token: as, body, headers: { 'idempotency-key': key } })
    test('the same answer, and one deploy', async () => {
      const [first, again] = [await keyed('k1'), await keyed('k1')]
      expect([again.status, again.body]).toEqual([first.status, first.body])
      expect((await newest(id)).version).toBe(2)
    })
    test('another body: 422', async () => {
      expect(await keyed('k1', { image, procfile: { web: 'sleep 1' } })).toMatchObject({
        status: 422,
        body: { detail: expect.stringContaining('Idempotency-Key') },
      })
    })
    test('at once: one deploys, the others are told so', async () => {
      const replies = await Promise.all(Array.from({ length: 4 }, () => keyed('k2')))
      const made = replies.filter(({ status }) => status === 201)
      // Who comes when it is done is given the answer of the first.
      expect(new Set(made.map(({ body }) => body.uuid)).size).toBe(1)
      expect(replies.filter(({ status }) => status === 409)).toHaveLength(4 - made.length)
      expect((await newest(id)).version).toBe(3)
    })
    test('keys are of one user', async () => {
      const bob = await stage.user('bob')
      await call('POST', `${id}/perms/`, { username: 'bob' })
      expect((await keyed('k1', undefined, bob)).status).toBe(201)
      expect((await newest(id)).version).toBe(4)
    })
    test('refusals are kept as well, and faults of a key are 400', async () => {
      expect((await keyed('k3', {})).status).toBe(400)
      expect((await keyed('k3', {})).body).toEqual({ image: ['This field is required.'] })
      expect((await keyed('k'.repeat(256))).status).toBe(400)
      expect((await keyed('')).status).toBe(400)
    })
    test('also for config and rollback', async () => {
      const config = () =>
        stage.call('POST', `/v2/apps/${id}/config/`, {
          token,
          body: { values: { A: 'b' } },
          headers: { 'idempotency-key': 'k4' },
        })
      expect((await config()).body).toEqual((await config()).body)
      const back = () =>
        stage.call('POST', `/v2/apps/${id}/releases/rollback/`, {
          token,
          body: { version: 2 },
          headers: { 'idempotency-key': 'k5' },
        })
      expect((await back()).body).toEqual((await back()).body)
      expect((await newest(id)).version).toBe(6)
    })
  })

  onAny('section 6: the builder deploys', () => {
    test('as the user who pushes', async () => {
      const id = await app('pushed')
      const post = (path: string, body: object) =>
        stage.call('POST', path, {
          headers: { 'x-deis-builder-auth': builderKey },
          body: { receive_user: 'alice', receive_repo: id, ...body },
        })
      const sha = '0123456789abcdef0123456789abcdef01234567'
      expect(await post('/v2/hooks/build/', { sha, image, procfile: idleProcfile, dockerfile: '' })).toMatchObject({
        status: 200,
        body: { release: { version: 2 } },
      })
      expect(await newest(id)).toMatchObject({ owner: 'alice', summary: 'alice deployed 0123456' })
      expect((await post('/v2/hooks/config/', {})).body).toMatchObject({ app: id, values: {} })
      expect(await post('/v2/hooks/build/', { sha, image: '/none', procfile: idleProcfile })).toMatchObject({
        ...{ status: 400, body: { detail: expect.stringContaining('image /none not found') } },
      })
    })
  })

  onAny('section 9: deploy hooks', () => {
    test('an empty POST with the parts of a release, signed', async () => {
      const id = await app('hooked')
      await call('POST', `${id}/config/`, { values: { A: 'b c' } })
      const { url, authorization, length } = await receiver.first(({ url }) => url.includes('app=hooked&release=v2'))
      expect(url).toBe('/hook?key=secret-of-hook&app=hooked&release=v2&release_summary=alice+added+A&sha=&user=alice')
      const signed = createHmac('sha1', 'hook-secret').update(`http://127.0.0.1:${receiver.port}${url}`).digest('hex')
      expect([authorization, length]).toEqual([signed, 0])
    })
    test('both are told of in the log, without what is secret', async () => {
      await stage.line(line =>
        line.startsWith(`INFO [hooked]: Deploy hook sent to http://127.0.0.1:${receiver.port}/hook`),
      )
      await stage.line(line => line.startsWith('ERROR [first]: Deploy hook to http://127.0.0.1:1/nobody failed'))
      expect(stage.lines.join('\n')).not.toContain('secret-of-hook')
    })
  })

  onAny('audit', () => {
    test('says who changed what, in which release', () => {
      const audit = stage.log.filter(record => record.audit === true)
      expect(audit).toContainEqual(expect.objectContaining({ who: 'alice', what: 'app.create', app: 'first' }))
      expect(audit).toContainEqual(
        expect.objectContaining({ who: 'alice', what: 'build.create', app: 'first', release: 2 }),
      )
      expect(audit).toContainEqual(
        expect.objectContaining({
          who: 'alice',
          what: 'config.change',
          app: 'hooked',
          details: { keys: ['values.A'] },
        }),
      )
      expect(audit).toContainEqual(expect.objectContaining({ who: 'alice', what: 'app.scale', app: 'scaled' }))
    })
  })
})
