// What every store promises of lists.

import { beforeEach, describe, expect, test } from 'vitest'
import { keys } from './octets.ts'
import type { StoreStage } from './stage.ts'

export function listSuite(stage: StoreStage): void {
  describe('lists', () => {
    const all = ['Z', 'a-b', 'a.b/c', 'a/b', 'a/c/1', 'a/c/2', 'a/c0', 'a0', 'aa', 'b/x', 'b:y', 'b@', 'b_']
    beforeEach(async () => {
      for (const key of all.toReversed()) await stage.store.write(key, Buffer.from(key))
    })

    test('are in the order of octets', async () => {
      expect([...all].sort()).toEqual(all)
      expect(await keys(stage.store.list(''))).toEqual(all)
      for await (const { key, size } of stage.store.list('')) expect(size).toBe(key.length)
    })

    test.each(['a', 'a/', 'a/c', 'a/c/', 'a/c/1', 'a/c/1/', 'b', 'b:', 'none', 'none/at', 'a.', '.', 'Z/'])(
      'of %s',
      async prefix => {
        expect(await keys(stage.store.list(prefix))).toEqual(all.filter(key => key.startsWith(prefix)))
      },
    )

    test('go on after any key', async () => {
      for (const prefix of ['', 'a', 'a/', 'a/c', 'b'])
        for (const after of [...all, '', '!', 'a', 'a/', 'a/c', 'a/c/', 'a/d', 'b', 'zz', '~'])
          expect(await keys(stage.store.list(prefix, { after })), `${prefix} after ${after}`).toEqual(
            all.filter(key => key.startsWith(prefix) && key > after),
          )
    })

    test('may be left early', async () => {
      for await (const { key } of stage.store.list('')) if (key === 'a/b') break
      expect(await keys(stage.store.list('b'))).toEqual(all.filter(key => key.startsWith('b')))
    })

    test('show nothing of what is deleted under way twice or out of order', async () => {
      const seen: string[] = []
      for await (const { key } of stage.store.list('')) {
        seen.push(key)
        await stage.store.delete(key)
      }
      expect(seen).toEqual(all)
      expect(await keys(stage.store.list(''))).toEqual([])
    })

    test.each(['/', 'a//', '../', './', 'a/../', 'ä', '!', 'a/../b', 'x'.repeat(513)])(
      '%s begins no key',
      async prefix => {
        await expect(keys(stage.store.list(prefix))).rejects.toThrow(TypeError)
      },
    )
  })

  test('more than a page of objects', async () => {
    const all = Array.from({ length: 1100 }, (_, index) => `many/${String(index).padStart(5, '0')}`)
    for (let i = 0; i < all.length; i += 20)
      await Promise.all(all.slice(i, i + 20).map(key => stage.store.write(key, Buffer.from('x'))))
    expect(await keys(stage.store.list('many/'))).toEqual(all)
    expect(await keys(stage.store.list('many/', { after: 'many/00050' }))).toEqual(all.slice(51))
  }, 60_000)
}
