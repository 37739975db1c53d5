// What no store takes.

import { describe, expect, test } from 'vitest'
import type { AppId } from '../../domain/app.ts'
import { noConfig } from '../../domain/config.ts'
import { GoneError, TakenError } from '../store.ts'
import { fresh, newApp, newCertificate, newUser, type SuiteStage } from './stage.ts'

export function refusalSuite(stage: SuiteStage): void {
  describe('what is unique', () => {
    const cases: [column: string, make: () => Promise<() => Promise<unknown>>][] = [
      [
        'users.username',
        async () => {
          const user = newUser(fresh('user'))
          return () => stage.store.users.create(user)
        },
      ],
      [
        'apps.id',
        async () => {
          const owner = (await newApp(stage.store)).owner
          const id = fresh('app') as AppId
          return () => stage.store.apps.create({ id, owner, structure: {} })
        },
      ],
      [
        'domains.domain',
        async () => {
          const { id, owner } = await newApp(stage.store)
          const domain = fresh('Name.Example')
          let times = 0
          // The second in other letters.
          return () =>
            stage.store.domains.create({ app: id, owner, domain: times++ === 0 ? domain : domain.toUpperCase() })
        },
      ],
      [
        'certificates.name',
        async () => {
          const owners = [await newApp(stage.store), await newApp(stage.store)]
          const name = fresh('cert')
          return () => stage.store.certificates.create(newCertificate(owners.pop()!.owner, name))
        },
      ],
      [
        'keys.id',
        async () => {
          const owners = [await newApp(stage.store), await newApp(stage.store)]
          const id = fresh('key')
          return () =>
            stage.store.keys.create({ owner: owners.pop()!.owner, id, public: fresh('public'), fingerprint: 'same' })
        },
      ],
      [
        'keys.public',
        async () => {
          const { owner } = await newApp(stage.store)
          // Longer than PostgreSQL can index.
          const text = Array.from({ length: 1000 }, () => fresh('public')).join()
          return () => stage.store.keys.create({ owner, id: fresh('key'), public: text, fingerprint: 'same' })
        },
      ],
    ]
    for (const [column, make] of cases)
      test(column, async () => {
        const create = await make()
        await create()
        const again = create()
        await expect(again).rejects.toBeInstanceOf(TakenError)
        await expect(again).rejects.toMatchObject({ column })
      })
  })

  test('rows of what is not there are refused', async () => {
    const { owner, id, release } = await newApp(stage.store)
    const nowhere = 'nowhere' as AppId
    const refused = [
      () => stage.store.apps.create({ id: fresh('app') as AppId, owner: 'nobody', structure: {} }),
      () => stage.store.tokens.add('nobody', fresh('token'), 3),
      () => stage.store.grants.add(id, 'nobody'),
      () => stage.store.domains.create({ app: nowhere, owner, domain: fresh('d') }),
      () => stage.store.releases.create({ ...release, build: 'none' }),
      () => stage.store.apps.transfer(id, 'nobody'),
    ]
    for (const make of refused) await expect(make()).rejects.toBeInstanceOf(GoneError)
  })

  test('texts that PostgreSQL cannot keep are refused; in JSON they can be kept', async () => {
    await expect(stage.store.users.find('a\0b')).rejects.toMatchObject({ kind: 'invalid' })
    await expect(stage.store.users.create(newUser('a\0b'))).rejects.toMatchObject({ kind: 'invalid' })
    const { id, owner } = await newApp(stage.store)
    const values = { A: 'a\0b', B: '\ud800', C: "'; drop table users; --", D: '\u{1f600}' }
    const { uuid } = await stage.store.configs.create({ ...noConfig, values, app: id, owner })
    expect((await stage.store.configs.find(id, uuid))?.values).toEqual(values)
  })
}
