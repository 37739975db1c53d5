// `GET /explain?url=…` of the admin port: which route answers for a URL, what stands between, and why others do not get
// it. What is in force is read from `Published`, which is what the data threads were told; who asked for more, from the World.

import { X509Certificate } from 'node:crypto'
import type {
  ExplainedCertificate,
  ExplainedOther,
  ExplainedOutcome,
  ExplainedProblem,
  ExplainedRoute,
  ExplainedUpstream,
  Explanation,
} from '#kit/explanation.ts'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { ObjectRef } from '../model/problem.ts'
import type { HostMatch, Route } from '../model/route.ts'
import type { UpstreamId } from '../model/upstream.ts'
import { namesOf } from './certificate.ts'
import { claimKey } from './claims.ts'
import type { Contender } from './contender.ts'
import type { KnownEndpoint } from './endpoints.ts'
import { explainPolicies } from './explain-policies.ts'
import { nearest } from './nearest.ts'
import { refKey } from './object-shape.ts'
import type { DatedProblem } from './problem-book.ts'
import type { Published } from './published.ts'
import { type Contest, contest, type MatchedHost, matchesHost, matchesPath } from './route-match.ts'
import { addressText, hostText, objectOf, pathText } from './route-text.ts'

const mostOthers = 20
const mostProblems = 20
const mostEndpoints = 50
const mostNearest = 5
/** Expressions of contenders that are compiled for one answer. */
const mostExpressions = 500

/** What an explanation is made from. */
export interface ExplainSources {
  readonly published: Published
  /** Those that ask for hosts and do not get them. */
  readonly contenders: (matches: (host: HostMatch) => boolean) => Iterable<Contender>
  /** All endpoints of an upstream, those that get no requests too. */
  readonly endpoints: (id: UpstreamId) => readonly KnownEndpoint[]
  readonly problems: () => readonly DatedProblem[]
  /** Of the certificate for hosts without one; it may exist or not. */
  readonly platformCertificate: CertificateId
}

/** A URL as far as routing is concerned. */
export interface AskedUrl {
  readonly url: string
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly path: string
  /** With its question mark; empty: none. */
  readonly query: string
}

const longestUrl = 4096

/** As a client would ask for it: dot segments resolved, names in ASCII. `http://` when it has no scheme. Null: it is no URL. */
export function readUrl(text: string): AskedUrl | null {
  if (text === '' || text.length > longestUrl) return null
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null || !/^(https?|wss?):$/.test(url.protocol) || url.hostname === '') return null
  const secure = url.protocol === 'https:' || url.protocol === 'wss:'
  const scheme = secure ? 'https' : 'http'
  const host = url.hostname.replace(/\.$/, '')
  const port = url.port === '' ? '' : `:${url.port}`
  const shown = `${scheme}://${host}${port}${url.pathname}`
  return { url: shown, scheme, host, path: url.pathname, query: url.search }
}

/**
 * `forWhom`: namespaces of whom it is for: what is theirs comes first among those who lose, and only their hosts are proposed.
 * Null: for somebody who may know everything.
 */
export function explain(
  asked: AskedUrl,
  sources: ExplainSources,
  forWhom: ReadonlySet<string> | null = null,
): Explanation {
  const { published } = sources
  const { scheme, host, path } = asked
  const secure = scheme === 'https'
  const found = contest(published.routes.values(), { host, path, secure })
  const { winner } = found
  const upstream = winner === null ? null : explainUpstream(winner, sources)
  const decided = explainPolicies(asked, winner, published, upstream?.used ?? 0)
  const { others, rest } = explainOthers(asked, found, sources, forWhom)
  const isHealth = isHealthCheck(found, path)
  const outcome = isHealth ? health : (decided.outcome ?? explainWinner(asked, found, others))
  const route = isHealth || winner === null ? null : explainRoute(winner, found)
  const certificate = secure ? explainCertificate(asked, found, sources) : null
  return {
    url: asked.url,
    scheme,
    host,
    path,
    version: published.version,
    outcome,
    route,
    certificate,
    policies: route === null ? [] : decided.policies,
    upstream: route === null ? null : (upstream?.explained ?? null),
    others,
    othersLeftOut: rest,
    problems: explainProblems(
      host,
      [route?.object, certificate?.secret, ...others.map(({ object }) => object)],
      sources,
    ),
    nearest: found.hosts.some(({ host: { kind } }) => kind !== 'any')
      ? []
      : nearest(host, hostsOf(published, forWhom), mostNearest),
  }
}

/** The router's own answer for hosts that nobody names. */
function isHealthCheck({ hosts }: Contest, path: string): boolean {
  return (path === '/healthz' || path === '/healthz/') && (hosts[0]?.host.kind ?? 'any') === 'any'
}

const health: ExplainedOutcome = {
  kind: 'health',
  status: 200,
  location: null,
  text: 'no route names this host, so that /healthz is the router’s own: load balancers ask for it',
}

function explainWinner(
  { scheme, host, path }: AskedUrl,
  found: Contest,
  others: readonly ExplainedOther[],
): ExplainedOutcome {
  const { winner, hosts } = found
  if (winner !== null) return { kind: 'app', status: null, location: null, text: `${winner.app} answers` }
  const [best] = hosts
  const text =
    best !== undefined
      ? `${hostText(best.host)} has routes, but none for ${path}, and there is no default service`
      : others.some(({ reason }) => reason === 'not-https')
        ? `${host} is served on plain HTTP only: it has no certificate that can be used`
        : `nothing is routed for ${host}${scheme === 'https' ? ' on HTTPS' : ''}, and there is no default service`
  return { kind: 'not-found', status: 404, location: null, text }
}

function explainRoute(route: Route, { hosts }: Contest): ExplainedRoute {
  const host = hostText(route.host)
  const path = pathText(route.path)
  return {
    id: route.id,
    object: objectOf(route.id),
    app: route.app,
    host,
    path,
    https: route.https,
    text: route.host.kind === 'default' ? defaultText(hosts[0]) : reasonText(route, hosts.length),
  }
}

function defaultText(best: MatchedHost | undefined): string {
  return best === undefined
    ? 'no route names this host, so that the default tier answers'
    : `${hostText(best.host)} has no route for this path, so that the default tier answers`
}

function reasonText({ host, path }: Route, hosts: number): string {
  const why = {
    exact: 'the host is exactly this one',
    wildcard: 'the host is below this wildcard',
    label: 'the first label of the host is this one',
    regex: 'the host matches this expression',
    any: 'it takes whatever host nobody names',
    default: '',
  }[host.kind]
  const goesFirst = hosts > 1 ? ', which goes before all others that match' : ''
  const handed = path.kind === 'text-prefix' ? '; the path is handed to another app by its proxyLocations' : ''
  return `${why}${goesFirst}${handed}`
}

function explainUpstream(
  { backend: { upstream: id } }: Route,
  { published, endpoints }: ExplainSources,
): { readonly explained: ExplainedUpstream; readonly used: number } {
  const upstream = published.upstreams.get(id)
  const inForce = upstream?.endpoints ?? []
  const known = endpoints(id)
  // Of a snapshot only what is in force is known.
  const all: readonly KnownEndpoint[] =
    known.length > 0 ? known : inForce.map(each => ({ ...each, state: 'ready', used: true }))
  const settings = upstream?.settings
  return {
    used: inForce.length,
    explained: {
      id,
      protocol: settings?.protocol ?? 'http1',
      balance: settings === undefined ? 'power-of-two' : settings.balance.kind,
      total: all.length,
      ready: all.filter(({ state }) => state === 'ready').length,
      endpoints: all.slice(0, mostEndpoints).map(each => ({
        address: addressText(each),
        state: each.state,
        used: each.used,
        far: each.far === true,
      })),
    },
  }
}

function explainCertificate(
  { host }: AskedUrl,
  { hosts }: Contest,
  sources: ExplainSources,
): ExplainedCertificate | null {
  const { published, platformCertificate } = sources
  const own = hosts[0]?.certificate ?? null
  const named = own === null ? undefined : published.certificates.get(own)
  if (named !== undefined) {
    const isPlatform = named.id === platformCertificate
    const text = isPlatform
      ? 'the host is below the platform domain, whose certificate this is'
      : `a route of ${hostText(hosts[0]!.host)} names it`
    return certificateOf(isPlatform ? 'platform' : 'own', named, host, text)
  }
  const why = hosts[0] === undefined ? 'no route on HTTPS has this host' : 'no route of this host has a certificate'
  const platform = published.settings?.platformCertificate ?? null
  const fallback = platform === null ? undefined : published.certificates.get(platform)
  if (fallback !== undefined) return certificateOf('platform', fallback, host, `${why}: the default one is shown`)
  const selfSigned = published.certificates.get('self-signed' as CertificateId)
  if (selfSigned === undefined) return null
  const missing = `${why}, and there is no Secret ${platformCertificate} that can be used: the router shows its own`
  return certificateOf('self-signed', selfSigned, host, missing)
}

function certificateOf(
  kind: ExplainedCertificate['kind'],
  { id, chain, fingerprint, notAfter }: Certificate,
  host: string,
  text: string,
): ExplainedCertificate {
  const [namespace = '', name = ''] = id.split('/')
  const names = namesIn(chain)
  return {
    kind,
    secret: kind === 'self-signed' ? null : { kind: 'Secret', namespace, name },
    names,
    matches: names.includes(host) || names.includes(`*${host.slice(host.indexOf('.'))}`),
    expires: new Date(notAfter).toISOString(),
    fingerprint,
    text,
  }
}

/** Of the first certificate of a chain that has been read before. */
function namesIn(chain: string): readonly string[] {
  try {
    return namesOf(new X509Certificate(chain))
  } catch {
    return []
  }
}

/** Routes in force that lose, and those that are not in force: nearest to getting it first. */
function explainOthers(
  asked: AskedUrl,
  found: Contest,
  sources: ExplainSources,
  forWhom: ReadonlySet<string> | null,
): { readonly others: readonly ExplainedOther[]; readonly rest: number } {
  const others: ExplainedOther[] = [
    ...losersOf(found, asked.path),
    ...contendersOf(asked, sources),
    ...plainRoutesOf(asked, found, sources),
  ]
  if (forWhom !== null) {
    const isTheirs = ({ object }: ExplainedOther): boolean => object !== null && forWhom.has(object.namespace)
    others.sort((a, b) => Number(isTheirs(b)) - Number(isTheirs(a)))
  }
  return { others: others.slice(0, mostOthers), rest: Math.max(0, others.length - mostOthers) }
}

function* losersOf({ hosts, winner }: Contest, path: string): Iterable<ExplainedOther> {
  const owner = winner === null ? null : objectOf(winner.id)
  for (const [index, { host, routes }] of hosts.entries())
    for (const route of routes) {
      if (route === winner) continue
      const fits = matchesPath(route.path, path)
      const common = { object: objectOf(route.id), host: hostText(host), path: pathText(route.path) }
      if (index > 0) {
        // Behind a host that keeps the request, whatever its paths.
        const text = `${hostText(hosts[0]!.host)} goes before ${hostText(host)}`
        if (fits) yield { ...common, reason: 'less-specific-host', owner: objectOf(hosts[0]!.routes[0]!.id), text }
      } else if (fits && winner !== null) {
        const text = `${pathText(winner.path)} goes before ${pathText(route.path)}`
        yield { ...common, reason: 'less-specific-path', owner, text }
      } else if (winner === null) {
        yield { ...common, reason: 'other-path', owner: null, text: `its path ${pathText(route.path)} is another one` }
      }
    }
}

function* contendersOf({ host, path }: AskedUrl, { contenders }: ExplainSources): Iterable<ExplainedOther> {
  for (const { object, host: wanted, path: match, reason, owner, why } of contenders(matcherOf(host)))
    if (matchesPath(match, path))
      yield { object, host: hostText(wanted), path: pathText(match), reason, owner, text: why }
}

/** On HTTPS: what is there on plain HTTP only. */
function* plainRoutesOf(
  { host, path, scheme }: AskedUrl,
  { winner }: Contest,
  { published }: ExplainSources,
): Iterable<ExplainedOther> {
  if (scheme === 'http' || (winner !== null && winner.host.kind === 'exact')) return
  const plain = contest(published.routes.values(), { host, path, secure: false }).winner
  if (plain === null || plain.https || plain.host.kind === 'default') return
  const common = { object: objectOf(plain.id), host: hostText(plain.host), path: pathText(plain.path) }
  const text = 'it has no certificate that can be used, so that it is served on plain HTTP only'
  yield { ...common, reason: 'not-https', owner: winner === null ? null : objectOf(winner.id), text }
}

/** Each expression is compiled once for an answer, and not too many of them. */
function matcherOf(name: string): (host: HostMatch) => boolean {
  const verdicts = new Map<string, boolean>()
  return host => {
    if (host.kind !== 'regex') return host.kind !== 'any' && matchesHost(host, name)
    const key = claimKey(host)
    const known = verdicts.get(key)
    if (known !== undefined || verdicts.size >= mostExpressions) return known ?? false
    const verdict = matchesHost(host, name)
    verdicts.set(key, verdict)
    return verdict
  }
}

function explainProblems(
  host: string,
  objects: readonly (ObjectRef | null | undefined)[],
  { problems }: ExplainSources,
): readonly ExplainedProblem[] {
  const concerned = new Set(objects.filter(object => object != null).map(refKey))
  return problems()
    .filter(({ object, message }) => concerned.has(refKey(object)) || mentions(message, host))
    .slice(0, mostProblems)
    .map(({ code, severity, object, message, since }) => {
      return { code, severity, object, message, since: new Date(since).toISOString() }
    })
}

/** As a whole name: not within a longer one. */
function mentions(message: string, host: string): boolean {
  if (!host.includes('.')) return false
  for (let at = message.indexOf(host); at >= 0; at = message.indexOf(host, at + 1)) {
    const before = message[at - 1] ?? ' '
    const after = message.slice(at + host.length, at + host.length + 2)
    // A dot may end a sentence.
    if (!/[a-z0-9.-]/i.test(before) && !/^\.?[a-z0-9-]/i.test(after)) return true
  }
  return false
}

function* hostsOf({ routes }: Published, forWhom: ReadonlySet<string> | null): Iterable<string> {
  for (const { id, host } of routes.values())
    if (host.kind === 'exact' && (forWhom === null || forWhom.has(objectOf(id)?.namespace ?? ''))) yield host.host
}
