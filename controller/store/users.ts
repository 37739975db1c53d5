import { type Selectable, sql } from 'kysely'
import type { User } from '../domain/user.ts'
import { lockKey } from './lock-key.ts'
import { pageOf } from './page.ts'
import type { Schema } from './schema.ts'
import type { Session } from './session.ts'
import type { Page, PageRequest, Users } from './store.ts'

const columns = [
  'id',
  'username',
  'email',
  'first_name',
  'last_name',
  'is_superuser',
  'is_active',
  'joined',
  'last_login',
] as const

function userOf(row: Pick<Selectable<Schema['users']>, (typeof columns)[number]>): User {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    firstName: row.first_name,
    lastName: row.last_name,
    isSuperuser: Boolean(row.is_superuser),
    isActive: Boolean(row.is_active),
    joined: new Date(row.joined),
    lastLogin: row.last_login === null ? null : new Date(row.last_login),
  }
}

export class UserRows implements Users {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  create(user: Parameters<Users['create']>[0]): Promise<User> {
    return this.#session.atomically(async ({ db, engine, now }) => {
      // Two who register at once must not both find that there is no administrator. Held to the end of the transaction;
      // on SQLite there is no other transaction.
      if (user.superuserIfFirst && engine === 'postgres') {
        await sql`select pg_advisory_xact_lock(${lockKey('first administrator')})`.execute(db)
      }
      const superuser = user.superuserIfFirst && !(await anySuperuser(db))
      const row = await db
        .insertInto('users')
        .values({
          username: user.username,
          password_hash: user.passwordHash,
          email: user.email,
          first_name: user.firstName,
          last_name: user.lastName,
          is_superuser: superuser,
          is_active: true,
          joined: now(),
          last_login: null,
        })
        .returning(columns)
        .executeTakeFirstOrThrow()
      return userOf(row)
    })
  }

  async find(username: string): Promise<User | null> {
    const row = await this.#session.db
      .selectFrom('users')
      .select(columns)
      .where('username', '=', username)
      .executeTakeFirst()
    return row === undefined ? null : userOf(row)
  }

  async findByToken(hash: string): Promise<User | null> {
    const row = await this.#session.db
      .selectFrom('users')
      .select(columns)
      .where('username', '=', eb => eb.selectFrom('tokens').select('tokens.username').where('hash', '=', hash))
      .executeTakeFirst()
    return row === undefined ? null : userOf(row)
  }

  async passwordHash(username: string): Promise<string | null> {
    const row = await this.#session.db
      .selectFrom('users')
      .select('password_hash')
      .where('username', '=', username)
      .executeTakeFirst()
    return row?.password_hash ?? null
  }

  async setPasswordHash(username: string, hash: string): Promise<void> {
    await this.#session.db.updateTable('users').set({ password_hash: hash }).where('username', '=', username).execute()
  }

  async setSuperuser(username: string, value: boolean): Promise<void> {
    await this.#session.db.updateTable('users').set({ is_superuser: value }).where('username', '=', username).execute()
  }

  async setLastLogin(username: string, at: Date): Promise<void> {
    await this.#session.db
      .updateTable('users')
      .set({ last_login: at.toISOString() })
      .where('username', '=', username)
      .execute()
  }

  hasSuperuser(): Promise<boolean> {
    return anySuperuser(this.#session.db)
  }

  list(page: PageRequest): Promise<Page<User>> {
    const rows = this.#session.db.selectFrom('users')
    return pageOf(rows, page, rows.select(columns).orderBy('id'), userOf)
  }

  superusers(page: PageRequest): Promise<Page<User>> {
    const rows = this.#session.db.selectFrom('users').where('is_superuser', '=', true)
    return pageOf(rows, page, rows.select(columns).orderBy('id'), userOf)
  }

  async delete(username: string): Promise<void> {
    await this.#session.db.deleteFrom('users').where('username', '=', username).execute()
  }
}

async function anySuperuser(db: Session['db']): Promise<boolean> {
  const row = await db.selectFrom('users').select('id').where('is_superuser', '=', true).limit(1).executeTakeFirst()
  return row !== undefined
}
