// Lists, a page at a time: tags, repositories, and what refers to a manifest.

import { type Digest, parseDigest } from '../content/digest.ts'
import { mediaTypes } from '../content/manifest.ts'
import type { RepositoryName } from '../content/names.ts'
import { RegistryError } from '../errors.ts'
import type { Manifests } from '../keep/manifests.ts'
import type { Exchange, Fields } from './exchange.ts'

/** Most of one page, and how many there are when the client does not say. */
const pageSize = 10_000

export class ListResource {
  readonly #manifests: Manifests

  constructor(manifests: Manifests) {
    this.#manifests = manifests
  }

  async tags(exchange: Exchange, repository: RepositoryName): Promise<void> {
    const { limit, last } = pageOf(exchange)
    const { items, more } = await this.#manifests.tags(repository, limit, last)
    const next = more ? linkTo(`/v2/${repository}/tags/list`, { n: String(limit), last: items.at(-1)! }) : {}
    exchange.json(200, { name: repository, tags: items }, next)
  }

  async repositories(exchange: Exchange): Promise<void> {
    const { limit, last } = pageOf(exchange)
    const { items, more } = await this.#manifests.repositories(limit, last)
    const next = more ? linkTo('/v2/_catalog', { n: String(limit), last: items.at(-1)! }) : {}
    exchange.json(200, { repositories: items }, next)
  }

  async referrers(exchange: Exchange, repository: RepositoryName, subject: Digest): Promise<void> {
    const artifactType = exchange.query.get('artifactType')
    const after = parseDigest(exchange.query.get('last') ?? '')
    const { items, more } = await this.#manifests.referrers(repository, subject, artifactType, after)
    const path = `/v2/${repository}/referrers/${subject}`
    const query = { ...(artifactType === null ? {} : { artifactType }), last: items.at(-1)?.digest ?? '' }
    exchange.json(
      200,
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: items },
      {
        'content-type': mediaTypes.ociIndex,
        ...(artifactType === null ? {} : { 'oci-filters-applied': 'artifactType' }),
        ...(more ? linkTo(path, query) : {}),
      },
    )
  }
}

function linkTo(path: string, query: Readonly<Record<string, string>>): Fields {
  return { link: `<${path}?${new URLSearchParams(query)}>; rel="next"` }
}

function pageOf({ query }: Exchange): { readonly limit: number; readonly last: string | null } {
  const text = query.get('n')
  if (text !== null && !/^\d{1,9}$/.test(text)) throw new RegistryError('PAGINATION_NUMBER_INVALID')
  const last = query.get('last')
  // It becomes part of a key.
  if (last !== null && !/^[a-zA-Z0-9._/-]{0,255}$/.test(last))
    throw new RegistryError('REQUEST_INVALID', { detail: 'last' })
  return { limit: Math.min(text === null ? pageSize : Number(text), pageSize), last }
}
