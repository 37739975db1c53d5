// What the settings of an app and of the router come to in a Route (contract sections 6, 8, 10, 12 and 13). Pure; the same
// for annotated Services and Ingresses.

import type { Cidr } from '../model/cidr.ts'
import type { Backend, Policy } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { UpstreamId } from '../model/upstream.ts'
import type { AppSettings } from './app-settings.ts'
import { closedPolicy } from './client-certificates.ts'
import type { SecretRef } from './service.ts'

/** Contract section 13: nginx's 4k is a frequent complaint, so that the setting can only raise the limit. */
const leastHeadLimit = 64 * 1024

/** One object for all routes without. */
const noPolicies: readonly Policy[] = Object.freeze([])

/**
 * What may answer before the app does; nobody gets past its client certificates before `route-book.ts` knows the
 * authorities. `exceptChallenges`: whether HTTP-01 challenges are spared the redirect to HTTPS.
 */
export function policiesOf(app: AppSettings, settings: RouterSettings, exceptChallenges: boolean): readonly Policy[] {
  const policies: Policy[] = []
  if (app.maintenance) policies.push({ kind: 'maintenance' })
  if (app.enforceHttps || settings.tls.enforce) policies.push({ kind: 'enforce-https', exceptChallenges })
  const blocks = allowedBlocks(app.whitelist, settings)
  if (blocks !== null) policies.push({ kind: 'allow-list', blocks })
  if (app.clientCertificates !== null) policies.push(closedPolicy(app.clientCertificates))
  return policies.length === 0 ? noPolicies : policies
}

/** The Secret with the authorities of its clients, in the app's own namespace; null: there is none to look at. */
export function authoritiesOf({ clientCertificates }: AppSettings, namespace: string): SecretRef | null {
  const name = clientCertificates?.secret ?? null
  return name === null ? null : { namespace, name }
}

/** Whom the whitelists let in (section 10); null: no whitelist is active. */
function allowedBlocks(whitelist: readonly Cidr[] | null, settings: RouterSettings): readonly Cidr[] | null {
  const { enforceWhitelists, defaultWhitelist, whitelistMode } = settings
  if (!enforceWhitelists && defaultWhitelist === null && whitelist === null) return null
  if (whitelistMode === 'override') return whitelist ?? defaultWhitelist ?? []
  return [...(defaultWhitelist ?? []), ...(whitelist ?? [])]
}

/** The app's own policy beats the router's; `none` suppresses it. */
export function referrerPolicyOf(app: AppSettings, settings: RouterSettings): string | null {
  const policy = app.referrerPolicy ?? settings.referrerPolicy
  return policy === 'none' ? null : policy
}

export function backendOf(upstream: UpstreamId, app: AppSettings, settings: RouterSettings): Backend {
  const enabled = app.proxyBuffers.enabled ?? settings.proxyBuffers.enabled
  const number = app.proxyBuffers.number ?? settings.proxyBuffers.number
  const size = app.proxyBuffers.size ?? settings.proxyBuffers.size
  return {
    upstream,
    connectTimeout: app.connectTimeout,
    idleTimeout: app.tcpTimeout ?? settings.defaultTimeout,
    readAhead: enabled ? Math.min(number * size, greatestReadAhead) : 0,
    headLimit: Math.min(Math.max(size, leastHeadLimit), greatestHeadLimit),
  }
}

/** What a tenant may make the router hold for one slow client, and for one head. */
const greatestReadAhead = 4 * 1024 * 1024
const greatestHeadLimit = 1024 * 1024
