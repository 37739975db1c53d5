import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeApi, type FakeObject } from './fake.ts'

let api: FakeApi
beforeEach(async () => {
  api = await FakeApi.start()
})
afterEach(() => api.close())

function object(kind: string, name: string, fields: object = {}, labels: Record<string, string> = {}): FakeObject {
  return { apiVersion: 'v1', kind, metadata: { name, namespace: 'deis', labels }, ...fields }
}

/** What an answer may hold: an object, a list or a Status. */
interface Body extends FakeObject {
  readonly items: readonly FakeObject[]
  readonly reason: string
}

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Body }> {
  const response = await fetch(api.url + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Body }
}

const plurals: [apiVersion: string, kind: string, path: string][] = [
  ['v1', 'Service', '/api/v1/services'],
  ['v1', 'Endpoints', '/api/v1/endpoints'],
  ['networking.k8s.io/v1', 'Ingress', '/apis/networking.k8s.io/v1/ingresses'],
  ['networking.k8s.io/v1', 'NetworkPolicy', '/apis/networking.k8s.io/v1/networkpolicies'],
  ['gateway.networking.k8s.io/v1', 'Gateway', '/apis/gateway.networking.k8s.io/v1/gateways'],
  ['discovery.k8s.io/v1', 'EndpointSlice', '/apis/discovery.k8s.io/v1/endpointslices'],
]
for (const [apiVersion, kind, path] of plurals) {
  test(`${kind} is found at ${path}`, async () => {
    api.create({ ...object(kind, 'a'), apiVersion })
    expect((await call('GET', path)).body).toMatchObject({
      apiVersion,
      kind: `${kind}List`,
      items: [{ metadata: { name: 'a' } }],
    })
  })
}

test('a Namespace is an object without a namespace', async () => {
  api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'deis' } })
  expect((await call('GET', '/api/v1/namespaces/deis')).body.metadata.name).toBe('deis')
  expect((await call('GET', '/api/v1/namespaces')).body.items).toHaveLength(1)
})

const selectors: [query: string, want: string[]][] = [
  ['', ['a', 'b', 'c']],
  ['labelSelector=app%3Dx', ['a', 'b']],
  ['labelSelector=app==x,tier!=web', ['b']],
  ['labelSelector=tier', ['a']],
  ['labelSelector=!app', ['c']],
  ['fieldSelector=metadata.name%3Db', ['b']],
  ['fieldSelector=metadata.namespace%3Dother', []],
]
for (const [query, want] of selectors) {
  test(`selection ${query}`, async () => {
    api.create(object('Secret', 'a', {}, { app: 'x', tier: 'web' }))
    api.create(object('Secret', 'b', {}, { app: 'x' }))
    api.create(object('Secret', 'c'))
    const { body } = await call('GET', `/api/v1/secrets?${query}`)
    expect(body.items.map(item => item.metadata.name)).toEqual(want)
  })
}

test('writes conflict as on the real one', async () => {
  const path = '/api/v1/namespaces/deis/secrets'
  const { metadata } = api.create(object('Secret', 'a'))
  expect((await call('POST', path, object('Secret', 'a'))).body).toMatchObject({ code: 409, reason: 'AlreadyExists' })
  api.patch({ apiVersion: 'v1', plural: 'secrets', namespace: 'deis', name: 'a' }, { type: 'x' })
  expect((await call('PUT', `${path}/a`, { ...object('Secret', 'a'), metadata })).body.reason).toBe('Conflict')
  expect((await call('PATCH', `${path}/b`, {})).body.reason).toBe('NotFound')
  expect((await call('POST', path, { metadata: {} })).status).toBe(422)
  expect((await call('POST', path, { metadata: { generateName: 'n-' } })).body.metadata.name).toMatch(/^n-\d+$/)
})

test('a patch that changes nothing makes no new version', async () => {
  const { metadata } = api.create(object('Secret', 'a', { type: 'x' }))
  const { body } = await call('PATCH', '/api/v1/namespaces/deis/secrets/a', { type: 'x' })
  expect(body.metadata.resourceVersion).toBe(metadata.resourceVersion)
})

test('a status is patched and put through its subresource', async () => {
  api.create(object('Service', 'a', { spec: { x: 1 } }))
  const path = '/api/v1/namespaces/deis/services/a/status'
  await call('PATCH', path, { status: { ready: false } })
  const { body } = await call('PUT', path, object('Service', 'a', { status: { ready: true } }))
  expect(body).toMatchObject({ spec: { x: 1 }, status: { ready: true } })
})
