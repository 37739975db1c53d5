// The controller killed at thirty moments of what it does, on either database.

import { describe, expect, test } from 'vitest'
import { crashRounds } from '#test/support/crash-rounds.ts'
import { CrashSite } from '#test/support/crash-site.ts'
import { PostgresServer, withoutPostgres } from '#test/support/postgres.ts'

const kills = 30
const timeout = 600_000

async function rounds(site: CrashSite, seed: number): Promise<void> {
  for (const { deed, after } of crashRounds(seed, kills)) {
    const reply = await site.killDuring(deed, after)
    await site.open()
    const moment = `${deed}, killed after ${after} ms, ${reply === null ? 'not answered' : reply.status}`
    expect([moment, await site.faults(), await site.broken()]).toEqual([moment, [], null])
  }
}

// Side by side: most of it is waiting for processes to come and go.
describe.concurrent('killed at thirty moments', () => {
  test('SQLite: killed at any moment, in order after the next start', { timeout }, async () => {
    await using site = await CrashSite.start(null)
    await rounds(site, 11)
  })

  test.skipIf(withoutPostgres !== null)('PostgreSQL: likewise, and no row is left half-way', { timeout }, async () => {
    await using server = await PostgresServer.start()
    const database = await server.createDatabase()
    await using site = await CrashSite.start(database)
    await rounds(site, 12)
    const query = (text: string) => server.query(text, [], database.database)
    expect(await query(`select app, version from releases where state = 'deploying'`)).toEqual([])
    expect(await query(`select id, state from apps where state <> 'ready'`)).toEqual([])
    expect(await query(`select * from pg_locks where locktype = 'advisory' and not granted`)).toEqual([])
  })
})
