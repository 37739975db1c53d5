// Hosts, paths and addresses of routes as people read them, on the admin pages and in explanations.

import { assertNever } from '#kit/assert-never.ts'
import type { ObjectRef } from '../model/problem.ts'
import type { HostMatch, PathMatch, RouteId } from '../model/route.ts'
import type { Endpoint } from '../model/upstream.ts'

/** As somebody may have written it; `~` begins an expression. */
export function hostText(host: HostMatch): string {
  switch (host.kind) {
    case 'exact':
      return host.host
    case 'wildcard':
      return `*.${host.suffix}`
    case 'label':
      return `${host.label}.*`
    case 'regex':
      return `~${host.expression}.*`
    case 'any':
      return '*'
    case 'default':
      return 'default'
    default:
      return assertNever(host)
  }
}

/** `= /x` is that path alone, `/x` it and the segments below it, `/x*` whatever begins with it. */
export function pathText(path: PathMatch): string {
  switch (path.kind) {
    case 'exact':
      return `= ${path.path}`
    case 'prefix':
      return path.path
    case 'text-prefix':
      return `${path.path}*`
    default:
      return assertNever(path)
  }
}

export function addressText({ address, port }: Pick<Endpoint, 'address' | 'port'>): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** The object that a route was made of; null: the router's settings. */
export function objectOf(id: RouteId): ObjectRef | null {
  const [kind, namespace, name] = id.split('/')
  if (namespace === undefined || name === undefined) return null
  return { kind: kind === 'ingress' ? 'Ingress' : 'Service', namespace, name }
}
