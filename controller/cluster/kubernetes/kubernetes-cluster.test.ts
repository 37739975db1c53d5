// The waiting of the Kubernetes cluster, against an API server in memory: what Deployments and Pods report is scripted,
// and time passes when the test says so. What a real API server does with what we apply is in test/cluster.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Clock } from '#kit/clock.ts'
import { KubeClient } from '#kube/client.ts'
import { FakeApi } from '#kube/fake.ts'
import { desiredApp, desiredRelease } from '#test/support/desired-app.ts'
import { ClusterError } from '../cluster.ts'
import { KubernetesCluster } from './kubernetes-cluster.ts'

/** Delays end when `advance` has gone past them. */
class TestClock implements Clock {
  #now = 0
  readonly #waiting = new Map<() => void, number>()

  now(): number {
    return this.#now
  }

  wallClock(): number {
    return Date.parse('2026-03-01T12:00:00Z') + this.#now
  }

  delay(duration: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (duration <= 0) resolve()
    this.#waiting.set(resolve, this.#now + duration)
    signal.addEventListener('abort', () => {
      this.#waiting.delete(resolve)
      resolve()
    })
    return promise
  }

  advance(duration: number): void {
    this.#now += duration
    for (const [resolve, due] of this.#waiting) if (due <= this.#now) resolve()
  }
}

let directory: string
let api: FakeApi
let client: KubeClient
let clock: TestClock
let cluster: KubernetesCluster
const { signal } = new AbortController()
const apps = { apiVersion: 'apps/v1', plural: 'deployments', namespace: 'shop' }
const pods = { apiVersion: 'v1', plural: 'pods', namespace: 'shop' }
const managed = { app: 'shop', heritage: 'deis', 'app.kubernetes.io/managed-by': 'deis-controller' }

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubernetes-cluster-'))
  api = await FakeApi.start()
  client = await KubeClient.fromKubeconfig(await api.kubeconfig(join(directory, 'config')))
  clock = new TestClock()
  cluster = new KubernetesCluster({ client, platformNamespace: 'deis', clock })
})
afterEach(async () => {
  await cluster.close()
  await client.close()
  await api.close()
  await rm(directory, { recursive: true })
})

const shop = desiredApp('shop', { structure: { cmd: 2 }, release: desiredRelease('shop') })

function podOf(name: string, status: object, labels: object = {}): void {
  api.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { ...managed, type: 'cmd', version: 'v2', ...labels } },
    spec: { containers: [{ name: 'shop-cmd', image: 'localhost/echo:1' }] },
    status,
  })
}

const up = { phase: 'Running', containerStatuses: [{ name: 'shop-cmd', ready: true, state: { running: {} } }] }
const waiting = (reason: string, message?: string, phase = 'Pending') => ({
  phase,
  containerStatuses: [{ name: 'shop-cmd', ready: false, restartCount: 0, state: { waiting: { reason, message } } }],
})

function event(pod: string, reason: string, message: string, time: string, type = 'Warning'): void {
  api.create({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${pod}.${reason}`, namespace: 'shop' },
    involvedObject: { name: pod },
    type,
    reason,
    message,
    lastTimestamp: `2026-03-01T12:00:${time}Z`,
  })
}

function report(ready: number, all = ready): void {
  const status = { replicas: all, updatedReplicas: all, readyReplicas: ready, availableReplicas: ready }
  api.patch({ ...apps, name: 'shop-cmd' }, { status })
}

/** Begins a deploy; resolves when it waits for Deployments and Pods. */
async function begin(app = shop) {
  const progress: string[] = []
  const stop = new AbortController()
  const result = cluster.deploy(app, { signal: stop.signal, onProgress: message => progress.push(message) }).then(
    () => 'deployed',
    (error: unknown) => (error instanceof ClusterError ? `${error.kind}: ${error.message}` : String(error)),
  )
  await api.watchesToBe(2)
  return { progress, result, stop }
}

test('traffic goes to new processes when they are ready, and not before; then former ones go', async () => {
  podOf('shop-cmd-old', up, { version: 'v1' })
  podOf('shop-run-abcde', up, { version: 'v1', type: 'run' })
  const { progress, result } = await begin()
  report(1, 2)
  podOf('shop-cmd-a', up)
  await api.requestsToBe(1)
  expect(() => api.get({ apiVersion: 'v1', plural: 'services', namespace: 'shop', name: 'shop' })).toThrow('not found')
  report(2)
  expect(await result).toBe('deployed')
  expect(progress.at(-1)).toBe('ready: cmd 2/2')
  expect(api.get({ apiVersion: 'v1', plural: 'services', namespace: 'shop', name: 'shop' }).spec).toMatchObject({
    selector: { type: 'cmd' },
  })
  expect(api.list(pods).map(({ metadata }) => metadata.name)).toEqual(['shop-cmd-a'])
  await api.watchesToBe(0)
})

test('nothing is asked for again while it waits', async () => {
  const { result } = await begin()
  const before = api.requests.length
  clock.advance(60_000)
  report(1, 2)
  clock.advance(30_000)
  report(2)
  expect(await result).toBe('deployed')
  const during = api.requests.slice(before).filter(({ path }) => path.endsWith('/shop-cmd'))
  expect(during).toEqual([])
})

test('what is planned no more is removed: types, autoscalers, environments', async () => {
  const secret = { apiVersion: 'v1', plural: 'secrets', namespace: 'shop' }
  const put = (kind: string, apiVersion: string, plural: string, name: string, labels: object, manager: string) =>
    client.apply(
      `/${apiVersion === 'v1' ? 'api' : 'apis'}/${apiVersion}/namespaces/shop/${plural}/${name}`,
      { apiVersion, kind, metadata: { name, labels: { ...managed, ...labels } } },
      { fieldManager: manager },
    )
  await put('Deployment', 'apps/v1', 'deployments', 'shop-worker', { type: 'worker' }, 'deis-controller')
  await put('Secret', 'v1', 'secrets', 'shop-v1-env', { version: 'v1' }, 'deis-controller')
  await put('Secret', 'v1', 'secrets', 'shop-v0-env', { version: 'v0' }, 'deis-controller')
  await put('Secret', 'v1', 'secrets', 'theirs', {}, 'somebody')
  await put('ReplicaSet', 'apps/v1', 'replicasets', 'shop-cmd-1', { version: 'v1' }, 'kube-controller-manager')
  const { result } = await begin()
  report(2)
  expect(await result).toBe('deployed')
  expect(api.list(apps).map(({ metadata }) => metadata.name)).toEqual(['shop-cmd'])
  expect(api.list(secret).map(({ metadata }) => metadata.name)).toEqual(['shop-v1-env', 'shop-v2-env', 'theirs'])
})

const troubles: readonly (readonly [name: string, status: object, message: string])[] = [
  ['an image that is not there', waiting('ErrImagePull', 'x: not found'), 'image localhost/echo:1 not found'],
  ['an image that never comes', waiting('ErrImageNeverPull'), 'image localhost/echo:1 not found'],
  [
    'an image that cannot be fetched',
    waiting('ImagePullBackOff', 'connection refused'),
    'image localhost/echo:1 cannot be fetched: connection refused',
  ],
]
test.for(troubles)('fails at once: %s', async ([, status, message]) => {
  const { result } = await begin()
  podOf('shop-cmd-a', status)
  expect(await result).toBe(`failed: ${message}`)
  await api.watchesToBe(0)
})

const passing: readonly (readonly [name: string, status: object, message: string])[] = [
  [
    'no node takes it',
    {
      phase: 'Pending',
      conditions: [
        { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available' },
      ],
    },
    '0/3 nodes are available',
  ],
  [
    'a Secret is missing',
    waiting('CreateContainerConfigError', 'secret "x" not found'),
    'the process cannot be started: secret "x" not found',
  ],
]
test.for(passing)('fails after a while: %s', async ([, status, message]) => {
  podOf('shop-cmd-a', status)
  const { result, progress } = await begin()
  await until(() => progress.length > 0)
  clock.advance(9_000)
  // That something changes is not what it waits for.
  report(1, 2)
  await until(() => progress.length > 1)
  clock.advance(1_000)
  expect(await result).toBe(`failed: ${message}`)
})

test('running out of time is a failure, with the last complaint', async () => {
  event('shop-cmd-a', 'Unhealthy', 'Readiness probe failed: 500', '10')
  event('shop-cmd-a', 'BackOff', 'something else', '20')
  podOf('shop-cmd-a', { phase: 'Running', containerStatuses: [{ name: 'x', ready: false, state: { running: {} } }] })
  const { result, progress } = await begin()
  await until(() => progress.length > 0)
  // Two batches of 120 s, each with the 5 s before the first probe.
  clock.advance(249_000)
  report(1, 2)
  await until(() => progress.length > 1)
  clock.advance(1_000)
  expect(await result).toBe('failed: shop-cmd not ready within 250 s: shop-cmd-a: Readiness probe failed: 500')
})

test('an image that is still on its way is given ten minutes more, once', async () => {
  event('shop-cmd-a', 'Pulling', 'Pulling image', '10', 'Normal')
  podOf('shop-cmd-a', waiting('ContainerCreating'))
  const { result, progress } = await begin()
  await until(() => progress.length > 0)
  clock.advance(250_000)
  await until(() => progress.some(message => message.includes('10 minutes more')))
  clock.advance(600_000)
  expect(await result).toMatch(/^failed: shop-cmd not ready within 850 s: shop-cmd-a: /)
})

test('a Deployment that somebody removes fails it', async () => {
  const { result } = await begin()
  api.delete({ ...apps, name: 'shop-cmd' })
  expect(await result).toBe('failed: shop-cmd was removed by somebody')
})

test('who gives up is not kept waiting, and objects stay', async () => {
  const { result, stop } = await begin()
  stop.abort(new Error('enough'))
  expect(await result).toBe('Error: enough')
  expect(api.list(apps)).toHaveLength(1)
  await api.watchesToBe(0)
})

test('closing ends what waits', async () => {
  const { result } = await begin()
  await cluster.close()
  expect(await result).toBe('unreachable: the controller is shutting down')
})

test('a right that is missing is said', async () => {
  api.forbid('pods')
  const result = cluster.deploy(shop, { signal, onProgress: () => {} })
  await expect(result).rejects.toMatchObject({
    kind: 'unreachable',
    message: expect.stringContaining('pods is forbidden'),
  })
})

test('a cluster that is away is unreachable', async () => {
  api.goAway()
  await expect(cluster.check(signal)).rejects.toMatchObject({ kind: 'unreachable' })
})

test('a namespace of somebody else is taken', async () => {
  api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
  await expect(cluster.create(shop, signal)).rejects.toMatchObject({ kind: 'taken' })
  await cluster.destroy(shop, signal)
  expect(api.list({ apiVersion: 'v1', plural: 'namespaces' })).toHaveLength(1)
})

test('restart waits for as many as were ended, of each type, and five minutes at most', async () => {
  podOf('shop-cmd-a', up)
  podOf('shop-cmd-b', up)
  podOf('shop-run-c', up, { type: 'run' })
  const restart = () => cluster.restart(shop.id, ['shop-cmd-a', 'shop-run-c', 'shop-cmd-none'], signal)
  const first = restart()
  await api.requestsToBe(1, ({ method }) => method === 'DELETE')
  podOf('shop-cmd-d', waiting('ContainerCreating'))
  podOf('shop-cmd-d', up)
  expect((await first).map(({ name, state }) => [name, state])).toEqual([['shop-cmd-d', 'up']])
  expect(api.list(pods).map(({ metadata }) => metadata.name)).toContain('shop-run-c')

  podOf('shop-cmd-a', up)
  const second = restart()
  await api.requestsToBe(2, ({ method }) => method === 'DELETE')
  podOf('shop-cmd-e', waiting('CrashLoopBackOff', '', 'Running'))
  clock.advance(300_000)
  await expect(second).rejects.toThrow(/^no new processes within 5 minutes/)
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}
