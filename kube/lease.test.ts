import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TestTime } from '#test/support/test-time.ts'
import { KubeClient } from './client.ts'
import { KubeError } from './errors.ts'
import { FakeApi, type FakeObject } from './fake.ts'
import { LeaderElection } from './lease.ts'

const reference = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases', namespace: 'deis', name: 'router' }
const second = 1000

class Candidate {
  readonly election: LeaderElection
  readonly errors: unknown[] = []
  readonly events: string[] = []
  readonly stop = new AbortController()
  readonly client: KubeClient
  /** Added to what the clocks of its machine say. */
  monotonicOffset = 0
  wallOffset = 0
  /** What its work fails with. */
  fault: Error | null = null
  ended: Promise<void> = Promise.resolve()

  constructor(client: KubeClient, identity: string) {
    this.client = client
    this.election = new LeaderElection({
      client,
      namespace: 'deis',
      name: 'router',
      identity,
      lead: async term => {
        this.events.push('acquired')
        if (this.fault !== null) throw this.fault
        const lost = Promise.withResolvers<void>()
        term.addEventListener('abort', () => lost.resolve())
        await lost.promise
        // Work that takes a moment to end.
        await setImmediate()
        this.events.push('lost')
      },
      onError: error => this.errors.push(error),
      clock: {
        now: () => time.now() + this.monotonicOffset,
        wallClock: () => time.wallClock() + this.wallOffset,
        delay: (duration, signal) => time.delay(duration, signal),
      },
      random: () => 0.5,
    })
  }

  /** Resolves when it has looked and waits to look again. */
  async start(): Promise<void> {
    this.ended = this.election.run(this.stop.signal)
    await this.settled()
  }

  settled(): Promise<void> {
    return time.waits(this.stop.signal)
  }

  async end(): Promise<void> {
    this.stop.abort()
    await this.ended
  }

  /** As a process that is killed: nothing that it still wants to say arrives. */
  async die(): Promise<void> {
    await this.client.close()
    await this.end()
  }

  get leads(): boolean {
    return this.election.isLeader
  }
}

let directory: string
let api: FakeApi
let time: TestTime
const candidates: Candidate[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lease-'))
  api = await FakeApi.start()
  time = new TestTime()
})
afterEach(async () => {
  for (const candidate of candidates.splice(0)) await candidate.die()
  await api.close()
  await rm(directory, { recursive: true })
})

async function candidate(identity: string): Promise<Candidate> {
  const client = await KubeClient.fromKubeconfig(await api.kubeconfig(join(directory, 'config')))
  candidates.push(new Candidate(client, identity))
  return candidates.at(-1)!
}

function pass(duration: number, ...who: Candidate[]): Promise<void> {
  return time.pass(duration, () => Promise.all(who.map(one => one.settled())))
}

function spec(): Record<string, unknown> {
  return api.get(reference).spec as Record<string, unknown>
}

function foreign(fields: object = {}): FakeObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace: 'deis', name: 'router' },
    spec: { holderIdentity: 'x', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z', ...fields },
  }
}

test('one of two leads, and goes on leading as long as it lives', async () => {
  const [a, b] = [await candidate('a'), await candidate('b')]
  await a.start()
  await b.start()
  expect(spec()).toEqual({
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    acquireTime: '2026-01-01T00:00:00.000000Z',
    renewTime: '2026-01-01T00:00:00.000000Z',
    leaseTransitions: 0,
  })
  for (let i = 0; i < 60; i++) {
    await pass(second, a, b)
    expect([a.leads, b.leads]).toEqual([true, false])
  }
  expect(a.events).toEqual(['acquired'])
  expect(b.events).toEqual([])
  expect(b.election.holder).toBe('a')
  expect(spec()).toMatchObject({ leaseTransitions: 0, acquireTime: '2026-01-01T00:00:00.000000Z' })
  expect(spec().renewTime).toMatch(/^2026-01-01T00:0(0:5\d|1:00)\.\d{6}Z$/)
  expect(api.requests.filter(({ method }) => method === 'PUT').length).toBeLessThan(15)
})

test('who looks at the same moment does not lead twice', async () => {
  const all = [await candidate('a'), await candidate('b'), await candidate('c')]
  await Promise.all(all.map(one => one.start()))
  await pass(3 * second, ...all)
  expect(all.filter(one => one.leads)).toHaveLength(1)
  expect(all.flatMap(one => one.errors)).toEqual([])
})

test('the dead are followed, when their Lease has run out and not before', async () => {
  const [a, b] = [await candidate('a'), await candidate('b')]
  await a.start()
  await b.start()
  await a.die()
  await pass(15 * second - 1, b)
  expect(b.leads).toBe(false)
  await pass(second + 1, b)
  expect(b.leads).toBe(true)
  expect(spec()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1, acquireTime: spec().renewTime })
})

test('who stops gives the Lease back, after its work has ended', async () => {
  const [a, b] = [await candidate('a'), await candidate('b')]
  await a.start()
  await b.start()
  api.onRequest = ({ method }) => method === 'PUT' && a.events.push('released')
  await a.end()
  api.onRequest = null
  expect(a.events).toEqual(['acquired', 'lost', 'released'])
  expect(a.leads).toBe(false)
  expect(spec()).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 })
  await pass(5.5 * second, b)
  expect(b.leads).toBe(true)
})

test('who stops without being the leader leaves the Lease alone', async () => {
  const [a, b] = [await candidate('a'), await candidate('b')]
  await a.start()
  await b.start()
  const { resourceVersion } = api.get(reference).metadata
  await b.end()
  expect(api.get(reference).metadata.resourceVersion).toBe(resourceVersion)
})

test('a leader whose wall clock is wrong, and jumps, is neither followed too early nor too late', async () => {
  const [a, b] = [await candidate('a'), await candidate('b')]
  a.wallOffset = -365 * 24 * 3600 * second
  await a.start()
  await b.start()
  for (let i = 0; i < 8; i++) {
    a.wallOffset = (i % 2 === 0 ? 1 : -1) * 1e10 * i
    b.wallOffset = -a.wallOffset
    await pass(5 * second, a, b)
    expect([a.leads, b.leads]).toEqual([true, false])
  }
  a.wallOffset = 365 * 24 * 3600 * second
  await pass(5 * second, a, b)
  await a.die()
  await pass(16 * second, b)
  expect(b.leads).toBe(true)
})

test('who slept for an hour looks before it believes that the leader is dead', async () => {
  const [a, b] = [await candidate('a'), await candidate('b')]
  await a.start()
  await b.start()
  await pass(6 * second, a, b)
  b.monotonicOffset += 3600 * second
  await pass(20 * second, a, b)
  expect([a.leads, b.leads]).toEqual([true, false])
  expect(b.events).toEqual([])
})

test('a leader that slept through its time is none, whatever it has heard', async () => {
  const [a, b] = [await candidate('a'), await candidate('b')]
  await a.start()
  await b.start()
  a.monotonicOffset += 11 * second
  expect(a.leads).toBe(false)
  api.patch(reference, foreign({ holderIdentity: 'b' }))
  await pass(6 * second, a, b)
  expect([a.leads, b.leads]).toEqual([false, true])
  expect(a.events).toEqual(['acquired', 'lost'])
  expect(a.election.holder).toBe('b')
})

test('somebody who labels the Lease does not end a term', async () => {
  const a = await candidate('a')
  await a.start()
  for (let i = 0; i < 4; i++) {
    api.patch(reference, { metadata: { labels: { by: `${i}` } } })
    await pass(6 * second, a)
  }
  expect(a.leads).toBe(true)
  expect(a.events).toEqual(['acquired'])
  expect(api.get(reference).metadata.labels).toEqual({ by: '3' })
})

test('a leader whose every write conflicts leads on until its time is over', async () => {
  const a = await candidate('a')
  await a.start()
  let writes = 0
  api.onRequest = ({ method }) => {
    if (method === 'PUT') api.patch(reference, { metadata: { labels: { by: `${writes++}` } } })
  }
  await pass(8 * second, a)
  expect(writes).toBeGreaterThan(2)
  expect(a.leads).toBe(true)
  api.onRequest = null
  await pass(second, a)
  expect(a.leads).toBe(true)
  expect(a.events).toEqual(['acquired'])
})

test('what another wrote between our look and our write stays', async () => {
  api.create(foreign({ holderIdentity: '' }))
  api.onRequest = ({ method }) => {
    if (method === 'PUT') api.patch(reference, { spec: { holderIdentity: 'x' } })
  }
  const a = await candidate('a')
  await a.start()
  expect(a.leads).toBe(false)
  expect(spec().holderIdentity).toBe('x')
  await pass(3 * second, a)
  expect(a.election.holder).toBe('x')
})

test('what another created between our look and our creation stays', async () => {
  api.onRequest = ({ method }) => {
    if (method === 'POST') api.create(foreign())
  }
  const a = await candidate('a')
  await a.start()
  expect(a.leads).toBe(false)
  expect(a.errors).toEqual([])
  expect(spec().holderIdentity).toBe('x')
})

test('a Lease that is taken away from its leader ends the term at the next look', async () => {
  const a = await candidate('a')
  await a.start()
  api.patch(reference, { spec: { holderIdentity: 'x', leaseTransitions: 7 } })
  await pass(6 * second, a)
  expect(a.events).toEqual(['acquired', 'lost'])
  await pass(16 * second, a)
  expect(spec()).toMatchObject({ holderIdentity: 'a', leaseTransitions: 8 })
})

test('a Lease that is deleted is made anew without a change of leader', async () => {
  const a = await candidate('a')
  await a.start()
  api.delete(reference)
  await pass(6 * second, a)
  expect(a.events).toEqual(['acquired'])
  expect(spec().holderIdentity).toBe('a')
})

test('a Lease that claims to last for years is believed for two minutes', async () => {
  api.create(foreign({ leaseDurationSeconds: 100_000_000 }))
  const a = await candidate('a')
  await a.start()
  await pass(119 * second, a)
  expect(a.leads).toBe(false)
  await pass(3 * second, a)
  expect(a.leads).toBe(true)
})

test('a Lease with nothing in it is free', async () => {
  api.create({ ...foreign(), spec: undefined })
  const a = await candidate('a')
  await a.start()
  expect(a.leads).toBe(true)
})

test('with the API server away the leader steps down 10 s after its last renewal, and leads again when it is back', async () => {
  const a = await candidate('a')
  await a.start()
  api.goAway()
  await pass(10 * second - 1, a)
  expect(a.leads).toBe(true)
  expect(a.events).toEqual(['acquired'])
  await pass(1, a)
  expect(a.leads).toBe(false)
  await pass(second, a)
  expect(a.events).toEqual(['acquired', 'lost'])
  await pass(60 * second, a)
  expect(a.errors).toHaveLength(1)
  api.comeBack()
  await pass(16 * second, a)
  expect(a.leads).toBe(true)
  expect(a.events).toEqual(['acquired', 'lost', 'acquired'])
})

test('an API server that does not answer is not waited for beyond the deadline', async () => {
  const a = await candidate('a')
  await a.start()
  const asked = api.requests.length
  api.delay = 5 * second
  await time.pass(9 * second, () => api.requestsToBe(asked + 1))
  expect(a.leads).toBe(true)
  await pass(second, a)
  expect(a.leads).toBe(false)
  expect(a.events).toEqual(['acquired', 'lost'])
  expect(a.errors).toHaveLength(1)
})

test('who may not read the Lease never leads, says so once, and tries on', async () => {
  api.forbid('leases')
  const a = await candidate('a')
  await a.start()
  await pass(60 * second, a)
  expect(a.leads).toBe(false)
  expect(a.errors).toEqual([expect.any(KubeError)])
  expect(a.errors[0]).toMatchObject({ status: 403 })
  api.allow('leases')
  await pass(16 * second, a)
  expect(a.leads).toBe(true)
})

test('who fails as the leader gives the Lease to another, and tries again later', async () => {
  const [a, b] = [await candidate('a'), await candidate('b')]
  a.fault = new Error('its work fails')
  await a.start()
  await b.start()
  expect(a.leads).toBe(false)
  expect(a.errors).toEqual([a.fault])
  await pass(6 * second, a, b)
  expect([a.leads, b.leads]).toEqual([false, true])
  expect(spec()).toMatchObject({ holderIdentity: 'b' })
  a.fault = null
  await pass(20 * second, a, b)
  await b.end()
  await pass(20 * second, a)
  expect([a.leads, a.events]).toEqual([true, ['acquired', 'acquired']])
})

test('who fails alone does not ask for the Lease again and again', async () => {
  const a = await candidate('a')
  a.fault = new Error('its work fails')
  await a.start()
  await pass(600 * second, a)
  expect(a.events.length).toBeGreaterThan(2)
  expect(a.events.length).toBeLessThan(8)
  expect(new Set(a.errors)).toEqual(new Set([a.fault]))
})
