// What every store promises of keys that requests are repeated with.

import { describe, expect, test } from 'vitest'
import { newApp, type SuiteStage } from './stage.ts'

export function idempotencySuite(stage: SuiteStage): void {
  describe('idempotency keys', () => {
    const claimed = { kind: 'claimed' }

    test('one request claims a key, the others hear of it', async () => {
      const { owner } = await newApp(stage.store)
      const claims = await Promise.all(Array.from({ length: 6 }, () => stage.store.idempotency.claim(owner, 'k', 'r')))
      expect(claims.filter(({ kind }) => kind === 'claimed')).toHaveLength(1)
      expect(claims.find(({ kind }) => kind === 'kept')).toEqual({ kind: 'kept', request: 'r', answer: null })
      await stage.store.idempotency.answer(owner, 'k', 201, '{"a":1}')
      const kept = { kind: 'kept', request: 'r', answer: { status: 201, body: '{"a":1}' } }
      expect(await stage.store.idempotency.claim(owner, 'k', 'other')).toEqual(kept)
      await stage.store.idempotency.release(owner, 'k')
      expect(await stage.store.idempotency.claim(owner, 'k', 'r')).toEqual(kept)
      expect(await stage.store.idempotency.claim((await newApp(stage.store)).owner, 'k', 'r')).toEqual(claimed)
    })

    test('a claim can be given up, once it is one', async () => {
      const { owner } = await newApp(stage.store)
      await stage.store.idempotency.release(owner, 'k')
      await stage.store.idempotency.claim(owner, 'k', 'r')
      expect((await stage.store.idempotency.claim(owner, 'k', 'r')).kind).toBe('kept')
      await stage.store.idempotency.release(owner, 'k')
      expect(await stage.store.idempotency.claim(owner, 'k', 'r')).toEqual(claimed)
    })

    test('a day later it is another', async () => {
      let time = Date.parse('2026-01-01T00:00:00Z')
      const hour = 3_600_000
      await stage.empty(
        async own => {
          const { owner } = await newApp(own)
          await own.idempotency.claim(owner, 'old', 'r')
          await own.idempotency.answer(owner, 'old', 200, '')
          time += 24 * hour
          expect((await own.idempotency.claim(owner, 'old', 'r')).kind).toBe('kept')
          time += 1
          expect(await own.idempotency.claim(owner, 'old', 'r')).toEqual(claimed)
          await own.idempotency.claim(owner, 'answered', 'r')
          await own.idempotency.answer(owner, 'answered', 200, '')
          await own.idempotency.sweep()
          for (const key of ['old', 'answered'])
            expect((await own.idempotency.claim(owner, key, 'r')).kind).toBe('kept')
          time += 24 * hour + 1
          await own.idempotency.sweep()
          await own.idempotency.answer(owner, 'answered', 500, 'not there')
          expect(await own.idempotency.claim(owner, 'answered', 'r')).toEqual(claimed)
        },
        { wallClock: () => time },
      )
    })
  })
}
