// An Ingress taken for what it is before anybody relies on its types. The API server has checked its objects; those of
// manifests nobody has. A rule, path or TLS entry that cannot be read costs itself only. Of an Ingress with too many of them
// the first ones count, rules before TLS.

import { isIP } from 'node:net'
import { type Hostname, parseHostname } from '../model/hostname.ts'
import type { ObjectRef } from '../model/problem.ts'
import type { HostMatch, PathMatch } from '../model/route.ts'
import { quote } from './annotation.ts'
import { mostIngressParts } from './bounds.ts'
import { objectName } from './object-shape.ts'
import {
  creationTime,
  fields,
  isFields,
  list,
  Malformed,
  optionalString,
  port,
  type Shaped,
  shaped,
  string,
  stringMap,
} from './shape.ts'

export type BackendShape =
  | { readonly kind: 'service'; readonly name: string; readonly port: number | string }
  /** `resource` names it for messages. */
  | { readonly kind: 'resource'; readonly resource: string }
  | { readonly kind: 'malformed' }

export interface PathShape {
  readonly path: PathMatch
  readonly backend: BackendShape
}

export interface RuleShape {
  readonly host: HostMatch
  /** As written; `_` when there is none. */
  readonly serverName: string
  readonly paths: readonly PathShape[]
}

export interface TlsShape {
  /** Empty: the hosts of the rules. */
  readonly hosts: readonly HostMatch[]
  /** Null: TLS with the default certificate. */
  readonly secretName: string | null
}

export interface IngressShape {
  readonly ref: ObjectRef
  /** When it came to be, to be compared as text; what nobody dates comes last. */
  readonly created: string
  /** Null: it names none. */
  readonly className: string | null
  readonly annotations: Readonly<Record<string, string>>
  readonly defaultBackend: BackendShape | null
  readonly rules: readonly RuleShape[]
  readonly tls: readonly TlsShape[]
  /** What of it cannot be read. */
  readonly faults: readonly string[]
}

/** An Ingress that `ref` was read from. */
export function readIngress(ref: ObjectRef, object: unknown): Shaped<IngressShape> {
  return shaped(() => {
    const { metadata: rawMetadata, spec: rawSpec } = fields(object, 'the object')
    const metadata = fields(rawMetadata, 'metadata')
    const spec = fields(rawSpec, 'spec')
    const annotations = stringMap(metadata.annotations, 'metadata.annotations')
    const faults: string[] = []
    let parts = 0
    /** What `read` makes of each element; an element that cannot be read is left out. */
    const readable = <T>(raw: unknown, path: string, read: (element: unknown, path: string) => T): readonly T[] =>
      list(raw, path).flatMap((element, index) => {
        if (++parts > mostIngressParts) return []
        const result = shaped(() => read(element, `${path}[${index}]`))
        if (result.kind === 'good') return [result.object]
        faults.push(`${result.reason}; it is left out`)
        return []
      })
    const readPath = (raw: unknown, path: string): PathShape => {
      const { path: text, pathType, backend } = fields(raw, path)
      return { path: readPathMatch(text, pathType, path), backend: readBackend(backend, `${path}.backend`, faults) }
    }
    const readRule = (raw: unknown, path: string): RuleShape => {
      const { host, http } = fields(raw, path)
      const paths = fields(http, `${path}.http`).paths
      return { ...readHost(host, `${path}.host`), paths: readable(paths, `${path}.http.paths`, readPath) }
    }
    const readTls = (raw: unknown, path: string): TlsShape => {
      const { hosts, secretName } = fields(raw, path)
      const name = optionalString(secretName, `${path}.secretName`) ?? ''
      if (name !== '' && !objectName.test(name)) throw new Malformed(`${path}.secretName is no name of a Secret`)
      const read = readable(hosts, `${path}.hosts`, readTlsHost)
      // Hosts that cannot be read are not the same as none, which would stand for all.
      if (read.length === 0 && list(hosts, `${path}.hosts`).length > 0) return { hosts: [], secretName: null }
      return { hosts: read, secretName: name === '' ? null : name }
    }
    const defaults = spec.defaultBackend === undefined || spec.defaultBackend === null ? [] : [spec.defaultBackend]
    const [defaultBackend = null] = readable(defaults, 'spec.defaultBackend', raw =>
      parseBackend(raw, 'spec.defaultBackend'),
    )
    const rules = readable(spec.rules, 'spec.rules', readRule)
    const tls = readable(spec.tls, 'spec.tls', readTls)
    if (parts > mostIngressParts) {
      const rest = `at most ${mostIngressParts} rules, paths, TLS entries and hosts in them are taken`
      faults.push(`${rest}; the rest of the Ingress is left out`)
    }
    return {
      ref,
      created: creationTime(metadata.creationTimestamp),
      className: readClassName(spec.ingressClassName, annotations),
      annotations,
      defaultBackend,
      rules,
      tls,
      faults,
    }
  })
}

/** The field goes before the legacy annotation (I-C3). */
function readClassName(raw: unknown, annotations: Readonly<Record<string, string>>): string | null {
  const field = optionalString(raw, 'spec.ingressClassName')
  if (field !== undefined) return field
  const legacy = Object.hasOwn(annotations, 'kubernetes.io/ingress.class')
    ? annotations['kubernetes.io/ingress.class']
    : ''
  return legacy || null
}

/** `a.example`, `*.a.example` (one label, I-H2) or nothing (I-H1). */
function readHost(raw: unknown, path: string): { readonly host: HostMatch; readonly serverName: string } {
  const text = optionalString(raw, path) ?? ''
  if (text === '') return { host: { kind: 'any' }, serverName: '_' }
  const wildcard = text.startsWith('*.')
  const name: Hostname | null = parseHostname(wildcard ? text.slice(2) : text)
  if (name === null || isIP(name) !== 0) throw new Malformed(`${path}: ${quote(text)} is no host name`)
  const host: HostMatch = wildcard ? { kind: 'wildcard', suffix: name, depth: 'one' } : { kind: 'exact', host: name }
  return { host, serverName: text }
}

function readTlsHost(raw: unknown, path: string): HostMatch {
  const { host } = readHost(raw, path)
  if (host.kind === 'any') throw new Malformed(`${path} is empty`)
  return host
}

/** Table A3: what the API server refuses costs the path. */
function readPathMatch(rawPath: unknown, rawType: unknown, where: string): PathMatch {
  const path = optionalString(rawPath, `${where}.path`) || '/'
  if (!path.startsWith('/')) throw new Malformed(`${where}.path: ${quote(path)} does not begin with a slash`)
  const prefix = { kind: 'prefix', path: withoutTrailingSlashes(path) || '/' } as const
  if (rawType === 'ImplementationSpecific') return prefix
  if (rawType !== 'Exact' && rawType !== 'Prefix') {
    throw new Malformed(`${where}.pathType is none of Exact, Prefix, ImplementationSpecific`)
  }
  const flaw = ['//', '/./', '/../', '%2f', '%2F'].find(part => path.includes(part)) ?? /\/\.\.?$/.exec(path)?.[0]
  if (flaw !== undefined) throw new Malformed(`${where}.path: ${quote(path)} may not hold ${JSON.stringify(flaw)}`)
  return rawType === 'Exact' ? { kind: 'exact', path } : prefix
}

// Not an expression: it takes quadratic time on many slashes in the middle.
function withoutTrailingSlashes(path: string): string {
  let end = path.length
  while (end > 0 && path[end - 1] === '/') end--
  return path.slice(0, end)
}

/** A backend that cannot be read keeps its path, which nobody else is to have meanwhile. */
function readBackend(raw: unknown, path: string, faults: string[]): BackendShape {
  const result = shaped(() => parseBackend(raw, path))
  if (result.kind === 'good') return result.object
  faults.push(`${result.reason}; its path answers 503`)
  return { kind: 'malformed' }
}

function parseBackend(raw: unknown, path: string): BackendShape {
  const { service, resource } = fields(raw, path)
  if (isFields(resource)) {
    if (isFields(service)) throw new Malformed(`${path} names a service and a resource`)
    const kind = string(resource.kind, `${path}.resource.kind`)
    return { kind: 'resource', resource: quote(`${kind} ${string(resource.name, `${path}.resource.name`)}`) }
  }
  if (!isFields(service)) throw new Malformed(`${path} names neither a service nor a resource`)
  const name = string(service.name, `${path}.service.name`)
  if (!objectName.test(name)) throw new Malformed(`${path}.service.name is no name of a Service`)
  return { kind: 'service', name, port: readBackendPort(service.port, `${path}.service.port`) }
}

function readBackendPort(raw: unknown, path: string): number | string {
  const { name: rawName, number } = fields(raw, path)
  const name = optionalString(rawName, `${path}.name`) ?? ''
  if (name === '') return port(number, `${path}.number`)
  // RFC 6335: a letter at least, so that it cannot be taken for a number.
  if (!/^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    throw new Malformed(`${path}.name is no name of a port`)
  return name
}
