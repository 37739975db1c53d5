// What every store promises of transactions.

import { describe, expect, test } from 'vitest'
import { noConfig } from '../../domain/config.ts'
import { fresh, newApp, newUser, type SuiteStage } from './stage.ts'

export function transactionSuite(stage: SuiteStage): void {
  describe('transactions', () => {
    test('are undone when they throw', async () => {
      const { id, owner } = await newApp(stage.store)
      const why = new Error('no')
      const failing = stage.store.transaction(async rows => {
        await rows.apps.setStructure(id, { web: 9 })
        await rows.domains.create({ app: id, owner, domain: id })
        expect(await rows.domains.find(id)).not.toBeNull()
        throw why
      })
      await expect(failing).rejects.toBe(why)
      expect(await stage.store.domains.find(id)).toBeNull()
      expect((await stage.store.apps.find(id))?.structure).toEqual({ web: 1 })
    })

    test('give back what their work gives', async () => {
      expect(await stage.store.transaction(async () => 42)).toBe(42)
    })

    test('eight clients that change one app under its lock lose nothing', async () => {
      const { id, owner } = await newApp(stage.store)
      const change = async (client: number) => {
        for (let i = 0; i < 5; i++) {
          await stage.store.transaction(async rows => {
            const app = await rows.apps.lockRow(id)
            const before = await rows.releases.current(id)
            const values = before === null ? {} : (await rows.configs.find(id, before.config))!.values
            await rows.apps.setStructure(id, { web: app!.structure.web! + 1 })
            const config = await rows.configs.create({
              ...noConfig,
              values: { ...values, [`KEY_${client}_${i}`]: 'x' },
              app: id,
              owner,
            })
            await rows.releases.create({
              app: id,
              owner,
              summary: '',
              config: config.uuid,
              build: null,
              state: 'succeeded',
            })
          })
        }
      }
      await Promise.all(Array.from({ length: 8 }, (_, client) => change(client)))
      expect((await stage.store.apps.find(id))?.structure).toEqual({ web: 41 })
      const current = await stage.store.releases.current(id)
      expect(current?.version).toBe(40)
      expect(Object.keys((await stage.store.configs.find(id, current!.config))!.values)).toHaveLength(40)
    })

    test('end with what was thrown inside, even if it was caught', async () => {
      const { id, owner } = await newApp(stage.store)
      const taken = stage.store.transaction(async rows => {
        await rows.domains.create({ app: id, owner, domain: id })
        await rows.domains.create({ app: id, owner, domain: id }).catch(() => {})
      })
      await expect(taken).rejects.toThrow('failed already')
      expect(await stage.store.domains.find(id)).toBeNull()
      expect(await stage.store.transaction(rows => rows.domains.create({ app: id, owner, domain: id }))).toMatchObject({
        app: id,
      })
    })

    test('take part in what is a transaction by itself', async () => {
      const { id } = await newApp(stage.store)
      const heir = fresh('user')
      const why = new Error('no')
      const failing = stage.store.transaction(async rows => {
        await rows.users.create(newUser(heir, true))
        await rows.apps.transfer(id, heir)
        throw why
      })
      await expect(failing).rejects.toBe(why)
      expect(await stage.store.users.find(heir)).toBeNull()
    })

    test('do not let the store itself be used inside, which might wait for them', async () => {
      const { id } = await newApp(stage.store)
      let later: Promise<unknown> = Promise.resolve()
      const go = Promise.withResolvers<void>()
      await stage.store.transaction(async rows => {
        await expect(stage.store.apps.find(id)).rejects.toThrow('only its own rows')
        await expect(stage.store.transaction(async () => {})).rejects.toThrow('only its own rows')
        later = go.promise.then(() => stage.store.apps.find(id))
        expect(await rows.apps.find(id)).not.toBeNull()
      })
      go.resolve()
      expect(await later).not.toBeNull()
    })

    test('are not seen outside before they end', async () => {
      const { id, owner } = await newApp(stage.store)
      const seen = Promise.withResolvers<unknown>()
      const written = Promise.withResolvers<void>()
      const work = stage.store.transaction(async rows => {
        await rows.domains.create({ app: id, owner, domain: id })
        written.resolve()
        throw await Promise.race([seen.promise, new Promise(resolve => setImmediate(resolve, 'on its way'))])
      })
      await written.promise
      // On SQLite it waits for the end; on PostgreSQL it need not.
      stage.store.domains.find(id).then(seen.resolve)
      await work.catch(() => {})
      expect(await seen.promise).toBeNull()
    })
  })
}
