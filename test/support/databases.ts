// The databases that the controller keeps its state in: what is promised of it is tested on each.

import { afterAll, beforeAll, describe } from 'vitest'
import type { StoreTarget } from '#controller/store/open-store.ts'
import { PostgresServer, withoutPostgres } from './postgres.ts'

/** A new, empty database; undefined: a file where the stage is. */
export type FreshDatabase = () => Promise<StoreTarget | undefined>

/** Runs the suite on SQLite, and on PostgreSQL where there is a server. */
export function onEachDatabase(suite: (fresh: FreshDatabase) => void): void {
  describe('sqlite', () => suite(async () => undefined))
  onPostgres(suite)
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
