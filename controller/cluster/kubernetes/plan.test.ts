import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/types.ts'
import {
  type DesiredAppParts,
  type DesiredReleaseParts,
  desiredApp,
  desiredRelease,
} from '#test/support/desired-app.ts'
import { plan } from './plan.ts'
import { defaultPlanOptions, type PlanOptions } from './plan-options.ts'
import { titleOf } from './resources.ts'

/** Any object, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: rows look at fields of all kinds
type Any = any

function planned(parts: DesiredAppParts, options: Partial<PlanOptions> = {}): ReadonlyMap<string, Any> {
  const objects = plan(desiredApp('shop', parts), { ...defaultPlanOptions, ...options })
  return new Map(objects.map(object => [titleOf(object), object]))
}

function withRelease(parts: DesiredReleaseParts, structure: Record<string, number> = { cmd: 1 }): DesiredAppParts {
  return { structure, release: desiredRelease('shop', parts) }
}

const containerOf = (objects: ReadonlyMap<string, Any>, type = 'cmd') =>
  objects.get(`Deployment shop-${type}`).spec.template.spec.containers[0]
const annotations = (parts: DesiredAppParts) => planned(parts).get('Service shop').metadata.annotations
const managed = { heritage: 'deis', 'app.kubernetes.io/managed-by': 'deis-controller' }
const text = (value: string) => Buffer.from(value, 'base64').toString()

const slug = { image: 'home/shop:git-abcdef12/push/slug.tgz', sha: 'abcdef1234567890' }
const buildpack = { image: 'shop:git-abcdef12', sha: 'abcdef1234567890' }
const dockerfile = { image: 'shop', sha: 'abcdef1234567890', dockerfile: 'FROM scratch' }

test('section 7: a fresh app is a Namespace and a Service', () => {
  const objects = planned({})
  expect([...objects.keys()]).toEqual(['Namespace shop', 'Service shop'])
  expect(objects.get('Namespace shop').metadata).toEqual({
    name: 'shop',
    labels: managed,
    annotations: { 'controller.deis.io/app-uuid': desiredApp('shop').uuid },
  })
  expect(objects.get('Service shop')).toEqual({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'shop',
      namespace: 'shop',
      labels: { app: 'shop', ...managed, 'router.deis.io/routable': 'true' },
      annotations: {
        'router.deis.io/domains': 'shop',
        'router.deis.io/maintenance': 'false',
        'router.deis.io/ssl.enforce': 'false',
      },
    },
    spec: {
      selector: { app: 'shop', heritage: 'deis' },
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 5000 }],
    },
  })
})

test('section 7: a released app, in the order in which its objects are made', () => {
  const objects = planned(
    {
      ...withRelease({ config: { registry: { username: 'u', password: 'p' } } }, { web: 2, worker: 0 }),
      autoscale: { web: { min: 1, max: 5, cpu_percent: 70 } },
      routing: {
        domains: [{ domain: 'shop', certificate: 'main' }],
        certificates: [{ name: 'main', chain: 'CHAIN', key: 'KEY' }],
      },
    },
    { quota: { hard: { pods: '10' } } },
  )
  expect([...objects.keys()]).toEqual([
    'Namespace shop',
    'ResourceQuota shop-quota',
    'Secret private-registry',
    'Secret shop-v2-env',
    'Deployment shop-web',
    'Deployment shop-worker',
    'HorizontalPodAutoscaler shop-web',
    'Secret main-cert',
    'Role deis-router-certificates',
    'RoleBinding deis-router-certificates',
    'Service shop',
  ])
  for (const object of objects.values() as Iterable<KubeObject>) {
    expect(object.metadata.labels).toMatchObject(managed)
    if (object.kind !== 'Namespace') expect(object.metadata.namespace).toBe('shop')
  }
})

test('an app that is fenced is reached by itself, the router and whom the operator names', () => {
  const router = { namespace: 'edge', serviceAccount: 'deis-router' }
  const isolation = { admitted: ['monitoring'] }
  const fresh = planned({}, { router, isolation })
  expect([...fresh.keys()]).toEqual(['Namespace shop', 'NetworkPolicy shop-isolation', 'Service shop'])
  const released = planned(withRelease({}), { router, isolation })
  expect([...released.keys()].slice(0, 2)).toEqual(['Namespace shop', 'NetworkPolicy shop-isolation'])
  const { metadata, spec } = released.get('NetworkPolicy shop-isolation')
  expect(metadata).toMatchObject({ namespace: 'shop', labels: { app: 'shop', ...managed } })
  const space = (name: string) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } })
  expect(spec).toEqual({
    podSelector: {},
    policyTypes: ['Ingress'],
    ingress: [
      {
        from: [
          { podSelector: {} },
          { ...space('edge'), podSelector: { matchLabels: { app: 'deis-router' } } },
          space('monitoring'),
        ],
      },
    ],
  })
})

describe('section 7: what the Service tells the router', () => {
  const domains = [
    { domain: 'shop', certificate: null },
    { domain: 'a.example', certificate: 'main' },
    { domain: '*.b.example', certificate: 'wild' },
  ]
  const rows: readonly (readonly [name: string, routing: DesiredAppParts['routing'], want: Record<string, unknown>])[] =
    [
      [
        'domains and certificates',
        { domains },
        {
          'router.deis.io/domains': 'shop,a.example,*.b.example',
          'router.deis.io/certificates': 'a.example:main,*.b.example:wild',
        },
      ],
      ['no domains: no annotation', { domains: [] }, { 'router.deis.io/domains': undefined }],
      ['a whitelist', { whitelist: ['1.2.3.4', '10.0.0.0/8'] }, { 'router.deis.io/whitelist': '1.2.3.4,10.0.0.0/8' }],
      ['maintenance', { maintenance: true }, { 'router.deis.io/maintenance': 'true' }],
      ['HTTPS enforced', { httpsEnforced: true }, { 'router.deis.io/ssl.enforce': 'true' }],
      ['HTTPS not enforced', { httpsEnforced: false }, { 'router.deis.io/ssl.enforce': 'false' }],
    ]
  test.for(rows)('%s', ([, routing, want]) => {
    const found = annotations({ ...(routing === undefined ? {} : { routing }) })
    for (const [name, value] of Object.entries(want)) expect(found[name]).toBe(value)
  })

  test('not routable', () => {
    const { labels } = planned({ routing: { routable: false } }).get('Service shop').metadata
    expect(labels['router.deis.io/routable']).toBe('false')
  })
})

describe('section 8: the type that gets requests', () => {
  const rows: readonly (readonly [structure: Record<string, number>, type: string])[] = [
    [{ web: 1 }, 'web'],
    [{ cmd: 1 }, 'cmd'],
    [{ web: 1, cmd: 1 }, 'web'],
    [{ web: 0, cmd: 1 }, 'cmd'],
    [{ web: 0, cmd: 0 }, 'web'],
    [{ cmd: 0 }, 'cmd'],
    [{ worker: 1 }, 'cmd'],
  ]
  test.for(rows)('%j: %s', ([structure, type]) => {
    const { selector } = planned(withRelease({}, structure)).get('Service shop').spec
    expect(selector).toEqual({ app: 'shop', heritage: 'deis', type })
  })
})

describe('section 7: Deployments', () => {
  test('name, labels, selector, change cause', () => {
    const deployment = planned(withRelease({ summary: 'ann added A' })).get('Deployment shop-cmd')
    expect(deployment.metadata).toEqual({
      name: 'shop-cmd',
      namespace: 'shop',
      labels: { app: 'shop', type: 'cmd', ...managed },
      annotations: { 'kubernetes.io/change-cause': 'ann added A' },
    })
    expect(deployment.spec.selector).toEqual({ matchLabels: { app: 'shop', type: 'cmd', heritage: 'deis' } })
    expect(deployment.spec.template.metadata.labels).toEqual({ app: 'shop', type: 'cmd', version: 'v2', ...managed })
    expect(deployment.spec.replicas).toBe(1)
  })

  test('Pods have no business with the API server, and no variables of Services', () => {
    const { spec } = planned(withRelease({})).get('Deployment shop-cmd').spec.template
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      terminationGracePeriodSeconds: 30,
    })
  })

  const surges: readonly (readonly [values: Record<string, string>, nodes: number, count: number, surge: number])[] = [
    [{}, 3, 10, 3],
    [{}, 3, 2, 2],
    [{}, 0, 5, 1],
    [{}, 3, 0, 1],
    [{ DEIS_DEPLOY_BATCHES: '4' }, 1, 10, 4],
    [{ DEIS_DEPLOY_BATCHES: '40' }, 1, 10, 10],
    [{ DEIS_DEPLOY_BATCHES: 'many' }, 2, 10, 2],
    [{ DEIS_DEPLOY_BATCHES: '0' }, 2, 10, 2],
  ]
  test.for(surges)('section 8: %j on %i nodes, %i processes: %i at a time', ([values, nodes, count, surge]) => {
    const objects = planned(withRelease({ config: { values } }, { cmd: count }), { nodes })
    expect(objects.get('Deployment shop-cmd').spec.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 0, maxSurge: surge },
    })
  })

  test('section 5: tuning keys of the config win', () => {
    const values = {
      IMAGE_PULL_POLICY: 'Always',
      KUBERNETES_DEPLOYMENTS_REVISION_HISTORY_LIMIT: '2',
      KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS: '5',
    }
    const objects = planned(withRelease({ config: { values } }), { revisionHistoryLimit: 7 })
    const { spec } = objects.get('Deployment shop-cmd')
    expect(spec.revisionHistoryLimit).toBe(2)
    expect(spec.template.spec.terminationGracePeriodSeconds).toBe(5)
    expect(containerOf(objects).imagePullPolicy).toBe('Always')
  })

  test('the longest names fit', () => {
    const id = 'a'.repeat(63)
    const app = desiredApp(id, { structure: { web: 1 }, release: desiredRelease(id) })
    const deployment = plan(app, defaultPlanOptions).find(({ kind }) => kind === 'Deployment') as Any
    expect(deployment.spec.template.spec.containers[0].name).toBe(id)
  })

  test('tags are node labels', () => {
    const { spec } = planned(withRelease({ config: { tags: { disk: 'ssd' } } })).get('Deployment shop-cmd').spec
      .template
    expect(spec.nodeSelector).toEqual({ disk: 'ssd' })
  })

  test('limits', () => {
    const config = { memory: { cmd: '64M/1GB', other: '1G' }, cpu: { cmd: '500m' } }
    expect(containerOf(planned(withRelease({ config }))).resources).toEqual({
      requests: { memory: '64Mi' },
      limits: { memory: '1Gi', cpu: '500m' },
    })
    expect(containerOf(planned(withRelease({ config: { memory: { cmd: '10B' } } }))).resources).toEqual({
      limits: { memory: '10' },
    })
    expect(containerOf(planned(withRelease({}))).resources).toEqual({})
  })
})

describe('section 8: command and args', () => {
  const procfile = { web: 'node server.js', cmd: 'serve --all' }
  const rows: readonly (readonly [string, DesiredReleaseParts['build'], string, Any, Any])[] = [
    ['a slug', slug, 'web', ['/runner/init'], ['start', 'web']],
    ['an image', {}, 'cmd', undefined, undefined],
    ['an image, cmd of the Procfile', { procfile }, 'cmd', undefined, ['serve', '--all']],
    ['an image, another type', { procfile }, 'web', ['/bin/bash', '-c'], ['node server.js']],
    ['a Dockerfile', { ...dockerfile, procfile }, 'web', ['/bin/bash', '-c'], ['node server.js']],
  ]
  test.for(rows)('%s', ([, build = {}, type, command, args]) => {
    const container = containerOf(planned(withRelease({ build }, { [type]: 1 })), type)
    expect([container.command, container.args]).toEqual([command, args])
  })
})

describe('section 8: probes', () => {
  const probe = { httpGet: { port: 80, path: '/' } }
  test('of the type, else of web/cmd', () => {
    const healthcheck = { worker: { livenessProbe: probe }, 'web/cmd': { readinessProbe: probe } }
    const objects = planned(withRelease({ config: { healthcheck } }, { web: 1, worker: 1, clock: 1 }))
    expect(containerOf(objects, 'web')).toMatchObject({ readinessProbe: probe })
    expect(containerOf(objects, 'worker').livenessProbe).toEqual(probe)
    expect(containerOf(objects, 'clock')).not.toHaveProperty('livenessProbe')
  })

  test('by default what is routed to has to take connections', () => {
    const { readinessProbe } = containerOf(planned(withRelease({ port: 8080 })))
    expect(readinessProbe).toEqual({
      tcpSocket: { port: 8080 },
      initialDelaySeconds: 5,
      timeoutSeconds: 5,
      periodSeconds: 5,
      successThreshold: 1,
      failureThreshold: 1,
    })
    const unrouted = planned({ ...withRelease({}), routing: { routable: false } })
    expect(containerOf(unrouted)).not.toHaveProperty('readinessProbe')
  })
})

describe('section 7: the environment', () => {
  test('is in a Secret, and every variable names its key there', () => {
    const values = { Path: 'a', PATH: 'b', DEIS_APP: 'mine' }
    const objects = planned(withRelease({ version: 7, config: { values } }))
    const secret = objects.get('Secret shop-v7-env')
    expect(secret.metadata.labels).toEqual({ app: 'shop', version: 'v7', type: 'env', ...managed })
    const data = Object.fromEntries(Object.entries<string>(secret.data).map(([key, value]) => [key, text(value)]))
    expect(data).toEqual({
      DEIS_APP: 'mine',
      WORKFLOW_RELEASE: 'v7',
      WORKFLOW_RELEASE_SUMMARY: 'ann deployed an image',
      WORKFLOW_RELEASE_CREATED_AT: '2026-03-01T10:00:00Z',
      PORT: '8080',
      Path: 'a',
      PATH: 'b',
    })
    const { env } = containerOf(objects)
    expect(env.map(({ name }: Any) => name)).toEqual(Object.keys(data))
    for (const { name, valueFrom } of env) {
      expect(valueFrom).toEqual({ secretKeyRef: { name: 'shop-v7-env', key: name } })
    }
  })

  test('of a slug says where it is; the credentials of that storage are mounted', () => {
    const objects = planned(withRelease({ build: slug, port: 5000 }, { web: 1 }), {
      slugRunnerImage: 'runner:1',
      storageCredentials: { key: 'c2VjcmV0' },
    })
    expect(objects.get('Secret objectstorage-keyfile').data).toEqual({ key: 'c2VjcmV0' })
    const container = containerOf(objects, 'web')
    expect(container.image).toBe('runner:1')
    expect(container.volumeMounts[0].mountPath).toBe('/var/run/secrets/deis/objectstore/creds')
    expect(text(objects.get('Secret shop-v2-env').data.SOURCE_VERSION)).toBe('abcdef1234567890')
  })
})

describe('images and their credentials', () => {
  const login = { username: 'u', password: 'p' }
  const auth = Buffer.from('u:p').toString('base64')
  const rows: readonly (readonly [string, string, Record<string, string>, string])[] = [
    ['the host that is given', 'a/b', { ...login, hostname: 'r.example' }, 'r.example'],
    ['the host of the image', 'r.example:5000/a/b:1', login, 'r.example:5000'],
    ['no host', 'a/b', login, '*.*'],
  ]
  test.for(rows)('%s', ([, image, registry, host]) => {
    const objects = planned(withRelease({ build: { image }, config: { registry } }))
    const secret = objects.get('Secret private-registry')
    expect(secret.type).toBe('kubernetes.io/dockerconfigjson')
    expect(JSON.parse(text(secret.data['.dockerconfigjson']))).toEqual({ auths: { [host]: { auth } } })
    const { spec } = objects.get('Deployment shop-cmd').spec.template
    expect(spec.imagePullSecrets).toEqual([{ name: 'private-registry' }])
  })

  test('of the platform, and of others', () => {
    const registry = { ...defaultPlanOptions.registry, credentials: { hostname: 'r.example', ...login } }
    expect([...planned(withRelease({}), { registry }).keys()]).toContain('Secret private-registry-off-cluster')
    const foreign = { ...defaultPlanOptions.registry, foreignSecret: 'private-registry-ecr' }
    const { spec } = planned(withRelease({}), { registry: foreign }).get('Deployment shop-cmd').spec.template
    expect(spec.imagePullSecrets).toEqual([{ name: 'private-registry-ecr' }])
  })

  test.for([
    ['a Dockerfile', dockerfile, 'cmd'],
    ['buildpacks', buildpack, 'web'],
  ] as const)('what the builder made of %s, from the registry of the cluster', ([, build, type]) => {
    const registry = { ...defaultPlanOptions.registry, address: '127.0.0.1:5555' }
    const storageCredentials = { accesskey: 'c2VjcmV0' }
    const objects = planned(withRelease({ build }, { [type]: 1 }), { registry, storageCredentials })
    expect(containerOf(objects, type).image).toBe('127.0.0.1:5555/shop:git-abcdef12')
    // Only slugs are fetched by the app itself.
    expect([...objects.keys()]).not.toContain('Secret objectstorage-keyfile')
  })

  test('an image of that name that was not pushed is left as it is', () => {
    const registry = { ...defaultPlanOptions.registry, address: '127.0.0.1:5555' }
    const { build } = { build: { ...buildpack, image: 'elsewhere.example/shop:git-abcdef12' } }
    expect(containerOf(planned(withRelease({ build }, { web: 1 }), { registry }), 'web').image).toBe(build.image)
  })
})

describe('autoscaling', () => {
  const autoscale = { web: { min: 2, max: 5, cpu_percent: 70 }, gone: { min: 1, max: 2, cpu_percent: 1 } }
  test('has the number of processes to itself', () => {
    const objects = planned({ ...withRelease({}, { web: 3 }), autoscale })
    expect(objects.get('Deployment shop-web').spec).not.toHaveProperty('replicas')
    const autoscaler = objects.get('HorizontalPodAutoscaler shop-web')
    expect(autoscaler.apiVersion).toBe('autoscaling/v2')
    expect(autoscaler.metadata.labels).toEqual({ app: 'shop', type: 'web', ...managed })
    expect(autoscaler.spec).toEqual({
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'shop-web' },
      minReplicas: 2,
      maxReplicas: 5,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } },
      ],
    })
    expect([...objects.keys()]).not.toContain('HorizontalPodAutoscaler shop-gone')
  })

  test('does not wake what was scaled to nothing', () => {
    const objects = planned({ ...withRelease({}, { web: 0 }), autoscale })
    expect(objects.get('Deployment shop-web').spec.replicas).toBe(0)
    expect([...objects.keys()]).not.toContain('HorizontalPodAutoscaler shop-web')
  })
})

test('the router may read the certificates, and nothing else', () => {
  const objects = planned(
    {
      routing: {
        certificates: [
          { name: 'a', chain: 'CHAIN', key: 'KEY' },
          { name: 'b', chain: 'CHAIN', key: 'KEY' },
        ],
      },
    },
    { router: { namespace: 'platform', serviceAccount: 'edge' } },
  )
  expect(text(objects.get('Secret a-cert').data['tls.crt'])).toBe('CHAIN')
  expect(text(objects.get('Secret a-cert').data['tls.key'])).toBe('KEY')
  expect(objects.get('Role deis-router-certificates').rules).toEqual([
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['a-cert', 'b-cert'], verbs: ['get', 'list', 'watch'] },
  ])
  expect(objects.get('RoleBinding deis-router-certificates').subjects).toEqual([
    { kind: 'ServiceAccount', name: 'edge', namespace: 'platform' },
  ])
})

test('the same app gives the same plan', () => {
  const parts = withRelease({ config: { values: { A: '1' } } }, { web: 2, worker: 1 })
  expect([...planned(parts).values()]).toEqual([...planned(parts).values()])
})
