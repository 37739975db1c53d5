// Whom an app lets in by the certificate that they show (RFC 8446 section 4.3.2). What counts is what the handshake was
// for: asking one host's way in by another host's handshake, by a session of before, or in the clear gets nobody in.

import type { AuthoritiesId } from '../../model/authorities.ts'
import { type Answer, errorAnswer } from '../answer.ts'
import type { ClientCertificate } from '../client-certificate.ts'

export interface ClientCertificateRule {
  /** Null: nobody gets in. */
  readonly authorities: AuthoritiesId | null
  readonly required: boolean
  readonly passToApp: boolean
}

/** Nobody can get in, or nobody can this way: plain HTTP shows no certificate. */
const closed = errorAnswer(403, true, true)
/** As nginx has it: the certificate is missing, expired or signed by somebody else. */
const unsatisfied = errorAnswer(400, true, true)
/** RFC 9110 section 15.5.20: the client may ask again over a connection of its own for this host. */
const misdirected = errorAnswer(421, true, true)

export const clientRefusals: ReadonlySet<Answer> = new Set([closed, unsatisfied, misdirected])

/** The refusal, or null: the client is let in. `shown` null: its handshake, if there was one, asked for none. */
export function checkClient(
  { authorities, required }: ClientCertificateRule,
  shown: ClientCertificate | null,
  secure: boolean,
  host: string,
): Answer | null {
  if (authorities === null || !secure) return closed
  if (shown === null || shown.serverName !== host || shown.authorities !== authorities) return misdirected
  switch (shown.standing) {
    case 'none':
      return required ? unsatisfied : null
    case 'invalid':
      return unsatisfied
    case 'verified':
      return Date.now() > shown.notAfter ? unsatisfied : null
  }
}
