// A directory with all that is in it, copied as a whole.

import { chmod, constants, copyFile, link, mkdir, readdir, readlink, stat, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { each } from '#kit/each.ts'

/** Files that are copied at a time. */
const atATime = 8

/**
 * `to` is not there yet. Octets are shared where the file system can (copy on write). Files may be written to by their owner
 * though those of `from` may not, and keep their times, of which web servers make ETags; what was one file under several
 * names is one again. Throws what the file system says, or the reason of the signal; then there is half of it, and nobody
 * adds to it any more.
 */
export async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  const files = await copyDirectories(from, to, signal)
  /** The first name of a file that has several, by its inode: a bigint, since numbers are not exact enough. */
  const firsts = new Map<bigint, string>()
  const others: (readonly [first: string, path: string])[] = []
  const copy = async (path: string): Promise<void> => {
    signal.throwIfAborted()
    const [source, target] = [join(from, path), join(to, path)]
    const { ino, nlink, mode, atime, mtime } = await stat(source, { bigint: true })
    const first = firsts.get(ino)
    if (first !== undefined) {
      others.push([first, path])
      return
    }
    if (nlink > 1n) firsts.set(ino, path)
    await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    await chmod(target, Number(mode & 0o777n) | constants.S_IWUSR)
    await utimes(target, atime, mtime)
  }
  await each(files, copy, atATime)
  for (const [first, path] of others) await link(join(to, first), join(to, path))
}

/** And symbolic links. Returns the paths of all files. */
async function copyDirectories(from: string, to: string, signal: AbortSignal): Promise<string[]> {
  const files: string[] = []
  const copy = async (directory: string): Promise<void> => {
    signal.throwIfAborted()
    await mkdir(join(to, directory))
    for (const entry of await readdir(join(from, directory), { withFileTypes: true })) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) await copy(path)
      else if (entry.isSymbolicLink()) await symlink(await readlink(join(from, path)), join(to, path))
      else if (entry.isFile()) files.push(path)
    }
  }
  await copy('')
  return files
}
