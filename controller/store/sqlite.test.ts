import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { Database } from './database.ts'
import { LocalLocks } from './local-locks.ts'
import { migrate } from './migrations/migrate.ts'
import { openStore } from './open-store.ts'
import { OwnProcess } from './own-process.ts'
import { rowsOf } from './rows.ts'
import { openFile, SqliteFileDialect } from './sqlite-driver.ts'
import { storeSuite } from './store-suite.ts'

const directory = mkdtempSync(join(tmpdir(), 'deis-store-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const log = createLogger({ destination: { write() {} } })
let files = 0
const newFile = (): string => join(directory, `${++files}.sqlite`)

const user = { passwordHash: '', email: '', firstName: '', lastName: '', superuserIfFirst: false }

describe('SQLite', () => {
  storeSuite({ open: options => openStore({ kind: 'sqlite', file: newFile() }, { log, ...options }) })

  test('a file is there again, for nobody else to read', async () => {
    const file = newFile()
    const first = await openStore({ kind: 'sqlite', file }, { log })
    await first.users.create({ ...user, username: 'ann' })
    for (const name of [file, `${file}-wal`]) expect(statSync(name).mode & 0o777).toBe(0o600)
    await first.close()
    const second = await openStore({ kind: 'sqlite', file }, { log })
    expect(await second.users.find('ann')).not.toBeNull()
    await second.close()
  })

  test('a claim of a process that is gone is free, one that was answered is not', async () => {
    const file = newFile()
    const first = await openStore({ kind: 'sqlite', file }, { log })
    await first.users.create({ ...user, username: 'ann' })
    for (const key of ['left', 'answered']) await first.idempotency.claim('ann', key, 'r')
    await first.idempotency.answer('ann', 'answered', 201, '{}')
    await first.close()
    const second = await openStore({ kind: 'sqlite', file }, { log })
    expect(await second.idempotency.claim('ann', 'left', 'other')).toEqual({ kind: 'claimed' })
    expect(await second.idempotency.claim('ann', 'left', 'other')).toMatchObject({ kind: 'kept', request: 'other' })
    expect(await second.idempotency.claim('ann', 'answered', 'r')).toMatchObject({ answer: { status: 201 } })
    await second.close()
  })

  // The answer was 500, and nobody knew why.
  test('of a database that is full there is a word, and it goes on when there is room', async () => {
    const connection = openFile(newFile())
    const database = new Database({
      engine: 'sqlite',
      process: new OwnProcess(new LocalLocks()),
      dialect: checkCaller => new SqliteFileDialect(connection, checkCaller),
      wallClock: Date.now,
    })
    await migrate(database.kysely, 'sqlite')
    const rows = rowsOf(database.session)
    await rows.users.create({ ...user, username: 'ann' })
    const { page_count: pages } = connection.prepare('pragma page_count').get() as { page_count: number }
    const most = (count: number): void => connection.exec(`pragma max_page_count = ${count}`)
    most(pages)
    const add = () => rows.users.create({ ...user, username: 'bob', firstName: 'x'.repeat(100_000) })
    const full = { name: 'Refusal', kind: 'full', cause: { errcode: 13 } }
    await expect(add()).rejects.toMatchObject(full)
    await expect(
      database.transaction(session =>
        rowsOf(session).users.create({ ...user, username: 'c', email: 'x'.repeat(100_000) }),
      ),
    ).rejects.toMatchObject(full)
    expect(await rows.users.find('ann')).not.toBeNull()
    most(pages + 1000)
    expect(await add()).toMatchObject({ username: 'bob' })
    await database.close()
  })

  test('memory does as well', async () => {
    const store = await openStore({ kind: 'sqlite', file: ':memory:' }, { log })
    await store.users.create({ ...user, username: 'ann' })
    expect(await store.users.find('ann')).not.toBeNull()
    await store.close()
  })

  test('a file has one user at a time', async () => {
    const file = newFile()
    const store = await openStore({ kind: 'sqlite', file }, { log })
    await expect(openStore({ kind: 'sqlite', file }, { log })).rejects.toMatchObject({
      name: 'StartupError',
      exitCode: 69,
      message: `another process uses ${file} already`,
    })
    await store.close()
  })

  test('a file that another process has is free when that one is killed, with all that it committed', async () => {
    const file = newFile()
    const program = `
      const { openStore } = await import(${JSON.stringify(join(import.meta.dirname, 'open-store.ts'))})
      const store = await openStore({ kind: 'sqlite', file: ${JSON.stringify(file)} }, {})
      await store.users.create(${JSON.stringify({ ...user, username: 'ann' })})
      console.log('ready')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: join(import.meta.dirname, '../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(child.stdout, 'data')
      await expect(openStore({ kind: 'sqlite', file }, { log })).rejects.toThrow('another process uses')
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const store = await openStore({ kind: 'sqlite', file }, { log })
    expect(await store.users.find('ann')).not.toBeNull()
    await store.close()
  })

  test('a file of a later version is left alone', async () => {
    const file = newFile()
    await (await openStore({ kind: 'sqlite', file }, { log })).close()
    const database = new DatabaseSync(file)
    database.exec("insert into kysely_migration values ('9999-later', '2099-01-01')")
    database.close()
    await expect(openStore({ kind: 'sqlite', file }, { log })).rejects.toMatchObject({
      exitCode: 69,
      message: expect.stringContaining('9999-later is missing'),
    })
  })

  const useless: [name: string, file: () => string, why: RegExp][] = [
    [
      'a file that is something else',
      () => {
        const file = newFile()
        writeFileSync(file, 'something else'.repeat(100))
        return file
      },
      /cannot be used: file is not a database/,
    ],
    ['a directory that is not there', () => join(directory, 'none', 'file'), /cannot be used: ENOENT/],
    ['a directory', () => directory, /cannot be used: EISDIR/],
  ]
  for (const [name, file, why] of useless)
    test(name, async () => {
      const opening = openStore({ kind: 'sqlite', file: file() }, { log })
      await expect(opening).rejects.toMatchObject({
        name: 'StartupError',
        exitCode: 69,
        message: expect.stringMatching(why),
      })
    })
})
