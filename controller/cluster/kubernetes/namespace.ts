// The Namespace of an app, and its quota.

import type { KubeObject } from '#kube/types.ts'
import type { Namespace, ResourceQuota } from '#kube/workload-types.ts'
import type { DesiredApp } from '../../domain/desired-app.ts'
import { appLabels, platformLabels, uuidAnnotation } from './marks.ts'
import type { PlanOptions } from './plan-options.ts'

export function namespaceOf({ id, uuid }: Pick<DesiredApp, 'id' | 'uuid'>): Namespace {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: id, labels: platformLabels, annotations: { [uuidAnnotation]: uuid } },
  }
}

/** The app that a Namespace was made for by us; null: somebody else's. */
export function uuidOf(namespace: KubeObject): string | null {
  return namespace.metadata.annotations?.[uuidAnnotation] ?? null
}

export function quotaOf({ id }: DesiredApp, { quota }: PlanOptions): readonly ResourceQuota[] {
  if (quota === null) return []
  return [
    {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: `${id}-quota`, namespace: id, labels: appLabels(id) },
      spec: quota,
    },
  ]
}
