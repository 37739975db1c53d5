// Takes objects for what they are before anybody relies on their types: they come from manifests too, where nothing has
// checked them. What passes is a copy with only the fields that we read, `null` counting as absent as in the API.

import type { EndpointSlice, Service, ServicePort } from '#kube/types.ts'
import type { ObjectRef } from '../model/problem.ts'

export type Shaped<T> =
  | { readonly kind: 'good'; readonly object: T }
  /** `reason` completes a sentence that begins with the object: `metadata.labels is no map of strings`. */
  | { readonly kind: 'malformed'; readonly reason: string }

/** Thrown and caught within this file: shape readers nest, and only the outermost reports. */
class Malformed extends Error {}

type Fields = Readonly<Record<string, unknown>>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fields(value: unknown, path: string): Fields {
  if (value === undefined || value === null) return {}
  if (!isFields(value)) throw new Malformed(`${path} is no object`)
  return value
}

function list(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new Malformed(`${path} is no list`)
  return value
}

function optionalString(value: unknown, path: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new Malformed(`${path} is no string`)
  return value
}

function optionalBoolean(value: unknown, path: string): boolean | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') throw new Malformed(`${path} is neither true nor false`)
  return value
}

function port(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535) return value
  throw new Malformed(`${path} is no port number`)
}

function stringMap(value: unknown, path: string): Readonly<Record<string, string>> {
  const map = fields(value, path)
  for (const key of Object.keys(map)) {
    if (typeof map[key] !== 'string') throw new Malformed(`${path}: the value of ${JSON.stringify(key)} is no string`)
  }
  return map as Readonly<Record<string, string>>
}

function shaped<T>(read: () => T): Shaped<T> {
  try {
    return { kind: 'good', object: read() }
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message }
    throw error
  }
}

// Names become parts of ids, between slashes. The API server lets no other through.
const objectName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

/** Which object this is; null when its name or namespace cannot be one. Without a namespace it is in `default`. */
export function readRef(kind: string, object: unknown): ObjectRef | null {
  if (!isFields(object) || !isFields(object.metadata)) return null
  const { name, namespace } = object.metadata
  const where = namespace === undefined || namespace === null ? 'default' : namespace
  if (typeof name !== 'string' || typeof where !== 'string') return null
  return objectName.test(name) && objectName.test(where) ? { kind, namespace: where, name } : null
}

/** One string for each object of a kind. */
export function refKey({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace}/${name}`
}

const labelValue = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/

function readServicePort(raw: unknown, path: string): ServicePort {
  const from = fields(raw, path)
  const name = optionalString(from.name, `${path}.name`)
  const protocol = optionalString(from.protocol, `${path}.protocol`)
  const number = port(from.port, `${path}.port`)
  return { port: number, ...(name !== undefined && { name }), ...(protocol !== undefined && { protocol }) }
}

/** A Service that `ref` was read from. */
export function readService(ref: ObjectRef, object: unknown): Shaped<Service> {
  return shaped(() => {
    const { metadata: rawMetadata, spec } = fields(object, 'the object')
    const metadata = fields(rawMetadata, 'metadata')
    const labels = stringMap(metadata.labels, 'metadata.labels')
    // It names the app in logs and metrics.
    if (Object.hasOwn(labels, 'app') && !labelValue.test(labels.app!)) {
      throw new Malformed('metadata.labels: the value of "app" is no label value')
    }
    return {
      metadata: {
        name: ref.name,
        namespace: ref.namespace,
        labels,
        annotations: stringMap(metadata.annotations, 'metadata.annotations'),
      },
      spec: {
        ports: list(fields(spec, 'spec').ports, 'spec.ports').map((raw, index) =>
          readServicePort(raw, `spec.ports[${index}]`),
        ),
      },
    }
  })
}

type SliceEndpoint = NonNullable<EndpointSlice['endpoints']>[number]
type SlicePort = NonNullable<EndpointSlice['ports']>[number]

function readSliceEndpoint(raw: unknown, path: string): SliceEndpoint {
  const from = fields(raw, path)
  const addresses = list(from.addresses, `${path}.addresses`).map((address, index) => {
    if (typeof address !== 'string') throw new Malformed(`${path}.addresses[${index}] is no string`)
    return address
  })
  const conditions = fields(from.conditions, `${path}.conditions`)
  const ready = optionalBoolean(conditions.ready, `${path}.conditions.ready`)
  const serving = optionalBoolean(conditions.serving, `${path}.conditions.serving`)
  const terminating = optionalBoolean(conditions.terminating, `${path}.conditions.terminating`)
  return {
    addresses,
    conditions: {
      ...(ready !== undefined && { ready }),
      ...(serving !== undefined && { serving }),
      ...(terminating !== undefined && { terminating }),
    },
  }
}

function readSlicePort(raw: unknown, path: string): SlicePort {
  const from = fields(raw, path)
  const name = optionalString(from.name, `${path}.name`)
  const protocol = optionalString(from.protocol, `${path}.protocol`)
  return {
    ...(name !== undefined && { name }),
    ...(protocol !== undefined && { protocol }),
    ...(from.port !== undefined && from.port !== null && { port: port(from.port, `${path}.port`) }),
  }
}

const addressTypes = ['IPv4', 'IPv6', 'FQDN'] as const

/** An EndpointSlice that `ref` was read from. */
export function readEndpointSlice(ref: ObjectRef, object: unknown): Shaped<EndpointSlice> {
  return shaped(() => {
    const { metadata, addressType: rawType, endpoints, ports } = fields(object, 'the object')
    const addressType = addressTypes.find(type => type === rawType)
    if (addressType === undefined) throw new Malformed('addressType is none of IPv4, IPv6, FQDN')
    return {
      metadata: {
        name: ref.name,
        namespace: ref.namespace,
        labels: stringMap(fields(metadata, 'metadata').labels, 'metadata.labels'),
      },
      addressType,
      endpoints: list(endpoints, 'endpoints').map((raw, index) => readSliceEndpoint(raw, `endpoints[${index}]`)),
      ports: list(ports, 'ports').map((raw, index) => readSlicePort(raw, `ports[${index}]`)),
    }
  })
}

/**
 * The annotations of the router's Deployment and what is wrong with them. Each counts by itself: losing all of them to
 * one value without quotes would take the platform domain, and with it every app, out of service.
 */
export function readAnnotations(object: unknown): {
  readonly annotations: Readonly<Record<string, string>>
  readonly faults: readonly string[]
} {
  const metadata = isFields(object) && isFields(object.metadata) ? object.metadata : {}
  const raw = metadata.annotations
  if (raw === undefined || raw === null) return { annotations: {}, faults: [] }
  if (!isFields(raw)) return { annotations: {}, faults: ['metadata.annotations is no map of strings'] }
  const annotations = new Map<string, string>()
  const faults: string[] = []
  for (const key of Object.keys(raw)) {
    const value = raw[key]
    if (typeof value === 'string') annotations.set(key, value)
    else faults.push(`metadata.annotations: the value of ${JSON.stringify(key)} is no string; it is ignored`)
  }
  return { annotations: Object.fromEntries(annotations), faults }
}
