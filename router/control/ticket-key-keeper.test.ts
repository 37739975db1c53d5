import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { KubeClient } from '#kube/client.ts'
import { FakeApi } from '#kube/fake.ts'
import { TestTime } from '#test/support/test-time.ts'
import { ticketKeysSecret } from './shared-ticket-keys.ts'
import { TicketKeyKeeper } from './ticket-key-keeper.ts'
import { lead, readTicketKeys, type TicketKey } from './ticket-key-list.ts'

const hour = 3_600_000
const minute = 60_000
const life = 12 * hour
const secret = { apiVersion: 'v1', plural: 'secrets', ...ticketKeysSecret('deis') }

let directory: string
let api: FakeApi
let client: KubeClient
let time: TestTime
let messages: string[]
let ending: AbortController
let running: Promise<void>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ticket-keys-'))
  api = await FakeApi.start()
  client = await KubeClient.fromKubeconfig(await api.kubeconfig(join(directory, 'config')))
  time = new TestTime()
  messages = []
  ending = new AbortController()
  running = Promise.resolve()
})
afterEach(async () => {
  ending.abort()
  await running
  await client.close()
  await api.close()
  await rm(directory, { recursive: true })
})

function create(data: Record<string, string> = {}): void {
  api.create({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'deis', name: secret.name }, data })
}

function stored(): readonly TicketKey[] {
  return readTicketKeys(api.get(secret).data as Record<string, string>).keys
}

/** Keeps from now on; what is stored is known at once. */
async function keep(known: () => readonly TicketKey[] = stored): Promise<void> {
  const log = createLogger({ destination: { write: line => void messages.push(JSON.parse(line).message) } })
  const keeper = new TicketKeyKeeper({
    client,
    secret: ticketKeysSecret('deis'),
    known,
    life: () => life,
    log,
    clock: time,
  })
  running = keeper.run(ending.signal)
  await time.waits(ending.signal)
}

const looked = (): Promise<void> => time.waits(ending.signal)

test('an empty Secret gets the first key, and a follower in time', async () => {
  create()
  await keep()
  const first = stored()
  expect(first).toHaveLength(1)
  const writes = api.requests.length
  await time.pass(life - lead - minute, looked)
  expect([stored(), api.requests.length]).toEqual([first, writes])
  await time.pass(minute, looked)
  expect(stored()).toEqual([first[0], expect.anything()])
  expect(stored()[1]!.since - first[0]!.since).toBe(life)
})

test('what somebody else wrote is theirs', async () => {
  create({ note: 'aGVsbG8=' })
  await keep()
  expect(api.get(secret).data).toEqual({ note: 'aGVsbG8=' })
  expect(api.requests.map(({ method }) => method)).toEqual(['GET'])
})

test('keys that another leader has made meanwhile stay', async () => {
  const since = time.wallClock() / 1000
  create({ [`since-${since}`]: Buffer.alloc(48, 7).toString('base64') })
  // The watch is behind.
  await keep(() => [])
  expect(stored().map(key => key.octets[0])).toEqual([7])
  expect(api.requests.map(({ method }) => method)).toEqual(['GET'])
})

const failures: readonly (readonly [name: string, prepare: () => void, says: RegExp])[] = [
  ['there is no Secret', () => {}, /create it empty or run helm upgrade/],
  [
    'a right is missing',
    () => {
      create()
      api.forbid('secrets')
    },
    /a Role must allow get and update/,
  ],
]
for (const [name, prepare, says] of failures) {
  test(`${name}: it is said once, and tried again`, async () => {
    prepare()
    await keep(() => [])
    await time.pass(3 * minute, looked)
    expect(messages).toEqual([expect.stringMatching(says)])
    expect(api.requests.length).toBeGreaterThan(3)
  })
}
