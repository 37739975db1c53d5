// The routes in force, by the object that they come from, and what they hold: upstreams, certificates, rows of the
// counters. Its client certificates let nobody in while their authorities are not at hand. A route that is to change its certificate keeps the one it has until the new one has been heard of.

import type { CertificateId } from '../model/certificate.ts'
import type { AppSlot, Delta } from '../model/patch.ts'
import type { Route, RouteId } from '../model/route.ts'
import { AppSlots } from './app-slots.ts'
import type { AuthorityBook } from './authority-book.ts'
import type { CertificateBook } from './certificate-book.ts'
import { Ledger } from './ledger.ts'
import type { RouteDraft } from './route-draft.ts'
import type { SecretRef } from './service.ts'
import type { UpstreamBook } from './upstream-book.ts'

/** A list for each, as most owners have one route: Maps of one take four times as much. */
interface Holding {
  readonly routes: readonly Route[]
  readonly certificates: readonly (readonly [CertificateId, SecretRef])[]
  readonly authorities: readonly SecretRef[]
}

/** The same, to look things up in. */
interface Held {
  readonly routes: ReadonlyMap<RouteId, Route>
  readonly certificates: ReadonlyMap<CertificateId, SecretRef>
  /** By `NAMESPACE/NAME`. */
  readonly authorities: ReadonlyMap<string, SecretRef>
}

const nothing: Holding = { routes: [], certificates: [], authorities: [] }

export class RouteBook {
  readonly #certificates: CertificateBook
  readonly #authorities: AuthorityBook
  readonly #upstreams: UpstreamBook
  readonly #holdings = new Map<string, Holding>()
  readonly #ledger = new Ledger<RouteId, Route>()
  readonly #slots = new AppSlots()

  constructor(certificates: CertificateBook, authorities: AuthorityBook, upstreams: UpstreamBook) {
    this.#certificates = certificates
    this.#authorities = authorities
    this.#upstreams = upstreams
  }

  /** Makes `drafts` all that `owner` has in force. Ids are unique among all owners. */
  replace(owner: string, drafts: readonly RouteDraft[]): void {
    const holding = this.#holdings.get(owner) ?? nothing
    if (drafts.length === 0 && holding === nothing) return
    const before = heldOf(holding)
    const routes = new Map<RouteId, Route>()
    const certificates = new Map<CertificateId, SecretRef>()
    const authorities = new Map<string, SecretRef>()
    for (const draft of drafts) {
      const { route: wanted, secret, target } = draft
      if (wanted.certificate !== null && secret !== null) certificates.set(wanted.certificate, secret)
      if (draft.authorities !== null) authorities.set(pathOf(draft.authorities), draft.authorities)
      const route = this.#admit(draft, this.#settle(draft, before, certificates))
      routes.set(route.id, route)
      // What is new is taken before what is old is given back, so that nothing that stays is let go in between.
      this.#upstreams.acquire(route.backend.upstream, target)
      this.#slots.acquire(route.app)
      this.#ledger.put(route)
    }
    for (const route of before.routes.values()) {
      this.#upstreams.release(route.backend.upstream)
      this.#slots.release(route.app)
      if (!routes.has(route.id)) this.#ledger.drop(route.id)
    }
    for (const [id, secret] of certificates) {
      if (!before.certificates.has(id)) this.#certificates.use(id, secret, owner)
    }
    for (const id of before.certificates.keys()) if (!certificates.has(id)) this.#certificates.unuse(id, owner)
    for (const [path, secret] of authorities) if (!before.authorities.has(path)) this.#authorities.use(secret, owner)
    for (const [path, secret] of before.authorities) if (!authorities.has(path)) this.#authorities.unuse(secret, owner)
    if (routes.size > 0)
      this.#holdings.set(owner, {
        routes: [...routes.values()],
        certificates: certificates.size > 0 ? [...certificates] : nothing.certificates,
        authorities: authorities.size > 0 ? [...authorities.values()] : nothing.authorities,
      })
    else this.#holdings.delete(owner)
  }

  flush(): { readonly routes: Delta<Route, RouteId>; readonly apps: readonly AppSlot[] } {
    return { routes: this.#ledger.flush(), apps: this.#slots.flush() }
  }

  whole(): { readonly routes: Delta<Route, RouteId>; readonly apps: readonly AppSlot[] } {
    return { routes: this.#ledger.whole(), apps: this.#slots.whole() }
  }

  /** The route with the authorities of its clients, as far as they are known. */
  #admit(draft: RouteDraft, route: Route): Route {
    const authorities = draft.authorities === null ? null : this.#authorities.authorities(draft.authorities)
    if (authorities === null) return route
    const policies = route.policies.map(policy =>
      policy.kind === 'client-certificate' ? { ...policy, authorities } : policy,
    )
    return { ...route, policies }
  }

  /** The route as it can be now; adds to `certificates` what it keeps meanwhile. */
  #settle(draft: RouteDraft, before: Held, certificates: Map<CertificateId, SecretRef>): Route {
    const { route, needsCertificate } = draft
    const wanted = route.certificate
    if (wanted === null) return route
    const standing = this.#certificates.standing(wanted)
    if (standing === 'usable') return route
    const last = before.routes.get(route.id)?.certificate ?? null
    const secret = last === null ? undefined : before.certificates.get(last)
    if (standing === 'unknown' && last !== null && secret !== undefined) {
      if (this.#certificates.standing(last) === 'usable') {
        certificates.set(last, secret)
        return { ...route, certificate: last }
      }
    }
    return { ...route, certificate: null, https: route.https && !needsCertificate }
  }
}

function heldOf({ routes, certificates, authorities }: Holding): Held {
  return {
    routes: new Map(routes.map(route => [route.id, route])),
    certificates: new Map(certificates),
    authorities: new Map(authorities.map(secret => [pathOf(secret), secret])),
  }
}

function pathOf({ namespace, name }: SecretRef): string {
  return `${namespace}/${name}`
}
