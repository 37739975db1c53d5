// The environment of a release, one Secret for each, so that a Pod of a former release that starts once more finds what
// it was made with.

import type { Secret } from '#kube/types.ts'
import type { EnvVar } from '#kube/workload-types.ts'
import type { AppId } from '../../domain/app.ts'
import type { DesiredApp, DesiredRelease } from '../../domain/desired-app.ts'
import { environmentOf } from '../../domain/environment.ts'
import { appLabels } from './marks.ts'
import type { PlanOptions } from './plan-options.ts'

export function envSecretName(app: AppId, version: number): string {
  return `${app}-v${version}-env`
}

/** Keys are the names as they are: lower-cased ones would make `Path` and `PATH` one. */
export function envSecretOf(app: DesiredApp, release: DesiredRelease, options: PlanOptions): Secret {
  const { id } = app
  const environment = environmentOf(app, release, options.slugStorage)
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: envSecretName(id, release.version),
      namespace: id,
      labels: { ...appLabels(id), version: `v${release.version}`, type: 'env' },
    },
    type: 'Opaque',
    data: Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    ),
  }
}

export function envVarsOf(app: DesiredApp, release: DesiredRelease, options: PlanOptions): readonly EnvVar[] {
  const name = envSecretName(app.id, release.version)
  return Object.keys(environmentOf(app, release, options.slugStorage)).map(key => ({
    name: key,
    valueFrom: { secretKeyRef: { name, key } },
  }))
}
