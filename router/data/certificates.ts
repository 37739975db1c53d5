// Certificates of a data thread: contexts are made on first use (35 KB and up to 0.7 ms each) and kept within a bound.

import { createSecureContext, type SecureContext } from 'node:tls'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { Delta } from '../model/patch.ts'

const maxContexts = 2_000

export class CertificateStore {
  readonly #certificates = new Map<CertificateId, Certificate>()
  /** In order of use, last used last. */
  readonly #contexts = new Map<CertificateId, SecureContext>()

  get size(): number {
    return this.#certificates.size
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
    const context = createSecureContext(contextOptions(certificate))
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

/** Options that the server's own context and those chosen by server name share. */
export function contextOptions(certificate: Certificate): {
  cert: string
  key: string
  minVersion: 'TLSv1.2'
  honorCipherOrder: boolean
} {
  return { cert: certificate.chain, key: certificate.key, minVersion: 'TLSv1.2', honorCipherOrder: true }
}
