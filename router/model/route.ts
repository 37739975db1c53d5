// What the router serves, as plain frozen data: it can be compared, sent to a data thread and written to disk.
// Translators in control/ make Routes from Kubernetes objects; data/table/ compiles them.

import type { Brand } from '#kit/brand.ts'
import type { CertificateId } from './certificate.ts'
import type { Hostname } from './hostname.ts'
import type { UpstreamId } from './upstream.ts'

/** Unique and stable: `service/NAMESPACE/NAME/HOST` for a domain of an annotated Service. */
export type RouteId = Brand<string, 'RouteId'>

/**
 * Which `Host` a route answers to. Precedence, highest first: `exact`; `wildcard` with the longest suffix;
 * `label` (a dotless Deis domain without a platform domain: `foo` answers to `foo.ANYTHING`); `any`.
 */
export type HostMatch =
  | { readonly kind: 'exact'; readonly host: Hostname }
  /** `suffix` is what follows `*.`; `any` depth is the Deis rule, `one` label the Ingress rule. */
  | { readonly kind: 'wildcard'; readonly suffix: Hostname; readonly depth: 'any' | 'one' }
  | { readonly kind: 'label'; readonly label: Hostname }
  | { readonly kind: 'any' }

/**
 * Which paths a route answers to, compared with the raw path before `?`.
 * `prefix` goes segment by segment (`/foo` takes `/foo/x`, never `/foobar`) and ignores its own trailing slash.
 * Precedence: the longest path; at equal length `exact` before `prefix`.
 */
export type PathMatch =
  | { readonly kind: 'exact'; readonly path: string }
  | { readonly kind: 'prefix'; readonly path: string }

/** Something that may answer a request before the backend does; `data/policy/chain.ts` fixes the order. */
export type Policy =
  /** Answer 503 with the maintenance page (contract section 9). */
  | { readonly kind: 'maintenance' }
  /** Answer plain HTTP with a redirect to HTTPS (contract section 8). */
  | { readonly kind: 'enforce-https' }

/** Where a request goes. Times are in milliseconds. */
export interface Backend {
  readonly upstream: UpstreamId
  /** No TCP connection within this time: 504. */
  readonly connectTimeout: number
  /** The longest silence between two reads or two writes with the endpoint, also for an upgraded connection: 504. */
  readonly idleTimeout: number
}

export interface Route {
  readonly id: RouteId
  /** Name in metrics and in the access log: `APP` or `NAMESPACE/APP` (contract section 6). */
  readonly app: string
  /** How the access log names the matched virtual host (contract section 14, field 9). */
  readonly serverName: string
  readonly host: HostMatch
  readonly path: PathMatch
  /** The certificate that this host is served with; null: the host does not exist on the HTTPS port (404 there). */
  readonly certificate: CertificateId | null
  readonly policies: readonly Policy[]
  readonly backend: Backend
}
