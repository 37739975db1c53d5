// What a row of the contract suite is given: Kubernetes objects, written as a manifest would have them, with apps that
// the test itself plays.

import { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { KubeObject } from '#kube/types.ts'
import { makePair, type Pair } from '#router/control/testdata/make-certificate.ts'
import type { Request } from '#test/support/peer.ts'

/** Octets that an app answers with, or what it does instead of answering. */
export type Answer =
  | string
  | readonly string[]
  | ((request: Request) => string)
  /** It takes the request and says nothing. */
  | { readonly kind: 'silence' }
  /** A row takes the connection and speaks for the app. */
  | { readonly kind: 'by hand' }
  /** It resets the connection when the request has come. */
  | { readonly kind: 'reset' }
  /** It sends these parts one after the other, with so many milliseconds between two, and then ends. */
  | { readonly kind: 'parts'; readonly parts: readonly string[]; readonly pause: number }

/** Where the pods of an app are; a list of addresses stands for itself, on port 80. */
export type Pods = 'ready' | 'none' | 'not ready' | 'terminating' | 'refusing' | 'unreachable' | readonly string[]

/** A Service and its pods. */
export interface App {
  readonly kind: 'app'
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly pods: Pods
  readonly ports: readonly Readonly<Record<string, unknown>>[]
  readonly answer: Answer | undefined
  /** How many pods, each in a slice of its own. */
  readonly replicas: number
  readonly spec: Readonly<Record<string, unknown>>
}

export type Given = App | (KubeObject & { readonly kind: string })

export function nameOf(given: Given): { readonly namespace?: string; readonly name: string } {
  return 'metadata' in given ? given.metadata : given
}

export interface AppOptions {
  readonly labels?: Readonly<Record<string, string>>
  readonly pods?: Pods
  readonly ports?: readonly Readonly<Record<string, unknown>>[]
  readonly answer?: Answer
  readonly replicas?: number
  readonly spec?: Readonly<Record<string, unknown>>
}

type Texts = Readonly<Record<string, string>>

const routable = 'router.deis.io/routable'

/** An annotated Service `NAMESPACE/NAME`, routable unless its labels say otherwise; keys without `router.deis.io/`. */
export function app(path: string, annotations: string | Texts, options: AppOptions = {}): App {
  const [namespace = '', name = ''] = path.split('/')
  const keys = typeof annotations === 'string' ? { domains: annotations } : annotations
  return {
    kind: 'app',
    namespace,
    name,
    labels: { [routable]: 'true', ...options.labels },
    annotations: prefixed('router.deis.io/', keys),
    pods: options.pods ?? 'ready',
    ports: options.ports ?? [{ name: 'http', port: 80, targetPort: 5000 }],
    answer: options.answer,
    replicas: options.replicas ?? 1,
    spec: options.spec ?? {},
  }
}

/** A Service that only an Ingress routes to. */
export function service(path: string, options: AppOptions = {}): App {
  return { ...app(path, {}, options), labels: options.labels ?? {} }
}

export function prefixed(prefix: string, keys: Texts): Texts {
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [prefix + key, value]))
}

const pairs = new Map<string, Pair>()
const nameOfFingerprint = new Map<string, string>()
const farOff = Date.UTC(2045, 0, 1)

/** The certificate and key called `name`, made when first asked for, for the host that comes before any `#` in it. */
export function pair(name: string): Pair {
  const known = pairs.get(name)
  if (known !== undefined) return known
  const made = makePair(name.split('#', 1)[0] ?? '', farOff)
  pairs.set(name, made)
  nameOfFingerprint.set(new X509Certificate(made.crt).fingerprint256, name)
  return made
}

/** The name of the pair that is shown, or `self-signed` for what is none of ours. */
export function pairName(socket: TLSSocket): string {
  return nameOfFingerprint.get(socket.getPeerX509Certificate()?.fingerprint256 ?? '') ?? 'self-signed'
}

/** The Secret `NAMESPACE/NAME` with the pair of that name, or with what is given of one. */
export function secret(path: string, content: string | Texts, type = 'kubernetes.io/tls'): Given {
  const [namespace, name] = path.split('/') as [string, string]
  const texts = typeof content === 'string' ? { 'tls.crt': pair(content).crt, 'tls.key': pair(content).key } : content
  const data = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  )
  return { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, type, data } as Given
}

export const ourController = 'router.deis.io/ingress-controller'

export function ingressClass(
  name: string,
  controller = ourController,
  annotations: Texts = {},
  spec: object = {},
): Given {
  const metadata = { name, annotations }
  return { apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata, spec: { controller, ...spec } } as Given
}

/** `PATH`, or `= PATH` for an exact one, `~ PATH` for one that the implementation decides about. */
export type PathText = string
/** `SERVICE:PORT`, where the port is a number or a name. */
export type BackendText = string

export interface IngressOptions {
  readonly className?: string | null
  readonly annotations?: Texts
  readonly created?: string
  readonly tls?: readonly { readonly hosts?: readonly string[]; readonly secretName?: string }[]
  readonly defaultBackend?: BackendText
  readonly spec?: object
}

/** The Ingress `NAMESPACE/NAME` with, for each host (`''`: none), its paths and their backends. */
export function ingress(
  path: string,
  hosts: Readonly<Record<string, Readonly<Record<PathText, BackendText | object>>>>,
  options: IngressOptions = {},
): Given {
  const [namespace, name] = path.split('/') as [string, string]
  const { className = 'ours', annotations = {}, created = '2026-01-01T00:00:00Z', tls, defaultBackend, spec } = options
  const rules = Object.entries(hosts).map(([host, paths]) => ({
    ...(host !== '' && { host }),
    http: {
      paths: Object.entries(paths).map(([text, backend]) => ({
        ...pathOf(text),
        backend: typeof backend === 'string' ? backendOf(backend) : backend,
      })),
    },
  }))
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { namespace, name, annotations, creationTimestamp: created },
    spec: {
      ...(className !== null && { ingressClassName: className }),
      ...(rules.length > 0 && { rules }),
      ...(tls !== undefined && { tls }),
      ...(defaultBackend !== undefined && { defaultBackend: backendOf(defaultBackend) }),
      ...spec,
    },
  } as Given
}

function pathOf(text: PathText): { readonly path: string; readonly pathType: string } {
  if (text.startsWith('= ')) return { path: text.slice(2), pathType: 'Exact' }
  if (text.startsWith('~ ')) return { path: text.slice(2), pathType: 'ImplementationSpecific' }
  return { path: text, pathType: 'Prefix' }
}

function backendOf(text: BackendText): object {
  const [name, port = ''] = text.split(':')
  return { service: { name, port: /^\d+$/.test(port) ? { number: Number(port) } : { name: port } } }
}
