// What whoever comes after a process that died has to know: what a deploy would go back to, and whose a claim is.

import type { Kysely } from 'kysely'

export async function noteWorkUnderWay(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('releases').addColumn('former_structure', 'text').execute()
  await db.schema.alterTable('idempotency').addColumn('process', 'text').execute()
}
