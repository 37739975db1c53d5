// `/v2/NAME/manifests/REFERENCE`.

import { maxManifestSize } from '../content/manifest.ts'
import type { RepositoryName } from '../content/names.ts'
import { RegistryError } from '../errors.ts'
import type { Manifests, Reference } from '../keep/manifests.ts'
import { matches } from './blobs.ts'
import type { Exchange } from './exchange.ts'

export class ManifestResource {
  readonly #manifests: Manifests

  constructor(manifests: Manifests) {
    this.#manifests = manifests
  }

  async get(exchange: Exchange, repository: RepositoryName, reference: Reference | null): Promise<void> {
    if (reference === null) throw unknown(null)
    const { isHead } = exchange
    const found = await (isHead ? this.#manifests.claim : this.#manifests.get).call(
      this.#manifests,
      repository,
      reference,
    )
    if (found === null) throw unknown(reference)
    const { digest, mediaType, octets } = found
    const fields = { 'docker-content-digest': digest, etag: `"${digest}"` }
    if (matches(exchange.field('if-none-match'), digest)) exchange.response.writeHead(304, fields).end()
    else exchange.answer(200, { ...fields, 'content-type': mediaType }, octets)
  }

  async put(exchange: Exchange, repository: RepositoryName, reference: Reference | null): Promise<void> {
    if (reference === null) throw new RegistryError('TAG_INVALID')
    const type = exchange.field('content-type')?.split(';')[0]?.trim().toLowerCase() || null
    const octets = await exchange.wholeBody(maxManifestSize, new RegistryError('MANIFEST_TOO_LARGE'))
    const { digest, subject } = await this.#manifests.put(repository, reference, octets, type)
    exchange.answer(201, {
      location: exchange.location(`/v2/${repository}/manifests/${digest}`),
      'docker-content-digest': digest,
      ...(subject === null ? {} : { 'oci-subject': subject }),
    })
  }

  async delete(exchange: Exchange, repository: RepositoryName, reference: Reference | null): Promise<void> {
    if (reference === null) throw unknown(null)
    const deleted =
      reference.kind === 'tag'
        ? await this.#manifests.deleteTag(repository, reference.tag)
        : await this.#manifests.delete(repository, reference.digest)
    if (!deleted) throw unknown(reference)
    exchange.answer(202, {})
  }
}

function unknown(reference: Reference | null): RegistryError {
  if (reference === null) return new RegistryError('MANIFEST_UNKNOWN')
  const detail = reference.kind === 'tag' ? { tag: reference.tag } : { digest: reference.digest }
  return new RegistryError('MANIFEST_UNKNOWN', { detail })
}
