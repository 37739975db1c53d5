// Who reaches what on an installed platform, by the NetworkPolicies of charts/workflow and of the controller. A row is an
// address and all the places from which it answers; from every other place in the table it has to be refused. The node
// itself reaches every pod, as kubelets must, so that a refusal is never for want of somebody who listens.

import { createServer, type Server, connect as tcpConnect } from 'node:net'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiServiceAddress, hostAddress } from './node-site.ts'
import { poll } from './poll.ts'
import {
  buildNamespace,
  domain,
  isWell,
  namespace,
  type PodObject,
  type Reply,
  type Values,
  type Workflow,
} from './workflow.ts'

const watching = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'watching' } } }]

/** Of the release whose stories these are. */
export const policyValues: Values = {
  networkPolicy: {
    admitNamespaces: ['friendly'],
    ...{ apiFrom: watching, adminFrom: watching, registryFrom: watching, loggerFrom: watching },
  },
}

interface Place {
  readonly namespace: string
  readonly labels?: Readonly<Record<string, string>>
}

/** Where the pods are that try. */
const places = {
  app: { namespace: 'prying' },
  'admitted app': { namespace: 'friendly' },
  'shop itself': { namespace: 'shop' },
  build: { namespace: buildNamespace, labels: { 'app.kubernetes.io/managed-by': 'deis-builder' } },
  'another build': { namespace: buildNamespace, labels: { 'app.kubernetes.io/managed-by': 'deis-builder' } },
  // Of the operator: what networkPolicy.apiFrom, adminFrom, registryFrom and loggerFrom name.
  monitoring: { namespace: 'watching' },
  'helm test': {
    namespace,
    labels: { 'app.kubernetes.io/component': 'test', 'app.kubernetes.io/instance': 'deis' },
  },
  backup: { namespace, labels: { app: 'deis-database-backup' } },
  'somebody beside the platform': { namespace },
} as const satisfies Record<string, Place>

type PlaceName = keyof typeof places
const everywhere = Object.keys(places) as readonly PlaceName[]
const builds = ['build', 'another build'] as const
const probeName = 'policy-probe'

type Target =
  | { readonly kind: 'pod'; readonly app: string; readonly port: number }
  | { readonly kind: 'process'; readonly app: string }
  | { readonly kind: 'service'; readonly name: string; readonly port: number }
  | { readonly kind: 'probe'; readonly place: PlaceName }

const pod = (app: string, port: number): Target => ({ kind: 'pod', app, port })
const service = (name: string, port: number): Target => ({ kind: 'service', name, port })
const probe = (place: PlaceName): Target => ({ kind: 'probe', place })

type Row = readonly [what: string, target: Target, open: readonly PlaceName[]]

const platform: readonly Row[] = [
  ['the database', pod('deis-database', 5432), ['backup']],
  ['the database, by its Service', service('deis-database', 5432), ['backup']],
  ['the API', pod('deis-controller', 8000), [...builds, 'helm test', 'monitoring']],
  ['metrics of the controller', pod('deis-controller', 9091), ['monitoring']],
  ['the registry', pod('deis-registry', 5000), [...builds, 'helm test']],
  ['the registry, by its Service', service('deis-registry', 80), [...builds, 'helm test']],
  ['the port of the registry for nodes', pod('deis-registry', 5001), ['monitoring']],
  ['that port, by the Service', service('deis-registry', 5001), ['monitoring']],
  ['metrics of the registry', pod('deis-registry', 9092), ['monitoring']],
  ['what nodes fetch images from', pod('deis-registry-proxy', 5555), []],
  ['metrics of that', pod('deis-registry-proxy', 9093), ['monitoring']],
  ['git, past the router', pod('deis-builder', 2223), ['helm test']],
  ['sources of builds', pod('deis-builder', 8093), builds],
  ['metrics of the builder', pod('deis-builder', 8092), ['monitoring']],
  ['logs of all apps', pod('deis-logger', 8088), ['helm test']],
  ['syslog', pod('deis-logger', 1514), ['monitoring']],
  ['syslog, by the Service', service('deis-logger', 1514), ['monitoring']],
  ['metrics of the logger', pod('deis-logger', 8089), ['monitoring']],
  ['metrics of a collector', pod('deis-collector', 8090), ['monitoring']],
  ['the admin port of a router', pod('deis-router', 9090), ['helm test']],
  ['HTTP of a router', pod('deis-router', 8080), everywhere],
  ['HTTPS of a router', pod('deis-router', 6443), everywhere],
  ['git through a router', pod('deis-router', 2222), everywhere],
]

/** A pod reaches itself, whatever a policy says. */
const apps: readonly Row[] = [
  ['a process of the app shop', { kind: 'process', app: 'shop' }, ['shop itself', 'admitted app']],
  ['a pod of another app', probe('app'), ['app', 'admitted app']],
  ['a pod of an app that may reach others', probe('admitted app'), ['admitted app']],
  ['a build', probe('build'), ['build']],
]

interface PodWithAddress extends PodObject {
  readonly status: PodObject['status'] & { readonly podIP?: string }
}

interface Slice {
  readonly endpoints?: readonly { readonly addresses: readonly string[] }[] | null
  readonly ports?: readonly { readonly port: number }[] | null
}

/**
 * Describes them for a release with `policyValues` that has an app `shop` which runs. `call` asks the API in the name of
 * somebody who may make apps.
 */
export function policyStories(
  workflow: Workflow,
  call: <T>(method: string, path: string, body?: unknown) => Promise<Reply<T>>,
): void {
  const { api } = workflow
  const probes = new Map<PlaceName, string>()
  /** Stands for the world. */
  let world: Server

  async function startProbe(name: PlaceName): Promise<void> {
    const { namespace, labels }: Place = places[name]
    const own = `${probeName}-${everywhere.indexOf(name)}`
    const path = `/api/v1/namespaces/${namespace}/pods`
    await poll(`Namespace ${namespace}`, 30, () =>
      api.request('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`),
    )
    const container = { name: 'echo', image: 'localhost/echo:1', imagePullPolicy: 'Never' }
    await api.request('POST', path, {
      metadata: { name: own, labels },
      spec: { containers: [container], enableServiceLinks: false, terminationGracePeriodSeconds: 1 },
    })
    const address = await poll(`pod ${own}`, 60, async () => {
      const { status } = await api.request<PodWithAddress>('GET', `${path}/${own}`)
      return isWell({ metadata: { name: own, namespace }, status }) ? (status.podIP ?? null) : null
    })
    probes.set(name, address)
  }

  async function addressOf(target: Target): Promise<string> {
    if (target.kind === 'probe') return `${probes.get(target.place)}:8080`
    if (target.kind === 'service') {
      const path = `/api/v1/namespaces/${namespace}/services/${target.name}`
      const { spec } = await api.request<{ spec: { clusterIP: string } }>('GET', path)
      return `${spec.clusterIP}:${target.port}`
    }
    if (target.kind === 'process') {
      const path = `/apis/discovery.k8s.io/v1/namespaces/${target.app}/endpointslices`
      const { items } = await api.request<{ items: readonly Slice[] }>('GET', path)
      const [address] = items.flatMap(({ endpoints, ports }) =>
        (endpoints ?? []).flatMap(({ addresses }) => ports?.map(({ port }) => `${addresses[0]}:${port}`) ?? []),
      )
      if (!address) throw new Error(`no process of ${target.app}`)
      return address
    }
    const pods = (await workflow.pods()) as readonly PodWithAddress[]
    const found = pods.find(each => isWell(each) && each.metadata.labels?.app === target.app)
    if (!found?.status.podIP) throw new Error(`no pod of ${target.app}`)
    return `${found.status.podIP}:${target.port}`
  }

  async function ask(from: PlaceName, query: Readonly<Record<string, string>>): Promise<string> {
    const { statusCode, body } = await request(`http://${probes.get(from)}:8080/?${new URLSearchParams(query)}`)
    const text = await body.text()
    if (statusCode !== 200) return text
    const { connection, addresses } = JSON.parse(text) as { connection?: string; addresses?: readonly string[] }
    return connection ?? addresses?.join() ?? ''
  }

  /** From where the address answers; the rules for a pod come a moment after it. */
  async function reachedFrom(address: string, wanted: readonly PlaceName[], network = 'tcp'): Promise<void> {
    await poll(`${address} as it should be`, 20, async () => {
      const answers = await Promise.all(everywhere.map(name => ask(name, { connect: address, network })))
      expect(everywhere.filter((_, index) => answers[index] === 'open')).toEqual(
        everywhere.filter(name => wanted.includes(name)),
      )
      return true
    })
  }

  describe('by NetworkPolicies', () => {
    beforeAll(async () => {
      world = createServer(socket => socket.end()).listen(0, hostAddress)
      await api.request('POST', '/api/v1/namespaces', { metadata: { name: 'watching' } })
      for (const id of ['prying', 'friendly']) expect((await call('POST', '/apps/', { id })).status).toBe(201)
      await Promise.all(everywhere.map(startProbe))
    }, 120_000)

    afterAll(async () => {
      world.close()
      for (const id of ['prying', 'friendly']) await call('DELETE', `/apps/${id}/`)
      await api.request('DELETE', '/api/v1/namespaces/watching')
      for (const name of everywhere) {
        const path = `/api/v1/namespaces/${places[name].namespace}/pods/${probeName}-${everywhere.indexOf(name)}`
        await api.request('DELETE', path).catch(() => {})
      }
    }, 60_000)

    test.concurrent.for([...platform, ...apps])('%s', async ([, target, open]) => {
      const address = await addressOf(target)
      await connects(address)
      await reachedFrom(address, open)
    })

    test('syslog by UDP', async () => {
      await reachedFrom(await addressOf(pod('deis-logger', 1514)), ['monitoring'], 'udp')
    })

    const outward: readonly (readonly [what: string, address: () => string])[] = [
      ['the world', () => `${hostAddress}:${(world.address() as { port: number }).port}`],
      ['a router, by a port of the node', () => `${hostAddress}:${workflow.ports.http}`],
      ['Kubernetes, which asks who it is', () => `${apiServiceAddress}:443`],
    ]
    test.for(outward)('everybody reaches %s', ([, address]) => reachedFrom(address(), everywhere))

    test.for(['app', 'build'] as const)(
      '%s: names are resolved, and other apps answer through the router',
      async from => {
        const name = `deis-router.${namespace}.svc.cluster.local`
        expect(await ask(from, { resolve: name })).toMatch(/^[\d.]+$/)
        expect(await ask(from, { connect: `${name}:80`, host: `shop.${domain}` })).toBe('HTTP/1.1 200 OK')
      },
    )
  })
}

/** Rejects if nobody listens. */
async function connects(address: string): Promise<void> {
  const [host, port] = address.split(':')
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = tcpConnect({ host, port: Number(port), timeout: 5000 }, resolve)
  socket.on('error', reject).on('timeout', () => reject(new Error(`no answer from ${address}`)))
  await promise.finally(() => socket.destroy())
}
