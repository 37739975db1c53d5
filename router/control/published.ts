// What the data threads have been told, kept in one place: for a thread that starts later, for the snapshot on disk,
// for metrics and for the admin pages. It shares its objects with the patches, so it costs little.

import type { Authorities, AuthoritiesId } from '../model/authorities.ts'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { AppSlot, Builder, Delta, Patch } from '../model/patch.ts'
import type { Route, RouteId } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { Upstream, UpstreamId } from '../model/upstream.ts'

export class Published {
  /** The router's own certificate, in force whatever the sources say. */
  readonly #own: Certificate
  readonly #routes = new Map<RouteId, Route>()
  readonly #upstreams = new Map<UpstreamId, Upstream>()
  readonly #certificates = new Map<CertificateId, Certificate>()
  readonly #authorities = new Map<AuthoritiesId, Authorities>()
  readonly #slots = new Map<string, number>()
  /** How many routes each app has: an app without routes is gone. */
  readonly #routesOfApp = new Map<string, number>()
  #settings: RouterSettings | null = null
  #builder: Builder | null = null
  #version = 0

  constructor(own: Certificate) {
    this.#own = own
  }

  /** 0: nothing yet. */
  get version(): number {
    return this.#version
  }

  get settings(): RouterSettings | null {
    return this.#settings
  }

  /** Null: there is none. */
  get builder(): Builder | null {
    return this.#builder
  }

  get routes(): ReadonlyMap<RouteId, Route> {
    return this.#routes
  }

  get upstreams(): ReadonlyMap<UpstreamId, Upstream> {
    return this.#upstreams
  }

  get certificates(): ReadonlyMap<CertificateId, Certificate> {
    return this.#certificates
  }

  /** Apps that have a route now, each with its row of the counters. */
  apps(): readonly AppSlot[] {
    return Array.from(this.#slots, ([app, slot]) => ({ app, slot }))
  }

  /**
   * Notes `patch` and returns what the data threads are to be sent for it: with our own version, which goes on when
   * the world that patches come from is another one, and with our own certificate.
   */
  publish(patch: Patch): Patch {
    this.#version++
    if (patch.reset) {
      this.#routes.clear()
      this.#upstreams.clear()
      this.#certificates.clear()
      this.#authorities.clear()
      this.#slots.clear()
      this.#routesOfApp.clear()
      this.#builder = null
    }
    const { upserts, deletes } = patch.certificates
    const others = upserts.filter(({ id }) => id !== this.#own.id)
    const certificates = { upserts: patch.reset ? [...others, this.#own] : others, deletes }
    const next = { ...patch, version: this.#version, certificates }

    if (next.settings !== undefined) this.#settings = next.settings
    if (next.builder !== undefined) this.#builder = next.builder
    this.#applyRoutes(next.routes)
    merge(this.#upstreams, next.upstreams)
    merge(this.#certificates, next.certificates)
    merge(this.#authorities, next.authorities)
    for (const { app, slot } of next.apps) this.#slots.set(app, slot)
    // An app that comes back is told with its slot again.
    for (const app of this.#slots.keys()) if (!this.#routesOfApp.has(app)) this.#slots.delete(app)
    return next
  }

  /** Everything as one patch with `reset`, under the present version. Throws before the first `publish`. */
  whole(): Patch {
    if (this.#settings === null) throw new Error('nothing has been published yet')
    return {
      version: this.#version,
      reset: true,
      settings: this.#settings,
      builder: this.#builder,
      routes: { upserts: [...this.#routes.values()], deletes: [] },
      upstreams: { upserts: [...this.#upstreams.values()], deletes: [] },
      certificates: { upserts: [...this.#certificates.values()], deletes: [] },
      authorities: { upserts: [...this.#authorities.values()], deletes: [] },
      apps: this.apps(),
    }
  }

  /** The same without our own certificate: the next process makes one for itself. For the disk. */
  wholeOfSource(): Patch {
    const whole = this.whole()
    const upserts = whole.certificates.upserts.filter(({ id }) => id !== this.#own.id)
    return { ...whole, certificates: { upserts, deletes: [] } }
  }

  #applyRoutes({ upserts, deletes }: Delta<Route, RouteId>): void {
    for (const id of deletes) {
      this.#count(this.#routes.get(id), -1)
      this.#routes.delete(id)
    }
    for (const route of upserts) {
      this.#count(this.#routes.get(route.id), -1)
      this.#count(route, 1)
      this.#routes.set(route.id, route)
    }
  }

  #count(route: Route | undefined, by: 1 | -1): void {
    if (route === undefined) return
    const count = (this.#routesOfApp.get(route.app) ?? 0) + by
    if (count === 0) this.#routesOfApp.delete(route.app)
    else this.#routesOfApp.set(route.app, count)
  }
}

function merge<T extends { readonly id: Id }, Id>(into: Map<Id, T>, { upserts, deletes }: Delta<T, Id>): void {
  for (const id of deletes) into.delete(id)
  for (const item of upserts) into.set(item.id, item)
}
