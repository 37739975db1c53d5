// Where an app's processes listen (controller contract, section 8, PORT).

import { type Build, type BuildKind, buildKind } from './app.ts'
import type { ConfigMaps } from './config.ts'
import { portNeeded } from './config-change.ts'
import { own } from './json-map.ts'
import { Refusal } from './refusal.ts'

/** What slugs are given, and images of buildpacks. */
const buildpackPort = 5000

export interface PortFacts {
  readonly config: Pick<ConfigMaps, 'values' | 'registry'>
  readonly kind: BuildKind
  readonly routable: boolean
  /** Whether the platform's images are in a registry of its own, on the cluster. */
  readonly ownRegistry: boolean
}

/** `exposed`: it is for the image to say, see `exposedPort`. */
export type PortDecision = { readonly kind: 'known'; readonly port: number | null } | { readonly kind: 'exposed' }

/** Decides without looking at the image as long as that can be done. */
export function decidePort({ config, kind, routable, ownRegistry }: PortFacts): PortDecision {
  const set = own(config.values, 'PORT')
  if (set !== undefined) return { kind: 'known', port: Number(set) }
  if (kind === 'slug' || kind === 'buildpack') return { kind: 'known', port: buildpackPort }
  if (ownRegistry && own(config.registry, 'username') === undefined) return { kind: 'exposed' }
  // An image of a foreign registry is not looked at.
  if (routable) throw portNeeded()
  return { kind: 'known', port: null }
}

/** The first port that the image exposes is taken; null: it exposes none, which is fine for an app nobody routes to. */
export function exposedPort(exposed: number | null, routable: boolean): number | null {
  if (exposed === null && routable) {
    throw new Refusal('illogical', 'Expose a port or make the app non routable by changing the process type')
  }
  return exposed
}

/** Where a build's processes listen with this config, as far as it is known; null: nowhere. */
export function portOf(
  config: PortFacts['config'],
  build: Pick<Build, 'image' | 'sha' | 'dockerfile' | 'exposedPort'>,
): number | null {
  const decision = decidePort({ config, kind: buildKind(build), routable: false, ownRegistry: true })
  return decision.kind === 'known' ? (decision.port ?? build.exposedPort) : build.exposedPort
}
