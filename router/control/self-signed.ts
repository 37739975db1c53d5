// The router's own certificate, for names that nobody gave one: made at each start, written nowhere.

import { selfSign } from '#kit/self-signed.ts'
import type { Certificate, CertificateId } from '../model/certificate.ts'

const selfSignedId = 'self-signed' as CertificateId

/** Valid for ten years from `now` (milliseconds): it lives as long as the process. No client should take its name for anything. */
export function createSelfSigned(now: number): Certificate {
  return { id: selfSignedId, ...selfSign(['deis-router.invalid'], 3650, now) }
}
