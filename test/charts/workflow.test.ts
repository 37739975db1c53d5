// What `helm install deis charts/workflow` makes as it is, and whether the services take what it says to them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { version } from '#kit/version.ts'
import { helm } from '../cluster/helm.ts'
import { helmCommand, type Rendering } from './chart.ts'
import {
  builderConfig,
  collectorConfig,
  controllerConfig,
  environment,
  loggerConfig,
  podSpecs,
  proxyConfig,
  registryConfig,
  renderWorkflow,
  workflowChart,
  workload,
} from './workflow-chart.ts'

let plain: Rendering
beforeAll(async () => {
  await helm()
  plain = await renderWorkflow()
}, 600_000)

/** Of what the router's chart makes nothing here. */
const own = (rendering: Rendering) =>
  rendering.objects.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'] === 'workflow')

describe('defaults', () => {
  test('helm lint --strict finds nothing', async () => {
    expect(await helmCommand(['lint', '--strict', workflowChart])).toContain('0 chart(s) failed')
  })

  test('the objects, all of which say whose they are', () => {
    const names = own(plain).map(({ kind, metadata }) =>
      `${kind} ${[metadata.namespace, metadata.name].filter(Boolean).join('/')}`.replace('deis/', ''),
    )
    expect(names.sort()).toEqual(
      [
        'ClusterRole deis-collector-deis',
        'ClusterRole deis-controller-deis',
        'ClusterRoleBinding deis-collector-deis',
        'ClusterRoleBinding deis-controller-deis',
        'CronJob deis-database-backup',
        'CronJob deis-database-restore',
        'DaemonSet deis-collector',
        'DaemonSet deis-registry-proxy',
        'Deployment deis-builder',
        'Deployment deis-controller',
        'Deployment deis-logger',
        'Deployment deis-registry',
        'Namespace deis-builds',
        'NetworkPolicy deis-builder',
        'NetworkPolicy deis-builds/deis-builds',
        'NetworkPolicy deis-collector',
        'NetworkPolicy deis-controller',
        'NetworkPolicy deis-database',
        'NetworkPolicy deis-database-backup',
        'NetworkPolicy deis-logger',
        'NetworkPolicy deis-registry',
        'NetworkPolicy deis-registry-proxy',
        'PersistentVolumeClaim deis-builder',
        'PersistentVolumeClaim deis-database',
        'PersistentVolumeClaim deis-database-backups',
        'PersistentVolumeClaim deis-logger',
        'PersistentVolumeClaim deis-registry',
        'Pod deis-workflow-test',
        'PriorityClass deis-platform',
        'Role deis-builds/deis-builder',
        'RoleBinding deis-builds/deis-builder',
        'Secret builder-key-auth',
        'Secret builder-ssh-private-keys',
        'Secret database-creds',
        'Secret registry-token-key',
        'Service deis-builder',
        'Service deis-builder-sources',
        'Service deis-controller',
        'Service deis-database',
        'Service deis-logger',
        'Service deis-registry',
        'ServiceAccount deis-builder',
        'ServiceAccount deis-collector',
        'ServiceAccount deis-controller',
        'StatefulSet deis-database',
      ].sort(),
    )
    for (const { kind, metadata } of own(plain))
      expect(metadata.labels, `${kind} ${metadata.name}`).toMatchObject({
        'app.kubernetes.io/instance': 'deis',
        'app.kubernetes.io/version': version,
        'app.kubernetes.io/part-of': 'deis',
        'app.kubernetes.io/component': expect.stringMatching(/^[a-z-]+$/),
        heritage: 'deis',
      })
  })

  test('the router is there, and knows the domain of the platform', async () => {
    expect(plain.one('Deployment', 'deis-router').spec.replicas).toBe(2)
    const named = await renderWorkflow({ global: { platform_domain: 'apps.example.com' } })
    const { annotations } = named.one('Deployment', 'deis-router').metadata
    expect(annotations).toMatchObject({ 'router.deis.io/nginx.platformDomain': 'apps.example.com' })
    expect(controllerConfig(named).platformDomain).toBe('apps.example.com')
    const without = await renderWorkflow({ router: { enabled: false } })
    expect(without.objects.filter(({ metadata }) => metadata.name.startsWith('deis-router'))).toEqual([])
    expect(environment(without, 'deis-controller')).not.toHaveProperty('DEIS_ROUTER_ADMIN_URL')
  })

  test('the chart needs nothing fetched: the chart beside it is the dependency, of this version', () => {
    const read = (chart: string) => parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8'))
    const { version: its, name } = read(join(workflowChart, '../router'))
    expect(read(workflowChart).dependencies).toEqual([
      { name, version: its, repository: 'file://../router', condition: 'router.enabled' },
    ])
    expect(read(workflowChart).appVersion).toBe(version)
  })

  test('Services have the names and ports of the contract', () => {
    const ports = own(plain)
      .filter(({ kind }) => kind === 'Service')
      .flatMap(({ metadata, spec }) =>
        spec.ports.map(
          ({ port, targetPort, protocol }: { port: number; targetPort: number; protocol: string }) =>
            `${metadata.name} ${port} -> ${targetPort}/${protocol}`,
        ),
      )
    expect(ports.sort()).toEqual([
      'deis-builder 2222 -> 2223/TCP',
      'deis-builder-sources 80 -> 8093/TCP',
      'deis-controller 80 -> 8000/TCP',
      'deis-database 5432 -> 5432/TCP',
      'deis-logger 1514 -> 1514/TCP',
      'deis-logger 1514 -> 1514/UDP',
      'deis-logger 80 -> 8088/TCP',
      'deis-registry 5001 -> 5001/TCP',
      'deis-registry 80 -> 5000/TCP',
    ])
    const { labels, annotations } = plain.one('Service', 'deis-controller').metadata
    expect(labels).toMatchObject({ 'router.deis.io/routable': 'true' })
    expect(annotations).toEqual({
      'router.deis.io/domains': 'deis',
      'router.deis.io/connectTimeout': '10',
      'router.deis.io/tcpTimeout': '1200',
    })
  })
})

describe('the services take what the chart says to them', () => {
  test('controller', () => {
    expect(controllerConfig(plain)).toMatchObject({
      registration: 'admin_only',
      namespace: 'deis',
      database: { kind: 'postgres', host: 'deis-database.deis.svc', port: 5432, user: 'deis', password: 'secret' },
      cluster: { kind: 'kubernetes', kubeconfig: null },
      builderKey: 'key',
      logger: new URL('http://deis-logger.deis.svc'),
      registry: new URL('http://deis-registry.deis.svc'),
      drainTimeout: 600_000,
      plan: {
        router: { namespace: 'deis', serviceAccount: 'deis-router' },
        registry: { address: '127.0.0.1:5555' },
        isolation: { admitted: [] },
        deployTimeout: 120,
      },
    })
    // Names that are somebody's already, or that would be.
    expect([...controllerConfig(plain).reservedNames]).toEqual(
      expect.arrayContaining(['deis', 'deis-builder', 'deis-builds', 'grafana']),
    )
  })

  test('controller: what can be set', async () => {
    const rendering = await renderWorkflow({
      controller: {
        registration: 'enabled',
        drainTimeout: 30,
        deployTimeout: 300,
        appPullPolicy: 'Always',
        appQuota: { hard: { pods: '10' } },
        reservedNames: ['www'],
        trustedProxies: ['10.0.0.0/8'],
        deployHooks: { urls: ['https://a.example/x', 'http://b.example'], existingSecret: 'hooks' },
      },
      planes: { data: { nodeSelector: { pool: 'apps' } } },
      networkPolicy: { admitNamespaces: ['monitoring'] },
      registryProxy: { port: 5556 },
      logger: { enabled: false },
    })
    const config = controllerConfig(rendering, { 'hooks/secret-key': 'signed' })
    expect(config).toMatchObject({
      registration: 'enabled',
      drainTimeout: 30_000,
      trustedProxies: ['10.0.0.0/8'],
      deployHookKey: 'signed',
      defaultTags: { pool: 'apps' },
      logger: null,
      plan: {
        quota: { hard: { pods: '10' } },
        imagePullPolicy: 'Always',
        deployTimeout: 300,
        registry: { address: '127.0.0.1:5556' },
        isolation: { admitted: ['monitoring'] },
      },
    })
    expect(config.deployHooks.map(String)).toEqual(['https://a.example/x', 'http://b.example/'])
    expect(config.reservedNames).toContain('www')
    const open = await renderWorkflow({ networkPolicy: { isolateApps: false, admitNamespaces: ['x'] } })
    expect(controllerConfig(open).plan.isolation).toBeNull()
  })

  test('builder', async () => {
    expect(builderConfig(plain)).toMatchObject({
      controller: new URL('http://deis-controller.deis.svc'),
      registry: new URL('http://deis-registry.deis.svc'),
      store: { kind: 'folder', directory: '/data/repositories' },
      hostKeys: '/var/run/secrets/deis/builder/ssh',
      strategy: {
        kind: 'kubernetes',
        jobs: {
          namespace: 'deis-builds',
          image: `deis-builder:${version}`,
          sourceUrl: new URL('http://deis-builder-sources.deis.svc'),
          runImage: null,
          pullSecrets: [],
          nodeSelector: {},
        },
      },
    })
    const rendering = await renderWorkflow({
      builder: {
        builds: 2,
        buildTimeout: 600,
        drainTimeout: 60,
        packSize: 50,
        runImage: 'run:1',
        dockerfilesUserNamespace: 'pod',
        namespace: { name: 'b' },
      },
      imagePullSecrets: [{ name: 'one' }, { name: 'two' }],
      planes: { builds: { nodeSelector: { pool: 'builds', disk: 'ssd' } } },
    })
    const config = builderConfig(rendering)
    expect(config).toMatchObject({ builds: 2, buildTimeout: 600_000, drainTimeout: 60_000 })
    expect(config.git.packSize).toBe(50 * 2 ** 20)
    expect(config.strategy).toMatchObject({
      jobs: {
        namespace: 'b',
        runImage: 'run:1',
        userNamespace: 'pod',
        pullSecrets: ['one', 'two'],
        nodeSelector: { pool: 'builds', disk: 'ssd' },
      },
    })
  })

  test('registry', async () => {
    expect(registryConfig(plain)).toMatchObject({
      store: { kind: 'folder', directory: '/data/registry' },
      tokens: { realm: 'http://deis-controller.deis.svc/v2/registry/token', service: 'deis-registry' },
      pullPort: 5001,
      grace: 1440 * 60_000,
    })
  })
})

describe('and so do those that are on every node, and the logger', () => {
  test('registry proxy', async () => {
    const target = { host: 'deis-registry.deis.svc', port: 5001 }
    expect(proxyConfig(plain)).toMatchObject({ address: '0.0.0.0', port: 5555, adminPort: 9093, target })
    const node = await renderWorkflow({ registryProxy: { hostNetwork: true, port: 5556 } })
    expect(proxyConfig(node)).toMatchObject({ address: '127.0.0.1', port: 5556 })
    const { terminationGracePeriodSeconds } = workload(plain, 'deis-registry-proxy').spec.template.spec
    expect(terminationGracePeriodSeconds).toBeGreaterThan(proxyConfig(plain).drainTimeout / 1000)
  })

  test('collector: logs of the node, read only, and a place for what it sent', () => {
    expect(collectorConfig(plain)).toMatchObject({
      kubeconfig: null,
      node: 'node1',
      pods: '/var/log/pods',
      state: '/var/log/deis-collector/positions.json',
      logger: { host: 'deis-logger.deis.svc', port: 1514 },
      platformNamespace: 'deis',
    })
    const { containers, volumes } = workload(plain, 'deis-collector').spec.template.spec
    expect(volumes.map(({ hostPath }: { hostPath: { path: string } }) => hostPath.path)).toEqual([
      '/var/log/pods',
      '/var/log/deis-collector',
    ])
    expect(containers[0].volumeMounts[0]).toMatchObject({ mountPath: '/var/log/pods', readOnly: true })
  })

  test('logger', () => {
    expect(loggerConfig(plain)).toMatchObject({ httpPort: 8088, adminPort: 8089, tcpPort: 1514, folder: '/data/logs' })
  })
})

describe('pods', () => {
  test('may do nothing that they need not', () => {
    const withToken: string[] = []
    for (const [name, spec] of podSpecs(plain)) {
      if (name === 'deis-router' || name === 'deis-router-test') continue
      if (spec.automountServiceAccountToken) withToken.push(name)
      expect(spec.automountServiceAccountToken, name).toBeDefined()
      expect(spec.enableServiceLinks, name).toBe(false)
      expect(spec.securityContext.seccompProfile, name).toEqual({ type: 'RuntimeDefault' })
      // Logs of containers are root's.
      expect(spec.securityContext.runAsNonRoot, name).toBe(name !== 'deis-collector')
      for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
        expect(container.securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          privileged: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        expect(container.resources, name).toMatchObject({ requests: { memory: expect.any(String) } })
        expect(container.resources.limits?.memory, name).toBeDefined()
      }
    }
    expect(withToken.sort()).toEqual(['deis-builder', 'deis-collector', 'deis-controller'])
    expect(workload(plain, 'deis-database').spec.template.spec.securityContext).toMatchObject({ runAsUser: 999 })
  })

  test('go before apps, the router too', () => {
    for (const [name, spec] of podSpecs(plain))
      if (name !== 'deis-router-test') expect(spec.priorityClassName, name).toBe('deis-platform')
  })

  test('have the time that their services take to end', async () => {
    const grace = (rendering: Rendering, name: string) =>
      workload(rendering, name).spec.template.spec.terminationGracePeriodSeconds
    expect(grace(plain, 'deis-controller')).toBeGreaterThan(controllerConfig(plain).drainTimeout / 1000)
    expect(grace(plain, 'deis-builder')).toBeGreaterThan(builderConfig(plain).drainTimeout / 1000)
    expect(grace(plain, 'deis-registry')).toBeGreaterThan(registryConfig(plain).drainTimeout / 1000)
  })

  test('those with a folder are one at a time', () => {
    for (const name of ['deis-builder', 'deis-registry', 'deis-logger'])
      expect(workload(plain, name).spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } })
  })
})
