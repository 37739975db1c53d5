import { type Selectable, sql } from 'kysely'
import type { AppId, Domain } from '../domain/app.ts'
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
