// What every store promises of apps, of who may use them and of their settings.

import { describe, expect, test } from 'vitest'
import type { AppId } from '../../domain/app.ts'
import { fresh, newApp, newBuild, newCertificate, newUser, type SuiteStage } from './stage.ts'

export function appSuite(stage: SuiteStage): void {
  describe('apps', () => {
    test('come back as they were made, and change', async () => {
      const { id, owner, app } = await newApp(stage.store)
      expect(app).toEqual({
        uuid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
        id,
        owner,
        structure: { web: 1 },
        state: 'creating',
        created: expect.any(Date),
        updated: expect.any(Date),
      })
      expect(await stage.store.apps.find(id)).toEqual(app)
      await stage.store.apps.setStructure(id, { web: 2, __proto__: null, 'a-b': 0 } as never)
      await stage.store.apps.setState(id, 'ready')
      expect(await stage.store.apps.lockRow(id)).toMatchObject({ structure: { web: 2, 'a-b': 0 }, state: 'ready' })
      expect([await stage.store.apps.find('none'), await stage.store.apps.lockRow('none')]).toEqual([null, null])
    })

    test('are listed for those who may see them, in order, page by page', () =>
      stage.empty(async own => {
        for (const name of ['ann', 'bob']) await own.users.create(newUser(name))
        // Not the order of any language.
        const ids = ['b', 'a-b', 'ab', 'a', 'a1', 'c-creating', 'd-deleting'] as AppId[]
        for (const id of ids) {
          await own.apps.create({ id, owner: 'ann', structure: {} })
          if (id !== 'c-creating') await own.apps.setState(id, id === 'd-deleting' ? 'deleting' : 'ready')
        }
        await own.grants.add('ab' as AppId, 'bob')
        await own.grants.add('ab' as AppId, 'ann')
        await own.apps.create({ id: 'z' as AppId, owner: 'bob', structure: {} })
        await own.apps.setState('z' as AppId, 'ready')
        const list = async (user: string | null, limit = 100, offset = 0) => {
          const { count, results } = await own.apps.list(user, { limit, offset })
          return [count, ...results.map(app => app.id)]
        }
        expect(await list('ann')).toEqual([5, 'a', 'a-b', 'a1', 'ab', 'b'])
        expect(await list('bob')).toEqual([2, 'ab', 'z'])
        expect(await list('nobody')).toEqual([0])
        expect(await list(null)).toEqual([6, 'a', 'a-b', 'a1', 'ab', 'b', 'z'])
        expect(await list(null, 2)).toEqual([6, 'a', 'a-b'])
        expect(await list(null, 2, 4)).toEqual([6, 'b', 'z'])
        expect(await list(null, 2, 5)).toEqual([6, 'z'])
        expect(await list(null, 2, 6)).toEqual([6])
        expect(await list(null, 2, 60)).toEqual([6])
        expect((await own.apps.all()).map(app => app.id)).toEqual([...ids.toSorted(), 'z'])
        expect([await own.apps.ownedBy('ann'), await own.apps.ownedBy('nobody')]).toEqual([7, 0])
      }))

    test('are handed over with what the old owner made', async () => {
      const { id, owner, config, release } = await newApp(stage.store)
      const [heir, helper] = [fresh('user'), fresh('user')]
      for (const name of [heir, helper]) await stage.store.users.create(newUser(name))
      const builds = [
        await stage.store.builds.create(newBuild(id, owner)),
        await stage.store.builds.create(newBuild(id, helper)),
      ]
      await stage.store.releases.create(release)
      await stage.store.settings.put({
        app: id,
        owner,
        maintenance: false,
        routable: true,
        whitelist: [],
        autoscale: {},
        label: {},
      })
      await stage.store.tls.put({ app: id, owner, httpsEnforced: null })
      await stage.store.domains.create({ app: id, owner, domain: id })
      const other = await newApp(stage.store)
      await stage.store.apps.transfer(id, heir)
      expect([
        (await stage.store.apps.find(id))?.owner,
        (await stage.store.builds.find(id, builds[0]!.uuid))?.owner,
        (await stage.store.configs.find(id, config.uuid))?.owner,
        (await stage.store.releases.find(id, 1))?.owner,
        (await stage.store.settings.find(id)).owner,
        (await stage.store.tls.find(id)).owner,
        (await stage.store.domains.find(id))?.owner,
      ]).toEqual(Array(7).fill(heir))
      expect((await stage.store.builds.find(id, builds[1]!.uuid))?.owner).toBe(helper)
      expect((await stage.store.apps.find(other.id))?.owner).toBe(other.owner)
      await stage.store.users.delete(owner)
    })

    test('go with all that they have, certificates stay', async () => {
      const { id, owner, config, release } = await newApp(stage.store)
      const build = await stage.store.builds.create(newBuild(id, owner))
      await stage.store.releases.create({ ...release, build: build.uuid })
      await stage.store.domains.create({ app: id, owner, domain: id })
      const { name } = await stage.store.certificates.create(newCertificate(owner, fresh('cert')))
      await stage.store.domains.attach(id, name)
      await stage.store.grants.add(id, owner)
      await stage.store.apps.delete(id)
      await stage.store.apps.delete(id)
      expect([
        await stage.store.apps.find(id),
        await stage.store.builds.find(id, build.uuid),
        await stage.store.configs.find(id, config.uuid),
        await stage.store.releases.find(id, 1),
        await stage.store.domains.find(id),
      ]).toEqual([null, null, null, null, null])
      expect(await stage.store.certificates.find(owner, name)).toMatchObject({ domains: [] })
      expect(await stage.store.grants.has(id, owner)).toBe(false)
    })
  })

  test('grants', async () => {
    const { id, owner } = await newApp(stage.store)
    const users = [fresh('z'), fresh('a')]
    for (const name of users) {
      await stage.store.users.create(newUser(name))
      await stage.store.grants.add(id, name)
      await stage.store.grants.add(id, name)
    }
    expect(await stage.store.grants.users(id)).toEqual(users.toReversed())
    expect([await stage.store.grants.has(id, users[0]!), await stage.store.grants.has(id, owner)]).toEqual([
      true,
      false,
    ])
    expect([await stage.store.grants.remove(id, users[0]!), await stage.store.grants.remove(id, users[0]!)]).toEqual([
      true,
      false,
    ])
    expect(await stage.store.grants.users(id)).toEqual([users[1]])
  })

  test('settings and TLS: one row an app, replaced', async () => {
    const { id, owner } = await newApp(stage.store)
    const settings = { app: id, owner, maintenance: true, routable: false, whitelist: ['10.0.0.0/8'], label: { a: '' } }
    const first = await stage.store.settings.put({
      ...settings,
      autoscale: { web: { min: 1, max: 2, cpu_percent: 3 } },
    })
    expect(first).toMatchObject({ ...settings, autoscale: { web: { min: 1, max: 2, cpu_percent: 3 } } })
    const second = await stage.store.settings.put({ ...settings, maintenance: false, autoscale: {} })
    expect(await stage.store.settings.find(id)).toEqual(second)
    expect(second).toMatchObject({ maintenance: false, created: first.created })
    expect(second.uuid).not.toBe(first.uuid)
    const tls = await stage.store.tls.put({ app: id, owner, httpsEnforced: null })
    expect(tls.httpsEnforced).toBeNull()
    for (const httpsEnforced of [true, false]) await stage.store.tls.put({ app: id, owner, httpsEnforced })
    expect(await stage.store.tls.find(id)).toMatchObject({ httpsEnforced: false, created: tls.created })
    const none = (await newApp(stage.store)).id
    await expect(stage.store.settings.find(none)).rejects.toThrow(`${none} has no settings`)
    await expect(stage.store.tls.find(none)).rejects.toThrow(`${none} has no TLS settings`)
  })
}
