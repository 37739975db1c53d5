// The admin port: health for the kubelet and load balancers, metrics for Prometheus, pages for people. Plain HTTP, read
// only, never behind PROXY protocol. It runs in control, so that a busy data thread cannot make it slow.
//
// `/stats` and `/nginx_status` are for this machine only (contract section 14), by the address of the socket: what a
// peer says of itself in a header counts nothing here. The others are for whoever reaches the port: kubelet and
// Prometheus come from elsewhere, and `/problems`, `/routes` and `/config` are how an operator looks into a pod. They
// name hosts, apps and addresses of all tenants, but no secret; a NetworkPolicy is the place to keep tenants from them.
// A browser that asks for `/` gets the status page, all others the list of the pages.
//
// Who listens on this machine only is asked by an address, or `localhost`. Another name with a dot is a web site's that has given it this
// machine's address, so that its own script may read the answer in somebody's browser.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, isIPv4, type Socket } from 'node:net'
import type { Logger } from '#kit/log.ts'
import { listenError, type Port } from './port.ts'

export interface Health {
  readonly healthy: boolean
  /** One line or several; for the person who asks why. */
  readonly text: string
}

/** What the pages show. None of it may hold a key. */
export interface AdminPages {
  health(): Health
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>
  problems(): unknown
  routes(): unknown
  /** Why the `url` of the query is answered as it is; null: it is no URL. */
  explain(query: URLSearchParams): unknown
  /** What a status page shows, of what the query asks for. */
  status(query: URLSearchParams): unknown
  /** The same as a page for people, with fields of its own. */
  statusPage(query: URLSearchParams): { readonly body: string; readonly headers: Readonly<Record<string, string>> }
  config(): unknown
  stats(): unknown
  connections(): string
}

interface Page {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

const plain = 'text/plain; charset=utf-8'
const html = 'text/html; charset=utf-8'
const index = `deis-router

/healthz   200 when traffic is served, else 503 and why
/metrics   Prometheus text format
/problems  what somebody wrote and is not in force, as JSON
/routes    what is routed where, as JSON
/explain   ?url=URL: what answers there and why, as JSON; with &app=A,B those of A and B come first
/status    traffic, routes, problems and last changes, as JSON; ?app=A,B&search=TEXT&offset=N&limit=N
/config    version, watches and data threads, as JSON
/stats     requests by app, as JSON; from this machine only
/nginx_status  connections, in the words of nginx's stub_status; from this machine only
`

/** Scrapers and probes need a handful; whoever opens thousands shall not take control's memory. */
const maxConnections = 256
/** A connection on which nothing moves for so long is closed, milliseconds. */
const standardIdleTimeout = 10_000

export class AdminServer implements AsyncDisposable {
  readonly #server: Server

  /** Rejects with StartupError 69 when the port cannot be had. */
  static async listen(
    port: Port,
    pages: AdminPages,
    log: Logger,
    idleTimeout = standardIdleTimeout,
  ): Promise<AdminServer> {
    const asking = new Set<Socket>()
    const isOwn = isLoopback(port.address)
    const server = createServer(
      { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 },
      (request, response) => {
        asking.add(request.socket)
        const page =
          isOwn && !isOwnName(request.headers.host ?? '') ? Promise.resolve(foreign) : answer(request, pages, log)
        page.then(
          found => send(request, response, found),
          (error: unknown) => {
            log.error({ err: error, path: request.url }, 'an admin page failed')
            send(request, response, text(500, 'internal error\n'))
          },
        )
      },
    )
    server.timeout = idleTimeout
    const open = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      // The oldest one without a request gives way: whoever holds connections shall not keep a probe out.
      if (open.size >= maxConnections) (open.values().find(other => !asking.has(other)) ?? socket).destroy()
      open.add(socket)
      socket.once('close', () => {
        open.delete(socket)
        asking.delete(socket)
      })
    })
    try {
      server.listen({ host: port.address, port: port.number, exclusive: true })
      await once(server, 'listening')
    } catch (error) {
      throw listenError(port, (error as NodeJS.ErrnoException).code ?? String(error))
    }
    return new AdminServer(server)
  }

  private constructor(server: Server) {
    this.#server = server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}

const elsewhere = text(403, 'from this machine only\n')
const foreign = text(421, 'ask by the address, or as localhost\n')

/**
 * Whether the Host is an address, a name that leads to this machine whoever is asked (RFC 6761, section 6.3), or one without
 * a dot, which no web site has; or none.
 */
function isOwnName(host: string): boolean {
  return host === '' || /^(?:\[[0-9a-f:.]+\]|[\d.]+|[\w-]+|(?:[\w-]+\.)+localhost\.?)(?::\d*)?$/i.test(host)
}

async function answer(request: IncomingMessage, pages: AdminPages, log: Logger): Promise<Page> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return { ...text(405, 'only GET and HEAD\n'), headers: { allow: 'GET, HEAD' } }
  const { path, query } = targetOf(request.url ?? '')
  switch (path) {
    case '/': {
      // Whoever reads pages for people says so; curl and probes do not.
      if (!/\btext\/html(?![\w-])/i.test(request.headers.accept ?? ''))
        return { ...text(200, index), headers: { vary: 'accept' } }
      const { body, headers } = pages.statusPage(query)
      return { status: 200, contentType: html, body, headers: { ...headers, vary: 'accept' } }
    }
    case '/explain': {
      const explanation = pages.explain(query)
      return explanation === null
        ? text(400, 'ask with ?url=URL, such as ?url=https://www.example.com/\n')
        : json(explanation)
    }
    case '/status':
      return json(pages.status(query))
    case '/healthz':
    case '/healthz/': {
      const { healthy, text: line } = pages.health()
      if (!healthy) log.debug({ reason: line }, 'not healthy')
      return text(healthy ? 200 : 503, `${line}\n`)
    }
    case '/metrics': {
      const { contentType, text: body } = await pages.metrics()
      return { status: 200, contentType, body }
    }
    case '/problems':
      return json(pages.problems())
    case '/routes':
      return json(pages.routes())
    case '/config':
      return json(pages.config())
    case '/stats':
    case '/stats/':
      return isLoopback(request.socket.remoteAddress) ? json(pages.stats()) : elsewhere
    default:
      // Contract section 14: whatever begins so.
      if (path.startsWith('/nginx_status'))
        return isLoopback(request.socket.remoteAddress) ? text(200, pages.connections()) : elsewhere
      return text(404, 'not found; GET / lists the pages\n')
  }
}

/** Whether a socket's remote address is of this machine: 127.0.0.0/8 or ::1. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  const mapped = address.toLowerCase().startsWith('::ffff:') ? address.slice(7) : address
  return mapped === '::1' || (isIPv4(mapped) && mapped.startsWith('127.'))
}

function targetOf(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = url.indexOf('?')
  return { path: mark < 0 ? url : url.slice(0, mark), query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)) }
}

function text(status: number, body: string): Page {
  return { status, contentType: plain, body }
}

function json(value: unknown): Page {
  return { status: 200, contentType: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` }
}

function send(request: IncomingMessage, response: ServerResponse, { status, contentType, body, headers }: Page): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    connection: 'close',
    'x-content-type-options': 'nosniff',
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
