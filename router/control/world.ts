// All that the router knows, and the Patches that follow from it. Objects come in as facts, which only mark what they
// touch; `take` then translates what is marked and hands out the difference to what it handed out before:
//
//   Secrets ──────────────▶ CertificateBook ─┐
//   workload ─▶ settings ─▶ all translations │
//   Services ─▶ AppBook ─────┬─▶ RouteBook ◀─┘ ─▶ Ledgers ─▶ Patch
//   Ingresses ─▶ IngressBook ┘      └─▶ UpstreamBook ◀── EndpointSlices, external names
//
// No object makes it throw: one that cannot be read becomes a Problem and loses nothing but itself.

import type { Deployment, EndpointSlice, Ingress, IngressClass, Secret, Service } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { CertificateId } from '../model/certificate.ts'
import type { Patch } from '../model/patch.ts'
import type { ObjectRef } from '../model/problem.ts'
import type { HostMatch } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { UpstreamId } from '../model/upstream.ts'
import { AppBook, uncovered } from './app-book.ts'
import { AuthorityBook } from './authority-book.ts'
import { builderRef } from './builder.ts'
import { BuilderBook } from './builder-book.ts'
import { certificateId } from './certificate.ts'
import { CertificateBook } from './certificate-book.ts'
import type { Contender } from './contender.ts'
import { translateDefaultService } from './default-service.ts'
import { DhParameters, dhParametersSecret } from './dh-parameters.ts'
import type { KnownEndpoint } from './endpoints.ts'
import { expressionProblems } from './expression-bound.ts'
import { HostTitles } from './host-titles.ts'
import { IngressBook } from './ingress-book.ts'
import { invalidObject, readServiceAddresses, refKey } from './object-shape.ts'
import { type DatedProblem, ProblemBook, type ProblemChanges } from './problem-book.ts'
import type { IngressStatus } from './published-status.ts'
import { RouteBook } from './route-book.ts'
import {
  isRoutable,
  platformSecret,
  routableLabel,
  type SecretRef,
  type ServiceContext,
  translateService,
} from './service.ts'
import { ServiceSet } from './service-set.ts'
import { SettingsBook } from './settings-book.ts'
import { SharedTicketKeys, ticketKeysSecret } from './shared-ticket-keys.ts'
import { SliceSet } from './slice-set.ts'
import type { TicketKey } from './ticket-key-list.ts'
import { UpstreamBook } from './upstream-book.ts'

export interface WorldOptions {
  /** The router's own: where its settings, the platform certificate and the builder are. */
  readonly namespace: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Kind of the object `deis-router` that carries the settings; `Deployment` when absent. */
  readonly workload?: 'Deployment' | 'DaemonSet'
  /** The `spec.controller` of the IngressClasses that are ours. */
  readonly ingressController?: string
  /** Whether Ingresses that name no class are ours too; not when absent. */
  readonly ingressWithoutClass?: boolean
  /** Whether traffic may go to Services of type ExternalName; not when absent. */
  readonly externalNames?: boolean
  /** The zone that the router is in, for the hints of EndpointSlices; null or absent: not known, they are not looked at. */
  readonly zone?: string | null
}

const defaultOwner = 'default service'
const ownPrefix = 'router.deis.io/'

export class World {
  readonly #externalNames: boolean
  readonly #namespace: string
  readonly #workloadRef: ObjectRef
  readonly #builderKey: string
  readonly #platformCertificate: CertificateId

  readonly #problems: ProblemBook
  readonly #services = new ServiceSet()
  readonly #slices: SliceSet
  readonly #settings: SettingsBook
  readonly #certificates: CertificateBook
  readonly #authorities: AuthorityBook
  readonly #upstreams: UpstreamBook
  readonly #routes: RouteBook
  readonly #titles = new HostTitles()
  readonly #apps: AppBook
  readonly #ingresses: IngressBook
  readonly #builder: BuilderBook
  readonly #dhParameters: DhParameters
  readonly #dhSecret: SecretRef
  readonly #ticketKeys: SharedTicketKeys
  readonly #ticketSecret: SecretRef
  #wantedByRoutes: readonly ReadonlyMap<string, SecretRef>[] = []
  #wanted: ReadonlyMap<string, SecretRef> = new Map()
  #version = 0

  constructor(options: WorldOptions) {
    const { namespace, now, workload = 'Deployment', externalNames = false, zone = null } = options
    this.#namespace = namespace
    this.#externalNames = externalNames
    this.#workloadRef = { kind: workload, namespace, name: 'deis-router' }
    const platform = platformSecret(namespace)
    this.#platformCertificate = certificateId(platform.namespace, platform.name)
    const problems = new ProblemBook(now)
    const certificates = new CertificateBook({ permanent: platform, problems, now })
    const service = (key: string): Service | null => this.#services.read(key)
    const upstreams = new UpstreamBook({ service, slice: key => this.#slices.get(key), externalNames, zone, problems })
    const authorities = new AuthorityBook(problems)
    const routes = new RouteBook(certificates, authorities, upstreams)
    this.#problems = problems
    this.#certificates = certificates
    this.#authorities = authorities
    this.#upstreams = upstreams
    this.#routes = routes
    this.#slices = new SliceSet(problems)
    this.#settings = new SettingsBook(this.#workloadRef, problems)
    const titles = this.#titles
    this.#apps = new AppBook({ namespace, titles, routes, certificates, problems })
    this.#ingresses = new IngressBook({
      controller: options.ingressController ?? 'router.deis.io/ingress-controller',
      withoutClass: options.ingressWithoutClass ?? false,
      externalNames,
      titles,
      service,
      hostOwner: host => this.#apps.owner(host),
      hostDraft: host => this.#apps.ownerDraft(host),
      routes,
      certificates,
      problems,
    })
    const ref = builderRef(namespace)
    this.#builderKey = refKey(ref)
    this.#builder = new BuilderBook({ ref, externalNames, upstreams, problems })
    this.#dhSecret = dhParametersSecret(namespace)
    this.#dhParameters = new DhParameters(this.#dhSecret)
    this.#ticketSecret = ticketKeysSecret(namespace)
    this.#ticketKeys = new SharedTicketKeys(this.#ticketSecret)
  }

  services(change: Change<Service>): void {
    this.#services.apply(change)
  }

  endpointSlices(change: Change<EndpointSlice>): void {
    this.#slices.apply(change)
  }

  /** One Service that is watched by its name, since `services` may not tell of it. It is the same object if both do. */
  namedService(namespace: string, name: string, change: Change<Service>): void {
    this.#services.applyNamed(namespace, name, change)
  }

  /** The EndpointSlices of such a Service. */
  namedEndpointSlices(namespace: string, name: string, change: Change<EndpointSlice>): void {
    this.#slices.applyNamed(namespace, name, change)
  }

  /** The object that carries the router's settings; others are ignored. */
  workload(change: Change<Deployment>): void {
    this.#settings.apply(change)
  }

  ingresses(change: Change<Ingress>): void {
    this.#ingresses.ingresses(change)
  }

  ingressClasses(change: Change<IngressClass>): void {
    this.#ingresses.classes(change)
  }

  /** The Secret `namespace/name`, whatever the object calls itself. Ignored unless `wantedSecrets` has it by then. */
  secret(namespace: string, name: string, change: Change<Secret>): void {
    if (namespace === this.#namespace && name === this.#dhSecret.name) this.#dhParameters.apply(change)
    else if (namespace === this.#namespace && name === this.#ticketSecret.name) this.#ticketKeys.apply(change)
    else {
      this.#certificates.deliver(namespace, name, change)
      this.#authorities.deliver(namespace, name, change)
    }
  }

  /** What one of `wantedNames` stands for now; null: nothing. Addresses that lead back to this machine are left out. */
  externalName(host: string, addresses: readonly string[] | null): void {
    this.#upstreams.externalName(host, addresses)
  }

  /**
   * What changed since the last call, or null when that is nothing. The first call always gives a Patch. Look at
   * `wantedSecrets` after each call: a Secret that is no longer wanted is forgotten, and has to be told anew; and at
   * `unfinished`, which asks for another call.
   */
  take(): Patch | null {
    this.#readSecrets()
    const settingsChanged = this.#readSettings()
    const { settings } = this.#settings
    const context = { settings, namespace: this.#namespace, externalNames: this.#externalNames }
    this.#slices.read(this.#upstreams)
    this.#readServices(context)
    this.#ingresses.read(settings)
    const moved = this.#titles.settle()
    this.#apps.enter(moved, context)
    this.#ingresses.enter(moved)
    for (const host of this.#apps.takeMoved()) this.#ingresses.touchHost(host)
    this.#apps.settle(context)
    this.#ingresses.settle(settings)
    this.#ingresses.noteCertificates()
    this.#settleDefaultService(settings)
    const expressions = settings.enableRegexDomains ? expressionProblems(this.#apps.expressions()) : []
    this.#problems.set('expressions', expressions)
    this.#checkPlatformCertificate(settings)
    this.#upstreams.settle()
    this.#certificates.settle()
    this.#authorities.settle()
    this.#noteNameless()

    const { routes, apps } = this.#routes.flush()
    const upstreams = this.#upstreams.flush()
    const certificates = this.#certificates.flush()
    const authorities = this.#authorities.flush()
    const builder = this.#builder.flush()
    const deltas = [routes, upstreams, certificates, authorities]
    const isSame = deltas.every(({ upserts, deletes }) => upserts.length + deletes.length === 0)
    if (!settingsChanged && builder.builder === undefined && isSame) return null
    this.#version++
    return Object.freeze({
      version: this.#version,
      reset: false,
      ...(settingsChanged && { settings }),
      ...builder,
      routes,
      upstreams,
      certificates,
      authorities,
      apps,
    })
  }

  /** Whether the last `take` left something for the next, so as not to keep the thread too long. */
  get unfinished(): boolean {
    return this.#certificates.unfinished
  }

  /** All that the Patches taken so far add up to, for a data thread that starts now. Same version as the last one. */
  whole(): Patch {
    return Object.freeze({
      version: this.#version,
      reset: true,
      settings: this.#settings.settings,
      builder: this.#builder.whole(),
      ...this.#routes.whole(),
      upstreams: this.#upstreams.whole(),
      certificates: this.#certificates.whole(),
      authorities: this.#authorities.whole(),
    })
  }

  /**
   * The Secrets to watch, by what each is watched for: the router's own, and those that objects name for hosts which are
   * theirs. Changes with `take` only, and is the same Map as before when it did not change.
   */
  wantedSecrets(): ReadonlyMap<string, SecretRef> {
    const wanted = [this.#certificates.wanted(), this.#authorities.wanted()]
    if (wanted.some((map, at) => map !== this.#wantedByRoutes[at])) {
      this.#wantedByRoutes = wanted
      const all = new Map(wanted.flatMap(map => [...map]))
      for (const own of [this.#dhSecret, this.#ticketSecret]) all.set(`${own.namespace}/${own.name}`, own)
      this.#wanted = all
    }
    return this.#wanted
  }

  /** The names outside the cluster to resolve and tell by `externalName`; changes with `take` only. */
  wantedNames(): ReadonlySet<string> {
    return this.#upstreams.wantedNames()
  }

  /** The keys of session tickets that replicas share, which no Patch tells; the same array while they do not change. */
  ticketKeys(): readonly TicketKey[] {
    return this.#ticketKeys.keys
  }

  /** What of them is in their Secret; empty: nothing, or it has not been heard of. */
  storedTicketKeys(): readonly TicketKey[] {
    return this.#ticketKeys.stored
  }

  /** Of every Ingress there is. As of the last `take`. */
  ingressStatus(): Iterable<IngressStatus> {
    return this.#ingresses.status()
  }

  /** The addresses of a Service: its type, cluster and external ones, and its load balancer's. Null: there is none. */
  service(namespace: string, name: string): Service | null {
    const ref = { kind: 'Service', namespace, name }
    const held = this.#services.get(refKey(ref))
    return held === null ? null : readServiceAddresses(ref, held.object)
  }

  /** Who asks for hosts that `matches` says yes to and does not get them, or not all of them. As of the last `take`. */
  *contenders(matches: (host: HostMatch) => boolean): Iterable<Contender> {
    yield* this.#apps.contenders(matches)
    yield* this.#ingresses.contenders(matches)
    const { settings } = this.#settings
    const context = { settings, namespace: this.#namespace, externalNames: this.#externalNames }
    for (const { ref, object } of this.#services.values()) {
      // Most Services of a cluster are none of ours or are routed, and need not be looked at closely.
      if (!asksInVain(object)) continue
      const service = this.#services.read(refKey(ref))
      if (service === null || isRoutable(service)) continue
      const why = `its label ${routableLabel} is not "true"`
      for (const { route } of translateService(service, context).drafts) {
        if (!matches(route.host)) continue
        yield { object: ref, host: route.host, path: route.path, reason: 'not-routable', owner: null, why }
      }
    }
  }

  /** All endpoints of an upstream in force, those that get no requests too. */
  endpoints(id: UpstreamId): readonly KnownEndpoint[] {
    return this.#upstreams.known(id)
  }

  /** Ordered by object. As of the last `take`, but for certificates, which expire by themselves. */
  problems(): readonly DatedProblem[] {
    this.#certificates.noteExpired()
    return this.#problems.list()
  }

  /** Problems that came and went since the last call, for the log. */
  problemChanges(): ProblemChanges {
    this.#certificates.noteExpired()
    return this.#problems.changes()
  }

  #readSecrets(): void {
    for (const id of this.#certificates.read()) {
      for (const key of this.#certificates.users(id)) {
        this.#apps.unsettle(key)
        this.#ingresses.unsettle(key)
      }
      this.#ingresses.touchCertificate(id)
    }
    for (const key of this.#authorities.read()) {
      this.#apps.unsettle(key)
      this.#ingresses.unsettle(key)
    }
  }

  #readSettings(): boolean {
    const isUsable = this.#certificates.standing(this.#platformCertificate) === 'usable'
    const change = this.#settings.read(isUsable ? this.#platformCertificate : null, this.#dhParameters.usable)
    this.#problems.set('dh parameters', this.#dhParameters.problems())
    this.#problems.set('ticket keys', this.#ticketKeys.problems())
    if (change === 'all') {
      this.#titles.follow(this.#settings.settings)
      this.#services.touchAll()
      this.#ingresses.touchAll()
    }
    return change !== 'none'
  }

  /** Translates what is new and finds out whom else that concerns. */
  #readServices(context: ServiceContext): void {
    const { listed, named } = this.#services.takeDirty()
    for (const [key, ref] of listed) this.#readApp(key, ref, context)
    for (const key of [...listed.keys(), ...named]) {
      this.#upstreams.touch(key)
      this.#ingresses.touchService(key)
      if (key === this.#builderKey) this.#builder.put(this.#services.read(key))
    }
  }

  #readApp(key: string, ref: ObjectRef, context: ServiceContext): void {
    const shaped = this.#services.readListed(key)
    if (shaped?.kind === 'malformed') this.#apps.put(ref, null, [invalidObject(ref, shaped.reason)])
    else if (shaped === null || !isRoutable(shaped.object)) this.#apps.put(ref, null)
    else this.#apps.put(ref, translateService(shaped.object, context))
  }

  #settleDefaultService(settings: RouterSettings): void {
    const { draft, problems } = translateDefaultService(settings, this.#workloadRef, this.#ingresses.defaultOwner())
    this.#problems.set(defaultOwner, problems)
    this.#routes.replace(defaultOwner, draft === null ? [] : [draft])
  }

  #checkPlatformCertificate({ platformDomain }: RouterSettings): void {
    const id = this.#platformCertificate
    const suffices =
      platformDomain === null ||
      this.#certificates.covers(id, { kind: 'wildcard', suffix: platformDomain, depth: 'any' })
    const ref = { kind: 'Secret', ...platformSecret(this.#namespace) }
    this.#problems.set('platform certificate', suffices ? [] : [uncovered(ref, id, `*.${platformDomain}`)])
  }

  #noteNameless(): void {
    const sets: readonly (readonly [kind: string, hasNameless: boolean])[] = [
      ['Service', this.#services.hasNameless],
      ['EndpointSlice', this.#slices.hasNameless],
      [this.#workloadRef.kind, this.#settings.hasNameless],
      ['Ingress', this.#ingresses.hasNameless],
      ['IngressClass', this.#ingresses.hasNamelessClass],
    ]
    for (const [kind, hasNameless] of sets) {
      const ref = { kind, namespace: '', name: '' }
      const reason = 'its metadata.name or metadata.namespace is missing or no Kubernetes name'
      this.#problems.set(`nameless ${kind}`, hasNameless ? [invalidObject(ref, reason)] : [])
    }
  }
}

/** Whether it names domains, and is not routable for all that; unchecked. */
function asksInVain(object: unknown): boolean {
  const { metadata } = (object ?? {}) as { readonly metadata?: Readonly<Record<string, unknown>> | null }
  const labels = metadata?.labels as Readonly<Record<string, unknown>> | null | undefined
  const annotations = metadata?.annotations
  if (typeof annotations !== 'object' || annotations === null || !(`${ownPrefix}domains` in annotations)) return false
  return labels?.[routableLabel] !== 'true'
}
