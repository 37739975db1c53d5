// What may answer before the app does, in the order of contract section 9 and why: maintenance beats all else, because
// it is what the owner wants everybody to see whom the allow list lets in; an app without endpoints answers 503 even to
// those whom it would redirect or refuse, so that a probe over plain HTTP learns the truth; then comes the redirect, also
// for those who will be refused, and after which a certificate can be shown; then the allow list, which needs nothing of the
// client; last its certificate.

import type { Answer } from '../answer.ts'
import { errorAnswer } from '../answer.ts'
import type { ClientCertificate } from '../client-certificate.ts'
import type { Scheme } from '../http/forwarded.ts'
import type { CompiledRoute } from '../table/route-table.ts'
import { forbidden, forbiddenEarly, letsIn } from './allow-list.ts'
import { checkClient } from './client-certificate.ts'
import { enforceHttps } from './enforce-https.ts'
import { maintenance } from './maintenance.ts'

/** What the policies need to know of a request; strings are made only when one asks. */
export interface PolicyRequest {
  scheme(): Scheme
  readonly host: string
  readonly clientAddress: string
  /** The connection is TLS, whatever is said of another one before it. */
  readonly secure: boolean
  /** Null: the handshake asked for none. */
  readonly clientCertificate: ClientCertificate | null
  target(): string
  /** Raw, without query. */
  path(): string
}

const unavailable = errorAnswer(503, true)
const challenges = '/.well-known/acme-challenge/'

/** The router's own answer, or null: the app shall answer. */
export function decide(route: CompiledRoute, request: PolicyRequest): Answer | null {
  if (route.maintenance) return letsIn(route.allowed, request.clientAddress) ? maintenance : forbiddenEarly
  if (!route.upstream.available) return unavailable
  if (route.enforceHttps) {
    const scheme = request.scheme()
    const plain = scheme === 'http' || scheme === 'ws'
    if (plain && !(route.exceptChallenges && request.path().startsWith(challenges)))
      return enforceHttps(scheme, request.host, request.target())
  }
  if (!letsIn(route.allowed, request.clientAddress)) return forbidden
  const rule = route.clientCertificate
  return rule === null ? null : checkClient(rule, request.clientCertificate, request.secure, request.host)
}
