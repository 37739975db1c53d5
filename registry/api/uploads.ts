// `/v2/NAME/blobs/uploads/` and what begins there: whole blobs, uploads, mounts.

import { type Digest, parseAlgorithm } from '../content/digest.ts'
import { parseRepositoryName, type RepositoryName } from '../content/names.ts'
import { RegistryError } from '../errors.ts'
import type { Blobs } from '../keep/blobs.ts'
import { rangeOf, type UploadState, type Uploads } from '../keep/uploads.ts'
import type { Exchange } from './exchange.ts'
import { chunkOf } from './range.ts'
import { digestOrThrow } from './route.ts'

export class UploadResource {
  readonly #blobs: Blobs
  readonly #uploads: Uploads

  constructor(blobs: Blobs, uploads: Uploads) {
    this.#blobs = blobs
    this.#uploads = uploads
  }

  async begin(exchange: Exchange, repository: RepositoryName): Promise<void> {
    const { query } = exchange
    const [mount, whole] = [query.get('mount'), query.get('digest')]
    if (mount !== null && (await this.#mount(exchange, repository, mount))) return
    if (whole !== null && mount === null) {
      const digest = digestOrThrow(whole)
      await this.#blobs.receive(repository, digest, exchange.body())
      this.#created(exchange, repository, digest)
      return
    }
    const hint = query.get('digest-algorithm')
    const algorithm = hint === null ? 'sha256' : parseAlgorithm(hint)
    if (algorithm === null) throw new RegistryError('DIGEST_INVALID', { detail: 'digests are of sha256 or sha512' })
    this.#answer(exchange, 202, repository, this.#uploads.begin(repository, algorithm))
  }

  async #mount(exchange: Exchange, repository: RepositoryName, text: string): Promise<boolean> {
    const digest = digestOrThrow(text)
    const from = exchange.query.get('from')
    const source = from === null ? null : parseRepositoryName(from)
    // A source that cannot exist is like one that has not got it: the client uploads.
    if (from !== null && source === null) return false
    const mayPull = (name: RepositoryName): boolean =>
      exchange.identity?.may({ kind: 'repository', repository: name, actions: ['pull'] }) ?? false
    if (!(await this.#blobs.mount(repository, digest, source === null ? null : [source], mayPull))) return false
    this.#created(exchange, repository, digest)
    return true
  }

  async state(exchange: Exchange, repository: RepositoryName, id: string): Promise<void> {
    this.#answer(exchange, 204, repository, await this.#uploads.state(repository, id))
  }

  async append(exchange: Exchange, repository: RepositoryName, id: string): Promise<void> {
    const state = await this.#withLocation(exchange, repository, id, () =>
      this.#uploads.append(repository, id, startOf(exchange), exchange.body()),
    )
    this.#answer(exchange, 202, repository, state)
  }

  async finish(exchange: Exchange, repository: RepositoryName, id: string): Promise<void> {
    const digest = digestOrThrow(exchange.query.get('digest') ?? '')
    await this.#withLocation(exchange, repository, id, () =>
      this.#uploads.finish(repository, id, digest, startOf(exchange), exchange.body()),
    )
    this.#created(exchange, repository, digest)
  }

  async cancel(exchange: Exchange, repository: RepositoryName, id: string): Promise<void> {
    await this.#uploads.cancel(repository, id)
    exchange.answer(204, { 'docker-upload-uuid': id })
  }

  /** Who sent a wrong chunk is told where to go on, and how far it is. */
  async #withLocation<T>(
    exchange: Exchange,
    repository: RepositoryName,
    id: string,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'RANGE_INVALID') {
        const { detail, headers, cause } = error
        const location = exchange.location(pathOf(repository, id))
        throw new RegistryError('RANGE_INVALID', { detail, cause, headers: { ...headers, location } })
      }
      throw error
    }
  }

  #answer(exchange: Exchange, status: number, repository: RepositoryName, { id, size }: UploadState): void {
    exchange.answer(status, {
      location: exchange.location(pathOf(repository, id)),
      range: rangeOf(size),
      'docker-upload-uuid': id,
    })
  }

  #created(exchange: Exchange, repository: RepositoryName, digest: Digest): void {
    const location = exchange.location(`/v2/${repository}/blobs/${digest}`)
    exchange.answer(201, { location, 'docker-content-digest': digest })
  }
}

function pathOf(repository: RepositoryName, id: string): string {
  return `/v2/${repository}/blobs/uploads/${id}`
}

/** Null: the client does not say. */
function startOf(exchange: Exchange): number | null {
  const field = exchange.field('content-range')
  if (field === null) return null
  const chunk = chunkOf(field)
  if (chunk === null) throw new RegistryError('BLOB_UPLOAD_INVALID', { detail: 'the Content-Range cannot be read' })
  const length = exchange.field('content-length')
  if (length !== null && Number(length) !== chunk.end - chunk.start)
    throw new RegistryError('SIZE_INVALID', { detail: 'the Content-Range and the Content-Length differ' })
  return chunk.start
}
