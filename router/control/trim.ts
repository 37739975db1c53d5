// From objects as the API server sends them to the few fields of kube/types.ts. What is left out is most of an object
// (managed fields, status, kubectl's copy of the manifest), and control keeps tens of thousands of them.

import type { Deployment, EndpointSlice, Ingress, IngressClass, ObjectMeta, Secret, Service } from '#kube/types.ts'
import { pairKeys, unpacked } from './secret-text.ts'

const ownPrefix = 'router.deis.io/'
const nginxPrefix = 'nginx.ingress.kubernetes.io/'
const ticketKeyEntry = /^since-/
const serviceLabels = ['app', 'router.deis.io/routable']

export function trimService({ metadata, spec }: Service): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      ...trimMetadata(metadata),
      creationTimestamp: metadata.creationTimestamp,
      labels: pick(metadata.labels, serviceLabels),
      ...ownAnnotations(metadata),
    },
    spec: {
      type: spec?.type,
      externalName: spec?.externalName,
      ports: spec?.ports?.map(({ name, port, protocol, appProtocol }) => ({ name, port, protocol, appProtocol })),
    },
  }
}

/** The same with the addresses that it is reached at. */
export function trimPublishService(service: Service): Service {
  const { spec, status } = service
  const trimmed = trimService(service)
  return {
    ...trimmed,
    spec: { ...trimmed.spec, clusterIP: spec?.clusterIP, externalIPs: spec?.externalIPs },
    status: { loadBalancer: { ingress: status?.loadBalancer?.ingress } },
  }
}

export function trimEndpointSlice({ metadata, addressType, endpoints, ports }: EndpointSlice): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...trimMetadata(metadata), labels: pick(metadata.labels, ['kubernetes.io/service-name']) },
    addressType,
    endpoints: endpoints?.map(({ addresses, conditions, hints }) => ({
      addresses,
      conditions,
      ...(hints?.forZones !== undefined && { hints: { forZones: hints.forZones } }),
    })),
    ports: ports?.map(({ name, port, protocol }) => ({ name, port, protocol })),
  }
}

/**
 * What a certificate is made of, authorities, parameters of key exchange and keys of session tickets; Secrets for other
 * purposes keep nothing of theirs.
 */
export function trimSecret({ metadata, type, data = {} }: Secret): Secret {
  const tickets = Object.keys(data).filter(key => ticketKeyEntry.test(key))
  const trimmed = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: trimMetadata(metadata),
    type,
    data: pick(data, ['tls.crt', 'tls.key', 'ca.crt', 'dhparam', ...tickets]),
  }
  return unpacked(trimmed, pairKeys)
}

/** A Deployment or a DaemonSet. */
export function trimWorkload({ kind, metadata }: Deployment): Deployment {
  return { apiVersion: 'apps/v1', kind, metadata: { ...trimMetadata(metadata), ...ownAnnotations(metadata) } }
}

export function trimIngress({ metadata, spec, status }: Ingress): Ingress {
  const { creationTimestamp, annotations = {} } = metadata
  // Of those of ingress-nginx we only say that they are there.
  const kept = Object.keys(annotations).flatMap(key => {
    if (key.startsWith(nginxPrefix)) return [[key, '']]
    return key.startsWith(ownPrefix) || key === 'kubernetes.io/ingress.class' ? [[key, annotations[key]]] : []
  })
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { ...trimMetadata(metadata), creationTimestamp, annotations: Object.fromEntries(kept) },
    spec: {
      ingressClassName: spec?.ingressClassName,
      defaultBackend: spec?.defaultBackend,
      rules: spec?.rules,
      tls: spec?.tls,
    },
    status: { loadBalancer: { ingress: status?.loadBalancer?.ingress } },
  }
}

export function trimIngressClass({ metadata, spec }: IngressClass): IngressClass {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: trimMetadata(metadata),
    spec: { controller: spec?.controller, parameters: spec?.parameters },
  }
}

function trimMetadata({ name, namespace, resourceVersion }: ObjectMeta): ObjectMeta {
  return { name, namespace, resourceVersion }
}

function ownAnnotations({ annotations = {} }: ObjectMeta): Pick<ObjectMeta, 'annotations'> {
  const kept = Object.entries(annotations).filter(([key]) => key.startsWith(ownPrefix))
  return { annotations: Object.fromEntries(kept) }
}

function pick(map: Readonly<Record<string, string>> = {}, keys: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(keys.flatMap(key => (Object.hasOwn(map, key) ? [[key, map[key]!]] : [])))
}
