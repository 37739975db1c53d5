// The store in a PostgreSQL, for any number of replicas.

import { setTimeout as delay } from 'node:timers/promises'
import { Kysely } from 'kysely'
import pg from 'pg'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { Logger } from '#kit/log.ts'
import { Database } from './database.ts'
import { migrate } from './migrations/migrate.ts'
import type { StoreOptions } from './open-store.ts'
import { OwnProcess } from './own-process.ts'
import { PostgresPoolDialect } from './postgres-driver.ts'
import { PostgresLocks } from './postgres-locks.ts'
import { connectionOf, nameOf, type PostgresTarget } from './postgres-target.ts'
import { rowsOf } from './rows.ts'
import type { Schema } from './schema.ts'
import type { Store } from './store.ts'

/** A server allows 100 connections in all when nobody told it otherwise; two replicas and an upgrade have to fit. */
const defaultConnections = 10

// Milliseconds. Every statement of ours is a matter of milliseconds; what takes longer waits for a row.
const statementTimeout = 15_000
/** For a server that does not answer at all. */
const queryTimeout = statementTimeout + 5_000
/** A transaction whose process stands still holds rows. */
const idleInTransactionTimeout = 30_000
const idleTimeout = 60_000
/** Between two looks for a server that is not there yet. */
const retryAfter = 250

export async function openPostgres(target: PostgresTarget, options: StoreOptions): Promise<Store> {
  const connection = connectionOf(target)
  await prepare(target, options)
  const pool = makePool(options.log, {
    ...connection,
    application_name: 'deis-controller',
    max: options.connections ?? defaultConnections,
    statement_timeout: statementTimeout,
    query_timeout: queryTimeout,
    idle_in_transaction_session_timeout: idleInTransactionTimeout,
  })
  const locks = new PostgresLocks({ ...connection, application_name: 'deis-controller locks' })
  const database = new Database({
    engine: 'postgres',
    dialect: checkCaller => new PostgresPoolDialect(pool, checkCaller),
    process: new OwnProcess(locks),
    wallClock: options.wallClock ?? Date.now,
  })
  let closing: Promise<void> | null = null
  return {
    ...rowsOf(database.session),
    transaction: work => database.transaction(session => work(rowsOf(session))),
    locks,
    ping: () => database.ping(),
    close() {
      // Pools do not like to be ended twice.
      closing ??= locks.close().then(() => database.close())
      return closing
    },
  }
}

/**
 * Migrates, and waits for a server that is about to be there: who is started together with it, or while it moves, would
 * only be started once more, and later each time.
 */
async function prepare(target: PostgresTarget, { log, patience = 0 }: StoreOptions): Promise<void> {
  const end = performance.now() + patience
  for (let isTold = false; ; isTold = true) {
    try {
      return await migrateOnce(target)
    } catch (error) {
      if (!isComing(error) || performance.now() > end) {
        const why = `the database ${nameOf(target)} cannot be used: ${reasonOf(error)}`
        throw new StartupError(exitCode.unavailable, why, { cause: error })
      }
      if (!isTold) log.warn({ database: nameOf(target), reason: reasonOf(error) }, 'the database is not there yet')
      await delay(retryAfter)
    }
  }
}

/** On a connection of its own: a migration may take longer than a statement may, and so may waiting for another replica's. */
async function migrateOnce(target: PostgresTarget): Promise<void> {
  const pool = makePool(null, {
    ...connectionOf(target),
    application_name: 'deis-controller migration',
    max: 1,
    statement_timeout: 0,
  })
  const db = new Kysely<Schema>({ dialect: new PostgresPoolDialect(pool, () => {}) })
  try {
    await migrate(db, 'postgres')
  } finally {
    await db.destroy()
  }
}

/** SQLSTATE: it starts, stops, or was stopped (PostgreSQL, appendix A, class 57). */
const comingStates = new Set(['57P01', '57P02', '57P03'])

function isComing(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isComing)
  const { code, syscall } = error as NodeJS.ErrnoException
  return syscall === 'connect' || syscall === 'getaddrinfo' || comingStates.has(code ?? '')
}

function makePool(log: Logger | null, options: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({ ...options, idleTimeoutMillis: idleTimeout })
  // An idle connection that breaks is replaced when one is needed; without a listener it would end the process.
  pool.on('error', error => log?.warn({ reason: error.message }, 'the database closed an idle connection'))
  // Likewise one that breaks while it is in use, between two queries: the next query tells.
  pool.on('connect', client => client.on('error', () => {}))
  return pool
}

/** Several addresses of one name fail with one error each. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
