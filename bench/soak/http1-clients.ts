// Requests of HTTP/1.1: on connections that are kept, plain and over TLS, and on new ones.

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { errors, Pool } from 'undici'
import type { SoakApp } from './apps.ts'
import type { Front } from './front.ts'
import { Broken } from './ledger.ts'

/** No answer is slower than this, milliseconds. */
export const patience = 10_000

/** What a request may do beside failing and succeeding. */
export interface Redo {
  /** The request is sent again, on another connection. */
  redone(): void
}

/** Connections to one app that are kept. */
export class KeptConnections {
  readonly #app: SoakApp
  readonly #front: Front
  readonly #pool: Pool

  constructor(app: SoakApp, front: Front, scheme: 'http' | 'https', connections: number) {
    this.#app = app
    this.#front = front
    this.#pool = new Pool(`${scheme}://${app.host}`, {
      connections,
      pipelining: 1,
      // Our own ends of them are never the first to close.
      keepAliveTimeout: 3_600_000,
      keepAliveMaxTimeout: 3_600_000,
      headersTimeout: patience,
      bodyTimeout: patience,
      connect: (_options, callback) => {
        const socket = scheme === 'http' ? front.connect() : front.connectTls(app.host, 'http/1.1')
        const opened = scheme === 'http' ? 'connect' : 'secureConnect'
        const onError = (error: Error): void => callback(error, null)
        socket.once('error', onError)
        socket.once(opened, () => {
          socket.off('error', onError)
          callback(null, socket)
        })
      },
    })
  }

  /** Rejects with what is wrong with the answer, or with Broken. */
  async get(redo: Redo): Promise<void> {
    const want = `${this.#app.name} ${this.#app.host}`
    try {
      await this.#ask('GET', '/', null, want)
    } catch (error) {
      // RFC 9112 section 9.6: a connection that is kept may be closed at any time, and its client has to ask again. Only
      // a router that ends has a reason to.
      if (!(error instanceof Broken) || !this.#front.draining) throw error
      redo.redone()
      await this.#ask('GET', '/', null, want)
    }
  }

  async post(octets: Buffer): Promise<void> {
    await this.#ask('POST', '/upload', octets, String(octets.length))
  }

  close(): Promise<void> {
    return this.#pool.destroy()
  }

  async #ask(method: 'GET' | 'POST', path: string, body: Buffer | null, want: string): Promise<void> {
    let answer: { readonly status: number; readonly text: string }
    try {
      const response = await this.#pool.request({ method, path, body })
      answer = { status: response.statusCode, text: await response.body.text() }
    } catch (error) {
      throw explain(error)
    }
    compare(answer, want)
  }
}

/** One request on a connection of its own. */
export async function askAnew(app: SoakApp, front: Front, scheme: 'http' | 'https'): Promise<void> {
  const socket = scheme === 'http' ? front.connect() : front.connectTls(app.host, 'http/1.1')
  try {
    // The socket is given, so that one module does for both.
    const asked = request({
      createConnection: () => socket,
      path: '/',
      headers: { Host: app.host },
      timeout: patience,
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${patience / 1_000} s`)))
    asked.end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const text = Buffer.concat(await response.toArray()).toString()
    compare({ status: response.statusCode ?? 0, text }, `${app.name} ${app.host}`)
    if (scheme === 'https') checkCertificate(app, socket as TLSSocket)
  } catch (error) {
    throw explain(error)
  } finally {
    socket.destroy()
  }
}

export function checkCertificate(app: SoakApp, socket: TLSSocket): void {
  const { fingerprint256 } = socket.getPeerCertificate()
  if (!app.shows(fingerprint256)) throw new Error('the handshake showed a certificate that is not in force')
}

function compare({ status, text }: { readonly status: number; readonly text: string }, want: string): void {
  if (status !== 200) throw new Error(`status ${status}`)
  if (text !== want) throw new Error(`a wrong body: ${text.slice(0, 80)}`)
}

// The alert is what a handshake gets whose data thread is ending: Node calls nothing of ours any more, OpenSSL gives up.
const alertOfTheDying = 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'
const breaks = new Set(['ECONNRESET', 'EPIPE', 'ECONNREFUSED', 'ECONNABORTED', alertOfTheDying])

/** Broken when the connection ended, and what it was otherwise. */
export function explain(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (error instanceof errors.SocketError || breaks.has(code ?? ''))
    return new Broken(`the connection broke: ${code ?? ''} ${message}`)
  return error
}
