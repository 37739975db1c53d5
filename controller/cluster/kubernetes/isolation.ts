// The NetworkPolicy of an app: its Pods are reached by one another, by the router, and by nobody else. Where they may go
// themselves is not its business: what they must not reach fences itself in the same way.

import type { NetworkPolicy } from '#kube/workload-types.ts'
import type { DesiredApp } from '../../domain/desired-app.ts'
import { appLabels } from './marks.ts'
import type { PlanOptions } from './plan-options.ts'

/** Kubernetes puts it on every Namespace. */
const nameLabel = 'kubernetes.io/metadata.name'

/** Of the router's Pods, in every release of it. */
const routerLabels = { app: 'deis-router' }

export function isolationOf({ id }: DesiredApp, { isolation, router }: PlanOptions): readonly NetworkPolicy[] {
  if (isolation === null) return []
  const namespace = (name: string) => ({ namespaceSelector: { matchLabels: { [nameLabel]: name } } })
  return [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `${id}-isolation`, namespace: id, labels: appLabels(id) },
      spec: {
        podSelector: {},
        policyTypes: ['Ingress'],
        ingress: [
          {
            from: [
              { podSelector: {} },
              { ...namespace(router.namespace), podSelector: { matchLabels: routerLabels } },
              ...isolation.admitted.map(namespace),
            ],
          },
        ],
      },
    },
  ]
}
