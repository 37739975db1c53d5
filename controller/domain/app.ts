// An app, and everything that hangs on it, as plain data. Stores make these, the API shows them, clusters run them.

import type { Brand } from '#kit/brand.ts'

/** Name of an app: its id in URLs, its namespace and its Service. `[a-z]([a-z0-9-]*[a-z0-9])?`, 63 at most. */
export type AppId = Brand<string, 'AppId'>

/** Process type → wanted number of processes. */
export type Structure = Readonly<Record<string, number>>

/** Process type → command line. */
export type Procfile = Readonly<Record<string, string>>

export interface App {
  readonly uuid: string
  readonly id: AppId
  /** User name. */
  readonly owner: string
  readonly structure: Structure
  /** `creating` and `deleting` are passed through with the cluster's help: who finds one left over ends it. */
  readonly state: 'creating' | 'ready' | 'deleting'
  readonly created: Date
  readonly updated: Date
}

/** What was pushed or pulled: an image, or a slug, and what it says of itself. */
export interface Build {
  readonly uuid: string
  readonly app: AppId
  readonly owner: string
  /** An image, the key of a slug, or on a local cluster an absolute directory. */
  readonly image: string
  /** Empty when it was not pushed. */
  readonly sha: string
  readonly procfile: Procfile
  /** Not empty for a build from a Dockerfile. */
  readonly dockerfile: string
  /** The first port that the image exposes; null: it exposes none, or nobody knows. */
  readonly exposedPort: number | null
  readonly created: Date
  readonly updated: Date
}

/** What is pushed is a slug of the original's builder, or an image of ours, from buildpacks or a Dockerfile. */
export type BuildKind = 'slug' | 'buildpack' | 'dockerfile' | 'image'

/** Controller contract, section 5. */
export function buildKind(build: Pick<Build, 'sha' | 'dockerfile' | 'image'>): BuildKind {
  if (build.dockerfile !== '') return 'dockerfile'
  if (build.sha === '') return 'image'
  return slugKey.test(build.image) ? 'slug' : 'buildpack'
}

/** `home/APP:git-SHA/push/slug.tgz` in the store (builder contract, section 6); no image is called like this. */
const slugKey = /\.tgz$/

/** `deploying`: under way, or left by a controller that died, for the next one to finish. */
export type ReleaseState = 'deploying' | 'succeeded' | 'failed'

/** A build with a config: what runs, or ran. */
export interface Release {
  readonly uuid: string
  readonly app: AppId
  readonly owner: string
  /** From 1, without gaps, for each app. */
  readonly version: number
  readonly summary: string
  readonly state: ReleaseState
  /** UUID of its Config. */
  readonly config: string
  /** UUID of its Build; null until there is one. */
  readonly build: string | null
  readonly created: Date
  readonly updated: Date
}

export interface AppSettings {
  readonly uuid: string
  readonly app: AppId
  readonly owner: string
  readonly maintenance: boolean
  readonly routable: boolean
  /** Addresses and networks that may reach the app; empty: all. */
  readonly whitelist: readonly string[]
  /** By process type. */
  readonly autoscale: Readonly<Record<string, Autoscale>>
  /** Metadata only: never sent to the cluster. */
  readonly label: Readonly<Record<string, string>>
  readonly created: Date
  readonly updated: Date
}

/** Field names as on the wire. */
export interface Autoscale {
  readonly min: number
  readonly max: number
  readonly cpu_percent: number
}

export interface Tls {
  readonly uuid: string
  readonly app: AppId
  readonly owner: string
  /** Null: never set. */
  readonly httpsEnforced: boolean | null
  readonly created: Date
  readonly updated: Date
}

/** A name that an app answers to. */
export interface Domain {
  readonly app: AppId
  readonly owner: string
  /** ACE form; letter case as given; without dot it is below the platform domain. */
  readonly domain: string
  /** Name of the certificate attached; null: none. */
  readonly certificate: string | null
  readonly created: Date
  readonly updated: Date
}
