// Where everything is in the store:
//
//   blobs/ALGORITHM/XX/HEX                             content; XX are the first two digits of HEX
//   links/ALGORITHM/HEX/REPOSITORY                     empty: the repository has this blob. Written last, renewed when used
//   names/REPOSITORY                                   empty: the repository exists, as it has or had a manifest
//   manifests/REPOSITORY/ALGORITHM/HEX                 a manifest or index as it came
//   tags/REPOSITORY/TAG                                a digest
//   referrers/REPOSITORY/SUBJECT/ALGORITHM/HEX         the descriptor of a manifest whose subject it is, as JSON. SUBJECT is
//                                                      the SHA-256 of the subject's digest: two of sha512 make too long a key
//   uploads/ID                                         whose upload it is, as JSON, once something of it is in the store
//
// Content is shared by repositories and says nothing of them; a link says who has it. Links are sorted by digest, so that one
// look tells whether anybody still does. REPOSITORY is a name with `+` for `/`, which gives one part of a key, no more than
// 200 octets, and the order of paths.

import { createHash } from 'node:crypto'
import { type Algorithm, algorithmOf, type Digest, hexOf, parseDigest } from '../content/digest.ts'
import { parseRepositoryName, parseTag, type RepositoryName, type Tag } from '../content/names.ts'

function flat(repository: RepositoryName): string {
  return repository.replaceAll('/', '+')
}

function flatDigest(digest: Digest): string {
  return `${algorithmOf(digest)}/${hexOf(digest)}`
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}

export const blobsPrefix = 'blobs/'
export const linksPrefix = 'links/'
export const namesPrefix = 'names/'
export const uploadsPrefix = 'uploads/'

export function blobKey(digest: Digest): string {
  const hex = hexOf(digest)
  return `${blobsPrefix}${algorithmOf(digest)}/${hex.slice(0, 2)}/${hex}`
}

export function linkKey(digest: Digest, repository: RepositoryName): string {
  return linksOf(digest) + flat(repository)
}

/** Prefix of a blob's links. */
export function linksOf(digest: Digest): string {
  return `${linksPrefix}${flatDigest(digest)}/`
}

export function nameKey(repository: RepositoryName): string {
  return namesPrefix + flat(repository)
}

export function manifestKey(repository: RepositoryName, digest: Digest): string {
  return manifestsOf(repository) + flatDigest(digest)
}

export function manifestsOf(repository: RepositoryName): string {
  return `manifests/${flat(repository)}/`
}

export function tagKey(repository: RepositoryName, tag: Tag): string {
  return tagsOf(repository) + tag
}

export function tagsOf(repository: RepositoryName): string {
  return `tags/${flat(repository)}/`
}

export function referrerKey(repository: RepositoryName, subject: Digest, digest: Digest): string {
  return referrersOf(repository, subject) + flatDigest(digest)
}

export function referrersOf(repository: RepositoryName, subject: Digest): string {
  return `referrers/${flat(repository)}/${createHash('sha256').update(subject).digest('hex')}/`
}

export function uploadKey(id: string): string {
  return uploadsPrefix + id
}

/** Of the last two parts, as in keys of manifests, referrers and blobs (whose XX does not count); null: not one of ours. */
export function digestOfKey(key: string): Digest | null {
  const [hex = '', before = '', beforeThat = ''] = key.split('/').reverse()
  const algorithm = (before.length === 2 ? beforeThat : before) as Algorithm
  return parseDigest(`${algorithm}:${hex}`)
}

export interface Link {
  readonly digest: Digest
  readonly repository: RepositoryName
}

/** Null: not one of ours. */
export function linkOfKey(key: string): Link | null {
  const cut = key.lastIndexOf('/')
  const digest = digestOfKey(key.slice(0, cut))
  const repository = nameOfKey(key)
  return digest === null || repository === null ? null : { digest, repository }
}

export function nameOfKey(key: string): RepositoryName | null {
  return parseRepositoryName(lastPart(key).replaceAll('+', '/'))
}

export function tagOfKey(key: string): Tag | null {
  return parseTag(lastPart(key))
}

export function uploadOfKey(key: string): string {
  return lastPart(key)
}
