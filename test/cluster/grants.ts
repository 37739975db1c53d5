// What RBAC gives a service account, taken apart into single grants, so that each can be held against what was asked for.

import type { AuditedRequest } from './audit-log.ts'

/** One verb on one resource. */
export interface Grant {
  readonly verb: string
  readonly group: string
  readonly resource: string
  /** Null: in all namespaces, and of what has none. */
  readonly namespace: string | null
  /** Null: of any name. */
  readonly names: readonly string[] | null
  /** The role that gives it, for messages. */
  readonly role: string
}

interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
}

interface RoleList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly namespace?: string }
    readonly rules: readonly Rule[] | null
  }[]
}

interface BindingList {
  readonly items: readonly {
    readonly metadata: { readonly namespace?: string }
    readonly roleRef: { readonly kind: string; readonly name: string }
    readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[]
  }[]
}

/** As much of an API client as is needed. */
type Get = <T>(method: 'GET', path: string) => Promise<T>

const rbac = '/apis/rbac.authorization.k8s.io/v1'

/** Every grant that is bound to the service account itself; those of all authenticated users are left out. */
export async function grantsOf(get: Get, namespace: string, account: string): Promise<readonly Grant[]> {
  const [roles, clusterRoles, bindings, clusterBindings] = await Promise.all([
    get<RoleList>('GET', `${rbac}/roles`),
    get<RoleList>('GET', `${rbac}/clusterroles`),
    get<BindingList>('GET', `${rbac}/rolebindings`),
    get<BindingList>('GET', `${rbac}/clusterrolebindings`),
  ])
  const ours = [...bindings.items, ...clusterBindings.items].filter(({ subjects = [] }) =>
    subjects.some(each => each.kind === 'ServiceAccount' && each.namespace === namespace && each.name === account),
  )
  return ours.flatMap(({ metadata, roleRef }) => {
    const among = roleRef.kind === 'ClusterRole' ? clusterRoles.items : roles.items
    const role = among.find(
      each =>
        each.metadata.name === roleRef.name &&
        (roleRef.kind === 'ClusterRole' || each.metadata.namespace === metadata.namespace),
    )
    return (role?.rules ?? []).flatMap(rule => singles(rule, metadata.namespace ?? null, roleRef.name))
  })
}

function singles(rule: Rule, namespace: string | null, role: string): readonly Grant[] {
  const names = rule.resourceNames?.length ? rule.resourceNames : null
  return (rule.apiGroups ?? []).flatMap(group =>
    (rule.resources ?? []).flatMap(resource =>
      rule.verbs.map(verb => ({ verb, group, resource, namespace, names, role })),
    ),
  )
}

/** Whether this grant is one that lets the request through. */
export function covers(grant: Grant, request: AuditedRequest): boolean {
  return (
    (grant.verb === '*' || grant.verb === request.verb) &&
    (grant.group === '*' || grant.group === request.group) &&
    (grant.resource === '*' || grant.resource === request.resource) &&
    (grant.namespace === null || grant.namespace === request.namespace) &&
    (grant.names === null || (request.name !== null && grant.names.includes(request.name)))
  )
}

export function describeGrant({ verb, group, resource, namespace, names, role }: Grant): string {
  const where = namespace === null ? 'everywhere' : `in ${namespace}`
  return `${role}: ${verb} ${[resource, group].filter(Boolean).join('.')}${names ? ` ${names.join(', ')}` : ''} ${where}`
}
