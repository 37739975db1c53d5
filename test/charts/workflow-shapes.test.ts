// What the values of charts/workflow make of it: storage and databases elsewhere, Secrets that are there already, node pools,
// and who reaches which port.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { helm } from '../cluster/helm.ts'
import type { Manifest, Rendering, Values } from './chart.ts'
import {
  builderConfig,
  controllerConfig,
  environment,
  podSpecs,
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

const volumesOf = (rendering: Rendering, name: string): readonly Manifest[] =>
  workload(rendering, name).spec.template.spec.volumes
const claimsOf = (rendering: Rendering) => rendering.all('PersistentVolumeClaim').map(({ metadata }) => metadata.name)

describe('storage', () => {
  test('volumes outlive the release, and can be those that are there', async () => {
    for (const { metadata, spec } of plain.all('PersistentVolumeClaim')) {
      expect(metadata.annotations, metadata.name).toEqual({ 'helm.sh/resource-policy': 'keep' })
      expect(spec).not.toHaveProperty('storageClassName')
    }
    const rendering = await renderWorkflow({
      storage: { storageClass: 'slow' },
      database: { persistence: { storageClass: 'fast', size: '1Gi' } },
      registry: { persistence: { existingClaim: 'images' } },
    })
    expect(rendering.one('PersistentVolumeClaim', 'deis-builder').spec.storageClassName).toBe('slow')
    expect(rendering.one('PersistentVolumeClaim', 'deis-database').spec).toMatchObject({
      storageClassName: 'fast',
      resources: { requests: { storage: '1Gi' } },
    })
    expect(claimsOf(rendering)).not.toContain('deis-registry')
    expect(volumesOf(rendering, 'deis-registry')).toContainEqual({
      name: 'data',
      persistentVolumeClaim: { claimName: 'images' },
    })
  })

  test('an S3 API takes repositories, images and backups', async () => {
    const s3 = { endpoint: 'http://minio:9000', accessKey: 'a', secretKey: 'b' }
    const rendering = await renderWorkflow({ storage: { type: 's3', s3 } })
    expect(claimsOf(rendering)).toEqual(['deis-database', 'deis-logger'])
    expect(rendering.one('Secret', 'objectstorage-keyfile').stringData).toEqual({
      accesskey: 'a',
      secretkey: 'b',
      region: 'us-east-1',
      'registry-bucket': 'deis-registry',
      'builder-bucket': 'deis-builder',
      'database-bucket': 'deis-database',
    })
    const creds = '/var/run/secrets/deis/objectstore/creds'
    for (const [name, prefix] of [
      ['deis-registry', 'DEIS_REGISTRY'],
      ['deis-builder', 'DEIS_BUILDER'],
    ] as const) {
      expect(environment(rendering, name)).toMatchObject({
        [`${prefix}_S3_CREDENTIALS`]: creds,
        [`${prefix}_S3_ENDPOINT`]: 'http://minio:9000',
      })
      const [container] = workload(rendering, name).spec.template.spec.containers
      expect(container.volumeMounts).toContainEqual({ name: 'objectstore', mountPath: creds, readOnly: true })
    }
    // The files of the Secret are not here: what they would say is given as flags.
    const given = { S3_CREDENTIALS: '', S3_BUCKET: 'b' }
    const as = (prefix: string) => Object.fromEntries(Object.entries(given).map(([k, v]) => [`${prefix}_${k}`, v]))
    const wanted = { store: { kind: 's3', endpoint: 'http://minio:9000', pathStyle: true } }
    expect(registryConfig(rendering, as('DEIS_REGISTRY'))).toMatchObject(wanted)
    expect(builderConfig(rendering, as('DEIS_BUILDER'))).toMatchObject(wanted)
    const backup = podSpecs(rendering).get('deis-database-backup')!
    expect([...backup.initContainers, ...backup.containers].map(({ name }: Manifest) => name)).toEqual(['dump', 'keep'])
    const restore = podSpecs(rendering).get('deis-database-restore')!
    expect([...restore.initContainers, ...restore.containers].map(({ name }: Manifest) => name)).toEqual([
      'fetch',
      'restore',
    ])
    await expect(renderWorkflow({ storage: { type: 's3' } })).rejects.toThrow(/existingSecret, or accessKey/)
  })

  test('credentials of an S3 API that are there', async () => {
    const rendering = await renderWorkflow({ storage: { type: 's3', s3: { existingSecret: 'mine' } } })
    expect(rendering.all('Secret').map(({ metadata }) => metadata.name)).not.toContain('objectstorage-keyfile')
    expect(volumesOf(rendering, 'deis-registry')).toContainEqual({
      name: 'objectstore',
      secret: { secretName: 'mine', defaultMode: 0o440 },
    })
    // The Secret may name another region.
    expect(environment(rendering, 'deis-registry')).not.toHaveProperty('DEIS_REGISTRY_S3_REGION')
  })
})

test('a PostgreSQL that is there: the controller and backups use it, and none is made', async () => {
  const database = { location: 'off-cluster', offCluster: { existingSecret: 'pg', caSecret: 'pg-ca' } }
  const rendering = await renderWorkflow({ database })
  expect(rendering.objects.map(({ metadata }) => metadata.name)).not.toContain('deis-database')
  expect(rendering.all('Secret').map(({ metadata }) => metadata.name)).not.toContain('database-creds')
  const url = 'postgresql://deis:secret@db.example:5432/deis?sslmode=verify-full'
  expect(controllerConfig(rendering, { 'pg/url': url }).database).toEqual({ kind: 'postgres', url })
  for (const name of ['deis-database-backup', 'deis-database-restore']) {
    const [container] = podSpecs(rendering).get(name)!.containers
    expect(container.env).toContainEqual({
      name: 'DATABASE_URL',
      valueFrom: { secretKeyRef: { name: 'pg', key: 'url' } },
    })
    expect(container.volumeMounts).toContainEqual({
      name: 'database-ca',
      mountPath: '/etc/deis/database',
      readOnly: true,
    })
  }
  expect(volumesOf(rendering, 'deis-controller').map(({ name }) => name)).toContain('database-ca')
  await expect(renderWorkflow({ database: { location: 'off-cluster' } })).rejects.toThrow(/offCluster.existingSecret/)
})

test('Secrets that are there already are used, and not made', async () => {
  const existingSecrets = { database: 'a', builderKey: 'b', hostKeys: 'c', registryTokenKey: 'd' }
  const rendering = await renderWorkflow({ existingSecrets })
  const own = rendering
    .all('Secret')
    .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'] === 'workflow')
  expect(own).toEqual([])
  const text = JSON.stringify(rendering.objects)
  for (const name of ['database-creds', 'builder-key-auth', 'builder-ssh-private-keys', 'registry-token-key'])
    expect(text).not.toMatch(new RegExp(`"(secretName|name)":"${name}","(defaultMode|key|items)"`))
  expect(volumesOf(rendering, 'deis-builder')).toContainEqual({
    name: 'host-keys',
    secret: { secretName: 'c', defaultMode: 0o440 },
  })
  expect(controllerConfig(rendering, { 'a/user': 'u', 'a/password': 'p', 'b/builder-key': 'k' })).toMatchObject({
    database: { user: 'u', password: 'p' },
    builderKey: 'k',
  })
})

test('what is made can be used: a key and its certificate of the curve P-256, a key that git knows the builder by', async () => {
  const { createPrivateKey } = await import('node:crypto')
  const { default: ssh2 } = await import('ssh2')
  const { readPublicKeys } = await import('#registry/api/access.ts')
  const text = (name: string, key: string) => Buffer.from(plain.one('Secret', name).data[key], 'base64').toString()
  const key = createPrivateKey(text('registry-token-key', 'tls.key'))
  expect(key.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
  const [known] = readPublicKeys(text('registry-token-key', 'tls.crt'))!
  const { createPublicKey } = await import('node:crypto')
  expect(known!.equals(createPublicKey(key))).toBe(true)
  const parsed = ssh2.utils.parseKey(text('builder-ssh-private-keys', 'ssh-host-ecdsa-key'))
  expect(parsed).toMatchObject({ type: 'ecdsa-sha2-nistp256' })
  expect(text('database-creds', 'password')).toMatch(/^[A-Za-z0-9]{32}$/)
  expect(text('builder-key-auth', 'builder-key')).toMatch(/^[A-Za-z0-9]{64}$/)
})

describe('topologies', () => {
  const topology = (name: string): Values =>
    parse(readFileSync(join(workflowChart, 'topologies', name), 'utf8')) as Values

  test('three small nodes: a router on each, nothing bound to any', async () => {
    const rendering = await renderWorkflow(topology('three-nodes.yaml'))
    expect(workload(rendering, 'deis-router').kind).toBe('DaemonSet')
    for (const [name, spec] of podSpecs(rendering)) expect(spec.nodeSelector, name).toBeUndefined()
    expect(rendering.one('PodDisruptionBudget', 'deis-controller').spec).toMatchObject({ maxUnavailable: 1 })
    expect(plain.all('PodDisruptionBudget').map(({ metadata }) => metadata.name)).toEqual(['deis-router'])
  })

  test('planes: each pod on nodes of its plane, what is on every node everywhere, apps in the data plane', async () => {
    const rendering = await renderWorkflow(topology('planes.yaml'))
    const everywhere = ['deis-registry-proxy', 'deis-collector']
    for (const [name, spec] of podSpecs(rendering)) {
      if (everywhere.includes(name)) {
        expect(spec.nodeSelector, name).toBeUndefined()
        expect(spec.tolerations, name).toEqual([{ operator: 'Exists' }])
        continue
      }
      const plane = name.startsWith('deis-router') ? 'router' : 'control'
      expect(spec.nodeSelector, name).toEqual({ 'deis.io/plane': plane })
      expect(spec.tolerations, name).toEqual([
        { key: 'deis.io/plane', operator: 'Equal', value: plane, effect: 'NoSchedule' },
      ])
    }
    expect(controllerConfig(rendering).defaultTags).toEqual({ 'deis.io/plane': 'data' })
    expect(builderConfig(rendering).strategy).toMatchObject({ jobs: { nodeSelector: { 'deis.io/plane': 'data' } } })
    const { affinity, topologySpreadConstraints } = workload(rendering, 'deis-controller').spec.template.spec
    expect(affinity.podAntiAffinity).toBeDefined()
    expect(topologySpreadConstraints[0].labelSelector).toEqual({ matchLabels: { app: 'deis-controller' } })
  })
})

test('the registry proxy in the network of the node listens there on 127.0.0.1', async () => {
  const [plainPort] = workload(plain, 'deis-registry-proxy').spec.template.spec.containers[0].ports
  expect(plainPort).toMatchObject({ containerPort: 5555, hostPort: 5555, hostIP: '127.0.0.1' })
  const rendering = await renderWorkflow({ registryProxy: { hostNetwork: true } })
  const { spec } = workload(rendering, 'deis-registry-proxy').spec.template
  expect(spec).toMatchObject({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' })
  expect(environment(rendering, 'deis-registry-proxy')).toMatchObject({ DEIS_REGISTRY_PROXY_ADDRESS: '127.0.0.1' })
  expect(spec.containers[0].readinessProbe.httpGet.host).toBe('127.0.0.1')
})

test('an open registry, as the original had it', async () => {
  const rendering = await renderWorkflow({ registry: { access: 'open' } })
  expect(registryConfig(rendering)).toMatchObject({ tokens: null, pullPort: null })
  expect(controllerConfig(rendering).registryTokenKey).toBeNull()
  expect(environment(rendering, 'deis-registry-proxy')).toMatchObject({ DEIS_REGISTRY_SERVICE_PORT: '80' })
  expect(rendering.all('Secret').map(({ metadata }) => metadata.name)).not.toContain('registry-token-key')
  expect(environment(plain, 'deis-registry-proxy')).toMatchObject({ DEIS_REGISTRY_SERVICE_PORT: '5001' })
})

describe('who reaches what', () => {
  interface Peer {
    readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> }
    readonly namespaceSelector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  }
  interface Port {
    readonly port: number
    readonly protocol: string
  }
  /** `port: who` of a policy, by what the peers are called. */
  const rules = (rendering: Rendering, name: string): readonly string[] => {
    const { spec } = rendering.objects.find(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === name && metadata.namespace === 'deis',
    )!
    expect(spec.policyTypes).toEqual(['Ingress'])
    return (spec.ingress as readonly { ports: Port[]; from: Peer[] }[]).flatMap(({ ports, from }) =>
      from.flatMap(peer =>
        ports.map(({ port, protocol }) => `${port}${protocol === 'UDP' ? '/udp' : ''} ${titleOf(peer)}`),
      ),
    )
  }
  const titleOf = ({ podSelector, namespaceSelector }: Peer): string => {
    const labels = podSelector?.matchLabels ?? {}
    const pods = labels.app ?? labels['app.kubernetes.io/component'] ?? labels['app.kubernetes.io/managed-by'] ?? 'all'
    const space = namespaceSelector?.matchLabels?.['kubernetes.io/metadata.name']
    return space === undefined ? pods : `${space}/${pods}`
  }

  const rows: readonly [name: string, wanted: readonly string[]][] = [
    ['deis-controller', ['8000 deis-router', '8000 deis-builder', '8000 deis-builds/deis-builder', '8000 test']],
    ['deis-builder', ['2223 deis-router', '2223 test', '8093 deis-builds/deis-builder']],
    [
      'deis-registry',
      [
        '5000 deis-controller',
        '5000 deis-builder',
        '5000 deis-builds/deis-builder',
        '5000 test',
        '5001 deis-registry-proxy',
      ],
    ],
    ['deis-registry-proxy', []],
    ['deis-database', ['5432 deis-controller', '5432 deis-database-backup']],
    ['deis-database-backup', []],
    ['deis-logger', ['8088 deis-controller', '8088 test', '1514 deis-collector', '1514/udp deis-collector']],
    ['deis-collector', []],
  ]
  test.for(rows)('%s', ([name, wanted]) => expect(rules(plain, name)).toEqual(wanted))

  test('every pod of the platform is behind one', () => {
    const fenced = plain
      .all('NetworkPolicy')
      .filter(({ metadata }) => metadata.namespace === 'deis')
      .map(({ spec }) => spec.podSelector.matchLabels.app)
    for (const object of plain.objects) {
      const template = (object.spec?.jobTemplate?.spec ?? object.spec)?.template
      if (template !== undefined) expect(fenced, object.metadata.name).toContain(template.metadata.labels.app)
    }
  })

  test('others, by values', async () => {
    const space = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }
    const rendering = await renderWorkflow({
      networkPolicy: { apiFrom: [space], adminFrom: [space], registryFrom: [space], loggerFrom: [space] },
    })
    expect(rules(rendering, 'deis-controller').slice(-2)).toEqual(['8000 monitoring/all', '9091 monitoring/all'])
    expect(rules(rendering, 'deis-registry').slice(-2)).toEqual(['5001 monitoring/all', '9092 monitoring/all'])
    expect(rules(rendering, 'deis-logger').slice(-3)).toEqual([
      '1514 monitoring/all',
      '1514/udp monitoring/all',
      '8089 monitoring/all',
    ])
    expect(rules(rendering, 'deis-collector')).toEqual(['8090 monitoring/all'])
    const open = await renderWorkflow({
      networkPolicy: { enabled: false },
      router: { networkPolicy: { enabled: false } },
    })
    expect(open.all('NetworkPolicy')).toEqual([])
  })
})

describe('refused', () => {
  const rows: readonly [name: string, values: Values][] = [
    ['a value that there is none of', { controler: {} }],
    ['another mode of registration', { controller: { registration: 'open' } }],
    ['a size without a unit that is known', { registry: { persistence: { size: '10 GB' } } }],
    ['another storage', { storage: { type: 'gcs' } }],
    ['a domain with a blank', { global: { platform_domain: 'a b' } }],
    ['a value of the router that it has none of', { router: { replica: 3 } }],
  ]
  test.for(rows)('%s', async ([, values]) => {
    await expect(renderWorkflow(values)).rejects.toThrow(/don't meet the specifications/)
  })
})

test('rules of controller, builder and collector are those of the examples', () => {
  for (const [kind, name, example] of [
    ['ClusterRole', 'deis-controller-deis', 'controller-role.yaml'],
    ['Role', 'deis-builder', 'builder-role.yaml'],
    ['ClusterRole', 'deis-collector-deis', 'collector-role.yaml'],
  ] as const) {
    const file = join(workflowChart, '../../examples/cluster', example)
    const [role] = readFileSync(file, 'utf8').split('\n---\n')
    expect(plain.one(kind, name).rules).toEqual((parse(role!) as Manifest).rules)
  }
})
