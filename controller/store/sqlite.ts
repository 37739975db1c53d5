// The store in a file, for one process.

import { exitCode, StartupError } from '#kit/exit.ts'
import { Database } from './database.ts'
import { LocalLocks } from './local-locks.ts'
import { migrate } from './migrations/migrate.ts'
import type { StoreOptions } from './open-store.ts'
import { OwnProcess } from './own-process.ts'
import { rowsOf } from './rows.ts'
import { openFile, SqliteFileDialect } from './sqlite-driver.ts'
import type { Store } from './store.ts'

export async function openSqlite(file: string, options: StoreOptions): Promise<Store> {
  const connection = openFile(file)
  const locks = new LocalLocks()
  const database = new Database({
    engine: 'sqlite',
    process: new OwnProcess(locks),
    dialect: checkCaller => new SqliteFileDialect(connection, checkCaller),
    wallClock: options.wallClock ?? Date.now,
  })
  try {
    await migrate(database.kysely, 'sqlite')
  } catch (error) {
    connection.close()
    const why = `${file} cannot be used: ${(error as Error).message}`
    throw new StartupError(exitCode.unavailable, why, { cause: error })
  }
  return {
    ...rowsOf(database.session),
    transaction: work => database.transaction(session => work(rowsOf(session))),
    locks,
    ping: () => database.ping(),
    async close() {
      locks.close()
      await database.close()
    },
  }
}
