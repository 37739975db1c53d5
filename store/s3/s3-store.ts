// A store on a server of the S3 API. An object `a/b` is the object `PREFIX/a/b` of the bucket; uploads are drawn in
// s3-uploads.ts. AWS's own client is used: it is complete, knows every kind of credentials, and is released every week.

import type { Readable } from 'node:stream'
import { exitCode, StartupError } from '#kit/exit.ts'
import { checkKey, checkPrefix, isKey } from '../keys.ts'
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
import { Bucket, type Found } from './bucket.ts'
import { defaultLimits, type Limits, makeFrom, makeOf } from './making.ts'
import { S3Uploads, uploadsFolder } from './s3-uploads.ts'
import type { S3Target } from './target.ts'

/** No write takes that long: what was begun earlier belongs to a process that was killed. Milliseconds. */
const abandonedAfter = 7 * 24 * 3600 * 1000

/** Throws StartupError 69 when the server cannot be reached, or says no. `limits` are for tests. */
export async function openS3(target: S3Target, limits: Limits = defaultLimits): Promise<ObjectStore> {
  const bucket = new Bucket(target)
  const store = new S3Store(bucket, target.prefix.replace(/^\/+|\/+$/g, ''), limits)
  try {
    await bucket.ensure()
    await store.sweep()
  } catch (error) {
    bucket.close()
    const place = target.endpoint ?? `S3 in ${target.region}`
    const why = `the object store ${place} cannot be used: ${(error as Error).message}`
    throw new StartupError(exitCode.unavailable, why, { cause: error })
  }
  return store
}

class S3Store implements ObjectStore {
  readonly kind = 's3'
  readonly #bucket: Bucket
  readonly #prefix: string
  readonly #limits: Limits
  readonly #uploads: S3Uploads
  #closed = false

  constructor(bucket: Bucket, prefix: string, limits: Limits) {
    this.#bucket = bucket
    this.#prefix = prefix === '' ? '' : `${prefix}/`
    this.#limits = limits
    this.#uploads = new S3Uploads(bucket, this.#prefix, limits)
  }

  /** Removes what processes left that were killed. */
  async sweep(): Promise<void> {
    await this.#uploads.removeOrphans()
    const before = new Date(Date.now() - abandonedAfter)
    for await (const multipart of this.#bucket.abandonedMultiparts(this.#prefix, before))
      await this.#bucket.abortMultipart(multipart)
  }

  async check(signal: AbortSignal): Promise<void> {
    this.#checkOpen()
    await this.#bucket.check(signal)
  }

  async stat(key: string): Promise<StoredObject | null> {
    const found = await this.#bucket.head(this.#name(key))
    return found === null ? null : objectOf(key, found)
  }

  async read(key: string, range?: Range): Promise<Readable> {
    const name = this.#name(key)
    if (range !== undefined) {
      checkRange(range)
      if (range.start === range.end) return await this.#readNothing(key)
    }
    const body = await this.#bucket.get(name, range)
    if (body === null) throw new MissingObjectError(key)
    return body === 'beyond' ? nothingToRead() : body
  }

  async pour(key: string, take: Take, range?: Range): Promise<void> {
    for await (const octets of await this.read(key, range)) await take(octets)
  }

  async write(key: string, source: Uint8Array | AsyncIterable<Uint8Array>): Promise<StoredObject> {
    const name = this.#name(key)
    const size = await makeFrom(this.#bucket, source instanceof Uint8Array ? one(source) : source, name, this.#limits)
    return { ...(await this.#written(key)), size }
  }

  async copy(from: string, to: string): Promise<void> {
    const [source, target] = [this.#name(from), this.#name(to)]
    const found = await this.#bucket.head(source)
    if (found === null) throw new MissingObjectError(from)
    const { copySize } = this.#limits
    const count = Math.max(1, Math.ceil(found.size / copySize))
    const pieces = Array.from({ length: count }, (_, index) => ({
      ...found,
      start: index * copySize,
      end: Math.min(found.size, (index + 1) * copySize),
    }))
    if (await makeOf(this.#bucket, pieces, target)) return
    if ((await this.#bucket.head(source)) === null) throw new MissingObjectError(from)
    throw new StoreError('unreachable', `${from} was replaced while it was copied`)
  }

  async delete(key: string): Promise<boolean> {
    const name = this.#name(key)
    if ((await this.#bucket.head(name)) === null) return false
    await this.#bucket.delete(name)
    return true
  }

  async *list(prefix: string, options: { readonly after?: string } = {}): AsyncGenerator<StoredObject> {
    checkPrefix(prefix)
    this.#checkOpen()
    // Past our own, which come before all keys.
    const beyond = `${uploadsFolder.slice(0, -1)}0`
    const after = options.after !== undefined && options.after > beyond ? options.after : beyond
    for await (const found of this.#bucket.list(`${this.#prefix}${prefix}`, `${this.#prefix}${after}`)) {
      const key = found.key.slice(this.#prefix.length)
      // Others may keep things in the bucket.
      if (isKey(key)) yield objectOf(key, found)
    }
  }

  async startUpload(): Promise<Upload> {
    this.#checkOpen()
    return await this.#uploads.start()
  }

  async findUpload(id: string): Promise<Upload | null> {
    this.#checkOpen()
    return await this.#uploads.find(id)
  }

  async appendUpload(id: string, offset: number, source: AsyncIterable<Uint8Array>): Promise<Upload> {
    this.#checkOpen()
    return await this.#uploads.append(id, offset, source)
  }

  async readUpload(id: string): Promise<Readable> {
    this.#checkOpen()
    return await this.#uploads.read(id)
  }

  async finishUpload(id: string, key: string): Promise<StoredObject> {
    await this.#uploads.finish(id, this.#name(key))
    return await this.#written(key)
  }

  async abortUpload(id: string): Promise<void> {
    this.#checkOpen()
    await this.#uploads.abort(id)
  }

  uploads(): AsyncIterable<Upload> {
    this.#checkOpen()
    return this.#uploads.all()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#bucket.close()
  }

  /** What it is called in the bucket. */
  #name(key: string): string {
    checkKey(key)
    this.#checkOpen()
    return `${this.#prefix}${key}`
  }

  /** What the server says of what it has just taken: its clock, not ours, is what listings show. */
  async #written(key: string): Promise<StoredObject> {
    const found = await this.stat(key)
    if (found === null) throw new StoreError('unreachable', `${key} was deleted while it was written`)
    return found
  }

  async #readNothing(key: string): Promise<Readable> {
    if ((await this.stat(key)) === null) throw new MissingObjectError(key)
    return nothingToRead()
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreError('unreachable', 'the store is closed')
  }
}

function objectOf(key: string, { size, modified }: Found): StoredObject {
  return { key, size, modified }
}

async function* one(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk
}
