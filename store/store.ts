// Where large things are kept: layers and manifests of images, sources, caches of builds, repositories. Two drivers keep
// them, a folder and any server of the S3 API, and one suite says what both promise.
//
// Keys are like paths: parts of ASCII letters, digits and `._:@+-` with slashes between, 1 to 512 octets, 200 at most in a part,
// no part `.` or `..` (keys.ts). No key is the folder of another: where `a` is, `a/b` may be refused, and the other way round.
// An object is there whole or not at all, whatever is killed when; readers of one that is replaced or deleted get what they
// began with, or an error, never a mixture.

import type { Readable } from 'node:stream'

export interface StoredObject {
  readonly key: string
  /** Octets. */
  readonly size: number
  /** When it was written. */
  readonly modified: Date
}

/** Octets from `start` on, `end` excluded. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** Octets of an object; their memory is used for something else once this has resolved. */
export type Take = (octets: Uint8Array) => Promise<void>

/** The object is not there. */
export class MissingObjectError extends Error {
  readonly key: string

  constructor(key: string) {
    super(`there is no ${key}`)
    this.name = 'MissingObjectError'
    this.key = key
  }
}

/** The upload is not there: finished, aborted, or too old. */
export class MissingUploadError extends Error {
  readonly id: string

  constructor(id: string) {
    super(`there is no upload ${id}`)
    this.name = 'MissingUploadError'
    this.id = id
  }
}

/** Octets were offered for another place than the end of the upload. */
export class UploadOffsetError extends Error {
  /** Where it ends. */
  readonly size: number

  constructor(id: string, offset: number, size: number) {
    super(`upload ${id} has ${size} octets, not ${offset}`)
    this.name = 'UploadOffsetError'
    this.size = size
  }
}

/** The place is full, away, or says no. */
export class StoreError extends Error {
  readonly kind: 'full' | 'unreachable' | 'refused'

  constructor(kind: StoreError['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.kind = kind
  }
}

/** An object in the making, which survives a restart of the process. */
export interface Upload {
  readonly id: string
  /** Octets that are safe. */
  readonly size: number
  /** When something was added to it last. */
  readonly modified: Date
}

export interface ObjectStore {
  readonly kind: 'folder' | 's3'

  /** Throws StoreError when nothing can be kept or read now. */
  check(signal: AbortSignal): Promise<void>

  /** Null when it is not there. */
  stat(key: string): Promise<StoredObject | null>

  /** Of a range beyond the end there is as much as there is. Throws MissingObjectError before anything is read. */
  read(key: string, range?: Range): Promise<Readable>

  /**
   * Gives all that `read` would to `take`, piece by piece, with less work: for large objects on their way to a socket. What
   * `take` throws comes out, and ends it. Throws MissingObjectError before anything is taken.
   */
  pour(key: string, take: Take, range?: Range): Promise<void>

  /** Replaces what was there. Durable when it resolves; nothing changes when the source throws. */
  write(key: string, source: Uint8Array | AsyncIterable<Uint8Array>): Promise<StoredObject>

  /** Within the store; octets do not come by us. Replaces what was at `to`. Throws MissingObjectError. */
  copy(from: string, to: string): Promise<void>

  /** False when it was not there. */
  delete(key: string): Promise<boolean>

  /** Those whose key begins with `prefix`, by key in the order of octets, from after the key `after` on. */
  list(prefix: string, options?: { readonly after?: string }): AsyncIterable<StoredObject>

  startUpload(): Promise<Upload>

  /** Null when it is not there. */
  findUpload(id: string): Promise<Upload | null>

  /**
   * Adds to it; `offset` is its size as the caller knows it, another one is an UploadOffsetError. Only one call at a time
   * for an upload. When the source throws, what came before may or may not be kept: ask `findUpload`.
   */
  appendUpload(id: string, offset: number, source: AsyncIterable<Uint8Array>): Promise<Upload>

  /** What was added so far, for a digest that has to begin anew after a restart. */
  readUpload(id: string): Promise<Readable>

  /** Makes an object of it, which replaces what was there; the upload is gone then. */
  finishUpload(id: string, key: string): Promise<StoredObject>

  /** Nothing happens when it is not there. */
  abortUpload(id: string): Promise<void>

  uploads(): AsyncIterable<Upload>

  close(): Promise<void>
}
