// Blobs on their way in. An upload costs nothing in the store until something of it has come; most are whole blobs in one
// request then, which go to their place at once. Uploads of several requests survive a restart of the process from their
// first octet on. Their digest is computed as they come; what a restart or a broken request makes doubtful is read again.

import { createHash, type Hash, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { MissingUploadError, type ObjectStore, type Upload, UploadOffsetError } from '#store/store.ts'
import { type Algorithm, algorithmOf, type Digest, digestFrom } from '../content/digest.ts'
import { parseRepositoryName, type RepositoryName } from '../content/names.ts'
import { RegistryError } from '../errors.ts'
import type { Blobs } from './blobs.ts'
import { uploadKey, uploadOfKey, uploadsPrefix } from './paths.ts'

export interface UploadsOptions {
  readonly store: ObjectStore
  readonly blobs: Blobs
  /** Uploads under way at one time. */
  readonly most: number
  /** After which an upload to which nothing comes is removed, milliseconds. */
  readonly idle: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** When there are too many, uploads that nothing came to for this long make room, milliseconds. */
const emptyPatience = 60_000

/** How long a request waits for another one of the same upload to end, milliseconds. */
const busyPatience = 3_000

interface Digesting {
  readonly algorithm: Algorithm
  readonly hash: Hash
  /** Octets so far. */
  size: number
}

interface Session {
  readonly id: string
  readonly repository: RepositoryName
  /** What the store has of it; null: nothing yet. */
  stored: Upload | null
  /** Null: the octets have to be read again. */
  digesting: Digesting | null
  /** Resolves when the request that adds to it has ended; null: none does. */
  busy: Promise<void> | null
  /** Milliseconds since the epoch. */
  used: number
}

export interface UploadState {
  readonly id: string
  /** Octets that are safe. */
  readonly size: number
}

const idForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export class Uploads {
  readonly #options: UploadsOptions
  readonly #sessions = new Map<string, Session>()
  /** Markers being read, so that two requests never make two sessions of one upload. */
  readonly #reading = new Map<string, Promise<Session | null>>()

  constructor(options: UploadsOptions) {
    this.#options = options
  }

  /** Those that this process knows of. */
  get count(): number {
    return this.#sessions.size
  }

  /** `algorithm`: what the digest will probably be of. Throws TOOMANYREQUESTS. */
  begin(repository: RepositoryName, algorithm: Algorithm): UploadState {
    if (this.#sessions.size >= this.#options.most) this.#makeRoom()
    const id = randomUUID()
    const used = this.#options.now()
    this.#sessions.set(id, {
      ...{ id, repository, stored: null, busy: null, used },
      digesting: { algorithm, hash: createHash(algorithm), size: 0 },
    })
    return { id, size: 0 }
  }

  /** Throws BLOB_UPLOAD_UNKNOWN. */
  async state(repository: RepositoryName, id: string): Promise<UploadState> {
    const session = await this.#find(repository, id)
    await this.#quiet(session)
    return { id, size: session.stored?.size ?? 0 }
  }

  /**
   * `start`: where the client says that this begins; null: at the end. What came before `source` throws may be kept.
   * Throws BLOB_UPLOAD_UNKNOWN, RANGE_INVALID, UPLOAD_BUSY.
   */
  async append(
    repository: RepositoryName,
    id: string,
    start: number | null,
    source: AsyncIterable<Uint8Array>,
  ): Promise<UploadState> {
    return this.#alone(repository, id, async session => {
      await this.#append(session, start, source)
      return { id, size: session.stored?.size ?? 0 }
    })
  }

  /**
   * Ends the upload with what `source` has, if anything. The upload is gone afterwards, unless `source` throws: then it can
   * be taken up again. Throws as `append`, and DIGEST_INVALID.
   */
  async finish(
    repository: RepositoryName,
    id: string,
    digest: Digest,
    start: number | null,
    source: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    await this.#alone(repository, id, async session => {
      const { blobs, store } = this.#options
      try {
        if (session.stored === null) {
          this.#checkStart(session, start)
          await blobs.receive(repository, digest, source)
        } else {
          await this.#append(session, start, source)
          if ((await this.#digest(session, algorithmOf(digest))) !== digest)
            throw new RegistryError('DIGEST_INVALID', { detail: { digest } })
          const upload = session.stored.id
          await blobs.adopt(repository, digest, key => store.finishUpload(upload, key))
        }
      } catch (error) {
        const isLost = error instanceof MissingUploadError
        if (isLost || (error instanceof RegistryError && error.code === 'DIGEST_INVALID')) await this.#remove(session)
        // An end that was cut short, of which the store has come further than we know.
        throw isLost ? new RegistryError('BLOB_UPLOAD_UNKNOWN', { cause: error }) : error
      }
      this.#sessions.delete(id)
      if (session.stored !== null) await store.delete(uploadKey(id))
    })
  }

  /** Throws BLOB_UPLOAD_UNKNOWN, UPLOAD_BUSY. */
  async cancel(repository: RepositoryName, id: string): Promise<void> {
    await this.#alone(repository, id, session => this.#remove(session))
  }

  /** Removes what was idle for too long, and what crashes have left. Returns how many. */
  async sweep(): Promise<number> {
    const { store, idle, now } = this.#options
    const tooOld = (time: number): boolean => now() - time > idle
    let removed = 0
    for (const session of [...this.#sessions.values()]) {
      if (session.busy !== null || !tooOld(session.used)) continue
      await this.#remove(session)
      removed++
    }
    const known = new Set([...this.#sessions.values()].map(({ stored }) => stored?.id))
    for await (const { key, modified } of store.list(uploadsPrefix)) {
      if (this.#sessions.has(uploadOfKey(key))) continue
      const upload = await this.#uploadOf(key)
      // A marker is written after its upload began: one without an upload is from an end that was cut short.
      if (!tooOld((upload?.modified ?? modified).getTime())) {
        if (upload !== null) known.add(upload.id)
        continue
      }
      if (upload !== null) await store.abortUpload(upload.id)
      await store.delete(key)
      removed++
    }
    for await (const upload of store.uploads()) {
      if (known.has(upload.id) || !tooOld(upload.modified.getTime())) continue
      await store.abortUpload(upload.id)
      removed++
    }
    return removed
  }

  async #uploadOf(key: string): Promise<Upload | null> {
    const marker = await this.#marker(uploadOfKey(key))
    return marker === null ? null : this.#options.store.findUpload(marker.upload)
  }

  #makeRoom(): void {
    const { now } = this.#options
    for (const session of this.#sessions.values())
      if (session.stored === null && session.busy === null && now() - session.used > emptyPatience) {
        this.#sessions.delete(session.id)
        return
      }
    throw new RegistryError('TOOMANYREQUESTS', {
      detail: `${this.#options.most} uploads are under way`,
      headers: { 'retry-after': '10' },
    })
  }

  async #alone<T>(repository: RepositoryName, id: string, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#find(repository, id)
    await this.#quiet(session)
    if (session.busy !== null) throw new RegistryError('UPLOAD_BUSY')
    const { promise, resolve } = Promise.withResolvers<void>()
    session.busy = promise
    try {
      return await work(session)
    } finally {
      session.busy = null
      session.used = this.#options.now()
      resolve()
    }
  }

  /** A client whose connection broke may be back before we have seen it break: it is not told to go away. */
  async #quiet({ busy }: Session): Promise<void> {
    if (busy === null) return
    const limit = new AbortController()
    await Promise.race([busy, delay(busyPatience, undefined, { signal: limit.signal }).catch(() => {})])
    limit.abort()
  }

  async #find(repository: RepositoryName, id: string): Promise<Session> {
    let session = this.#sessions.get(id) ?? null
    if (session === null && idForm.test(id)) {
      const reading = this.#reading.get(id) ?? this.#takeUp(id).finally(() => this.#reading.delete(id))
      this.#reading.set(id, reading)
      session = await reading
    }
    if (session === null || session.repository !== repository) throw new RegistryError('BLOB_UPLOAD_UNKNOWN')
    return session
  }

  /** An upload that another process began, or this one before it forgot. */
  async #takeUp(id: string): Promise<Session | null> {
    const marker = await this.#marker(id)
    const stored = marker === null ? null : await this.#options.store.findUpload(marker.upload)
    if (marker === null || stored === null) return null
    const { repository } = marker
    const session: Session = { id, repository, stored, digesting: null, busy: null, used: this.#options.now() }
    this.#sessions.set(id, session)
    return session
  }

  async #marker(id: string): Promise<{ readonly repository: RepositoryName; readonly upload: string } | null> {
    const { store } = this.#options
    const key = uploadKey(id)
    if ((await store.stat(key)) === null) return null
    const chunks: Buffer[] = []
    for await (const chunk of await store.read(key)) chunks.push(chunk)
    const { repository, upload } = JSON.parse(Buffer.concat(chunks).toString())
    const name = parseRepositoryName(String(repository))
    return name === null || typeof upload !== 'string' ? null : { repository: name, upload }
  }

  #checkStart(session: Session, start: number | null): void {
    if (start !== null && start !== (session.stored?.size ?? 0)) throw wrongStart(session)
  }

  async #append(session: Session, start: number | null, source: AsyncIterable<Uint8Array>): Promise<void> {
    this.#checkStart(session, start)
    const coming = source[Symbol.asyncIterator]()
    try {
      const first = await coming.next()
      if (!first.done) await this.#add(session, first.value, coming)
    } finally {
      // Also when the store reads no further: a body is watched until somebody lets go of it.
      await coming.return?.()
    }
  }

  async #add(session: Session, first: Uint8Array, rest: AsyncIterator<Uint8Array>): Promise<void> {
    const { store } = this.#options
    session.stored ??= await this.#startStored(session)
    const { stored, digesting } = session
    try {
      session.stored = await store.appendUpload(stored.id, stored.size, digested(first, rest, digesting))
      if (digesting?.size !== session.stored.size) session.digesting = null
    } catch (error) {
      // The digest has seen octets that are perhaps not kept.
      session.digesting = null
      session.stored = await store.findUpload(stored.id).catch(() => stored)
      if (session.stored === null) this.#sessions.delete(session.id)
      // Another process has added to it: the client has to see how far it is.
      if (error instanceof UploadOffsetError) throw wrongStart(session, error)
      if (error instanceof MissingUploadError) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', { cause: error })
      throw error
    }
  }

  async #startStored(session: Session): Promise<Upload> {
    const { store } = this.#options
    const upload = await store.startUpload()
    const marker = JSON.stringify({ repository: session.repository, upload: upload.id })
    await store.write(uploadKey(session.id), Buffer.from(marker))
    return upload
  }

  async #digest(session: Session, algorithm: Algorithm): Promise<Digest> {
    const { digesting, stored } = session
    if (digesting !== null && digesting.algorithm === algorithm && digesting.size === stored!.size)
      return digestFrom(algorithm, digesting.hash.copy().digest('hex'))
    const hash = createHash(algorithm)
    for await (const chunk of await this.#options.store.readUpload(stored!.id)) hash.update(chunk)
    return digestFrom(algorithm, hash.digest('hex'))
  }

  async #remove(session: Session): Promise<void> {
    const { store } = this.#options
    this.#sessions.delete(session.id)
    if (session.stored === null) return
    await store.abortUpload(session.stored.id)
    await store.delete(uploadKey(session.id))
  }
}

function wrongStart({ id, stored }: Session, cause?: Error): RegistryError {
  const size = stored?.size ?? 0
  return new RegistryError('RANGE_INVALID', {
    detail: { id, size },
    headers: { range: rangeOf(size), 'docker-upload-uuid': id },
    cause,
  })
}

/** As the field Range of answers has it. */
export function rangeOf(size: number): string {
  return `0-${Math.max(0, size - 1)}`
}

async function* digested(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
  digesting: Digesting | null,
): AsyncGenerator<Uint8Array> {
  for (let octets: Uint8Array | null = first; octets !== null; ) {
    if (digesting !== null) {
      digesting.hash.update(octets)
      digesting.size += octets.length
    }
    yield octets
    const next: IteratorResult<Uint8Array> = await rest.next()
    octets = next.done ? null : next.value
  }
}
