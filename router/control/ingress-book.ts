// The Ingresses of our classes, and which of their rules are in force:
//
//   Ingress ─▶ class ours? ─▶ translation ─▶ enter: claims on slots (host and path) of hosts that its namespace may have,
//                                                 and on certificates of hosts
//                                                 └─▶ settle: what it has, where it leads, with which certificate ─▶ routes
//
// A host that an annotated Service owns is closed to Ingresses, but for challenges from the Service's own namespace.

import { assertNever } from '#kit/assert-never.ts'
import type { Ingress, IngressClass, Service } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { CertificateId } from '../model/certificate.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { HostMatch, Policy } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { UpstreamId } from '../model/upstream.ts'
import { quote } from './annotation.ts'
import { certificateId } from './certificate.ts'
import type { CertificateBook } from './certificate-book.ts'
import { Claims } from './claims.ts'
import type { Contender } from './contender.ts'
import { type HostHolder, type HostTitles, heldWhy, hostHeld } from './host-titles.ts'
import { type IngressDraft, type IngressTranslation, translateIngress } from './ingress.ts'
import { IngressCertificates, type ServedHost } from './ingress-certificates.ts'
import { IngressClasses } from './ingress-class.ts'
import { type IngressShape, readIngress } from './ingress-shape.ts'
import { Interests } from './interests.ts'
import { ObjectSet } from './object-set.ts'
import { invalidObject, readLoadBalancer, refKey } from './object-shape.ts'
import type { ProblemBook } from './problem-book.ts'
import type { IngressStatus } from './published-status.ts'
import type { RouteBook } from './route-book.ts'
import type { RouteDraft } from './route-draft.ts'
import { authoritiesOf, backendOf } from './route-parts.ts'
import { appName } from './service.ts'
import { resolvePort } from './service-port.ts'
import { nowhere, type UpstreamTarget } from './upstream-book.ts'

export interface IngressBookOptions {
  /** The `spec.controller` of the IngressClasses that are ours. */
  readonly controller: string
  /** Whether Ingresses that name no class are ours too. */
  readonly withoutClass: boolean
  readonly externalNames: boolean
  readonly titles: HostTitles
  /** The Service of this key, checked; null: there is none. */
  readonly service: (key: string) => Service | null
  /** The annotated Service that owns the host of this key; null: none. */
  readonly hostOwner: (host: string) => ObjectRef | null
  /** What that Service asks for on the host. */
  readonly hostDraft: (host: string) => RouteDraft | null
  readonly routes: RouteBook
  readonly certificates: CertificateBook
  readonly problems: ProblemBook
}

/** The slot of `spec.defaultBackend`, and of the settings' default service when nobody has it. */
export const defaultSlot = '- prefix /'

interface Leading {
  readonly id: UpstreamId
  readonly target: UpstreamTarget
  readonly app: string
}

/** What becomes of a draft. */
type Standing =
  | { readonly kind: 'own' }
  /** On the host of a Service, of which `host` is the draft. */
  | { readonly kind: 'guest'; readonly host: RouteDraft | null }
  /** Another namespace has the host. */
  | { readonly kind: 'held'; readonly holder: HostHolder }
  | { readonly kind: 'closed' | 'taken'; readonly owner: ObjectRef }

export class IngressBook {
  readonly #options: IngressBookOptions
  readonly #objects = new ObjectSet('Ingress')
  readonly #classes: IngressClasses
  readonly #served = new Map<string, IngressTranslation>()
  /** By slot, and for challenges by slot and namespace too; rank: explicit rules first, then age. */
  readonly #slots = new Claims()
  readonly #certificates: IngressCertificates
  /** Topics: `class NAME`, `host HOST`, `certificate TOPIC`, `secret ID`, and keys of Services. */
  readonly #interests = new Interests()
  /** Those whose claims are to be made, or made anew. */
  readonly #unentered = new Set<string>()
  readonly #unsettled = new Set<string>()
  /** Those whose Problems with certificates are to be looked at. */
  readonly #unnoted = new Set<string>()

  constructor(options: IngressBookOptions) {
    this.#options = options
    this.#classes = new IngressClasses(options.controller, options.problems)
    this.#certificates = new IngressCertificates(options.certificates, options.titles)
  }

  ingresses(change: Change<Ingress>): void {
    this.#objects.apply(change)
  }

  classes(change: Change<IngressClass>): void {
    this.#classes.apply(change)
  }

  get hasNameless(): boolean {
    return this.#objects.hasNameless
  }

  get hasNamelessClass(): boolean {
    return this.#classes.hasNameless
  }

  /** Translations depend on the settings: all have to be made anew. */
  touchAll(): void {
    this.#objects.touchAll()
  }

  /** The Service of this key came, changed or went. */
  touchService(key: string): void {
    this.#unsettleAll(this.#interests.in(key))
  }

  /** A host has changed hands among annotated Services, or its certificate there. */
  touchHost(host: string): void {
    this.#unsettleAll(this.#interests.in(`host ${host}`))
  }

  /** A certificate came, went, or was heard of for the first time. */
  touchCertificate(id: CertificateId): void {
    this.#unsettleAll(this.#interests.in(`secret ${id}`))
  }

  /** Something that the Ingress of this key depends on has changed; other keys are ignored. */
  unsettle(key: string): void {
    if (this.#served.has(key)) this.#unsettled.add(key)
  }

  /** Translates what is new and finds out whom else that concerns. */
  read(settings: RouterSettings): void {
    for (const name of this.#classes.read())
      for (const key of this.#interests.in(`class ${name}`)) this.#objects.touch(key)
    for (const [key, ref] of this.#objects.takeDirty()) {
      const held = this.#objects.get(key)
      const shaped = held === null ? null : readIngress(ref, held.object)
      const shape = shaped?.kind === 'good' ? shaped.object : null
      const translation = shape !== null && this.#isOurs(shape.className) ? translateIngress(shape, settings) : null
      if (translation === null) {
        const faults = shaped?.kind === 'malformed' ? [invalidObject(ref, shaped.reason)] : []
        this.#options.problems.set(key, faults)
      }
      this.#replace(ref, shape, translation)
    }
  }

  /** Makes the claims of what has been read, and those of the Ingresses of these keys, whose titles have moved. */
  enter(moved: ReadonlySet<string>): void {
    for (const key of moved) if (this.#served.has(key)) this.#unentered.add(key)
    for (const key of this.#unentered) {
      const { ref, created, drafts } = this.#served.get(key)!
      const slots = new Map<string, string>()
      for (const draft of drafts) {
        if (this.#options.titles.holder(draft.hostKey, ref.namespace) !== null) continue
        const rank = `${draft.fallback ? 'fallback' : 'explicit'} ${created}`
        slots.set(draft.slot, rank)
        if (draft.isChallenge) slots.set(ownSlot(draft, ref), rank)
      }
      this.#claim(ref, slots)
      this.#unsettled.add(key)
    }
    this.#unentered.clear()
  }

  /** Puts into force what each Ingress that something happened to has. */
  settle(settings: RouterSettings): void {
    // Who serves what first: whose certificates count depends on it, for others too.
    for (const key of [...this.#unsettled]) {
      const translation = this.#served.get(key)
      if (translation === undefined) continue
      const { ref, created, certificates, drafts } = translation
      const served = drafts
        .filter(draft => this.#standing(key, ref, draft).kind === 'own')
        .map(draft => ({ host: draft.host, isRoot: isRoot(draft) }))
      this.#nameCertificates(ref, created, certificates, served)
    }
    for (const key of this.#unsettled) {
      const translation = this.#served.get(key)
      if (translation !== undefined) this.#settle(key, translation, settings)
    }
    this.#unsettled.clear()
  }

  /** Finds the Problems with certificates: only those that a route uses have any, which all routes decide. */
  noteCertificates(): void {
    for (const id of this.#options.certificates.takeTurned())
      for (const key of this.#interests.in(`secret ${id}`)) this.#unnoted.add(key)
    for (const key of this.#unnoted) {
      const ref = this.#served.get(key)?.ref
      this.#options.problems.set(`certificates of ${key}`, ref === undefined ? [] : this.#certificates.problems(ref))
    }
    this.#unnoted.clear()
  }

  /** Who has the default tier; null: nobody. */
  defaultOwner(): ObjectRef | null {
    return this.#slots.owner(defaultSlot)
  }

  /** What Ingresses ask for of hosts that `matches` says yes to, and do not get. */
  *contenders(matches: (host: HostMatch) => boolean): Iterable<Contender> {
    for (const [key, { ref, drafts }] of this.#served)
      for (const draft of drafts) {
        const { host, path } = draft
        const standing = matches(host) ? this.#standing(key, ref, draft) : null
        if (standing?.kind === 'held') {
          yield { object: ref, host, path, reason: 'host-taken', owner: standing.holder.object, why: heldWhy }
        } else if (standing?.kind === 'closed') {
          const why = 'the host belongs to a Service, whose annotations ask for the whole host'
          yield { object: ref, host, path, reason: 'host-taken', owner: standing.owner, why }
        } else if (standing?.kind === 'taken') {
          const why = draft.fallback
            ? 'a default backend gives way to a rule'
            : 'the path belongs to another Ingress, which is older'
          yield { object: ref, host, path, reason: 'path-taken', owner: standing.owner, why }
        }
      }
    for (const { ref, object } of this.#objects.values()) {
      if (this.#served.has(refKey(ref))) continue
      const shaped = readIngress(ref, object)
      if (shaped.kind !== 'good') continue
      const { className, rules } = shaped.object
      const why = className === null ? 'it names no IngressClass' : `its class ${quote(className)} is not ours`
      for (const { host, paths } of rules)
        for (const { path } of matches(host) ? paths : [])
          yield { object: ref, host, path, reason: 'other-class', owner: null, why }
    }
  }

  *status(): Iterable<IngressStatus> {
    for (const { ref, object } of this.#objects.values()) {
      const { namespace, name } = ref
      const served = this.#served.has(refKey(ref))
      yield { namespace, name, served, loadBalancer: readLoadBalancer(object) }
    }
  }

  /** I-C1 to I-C4. */
  #isOurs(className: string | null): boolean {
    return className === null ? this.#options.withoutClass : this.#classes.isOurs(className)
  }

  #replace(ref: ObjectRef, shape: IngressShape | null, translation: IngressTranslation | null): void {
    const key = refKey(ref)
    const topics = new Set<string>()
    if (shape !== null && shape.className !== null) topics.add(`class ${shape.className}`)
    if (translation !== null) {
      for (const draft of translation.drafts) {
        topics.add(`host ${draft.hostKey}`)
        for (const topic of this.#certificates.topics(draft.host, ref)) topics.add(`certificate ${topic}`)
        if (draft.backend.kind === 'service') topics.add(serviceKey(ref.namespace, draft.backend.name))
      }
      for (const { secret } of translation.certificates.values())
        topics.add(`secret ${certificateId(secret.namespace, secret.name)}`)
    }
    if (translation !== null) this.#served.set(key, translation)
    else this.#served.delete(key)
    this.#interests.replace(key, topics)
    const claim =
      translation === null ? null : { created: translation.created, hosts: translation.drafts.map(({ host }) => host) }
    this.#options.titles.replace(ref, claim)
    if (translation !== null) {
      this.#unentered.add(key)
      this.#unsettled.add(key)
    } else {
      this.#claim(ref, new Map())
      this.#unentered.delete(key)
      this.#nameCertificates(ref, '', new Map(), [])
      this.#unsettled.delete(key)
      this.#unnoted.add(key)
      this.#options.routes.replace(key, [])
    }
  }

  #claim(ref: ObjectRef, slots: ReadonlyMap<string, string>): void {
    for (const slot of this.#slots.replace(ref, slots)) this.#unsettleAll(this.#slots.claimants(slot).map(refKey))
  }

  #nameCertificates(
    ref: ObjectRef,
    created: string,
    named: IngressTranslation['certificates'],
    served: readonly ServedHost[],
  ): void {
    for (const topic of this.#certificates.replace(ref, created, named, served))
      this.#unsettleAll(this.#interests.in(`certificate ${topic}`))
  }

  /** Whether a draft comes into force, and if not, who has what it asks for. */
  #standing(key: string, ref: ObjectRef, draft: IngressDraft): Standing {
    const holder = this.#options.titles.holder(draft.hostKey, ref.namespace)
    if (holder !== null) return { kind: 'held', holder }
    const hostOwner = this.#options.hostOwner(draft.hostKey)
    const isGuest = hostOwner !== null && draft.isChallenge && hostOwner.namespace === ref.namespace
    if (hostOwner !== null && !isGuest) return { kind: 'closed', owner: hostOwner }
    const owner = this.#slots.owner(isGuest ? ownSlot(draft, ref) : draft.slot)
    if (owner !== null && refKey(owner) !== key) return { kind: 'taken', owner }
    return isGuest ? { kind: 'guest', host: this.#options.hostDraft(draft.hostKey) } : { kind: 'own' }
  }

  #settle(key: string, translation: IngressTranslation, settings: RouterSettings): void {
    const { ref } = translation
    const problems = [...translation.problems]
    const closed = new Set<string>()
    const lose = (draft: IngressDraft, problem: Problem): void => {
      if (!closed.has(draft.hostKey)) problems.push(problem)
      closed.add(draft.hostKey)
    }
    const routes: RouteDraft[] = []
    for (const draft of translation.drafts) {
      const standing = this.#standing(key, ref, draft)
      switch (standing.kind) {
        case 'held':
          lose(draft, hostHeld(ref, draft.serverName, standing.holder))
          break
        case 'closed':
          lose(draft, hostConflict(ref, draft, standing.owner))
          break
        case 'taken':
          // A default backend that gives way to a rule is no mistake.
          if (!draft.fallback) problems.push(pathConflict(ref, draft, standing.owner))
          break
        case 'guest':
        case 'own': {
          const leading = this.#lead(translation, draft, problems)
          routes.push(this.#routeDraft(translation, draft, leading, standing, settings))
          break
        }
        default:
          assertNever(standing)
      }
    }
    this.#options.routes.replace(key, routes)
    this.#options.problems.set(key, problems)
    this.#unnoted.add(key)
  }

  #routeDraft(
    { ref, app, policies, requestStart, referrerPolicy }: IngressTranslation,
    { id, host, serverName, path }: IngressDraft,
    leading: Leading,
    standing: Extract<Standing, { readonly kind: 'guest' | 'own' }>,
    settings: RouterSettings,
  ): RouteDraft {
    const isGuest = standing.kind === 'guest'
    const secret = isGuest ? (standing.host?.secret ?? null) : this.#certificates.secretFor(host, ref)
    return {
      route: {
        id,
        app: leading.app,
        serverName,
        // A guest on a wildcard joins the Service's own, which is of any depth.
        host: isGuest && host.kind === 'wildcard' ? { ...host, depth: 'any' } : host,
        path,
        // A guest is on HTTPS when its host is: it shall not take the name from a wildcard there.
        https: !isGuest || standing.host?.route.https === true,
        certificate: secret === null ? null : certificateId(secret.namespace, secret.name),
        policies: host.kind === 'default' ? policies.filter(isForDefault) : policies,
        requestStart,
        referrerPolicy,
        backend: backendOf(leading.id, app, settings),
      },
      secret,
      authorities: authoritiesOf(app, ref.namespace),
      needsCertificate: isGuest,
      target: leading.target,
    }
  }

  /** Where a rule leads; what leads nowhere answers 503 and says why (I-B2, I-B4, I-B6, I-B8). */
  #lead({ ref }: IngressTranslation, { backend, serverName, path }: IngressDraft, problems: Problem[]): Leading {
    const { namespace, name } = ref
    const where = `${serverName}${path.path}`
    if (backend.kind !== 'service') {
      if (backend.kind === 'resource') {
        const message = `backend ${backend.resource} of ${where} is of a kind that is not served here: it answers 503`
        problems.push({ code: 'unsupported', severity: 'warning', object: ref, message })
      }
      return { ...nowhere, app: appName(namespace, name) }
    }
    const app = appName(namespace, backend.name)
    const service = serviceKey(namespace, backend.name)
    const found = resolvePort(this.#options.service(service), backend.port, this.#options.externalNames)
    if (found.kind === 'none') {
      const { code, reason } = found
      const message = `backend ${backend.name}:${backend.port} of ${where} answers 503: ${reason}`
      problems.push({ code, severity: 'warning', object: ref, message })
    }
    const port = found.kind === 'none' ? backend.port : found.port
    const id = `${namespace}/${backend.name}:${port}` as UpstreamId
    return { id, target: { kind: 'service', service, port }, app }
  }

  #unsettleAll(keys: Iterable<string>): void {
    for (const key of keys) this.unsettle(key)
  }
}

function serviceKey(namespace: string, name: string): string {
  return refKey({ kind: 'Service', namespace, name })
}

/** A challenge's slot among the Ingresses of its own namespace. */
function ownSlot({ slot }: IngressDraft, { namespace }: ObjectRef): string {
  return `${slot} @${namespace}`
}

/** The default tier redirects nobody: the hosts that get there are anybody's. */
function isForDefault({ kind }: Policy): boolean {
  return kind !== 'enforce-https'
}

function hostConflict(object: ObjectRef, { serverName }: IngressDraft, { namespace, name }: ObjectRef): Problem {
  const message = `${serverName} belongs to Service ${namespace}/${name}, whose annotations ask for the whole host`
  return { code: 'host-conflict', severity: 'warning', object, message }
}

/** Whether it serves all of its host that nobody else does. */
function isRoot({ path, fallback }: IngressDraft): boolean {
  return !fallback && path.kind === 'prefix' && path.path === '/'
}

function pathConflict(object: ObjectRef, draft: IngressDraft, { namespace, name }: ObjectRef): Problem {
  const { host, serverName, path } = draft
  const what = host.kind === 'default' ? 'the default backend' : `${serverName}${path.path} (${path.kind})`
  const message = `${what} belongs to Ingress ${namespace}/${name}, which is older`
  return { code: 'path-conflict', severity: 'warning', object, message }
}
