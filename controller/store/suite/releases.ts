// What every store promises of builds, configs and releases.

import { describe, expect, test } from 'vitest'
import { all, newApp, newBuild, type SuiteStage } from './stage.ts'

export function releaseSuite(stage: SuiteStage): void {
  test('builds, the newest first', async () => {
    const { id, owner } = await newApp(stage.store)
    const made = []
    for (let i = 0; i < 3; i++) made.push(await stage.store.builds.create({ ...newBuild(id, owner), sha: String(i) }))
    expect(made[0]).toMatchObject({ ...newBuild(id, owner), sha: '0' })
    // Keys keep their order.
    expect(Object.keys(made[0]!.procfile)).toEqual(['web', 'a'])
    expect(await stage.store.builds.list(id, all)).toEqual({ count: 3, results: made.toReversed() })
    expect(await stage.store.builds.list(id, { limit: 1, offset: 1 })).toEqual({ count: 3, results: [made[1]] })
    expect(await stage.store.builds.find((await newApp(stage.store)).id, made[0]!.uuid)).toBeNull()
  })

  test('configs', async () => {
    const { id, owner } = await newApp(stage.store)
    const maps = {
      values: { Z: '1', A: '' },
      memory: { web: '64M' },
      cpu: { web: '0.5' },
      tags: { zone: 'a' },
      registry: { username: 'u' },
      healthcheck: { 'web/cmd': { livenessProbe: { httpGet: { port: 80 } } } },
    }
    const made = await stage.store.configs.create({ ...maps, app: id, owner })
    expect(made).toEqual({
      ...maps,
      uuid: expect.any(String),
      app: id,
      owner,
      created: expect.any(Date),
      updated: expect.any(Date),
    })
    expect(await stage.store.configs.find(id, made.uuid)).toEqual(made)
    expect(await stage.store.configs.find(id, 'none')).toBeNull()
  })

  describe('releases', () => {
    test('count from 1, and failed ones count', async () => {
      const { id, release } = await newApp(stage.store)
      const states = ['succeeded', 'failed', 'succeeded', 'failed', 'deploying'] as const
      const made = []
      for (const state of states) made.push(await stage.store.releases.create({ ...release, state }))
      expect(made.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5])
      expect(await stage.store.releases.find(id, 4)).toEqual(made[3])
      expect([await stage.store.releases.find(id, 6), await stage.store.releases.find(id, 1e12)]).toEqual([null, null])
      expect((await stage.store.releases.current(id))?.version).toBe(3)
      expect((await stage.store.releases.before(id, 3))?.version).toBe(1)
      expect(await stage.store.releases.before(id, 1)).toBeNull()
      expect((await stage.store.releases.list(id, { limit: 2, offset: 1 })).results.map(r => r.version)).toEqual([4, 3])
      await stage.store.releases.finish(made[4]!.uuid, 'succeeded')
      expect(await stage.store.releases.current(id)).toMatchObject({ version: 5, summary: 's' })
      await stage.store.releases.finish(made[4]!.uuid, 'failed', 'which failed')
      expect(await stage.store.releases.find(id, 5)).toMatchObject({ state: 'failed', summary: 'which failed' })
    })

    test('unfinished ones of all apps', () =>
      stage.empty(async own => {
        for (const id of ['b', 'a']) {
          const { release } = await newApp(own, id)
          await own.releases.create(release)
          await own.releases.create({ ...release, state: 'deploying' })
        }
        expect((await own.releases.unfinished()).map(({ app, version }) => `${app} ${version}`)).toEqual(['a 2', 'b 2'])
      }))

    test('know what the app goes back to, until they have ended', () =>
      stage.empty(async own => {
        const { release } = await newApp(own)
        const formerStructure = { web: 3, worker: 0 }
        const made = await own.releases.create({ ...release, state: 'deploying', formerStructure })
        await own.releases.create({ ...release, state: 'deploying' })
        const former = async () => (await own.releases.unfinished()).map(each => each.formerStructure)
        expect(await former()).toEqual([formerStructure, null])
        await own.releases.finish(made.uuid, 'succeeded')
        expect(await former()).toEqual([null])
      }))

    test('made at once without a lock have no gaps', async () => {
      const { id, release } = await newApp(stage.store)
      const made = await Promise.all(Array.from({ length: 6 }, () => stage.store.releases.create(release)))
      expect(made.map(({ version }) => version).toSorted()).toEqual([1, 2, 3, 4, 5, 6])
      const inside = Array.from({ length: 4 }, () => stage.store.transaction(rows => rows.releases.create(release)))
      await Promise.all(inside)
      expect((await stage.store.releases.list(id, all)).results.map(r => r.version)).toEqual([
        10, 9, 8, 7, 6, 5, 4, 3, 2, 1,
      ])
    })
  })
}
