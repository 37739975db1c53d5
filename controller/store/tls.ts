import { randomUUID } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { AppId, Tls } from '../domain/app.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { TlsRows as Interface } from './store.ts'

const columns = ['uuid', 'app', 'owner', 'https_enforced', 'created', 'updated'] as const

function tlsOf(row: Selectable<Schema['tls']>): Tls {
  return {
    uuid: row.uuid,
    app: row.app as AppId,
    owner: row.owner,
    httpsEnforced: row.https_enforced === null ? null : Boolean(row.https_enforced),
    created: new Date(row.created),
    updated: new Date(row.updated),
  }
}

export class TlsRows implements Interface {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async find(app: AppId): Promise<Tls> {
    const row = await this.#session.db
      .selectFrom('tls')
      .select(columns)
      .where('app', '=', app)
      .executeTakeFirstOrThrow(() => new Error(`${app} has no TLS settings`))
    return tlsOf(row)
  }

  async put(tls: Parameters<Interface['put']>[0]): Promise<Tls> {
    const now = this.#session.now()
    const values = { uuid: randomUUID(), owner: tls.owner, https_enforced: tls.httpsEnforced, updated: now }
    const row = await this.#session.db
      .insertInto('tls')
      .values({ ...values, app: tls.app, created: now })
      .onConflict(conflict => conflict.column('app').doUpdateSet(values))
      .returning(columns)
      .executeTakeFirstOrThrow()
    return tlsOf(row)
  }
}
