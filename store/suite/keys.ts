// What every store takes for a key.

import { describe, expect, test } from 'vitest'
import { keys, text } from './octets.ts'
import type { StoreStage } from './stage.ts'

export function keySuite(stage: StoreStage): void {
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
      await stage.store.write(key, Buffer.from(key))
      expect(await stage.store.stat(key)).toMatchObject({ key, size: key.length })
      expect(await text(stage.store.read(key))).toBe(key)
      expect(await keys(stage.store.list(''))).toEqual([key])
      expect(await keys(stage.store.list(key))).toEqual([key])
      await stage.store.copy(key, 'copy/of/it')
      expect(await stage.store.delete(key)).toBe(true)
      expect(await keys(stage.store.list(''))).toEqual(['copy/of/it'])
    })

    test('those that differ only in capitals', async () => {
      const all = ['Tags/V1', 'Tags/v1', 'tags/V1', 'tags/v1']
      for (const key of all) await stage.store.write(key, Buffer.from(key))
      for (const key of all) expect(await text(stage.store.read(key))).toBe(key)
      expect(await keys(stage.store.list(''))).toEqual(all)
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
      await stage.store.write('a', Buffer.from('x'))
      const upload = await stage.store.startUpload()
      for (const use of [
        () => stage.store.stat(key),
        () => stage.store.read(key),
        () => stage.store.write(key, Buffer.from('x')),
        () => stage.store.delete(key),
        () => stage.store.copy('a', key),
        () => stage.store.copy(key, 'a'),
        () => stage.store.finishUpload(upload.id, key),
      ])
        await expect(use()).rejects.toThrow(TypeError)
      expect(await keys(stage.store.list(''))).toEqual(['a'])
      await stage.store.abortUpload(upload.id)
    })
  })
}
