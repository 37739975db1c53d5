// Where TLS begins and ends (contract section 8): the certificate is chosen by server name, versions, suites and sessions
// follow the settings. What changes shows in the next handshake; connections that are open go on as they are.

import { Socket } from 'node:net'
import { createSecureContext, createServer, type SecureContext, type TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import type { Certificate } from '../model/certificate.ts'
import { counter } from '../model/counters.ts'
import type { TlsSettings } from '../model/settings.ts'
import type { CertificateStore } from './certificates.ts'
import type { ThreadContext } from './context.ts'
import { socketOptions } from './http/listener.ts'
import { errorPage } from './rescue.ts'
import { cachesSessions, recordSize, type TlsOptions, tlsOptions } from './tls-options.ts'
import { SessionCache } from './tls-session-cache.ts'

/** How long a client may take for its handshake, in milliseconds. */
const handshakeTimeout = 10_000

export interface TlsTerminatorOptions {
  readonly context: ThreadContext
  readonly certificates: CertificateStore
  /** 48 octets, a secret. */
  readonly ticketKeys: Uint8Array
  /** The context for a server name; null: the default one. */
  readonly lookup: (serverName: string) => SecureContext | null
}

export class TlsTerminator {
  /** Called after each handshake; `beneath` and `announced`: what `accept` was given. */
  onConnection: (socket: TLSSocket, beneath: Socket, announced: string | null) => void = socket => socket.destroy()
  readonly #options: TlsTerminatorOptions
  readonly #server: ReturnType<typeof createServer>
  readonly #sessions: SessionCache
  /** Whom PROXY headers named, by the connection beneath, until the handshake is done. */
  readonly #announced = new WeakMap<Socket, string>()
  #ticketKeys: Buffer
  #tls: TlsOptions = {}
  #recordSize = 16_384
  #certificate: Certificate | null = null

  constructor(options: TlsTerminatorOptions) {
    this.#options = options
    this.#ticketKeys = Buffer.from(options.ticketKeys)
    const { counters } = options.context
    // It never listens: it is handed every connection.
    this.#server = createServer({
      ...socketOptions,
      // Who leaves within the handshake is gone at once, and not when the handshake has taken too long.
      allowHalfOpen: false,
      handshakeTimeout,
      ALPNProtocols: ['http/1.1'],
      ticketKeys: this.#ticketKeys,
      SNICallback: (serverName, done) => {
        try {
          done(null, options.lookup(serverName) ?? undefined)
        } catch (error) {
          done(error as Error)
        }
      },
    })
    this.#sessions = new SessionCache(this.#server)
    this.#server.on('secureConnection', socket => this.#secured(socket))
    this.#server.on('tlsClientError', (error, socket) => {
      counters[counter.tlsHandshakeErrors]!++
      const plain = (error as NodeJS.ErrnoException).code === 'ERR_SSL_HTTP_REQUEST' ? socketBeneath(socket) : null
      if (plain?.writable) plain.end(plainOnHttps, () => socket.destroy())
      else socket.destroy()
    })
  }

  /** Begins a handshake on a paused connection; `announced`: whom its PROXY header named, null without one. */
  accept(socket: Socket, announced: string | null): void {
    if (announced !== null) this.#announced.set(socket, announced)
    socket.allowHalfOpen = false
    this.#server.emit('connection', socket)
  }

  configure(settings: TlsSettings): void {
    this.#recordSize = recordSize(settings)
    this.#sessions.turn(cachesSessions(settings))
    const options = this.#usable(tlsOptions(settings))
    if (isDeepStrictEqual(options, this.#tls)) return
    this.#tls = options
    this.#options.certificates.configure(options)
    this.#renew()
  }

  /** What clients see that send no server name, or one that no route has. */
  useDefault(certificate: Certificate): void {
    if (certificate === this.#certificate) return
    this.#certificate = certificate
    this.#renew()
  }

  /** From now on tickets are made with these keys, and those made with the last ones mean a full handshake. */
  setTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys = Buffer.from(keys)
    this.#server.setTicketKeys(this.#ticketKeys)
  }

  #renew(): void {
    const certificate = this.#certificate
    if (certificate === null) return
    try {
      const options = { ...this.#tls, cert: certificate.chain, key: certificate.key, ticketKeys: this.#ticketKeys }
      this.#server.setSecureContext(options)
    } catch (error) {
      // What was shown before stays; the rest of the patch shall not suffer.
      const { code = 'ERROR' } = error as NodeJS.ErrnoException
      this.#options.context.log('the default certificate cannot be used', { certificate: certificate.id, code })
    }
  }

  /** The library has the last word on a list of suites. */
  #usable(options: TlsOptions): TlsOptions {
    try {
      createSecureContext(options)
      return options
    } catch (error) {
      const { code = 'ERROR' } = error as NodeJS.ErrnoException
      this.#options.context.log('the list of ciphers cannot be used; that of the library is in force', { code })
      const old = options.minVersion === 'TLSv1' || options.minVersion === 'TLSv1.1'
      return { ...options, ciphers: old ? 'DEFAULT:@SECLEVEL=0' : undefined }
    }
  }

  #secured(socket: TLSSocket): void {
    this.#options.context.counters[counter.tlsHandshakes]!++
    const plain = socketBeneath(socket)
    // Whoever it is, it would be taken for somebody else.
    if (plain === null) {
      socket.destroy()
      return
    }
    socket.allowHalfOpen = true
    socket.setMaxSendFragment(this.#recordSize)
    this.onConnection(socket, plain, this.#announced.get(plain) ?? null)
  }
}

/** Contract section 8: who speaks plain HTTP to this port gets an answer that tells so. */
const plainOnHttps = Buffer.from(
  `HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: ${errorPage(400).length}\r\nConnection: close\r\n\r\n${errorPage(400)}`,
  'latin1',
)

/** The connection that carries the TLS; null where this Node does not keep it. */
function socketBeneath(socket: TLSSocket): Socket | null {
  const { _parent: plain } = socket as unknown as { readonly _parent?: unknown }
  return plain instanceof Socket ? plain : null
}
