import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, statfs, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '#test/cluster/command.ts'
import { heldInBuffers } from '#test/support/memory.ts'
import { openStore } from '../open-store.ts'
import type { ObjectStore } from '../store.ts'
import { type Place, storeSuite } from '../store-suite.ts'
import { bytes, chunks, keys, text } from '../suite/octets.ts'
import { listFiles } from './listing.ts'

async function makeFolder(): Promise<Place & { readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'deis-store-'))
  return {
    directory,
    open: () => openStore({ kind: 'folder', directory }),
    leftOvers: async () => (await readdir(join(directory, 'aside'))).length,
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true })
    },
  }
}

describe('folder', () => {
  storeSuite(makeFolder, heldInBuffers)

  let directory: string
  beforeEach(async () => {
    directory = (await makeFolder()).directory
  })
  afterEach(() => rm(directory, { recursive: true }))

  /** A store on the folder, for the time of a test. */
  async function withStore<T>(work: (store: ObjectStore) => Promise<T>, folder = directory): Promise<T> {
    const store = await openStore({ kind: 'folder', directory: folder })
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }

  test('nobody else can read it', () =>
    withStore(async store => {
      await chmod(join(directory, 'objects'), 0o755)
      await store.write('a/b', Buffer.from('x'))
      await store.copy('a/b', 'a/c')
      const { id } = await store.startUpload()
      await store.appendUpload(id, 0, chunks('x'))
      await store.close()
      await withStore(async () => {
        const modes = await run('find', [directory, '-mindepth', '1', '-printf', '%y%m\n'])
        expect(new Set(modes.trim().split('\n'))).toEqual(new Set(['d700', 'f600']))
      })
    }))

  test('has one user at a time', () =>
    withStore(async () => {
      for (let i = 0; i < 2; i++)
        await expect(openStore({ kind: 'folder', directory })).rejects.toMatchObject({
          name: 'StartupError',
          exitCode: 69,
          message: `another process uses ${directory} already`,
        })
    }))

  const useless: [name: string, make: (path: string) => Promise<unknown>, why: RegExp][] = [
    ['a file', path => writeFile(path, 'x'), /cannot be used: EEXIST/],
    ['a link to nothing', path => symlink('/nowhere/at/all', path), /cannot be used: E/],
    [
      'one whose objects are elsewhere',
      async path => {
        await mkdir(path)
        await symlink(tmpdir(), join(path, 'objects'))
      },
      /objects is no directory/,
    ],
    [
      'one whose lock is something else',
      async path => {
        await mkdir(path)
        await writeFile(join(path, 'lock'), 'something else'.repeat(100))
      },
      /cannot be used: file is not a database/,
    ],
  ]
  test.each(useless)('is not %s', async (_, make, why) => {
    const path = join(directory, 'folder')
    await make(path)
    await expect(openStore({ kind: 'folder', directory: path })).rejects.toMatchObject({
      name: 'StartupError',
      exitCode: 69,
      message: expect.stringMatching(why),
    })
  })

  test('what is left over is removed when it is opened', async () => {
    await withStore(async () => {})
    await writeFile(join(directory, 'aside/half'), 'half')
    await withStore(async store => {
      expect(await readdir(join(directory, 'aside'))).toEqual([])
      expect(await keys(store.list(''))).toEqual([])
    })
  })

  test('what others put into it is no object', () =>
    withStore(async store => {
      await store.write('a/b', Buffer.from('x'))
      await writeFile(join(directory, 'objects/a/FOREIGN'), 'x')
      await writeFile(join(directory, 'objects/a/with space'), 'x')
      expect(await keys(store.list(''))).toEqual(['a/b'])
      expect(await store.stat('a/FOREIGN')).toBeNull()
    }))

  test('links lead nowhere', () =>
    withStore(async store => {
      await store.write('a/b', Buffer.from('x'))
      const outside = join(directory, 'outside')
      await mkdir(outside)
      await writeFile(join(outside, 'secret'), 'secret')
      await symlink(outside, join(directory, 'objects/out'))
      await symlink(join(outside, 'secret'), join(directory, 'objects/file'))
      const refused = { name: 'StoreError', kind: 'refused' }
      expect(await keys(store.list(''))).toEqual(['a/b'])
      await expect(keys(store.list('out/'))).rejects.toMatchObject(refused)
      expect(await store.stat('file')).toBeNull()
      await expect(store.read('file')).rejects.toMatchObject({ name: 'MissingObjectError' })
      for (const use of [
        () => store.stat('out/secret'),
        () => store.read('out/secret'),
        () => store.copy('out/secret', 'copy'),
        () => store.delete('out/secret'),
        () => store.write('out/new', Buffer.from('x')),
        () => store.write('out/deep/new', Buffer.from('x')),
        () => store.copy('a/b', 'out/new'),
      ])
        await expect(use()).rejects.toMatchObject(refused)
      expect(await readdir(outside)).toEqual(['secret'])
      // The link is replaced, not what it leads to.
      await store.write('file', Buffer.from('ours'))
      expect(await text(store.read('file'))).toBe('ours')
      expect((await stat(join(outside, 'secret'))).size).toBe(6)
    }))

  test('a key is never the folder of another', () =>
    withStore(async store => {
      await store.write('a/b', Buffer.from('x'))
      const refused = { name: 'StoreError', kind: 'refused' }
      await expect(store.write('a', Buffer.from('y'))).rejects.toMatchObject(refused)
      await expect(store.write('a/b/c', Buffer.from('y'))).rejects.toMatchObject(refused)
      await expect(store.copy('a/b', 'a')).rejects.toMatchObject(refused)
      expect(await keys(store.list(''))).toEqual(['a/b'])
    }))

  test('empty directories that a crash left are in nobody’s way', () =>
    withStore(async store => {
      await mkdir(join(directory, 'objects/a/b/c'), { recursive: true })
      await store.write('a', Buffer.from('x'))
      expect(await keys(store.list(''))).toEqual(['a'])
    }))

  test('directories go with their last object', () =>
    withStore(async store => {
      await store.write('a/b/c', Buffer.from('x'))
      await store.delete('a/b/c')
      expect(await readdir(join(directory, 'objects'))).toEqual([])
    }))

  test('a directory is listed in batches', async () => {
    const all = Array.from({ length: 250 }, (_, index) => `x${(index * 7919) % 250}`).map(part =>
      part.endsWith('5') ? `${part}/y` : part,
    )
    await withStore(async store => {
      for (const key of all) await store.write(key, Buffer.from(key))
      for (const batch of [1, 7, 249, 250, 251])
        expect(await keys(listFiles(join(directory, 'objects'), '', '', batch))).toEqual([...all].sort())
      expect(await keys(listFiles(join(directory, 'objects'), 'x1', 'x15', 7))).toEqual(
        all.filter(key => key.startsWith('x1') && key > 'x15').sort(),
      )
    })
  })

  describe('a process that is killed', () => {
    let child: ChildProcess | null = null
    afterEach(async () => {
      if (child === null || child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    })

    /** Runs it on the folder in a process of its own, until it has printed as many lines. */
    async function runUntil(lines: number, work: string): Promise<string[]> {
      const program = `
        const { openStore } = await import(${JSON.stringify(join(import.meta.dirname, '../open-store.ts'))})
        const store = await openStore({ kind: 'folder', directory: ${JSON.stringify(directory)} })
        ${work}`
      const started = spawn(process.execPath, ['--input-type=module', '--eval', program], {
        cwd: join(import.meta.dirname, '../..'),
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      child = started
      const printed: string[] = []
      for await (const line of createInterface({ input: started.stdout })) {
        printed.push(line)
        if (printed.length >= lines) break
      }
      started.kill('SIGKILL')
      await once(started, 'exit')
      return printed
    }

    test('frees the folder', async () => {
      await runUntil(1, `console.log('open'); setInterval(() => {}, 1000)`)
      await withStore(async store => store.write('a', Buffer.from('x')))
    })

    test('while it writes leaves whole objects only, and all that it has told of', async () => {
      const told = new Set<string>()
      for (let round = 1; round <= 4; round++) {
        const work = `
          const letters = 'abcdefgh'
          await Promise.all([0, 1, 2, 3].map(async lane => {
            for (let i = 0; ; i++) {
              const key = 'round${round}/' + lane + '/' + i
              await store.write(key, Buffer.alloc(200_000, letters[(lane + i) % 8]))
              await store.write('same', Buffer.alloc(300_000, letters[i % 8]))
              console.log(key)
            }
          }))`
        for (const key of await runUntil(5 * round, work)) told.add(key)
        await withStore(async store => {
          expect(await readdir(join(directory, 'aside'))).toEqual([])
          const found = await Array.fromAsync(store.list(''))
          const there = new Set(found.map(({ key }) => key))
          expect([...told].filter(key => !there.has(key))).toEqual([])
          for (const { key, size } of found) {
            const body = await bytes(store.read(key))
            expect(size).toBe(key === 'same' ? 300_000 : 200_000)
            expect(body.equals(Buffer.alloc(size, body[0]))).toBe(true)
          }
        })
      }
    }, 60_000)

    test('while it adds to an upload loses nothing that was safe, and the upload goes on', async () => {
      const work = `
        const { id } = await store.startUpload()
        let size = 0
        for (let i = 0; i < 3; i++) ({ size } = await store.appendUpload(id, size, [Buffer.alloc(1000, 'a')]))
        async function* endless() {
          for (;;) {
            yield Buffer.alloc(100_000, 'b')
            console.log(id)
            await new Promise(setImmediate)
          }
        }
        await store.appendUpload(id, size, endless())`
      const [id] = await runUntil(5, work)
      await withStore(async store => {
        const upload = (await store.findUpload(id!))!
        expect(upload.size).toBe(3000)
        expect(await text(store.readUpload(id!))).toBe('a'.repeat(3000))
        await store.appendUpload(id!, 3000, chunks('end'))
        await store.finishUpload(id!, 'made')
        expect(await text(store.read('made'))).toBe(`${'a'.repeat(3000)}end`)
      })
    })

    test('between the two steps of a finish leaves no upload', async () => {
      const id = await withStore(async store => {
        const upload = await store.startUpload()
        await store.appendUpload(upload.id, 0, chunks('x'))
        return upload.id
      })
      // As it is after the first.
      await rm(join(directory, 'uploads', id, 'data'))
      await withStore(async store => {
        expect(await store.findUpload(id)).toBeNull()
        expect(await Array.fromAsync(store.uploads())).toEqual([])
      })
      expect(existsSync(join(directory, 'uploads', id))).toBe(false)
    })
  })

  const noMounts = process.getuid?.() === 0 && process.platform === 'linux' ? null : 'only root can mount a small disk'
  if (noMounts !== null) console.warn(`skipped: ${noMounts}`)

  test.skipIf(noMounts !== null)('of a full disk nothing is kept, and what was there stays', async () => {
    const small = join(directory, 'small')
    await mkdir(small)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=700', 'tmpfs', small])
    try {
      await withStore(async store => {
        await store.write('a', Buffer.from('before'))
        const free = async () => (await statfs(small)).bfree
        const before = await free()
        const full = { name: 'StoreError', kind: 'full', message: expect.stringContaining('ENOSPC') }
        const large = () => chunks(...Array.from({ length: 100 }, () => Buffer.alloc(100_000)))
        await expect(store.write('a', large())).rejects.toMatchObject(full)
        await expect(store.write('b/c', Buffer.alloc(10_000_000))).rejects.toMatchObject(full)
        expect(await free()).toBe(before)
        const { id } = await store.startUpload()
        await store.appendUpload(id, 0, chunks('begin'))
        const begun = await free()
        await expect(store.appendUpload(id, 5, large())).rejects.toMatchObject(full)
        expect(await free()).toBe(begun)
        expect(await store.findUpload(id)).toMatchObject({ size: 5 })
        await store.write('half', Buffer.alloc(2_500_000))
        await expect(store.copy('half', 'copy')).rejects.toMatchObject(full)
        expect(await keys(store.list(''))).toEqual(['a', 'half'])
        expect(await text(store.read('a'))).toBe('before')
        await store.delete('half')
        await store.appendUpload(id, 5, chunks(' end'))
        await store.finishUpload(id, 'done')
        expect(await text(store.read('done'))).toBe('begin end')
        expect(await readdir(join(small, 'aside'))).toEqual([])
      }, small)
    } finally {
      await run('umount', [small])
    }
  })
})
