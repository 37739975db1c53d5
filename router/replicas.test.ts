// What replicas of the router share: a session that one of them began goes on with another (contract section 16).

import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SecureVersion } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectTlsTo } from '#test/support/peer.ts'
import { RouterProcess } from '#test/support/router-process.ts'
import { makePair } from './control/testdata/make-certificate.ts'

let directory: string
let replicas: readonly RouterProcess[] = []
/** Where the one and the other replica listen. */
let here: number
let there: number

const ticketSecret = 'deis-router-ticket-keys'
const encode = (text: string): string => Buffer.from(text).toString('base64')
const now = Math.floor(Date.now() / 1000)
const keyOf = (fill: string): string => Buffer.alloc(48, fill).toString('base64')

async function put(name: string, object: object): Promise<void> {
  await writeFile(join(directory, `${name}.new`), JSON.stringify(object))
  await rename(join(directory, `${name}.new`), join(directory, `${name}.json`))
}

function secret(namespace: string, name: string, data: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, data }
}

/** `a.example` with a certificate of its own. */
async function putApp(): Promise<void> {
  const { crt, key } = makePair('a.example', Date.UTC(2040, 0))
  await put('certificate', secret('test', 'a-cert', { 'tls.crt': encode(crt), 'tls.key': encode(key) }))
  await put('app', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      namespace: 'test',
      name: 'a',
      labels: { 'router.deis.io/routable': 'true' },
      annotations: { 'router.deis.io/domains': 'a.example', 'router.deis.io/certificates': 'a.example:a' },
    },
    spec: { ports: [{ port: 80 }] },
  })
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'replicas-'))
  await putApp()
  await put('tickets', secret('deis', ticketSecret, { [`since-${now - 60}`]: keyOf('one') }))
  // Not the same command line: sessions must not depend on it.
  replicas = ['2', '1'].map(workers => new RouterProcess(['--manifests', directory, '--workers', workers]))
  const [first, second] = await Promise.all(replicas.map(replica => replica.ready()))
  here = first!.https
  there = second!.https
})
afterAll(async () => {
  for (const replica of replicas) await replica[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

interface Visit {
  readonly resumed: boolean
  readonly session: Buffer
}

/** One request, which nobody but the router needs to answer. */
async function visit(port: number, servername: string, version: SecureVersion, session?: Buffer): Promise<Visit> {
  await using client = await connectTlsTo(port, { servername, minVersion: version, maxVersion: version, session })
  let given: Buffer | undefined
  client.socket.on('session', (last: Buffer) => {
    given = last
  })
  client.send(`GET /healthz HTTP/1.1\r\nHost: ${servername}\r\n\r\n`)
  await client.response()
  return { resumed: client.socket.isSessionReused(), session: given ?? client.socket.getSession()! }
}

const ways = (['TLSv1.2', 'TLSv1.3'] as const).flatMap(version =>
  ['a.example', 'nobody.example'].map(servername => [servername, version] as const),
)

for (const [servername, version] of ways) {
  test(`§16 a ticket of one replica counts with another (${version}, ${servername})`, async () => {
    const { session } = await visit(here, servername, version)
    const next = await visit(there, servername, version, session)
    expect(next.resumed).toBe(true)
    expect((await visit(here, servername, version, next.session)).resumed).toBe(true)
  })
}

test('§16 a follower ends no session; when it has one of its own, full handshakes follow without an error', async () => {
  const before = await Promise.all(ways.map(([name, version]) => visit(here, name, version)))
  const resumed = (): Promise<boolean[]> =>
    Promise.all(
      ways.map(async ([name, version], at) => (await visit(there, name, version, before[at]!.session)).resumed),
    )
  await put(
    'tickets',
    secret('deis', ticketSecret, { [`since-${now - 60}`]: keyOf('one'), [`since-${now}`]: keyOf('two') }),
  )
  expect(await resumed()).toEqual(ways.map(() => true))
  await put('tickets', secret('deis', ticketSecret, { [`since-${now}`]: keyOf('two') }))
  while ((await resumed()).includes(true));
  const after = await Promise.all(ways.map(([name, version]) => visit(here, name, version)))
  const again = ways.map(([name, version], at) => visit(there, name, version, after[at]!.session))
  expect((await Promise.all(again)).map(({ resumed }) => resumed)).toEqual(ways.map(() => true))
})

test('a Secret that is edited by hand leaves what was in force', async () => {
  const before = await visit(here, 'a.example', 'TLSv1.3')
  await put('tickets', secret('deis', ticketSecret, { [`since-${now}`]: 'aGVsbG8=' }))
  for (const replica of replicas) {
    const isSaid = (line: Record<string, unknown>): boolean => JSON.stringify(line).includes('the last good ones stay')
    await replica.until('it complained', () => replica.log.find(isSaid))
  }
  expect((await visit(there, 'a.example', 'TLSv1.3', before.session)).resumed).toBe(true)
})
