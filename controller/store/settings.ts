import { randomUUID } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { AppId, AppSettings } from '../domain/app.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { SettingsRows as Interface } from './store.ts'

const columns = [
  'uuid',
  'app',
  'owner',
  'maintenance',
  'routable',
  'whitelist',
  'autoscale',
  'label',
  'created',
  'updated',
] as const

function settingsOf(row: Selectable<Schema['settings']>): AppSettings {
  return {
    uuid: row.uuid,
    app: row.app as AppId,
    owner: row.owner,
    maintenance: Boolean(row.maintenance),
    routable: Boolean(row.routable),
    whitelist: JSON.parse(row.whitelist),
    autoscale: JSON.parse(row.autoscale),
    label: JSON.parse(row.label),
    created: new Date(row.created),
    updated: new Date(row.updated),
  }
}

export class SettingsRows implements Interface {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async find(app: AppId): Promise<AppSettings> {
    const row = await this.#session.db
      .selectFrom('settings')
      .select(columns)
      .where('app', '=', app)
      .executeTakeFirstOrThrow(() => new Error(`${app} has no settings`))
    return settingsOf(row)
  }

  async put(settings: Parameters<Interface['put']>[0]): Promise<AppSettings> {
    const now = this.#session.now()
    const values = {
      uuid: randomUUID(),
      owner: settings.owner,
      maintenance: settings.maintenance,
      routable: settings.routable,
      whitelist: JSON.stringify(settings.whitelist),
      autoscale: JSON.stringify(settings.autoscale),
      label: JSON.stringify(settings.label),
      updated: now,
    }
    const row = await this.#session.db
      .insertInto('settings')
      .values({ ...values, app: settings.app, created: now })
      .onConflict(conflict => conflict.column('app').doUpdateSet(values))
      .returning(columns)
      .executeTakeFirstOrThrow()
    return settingsOf(row)
  }
}
