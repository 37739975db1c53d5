// Where objects of the kinds that we make live in the API.

import { resourcePath } from '#kube/client.ts'
import type { KubeObject } from '#kube/types.ts'

export interface Resource {
  readonly apiVersion: string
  readonly plural: string
}

const resources: Readonly<Record<string, Resource>> = {
  Namespace: { apiVersion: 'v1', plural: 'namespaces' },
  Service: { apiVersion: 'v1', plural: 'services' },
  Secret: { apiVersion: 'v1', plural: 'secrets' },
  ResourceQuota: { apiVersion: 'v1', plural: 'resourcequotas' },
  NetworkPolicy: { apiVersion: 'networking.k8s.io/v1', plural: 'networkpolicies' },
  Pod: { apiVersion: 'v1', plural: 'pods' },
  Event: { apiVersion: 'v1', plural: 'events' },
  Node: { apiVersion: 'v1', plural: 'nodes' },
  Deployment: { apiVersion: 'apps/v1', plural: 'deployments' },
  ReplicaSet: { apiVersion: 'apps/v1', plural: 'replicasets' },
  HorizontalPodAutoscaler: { apiVersion: 'autoscaling/v2', plural: 'horizontalpodautoscalers' },
  Role: { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'roles' },
  RoleBinding: { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'rolebindings' },
}

export function resourceOf(kind: string): Resource {
  const resource = resources[kind]
  if (resource === undefined) throw new TypeError(`a kind that we do not make: ${kind}`)
  return resource
}

/** Of all objects of a kind, in a namespace or in all. */
export function collectionPath(kind: string, namespace?: string): string {
  return resourcePath({ ...resourceOf(kind), ...(namespace === undefined ? {} : { namespace }) })
}

export function namedPath(kind: string, namespace: string | undefined, name: string): string {
  return resourcePath({ ...resourceOf(kind), ...(namespace === undefined ? {} : { namespace }), name })
}

export function pathOf(object: KubeObject): string {
  return namedPath(object.kind ?? '', object.metadata.namespace, object.metadata.name)
}

/** `Service shop`, for messages. */
export function titleOf(object: KubeObject): string {
  return `${object.kind} ${object.metadata.name}`
}
