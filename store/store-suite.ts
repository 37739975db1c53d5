// What every store promises, for each driver's own tests to run. Places are empty when a test begins; `heldInBuffers` is the
// one of the test support.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MissingObjectError, MissingUploadError, type ObjectStore, UploadOffsetError } from './store.ts'

/** Where stores are kept. */
export interface Place extends AsyncDisposable {
  /** Opens it, again too once it was closed. */
  open(): Promise<ObjectStore>
  /** How many things are kept beside objects and uploads: what was left over. */
  leftOvers(): Promise<number>
}

const MiB = 1024 * 1024

export function storeSuite(makePlace: () => Promise<Place>, heldInBuffers: () => number): void {
  let place: Place
  let store: ObjectStore
  beforeEach(async () => {
    place = await makePlace()
    store = await place.open()
  })
  afterEach(async () => {
    await store.close()
    expect(await place.leftOvers()).toBe(0)
    await place[Symbol.asyncDispose]()
  })

  async function reopen(): Promise<void> {
    await store.close()
    store = await place.open()
  }

  test('a store can be checked', async () => {
    await store.check(new AbortController().signal)
    const why = new Error('enough')
    await expect(store.check(AbortSignal.abort(why))).rejects.toBe(why)
  })

  test('a closed store says so', async () => {
    await store.close()
    const closed = { name: 'StoreError', kind: 'unreachable', message: 'the store is closed' }
    await expect(store.stat('a')).rejects.toMatchObject(closed)
    await expect(store.write('a', Buffer.from('a'))).rejects.toMatchObject(closed)
    await expect(store.startUpload()).rejects.toMatchObject(closed)
    await store.close()
  })

  describe('objects', () => {
    test('what is written is there, after a restart too', async () => {
      const written = await store.write('blobs/one', Buffer.from('some octets'))
      expect(written).toEqual({ key: 'blobs/one', size: 11, modified: expect.any(Date) })
      // Within what clocks of file systems and servers are apart from ours.
      expect(Math.abs(written.modified.getTime() - Date.now())).toBeLessThan(60_000)
      for (const _ of ['now', 'later']) {
        expect(await store.stat('blobs/one')).toEqual(written)
        expect(await text(store.read('blobs/one'))).toBe('some octets')
        expect(await Array.fromAsync(store.list(''))).toEqual([written])
        await reopen()
      }
    })

    test('what is not there', async () => {
      await store.write('there/is/one', Buffer.from('x'))
      for (const key of ['none', 'there', 'there/is', 'there/is/none', 'none/at/all']) {
        expect(await store.stat(key), key).toBeNull()
        expect(await store.delete(key), key).toBe(false)
        for (const range of [undefined, { start: 0, end: 1 }, { start: 5, end: 5 }])
          await expect(store.read(key, range), key).rejects.toEqual(new MissingObjectError(key))
        await expect(store.copy(key, 'copy'), key).rejects.toEqual(new MissingObjectError(key))
      }
      expect(await keys(store.list(''))).toEqual(['there/is/one'])
    })

    test('an empty one', async () => {
      for (const source of [Buffer.alloc(0), chunks(), chunks('', '')]) {
        expect(await store.write('empty', source)).toMatchObject({ size: 0 })
        expect(await text(store.read('empty'))).toBe('')
        expect(await text(store.read('empty', { start: 0, end: 10 }))).toBe('')
      }
      await store.copy('empty', 'copy')
      expect(await store.stat('copy')).toMatchObject({ size: 0 })
    })

    test('one is replaced as a whole', async () => {
      await store.write('a', Buffer.from('the first, which is longer'))
      await store.write('a', chunks('the ', 'second'))
      expect(await text(store.read('a'))).toBe('the second')
      expect(await store.stat('a')).toMatchObject({ size: 10 })
    })

    test('deleted', async () => {
      await store.write('a/b/c', Buffer.from('x'))
      await store.write('a/b/d', Buffer.from('y'))
      expect(await store.delete('a/b/c')).toBe(true)
      expect(await store.delete('a/b/c')).toBe(false)
      expect(await keys(store.list(''))).toEqual(['a/b/d'])
      expect(await store.delete('a/b/d')).toBe(true)
      // What was a folder may be an object.
      await store.write('a', Buffer.from('z'))
      expect(await keys(store.list(''))).toEqual(['a'])
    })

    const ranges: [start: number, end: number, want: string][] = [
      [0, 10, '0123456789'],
      [0, 1, '0'],
      [9, 10, '9'],
      [3, 6, '345'],
      [3, 3, ''],
      [8, 100, '89'],
      [10, 11, ''],
      [100, 200, ''],
      [0, Number.MAX_SAFE_INTEGER, '0123456789'],
    ]
    test.each(ranges)('octets from %i to %i', async (start, end, want) => {
      await store.write('digits', Buffer.from('0123456789'))
      expect(await text(store.read('digits', { start, end }))).toBe(want)
    })

    test.each([
      [-1, 3],
      [3, 2],
      [0.5, 2],
      [0, Number.NaN],
    ])('from %d to %d is no range', async (start, end) => {
      await store.write('digits', Buffer.from('0123456789'))
      await expect(store.read('digits', { start, end })).rejects.toThrow(RangeError)
    })

    test('a source that throws changes nothing', async () => {
      await store.write('a', Buffer.from('before'))
      // Like one that the system throws.
      const why = Object.assign(new Error('gone'), { code: 'ENOSPC', syscall: 'read' })
      for (const before of [[], ['some'], [randomBytes(6 * MiB), randomBytes(6 * MiB)]])
        for (const key of ['a', 'new/one']) await expect(store.write(key, failing(why, ...before))).rejects.toBe(why)
      expect(await text(store.read('a'))).toBe('before')
      expect(await keys(store.list(''))).toEqual(['a'])
    })

    test('who copies has both', async () => {
      await store.write('a', Buffer.from('x'))
      await store.write('b/c', Buffer.from('replaced'))
      await store.copy('a', 'b/c')
      await store.copy('a', 'a')
      await store.write('a', Buffer.from('y'))
      expect(await text(store.read('b/c'))).toBe('x')
      await store.delete('a')
      expect(await text(store.read('b/c'))).toBe('x')
    })

    test('a reader gets what it began with, or an error', async () => {
      const [first, second] = [randomBytes(4 * MiB), randomBytes(4 * MiB)]
      await store.write('a', first)
      for (const change of [() => store.write('a', second), () => store.delete('a')]) {
        const before = digest(await bytes(store.read('a')))
        const reader = await store.read('a')
        const hash = createHash('sha256')
        let changed = false
        try {
          for await (const chunk of reader) {
            hash.update(chunk)
            if (!changed) await change()
            changed = true
          }
          expect(hash.digest('hex')).toBe(before)
        } catch (error) {
          // Of the connection, not of the comparison.
          expect(error).not.toHaveProperty('matcherResult')
        }
      }
    })

    test('a reader that goes away leaves nothing open', async () => {
      await store.write('a', randomBytes(MiB))
      for (let i = 0; i < 20; i++) {
        const reader = await store.read('a')
        reader.on('error', () => {}).destroy()
        await once(reader, 'close')
      }
      expect((await bytes(store.read('a'))).length).toBe(MiB)
    })

    test('of many writers of a key one is the last, and readers never see a mixture', async () => {
      const bodies = Array.from({ length: 8 }, (_, index) => Buffer.alloc(300_000 + index, index))
      await store.write('a', bodies[0]!)
      let writing = true
      const reading = Promise.all(
        Array.from({ length: 2 }, async () => {
          while (writing) {
            const got = await bytes(store.read('a'))
            expect(got.equals(bodies[got[0]!]!)).toBe(true)
          }
        }),
      )
      for (let round = 0; round < 3; round++)
        await Promise.all(bodies.map(body => store.write('a', pieces(body, 100_000))))
      writing = false
      await reading
      const last = await bytes(store.read('a'))
      expect(last.equals(bodies[last[0]!]!)).toBe(true)
    })

    test('writes beside deletes in the same folder', async () => {
      for (let round = 0; round < 10; round++) {
        await store.write('deep/er/old', Buffer.from('old'))
        await Promise.all([
          store.delete('deep/er/old'),
          store.write('deep/er/new', Buffer.from('new')),
          store.write('deep/other/new', Buffer.from('new')),
        ])
        expect(await keys(store.list('deep/'))).toEqual(['deep/er/new', 'deep/other/new'])
        await Promise.all([store.delete('deep/er/new'), store.delete('deep/other/new')])
      }
    })

    test('large ones, with little memory', async () => {
      const size = 64 * MiB
      const [hash, sent] = [createHash('sha256'), watch(heldInBuffers)]
      const written = await store.write('large', sent.through(noise(size, hash)))
      expect(written.size).toBe(size)
      const want = hash.digest('hex')
      // Three buffers of 8 MiB would do; 64 MiB would be all of it.
      expect(sent.most()).toBeLessThan(40 * MiB)
      await store.copy('large', 'copy')
      const [read, received] = [createHash('sha256'), watch(heldInBuffers)]
      for await (const chunk of received.through(await store.read('copy'))) read.update(chunk)
      expect(read.digest('hex')).toBe(want)
      expect(received.most()).toBeLessThan(40 * MiB)
    }, 60_000)
  })

  describe('keys', () => {
    const good = [
      'a',
      'A',
      '...',
      '.hidden',
      '-',
      '+',
      '@:_',
      'home/app:git-0a1b2c3d/push/slug.tgz',
      'a+b/c@d:e_f-g.h',
      'UPPER/lower/MiXeD',
      'x'.repeat(200),
      'X'.repeat(200),
      'con/nul/aux',
      `${'long/'.repeat(100)}key`,
      `${'y'.repeat(199)}/${'y'.repeat(199)}/${'y'.repeat(112)}`,
    ]
    test.each(good)('%s', async key => {
      await store.write(key, Buffer.from(key))
      expect(await store.stat(key)).toMatchObject({ key, size: key.length })
      expect(await text(store.read(key))).toBe(key)
      expect(await keys(store.list(''))).toEqual([key])
      expect(await keys(store.list(key))).toEqual([key])
      await store.copy(key, 'copy/of/it')
      expect(await store.delete(key)).toBe(true)
      expect(await keys(store.list(''))).toEqual(['copy/of/it'])
    })

    test('those that differ only in capitals', async () => {
      const all = ['Tags/V1', 'Tags/v1', 'tags/V1', 'tags/v1']
      for (const key of all) await store.write(key, Buffer.from(key))
      for (const key of all) expect(await text(store.read(key))).toBe(key)
      expect(await keys(store.list(''))).toEqual(all)
    })

    const bad = [
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      'a/..',
      'a b',
      'a\\b',
      'a\0b',
      'a\n',
      'ä',
      'a%2fb',
      'a~',
      'a^1',
      '!uploads/x',
      'x'.repeat(201),
      `${'long/'.repeat(103)}`,
      `${'long/'.repeat(102)}key`,
    ]
    test.each(bad)('%j is none', async key => {
      await store.write('a', Buffer.from('x'))
      const upload = await store.startUpload()
      for (const use of [
        () => store.stat(key),
        () => store.read(key),
        () => store.write(key, Buffer.from('x')),
        () => store.delete(key),
        () => store.copy('a', key),
        () => store.copy(key, 'a'),
        () => store.finishUpload(upload.id, key),
      ])
        await expect(use()).rejects.toThrow(TypeError)
      expect(await keys(store.list(''))).toEqual(['a'])
      await store.abortUpload(upload.id)
    })
  })

  describe('lists', () => {
    const all = ['Z', 'a-b', 'a.b/c', 'a/b', 'a/c/1', 'a/c/2', 'a/c0', 'a0', 'aa', 'b/x', 'b:y', 'b@', 'b_']
    beforeEach(async () => {
      for (const key of all.toReversed()) await store.write(key, Buffer.from(key))
    })

    test('are in the order of octets', async () => {
      expect([...all].sort()).toEqual(all)
      expect(await keys(store.list(''))).toEqual(all)
      for await (const { key, size } of store.list('')) expect(size).toBe(key.length)
    })

    test.each(['a', 'a/', 'a/c', 'a/c/', 'a/c/1', 'a/c/1/', 'b', 'b:', 'none', 'none/at', 'a.', '.', 'Z/'])(
      'of %s',
      async prefix => {
        expect(await keys(store.list(prefix))).toEqual(all.filter(key => key.startsWith(prefix)))
      },
    )

    test('go on after any key', async () => {
      for (const prefix of ['', 'a', 'a/', 'a/c', 'b'])
        for (const after of [...all, '', '!', 'a', 'a/', 'a/c', 'a/c/', 'a/d', 'b', 'zz', '~'])
          expect(await keys(store.list(prefix, { after })), `${prefix} after ${after}`).toEqual(
            all.filter(key => key.startsWith(prefix) && key > after),
          )
    })

    test('may be left early', async () => {
      for await (const { key } of store.list('')) if (key === 'a/b') break
      expect(await keys(store.list('b'))).toEqual(all.filter(key => key.startsWith('b')))
    })

    test('show nothing of what is deleted under way twice or out of order', async () => {
      const seen: string[] = []
      for await (const { key } of store.list('')) {
        seen.push(key)
        await store.delete(key)
      }
      expect(seen).toEqual(all)
      expect(await keys(store.list(''))).toEqual([])
    })

    test.each(['/', 'a//', '../', './', 'a/../', 'ä', '!', 'a/../b', 'x'.repeat(513)])(
      '%s begins no key',
      async prefix => {
        await expect(keys(store.list(prefix))).rejects.toThrow(TypeError)
      },
    )
  })

  test('more than a page of objects', async () => {
    const all = Array.from({ length: 1100 }, (_, index) => `many/${String(index).padStart(5, '0')}`)
    for (let i = 0; i < all.length; i += 20)
      await Promise.all(all.slice(i, i + 20).map(key => store.write(key, Buffer.from('x'))))
    expect(await keys(store.list('many/'))).toEqual(all)
    expect(await keys(store.list('many/', { after: 'many/00050' }))).toEqual(all.slice(51))
  }, 60_000)

  describe('uploads', () => {
    test('become an object, over restarts', async () => {
      const upload = await store.startUpload()
      expect(upload).toMatchObject({ size: 0, modified: expect.any(Date) })
      const parts = [randomBytes(10), randomBytes(9 * MiB), randomBytes(1), randomBytes(MiB), randomBytes(8 * MiB)]
      const whole = Buffer.concat(parts)
      let size = 0
      for (const part of parts) {
        const after = await store.appendUpload(upload.id, size, pieces(part, 700_000))
        size += part.length
        expect(after).toMatchObject({ id: upload.id, size })
        await reopen()
        expect(await store.findUpload(upload.id)).toEqual(after)
        expect((await bytes(store.readUpload(upload.id))).equals(whole.subarray(0, size))).toBe(true)
      }
      expect(await keys(store.list(''))).toEqual([])
      const made = await store.finishUpload(upload.id, 'blobs/x')
      expect(made).toEqual(await store.stat('blobs/x'))
      expect(made.size).toBe(size)
      expect((await bytes(store.read('blobs/x'))).equals(whole)).toBe(true)
      expect(await gone(store, upload.id)).toBe(true)
    }, 60_000)

    test('of one part replace an object', async () => {
      await store.write('a', Buffer.from('before'))
      const { id } = await store.startUpload()
      await store.appendUpload(id, 0, chunks('af', 'ter'))
      await store.finishUpload(id, 'a')
      expect(await text(store.read('a'))).toBe('after')
    })

    test('may be empty', async () => {
      const { id } = await store.startUpload()
      expect(await store.appendUpload(id, 0, chunks())).toMatchObject({ size: 0 })
      expect(await text(store.readUpload(id))).toBe('')
      expect(await store.finishUpload(id, 'empty')).toMatchObject({ size: 0 })
      expect(await text(store.read('empty'))).toBe('')
      const other = await store.startUpload()
      await reopen()
      expect(await store.finishUpload(other.id, 'empty')).toMatchObject({ size: 0 })
      expect(await gone(store, other.id)).toBe(true)
    })

    test('go on only where they end', async () => {
      const { id } = await store.startUpload()
      await store.appendUpload(id, 0, chunks('12345'))
      for (const offset of [0, 4, 6, -1])
        await expect(store.appendUpload(id, offset, chunks('x'))).rejects.toEqual(new UploadOffsetError(id, offset, 5))
      expect(await text(store.readUpload(id))).toBe('12345')
      await store.abortUpload(id)
    })

    test('whose source throws go on from what was kept', async () => {
      for (const first of [randomBytes(5), randomBytes(9 * MiB)]) {
        const { id } = await store.startUpload()
        const why = Object.assign(new Error('gone'), { code: 'ENOENT', syscall: 'read' })
        await expect(store.appendUpload(id, 0, failing(why, first))).rejects.toBe(why)
        await reopen()
        const { size } = (await store.findUpload(id))!
        expect((await bytes(store.readUpload(id))).equals(first.subarray(0, size))).toBe(true)
        await store.appendUpload(id, size, pieces(first.subarray(size), MiB))
        await store.finishUpload(id, 'a')
        expect((await bytes(store.read('a'))).equals(first)).toBe(true)
      }
    }, 60_000)

    test('are listed, aborted, and unknown then', async () => {
      const made = []
      for (const body of ['', 'a', 'bc']) {
        const { id } = await store.startUpload()
        made.push(await store.appendUpload(id, 0, chunks(body)))
      }
      const byId = (one: { id: string }, other: { id: string }) => (one.id < other.id ? -1 : 1)
      expect((await Array.fromAsync(store.uploads())).sort(byId)).toEqual([...made].sort(byId))
      for (const { id } of made) {
        await store.abortUpload(id)
        expect(await gone(store, id)).toBe(true)
        await store.abortUpload(id)
      }
    })

    test('that are aborted while octets come', async () => {
      const { id } = await store.startUpload()
      const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      async function* slow(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('one')
        begun.resolve()
        await go.promise
        yield Buffer.from('two')
      }
      const appending = store.appendUpload(id, 0, slow())
      await begun.promise
      // One at a time.
      await expect(store.appendUpload(id, 0, chunks('x'))).rejects.toThrow(`upload ${id} is in use`)
      await expect(store.finishUpload(id, 'a')).rejects.toThrow(`upload ${id} is in use`)
      await store.abortUpload(id)
      go.resolve()
      await expect(appending).rejects.toEqual(new MissingUploadError(id))
      expect(await gone(store, id)).toBe(true)
    })

    test.each(['', '..', '../objects', 'x', '00000000-0000-0000-0000-00000000000', 'a/b'])('%j is none', async id => {
      await store.write('a', Buffer.from('x'))
      expect(await gone(store, id)).toBe(true)
      await store.abortUpload(id)
      expect(await keys(store.list(''))).toEqual(['a'])
    })

    test('of many octets, with little memory', async () => {
      const size = 48 * MiB
      const [hash, sent] = [createHash('sha256'), watch(heldInBuffers)]
      const { id } = await store.startUpload()
      await store.appendUpload(id, 0, sent.through(noise(size, hash)))
      expect(sent.most()).toBeLessThan(40 * MiB)
      await store.finishUpload(id, 'large')
      const read = createHash('sha256')
      for await (const chunk of await store.read('large')) read.update(chunk)
      expect(read.digest('hex')).toBe(hash.digest('hex'))
    }, 60_000)
  })
}

async function gone(store: ObjectStore, id: string): Promise<boolean> {
  const missing = new MissingUploadError(id)
  await expect(store.appendUpload(id, 0, chunks('x'))).rejects.toEqual(missing)
  await expect(store.readUpload(id)).rejects.toEqual(missing)
  await expect(store.finishUpload(id, 'never')).rejects.toEqual(missing)
  for await (const other of store.uploads()) if (other.id === id) return false
  return (await store.findUpload(id)) === null
}

export async function keys(list: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  return await Array.fromAsync(list, ({ key }) => key)
}

export async function bytes(reading: Promise<Readable>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync((await reading) as AsyncIterable<Buffer>))
}

export async function text(reading: Promise<Readable>): Promise<string> {
  return (await bytes(reading)).toString()
}

export async function* chunks(...all: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of all) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

async function* failing(why: Error, ...before: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  yield* chunks(...before)
  throw why
}

/** Lets others run between pieces, as sockets do. */
async function* pieces(whole: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.byteLength; at += size) {
    await setImmediate()
    yield whole.subarray(at, at + size)
  }
}

async function* noise(size: number, hash: { update(chunk: Uint8Array): unknown }): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0; ) {
    const chunk = randomBytes(Math.min(left, 64 * 1024))
    hash.update(chunk)
    left -= chunk.length
    yield chunk
  }
}

/** Looks now and then what buffers are held beyond those at its start. */
function watch(heldInBuffers: () => number) {
  const before = heldInBuffers()
  let most = 0
  return {
    async *through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      let seen = 0
      for await (const chunk of source) {
        yield chunk
        seen += chunk.byteLength
        if (seen < 4 * MiB) continue
        seen = 0
        most = Math.max(most, heldInBuffers() - before)
      }
    },
    most: () => most,
  }
}

function digest(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}
