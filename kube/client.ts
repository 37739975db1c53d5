// Calls to the Kubernetes API: JSON in and out, with our credentials, and watches as streams of JSON values. Paths
// are the API's own; `resourcePath` builds them.

import { version } from '#kit/version.ts'
import type { Credential } from './credentials.ts'
import { type KubeError, kubeErrorOfResponse, TransportError } from './errors.ts'
import { jsonLines } from './json-lines.ts'
import { type ClusterAccess, type InClusterOptions, inClusterAccess, loadKubeconfig } from './kubeconfig.ts'
import { type Answer, Transport } from './transport.ts'
import type { KubeObject } from './types.ts'

const requestTimeout = 30_000
const maxResponse = 256 * 1024 * 1024
const maxErrorBody = 1024 * 1024
const maxLine = 16 * 1024 * 1024

type Query = Readonly<Record<string, string | number | boolean | undefined>>

export interface RequestOptions {
  readonly query?: Query
  readonly signal?: AbortSignal
}

export interface SendOptions extends RequestOptions {
  /** Sent as JSON. */
  readonly body?: unknown
  /** `application/json` when absent. */
  readonly contentType?: string
}

export interface StreamOptions extends RequestOptions {
  /** Called once, when the server has accepted the stream and before its first value. */
  readonly onOpen?: () => void
}

export interface ApplyOptions extends RequestOptions {
  /** Who owns the fields, for server-side apply. */
  readonly fieldManager: string
  /** Take fields over that others own, instead of failing with 409. */
  readonly force?: boolean
}

export interface KubeClientOptions {
  /** `deis-router/VERSION` when absent. */
  readonly userAgent?: string
  /** For one call that is not a stream, and for the head of a stream, milliseconds. */
  readonly timeout?: number
  /** Between checks that a connection still answers, milliseconds. */
  readonly pingInterval?: number
}

export interface KubeList<T extends KubeObject> {
  readonly apiVersion?: string
  /** Ends in `List`. */
  readonly kind?: string
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items: readonly T[]
}

export interface ResourcePath {
  /** `v1`, `apps/v1`, … */
  readonly apiVersion: string
  readonly plural: string
  /** Absent: all namespaces, or a resource that has none. */
  readonly namespace?: string
  readonly name?: string
  readonly subresource?: string
}

/** The path of a resource, `/apis/apps/v1/namespaces/deis/deployments/deis-router`. */
export function resourcePath(resource: ResourcePath): string {
  const { apiVersion, plural, namespace, name, subresource } = resource
  const parts = [apiVersion.includes('/') ? '/apis' : '/api', apiVersion]
  if (namespace !== undefined) parts.push('namespaces', encodeURIComponent(namespace))
  parts.push(plural)
  if (name !== undefined) parts.push(encodeURIComponent(name))
  if (subresource !== undefined) parts.push(subresource)
  return parts.join('/')
}

/**
 * One cluster, as one user. Calls throw a KubeError when the API server says no, a TransportError when it cannot be
 * asked, and the signal's reason when that aborts. A GET that broke, and any call that the server did not look at, is
 * sent once more; so is a call refused with 401 when fresh credentials can be had.
 */
export class KubeClient {
  /** Namespace of the kubeconfig's context, or of our pod. */
  readonly namespace: string | null
  readonly #access: ClusterAccess
  readonly #transport: Transport
  readonly #headers: Readonly<Record<string, string | string[]>>
  readonly #timeout: number
  readonly #onReachable = new Set<() => void>()
  #certificate: string | null = null
  #reachable = true

  constructor(access: ClusterAccess, options: KubeClientOptions = {}) {
    this.namespace = access.namespace
    this.#access = access
    this.#timeout = options.timeout ?? requestTimeout
    this.#headers = {
      accept: 'application/json',
      'user-agent': options.userAgent ?? `deis-router/${version}`,
      ...access.headers,
    }
    this.#transport = new Transport({
      server: access.server,
      tls: () => access.tls(),
      ...(options.pingInterval === undefined ? {} : { pingInterval: options.pingInterval }),
    })
  }

  /** Throws a KubeconfigError. Connects to nothing yet. */
  static async fromKubeconfig(file: string, options?: KubeClientOptions): Promise<KubeClient> {
    return new KubeClient(await loadKubeconfig(file), options)
  }

  /** As the service account of our pod. Throws a KubeconfigError outside a pod. */
  static async inCluster(options?: KubeClientOptions & InClusterOptions): Promise<KubeClient> {
    return new KubeClient(await inClusterAccess(options), options)
  }

  /** URL of the API server, for messages. */
  get server(): string {
    return this.#access.server.href
  }

  /** What is spoken to the API server; over HTTP/2 also the connections that are shared. */
  get connections(): Transport['connections'] {
    return this.#transport.connections
  }

  /** The response's JSON, taken to be a `T`; undefined for an empty response. 30 s from call to last byte. */
  async request<T>(method: string, path: string, options: SendOptions = {}): Promise<T> {
    using deadline = new Deadline(this.#timeout, options.signal)
    try {
      return await this.#requestOnce<T>(method, path, options, deadline.signal)
    } catch (error) {
      const again = error instanceof TransportError && (error.unprocessed || method === 'GET')
      if (!again || deadline.signal.aborted) throw error
      return await this.#requestOnce<T>(method, path, options, deadline.signal)
    }
  }

  get<T extends KubeObject>(path: string, options?: RequestOptions): Promise<T> {
    return this.request<T>('GET', path, options)
  }

  /** One page: `limit` and `continue` go in the query. */
  list<T extends KubeObject>(path: string, options?: RequestOptions): Promise<KubeList<T>> {
    return this.request<KubeList<T>>('GET', path, options)
  }

  create<T extends KubeObject>(path: string, object: T, options?: RequestOptions): Promise<T> {
    return this.request<T>('POST', path, { ...options, body: object })
  }

  /** Replaces the whole object; a `resourceVersion` in it makes that fail with 409 when it changed meanwhile. */
  update<T extends KubeObject>(path: string, object: T, options?: RequestOptions): Promise<T> {
    return this.request<T>('PUT', path, { ...options, body: object })
  }

  /** JSON merge patch, RFC 7396. */
  patch<T extends KubeObject>(path: string, patch: unknown, options?: RequestOptions): Promise<T> {
    return this.request<T>('PATCH', path, { ...options, body: patch, contentType: 'application/merge-patch+json' })
  }

  /** Server-side apply: creates the object or brings the fields that it names to their values. */
  apply<T extends KubeObject>(path: string, object: KubeObject, options: ApplyOptions): Promise<T> {
    return this.request<T>('PATCH', path, {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      query: { ...options.query, fieldManager: options.fieldManager, force: options.force ?? false },
      body: object,
      // JSON is YAML, and the API server's only name for a patch of this kind that every version knows.
      contentType: 'application/apply-patch+yaml',
    })
  }

  /** The response as text, as of a Pod's log; cut after `limit` octets. */
  async text(path: string, limit: number, options: RequestOptions = {}): Promise<string> {
    using deadline = new Deadline(this.#timeout, options.signal)
    const answer = await this.#send('GET', path, options, deadline.signal)
    if (!isSuccess(answer.status)) throw await this.#refusal(answer)
    // Awaited here: leaving ends the deadline, and with it the exchange.
    return await readStart(answer.body, limit)
  }

  /** Deletes it with its dependents in the background. A 404 is thrown like any other KubeError. */
  delete(path: string, options?: RequestOptions): Promise<unknown> {
    return this.request('DELETE', path, options)
  }

  /**
   * The newline-delimited JSON values of a response (a watch), until the server ends it or `signal` aborts. The head
   * must come within 30 s, values may take for ever. A line longer than 16 MB is a TransportError.
   */
  async *stream<T>(path: string, options: StreamOptions = {}): AsyncGenerator<T, void> {
    // Aborted on leaving in any way, so that nobody forgets a stream that keeps its connection busy.
    using deadline = new Deadline(this.#timeout, options.signal)
    const answer = await this.#send('GET', path, options, deadline.signal)
    if (!isSuccess(answer.status)) throw await this.#refusal(answer)
    deadline.met()
    options.onOpen?.()
    // What the API server sends is what the caller asked for: the one place where wire becomes type.
    for await (const value of jsonLines(answer.body, maxLine)) yield value as T
  }

  /** The octets of a response that goes on, as of a Pod's log, until the server ends it or `signal` aborts. */
  async *octets(path: string, options: StreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    using deadline = new Deadline(this.#timeout, options.signal)
    const answer = await this.#send('GET', path, options, deadline.signal)
    if (!isSuccess(answer.status)) throw await this.#refusal(answer)
    deadline.met()
    options.onOpen?.()
    yield* answer.body
  }

  /** Calls `listener` each time the server answers after a call that did not get through. Returns the way to stop. */
  onReachable(listener: () => void): () => void {
    this.#onReachable.add(listener)
    return () => this.#onReachable.delete(listener)
  }

  /** Ends all calls, streams and connections. */
  close(): Promise<void> {
    return this.#transport.close()
  }

  async #requestOnce<T>(method: string, path: string, options: SendOptions, signal: AbortSignal): Promise<T> {
    const answer = await this.#send(method, path, options, signal)
    if (!isSuccess(answer.status)) throw await this.#refusal(answer)
    const text = await readText(answer.body, maxResponse)
    if (text === '') return undefined as T
    try {
      return JSON.parse(text) as T
    } catch {
      // The parser's own words quote the text, which may be a Secret's.
      throw new TransportError('the answer is not JSON')
    }
  }

  async #send(method: string, path: string, options: SendOptions, signal: AbortSignal): Promise<Answer> {
    const { credentials } = this.#access
    const sent = await credentials.current()
    const answer = await this.#sendAs(sent, method, path, options, signal)
    if (answer.status !== 401) return answer
    credentials.refused(sent)
    const fresh = await credentials.current()
    if (fresh.cert === sent.cert && fresh.authorization === sent.authorization) return answer
    // A connection keeps the certificate that it was opened with. Once for each certificate: others are refused too.
    if (fresh.cert !== sent.cert && fresh.cert !== this.#certificate) this.#transport.retire()
    this.#certificate = fresh.cert
    await readText(answer.body, maxErrorBody)
    return this.#sendAs(fresh, method, path, options, signal)
  }

  async #sendAs(
    credential: Credential,
    method: string,
    path: string,
    options: SendOptions,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { authorization } = credential
    const body = options.body === undefined ? null : JSON.stringify(options.body)
    try {
      const answer = await this.#transport.send({
        method,
        path: withQuery(path, options.query),
        headers: {
          ...this.#headers,
          ...(authorization === null ? {} : { authorization }),
          ...(body === null ? {} : { 'content-type': options.contentType ?? 'application/json' }),
        },
        body,
        signal,
      })
      if (!this.#reachable) {
        this.#reachable = true
        for (const listener of this.#onReachable) listener()
      }
      return answer
    } catch (error) {
      if (error instanceof TransportError) this.#reachable = false
      throw error
    }
  }

  async #refusal(answer: Answer): Promise<KubeError> {
    const text = await readText(answer.body, maxErrorBody).catch(error => {
      if (error instanceof TransportError) return ''
      throw error
    })
    return kubeErrorOfResponse(answer.status, answer.header('retry-after'), text, Date.now)
  }
}

/** A signal that aborts with the caller's, or after `timeout` ms unless met by then; and when it is disposed. */
class Deadline implements Disposable {
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout
  readonly #onAbort = (): void => this.#controller.abort(this.#outer?.reason)

  constructor(timeout: number, outer: AbortSignal | undefined) {
    this.#outer = outer
    this.#timer = setTimeout(() => {
      this.#controller.abort(new TransportError(`no answer within ${timeout / 1000} s`))
    }, timeout)
    if (outer?.aborted) this.#onAbort()
    else outer?.addEventListener('abort', this.#onAbort)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The timeout is off; the caller's signal still counts. */
  met(): void {
    clearTimeout(this.#timer)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#outer?.removeEventListener('abort', this.#onAbort)
    this.#controller.abort()
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}

function withQuery(path: string, query: Query | undefined): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) parameters.set(name, String(value))
  return parameters.size === 0 ? path : `${path}?${parameters}`
}

/** What comes after `limit` is not waited for: the caller's deadline ends it. */
async function readStart(body: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk.subarray(0, limit - length))
    length += chunk.length
    if (length >= limit) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function readText(body: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > limit) throw new TransportError(`the answer is longer than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
