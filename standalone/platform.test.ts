// A platform that cannot start says why, and leaves nothing behind.

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { PlatformConfig } from './config.ts'
import { Manifests } from './manifests.ts'
import { Platform } from './platform.ts'
import { Secrets } from './secrets.ts'

failOnLeaks()

let data: string
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'platform-'))
})
afterEach(() => rm(data, { recursive: true }))

const log = createLogger({ level: 'fatal', destination: { write: () => {} } })

function start(differs: Partial<PlatformConfig>): Promise<Platform> {
  const ports = { httpPort: 0, httpsPort: 0, builderPort: 0, adminPort: 0 }
  const config = {
    data,
    dataName: data,
    address: '127.0.0.1',
    ...ports,
    accessLog: false,
    logLevel: 'warn',
    ...differs,
  } as const
  return Platform.start(config, { log, onFatal: () => {} })
}

const flags = {
  httpPort: '--http-port',
  httpsPort: '--https-port',
  builderPort: '--builder-port',
  adminPort: '--admin-port',
}
for (const [key, flag] of Object.entries(flags))
  test(`a port that is taken: ${flag}`, async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    await expect(start({ [key]: port })).rejects.toMatchObject({
      exitCode: 69,
      message: expect.stringMatching(
        `^cannot listen on 127\\.0\\.0\\.1 port ${port} \\(${flag}\\): another process has it`,
      ),
    })
    other.close()
    await once(other, 'close')
  })

test('secrets are for nobody else, and stay', async () => {
  const directory = join(data, 'secrets')
  const first = new Secrets(directory)
  const [key, { chain }] = [first.builderKey(), first.certificate()]
  expect(key).toMatch(/^[0-9a-f]{64}$/)
  const again = new Secrets(directory)
  expect([again.builderKey(), again.certificate().chain]).toEqual([key, chain])
  for (const name of ['', ...(await readdir(directory))]) {
    const { mode } = await stat(join(directory, name))
    expect(mode & 0o077, name).toBe(0)
  }
})

test('manifests: settings are yours, endpoints of the last start are gone', async () => {
  const directory = join(data, 'manifests')
  const certificate = new Secrets(join(data, 'secrets')).certificate()
  const manifests = new Manifests(directory)
  manifests.prepare(certificate)
  manifests.publish({ controller: 1, builder: 2 })
  for (const name of ['endpoints-shop.yaml', 'app-shop.yaml', 'router.yaml', 'mine.yaml'])
    await writeFile(join(directory, name), '# mine\n')
  new Manifests(directory).prepare(certificate)
  const all = ['app-shop.yaml', 'mine.yaml', 'platform-certificate.yaml', 'platform-services.yaml', 'router.yaml']
  expect((await readdir(directory)).sort()).toEqual(all)
  expect((await stat(join(directory, 'router.yaml'))).size).toBe(7)
  expect((await stat(join(directory, 'platform-certificate.yaml'))).mode & 0o077).toBe(0)
})

test('a secret that is empty is named, and nothing is made in its place', async () => {
  const file = join(data, 'secrets', 'builder-key')
  const secrets = new Secrets(join(data, 'secrets'))
  const key = secrets.builderKey()
  expect(secrets.builderKey()).toBe(key)
  await writeFile(file, '')
  await expect(start({})).rejects.toMatchObject({ exitCode: 64, message: expect.stringContaining(`${file} is empty`) })
  expect((await stat(file)).size).toBe(0)
})

// Only the builder's key came with advice; a certificate that is none was given to the router, which showed another.
for (const name of ['platform.pem', 'registry/registry-token.pem', 'ssh/ssh-host-ed25519-key'])
  test(`a secret that is broken is named, with what to do: ${name}`, async () => {
    const file = join(data, 'secrets', name)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, 'broken\n', { mode: 0o600 })
    const error = await start({}).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ exitCode: 64, message: expect.stringContaining(file) })
    expect((error as Error).message).toMatch(/: put back what was in it, or remove it and a new one is made$/)
  })

// The first to come could register as the administrator, and had all that the apps of others had left.
for (const [name, spoil] of [
  ['missing', null],
  ['empty', ''],
] as const)
  test(`a database that is ${name} is no new installation while there are apps`, async () => {
    const database = join(data, 'state.db')
    if (spoil !== null) await writeFile(database, spoil)
    const marks = join(data, 'apps', 'processes', 'apps')
    await mkdir(marks, { recursive: true })
    await writeFile(join(marks, 'shop'), `${randomUUID()}\n`)
    const refused = {
      exitCode: 64,
      message: expect.stringContaining(`${database} has no users, but ${data} has an app`),
    }
    await expect(start({})).rejects.toMatchObject(refused)
    // It is no other one the second time, when there are tables.
    await expect(start({})).rejects.toMatchObject(refused)
    expect(await readdir(marks)).toEqual(['shop'])
  })
