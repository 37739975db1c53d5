import { randomUUID } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { AppId, Build } from '../domain/app.ts'
import { pageOf } from './page.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { Builds, Page, PageRequest } from './store.ts'

const columns = [
  'uuid',
  'app',
  'owner',
  'image',
  'sha',
  'procfile',
  'dockerfile',
  'exposed_port',
  'created',
  'updated',
] as const

function buildOf(row: Pick<Selectable<Schema['builds']>, (typeof columns)[number]>): Build {
  return {
    uuid: row.uuid,
    app: row.app as AppId,
    owner: row.owner,
    image: row.image,
    sha: row.sha,
    procfile: JSON.parse(row.procfile),
    dockerfile: row.dockerfile,
    exposedPort: row.exposed_port,
    created: new Date(row.created),
    updated: new Date(row.updated),
  }
}

export class BuildRows implements Builds {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async create(build: Parameters<Builds['create']>[0]): Promise<Build> {
    const now = this.#session.now()
    const row = await this.#session.db
      .insertInto('builds')
      .values({
        uuid: randomUUID(),
        app: build.app,
        owner: build.owner,
        image: build.image,
        sha: build.sha,
        procfile: JSON.stringify(build.procfile),
        dockerfile: build.dockerfile,
        exposed_port: build.exposedPort,
        created: now,
        updated: now,
      })
      .returning(columns)
      .executeTakeFirstOrThrow()
    return buildOf(row)
  }

  async find(app: AppId, uuid: string): Promise<Build | null> {
    const row = await this.#session.db
      .selectFrom('builds')
      .select(columns)
      .where('app', '=', app)
      .where('uuid', '=', uuid)
      .executeTakeFirst()
    return row === undefined ? null : buildOf(row)
  }

  list(app: AppId, page: PageRequest): Promise<Page<Build>> {
    const rows = this.#session.db.selectFrom('builds').where('app', '=', app)
    return pageOf(rows, page, rows.select(columns).orderBy('seq', 'desc'), buildOf)
  }
}
