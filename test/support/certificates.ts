// Certificates for tests: any pair will do where a client does not check names.

import { createSelfSigned } from '#router/control/self-signed.ts'
import type { Certificate, CertificateId } from '#router/model/certificate.ts'

/** The router's own, for names that have none. */
export function fallbackCertificate(): Certificate {
  return createSelfSigned(Date.now())
}

/** One with a key of its own. */
export function certificateOf(id: string): Certificate {
  return { ...fallbackCertificate(), id: id as CertificateId }
}
