// From a routable Service to Routes (contract sections 6 to 8). Pure: who else claims a host and which certificates
// exist is for `world.ts` to know.

import type { Service, ServicePort } from '#kube/types.ts'
import type { CertificateId } from '../model/certificate.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { Policy, Route, RouteId } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { UpstreamId } from '../model/upstream.ts'
import { quote } from './annotation.ts'
import { type AppSettings, readAppSettings } from './app-settings.ts'
import { certificateId } from './certificate.ts'
import { hostKey } from './claims.ts'
import { type DomainEntry, hostOf, isDotless } from './domain.ts'

export interface SecretRef {
  readonly namespace: string
  readonly name: string
}

export interface ServiceTranslation {
  readonly app: string
  /** One for each host. `certificate` names what the route is to have, whether or not it exists. */
  readonly routes: readonly Route[]
  readonly upstream: UpstreamId
  /** The name of the port that traffic goes to, empty when it has none; null: there is no such port. */
  readonly portName: string | null
  /** The Secrets behind the certificates of `routes`. */
  readonly secrets: ReadonlyMap<CertificateId, SecretRef>
  readonly problems: readonly Problem[]
}

/** The Service port that apps are reached at, whatever its targetPort. */
const appPort = 80

/** Whether the Service asks to be routed: `router.deis.io/routable` is exactly `true`. */
export function isRoutable({ metadata: { labels } }: Service): boolean {
  return labels?.['router.deis.io/routable'] === 'true'
}

/** The Secret with the certificate of the platform domain, which may exist or not. */
export function platformSecret(routerNamespace: string): SecretRef {
  return { namespace: routerNamespace, name: 'deis-router-platform-cert' }
}

/** The name in logs and metrics: label `app`, else the Service's name, behind the namespace unless they are equal. */
function appName({ namespace, name }: ObjectRef, labels: Readonly<Record<string, string>>): string {
  const app = labels.app || name
  return app === namespace ? app : `${namespace}/${app}`
}

function isAppPort({ port, protocol = 'TCP' }: ServicePort): boolean {
  return port === appPort && protocol === 'TCP'
}

function secretOf(entry: DomainEntry, app: AppSettings, namespace: string, platform: SecretRef): SecretRef | null {
  if (isDotless(entry)) return platform
  const certname = app.certificates.get(entry)
  return certname === undefined ? null : { namespace, name: `${certname}-cert` }
}

/** Translates a routable Service. `routerNamespace` is where the platform certificate is looked for. */
export function translateService(
  service: Service,
  settings: RouterSettings,
  routerNamespace: string,
): ServiceTranslation {
  const { name, namespace = 'default', labels = {}, annotations = {} } = service.metadata
  const ref: ObjectRef = { kind: 'Service', namespace, name }
  const { settings: app, problems: found } = readAppSettings(annotations, ref)
  const problems = [...found]
  const appLabel = appName(ref, labels)
  const upstream = `${namespace}/${name}:${appPort}` as UpstreamId
  const platform = platformSecret(routerNamespace)

  const policies: Policy[] = []
  if (app.maintenance) policies.push({ kind: 'maintenance' })
  if (app.enforceHttps || settings.tls.enforce) policies.push({ kind: 'enforce-https' })

  const routes = new Map<string, Route>()
  const secrets = new Map<CertificateId, SecretRef>()
  for (const entry of app.domains) {
    const target = hostOf(entry, settings.platformDomain)
    if (target === null) {
      const message = `router.deis.io/domains: ${quote(entry)} with the platform domain is too long for a host name`
      problems.push({ code: 'invalid-annotation', severity: 'error', object: ref, message })
      continue
    }
    const secret = secretOf(entry, app, namespace, platform)
    const certificate = secret === null ? null : certificateId(secret.namespace, secret.name)
    const key = hostKey(target.host)
    const twin = routes.get(key)
    // `foo` and `foo.PLATFORM` are one host: a certificate that somebody mapped to it goes before the platform's.
    if (twin !== undefined && (certificate === null || (isDotless(entry) && twin.certificate !== null))) continue
    if (secret !== null && certificate !== null) secrets.set(certificate, secret)
    routes.set(key, {
      id: twin?.id ?? (`service/${namespace}/${name}/${entry}` as RouteId),
      app: appLabel,
      serverName: target.serverName,
      host: target.host,
      path: { kind: 'prefix', path: '/' },
      certificate,
      policies,
      backend: {
        upstream,
        connectTimeout: app.connectTimeout,
        idleTimeout: app.tcpTimeout ?? settings.defaultTimeout,
      },
    })
  }

  const port = service.spec?.ports?.find(isAppPort) ?? null
  if (port === null && routes.size > 0) {
    const message = `the Service has no TCP port ${appPort}, so that nothing answers for its domains`
    problems.push({ code: 'no-port', severity: 'error', object: ref, message })
  }
  // A certificate that gave way to another one of the same host is nobody's.
  const used = new Set([...routes.values()].map(route => route.certificate))
  for (const id of secrets.keys()) if (!used.has(id)) secrets.delete(id)
  const portName = port === null ? null : (port.name ?? '')
  return { app: appLabel, routes: [...routes.values()], upstream, portName, secrets, problems }
}
