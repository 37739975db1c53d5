// A registry as its client sees it (OCI Distribution 1.1): requests, their authorization, manifests and blobs. What comes
// is held against its digest before anybody may believe it.

import { createHash } from 'node:crypto'
import { type Readable, Transform, type TransformCallback } from 'node:stream'
import { type Dispatcher, Pool, request } from 'undici'
import { mediaType } from './manifest.ts'
import { isDigest } from './reference.ts'

export class RegistryError extends Error {
  /** `corrupt`: it is not what its digest says. `refused`: the registry says no. */
  readonly kind: 'unreachable' | 'refused' | 'corrupt'
  /** Of a refusal. */
  readonly status: number | null

  constructor(kind: RegistryError['kind'], message: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super(message, options)
    this.name = 'RegistryError'
    this.kind = kind
    this.status = options.status ?? null
  }
}

/** What a registry wants to have proved: `WWW-Authenticate: Bearer …`. */
export interface Challenge {
  readonly realm: string
  readonly service: string
  readonly scope: string
  /** Seconds that a token for it should be good for; absent: as long as they are. */
  readonly lifetime?: number
}

/** A token for it. Throws RegistryError. */
export type Authorize = (challenge: Challenge, signal: AbortSignal) => Promise<string>

export interface RegistryOptions {
  readonly url: URL
  /** Null: nothing is ever proved. */
  readonly authorize: Authorize | null
  readonly userAgent: string
}

interface RequestOptions {
  /** What it is about; a token that was good for it is used again. */
  readonly scope: string
  readonly signal: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
  /** Made anew for each try. */
  readonly body?: () => Buffer | Readable
}

/** Bytes of a manifest, as in the specification. */
const maxManifest = 4 * 1024 * 1024
/** Bytes of an error that are read. */
const maxError = 64 * 1024
/** Milliseconds. The last request of an upload may have a large digest to wait for. */
const headersTimeout = 300_000
const bodyTimeout = 60_000
const maxRedirects = 3
/** Tokens that are remembered. */
const mostTokens = 100

const manifestTypes = [mediaType.manifest, mediaType.index, mediaType.dockerManifest, mediaType.dockerIndex].join(', ')

export interface FoundManifest {
  readonly digest: string
  readonly mediaType: string
  readonly bytes: Buffer
}

export class Registry {
  readonly #options: RegistryOptions
  readonly #pool: Pool
  readonly #base: string
  /** By scope. */
  readonly #tokens = new Map<string, string>()

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#pool = new Pool(options.url.origin, { connections: 8, headersTimeout, bodyTimeout })
    this.#base = options.url.pathname.replace(/\/$/, '')
  }

  /** `HOST:PORT`, as names of images have it. */
  get host(): string {
    return this.#options.url.host
  }

  /** Null: there is none. Throws RegistryError. */
  async manifest(repository: string, version: string, signal: AbortSignal): Promise<FoundManifest | null> {
    const response = await this.request('GET', `/v2/${repository}/manifests/${version}`, {
      scope: pull(repository),
      signal,
      headers: { accept: manifestTypes },
    })
    if (response.statusCode === 404) {
      await drop(response)
      return null
    }
    await expectStatus(response, [200], `the manifest of ${repository}`)
    const bytes = await readBounded(response.body, maxManifest)
    const digest = digestOf(bytes)
    const claimed = isDigest(version) ? version : response.headers['docker-content-digest']
    if (typeof claimed === 'string' && claimed.startsWith('sha256:') && claimed !== digest)
      throw new RegistryError('corrupt', `the manifest of ${repository} is not what its digest says`)
    return { digest, mediaType: String(response.headers['content-type'] ?? ''), bytes }
  }

  /** The first of its tags, as many as the registry likes to give; of a repository that is not there none. Throws RegistryError. */
  async tags(repository: string, signal: AbortSignal): Promise<readonly string[]> {
    return await this.#list(`/v2/${repository}/tags/list?n=100`, 'tags', pull(repository), signal)
  }

  /** The first repositories after `last`, which need not be one, in the order of octets. Throws RegistryError. */
  async repositories(last: string, signal: AbortSignal): Promise<readonly string[]> {
    const query = new URLSearchParams({ n: '100', last })
    return await this.#list(`/v2/_catalog?${query}`, 'repositories', catalog, signal)
  }

  /**
   * The manifest of a tag with all its tags; of a tag without a manifest the tag. Nothing happens when it is not there. Throws
   * RegistryError.
   */
  async deleteTagged(repository: string, tag: string, signal: AbortSignal): Promise<void> {
    const found = await this.manifest(repository, tag, signal)
    const target = `/v2/${repository}/manifests/${found?.digest ?? tag}`
    const response = await this.request('DELETE', target, { scope: pullDelete(repository), signal })
    await expectStatus(response, [200, 202, 404], `tag ${tag} of ${repository}`)
    await drop(response)
  }

  /** Its octets; the stream fails at its end when they are not what digest and size say. Throws RegistryError. */
  async blob(
    repository: string,
    { digest, size }: { readonly digest: string; readonly size: number },
    signal: AbortSignal,
  ): Promise<Readable> {
    if (!isDigest(digest)) throw new RegistryError('corrupt', `${digest.slice(0, 100)} is no digest`)
    const path = `/v2/${repository}/blobs/${digest}`
    const response = await this.request('GET', path, { scope: pull(repository), signal })
    const found = await this.#follow(response, signal)
    await expectStatus(found, [200], `blob ${digest} of ${repository}`)
    const check = new Verifier(digest, size)
    found.body.on('error', error => check.destroy(asUnreachable(error)))
    check.on('close', () => found.body.destroy())
    return found.body.pipe(check)
  }

  /** A small blob as a whole. */
  async smallBlob(
    repository: string,
    blob: { readonly digest: string; readonly size: number },
    most: number,
    signal: AbortSignal,
  ): Promise<Buffer> {
    if (blob.size > most) throw new RegistryError('corrupt', `${blob.digest} is larger than ${most} bytes`)
    return readBounded(await this.blob(repository, blob, signal), most)
  }

  /**
   * Sends a request, with a token when the registry wants one. `target` is a path or a URL that the registry gave. Any
   * status comes back; throws RegistryError when there is no answer.
   */
  async request(
    method: Dispatcher.HttpMethod,
    target: string,
    options: RequestOptions,
  ): Promise<Dispatcher.ResponseData> {
    const first = await this.#send(method, target, options, this.#tokens.get(options.scope) ?? null)
    if (first.statusCode !== 401) return first
    const challenge = challengeOf(first.headers['www-authenticate'])
    const { authorize } = this.#options
    if (challenge === null || authorize === null) return first
    await drop(first)
    // The scope that we ask for, not one that the registry asks us to ask for.
    const token = await authorize({ ...challenge, scope: options.scope }, options.signal)
    if (this.#tokens.size >= mostTokens) this.#tokens.clear()
    this.#tokens.set(options.scope, token)
    return this.#send(method, target, options, token)
  }

  /** What it wants of those who bring nothing; null: it lets them in. Throws RegistryError. */
  async challenge(signal: AbortSignal): Promise<Challenge | null> {
    const response = await this.#send('GET', '/v2/', { scope: '', signal }, null)
    if (response.statusCode !== 401) {
      await expectStatus(response, [200], 'the registry')
      await drop(response)
      return null
    }
    await drop(response)
    const challenge = challengeOf(response.headers['www-authenticate'])
    if (challenge === null) throw new RegistryError('refused', 'it wants something else than tokens', { status: 401 })
    return challenge
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  async #list(target: string, key: string, scope: string, signal: AbortSignal): Promise<readonly string[]> {
    const response = await this.request('GET', target, { scope, signal })
    if (response.statusCode === 404) {
      await drop(response)
      return []
    }
    await expectStatus(response, [200], `the ${key}`)
    const document = JSON.parse((await readBounded(response.body, maxManifest)).toString()) as Record<string, unknown>
    const found = document[key]
    return Array.isArray(found) ? found.map(String) : []
  }

  async #send(
    method: Dispatcher.HttpMethod,
    target: string,
    { signal, headers, body }: RequestOptions,
    token: string | null,
  ): Promise<Dispatcher.ResponseData> {
    const content = body?.()
    try {
      return await this.#pool.request({
        method,
        path: this.#pathOf(target),
        signal,
        headers: {
          'user-agent': this.#options.userAgent,
          ...headers,
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(content === undefined ? {} : { body: content }),
      })
    } catch (error) {
      if (content !== undefined && !Buffer.isBuffer(content)) content.destroy()
      signal.throwIfAborted()
      throw asUnreachable(error as Error)
    }
  }

  /** A registry behind a proxy may name itself in its own way; where it is, we know better. */
  #pathOf(target: string): string {
    const url = new URL(target, this.#options.url)
    const path = url.pathname + url.search
    return url.pathname.startsWith(`${this.#base}/`) ? path : this.#base + path
  }

  /** A registry may have its blobs elsewhere; nothing is proved to others. */
  async #follow(response: Dispatcher.ResponseData, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    let current = response
    for (let count = 0; count < maxRedirects; count++) {
      const { location } = current.headers
      if (current.statusCode < 300 || current.statusCode >= 400 || typeof location !== 'string') return current
      await drop(current)
      const url = URL.parse(location, this.#options.url)
      if (url === null || !/^https?:$/.test(url.protocol)) throw new RegistryError('refused', 'it leads nowhere')
      try {
        current = await request(url, { signal, headersTimeout, bodyTimeout })
      } catch (error) {
        signal.throwIfAborted()
        throw asUnreachable(error as Error)
      }
    }
    return current
  }
}

export function pull(repository: string): string {
  return `repository:${repository}:pull`
}

export function pullPush(repository: string): string {
  return `repository:${repository}:pull,push`
}

const catalog = 'registry:catalog:*'

function pullDelete(repository: string): string {
  return `repository:${repository}:pull,delete`
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** Asks for tokens as Docker's clients do, with a name and a password; `url` null: where the registry says. */
export function withPassword(
  username: string,
  password: string,
  { url = null, userAgent }: { readonly url?: URL | null; readonly userAgent: string },
): Authorize {
  return async ({ realm, service, scope, lifetime }, signal) => {
    const target = url === null ? URL.parse(realm) : new URL(url)
    if (target === null || !/^https?:$/.test(target.protocol))
      throw new RegistryError('refused', 'the registry does not say where its tokens are')
    target.searchParams.set('service', service)
    target.searchParams.set('scope', scope)
    if (lifetime !== undefined) target.searchParams.set('lifetime', String(lifetime))
    const credentials = Buffer.from(`${username}:${password}`).toString('base64')
    const headers = { authorization: `Basic ${credentials}`, 'user-agent': userAgent }
    const response = await request(target, { signal, headers, headersTimeout: 30_000, bodyTimeout: 30_000 }).catch(
      error => {
        signal.throwIfAborted()
        throw new RegistryError('unreachable', `no token can be had: ${describe(error)}`, { cause: error })
      },
    )
    await expectStatus(response, [200], 'a token')
    const { token, access_token: other } = JSON.parse((await readBounded(response.body, maxError)).toString()) as {
      readonly token?: unknown
      readonly access_token?: unknown
    }
    const given = token ?? other
    if (typeof given === 'string') return given
    throw new RegistryError('refused', 'the answer with the token has none')
  }
}

/** Throws RegistryError with what the registry says, unless the status is one of these. */
export async function expectStatus(
  response: Dispatcher.ResponseData,
  wanted: readonly number[],
  what: string,
): Promise<void> {
  const { statusCode } = response
  if (wanted.includes(statusCode)) return
  const text = await readBounded(response.body, maxError).catch(() => Buffer.alloc(0))
  throw new RegistryError('refused', `${what}: ${statusCode}${saidIn(text.toString())}`, { status: statusCode })
}

export async function drop(response: Dispatcher.ResponseData): Promise<void> {
  await response.body.dump({ limit: maxError }).catch(() => {})
}

function saidIn(text: string): string {
  try {
    const { errors } = JSON.parse(text) as { readonly errors: readonly { code: unknown; message: unknown }[] }
    const { code, message } = errors[0]!
    return ` ${String(code).slice(0, 100)} ${String(message).slice(0, 500)}`
  } catch {
    return ''
  }
}

/** Of `WWW-Authenticate`; null: it wants no token. */
export function challengeOf(header: string | string[] | undefined): Challenge | null {
  const text = (Array.isArray(header) ? header : [header ?? '']).find(one => /^bearer /i.test(one))
  if (text === undefined || text.length > 4096) return null
  const fields = new Map<string, string>()
  for (const [, name, value] of text.slice(7).matchAll(/([a-z_]+)="([^"]*)"/gi)) fields.set(name!.toLowerCase(), value!)
  return {
    realm: fields.get('realm') ?? '',
    service: fields.get('service') ?? '',
    scope: fields.get('scope') ?? '',
  }
}

async function readBounded(stream: Readable, most: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > most) throw new RegistryError('corrupt', `the answer is larger than ${most} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw asUnreachable(error as Error)
  }
  return Buffer.concat(chunks)
}

function asUnreachable(error: Error): Error {
  if (error instanceof RegistryError || error.name === 'AbortError') return error
  return new RegistryError('unreachable', `the registry does not answer: ${describe(error)}`, { cause: error })
}

function describe(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message
}

/** Lets octets through, and fails in the place of the end when they are not those of the digest. */
class Verifier extends Transform {
  readonly #digest: string
  readonly #size: number
  readonly #hash
  #length = 0

  constructor(digest: string, size: number) {
    super()
    this.#digest = digest
    this.#size = size
    this.#hash = createHash(digest.slice(0, digest.indexOf(':')))
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#length += chunk.length
    if (this.#length > this.#size) {
      done(new RegistryError('corrupt', `${this.#digest} is larger than it should be`))
      return
    }
    this.#hash.update(chunk)
    done(null, chunk)
  }

  override _flush(done: TransformCallback): void {
    const actual = `${this.#digest.slice(0, this.#digest.indexOf(':'))}:${this.#hash.digest('hex')}`
    const isWhole = this.#length === this.#size && actual === this.#digest
    done(isWhole ? null : new RegistryError('corrupt', `${this.#digest} is not what its digest says`))
  }
}
