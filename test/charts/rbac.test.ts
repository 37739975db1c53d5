// I-S4: exactly what the chart lets the router do, row by row; nothing may come in unnoticed.

import { beforeAll, describe, expect, test } from 'vitest'
import { helm } from '../cluster/helm.ts'
import { type Manifest, type Rendering, render, type Values } from './chart.ts'

beforeAll(() => helm(), 600_000)

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** `NAMESPACE: RESOURCE.GROUP [NAMES] VERBS`, `*` for all namespaces; one for each rule of a bound role. */
function rows(rendering: Rendering): readonly string[] {
  return ['Role', 'ClusterRole']
    .flatMap(kind => rendering.all(kind).map(role => ({ role, binding: bindingOf(rendering, role) })))
    .flatMap(({ role, binding }) => {
      expect(binding.subjects).toEqual([
        { kind: 'ServiceAccount', name: rendering.workload().spec.template.spec.serviceAccountName, namespace: 'deis' },
      ])
      return (role.rules as readonly Rule[]).map(({ apiGroups, resources, resourceNames, verbs }) => {
        const things = resources.map(resource => [resource, ...apiGroups.filter(Boolean)].join('.')).join('+')
        const names = resourceNames === undefined ? '' : ` [${resourceNames.join(' ')}]`
        return `${role.metadata.namespace ?? '*'}: ${things}${names} ${verbs.join('+')}`
      })
    })
    .sort()
}

function bindingOf(rendering: Rendering, { kind, metadata }: Manifest): Manifest {
  const bindings = rendering
    .all(`${kind}Binding`)
    .filter(
      binding =>
        binding.metadata.namespace === metadata.namespace &&
        binding.roleRef.kind === kind &&
        binding.roleRef.name === metadata.name,
    )
  expect(bindings, `bindings of ${kind} ${metadata.name}`).toHaveLength(1)
  return bindings[0]!
}

const own = [
  'deis: deployments.apps [deis-router] list+watch',
  'deis: leases.coordination.k8s.io [deis-router-leader] get+update',
  'deis: secrets [deis-router-platform-cert deis-router-dhparam] list+watch',
  'deis: secrets [deis-router-ticket-keys] get+list+watch+update',
]
const inOneNamespace = [
  'shop: endpointslices.discovery.k8s.io list+watch',
  'shop: events create+patch',
  'shop: ingresses.networking.k8s.io list+watch',
  'shop: ingresses/status.networking.k8s.io patch',
  'shop: services list+watch',
]

const cases: readonly [name: string, values: Values, rows: readonly string[]][] = [
  [
    'defaults',
    {},
    [
      '*: endpointslices.discovery.k8s.io list+watch',
      '*: events create+patch',
      '*: ingressclasses.networking.k8s.io list+watch',
      '*: ingresses.networking.k8s.io list+watch',
      '*: ingresses/status.networking.k8s.io patch',
      '*: services list+watch',
      ...own,
    ],
  ],
  [
    'without Ingress objects',
    { ingress: { enabled: false } },
    ['*: endpointslices.discovery.k8s.io list+watch', '*: events create+patch', '*: services list+watch', ...own],
  ],
  [
    'certificates of apps: by name, one Role for a namespace',
    {
      ingress: { enabled: false },
      certificates: [
        { namespace: 'shop', secrets: ['shop-cert'] },
        { namespace: 'blog', secrets: ['blog-cert'] },
        { namespace: 'shop', secrets: ['pay-cert', 'shop-cert'] },
      ],
    },
    [
      '*: endpointslices.discovery.k8s.io list+watch',
      '*: events create+patch',
      '*: services list+watch',
      'blog: secrets [blog-cert] list+watch',
      ...own,
      'shop: secrets [shop-cert pay-cert] list+watch',
    ],
  ],
  [
    'every Secret, for those who ask for it',
    { ingress: { enabled: false }, secrets: { clusterWide: true } },
    [
      '*: endpointslices.discovery.k8s.io list+watch',
      '*: events create+patch',
      '*: secrets list+watch',
      '*: services list+watch',
      ...own,
    ],
  ],
  [
    'one namespace: all that is cluster-wide is IngressClasses',
    { watchNamespace: 'shop' },
    [
      '*: ingressclasses.networking.k8s.io list+watch',
      own[0]!,
      'deis: endpointslices.discovery.k8s.io list+watch',
      'deis: events create+patch',
      ...own.slice(1),
      'deis: services [deis-router deis-builder] list+watch',
      ...inOneNamespace,
    ],
  ],
  [
    'one namespace with every Secret of it',
    { watchNamespace: 'shop', secrets: { clusterWide: true }, ingress: { enabled: false } },
    [
      own[0]!,
      'deis: endpointslices.discovery.k8s.io list+watch',
      'deis: events create+patch',
      ...own.slice(1),
      'deis: services [deis-builder] list+watch',
      'shop: endpointslices.discovery.k8s.io list+watch',
      'shop: events create+patch',
      'shop: secrets list+watch',
      'shop: services list+watch',
    ],
  ],
  [
    'its own namespace and nothing else',
    { watchNamespace: 'deis', ingress: { enabled: false } },
    [
      own[0]!,
      'deis: endpointslices.discovery.k8s.io list+watch',
      'deis: events create+patch',
      ...own.slice(1),
      'deis: services list+watch',
    ],
  ],
  ['switched off', { rbac: { create: false } }, []],
  ['switched off in the old way', { global: { use_rbac: false } }, []],
]

describe('permissions', () => {
  for (const [name, values, want] of cases)
    test(name, async () => {
      expect(rows(await render(values))).toEqual([...want].sort())
    })

  test('another service account gets them', async () => {
    const rendering = await render({ serviceAccount: { create: false, name: 'edge' } })
    expect(rendering.all('ServiceAccount')).toEqual([])
    expect(rendering.workload().spec.template.spec.serviceAccountName).toBe('edge')
    expect(rows(rendering)).not.toEqual([])
  })

  test('roles outside of its namespace bear its name, so that routers of two namespaces get on', async () => {
    const rendering = await render({ certificates: [{ namespace: 'shop', secrets: ['shop-cert'] }] })
    const outside = rendering.objects.filter(
      ({ apiVersion, metadata }) => apiVersion.startsWith('rbac.') && metadata.namespace !== 'deis',
    )
    expect(outside).toHaveLength(4)
    for (const { metadata } of outside) expect(metadata.name).toMatch(/^deis-router-deis/)
  })

  test('the Lease that may be updated is there, and the chart says nothing of who holds it', async () => {
    expect((await render()).one('Lease', 'deis-router-leader')).not.toHaveProperty('spec')
  })

  test('the Secret with keys of session tickets is there, and the chart says nothing of what is in it', async () => {
    const secret = (await render()).one('Secret', 'deis-router-ticket-keys')
    expect(secret).not.toHaveProperty('data')
    expect(secret).not.toHaveProperty('stringData')
  })
})
