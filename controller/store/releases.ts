import { randomUUID } from 'node:crypto'
import { type Selectable, sql } from 'kysely'
import type { AppId, Release, ReleaseState } from '../domain/app.ts'
import { pageOf } from './page.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { Page, PageRequest, Releases, UnfinishedRelease } from './store.ts'

const columns = [
  'uuid',
  'app',
  'owner',
  'version',
  'summary',
  'state',
  'config',
  'build',
  'created',
  'updated',
] as const

function releaseOf(row: Pick<Selectable<Schema['releases']>, (typeof columns)[number]>): Release {
  return {
    uuid: row.uuid,
    app: row.app as AppId,
    owner: row.owner,
    version: row.version,
    summary: row.summary,
    state: row.state as ReleaseState,
    config: row.config,
    build: row.build,
    created: new Date(row.created),
    updated: new Date(row.updated),
  }
}

export class ReleaseRows implements Releases {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  create(release: Parameters<Releases['create']>[0]): Promise<Release> {
    // Two at once may read the same highest version: the second then breaks on the unique index, and is tried again.
    return this.#session.atomically(async ({ db, now }) => {
      const time = now()
      const row = await db
        .insertInto('releases')
        .values(eb => ({
          uuid: randomUUID(),
          app: release.app,
          owner: release.owner,
          version: eb
            .selectFrom('releases as earlier')
            .select(sql<number>`coalesce(max(earlier.version), 0) + 1`.as('next'))
            .where('earlier.app', '=', release.app),
          summary: release.summary,
          state: release.state,
          config: release.config,
          build: release.build,
          former_structure: release.formerStructure === undefined ? null : JSON.stringify(release.formerStructure),
          created: time,
          updated: time,
        }))
        .returning(columns)
        .executeTakeFirstOrThrow()
      return releaseOf(row)
    })
  }

  async find(app: AppId, version: number): Promise<Release | null> {
    // A number from a URL may be larger than the column.
    if (!Number.isInteger(version) || version < 1 || version > 0x7f_ff_ff_ff) return null
    const row = await this.#ofApp(app).where('version', '=', version).executeTakeFirst()
    return row === undefined ? null : releaseOf(row)
  }

  async current(app: AppId): Promise<Release | null> {
    const row = await this.#succeeded(app).executeTakeFirst()
    return row === undefined ? null : releaseOf(row)
  }

  async before(app: AppId, version: number): Promise<Release | null> {
    const row = await this.#succeeded(app).where('version', '<', version).executeTakeFirst()
    return row === undefined ? null : releaseOf(row)
  }

  list(app: AppId, page: PageRequest): Promise<Page<Release>> {
    const rows = this.#session.db.selectFrom('releases').where('app', '=', app)
    return pageOf(rows, page, rows.select(columns).orderBy('version', 'desc'), releaseOf)
  }

  async unfinished(): Promise<readonly UnfinishedRelease[]> {
    const rows = await this.#session.db
      .selectFrom('releases')
      .select([...columns, 'former_structure'])
      // As the index has it: a parameter would keep the planner from using it.
      .where('state', '=', sql.lit('deploying'))
      .orderBy('app')
      .orderBy('version')
      .execute()
    return rows.map(row => ({
      ...releaseOf(row),
      formerStructure: row.former_structure === null ? null : JSON.parse(row.former_structure),
    }))
  }

  async finish(uuid: string, state: 'succeeded' | 'failed', summary?: string): Promise<void> {
    await this.#session.db
      .updateTable('releases')
      .set({
        state,
        former_structure: null,
        updated: this.#session.now(),
        ...(summary === undefined ? {} : { summary }),
      })
      .where('uuid', '=', uuid)
      .execute()
  }

  #ofApp(app: AppId) {
    return this.#session.db.selectFrom('releases').select(columns).where('app', '=', app)
  }

  /** The latest comes first. */
  #succeeded(app: AppId) {
    return this.#ofApp(app).where('state', '=', 'succeeded').orderBy('version', 'desc').limit(1)
  }
}
