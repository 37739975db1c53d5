// `GET /v2/registry/token`: Docker's clients ask for a token here before they pull or push, with a name and a password
// (Docker token authentication). The password is an API token, and the name then does not matter; or the name is `builder`
// or `node`, with the secrets of the builder and of the machines that run images; or it is `build`, with a token that this
// very resource gave the builder for one app, for clients that can only ask for tokens themselves.

import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { isRepository } from '#kit/oci/reference.ts'
import { Refusal } from '../domain/refusal.ts'
import type { User } from '../domain/user.ts'
import { type Grant, type RegistryTokens, standardLifetime, type TokenRights } from '../registry-tokens.ts'
import type { Store } from '../store/store.ts'
import type { Authentication } from './authentication.ts'
import { mayUseRepository } from './image-access.ts'
import { type Access, type Call, ok, operation, type Resource, resource } from './resource.ts'

type Bearer =
  | { readonly kind: 'user'; readonly user: User }
  /** May do everything. */
  | { readonly kind: 'builder' }
  /** May read everything. */
  | { readonly kind: 'node' }
  /** May do what his token says, for as long. */
  | { readonly kind: 'build'; readonly rights: TokenRights }

/** Things that one token is asked for. */
const mostScopes = 20

/** Seconds that the builder may ask for: a build takes long, and pushes at its end. */
const longestLifetime = 172_800

export interface RegistryTokenOptions {
  readonly store: Store
  readonly authentication: Authentication
  /** Null: the registry lets everybody in, and there are no tokens. */
  readonly tokens: RegistryTokens | null
  /** Secrets; null: nobody has one. */
  readonly builderKey: string | null
  readonly nodeKey: string | null
}

export function registryToken(options: RegistryTokenOptions): readonly Resource[] {
  const { tokens } = options
  if (tokens === null) return []
  return [
    resource('/v2/registry/token', bearerAccess(options), {
      GET: operation({
        summary: 'A token for the registry, with what the caller may do there of what is asked for.',
        query: {
          service: 'The registry',
          scope: 'repository:NAME:ACTION,ACTION, several times or with spaces',
          lifetime: 'Seconds; for the builder',
        },
        answers: {
          200: z.strictObject({
            token: z.string(),
            access_token: z.string(),
            expires_in: z.int(),
            issued_at: z.string(),
          }),
        },
        handle: async (bearer, call) => {
          const service = call.url.searchParams.get('service')
          if (service !== null && service !== tokens.service)
            throw new Refusal('illogical', `There are no tokens for ${JSON.stringify(service.slice(0, 100))} here`)
          const access = await Promise.all(scopesOf(call).map(scope => granted(options.store, bearer, scope)))
          const { token, issued, lifetime } = await tokens.sign(
            subjectOf(bearer),
            access.filter(({ actions }) => actions.length > 0),
            lifetimeOf(bearer, call),
          )
          const issuedAt = `${issued.toISOString().slice(0, 19)}Z`
          return ok({ token, access_token: token, expires_in: lifetime, issued_at: issuedAt })
        },
      }),
    }),
  ]
}

function bearerAccess({ authentication, tokens, builderKey, nodeKey }: RegistryTokenOptions): Access<Bearer> {
  return {
    scheme: 'basic',
    admit: async call => {
      const credentials = credentialsOf(call.authorization)
      if (credentials === null) throw new Refusal('unauthenticated', 'Authentication credentials were not provided.')
      const { name, password } = credentials
      if (name === 'builder' && builderKey !== null && equal(password, builderKey)) return { kind: 'builder' }
      if (name === 'node' && nodeKey !== null && equal(password, nodeKey)) return { kind: 'node' }
      const rights = name === 'build' ? await tokens!.rights(password) : null
      if (rights !== null) return { kind: 'build', rights }
      return { kind: 'user', user: await authentication.ofToken(password) }
    },
  }
}

function lifetimeOf(bearer: Bearer, call: Call): number {
  if (bearer.kind === 'build') return Math.min(standardLifetime, Math.max(1, bearer.rights.left))
  const asked = call.url.searchParams.get('lifetime')
  if (bearer.kind !== 'builder' || asked === null) return standardLifetime
  const seconds = /^[0-9]{1,6}$/.test(asked) ? Number(asked) : 0
  if (seconds < 1 || seconds > longestLifetime)
    throw new Refusal('illogical', `A lifetime is 1 to ${longestLifetime} seconds`)
  return seconds
}

/** Null: none of this kind. */
function credentialsOf(authorization: string | null): { readonly name: string; readonly password: string } | null {
  const [, encoded] = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(authorization ?? '') ?? []
  if (encoded === undefined) return null
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** `repository:shop:pull,push`. What is not understood is as good as not asked for. */
function scopesOf(call: Call): readonly Grant[] {
  const texts = call.url.searchParams
    .getAll('scope')
    .flatMap(text => text.split(' '))
    .filter(text => text !== '')
  if (texts.length > mostScopes) throw new Refusal('illogical', `At most ${mostScopes} scopes can be asked for`)
  return texts.flatMap(text => {
    const [, type, name, actions] = /^(repository|registry)(?:\([a-z]+\))?:([^:]+):([a-z,*]+)$/.exec(text) ?? []
    if (type === undefined) return []
    return [{ type: type as Grant['type'], name: name!, actions: [...new Set(actions!.split(','))] }]
  })
}

async function granted(store: Store, bearer: Bearer, scope: Grant): Promise<Grant> {
  const allowed = await allowedActions(store, bearer, scope)
  const actions = scope.actions.includes('*') && allowed.includes('*') ? ['*'] : scope.actions
  return { ...scope, actions: actions.filter(action => allowed.includes(action)) }
}

async function allowedActions(store: Store, bearer: Bearer, { type, name }: Grant): Promise<readonly string[]> {
  if (bearer.kind === 'build') {
    const found = bearer.rights.access.find(grant => grant.type === type && grant.name === name)
    return found?.actions ?? []
  }
  if (type === 'registry') {
    const mayList = bearer.kind === 'builder' || (bearer.kind === 'user' && bearer.user.isSuperuser)
    return name === 'catalog' && mayList ? ['*'] : []
  }
  if (!isRepository(name)) return []
  switch (bearer.kind) {
    case 'builder':
      return ['pull', 'push', 'delete', '*']
    case 'node':
      return ['pull']
    case 'user':
      return (await mayUseRepository(store, bearer.user, name)) ? ['pull', 'push'] : []
  }
}

/** Users may be called as they like. */
function subjectOf(bearer: Bearer): string {
  return bearer.kind === 'user' ? `user:${bearer.user.username}` : bearer.kind
}

function equal(given: string, wanted: string): boolean {
  const [a, b] = [given, wanted].map(value => createHash('sha256').update(value).digest())
  return timingSafeEqual(a!, b!)
}
