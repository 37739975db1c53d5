import { getEventListeners } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KubeClient } from './client.ts'
import { FakeApi, type FakeObject, type FakeRequest } from './fake.ts'
import { ListWatch, type ListWatchClock, type ListWatchOptions, type ListWatchState } from './list-watch.ts'
import type { Change } from './watch.ts'

let directory: string
let api: FakeApi
let client: KubeClient
let stop: AbortController

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'list-watch-'))
  api = await FakeApi.start()
  client = await KubeClient.fromKubeconfig(await api.kubeconfig(join(directory, 'config')))
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await client.close()
  await api.close()
  await rm(directory, { recursive: true })
})

/** Longer than any delay after a failure: the guard of a watch that has stalled. */
const isGuard = (milliseconds: number): boolean => milliseconds > 60_000

/** Delays take no time, and are written down; the guards of stalled watches go off when told to. */
class TestClock implements ListWatchClock {
  readonly delays: number[] = []
  readonly guards = new Set<() => void>()
  time = 0

  now(): number {
    return this.time
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const settle = (): void => {
      this.guards.delete(settle)
      signal.removeEventListener('abort', abort)
      resolve()
    }
    const abort = (): void => {
      this.guards.delete(settle)
      signal.removeEventListener('abort', abort)
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort)
    if (isGuard(milliseconds)) {
      this.guards.add(settle)
    } else {
      this.delays.push(milliseconds)
      setImmediate(settle)
    }
    return promise
  }
}

const almostOne = 1 - 2 ** -53

/** One reader of a watch of ConfigMaps; `until` waits for a state. */
class Follower {
  readonly clock = new TestClock()
  readonly watch: ListWatch<FakeObject>
  readonly #changes: AsyncGenerator<Change<FakeObject>, void>
  readonly #waiting = new Set<(state: ListWatchState) => void>()

  constructor(options: Partial<ListWatchOptions<FakeObject>> = {}) {
    this.watch = new ListWatch({
      client,
      apiVersion: 'v1',
      plural: 'configmaps',
      clock: this.clock,
      random: () => almostOne,
      onState: state => {
        for (const check of this.#waiting) check(state)
      },
      ...options,
    })
    this.#changes = this.watch.changes(stop.signal)
  }

  async next(): Promise<Change<FakeObject>> {
    const { value, done } = await this.#changes.next()
    if (done) throw new Error('the changes have ended')
    return value
  }

  /** `reset a b`, `upsert a`, … */
  async told(): Promise<string> {
    const change = await this.next()
    const objects = change.kind === 'reset' ? change.objects : [change.object]
    return [change.kind, ...objects.map(object => object.metadata.name)].join(' ')
  }

  until(condition: (state: ListWatchState) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const check = (state: ListWatchState): void => {
      if (condition(state)) resolve()
    }
    this.#waiting.add(check)
    check(this.watch.state)
    return promise
  }

  return(): Promise<unknown> {
    return this.#changes.return()
  }
}

function configMap(name: string, fields: Partial<FakeObject['metadata']> & { at?: string } = {}): FakeObject {
  const { at = '', ...metadata } = fields
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'deis', ...metadata }, data: { at } }
}

const reference = (name: string) => ({ apiVersion: 'v1', plural: 'configmaps', namespace: 'deis', name })
const isWatch = (request: FakeRequest): boolean => request.query.watch === 'true'
const isList = (request: FakeRequest): boolean => request.query.watch === undefined
const lists = (): number => api.requests.filter(isList).length
const lastWatch = (): FakeRequest | undefined => api.requests.findLast(isWatch)

test('first comes all there is, then every change', async () => {
  api.apply(configMap('a'))
  const follower = new Follower()
  expect(await follower.told()).toBe('reset a')
  const next = follower.told()
  await api.watchesToBe(1)
  api.apply(configMap('b'))
  expect(await next).toBe('upsert b')
  api.patch(reference('a'), { data: { at: 'later' } })
  api.delete(reference('b'))
  expect(await follower.next()).toMatchObject({ kind: 'upsert', object: { data: { at: 'later' } } })
  expect(await follower.next()).toMatchObject({
    kind: 'delete',
    object: { kind: 'ConfigMap', metadata: { name: 'b' } },
  })
  expect(follower.watch.state).toEqual({
    resource: 'configmaps',
    connected: true,
    synced: true,
    events: 3,
    relists: 0,
    reconnects: 0,
    lastError: null,
    forbidden: false,
  })
})

test('objects of a list say what they are, as those of a watch do', async () => {
  api.apply(configMap('a'))
  const reset = await new Follower().next()
  expect(reset).toMatchObject({ objects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }] })
})

test('what happens between list and watch is not missed', async () => {
  const follower = new Follower()
  expect(await follower.told()).toBe('reset')
  api.apply(configMap('a'))
  expect(await follower.told()).toBe('upsert a')
})

test('namespace and selectors limit it; an object that leaves the selection is deleted', async () => {
  api.apply(configMap('a', { labels: { app: 'x' } }))
  api.apply(configMap('b', { labels: { app: 'y' } }))
  api.apply(configMap('a', { labels: { app: 'x' }, namespace: 'other' }))
  const follower = new Follower({ namespace: 'deis', labelSelector: 'app=x', fieldSelector: 'metadata.name!=c' })
  expect(await follower.told()).toBe('reset a')
  api.apply(configMap('c', { labels: { app: 'x' } }))
  api.patch(reference('b'), { metadata: { labels: { app: 'x' } } })
  api.patch(reference('a'), { metadata: { labels: { app: null } } })
  expect([await follower.told(), await follower.told()]).toEqual(['upsert b', 'delete a'])
})

test('each watch asks for bookmarks, and for its end after 5 to 10 minutes', async () => {
  const follower = new Follower()
  await follower.told()
  void follower.told().catch(() => {})
  await api.watchesToBe(1)
  expect(lastWatch()?.query).toMatchObject({ allowWatchBookmarks: 'true', timeoutSeconds: '600' })
})

test('a watch that ends in good order is resumed at once, from the last bookmark, without a list', async () => {
  const follower = new Follower()
  await follower.told()
  const next = follower.told()
  await api.watchesToBe(1)
  api.bookmark()
  const { resourceVersion } = api.apply(configMap('ignored', { namespace: 'x' })).metadata
  await next
  api.bookmark()
  follower.clock.time = 300_000
  const later = follower.told()
  api.endWatches()
  await api.requestsToBe(2, isWatch)
  expect(Number(lastWatch()?.query.resourceVersion)).toBe(Number(resourceVersion) + 1)
  api.apply(configMap('a'))
  expect(await later).toBe('upsert a')
  expect([lists(), follower.clock.delays]).toEqual([1, []])
  expect(follower.watch.state).toMatchObject({ reconnects: 1, relists: 0 })
})

test('a watch whose connection breaks is resumed where it was, and misses nothing', async () => {
  const follower = new Follower()
  await follower.told()
  const first = follower.told()
  await api.watchesToBe(1)
  api.apply(configMap('a'))
  await first
  const next = follower.told()
  api.dropConnections()
  api.apply(configMap('b'))
  expect(await next).toBe('upsert b')
  expect([lists(), follower.clock.delays]).toEqual([1, [50]])
  expect(follower.watch.state).toMatchObject({ connected: true, reconnects: 1, relists: 0, lastError: null })
})

test('an ERROR event other than 410 is resumed without a list', async () => {
  const follower = new Follower()
  await follower.told()
  const next = follower.told()
  await api.watchesToBe(1)
  api.send('ERROR', { kind: 'Status', code: 500, reason: 'InternalError', message: 'etcd is away' })
  await follower.until(state => state.lastError === 'etcd is away')
  api.apply(configMap('a'))
  expect(await next).toBe('upsert a')
  expect(lists()).toBe(1)
})

for (const expiry of ['event', 'status'] as const) {
  test(`when the server has forgotten the version (410 as ${expiry}), all is listed anew`, async () => {
    api.expiry = expiry
    api.apply(configMap('a'))
    api.apply(configMap('b'))
    const follower = new Follower()
    await follower.told()
    const next = follower.told()
    await api.watchesToBe(1)
    api.delete(reference('a'))
    expect(await next).toBe('delete a')
    const reset = follower.told()
    api.goAway()
    api.delete(reference('b'))
    api.apply(configMap('c'))
    api.compact()
    api.comeBack()
    expect(await reset).toBe('reset c')
    expect(follower.watch.state).toMatchObject({ relists: 1, synced: true })
  })
}

test('a server that forgets every version is listed less and less often', async () => {
  const follower = new Follower()
  await follower.told()
  api.onRequest = request => {
    if (isWatch(request)) api.compact()
  }
  for (let round = 0; round < 5; round++) expect(await follower.told()).toBe('reset')
  expect(follower.clock.delays).toEqual([50, 100, 200, 400, 800])
})

test('403 is reported and asked again, until it is allowed', async () => {
  api.forbid('configmaps')
  const follower = new Follower()
  const reset = follower.told()
  await follower.until(state => state.forbidden)
  expect(follower.watch.state).toMatchObject({
    connected: false,
    synced: false,
    lastError: 'configmaps is forbidden: the user has no access to it',
  })
  api.apply(configMap('a'))
  api.allow('configmaps')
  expect(await reset).toBe('reset a')
  expect(follower.watch.state).toMatchObject({ forbidden: false, synced: true, relists: 0 })
})

const refusals: [status: number][] = [[401], [404], [500], [503]]
for (const [status] of refusals) {
  test(`${status} does not end it`, async () => {
    api.failNext(1, status)
    const follower = new Follower()
    expect(await follower.told()).toBe('reset')
    expect(follower.clock.delays).toEqual([50])
  })
}

test('delays double up to 30 s, and begin anew after a success', async () => {
  api.failNext(12)
  const follower = new Follower()
  await follower.told()
  const grown = [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]
  expect(follower.clock.delays).toEqual(grown)
  const first = follower.told()
  await api.watchesToBe(1)
  api.apply(configMap('a'))
  await first
  const next = follower.told()
  api.failNext(1)
  api.dropConnections()
  api.apply(configMap('b'))
  expect(await next).toBe('upsert b')
  expect(follower.clock.delays.slice(grown.length)).toEqual([50, 100])
})

test('a watch that ends as soon as it begins, again and again, is asked for less and less often', async () => {
  const follower = new Follower()
  await follower.told()
  let ends = 4
  const next = follower.told()
  for (; ends > 0; ends--) {
    await api.watchesToBe(1)
    api.endWatches()
    await api.watchesToBe(0)
  }
  await api.watchesToBe(1)
  api.apply(configMap('a'))
  expect(await next).toBe('upsert a')
  expect(follower.clock.delays).toEqual([50, 100, 200, 400])
})

const waits: [name: string, headers: Record<string, string>, want: number][] = [
  ['longer than our own delay', { 'retry-after': '7' }, 7_000],
  ['shorter than our own delay', { 'retry-after': '0' }, 50],
  ['absurd', { 'retry-after': '86400' }, 60_000],
]
for (const [name, headers, want] of waits) {
  test(`Retry-After of a 429 is honoured: ${name}`, async () => {
    api.failNext(1, 429, headers)
    const follower = new Follower()
    await follower.told()
    expect(follower.clock.delays).toEqual([want])
  })
}

test('a watch that the server neither ends nor feeds is given up and resumed', async () => {
  const follower = new Follower()
  await follower.told()
  const next = follower.told()
  await follower.until(state => state.connected)
  const stalled = follower.until(state => state.lastError === 'the watch has stalled')
  for (const goOff of follower.clock.guards) goOff()
  await stalled
  api.apply(configMap('a'))
  expect(await next).toBe('upsert a')
  expect(lists()).toBe(1)
})

test('when any call reaches the server again, watches that gave it up for a while try at once', async () => {
  const follower = new Follower()
  const waiting = Promise.withResolvers<void>()
  const { clock } = follower
  const sleep = clock.sleep.bind(clock)
  clock.sleep = (milliseconds, signal) => {
    if (milliseconds !== 400) return sleep(milliseconds, signal)
    waiting.resolve()
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  }
  api.goAway()
  const next = follower.told()
  await waiting.promise
  api.comeBack()
  await client.request('GET', '/version')
  expect(await next).toBe('reset')
  expect(clock.delays).toEqual([50, 100, 200, 999])
})

test('what the reader was told already is not told again', async () => {
  api.apply(configMap('a'))
  const follower = new Follower()
  await follower.told()
  const next = follower.told()
  await api.watchesToBe(1)
  api.send('MODIFIED', api.get(reference('a')))
  api.send('DELETED', { ...configMap('unknown'), metadata: { name: 'unknown', resourceVersion: '1' } })
  api.send('NOVELTY', configMap('future'))
  api.send('MODIFIED', null)
  const b = api.apply(configMap('b'))
  api.send('ADDED', b)
  expect(await next).toBe('upsert b')
  api.apply(configMap('c'))
  expect(await follower.told()).toBe('upsert c')
})

test('a line may come in pieces, cut inside a character', async () => {
  const follower = new Follower()
  await follower.told()
  const next = follower.next()
  await api.watchesToBe(1)
  const object = configMap('a', { at: 'zwölf €', resourceVersion: '9' })
  const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object })}\n`)
  const cut = bytes.indexOf(0xe2) + 1
  api.write(bytes.subarray(0, cut))
  // The server answers in order of arrival, so by now the first piece is on its way alone.
  await client.request('GET', '/version')
  api.write(bytes.subarray(cut))
  expect(await next).toMatchObject({ kind: 'upsert', object: { data: { at: 'zwölf €' } } })
})

test('a list comes in pages of 500, and is begun anew when its token expires', async () => {
  for (let index = 0; index < 1100; index++) api.apply(configMap(`c${String(index).padStart(4, '0')}`))
  let pages = 0
  api.onRequest = request => {
    if (request.query.continue !== undefined && pages++ === 1) api.compact()
  }
  const reset = await new Follower().next()
  if (reset.kind !== 'reset') throw new Error(reset.kind)
  expect(reset.objects).toHaveLength(1100)
  expect(new Set(reset.objects.map(object => object.metadata.name)).size).toBe(1100)
  expect(api.requests.map(request => [request.query.limit, request.query.continue !== undefined])).toEqual([
    ['500', false],
    ['500', true],
    ['500', true],
    ['500', false],
    ['500', true],
    ['500', true],
  ])
})

test('the transform trims each object; one that it cannot stand is passed on whole', async () => {
  api.apply(configMap('a', { labels: { big: 'x' } }))
  api.apply(configMap('odd', { labels: { big: 'x' } }))
  const transform = (object: FakeObject): FakeObject => {
    if (object.metadata.name === 'odd') throw new Error('odd')
    return { metadata: { name: object.metadata.name } }
  }
  const follower = new Follower({ transform })
  expect(await follower.next()).toMatchObject({
    objects: [{ metadata: { name: 'a' } }, { metadata: { name: 'odd', labels: { big: 'x' } } }],
  })
  api.apply(configMap('b', { labels: { big: 'x' } }))
  expect(await follower.next()).toEqual({ kind: 'upsert', object: { metadata: { name: 'b' } } })
})

test('aborting ends the iteration, wherever it is, and leaves nothing behind', async () => {
  const follower = new Follower()
  await follower.told()
  const next = follower.next()
  await api.watchesToBe(1)
  stop.abort()
  await expect(next).rejects.toThrow('the changes have ended')
  await api.watchesToBe(0)
  expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  expect(follower.clock.guards.size).toBe(0)
  expect(follower.watch.state).toMatchObject({ connected: false, lastError: null })
})

test('aborting while it waits after a failure ends it too', async () => {
  api.forbid('configmaps')
  const follower = new Follower({
    clock: {
      now: () => 0,
      sleep: (_, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
        ),
    },
  })
  const next = follower.next()
  await follower.until(state => state.forbidden)
  stop.abort()
  await expect(next).rejects.toThrow('the changes have ended')
  expect(getEventListeners(stop.signal, 'abort')).toEqual([])
})

test('a reader that breaks off closes its watch', async () => {
  const follower = new Follower()
  await follower.told()
  const told = follower.told()
  await api.watchesToBe(1)
  api.apply(configMap('a'))
  await told
  await follower.return()
  await api.watchesToBe(0)
  expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  expect(follower.clock.guards.size).toBe(0)
})

test('300 watches, each of one object, see their own changes only', async () => {
  const names = Array.from({ length: 300 }, (_, index) => `c${index}`)
  for (const name of names) api.apply(configMap(name))
  const followers = names.map(name => new Follower({ namespace: 'deis', fieldSelector: `metadata.name=${name}` }))
  expect(await Promise.all(followers.map(follower => follower.told()))).toEqual(names.map(name => `reset ${name}`))
  const next = followers.map(follower => follower.told())
  await api.watchesToBe(300)
  api.dropConnections()
  await api.watchesToBe(0)
  await api.watchesToBe(300)
  for (const name of names) api.patch(reference(name), { data: { at: 'later' } })
  expect(await Promise.all(next)).toEqual(names.map(name => `upsert ${name}`))
  expect(lists()).toBe(300)
})
