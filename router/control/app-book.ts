// The annotated Services that are routed, or would be if others did not own their hosts:
//
//   Service ─▶ translation ─▶ enter: claims on hosts that its namespace may have ─▶ settle: what is its own to serve ─▶ routes
//                    └─▶ locations of other apps ─────────────────────────────────────▲
//
// A change settles the Service that changed, those whose hosts changed hands, and the apps whose locations it serves.

import { compareText } from '#kit/compare-text.ts'
import type { Hostname } from '../model/hostname.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { HostMatch } from '../model/route.ts'
import { quote } from './annotation.ts'
import { certificateId } from './certificate.ts'
import type { CertificateBook } from './certificate-book.ts'
import { Claims, claimKey } from './claims.ts'
import type { Contender } from './contender.ts'
import { type DomainEntry, hostOf } from './domain.ts'
import type { Expression } from './expression-bound.ts'
import { type HostTitles, heldWhy, hostHeld } from './host-titles.ts'
import { addLocations, type Handler, locationsKey } from './location.ts'
import { refKey } from './object-shape.ts'
import type { ProblemBook } from './problem-book.ts'
import type { RouteBook } from './route-book.ts'
import type { RouteDraft } from './route-draft.ts'
import { platformSecret, type ServiceContext, type ServiceTranslation } from './service.ts'

export interface AppBookOptions {
  /** The router's own. */
  readonly namespace: string
  readonly titles: HostTitles
  readonly routes: RouteBook
  readonly certificates: CertificateBook
  readonly problems: ProblemBook
}

const noRank = ''

export class AppBook {
  readonly #titles: HostTitles
  readonly #routes: RouteBook
  readonly #certificates: CertificateBook
  readonly #problems: ProblemBook
  readonly #platformCertificate: string
  readonly #apps = new Map<string, Handler>()
  readonly #hosts = new Claims()
  /** Who has a literal entry in its `domains`, and who asks for paths of the app that does. */
  readonly #entries = new Claims()
  readonly #handlers = new Claims()
  /** Those whose claims are to be made, or made anew. */
  readonly #unentered = new Set<string>()
  readonly #unsettled = new Map<string, ObjectRef>()
  #moved = new Set<string>()

  constructor({ namespace, titles, routes, certificates, problems }: AppBookOptions) {
    this.#titles = titles
    this.#routes = routes
    this.#certificates = certificates
    this.#problems = problems
    const platform = platformSecret(namespace)
    this.#platformCertificate = certificateId(platform.namespace, platform.name)
  }

  /** What the Service comes to; null: it is not routed, for the reasons that `problems` give. */
  put(ref: ObjectRef, translation: ServiceTranslation | null, problems: readonly Problem[] = []): void {
    const key = refKey(ref)
    const before = this.#apps.get(key)
    if (before === undefined && translation === null) {
      this.#problems.set(key, problems)
      return
    }
    if (translation === null) this.#apps.delete(key)
    else this.#apps.set(key, { ref, translation })
    const certificates = certificatesOf(translation)
    for (const [host, certificate] of certificatesOf(before?.translation ?? null))
      if (certificates.get(host) !== certificate) this.#moved.add(host)
    const claim =
      translation === null
        ? null
        : { created: translation.created, hosts: translation.drafts.map(({ route }) => route.host) }
    this.#titles.replace(ref, claim)
    this.#handlers.replace(ref, rankless(translation?.locations ? [translation.locations.domain] : []))
    const asked = [before?.translation.locations?.domain, translation?.locations?.domain]
    for (const entry of asked) if (entry !== undefined) this.#unsettleEntry(entry)
    if (translation !== null) {
      this.#unentered.add(key)
      this.#unsettled.set(key, ref)
    } else {
      this.#claim(ref, [], [])
      this.#unentered.delete(key)
      this.#unsettled.delete(key)
      this.#routes.replace(key, [])
      this.#problems.set(key, problems)
      this.#problems.set(`locations of ${key}`, [])
    }
  }

  /** Makes the claims of what has been put, and those of the Services of these keys, whose titles have moved. */
  enter(moved: ReadonlySet<string>, { settings: { platformDomain } }: ServiceContext): void {
    for (const key of moved) if (this.#apps.has(key)) this.#unentered.add(key)
    for (const key of this.#unentered) {
      const { ref, translation } = this.#apps.get(key)!
      const { drafts, app } = translation
      const isFree = (host: string): boolean => this.#titles.holder(host, ref.namespace) === null
      const hosts = drafts.map(({ route }) => claimKey(route.host)).filter(isFree)
      // Of an app all of whose hosts are its own every entry is, and there is nothing to look up.
      const isWhole = hosts.length === drafts.length
      const entries = isWhole ? app.domains : app.domains.filter(entry => isFree(hostKeyOf(entry, platformDomain)))
      this.#claim(ref, hosts, entries)
      this.#unsettled.set(key, ref)
    }
    this.#unentered.clear()
  }

  /** The Service that owns a host, of the key that `claimKey` gives; null: none. */
  owner(host: string): ObjectRef | null {
    return this.#hosts.owner(host)
  }

  /** What the owner of a host asks for there; null: there is none. */
  ownerDraft(host: string): RouteDraft | null {
    const owner = this.#hosts.owner(host)
    const drafts = owner === null ? [] : (this.#apps.get(refKey(owner))?.translation.drafts ?? [])
    return drafts.find(({ route }) => claimKey(route.host) === host) ?? null
  }

  /** Those whose hosts `matches` says yes to, and which others own. */
  *contenders(matches: (host: HostMatch) => boolean): Iterable<Contender> {
    for (const { ref, translation } of this.#apps.values())
      for (const draft of translation.drafts) {
        const { host, path } = draft.route
        if (!matches(host)) continue
        const key = claimKey(host)
        const holder = this.#titles.holder(key, ref.namespace)
        if (holder !== null) {
          yield { object: ref, host, path, reason: 'host-taken', owner: holder.object, why: heldWhy }
          continue
        }
        const owner = this.#hosts.owner(key)
        if (owner === null) continue
        if (refKey(owner) === refKey(ref)) yield* this.#strangersAt(ref, translation, draft)
        else {
          const why = 'the host belongs to another Service, which comes first by namespace and name'
          yield { object: ref, host, path, reason: 'host-taken', owner, why }
        }
      }
  }

  /** Those that ask for paths of a host, and are not admitted there. */
  *#strangersAt(owner: ObjectRef, translation: ServiceTranslation, { route }: RouteDraft): Iterable<Contender> {
    for (const { ref, translation: asked } of this.#handlersOf(refKey(owner), translation)) {
      if (this.#titles.admits(ref.namespace, owner.namespace)) continue
      for (const path of asked.locations?.prefixes ?? []) {
        const match = { kind: 'text-prefix', path } as const
        yield { object: ref, host: route.host, path: match, reason: 'path-taken', owner, why: strangerWhy }
      }
    }
  }

  /** The hosts that have changed their owner, or their certificate, since the last call. */
  takeMoved(): ReadonlySet<string> {
    const moved = this.#moved
    this.#moved = new Set()
    return moved
  }

  /** Who has expressions, by namespace and name. */
  expressions(): readonly Expression[] {
    const found: Expression[] = []
    for (const { ref, translation } of this.#apps.values())
      for (const { route } of translation.drafts)
        if (route.host.kind === 'regex') found.push({ object: ref, text: route.host.expression })
    return found.sort(
      ({ object: a }, { object: b }) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name),
    )
  }

  /** Something that the Service of this key depends on has changed; other keys are ignored. */
  unsettle(key: string): void {
    const app = this.#apps.get(key)
    if (app !== undefined) this.#unsettled.set(key, app.ref)
  }

  /** Puts into force what of each app that something happened to is its own to serve. */
  settle(context: ServiceContext): void {
    for (const key of this.#unsettled.keys()) {
      const app = this.#apps.get(key)
      if (app !== undefined) this.#settle(key, app, context)
    }
    this.#unsettled.clear()
  }

  #settle(key: string, { ref, translation }: Handler, { settings }: ServiceContext): void {
    const problems = [...translation.problems]
    const handlers = this.#handlersOf(key, translation)
    const isAdmitted = (handler: Handler): boolean => this.#titles.admits(handler.ref.namespace, ref.namespace)
    const strangers = handlers.filter(handler => !isAdmitted(handler))
    const located = addLocations(translation, handlers.filter(isAdmitted), settings)
    this.#problems.set(`locations of ${key}`, [
      ...located.problems,
      ...strangers.map(handler => notAdmitted(handler, ref.namespace)),
    ])
    const own: RouteDraft[] = []
    const lost = new Set<string>()
    for (const draft of located.drafts) {
      const host = claimKey(draft.route.host)
      const holder = this.#titles.holder(host, ref.namespace)
      const owner = this.#hosts.owner(host)
      if (holder === null && (owner === null || refKey(owner) === key)) own.push(draft)
      else if (!lost.has(host)) {
        lost.add(host)
        problems.push(holder === null ? hostConflict(ref, host, owner!) : hostHeld(ref, host, holder))
      }
    }
    this.#routes.replace(key, own)
    problems.push(...this.#certificateProblems(ref, own))
    const { locations } = translation
    if (locations !== null && this.#entries.owner(locations.domain) === null) {
      const message = `${locationsKey}: no app has ${quote(locations.domain)} in its domains, so that they are not served`
      problems.push({ code: 'no-backend', severity: 'warning', object: ref, message })
    }
    this.#problems.set(key, problems)
  }

  /** Those who serve locations of this app, in their order. */
  #handlersOf(key: string, { app }: ServiceTranslation): readonly Handler[] {
    const handlers = new Map<string, Handler>()
    for (const entry of app.domains) {
      const claimants = this.#handlers.claimants(entry)
      const owner = claimants.length === 0 ? null : this.#entries.owner(entry)
      if (owner === null || refKey(owner) !== key) continue
      for (const ref of claimants) {
        const handler = this.#apps.get(refKey(ref))
        if (handler !== undefined) handlers.set(refKey(ref), handler)
      }
    }
    return [...handlers.values()].sort(
      ({ ref: a }, { ref: b }) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name),
    )
  }

  #certificateProblems(object: ObjectRef, drafts: readonly RouteDraft[]): readonly Problem[] {
    const problems: Problem[] = []
    const checked = new Set<string>()
    for (const { route } of drafts) {
      const { certificate: id, host, serverName } = route
      // Whether the platform has a certificate, and for what, is not the app's affair.
      if (id === null || id === this.#platformCertificate) continue
      if (this.#certificates.isAbsent(id) && !checked.has(id)) {
        const message = `Secret ${id}, which router.deis.io/certificates asks for, does not exist: its domains have no HTTPS`
        problems.push({ code: 'certificate-missing', severity: 'warning', object, message })
      }
      checked.add(id)
      if (this.#certificates.covers(id, host) || checked.has(serverName)) continue
      checked.add(serverName)
      problems.push(uncovered(object, id, serverName))
    }
    return problems
  }

  #claim(ref: ObjectRef, hosts: readonly string[], entries: readonly string[]): void {
    for (const host of this.#hosts.replace(ref, rankless(hosts))) {
      this.#moved.add(host)
      this.#unsettleAll(this.#hosts.claimants(host))
    }
    for (const entry of this.#entries.replace(ref, rankless(entries))) this.#unsettleEntry(entry)
  }

  /** Those who have this entry, and those who ask for its paths. */
  #unsettleEntry(entry: string): void {
    this.#unsettleAll(this.#entries.claimants(entry))
    this.#unsettleAll(this.#handlers.claimants(entry))
  }

  #unsettleAll(refs: readonly ObjectRef[]): void {
    for (const ref of refs) this.#unsettled.set(refKey(ref), ref)
  }
}

/** By key of the host. */
function certificatesOf(translation: ServiceTranslation | null): ReadonlyMap<string, string | null> {
  const drafts = translation?.drafts ?? []
  return new Map(drafts.map(({ route: { host, certificate } }) => [claimKey(host), certificate]))
}

/** The certificate is served all the same: its clients may know better. */
export function uncovered(object: ObjectRef, certificate: string, host: string): Problem {
  const message = `the certificate in Secret ${certificate} is not for ${host}; it is served there all the same`
  return { code: 'certificate-invalid', severity: 'warning', object, message }
}

function hostConflict(object: ObjectRef, host: string, { kind, namespace, name }: ObjectRef): Problem {
  const message = `${host} belongs to ${kind} ${namespace}/${name}, which comes first by namespace and name`
  return { code: 'host-conflict', severity: 'warning', object, message }
}

/** Of whose hosts another app may not have a part, and why, without a name. */
const strangerWhy = 'the host belongs to another namespace, and only its own apps may have paths of it'

function notAdmitted({ ref: object, translation }: Handler, namespace: string): Problem {
  const domain = quote(translation.locations?.domain ?? '')
  const message = `${locationsKey}: the hosts of ${domain} belong to namespace ${namespace}, and nginx.hostOwnership lets no other have paths of them`
  return { code: 'path-conflict', severity: 'warning', object, message }
}

/** The empty text for one that is too long: nobody has it. */
function hostKeyOf(entry: DomainEntry, platformDomain: Hostname | null): string {
  const target = hostOf(entry, platformDomain)
  return target === null ? '' : claimKey(target.host)
}

function rankless(things: readonly string[]): ReadonlyMap<string, string> {
  return new Map(things.map(thing => [thing, noRank]))
}
