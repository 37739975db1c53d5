// From a routable Service to drafts of its routes (contract sections 6 to 8). Pure: who else claims a host and which
// certificates exist is for others to know (`app-book.ts`, `route-book.ts`).

import type { Service } from '#kube/types.ts'
import type { CertificateId } from '../model/certificate.ts'
import { compileHostExpression } from '../model/host-expression.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { PathMatch, Route, RouteId } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { UpstreamId } from '../model/upstream.ts'
import { quote } from './annotation.ts'
import { type AppSettings, readAppSettings } from './app-settings.ts'
import { certificateId } from './certificate.ts'
import { claimKey } from './claims.ts'
import { type DomainEntry, type DomainHost, hostOf, isDotless } from './domain.ts'
import { type Locations, readLocations } from './location.ts'
import { refKey } from './object-shape.ts'
import type { RouteDraft } from './route-draft.ts'
import { authoritiesOf, backendOf, policiesOf, referrerPolicyOf } from './route-parts.ts'
import { resolvePort } from './service-port.ts'
import { creationTime } from './shape.ts'

export interface SecretRef {
  readonly namespace: string
  readonly name: string
}

export interface ServiceTranslation {
  /** When the Service came to be, to be compared as text. */
  readonly created: string
  /** One for each host. */
  readonly drafts: readonly RouteDraft[]
  readonly app: AppSettings
  /** What it asks to be given of another app's paths; null: nothing. */
  readonly locations: Locations | null
  readonly problems: readonly Problem[]
}

export interface ServiceContext {
  readonly settings: RouterSettings
  /** Where the platform certificate is looked for. */
  readonly namespace: string
  readonly externalNames: boolean
}

/** One object for all routes, here and in each data thread that they are sent to. */
const everyPath: PathMatch = Object.freeze({ kind: 'prefix', path: '/' })

/** The Service port that apps are reached at, whatever its targetPort. */
const appPort = 80

export const routableLabel = 'router.deis.io/routable'

/** Whether the Service asks to be routed: that label is exactly `true`. */
export function isRoutable({ metadata: { labels } }: Service): boolean {
  return labels?.[routableLabel] === 'true'
}

/** The Secret with the certificate of the platform domain, which may exist or not. */
export function platformSecret(routerNamespace: string): SecretRef {
  return { namespace: routerNamespace, name: 'deis-router-platform-cert' }
}

/** The name in logs and metrics: behind the namespace unless they are equal (contract section 6). */
export function appName(namespace: string, name: string): string {
  return name === namespace ? name : `${namespace}/${name}`
}

function secretOf(entry: DomainEntry, app: AppSettings, namespace: string, platform: SecretRef): SecretRef | null {
  if (isDotless(entry)) return platform
  const certname = app.certificates.get(entry)
  return certname === undefined ? null : { namespace, name: `${certname}-cert` }
}

interface EntryHost extends DomainHost {
  readonly entry: DomainEntry
  /** The last part of the route's id. */
  readonly id: string
}

/** Translates a routable Service. */
export function translateService(service: Service, context: ServiceContext): ServiceTranslation {
  const { settings } = context
  const { name, namespace = 'default', creationTimestamp, labels = {}, annotations = {} } = service.metadata
  const ref: ObjectRef = { kind: 'Service', namespace, name }
  const { settings: app, problems: found } = readAppSettings(annotations, ref)
  const { locations, problems: misplaced } = readLocations(app, ref)
  const problems = [...found, ...misplaced]
  const platform = platformSecret(context.namespace)
  const upstream = `${namespace}/${name}:${appPort}` as UpstreamId
  const common = {
    app: appName(namespace, labels.app || name),
    path: everyPath,
    policies: policiesOf(app, settings, false),
    requestStart: settings.requestStartHeader && !app.disableRequestStartHeader,
    referrerPolicy: referrerPolicyOf(app, settings),
    backend: backendOf(upstream, app, settings),
  } as const
  const authorities = authoritiesOf(app, namespace)
  const target = { kind: 'service', service: refKey(ref), port: appPort } as const

  const drafts = new Map<string, RouteDraft>()
  for (const { entry, id, host, serverName } of hostsOf(app, settings, ref, problems)) {
    const secret = secretOf(entry, app, namespace, platform)
    const certificate: CertificateId | null = secret === null ? null : certificateId(secret.namespace, secret.name)
    const key = claimKey(host)
    const twin = drafts.get(key)?.route
    // `foo` and `foo.PLATFORM` are one host: a certificate that somebody mapped to it goes before the platform's.
    if (twin !== undefined && (certificate === null || (isDotless(entry) && twin.certificate !== null))) continue
    const route: Route = {
      id: twin?.id ?? (`service/${namespace}/${name}/${id}` as RouteId),
      serverName,
      host,
      https: certificate !== null,
      certificate,
      ...common,
    }
    drafts.set(key, { route, secret, authorities, needsCertificate: true, target })
  }
  const port = resolvePort(service, appPort, context.externalNames)
  if (port.kind === 'none' && drafts.size > 0) {
    const code = port.code === 'no-backend' ? 'no-port' : port.code
    const message = `${port.reason}, so that nothing answers for its domains`
    problems.push({ code, severity: 'error', object: ref, message })
  }
  const created = creationTime(creationTimestamp)
  return { created, drafts: [...drafts.values()], app, locations, problems }
}

/** Every host that the Service asks for. */
function hostsOf(
  app: AppSettings,
  settings: RouterSettings,
  ref: ObjectRef,
  problems: Problem[],
): readonly EntryHost[] {
  const expression = expressionOf(app, settings, ref, problems)
  return app.domains.flatMap((entry): readonly EntryHost[] => {
    if (expression !== null && isDotless(entry) && expression.includes(entry)) {
      const regex = { kind: 'regex', expression } as const
      return [
        { entry, id: entry, ...hostOf(entry, null)! },
        // No entry begins with a tilde.
        { entry, id: `~${entry}`, host: regex, serverName: `~^${expression}\\.(?<domain>.+)$` },
      ]
    }
    const target = hostOf(entry, settings.platformDomain)
    if (target !== null) return [{ entry, id: entry, ...target }]
    const message = `router.deis.io/domains: ${quote(entry)} with the platform domain is too long for a host name`
    problems.push({ code: 'invalid-annotation', severity: 'error', object: ref, message })
    return []
  })
}

/** `regexDomain`, when it is in force. */
function expressionOf(
  { regexDomain, domains }: AppSettings,
  settings: RouterSettings,
  object: ObjectRef,
  problems: Problem[],
): string | null {
  if (regexDomain === null || domains.length === 0) return null
  const refuse = (code: 'invalid-annotation' | 'annotation-without-effect', reason: string): null => {
    const message = `router.deis.io/regexDomain: ${quote(regexDomain)} ${reason}; domains hold as if it were not there`
    problems.push({ code, severity: 'warning', object, message })
    return null
  }
  if (!settings.enableRegexDomains) return refuse('annotation-without-effect', 'needs nginx.enableRegexDomains')
  // Whose hosts an expression matches cannot be told.
  if (settings.hostOwnership === 'namespace')
    return refuse('annotation-without-effect', 'counts for nothing where nginx.hostOwnership is namespace')
  const compiled = compileHostExpression(regexDomain)
  if (compiled.kind === 'bad') return refuse('invalid-annotation', compiled.reason)
  if (domains.some(entry => isDotless(entry) && regexDomain.includes(entry))) return regexDomain
  return refuse('invalid-annotation', 'contains no dotless entry of the domains')
}
