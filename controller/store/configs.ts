import { randomUUID } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { AppId } from '../domain/app.ts'
import type { Config, ConfigMaps } from '../domain/config.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { Configs } from './store.ts'

const columns = ['uuid', 'app', 'owner', 'maps', 'created', 'updated'] as const

function configOf(row: Selectable<Schema['configs']>): Config {
  return {
    ...(JSON.parse(row.maps) as ConfigMaps),
    uuid: row.uuid,
    app: row.app as AppId,
    owner: row.owner,
    created: new Date(row.created),
    updated: new Date(row.updated),
  }
}

export class ConfigRows implements Configs {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async create(config: Parameters<Configs['create']>[0]): Promise<Config> {
    const now = this.#session.now()
    const { values, memory, cpu, tags, registry, healthcheck } = config
    const maps: ConfigMaps = { values, memory, cpu, tags, registry, healthcheck }
    const row = await this.#session.db
      .insertInto('configs')
      .values({
        uuid: randomUUID(),
        app: config.app,
        owner: config.owner,
        maps: JSON.stringify(maps),
        created: now,
        updated: now,
      })
      .returning(columns)
      .executeTakeFirstOrThrow()
    return configOf(row)
  }

  async find(app: AppId, uuid: string): Promise<Config | null> {
    const row = await this.#session.db
      .selectFrom('configs')
      .select(columns)
      .where('app', '=', app)
      .where('uuid', '=', uuid)
      .executeTakeFirst()
    return row === undefined ? null : configOf(row)
  }
}
