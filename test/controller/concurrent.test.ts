// What happens to an app while something else happens to it: changes during deploys, deploys that make way, faults of the
// cluster in the worst moment. The cluster is one that a test can hold up.

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ClusterError } from '#controller/cluster/cluster.ts'
import { Controller } from '#controller/controller.ts'
import type { AppId } from '#controller/domain/app.ts'
import { AppEvents } from '#controller/reconcile/app-events.ts'
import { AppLocks, Superseded } from '#controller/reconcile/app-lock.ts'
import { openStore } from '#controller/store/open-store.ts'
import type { Store } from '#controller/store/store.ts'
import { createLogger } from '#kit/log.ts'
import { controllerConfig } from '#test/support/controller-stage.ts'
import { QuietCluster } from '#test/support/quiet-cluster.ts'

const shop = 'shop' as AppId
let store: Store
let cluster: QuietCluster
let controller: Controller
let token: string
/** Runs every transaction twice, and keeps the second run: as after a deadlock. */
let twice = false

async function open(env: Record<string, string> = {}): Promise<void> {
  const config = controllerConfig('unused', env)
  const log = createLogger({ destination: { write: () => {} } })
  const real = await openStore({ kind: 'sqlite', file: ':memory:' }, { log })
  const again = new Error('once more')
  store = Object.assign(Object.create(real) as Store, real, {
    transaction: async <T>(work: Parameters<Store['transaction']>[0]): Promise<T> => {
      if (twice)
        await real
          .transaction(async rows => {
            await work(rows)
            throw again
          })
          .catch(error => {
            if (error !== again) throw error
          })
      return (await real.transaction(work)) as T
    },
  })
  cluster = new QuietCluster()
  const appLines = new Writable({ write: (_chunk, _encoding, done) => done() })
  controller = await Controller.start(config, { log, store, cluster, appLines, checkAnswers: true })
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into it in their own ways
async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> {
  const response = await fetch(`http://127.0.0.1:${controller.port}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: `token ${token}` }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? null : JSON.parse(text) }
}

const build = (word = 'x') => call('POST', '/v2/apps/shop/builds/', { image: `/${word}`, procfile: { web: word } })
const releases = async () =>
  (await call('GET', '/v2/apps/shop/releases/')).body.results.map((each: { version: number; failed: boolean }) => [
    each.version,
    each.failed,
  ])

beforeEach(async () => {
  token = ''
  twice = false
  await open()
  const user = { username: 'alice', password: 'some password', email: '' }
  await call('POST', '/v2/auth/register/', user)
  token = (await call('POST', '/v2/auth/login/', user)).body.token
  expect((await call('POST', '/v2/apps/', { id: 'shop' })).status).toBe(201)
})
afterEach(async () => {
  await controller.stop(0)
})

/** Holds up the first deed of this kind from now on, until told. */
function holdUp(kind: string): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  let isFirst = true
  cluster.before = (deed, _app, signal) => {
    if (deed !== kind || !isFirst) return
    isFirst = false
    return Promise.race([promise, new Promise<void>(ended => signal.addEventListener('abort', () => ended()))])
  }
  return resolve
}

test('a whitelist that is set while processes are scaled is what the router hears last', async () => {
  await build()
  const goOn = holdUp('scale')
  const scaled = call('POST', '/v2/apps/shop/scale/', { web: 2 })
  await cluster.heard('scale')
  expect((await call('POST', '/v2/apps/shop/whitelist/', { addresses: ['192.0.2.1'] })).status).toBe(201)
  goOn()
  expect((await scaled).status).toBe(204)
  expect(cluster.asked.at(-1)).toMatchObject({ deed: 'publish', app: { routing: { whitelist: ['192.0.2.1'] } } })
})

test('and so it is when the way back of a failed deploy has told the router of the old one', async () => {
  await build('good')
  cluster.before = async (deed, app) => {
    if (deed !== 'deploy') return
    if (app.release?.version === 3) throw new ClusterError('failed', 'it does not come up')
    expect((await call('POST', '/v2/apps/shop/whitelist/', { addresses: ['192.0.2.1'] })).status).toBe(201)
  }
  expect((await build('bad')).status).toBe(400)
  expect(cluster.asked.at(-1)).toMatchObject({ deed: 'publish', app: { routing: { whitelist: ['192.0.2.1'] } } })
})

test('a rollback that is refused ends no deploy', async () => {
  await build()
  const goOn = holdUp('deploy')
  const deployed = build('y')
  await cluster.heard('deploy', 2)
  expect((await call('POST', '/v2/apps/shop/releases/rollback/', { version: 99 })).status).toBe(400)
  goOn()
  expect((await deployed).status).toBe(201)
})

test('while a deploy goes on the app is busy for all others', async () => {
  const goOn = holdUp('deploy')
  const deployed = build()
  await cluster.heard('deploy')
  expect(await call('POST', '/v2/apps/shop/config/', { values: { A: '1' } })).toEqual({
    status: 409,
    body: { detail: 'Deployment for shop is already in progress' },
  })
  expect(await store.locks.tryTake('app:shop')).toBeNull()
  goOn()
  expect((await deployed).status).toBe(201)
})

test('a rollback ends the deploy that it meets', async () => {
  await build()
  await build('y')
  holdUp('deploy')
  const deployed = build('z')
  await cluster.heard('deploy', 3)
  expect((await call('POST', '/v2/apps/shop/releases/rollback/', { version: 2 })).status).toBe(201)
  expect((await deployed).body.detail).toContain('something else is deployed instead')
  expect(await releases()).toEqual([
    [5, false],
    [4, true],
    [3, false],
    [2, false],
    [1, false],
  ])
})

test('a fault of the controller itself fails a deploy, and the next one goes', async () => {
  await build()
  cluster.before = (deed, app) => {
    if (deed === 'deploy' && app.release?.version === 3) throw new TypeError('undefined is not a function')
  }
  const broken = await build('y')
  expect([broken.status, broken.body.detail]).toEqual([400, expect.stringContaining('the controller has a fault')])
  expect((await build('z')).status).toBe(201)
})

test('a rollback does not wait for what a controller that died has left: that failed', async () => {
  await build()
  await build('y')
  const [current] = [(await store.releases.current(shop))!]
  await store.releases.create({ ...current, summary: 'alice deployed z', state: 'deploying' })
  expect((await call('POST', '/v2/apps/shop/releases/rollback/', { version: 2 })).status).toBe(201)
  expect((await releases()).slice(0, 2)).toEqual([
    [5, false],
    [4, true],
  ])
})

test('a deploy that was left, and fails then, gives back the process types that it took away', async () => {
  const procfile = { web: 'x', worker: 'y' }
  expect((await call('POST', '/v2/apps/shop/builds/', { image: '/x', procfile })).status).toBe(201)
  expect((await call('POST', '/v2/apps/shop/scale/', { web: 1, worker: 2 })).status).toBe(204)
  const current = (await store.releases.current(shop))!
  const row = (await store.builds.find(shop, current.build!))!
  const build = await store.builds.create({ ...row, procfile: { web: 'x' } })
  const formerStructure = (await store.apps.find(shop))!.structure
  await store.releases.create({ ...current, build: build.uuid, summary: 's', state: 'deploying', formerStructure })
  await store.apps.setStructure(shop, { web: 1 })
  expect((await call('POST', '/v2/apps/shop/scale/', { web: 3 })).status).toBe(409)
  cluster.before = (deed, app) => {
    if (deed === 'deploy' && app.release?.version === 3) throw new ClusterError('failed', 'it does not come up')
  }
  expect((await call('POST', '/v2/apps/shop/config/', { values: { A: '1' } })).status).toBe(201)
  expect((await releases()).slice(0, 2)).toEqual([
    [4, false],
    [3, true],
  ])
  expect((await store.apps.find(shop))?.structure).toEqual({ web: 1, worker: 2 })
})

test('nodes are counted while no transaction is open', async () => {
  const seen: unknown[] = []
  cluster.nodes = async tags => {
    // Would wait for the one that is open.
    await store.transaction(rows => rows.apps.find('shop'))
    seen.push(tags)
    return tags.disk === 'ssd' ? 1 : 0
  }
  expect((await call('POST', '/v2/apps/shop/config/', { tags: { disk: 'ssd' } })).status).toBe(201)
  expect((await call('POST', '/v2/apps/shop/config/', { tags: { disk: 'tape' } })).status).toBe(400)
  expect(seen).toEqual([{ disk: 'ssd' }, { disk: 'tape' }])
  expect((await call('GET', '/v2/apps/shop/config/')).body.tags).toEqual({ disk: 'ssd' })
})

test('the end waits for deploy hooks, and not for ever', async () => {
  const asked = Promise.withResolvers<ServerResponse>()
  const receiver = createServer((_, response) => asked.resolve(response)).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const { port } = receiver.address() as AddressInfo
  await controller.stop(0)
  await open({ DEIS_DEPLOY_HOOK_URLS: `http://127.0.0.1:${port}/` })
  token = ''
  const user = { username: 'alice', password: 'some password', email: '' }
  await call('POST', '/v2/auth/register/', user)
  token = (await call('POST', '/v2/auth/login/', user)).body.token
  await call('POST', '/v2/apps/', { id: 'shop' })
  expect((await build()).status).toBe(201)
  const response = await asked.promise
  let isOver = false
  const stopped = controller.stop().then(() => {
    isOver = true
  })
  await expect.poll(() => fetch(`http://127.0.0.1:${controller.port}/`).catch(() => 'refused')).toBe('refused')
  expect(isOver).toBe(false)
  response.end()
  await stopped
  receiver.close()
})

test('a first deploy that fails leaves nothing running', async () => {
  cluster.before = deed => {
    if (deed === 'deploy') throw new ClusterError('failed', 'it does not come up')
  }
  expect((await build()).status).toBe(400)
  expect(await cluster.heard('repair')).toMatchObject({ id: 'shop', release: null, structure: {} })
})

test('a cluster that could not be told of a change is told soon how it is', async () => {
  cluster.before = deed => {
    if (deed === 'publish') throw new ClusterError('unreachable', 'away')
  }
  expect((await call('POST', '/v2/apps/shop/domains/', { domain: 'www.example.com' })).status).toBe(503)
  cluster.before = () => {}
  const { routing } = await cluster.heard('repair')
  expect(routing.domains.map(({ domain }) => domain)).toEqual(['shop'])
})

test('a transaction that is tried again answers with the build that is there', async () => {
  twice = true
  const { body } = await build()
  const { body: there } = await call('GET', '/v2/apps/shop/builds/')
  expect(there.results.map(({ uuid }: { uuid: string }) => uuid)).toEqual([body.uuid])
})

test('an app that is being removed makes way for no rollback', async () => {
  await build()
  await build('y')
  const goOn = holdUp('destroy')
  const removed = call('DELETE', '/v2/apps/shop/')
  await cluster.heard('destroy')
  const rolledBack = call('POST', '/v2/apps/shop/releases/rollback/', {})
  goOn()
  expect([(await removed).status, (await rolledBack).status]).toEqual([204, 404])
})

test('of those who insist the last one gets the app, and each makes way for the next', async () => {
  const locks = new AppLocks(store)
  const first = await locks.hold(shop)
  const second = locks.hold(shop, { force: true })
  const third = locks.hold(shop, { force: true })
  await expect.poll(() => first.signal.reason).toBeInstanceOf(Superseded)
  await first[Symbol.asyncDispose]()
  const held = await second
  await expect.poll(() => held.signal.reason).toBeInstanceOf(Superseded)
  await held[Symbol.asyncDispose]()
  const last = await third
  expect(last.signal.aborted).toBe(false)
  await last[Symbol.asyncDispose]()
})

test('who follows an app hears nothing of another one of its name', async () => {
  const events = new AppEvents('epoch')
  const { signal } = new AbortController()
  const heard: string[] = []
  const following = (async () => {
    for await (const text of events.follow(shop, null, signal)) heard.push(text)
  })()
  await Promise.resolve()
  events.add(shop, 'log', { message: 'of the first' })
  await expect.poll(() => heard.length).toBe(1)
  events.forget(shop)
  events.add(shop, 'log', { message: 'of the second' })
  await following
  expect(heard.join('')).toMatch(/of the first/)
  expect(heard.join('')).not.toMatch(/of the second/)
  expect((await events.follow(shop, 'other-1', signal).next()).value).not.toMatch(/of the first/)
})
