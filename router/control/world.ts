// All that the router knows, and the Patches that follow from it. Objects come in as facts, which only mark what they
// touch; `take` then translates what is marked and hands out the difference to what it handed out before. No object
// makes it throw: one that cannot be read becomes a Problem and loses nothing but itself.

import { isDeepStrictEqual } from 'node:util'
import type { Deployment, EndpointSlice, Secret, Service } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import type { Patch } from '../model/patch.ts'
import type { ObjectRef, Problem, ProblemCode } from '../model/problem.ts'
import type { Route, RouteId } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { Upstream, UpstreamId } from '../model/upstream.ts'
import { AppSlots } from './app-slots.ts'
import { certificateId } from './certificate.ts'
import { CertificateShelf } from './certificate-shelf.ts'
import { Claims, hostKey } from './claims.ts'
import { endpointsOf } from './endpoints.ts'
import { Ledger } from './ledger.ts'
import { type Held, ObjectSet } from './object-set.ts'
import { readAnnotations, readEndpointSlice, readService, refKey } from './object-shape.ts'
import { type DatedProblem, ProblemBook, type ProblemChanges } from './problem-book.ts'
import { readRouterSettings } from './router-settings.ts'
import { SecretUsers } from './secret-users.ts'
import { isRoutable, platformSecret, type SecretRef, type ServiceTranslation, translateService } from './service.ts'

export interface WorldOptions {
  /** The router's own: where its Deployment and the platform certificate are. */
  readonly namespace: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** A Service that is routed, or would be if others did not own its hosts. */
interface App {
  readonly translation: ServiceTranslation
  /** What of it is in force. */
  readonly routes: ReadonlySet<RouteId>
  readonly certificates: ReadonlySet<CertificateId>
}

const serviceLabel = 'kubernetes.io/service-name'

export class World {
  readonly #now: () => number
  readonly #namespace: string
  readonly #deploymentRef: ObjectRef
  readonly #platformCertificate: CertificateId

  readonly #services = new ObjectSet('Service')
  readonly #slices = new ObjectSet('EndpointSlice')
  readonly #deployments = new ObjectSet('Deployment')
  readonly #shelf = new CertificateShelf()

  readonly #claims = new Claims()
  readonly #apps = new Map<string, App>()
  /** By the key of the Service, then of the slice. */
  readonly #slicesOf = new Map<string, Map<string, EndpointSlice>>()
  readonly #serviceOfSlice = new Map<string, string>()
  readonly #secretUsers: SecretUsers

  // What `take` has still to do, by key of the Service.
  readonly #unsettled = new Map<string, ObjectRef>()
  readonly #unfilled = new Set<string>()
  readonly #touchedCertificates = new Set<CertificateId>()

  // What the last Patch left in force.
  #version = 0
  #settings: RouterSettings | null = null
  readonly #routes = new Ledger<RouteId, Route>()
  readonly #upstreams = new Ledger<UpstreamId, Upstream>()
  readonly #certificates = new Ledger<CertificateId, Certificate>()
  readonly #slots = new AppSlots()
  readonly #book: ProblemBook

  constructor({ namespace, now }: WorldOptions) {
    this.#now = now
    this.#namespace = namespace
    this.#book = new ProblemBook(now)
    this.#deploymentRef = { kind: 'Deployment', namespace, name: 'deis-router' }
    const platform = platformSecret(namespace)
    this.#platformCertificate = certificateId(platform.namespace, platform.name)
    this.#secretUsers = new SecretUsers(this.#platformCertificate, platform)
  }

  services(change: Change<Service>): void {
    this.#services.apply(change)
  }

  endpointSlices(change: Change<EndpointSlice>): void {
    this.#slices.apply(change)
  }

  /** The router's own Deployment; others are ignored. */
  deployment(change: Change<Deployment>): void {
    this.#deployments.apply(change)
  }

  /** The Secret `namespace/name`, whatever the object calls itself. Ignored unless `wantedSecrets` has it by then. */
  secret(namespace: string, name: string, change: Change<Secret>): void {
    this.#shelf.deliver(namespace, name, change)
  }

  /**
   * What changed since the last call, or null when that is nothing. The first call always gives a Patch. Look at
   * `wantedSecrets` after each call: a Secret that is no longer wanted is forgotten, and has to be told anew.
   */
  take(): Patch | null {
    this.#readSecrets()
    const settingsChanged = this.#readSettings()
    this.#readSlices()
    this.#readServices()
    for (const [key, ref] of this.#unsettled) this.#settle(key, ref)
    this.#unsettled.clear()
    for (const key of this.#unfilled) this.#fill(key)
    this.#unfilled.clear()
    for (const id of this.#touchedCertificates) this.#placeCertificate(id)
    this.#touchedCertificates.clear()
    this.#noteExpired()

    const routes = this.#routes.flush()
    const upstreams = this.#upstreams.flush()
    const certificates = this.#certificates.flush()
    const apps = this.#slots.flush()
    const deltas = [routes, upstreams, certificates]
    if (!settingsChanged && deltas.every(({ upserts, deletes }) => upserts.length + deletes.length === 0)) return null
    this.#version++
    const settings = settingsChanged && this.#settings !== null ? { settings: this.#settings } : {}
    return Object.freeze({ version: this.#version, reset: false, ...settings, routes, upstreams, certificates, apps })
  }

  /** All that the Patches taken so far add up to, for a data thread that starts now. Same version as the last one. */
  whole(): Patch {
    return Object.freeze({
      version: this.#version,
      reset: true,
      settings: this.#settings ?? readRouterSettings({}, this.#deploymentRef, null).settings,
      routes: this.#routes.whole(),
      upstreams: this.#upstreams.whole(),
      certificates: this.#certificates.whole(),
      apps: this.#slots.whole(),
    })
  }

  /**
   * The Secrets to watch, by `NAMESPACE/NAME`: the platform certificate, and those that Services name for hosts which
   * are theirs. Changes with `take` only, and is the same Map as before when it did not change.
   */
  wantedSecrets(): ReadonlyMap<string, SecretRef> {
    return this.#secretUsers.wanted()
  }

  /** Ordered by object. As of the last `take`, but for certificates, which expire by themselves. */
  problems(): readonly DatedProblem[] {
    this.#noteExpired()
    return this.#book.list()
  }

  problemCounts(): Readonly<Record<ProblemCode, number>> {
    this.#noteExpired()
    return this.#book.counts()
  }

  /** Problems that came and went since the last call, for the log. */
  problemChanges(): ProblemChanges {
    this.#noteExpired()
    return this.#book.changes()
  }

  #readSecrets(): void {
    for (const { id, turned } of this.#shelf.read()) {
      this.#touchedCertificates.add(id)
      if (!turned) continue
      for (const key of this.#secretUsers.of(id)) this.#unsettle(key)
    }
  }

  #readSettings(): boolean {
    this.#noteNameless(this.#deployments, 'Deployment')
    const own = refKey(this.#deploymentRef)
    const isDirty = this.#deployments.takeDirty().has(own)
    const platformCertificate = this.#shelf.certificate(this.#platformCertificate)?.id ?? null
    const last = this.#settings
    if (last !== null && !isDirty && last.platformCertificate === platformCertificate) return false
    const { annotations, faults } = readAnnotations(this.#deployments.get(own)?.object)
    const { settings, problems } = readRouterSettings(annotations, this.#deploymentRef, platformCertificate)
    const shapeProblems = faults.map(fault => invalidObject(this.#deploymentRef, fault))
    this.#book.set(own, [...shapeProblems, ...problems])
    if (isDeepStrictEqual(settings, last)) return false
    this.#settings = settings
    // Translations depend on all settings but this one.
    if (last === null || !isDeepStrictEqual({ ...settings, platformCertificate: last.platformCertificate }, last)) {
      this.#services.touchAll()
    }
    return true
  }

  #readSlices(): void {
    this.#noteNameless(this.#slices, 'EndpointSlice')
    for (const [key, ref] of this.#slices.takeDirty()) {
      const before = this.#serviceOfSlice.get(key)
      if (before !== undefined) this.#removeSlice(key, before)
      const held = this.#slices.get(key)
      const shaped = held === null ? null : readEndpointSlice(ref, held.object)
      this.#book.set(key, shaped?.kind === 'malformed' ? [invalidObject(ref, shaped.reason)] : [])
      if (shaped?.kind !== 'good') continue
      const name = shaped.object.metadata.labels?.[serviceLabel]
      if (name !== undefined)
        this.#addSlice(key, refKey({ kind: 'Service', namespace: ref.namespace, name }), shaped.object)
    }
  }

  #addSlice(key: string, serviceKey: string, slice: EndpointSlice): void {
    const slices = this.#slicesOf.get(serviceKey) ?? new Map<string, EndpointSlice>()
    this.#slicesOf.set(serviceKey, slices.set(key, slice))
    this.#serviceOfSlice.set(key, serviceKey)
    this.#unfilled.add(serviceKey)
  }

  #removeSlice(key: string, serviceKey: string): void {
    const slices = this.#slicesOf.get(serviceKey)
    slices?.delete(key)
    if (slices?.size === 0) this.#slicesOf.delete(serviceKey)
    this.#serviceOfSlice.delete(key)
    this.#unfilled.add(serviceKey)
  }

  /** Translates what is new and finds out whom else that concerns. */
  #readServices(): void {
    this.#noteNameless(this.#services, 'Service')
    const moved = new Set<string>()
    for (const [key, ref] of this.#services.takeDirty()) {
      const translation = this.#translate(key, this.#services.get(key))
      const hosts = new Set(translation?.routes.map(({ host }) => hostKey(host)))
      for (const host of this.#claims.replace(ref, hosts)) moved.add(host)
      const before = this.#apps.get(key)
      if (translation === null) {
        if (before !== undefined) this.#withdraw(key, before)
      } else {
        const { routes = noRoutes, certificates = noCertificates } = before ?? {}
        if (before !== undefined && before.translation.app !== translation.app && routes.size > 0) {
          this.#slots.acquire(translation.app)
          this.#slots.release(before.translation.app)
        }
        this.#apps.set(key, { translation, routes, certificates })
        this.#unsettled.set(key, ref)
      }
    }
    for (const host of moved) {
      for (const claimant of this.#claims.claimants(host)) this.#unsettled.set(refKey(claimant), claimant)
    }
  }

  #translate(key: string, held: Held | null): ServiceTranslation | null {
    const shaped = held === null ? null : readService(held.ref, held.object)
    if (shaped?.kind === 'good' && isRoutable(shaped.object) && this.#settings !== null) {
      return translateService(shaped.object, this.#settings, this.#namespace)
    }
    const faults = held !== null && shaped?.kind === 'malformed' ? [invalidObject(held.ref, shaped.reason)] : []
    this.#book.set(key, faults)
    return null
  }

  /** Puts into force what of an app is its own to serve. */
  #settle(key: string, ref: ObjectRef): void {
    const app = this.#apps.get(key)
    if (app === undefined) return
    const { translation } = app
    const problems = [...translation.problems]
    const routes = new Set<RouteId>()
    const certificates = new Set<CertificateId>()
    for (const route of translation.routes) {
      const host = hostKey(route.host)
      const owner = this.#claims.owner(host)
      if (owner !== null && refKey(owner) !== key) {
        problems.push(hostConflict(ref, host, owner))
        continue
      }
      const { certificate } = route
      if (certificate !== null) certificates.add(certificate)
      const isUsable = certificate === null || this.#shelf.certificate(certificate) !== null
      this.#routes.put(isUsable ? route : { ...route, certificate: null })
      routes.add(route.id)
    }
    for (const id of app.routes) if (!routes.has(id)) this.#routes.drop(id)
    for (const id of certificates) {
      if (id !== this.#platformCertificate && this.#shelf.isAbsent(id)) problems.push(certificateMissing(ref, id))
      if (app.certificates.has(id)) continue
      this.#secretUsers.add(id, translation.secrets.get(id)!, key)
      this.#touchedCertificates.add(id)
    }
    for (const id of app.certificates) if (!certificates.has(id)) this.#unuse(id, key)
    if (routes.size > 0 && app.routes.size === 0) this.#slots.acquire(translation.app)
    if (routes.size === 0 && app.routes.size > 0) {
      this.#slots.release(translation.app)
      this.#upstreams.drop(translation.upstream)
    }
    this.#unfilled.add(key)
    this.#book.set(key, problems)
    this.#apps.set(key, { translation, routes, certificates })
  }

  /** Takes out of force all that a Service had there. */
  #withdraw(key: string, { translation, routes, certificates }: App): void {
    for (const id of routes) this.#routes.drop(id)
    for (const id of certificates) this.#unuse(id, key)
    if (routes.size > 0) this.#slots.release(translation.app)
    this.#upstreams.drop(translation.upstream)
    this.#apps.delete(key)
  }

  #fill(key: string): void {
    const app = this.#apps.get(key)
    if (app === undefined || app.routes.size === 0) return
    const { upstream: id, portName } = app.translation
    const slices = this.#slicesOf.get(key)?.values() ?? []
    this.#upstreams.put({ id, endpoints: portName === null ? [] : endpointsOf(slices, portName) })
  }

  #unuse(id: CertificateId, key: string): void {
    this.#secretUsers.remove(id, key)
    this.#touchedCertificates.add(id)
  }

  #placeCertificate(id: CertificateId): void {
    if (!this.#secretUsers.isWanted(id)) this.#shelf.forget(id)
    const certificate = this.#shelf.certificate(id)
    if (certificate === null) this.#certificates.drop(id)
    else this.#certificates.put(certificate)
    this.#noteCertificate(id)
  }

  #noteCertificate(id: CertificateId): void {
    this.#book.set(`Secret ${id}`, this.#shelf.problems(id, this.#now()))
  }

  #noteExpired(): void {
    for (const id of this.#shelf.expired(this.#now())) this.#noteCertificate(id)
  }

  #noteNameless(objects: ObjectSet, kind: string): void {
    const ref = { kind, namespace: '', name: '' }
    const reason = 'its metadata.name or metadata.namespace is missing or no Kubernetes name'
    this.#book.set(refKey(ref), objects.hasNameless ? [invalidObject(ref, reason)] : [])
  }

  #unsettle(key: string): void {
    const ref = this.#services.get(key)?.ref
    if (ref !== undefined) this.#unsettled.set(key, ref)
  }
}

const noRoutes: ReadonlySet<RouteId> = new Set()
const noCertificates: ReadonlySet<CertificateId> = new Set()

function invalidObject(object: ObjectRef, reason: string): Problem {
  const message = `the ${object.kind} cannot be read: ${reason}`
  return { code: 'invalid-object', severity: 'error', object, message }
}

function hostConflict(object: ObjectRef, host: string, { kind, namespace, name }: ObjectRef): Problem {
  const message = `${host} belongs to ${kind} ${namespace}/${name}, which comes first by namespace and name`
  return { code: 'host-conflict', severity: 'warning', object, message }
}

function certificateMissing(object: ObjectRef, id: CertificateId): Problem {
  const message = `Secret ${id}, which router.deis.io/certificates asks for, does not exist: its domains have no HTTPS`
  return { code: 'certificate-missing', severity: 'warning', object, message }
}
