// A registry in this process on a free port, on a real store in a directory of its own or where it is told, and requests to it.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { createLogger } from '#kit/log.ts'
import type { RegistryConfig } from '#registry/config.ts'
import { Registry } from '#registry/registry.ts'
import { openStore } from '#store/open-store.ts'
import type { ObjectStore } from '#store/store.ts'

export const ociManifest = 'application/vnd.oci.image.manifest.v1+json'
export const ociIndex = 'application/vnd.oci.image.index.v1+json'

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Code of the first error; null: the body has none. */
  readonly code: string | null
}

export type Content = string | Uint8Array
export type Headers = Readonly<Record<string, string | number>>

export function digestOf(content: Content, algorithm: 'sha256' | 'sha512' = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`
}

export function call(
  port: number,
  method: string,
  path: string,
  body: Content | null = null,
  headers: Headers = {},
): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const length: Headers = body === null ? {} : { 'content-length': Buffer.byteLength(body) }
  const sent = request({ port, host: '127.0.0.1', method, path, headers: { ...length, ...headers }, agent: false })
  sent.on('response', response => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () => {
      const octets = Buffer.concat(chunks)
      resolve({ status: response.statusCode!, headers: response.headers, body: octets, code: codeOf(octets) })
    })
  })
  sent.on('error', reject)
  sent.end(body ?? undefined)
  return promise
}

function codeOf(body: Buffer): string | null {
  try {
    return JSON.parse(body.toString()).errors?.[0]?.code ?? null
  } catch {
    return null
  }
}

/** An image of one layer, as JSON; `more`: further fields. */
export function imageOf(config: Content, layers: readonly Content[], more: object = {}): string {
  const descriptor = (content: Content, mediaType: string): object => ({
    mediaType,
    digest: digestOf(content),
    size: Buffer.byteLength(content),
  })
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map(layer => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')),
    ...more,
  })
}

export const quietRegistry: RegistryConfig = {
  address: '127.0.0.1',
  port: 0,
  adminPort: 0,
  pullPort: null,
  store: { kind: 'folder', directory: '' },
  tokens: null,
  deletes: true,
  absoluteLocations: false,
  grace: 3_600_000,
  collectInterval: 0,
  uploadTimeout: 3_600_000,
  maxUploads: 1000,
  maxConnections: 2000,
  patience: 10_000,
  drainTimeout: 1_000,
}

export class RegistryStage implements AsyncDisposable {
  readonly directory: string
  /** Lines of the access log. */
  readonly lines: string[]
  registry: Registry
  store: ObjectStore
  readonly #config: RegistryConfig
  /** Added to the clock of the registry, milliseconds. */
  ahead = 0

  private constructor(directory: string, config: RegistryConfig, lines: string[]) {
    this.directory = directory
    this.#config = config
    this.lines = lines
    this.registry = null as unknown as Registry
    this.store = null as unknown as ObjectStore
  }

  static async start(config: Partial<RegistryConfig> = {}): Promise<RegistryStage> {
    const directory = await mkdtemp(join(tmpdir(), 'registry-'))
    const stage = new RegistryStage(directory, { ...quietRegistry, ...config }, [])
    await stage.#open()
    return stage
  }

  async #open(): Promise<void> {
    const { lines } = this
    const accessLines = new Writable({
      write(chunk: Buffer, _, done) {
        lines.push(chunk.toString())
        done()
      },
    })
    const { store } = this.#config
    this.store = await openStore(store.kind === 'folder' ? { ...store, directory: this.directory } : store)
    const log = createLogger({ level: 'fatal' })
    const now = (): number => Date.now() + this.ahead
    this.registry = await Registry.start(this.#config, { log, store: this.store, accessLines, now })
  }

  async restart(): Promise<void> {
    await this.registry.stop()
    await this.#open()
  }

  get port(): number {
    return this.registry.port
  }

  call(method: string, path: string, body: Content | null = null, headers: Headers = {}): Promise<Reply> {
    return call(this.port, method, path, body, headers)
  }

  async pushBlob(repository: string, content: Content): Promise<string> {
    const digest = digestOf(content)
    const { status } = await this.call('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, content)
    if (status !== 201) throw new Error(`the blob was answered ${status}`)
    return digest
  }

  putManifest(repository: string, reference: string, text: string, type = ociManifest): Promise<Reply> {
    return this.call('PUT', `/v2/${repository}/manifests/${reference}`, text, { 'content-type': type })
  }

  /** An image with random content. Returns the digest of its manifest, and of its blobs. */
  async pushImage(
    repository: string,
    tag: string | null,
    more: object = {},
  ): Promise<{ readonly digest: string; readonly blobs: readonly string[]; readonly text: string }> {
    const [config, layer] = [randomBytes(50), randomBytes(500)]
    const blobs = [await this.pushBlob(repository, config), await this.pushBlob(repository, layer)]
    const text = imageOf(config, [layer], more)
    const digest = digestOf(text)
    const { status, code } = await this.putManifest(repository, tag ?? digest, text)
    if (status !== 201) throw new Error(`the manifest was answered ${status} ${code}`)
    return { digest, blobs, text }
  }

  async keys(prefix = ''): Promise<string[]> {
    const keys: string[] = []
    for await (const { key } of this.store.list(prefix)) keys.push(key)
    return keys
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry.stop(0)
    await rm(this.directory, { recursive: true })
  }
}
