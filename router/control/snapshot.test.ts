import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { checkSnapshotFile, readSnapshot, SnapshotKeeper, writeSnapshot } from './snapshot.ts'
import { certificateOf, patchOf, routeOf } from './testdata/patches.ts'

let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'snapshot-'))
  file = join(directory, 'router.snapshot')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const patch = patchOf({ reset: true, routes: [routeOf('a.example', 'a', 'c')], certificates: [certificateOf('c')] })

test('what was written is read again, by its owner only', async () => {
  await writeSnapshot(file, { patch, savedAt: 42 })
  expect(await readSnapshot(file)).toEqual({ kind: 'read', snapshot: { patch, savedAt: 42 } })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readdir(directory)).toEqual(['router.snapshot'])
})

test('what a killed writer left aside is in nobody’s way and does not lend its permissions', async () => {
  await writeFile(`${file}.new`, 'half', { mode: 0o666 })
  await writeSnapshot(file, { patch, savedAt: 42 })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await readSnapshot(file)).kind).toBe('read')
})

test('a writer killed at any moment leaves a whole file', async () => {
  await writeSnapshot(file, { patch, savedAt: 0 })
  const script = `
    import { writeSnapshot } from ${JSON.stringify(new URL('./snapshot.ts', import.meta.url).href)}
    const routes = { upserts: Array.from({ length: 5000 }, (_, id) => ({ id })), deletes: [] }
    for (let savedAt = 1; ; savedAt++) {
      await writeSnapshot(${JSON.stringify(file)}, { patch: { ...${JSON.stringify(patch)}, routes }, savedAt })
      if (savedAt === 1) process.stdout.write('writing')
    }`
  for (const moment of [0, 3, 7, 12]) {
    const writer = spawn(process.execPath, ['--input-type=module', '-e', script], {
      cwd: process.cwd(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(writer.stdout, 'data')
    await new Promise(resolve => setTimeout(resolve, moment))
    writer.kill('SIGKILL')
    await once(writer, 'exit')
    expect((await readSnapshot(file)).kind).toBe('read')
  }
})

const broken: [name: string, spoil: (text: string) => string, reason: RegExp][] = [
  ['an empty file', () => '', /no header line/],
  ['cut off', text => text.slice(0, -10), /digest/],
  ['one byte changed', text => text.replace('a.example', 'b.example'), /digest/],
  ['another format', text => text.replace('deis-router-snapshot/4', 'deis-router-snapshot/9'), /format/],
  ['the format before', text => text.replace('deis-router-snapshot/4', 'deis-router-snapshot/3'), /format/],
  ['another version of the router', text => text.replace(/(snapshot\/4) [^"]+/, '$1 0.0.0-other'), /format/],
  ['no JSON at all', () => 'hello\nworld', /not JSON/],
  ['binary', () => '\0\x01\n\x02', /not JSON/],
]
for (const [name, spoil, reason] of broken)
  test(`not used: ${name}`, async () => {
    await writeSnapshot(file, { patch, savedAt: 42 })
    await writeFile(file, spoil(await readFile(file, 'utf8')))
    expect(await readSnapshot(file)).toEqual({ kind: 'unusable', reason: expect.stringMatching(reason) })
  })

test('not used: a document of another kind under a right digest', async () => {
  await writeSnapshot(file, { patch: { hello: 'world' } as never, savedAt: 42 })
  expect(await readSnapshot(file)).toEqual({ kind: 'unusable', reason: 'parts of it are missing' })
})

test('not used: a directory in its place', async () => {
  expect(await readSnapshot(directory)).toEqual({ kind: 'unusable', reason: 'EISDIR' })
})

test('a file that is not there', async () => {
  expect(await readSnapshot(file)).toEqual({ kind: 'absent' })
})

const unfit: [name: string, make: () => unknown, path: () => string, reason: RegExp][] = [
  ['in a directory that is not there', () => {}, () => `${file}-nowhere/snapshot`, /nowhere: ENOENT$/],
  ['in a file', () => writeFile(file, ''), () => `${file}/snapshot`, /is no directory$/],
  ['that is a directory', () => mkdir(file), () => file, /it is a directory$/],
]
// Permissions mean nothing to root.
if (process.getuid?.() !== 0)
  unfit.push(['in a locked directory', () => mkdir(file, { mode: 0o500 }), () => `${file}/snapshot`, /: EACCES$/])
for (const [name, make, path, reason] of unfit)
  test(`a file ${name} is refused at the start`, async () => {
    const refused = { exitCode: 64, message: expect.stringMatching(reason) }
    await make()
    await expect(checkSnapshotFile(path())).rejects.toMatchObject(refused)
  })

test('a device is not replaced by a file', async () => {
  await expect(checkSnapshotFile('/dev/null')).rejects.toMatchObject({
    message: expect.stringContaining('no regular file'),
  })
})

test('a file that is not there yet can be kept, and so can one that is', async () => {
  await checkSnapshotFile(file)
  await writeFile(file, '')
  await checkSnapshotFile(file)
})

/** A keeper, and the messages that it logs. */
function keeper(interval: number) {
  const messages: string[] = []
  let version = 0
  const log = createLogger({ destination: { write: line => void messages.push(JSON.parse(line).message) } })
  const made = new SnapshotKeeper({ file, whole: () => ({ ...patch, version }), log, interval })
  const change = (): void => {
    version++
    made.changed()
  }
  return { messages, keeper: made, change }
}

test('changes within the interval are one writing, with the last of them', async () => {
  const { keeper: made, change } = keeper(60_000)
  for (let i = 0; i < 10; i++) change()
  expect(made.savedAt).toBe(null)
  expect((await readSnapshot(file)).kind).toBe('absent')
  await made[Symbol.asyncDispose]()
  expect(await readSnapshot(file)).toMatchObject({
    kind: 'read',
    snapshot: { patch: { version: 10 }, savedAt: made.savedAt },
  })
})

test('a disk that refuses is one warning, and is tried again', async () => {
  await mkdir(`${file}.new/held`, { recursive: true })
  const { keeper: made, messages, change } = keeper(1)
  change()
  for (const end = Date.now() + 10_000; messages.length === 0 && Date.now() < end; )
    await new Promise(resolve => setTimeout(resolve, 5))
  expect(messages).toEqual(['the snapshot cannot be written'])
  await rm(`${file}.new`, { recursive: true })
  for (const end = Date.now() + 10_000; messages.length === 1 && Date.now() < end; )
    await new Promise(resolve => setTimeout(resolve, 5))
  expect(messages.slice(1)).toEqual(['the snapshot is written again'])
  expect((await readSnapshot(file)).kind).toBe('read')
  await made[Symbol.asyncDispose]()
})
