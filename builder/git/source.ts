// The files of a commit, in a directory of their own: what `.gitattributes` exports, without `.git`. Nothing is ever written
// outside of it: links are made when all files are there, and those that lead out are left out.

import { lstat, mkdir, open, readlink, rm, symlink } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { readTar, TarError } from '#kit/tar-reader.ts'
import { gitOutput } from './git.ts'
import type { Quarantine } from './hook-server.ts'

export interface SourceLimits {
  /** Octets, unpacked. */
  readonly size: number
  /** Files, directories and links. */
  readonly entries: number
}

export const defaultSourceLimits: SourceLimits = { size: 2 * 1024 * 1024 * 1024, entries: 200_000 }

export class SourceError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SourceError'
  }
}

export interface SourceOptions {
  readonly repository: string
  readonly quarantine: Quarantine
  readonly commit: string
  /** Is not there yet. */
  readonly directory: string
  readonly limits: SourceLimits
  readonly signal: AbortSignal
}

/** Returns the links that were left out. Throws SourceError; what is in the directory then is the caller's. */
export async function unpackSource(options: SourceOptions): Promise<readonly string[]> {
  const { repository, quarantine, commit, directory, signal } = options
  const archive = gitOutput(['archive', '--format=tar', commit], {
    cwd: repository,
    env: quarantineEnv(quarantine),
    signal,
  })
  try {
    return await unpack(archive, directory, options.limits)
  } catch (error) {
    if (error instanceof SourceError) throw error
    if (error instanceof TarError) throw new SourceError(`its files cannot be unpacked: ${error.message}`)
    const { code } = error as NodeJS.ErrnoException
    // Two entries of one name, or a file where another entry needs a directory.
    if (code === 'EEXIST' || code === 'ENOTDIR') throw new SourceError('two of its files exclude each other')
    throw error
  }
}

export function quarantineEnv({ objects, alternates }: Quarantine): Record<string, string> {
  return objects === '' ? {} : { GIT_OBJECT_DIRECTORY: objects, GIT_ALTERNATE_OBJECT_DIRECTORIES: alternates }
}

export async function unpack(
  archive: AsyncIterable<Buffer>,
  directory: string,
  limits: SourceLimits,
): Promise<readonly string[]> {
  await mkdir(directory, { mode: 0o700 })
  const links = new Map<string, string>()
  const made = new Set<string>([directory])
  let entries = 0
  let size = 0
  for await (const entry of readTar(archive)) {
    if (++entries > limits.entries) throw new SourceError(`it has more than ${limits.entries} files`)
    size += entry.size
    if (size > limits.size) throw new SourceError(`its files have more than ${limits.size} octets`)
    if (entry.kind === 'hardlink' || entry.kind === 'other')
      throw new TarError(`an entry of type ${JSON.stringify(entry.type)}`)
    const path = pathIn(directory, entry.path)
    const parent = entry.kind === 'directory' ? path : dirname(path)
    // Each directory once, and never through a link: there is none yet.
    if (!made.has(parent)) await mkdir(parent, { recursive: true })
    made.add(parent)
    if (entry.kind === 'symlink') {
      if (!isTarget(entry.target)) throw new SourceError('a link leads to what can be no name')
      if (links.has(path)) throw new SourceError('two of its files exclude each other')
      links.set(path, entry.target)
    } else if (entry.kind === 'file') {
      await using file = await open(path, 'wx', entry.isExecutable ? 0o755 : 0o644)
      for await (const part of entry.body) await file.writeFile(part)
    }
  }
  for (const [path, target] of links) await symlink(target, path)
  const wrong: string[] = []
  for (const path of links.keys()) if (!(await staysIn(directory, path))) wrong.push(path)
  for (const path of wrong) await rm(path)
  return wrong.map(path => path.slice(directory.length + 1))
}

const longestPath = 4000
const longestPart = 255
const longestTarget = 4095
/** What a reader puts in place of octets that are no UTF-8. */
const unreadable = '\ufffd'

function pathIn(directory: string, name: string): string {
  const parts = name.replace(/\/$/, '').split('/')
  const fine = (part: string): boolean =>
    part !== '' && part !== '.' && part !== '..' && !/^\.git$/i.test(part) && Buffer.byteLength(part) <= longestPart
  // Of another encoding it would be a file of another name.
  if (name.includes(unreadable)) throw new SourceError('a name is no UTF-8')
  if (!parts.every(fine) || name.includes('\0') || Buffer.byteLength(name) > longestPath)
    throw new SourceError('a file has a name that cannot be used')
  return join(directory, ...parts)
}

/** What the system takes. */
function isTarget(target: string): boolean {
  return target !== '' && !/[\0\ufffd]/.test(target) && Buffer.byteLength(target) <= longestTarget
}

/** Links of links; the kernel gives up at 40. */
const mostHops = 40

/** Whether what the link leads to, by whatever other links, is below the directory all the way. */
async function staysIn(directory: string, link: string): Promise<boolean> {
  let at: string[] = []
  let left = link.slice(directory.length + 1).split('/')
  let hops = 0
  while (left.length > 0) {
    const [part, ...rest] = left
    left = rest
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (at.length === 0) return false
      at = at.slice(0, -1)
      continue
    }
    const path = join(directory, ...at, part!)
    const found = await lstat(path).catch(() => null)
    if (!found?.isSymbolicLink()) {
      at = [...at, part!]
      continue
    }
    if (++hops > mostHops) return false
    const target = await readlink(path)
    if (isAbsolute(target)) return false
    left = [...target.split('/'), ...left]
  }
  return true
}
