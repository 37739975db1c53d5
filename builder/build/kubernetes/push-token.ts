// A token for the registry that is good for the repositories of one app, and for nothing else: builds run programs of
// whoever pushes, and must not have more.

import { type Authorize, challengeOf, drop, expectStatus, pullPush, type Registry } from '#kit/oci/registry.ts'
import { BuildError } from '../strategy.ts'
import { cacheRepository } from './buildpacks.ts'

/** Null: the registry lets everybody in. Throws RegistryError, BuildError. */
export async function pushToken(
  registry: Registry,
  authorize: Authorize | null,
  app: string,
  signal: AbortSignal,
): Promise<string | null> {
  if (authorize === null) return null
  const response = await registry.request('GET', '/v2/', { scope: '', signal })
  const header = response.headers['www-authenticate']
  if (response.statusCode !== 401) {
    await expectStatus(response, [200], 'the registry')
    await drop(response)
    return null
  }
  await drop(response)
  const challenge = challengeOf(header)
  if (challenge === null) throw new BuildError('lost', 'The registry wants something else than tokens.')
  const scope = [app, cacheRepository(app)].map(pullPush).join(' ')
  return await authorize({ ...challenge, scope }, signal)
}
