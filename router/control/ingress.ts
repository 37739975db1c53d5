// From an Ingress to drafts of its routes (ingress contract, part A). Pure: who else has a host or path, which Services there
// are and which certificates is for `ingress-book.ts` to know.

import type { ObjectRef, Problem } from '../model/problem.ts'
import type { HostMatch, PathMatch, Policy, RouteId } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import { type AppSettings, readAppSettings } from './app-settings.ts'
import { claimKey } from './claims.ts'
import { clientCertificateKeys } from './client-certificates.ts'
import type { BackendShape, IngressShape, RuleShape } from './ingress-shape.ts'
import { policiesOf, referrerPolicyOf } from './route-parts.ts'
import type { SecretRef } from './service.ts'

export interface IngressDraft {
  readonly id: RouteId
  readonly host: HostMatch
  /** `claimKey` of the host. */
  readonly hostKey: string
  readonly serverName: string
  readonly path: PathMatch
  /** Host and path: only one Ingress can have it (I-H4). */
  readonly slot: string
  /** It is there for want of anything else for `/` of this host (I-B7): whoever asks for that goes first. */
  readonly fallback: boolean
  /** It answers an HTTP-01 challenge (RFC 8555 section 8.3): on a host of a Service in its namespace too. */
  readonly isChallenge: boolean
  readonly backend: BackendShape
}

export interface HostCertificate {
  readonly host: HostMatch
  readonly secret: SecretRef
}

export interface IngressTranslation {
  readonly ref: ObjectRef
  readonly created: string
  readonly drafts: readonly IngressDraft[]
  /** What it names Secrets for, by `claimKey`; whether other Ingresses are older is not known here. */
  readonly certificates: ReadonlyMap<string, HostCertificate>
  readonly app: AppSettings
  readonly policies: readonly Policy[]
  readonly requestStart: boolean
  readonly referrerPolicy: string | null
  readonly problems: readonly Problem[]
}

const challenges = '/.well-known/acme-challenge/'
const ownPrefix = 'router.deis.io/'
const nginxPrefix = 'nginx.ingress.kubernetes.io/'
/** Keys of section 6 of the router's contract that an Ingress may carry as well. */
const honoured: ReadonlySet<string> = new Set(
  [
    'connectTimeout',
    'tcpTimeout',
    'maintenance',
    'whitelist',
    ...clientCertificateKeys,
    'ssl.enforce',
    'nginx.proxyBuffers.enabled',
    'nginx.proxyBuffers.number',
    'nginx.proxyBuffers.size',
    'nginx.proxyBuffers.busySize',
    'referrerPolicy',
    'disableRequestStartHeader',
  ].map(key => ownPrefix + key),
)
/** Keys that one Problem lists. */
const mostKeys = 20

export function translateIngress(shape: IngressShape, settings: RouterSettings): IngressTranslation {
  const { ref, created, rules, defaultBackend, faults } = shape
  const problems = faults.map((reason): Problem => {
    return { code: 'invalid-object', severity: 'error', object: ref, message: reason }
  })
  const known = Object.entries(shape.annotations).filter(([key]) => honoured.has(key))
  const { settings: app, problems: found } = readAppSettings(Object.fromEntries(known), ref)
  problems.push(...found, ...uselessKeys(shape))

  const drafts = new Map<string, IngressDraft>()
  const add = (rule: Omit<RuleShape, 'paths'>, path: PathMatch, backend: BackendShape, fallback: boolean): boolean => {
    const draft = draftOf(ref, rule, path, backend, fallback)
    if (drafts.has(draft.slot)) return false
    drafts.set(draft.slot, draft)
    return true
  }
  for (const rule of rules) {
    for (const { path, backend } of rule.paths) {
      if (add(rule, path, backend, false)) continue
      const message = `${rule.serverName}${path.path} (${path.kind}) is there twice; the first one counts`
      problems.push({ code: 'path-conflict', severity: 'warning', object: ref, message })
    }
  }
  if (defaultBackend !== null) {
    for (const rule of rules) add(rule, everything, defaultBackend, true)
    add({ host: { kind: 'default' }, serverName: '_' }, everything, defaultBackend, false)
  }
  return {
    ref,
    created,
    drafts: [...drafts.values()],
    certificates: certificatesOf(shape),
    app,
    policies: policiesOf(app, settings, true),
    requestStart: settings.requestStartHeader && !app.disableRequestStartHeader,
    referrerPolicy: referrerPolicyOf(app, settings),
    problems,
  }
}

const everything: PathMatch = { kind: 'prefix', path: '/' }

function draftOf(
  { namespace, name }: ObjectRef,
  { host, serverName }: Omit<RuleShape, 'paths'>,
  path: PathMatch,
  backend: BackendShape,
  fallback: boolean,
): IngressDraft {
  const key = claimKey(host)
  return {
    id: `ingress/${namespace}/${name}/${key}/${path.kind}${path.path}` as RouteId,
    host,
    hostKey: key,
    serverName,
    path,
    slot: `${key} ${path.kind} ${path.path}`,
    fallback,
    isChallenge: path.path.startsWith(challenges),
    backend,
  }
}

/** I-T1 and I-T3. Of two entries for one host the first counts. */
function certificatesOf({ ref: { namespace }, rules, tls }: IngressShape): ReadonlyMap<string, HostCertificate> {
  const certificates = new Map<string, HostCertificate>()
  for (const { hosts, secretName } of tls) {
    if (secretName === null) continue
    for (const host of hosts.length > 0 ? hosts : rules.map(rule => rule.host)) {
      const key = claimKey(host)
      if (!certificates.has(key)) certificates.set(key, { host, secret: { namespace, name: secretName } })
    }
  }
  return certificates
}

/** What somebody set and nobody heeds. Other controllers' annotations are their own business (I-T7). */
function uselessKeys({ ref: object, annotations }: IngressShape): readonly Problem[] {
  const keys = Object.keys(annotations).sort()
  const problems: Problem[] = []
  const foreign = keys.filter(key => key.startsWith(nginxPrefix)).map(key => key.slice(nginxPrefix.length))
  if (foreign.length > 0) {
    const message = `annotations of ingress-nginx are not honoured here: ${listed(foreign)}`
    problems.push({ code: 'unsupported', severity: 'warning', object, message })
  }
  const own = keys.filter(key => key.startsWith(ownPrefix) && !honoured.has(key))
  if (own.length > 0) {
    const message = `on an Ingress these annotations have no effect: ${listed(own)}`
    problems.push({ code: 'annotation-without-effect', severity: 'warning', object, message })
  }
  return problems
}

function listed(keys: readonly string[]): string {
  const shown = keys.slice(0, mostKeys).join(', ')
  return keys.length > mostKeys ? `${shown} and ${keys.length - mostKeys} more` : shown
}
