// Procfiles: YAML, a map of process types to commands (builder contract, section 3).

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { BuildError } from './strategy.ts'

export type Procfile = Readonly<Record<string, string>>

/** Bytes. */
const longest = 256 * 1024

/** Null: there is none in the directory. Throws BuildError `failed`. */
export async function readProcfile(directory: string): Promise<Procfile | null> {
  const text = await readSmallFile(join(directory, 'Procfile'))
  return text === null ? null : parseProcfile(text)
}

/** Throws BuildError `failed`. What a process type may be called is for the controller to say. */
export function parseProcfile(text: string): Procfile {
  const map = readMap(text)
  if (map === null) throw new BuildError('failed', 'procfile Procfile is malformed')
  return map
}

/** A map of texts in YAML; null: it is none. */
export function readMap(text: string): Procfile | null {
  let value: unknown
  try {
    value = parse(text, { maxAliasCount: 0, merge: false, schema: 'failsafe' })
  } catch {
    return null
  }
  return mapOf(value)
}

export function mapOf(value: unknown): Procfile | null {
  // An empty file says nothing at all.
  if (value === null || value === undefined || value === '') return {}
  if (typeof value !== 'object' || Array.isArray(value)) return null
  const entries = Object.entries(value)
  if (entries.some(([, command]) => typeof command !== 'string')) return null
  return Object.fromEntries(entries.map(([type, command]) => [type, String(command).trim()]))
}

/** Null: there is no file of that name. A link is not followed: it could lead out of what was pushed. */
export async function readSmallFile(file: string): Promise<string | null> {
  let handle: Awaited<ReturnType<typeof open>>
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    if (code === 'ELOOP' || code === 'EMLINK') throw new BuildError('failed', `${nameOf(file)} is a link`)
    throw error
  }
  await using _closing = handle
  const status = await handle.stat()
  if (!status.isFile()) return null
  if (status.size > longest) throw new BuildError('failed', `${nameOf(file)} is larger than ${longest / 1024} kB`)
  return await handle.readFile('utf8')
}

function nameOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1)
}
