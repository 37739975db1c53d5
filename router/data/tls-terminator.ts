// Where TLS begins and ends (contract section 8): the certificate is chosen by server name, versions, suites and sessions
// follow the settings. What changes shows in the next handshake; connections that are open go on as they are.

import { Socket } from 'node:net'
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import type { Authorities, AuthoritiesId } from '../model/authorities.ts'
import type { Certificate } from '../model/certificate.ts'
import { counter } from '../model/counters.ts'
import type { Delta } from '../model/patch.ts'
import type { TlsSettings } from '../model/settings.ts'
import type { CertificateStore } from './certificates.ts'
import { type ClientCertificate, clientCertificateOf } from './client-certificate.ts'
import type { ThreadContext } from './context.ts'
import { type Guard, GuardedServers } from './guarded-servers.ts'
import { HelloReader } from './hello-reader.ts'
import { errorPage } from './rescue.ts'
import { TicketKeyRing } from './ticket-key-ring.ts'
import {
  cachesSessions,
  handshakeOptions,
  handshakeTimeout,
  recordSize,
  type TlsOptions,
  tlsOptions,
} from './tls-options.ts'
import { SessionCache } from './tls-session-cache.ts'

/**
 * Which sessions are ours (RFC 5077 section 4 lets tickets be bound to more than their keys). Node's default holds the command
 * line, which need not be the same in all replicas.
 */
const sessionIdContext = 'deis-router'

export interface TlsTerminatorOptions {
  readonly context: ThreadContext
  readonly certificates: CertificateStore
  /** As `model/ticket-keys.ts` has it, a secret. */
  readonly ticketKeys: Uint8Array
  /** The context for a server name; null: the default one. */
  readonly lookup: (serverName: string) => SecureContext | null
  /** Whether any host asks for client certificates. */
  readonly guards: () => boolean
  /** What a host asks of its clients; null: nothing. `shown`: what is shown for names without a certificate of their own. */
  readonly guard: (serverName: string, shown: Certificate | null) => Guard | null
}

export class TlsTerminator {
  /** Called after each handshake; `beneath` and `announced`: what `accept` was given; null: it asked for no certificate. */
  onConnection: (
    socket: TLSSocket,
    beneath: Socket,
    announced: string | null,
    clientCertificate: ClientCertificate | null,
  ) => void = socket => socket.destroy()
  readonly #options: TlsTerminatorOptions
  readonly #server: Server
  readonly #guarded: GuardedServers
  readonly #sessions: SessionCache
  /** Whom PROXY headers named, by the connection beneath, until the handshake is done. */
  readonly #announced = new WeakMap<Socket, string>()
  readonly #ticketKeys: TicketKeyRing
  /** Names that guarded handshakes ask for, by the connection beneath. */
  readonly #named = new WeakMap<Socket, string>()
  /** The last that the library took. */
  #tls: TlsOptions = {}
  #recordSize = 16_384
  #certificates: readonly Certificate[] = []
  #shown: Certificate | null = null

  constructor(options: TlsTerminatorOptions) {
    this.#options = options
    this.#ticketKeys = new TicketKeyRing(options.ticketKeys)
    this.#guarded = new GuardedServers({
      ticketKeys: this.#ticketKeys,
      secured: (socket, authorities) => this.#known(socket, authorities),
      failed: (error, socket) => this.#failed(error, socket),
      log: options.context.log,
    })
    this.#server = createServer({
      ...handshakeOptions,
      ALPNProtocols: ['http/1.1'],
      sessionIdContext,
      SNICallback: (serverName, done) => {
        try {
          done(null, options.lookup(serverName) ?? undefined)
        } catch (error) {
          done(error as Error)
        }
      },
    })
    this.#ticketKeys.install(this.#server)
    this.#sessions = new SessionCache(this.#server)
    this.#server.on('secureConnection', socket => this.#secured(socket, null))
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
  }

  /**
   * Begins a handshake on a paused connection, of which `early` has been read already; `announced`: whom its PROXY header
   * named, null without one.
   */
  accept(socket: Socket, announced: string | null, early: Buffer): void {
    if (announced !== null) this.#announced.set(socket, announced)
    socket.allowHalfOpen = false
    const { context, guards } = this.#options
    if (!guards()) {
      this.#begin(this.#server, socket, early)
      return
    }
    new HelloReader(context, socket, early, handshakeTimeout, (hello, octets) => {
      if (hello === null) context.counters[counter.tlsHandshakeErrors]!++
      else this.#begin(this.#serverFor(hello.kind === 'hello' ? hello.serverName : null, socket), socket, octets)
    })
  }

  /** Who signs the certificates of clients. */
  applyAuthorities(delta: Delta<Authorities, AuthoritiesId>): void {
    this.#guarded.apply(delta)
  }

  /** Forgets all authorities that are not in `ids`. */
  retainAuthorities(ids: ReadonlySet<AuthoritiesId>): void {
    this.#guarded.retain(ids)
  }

  configure(settings: TlsSettings): void {
    this.#recordSize = recordSize(settings)
    this.#sessions.turn(cachesSessions(settings))
    const options = this.#usable(tlsOptions(settings))
    if (isDeepStrictEqual(options, this.#tls)) return
    this.#tls = options
    this.#options.certificates.configure(options)
    this.#guarded.configure(options)
    this.#renew()
  }

  /** Which versions of HTTP the next handshakes offer by ALPN (RFC 7301). */
  offerHttp2(offered: boolean): void {
    // Node reads them from the server for each connection, as the octets of the extension.
    const octets = Buffer.from(offered ? '\x02h2\x08http/1.1' : '\x08http/1.1', 'latin1')
    this.#guarded.offer(offered ? ['h2', 'http/1.1'] : ['http/1.1'])
    ;(this.#server as unknown as { ALPNProtocols: Buffer }).ALPNProtocols = octets
  }

  /**
   * What clients see that send no server name, or one that no route has: the first of these, if it can be used, else what
   * they saw before, else the others.
   */
  useDefault(certificates: readonly Certificate[]): void {
    const known = this.#certificates
    if (certificates.length === known.length && certificates.every((one, at) => one === known[at])) return
    this.#certificates = certificates
    this.#renew()
  }

  /** From now on tickets are made with the first of these keys, and those made with others mean a full handshake. */
  setTicketKeys(keys: Uint8Array): void {
    this.#ticketKeys.replace(keys)
    this.#ticketKeys.install(this.#server)
    this.#guarded.forget()
  }

  /** A name that says nothing, or nothing special, is for the one server that asks nobody. */
  #serverFor(serverName: string | null, socket: Socket): Server {
    const name = normalizeServerName(serverName ?? '')
    const guard = name === '' ? null : this.#options.guard(name, this.#shown)
    const server = guard === null ? null : this.#guarded.server(guard)
    if (server !== null) this.#named.set(socket, name)
    return server ?? this.#server
  }

  /** A handshake of a guarded server is done. Node knows no name where TLS 1.2 resumes a session, so ours counts. */
  #known(socket: TLSSocket, authorities: AuthoritiesId): void {
    const plain = socketBeneath(socket)
    const name = plain === null ? undefined : this.#named.get(plain)
    const { servername } = socket as { readonly servername?: unknown }
    if (name === undefined || (typeof servername === 'string' && normalizeServerName(servername) !== name)) {
      socket.destroy()
      return
    }
    this.#secured(socket, clientCertificateOf(socket, name, authorities))
  }

  /** The handshake begins with what a paused socket holds. */
  #begin(server: Server, socket: Socket, early: Buffer): void {
    if (early.length > 0) {
      socket.pause()
      socket.unshift(early)
    }
    server.emit('connection', socket)
  }

  #failed(error: Error, socket: TLSSocket): void {
    this.#options.context.counters[counter.tlsHandshakeErrors]!++
    const plain = (error as NodeJS.ErrnoException).code === 'ERR_SSL_HTTP_REQUEST' ? socketBeneath(socket) : null
    if (plain?.writable) plain.end(plainOnHttps, () => socket.destroy())
    else socket.destroy()
  }

  #renew(): void {
    const [first, ...others] = this.#certificates
    if (first === undefined) return
    for (const certificate of new Set([first, this.#shown ?? first, ...others])) {
      const { id, chain, key } = certificate
      try {
        this.#server.setSecureContext({ ...this.#tls, cert: chain, key, sessionIdContext })
        this.#ticketKeys.install(this.#server)
        this.#shown = certificate
        return
      } catch (error) {
        // When none can be used, all is as it was; the rest of the patch shall not suffer.
        this.#options.context.log('the default certificate cannot be used', { certificate: id, code: codeOf(error) })
      }
    }
  }

  /** The library has the last word; without what it refuses, or else as it was, TLS goes on. */
  #usable(options: TlsOptions): TlsOptions {
    const error = refusal(options)
    if (error === null) return options
    const { log } = this.#options.context
    const code = codeOf(error)
    for (const { what, without } of relaxations(options)) {
      if (refusal(without) !== null) continue
      log(`${what} cannot be used; the default of the TLS library is in force`, { code })
      return without
    }
    const reason = error instanceof Error ? error.message.slice(0, maxReason) : ''
    log('the TLS settings cannot be used; what was in force before stays', { code, reason })
    return this.#tls
  }

  #secured(socket: TLSSocket, clientCertificate: ClientCertificate | null): void {
    this.#options.context.counters[counter.tlsHandshakes]!++
    const plain = socketBeneath(socket)
    // Whoever it is, it would be taken for somebody else.
    if (plain === null) {
      socket.destroy()
      return
    }
    socket.allowHalfOpen = true
    socket.setMaxSendFragment(this.#recordSize)
    this.onConnection(socket, plain, this.#announced.get(plain) ?? null, clientCertificate)
  }
}

const maxReason = 200

/** As routes have it: lower case, without a dot at its end. */
export function normalizeServerName(serverName: string): string {
  const lower = serverName.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

/** What the library has against these options; null: nothing. */
function refusal(options: TlsOptions): unknown {
  try {
    createSecureContext(options)
    return null
  } catch (error) {
    return error
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'ERROR'
}

/** The options without one of those that only the library can judge, then without both. */
function* relaxations(options: TlsOptions): Generator<{ what: string; without: TlsOptions }> {
  const old = options.minVersion === 'TLSv1' || options.minVersion === 'TLSv1.1'
  const ciphers = old ? 'DEFAULT:@SECLEVEL=0' : undefined
  const dhparam = 'auto'
  // The parameters first: with a level of security it is they that the level forbids.
  if (options.dhparam !== dhparam) yield { what: 'dhparam', without: { ...options, dhparam } }
  if (options.ciphers !== ciphers) yield { what: 'the list of ciphers', without: { ...options, ciphers } }
  const both = { ...options, dhparam, ciphers } as const
  if (options.dhparam !== dhparam && options.ciphers !== ciphers)
    yield { what: 'the list of ciphers with dhparam', without: both }
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
