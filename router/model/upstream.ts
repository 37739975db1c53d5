// The endpoints behind a Service port. Kept apart from Routes, so that a pod that comes or goes sends one small delta.

import type { Brand } from '#kit/brand.ts'
import type { UpstreamSettings } from './upstream-settings.ts'

/** `NAMESPACE/NAME:PORT` of the Service. */
export type UpstreamId = Brand<string, 'UpstreamId'>

/** One address that accepts connections. `address` is an IPv4 or IPv6 literal without brackets. */
export interface Endpoint {
  readonly address: string
  readonly port: number
  /** It is meant for clients in other zones: used only while no near one can be. */
  readonly far?: true
}

/** Many endpoints, all ready; an empty list answers 503 (contract section 9). */
export interface Upstream {
  readonly id: UpstreamId
  readonly endpoints: readonly Endpoint[]
  readonly settings: UpstreamSettings
}
