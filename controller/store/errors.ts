// What the databases call things that callers want to know of, in one language.

import { noRoom, Refusal } from '../domain/refusal.ts'
import { GoneError, InUseError, TakenError } from './store.ts'

/** Unique index → the column that has the value already. SQLite names the columns where it can, else the index. */
const columnOf: Readonly<Record<string, string>> = {
  users_username_key: 'users.username',
  apps_pkey: 'apps.id',
  releases_version_key: 'releases.version',
  'releases.app, releases.version': 'releases.version',
  domains_pkey: 'domains.domain',
  domains_lower_key: 'domains.domain',
  certificates_name_key: 'certificates.name',
  keys_pkey: 'keys.id',
  keys_public_digest_key: 'keys.public',
  'keys.public_digest': 'keys.public',
}

/** `TABLE_COLUMN_key`, `TABLE_pkey` or `TABLE.COLUMN`, as the store's interface names it. */
function column(name: string): string {
  return columnOf[name] ?? name
}

// Told by their fields, not by their class: a process that runs on SQLite need not load the client of PostgreSQL.
interface PostgresError extends Error {
  readonly code: string
  readonly severity: string
  readonly constraint?: string
}

/** Sent by the server; errors of the connection are not. */
export function isPostgresError(error: unknown): error is PostgresError {
  return error instanceof Error && 'severity' in error && 'code' in error && typeof error.code === 'string'
}

interface SqliteError extends Error {
  readonly errcode: number
}

function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR' && 'errcode' in error
}

// SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY, _FOREIGNKEY, _TRIGGER (a `restrict`).
const sqliteUnique = new Set([2067, 1555])
const sqliteForeign = new Set([787, 1811])

/** `could not extend file`: of the server's disk. */
const postgresFull = '53100'
/** SQLITE_FULL: the disk, or as many pages as there may be. A quota is another error, which does not say so. */
const sqliteFull = 13

/** The error to throw for one that `sql` ended with; a commit may end with one as well. */
export function translate(error: unknown, sql: string): unknown {
  if (isPostgresError(error)) {
    if (error.code === postgresFull) return noRoom(error)
    if (error.code === '23505') return withCause(new TakenError(column(error.constraint ?? '')), error)
    if (error.code === '23503') return withCause(broken(sql), error)
  } else if (isSqliteError(error)) {
    if (error.errcode === sqliteFull) return noRoom(error)
    const name = /constraint failed: (?:index '([^']+)'|(.+))$/.exec(error.message)
    if (sqliteUnique.has(error.errcode)) {
      return withCause(new TakenError(column(name?.[1] ?? name?.[2] ?? '')), error)
    }
    if (sqliteForeign.has(error.errcode)) return withCause(broken(sql), error)
  }
  return error
}

/** A reference that would lead nowhere. */
function broken(sql: string): Error {
  const table = /^(?:delete from|insert into|update) "?(\w+)/.exec(sql)?.[1] ?? 'row'
  return sql.startsWith('delete') ? new InUseError(`row of ${table}`) : new GoneError(`row of ${table}`)
}

function withCause(error: Error, cause: unknown): Error {
  error.cause = cause
  return error
}

// Serialisation failure, deadlock.
const again = new Set(['40001', '40P01'])

/** Whether the same transaction may well succeed when it is tried again. */
export function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof TakenError) return error.column === 'releases.version'
  return isPostgresError(error) && again.has(error.code)
}

/** Texts with U+0000 cannot be kept by PostgreSQL, and so by no store. Throws a Refusal. */
export function checkParameters(parameters: readonly unknown[]): void {
  for (const value of parameters) {
    if (typeof value === 'string' && value.includes('\0')) {
      throw new Refusal('invalid', 'Null characters are not allowed.')
    }
  }
}
