// The profile: who somebody is at which controller. A JSON file that the original client reads too.

import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { type ControllerUrl, parseControllerUrl } from './controller-url.ts'
import { Fault, reasonOf } from './fault.ts'
import type { Environment, Surroundings } from './surroundings.ts'

export interface Profile {
  readonly username: string
  readonly sslVerify: boolean
  readonly controller: ControllerUrl
  readonly token: string
  /** Results that a list asks for; 0 is the default. */
  readonly responseLimit: number
}

const defaultLimit = 100

export function limitOf({ responseLimit }: Profile): number {
  return responseLimit === 0 ? defaultLimit : responseLimit
}

export function homeOf(env: Environment): string {
  const { HOME: home = '' } = env
  return home === '' ? homedir() : home
}

/** `chosen`: by `--config`, else the environment's, else `client`. A path to a JSON file, or a name in `~/.deis`. */
export function profilePath(chosen: string | null, { env, directory }: Surroundings): string {
  const { DEIS_PROFILE: fromEnvironment = '' } = env
  const name = chosen !== null && chosen !== '' ? chosen : fromEnvironment === '' ? 'client' : fromEnvironment
  return /^.*[/\\].+\.json$/.test(name) ? resolve(directory, name) : join(homeOf(env), '.deis', `${name}.json`)
}

/** Null: there is none. Throws a Fault for one that cannot be read or understood, and leaves it as it is. */
export async function readProfile(path: string): Promise<Profile | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (reasonOf(error) === 'ENOENT') return null
    throw new Fault(`The profile ${path} cannot be read (${reasonOf(error)})`)
  }
  const profile = parseProfile(text)
  if (profile === null)
    throw new Fault(`The profile ${path} is not valid; it was left as it is`, {
      hints: [`Mend it, or remove it and log in again: deis login <controller>`],
    })
  return profile
}

/** As `readProfile`, for commands that need one. */
export async function requireProfile(path: string): Promise<Profile> {
  const profile = await readProfile(path)
  if (profile !== null) return profile
  throw new Fault(
    `Client configuration file not found at: ${path}\nAre you logged in? Use 'deis login' or 'deis register' to get started.`,
  )
}

export function parseProfile(text: string): Profile | null {
  try {
    const { username, ssl_verify, controller, token, response_limit = 0 } = JSON.parse(text)
    if (typeof username !== 'string' || typeof controller !== 'string' || typeof token !== 'string') return null
    if (typeof ssl_verify !== 'boolean' || !Number.isInteger(response_limit) || response_limit < 0) return null
    // A header could not carry it.
    if (/[^\x21-\x7e]/.test(token)) return null
    return {
      username,
      sslVerify: ssl_verify,
      controller: parseControllerUrl(controller),
      token,
      responseLimit: response_limit,
    }
  } catch {
    return null
  }
}

/** Written aside and renamed: whoever reads it sees the old one or the new one. Only its owner may read it. */
export async function writeProfile(path: string, profile: Profile): Promise<void> {
  const text = JSON.stringify({
    username: profile.username,
    ssl_verify: profile.sslVerify,
    controller: profile.controller.href,
    token: profile.token,
    response_limit: profile.responseLimit,
  })
  const aside = `${path}.${process.pid}-${Date.now().toString(36)}`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFile(aside, text, { mode: 0o600, flag: 'wx' })
    await chmod(aside, 0o600)
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { force: true }).catch(() => {})
    throw new Fault(`The profile ${path} cannot be written (${reasonOf(error)})`)
  }
}

/** Fine when it is gone already. */
export async function removeProfile(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
  } catch (error) {
    throw new Fault(`The profile ${path} cannot be removed (${reasonOf(error)})`)
  }
}
