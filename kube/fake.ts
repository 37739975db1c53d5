// A Kubernetes API server in memory, on a real socket, for tests and benches: any resource, lists in pages, watches
// with bookmarks and 410, server-side faults on demand. It validates nothing, and applies patches of every type as
// merge patches.

import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse, type Http2Session } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { KubeError } from './errors.ts'
import {
  type Collection,
  eventFor,
  type FakeEvent,
  type FakeObject,
  FakeStore,
  refuse,
  type Selectors,
} from './fake-store.ts'

export type { FakeObject } from './fake-store.ts'

export interface FakeApiOptions {
  /** Serve https, HTTP/2 and HTTP/1.1; plain HTTP/1.1 when absent. */
  readonly tls?: {
    readonly cert: string
    readonly key: string
    /** SETTINGS_MAX_CONCURRENT_STREAMS; 100 when absent, as kube-apiserver has. */
    readonly maxConcurrentStreams?: number
    /** Leave HTTP/2 out of ALPN. */
    readonly http1Only?: boolean
  }
}

/** Names one object. */
export interface FakeReference extends Collection {
  readonly name: string
}

export interface FakeRequest {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

interface Watch {
  readonly collection: Collection
  readonly response: ServerResponse
  readonly bookmarks: boolean
  send(type: string, object: unknown): void
  end(): void
}

interface Target {
  readonly collection: Collection
  readonly name: string | null
  readonly subresource: string | null
}

/** Lists that are being paged through, at most; the oldest continue token expires first. */
const maxContinuations = 1_000
const maxRequests = 10_000
const fixedAnswers: Readonly<Record<string, unknown>> = {
  '/version': { major: '1', minor: '34', gitVersion: 'v1.34.0' },
  '/healthz': 'ok',
  '/livez': 'ok',
  '/readyz': 'ok',
}

export class FakeApi implements AsyncDisposable {
  readonly url: string
  /** Every request so far (the last 10,000), oldest first. */
  readonly requests: FakeRequest[] = []
  /** When set, requests with any other Authorization field are answered 401. */
  authorization: string | null = null
  /** Milliseconds before each answer. */
  delay = 0
  /** Called with each request before it is answered. */
  onRequest: ((request: FakeRequest) => void) | null = null
  /** Logs of Pods, by `NAMESPACE/POD/CONTAINER`. */
  readonly logs = new Map<string, string>()
  /** How a watch learns that its version is too old: an event in a 200, as kube-apiserver does, or the status. */
  expiry: 'event' | 'status' = 'event'

  readonly #server: { close(callback: () => void): void }
  readonly #store = new FakeStore()
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Set<Http2Session>()
  readonly #watches = new Set<Watch>()
  readonly #forbidden = new Set<string>()
  readonly #continuations = new Map<string, { readonly items: readonly FakeObject[]; readonly version: number }>()
  readonly #waiting = new Set<() => void>()
  #failures: { readonly status: number; readonly headers: Readonly<Record<string, string>> }[] = []
  #nextContinuation = 1
  #away = false

  private constructor(url: string, server: { close(callback: () => void): void }) {
    this.url = url
    this.#server = server
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(options: FakeApiOptions = {}): Promise<FakeApi> {
    const { tls } = options
    let api: FakeApi | null = null
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      if (api !== null) api.#handle(request, response)
    }
    const server =
      tls === undefined
        ? createServer(onRequest)
        : tls.http1Only
          ? createHttpsServer({ cert: tls.cert, key: tls.key }, onRequest)
          : createSecureServer(
              {
                cert: tls.cert,
                key: tls.key,
                allowHTTP1: true,
                settings: { maxConcurrentStreams: tls.maxConcurrentStreams ?? 100 },
              },
              // Node's compatibility layer has what we use of the two; their types do not say so.
              onRequest as unknown as (request: Http2ServerRequest, response: Http2ServerResponse) => void,
            )
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(0, '127.0.0.1', resolve)
    await promise
    const { port } = server.address() as AddressInfo
    const started = new FakeApi(`${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, server)
    api = started
    server.on('connection', (socket: Socket) => {
      if (started.#away) {
        socket.destroy()
        return
      }
      started.#sockets.add(socket)
      socket.once('close', () => started.#sockets.delete(socket))
    })
    server.on('session', (session: Http2Session) => {
      session.on('error', () => {})
      started.#sessions.add(session)
      session.once('close', () => started.#sessions.delete(session))
    })
    server.on('sessionError', () => {})
    return started
  }

  /** Writes a kubeconfig for this server to `path` and returns the path. Over https it does not verify. */
  async kubeconfig(path: string, user: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'fake', cluster: { server: this.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'fake', user }],
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake', namespace: 'default' } }],
      'current-context': 'fake',
    }
    await writeFile(path, JSON.stringify(config))
    return path
  }

  /** Creates the object, or replaces it when it exists. Needs `apiVersion` and `kind`. */
  apply(object: FakeObject): FakeObject {
    const collection = collectionOf(object)
    try {
      this.#store.get(collection, object.metadata.name)
    } catch {
      return this.#store.create(collection, object)
    }
    const { resourceVersion: _, ...metadata } = object.metadata
    return this.#store.update(collection, { ...object, metadata })
  }

  create(object: FakeObject): FakeObject {
    return this.#store.create(collectionOf(object), object)
  }

  update(object: FakeObject): FakeObject {
    return this.#store.update(collectionOf(object), object)
  }

  patch(reference: FakeReference, patch: unknown): FakeObject {
    return this.#store.patch(reference, reference.name, patch)
  }

  delete(reference: FakeReference): FakeObject {
    return this.#store.delete(reference, reference.name)
  }

  get(reference: FakeReference): FakeObject {
    return this.#store.get(reference, reference.name)
  }

  list(collection: Collection): FakeObject[] {
    return this.#store.list(collection)
  }

  /** Forgets history and continue tokens: resuming from any version before now gets a 410. Open watches go on. */
  compact(): void {
    this.#store.compact()
    this.#continuations.clear()
  }

  /** Moves the version on and tells it every watch that takes bookmarks. */
  bookmark(): void {
    this.#store.advance()
    for (const watch of this.#watches) if (watch.bookmarks) this.#sendBookmark(watch)
  }

  /** Answers 403 to everything about a resource (`secrets`), in one namespace or in all. */
  forbid(plural: string, namespace?: string): void {
    this.#forbidden.add(`${namespace ?? '*'}/${plural}`)
  }

  allow(plural: string, namespace?: string): void {
    this.#forbidden.delete(`${namespace ?? '*'}/${plural}`)
  }

  /** Answers the next `count` requests with this status. */
  failNext(count: number, status = 500, headers: Readonly<Record<string, string>> = {}): void {
    this.#failures = [...this.#failures, ...Array.from({ length: count }, () => ({ status, headers }))]
  }

  /** Breaks every connection, in the middle of whatever is on it. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Breaks every connection, and each new one at once, until `comeBack`. */
  goAway(): void {
    this.#away = true
    this.dropConnections()
  }

  comeBack(): void {
    this.#away = false
  }

  /** GOAWAY on every HTTP/2 connection, as of a server that shuts down gracefully: what is open goes on. */
  askToLeave(): void {
    for (const session of this.#sessions) session.close()
  }

  /** Ends every watch in good order, as the server does when its time is up. */
  endWatches(): void {
    for (const watch of this.#watches) watch.end()
  }

  /** Sends an event of any kind to every watch. */
  send(type: string, object: unknown): void {
    for (const watch of this.#watches) watch.send(type, object)
  }

  /** Writes bytes to every watch as they are. */
  write(bytes: Uint8Array): void {
    for (const watch of this.#watches) watch.response.write(bytes)
  }

  get watches(): number {
    return this.#watches.size
  }

  get connections(): number {
    return this.#sockets.size
  }

  /** Resolves when exactly `count` watches are open. */
  async watchesToBe(count: number): Promise<void> {
    await this.#until(() => this.#watches.size === count)
  }

  /** Resolves when `count` requests, or more, for which `matches` holds have come in since the start. */
  async requestsToBe(count: number, matches: (request: FakeRequest) => boolean = () => true): Promise<void> {
    await this.#until(() => this.requests.filter(matches).length >= count)
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(resolve)
    this.dropConnections()
    await promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
    }
  }

  #changed(): void {
    for (const resolve of this.#waiting) resolve()
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {})
    try {
      const url = new URL(request.url ?? '/', this.url)
      const method = request.method ?? 'GET'
      const body = await readJson(request)
      if (this.requests.length >= maxRequests) this.requests.shift()
      const query = Object.fromEntries(url.searchParams)
      const seen: FakeRequest = { method, path: url.pathname, query, headers: { ...request.headers } }
      this.requests.push(seen)
      this.#changed()
      this.onRequest?.(seen)
      if (this.delay > 0) await new Promise(resolve => setTimeout(resolve, this.delay))
      this.#answer(method, url, body, request, response)
    } catch (error) {
      answerError(response, error)
    }
  }

  #answer(method: string, url: URL, body: unknown, request: IncomingMessage, response: ServerResponse): void {
    const failure = this.#failures.shift()
    if (failure !== undefined) {
      for (const [name, value] of Object.entries(failure.headers)) response.setHeader(name, value)
      throw refuse(failure.status, failure.status === 410 ? 'Expired' : 'InternalError', 'a fault was asked for')
    }
    if (this.authorization !== null && request.headers.authorization !== this.authorization) {
      throw refuse(401, 'Unauthorized', 'Unauthorized')
    }
    const known = fixedAnswers[url.pathname]
    if (known !== undefined) {
      answerJson(response, 200, known)
      return
    }
    const target = parsePath(url.pathname)
    if (target === null) throw refuse(404, 'NotFound', 'the server could not find the requested resource')
    this.#authorize(target.collection)
    const watching = method === 'GET' && ['1', 'true'].includes(url.searchParams.get('watch') ?? '')
    if (watching) this.#watch(target, url.searchParams, response)
    else if (method === 'GET' && target.subresource === 'log') this.#log(target, url.searchParams, response)
    else answerJson(response, method === 'POST' ? 201 : 200, this.#act(method, target, url.searchParams, body))
  }

  #log({ collection, name }: Target, query: URLSearchParams, response: ServerResponse): void {
    const text = this.logs.get(`${collection.namespace}/${name}/${query.get('container')}`)
    if (text === undefined) throw refuse(400, 'BadRequest', 'the container is waiting to start')
    response.writeHead(200, { 'content-type': 'text/plain' }).end(text)
  }

  #authorize({ plural, namespace }: Collection): void {
    if (this.#forbidden.has(`*/${plural}`) || this.#forbidden.has(`${namespace ?? '*'}/${plural}`)) {
      throw refuse(403, 'Forbidden', `${plural} is forbidden: the user has no access to it`)
    }
  }

  #act(method: string, target: Target, query: URLSearchParams, body: unknown): unknown {
    const { collection, name, subresource } = target
    const store = this.#store
    if (name === null) {
      if (method === 'GET') return this.#page(collection, query)
      if (method === 'POST') return store.create(collection, asObject(body))
      throw refuse(405, 'MethodNotAllowed', `${method} is not supported`)
    }
    switch (method) {
      case 'GET':
        return store.get(collection, name)
      case 'PUT':
        return subresource === 'status'
          ? store.patch(collection, name, { status: asObject(body).status })
          : store.update(collection, asObject(body))
      case 'PATCH': {
        const manager = query.get('fieldManager')
        if (manager === null || subresource !== null) return store.patch(collection, name, body)
        const applied = managedBy(asObject(body), manager)
        return this.#exists(collection, name)
          ? store.patch(collection, name, applied)
          : store.create(collection, applied)
      }
      case 'DELETE':
        store.delete(collection, name)
        return { kind: 'Status', apiVersion: 'v1', status: 'Success' }
      default:
        throw refuse(405, 'MethodNotAllowed', `${method} is not supported`)
    }
  }

  #exists(collection: Collection, name: string): boolean {
    return this.#store.list(collection, { labels: null, fields: `metadata.name=${name}` }).length > 0
  }

  #page(collection: Collection, query: URLSearchParams): unknown {
    const token = query.get('continue')
    const rest = token === null ? null : this.#continuations.get(token)
    if (rest === undefined) throw refuse(410, 'Expired', 'The provided continue parameter is too old')
    const items = rest?.items ?? this.#store.list(collection, selectorsOf(query))
    const version = rest?.version ?? this.#store.version
    const limit = Number(query.get('limit') ?? 0) || items.length
    const left = items.slice(limit)
    const kind = typeof items[0]?.kind === 'string' ? `${items[0].kind}List` : 'List'
    return {
      kind,
      apiVersion: collection.apiVersion,
      metadata: {
        resourceVersion: String(version),
        ...(left.length > 0 ? { continue: this.#remember(left, version), remainingItemCount: left.length } : {}),
      },
      // As the real one: items of a list say neither their kind nor their version of the API.
      items: items.slice(0, limit).map(({ kind: _kind, apiVersion: _apiVersion, ...item }) => item),
    }
  }

  #remember(items: readonly FakeObject[], version: number): string {
    const token = `page-${this.#nextContinuation++}`
    this.#continuations.set(token, { items, version })
    if (this.#continuations.size > maxContinuations) {
      for (const oldest of this.#continuations.keys()) {
        this.#continuations.delete(oldest)
        break
      }
    }
    return token
  }

  #watch(target: Target, query: URLSearchParams, response: ServerResponse): void {
    const { collection } = target
    const selectors = selectorsOf(query)
    const asked = query.get('resourceVersion') ?? ''
    const from = asked === '' || asked === '0' ? null : Number(asked)
    const missed = from === null ? [] : this.#store.since(from)
    if (missed === null && this.expiry === 'status') throw refuse(410, 'Expired', 'too old resource version')

    response.writeHead(200, { 'content-type': 'application/json' })
    const watch: Watch = {
      collection,
      response,
      bookmarks: ['1', 'true'].includes(query.get('allowWatchBookmarks') ?? ''),
      send: (type, object) => {
        if (!response.writableEnded) response.write(`${JSON.stringify({ type, object })}\n`)
      },
      end: () => void response.end(),
    }
    if (missed === null) {
      watch.send('ERROR', statusOf(refuse(410, 'Expired', 'too old resource version')))
      watch.end()
      return
    }
    const deliver = (event: FakeEvent): void => {
      const seen = eventFor(event, collection, selectors)
      if (seen !== null) watch.send(seen.type, seen.object)
    }
    if (from === null) for (const object of this.#store.list(collection, selectors)) watch.send('ADDED', object)
    for (const event of missed) deliver(event)
    response.flushHeaders()
    const unsubscribe = this.#store.subscribe(deliver)
    const seconds = Number(query.get('timeoutSeconds') ?? 0)
    const timer = seconds > 0 ? setTimeout(watch.end, seconds * 1000) : undefined
    this.#watches.add(watch)
    this.#changed()
    response.once('close', () => {
      clearTimeout(timer)
      unsubscribe()
      this.#watches.delete(watch)
      this.#changed()
    })
  }

  #sendBookmark(watch: Watch): void {
    const { apiVersion } = watch.collection
    watch.send('BOOKMARK', { apiVersion, metadata: { resourceVersion: String(this.#store.version) } })
  }
}

/** `/api/v1/…` or `/apis/GROUP/VERSION/…`, then `namespaces/NS/` or not, plural, name, subresource. */
function parsePath(path: string): Target | null {
  const parts = path.split('/').slice(1).map(decodeURIComponent)
  const root = parts.shift()
  const apiVersion = root === 'api' ? parts.shift() : root === 'apis' ? parts.splice(0, 2).join('/') : undefined
  if (apiVersion === undefined || parts.length === 0) return null
  // `namespaces/NAME` alone is the Namespace itself.
  const namespace = parts[0] === 'namespaces' && parts.length > 2 ? parts.splice(0, 2)[1] : undefined
  const [plural, name, subresource] = parts
  if (!plural) return null
  const collection = { apiVersion, plural, ...(namespace === undefined ? {} : { namespace }) }
  return { collection, name: name ?? null, subresource: subresource ?? null }
}

function selectorsOf(query: URLSearchParams): Selectors {
  return { labels: query.get('labelSelector'), fields: query.get('fieldSelector') }
}

/** `EndpointSlice` is in `endpointslices`, `Ingress` in `ingresses`, `NetworkPolicy` in `networkpolicies`. */
function collectionOf(object: FakeObject): Collection {
  const { apiVersion, kind } = object
  if (apiVersion === undefined || kind === undefined) throw refuse(400, 'BadRequest', 'apiVersion or kind is missing')
  const lower = kind.toLowerCase()
  const plural =
    lower === 'endpoints'
      ? lower
      : /[^aeiou]y$/.test(lower)
        ? lower.replace(/y$/, 'ies')
        : /(s|x|ch|sh)$/.test(lower)
          ? `${lower}es`
          : `${lower}s`
  const { namespace } = object.metadata
  return { apiVersion, plural, ...(namespace === undefined ? {} : { namespace }) }
}

/** Who applied it last, without saying which fields. */
function managedBy(object: FakeObject, manager: string): FakeObject {
  return { ...object, metadata: { ...object.metadata, managedFields: [{ manager, operation: 'Apply' }] } }
}

function asObject(body: unknown): FakeObject {
  if (typeof body !== 'object' || body === null || !('metadata' in body)) {
    throw refuse(400, 'BadRequest', 'the body is not an object with metadata')
  }
  return body as FakeObject
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  if (chunks.length === 0) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw refuse(400, 'BadRequest', 'the body is not JSON')
  }
}

function answerJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}

function answerError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.writableEnded) {
    response.end()
    return
  }
  const refusal = error instanceof KubeError ? error : refuse(500, 'InternalError', String(error))
  answerJson(response, refusal.status, statusOf(refusal))
}

function statusOf({ status, reason, message }: KubeError): unknown {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: status, reason, message }
}
