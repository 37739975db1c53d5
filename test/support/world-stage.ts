// A World with objects of all kinds to be put and removed, and what data threads would make of its Patches.

import type { EndpointSlice, KubeObject, Secret } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import { makeSecret, type Pair } from '#router/control/testdata/make-certificate.ts'
import { World, type WorldOptions } from '#router/control/world.ts'
import { RouteTable } from '#router/data/table/route-table.ts'
import type { Upstream as LiveUpstream } from '#router/data/upstream/upstream.ts'
import type { Builder, Patch } from '#router/model/patch.ts'
import type { Route } from '#router/model/route.ts'
import type { Endpoint } from '#router/model/upstream.ts'

export const stageTime = Date.UTC(2026, 5, 1)

export class Stage {
  readonly world: World
  readonly routes = new Map<string, Route>()
  readonly upstreams = new Map<string, readonly Endpoint[]>()
  readonly certificates = new Set<string>()
  readonly authorities = new Map<string, string>()
  builder: Builder | null = null
  readonly #table = new RouteTable({ get: id => ({ id }) as unknown as LiveUpstream })
  readonly #secrets = new Map<string, Secret>()
  readonly #told = new Set<string>()

  /** In namespace `deis`, with the class `deis` and its own controller name. */
  constructor(options: Partial<WorldOptions> = {}) {
    this.world = new World({ namespace: 'deis', now: () => stageTime, ...options })
    this.put(ingressClass('deis', 'router.deis.io/ingress-controller'))
  }

  /** Each as its `kind` says. */
  put(...objects: readonly KubeObject[]): this {
    for (const object of objects) this.#tell({ kind: 'upsert', object })
    return this
  }

  remove(...objects: readonly KubeObject[]): this {
    for (const object of objects) this.#tell({ kind: 'delete', object })
    return this
  }

  /** The pair in a Secret; null: it does not exist. Secrets nobody put do not exist either. */
  secret(path: string, pair: Partial<Pair> | null): this {
    const [namespace = '', name = ''] = path.split('/')
    return this.#putSecret(path, pair === null ? null : makeSecret(namespace, name, pair))
  }

  /** A Secret with `ca.crt`; null: it does not exist. */
  clientAuthorities(path: string, text: string | null): this {
    const [namespace = '', name = ''] = path.split('/')
    const data = { 'ca.crt': Buffer.from(text ?? '').toString('base64') }
    return this.#putSecret(path, text === null ? null : { metadata: { namespace, name }, data })
  }

  /** Takes until nothing changes any more, telling of Secrets as they are wanted. The last Patch, if any. */
  settle(): Patch | null {
    let last: Patch | null = null
    for (let quiet = false; !quiet; ) {
      const patch = this.world.take()
      if (patch !== null) this.#apply(patch)
      last = patch ?? last
      quiet = patch === null && !this.#tellSecrets() && !this.world.unfinished
    }
    return last
  }

  /**
   * What answers to a request: `UPSTREAM` or, when that has no endpoints, `503`; `404` when no route does. `secure`: on the
   * HTTPS port.
   */
  ask(url: string, secure = false): string {
    const slash = url.indexOf('/')
    const route = this.#table.match(url.slice(0, slash), url.slice(slash), secure)?.route
    if (route === undefined) return '404'
    return this.upstreams.get(route.backend.upstream)?.length ? route.backend.upstream : '503'
  }

  /** The certificate that a handshake for `host` is answered with; null: the default one. */
  certificate(host: string): string | null {
    return this.#table.matchHost(host, true)?.certificate ?? null
  }

  /** `CODE NAMESPACE/NAME`, ordered by object. */
  problems(): readonly string[] {
    return this.world.problems().map(({ code, object }) => `${code} ${object.namespace}/${object.name}`)
  }

  messages(): readonly string[] {
    return this.world.problems().map(({ message }) => message)
  }

  #tell(change: Exclude<Change<KubeObject>, { readonly kind: 'reset' }>): void {
    const { world } = this
    const hear: Readonly<Record<string, (change: Change<KubeObject>) => void>> = {
      Service: change => world.services(change),
      EndpointSlice: change => world.endpointSlices(change as Change<EndpointSlice>),
      Ingress: change => world.ingresses(change),
      IngressClass: change => world.ingressClasses(change),
      Deployment: change => world.workload(change),
      DaemonSet: change => world.workload(change),
    }
    hear[change.object.kind ?? '']!(change)
  }

  #putSecret(path: string, secret: Secret | null): this {
    if (secret === null) this.#secrets.delete(path)
    else this.#secrets.set(path, secret)
    for (const key of this.#told) if (key === path || key.startsWith(`${path} `)) this.#told.delete(key)
    return this
  }

  #tellSecrets(): boolean {
    let isNew = false
    const wanted = this.world.wantedSecrets()
    for (const key of this.#told) if (!wanted.has(key)) this.#told.delete(key)
    for (const [key, { namespace, name }] of wanted) {
      if (this.#told.has(key)) continue
      const secret = this.#secrets.get(`${namespace}/${name}`)
      this.world.secret(namespace, name, { kind: 'reset', objects: secret === undefined ? [] : [secret] })
      this.#told.add(key)
      isNew = true
    }
    return isNew
  }

  #apply(patch: Patch): void {
    for (const { id, endpoints } of patch.upstreams.upserts) this.upstreams.set(id, endpoints)
    for (const id of patch.upstreams.deletes) this.upstreams.delete(id)
    for (const { id } of patch.certificates.upserts) this.certificates.add(id)
    for (const id of patch.certificates.deletes) this.certificates.delete(id)
    for (const { id, chain } of patch.authorities.upserts) this.authorities.set(id, chain)
    for (const id of patch.authorities.deletes) this.authorities.delete(id)
    for (const route of patch.routes.upserts) this.routes.set(route.id, route)
    for (const id of patch.routes.deletes) this.routes.delete(id)
    this.#table.apply(patch.routes)
    if (patch.builder !== undefined) this.builder = patch.builder
  }
}

function named(path: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = path.split('/')
  return { namespace, name }
}

export function ingressClass(name: string, controller: string, parameters?: object): KubeObject {
  return { kind: 'IngressClass', metadata: { name }, spec: { controller, parameters } } as KubeObject
}

/** With TCP ports, by number or `NAME=NUMBER`. */
export function service(path: string, ports: readonly (number | string)[], rest: object = {}): KubeObject {
  const read = (text: number | string): object => {
    const [name, number] = String(text).split('=')
    return number === undefined ? { port: Number(name) } : { name, port: Number(number) }
  }
  return { kind: 'Service', metadata: named(path), spec: { ports: ports.map(read), ...rest } } as KubeObject
}

/** A Service with port 80 whose annotations, without their prefix, ask for routes. `created`: since when there is one. */
export function app(path: string, annotations: Readonly<Record<string, string>>, created?: string): KubeObject {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`router.deis.io/${key}`, value])
  const metadata = {
    ...named(path),
    ...(created && { creationTimestamp: created }),
    labels: { 'router.deis.io/routable': 'true' },
    annotations: Object.fromEntries(prefixed),
  }
  return { kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } } as KubeObject
}

/** Ready endpoints of a Service, for the port of this name (empty: it has none). */
export function slice(path: string, portName: string, port: number, ...addresses: readonly string[]): KubeObject {
  const { namespace, name } = named(path)
  return {
    kind: 'EndpointSlice',
    metadata: { namespace, name: `${name}-${port}`, labels: { 'kubernetes.io/service-name': name } },
    addressType: addresses[0]?.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: addresses.map(address => ({ addresses: [address], conditions: { ready: true } })),
    ports: [portName === '' ? { port } : { name: portName, port }],
  } as KubeObject
}

export function settings(annotations: Readonly<Record<string, string>>): KubeObject {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`router.deis.io/nginx.${key}`, value])
  const metadata = { namespace: 'deis', name: 'deis-router', annotations: Object.fromEntries(prefixed) }
  return { kind: 'Deployment', metadata }
}

/** A backend from `SERVICE:PORT`. */
export function backend(text: string): object {
  const [name, port = ''] = text.split(':')
  return { service: { name, port: /^\d+$/.test(port) ? { number: Number(port) } : { name: port } } }
}

export interface IngressText {
  /** Each `HOST[ TYPE] PATH SERVICE:PORT`; the host `_` is none; TYPE is Prefix unless said. */
  readonly rules?: readonly string[]
  readonly fallback?: string
  /** `SECRET` or `SECRET HOST…`. */
  readonly tls?: readonly string[]
  /** The class; `deis` when absent, null: none. */
  readonly className?: string | null
  readonly created?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly status?: object
}

export function ingress(path: string, text: IngressText): KubeObject {
  const { rules = [], fallback, tls = [], className = 'deis', created, annotations, status } = text
  const readRule = (rule: string): object => {
    const parts = rule.split(' ')
    const [host, pathType, at, to = ''] = parts.length === 4 ? parts : [parts[0], 'Prefix', parts[1], parts[2]]
    const paths = [{ path: at, pathType, backend: backend(to) }]
    return { ...(host !== '_' && { host }), http: { paths } }
  }
  return {
    kind: 'Ingress',
    metadata: { ...named(path), ...(created && { creationTimestamp: created }), ...(annotations && { annotations }) },
    spec: {
      ...(className !== null && { ingressClassName: className }),
      ...(fallback !== undefined && { defaultBackend: backend(fallback) }),
      rules: rules.map(readRule),
      tls: tls.map(entry => {
        const [secretName, ...hosts] = entry.split(' ')
        return { ...(secretName !== '-' && { secretName }), ...(hosts.length > 0 && { hosts }) }
      }),
    },
    ...(status && { status: { loadBalancer: { ingress: [status] } } }),
  } as KubeObject
}
