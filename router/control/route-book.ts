// The routes in force, by the object that they come from, and what they hold: upstreams, certificates, rows of the
// counters. A route that is to change its certificate keeps the one it has until the new one has been heard of.

import type { CertificateId } from '../model/certificate.ts'
import type { AppSlot, Delta } from '../model/patch.ts'
import type { Route, RouteId } from '../model/route.ts'
import { AppSlots } from './app-slots.ts'
import type { CertificateBook } from './certificate-book.ts'
import { Ledger } from './ledger.ts'
import type { RouteDraft } from './route-draft.ts'
import type { SecretRef } from './service.ts'
import type { UpstreamBook } from './upstream-book.ts'

interface Holding {
  readonly routes: ReadonlyMap<RouteId, Route>
  readonly certificates: ReadonlyMap<CertificateId, SecretRef>
}

const nothing: Holding = { routes: new Map(), certificates: new Map() }

export class RouteBook {
  readonly #certificates: CertificateBook
  readonly #upstreams: UpstreamBook
  readonly #holdings = new Map<string, Holding>()
  readonly #ledger = new Ledger<RouteId, Route>()
  readonly #slots = new AppSlots()

  constructor(certificates: CertificateBook, upstreams: UpstreamBook) {
    this.#certificates = certificates
    this.#upstreams = upstreams
  }

  /** Makes `drafts` all that `owner` has in force. Ids are unique among all owners. */
  replace(owner: string, drafts: readonly RouteDraft[]): void {
    const before = this.#holdings.get(owner) ?? nothing
    if (drafts.length === 0 && before === nothing) return
    const routes = new Map<RouteId, Route>()
    const certificates = new Map<CertificateId, SecretRef>()
    for (const draft of drafts) {
      const { route: wanted, secret, target } = draft
      if (wanted.certificate !== null && secret !== null) certificates.set(wanted.certificate, secret)
      const route = this.#settle(draft, before, certificates)
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
    if (routes.size > 0) this.#holdings.set(owner, { routes, certificates })
    else this.#holdings.delete(owner)
  }

  flush(): { readonly routes: Delta<Route, RouteId>; readonly apps: readonly AppSlot[] } {
    return { routes: this.#ledger.flush(), apps: this.#slots.flush() }
  }

  whole(): { readonly routes: Delta<Route, RouteId>; readonly apps: readonly AppSlot[] } {
    return { routes: this.#ledger.whole(), apps: this.#slots.whole() }
  }

  /** The route as it can be now; adds to `certificates` what it keeps meanwhile. */
  #settle(draft: RouteDraft, before: Holding, certificates: Map<CertificateId, SecretRef>): Route {
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
