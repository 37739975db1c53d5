// Blobs, and which repository has which. A blob is seen only through its repository's link; whoever writes a link, and the
// collector, hold the lock of the digest.

import { createHash } from 'node:crypto'
import type { ObjectStore, Range, Take } from '#store/store.ts'
import { algorithmOf, type Digest, hexOf } from '../content/digest.ts'
import type { RepositoryName } from '../content/names.ts'
import { RegistryError } from '../errors.ts'
import { type Freshness, needsRenewal } from './freshness.ts'
import type { Locks } from './locks.ts'
import { blobKey, linkKey, linkOfKey, linksOf } from './paths.ts'

const nothing = new Uint8Array(0)

export interface BlobsOptions {
  readonly store: ObjectStore
  readonly locks: Locks
  readonly freshness: Freshness
}

export class Blobs {
  readonly #store: ObjectStore
  readonly #locks: Locks
  readonly #freshness: Freshness
  /** Digests that are being written, and how often at once: not yet linked, whatever the store says of their age. */
  readonly #coming = new Map<Digest, number>()

  constructor({ store, locks, freshness }: BlobsOptions) {
    this.#store = store
    this.#locks = locks
    this.#freshness = freshness
  }

  /** Its size; null: the repository does not have it. */
  async size(repository: RepositoryName, digest: Digest): Promise<number | null> {
    const [link, blob] = await Promise.all([
      this.#store.stat(linkKey(digest, repository)),
      this.#store.stat(blobKey(digest)),
    ])
    return link === null ? null : (blob?.size ?? null)
  }

  /** Like `size`, and the caller may rely on it for the grace time. */
  async claim(repository: RepositoryName, digest: Digest): Promise<number | null> {
    const key = linkKey(digest, repository)
    const link = await this.#store.stat(key)
    if (link === null) return null
    if (needsRenewal(link, this.#freshness))
      await this.#locks.run(digest, async () => {
        if ((await this.#store.stat(key)) !== null) await this.#store.write(key, nothing)
      })
    return this.size(repository, digest)
  }

  /** As the store's. Whether the repository has it is the caller's question. */
  pour(digest: Digest, take: Take, range?: Range): Promise<void> {
    return this.#store.pour(blobKey(digest), take, range)
  }

  /** Gives the repository a blob that one of `sources` has, or that any has when it is null. False: none of them does. */
  async mount(
    repository: RepositoryName,
    digest: Digest,
    sources: readonly RepositoryName[] | null,
    mayPull: (repository: RepositoryName) => boolean,
  ): Promise<boolean> {
    const source = await this.#source(digest, sources, mayPull)
    if (source === null) return false
    return this.#locks.run(digest, async () => {
      // The collector may have been faster.
      if ((await this.size(source, digest)) === null) return false
      await this.#store.write(linkKey(digest, repository), nothing)
      return true
    })
  }

  async #source(
    digest: Digest,
    sources: readonly RepositoryName[] | null,
    mayPull: (repository: RepositoryName) => boolean,
  ): Promise<RepositoryName | null> {
    if (sources !== null) {
      for (const source of sources) if (mayPull(source) && (await this.size(source, digest)) !== null) return source
      return null
    }
    let looked = 0
    for await (const { key } of this.#store.list(linksOf(digest))) {
      const link = linkOfKey(key)
      if (link !== null && mayPull(link.repository)) return link.repository
      // A blob that thousands of foreign repositories have is uploaded again: that is always right.
      if (++looked === 1000) return null
    }
    return null
  }

  /** Writes a whole blob. Throws DIGEST_INVALID, and nothing is kept then. */
  async receive(repository: RepositoryName, digest: Digest, source: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#arriving(digest, async () => {
      await this.#store.write(blobKey(digest), verified(source, digest))
      await this.#locks.run(digest, () => this.#link(repository, digest))
    })
  }

  /** `finish` puts a blob, whose digest somebody has checked, where its key says. */
  async adopt(repository: RepositoryName, digest: Digest, finish: (key: string) => Promise<unknown>): Promise<void> {
    await this.#arriving(digest, async () => {
      await finish(blobKey(digest))
      await this.#locks.run(digest, () => this.#link(repository, digest))
    })
  }

  /** The collector leaves it alone. */
  isComing(digest: Digest): boolean {
    return this.#coming.has(digest)
  }

  /** False: the repository did not have it. Others that have it keep it. */
  unlink(repository: RepositoryName, digest: Digest): Promise<boolean> {
    return this.#locks.run(digest, () => this.#store.delete(linkKey(digest, repository)))
  }

  async #arriving(digest: Digest, work: () => Promise<void>): Promise<void> {
    this.#coming.set(digest, (this.#coming.get(digest) ?? 0) + 1)
    try {
      await work()
    } finally {
      const left = this.#coming.get(digest)! - 1
      if (left === 0) this.#coming.delete(digest)
      else this.#coming.set(digest, left)
    }
  }

  async #link(repository: RepositoryName, digest: Digest): Promise<void> {
    await this.#store.write(linkKey(digest, repository), nothing)
  }
}

async function* verified(source: AsyncIterable<Uint8Array>, digest: Digest): AsyncGenerator<Uint8Array> {
  const hash = createHash(algorithmOf(digest))
  for await (const octets of source) {
    hash.update(octets)
    yield octets
  }
  // Before the end, so that the store keeps nothing of it.
  if (hash.digest('hex') !== hexOf(digest)) throw new RegistryError('DIGEST_INVALID', { detail: { digest } })
}
