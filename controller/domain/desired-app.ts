// All that a cluster has to know of an app to run it and have it routed to: made from the store's rows, function-free,
// so that a plan made from it is the same whoever makes it, whenever.

import type { AppId, Autoscale, Build, Structure } from './app.ts'
import type { ConfigMaps } from './config.ts'

export interface DesiredApp {
  /** Marks what is ours: a namespace of the same name that somebody else made is left alone. */
  readonly uuid: string
  readonly id: AppId
  readonly structure: Structure
  readonly routing: Routing
  /** By process type. */
  readonly autoscale: Readonly<Record<string, Autoscale>>
  /** Null while nothing was built. */
  readonly release: DesiredRelease | null
}

/** What the router is told by the app's Service. */
export interface Routing {
  readonly routable: boolean
  readonly maintenance: boolean
  /** Null: never set, and so left to the router. */
  readonly httpsEnforced: boolean | null
  readonly whitelist: readonly string[]
  /** In the order in which they are listed. */
  readonly domains: readonly { readonly domain: string; readonly certificate: string | null }[]
  /** Those that the domains name. */
  readonly certificates: readonly DesiredCertificate[]
}

export interface DesiredCertificate {
  readonly name: string
  /** PEM. */
  readonly chain: string
  /** PEM. Secret. */
  readonly key: string
}

export interface DesiredRelease {
  readonly version: number
  readonly summary: string
  readonly created: Date
  readonly build: Build
  readonly config: ConfigMaps
  /** Where the processes listen; null: nowhere. Config's PORT, else what the image exposes. */
  readonly port: number | null
}
