import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StartupError } from '#kit/exit.ts'
import { FakeApi, type FakeObject } from '#kube/fake.ts'
import type { KubeObject } from '#kube/types.ts'
import type { Change, Watcher } from '#kube/watch.ts'
import { KubernetesSource } from './kubernetes-source.ts'

let directory: string
let api: FakeApi
let source: KubernetesSource
let stop: AbortController

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubernetes-source-'))
  api = await FakeApi.start()
  source = await KubernetesSource.open(await api.kubeconfig(join(directory, 'kubeconfig')), 'deis')
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await source[Symbol.asyncDispose]()
  await api.close()
  await rm(directory, { recursive: true })
})

function follow<T extends KubeObject>(watcher: Watcher<T>): () => Promise<Change<T>> {
  const changes = watcher.changes(stop.signal)[Symbol.asyncIterator]()
  return async () => {
    const { value, done } = await changes.next()
    if (done) throw new Error('the watch ended')
    return value
  }
}

function service(namespace: string, name: string, routable = 'true'): FakeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      namespace,
      name,
      labels: { 'router.deis.io/routable': routable, app: 'web' },
      annotations: { 'router.deis.io/domains': name, 'kubectl.kubernetes.io/last-applied-configuration': '{…}' },
      managedFields: [{ manager: 'kubectl' }],
    },
    spec: { clusterIP: '10.0.0.1', ports: [{ name: 'http', port: 80, targetPort: 5000, nodePort: 30000 }] },
    status: { loadBalancer: {} },
  } as FakeObject
}

test('routable Services of all namespaces, only the fields that we read', async () => {
  api.apply(service('a', 'one'))
  api.apply(service('b', 'two', 'false'))
  const next = follow(source.services)
  const reset = await next()
  expect(JSON.parse(JSON.stringify(reset))).toEqual({
    kind: 'reset',
    objects: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: 'one',
          namespace: 'a',
          uid: expect.any(String),
          resourceVersion: expect.any(String),
          creationTimestamp: expect.any(String),
          labels: { 'router.deis.io/routable': 'true', app: 'web' },
          annotations: { 'router.deis.io/domains': 'one' },
        },
        spec: { ports: [{ name: 'http', port: 80 }] },
      },
    ],
  })
  api.apply(service('b', 'two'))
  expect(await next()).toMatchObject({ kind: 'upsert', object: { metadata: { namespace: 'b', name: 'two' } } })
  api.apply(service('b', 'two', 'false'))
  expect(await next()).toMatchObject({ kind: 'delete', object: { metadata: { namespace: 'b', name: 'two' } } })
})

test('EndpointSlices that belong to a Service', async () => {
  const slice = (name: string, labels: Record<string, string>): FakeObject =>
    ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace: 'a', name, labels },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.1.0.1'], conditions: { ready: true }, targetRef: { kind: 'Pod' } }],
      ports: [{ name: 'http', port: 5000, protocol: 'TCP' }],
    }) as FakeObject
  api.apply(slice('one', { 'kubernetes.io/service-name': 'web' }))
  api.apply(slice('stray', {}))
  expect(JSON.parse(JSON.stringify(await follow(source.endpointSlices)()))).toMatchObject({
    kind: 'reset',
    objects: [
      {
        metadata: { name: 'one' },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['10.1.0.1'], conditions: { ready: true } }],
        ports: [{ name: 'http', port: 5000, protocol: 'TCP' }],
      },
    ],
  })
})

test('the Deployment deis-router of our namespace, by its name', async () => {
  for (const [namespace, name] of [
    ['deis', 'deis-router'],
    ['deis', 'other'],
    ['else', 'deis-router'],
  ] as const)
    api.apply({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { namespace, name } } as FakeObject)
  const change = await follow(source.deployment)()
  expect(change).toMatchObject({ kind: 'reset', objects: [{ metadata: { namespace: 'deis', name: 'deis-router' } }] })
  expect(change.kind === 'reset' && change.objects).toHaveLength(1)
})

test('a Secret is listed and watched by its name only, as RBAC resourceNames demand', async () => {
  api.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'a', name: 'web-cert' },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': 'Yw==' },
  } as FakeObject)
  const next = follow(source.secret('a', 'web-cert'))
  expect(await next()).toMatchObject({ kind: 'reset', objects: [{ data: { 'tls.crt': 'Yw==' } }] })
  api.patch({ apiVersion: 'v1', plural: 'secrets', namespace: 'a', name: 'web-cert' }, { data: { 'tls.crt': 'ZA==' } })
  expect(await next()).toMatchObject({ kind: 'upsert', object: { data: { 'tls.crt': 'ZA==' } } })
  const asked = api.requests.filter(({ path }) => path.endsWith('/secrets'))
  expect(asked.length).toBeGreaterThanOrEqual(2)
  for (const { path, query } of asked)
    expect([path, query.fieldSelector]).toEqual(['/api/v1/namespaces/a/secrets', 'metadata.name=web-cert'])
})

test('states name each watch, a Secret for as long as it is followed', async () => {
  const resources = () => source.states().map(({ resource }) => resource)
  expect(resources()).toEqual(['services', 'endpointslices', 'deployment'])
  const end = new AbortController()
  const changes = source.secret('a', 'web-cert').changes(end.signal)[Symbol.asyncIterator]()
  await changes.next()
  expect(resources()).toContain('secret a/web-cert')
  end.abort()
  await changes.next()
  expect(resources()).toEqual(['services', 'endpointslices', 'deployment'])
})

const forbidden: [plural: string, follow: () => () => Promise<unknown>, object: object, message: RegExp][] = [
  [
    'secrets',
    () => follow(source.secret('a', 'web-cert')),
    { kind: 'Secret', namespace: 'a', name: 'web-cert' },
    /a Role in a must allow list and watch on secrets with resourceNames web-cert/,
  ],
  [
    'services',
    () => follow(source.services),
    { kind: 'ClusterRole', namespace: '', name: 'deis-router' },
    /services of all namespaces/,
  ],
  [
    'deployments',
    () => follow(source.deployment),
    { kind: 'Deployment', namespace: 'deis', name: 'deis-router' },
    /a Role in deis/,
  ],
]
for (const [plural, begin, object, message] of forbidden)
  test(`a refusal of ${plural} is a Problem that names the Role, until it is granted`, async () => {
    api.forbid(plural)
    const first = begin()()
    for (const end = Date.now() + 10_000; source.problems().length === 0 && Date.now() < end; )
      await new Promise(resolve => setTimeout(resolve, 5))
    expect(source.problems()).toEqual([
      { code: 'forbidden', severity: 'error', object, message: expect.stringMatching(message) },
    ])
    api.allow(plural)
    await first
    expect(source.problems()).toEqual([])
  })

test('a kubeconfig that cannot be read', async () => {
  const error: unknown = await KubernetesSource.open(join(directory, 'nowhere'), 'deis').catch(error => error)
  expect(error).toBeInstanceOf(StartupError)
  expect(error).toMatchObject({ exitCode: 64, message: expect.stringContaining('nowhere') })
})
