// What every store promises of objects: they are there as a whole, or not at all.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { MissingObjectError } from '../store.ts'
import { bytes, chunks, digest, failing, keys, MiB, noise, pieces, text, watch } from './octets.ts'
import type { StoreStage } from './stage.ts'

export function objectSuite(stage: StoreStage): void {
  describe('objects', () => {
    test('what is written is there, after a restart too', async () => {
      const written = await stage.store.write('blobs/one', Buffer.from('some octets'))
      expect(written).toEqual({ key: 'blobs/one', size: 11, modified: expect.any(Date) })
      // Within what clocks of file systems and servers are apart from ours.
      expect(Math.abs(written.modified.getTime() - Date.now())).toBeLessThan(60_000)
      for (const _ of ['now', 'later']) {
        expect(await stage.store.stat('blobs/one')).toEqual(written)
        expect(await text(stage.store.read('blobs/one'))).toBe('some octets')
        expect(await Array.fromAsync(stage.store.list(''))).toEqual([written])
        await stage.reopen()
      }
    })

    test('what is not there', async () => {
      await stage.store.write('there/is/one', Buffer.from('x'))
      for (const key of ['none', 'there', 'there/is', 'there/is/none', 'none/at/all']) {
        expect(await stage.store.stat(key), key).toBeNull()
        expect(await stage.store.delete(key), key).toBe(false)
        for (const range of [undefined, { start: 0, end: 1 }, { start: 5, end: 5 }])
          await expect(stage.store.read(key, range), key).rejects.toEqual(new MissingObjectError(key))
        await expect(stage.store.copy(key, 'copy'), key).rejects.toEqual(new MissingObjectError(key))
      }
      expect(await keys(stage.store.list(''))).toEqual(['there/is/one'])
    })

    test('an empty one', async () => {
      for (const source of [Buffer.alloc(0), chunks(), chunks('', '')]) {
        expect(await stage.store.write('empty', source)).toMatchObject({ size: 0 })
        expect(await text(stage.store.read('empty'))).toBe('')
        expect(await text(stage.store.read('empty', { start: 0, end: 10 }))).toBe('')
      }
      await stage.store.copy('empty', 'copy')
      expect(await stage.store.stat('copy')).toMatchObject({ size: 0 })
    })

    test('one is replaced as a whole', async () => {
      await stage.store.write('a', Buffer.from('the first, which is longer'))
      await stage.store.write('a', chunks('the ', 'second'))
      expect(await text(stage.store.read('a'))).toBe('the second')
      expect(await stage.store.stat('a')).toMatchObject({ size: 10 })
    })

    test('deleted', async () => {
      await stage.store.write('a/b/c', Buffer.from('x'))
      await stage.store.write('a/b/d', Buffer.from('y'))
      expect(await stage.store.delete('a/b/c')).toBe(true)
      expect(await stage.store.delete('a/b/c')).toBe(false)
      expect(await keys(stage.store.list(''))).toEqual(['a/b/d'])
      expect(await stage.store.delete('a/b/d')).toBe(true)
      // What was a folder may be an object.
      await stage.store.write('a', Buffer.from('z'))
      expect(await keys(stage.store.list(''))).toEqual(['a'])
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
      await stage.store.write('digits', Buffer.from('0123456789'))
      expect(await text(stage.store.read('digits', { start, end }))).toBe(want)
    })

    test.each([
      [-1, 3],
      [3, 2],
      [0.5, 2],
      [0, Number.NaN],
    ])('from %d to %d is no range', async (start, end) => {
      await stage.store.write('digits', Buffer.from('0123456789'))
      await expect(stage.store.read('digits', { start, end })).rejects.toThrow(RangeError)
    })

    test('a source that throws changes nothing', async () => {
      await stage.store.write('a', Buffer.from('before'))
      // Like one that the system throws.
      const why = Object.assign(new Error('gone'), { code: 'ENOSPC', syscall: 'read' })
      for (const before of [[], ['some'], [randomBytes(6 * MiB), randomBytes(6 * MiB)]])
        for (const key of ['a', 'new/one'])
          await expect(stage.store.write(key, failing(why, ...before))).rejects.toBe(why)
      expect(await text(stage.store.read('a'))).toBe('before')
      expect(await keys(stage.store.list(''))).toEqual(['a'])
    })

    test('who copies has both', async () => {
      await stage.store.write('a', Buffer.from('x'))
      await stage.store.write('b/c', Buffer.from('replaced'))
      await stage.store.copy('a', 'b/c')
      await stage.store.copy('a', 'a')
      await stage.store.write('a', Buffer.from('y'))
      expect(await text(stage.store.read('b/c'))).toBe('x')
      await stage.store.delete('a')
      expect(await text(stage.store.read('b/c'))).toBe('x')
    })

    test('a reader gets what it began with, or an error', async () => {
      const [first, second] = [randomBytes(4 * MiB), randomBytes(4 * MiB)]
      await stage.store.write('a', first)
      for (const change of [() => stage.store.write('a', second), () => stage.store.delete('a')]) {
        const before = digest(await bytes(stage.store.read('a')))
        const reader = await stage.store.read('a')
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
      await stage.store.write('a', randomBytes(MiB))
      for (let i = 0; i < 20; i++) {
        const reader = await stage.store.read('a')
        reader.on('error', () => {}).destroy()
        await once(reader, 'close')
      }
      expect((await bytes(stage.store.read('a'))).length).toBe(MiB)
    })

    test('of many writers of a key one is the last, and readers never see a mixture', async () => {
      const bodies = Array.from({ length: 8 }, (_, index) => Buffer.alloc(300_000 + index, index))
      await stage.store.write('a', bodies[0]!)
      let writing = true
      const reading = Promise.all(
        Array.from({ length: 2 }, async () => {
          while (writing) {
            const got = await bytes(stage.store.read('a'))
            expect(got.equals(bodies[got[0]!]!)).toBe(true)
          }
        }),
      )
      for (let round = 0; round < 3; round++)
        await Promise.all(bodies.map(body => stage.store.write('a', pieces(body, 100_000))))
      writing = false
      await reading
      const last = await bytes(stage.store.read('a'))
      expect(last.equals(bodies[last[0]!]!)).toBe(true)
    })

    test('writes beside deletes in the same folder', async () => {
      for (let round = 0; round < 10; round++) {
        await stage.store.write('deep/er/old', Buffer.from('old'))
        await Promise.all([
          stage.store.delete('deep/er/old'),
          stage.store.write('deep/er/new', Buffer.from('new')),
          stage.store.write('deep/other/new', Buffer.from('new')),
        ])
        expect(await keys(stage.store.list('deep/'))).toEqual(['deep/er/new', 'deep/other/new'])
        await Promise.all([stage.store.delete('deep/er/new'), stage.store.delete('deep/other/new')])
      }
    })

    test('large ones, with little memory', async () => {
      const size = 64 * MiB
      const [hash, sent] = [createHash('sha256'), watch(stage.heldInBuffers)]
      const written = await stage.store.write('large', sent.through(noise(size, hash)))
      expect(written.size).toBe(size)
      const want = hash.digest('hex')
      // Three buffers of 8 MiB would do; 64 MiB would be all of it.
      expect(sent.most()).toBeLessThan(40 * MiB)
      await stage.store.copy('large', 'copy')
      const [read, received] = [createHash('sha256'), watch(stage.heldInBuffers)]
      for await (const chunk of received.through(await stage.store.read('copy'))) read.update(chunk)
      expect(read.digest('hex')).toBe(want)
      expect(received.most()).toBeLessThan(40 * MiB)
    }, 60_000)
  })
}
