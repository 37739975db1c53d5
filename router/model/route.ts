// What the router serves, as plain frozen data: it can be compared, sent to a data thread and written to disk.
// Translators in control/ make Routes from Kubernetes objects; data/table/ compiles them.

import type { Brand } from '#kit/brand.ts'
import type { AuthoritiesId } from './authorities.ts'
import type { CertificateId } from './certificate.ts'
import type { Cidr } from './cidr.ts'
import type { Hostname } from './hostname.ts'
import type { UpstreamId } from './upstream.ts'

/**
 * Unique and stable: `service/NAMESPACE/NAME/ENTRY` for an entry of the `domains` of an annotated Service,
 * `ingress/NAMESPACE/NAME/…` for a rule of an Ingress, `default-service` for that of the settings.
 */
export type RouteId = Brand<string, 'RouteId'>

/**
 * Which `Host` a route answers to. Precedence, highest first: `exact`; `wildcard` with the longest suffix; `label` (a
 * dotless Deis domain without a platform domain: `foo` answers to `foo.ANYTHING`) and `regex`, first by namespace and
 * name of the object behind it; `any`. A `default` route answers what no other route does: no host, or a host none of
 * whose paths match.
 */
export type HostMatch =
  | { readonly kind: 'exact'; readonly host: Hostname }
  /** `suffix` is what follows `*.`; `any` depth is the Deis rule, `one` label the Ingress rule. */
  | { readonly kind: 'wildcard'; readonly suffix: Hostname; readonly depth: 'any' | 'one' }
  | { readonly kind: 'label'; readonly label: Hostname }
  /** `expression` (RE2 syntax) must match all that precedes a dot and a parent domain which is not empty. */
  | { readonly kind: 'regex'; readonly expression: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'default' }

/**
 * Which paths a route answers to, compared with the raw path before `?`.
 * `prefix` goes segment by segment (`/foo` takes `/foo/x`, never `/foobar`) and ignores its own trailing slash;
 * `text-prefix` compares octets (`/foo` takes `/foobar` too).
 * Precedence: the longest path; at equal length `exact`, then `prefix`, then `text-prefix`.
 */
export type PathMatch =
  | { readonly kind: 'exact'; readonly path: string }
  | { readonly kind: 'prefix'; readonly path: string }
  | { readonly kind: 'text-prefix'; readonly path: string }

/** Something that may answer a request before the backend does; `data/policy/chain.ts` fixes the order. */
export type Policy =
  /** Answer 503 with the maintenance page (contract section 9). */
  | { readonly kind: 'maintenance' }
  /**
   * Answer plain HTTP with a redirect to HTTPS (contract section 8), but for the paths of HTTP-01 challenges
   * (RFC 8555 section 8.3) when `exceptChallenges`.
   */
  | { readonly kind: 'enforce-https'; readonly exceptChallenges: boolean }
  /** Answer 403 to clients outside of all blocks; without blocks to everybody (contract section 10). */
  | { readonly kind: 'allow-list'; readonly blocks: readonly Cidr[] }
  /**
   * Let clients in that these authorities have signed a certificate for, and without `required` those too that show
   * none; null: nobody. With `passToApp` the app is told whom.
   */
  | {
      readonly kind: 'client-certificate'
      readonly authorities: AuthoritiesId | null
      readonly required: boolean
      readonly passToApp: boolean
    }

/** Where a request goes. Times are in milliseconds. */
export interface Backend {
  readonly upstream: UpstreamId
  /** No TCP connection within this time: 504. */
  readonly connectTimeout: number
  /** The longest silence between two reads or two writes with the endpoint, also for an upgraded connection: 504. */
  readonly idleTimeout: number
  /** Octets of an answer that may be read ahead of a slow client; 0: none beyond what sockets hold. */
  readonly readAhead: number
  /** The largest head that an endpoint may send, octets. */
  readonly headLimit: number
}

export interface Route {
  readonly id: RouteId
  /** Name in metrics and in the access log: `APP` or `NAMESPACE/APP` (contract section 6). */
  readonly app: string
  /** How the access log names the matched virtual host (contract section 14, field 9). */
  readonly serverName: string
  readonly host: HostMatch
  readonly path: PathMatch
  /** Whether the route exists on the HTTPS port; if not, it is 404 there. */
  readonly https: boolean
  /** The certificate that this host is served with; null: the default one, or somebody else's of the same host. */
  readonly certificate: CertificateId | null
  readonly policies: readonly Policy[]
  /** Whether the app gets X-Request-Start (contract section 11). */
  readonly requestStart: boolean
  /** The value of Referrer-Policy on answers (contract section 12); null: none. */
  readonly referrerPolicy: string | null
  readonly backend: Backend
}
