// The databases that the controller keeps its state in: what is promised of it is tested on each.

import { afterAll, beforeAll, describe } from 'vitest'
import type { StoreTarget } from '#controller/store/open-store.ts'
import { PostgresServer, withoutPostgres } from './postgres.ts'

/** A new, empty database; undefined: a file where the stage is. */
export type FreshDatabase = () => Promise<StoreTarget | undefined>

/** Describes what any database will do for. */
export type OnAny = (name: string, suite: () => void) => void

/**
 * Runs the suite on SQLite, and on PostgreSQL where there is a server.
 *
 * What the two promise alike is the store's suite to prove. A suite of the API is for both where statements and types of
 * SQL show through it: who comes at once, pages, what is unique, locks, idempotency, texts and numbers that a column may
 * refuse, and what a driver says of a failure. The rest is `onAny`: on SQLite alone.
 */
export function onEachDatabase(suite: (fresh: FreshDatabase, onAny: OnAny) => void): void {
  onAnyDatabase(fresh => suite(fresh, describe))
  onPostgres(fresh => suite(fresh, () => {}))
}

/** Runs what any database will do for. */
export function onAnyDatabase(suite: (fresh: FreshDatabase) => void): void {
  describe('sqlite', () => suite(async () => undefined))
}

/** What one database for several controllers is needed for. */
export function onPostgres(suite: (fresh: FreshDatabase) => void): void {
  const name = withoutPostgres === null ? 'postgres' : `postgres (${withoutPostgres})`
  describe.skipIf(withoutPostgres !== null)(name, () => {
    let server: PostgresServer | null = null
    beforeAll(async () => {
      server = await PostgresServer.start()
    })
    afterAll(async () => {
      await server?.[Symbol.asyncDispose]()
    })
    suite(() => server!.createDatabase())
  })
}
