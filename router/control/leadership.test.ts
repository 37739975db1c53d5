import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { KubeClient } from '#kube/client.ts'
import { FakeApi, type FakeObject, type FakeRequest } from '#kube/fake.ts'
import type { Service } from '#kube/types.ts'
import { TestTime } from '#test/support/test-time.ts'
import type { Problem } from '../model/problem.ts'
import { Leadership, type LeadershipOptions } from './leadership.ts'

const lease = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases', namespace: 'deis', name: 'deis-router-leader' }
const ingress = { apiVersion: 'networking.k8s.io/v1', plural: 'ingresses', namespace: 'shop', name: 'web' }
const problem: Problem = {
  code: 'host-conflict',
  severity: 'error',
  object: { kind: 'Ingress', namespace: 'shop', name: 'web' },
  message: 'the host is taken',
}

let directory: string
let api: FakeApi
let started: Leadership[]
let messages: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leadership-'))
  api = await FakeApi.start()
  started = []
  messages = []
  api.create({
    apiVersion: ingress.apiVersion,
    kind: 'Ingress',
    metadata: { namespace: ingress.namespace, name: ingress.name },
    spec: { ingressClassName: 'ours' },
  })
})
afterEach(async () => {
  await Promise.all(started.map(one => one.stop()))
  await api.close()
  await rm(directory, { recursive: true })
})

async function start(parts: Partial<LeadershipOptions> = {}): Promise<Leadership> {
  const one = new Leadership({
    client: await KubeClient.fromKubeconfig(await api.kubeconfig(join(directory, 'config'))),
    namespace: 'deis',
    podName: 'router-1',
    controller: 'router.deis.io/ingress-controller',
    world: {
      ingressStatus: () => [
        { namespace: 'shop', name: 'web', served: true, loadBalancer: (told() ?? []) as { ip: string }[] },
      ],
      service: (namespace, name) => {
        const all = api.list({ apiVersion: 'v1', plural: 'services', namespace })
        return (all.find(({ metadata }) => metadata.name === name) as Service | undefined) ?? null
      },
      storedTicketKeys: () => [{ since: 0, octets: new Uint8Array(48) }],
    },
    problems: () => [problem],
    synced: () => true,
    ticketKeyLife: () => Number.POSITIVE_INFINITY,
    publishService: null,
    publishAddresses: [{ ip: '192.0.2.1' }],
    log: createLogger({ destination: { write: line => void messages.push(JSON.parse(line).message) } }),
    ...parts,
  })
  started.push(one)
  one.start()
  return one
}

const field = (object: FakeObject, name: string): Record<string, unknown> => object[name] as Record<string, unknown>
const told = (): unknown => (field(api.get(ingress), 'status')?.loadBalancer as { ingress?: unknown })?.ingress
const statusWrites = ({ path }: FakeRequest): boolean => path.endsWith('/status')

function front(ip: string): FakeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'deis', name: 'deis-router' },
    spec: { type: 'LoadBalancer' },
    status: { loadBalancer: { ingress: [{ ip }] } },
  }
}

/** Resolves when what it stands for is in the API. */
async function stored(change: () => boolean): Promise<void> {
  for (let seen = api.requests.length; !change(); seen = api.requests.length) await api.requestsToBe(seen + 1)
}

/** Time enough for a request and its answer, if there is one. */
async function exchange(): Promise<void> {
  for (let i = 0; i < 100; i++) await setImmediate()
}

test('the leader writes status and Events, and gives the Lease back without taking anything back', async () => {
  const one = await start()
  await api.requestsToBe(1, statusWrites)
  await api.requestsToBe(1, ({ path }) => path.endsWith('/events'))
  expect(one.isLeader).toBe(true)
  expect(field(api.get(lease), 'spec').holderIdentity).toBe('router-1')
  await one.stop()
  expect(one.isLeader).toBe(false)
  expect(field(api.get(lease), 'spec').holderIdentity).toBe('')
  expect(told()).toEqual([{ ip: '192.0.2.1' }])
  expect(api.list({ apiVersion: 'v1', plural: 'events' })).toMatchObject([
    { reason: 'HostConflict', involvedObject: { uid: api.get(ingress).metadata.uid }, reportingInstance: 'router-1' },
  ])
  expect(messages).toContain('this replica leads no more')
})

test('while another leads nothing is written', async () => {
  api.create({
    apiVersion: lease.apiVersion,
    kind: 'Lease',
    metadata: { namespace: 'deis', name: lease.name },
    spec: { holderIdentity: 'router-0', leaseDurationSeconds: 15 },
  })
  const one = await start({ podName: null })
  await api.requestsToBe(1)
  await one.stop()
  expect(api.requests.map(({ method }) => method)).toEqual(['GET'])
  expect(one.state).toEqual({ leader: false, statusWrites: 0, statusFailures: 0, eventsWritten: 0, eventsDropped: 0 })
})

test('replicas without a name of their own are not taken for one', async () => {
  const holders: unknown[] = []
  for (let i = 0; i < 2; i++) {
    const one = await start({ podName: null })
    await stored(() => one.isLeader)
    holders.push(field(api.get(lease), 'spec').holderIdentity)
    await one.stop()
  }
  expect(new Set(holders).size).toBe(2)
})

test('who slept through the end of its term writes nothing, even before it knows', async () => {
  const time = new TestTime()
  let slept = 0
  const clock = {
    now: () => time.now() + slept,
    wallClock: () => time.wallClock(),
    delay: (duration: number, signal: AbortSignal) => time.delay(duration, signal),
  }
  const one = await start({ clock })
  await stored(() => told() !== undefined)
  await exchange()
  slept = 11_000
  api.patch(ingress, { status: null })
  one.mark()
  await time.pass(100, exchange)
  expect(one.isLeader).toBe(false)
  expect(api.requests.filter(statusWrites)).toHaveLength(1)
})

test('I-S2 the status follows the Service in front of us', async () => {
  api.create(front('198.51.100.1'))
  const one = await start({ publishService: { namespace: 'deis', name: 'deis-router' } })
  await stored(() => JSON.stringify(told()) === '[{"ip":"198.51.100.1"}]')
  api.apply(front('198.51.100.2'))
  one.mark()
  await stored(() => JSON.stringify(told()) === '[{"ip":"198.51.100.2"}]')
  expect(api.requests.filter(statusWrites)).toHaveLength(2)
})

test('the leader makes keys of session tickets', async () => {
  const secret = { apiVersion: 'v1', plural: 'secrets', namespace: 'deis', name: 'deis-router-ticket-keys' }
  api.create({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'deis', name: secret.name } })
  await start({ ticketKeyLife: () => 3_600_000 })
  await api.requestsToBe(1, ({ method, path }) => method === 'PUT' && path.endsWith(secret.name))
  await exchange()
  expect(Object.keys(field(api.get(secret), 'data'))).toEqual([expect.stringMatching(/^since-[0-9]+$/)])
})

test('a Lease that we may not use is told of in the log', async () => {
  api.forbid('leases')
  const one = await start()
  await api.requestsToBe(2)
  await one.stop()
  expect(messages).toEqual([expect.stringMatching('create the Lease or run helm upgrade')])
  expect(messages[0]).not.toContain('allow get, create')
})

test('a part that fails ends the other one, and the Lease is given back', async () => {
  const fault = new Error('the list of Problems is broken')
  let isBroken = false
  const time = new TestTime()
  const one = await start({
    clock: time,
    problems: () => {
      if (isBroken) throw fault
      return []
    },
  })
  await stored(() => told() !== undefined)
  isBroken = true
  await time.pass(2000, exchange)
  await stored(() => field(api.get(lease), 'spec').holderIdentity === '')
  expect(one.isLeader).toBe(false)
  expect(messages.slice(-2)).toEqual([
    'this replica leads no more',
    'this replica failed as the leader, and leaves the Lease to others for a while',
  ])
  api.patch(ingress, { status: null })
  one.mark()
  await time.pass(5000, exchange)
  expect(api.requests.filter(statusWrites)).toHaveLength(1)
})
