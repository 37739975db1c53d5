// What `helm install router charts/router` makes as it is, and what an upgrade of it does to pods.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { version } from '#kit/version.ts'
import { helm } from '../cluster/helm.ts'
import { chartDirectory, helmCommand, render } from './chart.ts'

beforeAll(() => helm(), 600_000)

describe('defaults', () => {
  test('helm lint --strict finds nothing', async () => {
    expect(await helmCommand(['lint', '--strict', chartDirectory])).toContain('0 chart(s) failed')
  })

  test('the objects', async () => {
    const rendering = await render()
    expect(rendering.names()).toEqual([
      'ClusterRole deis-router-deis',
      'ClusterRoleBinding deis-router-deis',
      'Deployment deis/deis-router',
      'IngressClass deis',
      'Lease deis/deis-router-leader',
      'Pod deis/deis-router-test',
      'PodDisruptionBudget deis/deis-router',
      'Role deis/deis-router',
      'RoleBinding deis/deis-router',
      'Secret deis/deis-router-ticket-keys',
      'Service deis/deis-router',
      'Service deis/deis-router-admin',
      'ServiceAccount deis/deis-router',
    ])
    for (const { kind, metadata } of rendering.objects)
      expect(metadata.labels, `${kind} ${metadata.name}`).toMatchObject({
        'app.kubernetes.io/name': 'router',
        'app.kubernetes.io/instance': 'edge',
        'app.kubernetes.io/version': version,
        'app.kubernetes.io/managed-by': 'Helm',
        'helm.sh/chart': expect.stringMatching(/^router-/),
      })
  })

  test('the version of the chart is that of the router, and the image is tagged with it', async () => {
    const chart = parse(readFileSync(join(chartDirectory, 'Chart.yaml'), 'utf8')) as { appVersion: string }
    expect(chart.appVersion).toBe(version)
    const [container] = (await render()).workload().spec.template.spec.containers
    expect(container).toMatchObject({ name: 'deis-router', image: `deis-router:${version}` })
  })

  test('the pod: rolled without a gap, asked on 9090, ends after it has drained', async () => {
    const { spec } = (await render()).workload()
    expect(spec).toMatchObject({
      replicas: 2,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      selector: { matchLabels: { app: 'deis-router' } },
    })
    const pod = spec.template.spec
    const [container] = pod.containers
    expect(container.ports).toEqual(
      [
        ['builder', 2222],
        ['healthz', 9090],
        ['http', 8080],
        ['https', 6443],
      ].map(([name, containerPort]) => ({ name, containerPort, protocol: 'TCP' })),
    )
    const healthz = { httpGet: { path: '/healthz', port: 9090 } }
    expect(container.livenessProbe).toMatchObject({ ...healthz, initialDelaySeconds: 10 })
    expect(container.readinessProbe).toMatchObject({ ...healthz, initialDelaySeconds: 1 })
    expect(container.lifecycle).toEqual({ preStop: { sleep: { seconds: 5 } } })
    expect(pod.terminationGracePeriodSeconds).toBe(40)
    expect(pod.topologySpreadConstraints[0].labelSelector).toEqual({ matchLabels: { app: 'deis-router' } })
  })

  test('the pod may do nothing that it need not', async () => {
    const pod = (await render()).workload().spec.template.spec
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(pod.securityContext.runAsUser).toBeGreaterThan(0)
    expect(pod.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(pod.volumes).toEqual([{ name: 'snapshot', emptyDir: { medium: 'Memory', sizeLimit: '128Mi' } }])
    expect(pod.containers[0].resources).toMatchObject({ requests: { memory: '256Mi' }, limits: { memory: '2Gi' } })
  })

  test('variables that Services would set do not reach the router: DEIS_ROUTER_ADMIN_PORT is one of its own', async () => {
    expect((await render()).workload().spec.template.spec.enableServiceLinks).toBe(false)
  })

  test('the router takes the variables', async () => {
    expect((await render()).config()).toMatchObject({
      workload: 'Deployment',
      snapshot: '/var/lib/deis-router/snapshot.json',
      drainTimeout: 25_000,
      ingress: true,
      ingressController: 'router.deis.io/ingress-controller',
      ingressWithoutClass: false,
      publishService: { namespace: 'deis', name: 'deis-router' },
      externalNames: false,
      zone: null,
      watchNamespace: null,
      secrets: 'named',
    })
  })

  test('the Service: ports of the contract (section 2), the admin port for the cluster only', async () => {
    const rendering = await render()
    const { metadata, spec } = rendering.one('Service', 'deis-router')
    const ports = (service: { ports: readonly { name: string; port: number; targetPort: number }[] }) =>
      service.ports.map(({ name, port, targetPort }) => `${name} ${port} ${targetPort}`)
    expect(spec).toMatchObject({ type: 'LoadBalancer', selector: { app: 'deis-router' } })
    expect(ports(spec)).toEqual(['http 80 8080', 'https 443 6443', 'builder 2222 2222'])
    expect(metadata.annotations).toEqual({
      'service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout': '1200',
    })
    const admin = rendering.one('Service', 'deis-router-admin').spec
    expect(admin).toMatchObject({ type: 'ClusterIP', selector: { app: 'deis-router' } })
    expect(ports(admin)).toEqual(['healthz 9090 9090'])
    const open = await render({ service: { healthz: true } })
    expect(ports(open.one('Service', 'deis-router').spec)).toContain('healthz 9090 9090')
  })
})

describe('an upgrade', () => {
  test('that changes settings, annotations, Secrets, permissions or the version of the chart restarts no pod', async () => {
    const before = (await render()).workload()
    const after = (
      await render({
        settings: { bodySize: '10m', ssl: { enforce: true } },
        platform_domain: 'apps.example.com',
        deployment_annotations: { 'example.com/note': 'x' },
        commonLabels: { team: 'edge' },
        replicas: 5,
        certificates: [{ namespace: 'shop', secrets: ['shop-cert'] }],
        service: { healthz: true },
        podDisruptionBudget: { enabled: false },
        dashboard: { enabled: true },
      })
    ).workload()
    expect(after.metadata.annotations).not.toEqual(before.metadata.annotations)
    expect(after.spec.template).toEqual(before.spec.template)
    expect(after.spec.selector).toEqual(before.spec.selector)
    expect(JSON.stringify(before.spec.template)).not.toContain('helm.sh/chart')
  })

  test('of an older cluster than the chart is for is refused', async () => {
    await expect(render({}, ['--kube-version', '1.29.9'])).rejects.toThrow(/incompatible with Kubernetes/)
  })
})
