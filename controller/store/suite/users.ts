// What every store promises of users, their tokens and their keys.

import { describe, expect, test } from 'vitest'
import type { AppId } from '../../domain/app.ts'
import { noConfig } from '../../domain/config.ts'
import type { User } from '../../domain/user.ts'
import { InUseError } from '../store.ts'
import { all, fresh, newApp, newBuild, newCertificate, newUser, type SuiteStage } from './stage.ts'

export function userSuite(stage: SuiteStage): void {
  describe('users', () => {
    test('come back as they were made', async () => {
      const name = fresh('Ünï@.+-_')
      const made = await stage.store.users.create(newUser(name))
      expect(made).toEqual({
        id: expect.any(Number),
        username: name,
        email: `${name}@example.com`,
        firstName: 'F',
        lastName: 'L',
        isSuperuser: false,
        isActive: true,
        joined: expect.any(Date),
        lastLogin: null,
      })
      expect(await stage.store.users.find(name)).toEqual(made)
      expect(await stage.store.users.find(name.toUpperCase())).toBeNull()
      expect(await stage.store.users.passwordHash(name)).toBe(`hash of ${name}`)
      expect(await stage.store.users.passwordHash('nobody')).toBeNull()
    })

    test('change', async () => {
      const name = fresh('user')
      await stage.store.users.create(newUser(name))
      const at = new Date('2026-01-02T03:04:05.678Z')
      await stage.store.users.setPasswordHash(name, 'other')
      await stage.store.users.setLastLogin(name, at)
      await stage.store.users.setSuperuser(name, true)
      expect(await stage.store.users.passwordHash(name)).toBe('other')
      expect(await stage.store.users.find(name)).toMatchObject({ lastLogin: at, isSuperuser: true })
      await stage.store.users.setSuperuser(name, false)
      expect(await stage.store.users.find(name)).toMatchObject({ isSuperuser: false })
    })

    test('the first is an administrator, only if asked for and only while there is none', () =>
      stage.empty(async own => {
        await own.users.create(newUser('a', false))
        expect(await own.users.hasSuperuser()).toBe(false)
        const { isSuperuser } = await own.users.create(newUser('b', true))
        expect([isSuperuser, await own.users.hasSuperuser()]).toEqual([true, true])
        expect((await own.users.create(newUser('c', true))).isSuperuser).toBe(false)
        const names = (users: readonly User[]) => users.map(user => user.username)
        expect(names((await own.users.superusers(all)).results)).toEqual(['b'])
        expect(names((await own.users.list(all)).results)).toEqual(['a', 'b', 'c'])
      }))

    test('of many who register at once one is an administrator', () =>
      stage.empty(async own => {
        const made = await Promise.all(
          Array.from({ length: 16 }, (_, index) => own.users.create(newUser(`user${index}`, true))),
        )
        expect(made.filter(user => user.isSuperuser)).toHaveLength(1)
        expect((await own.users.superusers(all)).count).toBe(1)
      }))

    test('take their tokens, keys and grants along', async () => {
      const { id } = await newApp(stage.store)
      const name = fresh('user')
      await stage.store.users.create(newUser(name))
      await stage.store.tokens.add(name, fresh('token'), 5)
      await stage.store.grants.add(id, name)
      const key = fresh('key')
      await stage.store.keys.create({ owner: name, id: key, public: key, fingerprint: key })
      await stage.store.idempotency.claim(name, 'k', 'r')
      await stage.store.users.delete(name)
      await stage.store.users.delete(name)
      expect(await stage.store.users.find(name)).toBeNull()
      expect(await stage.store.grants.users(id)).toEqual([])
      expect(await stage.store.keys.findByFingerprint(key)).toBeNull()
    })

    const owned: [what: string, make: (owner: string, other: AppId) => Promise<unknown>][] = [
      ['an app', owner => stage.store.apps.create({ id: fresh('app') as AppId, owner, structure: {} })],
      ['a certificate', owner => stage.store.certificates.create(newCertificate(owner, fresh('cert')))],
      ['a build in an app of somebody else', (owner, app) => stage.store.builds.create(newBuild(app, owner))],
      ['a config there', (owner, app) => stage.store.configs.create({ ...noConfig, app, owner })],
      ['a domain there', (owner, app) => stage.store.domains.create({ app, owner, domain: fresh('d') })],
      ['its TLS settings', (owner, app) => stage.store.tls.put({ app, owner, httpsEnforced: null })],
    ]
    for (const [what, make] of owned)
      test(`cannot go while they own ${what}`, async () => {
        const { id } = await newApp(stage.store)
        const name = fresh('user')
        await stage.store.users.create(newUser(name))
        await make(name, id)
        await expect(stage.store.users.delete(name)).rejects.toBeInstanceOf(InUseError)
        expect(await stage.store.users.find(name)).not.toBeNull()
      })
  })

  describe('tokens', () => {
    test('the newest are kept', async () => {
      const name = fresh('user')
      await stage.store.users.create(newUser(name))
      const hashes = Array.from({ length: 5 }, () => fresh('token'))
      for (const hash of hashes) await stage.store.tokens.add(name, hash, 3)
      const found = await Promise.all(
        hashes.map(async hash => (await stage.store.users.findByToken(hash))?.username ?? null),
      )
      expect(found).toEqual([null, null, name, name, name])
      await stage.store.tokens.clear(name)
      expect(await stage.store.users.findByToken(hashes[4]!)).toBeNull()
    })

    test('one can be ended, and those between two texts', async () => {
      const [name, other] = [fresh('user'), fresh('user')]
      for (const user of [name, other]) await stage.store.users.create(newUser(user))
      const hashes = ['x', 'page:1', 'page:2', 'page:3'].map(hash => `${hash}:${name}`)
      for (const hash of hashes) await stage.store.tokens.add(name, hash, 9)
      await stage.store.tokens.add(other, `page:1:${other}`, 9)
      await stage.store.tokens.removeBetween(name, 'page:', 'page:3')
      const left = async (): Promise<readonly string[]> => {
        const found = await Promise.all(hashes.map(hash => stage.store.users.findByToken(hash)))
        return hashes.filter((_, index) => found[index] !== null)
      }
      expect(await left()).toEqual([hashes[0], hashes[3]])
      expect(await stage.store.users.findByToken(`page:1:${other}`)).not.toBeNull()
      await stage.store.tokens.remove(hashes[3]!)
      await stage.store.tokens.remove('nothing')
      expect(await left()).toEqual([hashes[0]])
    })

    test('many at once keep as many as one after the other', async () => {
      const name = fresh('user')
      await stage.store.users.create(newUser(name))
      const hashes = Array.from({ length: 12 }, () => fresh('token'))
      await Promise.all(hashes.map(hash => stage.store.tokens.add(name, hash, 3)))
      const found = await Promise.all(hashes.map(hash => stage.store.users.findByToken(hash)))
      expect(found.filter(user => user !== null)).toHaveLength(3)
    })

    test('all can be ended', () =>
      stage.empty(async own => {
        await own.users.create(newUser('a'))
        await own.tokens.add('a', 'one', 3)
        await own.tokens.clearAll()
        expect(await own.users.findByToken('one')).toBeNull()
      }))
  })

  test('keys, by id, of one owner; the one who was first has the fingerprint', async () => {
    const [first, second] = [await newApp(stage.store), await newApp(stage.store)]
    const ids = [fresh('z key'), fresh('a@key')]
    const fingerprint = fresh('aa:bb')
    const made = []
    for (const [index, id] of ids.entries())
      made.push(
        await stage.store.keys.create({
          owner: first.owner,
          id,
          public: `ssh-rsa ${id}`,
          fingerprint: `${fingerprint}:${index}`,
        }),
      )
    expect(await stage.store.keys.list(first.owner, all)).toEqual({ count: 2, results: made.toReversed() })
    expect(await stage.store.keys.find(first.owner, ids[0]!)).toEqual(made[0])
    expect(await stage.store.keys.find(second.owner, ids[0]!)).toBeNull()
    await stage.store.keys.delete(ids[0]!)
    expect(await stage.store.keys.find(first.owner, ids[0]!)).toBeNull()
    await stage.store.transaction(async rows => {
      const same = { fingerprint }
      await rows.keys.create({ ...same, owner: first.owner, id: fresh('key'), public: fresh('p') })
    })
    expect(await stage.store.keys.findByFingerprint(fingerprint)).toMatchObject({ owner: first.owner })
    expect(await stage.store.keys.findByFingerprint('none')).toBeNull()
  })

  test('one key of two users belongs to the first', async () => {
    let time = 1_000_000
    await stage.empty(
      async own => {
        const owners = [await newApp(own), await newApp(own)]
        for (const { owner } of owners) {
          time += 1000
          await own.keys.create({ owner, id: `key of ${owner}`, public: `ssh-rsa AAAA ${owner}`, fingerprint: 'f' })
        }
        expect(await own.keys.findByFingerprint('f')).toMatchObject({ owner: owners[0]!.owner })
      },
      { wallClock: () => time },
    )
  })
}
