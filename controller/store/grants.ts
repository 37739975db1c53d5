import type { AppId } from '../domain/app.ts'
import type { Session } from './session.ts'
import type { Grants } from './store.ts'

export class GrantRows implements Grants {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async has(app: AppId, user: string): Promise<boolean> {
    const row = await this.#session.db
      .selectFrom('grants')
      .select('app')
      .where('app', '=', app)
      .where('username', '=', user)
      .executeTakeFirst()
    return row !== undefined
  }

  async users(app: AppId): Promise<readonly string[]> {
    const rows = await this.#session.db
      .selectFrom('grants')
      .select('username')
      .where('app', '=', app)
      .orderBy('username')
      .execute()
    return rows.map(row => row.username)
  }

  async add(app: AppId, user: string): Promise<void> {
    await this.#session.db
      .insertInto('grants')
      .values({ app, username: user })
      .onConflict(conflict => conflict.columns(['app', 'username']).doNothing())
      .execute()
  }

  async remove(app: AppId, user: string): Promise<boolean> {
    const { numDeletedRows } = await this.#session.db
      .deleteFrom('grants')
      .where('app', '=', app)
      .where('username', '=', user)
      .executeTakeFirstOrThrow()
    return numDeletedRows > 0n
  }
}
