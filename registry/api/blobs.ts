// `/v2/NAME/blobs/DIGEST`.

import { MissingObjectError } from '#store/store.ts'
import type { Digest } from '../content/digest.ts'
import type { RepositoryName } from '../content/names.ts'
import { RegistryError } from '../errors.ts'
import type { Blobs } from '../keep/blobs.ts'
import type { Exchange } from './exchange.ts'
import { rangeOf } from './range.ts'

export class BlobResource {
  readonly #blobs: Blobs

  constructor(blobs: Blobs) {
    this.#blobs = blobs
  }

  async get(exchange: Exchange, repository: RepositoryName, digest: Digest): Promise<void> {
    // Who only asks whether it is there will not push it, and rely on it.
    const look = exchange.isHead ? this.#blobs.claim(repository, digest) : this.#blobs.size(repository, digest)
    const size = await look
    const unknown = (cause?: unknown): RegistryError => new RegistryError('BLOB_UNKNOWN', { detail: { digest }, cause })
    if (size === null) throw unknown()
    const fields = {
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      'accept-ranges': 'bytes',
      etag: `"${digest}"`,
      // What a digest names never changes.
      'cache-control': 'max-age=31536000, immutable',
    }
    if (matches(exchange.field('if-none-match'), digest)) {
      const { 'content-type': _, ...rest } = fields
      exchange.response.writeHead(304, rest).end()
      return
    }
    const condition = exchange.field('if-range')
    const wanted = condition === null || condition === `"${digest}"` ? exchange.field('range') : null
    const range = exchange.isHead ? null : rangeOf(wanted, size)
    if (range === 'unsatisfiable') {
      exchange.answer(416, { ...fields, 'content-range': `bytes */${size}` })
      return
    }
    try {
      if (range === null) await exchange.stream(200, fields, size, take => this.#blobs.pour(digest, take))
      else {
        const { start, end } = range
        const partial = { ...fields, 'content-range': `bytes ${start}-${end - 1}/${size}` }
        await exchange.stream(206, partial, end - start, take => this.#blobs.pour(digest, take, range))
      }
    } catch (error) {
      throw error instanceof MissingObjectError ? unknown(error) : error
    }
  }

  async delete(exchange: Exchange, repository: RepositoryName, digest: Digest): Promise<void> {
    if (!(await this.#blobs.unlink(repository, digest))) throw new RegistryError('BLOB_UNKNOWN', { detail: { digest } })
    exchange.answer(202, { 'docker-content-digest': digest })
  }
}

export function matches(field: string | null, digest: Digest): boolean {
  return field?.split(',').some(each => each.trim().replace(/^W\//, '') === `"${digest}"`) ?? false
}
