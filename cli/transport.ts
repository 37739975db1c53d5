// One HTTP request on a connection of its own: through a proxy where the environment says so, redirects followed as the
// original client follows them. An answer may take as long as it likes, a connection may not.

import { lookup as systemLookup } from 'node:dns'
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import { http, https, tls } from './builtin.ts'
import { isLocalName } from './controller-url.ts'
import { type Destination, proxyOf } from './proxy.ts'
import type { Environment } from './surroundings.ts'

export interface Outgoing extends Destination {
  readonly method: string
  /** As it goes on the wire, query included. */
  readonly path: string
  readonly headers: OutgoingHttpHeaders
  /** Null: no body, which says so by a length of 0 where the method may have one. */
  readonly body: string | null
}

export interface Way {
  readonly env: Environment
  readonly sslVerify: boolean
  readonly signal: AbortSignal
  /** Milliseconds until there is a connection. */
  readonly patience: number
}

const mostRedirects = 10

/** What went wrong before there was an answer. `cause` is Node's error. */
export class ConnectionError extends Error {
  readonly destination: Destination

  constructor(destination: Destination, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.destination = destination
  }
}

/** Resolves with the head of the answer; its body is to be read or destroyed. Throws a ConnectionError or a Fault. */
export async function send(outgoing: Outgoing, way: Way): Promise<IncomingMessage> {
  let current = outgoing
  for (let hop = 0; ; hop++) {
    const answer = await sendOnce(current, way)
    const next = redirectOf(current, answer)
    if (next === null || hop === mostRedirects) return answer
    answer.destroy()
    current = next
  }
}

/** Where an answer sends us; null: it is the answer. */
function redirectOf(from: Outgoing, { statusCode = 0, headers }: IncomingMessage): Outgoing | null {
  if (headers.location === undefined || ![301, 302, 303, 307, 308].includes(statusCode)) return null
  const host = isIP(from.hostname) === 6 ? `[${from.hostname}]` : from.hostname
  const base = `${from.scheme}://${host}:${from.port}${from.path}`
  if (!URL.canParse(headers.location, base)) return null
  const url = new URL(headers.location, base)
  if (!/^https?:$/.test(url.protocol)) return null
  const scheme = url.protocol === 'http:' ? 'http' : 'https'
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  // 307 and 308 keep method and body; the others make a GET of everything.
  const keeps = statusCode >= 307 || from.method === 'GET' || from.method === 'HEAD'
  const rest: OutgoingHttpHeaders = { ...from.headers }
  // A token is for the host that it was made for, and what went encrypted is not for all to read.
  const isElsewhere = hostname !== from.hostname && !hostname.endsWith(`.${from.hostname}`)
  if (isElsewhere || (from.scheme === 'https' && scheme === 'http')) delete rest.authorization
  return {
    ...{ scheme, hostname, port: url.port === '' ? (scheme === 'http' ? 80 : 443) : Number(url.port) },
    ...{ path: `${url.pathname}${url.search}`, headers: rest },
    ...(keeps ? { method: from.method, body: from.body } : { method: 'GET', body: null }),
  }
}

async function sendOnce(outgoing: Outgoing, way: Way): Promise<IncomingMessage> {
  const { scheme, hostname, port, method, path, headers, body } = outgoing
  const proxy = proxyOf(outgoing, way.env)
  const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname
  const authority = port === (scheme === 'http' ? 80 : 443) ? host : `${host}:${port}`
  const length = body !== null ? Buffer.byteLength(body) : method === 'GET' ? null : 0
  const common = {
    ...{ method, path, agent: false as const, signal: way.signal, lookup },
    // No pool: `agent: false` makes one that lets go of the connection.
    headers: {
      host: authority,
      ...headers,
      connection: 'close',
      ...(length === null ? {} : { 'content-length': length }),
    },
  }
  try {
    const tunnel = proxy !== null && scheme === 'https' ? await openTunnel(proxy, `${host}:${port}`, way) : null
    const sent =
      scheme === 'https'
        ? https().request({
            ...common,
            ...{ hostname, port, servername: isIP(hostname) === 0 ? hostname : '', rejectUnauthorized: way.sslVerify },
            ...(way.sslVerify ? { ca: trusted() } : {}),
            // Only a request without any agent takes a connection of ours.
            ...(tunnel === null ? {} : { agent: undefined, createConnection: () => secure(tunnel, hostname, way) }),
          })
        : proxy === null
          ? http().request({ ...common, hostname, port })
          : http().request({
              ...common,
              ...addressOf(proxy),
              path: `http://${authority}${path}`,
              headers: { ...common.headers, ...authorizationOf(proxy) },
            })
    return await answerOf(sent, body, way.patience, scheme === 'https' ? 'secureConnect' : 'connect')
  } catch (error) {
    throw new ConnectionError(outgoing, error)
  }
}

function answerOf(
  sent: ClientRequest,
  body: string | null,
  patience: number,
  ready: 'connect' | 'secureConnect',
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.on('error', reject)
    sent.on('response', resolve)
    sent.on('socket', socket => hurry(socket, patience, ready))
    sent.end(body ?? undefined)
  })
}

/** Ends a socket that is not connected in time. Afterwards probes keep the way open through what forgets silent connections. */
function hurry(socket: Socket, patience: number, ready: 'connect' | 'secureConnect'): void {
  const timer = setTimeout(() => socket.destroy(lateness(patience)), patience)
  socket.once(ready, () => {
    clearTimeout(timer)
    socket.setKeepAlive(true, 30_000)
  })
  socket.once('close', () => clearTimeout(timer))
}

function lateness(patience: number): Error {
  return Object.assign(new Error(`no connection in ${patience / 1000} s`), { code: 'ETIMEDOUT' })
}

function addressOf(proxy: URL): { hostname: string; port: number } {
  return {
    hostname: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: Number(proxy.port) || (proxy.protocol === 'https:' ? 443 : 80),
  }
}

function authorizationOf({ username, password }: URL): OutgoingHttpHeaders {
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}

function openTunnel(proxy: URL, authority: string, way: Way): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const ask = proxy.protocol === 'https:' ? https().request : http().request
    const sent = ask({
      ...addressOf(proxy),
      ...{ method: 'CONNECT', path: authority, agent: false, signal: way.signal, lookup },
      headers: { host: authority, ...authorizationOf(proxy) },
    })
    sent.on('socket', socket => hurry(socket, way.patience, proxy.protocol === 'https:' ? 'secureConnect' : 'connect'))
    // The connection to the proxy is not yet one to anybody.
    const timer = setTimeout(() => sent.destroy(lateness(way.patience)), way.patience)
    sent.on('close', () => clearTimeout(timer))
    sent.on('error', reject)
    sent.on('connect', ({ statusCode }, socket) => {
      if (statusCode === 200) resolve(socket)
      else {
        socket.destroy()
        reject(new Error(`the proxy ${proxy.host} answered ${statusCode}`))
      }
    })
    sent.end()
  })
}

function secure(tunnel: Socket, hostname: string, { sslVerify }: Way): Socket {
  return tls().connect({
    ...{ socket: tunnel, rejectUnauthorized: sslVerify, ...(sslVerify ? { ca: trusted() } : {}) },
    servername: isIP(hostname) === 0 ? hostname : '',
  })
}

/** Node's own authorities, and the system's: a company's is there. Older Node cannot tell those. */
function trusted(): string[] {
  const { getCACertificates, rootCertificates } = tls()
  if (typeof getCACertificates !== 'function') return [...rootCertificates]
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
}

/** As the system's, but for names under `localhost`. */
export const lookup: LookupFunction = (hostname, options, callback) => {
  if (!isLocalName(hostname.toLowerCase())) {
    systemLookup(hostname, options as { all: true }, callback as never)
    return
  }
  const addresses = [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]
  if (options.all) callback(null, addresses)
  else {
    const wanted = options.family === 6 || options.family === 'IPv6' ? addresses[1]! : addresses[0]!
    callback(null, wanted.address, wanted.family)
  }
}
