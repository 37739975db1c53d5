// One HTTP exchange with the API server: HTTP/2 where TLS agrees on it, HTTP/1.1 (undici) where it does not and for
// plain http. Knows nothing of Kubernetes but where its server is.

import type { IncomingHttpHeaders } from 'node:http'
import { type ClientHttp2Stream, constants } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Agent } from 'undici'
import { TransportError } from './errors.ts'
import { H2Pool, isRefused } from './h2-pool.ts'
import type { TlsMaterial } from './kubeconfig.ts'

const connectTimeout = 10_000
/** Idle time before TCP probes; libuv sends ten, a second apart, so HTTP/1.1 notices a vanished peer in 25 s. */
const keepAliveDelay = 15_000

export interface Exchange {
  readonly method: string
  /** With query, without the path of the server's URL. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: string | null
  /** Ends the exchange at any point, also while the body is read. */
  readonly signal: AbortSignal
}

export interface Answer {
  readonly status: number
  /** Value of a field by its lower-case name. */
  header(name: string): string | null
  /** Read it to the end or break off; an end before its time is a TransportError. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface TransportOptions {
  readonly server: URL
  tls(): Promise<TlsMaterial>
  readonly pingInterval?: number
}

export class Transport {
  readonly #options: TransportOptions
  readonly #closing = new AbortController()
  readonly #h2: H2Pool
  readonly #basePath: string
  #h1: Promise<Agent> | null = null
  #protocol: 'unknown' | 'h2' | 'h1'

  constructor(options: TransportOptions) {
    this.#options = options
    this.#basePath = options.server.pathname.replace(/\/$/, '')
    this.#protocol = options.server.protocol === 'https:' ? 'unknown' : 'h1'
    this.#h2 = new H2Pool({
      authority: options.server,
      dial: () => this.#dialH2(),
      ...(options.pingInterval === undefined ? {} : { pingInterval: options.pingInterval }),
    })
  }

  /** What is spoken, and over how many connections where we share them. For metrics and tests. */
  get connections(): { readonly protocol: 'unknown' | 'h2' | 'h1'; readonly sessions: number } {
    return { protocol: this.#protocol, sessions: this.#h2.size }
  }

  /** Resolves with the head of the response. Throws a TransportError, or the signal's reason. */
  async send(exchange: Exchange): Promise<Answer> {
    if (this.#closing.signal.aborted) throw new TransportError('the client is closed')
    exchange.signal.throwIfAborted()
    if (this.#protocol !== 'h1') {
      const stream = await this.#h2.open(
        {
          ...exchange.headers,
          ':method': exchange.method,
          ':path': this.#basePath + exchange.path,
          ':scheme': 'https',
          ':authority': this.#options.server.host,
        },
        exchange.body !== null,
        exchange.signal,
      )
      if (stream !== null) return exchangeH2(stream, exchange)
      this.#protocol = 'h1'
    }
    return this.#exchangeH1(exchange)
  }

  /** Makes later requests use new connections: a client certificate has changed. */
  retire(): void {
    this.#h2.retire()
    const agent = this.#h1
    this.#h1 = null
    agent?.then(
      old => old.close(),
      () => {},
    )
  }

  /** Ends all exchanges and connections. */
  async close(): Promise<void> {
    this.#closing.abort(new TransportError('the client is closed'))
    this.#h2.close()
    if (this.#h1 !== null) await (await this.#h1).destroy()
  }

  async #dialH2(): Promise<Socket | null> {
    const socket = await this.#dial(['h2', 'http/1.1'])
    if ('alpnProtocol' in socket && socket.alpnProtocol === 'h2') {
      this.#protocol = 'h2'
      return socket
    }
    socket.destroy()
    return null
  }

  async #dial(protocols: string[]): Promise<Socket | TLSSocket> {
    const { server } = this.#options
    const host = server.hostname.replace(/^\[(.*)\]$/, '$1')
    const secure = server.protocol === 'https:'
    const port = server.port === '' ? (secure ? 443 : 80) : Number(server.port)
    const base = { host, port, keepAlive: true, keepAliveInitialDelay: keepAliveDelay, noDelay: true }
    let socket: Socket | TLSSocket
    try {
      socket = secure
        ? connectTls({ ...base, ...(await this.#options.tls()), ALPNProtocols: protocols })
        : connectTcp(base)
    } catch (error) {
      if (error instanceof TransportError) throw error
      throw new TransportError(`cannot connect: ${describe(error)}`, { cause: error, unprocessed: true })
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = (): void => reject(this.#closing.signal.reason)
    const timer = setTimeout(() => reject(new Error('timed out')), connectTimeout)
    socket.once(secure ? 'secureConnect' : 'connect', () => resolve())
    // Stays: between here and whoever takes the socket over, an error nobody listens to would end the process.
    socket.on('error', reject)
    this.#closing.signal.addEventListener('abort', abort)
    try {
      await promise
      return socket
    } catch (error) {
      socket.destroy()
      throw new TransportError(`cannot connect to ${server.host}: ${describe(error)}`, {
        cause: error,
        unprocessed: true,
      })
    } finally {
      clearTimeout(timer)
      this.#closing.signal.removeEventListener('abort', abort)
    }
  }

  async #exchangeH1(exchange: Exchange): Promise<Answer> {
    this.#h1 ??= this.#makeH1()
    try {
      const agent = await this.#h1
      const response = await agent.request({
        origin: this.#options.server.origin,
        path: this.#basePath + exchange.path,
        // Any method that the API server knows; undici's type lists the registered ones.
        method: exchange.method as 'GET',
        headers: exchange.headers,
        body: exchange.body,
        signal: exchange.signal,
      })
      return {
        status: response.statusCode,
        header: name => first(response.headers, name),
        body: readBody(response.body, exchange.signal, () => false),
      }
    } catch (error) {
      throw broken(error, exchange.signal, false)
    }
  }

  async #makeH1(): Promise<Agent> {
    const undici = await import('undici')
    return new undici.Agent({
      // Our signals are the deadlines; a watch may be silent for as long as it likes.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_options, callback) => {
        this.#dial(['http/1.1']).then(
          socket => callback(null, socket),
          error => callback(error, null),
        )
      },
    })
  }
}

async function exchangeH2(stream: ClientHttp2Stream, exchange: Exchange): Promise<Answer> {
  const { signal } = exchange
  const abort = (): void => {
    stream.close(constants.NGHTTP2_CANCEL)
    stream.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
  }
  const { promise, resolve, reject } = Promise.withResolvers<IncomingHttpHeaders>()
  // Stays for the whole life of the stream: an error nobody listens to would end the process.
  stream.on('error', reject)
  stream.once('close', () => {
    signal.removeEventListener('abort', abort)
    reject(new Error('the connection was closed'))
  })
  stream.once('response', resolve)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort)
  if (exchange.body !== null) stream.end(exchange.body)
  let headers: IncomingHttpHeaders
  try {
    headers = await promise
  } catch (error) {
    throw broken(error, signal, isRefused(stream))
  }
  return {
    status: Number(headers[':status']),
    header: name => first(headers, name),
    body: readBody(stream, signal, () => stream.aborted || (stream.rstCode !== undefined && stream.rstCode !== 0)),
  }
}

async function* readBody(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  isCut: () => boolean,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* source
  } catch (error) {
    throw broken(error, signal, false)
  }
  // node:http2 ends a stream quietly when its connection closes without an error.
  if (signal.aborted) throw signal.reason
  if (isCut()) throw new TransportError('the answer was cut short')
}

function broken(error: unknown, signal: AbortSignal, refused: boolean): unknown {
  if (signal.aborted) return signal.reason
  if (error instanceof TransportError) return error
  return new TransportError(`the exchange broke: ${describe(error)}`, { cause: error, unprocessed: refused })
}

/** An AggregateError (several addresses were tried) has its words inside. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}

function first(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name]
  return (Array.isArray(value) ? value[0] : value) ?? null
}
