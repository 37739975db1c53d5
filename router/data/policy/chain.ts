// What may answer before the app does, in the order of contract section 9 and why: maintenance beats all else, because
// it is what the owner wants everybody to see; an app without endpoints answers 503 even to those whom it would
// redirect, so that a probe over plain HTTP learns the truth; only then comes the redirect.

import type { Answer } from '../answer.ts'
import { errorAnswer } from '../answer.ts'
import type { Scheme } from '../http/forwarded.ts'
import type { CompiledRoute } from '../table/route-table.ts'
import { enforceHttps } from './enforce-https.ts'
import { maintenance } from './maintenance.ts'

/** What the policies need to know of a request; strings are made only when one asks. */
export interface PolicyRequest {
  scheme(): Scheme
  readonly host: string
  target(): string
}

const unavailable = errorAnswer(503, true)

/** The router's own answer, or null: the app shall answer. */
export function decide(route: CompiledRoute, request: PolicyRequest): Answer | null {
  if (route.maintenance) return maintenance
  if (!route.upstream.available) return unavailable
  if (route.enforceHttps) {
    const scheme = request.scheme()
    if (scheme === 'http' || scheme === 'ws') return enforceHttps(scheme, request.host, request.target())
  }
  return null
}
