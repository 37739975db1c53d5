// Certificates of a data thread: contexts are made on first use (35 KB and up to 0.7 ms each) and kept within a bound.

import { createSecureContext, type SecureContext } from 'node:tls'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { Delta } from '../model/patch.ts'
import type { TlsOptions } from './tls-options.ts'

const maxContexts = 2_000

export class CertificateStore {
  readonly #certificates = new Map<CertificateId, Certificate>()
  /** In order of use, last used last. */
  readonly #contexts = new Map<CertificateId, SecureContext>()
  #options: TlsOptions = {}

  get size(): number {
    return this.#certificates.size
  }

  /** What all contexts share; those of the next handshakes are made with it. */
  configure(options: TlsOptions): void {
    this.#options = options
    this.#contexts.clear()
  }

  /** A changed certificate shows in the next handshake; connections that are open stay. */
  apply(delta: Delta<Certificate, CertificateId>): void {
    for (const id of delta.deletes) {
      this.#certificates.delete(id)
      this.#contexts.delete(id)
    }
    for (const certificate of delta.upserts) {
      this.#certificates.set(certificate.id, certificate)
      this.#contexts.delete(certificate.id)
    }
  }

  /** Forgets all that are not in `ids`. */
  retain(ids: ReadonlySet<CertificateId>): void {
    for (const id of this.#certificates.keys()) {
      if (ids.has(id)) continue
      this.#certificates.delete(id)
      this.#contexts.delete(id)
    }
  }

  get(id: CertificateId): Certificate | null {
    return this.#certificates.get(id) ?? null
  }

  /** The context of this certificate; null when there is none. Never awaits: a handshake waits for it. */
  context(id: CertificateId): SecureContext | null {
    const known = this.#contexts.get(id)
    if (known !== undefined) {
      this.#contexts.delete(id)
      this.#contexts.set(id, known)
      return known
    }
    const certificate = this.#certificates.get(id)
    if (certificate === undefined) return null
    const context = createSecureContext({ ...this.#options, cert: certificate.chain, key: certificate.key })
    this.#contexts.set(id, context)
    if (this.#contexts.size > maxContexts) {
      for (const oldest of this.#contexts.keys()) {
        this.#contexts.delete(oldest)
        break
      }
    }
    return context
  }
}
