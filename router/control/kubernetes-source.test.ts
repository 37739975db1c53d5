import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StartupError } from '#kit/exit.ts'
import { FakeApi, type FakeObject } from '#kube/fake.ts'
import type { KubeObject } from '#kube/types.ts'
import type { Change, Watcher } from '#kube/watch.ts'
import { KubernetesSource } from './kubernetes-source.ts'
import type { SourceOptions } from './source.ts'

const options: SourceOptions = {
  namespace: 'deis',
  ingress: false,
  watchNamespace: null,
  workload: 'Deployment',
  secrets: 'named',
  publishService: null,
}

let directory: string
let api: FakeApi
let source: KubernetesSource
let stop: AbortController

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubernetes-source-'))
  api = await FakeApi.start()
  source = await open()
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await source[Symbol.asyncDispose]()
  await api.close()
  await rm(directory, { recursive: true })
})

async function open(changed: Partial<SourceOptions> = {}): Promise<KubernetesSource> {
  return KubernetesSource.open(await api.kubeconfig(join(directory, 'kubeconfig')), { ...options, ...changed })
}

/** The source of the test, with other options. */
async function reopen(changed: Partial<SourceOptions>): Promise<KubernetesSource> {
  await source[Symbol.asyncDispose]()
  source = await open(changed)
  return source
}

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
      endpoints: [
        {
          addresses: ['10.1.0.1'],
          conditions: { ready: true },
          targetRef: { kind: 'Pod' },
          hints: { forZones: [{ name: 'eu-1a' }] },
        },
      ],
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
        endpoints: [{ addresses: ['10.1.0.1'], conditions: { ready: true }, hints: { forZones: [{ name: 'eu-1a' }] } }],
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
  const change = await follow(source.workload)()
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
  expect(await next()).toMatchObject({ kind: 'reset', objects: [{ stringData: { 'tls.crt': 'c' } }] })
  api.patch({ apiVersion: 'v1', plural: 'secrets', namespace: 'a', name: 'web-cert' }, { data: { 'tls.crt': 'ZA==' } })
  expect(await next()).toMatchObject({ kind: 'upsert', object: { stringData: { 'tls.crt': 'd' } } })
  const asked = api.requests.filter(({ path }) => path.endsWith('/secrets'))
  expect(asked.length).toBeGreaterThanOrEqual(2)
  for (const { path, query } of asked)
    expect([path, query.fieldSelector]).toEqual(['/api/v1/namespaces/a/secrets', 'metadata.name=web-cert'])
})

const watches = ['services', 'endpointslices', 'deployment', 'service deis/deis-builder']

test('states name each watch, a Secret for as long as it is followed', async () => {
  const resources = () => source.states().map(({ resource }) => resource)
  expect(resources()).toEqual(watches)
  const end = new AbortController()
  const changes = source.secret('a', 'web-cert').changes(end.signal)[Symbol.asyncIterator]()
  await changes.next()
  expect(resources()).toContain('secret a/web-cert')
  end.abort()
  await changes.next()
  expect(resources()).toEqual(watches)
})

function object(kind: string, namespace: string | null, name: string, rest: object = {}): FakeObject {
  const versions: Record<string, string> = { Service: 'v1', Secret: 'v1', DaemonSet: 'apps/v1' }
  const apiVersion = versions[kind] ?? 'networking.k8s.io/v1'
  return { apiVersion, kind, metadata: { name, ...(namespace !== null && { namespace }) }, ...rest } as FakeObject
}

const names = <T extends KubeObject>(change: Change<T>): readonly string[] =>
  change.kind === 'reset' ? change.objects.map(({ metadata }) => metadata.name) : []

test('with Ingresses: all Services, Ingresses and IngressClasses, trimmed', async () => {
  api.apply(service('a', 'plain', 'false'))
  api.apply(
    object('Ingress', 'a', 'web', {
      metadata: {
        namespace: 'a',
        name: 'web',
        labels: { app: 'web' },
        annotations: {
          'kubernetes.io/ingress.class': 'deis',
          'router.deis.io/maintenance': 'true',
          'nginx.ingress.kubernetes.io/configuration-snippet': 'a long text',
          'cert-manager.io/issuer': 'letsencrypt',
        },
        managedFields: [{}],
      },
      spec: { ingressClassName: 'deis', rules: [{ host: 'a.example' }], tls: [{ secretName: 's' }] },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
    }),
  )
  api.apply(object('IngressClass', null, 'deis', { spec: { controller: 'c' }, metadata: { name: 'deis', labels: {} } }))
  const opened = await reopen({ ingress: true })
  expect(names(await follow(opened.services)())).toEqual(['plain'])
  expect(JSON.parse(JSON.stringify(await follow(opened.ingresses!)()))).toEqual({
    kind: 'reset',
    objects: [
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        metadata: {
          namespace: 'a',
          name: 'web',
          resourceVersion: expect.any(String),
          creationTimestamp: expect.any(String),
          annotations: {
            'kubernetes.io/ingress.class': 'deis',
            'router.deis.io/maintenance': 'true',
            'nginx.ingress.kubernetes.io/configuration-snippet': '',
          },
        },
        spec: { ingressClassName: 'deis', rules: [{ host: 'a.example' }], tls: [{ secretName: 's' }] },
        status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
      },
    ],
  })
  expect(JSON.parse(JSON.stringify(await follow(opened.ingressClasses!)()))).toMatchObject({
    objects: [{ metadata: { name: 'deis' }, spec: { controller: 'c' } }],
  })
  expect(opened.namedServices).toEqual([])
  expect(opened.states().map(({ resource }) => resource)).toEqual([
    'services',
    'endpointslices',
    'deployment',
    'ingresses',
    'ingressclasses',
  ])
})

test('only the Service in front of us keeps its addresses', async () => {
  for (const name of ['front', 'other']) api.apply(service('a', name))
  const opened = await reopen({ ingress: true, publishService: { namespace: 'a', name: 'front' } })
  const change = await follow(opened.services)()
  const specs = change.kind === 'reset' ? change.objects.map(({ spec, status }) => [spec?.clusterIP, status]) : []
  expect(JSON.parse(JSON.stringify(specs))).toEqual([
    ['10.0.0.1', { loadBalancer: {} }],
    [null, null],
  ])
})

test('what is switched off is not asked for', async () => {
  const opened = await reopen({})
  expect([opened.ingresses, opened.ingressClasses]).toEqual([null, null])
  for (const watcher of [opened.services, opened.endpointSlices, opened.workload]) await follow(watcher)()
  for (const { services } of opened.namedServices) await follow(services)()
  const paths = new Set(api.requests.map(({ path, query }) => `${path} ${query.fieldSelector ?? query.labelSelector}`))
  expect([...paths].sort()).toEqual([
    '/api/v1/namespaces/deis/services metadata.name=deis-builder',
    '/api/v1/services router.deis.io/routable=true',
    '/apis/apps/v1/namespaces/deis/deployments metadata.name=deis-router',
    '/apis/discovery.k8s.io/v1/endpointslices kubernetes.io/service-name',
  ])
  expect(new Set(api.requests.map(({ method }) => method))).toEqual(new Set(['GET']))
})

test('one namespace: nothing outside of it but what is named', async () => {
  const opened = await reopen({
    ingress: true,
    watchNamespace: 'shop',
    workload: 'DaemonSet',
    publishService: { namespace: 'front', name: 'lb' },
  })
  const { services, endpointSlices, workload, ingresses, ingressClasses, namedServices } = opened
  for (const watcher of [services, endpointSlices, workload, ingresses!, ingressClasses!])
    await follow<KubeObject>(watcher)()
  for (const named of namedServices) {
    await follow(named.services)()
    if (named.endpointSlices !== null) await follow(named.endpointSlices)()
  }
  const paths = new Set(
    api.requests.map(({ path, query }) => `${path} ${query.fieldSelector ?? query.labelSelector ?? ''}`),
  )
  expect([...paths].sort()).toEqual([
    '/api/v1/namespaces/deis/services metadata.name=deis-builder',
    '/api/v1/namespaces/front/services metadata.name=lb',
    '/api/v1/namespaces/shop/services ',
    '/apis/apps/v1/namespaces/deis/daemonsets metadata.name=deis-router',
    '/apis/discovery.k8s.io/v1/namespaces/deis/endpointslices kubernetes.io/service-name=deis-builder',
    '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices kubernetes.io/service-name',
    '/apis/networking.k8s.io/v1/ingressclasses ',
    '/apis/networking.k8s.io/v1/namespaces/shop/ingresses ',
  ])
})

test('all Secrets: one watch serves each by its name, as it comes, changes and goes', async () => {
  const secret = (name: string, type: string, crt: string) =>
    object('Secret', 'a', name, { type, data: { 'tls.crt': crt, other: 'large' } })
  api.apply(secret('one', 'kubernetes.io/tls', 'Yw=='))
  api.apply(secret('release', 'helm.sh/release.v1', 'Yw=='))
  const opened = await reopen({ secrets: 'all' })
  const one = follow(opened.secret('a', 'one'))
  expect(await one()).toMatchObject({ kind: 'reset', objects: [{ stringData: { 'tls.crt': 'c' } }] })
  const two = follow(opened.secret('a', 'two'))
  expect(await two()).toEqual({ kind: 'reset', objects: [] })
  expect(await follow(opened.secret('a', 'release'))()).toEqual({ kind: 'reset', objects: [] })
  api.apply(secret('two', 'Opaque', 'ZA=='))
  const change = await two()
  expect(change).toMatchObject({ kind: 'reset', objects: [{ stringData: { 'tls.crt': 'd' } }] })
  expect(change.kind === 'reset' && change.objects[0]?.data).not.toHaveProperty('other')
  const heard: unknown[] = []
  opened.listenSecret('a', 'one', change => heard.push(change.kind === 'reset' && change.objects.length))
  api.delete({ apiVersion: 'v1', plural: 'secrets', namespace: 'a', name: 'one' })
  expect(await one()).toEqual({ kind: 'reset', objects: [] })
  expect(heard).toEqual([1, 0])
  const asked = new Set(api.requests.filter(({ path }) => path.endsWith('/secrets')).map(({ path }) => path))
  expect([...asked]).toEqual(['/api/v1/secrets'])
  expect(opened.states().map(({ resource }) => resource)).toContain('secrets')
})

test('a refusal of Ingresses names the rule and is told apart', async () => {
  api.forbid('ingresses')
  const opened = await reopen({ ingress: true, watchNamespace: 'shop' })
  const first = follow(opened.ingresses!)()
  for (const end = Date.now() + 10_000; opened.refused().size === 0 && Date.now() < end; )
    await new Promise(resolve => setTimeout(resolve, 5))
  expect([...opened.refused()]).toEqual(['ingresses'])
  expect(opened.problems()).toEqual([
    {
      code: 'forbidden',
      severity: 'error',
      object: { kind: 'Role', namespace: 'shop', name: 'deis-router' },
      message: 'we may not read ingresses of shop: it must allow list and watch',
    },
  ])
  api.allow('ingresses')
  await first
  expect([...opened.refused(), ...opened.problems()]).toEqual([])
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
    () => follow(source.workload),
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
  const error: unknown = await KubernetesSource.open(join(directory, 'nowhere'), options).catch(error => error)
  expect(error).toBeInstanceOf(StartupError)
  expect(error).toMatchObject({ exitCode: 64, message: expect.stringContaining('nowhere') })
})
