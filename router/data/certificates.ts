// Certificates of a data thread. Contexts are made when a handshake asks (35 kB and up to 0.7 ms each), and kept within a
// bound from the second time on: what is asked for once, as by a scan, is gone with the handshake, and pushes nobody out.

import { createSecureContext, type SecureContext } from 'node:tls'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { Delta } from '../model/patch.ts'
import type { ThreadContext } from './context.ts'
import type { TlsOptions } from './tls-options.ts'

const maxContexts = 500
/** Names that were asked for once, of which this many are remembered. */
const maxSeen = 10_000

export class CertificateStore {
  readonly #certificates = new Map<CertificateId, Certificate>()
  /** In order of use, last used last. */
  readonly #contexts = new Map<CertificateId, SecureContext>()
  /** Asked for once, longest ago first. */
  readonly #seen = new Set<CertificateId>()
  /** Those of which the library makes no context as things are; each is logged once. */
  readonly #refused = new Set<CertificateId>()
  readonly #log: ThreadContext['log']
  #options: TlsOptions = {}

  constructor(log: ThreadContext['log']) {
    this.#log = log
  }

  get size(): number {
    return this.#certificates.size
  }

  /** What all contexts share; those of the next handshakes are made with it. */
  configure(options: TlsOptions): void {
    this.#options = options
    this.#contexts.clear()
    this.#refused.clear()
  }

  /** A changed certificate shows in the next handshake; connections that are open stay. */
  apply(delta: Delta<Certificate, CertificateId>): void {
    for (const id of delta.deletes) this.#forget(id)
    for (const certificate of delta.upserts) {
      this.#forget(certificate.id)
      this.#certificates.set(certificate.id, certificate)
    }
  }

  /** Forgets all that are not in `ids`. */
  retain(ids: ReadonlySet<CertificateId>): void {
    for (const id of this.#certificates.keys()) if (!ids.has(id)) this.#forget(id)
  }

  get(id: CertificateId): Certificate | null {
    return this.#certificates.get(id) ?? null
  }

  /**
   * The context of this certificate; null when there is none, or none that the settings allow (a short key at a high level
   * of security). Never awaits: a handshake waits for it.
   */
  context(id: CertificateId): SecureContext | null {
    const known = this.#contexts.get(id)
    if (known !== undefined) {
      this.#contexts.delete(id)
      this.#contexts.set(id, known)
      return known
    }
    const certificate = this.#certificates.get(id)
    if (certificate === undefined || this.#refused.has(id)) return null
    const context = this.#make(certificate)
    if (context === null) return null
    if (this.#seen.delete(id)) {
      this.#contexts.set(id, context)
      if (this.#contexts.size > maxContexts) dropFirst(this.#contexts)
    } else {
      this.#seen.add(id)
      if (this.#seen.size > maxSeen) dropFirst(this.#seen)
    }
    return context
  }

  #make({ id, chain, key }: Certificate): SecureContext | null {
    try {
      return createSecureContext({ ...this.#options, cert: chain, key })
    } catch (error) {
      const { code = 'ERROR' } = error as NodeJS.ErrnoException
      this.#refused.add(id)
      this.#log('a certificate cannot be used; the default one is shown instead', { certificate: id, code })
      return null
    }
  }

  #forget(id: CertificateId): void {
    this.#certificates.delete(id)
    this.#contexts.delete(id)
    this.#refused.delete(id)
    this.#seen.delete(id)
  }
}

function dropFirst(ids: Map<CertificateId, unknown> | Set<CertificateId>): void {
  for (const first of ids.keys()) {
    ids.delete(first)
    return
  }
}
