// Manifests of repositories, their tags, and what refers to what. Whoever changes something holds the lock of the repository.
//
// A push writes in the order that leaves nothing dangling when it is cut short: the manifest, its entry with its subject, and
// the tag last. A removal takes the same way back.

import { each } from '#kit/each.ts'
import { MissingObjectError, type ObjectStore, type StoredObject } from '#store/store.ts'
import { algorithmOf, type Digest, digestOf, parseDigest } from '../content/digest.ts'
import { type Manifest, readManifest } from '../content/manifest.ts'
import type { RepositoryName, Tag } from '../content/names.ts'
import { RegistryError } from '../errors.ts'
import type { Blobs } from './blobs.ts'
import { type Freshness, needsRenewal } from './freshness.ts'
import type { Locks } from './locks.ts'
import {
  digestOfKey,
  manifestKey,
  nameKey,
  nameOfKey,
  namesPrefix,
  referrerKey,
  referrersOf,
  tagKey,
  tagOfKey,
  tagsOf,
} from './paths.ts'

export type Reference =
  | { readonly kind: 'tag'; readonly tag: Tag }
  | { readonly kind: 'digest'; readonly digest: Digest }

export interface StoredManifest {
  readonly digest: Digest
  readonly mediaType: string
  readonly octets: Buffer
}

/** Some of a list, and whether there is more after the last one. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly more: boolean
}

export interface Referrer {
  readonly digest: Digest
  readonly artifactType?: string
}

export interface ManifestsOptions {
  readonly store: ObjectStore
  readonly locks: Locks
  readonly blobs: Blobs
  readonly freshness: Freshness
}

/** A page of referrers: octets of their descriptors. */
const referrersPageSize = 4 * 1024 * 1024

export class Manifests {
  readonly #store: ObjectStore
  readonly #locks: Locks
  readonly #blobs: Blobs
  readonly #freshness: Freshness

  constructor({ store, locks, blobs, freshness }: ManifestsOptions) {
    this.#store = store
    this.#locks = locks
    this.#blobs = blobs
    this.#freshness = freshness
  }

  /** Null: the repository does not have it. */
  async get(repository: RepositoryName, reference: Reference): Promise<StoredManifest | null> {
    const digest = reference.kind === 'digest' ? reference.digest : await this.tagged(repository, reference.tag)
    if (digest === null) return null
    const octets = await readWhole(this.#store, manifestKey(repository, digest))
    if (octets === null) return null
    if (digestOf(octets, algorithmOf(digest)) !== digest)
      throw new Error(`the store has changed the manifest ${digest} of ${repository}`)
    return { digest, mediaType: readManifest(octets, null).mediaType, octets }
  }

  /** Like `get`, and the caller may rely on it for the grace time. */
  async claim(repository: RepositoryName, reference: Reference): Promise<StoredManifest | null> {
    const found = await this.get(repository, reference)
    if (found === null) return null
    const key = manifestKey(repository, found.digest)
    const object = await this.#store.stat(key)
    if (object !== null && needsRenewal(object, this.#freshness))
      await this.#locks.run(repository, () => this.#renew(repository, found.digest))
    return found
  }

  async tagged(repository: RepositoryName, tag: Tag): Promise<Digest | null> {
    const octets = await readWhole(this.#store, tagKey(repository, tag))
    return octets === null ? null : parseDigest(octets.toString())
  }

  /** Throws MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN, DIGEST_INVALID. `type`: of its Content-Type, null without one. */
  async put(
    repository: RepositoryName,
    reference: Reference,
    octets: Buffer,
    type: string | null,
  ): Promise<{ readonly digest: Digest; readonly subject: Digest | null }> {
    const algorithm = reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256'
    const digest = digestOf(octets, algorithm)
    if (reference.kind === 'digest' && reference.digest !== digest)
      throw new RegistryError('DIGEST_INVALID', { detail: { digest } })
    const manifest = readManifest(octets, type)
    await this.#locks.run(repository, async () => {
      await this.#checkParts(repository, manifest)
      await this.#exist(repository)
      await this.#store.write(manifestKey(repository, digest), octets)
      if (manifest.subject !== null) {
        const descriptor = Buffer.from(JSON.stringify(descriptorOf(manifest, digest, octets.length)))
        await this.#store.write(referrerKey(repository, manifest.subject, digest), descriptor)
      }
      if (reference.kind === 'tag') await this.#tag(repository, reference.tag, digest)
    })
    return { digest, subject: manifest.subject }
  }

  async #checkParts(repository: RepositoryName, manifest: Manifest): Promise<void> {
    const missing: Digest[] = []
    await each(manifest.blobs, async digest => {
      if ((await this.#blobs.claim(repository, digest)) === null) missing.push(digest)
    })
    // Not needed, but when they are here they shall stay.
    await each(manifest.foreignBlobs, async digest => void (await this.#blobs.claim(repository, digest)))
    await each(manifest.children, async digest => {
      if (await this.#renew(repository, digest)) return
      if ((await this.#blobs.claim(repository, digest)) === null) missing.push(digest)
    })
    if (missing.length > 0)
      throw new RegistryError('MANIFEST_BLOB_UNKNOWN', { detail: missing.map(digest => ({ digest })) })
  }

  async #exist(repository: RepositoryName): Promise<void> {
    const key = nameKey(repository)
    if ((await this.#store.stat(key)) === null) await this.#store.write(key, new Uint8Array(0))
  }

  /** What the tag named before is untagged from now on: its grace time begins anew, for those who are still at it. */
  async #tag(repository: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    const before = await this.tagged(repository, tag)
    if (before === digest) return
    if (before !== null) await this.#renew(repository, before)
    await this.#store.write(tagKey(repository, tag), Buffer.from(digest))
  }

  /** False: there is no such manifest. Under the lock of the repository. */
  async #renew(repository: RepositoryName, digest: Digest): Promise<boolean> {
    const key = manifestKey(repository, digest)
    const object = await this.#store.stat(key)
    if (object === null) return false
    if (!needsRenewal(object, this.#freshness)) return true
    const octets = await readWhole(this.#store, key)
    if (octets === null) return false
    await this.#store.write(key, octets)
    return true
  }

  /** With its tags. False: there was no such manifest. */
  delete(repository: RepositoryName, digest: Digest): Promise<boolean> {
    return this.#locks.run(repository, async () => {
      await each(this.#store.list(tagsOf(repository)), async ({ key }) => {
        const tag = tagOfKey(key)
        if (tag !== null && (await this.tagged(repository, tag)) === digest) await this.#store.delete(key)
      })
      return this.#remove(repository, digest)
    })
  }

  /** For the collector: removes a manifest if `stillStale` says so of what is there now. */
  removeIf(
    repository: RepositoryName,
    digest: Digest,
    stillStale: (object: StoredObject) => boolean,
  ): Promise<boolean> {
    return this.#locks.run(repository, async () => {
      const object = await this.#store.stat(manifestKey(repository, digest))
      return object !== null && stillStale(object) && (await this.#remove(repository, digest))
    })
  }

  /** For the collector: forgets a repository that has nothing, and reports whether it did. */
  forgetIf(repository: RepositoryName, isEmpty: () => Promise<boolean>): Promise<boolean> {
    return this.#locks.run(repository, async () => (await isEmpty()) && this.#store.delete(nameKey(repository)))
  }

  async #remove(repository: RepositoryName, digest: Digest): Promise<boolean> {
    const key = manifestKey(repository, digest)
    const octets = await readWhole(this.#store, key)
    if (octets === null) return false
    const { subject } = readManifest(octets, null)
    if (subject !== null) await this.#store.delete(referrerKey(repository, subject, digest))
    return this.#store.delete(key)
  }

  /** False: there was no such tag. */
  deleteTag(repository: RepositoryName, tag: Tag): Promise<boolean> {
    return this.#locks.run(repository, async () => {
      const before = await this.tagged(repository, tag)
      if (before !== null) await this.#renew(repository, before)
      return this.#store.delete(tagKey(repository, tag))
    })
  }

  async exists(repository: RepositoryName): Promise<boolean> {
    return (await this.#store.stat(nameKey(repository))) !== null
  }

  /** In the order of octets, after the tag `after`. Throws NAME_UNKNOWN. */
  async tags(repository: RepositoryName, limit: number, after: string | null): Promise<Page<Tag>> {
    if (!(await this.exists(repository))) throw new RegistryError('NAME_UNKNOWN', { detail: { name: repository } })
    return this.#page(tagsOf(repository), limit, after, tagOfKey)
  }

  repositories(limit: number, after: string | null): Promise<Page<RepositoryName>> {
    return this.#page(namesPrefix, limit, after?.replaceAll('/', '+') ?? null, nameOfKey)
  }

  async #page<T>(
    prefix: string,
    limit: number,
    after: string | null,
    read: (key: string) => T | null,
  ): Promise<Page<T>> {
    const items: T[] = []
    if (limit === 0) return { items, more: false }
    const from = after === null || after === '' ? {} : { after: prefix + after }
    for await (const { key } of this.#store.list(prefix, from)) {
      const item = read(key)
      if (item === null) continue
      if (items.length === limit) return { items, more: true }
      items.push(item)
    }
    return { items, more: false }
  }

  /** By digest, after the digest `after`; `artifactType` null: all. */
  async referrers(
    repository: RepositoryName,
    subject: Digest,
    artifactType: string | null,
    after: Digest | null,
  ): Promise<Page<Referrer>> {
    const items: Referrer[] = []
    let octets = 0
    const from = after === null ? {} : { after: referrerKey(repository, subject, after) }
    for await (const { key, size } of this.#store.list(referrersOf(repository, subject), from)) {
      if (digestOfKey(key) === null) continue
      if (items.length > 0 && octets + size > referrersPageSize) return { items, more: true }
      const text = await readWhole(this.#store, key)
      if (text === null) continue
      const descriptor = JSON.parse(text.toString()) as Referrer
      if (artifactType !== null && descriptor.artifactType !== artifactType) continue
      items.push(descriptor)
      octets += size
    }
    return { items, more: false }
  }
}

function descriptorOf({ mediaType, artifactType, annotations }: Manifest, digest: Digest, size: number): object {
  return {
    ...{ mediaType, digest, size },
    ...(artifactType === null ? {} : { artifactType }),
    ...(annotations === null ? {} : { annotations }),
  }
}

/** Small objects only. Null: it is not there. */
export async function readWhole(store: ObjectStore, key: string): Promise<Buffer | null> {
  try {
    const chunks: Buffer[] = []
    for await (const chunk of await store.read(key)) chunks.push(chunk)
    return Buffer.concat(chunks)
  } catch (error) {
    if (error instanceof MissingObjectError) return null
    throw error
  }
}
