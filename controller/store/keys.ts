import { createHash, randomUUID } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { Key } from '../domain/user.ts'
import { pageOf } from './page.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { Keys, Page, PageRequest } from './store.ts'

const columns = ['uuid', 'owner', 'id', 'public', 'fingerprint', 'created', 'updated'] as const

function keyOf(row: Pick<Selectable<Schema['keys']>, (typeof columns)[number]>): Key {
  return { ...row, created: new Date(row.created), updated: new Date(row.updated) }
}

export class KeyRows implements Keys {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async create(key: Parameters<Keys['create']>[0]): Promise<Key> {
    const now = this.#session.now()
    const row = await this.#session.db
      .insertInto('keys')
      .values({
        uuid: randomUUID(),
        owner: key.owner,
        id: key.id,
        public: key.public,
        public_digest: createHash('sha256').update(key.public).digest('base64url'),
        fingerprint: key.fingerprint,
        created: now,
        updated: now,
      })
      .returning(columns)
      .executeTakeFirstOrThrow()
    return keyOf(row)
  }

  async find(owner: string, id: string): Promise<Key | null> {
    const row = await this.#session.db
      .selectFrom('keys')
      .select(columns)
      .where('owner', '=', owner)
      .where('id', '=', id)
      .executeTakeFirst()
    return row === undefined ? null : keyOf(row)
  }

  /** Who added it first, where it was added with several comments: nobody else becomes that user. */
  async findByFingerprint(fingerprint: string): Promise<Key | null> {
    const row = await this.#session.db
      .selectFrom('keys')
      .select(columns)
      .where('fingerprint', '=', fingerprint)
      .orderBy('created')
      .orderBy('uuid')
      .limit(1)
      .executeTakeFirst()
    return row === undefined ? null : keyOf(row)
  }

  list(owner: string, page: PageRequest): Promise<Page<Key>> {
    const rows = this.#session.db.selectFrom('keys').where('owner', '=', owner)
    return pageOf(rows, page, rows.select(columns).orderBy('id'), keyOf)
  }

  async delete(id: string): Promise<void> {
    await this.#session.db.deleteFrom('keys').where('id', '=', id).execute()
  }
}
