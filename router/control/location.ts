// Paths of one app that another app serves: `proxyDomain` and `proxyLocations` (contract section 6). The host app is the
// one whose `domains` the proxyDomain is an entry of; the handler is the one that asks for the paths.

import type { ObjectRef, Problem } from '../model/problem.ts'
import type { Policy, RouteId } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import { quote } from './annotation.ts'
import type { AppSettings } from './app-settings.ts'
import { longestPrefix, mostLocationRoutes, mostPrefixes } from './bounds.ts'
import type { DomainEntry } from './domain.ts'
import type { RouteDraft } from './route-draft.ts'
import { policiesOf } from './route-parts.ts'
import type { ServiceTranslation } from './service.ts'

export const locationsKey = 'router.deis.io/proxyLocations'

export interface Locations {
  /** Whose paths: a literal entry of the host app's domains. */
  readonly domain: DomainEntry
  /** Each once, compared with a request's path octet by octet. */
  readonly prefixes: readonly string[]
}

/** A Service that handles locations. */
export interface Handler {
  readonly ref: ObjectRef
  readonly translation: ServiceTranslation
}

/** The locations that a Service asks for. A prefix that is none costs itself only, and so does what is beyond the bounds. */
export function readLocations(
  { domains, proxyDomain, proxyLocations }: AppSettings,
  object: ObjectRef,
): { readonly locations: Locations | null; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const complain = (reason: string): void => {
    const message = `${locationsKey}: ${reason}`
    problems.push({ code: 'invalid-annotation', severity: 'warning', object, message })
  }
  const prefixes = new Set<string>()
  const elements = proxyLocations
    .split(',')
    .map(text => text.trim())
    .filter(text => text !== '')
  for (const prefix of elements.slice(0, mostPrefixes)) {
    const fault = faultOf(prefix)
    if (fault === null) prefixes.add(prefix)
    else complain(`${quote(prefix)} ${fault}; it is left out`)
  }
  const surplus = elements.length - mostPrefixes
  if (surplus > 0) complain(`at most ${mostPrefixes} prefixes are taken; the last ${surplus} are left out`)
  if (prefixes.size === 0) return { locations: null, problems }
  if (proxyDomain === null) complain('without router.deis.io/proxyDomain it says nothing')
  else if (domains.length === 0) complain('the Service has no domains of its own, and so is not served')
  else return { locations: { domain: proxyDomain, prefixes: [...prefixes] }, problems }
  return { locations: null, problems }
}

/** Why a prefix cannot be in force; null: it can. */
function faultOf(prefix: string): string | null {
  if (!prefix.startsWith('/')) return 'does not begin with a slash'
  if (prefix === '/') return 'would be all of the other app, which only its domains can give away'
  return prefix.length > longestPrefix ? `is longer than ${longestPrefix} characters` : null
}

/**
 * The drafts of a host app together with those of its locations on each of its hosts. Of two `handlers` with the same
 * prefix the first has it, and the other one a Problem; so has he whose prefixes would make too many routes.
 */
export function addLocations(
  host: ServiceTranslation,
  handlers: readonly Handler[],
  settings: RouterSettings,
): { readonly drafts: readonly RouteDraft[]; readonly problems: readonly Problem[] } {
  if (handlers.length === 0) return { drafts: host.drafts, problems: [] }
  const problems: Problem[] = []
  const owners = new Map<string, Handler>()
  for (const handler of handlers) {
    let surplus = 0
    for (const prefix of handler.translation.locations?.prefixes ?? []) {
      const owner = owners.get(prefix)
      if (owner !== undefined) problems.push(pathConflict(handler.ref, prefix, owner.ref))
      else if ((owners.size + 1) * host.drafts.length > mostLocationRoutes) surplus++
      else owners.set(prefix, handler)
    }
    if (surplus > 0) problems.push(tooManyRoutes(handler.ref, surplus, host.drafts.length))
  }
  // Policies depend on the two apps alone, not on the prefix.
  const policies = new Map<Handler, readonly Policy[]>()
  for (const handler of owners.values()) {
    const { whitelist, clientCertificates } = host.app
    const app = { ...handler.translation.app, whitelist, clientCertificates }
    policies.set(handler, policiesOf(app, settings, false))
  }
  const drafts: RouteDraft[] = []
  for (const draft of host.drafts) {
    drafts.push(draft)
    for (const [prefix, handler] of owners) {
      const [own] = handler.translation.drafts
      if (own === undefined) continue
      drafts.push({
        ...draft,
        target: own.target,
        route: {
          ...draft.route,
          id: `${draft.route.id}${prefix}` as RouteId,
          path: { kind: 'text-prefix', path: prefix },
          policies: policies.get(handler)!,
          backend: own.route.backend,
        },
      })
    }
  }
  return { drafts, problems }
}

function tooManyRoutes(object: ObjectRef, surplus: number, hosts: number): Problem {
  const message = `${locationsKey}: ${surplus} of its prefixes are left out: on ${hosts} hosts the app would have more than ${mostLocationRoutes} such routes`
  return { code: 'path-conflict', severity: 'warning', object, message }
}

function pathConflict(object: ObjectRef, prefix: string, { namespace, name }: ObjectRef): Problem {
  const message = `${locationsKey}: ${quote(prefix)} belongs to Service ${namespace}/${name}, which comes first by namespace and name`
  return { code: 'path-conflict', severity: 'warning', object, message }
}
