// SQLite under Kysely, by way of node:sqlite: one file, one connection, one user of it at a time.

import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { exitCode, StartupError } from '#kit/exit.ts'
import { Turnstile } from '#kit/turnstile.ts'
import { checkParameters, translate } from './errors.ts'

/** How long a file that another process has is waited for: its owner may be ending just now. Milliseconds. */
const busyTimeout = 1000

/** Statements that are kept ready. The store's own are about a hundred. */
const maxStatements = 300

/** Opens the file for this process alone, or throws a StartupError. The lock is the system's: it ends with the process. */
export function openFile(file: string): DatabaseSync {
  let database: DatabaseSync | null = null
  try {
    // Keys of certificates are in it. The files beside it get the same mode from SQLite.
    if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600))
    database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: busyTimeout })
    // Exclusive before the first access: the index of the WAL is then in our memory, and nobody else can open the file.
    database.exec('pragma locking_mode = exclusive')
    database.exec('pragma journal_mode = wal')
    // What was answered must be there after a power cut.
    database.exec('pragma synchronous = full')
    database.exec('begin exclusive; commit')
    return database
  } catch (error) {
    database?.close()
    const reason = (error as Error).message
    const why = reason.includes('locked') ? `another process uses ${file} already` : `${file} cannot be used: ${reason}`
    throw new StartupError(exitCode.unavailable, why, { cause: error })
  }
}

export class SqliteFileDialect implements Dialect {
  readonly #driver: SqliteDriver

  constructor(database: DatabaseSync, checkCaller: () => void) {
    this.#driver = new SqliteDriver(database, checkCaller)
  }

  createDriver(): Driver {
    return this.#driver
  }

  createAdapter(): SqliteAdapter {
    return new Adapter()
  }

  createIntrospector(db: ConstructorParameters<typeof SqliteIntrospector>[0]): SqliteIntrospector {
    return new SqliteIntrospector(db)
  }

  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler()
  }
}

class Adapter extends SqliteAdapter {
  // It does, and so a migration happens whole or not at all.
  override get supportsTransactionalDdl(): boolean {
    return true
  }

  // There is one, but the driver has its own queue for it.
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection
  readonly #queue = new Turnstile(1)
  /** Throws when whoever asks for the connection has it already: he would wait for himself. */
  readonly #checkCaller: () => void

  constructor(database: DatabaseSync, checkCaller: () => void) {
    this.#connection = new SqliteConnection(database)
    this.#checkCaller = checkCaller
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    this.#checkCaller()
    await this.#queue.enter()
    return this.#connection
  }

  async releaseConnection(): Promise<void> {
    this.#queue.leave()
  }

  async beginTransaction(): Promise<void> {
    this.#connection.begin()
  }

  async commitTransaction(): Promise<void> {
    this.#connection.commit()
  }

  async rollbackTransaction(): Promise<void> {
    this.#connection.rollback()
  }

  async destroy(): Promise<void> {
    // After those who wait: what was begun is finished.
    await this.#queue.enter()
    this.#connection.close()
    this.#queue.leave()
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, Prepared>()
  #failed = false

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#failed) throw new Error('the transaction has failed already')
    checkParameters(query.parameters)
    try {
      const { statement, answers } = this.#prepare(query.sql)
      const values = query.parameters.map(bindable)
      if (answers) return { rows: statement.all(...values) as R[] }
      const { changes, lastInsertRowid } = statement.run(...values)
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
    } catch (error) {
      // As PostgreSQL has it, so that code which works here works there.
      this.#failed = this.#database.isTransaction
      throw translate(error, query.sql)
    }
  }

  // biome-ignore lint/correctness/useYield: there is nothing that it could yield.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('queries are not streamed')
  }

  begin(): void {
    this.#database.exec('begin immediate')
  }

  commit(): void {
    if (this.#failed) throw new Error('the transaction has failed already')
    try {
      this.#database.exec('commit')
    } catch (error) {
      throw translate(error, 'commit')
    }
  }

  rollback(): void {
    this.#failed = false
    // A full disk has it rolled back already.
    if (this.#database.isTransaction) this.#database.exec('rollback')
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
  }

  #prepare(sql: string): Prepared {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    const made = { statement, answers: statement.columns().length > 0 }
    if (this.#statements.size < maxStatements) this.#statements.set(sql, made)
    return made
  }
}

interface Prepared {
  readonly statement: StatementSync
  /** Whether it yields rows. */
  readonly answers: boolean
}

function bindable(value: unknown): SQLInputValue {
  return typeof value === 'boolean' ? Number(value) : (value as SQLInputValue)
}
