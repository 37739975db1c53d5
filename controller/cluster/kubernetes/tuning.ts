// How an app is deployed: what its config says in the environment's own words, else what the platform says (controller
// contract, section 5, tuning keys). What makes no sense is as if it were not there.

import type { ConfigMaps } from '../../domain/config.ts'
import type { PlanOptions } from './plan-options.ts'

export interface Tuning {
  /** Pods at a time. */
  readonly batches: number
  /** Seconds for each batch. */
  readonly timeout: number
  readonly imagePullPolicy: string
  readonly revisionHistoryLimit: number | null
  readonly terminationGracePeriod: number
}

const pullPolicies = ['Always', 'IfNotPresent', 'Never']
const maxTimeout = 3600

export function tuningOf({ values }: Pick<ConfigMaps, 'values'>, options: PlanOptions): Tuning {
  const value = (key: string): string => (Object.hasOwn(values, key) ? (values[key] ?? '') : '')
  const integer = (key: string, least: number, most: number): number | null => {
    const text = value(key)
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
    return number >= least && number <= most ? number : null
  }
  const policy = value('IMAGE_PULL_POLICY')
  return {
    batches: integer('DEIS_DEPLOY_BATCHES', 1, 10_000) ?? options.batches ?? Math.max(1, options.nodes),
    timeout: integer('DEIS_DEPLOY_TIMEOUT', 1, maxTimeout) ?? options.deployTimeout,
    imagePullPolicy: pullPolicies.includes(policy) ? policy : options.imagePullPolicy,
    revisionHistoryLimit:
      integer('KUBERNETES_DEPLOYMENTS_REVISION_HISTORY_LIMIT', 0, 1000) ?? options.revisionHistoryLimit,
    terminationGracePeriod:
      integer('KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS', 0, 86_400) ?? options.terminationGracePeriod,
  }
}
