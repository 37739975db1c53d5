// What every store promises of locks.

import { describe, expect, test } from 'vitest'
import { fresh, newApp, type SuiteStage } from './stage.ts'

export function lockSuite(stage: SuiteStage): void {
  describe('locks', () => {
    const patient = new AbortController().signal

    test('have one holder', async () => {
      const name = fresh('lock')
      const lock = await stage.store.locks.tryTake(name)
      expect(lock?.lost.aborted).toBe(false)
      expect(await stage.store.locks.tryTake(name)).toBeNull()
      await using other = await stage.store.locks.tryTake(fresh('lock'))
      expect(other).not.toBeNull()
      await lock![Symbol.asyncDispose]()
      await lock![Symbol.asyncDispose]()
      await using again = await stage.store.locks.tryTake(name)
      expect(again).not.toBeNull()
    })

    test('go to those who wait, in order', async () => {
      const name = fresh('lock')
      const order: number[] = []
      const first = await stage.store.locks.take(name, patient)
      const others = [1, 2, 3].map(async number => {
        await using _ = await stage.store.locks.take(name, patient)
        order.push(number)
      })
      await first[Symbol.asyncDispose]()
      await Promise.all(others)
      expect(order).toEqual([1, 2, 3])
    })

    test('who gives up does not get it, and does not keep it from others', async () => {
      const name = fresh('lock')
      const why = new Error('enough')
      await expect(stage.store.locks.take(name, AbortSignal.abort(why))).rejects.toBe(why)
      const first = await stage.store.locks.take(name, patient)
      const impatient = new AbortController()
      const waiting = stage.store.locks.take(name, impatient.signal)
      const next = stage.store.locks.take(name, patient)
      impatient.abort(why)
      await expect(waiting).rejects.toBe(why)
      await first[Symbol.asyncDispose]()
      await (await next)[Symbol.asyncDispose]()
      await using free = await stage.store.locks.tryTake(name)
      expect(free).not.toBeNull()
    })

    test('eight that increment under one lose nothing', async () => {
      const name = fresh('lock')
      const { id } = await newApp(stage.store)
      const increment = async () => {
        for (let i = 0; i < 3; i++) {
          await using _ = await stage.store.locks.take(name, patient)
          const app = await stage.store.apps.find(id)
          await stage.store.apps.setStructure(id, { web: app!.structure.web! + 1 })
        }
      }
      await Promise.all(Array.from({ length: 8 }, increment))
      expect((await stage.store.apps.find(id))?.structure).toEqual({ web: 25 })
    })

    test('may be taken inside a transaction', async () => {
      const name = fresh('lock')
      await stage.store.transaction(async () => {
        await using lock = await stage.store.locks.tryTake(name)
        expect(lock).not.toBeNull()
      })
    })

    test('those who wait are sent away when the store closes', () =>
      stage.empty(async own => {
        const name = fresh('lock')
        await own.locks.take(name, patient)
        const waiting = own.locks.take(name, patient)
        const refused = expect(waiting).rejects.toThrow('the store is closed')
        await own.close()
        await refused
        await expect(own.locks.tryTake(name)).rejects.toThrow('the store is closed')
      }))
  })
}
