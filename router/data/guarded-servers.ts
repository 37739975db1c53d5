// Servers for hosts that ask their clients for certificates. Each pair of certificate and authorities has one of its own, with
// its own ticket keys and session ids: a session of another host, or of before the authorities changed, is none there and
// means a full handshake. Nobody else's clients are ever asked. Made on first use, and kept within a bound.

import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { Authorities, AuthoritiesId } from '../model/authorities.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Delta } from '../model/patch.ts'
import type { ThreadContext } from './context.ts'
import type { TicketKeyRing } from './ticket-key-ring.ts'
import { handshakeOptions, type TlsOptions } from './tls-options.ts'

/** Some 80 kB each, and more with many authorities. */
const maxServers = 200

/** What a handshake for some host shows, and by whom it wants the client to be known. */
export interface Guard {
  readonly certificate: Certificate
  readonly authorities: AuthoritiesId
}

interface GuardedServer {
  readonly certificate: Certificate
  readonly server: Server
}

export interface GuardedServersOptions {
  readonly ticketKeys: TicketKeyRing
  readonly secured: (socket: TLSSocket, authorities: AuthoritiesId) => void
  readonly failed: (error: Error, socket: TLSSocket) => void
  readonly log: ThreadContext['log']
}

export class GuardedServers {
  readonly #options: GuardedServersOptions
  readonly #authorities = new Map<AuthoritiesId, Authorities>()
  /** By certificate and authorities, in order of use, last used last; null: none can be made as things are. */
  readonly #servers = new Map<string, GuardedServer | null>()
  #tls: TlsOptions = {}
  #protocols: readonly string[] = []

  constructor(options: GuardedServersOptions) {
    this.#options = options
  }

  apply({ upserts, deletes }: Delta<Authorities, AuthoritiesId>): void {
    for (const id of deletes) this.#authorities.delete(id)
    for (const authorities of upserts) this.#authorities.set(authorities.id, authorities)
    // What is deleted shall not be kept by a server; those that go on are soon made again.
    if (deletes.length > 0) this.forget()
  }

  /** Forgets all authorities that are not in `ids`. */
  retain(ids: ReadonlySet<AuthoritiesId>): void {
    for (const id of this.#authorities.keys()) if (!ids.has(id)) this.#authorities.delete(id)
    this.forget()
  }

  /** What all servers share; the next handshakes follow it. */
  configure(options: TlsOptions): void {
    this.#tls = options
    this.forget()
  }

  /** By ALPN (RFC 7301). */
  offer(protocols: readonly string[]): void {
    this.#protocols = protocols
    this.forget()
  }

  /** Whatever they are made of is another one; handshakes under way go on as they began. */
  forget(): void {
    this.#servers.clear()
  }

  /** The server for such a handshake; null: there is none, and nobody is asked, and so nobody is let in. */
  server({ certificate, authorities: id }: Guard): Server | null {
    const key = `${certificate.id} ${id}`
    const known = this.#servers.get(key)
    if (known === null || known?.certificate === certificate) {
      this.#servers.delete(key)
      this.#servers.set(key, known)
      return known?.server ?? null
    }
    const server = this.#make(certificate, id)
    this.#servers.delete(key)
    this.#servers.set(key, server === null ? null : { certificate, server })
    if (this.#servers.size > maxServers) {
      for (const oldest of this.#servers.keys()) {
        this.#servers.delete(oldest)
        break
      }
    }
    return server
  }

  #make(certificate: Certificate, id: AuthoritiesId): Server | null {
    const authorities = this.#authorities.get(id)
    if (authorities === undefined) return null
    const { ticketKeys, secured, failed, log } = this.#options
    try {
      const server = createServer({
        ...handshakeOptions,
        ...this.#tls,
        ALPNProtocols: [...this.#protocols],
        cert: certificate.chain,
        key: certificate.key,
        ca: authorities.chain,
        requestCert: true,
        // Who shows none, or a bad one, is told so by an answer that people can read.
        rejectUnauthorized: false,
        // OpenSSL takes 32 octets.
        sessionIdContext: id.slice(0, 32),
      })
      ticketKeys.derive(`client certificates ${certificate.id} ${id}`).install(server)
      server.on('secureConnection', socket => secured(socket, id))
      server.on('tlsClientError', failed)
      return server
    } catch (error) {
      const { code = 'ERROR' } = error as NodeJS.ErrnoException
      log('client certificates cannot be asked for; nobody gets in', { certificate: certificate.id, code })
      return null
    }
  }
}
