import type { Session } from './session.ts'
import type { Tokens } from './store.ts'

export class TokenRows implements Tokens {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  async add(username: string, hash: string, most: number): Promise<void> {
    await this.#session.atomically(async ({ db, engine }) => {
      // Two logins at once would not see each other's token, and keep one too many.
      if (engine === 'postgres') {
        await db.selectFrom('users').select('id').where('username', '=', username).forNoKeyUpdate().execute()
      }
      await db.insertInto('tokens').values({ username, hash }).execute()
      await db
        .deleteFrom('tokens')
        .where('username', '=', username)
        .where('seq', 'not in', eb =>
          eb.selectFrom('tokens').select('seq').where('username', '=', username).orderBy('seq', 'desc').limit(most),
        )
        .execute()
    })
  }

  async remove(hash: string): Promise<void> {
    await this.#session.db.deleteFrom('tokens').where('hash', '=', hash).execute()
  }

  async removeBetween(username: string, first: string, end: string): Promise<void> {
    const { db } = this.#session
    // In the database the order of texts depends on its locale; a user has a hundred at most.
    const rows = await db.selectFrom('tokens').select('hash').where('username', '=', username).execute()
    const hashes = rows.map(row => row.hash).filter(hash => hash >= first && hash < end)
    if (hashes.length > 0) await db.deleteFrom('tokens').where('hash', 'in', hashes).execute()
  }

  async clear(username: string): Promise<void> {
    await this.#session.db.deleteFrom('tokens').where('username', '=', username).execute()
  }

  async clearAll(): Promise<void> {
    await this.#session.db.deleteFrom('tokens').execute()
  }
}
