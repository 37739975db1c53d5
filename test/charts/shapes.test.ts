// What the values make of the release: every one that changes which objects there are, or what is in them.

import { beforeAll, describe, expect, test } from 'vitest'
import { helm } from '../cluster/helm.ts'
import { render, type Values } from './chart.ts'

beforeAll(() => helm(), 600_000)

describe('shapes', () => {
  test('a DaemonSet: no replicas, nothing that scales it, and the router looks for its settings there', async () => {
    const rendering = await render({ kind: 'DaemonSet', autoscaling: { enabled: true } })
    const { kind, metadata, spec } = rendering.workload()
    expect([kind, metadata.name]).toEqual(['DaemonSet', 'deis-router'])
    expect(spec).toMatchObject({ updateStrategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } })
    expect(spec).not.toHaveProperty('replicas')
    expect(spec).not.toHaveProperty('strategy')
    expect(rendering.all('HorizontalPodAutoscaler')).toEqual([])
    expect(rendering.all('PodDisruptionBudget')).toEqual([])
    expect(rendering.config().workload).toBe('DaemonSet')
    expect(rendering.one('Role').rules[0]).toMatchObject({ resources: ['daemonsets'], resourceNames: ['deis-router'] })
  })

  test('ports of the node: those of the original, each of which can be left out; the old pod goes first', async () => {
    const hostPorts = async (values: Values) => {
      const { spec } = (await render({ host_port: { enabled: true, ...values } })).workload()
      const ports = spec.template.spec.containers[0].ports as readonly { name: string; hostPort?: number }[]
      expect(spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 1, maxSurge: 0 })
      return Object.fromEntries(ports.map(({ name, hostPort }) => [name, hostPort]))
    }
    expect(await hostPorts({})).toEqual({ http: 80, https: 443, builder: 2222, healthz: 9090 })
    expect(await hostPorts({ http: 8000, healthz: 0, builder: null })).toEqual({ http: 8000, https: 443 })
  })

  test('a Service of another type', async () => {
    const { spec } = (
      await render({
        service: { type: 'NodePort', externalTrafficPolicy: 'Local', nodePorts: { http: 30080, https: 30443 } },
      })
    ).one('Service', 'deis-router')
    expect(spec).toMatchObject({ type: 'NodePort', externalTrafficPolicy: 'Local' })
    expect(spec.ports.map(({ nodePort }: { nodePort?: number }) => nodePort)).toEqual([30080, 30443, undefined])
    const inside = await render({
      service: { type: 'ClusterIP', externalTrafficPolicy: 'Local', nodePorts: { http: 1 } },
    })
    expect(JSON.stringify(inside.one('Service', 'deis-router').spec)).not.toMatch(/externalTrafficPolicy|nodePort/)
  })

  test('what load balancers are told', async () => {
    const service = {
      loadBalancerClass: 'example.com/internal',
      loadBalancerSourceRanges: ['10.0.0.0/8', 'fd00::/8'],
      ipFamilyPolicy: 'PreferDualStack',
      ipFamilies: ['IPv6', 'IPv4'],
      annotations: { 'example.com/shared': true, 'example.com/size': 1_000_000 },
    }
    const { metadata, spec } = (await render({ service })).one('Service', 'deis-router')
    const { annotations: _, ...fields } = service
    expect(spec).toMatchObject(fields)
    expect(metadata.annotations).toMatchObject({ 'example.com/shared': 'true', 'example.com/size': '1000000' })
  })

  test('addresses for the status of Ingress objects', async () => {
    const published = async (values: Values) => {
      const { publishService, publishAddresses } = (await render(values)).config()
      return [publishService?.name ?? null, publishAddresses]
    }
    const ingress = { publishAddresses: ['192.0.2.7', 'edge.example.com'] }
    const both = [{ ip: '192.0.2.7' }, { hostname: 'edge.example.com' }]
    expect(await published({ ingress })).toEqual(['deis-router', both])
    expect(await published({ ingress: { publishService: false } })).toEqual([null, []])
    expect(await published({ service: { type: 'ClusterIP' } })).toEqual(['deis-router', []])
    // The cluster's own address of a Service is worse than what somebody wrote down.
    expect(await published({ ingress, service: { type: 'ClusterIP' } })).toEqual([null, both])
    expect(await published({ host_port: { enabled: true }, service: { type: 'NodePort' } })).toEqual([null, []])
  })

  test('Ingress objects: a class of another name, as the default; or none of it', async () => {
    const on = await render({ ingress: { withoutClass: true, class: { name: 'edge', default: true } } })
    expect(on.one('IngressClass')).toMatchObject({
      metadata: { name: 'edge', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'router.deis.io/ingress-controller' },
    })
    expect(on.config()).toMatchObject({ ingress: true, ingressWithoutClass: true })
    const off = await render({ ingress: { enabled: false } })
    expect(off.all('IngressClass')).toEqual([])
    expect(off.config()).toMatchObject({ ingress: false, publishService: null })
    expect(JSON.stringify(off.objects)).not.toContain('ingresses')
  })

  test('what else the router is told', async () => {
    const rendering = await render({
      workers: 3,
      address: '::',
      zone: 'eu-1a',
      watchNamespace: 'shop',
      externalNames: true,
      secrets: { clusterWide: true },
      snapshot: { enabled: false },
      drain: { delay: 0, timeout: 600 },
      extraArgs: ['--drain-timeout', '30'],
      extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=256' }],
    })
    const { NODE_OPTIONS, ...environment } = rendering.environment()
    expect(NODE_OPTIONS).toBe('--max-old-space-size=256')
    expect(rendering.config(environment)).toMatchObject({
      workers: 3,
      address: '::',
      zone: 'eu-1a',
      watchNamespace: 'shop',
      externalNames: true,
      secrets: 'all',
      snapshot: null,
      drainTimeout: 600_000,
    })
    const pod = rendering.workload().spec.template.spec
    expect(pod).not.toHaveProperty('volumes')
    expect(pod.terminationGracePeriodSeconds).toBe(610)
    expect(pod.containers[0]).not.toHaveProperty('lifecycle')
    expect(pod.containers[0].args).toEqual(['--drain-timeout', '30'])
  })

  test('a digest beats a tag; pull secrets and policy', async () => {
    const digest = `sha256:${'0123456789abcdef'.repeat(4)}`
    const image = { repository: 'registry.example.com:5000/edge/router', tag: '9', pullPolicy: 'Always' }
    const values = { image, imagePullSecrets: [{ name: 'mine' }] }
    const podOf = async (given: Values) => (await render(given)).workload().spec.template.spec
    const tagged = await podOf(values)
    expect(tagged.containers[0]).toMatchObject({ image: `${image.repository}:9`, imagePullPolicy: 'Always' })
    expect(tagged.imagePullSecrets).toEqual([{ name: 'mine' }])
    const pinned = await podOf({ image: { ...image, digest } })
    expect(pinned.containers[0].image).toBe(`${image.repository}@${digest}`)
  })

  test('a scaled Deployment has no replicas of its own', async () => {
    const autoscaling = { enabled: true, minReplicas: 3, maxReplicas: 6, targetCPUUtilizationPercentage: 50 }
    const rendering = await render({ autoscaling })
    expect(rendering.workload().spec).not.toHaveProperty('replicas')
    expect(rendering.one('HorizontalPodAutoscaler')).toMatchObject({
      apiVersion: 'autoscaling/v2',
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'deis-router' },
        minReplicas: 3,
        maxReplicas: 6,
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 50 } } }],
      },
    })
  })

  test('the disruption budget: one of its two figures', async () => {
    const budget = async (values: object) =>
      (await render({ podDisruptionBudget: values })).one('PodDisruptionBudget').spec
    const { selector, ...standard } = await budget({})
    expect(selector).toEqual({ matchLabels: { app: 'deis-router' } })
    expect(standard).toEqual({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' })
    expect(await budget({ minAvailable: '50%' })).toMatchObject({ minAvailable: '50%' })
    expect(await budget({ minAvailable: '50%' })).not.toHaveProperty('maxUnavailable')
    expect((await render({ podDisruptionBudget: { enabled: false } })).all('PodDisruptionBudget')).toEqual([])
  })

  test('where pods go', async () => {
    const values = {
      nodeSelector: { 'example.com/edge': 'true' },
      tolerations: [{ key: 'edge', operator: 'Exists' }],
      affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
      priorityClassName: 'system-cluster-critical',
      topologySpreadConstraints: [
        {
          maxSkew: 2,
          topologyKey: 'zone',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: { a: 'b' } },
        },
      ],
    }
    expect((await render(values)).workload().spec.template.spec).toMatchObject(values)
  })

  test('labels and annotations of pods cannot take the selector away', async () => {
    const { spec } = (
      await render({ podLabels: { app: 'other', team: 'edge' }, podAnnotations: { note: 'x' } })
    ).workload()
    expect(spec.template.metadata.labels).toMatchObject({ app: 'deis-router', team: 'edge' })
    expect(spec.template.metadata.annotations).toEqual({ note: 'x' })
  })

  test('a NetworkPolicy lets everybody at traffic and few at the admin port', async () => {
    const monitoring = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }
    const { spec } = (await render({ networkPolicy: { enabled: true, adminFrom: [monitoring] } })).one('NetworkPolicy')
    expect(spec.podSelector).toEqual({ matchLabels: { app: 'deis-router' } })
    expect(spec.policyTypes).toEqual(['Ingress'])
    const [traffic, admin] = spec.ingress
    expect(traffic.ports.map(({ port }: { port: number }) => port)).toEqual([8080, 6443, 2222])
    expect(traffic).not.toHaveProperty('from')
    expect(admin).toEqual({ ports: [{ port: 9090, protocol: 'TCP' }], from: [monitoring] })
  })

  test('monitoring: what is scraped is the admin Service', async () => {
    const rendering = await render({
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
      dashboard: { enabled: true, annotations: { folder: 'Edge' } },
    })
    const { metadata, spec } = rendering.one('ServiceMonitor')
    expect(metadata.labels).toMatchObject({ release: 'prometheus' })
    expect(spec.endpoints).toMatchObject([{ port: 'healthz', path: '/metrics', interval: '30s' }])
    const matching = rendering
      .all('Service')
      .filter(service =>
        Object.entries(spec.selector.matchLabels).every(([key, value]) => service.metadata.labels?.[key] === value),
      )
    expect(matching.map(service => service.metadata.name)).toEqual(['deis-router-admin'])
    const dashboard = rendering.one('ConfigMap')
    expect(dashboard.metadata).toMatchObject({ labels: { grafana_dashboard: '1' }, annotations: { folder: 'Edge' } })
    expect(JSON.parse(dashboard.data['router.json'])).toMatchObject({ title: 'deis-router' })
  })

  test('helm test asks with what the settings ask for, and is no pod of the router', async () => {
    const pod = (await render({ settings: { useProxyProtocol: true, defaultServiceEnabled: 'True' } })).one('Pod')
    expect(pod.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'test' })
    expect(pod.metadata.annotations?.['helm.sh/hook-delete-policy']).toMatch(/hook-succeeded,hook-failed/)
    expect(pod.metadata.labels).not.toHaveProperty('app')
    const [container] = pod.spec.containers
    expect(
      Object.fromEntries(container.env.map(({ name, value }: { name: string; value: string }) => [name, value])),
    ).toEqual({
      ROUTER: 'deis-router.deis.svc:80',
      ADMIN: 'deis-router-admin.deis.svc:9090',
      PROXY_PROTOCOL: 'true',
      DEFAULT_SERVICE: 'true',
    })
  })
})
