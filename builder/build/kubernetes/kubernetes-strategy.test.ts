// The strategy against an API server in memory, where Pods do what the test says, and a registry that has what the test
// puts there. What a real cluster makes of the objects is in test/cluster.

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Authorize, type Challenge, digestOf } from '#kit/oci/registry.ts'
import { KubeClient } from '#kube/client.ts'
import { FakeApi } from '#kube/fake.ts'
import { type Files, writeFiles } from '#test/support/build-stage.ts'
import { BuildError, type BuildResult } from '../strategy.ts'
import type { Job } from './job-types.ts'
import { KubernetesStrategy } from './kubernetes-strategy.ts'
import { standardJobOptions } from './options.ts'

const commit = '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d'
let directory: string
let api: FakeApi
let client: KubeClient
let registry: Server
let labels: Readonly<Record<string, string>>
let asked: string[]
/** What the registry says to those without a token; null: it lets them in. */
let challenge: string | null
let strategy: KubernetesStrategy
const { signal } = new AbortController()

const jobs = { apiVersion: 'batch/v1', plural: 'jobs', namespace: 'deis' }
const secrets = { apiVersion: 'v1', plural: 'secrets', namespace: 'deis' }

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubernetes-strategy-'))
  api = await FakeApi.start()
  client = await KubeClient.fromKubeconfig(await api.kubeconfig(join(directory, 'config')))
  labels = {}
  asked = []
  challenge = null
  registry = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const config = JSON.stringify({ config: { Labels: labels }, rootfs: { type: 'layers', diff_ids: [] } })
    const digest = digestOf(Buffer.from(config))
    const manifest = { config: { mediaType: 'x', digest, size: config.length }, layers: [] }
    if (challenge !== null && request.headers.authorization === undefined)
      response.writeHead(401, { 'www-authenticate': challenge }).end('{}')
    else if (request.method === 'DELETE') response.writeHead(202).end()
    else if (request.url === '/v2/') response.end('{}')
    else if (/^\/v2\/shop(?:\/cache)?\/manifests\/(?:git-1a2b3c4d|latest)$/.test(request.url!))
      response.end(JSON.stringify(manifest))
    else if (request.url === `/v2/shop/blobs/${digest}`) response.end(config)
    else response.writeHead(404).end('{}')
  })
  await new Promise<void>(resolve => registry.listen(0, '127.0.0.1', resolve))
  strategy = await open()
})
afterEach(async () => {
  await strategy.close()
  await client.close()
  await api.close()
  registry.closeAllConnections()
  registry.close()
  await rm(directory, { recursive: true })
})

const open = (authorize: Authorize | null = null): Promise<KubernetesStrategy> =>
  KubernetesStrategy.open(
    {
      client,
      jobs: {
        ...standardJobOptions,
        namespace: 'deis',
        fetch: { image: 'deis:1', command: ['fetch'] },
        buildpacks: { ...standardJobOptions.buildpacks, image: 'builder:1' },
        dockerfiles: { ...standardJobOptions.dockerfiles, image: 'buildah:1' },
      },
      sources: { address: '127.0.0.1', port: 0, url: null },
      registry: {
        url: new URL(`http://127.0.0.1:${(registry.address() as AddressInfo).port}`),
        host: 'registry',
        authorize,
      },
    },
    signal,
  )

interface Building {
  readonly lines: string[]
  readonly result: Promise<BuildResult | string>
  readonly name: string
  readonly stop: AbortController
}

/** Resolves when the Job runs and its Pods are watched. */
async function begin(files: Files, config: Readonly<Record<string, string>> = {}): Promise<Building> {
  const source = join(directory, 'source')
  await writeFiles(source, files)
  const lines: string[] = []
  const stop = new AbortController()
  const request = {
    app: 'shop',
    commit,
    source,
    config,
    say: (line: string) => void lines.push(line),
    signal: stop.signal,
  }
  const result = strategy
    .build(request)
    .catch((error: unknown) => (error instanceof BuildError ? `${error.kind}: ${error.message}` : String(error)))
  await api.watchesToBe(1)
  const [job] = api.list(jobs)
  return { lines, result, name: job!.metadata.name, stop }
}

function pod(name: string, status: object): void {
  api.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${name}-x`, namespace: 'deis', labels: { heritage: name } },
    status,
  })
}

const ended = (container: string, exitCode: number): object => ({
  name: container,
  state: { terminated: { exitCode } },
})

function run(name: string, phase: string, exitCode: number, container = 'deis-slugbuilder'): void {
  api.logs.set(`deis/${name}-x/deis-source`, '')
  api.logs.set(`deis/${name}-x/${container}`, '2026-03-01T12:00:00Z ===> BUILDING\n2026-03-01T12:00:01Z -----> Node\n')
  pod(name, {
    phase,
    initContainerStatuses: [ended('deis-source', 0)],
    containerStatuses: [ended(container, exitCode)],
  })
}

test('buildpacks: the log, the types of the image, and the Secret gone', async () => {
  labels = { 'io.buildpacks.build.metadata': '{"processes":[{"type":"web"},{"type":"../x"},null,{"type":"worker"}]}' }
  const { lines, result, name } = await begin({ 'package.json': '{}' })
  expect(name).toMatch(/^slugbuild-shop-1a2b3c4d-[0-9a-f]{8}$/)
  expect((api.get({ ...jobs, name }) as unknown as Job).spec.suspend).toBe(false)
  expect(api.get({ ...secrets, name }).metadata).toMatchObject({ ownerReferences: [{ kind: 'Job', name }] })
  run(name, 'Succeeded', 0)
  expect(await result).toEqual({
    image: 'shop:git-1a2b3c4d',
    procfile: { web: '/cnb/process/web', worker: '/cnb/process/worker' },
    fromDockerfile: false,
  })
  expect(lines).toEqual([
    '       ===> BUILDING',
    '-----> Node',
    '-----> Discovering process types',
    '       Default process types -> web, worker',
  ])
  expect(api.list(secrets)).toEqual([])
  expect(api.list(jobs)).toHaveLength(1)
  await api.watchesToBe(0)
})

test('a Procfile counts, as it is', async () => {
  const { result, name } = await begin({ Procfile: "web: run 'it'\n" })
  run(name, 'Succeeded', 0)
  expect(await result).toMatchObject({ procfile: { web: "run 'it'" } })
})

test('a Dockerfile: its lines as they are, its Procfile as it is', async () => {
  const { result, name, lines } = await begin({ Dockerfile: 'FROM x\n', Procfile: 'web: run\n' })
  expect(name).toMatch(/^dockerbuild-shop-/)
  run(name, 'Succeeded', 0, 'deis-dockerbuilder')
  expect(await result).toEqual({ image: 'shop:git-1a2b3c4d', procfile: { web: 'run' }, fromDockerfile: true })
  expect(lines).toEqual(['===> BUILDING', '-----> Node'])
})

test('a failure is told after the log, and its Job kept for a while', async () => {
  const { result, name, lines } = await begin({ a: '' })
  run(name, 'Failed', 1)
  expect(await result).toBe('failed: Build pod exited with code 1, stopping build.')
  expect(lines).toHaveLength(2)
  expect(api.list(jobs)).toHaveLength(1)
  expect(api.list(secrets)).toEqual([])
})

test('no group of buildpacks', async () => {
  const { result, name, lines } = await begin({ a: '' })
  run(name, 'Failed', 20)
  expect(await result).toBe('failed: Build pod exited with code 20, stopping build.')
  expect(lines.at(-1)).toBe('-----> Unable to select a buildpack')
})

test('what is waited for is said once, and goes on', async () => {
  const { result, name, lines } = await begin({ a: '' })
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }]
  pod(name, { phase: 'Pending', conditions })
  await expect.poll(() => lines).toEqual(['       No node takes the build yet: 0/3 nodes'])
  pod(name, { phase: 'Pending', conditions: [{ ...conditions[0], message: '0/4 nodes' }] })
  run(name, 'Succeeded', 0)
  await result
  expect(lines.filter(line => line.includes('nodes'))).toHaveLength(1)
})

test('given up: Job and Secret are removed at once', async () => {
  const { result, stop } = await begin({ a: '' })
  stop.abort(new BuildError('lost', 'given up'))
  expect(await result).toBe('lost: given up')
  expect([...api.list(jobs), ...api.list(secrets)]).toEqual([])
})

test('the end of the builder is an end of builds, and of new ones', async () => {
  const { result } = await begin({ a: '' })
  await strategy.close()
  expect(await result).toBe('lost: The builder is ending.')
  expect([...api.list(jobs), ...api.list(secrets)]).toEqual([])
})

test('a Pod that is removed', async () => {
  const { result, name } = await begin({ a: '' })
  pod(name, { phase: 'Running' })
  await expect.poll(() => api.list({ apiVersion: 'v1', plural: 'pods', namespace: 'deis' })).toHaveLength(1)
  await strategy.check(signal)
  api.delete({ apiVersion: 'v1', plural: 'pods', namespace: 'deis', name: `${name}-x` })
  expect(await result).toBe('lost: The build was removed from the cluster.')
})

test('what the API server refuses is said', async () => {
  api.forbid('secrets')
  const source = join(directory, 'source')
  await writeFiles(source, { a: '' })
  const request = { app: 'shop', commit, source, config: {}, say: () => {}, signal }
  await expect(strategy.build(request)).rejects.toThrow('creating builder pod (secrets is forbidden')
  expect(api.list(jobs)).toEqual([])
})

test('DEIS_DISABLE_CACHE and the end of an app take the cache away', async () => {
  const { result, name } = await begin({ a: '' }, { DEIS_DISABLE_CACHE: '1' })
  run(name, 'Succeeded', 0)
  await result
  expect(asked.filter(line => line.startsWith('DELETE'))).toEqual([
    expect.stringMatching(/^DELETE \/v2\/shop\/cache\/manifests\/sha256:/),
  ])
  await strategy.forget('shop')
  expect(asked.filter(line => line.startsWith('DELETE'))).toHaveLength(2)
  await strategy.forget('../x')
  await strategy.forget('other')
  expect(asked.filter(line => line.startsWith('DELETE'))).toHaveLength(2)
})

test('Jobs of a builder that was killed are removed at the start; those that have ended are left', async () => {
  const metadata = (name: string) => ({
    name,
    namespace: 'deis',
    labels: { 'app.kubernetes.io/managed-by': 'deis-builder' },
  })
  api.create({ apiVersion: 'batch/v1', kind: 'Job', metadata: metadata('running') })
  api.create({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadata('done'),
    status: { conditions: [{ type: 'Complete' }] },
  })
  api.create({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'theirs', namespace: 'deis' } })
  const next = await open()
  expect(next.leftOvers).toEqual(['running'])
  expect(api.list(jobs).map(({ metadata }) => metadata.name)).toEqual(['done', 'theirs'])
  await next.close()
})

const tokenForms: readonly (readonly [name: string, files: Files, has: (text: string) => unknown, want: unknown])[] = [
  ['the lifecycle', { a: '' }, text => JSON.parse(text), { registry: 'Bearer push-token' }],
  [
    'buildah',
    { Dockerfile: 'FROM x\n' },
    text => Buffer.from(JSON.parse(text).auths.registry.auth, 'base64').toString(),
    'build:push-token',
  ],
]
test.each(tokenForms)(
  'a registry that wants tokens: %s gets one for the app alone',
  async (_name, files, has, want) => {
    challenge = 'Bearer realm="http://realm",service="deis-registry"'
    const challenges: Challenge[] = []
    await strategy.close()
    strategy = await open(async given => {
      challenges.push(given)
      return 'push-token'
    })
    const { result, name } = await begin(files)
    const { data } = api.get({ ...secrets, name }) as unknown as { readonly data: Readonly<Record<string, string>> }
    expect(has(Buffer.from(data['registry-auth']!, 'base64').toString())).toEqual(want)
    const scope = 'repository:shop:pull,push repository:shop/cache:pull,push'
    expect(challenges).toEqual([{ realm: 'http://realm', service: 'deis-registry', scope, lifetime: 2700 }])
    run(name, 'Failed', 1, 'Dockerfile' in files ? 'deis-dockerbuilder' : undefined)
    await result
  },
)
