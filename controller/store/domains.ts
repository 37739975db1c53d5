import { type Selectable, sql } from 'kysely'
import type { AppId, Domain } from '../domain/app.ts'
import { neighbourhoodOf, wildcardEnd, wildcardsOver } from '../domain/wildcard.ts'
import { lockKey } from './lock-key.ts'
import { pageOf } from './page.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { Domains, Page, PageRequest } from './store.ts'

const columns = ['app', 'owner', 'domain', 'certificate', 'created', 'updated'] as const

function domainOf(row: Selectable<Schema['domains']>): Domain {
  return {
    app: row.app as AppId,
    owner: row.owner,
    domain: row.domain,
    certificate: row.certificate,
    created: new Date(row.created),
    updated: new Date(row.updated),
  }
}

export class DomainRows implements Domains {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async create(domain: Parameters<Domains['create']>[0]): Promise<Domain> {
    const now = this.#session.now()
    const row = await this.#session.db
      .insertInto('domains')
      .values({
        app: domain.app,
        owner: domain.owner,
        domain: domain.domain,
        certificate: null,
        created: now,
        updated: now,
      })
      .returning(columns)
      .executeTakeFirstOrThrow()
    return domainOf(row)
  }

  async find(domain: string): Promise<Domain | null> {
    const row = await this.#session.db
      .selectFrom('domains')
      .select(columns)
      // Names are ASCII, and so are the letters that both databases make small.
      .where(sql<string>`lower(domain)`, '=', sql<string>`lower(${domain})`)
      .executeTakeFirst()
    return row === undefined ? null : domainOf(row)
  }

  async overlapsOthers(domain: string, username: string): Promise<boolean> {
    const { db, engine } = this.#session
    if (engine === 'postgres') {
      // By transaction, so that it ends with it; no two that come together have different ones. On SQLite no other runs.
      const key = lockKey(`domains ${neighbourhoodOf(domain)}`)
      await sql`select pg_advisory_xact_lock(${key})`.execute(db)
    }
    const over = wildcardsOver(domain)
    const end = wildcardEnd(domain)
    if (over.length === 0 && end === null) return false
    const row = await db
      .selectFrom('domains')
      .innerJoin('apps', 'apps.id', 'domains.app')
      .select('domains.app')
      .where('apps.owner', '<>', username)
      .where(eb =>
        eb.or([
          ...(over.length === 0 ? [] : [eb(sql<string>`lower(domain)`, 'in', over)]),
          // Names have neither `%` nor `_`.
          ...(end === null ? [] : [eb(sql<string>`lower(domain)`, 'like', `%${end}`)]),
        ]),
      )
      // Itself ends so as well, and is for the index to refuse.
      .where(sql<string>`lower(domain)`, '<>', sql<string>`lower(${domain})`)
      .where(eb =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('grants')
              .select('grants.app')
              .whereRef('grants.app', '=', 'domains.app')
              .where('grants.username', '=', username),
          ),
        ),
      )
      .limit(1)
      .executeTakeFirst()
    return row !== undefined
  }

  list(app: AppId, page: PageRequest): Promise<Page<Domain>> {
    const rows = this.#session.db.selectFrom('domains').where('app', '=', app)
    return pageOf(rows, page, rows.select(columns).orderBy('domain'), domainOf)
  }

  async attach(domain: string, certificate: string | null): Promise<void> {
    await this.#session.db
      .updateTable('domains')
      .set({ certificate, updated: this.#session.now() })
      .where('domain', '=', domain)
      .execute()
  }

  async delete(domain: string): Promise<void> {
    await this.#session.db.deleteFrom('domains').where('domain', '=', domain).execute()
  }
}
