// The files of a directory as an image has them: sorted, and without what differs from machine to machine and from day to
// day, so that the same files are the same octets.

import { lstat, readdir, readlink } from 'node:fs/promises'
import { isAbsolute, posix, relative, sep } from 'node:path'
import { compareText } from '#kit/compare-text.ts'
import { BuildError } from '../build/strategy.ts'

interface Common {
  /** Below the directory, with slashes. */
  readonly path: string
}

export type TreeEntry = Common &
  (
    | { readonly kind: 'directory' }
    | { readonly kind: 'file'; readonly file: string; readonly size: number; readonly isExecutable: boolean }
    /** `target` as it is written in the link. */
    | { readonly kind: 'symlink'; readonly target: string }
    /** The same file as the one at `target`, a path as ours, which comes before. */
    | { readonly kind: 'hardlink'; readonly target: string }
  )

export interface TreeOptions {
  /** Whether a path goes into the image, and what is below it if it is a directory. */
  readonly includes: (path: string) => boolean
  /** Hard links go from file to file of one part only: each part becomes a layer of its own. */
  readonly partOf: (path: string) => string
  readonly maxEntries: number
  /** Bytes. */
  readonly maxSize: number
  readonly signal: AbortSignal
}

/** Throws BuildError `failed` when it is too much, or a name is no text. Sockets, pipes and devices are left out. */
export async function readTree(directory: string, options: TreeOptions): Promise<readonly TreeEntry[]> {
  const entries: TreeEntry[] = []
  /** Files with several names: part, device and number → the first of them. */
  const seen = new Map<string, string>()
  let size = 0

  const visit = async (below: string): Promise<void> => {
    options.signal.throwIfAborted()
    const names = (await readdir(posix.join(directory, below), { encoding: 'buffer' })).map(name => textOf(name, below))
    for (const name of names.sort(compareText)) {
      const path = below === '' ? name : `${below}/${name}`
      if (!options.includes(path)) continue
      const file = posix.join(directory, path)
      const status = await lstat(file)
      if (status.isDirectory()) entries.push({ kind: 'directory', path })
      else if (status.isSymbolicLink())
        entries.push({ kind: 'symlink', path, target: linkTarget(directory, path, await readlink(file)) })
      else if (status.isFile()) {
        const inode = `${options.partOf(path)}:${status.dev}:${status.ino}`
        const first = status.nlink > 1 ? seen.get(inode) : undefined
        if (first !== undefined) entries.push({ kind: 'hardlink', path, target: first })
        else {
          if (status.nlink > 1) seen.set(inode, path)
          size += status.size
          entries.push({ kind: 'file', path, file, size: status.size, isExecutable: (status.mode & 0o100) !== 0 })
        }
      }
      if (entries.length > options.maxEntries)
        throw new BuildError('failed', `The app has more than ${options.maxEntries} files.`)
      if (size > options.maxSize)
        throw new BuildError('failed', `The app is larger than ${Math.floor(options.maxSize / 2 ** 20)} MB.`)
      if (status.isDirectory()) await visit(path)
    }
  }

  await visit('')
  return entries
}

/** Where it was built is not where it runs: a link into the directory itself goes on from where the link is. */
function linkTarget(directory: string, path: string, target: string): string {
  if (!isAbsolute(target)) return target
  const inside = relative(directory, target)
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) return target
  return posix.relative(posix.dirname(path), inside) || '.'
}

function textOf(name: Buffer, below: string): string {
  const text = name.toString('utf8')
  if (Buffer.from(text).equals(name)) return text
  throw new BuildError(
    'failed',
    `A file name in ${below === '' ? 'the root' : below} is no UTF-8: ${name.toString('latin1')}`,
  )
}
