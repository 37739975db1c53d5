// charts/router against a real API server, without nodes: every object is one that it takes, the service account may do
// what the router does and nothing beside it, an upgrade of settings rolls nothing out, and nothing stays behind.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiClient, ApiError, type Method } from '../cluster/api-client.ts'
import { ControlPlane } from '../cluster/control-plane.ts'
import { helm } from '../cluster/helm.ts'
import { inventory } from '../cluster/inventory.ts'
import { release, render, uninstall, type Values } from './chart.ts'

const plane = new ControlPlane()
const get = <T>(method: 'GET', path: string) => plane.request<T>(method, path)

beforeAll(async () => {
  await helm()
  await plane.start()
  for (const name of ['deis', 'shop']) {
    await plane.request('POST', '/api/v1/namespaces', { metadata: { name } })
    // What a controller would make; the pod of `helm test` runs as it.
    await plane.request('POST', `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } })
  }
}, 900_000)
afterAll(() => plane.stop())

describe('the API server takes every object and knows every field', () => {
  const all: Values = {
    image: { digest: `sha256:${'0'.repeat(64)}` },
    imagePullSecrets: [{ name: 'mine' }],
    settings: { bodySize: '10m' },
    workers: 2,
    ingress: { publishAddresses: ['192.0.2.1'], class: { default: true } },
    certificates: [{ namespace: 'shop', secrets: ['shop-cert'] }],
    dhparam: '-----BEGIN DH PARAMETERS-----\nMEYCQQ==\n-----END DH PARAMETERS-----\n',
    service: {
      externalTrafficPolicy: 'Local',
      healthz: true,
      loadBalancerClass: 'example.com/edge',
      loadBalancerIP: '192.0.2.9',
      loadBalancerSourceRanges: ['10.0.0.0/8'],
      externalIPs: ['192.0.2.8'],
      ipFamilyPolicy: 'SingleStack',
      ipFamilies: ['IPv4'],
      nodePorts: { http: 30080, https: 30443, builder: 32222, healthz: 30090 },
      labels: { a: 'b' },
    },
    snapshot: { medium: '' },
    autoscaling: { enabled: true, behavior: { scaleDown: { stabilizationWindowSeconds: 60 } } },
    podDisruptionBudget: { minAvailable: '50%' },
    minReadySeconds: 5,
    affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
    tolerations: [{ key: 'edge', operator: 'Exists', effect: 'NoSchedule' }],
    nodeSelector: { edge: 'true' },
    podAnnotations: { a: 'b' },
    podLabels: { a: 'b' },
    commonLabels: { a: 'b' },
    extraArgs: ['--workers', '2'],
    extraEnv: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } }],
    extraVolumes: [{ name: 'more', emptyDir: {} }],
    extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
    serviceAccount: { annotations: { a: 'b' } },
    networkPolicy: { enabled: true, from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] },
    dashboard: { enabled: true },
  }
  const cases: readonly [name: string, values: Values][] = [
    ['defaults', {}],
    ['a DaemonSet on ports of the nodes', { kind: 'DaemonSet', host_port: { enabled: true } }],
    ['a DaemonSet', { kind: 'DaemonSet' }],
    ['one namespace', { watchNamespace: 'shop', secrets: { clusterWide: true } }],
    [
      'inside of the cluster only',
      { service: { type: 'ClusterIP' }, drain: { delay: 0 }, snapshot: { enabled: false } },
    ],
    ['everything', all],
  ]
  for (const [name, values] of cases)
    test(name, async () => {
      const { objects } = await render(values)
      const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
      const said = await plane.kubectl(['apply', '--dry-run=server', '--validate=strict', '--filename=-'], text)
      expect(said.trim().split('\n')).toHaveLength(objects.length)
    })
})

describe('a release', () => {
  const deployment = '/apis/apps/v1/namespaces/deis/deployments/deis-router'
  const lease = '/apis/coordination.k8s.io/v1/namespaces/deis/leases/deis-router-leader'
  const tickets = '/api/v1/namespaces/deis/secrets/deis-router-ticket-keys'
  const values: Values = { certificates: [{ namespace: 'shop', secrets: ['shop-cert'] }] }
  let before: readonly string[]
  let router: ApiClient

  beforeAll(async () => {
    before = await inventory(get)
    await release(plane, 'install', values)
    router = plane.client(await plane.serviceAccountToken('deis', 'deis-router'))
    const backend = { service: { name: 'web', port: { number: 80 } } }
    await plane.request('POST', '/apis/networking.k8s.io/v1/namespaces/shop/ingresses', {
      metadata: { name: 'web' },
      spec: { ingressClassName: 'deis', defaultBackend: backend },
    })
  })

  const one = (name: string): string => `fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`
  const shop = '/api/v1/namespaces/shop'
  const ingress = '/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web'
  const event = (namespace: string) => ({
    metadata: { generateName: 'web.', namespace },
    involvedObject: { kind: 'Ingress', namespace, name: 'web' },
    reason: 'Test',
  })
  const calls: readonly [status: number, method: Method, path: string, body?: object][] = [
    [200, 'GET', '/api/v1/services'],
    [200, 'GET', '/apis/discovery.k8s.io/v1/endpointslices'],
    [200, 'GET', '/apis/networking.k8s.io/v1/ingresses'],
    [200, 'GET', '/apis/networking.k8s.io/v1/ingressclasses'],
    [200, 'GET', `/apis/apps/v1/namespaces/deis/deployments?${one('deis-router')}`],
    [200, 'GET', `/api/v1/namespaces/deis/secrets?${one('deis-router-platform-cert')}`],
    [200, 'GET', `/api/v1/namespaces/deis/secrets?${one('deis-router-dhparam')}`],
    [200, 'GET', `${shop}/secrets?${one('shop-cert')}`],
    [200, 'GET', `${shop}/secrets?watch=1&timeoutSeconds=1&${one('shop-cert')}`],
    [200, 'GET', lease],
    [200, 'GET', tickets],
    [200, 'GET', `/api/v1/namespaces/deis/secrets?${one('deis-router-ticket-keys')}`],
    [200, 'PATCH', `${ingress}/status`, { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }],
    [200, 'POST', `${shop}/events`, event('shop')],
    [403, 'GET', '/api/v1/secrets'],
    [403, 'GET', `${shop}/secrets`],
    [403, 'GET', `${shop}/secrets?${one('other-cert')}`],
    [403, 'GET', '/api/v1/namespaces/deis/secrets'],
    [403, 'POST', '/api/v1/namespaces/deis/secrets', { metadata: { name: 'other' } }],
    [403, 'PUT', tickets.replace('deis-router-ticket-keys', 'other'), { metadata: { name: 'other' } }],
    [403, 'DELETE', tickets],
    [403, 'GET', '/apis/apps/v1/namespaces/deis/deployments'],
    [403, 'GET', '/api/v1/pods'],
    [403, 'GET', '/api/v1/nodes'],
    [403, 'GET', '/api/v1/namespaces'],
    [403, 'GET', '/api/v1/configmaps'],
    [403, 'PATCH', ingress, { metadata: { labels: { a: 'b' } } }],
    [403, 'DELETE', ingress],
    [403, 'PATCH', `/apis/apps/v1/namespaces/deis/deployments/deis-router`, { spec: { replicas: 0 } }],
    [403, 'POST', '/apis/coordination.k8s.io/v1/namespaces/deis/leases', { metadata: { name: 'other' } }],
    [403, 'PUT', lease.replace('deis-router-leader', 'other'), { metadata: { name: 'other' } }],
  ]
  for (const [status, method, path, body] of calls)
    test(`${status} for the router: ${method} ${decodeURIComponent(path)}`, async () => {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : undefined
      const found = await router.request(method, path, body, type).then(
        () => 200,
        (error: unknown) => {
          if (error instanceof ApiError) return error.status
          throw error
        },
      )
      expect(found).toBe(status)
    })

  test('an upgrade of settings reaches the annotations, rolls nothing out, deposes no leader and ends no session', async () => {
    interface Found {
      readonly metadata: { readonly annotations: Readonly<Record<string, string>> }
      readonly spec?: { readonly holderIdentity?: string; readonly template?: object }
      readonly data?: object
    }
    const { metadata } = await router.request<Found>('GET', lease)
    await router.request('PUT', lease, { metadata, spec: { holderIdentity: 'deis-router-1' } })
    const empty = await router.request<Found>('GET', tickets)
    const data = { 'since-1': Buffer.alloc(48).toString('base64') }
    await router.request('PUT', tickets, { ...empty, data })
    const old = await plane.request<Found>('GET', deployment)
    await release(plane, 'upgrade', {
      ...values,
      settings: { bodySize: '10m', ssl: { enforce: true } },
    })
    const upgraded = await plane.request<Found>('GET', deployment)
    expect(upgraded.metadata.annotations).toMatchObject({
      'router.deis.io/nginx.bodySize': '10m',
      'router.deis.io/nginx.ssl.enforce': 'true',
    })
    // A roll-out is what a change of the template brings about.
    expect(upgraded.spec?.template).toEqual(old.spec?.template)
    expect((await router.request<Found>('GET', lease)).spec?.holderIdentity).toBe('deis-router-1')
    expect((await router.request<Found>('GET', tickets)).data).toEqual(data)
    await release(plane, 'upgrade', values)
    const back = await plane.request<Found>('GET', deployment)
    expect(Object.keys(back.metadata.annotations).filter(key => key.startsWith('router.'))).toEqual([])
    await release(plane, 'upgrade', { ...values, workers: 2 })
    const rolled = await plane.request<Found>('GET', deployment)
    expect(rolled.spec?.template).not.toEqual(old.spec?.template)
  })

  test('uninstalled, it leaves nothing behind', async () => {
    await plane.request('DELETE', ingress)
    await uninstall(plane)
    expect(await inventory(get)).toEqual(before)
  })
})
