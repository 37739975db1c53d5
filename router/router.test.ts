import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, get, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configOf } from '#kit/command-line.ts'
import { explainExit } from '#kit/exit.ts'
import { createLogger } from '#kit/log.ts'
import { FakeApi, type FakeObject } from '#kube/fake.ts'
import { DnsServer } from '#test/support/dns-server.ts'
import { parseConfig, type RouterConfig } from './config.ts'
import { type Router, type RouterOptions, startRouter } from './router.ts'

let directory: string
const routers: Router[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'router-'))
})
afterEach(async () => {
  await Promise.all(routers.splice(0).map(router => router.stop()))
  await rm(directory, { recursive: true })
})

interface Started {
  readonly router: Router
  readonly messages: string[]
}

async function start(
  parts: Partial<RouterConfig>,
  snapshotPatience = 20_000,
  options: Partial<RouterOptions> = {},
): Promise<Started> {
  const messages: string[] = []
  const config = configOf(parseConfig(['--manifests', directory], { POD_NAMESPACE: 'deis' }, ''))
  const router = await startRouter(
    {
      ...config,
      address: '127.0.0.1',
      httpPort: 0,
      httpsPort: 0,
      builderPort: 0,
      adminPort: 0,
      workers: 1,
      drainTimeout: 0,
      ...parts,
    },
    {
      log: createLogger({ destination: { write: line => void messages.push(JSON.parse(line).message) } }),
      accessLog: new Writable({ write: (_chunk, _encoding, done) => done() }),
      onFatal: error => messages.push(`fatal: ${error.message}`),
      grace: 0,
      // The garbage here is the test runner's.
      onThreadsStarted: () => {},
      snapshotPatience,
      ...options,
    },
  )
  routers.push(router)
  return { router, messages }
}

async function ask(port: number, path: string, host = 'localhost'): Promise<{ status: number; body: string }> {
  const request = get({ host: '127.0.0.1', port, path, headers: { host, connection: 'close' }, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, body: await text(response) }
}

function service(name: string): FakeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      namespace: 'shop',
      name,
      labels: { 'router.deis.io/routable': 'true' },
      annotations: { 'router.deis.io/domains': `${name}.example.com` },
    },
    spec: { ports: [{ name: 'http', port: 80 }] },
  } as FakeObject
}

async function until(done: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 15_000; !(await done()); ) {
    if (Date.now() > end) throw new Error('it did not happen')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

test('two in one process, each with its own ports and routes', async () => {
  const [first, second] = await Promise.all([start({}), start({})])
  const ports = await Promise.all([first.router.ready, second.router.ready])
  expect(new Set(ports.flatMap(({ httpPort, httpsPort, adminPort }) => [httpPort, httpsPort, adminPort])).size).toBe(6)
  for (const { adminPort } of ports) expect((await ask(adminPort, '/healthz')).body).toBe('ok\n')
  await first.router.stop()
  expect((await ask(ports[1].adminPort, '/healthz')).body).toBe('ok\n')
})

test('nothing listens but the admin port, which says why, until the cluster has been heard', async () => {
  await using api = await FakeApi.start()
  api.forbid('endpointslices')
  const kubeconfig = await api.kubeconfig(join(directory, 'kubeconfig'))
  const { router, messages } = await start({ source: { kind: 'kubernetes', kubeconfig } })
  await until(async () => (await ask(router.adminPort, '/healthz')).body.includes('forbidden'))
  const health = await ask(router.adminPort, '/healthz')
  expect(health.status).toBe(503)
  expect(health.body).toMatch(/^waiting for:\n(.*\n)*endpointslices: .*forbidden/)
  expect(JSON.parse((await ask(router.adminPort, '/problems')).body).problems).toMatchObject([{ code: 'forbidden' }])
  expect(messages).not.toContain('listening')
  api.allow('endpointslices')
  const { adminPort } = await router.ready
  expect((await ask(adminPort, '/healthz')).body).toBe('ok\n')
})

test('a change of the cluster is in force at once', async () => {
  await using api = await FakeApi.start()
  const kubeconfig = await api.kubeconfig(join(directory, 'kubeconfig'))
  const { router } = await start({ source: { kind: 'kubernetes', kubeconfig } })
  const { httpPort } = await router.ready
  expect((await ask(httpPort, '/', 'web.example.com')).status).toBe(404)
  api.apply(service('web'))
  await until(async () => (await ask(httpPort, '/', 'web.example.com')).status === 503)
  api.delete({ apiVersion: 'v1', plural: 'services', namespace: 'shop', name: 'web' })
  await until(async () => (await ask(httpPort, '/', 'web.example.com')).status === 404)
})

test('a tenant who has paths of another’s host loses them when hosts belong to namespaces, and is told by an Event', async () => {
  await using api = await FakeApi.start()
  const server = createHttpServer((_request, response) => response.end('thief')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { metadata, ...rest } = service('web')
  const annotations = {
    'router.deis.io/domains': 'thief.example.com',
    'router.deis.io/proxyDomain': 'web.example.com',
    'router.deis.io/proxyLocations': '/login',
  }
  api.apply({ ...rest, metadata } as FakeObject)
  api.apply({ ...rest, metadata: { ...metadata, namespace: 'thief', annotations } } as FakeObject)
  api.apply({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'thief', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'] }],
    ports: [{ name: 'http', port: (server.address() as AddressInfo).port }],
  })
  const settings = (hostOwnership: string): FakeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      namespace: 'deis',
      name: 'deis-router',
      annotations: { 'router.deis.io/nginx.hostOwnership': hostOwnership },
    },
  })
  api.apply(settings('object'))
  const kubeconfig = await api.kubeconfig(join(directory, 'kubeconfig'))
  const { router } = await start({ source: { kind: 'kubernetes', kubeconfig }, podName: 'router-1' })
  const { httpPort } = await router.ready
  const login = async (): Promise<string> => {
    const { status, body } = await ask(httpPort, '/login', 'web.example.com')
    return status === 200 ? body : String(status)
  }
  await until(async () => (await login()) === 'thief')
  api.apply(settings('namespace'))
  await until(async () => (await login()) === '503')
  await until(async () => api.list({ apiVersion: 'v1', plural: 'events' }).length > 0)
  expect(api.list({ apiVersion: 'v1', plural: 'events' })).toMatchObject([
    {
      reason: 'PathConflict',
      involvedObject: { kind: 'Service', namespace: 'thief', name: 'web' },
      message: expect.stringContaining('belong to namespace shop'),
    },
  ])
  // Who owns the host goes: nobody has it, and so nobody has paths of it.
  api.delete({ apiVersion: 'v1', plural: 'services', namespace: 'shop', name: 'web' })
  await until(async () => (await login()) === '404')
  server.close()
})

test('§5 the port of the builder is open while there is a builder', async () => {
  await using api = await FakeApi.start()
  const kubeconfig = await api.kubeconfig(join(directory, 'kubeconfig'))
  const builder = createServer(socket => socket.end('SSH-2.0-builder'))
  builder.listen(0, '127.0.0.1')
  await once(builder, 'listening')
  const metadata = { namespace: 'deis', name: 'deis-builder' }
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'deis-builder' } },
    addressType: 'IPv4',
    ports: [{ name: 'ssh', port: (builder.address() as AddressInfo).port, protocol: 'TCP' }],
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
  }
  api.apply(slice as FakeObject)
  api.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { ports: [{ name: 'ssh', port: 2222 }] },
  } as FakeObject)
  const { router, messages } = await start({ source: { kind: 'kubernetes', kubeconfig } })
  const { builderPort } = await router.ready
  expect(await text(connect(builderPort!, '127.0.0.1'))).toBe('SSH-2.0-builder')
  api.delete({ apiVersion: 'v1', plural: 'services', ...metadata })
  await until(async () => messages.includes('the port of the builder is closed'))
  await expect(text(connect(builderPort!, '127.0.0.1'))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  builder.close()
})

for (const [given, want] of [
  [null, 3],
  [1, 1],
] as const)
  test(`§4 workerProcesses is followed ${given === null ? 'live' : 'not when the command line says how many'}`, async () => {
    await using api = await FakeApi.start()
    const kubeconfig = await api.kubeconfig(join(directory, 'kubeconfig'))
    const deployment = (workerProcesses: string): FakeObject =>
      ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: {
          namespace: 'deis',
          name: 'deis-router',
          annotations: { 'router.deis.io/nginx.workerProcesses': workerProcesses },
        },
        spec: {},
      }) as FakeObject
    api.apply(deployment('1'))
    const { router } = await start({ source: { kind: 'kubernetes', kubeconfig }, workers: given })
    const { adminPort, httpPort } = await router.ready
    const config = async (): Promise<{ version: number; threads: { state: string }[] }> =>
      JSON.parse((await ask(adminPort, '/config')).body)
    expect((await config()).threads).toHaveLength(1)
    const { version } = await config()
    api.apply(deployment('3'))
    await until(async () => {
      const now = await config()
      return (
        now.version > version && now.threads.length === want && now.threads.every(({ state }) => state === 'serving')
      )
    })
    expect((await ask(httpPort, '/')).status).toBe(404)
  })

test('with the cluster away a start serves the snapshot, until the cluster is back', async () => {
  const snapshot = join(directory, 'snapshot')
  const source = { kind: 'kubernetes', kubeconfig: join(directory, 'kubeconfig') } as const
  const api = await FakeApi.start()
  await api.kubeconfig(source.kubeconfig)
  api.apply(service('web'))
  const first = await start({ source, snapshot })
  await first.router.ready
  await first.router.stop()
  await api.close()
  expect(await readFile(snapshot, 'utf8')).toContain('web.example.com')

  const second = await start({ source, snapshot }, 50)
  const { httpPort, adminPort } = await second.router.ready
  expect(await ask(adminPort, '/healthz')).toMatchObject({
    status: 200,
    body: expect.stringMatching(/^ok\nserving the snapshot of /),
  })
  expect((await ask(adminPort, '/metrics')).body).toContain('deis_router_snapshot_served 1\n')
  expect((await ask(httpPort, '/', 'web.example.com')).status).toBe(503)
  expect(JSON.parse((await ask(adminPort, '/config')).body)).toMatchObject({
    synced: false,
    snapshotOf: expect.any(String),
  })

  await using back = await FakeApi.start()
  back.apply(service('other'))
  await second.router.stop()
  await back.kubeconfig(source.kubeconfig)
  const third = await start({ source, snapshot })
  const ports = await third.router.ready
  expect((await ask(ports.httpPort, '/', 'web.example.com')).status).toBe(404)
  expect((await ask(ports.httpPort, '/', 'other.example.com')).status).toBe(503)
})

test('the snapshot gives way when the source is heard late', async () => {
  const snapshot = join(directory, 'snapshot')
  const source = { kind: 'kubernetes', kubeconfig: join(directory, 'kubeconfig') } as const
  await using api = await FakeApi.start()
  await api.kubeconfig(source.kubeconfig)
  api.apply(service('web'))
  const first = await start({ source, snapshot })
  await first.router.ready
  await first.router.stop()

  api.forbid('services')
  const second = await start({ source, snapshot }, 50)
  const { httpPort, adminPort } = await second.router.ready
  expect((await ask(httpPort, '/', 'web.example.com')).status).toBe(503)
  api.delete({ apiVersion: 'v1', plural: 'services', namespace: 'shop', name: 'web' })
  api.allow('services')
  await until(async () => (await ask(adminPort, '/healthz')).body === 'ok\n')
  await until(async () => (await ask(httpPort, '/', 'web.example.com')).status === 404)
  expect(second.messages).toContain('the snapshot is no longer served')
})

const leases = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases', namespace: 'deis', name: 'deis-router-leader' }
const holder = (api: FakeApi): unknown => (api.get(leases).spec as { holderIdentity?: string }).holderIdentity
const ofClass = (name: string, ingressClassName: string): FakeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { namespace: 'shop', name },
  spec: {
    ingressClassName,
    rules: [
      {
        host: `${name}.example.com`,
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
        },
      },
    ],
  },
})
const told = (api: FakeApi, name: string): unknown => {
  const ingresses = { apiVersion: 'networking.k8s.io/v1', plural: 'ingresses', namespace: 'shop' }
  const status = api.get({ ...ingresses, name }).status as { loadBalancer?: { ingress?: unknown } } | undefined
  return status?.loadBalancer?.ingress
}

test('the replica that leads writes the status of Ingresses and Events, and gives the lead back', async () => {
  await using api = await FakeApi.start()
  api.apply({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name: 'deis' },
    spec: { controller: 'router.deis.io/ingress-controller' },
  })
  api.apply({
    ...service('deis-router'),
    metadata: { namespace: 'deis', name: 'deis-router' },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
  })
  api.apply(service('web'))
  api.apply({
    ...service('other'),
    metadata: {
      ...service('web').metadata,
      name: 'other',
      annotations: { 'router.deis.io/domains': 'web.example.com' },
    },
  })
  api.apply(ofClass('ours', 'deis'))
  api.apply(ofClass('theirs', 'nginx'))
  const source = { kind: 'kubernetes', kubeconfig: await api.kubeconfig(join(directory, 'kubeconfig')) } as const
  const publishService = { namespace: 'deis', name: 'deis-router' }
  const first = await start({ source, publishService, podName: 'router-1' })
  await first.router.ready
  await until(async () => api.list({ apiVersion: 'v1', plural: 'events' }).length > 0)
  await until(async () => JSON.stringify(told(api, 'ours')) === '[{"ip":"192.0.2.1"}]')
  expect(told(api, 'theirs')).toBeUndefined()
  expect(api.list({ apiVersion: 'v1', plural: 'events' })).toMatchObject([
    { reason: 'HostConflict', involvedObject: { kind: 'Service', name: 'web' } },
  ])
  const second = await start({ source, publishService, podName: 'router-2' })
  await second.router.ready
  const leads = async ({ router }: Started) => JSON.parse((await ask(router.adminPort, '/config')).body).leader
  expect([await leads(first), await leads(second)]).toEqual([true, false])
  expect((await ask(first.router.adminPort, '/metrics')).body).toContain('deis_router_leader 1\n')
  expect((await ask(second.router.adminPort, '/metrics')).body).toContain('deis_router_leader 0\n')

  api.patch(
    { apiVersion: 'v1', plural: 'services', ...publishService },
    { status: { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } } },
  )
  await until(async () => JSON.stringify(told(api, 'ours')) === '[{"hostname":"lb.example"}]')
  await first.router.stop()
  expect(holder(api)).not.toBe('router-1')
  expect(told(api, 'ours')).toEqual([{ hostname: 'lb.example' }])
  await until(async () => await leads(second))
  expect(holder(api)).toBe('router-2')
})

test('an external name leads to the addresses that DNS tells of, when that is switched on', async () => {
  await using dns = await DnsServer.start()
  dns.names.set('api.example', [
    { address: '192.0.2.1', ttl: 60 },
    { address: '127.0.0.1', ttl: 60 },
  ])
  const resolver = new Resolver()
  resolver.setServers([dns.address])
  await using api = await FakeApi.start()
  api.apply({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name: 'deis' },
    spec: { controller: 'router.deis.io/ingress-controller' },
  })
  api.apply(ofClass('away', 'deis'))
  api.apply({
    ...service('web'),
    metadata: { namespace: 'shop', name: 'web' },
    spec: { type: 'ExternalName', externalName: 'api.example', ports: [{ port: 80 }] },
  })
  const source = { kind: 'kubernetes', kubeconfig: await api.kubeconfig(join(directory, 'kubeconfig')) } as const
  const { router } = await start({ source, externalNames: true }, undefined, { resolver })
  const { adminPort } = await router.ready
  const addresses = async () =>
    JSON.parse((await ask(adminPort, '/routes')).body).routes.flatMap(
      (route: { addresses: string[] }) => route.addresses,
    )
  await until(async () => (await addresses()).length > 0)
  expect(await addresses()).toEqual(['192.0.2.1:80'])

  const { router: without } = await start({ source }, undefined, { resolver })
  await without.ready
  expect(dns.questions).toHaveLength(2)
})

const refusals: readonly [name: string, parts: (taken: number) => Partial<RouterConfig>, code: number, line: RegExp][] =
  [
    [
      'a missing directory',
      () => ({ source: { kind: 'manifests', directory: join(directory, 'nowhere') } }),
      64,
      /^deis-router: --manifests: cannot read .*nowhere: ENOENT$/,
    ],
    [
      'a kubeconfig that cannot be read',
      () => ({ source: { kind: 'kubernetes', kubeconfig: join(directory, 'nowhere') } }),
      64,
      /^deis-router: .*nowhere/,
    ],
    [
      'an admin port in use',
      adminPort => ({ adminPort }),
      69,
      /^deis-router: cannot listen on 127\.0\.0\.1 port \d+ \(--admin-port\): another process has it/,
    ],
  ]
for (const [name, parts, code, line] of refusals)
  test(`a start that is refused with ${code}: ${name}`, async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const error = await start(parts((other.address() as AddressInfo).port)).catch(error => error)
    other.close()
    expect(explainExit('deis-router', error)).toEqual({ code, line: expect.stringMatching(line) })
  })

test('a snapshot that could never be written is refused', async () => {
  await expect(start({ snapshot: directory })).rejects.toMatchObject({ exitCode: 64 })
})

test('a snapshot that is spoilt is a warning, and the router waits for its source', async () => {
  await writeFile(join(directory, 'snapshot'), 'spoilt')
  await using api = await FakeApi.start()
  api.forbid('services')
  const kubeconfig = await api.kubeconfig(join(directory, 'kubeconfig'))
  const config = { source: { kind: 'kubernetes', kubeconfig }, snapshot: join(directory, 'snapshot') } as const
  const { router, messages } = await start(config, 50)
  await until(async () => messages.includes('the snapshot is ignored'))
  expect((await ask(router.adminPort, '/healthz')).status).toBe(503)
})
