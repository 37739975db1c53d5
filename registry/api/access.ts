// Who may do what. Tokens are as Docker's token authentication has them: signed by the controller, with a list of
// repositories and actions; the registry only needs the public key. Without a key it is open to all who reach it, as in a
// cluster's own network (registry contract, section 9).

import { createPublicKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { RepositoryName } from '../content/names.ts'
import { RegistryError } from '../errors.ts'

export type Action = 'pull' | 'push' | 'delete'

export type Needed =
  /** Any token that is good. */
  | { readonly kind: 'token' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'repository'; readonly repository: RepositoryName; readonly actions: readonly Action[] }

export interface Identity {
  /** Null: nobody in particular. */
  readonly subject: string | null
  may(needed: Needed): boolean
}

export interface Access {
  /** Throws UNAUTHORIZED with a challenge. `authorization`: the field of the request. */
  check(authorization: string | undefined, needed: Needed): Promise<Identity>
}

const anybody: Identity = { subject: null, may: () => true }

export const openAccess: Access = { check: async () => anybody }

/** For machines that run images, on a port that only they reach: everything may be read, by name, and nothing changed. */
export const pullAccess: Access = {
  check: async (_authorization, needed) => {
    const reads = needed.kind === 'repository' && needed.actions.every(action => action === 'pull')
    if (!reads && needed.kind !== 'token') throw new RegistryError('DENIED')
    return anybody
  },
}

export interface TokenAccessOptions {
  /** Where clients get tokens. */
  readonly realm: string
  /** What tokens must be for. */
  readonly service: string
  readonly issuer: string
  /** Any of them; several while keys are changed. */
  readonly keys: readonly KeyObject[]
}

/** The clocks of two machines may differ by this much, seconds. */
const clockTolerance = 30

const claims = z.object({
  sub: z.string().max(255).optional(),
  access: z
    .array(z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()).nullable() }))
    .max(1000)
    .nullish(),
})

export class TokenAccess implements Access {
  readonly #options: TokenAccessOptions

  constructor(options: TokenAccessOptions) {
    this.#options = options
  }

  async check(authorization: string | undefined, needed: Needed): Promise<Identity> {
    const token = /^Bearer +([A-Za-z0-9_.-]+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) throw this.#challenge(needed, null)
    const identity = await this.#identity(token)
    if (identity === null) throw this.#challenge(needed, 'invalid_token')
    if (!identity.may(needed)) throw this.#challenge(needed, 'insufficient_scope')
    return identity
  }

  async #identity(token: string): Promise<Identity | null> {
    const { issuer, service, keys } = this.#options
    // An open registry does without its memory.
    const { errors, jwtVerify } = await import('jose')
    for (const key of keys) {
      try {
        const { payload } = await jwtVerify(token, key, {
          ...{ issuer, audience: service, algorithms: ['ES256'], clockTolerance },
          requiredClaims: ['exp'],
        })
        const parsed = claims.safeParse(payload)
        return parsed.success ? identityOf(parsed.data) : null
      } catch (error) {
        // Perhaps it is of another key.
        if (error instanceof errors.JWSSignatureVerificationFailed) continue
        if (error instanceof errors.JOSEError) return null
        throw error
      }
    }
    return null
  }

  #challenge(needed: Needed, error: string | null): RegistryError {
    const { realm, service } = this.#options
    const scope = scopeOf(needed)
    const challenge = [
      `Bearer realm="${realm}",service="${service}"`,
      ...(scope === null ? [] : [`scope="${scope}"`]),
      ...(error === null ? [] : [`error="${error}"`]),
    ]
    return new RegistryError('UNAUTHORIZED', { headers: { 'www-authenticate': challenge.join(',') } })
  }
}

function scopeOf(needed: Needed): string | null {
  switch (needed.kind) {
    case 'token':
      return null
    case 'catalog':
      return 'registry:catalog:*'
    case 'repository':
      return `repository:${needed.repository}:${needed.actions.join(',')}`
  }
}

function identityOf({ sub, access }: z.infer<typeof claims>): Identity {
  const allowed = new Set<string>()
  for (const { type, name, actions } of access ?? [])
    for (const action of actions ?? []) allowed.add(`${type}:${name}:${action}`)
  const may = (type: string, name: string, action: string): boolean =>
    allowed.has(`${type}:${name}:${action}`) || allowed.has(`${type}:${name}:*`)
  return {
    subject: sub ?? null,
    may: needed => {
      switch (needed.kind) {
        case 'token':
          return true
        case 'catalog':
          return may('registry', 'catalog', '*')
        case 'repository':
          return needed.actions.every(action => may('repository', needed.repository, action))
      }
    },
  }
}

/** One PEM text may hold several keys, or certificates with them. Null: it holds none, or something else. */
export function readPublicKeys(pem: string): readonly KeyObject[] | null {
  const blocks = pem.match(/-----BEGIN (PUBLIC KEY|CERTIFICATE)-----[^-]+-----END \1-----/g) ?? []
  try {
    const keys = blocks.map(block => createPublicKey(block))
    const right = keys.every(key => key.asymmetricKeyDetails?.namedCurve === 'prime256v1')
    return keys.length > 0 && right ? keys : null
  } catch {
    return null
  }
}
