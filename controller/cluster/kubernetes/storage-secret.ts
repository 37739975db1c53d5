// Credentials of the storage of slugs: the platform's Secret, once more in the namespace of each app that runs a slug.

import type { Secret } from '#kube/types.ts'
import { buildKind } from '../../domain/app.ts'
import type { DesiredApp, DesiredRelease } from '../../domain/desired-app.ts'
import { appLabels } from './marks.ts'
import type { PlanOptions } from './plan-options.ts'

/** In the platform's namespace and in those of apps. */
export const storageSecretName = 'objectstorage-keyfile'

export function storageSecretOf(
  { id }: DesiredApp,
  { build }: DesiredRelease,
  { storageCredentials }: PlanOptions,
): readonly Secret[] {
  if (storageCredentials === null || buildKind(build) !== 'slug') return []
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: storageSecretName, namespace: id, labels: appLabels(id) },
      type: 'Opaque',
      data: storageCredentials,
    },
  ]
}
