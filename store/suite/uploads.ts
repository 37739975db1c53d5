// What every store promises of uploads.

import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { MissingUploadError, type ObjectStore, UploadOffsetError } from '../store.ts'
import { bytes, chunks, failing, keys, MiB, noise, pieces, text, watch } from './octets.ts'
import type { StoreStage } from './stage.ts'

export function uploadSuite(stage: StoreStage): void {
  describe('uploads', () => {
    test('become an object, over restarts', async () => {
      const upload = await stage.store.startUpload()
      expect(upload).toMatchObject({ size: 0, modified: expect.any(Date) })
      const parts = [randomBytes(10), randomBytes(9 * MiB), randomBytes(1), randomBytes(MiB), randomBytes(8 * MiB)]
      const whole = Buffer.concat(parts)
      let size = 0
      for (const part of parts) {
        const after = await stage.store.appendUpload(upload.id, size, pieces(part, 700_000))
        size += part.length
        expect(after).toMatchObject({ id: upload.id, size })
        await stage.reopen()
        expect(await stage.store.findUpload(upload.id)).toEqual(after)
        expect((await bytes(stage.store.readUpload(upload.id))).equals(whole.subarray(0, size))).toBe(true)
      }
      expect(await keys(stage.store.list(''))).toEqual([])
      const made = await stage.store.finishUpload(upload.id, 'blobs/x')
      expect(made).toEqual(await stage.store.stat('blobs/x'))
      expect(made.size).toBe(size)
      expect((await bytes(stage.store.read('blobs/x'))).equals(whole)).toBe(true)
      expect(await gone(stage.store, upload.id)).toBe(true)
    }, 60_000)

    test('of one part replace an object', async () => {
      await stage.store.write('a', Buffer.from('before'))
      const { id } = await stage.store.startUpload()
      await stage.store.appendUpload(id, 0, chunks('af', 'ter'))
      await stage.store.finishUpload(id, 'a')
      expect(await text(stage.store.read('a'))).toBe('after')
    })

    test('may be empty', async () => {
      const { id } = await stage.store.startUpload()
      expect(await stage.store.appendUpload(id, 0, chunks())).toMatchObject({ size: 0 })
      expect(await text(stage.store.readUpload(id))).toBe('')
      expect(await stage.store.finishUpload(id, 'empty')).toMatchObject({ size: 0 })
      expect(await text(stage.store.read('empty'))).toBe('')
      const other = await stage.store.startUpload()
      await stage.reopen()
      expect(await stage.store.finishUpload(other.id, 'empty')).toMatchObject({ size: 0 })
      expect(await gone(stage.store, other.id)).toBe(true)
    })

    test('go on only where they end', async () => {
      const { id } = await stage.store.startUpload()
      await stage.store.appendUpload(id, 0, chunks('12345'))
      for (const offset of [0, 4, 6, -1])
        await expect(stage.store.appendUpload(id, offset, chunks('x'))).rejects.toEqual(
          new UploadOffsetError(id, offset, 5),
        )
      expect(await text(stage.store.readUpload(id))).toBe('12345')
      await stage.store.abortUpload(id)
    })

    test('whose source throws go on from what was kept', async () => {
      for (const first of [randomBytes(5), randomBytes(9 * MiB)]) {
        const { id } = await stage.store.startUpload()
        const why = Object.assign(new Error('gone'), { code: 'ENOENT', syscall: 'read' })
        await expect(stage.store.appendUpload(id, 0, failing(why, first))).rejects.toBe(why)
        await stage.reopen()
        const { size } = (await stage.store.findUpload(id))!
        expect((await bytes(stage.store.readUpload(id))).equals(first.subarray(0, size))).toBe(true)
        await stage.store.appendUpload(id, size, pieces(first.subarray(size), MiB))
        await stage.store.finishUpload(id, 'a')
        expect((await bytes(stage.store.read('a'))).equals(first)).toBe(true)
      }
    }, 60_000)

    test('are listed, aborted, and unknown then', async () => {
      const made = []
      for (const body of ['', 'a', 'bc']) {
        const { id } = await stage.store.startUpload()
        made.push(await stage.store.appendUpload(id, 0, chunks(body)))
      }
      const byId = (one: { id: string }, other: { id: string }) => (one.id < other.id ? -1 : 1)
      expect((await Array.fromAsync(stage.store.uploads())).sort(byId)).toEqual([...made].sort(byId))
      for (const { id } of made) {
        await stage.store.abortUpload(id)
        expect(await gone(stage.store, id)).toBe(true)
        await stage.store.abortUpload(id)
      }
    })

    test('that are aborted while octets come', async () => {
      const { id } = await stage.store.startUpload()
      const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      async function* slow(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('one')
        begun.resolve()
        await go.promise
        yield Buffer.from('two')
      }
      const appending = stage.store.appendUpload(id, 0, slow())
      await begun.promise
      // One at a time.
      await expect(stage.store.appendUpload(id, 0, chunks('x'))).rejects.toThrow(`upload ${id} is in use`)
      await expect(stage.store.finishUpload(id, 'a')).rejects.toThrow(`upload ${id} is in use`)
      await stage.store.abortUpload(id)
      go.resolve()
      await expect(appending).rejects.toEqual(new MissingUploadError(id))
      expect(await gone(stage.store, id)).toBe(true)
    })

    test.each(['', '..', '../objects', 'x', '00000000-0000-0000-0000-00000000000', 'a/b'])('%j is none', async id => {
      await stage.store.write('a', Buffer.from('x'))
      expect(await gone(stage.store, id)).toBe(true)
      await stage.store.abortUpload(id)
      expect(await keys(stage.store.list(''))).toEqual(['a'])
    })

    test('of many octets, with little memory', async () => {
      const size = 48 * MiB
      const [hash, sent] = [createHash('sha256'), watch(stage.heldInBuffers)]
      const { id } = await stage.store.startUpload()
      await stage.store.appendUpload(id, 0, sent.through(noise(size, hash)))
      expect(sent.most()).toBeLessThan(40 * MiB)
      await stage.store.finishUpload(id, 'large')
      const read = createHash('sha256')
      for await (const chunk of await stage.store.read('large')) read.update(chunk)
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
