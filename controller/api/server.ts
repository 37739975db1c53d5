// The HTTP server: what all answers have in common, and the order of checks. A request is matched to a Resource, then
// who calls and whether they may (Access), then the method, then its body is read, checked and handed to the Operation.

import type { Socket } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Complaint, isDiskFull } from '#kit/full-disk.ts'
import type { Logger } from '#kit/log.ts'
import { ClusterError } from '../cluster/cluster.ts'
import { Refusal } from '../domain/refusal.ts'
import { addParsers } from './bodies.ts'
import { answerOf } from './errors.ts'
import { parseBody } from './fields.ts'
import type { Metrics } from './metrics.ts'
import type { Answer, Call, Method, Operation, Resource } from './resource.ts'
import { send } from './send.ts'

/** Controller contract, section 1. */
export const apiVersion = '2.3'
const platformVersion = '2.3.0'

/** Characters of what a client sent that an answer repeats. */
const longestQuote = 100

const maxBody = 10 * 1024 * 1024
/** Milliseconds. A deploy may take long to answer; a request may not take long to arrive. */
export const standardTimes = {
  request: 60_000,
  headers: 15_000,
  keepAlive: 75_000,
  check: 5_000,
} as const

export type ServerTimes = { readonly [name in keyof typeof standardTimes]: number }

const commonHeaders = {
  deis_api_version: apiVersion,
  deis_platform_version: platformVersion,
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'x-xss-protection': '1; mode=block',
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'DEIS_API_VERSION, DEIS_PLATFORM_VERSION',
} as const

const preflightHeaders = {
  'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-allow-headers': 'content-type, accept, origin, Authorization, Host',
  'access-control-max-age': '86400',
} as const

/** Controller contract, section 3: what no app can be called is no URL. */
export const appId = /^[a-z0-9-]+$/

const notFoundPage = '<!doctype html><title>Not Found</title><h1>Not Found</h1>\n'

export interface ServerOptions {
  readonly resources: readonly Resource[]
  readonly log: Logger
  readonly metrics: Metrics
  /** Proxies whose X-Forwarded-For and -Proto count, as names or networks. */
  readonly trustedProxies: readonly string[]
  /** Answers are checked against what the document promises; one that differs is a 500. For tests. */
  readonly checkAnswers: boolean
  /** Aborts when the server is about to close: event streams end. */
  readonly closing: AbortSignal
  readonly times?: ServerTimes
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The path as declared, for metrics. */
    name?: string
  }
  interface FastifyRequest {
    /** What Access found out. */
    admitted?: unknown
    call?: Call
  }
}

export function createServer(options: ServerOptions): FastifyInstance {
  const { times = standardTimes } = options
  const fullDisk = new Complaint()
  const server = Fastify({
    logger: false,
    bodyLimit: maxBody,
    trustProxy: [...options.trustedProxies],
    requestTimeout: times.request,
    keepAliveTimeout: times.keepAlive,
    http: {
      headersTimeout: times.headers,
      // How often the two are looked at.
      connectionsCheckingInterval: times.check,
      ...{ maxHeaderSize: 16 * 1024, insecureHTTPParser: false },
    },
    // Open event streams are ended by their own signal, and a deploy is waited for.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    rewriteUrl: request => collapseSlashes(originForm(request.url ?? '/')),
    routerOptions: { maxParamLength: 1000, querystringParser: parseQuery },
    frameworkErrors: (error, request, reply) => {
      sendError(reply, error, request)
    },
    clientErrorHandler: refuseUnreadable,
  })
  addParsers(server)
  server.addHook('onRequest', (_request, reply, done) => {
    reply.headers(commonHeaders)
    done()
  })
  // Kept alive, a connection would be waited for.
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (options.closing.aborted) reply.header('connection', 'close')
    done()
  })
  server.addHook('onResponse', (request, reply, done) => {
    options.metrics.answered(nameOf(request), request.method, reply.statusCode, reply.elapsedTime)
    done()
  })
  server.setErrorHandler((error, request, reply) => {
    const status = sendError(reply, error, request)
    // With a line for each request the log would fill what is left.
    if (isDiskFull(error) && !fullDisk.isDue()) return
    if (status >= 500)
      options.log[status === 500 || status === 507 ? 'error' : 'warn'](
        { method: request.method, route: nameOf(request), status, error: describe(error) },
        'a request failed',
      )
  })
  server.setNotFoundHandler((_request, reply) => sendNotFound(reply))
  for (const resource of options.resources) addResource(server, resource, options)
  return server
}

function sendNotFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).type('text/html').send(notFoundPage)
}

function nameOf(request: FastifyRequest): string {
  return request.routeOptions.config.name ?? 'unknown'
}

/** As a proxy is asked, a server may be asked too (RFC 9112, section 3.2.2). */
function originForm(url: string): string {
  if (url.startsWith('/')) return url
  const path = url.replace(/^https?:\/\/[^/?]*/i, '')
  return path.startsWith('/') ? path : `/${path}`
}

/** `//v2/` is what clients send whose profile has a slash too many. */
function collapseSlashes(url: string): string {
  const query = url.indexOf('?')
  const path = query < 0 ? url : url.slice(0, query)
  if (!path.includes('//')) return url
  return path.replace(/\/{2,}/g, '/') + (query < 0 ? '' : url.slice(query))
}

function parseQuery(text: string): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) query[name] = value
  return query
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'] as const

function addResource(server: FastifyInstance, resource: Resource, options: ServerOptions): void {
  const { path, slash, access } = resource
  const hasApp = path.includes('/:id')
  const urls = slash === 'required' ? [`${path}/`] : slash === 'forbidden' ? [path] : [path, `${path}/`]
  const allow = [...Object.keys(resource.methods), 'HEAD', 'OPTIONS'].join(', ')
  const operationOf = (method: string): Operation<unknown> | undefined =>
    resource.methods[(method === 'HEAD' ? 'GET' : method) as Method]

  for (const url of urls)
    server.route({
      method: [...methods],
      url,
      config: { name: path },
      onRequest: async (request, reply) => {
        if (hasApp && !appId.test((request.params as Record<string, string>).id ?? '')) return sendNotFound(reply)
        reply.header('allow', allow)
        if (request.method === 'OPTIONS') return
        const call = callOf(request, reply)
        request.call = call
        request.admitted = await access.admit(call)
        if (operationOf(request.method) === undefined)
          throw new Refusal('not-allowed', `Method "${request.method}" not allowed.`)
      },
      handler: async (request, reply) => {
        if (request.method === 'OPTIONS') return reply.headers(preflightHeaders).code(200).send()
        const operation = operationOf(request.method)!
        const body = operation.body === null ? undefined : parseBody(operation.body, request.body)
        const answer = await operation.handle(request.admitted, request.call!, body)
        if (options.checkAnswers) checkAnswer(operation, answer)
        return send(request, reply, answer, options.closing)
      },
    })
}

function callOf(request: FastifyRequest, reply: FastifyReply): Call {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the client went away'))
  })
  return {
    params: request.params as Record<string, string>,
    query: request.query as Record<string, unknown>,
    method: request.method,
    authorization: request.headers.authorization ?? null,
    builderKey: header(request, 'x-deis-builder-auth'),
    idempotencyKey: header(request, 'idempotency-key'),
    lastEventId: header(request, 'last-event-id'),
    address: request.ip,
    url: urlOf(request),
    gone: gone.signal,
  }
}

function header(request: FastifyRequest, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' ? value : null
}

/** A Host that is no host must not cost more than the links of a page. */
function urlOf(request: FastifyRequest): URL {
  const base = `${request.protocol}://${request.host}`
  return new URL(request.url, URL.canParse(base) ? base : 'http://deis')
}

/** Returns the status. */
function sendError(reply: FastifyReply, error: unknown, request: FastifyRequest): number {
  const { status, body, headers } = answerOf(asRefusal(error, request))
  reply
    .code(status)
    .headers({ ...commonHeaders, ...headers })
    .header('content-type', 'application/json')
    .send(Buffer.from(JSON.stringify(body)))
  return status
}

/** What Fastify itself refuses, in the words of the contract. */
function asRefusal(error: unknown, request: FastifyRequest): unknown {
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string }
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Refusal(
        'unsupported-media',
        `Unsupported media type "${(request.headers['content-type'] ?? '').slice(0, longestQuote)}" in request.`,
      )
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Refusal('too-large', `The body is larger than ${maxBody} bytes.`)
    default:
      return statusCode !== undefined && statusCode < 500 && !(error instanceof Refusal)
        ? new Refusal('illogical', message ?? 'Bad request')
        : error
  }
}

const unreadable: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** What is no HTTP never becomes a request. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return
  const status = unreadable[error.code ?? ''] ?? '400 Bad Request'
  const version = `DEIS_API_VERSION: ${apiVersion}\r\nDEIS_PLATFORM_VERSION: ${platformVersion}`
  socket.end(`HTTP/1.1 ${status}\r\n${version}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

function checkAnswer(operation: Operation<unknown>, answer: Answer): void {
  const status = answer.kind === 'events' || answer.kind === 'stream' ? 200 : answer.status
  const shape = operation.answers[status]
  // A refusal that was kept and is given once more: the document has those together, as 4XX.
  if (shape === undefined && status >= 400 && status < 500) return
  if (shape === undefined) throw new Error(`${operation.summary}: ${status} is not declared`)
  if (answer.kind !== 'json') return
  if (shape === null && answer.body !== undefined) throw new Error(`${operation.summary}: ${status} has a body`)
  if (shape !== null && typeof shape !== 'string') shape.parse(answer.body)
}

function firstCause(error: Error): Error {
  return error.cause instanceof Error ? firstCause(error.cause) : error
}

/** For the log: a fault of ours with its stack, without what a database or a parser quotes. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (isDiskFull(error)) return `${error.message} (${firstCause(error).message})`
  return error instanceof Refusal || error instanceof ClusterError ? error.message : (error.stack ?? error.message)
}
