import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { KubeClient } from '#kube/client.ts'
import { FakeApi, type FakeObject } from '#kube/fake.ts'
import { TestTime } from '#test/support/test-time.ts'
import type { Problem } from '../model/problem.ts'
import { EventRecorder } from './event-recorder.ts'

const second = 1000
let directory: string
let api: FakeApi
let client: KubeClient
let time: TestTime
let term: AbortController
let running: Promise<void>
let problems: Problem[]
let synced: boolean
let warnings: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'events-'))
  api = await FakeApi.start()
  client = await KubeClient.fromKubeconfig(await api.kubeconfig(join(directory, 'config')))
  time = new TestTime()
  running = Promise.resolve()
  problems = []
  synced = true
  warnings = []
})
afterEach(async () => {
  term.abort()
  await running
  await client.close()
  await api.close()
  await rm(directory, { recursive: true })
})

function recorder(): EventRecorder {
  return new EventRecorder({
    client,
    problems: () => problems,
    synced: () => synced,
    controller: 'router.deis.io/ingress-controller',
    instance: 'router-1',
    log: createLogger({ level: 'warn', destination: { write: line => void warnings.push(JSON.parse(line).message) } }),
    clock: time,
  })
}

async function lead(one: EventRecorder): Promise<EventRecorder> {
  term = new AbortController()
  running = one.run(term.signal)
  await time.waits()
  return one
}

function pass(duration = 2 * second): Promise<void> {
  return time.pass(duration, () => time.waits())
}

async function appear(...given: Problem[]): Promise<void> {
  problems = given
  await pass()
}

function problem(name: string, parts: Partial<Omit<Problem, 'object'>> = {}, kind = 'Service', namespace = 'shop') {
  const object = { kind, namespace, name }
  return { code: 'host-conflict', severity: 'error', object, message: 'the host is taken', ...parts } satisfies Problem
}

const events = (): FakeObject[] => api.list({ apiVersion: 'v1', plural: 'events' })

test('a Problem becomes an Event of its object', async () => {
  const service = api.create({ apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'shop', name: 'web' } })
  const one = await lead(recorder())
  await appear(problem('web'))
  expect(events()).toMatchObject([
    {
      metadata: { namespace: 'shop', name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Service',
        namespace: 'shop',
        name: 'web',
        uid: service.metadata.uid,
      },
      reason: 'HostConflict',
      message: 'the host is taken',
      type: 'Warning',
      source: { component: 'deis-router' },
      reportingComponent: 'router.deis.io/ingress-controller',
      reportingInstance: 'router-1',
      firstTimestamp: '2026-01-01T00:00:02Z',
      lastTimestamp: '2026-01-01T00:00:02Z',
      count: 1,
    },
  ])
  await pass(3600 * second)
  expect([one.written, one.dropped]).toEqual([1, 0])
})

const reasons: [code: Problem['code'], kind: string, apiVersion: string, reason: string][] = [
  ['path-conflict', 'Ingress', 'networking.k8s.io/v1', 'PathConflict'],
  ['invalid-annotation', 'Deployment', 'apps/v1', 'InvalidAnnotation'],
  ['forbidden', 'DaemonSet', 'apps/v1', 'Forbidden'],
  ['certificate-expired', 'Secret', 'v1', 'CertificateExpired'],
  ['invalid-object', 'EndpointSlice', 'discovery.k8s.io/v1', 'InvalidObject'],
]
for (const [code, kind, apiVersion, reason] of reasons) {
  test(`${code} of a ${kind} is ${reason}`, async () => {
    await lead(recorder())
    await appear(problem('a', { code }, kind))
    expect(events()).toMatchObject([{ reason, involvedObject: { apiVersion, kind } }])
    expect(api.requests.some(({ path }) => path.includes('/secrets'))).toBe(false)
  })
}

test('what is no Kubernetes object of a namespace, or no fault, is not reported', async () => {
  const one = await lead(recorder())
  await appear(
    problem('a.yaml', { code: 'invalid-manifest' }, 'File', ''),
    problem('deis-router', { code: 'forbidden' }, 'ClusterRole', ''),
    problem('web', { code: 'annotation-without-effect', severity: 'warning' }),
  )
  expect(api.requests).toEqual([])
  expect([one.written, one.dropped]).toEqual([0, 0])
})

test('what is there when the term begins is reported, once the world is known', async () => {
  problems = [problem('web')]
  synced = false
  await lead(recorder())
  await pass(10 * second)
  expect(events()).toEqual([])
  synced = true
  await pass()
  expect(events()).toHaveLength(1)
})

test('one that comes again bumps its Event; another message is another Event', async () => {
  await lead(recorder())
  await appear(problem('web'))
  await appear()
  await appear(problem('web'))
  await appear()
  await appear(problem('web'), problem('web', { message: 'the host is taken by another' }))
  expect(events().map(({ count, message }) => [count, message])).toEqual(
    expect.arrayContaining([
      [3, 'the host is taken'],
      [1, 'the host is taken by another'],
    ]),
  )
  expect(events()).toHaveLength(2)
  expect(events().find(({ count }) => count === 3)).toMatchObject({
    firstTimestamp: '2026-01-01T00:00:02Z',
    lastTimestamp: '2026-01-01T00:00:10Z',
  })
})

test('another leader, or we after a restart, go on with the same Event', async () => {
  await lead(recorder())
  await appear(problem('web'))
  await appear()
  await appear(problem('web'))
  term.abort()
  await running
  await lead(recorder())
  expect(events()).toMatchObject([{ count: 2, lastTimestamp: '2026-01-01T00:00:06Z' }])
  await appear()
  await appear(problem('web'))
  expect(events()).toMatchObject([{ count: 3 }])
})

test('an Event that the cluster has forgotten is made anew', async () => {
  await lead(recorder())
  await appear(problem('web'))
  const { namespace = '', name } = events()[0]!.metadata
  api.delete({ apiVersion: 'v1', plural: 'events', namespace, name })
  await appear()
  await appear(problem('web'))
  expect(events()).toMatchObject([{ count: 1 }])
})

test('an object that was made anew has Events of its own', async () => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'shop', name: 'web' } }
  const first = api.create(service)
  await lead(recorder())
  await appear(problem('web'))
  api.delete({ apiVersion: 'v1', plural: 'services', namespace: 'shop', name: 'web' })
  const next = api.create(service)
  term.abort()
  await running
  await lead(recorder())
  const uids = events().map(({ involvedObject }) => (involvedObject as { uid?: string }).uid)
  expect(new Set(uids)).toEqual(new Set([first.metadata.uid, next.metadata.uid]))
})

test('messages and names stay within what the API takes', async () => {
  await lead(recorder())
  const long = `${'a'.repeat(229)}-${'b'.repeat(23)}`
  await appear(problem(long, { message: `${'m'.repeat(1022)}\u{1F4A5}${'m'.repeat(100)}` }))
  const [event] = events()
  expect(event?.message).toBe(`${'m'.repeat(1022)}…`)
  expect(event?.metadata.name).toMatch(/^a{229}\.[0-9a-f]{16}$/)
})

test('of a thousand at once fifty are reported, then five a second, until all are', async () => {
  const many = Array.from({ length: 1000 }, (_, i) => problem(`s${i}`))
  const one = await lead(recorder())
  await appear(...many)
  expect([one.written, one.dropped]).toEqual([50, 0])
  await pass()
  expect([one.written, one.dropped]).toEqual([60, 0])
  await pass(200 * second)
  expect([one.written, one.dropped]).toEqual([1000, 0])
})

test('what goes before its turn came is counted', async () => {
  const one = await lead(recorder())
  await appear(...Array.from({ length: 1000 }, (_, i) => problem(`s${i}`)))
  await appear(problem('s0'))
  expect([one.written, one.dropped]).toEqual([50, 950])
})

test('a namespace with hundreds of bad objects does not keep another one from its Event', async () => {
  const many = Array.from({ length: 300 }, (_, i) => problem(`s${i}`, {}, 'Service', 'aaa'))
  const one = await lead(recorder())
  await appear(...many, problem('web', {}, 'Service', 'victim'))
  expect(one.written).toBe(50)
  expect(events().filter(({ metadata }) => metadata.namespace === 'victim')).toHaveLength(1)
  // Nor one that comes while all tokens are used up.
  await appear(...many, problem('web', {}, 'Service', 'victim'), problem('app', {}, 'Service', 'zzz'))
  expect(events().filter(({ metadata }) => metadata.namespace === 'zzz')).toHaveLength(1)
})

test('namespaces whose Problems change all the time leave others their turn', async () => {
  const one = await lead(recorder())
  const names = Array.from({ length: 60 }, (_, i) => `n${String(i).padStart(2, '0')}`)
  for (let look = 0; look < 4; look++)
    await appear(...names.map(name => problem('web', { message: `look ${look}` }, 'Service', name)))
  const told = new Set(events().map(({ metadata }) => metadata.namespace))
  expect([...told].sort()).toEqual(names)
  expect(one.written).toBe(80)
})

test('where Events are forbidden nothing more is tried, which is said once', async () => {
  api.forbid('events', 'shop')
  const one = await lead(recorder())
  await appear(problem('a'), problem('b'), problem('c', {}, 'Service', 'bank'))
  await appear(problem('d'), problem('e', {}, 'Service', 'bank'))
  expect(events().map(({ metadata }) => metadata.namespace)).toEqual(['bank', 'bank'])
  expect(api.requests.filter(({ path }) => path.endsWith('/shop/events'))).toHaveLength(1)
  expect(warnings).toEqual([expect.stringContaining('we may not write Events')])
  expect(one.written).toBe(2)
})

test('where Events were forbidden it is tried again after ten minutes, with all that waits', async () => {
  api.forbid('events', 'shop')
  const one = await lead(recorder())
  await appear(problem('a'), problem('b'))
  api.allow('events', 'shop')
  await pass(590 * second)
  expect([one.written, one.dropped]).toEqual([0, 0])
  await pass(20 * second)
  expect([one.written, one.dropped]).toEqual([2, 0])
})

test('failures are logged once a minute, and lose no more than their Event', async () => {
  const one = await lead(recorder())
  api.goAway()
  for (let i = 0; i < 40; i++) await appear(problem(`a${i}`))
  expect([one.written, one.dropped]).toEqual([0, 40])
  expect(warnings).toHaveLength(2)
  api.comeBack()
  await appear(problem('b'))
  expect(one.written).toBe(1)
})
