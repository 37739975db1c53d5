// A token for the registry that is good for the repositories of one app, and for nothing else: builds run programs of
// whoever pushes, and must not have more.

import { type Authorize, pull, pullPush, type Registry } from '#kit/oci/registry.ts'
import { cacheRepository } from './buildpacks.ts'

export interface PushTokenOptions {
  readonly app: string
  /** Another repository there that the build reads; null: none. */
  readonly reads: string | null
  /** Seconds, to the push at the end. */
  readonly lifetime: number
  readonly signal: AbortSignal
}

/** Null: the registry lets everybody in. Throws RegistryError. */
export async function pushToken(
  registry: Registry,
  authorize: Authorize | null,
  { app, reads, lifetime, signal }: PushTokenOptions,
): Promise<string | null> {
  const challenge = authorize === null ? null : await registry.challenge(signal)
  if (authorize === null || challenge === null) return null
  const scopes = [...[app, cacheRepository(app)].map(pullPush), ...(reads === null ? [] : [pull(reads)])]
  return await authorize({ ...challenge, scope: scopes.join(' '), lifetime }, signal)
}
