// Who signs the certificates of an app's clients. Contexts for TLS are made from them in data/client-certificates.ts.

import type { Brand } from '#kit/brand.ts'

/** SHA-256 of what they are: other authorities have another id, and nothing that was verified by the old ones counts. */
export type AuthoritiesId = Brand<string, 'AuthoritiesId'>

export interface Authorities {
  readonly id: AuthoritiesId
  /** PEM, certificates only. */
  readonly chain: string
}
