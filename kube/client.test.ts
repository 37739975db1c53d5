import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { version } from '#kit/version.ts'
import { KubeClient, type KubeClientOptions, resourcePath } from './client.ts'
import { KubeError, TransportError } from './errors.ts'
import { FakeApi, type FakeObject } from './fake.ts'

let directory: string
let api: FakeApi
const clients: KubeClient[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'client-'))
  api = await FakeApi.start()
})
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close()
  await api.close()
  await rm(directory, { recursive: true })
})

async function connect(user: Record<string, unknown> = {}, options: KubeClientOptions = {}): Promise<KubeClient> {
  const client = await KubeClient.fromKubeconfig(await api.kubeconfig(join(directory, 'config'), user), options)
  clients.push(client)
  return client
}

const paths: [resource: Parameters<typeof resourcePath>[0], want: string][] = [
  [{ apiVersion: 'v1', plural: 'services' }, '/api/v1/services'],
  [{ apiVersion: 'v1', plural: 'namespaces', name: 'deis' }, '/api/v1/namespaces/deis'],
  [
    { apiVersion: 'apps/v1', plural: 'deployments', namespace: 'deis', name: 'a/b', subresource: 'status' },
    '/apis/apps/v1/namespaces/deis/deployments/a%2Fb/status',
  ],
]
for (const [resource, want] of paths) test(want, () => expect(resourcePath(resource)).toBe(want))

const collection = '/api/v1/namespaces/deis/configmaps'
const one = `${collection}/a`
const configMap = (data: Record<string, string>): FakeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', namespace: 'deis' },
  data,
})

test('an object is created, read, replaced, patched, listed and deleted', async () => {
  const client = await connect()
  const created = await client.create<FakeObject>(collection, configMap({ x: '1', y: '1' }))
  expect(created.metadata.uid).toBeTypeOf('string')
  expect((await client.get<FakeObject>(one)).data).toEqual({ x: '1', y: '1' })
  await client.update(one, { ...created, data: { x: '2', y: '2' } })
  await client.patch(one, { data: { y: null } })
  const list = await client.list<FakeObject>(collection, { query: { limit: 10, labelSelector: undefined } })
  expect(list.items.map(item => item.data)).toEqual([{ x: '2' }])
  await client.delete(one)
  await expect(client.get(one)).rejects.toThrow(KubeError)
  expect(api.requests.map(({ method, headers }) => [method, headers['content-type']])).toEqual([
    ['POST', 'application/json'],
    ['GET', undefined],
    ['PUT', 'application/json'],
    ['PATCH', 'application/merge-patch+json'],
    ['GET', undefined],
    ['DELETE', undefined],
    ['GET', undefined],
  ])
  expect(api.requests[4]?.query).toEqual({ limit: '10' })
})

test('server-side apply creates, then changes', async () => {
  const client = await connect()
  await client.apply(one, configMap({ x: '1' }), { fieldManager: 'deis' })
  await client.apply(one, configMap({ x: '2' }), { fieldManager: 'deis', force: true })
  expect(api.list({ apiVersion: 'v1', plural: 'configmaps' }).map(object => object.data)).toEqual([{ x: '2' }])
  expect(api.requests.map(request => request.query)).toEqual([
    { fieldManager: 'deis', force: 'false' },
    { fieldManager: 'deis', force: 'true' },
  ])
  expect(api.requests[0]?.headers['content-type']).toBe('application/apply-patch+yaml')
})

test('text is given as it is, to its limit', async () => {
  api.apply(configMap({ x: '1' }))
  const client = await connect()
  const whole = await client.text(one, 10_000)
  expect(JSON.parse(whole)).toMatchObject({ data: { x: '1' } })
  expect(await client.text(one, 5)).toBe(whole.slice(0, 5))
  await expect(client.text(`${collection}/b`, 5)).rejects.toThrow(KubeError)
})

test('our name goes with every request', async () => {
  await (await connect()).request('GET', '/version')
  await (await connect({}, { userAgent: 'deis-builder/1' })).request('GET', '/version')
  expect(api.requests.map(request => request.headers['user-agent'])).toEqual([
    `deis-router/${version}`,
    'deis-builder/1',
  ])
})

const refusals: [name: string, status: number, headers: Record<string, string>, want: object][] = [
  ['status and message', 403, {}, { status: 403, message: 'a fault was asked for', retryAfter: null }],
  ['the reason', 410, {}, { status: 410, reason: 'Expired' }],
  ['Retry-After in seconds', 429, { 'retry-after': '3' }, { status: 429, retryAfter: 3000 }],
  ['Retry-After as a date gone by', 503, { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }, { retryAfter: 0 }],
]
for (const [name, status, headers, want] of refusals) {
  test(`a refusal carries ${name}`, async () => {
    const client = await connect()
    api.failNext(2, status, headers)
    await expect(client.get(one)).rejects.toMatchObject(want)
    await expect(Array.fromAsync(client.stream(collection))).rejects.toMatchObject(want)
  })
}

test('a call that gets no answer ends after its timeout, a stream does not', async () => {
  const client = await connect({}, { timeout: 300 })
  const opened = Promise.withResolvers<void>()
  const values = client.stream(`${collection}?watch=true`, { onOpen: opened.resolve })
  const first = values.next()
  await opened.promise
  api.delay = 60_000
  await expect(client.get(one)).rejects.toThrow('no answer within 0.3 s')
  await expect(Array.fromAsync(client.stream(collection))).rejects.toThrow('no answer within 0.3 s')
  api.apply(configMap({ x: '1' }))
  expect(await first).toMatchObject({ value: { type: 'ADDED' } })
  await values.return()
  await api.watchesToBe(0)
})

test('the signal ends a call and a stream with its own reason', async () => {
  const client = await connect()
  const stop = new AbortController()
  const values = Array.fromAsync(client.stream(`${collection}?watch=true`, { signal: stop.signal }))
  await api.watchesToBe(1)
  api.delay = 60_000
  const call = client.get(one, { signal: stop.signal })
  await api.requestsToBe(2)
  stop.abort(new Error('enough'))
  await expect(call).rejects.toThrow('enough')
  await expect(values).rejects.toThrow('enough')
  await api.watchesToBe(0)
  await expect(client.get(one, { signal: stop.signal })).rejects.toThrow('enough')
})

test('a GET whose connection breaks is sent once more, a POST is not', async () => {
  const client = await connect()
  api.apply(configMap({}))
  api.onRequest = () => {
    api.onRequest = null
    api.dropConnections()
  }
  expect((await client.get(one)).metadata.name).toBe('a')
  expect(api.requests).toHaveLength(2)
  api.onRequest = () => api.dropConnections()
  await expect(client.create(collection, configMap({}))).rejects.toThrow(TransportError)
  expect(api.requests).toHaveLength(3)
  await expect(client.get(one)).rejects.toThrow(TransportError)
  expect(api.requests).toHaveLength(5)
})

test('when a token is refused, a newer one in its file is tried at once', async () => {
  const file = join(directory, 'token')
  await writeFile(file, 'old')
  const client = await connect({ tokenFile: 'token' })
  api.authorization = 'Bearer old'
  await client.request('GET', '/version')
  api.authorization = 'Bearer new'
  await expect(client.request('GET', '/version')).rejects.toMatchObject({ status: 401 })
  expect(api.requests).toHaveLength(2)
  await writeFile(file, 'new')
  const calls = Array.from({ length: 10 }, () => client.request('GET', '/version'))
  await Promise.all(calls)
})

test('listeners learn when the server can be reached again, and only then', async () => {
  const client = await connect()
  let times = 0
  const unsubscribe = client.onReachable(() => {
    times += 1
  })
  await client.request('GET', '/version')
  api.goAway()
  await expect(client.request('GET', '/version')).rejects.toThrow(TransportError)
  expect(times).toBe(0)
  api.comeBack()
  await client.request('GET', '/version')
  await client.request('GET', '/version')
  expect(times).toBe(1)
  unsubscribe()
  api.goAway()
  await client.request('GET', '/version').catch(() => {})
  api.comeBack()
  await client.request('GET', '/version')
  expect(times).toBe(1)
})
