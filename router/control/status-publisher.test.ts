import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { KubeClient } from '#kube/client.ts'
import { FakeApi, type FakeObject } from '#kube/fake.ts'
import type { Ingress } from '#kube/types.ts'
import { TestTime } from '#test/support/test-time.ts'
import type { IngressStatus, PublishAddress } from './published-status.ts'
import { StatusPublisher } from './status-publisher.ts'

const ingresses = { apiVersion: 'networking.k8s.io/v1', plural: 'ingresses' }
const second = 1000
/** What is marked meanwhile is looked at together. */
const quiet = 25

let directory: string
let api: FakeApi
let client: KubeClient
let time: TestTime
let term: AbortController
let running: Promise<void>
let lines: { readonly level: string; readonly message: string; readonly reason?: string }[]
let synced: boolean
let addresses: readonly PublishAddress[] | null
/** What the router's watch has told of; null: all that there is. */
let known: IngressStatus[] | null

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'status-'))
  api = await FakeApi.start()
  client = await KubeClient.fromKubeconfig(await api.kubeconfig(join(directory, 'config')))
  time = new TestTime()
  term = new AbortController()
  running = Promise.resolve()
  lines = []
  synced = true
  addresses = [{ ip: '192.0.2.1' }]
  known = null
})
afterEach(async () => {
  term.abort()
  await running
  await client.close()
  await api.close()
  await rm(directory, { recursive: true })
})

function statuses(): IngressStatus[] {
  return api.list(ingresses).map(object => {
    const { metadata, spec, status } = object as FakeObject & Ingress
    const { namespace = '', name } = metadata
    const served = spec?.ingressClassName === 'ours'
    return { namespace, name, served, loadBalancer: status?.loadBalancer?.ingress ?? [] }
  })
}

function publisher(): StatusPublisher {
  return new StatusPublisher({
    client,
    world: { ingressStatus: () => known ?? statuses() },
    addresses: () => addresses,
    synced: () => synced,
    log: createLogger({ destination: { write: line => void lines.push(JSON.parse(line)) } }),
    clock: time,
    random: () => 0.5,
  })
}

/** Begins a term and resolves when all that there was to write is written. */
async function lead(one: StatusPublisher): Promise<StatusPublisher> {
  term = new AbortController()
  running = one.run(term.signal)
  await time.waits()
  return one
}

async function pass(duration: number): Promise<void> {
  await time.waits()
  await time.pass(duration, () => time.waits())
}

function ingress(name: string, fields: object = {}, ingressClassName = 'ours'): FakeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { namespace: 'shop', name },
    spec: { ingressClassName },
    ...fields,
  }
}

const told = (...entries: object[]): object => ({ status: { loadBalancer: { ingress: entries } } })
const reference = (name: string) => ({ ...ingresses, namespace: 'shop', name })
const tells = (name: string): unknown =>
  (api.get(reference(name)) as FakeObject & Ingress).status?.loadBalancer?.ingress
const patches = (): string[] => api.requests.filter(({ method }) => method === 'PATCH').map(({ path }) => path)

test('I-S1 every Ingress of ours is told the addresses, through the status subresource', async () => {
  api.create(ingress('a'))
  api.create(ingress('b', told({ hostname: 'old.example' })))
  api.create(ingress('c', {}, 'other'))
  const want = [{ hostname: 'lb.example' }, { ip: '192.0.2.1' }]
  addresses = want
  const one = await lead(publisher())
  expect([tells('a'), tells('b'), tells('c')]).toEqual([want, want, undefined])
  expect(patches().sort()).toEqual([
    '/apis/networking.k8s.io/v1/namespaces/shop/ingresses/a/status',
    '/apis/networking.k8s.io/v1/namespaces/shop/ingresses/b/status',
  ])
  expect(api.requests.at(-1)?.headers['content-type']).toBe('application/merge-patch+json')
  expect(api.get(reference('a')).spec).toEqual({ ingressClassName: 'ours' })
  expect([one.writes, one.failures]).toEqual([2, 0])
})

test('I-S2 what is told already is not written', async () => {
  api.create(ingress('a', told({ ip: '192.0.2.1' })))
  const one = await lead(publisher())
  for (let i = 0; i < 20; i++) {
    one.mark()
    await pass(second)
  }
  expect(patches()).toEqual([])
})

test('nothing is written when nothing is configured', async () => {
  api.create(ingress('a', told({ ip: '192.0.2.9' })))
  addresses = null
  await lead(publisher())
  await pass(20 * second)
  expect(patches()).toEqual([])
  expect(lines).toEqual([])
})

test('nothing is written before the world is known', async () => {
  api.create(ingress('a'))
  synced = false
  const one = await lead(publisher())
  await pass(20 * second)
  expect(patches()).toEqual([])
  synced = true
  one.mark()
  await pass(second)
  expect(tells('a')).toEqual([{ ip: '192.0.2.1' }])
})

test('I-S2 other addresses are told at once, and when there are none what was told stays', async () => {
  api.create(ingress('a'))
  const one = await lead(publisher())
  expect(tells('a')).toEqual([{ ip: '192.0.2.1' }])
  addresses = [{ ip: '192.0.2.2' }]
  one.mark()
  await pass(quiet)
  expect(tells('a')).toEqual([{ ip: '192.0.2.2' }])
  addresses = null
  one.mark()
  await pass(20 * second)
  expect(tells('a')).toEqual([{ ip: '192.0.2.2' }])
  expect(lines.map(({ message }) => message).at(-1)).toMatch('no address is known')
})

test('a new Ingress is told on the mark that its watch makes', async () => {
  const one = await lead(publisher())
  await pass(100)
  api.create(ingress('a'))
  one.mark()
  await pass(quiet)
  expect(tells('a')).toEqual([{ ip: '192.0.2.1' }])
})

test('I-S3 what stops being ours is cleared, if it still tells what we wrote', async () => {
  for (const name of ['a', 'b', 'c']) api.create(ingress(name))
  const one = await lead(publisher())
  api.patch(reference('a'), { spec: { ingressClassName: 'other' } })
  api.patch(reference('b'), { spec: { ingressClassName: 'other' }, ...told({ ip: '203.0.113.1' }) })
  one.mark()
  await pass(second)
  expect([tells('a'), tells('b'), tells('c')]).toEqual([[], [{ ip: '203.0.113.1' }], [{ ip: '192.0.2.1' }]])
  // Whoever has it now may tell our address too: it is theirs to tell.
  api.patch(reference('a'), told({ ip: '192.0.2.1' }))
  one.mark()
  await pass(20 * second)
  expect(tells('a')).toEqual([{ ip: '192.0.2.1' }])
})

test('what an earlier leader told is cleared when it stops being ours, but not what nobody saw to be ours', async () => {
  api.create(ingress('a', told({ ip: '192.0.2.1' })))
  api.create(ingress('b', told({ ip: '192.0.2.1' }), 'gone'))
  const one = await lead(publisher())
  api.patch(reference('a'), { spec: { ingressClassName: 'gone' } })
  one.mark()
  await pass(second)
  expect([tells('a'), tells('b')]).toEqual([[], [{ ip: '192.0.2.1' }]])
})

test('the end of a term leaves everything as it is', async () => {
  api.create(ingress('a'))
  const one = await lead(publisher())
  term.abort()
  await running
  api.create(ingress('b'))
  one.mark()
  expect([tells('a'), tells('b')]).toEqual([[{ ip: '192.0.2.1' }], undefined])
  await lead(one)
  expect(tells('b')).toEqual([{ ip: '192.0.2.1' }])
})

test('while the watch has not told of a write, it is not repeated; while another overwrites it, ever more rarely', async () => {
  api.create(ingress('a'))
  known = [{ namespace: 'shop', name: 'a', served: true, loadBalancer: [] }]
  const one = await lead(publisher())
  for (let i = 0; i < 19; i++) {
    one.mark()
    await pass(100)
  }
  expect(patches()).toHaveLength(1)
  await pass(3600 * second)
  expect(patches().length).toBeGreaterThan(5)
  expect(patches().length).toBeLessThan(20)
})

test('one that is deleted meanwhile is no failure, and forgotten', async () => {
  known = [{ namespace: 'shop', name: 'a', served: true, loadBalancer: [] }]
  const one = await lead(publisher())
  expect(patches()).toHaveLength(1)
  expect([one.writes, one.failures, lines.filter(({ level }) => level === 'warn')]).toEqual([0, 0, []])
  known = null
  one.mark()
  await pass(4 * quiet)
  api.create(ingress('a'))
  one.mark()
  await pass(4 * quiet)
  expect(tells('a')).toEqual([{ ip: '192.0.2.1' }])
})

test('another term tries at once what was refused in the one before', async () => {
  api.create(ingress('a'))
  api.forbid('ingresses', 'shop')
  const one = await lead(publisher())
  term.abort()
  await running
  api.allow('ingresses', 'shop')
  await lead(one)
  expect(tells('a')).toEqual([{ ip: '192.0.2.1' }])
})

test('after a short failure of the server the others are written as soon as the pause is over', async () => {
  for (let i = 0; i < 20; i++) api.create(ingress(`i${i}`))
  api.failNext(1, 500)
  const one = await lead(publisher())
  expect(one.writes).toBeLessThan(19)
  await pass(second)
  expect([one.writes, one.failures]).toEqual([19, 1])
  await pass(2 * second)
  expect([one.writes, one.failures]).toEqual([20, 1])
})

test('a conflict is tried again', async () => {
  api.create(ingress('a'))
  api.failNext(1, 409)
  const one = await lead(publisher())
  expect(tells('a')).toBeUndefined()
  await pass(3 * second)
  expect(tells('a')).toEqual([{ ip: '192.0.2.1' }])
  expect([one.writes, one.failures]).toEqual([1, 1])
})

test('one namespace that we may not write to holds up no other, and is asked seldom', async () => {
  api.forbid('ingresses', 'shop')
  api.create(ingress('a'))
  api.create({ ...ingress('b'), metadata: { namespace: 'bank', name: 'b' } })
  await lead(publisher())
  await pass(60 * second)
  expect(patches().filter(path => path.includes('/shop/'))).toHaveLength(1)
  expect(patches().filter(path => path.includes('/bank/'))).toHaveLength(1)
  expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([{ ingress: 'shop/a' }])
  api.allow('ingresses', 'shop')
  await pass(300 * second)
  expect(tells('a')).toEqual([{ ip: '192.0.2.1' }])
})

test('with the API server away it is asked for one object after the other, ever more rarely, until it is back', async () => {
  for (let i = 0; i < 200; i++) api.create(ingress(`i${i}`))
  const objects = statuses()
  known = objects
  api.goAway()
  const one = await lead(publisher())
  await pass(120 * second)
  expect(one.failures).toBeGreaterThan(5)
  expect(one.failures).toBeLessThan(100)
  expect(lines.filter(({ level }) => level === 'warn').length).toBeLessThan(4)
  api.comeBack()
  known = null
  await pass(200 * second)
  expect(statuses().filter(({ loadBalancer }) => loadBalancer.length === 1)).toHaveLength(200)
})

test('a thousand are written a few at a time, and at no more than the rate', async () => {
  for (let i = 0; i < 1000; i++) api.create(ingress(`i${i}`))
  let open = 0
  let most = 0
  api.onRequest = () => {
    open++
    most = Math.max(most, open)
    setImmediate(() => open--)
  }
  const one = await lead(publisher())
  expect(one.writes).toBeLessThan(220)
  expect(most).toBeLessThanOrEqual(5)
  await pass(12 * second)
  expect(one.writes).toBe(1000)
})
