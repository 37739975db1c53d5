// Who looks at the status page: a cookie that says so, for a working day, and for nothing else. It is a token of its own kind:
// the store keeps a digest behind a word that no token of the API has, so that neither is ever taken for the other; it ends
// with all tokens of its user; and when it ends otherwise is a part of what is looked up, which nobody can change.

import { createHash, randomBytes } from 'node:crypto'
import type { User } from '../domain/user.ts'
import type { Store } from '../store/store.ts'
import { mostTokens } from './accounts.ts'

/** Seconds. */
export const sessionLife = 8 * 3600
const prefix = 'page:'

export class PageSessions {
  readonly #store: Store
  readonly #now: () => number

  /** `now`: milliseconds since the epoch. */
  constructor(store: Store, now: () => number = Date.now) {
    this.#store = store
    this.#now = now
  }

  /** What the cookie is to hold. Sessions of this user that are over go. */
  async begin(user: User): Promise<string> {
    const now = Math.floor(this.#now() / 1000)
    const cookie = `${now + sessionLife}.${randomBytes(32).toString('base64url')}`
    await this.#store.tokens.removeBetween(user.username, prefix, prefix + now)
    await this.#store.tokens.add(user.username, hashOf(cookie)!, mostTokens)
    return cookie
  }

  /** Null: it is none, or over. */
  async user(cookie: string | null): Promise<User | null> {
    const hash = this.#live(cookie)
    const user = hash === null ? null : await this.#store.users.findByToken(hash)
    return user?.isActive === true ? user : null
  }

  async end(cookie: string | null): Promise<void> {
    const hash = this.#live(cookie)
    if (hash !== null) await this.#store.tokens.remove(hash)
  }

  #live(cookie: string | null): string | null {
    const hash = cookie === null ? null : hashOf(cookie)
    return hash !== null && Number(cookie!.slice(0, 10)) * 1000 > this.#now() ? hash : null
  }
}

/** What the store has for a cookie; null: it is none of ours. */
function hashOf(cookie: string): string | null {
  const [, expires, secret] = /^(\d{10})\.([A-Za-z0-9_-]{43})$/.exec(cookie) ?? []
  if (expires === undefined || secret === undefined) return null
  return `${prefix}${expires}:${createHash('sha256').update(secret).digest('hex')}`
}
