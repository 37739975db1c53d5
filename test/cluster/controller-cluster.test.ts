// The controller's Kubernetes side against a real cluster, as a service account that has its rules and nothing else:
// apps are made, deployed, scaled, restarted, repaired and removed, and what goes wrong is explained.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, ClusterError } from '#controller/cluster/cluster.ts'
import { KubernetesCluster } from '#controller/cluster/kubernetes/kubernetes-cluster.ts'
import type { ConfigMaps } from '#controller/domain/config.ts'
import type { DesiredApp, DesiredRelease } from '#controller/domain/desired-app.ts'
import { selfSign } from '#kit/self-signed.ts'
import { KubeClient } from '#kube/client.ts'
import { type DesiredReleaseParts, desiredApp, desiredRelease } from '#test/support/desired-app.ts'
import { ApiError, type Method } from './api-client.ts'
import { auditedRequests, auditFlags } from './audit-log.ts'
import { covers, describeGrant, grantsOf } from './grants.ts'
import { NodeRuntime } from './node.ts'
import { poll } from './poll.ts'
import { loadShellImage, shellImage } from './shell-image.ts'

const node = new NodeRuntime({ apiServerFlags: auditFlags })
const api = node.controlPlane
const stop = new AbortController()
const { signal } = stop
let client: KubeClient
let cluster: Cluster

beforeAll(async () => {
  await node.start()
  await loadShellImage(node)
  const make = (path: string, body: object) => api.request('POST', path, body)
  await make('/api/v1/namespaces', { metadata: { name: 'deis' } })
  for (const name of ['deis-controller', 'deis-router']) {
    await make('/api/v1/namespaces/deis/serviceaccounts', { metadata: { name } })
  }
  await api.kubectl(['apply', '-f', join(import.meta.dirname, '../../examples/cluster/controller-role.yaml')])
  client = await KubeClient.fromKubeconfig(await api.serviceAccountKubeconfig('deis', 'deis-controller'))
  cluster = new KubernetesCluster({
    client,
    platformNamespace: 'deis',
    plan: { imagePullPolicy: 'Never', deployTimeout: 60, terminationGracePeriod: 2 },
  })
})
afterAll(async () => {
  stop.abort()
  await cluster?.close()
  await client?.close()
  await node.stop()
})

const ready: Partial<ConfigMaps> = {
  healthcheck: { 'web/cmd': { readinessProbe: { httpGet: { port: 8080, path: '/healthz' }, periodSeconds: 1 } } },
}

/** An app of the echo image, whose `cmd` is the image's own. */
function echoApp(id: string, count: number, release: DesiredReleaseParts = {}, parts: Partial<DesiredApp> = {}) {
  return desiredApp(id, {
    structure: { cmd: count },
    release: desiredRelease(id, { config: ready, ...release }),
    ...parts,
  })
}

function withRelease(app: DesiredApp, changes: Partial<DesiredRelease>): DesiredApp {
  return { ...app, release: { ...app.release!, ...changes } }
}

/** One that runs in bash. */
function shellApp(id: string, line: string, parts: DesiredReleaseParts = {}): DesiredApp {
  const build = { image: shellImage, procfile: { worker: line } }
  return desiredApp(id, {
    structure: { worker: 1 },
    release: desiredRelease(id, { port: null, ...parts, build: { ...build, ...parts.build } }),
  })
}

async function deploy(app: DesiredApp): Promise<string[]> {
  const progress: string[] = []
  await cluster.deploy(app, { signal, onProgress: message => progress.push(message) })
  return progress
}

async function failure(call: Promise<unknown>): Promise<ClusterError> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ClusterError)
  return error as ClusterError
}

interface Live {
  readonly metadata: {
    readonly name: string
    readonly labels?: Record<string, string>
    readonly annotations?: Record<string, string>
    readonly resourceVersion?: string
  }
  readonly spec: {
    readonly replicas?: number
    readonly selector?: Record<string, string>
    readonly ports?: { readonly targetPort: number }[]
    readonly template?: { readonly spec: Record<string, unknown> }
  }
}

const get = (path: string) => api.request<Live>('GET', path)
const servicePath = (app: string) => `/api/v1/namespaces/${app}/services/${app}`
const deploymentPath = (app: string, type: string) => `/apis/apps/v1/namespaces/${app}/deployments/${app}-${type}`
async function names(path: string): Promise<string[]> {
  const { items } = await api.request<{ items: Live[] }>('GET', path)
  return items.map(({ metadata }) => metadata.name).sort()
}
const status = (method: Method, path: string) =>
  api.request(method, path).then(
    () => 200,
    (error: unknown) => (error instanceof ApiError ? error.status : 0),
  )

test('it may be used', async () => {
  await cluster.check(signal)
  expect(await cluster.nodes({}, signal)).toBe(1)
  expect(await cluster.nodes({ disk: 'ssd' }, signal)).toBe(0)
})

describe('an app', () => {
  let shop = desiredApp('shop')

  test('is made, and has what a fresh app has (sections 7)', async () => {
    await cluster.create(shop, signal)
    await cluster.create(shop, signal)
    const service = await get(servicePath('shop'))
    expect(service.metadata.annotations).toEqual({
      'router.deis.io/domains': 'shop',
      'router.deis.io/maintenance': 'false',
      'router.deis.io/ssl.enforce': 'false',
    })
    expect(service.spec.selector).toEqual({ app: 'shop', heritage: 'deis' })
    expect(await cluster.apps(signal)).toEqual([{ id: 'shop', uuid: shop.uuid }])
  })

  test('publishes a certificate that the router alone may read, and takes it back', async () => {
    const { chain, key } = selfSign(['shop.example'], 1, Date.now())
    const routing = {
      ...shop.routing,
      domains: [...shop.routing.domains, { domain: 'shop.example', certificate: 'main' }],
      certificates: [{ name: 'main', chain, key }],
      whitelist: ['10.0.0.0/8'],
    }
    await cluster.publish({ ...shop, routing }, signal)
    const router = api.client(await api.serviceAccountToken('deis', 'deis-router'))
    const secret = '/api/v1/namespaces/shop/secrets/main-cert'
    expect(await router.request('GET', secret)).toMatchObject({ type: 'Opaque' })
    await expect(router.request('GET', '/api/v1/namespaces/shop/secrets')).rejects.toThrow('403')
    expect((await get(servicePath('shop'))).metadata.annotations).toMatchObject({
      'router.deis.io/certificates': 'shop.example:main',
      'router.deis.io/whitelist': '10.0.0.0/8',
    })

    await cluster.publish(shop, signal)
    expect(await status('GET', secret)).toBe(404)
    await expect(router.request('GET', secret)).rejects.toThrow('403')
    const { annotations } = (await get(servicePath('shop'))).metadata
    expect(Object.keys(annotations ?? {}).sort()).toEqual([
      'router.deis.io/domains',
      'router.deis.io/maintenance',
      'router.deis.io/ssl.enforce',
    ])
  })

  test('is deployed: it runs, and traffic goes to it', async () => {
    shop = echoApp('shop', 1)
    const progress = await deploy(shop)
    expect(progress.at(-1)).toBe('ready: cmd 1/1')
    expect(await cluster.processes(shop.id, signal)).toMatchObject([{ type: 'cmd', version: 2, state: 'up' }])
    const service = await get(servicePath('shop'))
    expect(service.spec.selector).toEqual({ app: 'shop', heritage: 'deis', type: 'cmd' })
    expect(service.spec.ports).toMatchObject([{ targetPort: 8080 }])
  })

  test('is scaled', async () => {
    shop = { ...shop, structure: { cmd: 3 } }
    await cluster.scale(shop, { signal, onProgress: () => {} })
    const processes = await cluster.processes(shop.id, signal)
    expect(processes.map(({ state }) => state)).toEqual(['up', 'up', 'up'])
  })

  test('is restarted, one process or several', async () => {
    const before = await cluster.processes(shop.id, signal)
    const chosen = before.slice(0, 2).map(({ name }) => name)
    const fresh = await cluster.restart(shop.id, chosen, signal)
    expect(fresh).toHaveLength(2)
    for (const { name, state } of fresh) {
      expect(state).toBe('up')
      expect(before.map(each => each.name)).not.toContain(name)
    }
    expect(await cluster.restart(shop.id, ['shop-cmd-0-none'], signal)).toEqual([])
  })

  test('is deployed anew: former processes and former environments go', async () => {
    shop = withRelease(
      { ...shop, structure: { cmd: 1 } },
      {
        version: 3,
        config: { ...shop.release!.config, values: { GREETING: 'hello' }, ...revisions(0) },
      },
    )
    await deploy(shop)
    const processes = await cluster.processes(shop.id, signal)
    const live = processes.filter(({ state }) => state === 'up')
    expect(live.map(({ version }) => version)).toEqual([3])
    expect(await names('/api/v1/namespaces/shop/secrets')).toContain('shop-v3-env')
    await poll('no environment of v2', 20, async () => {
      // A ReplicaSet that may be dropped goes a moment after the rollout.
      await cluster.repair(shop, signal)
      return (await names('/api/v1/namespaces/shop/secrets')).includes('shop-v2-env') ? null : true
    })
  })

  test('is repaired: what was removed, changed or contradicted comes back', async () => {
    expect(await cluster.repair(shop, signal)).toEqual([])
    await api.request('DELETE', servicePath('shop'))
    expect(await cluster.repair(shop, signal)).toEqual(['Service shop was missing'])
    const patch = (body: object, type = 'application/merge-patch+json') =>
      api.request('PATCH', deploymentPath('shop', 'cmd'), body, type)
    await patch({ spec: { replicas: 2 } })
    expect(await cluster.repair(shop, signal)).toEqual(['Deployment shop-cmd was changed'])
    expect((await get(deploymentPath('shop', 'cmd'))).spec.replicas).toBe(1)
    // As `kubectl set env` does, and `rollout restart`.
    const container = { name: 'shop-cmd', env: [{ name: 'GREETING', value: 'x', valueFrom: null }] }
    await patch({ spec: { template: { spec: { containers: [container] } } } }, 'application/strategic-merge-patch+json')
    expect(await cluster.repair(shop, signal)).toEqual(['Deployment shop-cmd was changed'])
    expect(JSON.stringify(await get(deploymentPath('shop', 'cmd')))).not.toContain('"value":"x"')
    expect(await cluster.repair(shop, signal)).toEqual([])
    await cluster.scale(shop, { signal, onProgress: () => {} })
  })

  test('is left to an autoscaler, and taken back', async () => {
    await cluster.scale({ ...shop, structure: { cmd: 2 } }, { signal, onProgress: () => {} })
    const scaled = { ...shop, structure: { cmd: 2 }, autoscale: { cmd: { min: 2, max: 4, cpu_percent: 50 } } }
    await cluster.scale(scaled, { signal, onProgress: () => {} })
    expect((await get(deploymentPath('shop', 'cmd'))).spec.replicas).toBe(2)
    const autoscalers = '/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers'
    expect(await names(autoscalers)).toEqual(['shop-cmd'])
    await cluster.scale(shop, { signal, onProgress: () => {} })
    expect((await get(deploymentPath('shop', 'cmd'))).spec.replicas).toBe(1)
    expect(await names(autoscalers)).toEqual([])
  })

  test('is watched: the doings of others are seen, ours are not', async () => {
    const other = desiredApp('other')
    await cluster.create(other, signal)
    const seen: string[] = []
    const watching = new AbortController()
    const watch = (async () => {
      for await (const app of cluster.drift(watching.signal)) seen.push(app)
    })()
    // Nothing says that a watch has begun but what it sees.
    const edit = () =>
      api.request('PATCH', deploymentPath('shop', 'cmd'), { spec: { replicas: 2 } }, 'application/merge-patch+json')
    await poll('drift after an edit', 30, async () => {
      await edit()
      await cluster.repair(shop, signal)
      return seen.includes('shop') ? true : null
    })
    /** What was seen before this is seen by now. */
    const mark = async () => {
      await api.request('DELETE', servicePath('other'))
      await poll('drift after a removal', 10, async () => (seen.includes('other') ? true : null))
      expect(await cluster.repair(other, signal)).toEqual(['Service other was missing'])
    }
    await mark()
    seen.length = 0
    await cluster.publish({ ...shop, routing: { ...shop.routing, maintenance: true } }, signal)
    await cluster.scale({ ...shop, structure: { cmd: 2 } }, { signal, onProgress: () => {} })
    await cluster.scale(shop, { signal, onProgress: () => {} })
    await cluster.publish(shop, signal)
    await mark()
    expect(seen).toEqual(['other'])
    seen.length = 0
    await cluster.destroy(other, signal)
    await api.request('DELETE', servicePath('shop'))
    await poll('drift after a removal', 10, async () => (seen.includes('shop') ? true : null))
    expect(seen).toEqual(['shop'])
    expect(await cluster.repair(shop, signal)).toEqual(['Service shop was missing'])
    watching.abort()
    await watch
  })

  test('gets all that it lacks, and is rid of all that it has no more', async () => {
    const { chain, key } = selfSign(['shop.example'], 1, Date.now())
    const rich = {
      ...shop,
      structure: { cmd: 1, worker: 0 },
      autoscale: { cmd: { min: 1, max: 2, cpu_percent: 50 } },
      routing: {
        ...shop.routing,
        domains: [{ domain: 'shop.example', certificate: 'main' }],
        certificates: [{ name: 'main', chain, key }],
      },
    }
    const plan = {
      imagePullPolicy: 'Never',
      terminationGracePeriod: 2,
      quota: { hard: { pods: '10' } },
      isolation: { admitted: [] },
    }
    const generous = new KubernetesCluster({ client, platformNamespace: 'deis', plan })
    expect(await generous.repair(rich, signal)).toEqual([
      'NetworkPolicy shop-isolation was missing',
      'ResourceQuota shop-quota was missing',
      'Deployment shop-worker was missing',
      'HorizontalPodAutoscaler shop-cmd was missing',
      'Secret main-cert was missing',
      'Role deis-router-certificates was missing',
      'RoleBinding deis-router-certificates was missing',
      'Service shop was changed',
    ])
    expect(await generous.repair(rich, signal)).toEqual([])
    expect(await cluster.repair(shop, signal)).toEqual([
      'Service shop was changed',
      'HorizontalPodAutoscaler shop-cmd was left over',
      'Deployment shop-worker was left over',
      'RoleBinding deis-router-certificates was left over',
      'Role deis-router-certificates was left over',
      'Secret main-cert was left over',
      'ResourceQuota shop-quota was left over',
      'NetworkPolicy shop-isolation was left over',
    ])
    expect(await cluster.repair(shop, signal)).toEqual([])
  })

  test('is removed', async () => {
    await cluster.destroy({ id: shop.id, uuid: '00000000-0000-4000-8000-ffffffffffff' }, signal)
    expect(await status('GET', '/api/v1/namespaces/shop')).toBe(200)
    await cluster.destroy(shop, signal)
    expect(await status('GET', '/api/v1/namespaces/shop')).toBe(404)
    await cluster.destroy(shop, signal)
    expect(await cluster.apps(signal)).toEqual([])
  })
})

describe('a command that runs once', () => {
  const tool = shellApp('tool', 'exec sleep 3600', { config: { values: { GREETING: 'hello' } } })
  beforeAll(() => cluster.create(tool, signal))
  afterAll(() => cluster.destroy(tool, signal))
  const pods = '/api/v1/namespaces/tool/pods'

  test('gives both streams and the code that it ended with, and leaves nothing', async () => {
    const result = await cluster.run(tool, 'echo "$GREETING $WORKFLOW_RELEASE"; echo oops >&2; exit 7', signal)
    expect(result.exitCode).toBe(7)
    expect(result.output.split('\n').sort()).toEqual(['', 'hello v2', 'oops'])
    await poll('no pods', 20, async () => ((await names(pods)).length === 0 ? true : null))
  })

  test('is cut off at 1 MB', async () => {
    const line = 'x'.repeat(99)
    const { output, isCut, exitCode } = await cluster.run(tool, `for i in {1..20000}; do echo ${line}; done`, signal)
    expect([exitCode, isCut]).toEqual([0, true])
    expect(output).toHaveLength(1024 * 1024)
  })

  test('has no credentials of the cluster', async () => {
    const { exitCode } = await cluster.run(tool, '[[ ! -e /var/run/secrets/kubernetes.io ]]', signal)
    expect(exitCode).toBe(0)
  })

  test('whose image is missing is explained', async () => {
    const build = { ...tool.release!.build, image: 'localhost/none:1' }
    const { kind, message } = await failure(cluster.run(withRelease(tool, { build }), 'true', signal))
    expect(kind).toBe('failed')
    expect(message).toMatch(/^tool-run-[a-z0-9]{5} \(run\): image localhost\/none:1 not found$/)
  })

  test('ends when nobody waits for it any more', async () => {
    const over = new AbortController()
    const running = cluster.run(tool, 'sleep 3600', over.signal)
    running.catch(() => {})
    await poll('a pod', 20, async () => ((await names(pods)).length === 1 ? true : null))
    over.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
    await poll('no pods', 40, async () => ((await names(pods)).length === 0 ? true : null))
  })
})

describe('a release that does not come up is explained', () => {
  const cases: readonly (readonly [id: string, app: DesiredApp, message: RegExp])[] = [
    [
      'no-image',
      echoApp('no-image', 1, { build: { image: 'localhost/none:1' } }),
      /^image localhost\/none:1 not found$/,
    ],
    ['crash', shellApp('crash', 'echo "no database"; exit 3'), /^the process crashes with exit code 3\nno database$/],
    [
      'no-shell',
      desiredApp('no-shell', {
        structure: { worker: 1 },
        release: desiredRelease('no-shell', { port: null, build: { procfile: { worker: 'x' } } }),
      }),
      /bin\/bash/,
    ],
    ['tagged', echoApp('tagged', 1, { config: { tags: { disk: 'none' } } }), /nodes are available: .*selector/],
    ['huge', echoApp('huge', 1, { config: { memory: { cmd: '900G/900G' } } }), /nodes are available: .*memory/],
    [
      'unready',
      echoApp('unready', 1, {
        config: {
          values: { DEIS_DEPLOY_TIMEOUT: '8' },
          healthcheck: { cmd: { readinessProbe: { httpGet: { port: 8080, path: '/?status=500' }, periodSeconds: 1 } } },
        },
      }),
      /^unready-cmd not ready within 8 s: unready-cmd-\S+: Readiness probe failed: .*500/,
    ],
    [
      'nonsense',
      echoApp('nonsense', 1, { config: { cpu: { cmd: '2/1' } } }),
      /must be less than or equal to cpu limit/,
    ],
  ]
  test.concurrent.for(cases)('%s', async ([, app, expected]) => {
    await cluster.create({ ...app, release: null, structure: {} }, signal)
    const { kind, message } = await failure(deploy(app))
    expect(kind).toBe('failed')
    expect(message).toMatch(expected)
    await cluster.destroy(app, signal)
  })

  test('a quota that leaves no room', async () => {
    const app = echoApp('narrow', 2)
    const plan = { imagePullPolicy: 'Never', quota: { hard: { pods: '1' } } }
    const bounded = new KubernetesCluster({ client, platformNamespace: 'deis', plan })
    await bounded.create({ ...app, release: null, structure: {} }, signal)
    const { message } = await failure(bounded.deploy(app, { signal, onProgress: () => {} }))
    expect(message).toContain('exceeded quota: narrow-quota')
    await bounded.destroy(app, signal)
  })

  test('what ran before still runs, and is deployed again', async () => {
    const good = echoApp('steady', 1)
    await cluster.create(good, signal)
    await deploy(good)
    const [before] = await cluster.processes(good.id, signal)
    const bad = withRelease(good, { version: 3, build: { ...good.release!.build, image: 'localhost/none:1' } })
    expect((await failure(deploy(bad))).message).toBe('image localhost/none:1 not found')
    expect(await cluster.processes(good.id, signal)).toContainEqual(before)
    await deploy(good)
    expect(await cluster.processes(good.id, signal)).toContainEqual(before)
    await cluster.destroy(good, signal)
  })

  test('nobody waits any more', async () => {
    const app = echoApp('given-up', 1, { config: { tags: { disk: 'none' } } })
    await cluster.create(app, signal)
    const over = new AbortController()
    const onProgress = () => over.abort(new Error('enough'))
    await expect(cluster.deploy(app, { signal: over.signal, onProgress })).rejects.toThrow('enough')
    expect(await status('GET', deploymentPath('given-up', 'cmd'))).toBe(200)
    await cluster.destroy(app, signal)
  })
})

test('a namespace of somebody else is taken, and nothing in it is touched', async () => {
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: 'theirs' } })
  const app = echoApp('theirs', 1)
  for (const call of [
    () => cluster.create(app, signal),
    () => cluster.publish(app, signal),
    () => deploy(app),
    () => cluster.repair(app, signal),
    () => cluster.run(app, 'true', signal),
  ]) {
    expect((await failure(call())).kind).toBe('taken')
  }
  await cluster.destroy(app, signal)
  expect(await names('/api/v1/namespaces/theirs/services')).toEqual([])
  expect((await cluster.apps(signal)).map(({ id }) => id)).not.toContain('theirs')
})

describe('the rules of the controller', () => {
  test('are enough', () => {
    const requests = auditedRequests(api.directory, 'deis', 'deis-controller')
    expect(requests.length).toBeGreaterThan(100)
    expect(requests.filter(({ status, path }) => status === 403 && !path.includes('/narrow/'))).toEqual([])
  })

  test('are all used, but for those that mend what hardly ever breaks', async () => {
    const requests = auditedRequests(api.directory, 'deis', 'deis-controller')
    const grants = await grantsOf((method, path) => api.request(method, path), 'deis', 'deis-controller')
    const unused = grants.filter(grant => !requests.some(request => covers(grant, request)))
    // `create` is asked for, beside `patch`, when an apply makes something; the router's grant is made of `watch secrets`.
    const spare = unused.filter(
      ({ verb, resource }) => verb !== 'update' && verb !== 'create' && `${verb} ${resource}` !== 'watch secrets',
    )
    expect(spare.map(describeGrant)).toEqual([])
  })
})

function revisions(limit: number): Partial<ConfigMaps> {
  return { values: { KUBERNETES_DEPLOYMENTS_REVISION_HISTORY_LIMIT: String(limit), GREETING: 'hello' } }
}
