// Processes of one image, and what they write: each sees the image as it was built, and what it wrote itself.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, link, mkdir, readdir, readFile, readlink, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isDiskFull } from '#kit/full-disk.ts'
import { removeTree } from '#kit/remove-tree.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { type AppParts, desired, LocalStage, options, sharedImages } from '#test/support/local-stage.ts'
import type { AppId } from '../../domain/app.ts'

failOnLeaks()

const never = new AbortController().signal
const execute = promisify(execFile)
const shop = 'shop' as AppId

let stage: LocalStage
beforeEach(async () => {
  stage = await LocalStage.prepare()
  await writeFile(join(stage.image, 'greeting'), 'Hello\n', { mode: 0o444 })
})
afterEach(() => stage[Symbol.asyncDispose]())

const app = (parts: Partial<AppParts> = {}) => desired({ image: stage.image, structure: { worker: 1 }, ...parts })
const open = () => stage.open({ images: sharedImages })
const output = async (parts: Partial<AppParts>, command: string) =>
  (await stage.cluster.run(app(parts), command, never)).output
/** Of processes and commands that there are. */
const left = () => readdir(join(stage.state, 'files'))
const spoil = `echo x > f; sed -i s/Hello/Pwned/ greeting; echo more >> greeting; cat greeting`
const look = `cat greeting; ls f 2>&1 || true`
const untouched = /^Hello\n.*No such file/
/** Says what it finds, and spoils it for whoever comes next. */
const worker = `echo "found $(cat greeting | tr '\\n' ' ')"; echo spoiled >> greeting; exec sleep 1000`

test('what a command of one app writes, another app with the same image never sees', async () => {
  await open()
  const other = { id: 'other', uuid: 'c0000000-0000-4000-8000-000000000000' }
  expect(await output({}, spoil)).toBe('Pwned\nmore\n')
  expect(await output(other, look)).toMatch(untouched)
  await stage.cluster.deploy(app({ ...other, procfile: { worker } }), options())
  expect(await stage.said(/^found/)).toMatchObject({ app: 'other', text: 'found Hello ' })
})

test('a command that is run once leaves nothing to the next one, nor to itself', async () => {
  await open()
  expect(await output({}, `${spoil}; echo x > "$TMPDIR/t"; echo x > "$HOME/h"; mkdir d; cd d`)).toBe('Pwned\nmore\n')
  expect(await output({}, `${look}; ls "$TMPDIR"; ls "$HOME"`)).toMatch(
    /^Hello\n.*No such file.*\ngreeting\nserver.cjs\n$/,
  )
  expect(await left()).toEqual([])
  expect(await readdir(stage.image)).toEqual(['greeting', 'server.cjs'])
})

test('processes write in files of their own, and start with what was built: replaced, restarted, ended by themselves', async () => {
  await open()
  const found = () => stage.lines.filter(({ text }) => text.startsWith('found')).map(({ text }) => text)
  const said = async (count: number) => {
    while (found().length < count) await setTimeout(10)
  }
  await stage.cluster.deploy(app({ structure: { worker: 2 }, procfile: { worker } }), options())
  await said(2)
  expect(await left()).toHaveLength(2)
  const [process] = await stage.cluster.processes(shop, never)
  await stage.cluster.restart(shop, [process!.name], never)
  await said(3)
  await stage.cluster.deploy(app({ version: 3, procfile: { worker } }), options())
  await said(4)
  await stage.cluster.repair(
    app({ version: 4, procfile: { worker: worker.replace('exec sleep 1000', 'exit 1') } }),
    never,
  )
  await said(7)
  expect(new Set(found())).toEqual(new Set(['found Hello ']))
  expect(await readFile(join(stage.image, 'greeting'), 'utf8')).toBe('Hello\n')
  await stage.cluster.destroy(app(), never)
  expect(await left()).toEqual([])
})

test('a health check that is a command sees what the process wrote', async () => {
  await open()
  const readinessProbe = { exec: { command: ['/bin/sh', '-c', 'test -e up && test "$PWD" = "$HOME"'] } }
  const procfile = { worker: 'touch up; exec sleep 1000' }
  await stage.cluster.deploy(app({ procfile, config: { healthcheck: { worker: { readinessProbe } } } }), options())
})

test('a copy is as the image is, and belongs to the process', async () => {
  const at = new Date('2020-01-02T03:04:05Z')
  const inImage = (path: string) => join(stage.image, path)
  await mkdir(inImage('deep/er'), { recursive: true })
  await writeFile(inImage('deep/run'), 'echo ran', { mode: 0o555 })
  await utimes(inImage('deep/run'), at, at)
  await link(inImage('greeting'), inImage('deep/er/greeting'))
  await symlink('../greeting', inImage('deep/link'))
  await symlink('/nowhere', inImage('deep/dangling'))
  await open()
  const parts = { procfile: { worker: 'cd deep; ./run; echo kept > own; exec sleep 1000' } }
  await stage.cluster.deploy(app(parts), options())
  await stage.said(/^ran$/)
  const [name] = await left()
  const inCopy = (path: string) => join(stage.state, 'files', name!, 'root', path)
  const status = await stat(inCopy('deep/run'))
  expect([status.mode & 0o777, status.mtime]).toEqual([0o755, at])
  expect((await stat(inCopy('greeting'))).mode & 0o777).toBe(0o644)
  expect((await stat(inCopy('greeting'))).ino).toBe((await stat(inCopy('deep/er/greeting'))).ino)
  expect((await stat(inCopy('greeting'))).ino).not.toBe((await stat(inImage('greeting'))).ino)
  expect(await Promise.all(['link', 'dangling'].map(path => readlink(inCopy(`deep/${path}`))))).toEqual([
    '../greeting',
    '/nowhere',
  ])
})

test('an app in a part of its image finds the rest of it where it was', async () => {
  await mkdir(join(stage.image, 'app'))
  await stage.open({
    images: {
      ...sharedImages,
      unpack: async root => ({ directory: join(root, 'app'), root, environment: {} }),
    },
  })
  expect(await output({}, 'cat ../greeting; basename "$PWD"; test "$PWD" = "$HOME" && echo home')).toBe(
    'Hello\napp\nhome\n',
  )
})

test('a deploy or a command that is broken off while its files are copied leaves none', async () => {
  await Promise.all(Array.from({ length: 3_000 }, (_, i) => writeFile(join(stage.image, `${i}`), '')))
  await open()
  const procfile = { worker: 'echo started; exec sleep 1000' }
  const works = [
    (signal: AbortSignal) => stage.cluster.deploy(app({ procfile, structure: { worker: 5 } }), options(signal)),
    (signal: AbortSignal) => stage.cluster.run(app(), 'echo started', signal),
  ]
  for (const work of works) {
    const stop = new AbortController()
    const working = work(stop.signal)
    while ((await left()).length === 0) await new Promise(setImmediate)
    stop.abort(new Error('enough'))
    await expect(working).rejects.toThrow('enough')
  }
  await stage.cluster.destroy(app(), never)
  expect(await left()).toEqual([])
  expect(stage.lines.filter(({ text }) => text === 'started')).toEqual([])
})

const noMounts = process.getuid?.() === 0 && process.platform === 'linux' ? null : 'only root can mount a small disk'
if (noMounts !== null) console.warn(`skipped: ${noMounts}`)

test.skipIf(noMounts !== null)('a disk that is too full for a copy is told of, and holds nothing of it', async () => {
  await mkdir(stage.state)
  await execute('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', stage.state])
  try {
    await writeFile(join(stage.image, 'large'), Buffer.alloc(2 * 1024 * 1024, 1))
    await open()
    const refused = await stage.cluster.run(app(), 'true', never).catch((error: unknown) => error)
    expect([isDiskFull(refused), (refused as Error).message]).toEqual([
      true,
      'there is no room for its files: the disk is full',
    ])
    await expect(stage.cluster.deploy(app({ procfile: { worker } }), options())).rejects.toThrow(
      /^worker does not come up, .*: it cannot be started \(there is no room for its files: the disk is full\)/,
    )
    expect(await left()).toEqual([])
    await stage.cluster.close()
  } finally {
    await execute('umount', [stage.state])
  }
})

test('directories that nobody may write to are removed all the same', async () => {
  const directory = join(stage.directory, 'modules')
  await mkdir(join(directory, 'deep/er'), { recursive: true })
  await writeFile(join(directory, 'deep/er/file'), '')
  for (const path of ['deep/er', 'deep']) await chmod(join(directory, path), 0o555)
  await removeTree(directory)
  expect(existsSync(directory)).toBe(false)
})
