// An app behind the router that speaks HTTP/2: Node's own server, with prior knowledge or over TLS.

import { once } from 'node:events'
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { fallbackCertificate } from './certificates.ts'

export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void

export class Http2App implements AsyncDisposable {
  readonly sessions = new Set<ServerHttp2Session>()
  readonly #server: Http2Server | Http2SecureServer
  /** Sessions accepted so far. */
  accepted = 0

  private constructor(server: Http2Server | Http2SecureServer, handler: StreamHandler) {
    this.#server = server
    server.on('session', session => {
      this.accepted++
      this.sessions.add(session)
      session.on('close', () => this.sessions.delete(session))
      session.on('error', () => {})
    })
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on('error', () => {})
      handler(stream, headers)
    })
  }

  static async start(protocol: 'h2' | 'h2c', handler: StreamHandler, options: ServerOptions = {}): Promise<Http2App> {
    const { chain, key } = fallbackCertificate()
    const server = protocol === 'h2' ? createSecureServer({ ...options, cert: chain, key }) : createServer(options)
    const app = new Http2App(server, handler)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return app
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.sessions) session.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** What a stream has brought, once it has all come. */
export async function bodyOf(stream: ServerHttp2Stream): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}
