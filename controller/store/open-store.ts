// Opens the database that the controller keeps its state in, with tables as this program knows them.

import type { Logger } from '#kit/log.ts'
import type { PostgresTarget } from './postgres-target.ts'
import type { Store } from './store.ts'

export type StoreTarget = PostgresTarget | { readonly kind: 'sqlite' /** Or `:memory:`. */; readonly file: string }

export interface StoreOptions {
  readonly log: Logger
  /** Milliseconds since the epoch; the machine's clock when absent. */
  readonly wallClock?: () => number
  /** Milliseconds to wait for a server that is not there yet; 0 when absent. PostgreSQL only. */
  readonly patience?: number
  /** Connections for queries, beside the one for locks: PostgreSQL only. */
  readonly connections?: number
}

/** Rejects with StartupError 69 when the database is away, or used by somebody else. */
export async function openStore(target: StoreTarget, options: StoreOptions): Promise<Store> {
  // A process loads what it uses: each client costs memory.
  if (target.kind === 'sqlite') return (await import('./sqlite.ts')).openSqlite(target.file, options)
  return (await import('./postgres.ts')).openPostgres(target, options)
}
