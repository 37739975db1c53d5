// The registry's HTTP: from the head of a request to its resource, and from whatever went wrong to an answer. Node's own
// server, for its bodies are streams with back-pressure.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { assertNever } from '#kit/assert-never.ts'
import { Complaint, isDiskFull } from '#kit/full-disk.ts'
import type { LineWriter } from '#kit/line-writer.ts'
import type { Logger } from '#kit/log.ts'
import { StoreError } from '#store/store.ts'
import { RegistryError } from '../errors.ts'
import type { Access, Action, Needed } from './access.ts'
import { writeAccessLine } from './access-log.ts'
import type { BlobResource } from './blobs.ts'
import { PeerError } from './body.ts'
import { Exchange } from './exchange.ts'
import type { ListResource } from './lists.ts'
import type { ManifestResource } from './manifests.ts'
import type { Metrics } from './metrics.ts'
import { type Route, routeOf } from './route.ts'
import type { UploadResource } from './uploads.ts'

export interface ServerOptions {
  readonly blobs: BlobResource
  readonly uploads: UploadResource
  readonly manifests: ManifestResource
  readonly lists: ListResource
  readonly access: Access
  readonly metrics: Metrics
  readonly accessLines: LineWriter
  readonly log: Logger
  /** Whether anything may be deleted. */
  readonly deletes: boolean
  readonly absoluteLocations: boolean
  /** How long a peer may send or take nothing, milliseconds. */
  readonly patience: number
  readonly maxConnections: number
  /** Told of each request's work, which may go on after its connection is gone. */
  readonly underWay: (work: Promise<void>) => void
}

/** Octets of a request's head. */
const maxHeaderSize = 16 * 1024
/** What is read of a body that nobody wants, so that its sender sees the answer: octets, milliseconds. */
const unwanted = { octets: 1024 * 1024, milliseconds: 3_000 }

type Methods = Readonly<Record<Route['kind'], Readonly<Record<string, Action | null>>>>

/** What each method needs of a token for a repository; null: none in particular. */
const methods: Methods = {
  root: { GET: null, HEAD: null },
  catalog: { GET: null },
  tags: { GET: 'pull', HEAD: 'pull' },
  manifest: { GET: 'pull', HEAD: 'pull', PUT: 'push', DELETE: 'delete' },
  blob: { GET: 'pull', HEAD: 'pull', DELETE: 'delete' },
  uploads: { POST: 'push' },
  upload: { GET: 'push', PATCH: 'push', PUT: 'push', DELETE: 'push' },
  referrers: { GET: 'pull', HEAD: 'pull' },
}

/** Not listening yet. */
export function createRegistryServer(options: ServerOptions): Server {
  const server = createServer({
    maxHeaderSize,
    headersTimeout: 30_000,
    // Layers take as long as they take: bodies have limits of their own.
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: 5_000,
    noDelay: true,
  })
  server.maxHeadersCount = 100
  server.maxConnections = options.maxConnections
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    options.underWay(handle(request, response, options))
  server.on('request', listener)
  // The answer to `Expect: 100-continue` waits until the body is wanted.
  server.on('checkContinue', listener)
  return server
}

async function handle(request: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<void> {
  const began = performance.now()
  const { method = '', url: target = '' } = request
  const remote = request.socket.remoteAddress ?? ''
  let kind: Route['kind'] | 'none' = 'none'
  let exchange: Exchange | null = null
  let gone = false
  response.setHeader('docker-distribution-api-version', 'registry/2.0')
  response.setHeader('x-content-type-options', 'nosniff')
  response.on('error', () => {})
  try {
    const url = URL.parse(target, 'http://registry')
    if (url === null || !target.startsWith('/')) throw new RegistryError('REQUEST_INVALID', { detail: 'the target' })
    exchange = new Exchange({ request, response, url, ...options })
    // As it came: what URL makes of dots is nobody's name.
    const route = routeOf(target.split('?', 1)[0]!)
    if (route === null) throw new RegistryError('NOT_FOUND')
    kind = route.kind
    const needed = neededFor(route, method, options.deletes)
    exchange.identity = await options.access.check(request.headers.authorization, needed)
    await dispatch(exchange, route, options)
  } catch (error) {
    gone = error instanceof PeerError
    if (gone) response.destroy()
    else await answerError(request, response, error, options.log)
  }
  const milliseconds = performance.now() - began
  const status = gone && !response.headersSent ? 499 : response.statusCode
  const { received = 0, sent = 0 } = exchange ?? {}
  options.metrics.answered({ route: kind, method, status, received, sent, milliseconds })
  writeAccessLine(options.accessLines, {
    ...{ remote, method, target, status, received, sent },
    user: exchange?.identity?.subject ?? null,
    milliseconds: Math.round(milliseconds * 10) / 10,
    agent: (request.headers['user-agent'] ?? '').slice(0, 200),
  })
}

function neededFor(route: Route, method: string, deletes: boolean): Needed {
  const known = methods[route.kind]
  const refused = !Object.hasOwn(known, method) || (!deletes && known[method] === 'delete')
  if (refused) {
    const allowed = Object.keys(known).filter(each => deletes || known[each] !== 'delete')
    throw new RegistryError('UNSUPPORTED', { headers: { allow: allowed.join(', ') } })
  }
  if (route.kind === 'root') return { kind: 'token' }
  if (route.kind === 'catalog') return { kind: 'catalog' }
  const action = known[method]!
  // Docker's clients ask for both, and get one token for the whole push.
  return { kind: 'repository', repository: route.repository, actions: action === 'push' ? ['pull', 'push'] : [action] }
}

function dispatch(exchange: Exchange, route: Route, options: ServerOptions): Promise<void> {
  const { blobs, uploads, manifests, lists } = options
  const { method } = exchange.request
  switch (route.kind) {
    case 'root':
      exchange.json(200, {})
      return Promise.resolve()
    case 'catalog':
      return lists.repositories(exchange)
    case 'tags':
      return lists.tags(exchange, route.repository)
    case 'referrers':
      return lists.referrers(exchange, route.repository, route.digest)
    case 'manifest':
      if (method === 'PUT') return manifests.put(exchange, route.repository, route.reference)
      if (method === 'DELETE') return manifests.delete(exchange, route.repository, route.reference)
      return manifests.get(exchange, route.repository, route.reference)
    case 'blob':
      if (method === 'DELETE') return blobs.delete(exchange, route.repository, route.digest)
      return blobs.get(exchange, route.repository, route.digest)
    case 'uploads':
      return uploads.begin(exchange, route.repository)
    case 'upload':
      if (method === 'PATCH') return uploads.append(exchange, route.repository, route.id)
      if (method === 'PUT') return uploads.finish(exchange, route.repository, route.id)
      if (method === 'DELETE') return uploads.cancel(exchange, route.repository, route.id)
      return uploads.state(exchange, route.repository, route.id)
    default:
      return assertNever(route)
  }
}

const fullStore = new Complaint()

async function answerError(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  log: Logger,
): Promise<void> {
  const answer = answerTo(error)
  // With a line for each request the log would fill what is left.
  if (answer.status >= 500 && (answer.code !== 'STORE_FULL' || fullStore.isDue()))
    log.error({ error: explain(error), method: request.method, target: request.url }, answer.message)
  // Half of an answer is worse than none: the client sees that it broke.
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = request.method === 'HEAD' ? '' : answer.body
  const fields = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(answer.body),
    ...answer.headers,
  }
  const { 'content-length': length, expect } = request.headers
  const unread = !request.complete && (length !== '0' || 'transfer-encoding' in request.headers)
  const hasBody = length !== undefined || 'transfer-encoding' in request.headers
  if (!unread || !hasBody || (expect === undefined && Number(length) <= unwanted.octets)) {
    // Node reads what is left of a small body by itself.
    response.writeHead(answer.status, expect === undefined ? fields : { ...fields, connection: 'close' })
    response.end(body)
    return
  }
  response.writeHead(answer.status, { ...fields, connection: 'close' })
  // Not the end yet: with octets unread the kernel would reset the connection, and the answer be lost.
  response.write(body)
  let left = unwanted.octets * 8
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) request.socket.destroy()
  })
  request.resume()
  await Promise.race([
    new Promise(resolve => request.once('close', resolve).once('end', resolve).once('error', resolve)),
    delay(unwanted.milliseconds, undefined, { ref: false }),
  ])
  response.end()
  if (!request.complete) request.socket.destroySoon()
}

function answerTo(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error
  if (error instanceof StoreError && error.kind === 'full') return new RegistryError('STORE_FULL', { cause: error })
  if (error instanceof StoreError)
    return new RegistryError('UNAVAILABLE', { cause: error, headers: { 'retry-after': '5' } })
  return new RegistryError('UNKNOWN', { cause: error })
}

function explain(error: unknown): string {
  const cause = error instanceof RegistryError && error.cause !== undefined ? error.cause : error
  if (isDiskFull(cause)) return String(cause)
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
