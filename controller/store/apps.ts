import { randomUUID } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { App, AppId, Structure } from '../domain/app.ts'
import { pageOf } from './page.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { Apps, Page, PageRequest } from './store.ts'

const columns = ['uuid', 'id', 'owner', 'structure', 'state', 'created', 'updated'] as const

function appOf(row: Selectable<Schema['apps']>): App {
  return {
    uuid: row.uuid,
    id: row.id as AppId,
    owner: row.owner,
    structure: JSON.parse(row.structure),
    state: row.state as App['state'],
    created: new Date(row.created),
    updated: new Date(row.updated),
  }
}

/** Tables whose rows go over to an app's new owner. */
const handedOver = ['builds', 'configs', 'releases', 'settings', 'tls', 'domains'] as const

export class AppRows implements Apps {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async create(app: Parameters<Apps['create']>[0]): Promise<App> {
    const now = this.#session.now()
    const row = await this.#session.db
      .insertInto('apps')
      .values({
        uuid: randomUUID(),
        id: app.id,
        owner: app.owner,
        structure: JSON.stringify(app.structure),
        state: 'creating',
        created: now,
        updated: now,
      })
      .returning(columns)
      .executeTakeFirstOrThrow()
    return appOf(row)
  }

  async find(id: string): Promise<App | null> {
    const row = await this.#session.db.selectFrom('apps').select(columns).where('id', '=', id).executeTakeFirst()
    return row === undefined ? null : appOf(row)
  }

  async lockRow(id: string): Promise<App | null> {
    // On SQLite no other transaction runs.
    if (this.#session.engine === 'sqlite') return await this.find(id)
    // Not `for update`: that would also hold up those who insert rows that refer to the app, and deadlock with them.
    const row = await this.#session.db
      .selectFrom('apps')
      .select(columns)
      .where('id', '=', id)
      .forNoKeyUpdate()
      .executeTakeFirst()
    return row === undefined ? null : appOf(row)
  }

  list(user: string | null, page: PageRequest): Promise<Page<App>> {
    let rows = this.#session.db.selectFrom('apps').where('state', '=', 'ready')
    if (user !== null) {
      rows = rows.where('id', 'in', eb =>
        eb
          .selectFrom('apps as own')
          .select('own.id')
          .where('own.owner', '=', user)
          .unionAll(eb.selectFrom('grants').select('grants.app as id').where('grants.username', '=', user)),
      )
    }
    return pageOf(rows, page, rows.select(columns).orderBy('id'), appOf)
  }

  async all(): Promise<readonly App[]> {
    const rows = await this.#session.db.selectFrom('apps').select(columns).orderBy('id').execute()
    return rows.map(appOf)
  }

  async setStructure(id: AppId, structure: Structure): Promise<void> {
    await this.#session.db
      .updateTable('apps')
      .set({ structure: JSON.stringify(structure), updated: this.#session.now() })
      .where('id', '=', id)
      .execute()
  }

  async setState(id: AppId, state: App['state']): Promise<void> {
    await this.#session.db
      .updateTable('apps')
      .set({ state, updated: this.#session.now() })
      .where('id', '=', id)
      .execute()
  }

  async transfer(id: AppId, owner: string): Promise<void> {
    await this.#session.atomically(async session => {
      const app = await new AppRows(session).lockRow(id)
      if (app === null || app.owner === owner) return
      const change = { owner, updated: session.now() }
      await session.db.updateTable('apps').set(change).where('id', '=', id).execute()
      for (const table of handedOver) {
        await session.db.updateTable(table).set(change).where('app', '=', id).where('owner', '=', app.owner).execute()
      }
    })
  }

  async delete(id: AppId): Promise<void> {
    await this.#session.db.deleteFrom('apps').where('id', '=', id).execute()
  }

  async ownedBy(user: string): Promise<number> {
    const { count } = await this.#session.db
      .selectFrom('apps')
      .select(eb => eb.fn.countAll<number | string>().as('count'))
      .where('owner', '=', user)
      .executeTakeFirstOrThrow()
    return Number(count)
  }
}
