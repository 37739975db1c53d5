// A Deployment for each process type of an app, those with no processes too, and the autoscalers of some.

import type { AppDeployment, Autoscaler } from '#kube/workload-types.ts'
import type { DesiredApp, DesiredRelease } from '../../domain/desired-app.ts'
import { appLabels, processLabels } from './marks.ts'
import type { PlanOptions } from './plan-options.ts'
import { podTemplateOf } from './pod-template.ts'
import { tuningOf } from './tuning.ts'

export function deploymentsOf(
  app: DesiredApp,
  release: DesiredRelease,
  options: PlanOptions,
): readonly AppDeployment[] {
  const { id, structure } = app
  const { batches, revisionHistoryLimit } = tuningOf(release.config, options)
  return Object.entries(structure).map(([type, count]) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: `${id}-${type}`,
      namespace: id,
      labels: { ...appLabels(id), type },
      annotations: { 'kubernetes.io/change-cause': release.summary },
    },
    spec: {
      ...(isAutoscaled(app, type) ? {} : { replicas: count }),
      selector: { matchLabels: processLabels(id, type) },
      ...(revisionHistoryLimit === null ? {} : { revisionHistoryLimit }),
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxUnavailable: 0, maxSurge: Math.max(1, Math.min(batches, mostProcesses(app, type))) },
      },
      template: podTemplateOf(app, release, type, options),
    },
  }))
}

export function autoscalersOf(app: DesiredApp): readonly Autoscaler[] {
  const { id, structure, autoscale } = app
  return Object.keys(structure).flatMap(type => {
    const scale = autoscale[type]
    if (scale === undefined || !isAutoscaled(app, type)) return []
    const name = `${id}-${type}`
    return [
      {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name, namespace: id, labels: { ...appLabels(id), type } },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
          minReplicas: scale.min,
          maxReplicas: scale.max,
          metrics: [
            {
              type: 'Resource' as const,
              resource: {
                name: 'cpu',
                target: { type: 'Utilization' as const, averageUtilization: scale.cpu_percent },
              },
            },
          ],
        },
      },
    ]
  })
}

/** A type that was scaled to nothing stays there: an autoscaler would not wake it either. */
export function isAutoscaled({ autoscale, structure }: DesiredApp, type: string): boolean {
  return Object.hasOwn(autoscale, type) && (structure[type] ?? 0) > 0
}

/** How many processes of a type there may be. */
export function mostProcesses(app: DesiredApp, type: string): number {
  const count = app.structure[type] ?? 0
  return isAutoscaled(app, type) ? Math.max(count, app.autoscale[type]?.max ?? 0) : count
}
