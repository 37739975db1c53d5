// Of the doctor: who somebody is, at which controller, and by which key.

import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { apiVersion } from '../api-version.ts'
import { type Client, suits } from '../client.ts'
import type { Context } from '../context.ts'
import { Fault } from '../fault.ts'
import { homeOf, type Profile } from '../profile.ts'
import { type Check, fail, ok, warn } from './check.ts'

export async function checkProfile(path: string, { username, controller }: Profile): Promise<Check> {
  const { mode } = await stat(path)
  const found = `${path}: ${username} at ${controller.href}`
  if ((mode & 0o077) === 0) return ok('profile', found)
  return warn('profile', `${path} can be read by others, and it holds a token`, `chmod 600 ${path}`)
}

/** Whether it is there, and speaks our version. */
export async function checkController(client: Client): Promise<readonly Check[]> {
  const { href } = client.controller
  try {
    const { status, version } = await client.ask('GET', '/v2/', undefined, { anonymous: true })
    if (status !== 401 || version === '')
      return [
        fail(
          'controller',
          `${href} answers ${status}, and not as a controller`,
          'Log in at the right URL: deis login <controller>',
        ),
      ]
    return [
      ok('controller', `${href} answers`),
      suits(version)
        ? ok('API version', `${version}, ours is ${apiVersion}`)
        : warn('API version', `the controller's is ${version}, ours is ${apiVersion}`, 'Upgrade the older of the two.'),
    ]
  } catch (error) {
    return [fail('controller', messageOf(error), adviceOf(error, `Is it running? curl -i ${href}/healthz`))]
  }
}

export async function checkToken(client: Client): Promise<Check> {
  try {
    const user = await client.get('/auth/whoami/')
    return ok('token', `valid, for ${user.username}${user.is_superuser === true ? ', an administrator' : ''}`)
  } catch (error) {
    return fail('token', messageOf(error), `deis login ${client.controller.href}`)
  }
}

interface Key {
  readonly id: string
  readonly public: string
}

/** Whether a key is registered that is here too, with its private half. */
export async function checkKeys(client: Client, { around }: Context): Promise<Check> {
  const name = 'SSH keys'
  const { results } = await client.page<Key>('/keys/', 1000)
  if (results.length === 0) return fail(name, 'none is registered: a push is refused', 'deis keys:add ~/.ssh/<key>.pub')
  const folder = join(homeOf(around.env), '.ssh')
  const files = (await readdir(folder).catch(() => [])).filter(file => file.endsWith('.pub'))
  const registered = new Map(results.map(key => [blobOf(key.public), key.id]))
  let halves: string | null = null
  for (const file of files) {
    const id = registered.get(blobOf(await readFile(join(folder, file), 'utf8').catch(() => '')))
    if (id === undefined) continue
    const half = file.slice(0, -'.pub'.length)
    const isThere = await stat(join(folder, half)).then(
      () => true,
      () => false,
    )
    if (isThere) return ok(name, `${id} is registered, and ${join(folder, half)} is its private key`)
    halves = join(folder, half)
  }
  if (halves !== null)
    return warn(
      name,
      `the private key ${halves} is not there`,
      'Fine where an agent has it (ssh-add -L); else: deis keys:add',
    )
  return warn(
    name,
    `${results.length} registered, none of them is in ${folder}`,
    'Fine where an agent has one (ssh-add -L); else: deis keys:add ~/.ssh/<key>.pub',
  )
}

/** Type and key, without the comment. */
function blobOf(line: string): string {
  return line.trim().split(/\s+/).slice(0, 2).join(' ')
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replaceAll('\n', ' ') : String(error)
}

/** What its error advises, where it does. */
export function adviceOf(error: unknown, otherwise: string): string {
  return (error instanceof Fault ? error.hints[0] : undefined) ?? otherwise
}
