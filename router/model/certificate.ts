// Certificates as data. Contexts for TLS are made from them in data/certificates.ts, on first use.

import type { Brand } from '#kit/brand.ts'

/** `NAMESPACE/NAME` of the Secret, or `self-signed` for the router's own fallback. */
export type CertificateId = Brand<string, 'CertificateId'>

/** A checked pair: the leaf in `chain` belongs to `key`. */
export interface Certificate {
  readonly id: CertificateId
  /** PEM, leaf first. */
  readonly chain: string
  /** PEM. Never logged, never served. */
  readonly key: string
  /** SHA-256 of the leaf, upper-case hexadecimal with colons. */
  readonly fingerprint: string
  /** When the leaf expires, milliseconds since the epoch. */
  readonly notAfter: number
}
