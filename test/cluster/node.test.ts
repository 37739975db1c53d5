// The harness itself: what the suites about the router take for granted of a node, and that it leaves no trace.

import { existsSync, globSync, readFileSync } from 'node:fs'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from './command.ts'
import { controlGroupName } from './control-groups.ts'
import { freePort } from './control-plane.ts'
import { legacyRules, policySets } from './kube-router.ts'
import { NodeRuntime } from './node.ts'
import { bridgeName, hostAddress, processes, runDirectory } from './node-site.ts'
import { poll } from './poll.ts'

interface Endpoint {
  readonly addresses: readonly string[]
  readonly conditions: { readonly ready: boolean }
  readonly targetRef: { readonly name: string }
}

interface SliceList {
  readonly items: readonly { readonly endpoints?: readonly Endpoint[] | null }[]
}

interface Echo {
  readonly pod: string
  readonly path: string
  readonly query: string
  readonly addresses?: readonly string[]
  readonly connection?: string
}

const labels = { app: 'echo' }
const container = {
  name: 'echo',
  image: 'localhost/echo:1',
  imagePullPolicy: 'Never',
  readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
}
const deployment = {
  metadata: { name: 'echo' },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [container], terminationGracePeriodSeconds: 5 } },
  },
}
const service = {
  metadata: { name: 'echo' },
  spec: { type: 'NodePort', selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
}
const pod = (name: string, hostPort: number) => ({
  metadata: { name },
  spec: { containers: [{ ...container, ports: [{ containerPort: 8080, hostPort }] }] },
})

const node = new NodeRuntime({ networkPolicies: true })
const api = node.controlPlane
const pods = '/api/v1/namespaces/default/pods'

beforeAll(() => node.start())
afterAll(() => node.stop())

async function get(url: string): Promise<Echo> {
  const answer = await request(url)
  const text = await answer.body.text()
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} from ${url}: ${text}`)
  return JSON.parse(text) as Echo
}

async function endpoints(): Promise<readonly Endpoint[]> {
  const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'
  const query = '?labelSelector=kubernetes.io/service-name%3Decho'
  const { items } = await api.request<SliceList>('GET', path + query)
  return items.flatMap(slice => slice.endpoints ?? [])
}

async function readyEndpoints(count: number): Promise<readonly Endpoint[]> {
  return poll(`${count} ready endpoints`, 60, async () => {
    const ready = (await endpoints()).filter(({ conditions }) => conditions.ready)
    return ready.length === count ? ready : null
  })
}

let created: { readonly spec: { readonly clusterIP: string; readonly ports: readonly { readonly nodePort: number }[] } }

test('pods of a Deployment become ready endpoints of its Service and answer', async () => {
  await api.request('POST', '/apis/apps/v1/namespaces/default/deployments', deployment)
  created = await api.request('POST', '/api/v1/namespaces/default/services', service)
  const [first, second] = await readyEndpoints(2)
  expect(first?.addresses[0]).not.toBe(second?.addresses[0])
  const echo = await get(`http://${first?.addresses[0]}:8080/hello//there?a=1`)
  expect(echo).toMatchObject({ pod: first?.targetRef.name, path: '/hello//there', query: 'a=1' })
})

test('a NodePort answers on 127.0.0.1', async () => {
  const names = (await endpoints()).map(({ targetRef }) => targetRef.name)
  const { nodePort } = created.spec.ports[0]!
  const echo = await poll('answer', 20, () => get(`http://127.0.0.1:${nodePort}/`))
  expect(names).toContain(echo.pod)
})

test('a pod resolves the name of a Service', async () => {
  const [first] = await endpoints()
  const url = `http://${first?.addresses[0]}:8080/?resolve=echo.default.svc.cluster.local`
  const echo = await poll('address', 20, () => get(url))
  expect(echo.addresses).toEqual([created.spec.clusterIP])
})

test('a hostPort answers on 127.0.0.1, and kubectl reaches into the pod', async () => {
  const port = await freePort('127.0.0.1')
  await api.request('POST', pods, pod('front', port))
  const echo = await poll('answer', 60, () => get(`http://127.0.0.1:${port}/`))
  expect(echo.pod).toBe('front')
  expect(await rejection(api.kubectl(['exec', 'front', '--', '/echo', 'again']))).toContain('address already in use')
})

test('NetworkPolicies are enforced between pods, and the node reaches all of them', async () => {
  const [first, second] = (await endpoints()).map(({ addresses }) => addresses[0]!)
  const policies = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies'
  const connection = async () => (await get(`http://${first}:8080/?connect=${second}:8080`)).connection
  expect(await connection()).toBe('open')
  const spec = { podSelector: { matchLabels: labels }, policyTypes: ['Ingress'], ingress: [] }
  await api.request('POST', policies, { metadata: { name: 'fence' }, spec })
  await poll('refusal', 20, async () => ((await connection()) === 'open' ? null : true))
  for (const url of [`http://${second}:8080/`, `http://127.0.0.1:${created.spec.ports[0]!.nodePort}/`]) await get(url)
})

test('what is deleted goes', async () => {
  await api.request('DELETE', '/apis/apps/v1/namespaces/default/deployments/echo?propagationPolicy=Background')
  await readyEndpoints(0)
  await poll('end of the pods', 60, async () => {
    const { items } = await api.request<{ items: readonly unknown[] }>('GET', `${pods}?labelSelector=app%3Decho`)
    return items.length === 0 ? true : null
  })
})

test('a machine has one node at a time', async () => {
  const second = new NodeRuntime()
  expect(await rejection(second.start())).toContain(`there is a node on this machine already, in ${api.directory}`)
  expect(existsSync(second.controlPlane.directory)).toBe(false)
  await api.request('GET', `${pods}/front`)
})

test('stopping ends what runs and leaves no trace', async () => {
  const during = await traces()
  for (const found of Object.values(during)) expect(found).not.toEqual([])
  await node.stop()
  const none = Object.fromEntries(Object.keys(during).map(name => [name, []]))
  expect(await traces()).toEqual(none)
})

async function rejection(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => expect.fail('should have been rejected'), String)
}

// What there is of the node outside its objects.
async function traces(): Promise<Record<string, readonly string[]>> {
  const ours = (line: string) => line.includes(api.directory) || line.includes(runDirectory)
  const lines = async (command: string, ...args: readonly string[]) => (await run(command, args)).split('\n')
  const rules = await lines('iptables-save')
  return {
    processes: processes()
      .map(({ args }) => args.join(' '))
      .filter(ours),
    files: [api.directory, runDirectory].filter(path => existsSync(path)),
    mounts: readFileSync('/proc/self/mounts', 'utf8').split('\n').filter(ours),
    controlGroups: globSync(`/sys/fs/cgroup/{,*/}${controlGroupName}`),
    links: (await lines('ip', '-o', 'link')).filter(line => line.includes(` ${bridgeName}`)),
    addresses: (await lines('ip', '-o', 'address')).filter(line => line.includes(` ${hostAddress}/`)),
    serviceRules: rules.filter(rule => rule.includes('KUBE-')),
    portRules: rules.filter(rule => rule.includes('CNI-')),
    policyRules: (await legacyRules()).filter(rule => rule.includes('KUBE-')),
    policySets: await policySets(),
  }
}
