// A store in a folder, for one process. paths.ts draws it.

import { randomUUID } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import {
  chmod,
  copyFile,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rm,
  unlink,
  utimes,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { claimFolder } from '#kit/claim-folder.ts'
import { exitCode, StartupError } from '#kit/exit.ts'
import { makeDirectory } from '#kit/make-directory.ts'
import { checkKey, checkPrefix } from '../keys.ts'
import { checkRange, nothingToRead } from '../range.ts'
import {
  MissingObjectError,
  type ObjectStore,
  type Range,
  type StoredObject,
  StoreError,
  type Take,
  type Upload,
} from '../store.ts'
import { Buffers } from './buffers.ts'
import { Aside, fill, isInside, openAside, removeEmptyDirectories, syncDirectories } from './durable.ts'
import { codeOf, explain } from './faults.ts'
import { FolderUploads } from './folder-uploads.ts'
import { listFiles } from './listing.ts'
import { FolderPaths } from './paths.ts'

/** Throws StartupError 69 when it cannot be used, or another process uses it. */
export async function openFolder(directory: string): Promise<ObjectStore> {
  let paths: FolderPaths
  try {
    makeDirectory(directory, 0o700)
    paths = new FolderPaths(await realpath(directory))
  } catch (error) {
    throw unusable(directory, error)
  }
  const claim = claimFolder(paths.lock, directory)
  try {
    for (const path of [paths.objects, paths.aside, paths.uploads]) await makePrivate(path)
    // Nobody else has the lock, so it is nobody's.
    for (const name of await readdir(paths.aside)) await rm(join(paths.aside, name), { recursive: true })
    await new FolderUploads(paths).removeFinished()
    await syncDirectories(paths.root, paths.root)
  } catch (error) {
    claim[Symbol.dispose]()
    throw unusable(directory, error)
  }
  return new FolderStore(paths, claim)
}

function unusable(directory: string, cause: unknown): StartupError {
  const why = `${directory} cannot be used: ${(cause as Error).message}`
  return new StartupError(exitCode.unavailable, why, { cause })
}

async function makePrivate(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch(error => {
    if (codeOf(error) !== 'EEXIST') throw error
  })
  const found = await lstat(path)
  if (!found.isDirectory()) throw new Error(`${path} is no directory`)
  if ((found.mode & 0o777) !== 0o700) await chmod(path, 0o700)
}

class FolderStore implements ObjectStore {
  readonly kind = 'folder'
  readonly #paths: FolderPaths
  readonly #claim: Disposable
  readonly #uploads: FolderUploads
  readonly #buffers = new Buffers()
  #closed = false

  constructor(paths: FolderPaths, claim: Disposable) {
    this.#paths = paths
    this.#claim = claim
    this.#uploads = new FolderUploads(paths)
  }

  check(signal: AbortSignal): Promise<void> {
    return this.#do('the store', async () => {
      signal.throwIfAborted()
      await using aside = await openAside(this.#paths.aside)
      await aside.handle.write('check')
      await aside.handle.sync()
    })
  }

  stat(key: string): Promise<StoredObject | null> {
    return this.#do(key, async () => {
      const found = await this.#stat(key)
      return found === null ? null : objectOf(key, found)
    })
  }

  read(key: string, range?: Range): Promise<Readable> {
    return this.#do(key, async () => {
      if (range !== undefined) checkRange(range)
      const handle = await this.#open(key)
      try {
        const { size } = await handle.stat()
        const { start, end } = { start: range?.start ?? 0, end: Math.min(range?.end ?? size, size) }
        // It closes the handle at its end, or when it is destroyed.
        if (start < end) return handle.createReadStream({ start, end: end - 1, highWaterMark: 256 * 1024 })
      } catch (error) {
        await handle.close()
        throw error
      }
      await handle.close()
      return nothingToRead()
    })
  }

  async pour(key: string, take: Take, range?: Range): Promise<void> {
    if (range !== undefined) checkRange(range)
    await using handle = await this.#do(key, () => this.#open(key))
    const { size } = await this.#do(key, () => handle.stat())
    const { start, end } = { start: range?.start ?? 0, end: Math.min(range?.end ?? size, size) }
    const buffer = this.#buffers.take(end - start)
    try {
      for (let position = start; position < end; ) {
        const length = Math.min(buffer.length, end - position)
        const { bytesRead } = await this.#do(key, () => handle.read(buffer, 0, length, position))
        if (bytesRead === 0) throw new StoreError('unreachable', `${key} is shorter than it was`)
        position += bytesRead
        await take(buffer.subarray(0, bytesRead))
      }
    } catch (error) {
      this.#buffers.drop(buffer)
      throw error
    }
    this.#buffers.giveBack(buffer)
  }

  async write(key: string, source: Uint8Array | AsyncIterable<Uint8Array>): Promise<StoredObject> {
    const path = this.#pathOf(key)
    await using aside = await this.#do(key, () => openAside(this.#paths.aside))
    // What the source throws is not ours to explain.
    await fill(aside.handle, 0, source, key)
    return await this.#do(key, () => this.#moved(aside, key, path))
  }

  copy(from: string, to: string): Promise<void> {
    return this.#do(to, async () => {
      const path = this.#pathOf(to)
      if ((await this.#stat(from)) === null) throw new MissingObjectError(from)
      const copy = join(this.#paths.aside, randomUUID())
      try {
        // Blocks are shared where the file system can; elsewhere the kernel copies them.
        const flags = constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL
        await copyFile(this.#paths.object(from), copy, flags)
        const now = new Date()
        await utimes(copy, now, now)
        await using aside = new Aside(copy, await open(copy, 'r+'))
        await this.#moved(aside, to, path)
      } catch (error) {
        await rm(copy, { force: true })
        if (codeOf(error) === 'ENOENT') throw new MissingObjectError(from)
        throw error
      }
    })
  }

  delete(key: string): Promise<boolean> {
    return this.#do(key, async () => {
      if ((await this.#stat(key)) === null) return false
      const path = this.#paths.object(key)
      try {
        await unlink(path)
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return false
        throw error
      }
      await syncDirectories(dirname(path), dirname(path))
      await removeEmptyDirectories(dirname(path), this.#paths.objects)
      return true
    })
  }

  async *list(prefix: string, options: { readonly after?: string } = {}): AsyncGenerator<StoredObject> {
    checkPrefix(prefix)
    this.#checkOpen()
    try {
      yield* listFiles(this.#paths.objects, prefix, options.after ?? '')
    } catch (error) {
      throw explain(error, prefix)
    }
  }

  startUpload(): Promise<Upload> {
    return this.#do('a new upload', () => this.#uploads.start())
  }

  findUpload(id: string): Promise<Upload | null> {
    return this.#do('an upload', () => this.#uploads.find(id))
  }

  async appendUpload(id: string, offset: number, source: AsyncIterable<Uint8Array>): Promise<Upload> {
    this.#checkOpen()
    return await this.#uploads.append(id, offset, source)
  }

  readUpload(id: string): Promise<Readable> {
    return this.#do('an upload', () => this.#uploads.read(id))
  }

  finishUpload(id: string, key: string): Promise<StoredObject> {
    return this.#do(key, async () => objectOf(key, await this.#uploads.finish(id, this.#pathOf(key))))
  }

  abortUpload(id: string): Promise<void> {
    return this.#do('an upload', () => this.#uploads.abort(id))
  }

  async *uploads(): AsyncGenerator<Upload> {
    this.#checkOpen()
    try {
      yield* this.#uploads.all()
    } catch (error) {
      throw explain(error, 'the uploads')
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#claim[Symbol.dispose]()
  }

  async #moved(aside: Aside, key: string, path: string): Promise<StoredObject> {
    const found = await aside.handle.stat()
    await aside.moveTo(path, this.#paths.objects)
    return objectOf(key, found)
  }

  #pathOf(key: string): string {
    checkKey(key)
    return this.#paths.object(key)
  }

  /** Null when there is no such object. */
  async #stat(key: string): Promise<Stats | null> {
    const path = this.#pathOf(key)
    try {
      if (!(await isInside(dirname(path)))) return null
      const found = await lstat(path)
      return found.isFile() ? found : null
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null
      throw error
    }
  }

  async #open(key: string): Promise<FileHandle> {
    if ((await this.#stat(key)) === null) throw new MissingObjectError(key)
    try {
      return await open(this.#paths.object(key), constants.O_RDONLY | constants.O_NOFOLLOW)
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') throw new MissingObjectError(key)
      throw error
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreError('unreachable', 'the store is closed')
  }

  // Before each step: once it is closed, the folder may be another process's.
  async #do<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.#checkOpen()
    try {
      return await work()
    } catch (error) {
      throw explain(error, what)
    }
  }
}

function objectOf(key: string, { size, mtime }: Stats): StoredObject {
  return { key, size, modified: mtime }
}
