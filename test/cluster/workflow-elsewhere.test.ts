// The platform that keeps nothing itself: repositories, images and backups in an S3 API, the rest in a PostgreSQL of the
// operator's, both outside of the cluster and both real. What its pods know is gone with them.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore } from '#store/open-store.ts'
import { S3Server } from '#test/conformance/versitygw.ts'
import { Life, steps, visit } from '#test/e2e/life.ts'
import { localSite } from '#test/e2e/local-site.ts'
import type { Site } from '#test/e2e/site.ts'
import { PostgresServer } from '#test/support/postgres.ts'
import { run } from './command.ts'
import { hostAddress } from './node-site.ts'
import { poll } from './poll.ts'
import { domain, isLasting, namespace, Workflow } from './workflow.ts'

const workflow = new Workflow()
const buckets = { registry: 'images', builder: 'repositories', database: 'backups' }
const password = 'of the database: / and @'
let directory: string
let objects: S3Server
let database: PostgresServer
let site: Site
let life: Life

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'elsewhere-'))
  await workflow.start()
  objects = await S3Server.start(hostAddress)
  // Whoever opens a bucket that is not there makes it.
  for (const bucket of Object.values(buckets)) await (await openStore(objects.target(bucket))).close()
  const pair = await certificateFor(hostAddress)
  database = await PostgresServer.start({ ...pair, address: hostAddress })
  const { database: name } = await database.createDatabase()
  await database.query(`alter role deis password '${password}'`)
  const url = new URL(`postgresql://deis@${hostAddress}:${database.port}/${name}`)
  url.password = password
  url.search = 'sslmode=verify-full&sslrootcert=/etc/deis/database/ca.crt'
  await secret('deis-postgres', { url: url.href })
  await secret('deis-postgres-ca', { 'ca.crt': pair.chain })
  await workflow.install({
    collector: { podLogs: join(workflow.api.directory, 'log/pods') },
    storage: {
      type: 's3',
      s3: { endpoint: objects.endpoint, accessKey: 'deis', secretKey: 'deis-secret', buckets },
    },
    database: {
      location: 'off-cluster',
      offCluster: { existingSecret: 'deis-postgres', caSecret: 'deis-postgres-ca' },
    },
  })
  site = await localSite({ ...workflow.ports, admin: 0 }, join(directory, 'home'))
  life = new Life(site)
}, 900_000)
afterAll(async () => {
  await workflow.stop()
  await objects?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

/** Of one that is named by its address, as nobody gives names here. */
async function certificateFor(address: string): Promise<{ readonly chain: string; readonly key: string }> {
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const names = ['-subj', '/CN=database', '-addext', `subjectAltName=IP:${address}`, '-keyout', '-', '-out', '-']
  const text = await run('openssl', [...request, ...names])
  const [key, chain] = ['PRIVATE KEY', 'CERTIFICATE'].map(
    label => new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----\n`).exec(text)![0],
  )
  return { chain: chain!, key: key! }
}

async function secret(name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
  const { api } = workflow
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } }).catch((error: Error) => {
    if (!error.message.includes('already exists')) throw error
  })
  await api.request('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name }, stringData })
}

const kept = steps.filter(({ name }) => ['register', 'keys:add', 'create', 'git push', 'config:set'].includes(name))
for (const { name, run: step } of kept) test(name, () => step(life), 240_000)

test('needs no volume but that of logs', async () => {
  const { items } = await workflow.api.request<{ items: { metadata: { name: string } }[] }>(
    'GET',
    `/api/v1/namespaces/${namespace}/persistentvolumeclaims`,
  )
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['deis-logger'])
})

test('backs the database up to the bucket, and restores it from there', async () => {
  expect(await workflow.runJob('backup-now', 'deis-database-backup')).toMatch(/deis-\S+\.dump/)
  const store = await openStore(objects.target(buckets.database))
  const dumps = await Array.fromAsync(store.list('backups/'))
  await store.close()
  expect(dumps).toHaveLength(1)
  expect(dumps[0]!.size).toBeGreaterThan(10_000)
  const created = await site.deis(site.home, 'create', 'later', '--no-remote')
  expect(created.code, created.err).toBe(0)
  const kubectl = (...args: readonly string[]) => workflow.api.kubectl(['-n', namespace, ...args])
  await kubectl('scale', 'deployment/deis-controller', '--replicas=0')
  await kubectl('wait', '--for=delete', 'pod', '-l', 'app=deis-controller', '--timeout=60s')
  expect(await workflow.runJob('restore', 'deis-database-restore')).toMatch(/^restored deis-\S+\.dump$/m)
  await kubectl('scale', 'deployment/deis-controller', '--replicas=1')
  await workflow.ready()
  await poll('the list of apps as it was', 30, async () => {
    const { code, out, err } = await site.deis(site.home, 'apps:list')
    if (code !== 0) throw new Error(err)
    return out === '=== Apps\nlife\n' ? true : null
  })
}, 240_000)

test('every pod is lost at once, with what it knew: all is there after that', async () => {
  const lost = (await workflow.pods()).filter(isLasting)
  expect(lost.length).toBeGreaterThan(6)
  const paths = lost.map(({ metadata }) => `/api/v1/namespaces/${namespace}/pods/${metadata.name}?gracePeriodSeconds=0`)
  await Promise.all(paths.map(path => workflow.api.request('DELETE', path)))
  await workflow.ready()
  await poll('the app', 30, async () => {
    const { status, text } = await visit(site, `life.${domain}`)
    if (status !== 200) throw new Error(text)
    return text === 'Welcome from life v3\n' ? true : null
  })
  // Its repository is what the bucket has, its image what the registry finds there.
  const pushed = await site.git(join(site.home, 'life'), 'ls-remote', 'deis')
  expect(pushed.err).toBe('')
  const local = await site.git(join(site.home, 'life'), 'rev-parse', 'HEAD')
  expect(pushed.out).toContain(local.out.trim())
}, 240_000)

const rest = steps.slice(steps.findIndex(({ name }) => name === 'ps:scale'))
for (const { name, run: step } of rest) test(name, () => step(life), 240_000)
