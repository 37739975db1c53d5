// Takes objects for what they are before anybody relies on their types: they come from manifests too, where nothing has
// checked them. What passes is a copy with only the fields that we read, `null` counting as absent as in the API.

import type { EndpointSlice, LoadBalancerAddress, Service, ServicePort } from '#kube/types.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import {
  fields,
  isFields,
  list,
  Malformed,
  optionalBoolean,
  optionalString,
  port,
  type Shaped,
  shaped,
  string,
  stringMap,
} from './shape.ts'

// Names become parts of ids, between slashes. The API server lets no other through.
export const objectName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

/** Kinds without a namespace. */
export const clusterKinds: ReadonlySet<string> = new Set(['IngressClass'])

/**
 * Which object this is; null when its name or namespace cannot be one. Without a namespace it is in `default`, unless
 * its kind has none.
 */
export function readRef(kind: string, object: unknown): ObjectRef | null {
  if (!isFields(object) || !isFields(object.metadata)) return null
  const { name, namespace } = object.metadata
  if (clusterKinds.has(kind)) {
    return typeof name === 'string' && objectName.test(name) ? { kind, namespace: '', name } : null
  }
  const where = namespace === undefined || namespace === null ? 'default' : namespace
  if (typeof name !== 'string' || typeof where !== 'string') return null
  return objectName.test(name) && objectName.test(where) ? { kind, namespace: where, name } : null
}

/** One string for each object of a kind. */
export function refKey({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace}/${name}`
}

/** The object that `refKey` made the key of. */
export function refOfKey(key: string): ObjectRef {
  const [kind = '', path = ''] = key.split(' ')
  const [namespace = '', name = ''] = path.split('/')
  return { kind, namespace, name }
}

const labelValue = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/

function readServicePort(raw: unknown, path: string): ServicePort {
  const from = fields(raw, path)
  const name = optionalString(from.name, `${path}.name`)
  const protocol = optionalString(from.protocol, `${path}.protocol`)
  const appProtocol = optionalString(from.appProtocol, `${path}.appProtocol`)
  return {
    port: port(from.port, `${path}.port`),
    ...(name !== undefined && { name }),
    ...(protocol !== undefined && { protocol }),
    ...(appProtocol !== undefined && { appProtocol }),
  }
}

/** A Service that `ref` was read from. */
export function readService(ref: ObjectRef, object: unknown): Shaped<Service> {
  return shaped(() => {
    const { metadata: rawMetadata, spec: rawSpec } = fields(object, 'the object')
    const metadata = fields(rawMetadata, 'metadata')
    const spec = fields(rawSpec, 'spec')
    const created = metadata.creationTimestamp
    const type = optionalString(spec.type, 'spec.type')
    const externalName = optionalString(spec.externalName, 'spec.externalName')
    const labels = stringMap(metadata.labels, 'metadata.labels')
    // It names the app in logs and metrics.
    if (Object.hasOwn(labels, 'app') && !labelValue.test(labels.app!)) {
      throw new Malformed('metadata.labels: the value of "app" is no label value')
    }
    return {
      metadata: {
        name: ref.name,
        namespace: ref.namespace,
        ...(typeof created === 'string' && { creationTimestamp: created }),
        labels,
        annotations: stringMap(metadata.annotations, 'metadata.annotations'),
      },
      spec: {
        ...(type !== undefined && { type }),
        ...(externalName !== undefined && { externalName }),
        ports: list(spec.ports, 'spec.ports').map((raw, index) => readServicePort(raw, `spec.ports[${index}]`)),
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
  const forZones = list(fields(from.hints, `${path}.hints`).forZones, `${path}.hints.forZones`).map((zone, index) => {
    const at = `${path}.hints.forZones[${index}]`
    return { name: string(fields(zone, at).name, `${at}.name`) }
  })
  return {
    addresses,
    ...(forZones.length > 0 && { hints: { forZones } }),
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

/** The addresses in `status.loadBalancer`; what is no address there is left out. */
export function readLoadBalancer(object: unknown): readonly LoadBalancerAddress[] {
  const status = isFields(object) && isFields(object.status) ? object.status : {}
  const ingress = isFields(status.loadBalancer) ? status.loadBalancer.ingress : null
  return Array.isArray(ingress) ? ingress.filter(isLoadBalancerAddress) : []
}

function isLoadBalancerAddress(raw: unknown): raw is LoadBalancerAddress {
  if (!isFields(raw)) return false
  const { ip, hostname, ports } = raw
  const isText = (value: unknown): boolean => value === undefined || typeof value === 'string'
  const isPort = (value: unknown): boolean => isFields(value) && typeof value.port === 'number'
  return isText(ip) && isText(hostname) && (ports === undefined || (Array.isArray(ports) && ports.every(isPort)))
}

/** What tells of the addresses that a Service is reached at; nothing else of it. */
export function readServiceAddresses(ref: ObjectRef, object: unknown): Service {
  const spec = isFields(object) && isFields(object.spec) ? object.spec : {}
  const { type, clusterIP, externalIPs, externalName } = spec
  return {
    metadata: { name: ref.name, namespace: ref.namespace },
    spec: {
      ...(typeof type === 'string' && { type }),
      ...(typeof clusterIP === 'string' && { clusterIP }),
      ...(typeof externalName === 'string' && { externalName }),
      ...(Array.isArray(externalIPs) && { externalIPs: externalIPs.filter(address => typeof address === 'string') }),
    },
    status: { loadBalancer: { ingress: readLoadBalancer(object) } },
  }
}

/**
 * The annotations of the router's Deployment or DaemonSet and what is wrong with them. Each counts by itself: losing all of them to
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

/** The Problem of an object whose shape cannot be read. */
export function invalidObject(object: ObjectRef, reason: string): Problem {
  const message = `the ${object.kind} cannot be read: ${reason}`
  return { code: 'invalid-object', severity: 'error', object, message }
}
