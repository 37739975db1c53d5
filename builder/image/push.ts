// An image on its way to a registry (OCI Distribution 1.1, "Pushing"): what is there already is not sent again, large blobs
// go in chunks, and a chunk that got lost is sent again from where the registry has it.

import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { fullJitter } from '#kit/backoff.ts'
import { mediaType } from '#kit/oci/manifest.ts'
import { digestOf, drop, expectStatus, pullPush, type Registry, RegistryError } from '#kit/oci/registry.ts'
import type { PackedImage } from './pack.ts'

/** Blobs up to here go in one request, and larger ones in chunks of it. */
const defaultChunk = 32 * 1024 * 1024
const tries = 4
const backoff = { base: 200, cap: 3_000 } as const

export interface PushOptions {
  readonly signal: AbortSignal
  readonly chunk?: number
}

interface Source {
  readonly digest: string
  readonly size: number
  /** Octets from `start` on, `end` excluded. */
  readonly read: (start: number, end: number) => Buffer | Readable
}

/** Returns how many bytes had to be sent. Throws RegistryError. */
export async function pushImage(
  registry: Registry,
  repository: string,
  tag: string,
  image: PackedImage,
  { signal, chunk = defaultChunk }: PushOptions,
): Promise<number> {
  const sources: Source[] = [
    ...image.layers.map(({ file, digest, size }) => ({
      ...{ digest, size },
      read: (start: number, end: number) => createReadStream(file, { start, end: end - 1, highWaterMark: 256 * 1024 }),
    })),
    {
      ...{ digest: digestOf(image.config), size: image.config.length },
      read: (start: number, end: number) => image.config.subarray(start, end),
    },
  ]
  const sent = await Promise.all(
    sources.map(source => pushBlob(new Target(registry, repository, signal), source, chunk)),
  )
  await putManifest(new Target(registry, repository, signal), tag, image.manifest)
  return sent.reduce((sum, size) => sum + size, 0)
}

class Target {
  readonly repository: string
  readonly signal: AbortSignal
  readonly #registry: Registry

  constructor(registry: Registry, repository: string, signal: AbortSignal) {
    this.#registry = registry
    this.repository = repository
    this.signal = signal
  }

  request(
    method: Dispatcher.HttpMethod,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: () => Buffer | Readable,
  ): Promise<Dispatcher.ResponseData> {
    return this.#registry.request(method, path, {
      scope: pullPush(this.repository),
      signal: this.signal,
      headers,
      ...(body === undefined ? {} : { body }),
    })
  }
}

async function putManifest(target: Target, tag: string, manifest: Buffer): Promise<void> {
  await again(target.signal, async () => {
    const path = `/v2/${target.repository}/manifests/${tag}`
    const response = await target.request('PUT', path, { 'content-type': mediaType.manifest }, () => manifest)
    await expectStatus(response, [201], `the manifest of ${target.repository}`)
    await drop(response)
  })
}

async function pushBlob(target: Target, source: Source, chunk: number): Promise<number> {
  return await again(
    target.signal,
    async () => {
      const there = await target.request('HEAD', `/v2/${target.repository}/blobs/${source.digest}`)
      await drop(there)
      if (there.statusCode === 200) return 0
      if (there.statusCode !== 404) await expectStatus(there, [200, 404], source.digest)
      const begun = await target.request('POST', `/v2/${target.repository}/blobs/uploads/`, { 'content-length': '0' })
      await expectStatus(begun, [202], `the upload of ${source.digest}`)
      await drop(begun)
      let location = locationOf(begun)
      let at = 0
      while (source.size - at > chunk) ({ location, at } = await pushChunk(target, location, source, at, at + chunk))
      const rest = source.size - at
      const finished = await target.request(
        'PUT',
        withDigest(location, source.digest),
        { 'content-type': 'application/octet-stream', 'content-length': String(rest) },
        rest === 0 ? () => Buffer.alloc(0) : () => source.read(at, source.size),
      )
      await expectStatus(finished, [201], `the upload of ${source.digest}`)
      await drop(finished)
      return source.size
    },
    error => error instanceof LostUploadError,
  )
}

interface Progress {
  readonly location: string
  readonly at: number
}

/** One chunk, from where the registry has come to. */
async function pushChunk(
  target: Target,
  location: string,
  source: Source,
  from: number,
  to: number,
): Promise<Progress> {
  let progress: Progress = { location, at: from }
  await again(target.signal, async attempt => {
    if (attempt > 0) progress = await progressOf(target, progress.location)
    if (progress.at >= to) return
    const { at } = progress
    const response = await target.request(
      'PATCH',
      progress.location,
      {
        'content-type': 'application/octet-stream',
        'content-length': String(to - at),
        'content-range': `${at}-${to - 1}`,
      },
      () => source.read(at, to),
    )
    // Another range than it wanted: it has more, or less, than we know of.
    if (response.statusCode === 416) throw new RegistryError('unreachable', 'the registry has got something else')
    await expectStatus(response, [202], `the upload of ${source.digest}`)
    await drop(response)
    progress = { location: locationOf(response), at: to }
  })
  return progress
}

/** The registry does not know any more what it had: the blob has to begin anew. */
class LostUploadError extends RegistryError {}

async function progressOf(target: Target, location: string): Promise<Progress> {
  const response = await target.request('GET', location)
  if ([400, 404, 416].includes(response.statusCode)) {
    await drop(response)
    throw new LostUploadError('refused', 'the registry has lost the upload', { status: response.statusCode })
  }
  await expectStatus(response, [204, 202], 'the upload under way')
  await drop(response)
  const [, end] = /^(?:bytes=)?0-(\d+)$/.exec(String(response.headers.range ?? '')) ?? []
  // `0-0` is what registries say of nothing, and of one octet; from the beginning is right for the first.
  const size = end === undefined || end === '0' ? 0 : Number(end) + 1
  return { location: response.headers.location === undefined ? location : locationOf(response), at: size }
}

/** Again when the registry is away or in trouble; what it refuses it will refuse again. */
async function again<T>(
  signal: AbortSignal,
  work: (attempt: number) => Promise<T>,
  alsoPasses: (error: unknown) => boolean = () => false,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      signal.throwIfAborted()
      if (!(isPassing(error) || alsoPasses(error)) || attempt + 1 >= tries) throw error
      await delay(fullJitter(attempt + 1, backoff, Math.random), undefined, { signal })
    }
  }
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false
  // A registry that is full does not get room by being asked again.
  if (error.status === 507) return false
  return error.kind === 'unreachable' || (error.status ?? 0) >= 500 || error.status === 429
}

function locationOf(response: Dispatcher.ResponseData): string {
  const { location } = response.headers
  if (typeof location === 'string') return location
  throw new RegistryError('refused', 'the registry does not say where the upload goes on')
}

function withDigest(location: string, digest: string): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`
}
