import { Resolver } from 'node:dns/promises'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { DnsServer } from '#test/support/dns-server.ts'
import { TestTime } from '#test/support/test-time.ts'
import { ExternalNames } from './external-names.ts'

const second = 1000
let dns: DnsServer
let time: TestTime
let stop: AbortController
let running: Promise<void>
let names: ExternalNames
let delivered: [host: string, addresses: readonly string[] | null][]
/** Questions of the resolver that have no answer yet. */
let open: number
let onAnswer: () => void
let messages: string[]

beforeEach(async () => {
  dns = await DnsServer.start()
  time = new TestTime()
  stop = new AbortController()
  delivered = []
  open = 0
  onAnswer = () => {}
  messages = []
  const resolver = new Resolver({ timeout: 500, tries: 1 })
  resolver.setServers([dns.address])
  names = new ExternalNames({
    deliver: (host, addresses) => {
      delivered.push([host, addresses])
    },
    log: createLogger({ destination: { write: line => void messages.push(JSON.parse(line).message) } }),
    resolver: {
      resolve4: (host, options) => track(resolver.resolve4(host, options)),
      resolve6: (host, options) => track(resolver.resolve6(host, options)),
      cancel: () => resolver.cancel(),
    },
    clock: time,
  })
  running = names.run(stop.signal)
})
afterEach(async () => {
  stop.abort()
  await running
  await dns[Symbol.asyncDispose]()
})

function track<T>(answer: Promise<T>): Promise<T> {
  open++
  return answer.finally(() => {
    open--
    onAnswer()
  })
}

/** Resolves when every question is answered, and what follows from the answer has happened. */
async function quiet(): Promise<void> {
  await setImmediate()
  while (open > 0) {
    const { promise, resolve } = Promise.withResolvers<void>()
    onAnswer = resolve
    await promise
    await setImmediate()
  }
}

/** What is delivered while so much time passes. */
async function pass(duration: number): Promise<typeof delivered> {
  delivered = []
  await time.pass(duration, quiet)
  return delivered.toSorted(([a], [b]) => (a < b ? -1 : 1))
}

/** What is delivered first of these names. */
async function want(...hosts: string[]): Promise<typeof delivered> {
  delivered = []
  names.want(new Set(hosts))
  await quiet()
  return delivered.toSorted(([a], [b]) => (a < b ? -1 : 1))
}

test('both families are asked for and delivered together', async () => {
  dns.names.set('a.example', [
    { address: '192.0.2.2', ttl: 60 },
    { address: '192.0.2.1', ttl: 60 },
    { address: '2001:db8::1', ttl: 60 },
  ])
  expect(await want('a.example')).toEqual([['a.example', ['192.0.2.1', '192.0.2.2', '2001:db8::1']]])
  expect(dns.questions.sort()).toEqual(['A a.example', 'AAAA a.example'])
})

const lives: [name: string, ttl: number, want: number][] = [
  ['the shortest time to live of its records', 60, 60],
  ['no less than 5 s', 0, 5],
  ['no more than 5 min', 86_400, 300],
]
for (const [name, ttl, seconds] of lives) {
  test(`asked again after ${name}`, async () => {
    dns.names.set('a.example', [
      { address: '192.0.2.1', ttl },
      { address: '192.0.2.2', ttl: 100_000 },
    ])
    await want('a.example')
    expect(await pass(seconds * second - 1)).toEqual([])
    dns.names.set('a.example', [{ address: '192.0.2.7', ttl: 60 }])
    expect(await pass(1)).toEqual([['a.example', ['192.0.2.7']]])
  })
}

test('addresses that lead back into the node are left out', async () => {
  const locals = ['127.0.0.1', '0.0.0.0', '169.254.169.254', '::1', '::', 'fe80::1', '::ffff:7f00:1']
  dns.names.set(
    'some.example',
    [...locals, '192.0.2.1'].map(address => ({ address, ttl: 60 })),
  )
  dns.names.set(
    'only.example',
    locals.map(address => ({ address, ttl: 60 })),
  )
  expect(await want('some.example', 'only.example')).toEqual([
    ['only.example', null],
    ['some.example', ['192.0.2.1']],
  ])
})

test('a name that does not exist has no address, at once, and is asked for again soon', async () => {
  dns.names.set('a.example', [{ address: '192.0.2.1', ttl: 60 }])
  await want('a.example')
  dns.names.delete('a.example')
  expect(await pass(60 * second)).toEqual([['a.example', null]])
  expect(messages).toEqual(['the external name cannot be resolved'])
  dns.names.set('a.example', [{ address: '192.0.2.2', ttl: 60 }])
  expect(await pass(5 * second)).toEqual([['a.example', ['192.0.2.2']]])
  expect(messages.at(-1)).toBe('the external name has addresses')
})

for (const failure of ['servfail', 'silent'] as const) {
  test(`the last addresses stay for five minutes when the server is: ${failure}`, async () => {
    dns.names.set('a.example', [{ address: '192.0.2.1', ttl: 60 }])
    await want('a.example')
    dns.names.set('a.example', failure)
    const stays = await pass(359 * second)
    expect(stays.length).toBeGreaterThan(5)
    for (const delivery of stays) expect(delivery).toEqual(['a.example', ['192.0.2.1']])
    expect(messages).toEqual(['the external name cannot be resolved'])
    expect(await pass(61 * second)).toEqual([['a.example', null]])
    dns.names.set('a.example', [{ address: '192.0.2.2', ttl: 60 }])
    expect(await pass(60 * second)).toEqual([['a.example', ['192.0.2.2']]])
  })
}

test('a server that fails for one family does not spoil the other', async () => {
  dns.names.set('a.example', [{ address: '192.0.2.1', ttl: 60 }])
  dns.failing = 'AAAA'
  expect(await want('a.example')).toEqual([['a.example', ['192.0.2.1']]])
  dns.names.set('a.example', [
    { address: '192.0.2.1', ttl: 60 },
    { address: '2001:db8::1', ttl: 60 },
  ])
  dns.failing = null
  expect(await pass(5 * second)).toEqual([['a.example', ['192.0.2.1', '2001:db8::1']]])
  dns.failing = 'A'
  expect(await pass(60 * second)).toEqual([['a.example', ['192.0.2.1', '2001:db8::1']]])
  expect(messages).toEqual([])
})

test('a name that is no longer wanted is not asked for', async () => {
  dns.names.set('a.example', [{ address: '192.0.2.1', ttl: 5 }])
  dns.names.set('b.example', [{ address: '192.0.2.2', ttl: 5 }])
  await want('a.example', 'b.example')
  expect(await want('b.example')).toEqual([])
  expect(await pass(5 * second)).toEqual([['b.example', ['192.0.2.2']]])
  expect(dns.questions.filter(question => question.endsWith('a.example'))).toHaveLength(2)
})

test('of too many names a thousand are resolved, and the rest when there is room', async () => {
  const hosts = Array.from({ length: 1001 }, (_, i) => `n${i}.example`)
  for (const host of hosts) dns.names.set(host, [{ address: '192.0.2.1', ttl: 60 }])
  expect(await want(...hosts)).toHaveLength(1000)
  expect(messages).toEqual(['too many external names: some lead nowhere'])
  expect(await want(...hosts.slice(1))).toEqual([['n1000.example', ['192.0.2.1']]])
})

test('nothing is delivered once stopped', async () => {
  dns.names.set('a.example', 'silent')
  names.want(new Set(['a.example']))
  await setImmediate()
  expect(open).toBe(2)
  stop.abort()
  await running
  await quiet()
  expect(delivered).toEqual([])
})
