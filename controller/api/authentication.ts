// Who calls: users by a token that only they and its hash in the store know, the builder by a key that it shares with us.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { forbidden } from '../domain/access.ts'
import { Refusal } from '../domain/refusal.ts'
import type { User } from '../domain/user.ts'
import type { Store } from '../store/store.ts'
import type { Access, Call, Caller } from './resource.ts'

/** `Authorization: token <40 hex>` (controller contract, section 2). */
export function newToken(): string {
  return randomBytes(20).toString('hex')
}

/** What the store keeps of a token: it is random, so nothing slower than a digest is needed. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

export class Authentication {
  readonly #store: Store
  readonly #builderKey: string | null

  /** `builderKey` null: there is no builder. */
  constructor(store: Store, builderKey: string | null) {
    this.#store = store
    this.#builderKey = builderKey
  }

  /** Null when no token was sent. Throws when there is none such. */
  async user(call: Call): Promise<User | null> {
    const token = tokenOf(call.authorization)
    return token === null ? null : await this.ofToken(token)
  }

  /** Throws when there is none such. */
  async ofToken(token: string): Promise<User> {
    const user = await this.#store.users.findByToken(tokenHash(token))
    if (user === null) throw new Refusal('unauthenticated', 'Invalid token.')
    if (!user.isActive) throw new Refusal('unauthenticated', 'User inactive or deleted.')
    return user
  }

  async required(call: Call): Promise<User> {
    const user = await this.user(call)
    if (user === null) throw new Refusal('unauthenticated', 'Authentication credentials were not provided.')
    return user
  }

  async superuser(call: Call): Promise<User> {
    const user = await this.required(call)
    if (!user.isSuperuser) throw forbidden()
    return user
  }

  get anyone(): Access<null> {
    return { scheme: null, admit: async () => null }
  }

  get anyUser(): Access<Caller> {
    return { scheme: 'token', admit: async call => ({ user: await this.required(call) }) }
  }

  get anySuperuser(): Access<Caller> {
    return { scheme: 'token', admit: async call => ({ user: await this.superuser(call) }) }
  }

  /** A user without the builder's key is forbidden; anybody else without it is nobody. */
  get builder(): Access<null> {
    return {
      scheme: 'builder',
      admit: async call => {
        if (this.#builderKey !== null && call.builderKey !== null && equal(call.builderKey, this.#builderKey))
          return null
        await this.required(call)
        throw forbidden()
      },
    }
  }
}

/** Another scheme counts as no credentials. */
function tokenOf(authorization: string | null): string | null {
  if (authorization === null) return null
  const [scheme = '', token, ...more] = authorization.trim().split(/ +/)
  if (scheme.toLowerCase() !== 'token') return null
  if (token === undefined || more.length > 0) throw new Refusal('unauthenticated', 'Invalid token.')
  return token
}

function equal(given: string, wanted: string): boolean {
  const [a, b] = [given, wanted].map(value => createHash('sha256').update(value).digest())
  return timingSafeEqual(a!, b!)
}
