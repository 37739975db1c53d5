// What the classes of the tables work on: the database, or one transaction of it.

import type { Kysely } from 'kysely'
import type { OwnProcess } from './own-process.ts'
import type { Schema } from './schema.ts'

export type Engine = 'sqlite' | 'postgres'

export interface Session {
  readonly db: Kysely<Schema>
  readonly engine: Engine
  readonly process: OwnProcess
  /** The time, as rows have it. */
  now(): string
  /** Runs `work` in the transaction that this is; or, outside of one, in a transaction of its own. */
  atomically<T>(work: (session: Session) => Promise<T>): Promise<T>
}
