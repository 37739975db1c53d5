// From objects as the API server sends them to the few fields of kube/types.ts. What is left out is most of an object
// (managed fields, status, kubectl's copy of the manifest), and control keeps tens of thousands of them.

import type { Deployment, EndpointSlice, ObjectMeta, Secret, Service } from '#kube/types.ts'

export function trimService({ metadata, spec }: Service): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: trimMetadata(metadata),
    spec: {
      type: spec?.type,
      externalName: spec?.externalName,
      ports: spec?.ports?.map(({ name, port, protocol, appProtocol }) => ({ name, port, protocol, appProtocol })),
    },
  }
}

export function trimEndpointSlice({ metadata, addressType, endpoints, ports }: EndpointSlice): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: trimMetadata(metadata),
    addressType,
    endpoints: endpoints?.map(({ addresses, conditions, zone, nodeName }) => ({
      addresses,
      conditions,
      zone,
      nodeName,
    })),
    ports: ports?.map(({ name, port, protocol }) => ({ name, port, protocol })),
  }
}

export function trimSecret({ metadata, type, data }: Secret): Secret {
  return { apiVersion: 'v1', kind: 'Secret', metadata: trimMetadata(metadata), type, data }
}

export function trimDeployment({ metadata }: Deployment): Deployment {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: trimMetadata(metadata) }
}

function trimMetadata(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels, annotations } = metadata
  const ours = Object.entries(annotations ?? {}).filter(([key]) => key.startsWith('router.deis.io/'))
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    labels,
    annotations: Object.fromEntries(ours),
  }
}
