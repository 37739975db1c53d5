// What every store promises (store.ts), whatever keeps it.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AppId } from '../domain/app.ts'
import { noConfig } from '../domain/config.ts'
import type { User } from '../domain/user.ts'
import { GoneError, InUseError, type Repositories, type Store, TakenError } from './store.ts'

export interface StoreStage {
  /** Opens a store on a new, empty database. Whoever opens it closes it. */
  open(options?: { readonly wallClock?: () => number }): Promise<Store>
}

const all = { limit: 100, offset: 0 }

let last = 0
/** A name that no other test has. */
const fresh = (prefix: string): string => `${prefix}-${++last}`

function newUser(username: string, superuserIfFirst = false) {
  return {
    username,
    passwordHash: `hash of ${username}`,
    email: `${username}@example.com`,
    firstName: 'F',
    lastName: 'L',
    superuserIfFirst,
  }
}

function newBuild(app: AppId, owner: string) {
  return {
    app,
    owner,
    image: 'image',
    sha: 'abc',
    procfile: { web: 'serve', a: 'b' },
    dockerfile: '',
    exposedPort: 8080,
  }
}

function newCertificate(owner: string, name: string) {
  const day = new Date('2030-01-02T03:04:05Z')
  return {
    owner,
    name,
    chain: 'PEM chain',
    key: 'PEM key',
    commonName: null,
    san: ['a.example.com', 'b.example.com'],
    fingerprint: 'AA:BB',
    starts: day,
    expires: day,
    issuer: '/CN=i',
    subject: '/CN=s',
  }
}

/** An app with its owner and its first config. */
async function newApp(rows: Repositories, id = fresh('app')) {
  const owner = fresh('user')
  await rows.users.create(newUser(owner))
  const app = await rows.apps.create({ id: id as AppId, owner, structure: { web: 1 } })
  const config = await rows.configs.create({ ...noConfig, app: app.id, owner })
  const release = { app: app.id, owner, summary: 's', config: config.uuid, build: null, state: 'succeeded' as const }
  return { id: app.id, owner, app, config, release }
}

export function storeSuite(stage: StoreStage): void {
  let store: Store
  beforeAll(async () => {
    store = await stage.open()
  })
  afterAll(() => store?.close())

  /** For what looks at all rows. */
  async function empty<T>(work: (store: Store) => Promise<T>, options = {}): Promise<T> {
    const own = await stage.open(options)
    try {
      return await work(own)
    } finally {
      await own.close()
    }
  }

  describe('users', () => {
    test('come back as they were made', async () => {
      const name = fresh('Ünï@.+-_')
      const made = await store.users.create(newUser(name))
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
      expect(await store.users.find(name)).toEqual(made)
      expect(await store.users.find(name.toUpperCase())).toBeNull()
      expect(await store.users.passwordHash(name)).toBe(`hash of ${name}`)
      expect(await store.users.passwordHash('nobody')).toBeNull()
    })

    test('change', async () => {
      const name = fresh('user')
      await store.users.create(newUser(name))
      const at = new Date('2026-01-02T03:04:05.678Z')
      await store.users.setPasswordHash(name, 'other')
      await store.users.setLastLogin(name, at)
      await store.users.setSuperuser(name, true)
      expect(await store.users.passwordHash(name)).toBe('other')
      expect(await store.users.find(name)).toMatchObject({ lastLogin: at, isSuperuser: true })
      await store.users.setSuperuser(name, false)
      expect(await store.users.find(name)).toMatchObject({ isSuperuser: false })
    })

    test('the first is an administrator, only if asked for and only while there is none', () =>
      empty(async own => {
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
      empty(async own => {
        const made = await Promise.all(
          Array.from({ length: 16 }, (_, index) => own.users.create(newUser(`user${index}`, true))),
        )
        expect(made.filter(user => user.isSuperuser)).toHaveLength(1)
        expect((await own.users.superusers(all)).count).toBe(1)
      }))

    test('take their tokens, keys and grants along', async () => {
      const { id } = await newApp(store)
      const name = fresh('user')
      await store.users.create(newUser(name))
      await store.tokens.add(name, fresh('token'), 5)
      await store.grants.add(id, name)
      const key = fresh('key')
      await store.keys.create({ owner: name, id: key, public: key, fingerprint: key })
      await store.idempotency.claim(name, 'k', 'r')
      await store.users.delete(name)
      await store.users.delete(name)
      expect(await store.users.find(name)).toBeNull()
      expect(await store.grants.users(id)).toEqual([])
      expect(await store.keys.findByFingerprint(key)).toBeNull()
    })

    const owned: [what: string, make: (owner: string, other: AppId) => Promise<unknown>][] = [
      ['an app', owner => store.apps.create({ id: fresh('app') as AppId, owner, structure: {} })],
      ['a certificate', owner => store.certificates.create(newCertificate(owner, fresh('cert')))],
      ['a build in an app of somebody else', (owner, app) => store.builds.create(newBuild(app, owner))],
      ['a config there', (owner, app) => store.configs.create({ ...noConfig, app, owner })],
      ['a domain there', (owner, app) => store.domains.create({ app, owner, domain: fresh('d') })],
      ['its TLS settings', (owner, app) => store.tls.put({ app, owner, httpsEnforced: null })],
    ]
    for (const [what, make] of owned)
      test(`cannot go while they own ${what}`, async () => {
        const { id } = await newApp(store)
        const name = fresh('user')
        await store.users.create(newUser(name))
        await make(name, id)
        await expect(store.users.delete(name)).rejects.toBeInstanceOf(InUseError)
        expect(await store.users.find(name)).not.toBeNull()
      })
  })

  describe('what is unique', () => {
    const cases: [column: string, make: () => Promise<() => Promise<unknown>>][] = [
      [
        'users.username',
        async () => {
          const user = newUser(fresh('user'))
          return () => store.users.create(user)
        },
      ],
      [
        'apps.id',
        async () => {
          const owner = (await newApp(store)).owner
          const id = fresh('app') as AppId
          return () => store.apps.create({ id, owner, structure: {} })
        },
      ],
      [
        'domains.domain',
        async () => {
          const { id, owner } = await newApp(store)
          const domain = fresh('Name.Example')
          let times = 0
          // The second in other letters.
          return () => store.domains.create({ app: id, owner, domain: times++ === 0 ? domain : domain.toUpperCase() })
        },
      ],
      [
        'certificates.name',
        async () => {
          const owners = [await newApp(store), await newApp(store)]
          const name = fresh('cert')
          return () => store.certificates.create(newCertificate(owners.pop()!.owner, name))
        },
      ],
      [
        'keys.id',
        async () => {
          const owners = [await newApp(store), await newApp(store)]
          const id = fresh('key')
          return () =>
            store.keys.create({ owner: owners.pop()!.owner, id, public: fresh('public'), fingerprint: 'same' })
        },
      ],
      [
        'keys.public',
        async () => {
          const { owner } = await newApp(store)
          // Longer than PostgreSQL can index.
          const text = Array.from({ length: 1000 }, () => fresh('public')).join()
          return () => store.keys.create({ owner, id: fresh('key'), public: text, fingerprint: 'same' })
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

  describe('a wildcard and a name below it', () => {
    /** What somebody else's app has, what is asked for, whether the two come together. */
    const cases: [has: string, asked: string, together: boolean][] = [
      ['www.TREE', '*.TREE', true],
      ['*.TREE', 'shop.TREE', true],
      ['*.TREE', 'a.b.c.TREE', true],
      ['*.TREE', '*.sub.TREE', true],
      ['*.sub.TREE', '*.TREE', true],
      ['*.TREE', 'TREE', false],
      ['TREE', '*.TREE', false],
      ['www.TREE', 'shop.TREE', false],
      ['*.sub.TREE', 'other.TREE', false],
      ['wwwTREE', '*.TREE', false],
      // For the unique index to refuse.
      ['*.TREE', '*.TREE', false],
    ]
    for (const [has, asked, together] of cases)
      test(`${has}, then ${asked}`, async () => {
        const tree = `${fresh('Tree')}.Example`
        const { id, owner } = await newApp(store)
        const other = await newApp(store)
        await store.domains.create({ app: id, owner, domain: has.replace('TREE', tree) })
        const domain = asked.replace('TREE', tree).toUpperCase()
        expect(await store.domains.overlapsOthers(domain, other.owner)).toBe(together)
        expect(await store.domains.overlapsOthers(domain, owner)).toBe(false)
        await store.grants.add(id, other.owner)
        expect(await store.domains.overlapsOthers(domain, other.owner)).toBe(false)
      })

    // Two that asked at once would each have seen that there was none.
    test('added at once, the second sees the first', async () => {
      const tree = `${fresh('tree')}.example`
      const [one, two] = [await newApp(store), await newApp(store)]
      const asked = Promise.withResolvers<void>()
      const first = store.transaction(async rows => {
        const answer = await rows.domains.overlapsOthers(`*.${tree}`, one.owner)
        asked.resolve()
        // As many questions as the second would need to be through, did it not wait.
        for (let i = 0; i < 20; i++) await rows.apps.find(one.id)
        await rows.domains.create({ app: one.id, owner: one.owner, domain: `*.${tree}` })
        return answer
      })
      await asked.promise
      const second = store.transaction(rows => rows.domains.overlapsOthers(`deep.www.${tree}`, two.owner))
      expect(await Promise.all([first, second])).toEqual([false, true])
    })
  })

  test('rows of what is not there are refused', async () => {
    const { owner, id, release } = await newApp(store)
    const nowhere = 'nowhere' as AppId
    const refused = [
      () => store.apps.create({ id: fresh('app') as AppId, owner: 'nobody', structure: {} }),
      () => store.tokens.add('nobody', fresh('token'), 3),
      () => store.grants.add(id, 'nobody'),
      () => store.domains.create({ app: nowhere, owner, domain: fresh('d') }),
      () => store.releases.create({ ...release, build: 'none' }),
      () => store.apps.transfer(id, 'nobody'),
    ]
    for (const make of refused) await expect(make()).rejects.toBeInstanceOf(GoneError)
  })

  test('texts that PostgreSQL cannot keep are refused; in JSON they can be kept', async () => {
    await expect(store.users.find('a\0b')).rejects.toMatchObject({ kind: 'invalid' })
    await expect(store.users.create(newUser('a\0b'))).rejects.toMatchObject({ kind: 'invalid' })
    const { id, owner } = await newApp(store)
    const values = { A: 'a\0b', B: '\ud800', C: "'; drop table users; --", D: '\u{1f600}' }
    const { uuid } = await store.configs.create({ ...noConfig, values, app: id, owner })
    expect((await store.configs.find(id, uuid))?.values).toEqual(values)
  })

  describe('tokens', () => {
    test('the newest are kept', async () => {
      const name = fresh('user')
      await store.users.create(newUser(name))
      const hashes = Array.from({ length: 5 }, () => fresh('token'))
      for (const hash of hashes) await store.tokens.add(name, hash, 3)
      const found = await Promise.all(hashes.map(async hash => (await store.users.findByToken(hash))?.username ?? null))
      expect(found).toEqual([null, null, name, name, name])
      await store.tokens.clear(name)
      expect(await store.users.findByToken(hashes[4]!)).toBeNull()
    })

    test('one can be ended, and those between two texts', async () => {
      const [name, other] = [fresh('user'), fresh('user')]
      for (const user of [name, other]) await store.users.create(newUser(user))
      const hashes = ['x', 'page:1', 'page:2', 'page:3'].map(hash => `${hash}:${name}`)
      for (const hash of hashes) await store.tokens.add(name, hash, 9)
      await store.tokens.add(other, `page:1:${other}`, 9)
      await store.tokens.removeBetween(name, 'page:', 'page:3')
      const left = async (): Promise<readonly string[]> => {
        const found = await Promise.all(hashes.map(hash => store.users.findByToken(hash)))
        return hashes.filter((_, index) => found[index] !== null)
      }
      expect(await left()).toEqual([hashes[0], hashes[3]])
      expect(await store.users.findByToken(`page:1:${other}`)).not.toBeNull()
      await store.tokens.remove(hashes[3]!)
      await store.tokens.remove('nothing')
      expect(await left()).toEqual([hashes[0]])
    })

    test('many at once keep as many as one after the other', async () => {
      const name = fresh('user')
      await store.users.create(newUser(name))
      const hashes = Array.from({ length: 12 }, () => fresh('token'))
      await Promise.all(hashes.map(hash => store.tokens.add(name, hash, 3)))
      const found = await Promise.all(hashes.map(hash => store.users.findByToken(hash)))
      expect(found.filter(user => user !== null)).toHaveLength(3)
    })

    test('all can be ended', () =>
      empty(async own => {
        await own.users.create(newUser('a'))
        await own.tokens.add('a', 'one', 3)
        await own.tokens.clearAll()
        expect(await own.users.findByToken('one')).toBeNull()
      }))
  })

  describe('apps', () => {
    test('come back as they were made, and change', async () => {
      const { id, owner, app } = await newApp(store)
      expect(app).toEqual({
        uuid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
        id,
        owner,
        structure: { web: 1 },
        state: 'creating',
        created: expect.any(Date),
        updated: expect.any(Date),
      })
      expect(await store.apps.find(id)).toEqual(app)
      await store.apps.setStructure(id, { web: 2, __proto__: null, 'a-b': 0 } as never)
      await store.apps.setState(id, 'ready')
      expect(await store.apps.lockRow(id)).toMatchObject({ structure: { web: 2, 'a-b': 0 }, state: 'ready' })
      expect([await store.apps.find('none'), await store.apps.lockRow('none')]).toEqual([null, null])
    })

    test('are listed for those who may see them, in order, page by page', () =>
      empty(async own => {
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
      const { id, owner, config, release } = await newApp(store)
      const [heir, helper] = [fresh('user'), fresh('user')]
      for (const name of [heir, helper]) await store.users.create(newUser(name))
      const builds = [await store.builds.create(newBuild(id, owner)), await store.builds.create(newBuild(id, helper))]
      await store.releases.create(release)
      await store.settings.put({
        app: id,
        owner,
        maintenance: false,
        routable: true,
        whitelist: [],
        autoscale: {},
        label: {},
      })
      await store.tls.put({ app: id, owner, httpsEnforced: null })
      await store.domains.create({ app: id, owner, domain: id })
      const other = await newApp(store)
      await store.apps.transfer(id, heir)
      expect([
        (await store.apps.find(id))?.owner,
        (await store.builds.find(id, builds[0]!.uuid))?.owner,
        (await store.configs.find(id, config.uuid))?.owner,
        (await store.releases.find(id, 1))?.owner,
        (await store.settings.find(id)).owner,
        (await store.tls.find(id)).owner,
        (await store.domains.find(id))?.owner,
      ]).toEqual(Array(7).fill(heir))
      expect((await store.builds.find(id, builds[1]!.uuid))?.owner).toBe(helper)
      expect((await store.apps.find(other.id))?.owner).toBe(other.owner)
      await store.users.delete(owner)
    })

    test('go with all that they have, certificates stay', async () => {
      const { id, owner, config, release } = await newApp(store)
      const build = await store.builds.create(newBuild(id, owner))
      await store.releases.create({ ...release, build: build.uuid })
      await store.domains.create({ app: id, owner, domain: id })
      const { name } = await store.certificates.create(newCertificate(owner, fresh('cert')))
      await store.domains.attach(id, name)
      await store.grants.add(id, owner)
      await store.apps.delete(id)
      await store.apps.delete(id)
      expect([
        await store.apps.find(id),
        await store.builds.find(id, build.uuid),
        await store.configs.find(id, config.uuid),
        await store.releases.find(id, 1),
        await store.domains.find(id),
      ]).toEqual([null, null, null, null, null])
      expect(await store.certificates.find(owner, name)).toMatchObject({ domains: [] })
      expect(await store.grants.has(id, owner)).toBe(false)
    })
  })

  test('grants', async () => {
    const { id, owner } = await newApp(store)
    const users = [fresh('z'), fresh('a')]
    for (const name of users) {
      await store.users.create(newUser(name))
      await store.grants.add(id, name)
      await store.grants.add(id, name)
    }
    expect(await store.grants.users(id)).toEqual(users.toReversed())
    expect([await store.grants.has(id, users[0]!), await store.grants.has(id, owner)]).toEqual([true, false])
    expect([await store.grants.remove(id, users[0]!), await store.grants.remove(id, users[0]!)]).toEqual([true, false])
    expect(await store.grants.users(id)).toEqual([users[1]])
  })

  test('builds, the newest first', async () => {
    const { id, owner } = await newApp(store)
    const made = []
    for (let i = 0; i < 3; i++) made.push(await store.builds.create({ ...newBuild(id, owner), sha: String(i) }))
    expect(made[0]).toMatchObject({ ...newBuild(id, owner), sha: '0' })
    // Keys keep their order.
    expect(Object.keys(made[0]!.procfile)).toEqual(['web', 'a'])
    expect(await store.builds.list(id, all)).toEqual({ count: 3, results: made.toReversed() })
    expect(await store.builds.list(id, { limit: 1, offset: 1 })).toEqual({ count: 3, results: [made[1]] })
    expect(await store.builds.find((await newApp(store)).id, made[0]!.uuid)).toBeNull()
  })

  test('configs', async () => {
    const { id, owner } = await newApp(store)
    const maps = {
      values: { Z: '1', A: '' },
      memory: { web: '64M' },
      cpu: { web: '0.5' },
      tags: { zone: 'a' },
      registry: { username: 'u' },
      healthcheck: { 'web/cmd': { livenessProbe: { httpGet: { port: 80 } } } },
    }
    const made = await store.configs.create({ ...maps, app: id, owner })
    expect(made).toEqual({
      ...maps,
      uuid: expect.any(String),
      app: id,
      owner,
      created: expect.any(Date),
      updated: expect.any(Date),
    })
    expect(await store.configs.find(id, made.uuid)).toEqual(made)
    expect(await store.configs.find(id, 'none')).toBeNull()
  })

  describe('releases', () => {
    test('count from 1, and failed ones count', async () => {
      const { id, release } = await newApp(store)
      const states = ['succeeded', 'failed', 'succeeded', 'failed', 'deploying'] as const
      const made = []
      for (const state of states) made.push(await store.releases.create({ ...release, state }))
      expect(made.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5])
      expect(await store.releases.find(id, 4)).toEqual(made[3])
      expect([await store.releases.find(id, 6), await store.releases.find(id, 1e12)]).toEqual([null, null])
      expect((await store.releases.current(id))?.version).toBe(3)
      expect((await store.releases.before(id, 3))?.version).toBe(1)
      expect(await store.releases.before(id, 1)).toBeNull()
      expect((await store.releases.list(id, { limit: 2, offset: 1 })).results.map(r => r.version)).toEqual([4, 3])
      await store.releases.finish(made[4]!.uuid, 'succeeded')
      expect(await store.releases.current(id)).toMatchObject({ version: 5, summary: 's' })
      await store.releases.finish(made[4]!.uuid, 'failed', 'which failed')
      expect(await store.releases.find(id, 5)).toMatchObject({ state: 'failed', summary: 'which failed' })
    })

    test('unfinished ones of all apps', () =>
      empty(async own => {
        for (const id of ['b', 'a']) {
          const { release } = await newApp(own, id)
          await own.releases.create(release)
          await own.releases.create({ ...release, state: 'deploying' })
        }
        expect((await own.releases.unfinished()).map(({ app, version }) => `${app} ${version}`)).toEqual(['a 2', 'b 2'])
      }))

    test('know what the app goes back to, until they have ended', () =>
      empty(async own => {
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
      const { id, release } = await newApp(store)
      const made = await Promise.all(Array.from({ length: 6 }, () => store.releases.create(release)))
      expect(made.map(({ version }) => version).toSorted()).toEqual([1, 2, 3, 4, 5, 6])
      const inside = Array.from({ length: 4 }, () => store.transaction(rows => rows.releases.create(release)))
      await Promise.all(inside)
      expect((await store.releases.list(id, all)).results.map(r => r.version)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    })
  })

  test('settings and TLS: one row an app, replaced', async () => {
    const { id, owner } = await newApp(store)
    const settings = { app: id, owner, maintenance: true, routable: false, whitelist: ['10.0.0.0/8'], label: { a: '' } }
    const first = await store.settings.put({ ...settings, autoscale: { web: { min: 1, max: 2, cpu_percent: 3 } } })
    expect(first).toMatchObject({ ...settings, autoscale: { web: { min: 1, max: 2, cpu_percent: 3 } } })
    const second = await store.settings.put({ ...settings, maintenance: false, autoscale: {} })
    expect(await store.settings.find(id)).toEqual(second)
    expect(second).toMatchObject({ maintenance: false, created: first.created })
    expect(second.uuid).not.toBe(first.uuid)
    const tls = await store.tls.put({ app: id, owner, httpsEnforced: null })
    expect(tls.httpsEnforced).toBeNull()
    for (const httpsEnforced of [true, false]) await store.tls.put({ app: id, owner, httpsEnforced })
    expect(await store.tls.find(id)).toMatchObject({ httpsEnforced: false, created: tls.created })
    const none = (await newApp(store)).id
    await expect(store.settings.find(none)).rejects.toThrow(`${none} has no settings`)
    await expect(store.tls.find(none)).rejects.toThrow(`${none} has no TLS settings`)
  })

  test('domains and their certificates', async () => {
    const { id, owner } = await newApp(store)
    const names = [`*.${id}.example.com`, `Www.${id}.example.com`, id]
    for (const domain of names) await store.domains.create({ app: id, owner, domain })
    expect((await store.domains.list(id, all)).results.map(row => row.domain)).toEqual(names.toSorted())
    expect(await store.domains.find(`WWW.${id}.Example.com`)).toMatchObject({ domain: names[1], certificate: null })
    const [b, a] = [fresh('b-cert'), fresh('a-cert')]
    for (const name of [b, a]) await store.certificates.create(newCertificate(owner, name))
    await store.domains.attach(names[2]!, b)
    await store.domains.attach(names[1]!, a)
    await store.domains.attach(names[0]!, b)
    expect((await store.certificates.ofApp(id)).map(row => [row.name, row.domains])).toEqual([
      [a, [names[1]]],
      [b, [names[0], names[2]].toSorted()],
    ])
    await expect(store.domains.attach(id, 'none')).rejects.toBeInstanceOf(GoneError)
    await store.certificates.delete(b)
    expect(await store.domains.find(id)).toMatchObject({ certificate: null })
    await store.domains.attach(names[1]!, null)
    expect(await store.certificates.ofApp(id)).toEqual([])
    await store.domains.delete(id)
    expect(await store.domains.find(id)).toBeNull()
  })

  test('certificates, by id, of one owner', async () => {
    const { owner } = await newApp(store)
    const made = []
    for (const prefix of ['z', 'a', 'm'])
      made.push(await store.certificates.create(newCertificate(owner, fresh(prefix))))
    expect(made[0]).toMatchObject({ ...newCertificate(owner, made[0]!.name), domains: [] })
    expect(await store.certificates.list(owner, all)).toEqual({ count: 3, results: made })
    expect(await store.certificates.find(owner, made[1]!.name)).toEqual(made[1])
    expect(await store.certificates.find('nobody', made[1]!.name)).toBeNull()
    expect(await store.certificates.list('nobody', all)).toEqual({ count: 0, results: [] })
  })

  test('keys, by id, of one owner; the one who was first has the fingerprint', async () => {
    const [first, second] = [await newApp(store), await newApp(store)]
    const ids = [fresh('z key'), fresh('a@key')]
    const fingerprint = fresh('aa:bb')
    const made = []
    for (const [index, id] of ids.entries())
      made.push(
        await store.keys.create({
          owner: first.owner,
          id,
          public: `ssh-rsa ${id}`,
          fingerprint: `${fingerprint}:${index}`,
        }),
      )
    expect(await store.keys.list(first.owner, all)).toEqual({ count: 2, results: made.toReversed() })
    expect(await store.keys.find(first.owner, ids[0]!)).toEqual(made[0])
    expect(await store.keys.find(second.owner, ids[0]!)).toBeNull()
    await store.keys.delete(ids[0]!)
    expect(await store.keys.find(first.owner, ids[0]!)).toBeNull()
    await store.transaction(async rows => {
      const same = { fingerprint }
      await rows.keys.create({ ...same, owner: first.owner, id: fresh('key'), public: fresh('p') })
    })
    expect(await store.keys.findByFingerprint(fingerprint)).toMatchObject({ owner: first.owner })
    expect(await store.keys.findByFingerprint('none')).toBeNull()
  })

  test('one key of two users belongs to the first', async () => {
    let time = 1_000_000
    await empty(
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

  describe('idempotency keys', () => {
    const claimed = { kind: 'claimed' }

    test('one request claims a key, the others hear of it', async () => {
      const { owner } = await newApp(store)
      const claims = await Promise.all(Array.from({ length: 6 }, () => store.idempotency.claim(owner, 'k', 'r')))
      expect(claims.filter(({ kind }) => kind === 'claimed')).toHaveLength(1)
      expect(claims.find(({ kind }) => kind === 'kept')).toEqual({ kind: 'kept', request: 'r', answer: null })
      await store.idempotency.answer(owner, 'k', 201, '{"a":1}')
      const kept = { kind: 'kept', request: 'r', answer: { status: 201, body: '{"a":1}' } }
      expect(await store.idempotency.claim(owner, 'k', 'other')).toEqual(kept)
      await store.idempotency.release(owner, 'k')
      expect(await store.idempotency.claim(owner, 'k', 'r')).toEqual(kept)
      expect(await store.idempotency.claim((await newApp(store)).owner, 'k', 'r')).toEqual(claimed)
    })

    test('a claim can be given up, once it is one', async () => {
      const { owner } = await newApp(store)
      await store.idempotency.release(owner, 'k')
      await store.idempotency.claim(owner, 'k', 'r')
      expect((await store.idempotency.claim(owner, 'k', 'r')).kind).toBe('kept')
      await store.idempotency.release(owner, 'k')
      expect(await store.idempotency.claim(owner, 'k', 'r')).toEqual(claimed)
    })

    test('a day later it is another', async () => {
      let time = Date.parse('2026-01-01T00:00:00Z')
      const hour = 3_600_000
      await empty(
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

  describe('transactions', () => {
    test('are undone when they throw', async () => {
      const { id, owner } = await newApp(store)
      const why = new Error('no')
      const failing = store.transaction(async rows => {
        await rows.apps.setStructure(id, { web: 9 })
        await rows.domains.create({ app: id, owner, domain: id })
        expect(await rows.domains.find(id)).not.toBeNull()
        throw why
      })
      await expect(failing).rejects.toBe(why)
      expect(await store.domains.find(id)).toBeNull()
      expect((await store.apps.find(id))?.structure).toEqual({ web: 1 })
    })

    test('give back what their work gives', async () => {
      expect(await store.transaction(async () => 42)).toBe(42)
    })

    test('eight clients that change one app under its lock lose nothing', async () => {
      const { id, owner } = await newApp(store)
      const change = async (client: number) => {
        for (let i = 0; i < 5; i++) {
          await store.transaction(async rows => {
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
      expect((await store.apps.find(id))?.structure).toEqual({ web: 41 })
      const current = await store.releases.current(id)
      expect(current?.version).toBe(40)
      expect(Object.keys((await store.configs.find(id, current!.config))!.values)).toHaveLength(40)
    })

    test('end with what was thrown inside, even if it was caught', async () => {
      const { id, owner } = await newApp(store)
      const taken = store.transaction(async rows => {
        await rows.domains.create({ app: id, owner, domain: id })
        await rows.domains.create({ app: id, owner, domain: id }).catch(() => {})
      })
      await expect(taken).rejects.toThrow('failed already')
      expect(await store.domains.find(id)).toBeNull()
      expect(await store.transaction(rows => rows.domains.create({ app: id, owner, domain: id }))).toMatchObject({
        app: id,
      })
    })

    test('take part in what is a transaction by itself', async () => {
      const { id } = await newApp(store)
      const heir = fresh('user')
      const why = new Error('no')
      const failing = store.transaction(async rows => {
        await rows.users.create(newUser(heir, true))
        await rows.apps.transfer(id, heir)
        throw why
      })
      await expect(failing).rejects.toBe(why)
      expect(await store.users.find(heir)).toBeNull()
    })

    test('do not let the store itself be used inside, which might wait for them', async () => {
      const { id } = await newApp(store)
      let later: Promise<unknown> = Promise.resolve()
      const go = Promise.withResolvers<void>()
      await store.transaction(async rows => {
        await expect(store.apps.find(id)).rejects.toThrow('only its own rows')
        await expect(store.transaction(async () => {})).rejects.toThrow('only its own rows')
        later = go.promise.then(() => store.apps.find(id))
        expect(await rows.apps.find(id)).not.toBeNull()
      })
      go.resolve()
      expect(await later).not.toBeNull()
    })

    test('are not seen outside before they end', async () => {
      const { id, owner } = await newApp(store)
      const seen = Promise.withResolvers<unknown>()
      const written = Promise.withResolvers<void>()
      const work = store.transaction(async rows => {
        await rows.domains.create({ app: id, owner, domain: id })
        written.resolve()
        throw await Promise.race([seen.promise, new Promise(resolve => setImmediate(resolve, 'on its way'))])
      })
      await written.promise
      // On SQLite it waits for the end; on PostgreSQL it need not.
      store.domains.find(id).then(seen.resolve)
      await work.catch(() => {})
      expect(await seen.promise).toBeNull()
    })
  })

  describe('locks', () => {
    const patient = new AbortController().signal

    test('have one holder', async () => {
      const name = fresh('lock')
      const lock = await store.locks.tryTake(name)
      expect(lock?.lost.aborted).toBe(false)
      expect(await store.locks.tryTake(name)).toBeNull()
      await using other = await store.locks.tryTake(fresh('lock'))
      expect(other).not.toBeNull()
      await lock![Symbol.asyncDispose]()
      await lock![Symbol.asyncDispose]()
      await using again = await store.locks.tryTake(name)
      expect(again).not.toBeNull()
    })

    test('go to those who wait, in order', async () => {
      const name = fresh('lock')
      const order: number[] = []
      const first = await store.locks.take(name, patient)
      const others = [1, 2, 3].map(async number => {
        await using _ = await store.locks.take(name, patient)
        order.push(number)
      })
      await first[Symbol.asyncDispose]()
      await Promise.all(others)
      expect(order).toEqual([1, 2, 3])
    })

    test('who gives up does not get it, and does not keep it from others', async () => {
      const name = fresh('lock')
      const why = new Error('enough')
      await expect(store.locks.take(name, AbortSignal.abort(why))).rejects.toBe(why)
      const first = await store.locks.take(name, patient)
      const impatient = new AbortController()
      const waiting = store.locks.take(name, impatient.signal)
      const next = store.locks.take(name, patient)
      impatient.abort(why)
      await expect(waiting).rejects.toBe(why)
      await first[Symbol.asyncDispose]()
      await (await next)[Symbol.asyncDispose]()
      await using free = await store.locks.tryTake(name)
      expect(free).not.toBeNull()
    })

    test('eight that increment under one lose nothing', async () => {
      const name = fresh('lock')
      const { id } = await newApp(store)
      const increment = async () => {
        for (let i = 0; i < 3; i++) {
          await using _ = await store.locks.take(name, patient)
          const app = await store.apps.find(id)
          await store.apps.setStructure(id, { web: app!.structure.web! + 1 })
        }
      }
      await Promise.all(Array.from({ length: 8 }, increment))
      expect((await store.apps.find(id))?.structure).toEqual({ web: 25 })
    })

    test('may be taken inside a transaction', async () => {
      const name = fresh('lock')
      await store.transaction(async () => {
        await using lock = await store.locks.tryTake(name)
        expect(lock).not.toBeNull()
      })
    })

    test('those who wait are sent away when the store closes', () =>
      empty(async own => {
        const name = fresh('lock')
        await own.locks.take(name, patient)
        const waiting = own.locks.take(name, patient)
        const refused = expect(waiting).rejects.toThrow('the store is closed')
        await own.close()
        await refused
        await expect(own.locks.tryTake(name)).rejects.toThrow('the store is closed')
      }))
  })

  test('ping, and the end', () =>
    empty(async own => {
      await own.ping()
      await own.close()
      await expect(own.ping()).rejects.toThrow()
      await own.close()
    }))
}
