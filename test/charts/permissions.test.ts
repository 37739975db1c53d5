// The router itself, as the service account and with the variables that the chart gives it, against a real API server:
// whatever the values, it is ready and misses no permission.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RouterProcess } from '#test/support/router-process.ts'
import { ControlPlane } from '../cluster/control-plane.ts'
import { helm } from '../cluster/helm.ts'
import { poll } from '../cluster/poll.ts'
import { release, render, uninstall, type Values } from './chart.ts'

const plane = new ControlPlane()

beforeAll(async () => {
  await helm()
  await plane.start()
  for (const name of ['deis', 'shop']) await plane.request('POST', '/api/v1/namespaces', { metadata: { name } })
  // Something of every kind that the router follows; none of it can be served.
  await plane.request('POST', '/api/v1/namespaces/shop/services', {
    metadata: {
      name: 'web',
      labels: { 'router.deis.io/routable': 'true' },
      annotations: { 'router.deis.io/domains': 'web.test', 'router.deis.io/certificates': 'web.test:shop' },
    },
    spec: { ports: [{ name: 'http', port: 80 }] },
  })
  await plane.request('POST', '/api/v1/namespaces/deis/services', {
    metadata: { name: 'deis-builder' },
    spec: { ports: [{ name: 'ssh', port: 2222 }] },
  })
}, 900_000)
afterAll(() => plane.stop())

const granted = [{ namespace: 'shop', secrets: ['shop-cert'] }]
const cases: readonly [name: string, values: Values][] = [
  ['certificates by name', { certificates: granted }],
  ['every Secret', { secrets: { clusterWide: true } }],
  ['a DaemonSet, without Ingress objects', { kind: 'DaemonSet', ingress: { enabled: false }, certificates: granted }],
  ['one namespace', { watchNamespace: 'shop', certificates: granted }],
  ['one namespace, every Secret of it', { watchNamespace: 'shop', secrets: { clusterWide: true } }],
  [
    'one namespace, without Ingress objects',
    { watchNamespace: 'shop', ingress: { enabled: false }, certificates: granted },
  ],
  ['its own namespace', { watchNamespace: 'deis' }],
]

interface Config {
  readonly synced: boolean
  readonly leader: boolean
  readonly watches: readonly { readonly connected: boolean }[]
}

/** What a page of its admin port says, as an object. */
type Ask = <T>(page: string) => Promise<T>

/** Runs a router of a release with these values until `use` has ended. */
async function withRouter(values: Values, use: (ask: Ask) => Promise<void>): Promise<void> {
  await release(plane, 'install', values)
  try {
    const kubeconfig = await plane.serviceAccountKubeconfig('deis', 'deis-router')
    const { DEIS_ROUTER_SNAPSHOT: _, ...environment } = (await render(values)).environment()
    const env = { ...environment, POD_NAME: 'deis-router-1' }
    await using router = new RouterProcess(['--kubeconfig', kubeconfig, '--workers', '1'], env)
    const { admin } = await router.ready()
    await use(async <T>(page: string) => (await (await fetch(`http://127.0.0.1:${admin}${page}`)).json()) as T)
  } finally {
    await uninstall(plane)
  }
}

describe('the router misses no permission', () => {
  for (const [name, values] of cases)
    test(name, () =>
      withRouter(values, async ask => {
        const { watches } = await poll('watches that are all open, and the Lease', 60, async () => {
          const found = await ask<Config>('/config')
          return found.synced && found.leader && found.watches.every(({ connected }) => connected) ? found : null
        })
        expect(watches.length).toBeGreaterThan(2)
        const { problems } = await ask<{ problems: readonly { code: string }[] }>('/problems')
        expect(problems.filter(({ code }) => code === 'forbidden')).toEqual([])
      }),
    )

  test('nor one for Events, which people look for at the object', () =>
    withRouter({ certificates: granted }, async () => {
      interface Event {
        readonly type: string
        readonly involvedObject: { readonly uid?: string }
      }
      const path = '/api/v1/namespaces/shop/events?fieldSelector=involvedObject.name%3Dweb'
      const event = await poll('an Event of the Service', 60, async () => {
        const { items } = await plane.request<{ items: readonly Event[] }>('GET', path)
        return items[0] ?? null
      })
      expect(event.type).toBe('Warning')
      expect(event.involvedObject.uid).toBeDefined()
    }))
})
