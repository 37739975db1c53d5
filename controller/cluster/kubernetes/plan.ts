// All Kubernetes objects of an app, as they should be. Pure: the same app and options always give the same plan.

import type { KubeObject } from '#kube/types.ts'
import type { DesiredApp } from '../../domain/desired-app.ts'
import { certificatesOf } from './certificates.ts'
import { autoscalersOf, deploymentsOf } from './deployment.ts'
import { envSecretOf } from './env-secret.ts'
import { pullSecretOf } from './image.ts'
import { isolationOf } from './isolation.ts'
import { namespaceOf, quotaOf } from './namespace.ts'
import type { PlanOptions } from './plan-options.ts'
import { serviceOf } from './service.ts'
import { storageSecretOf } from './storage-secret.ts'

/** In the order in which they are to be made: each may need those before it. */
export function plan(app: DesiredApp, options: PlanOptions): readonly KubeObject[] {
  return [namespaceOf(app), ...workloadPlan(app, options), ...routingPlan(app, options)]
}

/** What runs. */
export function workloadPlan(app: DesiredApp, options: PlanOptions): readonly KubeObject[] {
  const { release } = app
  // The fence stands before there is anything behind it.
  const bounds = [...isolationOf(app, options), ...quotaOf(app, options)]
  if (release === null) return bounds
  const pullSecret = pullSecretOf(app, release, options)
  return [
    ...bounds,
    ...(pullSecret === null ? [] : [pullSecret]),
    ...storageSecretOf(app, release, options),
    envSecretOf(app, release, options),
    ...deploymentsOf(app, release, options),
    ...autoscalersOf(app),
  ]
}

/** What the router sees. The Service comes last: it names the certificates. */
export function routingPlan(app: DesiredApp, options: PlanOptions): readonly KubeObject[] {
  return [...certificatesOf(app, options), serviceOf(app)]
}
