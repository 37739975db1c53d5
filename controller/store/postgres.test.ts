import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { selfSign } from '#kit/self-signed.ts'
import { type PostgresDatabase, PostgresServer, withoutPostgres } from '#test/support/postgres.ts'
import { openStore, type StoreOptions } from './open-store.ts'
import type { Store } from './store.ts'
import { storeSuite } from './store-suite.ts'

const log = createLogger({ destination: { write() {} } })
const patient = new AbortController().signal

if (withoutPostgres !== null) console.warn(`skipped: ${withoutPostgres}`)

describe.skipIf(withoutPostgres !== null)('PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await PostgresServer.start()
  }, 60_000)
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
  })

  storeSuite({ open: async options => openStore(await server.createDatabase(), { log, ...options }) })

  /** Stores of several replicas on one new database. */
  async function replicas<T>(
    count: number,
    work: (stores: readonly [Store, Store], database: PostgresDatabase) => Promise<T>,
    options: Partial<StoreOptions> = {},
  ): Promise<T> {
    const database = await server.createDatabase()
    const stores = await Promise.all(Array.from({ length: count }, () => openStore(database, { log, ...options })))
    try {
      return await work(stores as unknown as [Store, Store], database)
    } finally {
      await Promise.all(stores.map(store => store.close()))
    }
  }

  /** Sessions of a database that have an advisory lock, or wait for one. */
  function sessions(database: string, granted: boolean): Promise<Record<string, unknown>[]> {
    return server.query(
      `select pid from pg_locks join pg_database on pg_database.oid = pg_locks.database
       where locktype = 'advisory' and granted = $2 and datname = $1`,
      [database, granted],
    )
  }

  /** Until the server has that many. */
  async function until(database: string, granted: boolean, count: number): Promise<void> {
    while ((await sessions(database, granted)).length !== count);
  }

  test('a database that is not there yet, as its server starts together with us', async () => {
    await using late = await PostgresServer.start()
    const database = await late.createDatabase()
    await late.kill()
    const isMissed = Promise.withResolvers<void>()
    const waiting = createLogger({
      destination: {
        write(line) {
          if (line.includes('the database is not there yet')) isMissed.resolve()
        },
      },
    })
    const opening = openStore(database, { log: waiting, patience: 60_000 })
    await isMissed.promise
    await late.restart()
    const store = await opening
    await store.ping()
    await store.close()
  })

  test('replicas that start together on an empty database', () =>
    replicas(6, async stores => {
      for (const store of stores) await store.ping()
    }))

  test('of those who register at several replicas at once one is an administrator', () =>
    replicas(2, async stores => {
      const made = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          stores[index % 2]!.users.create({
            username: `user${index}`,
            passwordHash: '',
            email: '',
            firstName: '',
            lastName: '',
            superuserIfFirst: true,
          }),
        ),
      )
      expect(made.filter(user => user.isSuperuser)).toHaveLength(1)
    }))

  // As the server says it of its own disk; the answer was 500.
  test('of a server whose disk is full there is a word, and it goes on when there is room', () =>
    replicas(1, async ([store], { database }) => {
      const ann = { username: 'ann', passwordHash: '', email: '', firstName: '', lastName: '', superuserIfFirst: false }
      await server.query(
        `create function no_room() returns trigger language plpgsql as
         $$ begin raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$`,
        [],
        database,
      )
      // One fails at once, and one when it is committed.
      for (const when of ['before insert on users', 'after insert on users deferrable initially deferred']) {
        const kind = when.startsWith('after') ? 'constraint trigger' : 'trigger'
        await server.query(`create ${kind} no_room ${when} for each row execute function no_room()`, [], database)
        const adding = store.transaction(rows => rows.users.create(ann))
        await expect(adding).rejects.toMatchObject({ name: 'Refusal', kind: 'full', cause: { code: '53100' } })
        expect(await store.users.find('ann')).toBeNull()
        await server.query('drop trigger no_room on users', [], database)
      }
      expect(await store.users.create(ann)).toMatchObject({ username: 'ann' })
    }))

  test('a database of a later version is left alone', async () => {
    const database = await server.createDatabase()
    await (await openStore(database, { log })).close()
    await server.query(`insert into kysely_migration values ('9999-later', '2099-01-01')`, [], database.database)
    await expect(openStore(database, { log })).rejects.toMatchObject({
      exitCode: 69,
      message: expect.stringContaining('9999-later is missing'),
    })
  })

  test('a URL will do', async () => {
    const { host, user, database } = await server.createDatabase()
    const url = `postgresql://${user}@${encodeURIComponent(host)}/${database}`
    const store = await openStore({ kind: 'postgres', url }, { log })
    await store.ping()
    await store.close()
  })

  test('a database that is not there', async () => {
    const database = { ...(await server.createDatabase()), database: 'none', password: 'hidden' }
    const opening = openStore(database, { log })
    await expect(opening).rejects.toMatchObject({
      name: 'StartupError',
      exitCode: 69,
      message: `the database ${database.host}:5432/none cannot be used: database "none" does not exist`,
    })
  })

  test('a server that is not there', async () => {
    const url = 'postgresql://deis:hidden@127.0.0.1:1/deis'
    await expect(openStore({ kind: 'postgres', url }, { log })).rejects.toMatchObject({
      exitCode: 69,
      message: 'the database 127.0.0.1:1/deis cannot be used: connect ECONNREFUSED 127.0.0.1:1',
    })
  })

  test('what a client does not wait for is bounded by its connections', () =>
    replicas(
      1,
      async ([store], { database }) => {
        await Promise.all(Array.from({ length: 40 }, () => store.ping()))
        const rows = await server.query('select count(*)::int as count from pg_stat_activity where datname = $1', [
          database,
        ])
        expect(rows).toEqual([{ count: 2 }])
      },
      { connections: 2 },
    ))

  test('deadlocks are tried again', () =>
    replicas(2, async stores => {
      const make = { passwordHash: '', email: '', firstName: '', lastName: '', superuserIfFirst: false }
      for (const username of ['a', 'b']) await stores[0].users.create({ ...make, username })
      const met = Promise.withResolvers<void>()
      let arrived = 0
      let runs = 0
      const change = (store: Store, first: string, second: string) =>
        store.transaction(async rows => {
          runs++
          await rows.users.setPasswordHash(first, `${first}${second}`)
          if (++arrived === 2) met.resolve()
          await met.promise
          await rows.users.setPasswordHash(second, `${first}${second}`)
        })
      await Promise.all([change(stores[0], 'a', 'b'), change(stores[1], 'b', 'a')])
      expect(runs).toBe(3)
      expect(await stores[0].users.passwordHash('a')).toBe(await stores[0].users.passwordHash('b'))
    }))

  test('over TLS, to a server whose certificate fits', async () => {
    const certificate = selfSign(['localhost'], 30, Date.now())
    await using own = await PostgresServer.start(certificate)
    const target = { ...(await own.createDatabase()), host: 'localhost' }
    const store = await openStore({ ...target, tls: { ca: certificate.chain } }, { log })
    await using _ = await store.locks.take('app:shop', patient)
    const rows = await own.query(
      `select bool_and(ssl) as all from pg_stat_ssl join pg_stat_activity using (pid) where datname = $1`,
      [target.database],
    )
    expect(rows).toEqual([{ all: true }])
    const idle = await own.query(`select pid from pg_stat_activity where application_name = 'deis-controller locks'`)
    expect(idle).toHaveLength(1)
    await store.close()
    const other = selfSign(['localhost'], 30, Date.now()).chain
    for (const refused of [
      { ...target, tls: { ca: other } },
      { ...target, tls: { ca: null } },
      { ...target, host: '127.0.0.1', tls: { ca: certificate.chain } },
    ])
      await expect(openStore(refused, { log })).rejects.toMatchObject({
        exitCode: 69,
        message: expect.stringMatching(/certificate|altnames/i),
      })
  })

  describe('locks of several replicas', () => {
    test('have one holder', () =>
      replicas(2, async ([one, two]) => {
        const lock = await one.locks.tryTake('app:shop')
        expect(await two.locks.tryTake('app:shop')).toBeNull()
        const waiting = two.locks.take('app:shop', patient)
        await lock![Symbol.asyncDispose]()
        await using _ = await waiting
        expect(await one.locks.tryTake('app:shop')).toBeNull()
      }))

    test('who gives up leaves nothing behind', () =>
      replicas(2, async ([one, two], { database }) => {
        const lock = await one.locks.take('app:shop', patient)
        const why = new Error('enough')
        const impatient = new AbortController()
        const all = Array.from({ length: 4 }, () => two.locks.take('app:shop', impatient.signal))
        const refused = all.map(waiting => expect(waiting).rejects.toBe(why))
        // The foremost has asked the server at least once.
        expect(await two.locks.tryTake('other')).not.toBeNull()
        impatient.abort(why)
        await Promise.all(refused)
        await lock[Symbol.asyncDispose]()
        await until(database, true, 1)
        await using again = await two.locks.tryTake('app:shop')
        expect(again).not.toBeNull()
      }))

    test('of any number cost one connection', () =>
      replicas(1, async ([store], { database }) => {
        const names = Array.from({ length: 50 }, (_, index) => `app:${index}`)
        const locks = await Promise.all(names.map(name => store.locks.take(name, patient)))
        expect(await sessions(database, true)).toHaveLength(50)
        const rows = await server.query(
          `select pid from pg_stat_activity where datname = $1 and application_name = 'deis-controller locks'`,
          [database],
        )
        expect(rows).toHaveLength(1)
        for (const name of names) expect(await store.locks.tryTake(name)).toBeNull()
        await Promise.all(locks.map(lock => lock[Symbol.asyncDispose]()))
        await until(database, true, 0)
      }))

    test('eight of each of three replicas that increment under one lose nothing', async () => {
      const database = await server.createDatabase()
      const stores = await Promise.all(Array.from({ length: 3 }, () => openStore(database, { log })))
      let count = 0
      let inside = 0
      await Promise.all(
        Array.from({ length: 24 }, async (_, index) => {
          await using lock = await stores[index % 3]!.locks.take('counter', patient)
          inside++
          const before = count
          await stores[index % 3]!.ping()
          expect([inside, lock.lost.aborted]).toEqual([1, false])
          count = before + 1
          inside--
        }),
      )
      expect(count).toBe(24)
      await Promise.all(stores.map(store => store.close()))
    })

    test('are lost with the session that holds them, and free for others', () =>
      replicas(2, async ([one, two], { database }) => {
        const lock = await one.locks.take('app:shop', patient)
        const other = await one.locks.take('app:other', patient)
        const waiting = two.locks.take('app:shop', patient)
        const lost = [lock, other].map(each => once(each.lost, 'abort'))
        const [holder] = await sessions(database, true)
        await server.query('select pg_terminate_backend($1)', [holder!.pid])
        await Promise.all(lost)
        expect(lock.lost.reason).toMatchObject({ message: 'the database ended the session that held the lock' })
        await using _ = await waiting
        await lock[Symbol.asyncDispose]()
        expect(await one.locks.tryTake('app:shop')).toBeNull()
        await using again = await one.locks.tryTake('app:other')
        expect(again?.lost.aborted).toBe(false)
        // Of the old one: it frees nothing that the new session has.
        await other[Symbol.asyncDispose]()
        expect(await two.locks.tryTake('app:other')).toBeNull()
      }))

    test('who waits does so beyond the end of its session', () =>
      replicas(2, async ([one, two], { database }) => {
        const own = await two.locks.take('app:own', patient)
        const [waiter] = await sessions(database, true)
        const lock = await one.locks.take('app:shop', patient)
        const waiting = two.locks.take('app:shop', patient)
        await server.query('select pg_terminate_backend($1)', [waiter!.pid])
        if (!own.lost.aborted) await once(own.lost, 'abort')
        await lock[Symbol.asyncDispose]()
        await (await waiting)[Symbol.asyncDispose]()
      }))

    test('are lost when the store closes', async () => {
      const database = await server.createDatabase()
      const store = await openStore(database, { log })
      const lock = await store.locks.take('app:shop', patient)
      await store.close()
      expect(lock.lost.aborted).toBe(true)
      await lock[Symbol.asyncDispose]()
      await until(database.database, true, 0)
    })
  })

  describe('claims of several replicas', () => {
    const claimed = { kind: 'claimed' }
    const kept = { kind: 'kept', request: 'r', answer: null }

    async function withUser(work: (stores: readonly [Store, Store], database: PostgresDatabase) => Promise<void>) {
      await replicas(2, async (stores, database) => {
        const user = { passwordHash: '', email: '', firstName: '', lastName: '', superuserIfFirst: false }
        await stores[0].users.create({ ...user, username: 'ann' })
        await work(stores, database)
      })
    }

    test('of a living one are under way, also when another one starts', () =>
      withUser(async ([one, two], database) => {
        expect(await one.idempotency.claim('ann', 'k', 'r')).toEqual(claimed)
        const third = await openStore(database, { log })
        await third.idempotency.sweep()
        for (const store of [two, third]) expect(await store.idempotency.claim('ann', 'k', 'r')).toEqual(kept)
        await third.close()
        await one.idempotency.answer('ann', 'k', 201, '')
        expect(await two.idempotency.claim('ann', 'k', 'r')).toMatchObject({ answer: { status: 201 } })
      }))

    test('of one that is gone are free at once', () =>
      withUser(async ([one, two], { database }) => {
        await one.idempotency.claim('ann', 'k', 'r')
        await one.close()
        await until(database, true, 0)
        const claims = await Promise.all([1, 2, 3].map(() => two.idempotency.claim('ann', 'k', 'r')))
        expect(claims.filter(({ kind }) => kind === 'claimed')).toHaveLength(1)
      }))

    test('that were taken over are answered by the new one alone', () =>
      withUser(async ([one, two], { database }) => {
        await one.idempotency.claim('ann', 'k', 'r')
        const [holder] = await sessions(database, true)
        await server.query('select pg_terminate_backend($1)', [holder!.pid])
        await until(database, true, 0)
        // It works on it still, and knows.
        expect(await one.idempotency.claim('ann', 'k', 'r')).toEqual(kept)
        expect(await two.idempotency.claim('ann', 'k', 'r')).toEqual(claimed)
        await one.idempotency.answer('ann', 'k', 500, 'late')
        await one.idempotency.release('ann', 'k')
        expect(await one.idempotency.claim('ann', 'k', 'r')).toEqual(kept)
        await two.idempotency.answer('ann', 'k', 201, '')
        expect(await one.idempotency.claim('ann', 'k', 'r')).toMatchObject({ answer: { status: 201 } })
      }))
  })

  // Last: it disturbs all others.
  test('a restart of the server costs the calls under way, and no more', () =>
    replicas(2, async ([one, two]) => {
      const lock = await one.locks.take('app:shop', patient)
      const lost = once(lock.lost, 'abort')
      await two.ping()
      const begun = Promise.withResolvers<void>()
      const go = Promise.withResolvers<void>()
      const broken = one.transaction(async rows => {
        await rows.users.hasSuperuser()
        begun.resolve()
        await go.promise
        await rows.users.hasSuperuser()
      })
      await begun.promise
      await server.restart()
      await lost
      go.resolve()
      await expect(broken).rejects.toThrow()
      for (const store of [one, two]) {
        // The pool may not have heard of it yet.
        await store.ping().catch(() => {})
        await store.ping()
      }
      await using again = await one.locks.tryTake('app:shop')
      expect(again).not.toBeNull()
    }))
})
