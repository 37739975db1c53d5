import { type Selectable, sql } from 'kysely'
import type { AppId } from '../domain/app.ts'
import type { Certificate } from '../domain/user.ts'
import { pageOf } from './page.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { Certificates, Page, PageRequest } from './store.ts'

const columns = [
  'id',
  'owner',
  'name',
  'chain',
  'key',
  'common_name',
  'san',
  'fingerprint',
  'starts',
  'expires',
  'issuer',
  'subject',
  'created',
  'updated',
] as const

/** Names that each is attached to, in the same query; no name has a comma. */
const attached = sql<string | null>`(
  select string_agg(domains.domain, ',' order by domains.domain) from domains
  where domains.certificate = certificates.name
)`.as('domains')

type Row = Selectable<Schema['certificates']> & { readonly domains?: string | null }

function certificateOf(row: Row): Certificate {
  return {
    id: row.id,
    owner: row.owner,
    name: row.name,
    chain: row.chain,
    key: row.key,
    commonName: row.common_name,
    san: JSON.parse(row.san),
    fingerprint: row.fingerprint,
    starts: new Date(row.starts),
    expires: new Date(row.expires),
    issuer: row.issuer,
    subject: row.subject,
    domains: row.domains?.split(',') ?? [],
    created: new Date(row.created),
    updated: new Date(row.updated),
  }
}

export class CertificateRows implements Certificates {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async create(certificate: Parameters<Certificates['create']>[0]): Promise<Certificate> {
    const now = this.#session.now()
    const row = await this.#session.db
      .insertInto('certificates')
      .values({
        owner: certificate.owner,
        name: certificate.name,
        chain: certificate.chain,
        key: certificate.key,
        common_name: certificate.commonName,
        san: JSON.stringify(certificate.san),
        fingerprint: certificate.fingerprint,
        starts: certificate.starts.toISOString(),
        expires: certificate.expires.toISOString(),
        issuer: certificate.issuer,
        subject: certificate.subject,
        created: now,
        updated: now,
      })
      .returning(columns)
      .executeTakeFirstOrThrow()
    return certificateOf(row)
  }

  async find(owner: string, name: string): Promise<Certificate | null> {
    const row = await this.#session.db
      .selectFrom('certificates')
      .select(columns)
      .select(attached)
      .where('owner', '=', owner)
      .where('name', '=', name)
      .executeTakeFirst()
    return row === undefined ? null : certificateOf(row)
  }

  list(owner: string, page: PageRequest): Promise<Page<Certificate>> {
    const rows = this.#session.db.selectFrom('certificates').where('owner', '=', owner)
    return pageOf(rows, page, rows.select(columns).select(attached).orderBy('id'), certificateOf)
  }

  async delete(name: string): Promise<void> {
    await this.#session.db.deleteFrom('certificates').where('name', '=', name).execute()
  }

  async ofApp(app: AppId): Promise<readonly Certificate[]> {
    const rows = await this.#session.db
      .selectFrom('certificates')
      .select(columns)
      .select(attached)
      .where('name', 'in', eb =>
        eb
          .selectFrom('domains')
          .select(sql<string>`domains.certificate`.as('name'))
          .where('domains.app', '=', app)
          .where('domains.certificate', 'is not', null),
      )
      .orderBy('name')
      .execute()
    return rows.map(certificateOf)
  }
}
