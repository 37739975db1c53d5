// Which route answers for a URL, and which others would if it were not there. The data threads find it with indexes that
// tell nothing of those who lose (`data/table/`); this goes through all routes and ranks them. Both follow what
// `model/route.ts` says of precedence, and a property test holds one against the other. Pure.

import { assertNever } from '#kit/assert-never.ts'
import { compareText } from '#kit/compare-text.ts'
import type { CertificateId } from '../model/certificate.ts'
import { compileHostExpression, maxExpressions } from '../model/host-expression.ts'
import type { HostMatch, PathMatch, Route } from '../model/route.ts'
import { claimKey } from './claims.ts'

export interface Asked {
  /** Lower case, without port and trailing dot. */
  readonly host: string
  /** Raw, without query. */
  readonly path: string
  /** On the HTTPS port. */
  readonly secure: boolean
}

/** The routes of one host on one listener. */
export interface MatchedHost {
  readonly host: HostMatch
  /** By precedence of their paths; of two that claim the same path the first has it. */
  readonly routes: readonly Route[]
  /** What a handshake for the host shows; null: the default one. */
  readonly certificate: CertificateId | null
}

export interface Contest {
  /** The hosts that match, by precedence: the first one keeps the request, whatever its paths. */
  readonly hosts: readonly MatchedHost[]
  /** The default tier; null: there is none. */
  readonly default: MatchedHost | null
  /** What answers; null: nothing. */
  readonly winner: Route | null
}

/** No host name is longer (RFC 1035 section 2.3.4): longer ones match exactly, or whatever nobody names. */
const maxHost = 253

export function contest(routes: Iterable<Route>, asked: Asked): Contest {
  const groups = new Map<string, Route[]>()
  for (const route of routes) {
    if (asked.secure && !route.https) continue
    if (route.host.kind !== 'regex' && route.host.kind !== 'default' && !matchesHost(route.host, asked.host)) continue
    const key = groupKey(route.host)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [route])
    else group.push(route)
  }
  for (const group of groups.values()) group.sort((a, b) => compareText(a.id, b.id))
  const tier = groups.get('-')
  groups.delete('-')
  dropExpressions(groups, asked.host)
  const hosts = [...groups.values()].sort(compareGroups).map(matchedHost)
  const fallback = tier === undefined ? null : matchedHost(tier)
  const winner = routeFor(hosts[0] ?? null, asked.path) ?? routeFor(fallback, asked.path)
  return { hosts, default: fallback, winner }
}

/** Whether the host is for this name, whoever goes before it. `default` is for no name. */
export function matchesHost(host: HostMatch, name: string): boolean {
  switch (host.kind) {
    case 'exact':
      return name === host.host
    case 'wildcard': {
      const dot = name.length - host.suffix.length - 1
      if (name.length > maxHost || dot < 1 || name[dot] !== '.' || !name.endsWith(host.suffix)) return false
      const first = name.indexOf('.')
      return first > 0 && (host.depth === 'any' || first === dot)
    }
    case 'label':
      return hasParent(name) && name.slice(0, name.indexOf('.')) === host.label
    case 'regex': {
      const compiled = compileHostExpression(host.expression)
      return compiled.kind === 'expression' && hasParent(name) && compiled.pattern.matches(name)
    }
    case 'any':
      return true
    case 'default':
      return false
    default:
      return assertNever(host)
  }
}

/** Whether a route of a host takes this path, whoever goes before it. */
export function matchesPath({ kind, path }: PathMatch, asked: string): boolean {
  switch (kind) {
    case 'exact':
      return asked === path
    case 'prefix': {
      const base = withoutSlash(path)
      if (base === '/') return true
      // `/a//` is the empty segment below `/a`, which `/a/` does not have.
      return (asked === base && !base.endsWith('/')) || asked.startsWith(`${base}/`)
    }
    case 'text-prefix':
      return asked.startsWith(path)
    default:
      return assertNever(kind)
  }
}

function routeFor(host: MatchedHost | null, path: string): Route | null {
  return host?.routes.find(route => matchesPath(route.path, path)) ?? null
}

function matchedHost(routes: readonly Route[]): MatchedHost {
  return {
    host: routes[0]!.host,
    // Stable: of equals the first by id stays the first.
    routes: routes.toSorted((a, b) => comparePaths(a.path, b.path)),
    certificate: routes.find(({ certificate }) => certificate !== null)?.certificate ?? null,
  }
}

const kindOrder = { exact: 0, prefix: 1, 'text-prefix': 2 } as const

/** The longest path first; at equal length exact before prefix before text prefix. */
function comparePaths(a: PathMatch, b: PathMatch): number {
  return lengthOf(b) - lengthOf(a) || kindOrder[a.kind] - kindOrder[b.kind]
}

function lengthOf({ kind, path }: PathMatch): number {
  return kind === 'text-prefix' ? path.length : withoutSlash(path).length
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

/** Wildcards of either depth are two hosts. */
function groupKey(host: HostMatch): string {
  return host.kind === 'wildcard' && host.depth === 'any' ? `*${claimKey(host)}` : claimKey(host)
}

function hasParent(name: string): boolean {
  const dot = name.indexOf('.')
  return name.length <= maxHost && dot > 0 && dot < name.length - 1
}

/** Leaves the expressions that match; those beyond the bound on all together are not looked at. */
function dropExpressions(groups: Map<string, Route[]>, name: string): void {
  const expressions = [...groups]
    .flatMap(([key, [first]]) => (first?.host.kind === 'regex' ? [{ key, first, text: first.host.expression }] : []))
    .sort((a, b) => compareText(orderOf(a.first), orderOf(b.first)) || compareText(a.text, b.text))
  const parented = hasParent(name)
  let size = 0
  for (const { key, text } of expressions) {
    // Whatever comes behind the bound need not be compiled.
    const compiled = parented && size <= maxExpressions ? compileHostExpression(text) : null
    if (compiled?.kind === 'expression') size += compiled.size
    const isMatch = compiled?.kind === 'expression' && size <= maxExpressions && compiled.pattern.matches(name)
    if (!isMatch) groups.delete(key)
  }
}

const hostOrder = { exact: 0, wildcard: 1, label: 2, regex: 2, any: 3, default: 4 } as const

/** All of them match one name, so that the longer of two suffixes is the one with more labels. */
function compareGroups([a]: readonly Route[], [b]: readonly Route[]): number {
  const [one, other] = [a!.host, b!.host]
  const order = hostOrder[one.kind] - hostOrder[other.kind]
  if (order !== 0) return order
  if (one.kind === 'wildcard' && other.kind === 'wildcard')
    return other.suffix.length - one.suffix.length || Number(one.depth === 'any') - Number(other.depth === 'any')
  return compareText(orderOf(a!), orderOf(b!))
}

/** Namespace before name before the rest, whatever characters names hold: `/` counts as less than all of them. */
function orderOf({ id }: Route): string {
  return id.replaceAll('/', '\0')
}
