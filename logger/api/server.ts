// The retrieval API (registry contract, section 10): the last lines of an app, its lines as they come, its removal; and log drains.
// Who reaches the port may ask for everything, as in the original: it is for the controller, which knows who may see what.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { assertNever } from '#kit/assert-never.ts'
import { parseDrainUrl } from '#kit/drain-url.ts'
import { Complaint, isDiskFull } from '#kit/full-disk.ts'
import type { Logger } from '#kit/log.ts'
import type { LogDrains } from '../drains/log-drains.ts'
import type { Followers } from '../followers.ts'
import { textOfLine } from '../line.ts'
import type { LogStore } from '../store/log-store.ts'
import { FollowingAnswer } from './follow.ts'
import { type Route, routeOf, type Wanted } from './route.ts'
import { Slots } from './slots.ts'

export interface ApiOptions {
  readonly store: LogStore
  readonly followers: Followers
  readonly drains: LogDrains
  readonly log: Logger
  /** Removes everything of the app. */
  readonly remove: (app: string) => Promise<void>
  /** Lines that a follower did not get. */
  readonly onLeftOut: (lines: number) => void
}

/** Octets of lines of an answer: the newest that are within. */
const maxOctets = 4 * 1024 * 1024
/** Answers with lines that are made or on their way at once, and requests that wait for one of them to end. */
const answersAtOnce = 16
const waitingRequests = 200
/** How long an answer may be on its way, milliseconds. */
const longest = 60_000
/** Octets of a request's body. */
const maxBody = 4096
const maxConnections = 1000

const methods: Readonly<Record<Route['kind'], readonly string[]>> = {
  health: ['GET', 'HEAD'],
  logs: ['GET', 'DELETE'],
  drain: ['GET', 'PUT', 'DELETE'],
}

/** Not listening yet. */
export function createApiServer(options: ApiOptions): Server {
  const fullDisk = new Complaint()
  const slots = new Slots(answersAtOnce, waitingRequests)
  const server = createServer(
    { maxHeaderSize: 16 * 1024, headersTimeout: 30_000, requestTimeout: 60_000, keepAliveTimeout: 75_000 },
    (request, response) => {
      response.on('error', () => {})
      answer(request, response, options, slots).catch(error => {
        const isForRoom = isDiskFull(error)
        // With a line for each request the log would fill what is left.
        if (!isForRoom || fullDisk.isDue())
          options.log.error({ error: String(error), method: request.method, target: request.url }, 'a request failed')
        if (response.headersSent) response.destroy()
        else if (isForRoom) say(response, 507, 'the disk of the logger is full')
        else say(response, 500, 'the logger could not do this')
      })
    },
  )
  server.maxConnections = maxConnections
  return server
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ApiOptions,
  slots: Slots,
): Promise<void> {
  const { method = '', url = '' } = request
  const route = routeOf(url)
  if (route === null) return say(response, 404, 'there is /logs/APP, /drains/APP and /healthz')
  if (!methods[route.kind].includes(method)) {
    response.setHeader('allow', methods[route.kind].join(', '))
    return say(response, 405, `${method} is none of ${methods[route.kind].join(', ')}`)
  }
  switch (route.kind) {
    case 'health':
      return say(response, 200, 'OK')
    case 'logs':
      if (method === 'DELETE') {
        await options.remove(route.app)
        response.writeHead(200, { 'content-length': 0 }).end()
        return
      }
      if (route.wanted.follow) return follow(response, route.app, route.wanted, options, slots)
      return lastLines(response, route.app, route.wanted, options, slots)
    case 'drain':
      return drain(request, response, route.app, options.drains)
    default:
      return assertNever(route)
  }
}

async function lastLines(
  response: ServerResponse,
  app: string,
  { lines, sources }: Wanted,
  { store }: ApiOptions,
  slots: Slots,
): Promise<void> {
  using slot = await slots.take()
  if (response.destroyed) return
  if (slot === null) return busy(response)
  const found = lines === 0 ? [] : await store.tail(app, sources, { lines, octets: maxOctets })
  if (found.length === 0) {
    response.writeHead(204).end()
    return
  }
  const body = Buffer.from(`${found.map(textOfLine).join('\n')}\n`)
  response.writeHead(200, { ...plain, 'content-length': body.length }).end(body)
  await untilTaken(response)
}

async function follow(
  response: ServerResponse,
  app: string,
  { lines, sources }: Wanted,
  { store, followers, onLeftOut }: ApiOptions,
  slots: Slots,
): Promise<void> {
  const follower = new FollowingAnswer(response, sources, onLeftOut)
  response.once('close', () => followers.delete(app, follower))
  response.socket?.setKeepAlive(true, 60_000)
  response.socket?.setTimeout(0)
  {
    using slot = await slots.take()
    if (response.destroyed) return
    // From here on lines reach the follower; what came before is what the store has in the same moment.
    if (slot === null || !followers.add(app, follower)) return busy(response)
    const older = lines === 0 ? [] : await store.tail(app, sources, { lines, octets: maxOctets })
    if (response.destroyed) return
    response.writeHead(200, { ...plain, 'cache-control': 'no-cache' })
    follower.begin(older.map(line => `${textOfLine(line)}\n`).join(''))
    // Who takes nothing is cut off by the follower.
    if (response.writableNeedDrain)
      await new Promise<void>(resolve => response.once('drain', resolve).once('close', resolve))
  }
}

async function drain(
  request: IncomingMessage,
  response: ServerResponse,
  app: string,
  drains: LogDrains,
): Promise<void> {
  if (request.method === 'GET') {
    const status = drains.statusOf(app)
    if (status === null) return say(response, 404, 'the app has no log drain')
    return json(response, status)
  }
  if (request.method === 'DELETE') {
    await drains.delete(app)
    response.writeHead(204).end()
    return
  }
  const text = await urlIn(request)
  if (text === null) {
    // What is left of the body is nothing to wait for.
    response.setHeader('connection', 'close')
    return say(response, 400, 'the body must be {"url":"syslog+tls://HOST:PORT"}')
  }
  const url = parseDrainUrl(text)
  if (typeof url === 'string') return say(response, 400, url)
  const fault = drains.faultOf(url)
  if (fault !== null) return say(response, 400, fault)
  if (!(await drains.set(app, url))) return say(response, 503, 'there are too many log drains')
  response.writeHead(204).end()
}

async function urlIn(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let octets = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      octets += chunk.length
      if (octets > maxBody) return null
      chunks.push(chunk)
    }
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString())
    const url = typeof body === 'object' && body !== null && 'url' in body ? body.url : null
    return typeof url === 'string' ? url : null
  } catch {
    return null
  }
}

const plain = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }

/** The reader has all of it, or is gone, or was too slow. */
async function untilTaken(response: ServerResponse): Promise<void> {
  // Who went while it was made does not go again.
  if (response.destroyed) return
  const over = new AbortController()
  const { signal } = over
  const taken = new Promise<void>(resolve => response.once('finish', resolve).once('close', resolve))
  await Promise.race([taken, delay(longest, undefined, { signal, ref: false }).then(() => response.destroy())]).finally(
    () => over.abort(),
  )
}

function busy(response: ServerResponse): void {
  response.setHeader('retry-after', '5')
  say(response, 503, 'there are too many requests at once')
}

function say(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, plain).end(`${sentence}\n`)
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`)
}
