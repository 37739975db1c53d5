// The requests that we send, each in one place: what a server says comes out as StoreError, what is missing as null.

import type { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  type BucketLocationConstraint,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import type { Range } from '../store.ts'
import { explain, isMissing, statusOf } from './faults.ts'
import type { S3Target } from './target.ts'

/** Milliseconds for a request and the head of its answer: a part of an object is the most that goes with one. */
const requestTimeout = 60_000

/** Some servers put an object together before they answer. */
const completeTimeout = 600_000

/** Milliseconds without an octet, which covers the rest of an answer. */
const socketTimeout = 600_000

export interface Found {
  readonly key: string
  readonly size: number
  readonly modified: Date
  readonly etag: string
}

/** An object that is being made in parts. */
export interface Multipart {
  readonly key: string
  readonly id: string
}

/** Octets of another object. */
export interface Piece extends Range {
  readonly key: string
  readonly etag: string
}

export class Bucket {
  readonly #client: S3Client
  readonly #name: string
  readonly #region: string

  constructor(target: S3Target) {
    this.#name = target.bucket
    this.#region = target.region
    this.#client = new S3Client({
      region: target.region,
      forcePathStyle: target.pathStyle,
      ...(target.endpoint === null ? {} : { endpoint: target.endpoint }),
      ...(target.credentials === null ? {} : { credentials: target.credentials }),
      // Full jitter between tries; bodies are in memory, so each can be sent again.
      retryMode: 'standard',
      maxAttempts: 4,
      // Checksums that AWS came up with in 2024 are refused by servers that are older.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: 5_000,
        requestTimeout,
        throwOnRequestTimeout: true,
        socketTimeout,
        // An answer that is being read has a connection to itself, for as long as its reader takes: with a bound here some
        // hundred slow readers would keep everybody else from the store. Whoever lets readers in bounds them.
        httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
        httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      },
    })
  }

  async check(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#name }), { abortSignal: signal })
    } catch (error) {
      signal.throwIfAborted()
      throw explain(error, `bucket ${this.#name}`)
    }
  }

  /** Makes it if it is not there. */
  async ensure(): Promise<void> {
    const head = new HeadBucketCommand({ Bucket: this.#name })
    try {
      await this.#client.send(head)
      return
    } catch (error) {
      if (statusOf(error) !== 404) throw explain(error, `bucket ${this.#name}`)
    }
    // That region is the one that must not be named.
    const place =
      this.#region === 'us-east-1'
        ? {}
        : { CreateBucketConfiguration: { LocationConstraint: this.#region as BucketLocationConstraint } }
    const make = new CreateBucketCommand({ Bucket: this.#name, ...place })
    await this.#client.send(make).catch(async error => {
      // Another process may have been faster.
      await this.#client.send(head).catch(() => {
        throw explain(error, `bucket ${this.#name}`)
      })
    })
  }

  async head(key: string): Promise<Found | null> {
    try {
      const found = await this.#client.send(new HeadObjectCommand({ Bucket: this.#name, Key: key }))
      return {
        key,
        size: found.ContentLength ?? 0,
        modified: found.LastModified ?? new Date(0),
        etag: found.ETag ?? '',
      }
    } catch (error) {
      if (isMissing(error)) return null
      throw explain(error, key)
    }
  }

  /** `beyond`: the range begins where the object ends, or later. */
  async get(key: string, range?: Range): Promise<Readable | 'beyond' | null> {
    const part = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#name, Key: key, ...part }))
      return Body as Readable
    } catch (error) {
      if (isMissing(error)) return null
      if (statusOf(error) === 416) return 'beyond'
      throw explain(error, key)
    }
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    const put = new PutObjectCommand({ Bucket: this.#name, Key: key, Body: body, ContentLength: body.byteLength })
    await this.#send(key, () => this.#client.send(put))
  }

  /** False when the source is not there. */
  async copy(from: Piece, to: string): Promise<boolean> {
    // An object may be copied onto itself only if something about it changes.
    const copy = new CopyObjectCommand({
      Bucket: this.#name,
      Key: to,
      CopySource: this.#source(from.key),
      MetadataDirective: 'REPLACE',
    })
    try {
      await this.#client.send(copy, { requestTimeout: completeTimeout })
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw explain(error, to)
    }
  }

  async delete(key: string): Promise<void> {
    await this.#send(key, () => this.#client.send(new DeleteObjectCommand({ Bucket: this.#name, Key: key })))
  }

  /** In the order of octets. */
  async *list(prefix: string, after?: string): AsyncGenerator<Found> {
    let token: string | undefined
    do {
      const list = new ListObjectsV2Command({
        Bucket: this.#name,
        Prefix: prefix,
        ...(token === undefined ? { StartAfter: after } : { ContinuationToken: token }),
      })
      const page = await this.#send(prefix, () => this.#client.send(list))
      for (const { Key, Size, LastModified, ETag } of page.Contents ?? [])
        yield { key: Key!, size: Size ?? 0, modified: LastModified ?? new Date(0), etag: ETag ?? '' }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  async startMultipart(key: string): Promise<Multipart> {
    const start = new CreateMultipartUploadCommand({ Bucket: this.#name, Key: key })
    const { UploadId } = await this.#send(key, () => this.#client.send(start))
    return { key, id: UploadId! }
  }

  /** Its tag, for `completeMultipart`. Numbers begin with 1. */
  async putPart({ key, id }: Multipart, number: number, body: Uint8Array): Promise<string> {
    const place = { Bucket: this.#name, Key: key, UploadId: id, PartNumber: number }
    const put = new UploadPartCommand({ ...place, Body: body, ContentLength: body.byteLength })
    const { ETag } = await this.#send(key, () => this.#client.send(put))
    return ETag!
  }

  /** The part's tag; null when the source is not there, or is another by now. */
  async copyPart({ key, id }: Multipart, number: number, piece: Piece): Promise<string | null> {
    const copy = new UploadPartCopyCommand({
      Bucket: this.#name,
      Key: key,
      UploadId: id,
      PartNumber: number,
      CopySource: this.#source(piece.key),
      CopySourceRange: `bytes=${piece.start}-${piece.end - 1}`,
      CopySourceIfMatch: piece.etag,
    })
    try {
      const { CopyPartResult } = await this.#client.send(copy, { requestTimeout: completeTimeout })
      return CopyPartResult!.ETag!
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey' || statusOf(error) === 412) return null
      throw explain(error, key)
    }
  }

  async completeMultipart({ key, id }: Multipart, tags: readonly string[]): Promise<void> {
    const complete = new CompleteMultipartUploadCommand({
      Bucket: this.#name,
      Key: key,
      UploadId: id,
      MultipartUpload: { Parts: tags.map((ETag, index) => ({ ETag, PartNumber: index + 1 })) },
    })
    await this.#send(key, () => this.#client.send(complete, { requestTimeout: completeTimeout }))
  }

  /** Nothing happens when it is not there. */
  async abortMultipart({ key, id }: Multipart): Promise<void> {
    const abort = new AbortMultipartUploadCommand({ Bucket: this.#name, Key: key, UploadId: id })
    await this.#client.send(abort).catch(error => {
      if (statusOf(error) !== 404) throw explain(error, key)
    })
  }

  /** Those that were begun before `time` and never completed. */
  async *abandonedMultiparts(prefix: string, time: Date): AsyncGenerator<Multipart> {
    let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | null = {}
    while (marker !== null) {
      const list: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket: this.#name,
        Prefix: prefix,
        ...marker,
      })
      const page: ListMultipartUploadsCommandOutput = await this.#send(prefix, () => this.#client.send(list))
      for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
        if (Initiated !== undefined && Initiated < time) yield { key: Key!, id: UploadId! }
      marker = page.IsTruncated ? { KeyMarker: page.NextKeyMarker!, UploadIdMarker: page.NextUploadIdMarker! } : null
    }
  }

  close(): void {
    this.#client.destroy()
  }

  #source(key: string): string {
    return `${this.#name}/${key.split('/').map(encodeURIComponent).join('/')}`
  }

  async #send<T>(what: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (error) {
      throw explain(error, what)
    }
  }
}
