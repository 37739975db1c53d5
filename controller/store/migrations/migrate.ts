// Brings a database up to the tables that this program knows. What ran is noted in the database itself; on PostgreSQL
// replicas that start together wait for each other, and all of it happens or none.

import type { Kysely } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { Schema } from '../schema.ts'
import type { Engine } from '../session.ts'
import { createTables } from './0001-tables.ts'
import { noteWorkUnderWay } from './0002-under-way.ts'

/** In this order, for ever: names are noted in databases. */
function migrations(engine: Engine): Record<string, Migration> {
  return {
    '0001-tables': { up: db => createTables(db, engine) },
    '0002-under-way': { up: db => noteWorkUnderWay(db) },
  }
}

/** Rejects when a migration fails, or when the database was migrated by a later version of this program. */
export async function migrate(db: Kysely<Schema>, engine: Engine): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations(engine) } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}
