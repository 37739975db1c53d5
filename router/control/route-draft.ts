// A Route on its way: what a translator asks for, before it is known which certificates there are.

import type { Route } from '../model/route.ts'
import type { SecretRef } from './service.ts'
import type { UpstreamTarget } from './upstream-book.ts'

export interface RouteDraft {
  /** `certificate` names what the route is to have, whether or not it exists. */
  readonly route: Route
  /** The Secret behind that certificate; null when the route names none. */
  readonly secret: SecretRef | null
  /** The Secret with the authorities of its clients; null: they are not asked, or nobody gets in. */
  readonly authorities: SecretRef | null
  /** Whether the route is 404 on the HTTPS port unless its certificate is usable (contract section 8). */
  readonly needsCertificate: boolean
  /** What the upstream stands for. */
  readonly target: UpstreamTarget
}
