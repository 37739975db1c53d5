// A database as sessions: the one outside of transactions, and one for each transaction, tried again where that helps.

import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { type Dialect, Kysely, sql, type Transaction } from 'kysely'
import { fullJitter } from '#kit/backoff.ts'
import { isWorthAnotherTry } from './errors.ts'
import type { OwnProcess } from './own-process.ts'
import type { Schema } from './schema.ts'
import type { Engine, Session } from './session.ts'

/** Tries of one transaction. With eight clients on one row, two are rare. */
const maxTries = 10

const betweenTries = { base: 10, cap: 250 }

export interface DatabaseOptions {
  readonly engine: Engine
  /** Whoever takes a connection has to pass `checkCaller`. */
  readonly dialect: (checkCaller: () => void) => Dialect
  readonly process: OwnProcess
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
}

export class Database {
  readonly kysely: Kysely<Schema>
  /** For what needs no transaction, or makes its own. */
  readonly session: Session
  /** The transaction that the running code is part of. */
  readonly #running = new AsyncLocalStorage<{ isOpen: boolean }>()

  constructor({ engine, dialect, process, wallClock }: DatabaseOptions) {
    this.kysely = new Kysely({ dialect: dialect(() => this.#checkCaller()) })
    const now = (): string => new Date(wallClock()).toISOString()
    this.session = { db: this.kysely, engine, process, now, atomically: work => this.transaction(work) }
  }

  async transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.kysely.transaction().execute(db => this.#run(db, work))
      } catch (error) {
        if (tries === maxTries || !isWorthAnotherTry(error)) throw error
      }
      await delay(fullJitter(tries, betweenTries, Math.random))
    }
  }

  async ping(): Promise<void> {
    await sql`select 1`.execute(this.kysely)
  }

  async close(): Promise<void> {
    await this.kysely.destroy()
  }

  async #run<T>(db: Transaction<Schema>, work: (session: Session) => Promise<T>): Promise<T> {
    const session: Session = { ...this.session, db, atomically: inner => inner(session) }
    // Marked, not left: what the work started and did not wait for runs on as part of it.
    const running = { isOpen: true }
    try {
      return await this.#running.run(running, () => work(session))
    } finally {
      running.isOpen = false
    }
  }

  #checkCaller(): void {
    if (this.#running.getStore()?.isOpen) throw new Error('in a transaction only its own rows may be used')
  }
}
