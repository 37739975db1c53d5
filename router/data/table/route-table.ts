// What a request is matched against. A patch recompiles only the hosts that it touches, and puts each in place with
// one assignment; as that happens between two events of the thread, a request sees the table before or after, never half.

import type { AuthoritiesId } from '../../model/authorities.ts'
import type { CertificateId } from '../../model/certificate.ts'
import { AddressSet, type Cidr } from '../../model/cidr.ts'
import { fixedSlot, rowOffset } from '../../model/counters.ts'
import type { Delta } from '../../model/patch.ts'
import type { HostMatch, Route, RouteId } from '../../model/route.ts'
import type { UpstreamId } from '../../model/upstream.ts'
import { escapeLog } from '../log-escape.ts'
import type { ClientCertificateRule } from '../policy/client-certificate.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { HostIndex, hostKey } from './host-index.ts'
import { PathTrie } from './path-trie.ts'

/** A Route made ready: everything that a request needs is a field away. */
export interface CompiledRoute {
  readonly route: Route
  readonly upstream: Upstream
  /** Where the app's row begins in the counters. */
  readonly row: number
  readonly maintenance: boolean
  readonly enforceHttps: boolean
  /** Whether HTTP-01 challenges are spared the redirect. */
  readonly exceptChallenges: boolean
  /** Who may ask; null: everybody. */
  readonly allowed: AddressSet | null
  /** Whom it takes for known; null: nobody is asked. */
  readonly clientCertificate: ClientCertificateRule | null
  /** A route of the default tier gets nothing added to its answers. */
  readonly isDefault: boolean
  readonly requestStart: boolean
  /** The whole field line with Referrer-Policy; empty: none. */
  readonly referrerPolicyLine: string
  readonly connectTimeout: number
  readonly idleTimeout: number
  readonly readAhead: number
  readonly headLimit: number
  /** Escaped for the access log. */
  readonly logApp: string
  readonly logServerName: string
}

/** One host on one listener: most have a single route for every path, which needs no path. */
export interface CompiledHost {
  readonly everyPath: CompiledRoute | null
  /** What a handshake for this host shows; null: none of its routes has one. */
  readonly certificate: CertificateId | null
  /** By whom a handshake for this host wants the client to be known; null: by nobody. */
  readonly authorities: AuthoritiesId | null
  /** Null when `everyPath` says it all. */
  readonly paths: PathTrie<CompiledRoute> | null
  /** Its place among labels and expressions; empty for others, which have none. */
  readonly order: string
  /** It answers to whatever host nobody names. */
  readonly isAny: boolean
}

export interface UpstreamSource {
  /** The live upstream of this id; made empty when it is not known yet. */
  get(id: UpstreamId): Upstream
}

export class RouteTable {
  readonly #routes = new Map<RouteId, Route>()
  readonly #byHost = new Map<string, Route[]>()
  readonly #http = new HostIndex<CompiledHost>()
  readonly #https = new HostIndex<CompiledHost>()
  readonly #slots = new Map<string, number>()
  readonly #references = new Map<UpstreamId, number>()
  readonly #appRoutes = new Map<string, number>()
  /** Apps that lost a route within this step. */
  readonly #idleApps = new Set<string>()
  /** Allow lists by identity and by text, within one step: the hosts of an app share theirs, which can be long. */
  readonly #lists = new Map<readonly Cidr[] | string, AddressSet>()
  readonly #upstreams: UpstreamSource
  /** Routes that ask for client certificates. */
  #guarded = 0

  constructor(upstreams: UpstreamSource) {
    this.#upstreams = upstreams
  }

  get size(): number {
    return this.#routes.size
  }

  /** Whether any route asks for client certificates. */
  get isGuarded(): boolean {
    return this.#guarded > 0
  }

  /** Which row of the counters an app adds to. Call it before the routes of that app come. */
  assignSlot(app: string, slot: number): void {
    this.#slots.set(app, slot)
  }

  apply(delta: Delta<Route, RouteId>): void {
    const touched = new Map<string, HostMatch>()
    for (const id of delta.deletes) this.#forget(id, touched)
    for (const route of delta.upserts) {
      this.#forget(route.id, touched)
      this.#routes.set(route.id, route)
      this.#refer(route.backend.upstream, 1)
      count(this.#appRoutes, route.app, 1)
      if (authoritiesOf(route) !== null) this.#guarded++
      const key = hostKey(route.host)
      touched.set(key, route.host)
      const siblings = this.#byHost.get(key)
      if (siblings === undefined) this.#byHost.set(key, [route])
      else siblings.push(route)
    }
    for (const [key, host] of touched) this.#compileHost(key, host)
    this.#lists.clear()
    for (const app of this.#idleApps) if (!this.#appRoutes.has(app)) this.#slots.delete(app)
    this.#idleApps.clear()
  }

  #forget(id: RouteId, touched: Map<string, HostMatch>): void {
    const known = this.#routes.get(id)
    if (known === undefined) return
    this.#routes.delete(id)
    this.#refer(known.backend.upstream, -1)
    count(this.#appRoutes, known.app, -1)
    if (authoritiesOf(known) !== null) this.#guarded--
    this.#idleApps.add(known.app)
    const key = hostKey(known.host)
    touched.set(key, known.host)
    const siblings = this.#byHost.get(key)!
    siblings.splice(siblings.indexOf(known), 1)
    if (siblings.length === 0) this.#byHost.delete(key)
  }

  #refer(upstream: UpstreamId, change: 1 | -1): void {
    count(this.#references, upstream, change)
  }

  /** Whether any route goes to this upstream. */
  refersTo(upstream: UpstreamId): boolean {
    return this.#references.has(upstream)
  }

  #compileHost(key: string, host: HostMatch): void {
    // By id, so that the table does not depend on the order in which changes came: the first has what two claim.
    const all = (this.#byHost.get(key) ?? []).toSorted((a, b) => (a.id < b.id ? -1 : 1))
    const compiled = new Map(all.map(route => [route, this.#compileRoute(route)]))
    const plain = compileHost(all, compiled)
    place(this.#http, host, plain)
    const secure = all.filter(route => route.https)
    place(this.#https, host, secure.length === all.length ? plain : compileHost(secure, compiled))
  }

  #compileRoute(route: Route): CompiledRoute {
    const { backend, policies, referrerPolicy } = route
    const enforce = policies.find(policy => policy.kind === 'enforce-https')
    const allowList = policies.find(policy => policy.kind === 'allow-list')
    return {
      route,
      upstream: this.#upstreams.get(backend.upstream),
      row: rowOffset(this.#slots.get(route.app) ?? fixedSlot.otherApps),
      maintenance: policies.some(policy => policy.kind === 'maintenance'),
      enforceHttps: enforce !== undefined,
      exceptChallenges: enforce?.exceptChallenges ?? false,
      allowed: allowList === undefined ? null : this.#addressSet(allowList.blocks),
      clientCertificate: policies.find(policy => policy.kind === 'client-certificate') ?? null,
      isDefault: route.host.kind === 'default',
      requestStart: route.requestStart,
      referrerPolicyLine: referrerPolicy === null ? '' : `Referrer-Policy: ${referrerPolicy}\r\n`,
      connectTimeout: backend.connectTimeout,
      idleTimeout: backend.idleTimeout,
      readAhead: backend.readAhead,
      headLimit: backend.headLimit,
      logApp: escapeLog(route.app),
      logServerName: escapeLog(route.serverName),
    }
  }

  #addressSet(blocks: readonly Cidr[]): AddressSet {
    const known = this.#lists.get(blocks)
    if (known !== undefined) return known
    const text = blocks.map(({ address, prefix }) => `${address}/${prefix}`).join()
    const set = this.#lists.get(text) ?? new AddressSet(blocks)
    this.#lists.set(blocks, set).set(text, set)
    return set
  }

  /** The host that answers to this name on this listener; its paths come next. */
  matchHost(host: string, secure: boolean): CompiledHost | null {
    return (secure ? this.#https : this.#http).match(host)
  }

  /** What answers when no host does, or none of its paths. */
  matchDefault(path: string, secure: boolean): CompiledRoute | null {
    const host = (secure ? this.#https : this.#http).default
    return host === null ? null : matchPath(host, path)
  }

  /** Host first, then path. `path` is raw and without query. */
  match(host: string, path: string, secure: boolean): CompiledRoute | null {
    const found = this.matchHost(host, secure)
    return (found === null ? null : matchPath(found, path)) ?? this.matchDefault(path, secure)
  }
}

/** `path` is raw and without query. */
function matchPath({ everyPath, paths }: CompiledHost, path: string): CompiledRoute | null {
  return everyPath ?? paths!.match(path)
}

/** `routes` of one host on one listener, the first of those that claim a path having it. */
function compileHost(routes: readonly Route[], compiled: ReadonlyMap<Route, CompiledRoute>): CompiledHost | null {
  const [first] = routes
  if (first === undefined) return null
  const hasEveryPath = routes.length === 1 && first.path.kind === 'prefix' && first.path.path === '/'
  const paths = hasEveryPath ? null : new PathTrie<CompiledRoute>()
  if (paths !== null) for (const route of routes) paths.insert(route.path, compiled.get(route)!)
  const certificate = routes.find(route => route.certificate !== null)?.certificate ?? null
  const isAny = first.host.kind === 'any'
  // One handshake, one set of authorities: who has all of the host goes before who has some of it.
  const guarded = routes.filter(route => authoritiesOf(route) !== null)
  const guard = guarded.find(({ path }) => path.kind === 'prefix' && path.path === '/') ?? guarded[0]
  return {
    everyPath: hasEveryPath ? compiled.get(first)! : null,
    certificate,
    authorities: guard === undefined ? null : authoritiesOf(guard),
    paths,
    order: first.host.kind === 'label' || first.host.kind === 'regex' ? orderOf(first.id) : '',
    isAny,
  }
}

function authoritiesOf({ policies }: Route): AuthoritiesId | null {
  return policies.find(policy => policy.kind === 'client-certificate')?.authorities ?? null
}

function count<K>(counts: Map<K, number>, key: K, change: 1 | -1): void {
  const next = (counts.get(key) ?? 0) + change
  if (next === 0) counts.delete(key)
  else counts.set(key, next)
}

function place(index: HostIndex<CompiledHost>, host: HostMatch, compiled: CompiledHost | null): void {
  if (compiled === null) index.delete(host)
  else index.set(host, compiled, compiled.order)
}

/** Namespace before name before the rest, whatever characters names hold: `/` counts as less than all of them. */
function orderOf(id: RouteId): string {
  return id.replaceAll('/', '\0')
}
