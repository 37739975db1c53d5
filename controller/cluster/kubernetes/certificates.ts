// The certificates of an app's domains, and the router's right to read just these: a Role that names them, in the app's
// namespace. Without any, there is nothing to read and no Role.

import type { KubeObject, Secret } from '#kube/types.ts'
import type { Role, RoleBinding } from '#kube/workload-types.ts'
import type { DesiredApp } from '../../domain/desired-app.ts'
import { appLabels } from './marks.ts'
import type { PlanOptions } from './plan-options.ts'

const roleName = 'deis-router-certificates'
const rbac = 'rbac.authorization.k8s.io'

export function certificatesOf(app: DesiredApp, { router }: PlanOptions): readonly KubeObject[] {
  const { id, routing } = app
  const labels = appLabels(id)
  const secrets = routing.certificates.map(
    ({ name, chain, key }): Secret => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `${name}-cert`, namespace: id, labels },
      type: 'Opaque',
      data: { 'tls.crt': base64(chain), 'tls.key': base64(key) },
    }),
  )
  if (secrets.length === 0) return []
  const role: Role = {
    apiVersion: `${rbac}/v1`,
    kind: 'Role',
    metadata: { name: roleName, namespace: id, labels },
    rules: [
      {
        apiGroups: [''],
        resources: ['secrets'],
        resourceNames: secrets.map(({ metadata }) => metadata.name),
        verbs: ['get', 'list', 'watch'],
      },
    ],
  }
  const binding: RoleBinding = {
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata: { name: roleName, namespace: id, labels },
    roleRef: { apiGroup: rbac, kind: 'Role', name: roleName },
    subjects: [{ kind: 'ServiceAccount', name: router.serviceAccount, namespace: router.namespace }],
  }
  return [...secrets, role, binding]
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
