// Uploads on a server. Parts of its own multipart uploads cannot be read before they are completed, and all but the last must
// be large; so what is added becomes objects, which are put together at the end without coming by us again:
//
//   !uploads/ID/begun        the upload is there as long as this is
//   !uploads/ID/part-00001   octets, `partSize` in each part but the last
//
// A short last part is written anew with what is added to it. `!` is in no key of an object.

import { Readable } from 'node:stream'
import { isUploadId, newUploadId } from '../keys.ts'
import { nothingToRead } from '../range.ts'
import { MissingUploadError, StoreError, type Upload, UploadOffsetError } from '../store.ts'
import type { Bucket, Found } from './bucket.ts'
import { type Limits, makeOf } from './making.ts'
import { inParts } from './parts.ts'
import { together } from './together.ts'

export const uploadsFolder = '!uploads/'

interface Group {
  readonly begun: boolean
  upload: Upload
}

export class S3Uploads {
  readonly #bucket: Bucket
  readonly #prefix: string
  readonly #limits: Limits
  readonly #busy = new Set<string>()

  constructor(bucket: Bucket, prefix: string, limits: Limits) {
    this.#bucket = bucket
    this.#prefix = `${prefix}${uploadsFolder}`
    this.#limits = limits
  }

  async start(): Promise<Upload> {
    const id = newUploadId()
    await this.#bucket.put(this.#begun(id), Buffer.alloc(0))
    return (await this.#parts(id)).upload
  }

  async find(id: string): Promise<Upload | null> {
    try {
      return (await this.#parts(id)).upload
    } catch (error) {
      if (error instanceof MissingUploadError) return null
      throw error
    }
  }

  async append(id: string, offset: number, source: AsyncIterable<Uint8Array>): Promise<Upload> {
    using _ = this.#claim(id)
    const { upload, parts } = await this.#parts(id)
    if (offset !== upload.size) throw new UploadOffsetError(id, offset, upload.size)
    const { partSize } = this.#limits
    const last = parts.at(-1)
    const short = last !== undefined && last.size < partSize ? await this.#whole(last.key) : Buffer.alloc(0)
    let number = short.length > 0 ? parts.length : parts.length + 1
    // What came before a failure of the source is kept.
    let failure: { readonly error: unknown } | null = null
    let pending: Promise<void> = Promise.resolve()
    for await (const part of inParts(
      untilFailure(source, error => (failure = { error })),
      partSize,
      short,
    )) {
      await pending
      if (part.length === 0) break
      if (number > this.#limits.maxParts) throw new StoreError('refused', `upload ${id} is too large`)
      pending = this.#bucket.put(this.#part(id, number++), part)
      // Awaited above or below.
      pending.catch(() => {})
    }
    await pending
    const now = await this.#stillThere(id)
    if (failure !== null) throw (failure as { error: unknown }).error
    return now
  }

  async read(id: string): Promise<Readable> {
    const { upload, parts } = await this.#parts(id)
    if (upload.size === 0) return nothingToRead()
    const bucket = this.#bucket
    async function* all(): AsyncGenerator<Uint8Array> {
      for (const { key } of parts) {
        const part = await bucket.get(key)
        if (part === null || part === 'beyond') throw new MissingUploadError(id)
        yield* part
      }
    }
    return Readable.from(all(), { objectMode: false })
  }

  /** Makes the object of that name in the bucket of it. */
  async finish(id: string, key: string): Promise<void> {
    using _ = this.#claim(id)
    const { parts } = await this.#parts(id)
    if (parts.length === 0) await this.#bucket.put(key, Buffer.alloc(0))
    else {
      const pieces = parts.map(part => ({ ...part, start: 0, end: part.size }))
      if (!(await makeOf(this.#bucket, pieces, key))) throw new MissingUploadError(id)
    }
    await this.abort(id)
  }

  async abort(id: string): Promise<void> {
    if (!isUploadId(id)) return
    // First, so that an upload of which parts are missing is none.
    await this.#bucket.delete(this.#begun(id))
    const keys = await Array.fromAsync(this.#bucket.list(`${this.#prefix}${id}/`), ({ key }) => key)
    await together(keys, 8, key => this.#bucket.delete(key))
  }

  async *all(): AsyncGenerator<Upload> {
    for await (const { upload, begun } of this.#groups()) if (begun) yield upload
  }

  /** Removes parts that uploads left which were aborted or finished when the process was killed. */
  async removeOrphans(): Promise<void> {
    for await (const { upload, begun } of this.#groups()) {
      // Asked again: a listing may lag behind another process.
      if (!begun && (await this.#bucket.head(this.#begun(upload.id))) === null) await this.abort(upload.id)
    }
  }

  /** Everything that is kept of uploads, put together by their ids. */
  async *#groups(): AsyncGenerator<Group> {
    let known: Group | undefined
    for await (const { key, size, modified } of this.#bucket.list(this.#prefix)) {
      const [id = '', name] = key.slice(this.#prefix.length).split('/')
      if (!isUploadId(id)) continue
      if (known?.upload.id === id) {
        const { upload } = known
        known.upload = { id, size: upload.size + size, modified: latest(upload.modified, modified) }
      } else {
        if (known !== undefined) yield known
        known = { begun: name === 'begun', upload: { id, size, modified } }
      }
    }
    if (known !== undefined) yield known
  }

  async #parts(id: string): Promise<{ upload: Upload; parts: readonly Found[] }> {
    if (!isUploadId(id)) throw new MissingUploadError(id)
    const found = await Array.fromAsync(this.#bucket.list(`${this.#prefix}${id}/`))
    const [begun, ...parts] = found
    if (begun?.key !== this.#begun(id)) throw new MissingUploadError(id)
    const size = parts.reduce((sum, part) => sum + part.size, 0)
    const modified = found.map(part => part.modified).reduce(latest)
    return { upload: { id, size, modified }, parts }
  }

  async #stillThere(id: string): Promise<Upload> {
    const found = await this.find(id)
    if (found !== null) return found
    await this.abort(id)
    throw new MissingUploadError(id)
  }

  async #whole(key: string): Promise<Buffer> {
    const body = await this.#bucket.get(key)
    if (body === null || body === 'beyond') throw new StoreError('unreachable', `${key} is gone`)
    return Buffer.concat(await Array.fromAsync(body as AsyncIterable<Buffer>))
  }

  #claim(id: string): Disposable {
    if (this.#busy.has(id)) throw new Error(`upload ${id} is in use`)
    this.#busy.add(id)
    return { [Symbol.dispose]: () => void this.#busy.delete(id) }
  }

  #begun(id: string): string {
    return `${this.#prefix}${id}/begun`
  }

  #part(id: string, number: number): string {
    return `${this.#prefix}${id}/part-${String(number).padStart(5, '0')}`
  }
}

/** What comes before the source throws; then that is told, and nothing more comes. */
async function* untilFailure(
  source: AsyncIterable<Uint8Array>,
  onFailure: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* source
  } catch (error) {
    onFailure(error)
  }
}

function latest(one: Date, other: Date): Date {
  return one > other ? one : other
}
