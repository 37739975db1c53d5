// Uploads of a folder: octets are added to a file, and a file beside it says how many of them are safe. A process that is
// killed leaves more octets than that; they are cut off when the upload goes on.

import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, opendir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { isUploadId, newUploadId } from '../keys.ts'
import { nothingToRead } from '../range.ts'
import { MissingUploadError, StoreError, type Upload, UploadOffsetError } from '../store.ts'
import { fill, moveDurably, syncDirectories } from './durable.ts'
import { codeOf, explain } from './faults.ts'
import type { FolderPaths } from './paths.ts'

/** So much may be lost of an upload when the process is killed. */
const syncEvery = 64 * 1024 * 1024

export class FolderUploads {
  readonly #paths: FolderPaths
  readonly #busy = new Set<string>()

  constructor(paths: FolderPaths) {
    this.#paths = paths
  }

  async start(): Promise<Upload> {
    const id = newUploadId()
    await mkdir(this.#paths.upload(id), { mode: 0o700 })
    await syncDirectories(this.#paths.uploads, this.#paths.uploads)
    return await this.#find(id)
  }

  async find(id: string): Promise<Upload | null> {
    try {
      return await this.#find(id)
    } catch (error) {
      if (error instanceof MissingUploadError) return null
      throw error
    }
  }

  async append(id: string, offset: number, source: AsyncIterable<Uint8Array>): Promise<Upload> {
    using _ = this.#claim(id)
    const { size } = await this.#find(id)
    if (offset !== size) throw new UploadOffsetError(id, offset, size)
    const handle = await this.#open(id, constants.O_RDWR | constants.O_CREAT)
    let safe = size
    let written = size
    const keep = async (): Promise<void> => {
      await this.#keep(id, handle, written)
      safe = written
    }
    try {
      await handle.truncate(size)
      await fill(handle, size, source, `upload ${id}`, position => {
        written = position
        return position - safe < syncEvery ? undefined : keep()
      })
      await keep()
    } catch (error) {
      // What came is kept, but on a full disk, where the space is wanted back.
      if (error instanceof StoreError) await handle.truncate(safe).catch(() => {})
      else if (!(error instanceof MissingUploadError)) await keep().catch(() => {})
      throw error
    } finally {
      await handle.close()
    }
    return await this.#find(id)
  }

  async read(id: string): Promise<Readable> {
    const { size } = await this.#find(id)
    if (size === 0) return nothingToRead()
    const handle = await this.#open(id, constants.O_RDONLY)
    return handle.createReadStream({ start: 0, end: size - 1, highWaterMark: 256 * 1024 })
  }

  /** Makes the file at `path` of it. */
  async finish(id: string, path: string): Promise<Stats> {
    using _ = this.#claim(id)
    const { size } = await this.#find(id)
    const handle = await this.#open(id, constants.O_RDWR | constants.O_CREAT)
    let stats: Stats
    try {
      await handle.truncate(size)
      const now = new Date()
      await handle.utimes(now, now)
      await handle.sync()
      stats = await handle.stat()
    } finally {
      await handle.close()
    }
    await moveDurably(this.#data(id), path, this.#paths.objects)
    await this.abort(id)
    return stats
  }

  async abort(id: string): Promise<void> {
    if (!isUploadId(id)) return
    await rm(this.#paths.upload(id), { recursive: true, force: true })
  }

  /** Removes what is left of those that were finished when the process was killed. */
  async removeFinished(): Promise<void> {
    for await (const entry of await opendir(this.#paths.uploads))
      if ((await this.find(entry.name)) === null) await this.abort(entry.name)
  }

  async *all(): AsyncGenerator<Upload> {
    for await (const entry of await opendir(this.#paths.uploads)) {
      const upload = await this.find(entry.name)
      if (upload !== null) yield upload
    }
  }

  async #find(id: string): Promise<Upload> {
    if (!isUploadId(id)) throw new MissingUploadError(id)
    let stats: Stats
    try {
      stats = await lstat(this.#paths.upload(id))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw new MissingUploadError(id)
      throw error
    }
    const size = Number(await readFile(this.#safe(id), 'utf8').catch(absent('0')))
    const data = await lstat(this.#data(id)).catch(absent(null))
    // One that was finished when the process was killed.
    if (size > (data?.size ?? 0)) throw new MissingUploadError(id)
    return { id, size, modified: stats.mtime }
  }

  /** From now on that many octets are safe. */
  async #keep(id: string, handle: FileHandle, size: number): Promise<void> {
    const aside = join(this.#paths.upload(id), 'safe-new')
    try {
      await handle.datasync()
      const file = await open(aside, 'w', 0o600)
      try {
        await file.writeFile(String(size))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(aside, this.#safe(id))
      await syncDirectories(this.#paths.upload(id), this.#paths.upload(id))
    } catch (error) {
      // Aborted in the meantime.
      if (codeOf(error) === 'ENOENT') throw new MissingUploadError(id)
      throw explain(error, `upload ${id}`)
    }
  }

  async #open(id: string, flags: number): Promise<FileHandle> {
    try {
      return await open(this.#data(id), flags | constants.O_NOFOLLOW, 0o600)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw new MissingUploadError(id)
      throw error
    }
  }

  #claim(id: string): Disposable {
    if (this.#busy.has(id)) throw new Error(`upload ${id} is in use`)
    this.#busy.add(id)
    return { [Symbol.dispose]: () => void this.#busy.delete(id) }
  }

  #data(id: string): string {
    return join(this.#paths.upload(id), 'data')
  }

  #safe(id: string): string {
    return join(this.#paths.upload(id), 'safe')
  }
}

function absent<T>(instead: T): (error: unknown) => T {
  return error => {
    if (codeOf(error) === 'ENOENT') return instead
    throw error
  }
}
