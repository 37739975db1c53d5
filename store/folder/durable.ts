// Files that are there whole or not at all, and are still there after a power cut: written aside, flushed, renamed, and the
// directories flushed that lead to them.

import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StoreError } from '../store.ts'
import { codeOf, explain } from './faults.ts'

/** Nobody else writes into the folder, so a directory vanishes below us only when its last object is deleted. */
const maxTries = 100

/** A new file for what is being written. Disposing of it removes it, if it was not moved. */
export async function openAside(directory: string): Promise<Aside> {
  const path = join(directory, randomUUID())
  return new Aside(path, await open(path, 'wx', 0o600))
}

export class Aside implements AsyncDisposable {
  readonly path: string
  readonly handle: FileHandle
  #moved = false

  constructor(path: string, handle: FileHandle) {
    this.path = path
    this.handle = handle
  }

  /** Flushes it and gives it its name. Directories up to `root` are made when they are not there. */
  async moveTo(path: string, root: string): Promise<void> {
    await this.handle.sync()
    await moveDurably(this.path, path, root)
    this.#moved = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close()
    if (!this.#moved) await rm(this.path, { force: true })
  }
}

/**
 * Octets that are gathered for one write, which is a trip through the thread pool whatever its size. More cost memory: what
 * waits outlives the nursery of the heap.
 */
const gathered = 128 * 1024

/**
 * Adds all of it at `position`. Returns where it ends. What the source throws comes out as it is, after what came before
 * was written. While one write is under way the source is asked for the next.
 */
export async function fill(
  handle: FileHandle,
  position: number,
  source: Uint8Array | AsyncIterable<Uint8Array>,
  what: string,
  onProgress: (position: number) => Promise<void> | undefined = () => undefined,
): Promise<number> {
  const write = async (pieces: readonly Uint8Array[]): Promise<void> => {
    try {
      const size = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
      const { bytesWritten } = await handle.writev(pieces, position)
      position += bytesWritten
      if (bytesWritten < size)
        position = await writeRest(handle, Buffer.concat(pieces).subarray(bytesWritten), position)
      await onProgress(position)
    } catch (error) {
      throw explain(error, what)
    }
  }
  if (source instanceof Uint8Array) {
    if (source.byteLength > 0) await write([source])
    return position
  }
  let pieces: Uint8Array[] = []
  let size = 0
  let writing: Promise<void> = Promise.resolve()
  try {
    for await (const chunk of source) {
      if (chunk.byteLength === 0) continue
      pieces.push(chunk)
      size += chunk.byteLength
      if (size < gathered) continue
      await writing
      writing = write(pieces)
      // Awaited above or below.
      writing.catch(() => {})
      pieces = []
      size = 0
    }
  } finally {
    await writing
    if (pieces.length > 0) await write(pieces)
  }
  return position
}

/** A write may end early, on a disk that gets full. Returns where it ends. */
async function writeRest(handle: FileHandle, octets: Uint8Array, position: number): Promise<number> {
  for (let done = 0; done < octets.byteLength; ) {
    const { bytesWritten } = await handle.write(octets, done, octets.byteLength - done, position + done)
    done += bytesWritten
  }
  return position + octets.byteLength
}

/** Renames a flushed file, replacing what is there. */
export async function moveDurably(from: string, to: string, root: string): Promise<void> {
  const directory = dirname(to)
  for (let tries = 1; ; tries++) {
    await makeDirectories(directory, root)
    try {
      await rename(from, to)
      break
    } catch (error) {
      // A delete at the same time has removed the directory, or left an empty one in our place.
      const code = codeOf(error)
      const again = code === 'ENOENT' || (code === 'EISDIR' && (await removeEmpty(to)))
      if (!again || tries === maxTries) throw error
    }
  }
  await syncDirectories(directory, root)
}

/** Flushes the directory and those that lead to it, up to `root`: others may have made them just now. */
export async function syncDirectories(directory: string, root: string): Promise<void> {
  for (let path = directory; path.length >= root.length; path = dirname(path)) await syncDirectory(path)
}

async function syncDirectory(path: string): Promise<void> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    // Removed since, with what was in it.
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** False when it is not there. Throws StoreError when it is somewhere else in truth: a link that nobody of us made. */
export async function isInside(directory: string): Promise<boolean> {
  try {
    if ((await realpath(directory)) === directory) return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false
    throw error
  }
  throw new StoreError('refused', `${directory} is a link or behind one`)
}

async function makeDirectories(directory: string, root: string): Promise<void> {
  if (await isInside(directory)) return
  if (directory.length > root.length) await makeDirectories(dirname(directory), root)
  try {
    await mkdir(directory, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    if (codeOf(error) !== 'EEXIST') throw error
    const found = await lstat(directory).catch(() => null)
    if (found !== null && !found.isDirectory()) throw new StoreError('refused', `${directory} is no directory`)
  }
}

/** Removes directories that the last object has left, from `directory` up to below `root`. */
export async function removeEmptyDirectories(directory: string, root: string): Promise<void> {
  for (let path = directory; path.length > root.length; path = dirname(path)) {
    try {
      await rmdir(path)
    } catch {
      // Something is in it again, or it is gone: either way the rest is not ours to remove.
      return
    }
  }
}

/** Removes a tree in which there are only directories, as a crash may leave it. False: there is something else in it. */
async function removeEmpty(directory: string): Promise<boolean> {
  try {
    for (const entry of await readdir(directory, { withFileTypes: true }))
      if (!entry.isDirectory() || !(await removeEmpty(join(directory, entry.name)))) return false
    await rmdir(directory)
    return true
  } catch (error) {
    return codeOf(error) === 'ENOENT'
  }
}
