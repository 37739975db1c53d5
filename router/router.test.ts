import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { FakeApi, type FakeObject } from '#kube/fake.ts'
import type { RouterConfig } from './config.ts'
import { type Router, startRouter } from './router.ts'

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

async function start(parts: Partial<RouterConfig>, snapshotPatience = 20_000): Promise<Started> {
  const messages: string[] = []
  const router = await startRouter(
    {
      source: { kind: 'manifests', directory },
      namespace: 'deis',
      address: '127.0.0.1',
      httpPort: 0,
      httpsPort: 0,
      builderPort: 0,
      adminPort: 0,
      workers: 1,
      snapshot: null,
      drainTimeout: 0,
      ...parts,
    },
    {
      log: createLogger({ destination: { write: line => void messages.push(JSON.parse(line).message) } }),
      accessLog: new Writable({ write: (_chunk, _encoding, done) => done() }),
      onFatal: error => messages.push(`fatal: ${error.message}`),
      grace: 0,
      snapshotPatience,
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
