// The router as an operator gets it: its image, installed, upgraded, restarted and removed with helm on a real node, while
// traffic goes through it. Each part starts from what the one before left.

import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { version } from '#kit/version.ts'
import { auditedRequests } from './audit-log.ts'
import { handshake } from './change-latency.ts'
import { echoService } from './echo-app.ts'
import { covers, describeGrant, grantsOf } from './grants.ts'
import {
  appHost,
  appName,
  appNamespace,
  Installation,
  mergePatch,
  paths,
  publishedAddresses,
  type RouterPorts,
  routerNamespace,
} from './installation.ts'
import { inventory } from './inventory.ts'
import { measureLatency, requestsPerSecond } from './latency.ts'
import { platformImages } from './platform-images.ts'
import { poll } from './poll.ts'
import { describeLoad, underLoad } from './steady-load.ts'

const installation = new Installation()
const { api } = installation
const get = <T>(method: 'GET', path: string) => api.request<T>(method, path)

let before: readonly string[]
let ports: RouterPorts

async function ask(port: number, host: string, path = '/'): Promise<{ status: number; text: string }> {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}${path}`, { headers: { host } })
  return { status: statusCode, text: await body.text() }
}

/** Asks until the status is the wanted one. */
function answers(port: number, host: string, wanted: number, path = '/'): Promise<string> {
  return poll(`${wanted} from ${host}${path}`, 20, async () => {
    const { status, text } = await ask(port, host, path)
    return status === wanted ? text : null
  })
}

/** None of the requests that come before, during and after it may fail. */
async function losesNothing(what: string, port: number, during: () => Promise<void>): Promise<void> {
  const report = await underLoad(port, appHost, requestsPerSecond, during)
  console.log(`${what}: ${describeLoad(report)}`)
  expect(report.failures).toEqual({})
}

beforeAll(async () => {
  await installation.start('one', 'two')
  before = await inventory(get)
})
afterAll(() => installation.stop())

describe('on the ports of the node', () => {
  test('an annotated Service is served, with its certificate', async () => {
    ports = await installation.installOnHostPorts('one')
    expect(JSON.parse(await answers(ports.http, appHost, 200))).toMatchObject({ host: appHost })
    expect((await ask(ports.http, 'nobody.test')).status).toBe(404)
    expect((await ask(ports.admin, 'admin', '/healthz')).status).toBe(200)
    expect(await handshake(ports.https, appHost)).toBe(installation.certificate.fingerprint)
  })

  test('changes and pods are followed in far less than a second, and cost no request', async () => {
    const { times, scaling, changes } = await measureLatency(installation, ports, { changes: 15, scalings: 1 })
    console.log(
      [
        ...times.map(({ change, goal, milliseconds }) => {
          const sorted = [...milliseconds].sort((a, b) => a - b).map(value => value.toFixed(1))
          return `${change}: median ${sorted[sorted.length >> 1]} ms, longest ${sorted.at(-1)} ms (goal ${goal} ms)`
        }),
        `scaling: ${describeLoad(scaling)}`,
        `changes: ${describeLoad(changes)}`,
      ].join('\n'),
    )
    expect(scaling.failures).toEqual({})
    expect(changes.failures).toEqual({})
    for (const { change, goal, milliseconds } of times)
      expect(Math.max(...milliseconds), change).toBeLessThan(goal * 10)
  })
})

describe('two replicas behind a NodePort', () => {
  let http: number

  test('helm upgrade in a namespace that takes restricted pods only', async () => {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    await api.request('PATCH', `/api/v1/namespaces/${routerNamespace}`, { metadata: { labels } }, mergePatch)
    http = await installation.upgradeToNodePort('one')
    await answers(http, appHost, 200)
    expect(await installation.podNames(routerNamespace, 'deis-router')).toHaveLength(2)
  })

  test('the image runs as a restricted pod on a read-only root', async () => {
    const path = `${paths.pods(routerNamespace)}/version`
    await api.request('POST', paths.pods(routerNamespace), {
      metadata: { name: 'version' },
      spec: {
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'router',
            image: platformImages.router,
            imagePullPolicy: 'Never',
            args: ['--version'],
            securityContext: {
              readOnlyRootFilesystem: true,
              allowPrivilegeEscalation: false,
              capabilities: { drop: ['ALL'] },
            },
          },
        ],
      },
    })
    await poll('end of the pod', 30, async () => {
      const { status } = await get<{ status: { phase: string } }>('GET', path)
      if (status.phase === 'Failed') throw new Error(await api.kubectl(['-n', routerNamespace, 'logs', 'version']))
      return status.phase === 'Succeeded' ? true : null
    })
    expect((await api.kubectl(['-n', routerNamespace, 'logs', 'version'])).trim()).toBe(version)
    await api.request('DELETE', path)
  })

  test('helm upgrade to another image loses no request', async () => {
    await losesNothing('helm upgrade', http, async () => void (await installation.upgradeToNodePort('two')))
    const { items } = await get<{ items: { spec: { containers: { image: string }[] } }[] }>(
      'GET',
      `${paths.pods(routerNamespace)}?labelSelector=app%3Ddeis-router`,
    )
    expect(items.map(({ spec }) => spec.containers[0]!.image)).toEqual(Array(2).fill('localhost/deis-router:two'))
  })

  test('restarting the router loses no request', () =>
    losesNothing('restart of the router', http, () => installation.restart(routerNamespace, 'deis-router')))

  test('restarting the app loses no request', () =>
    losesNothing('restart of the app', http, () => installation.restart(appNamespace, appName)))

  test('helm test passes', async () => {
    expect(await installation.test()).toContain('Succeeded')
  })

  describe('Ingress', () => {
    const ingresses = paths.ingresses(appNamespace)
    const [ip, hostname] = publishedAddresses
    const published = [{ ip }, { hostname }].map(address => expect.objectContaining(address))
    const holder = async () => {
      const path = `/apis/coordination.k8s.io/v1/namespaces/${routerNamespace}/leases/deis-router-leader`
      return (await get<{ spec: { holderIdentity?: string } }>('GET', path)).spec.holderIdentity ?? ''
    }
    const showsAddresses = (name: string) =>
      poll(`addresses of ${name}`, 60, async () => {
        const { status } = await get<{ status: { loadBalancer: { ingress?: object[] } } }>(
          'GET',
          `${ingresses}/${name}`,
        )
        const found = status.loadBalancer.ingress ?? []
        return found.length > 1 ? found : null
      })

    test('a rule of our class is served, and its object says where', async () => {
      await api.request('POST', ingresses, ingress('site', 'site.shop.test', 'deis'))
      await answers(http, 'site.shop.test', 200)
      expect(await showsAddresses('site')).toEqual(expect.arrayContaining(published))
    })

    test('what is of another class, or of none, is left alone', async () => {
      await api.request('POST', '/apis/networking.k8s.io/v1/ingressclasses', {
        metadata: { name: 'theirs' },
        spec: { controller: 'example.net/other' },
      })
      await api.request('POST', ingresses, ingress('foreign', 'foreign.shop.test', 'theirs'))
      await api.request('POST', ingresses, ingress('classless', 'classless.shop.test', null))
      // Objects come in order: when this one is served, those were seen.
      await api.request('POST', ingresses, ingress('after', 'after.shop.test', 'deis'))
      await answers(http, 'after.shop.test', 200)
      await showsAddresses('after')
      for (const name of ['foreign', 'classless']) {
        expect((await ask(http, `${name}.shop.test`)).status).toBe(404)
        const { status } = await get<{ status: { loadBalancer: object } }>('GET', `${ingresses}/${name}`)
        expect(status.loadBalancer).toEqual({})
      }
    })

    test('a host that a Service has stays with it', async () => {
      await api.request('POST', ingresses, ingress('thief', appHost, 'deis', '/stolen'))
      expect(await event(appNamespace, 'thief')).toMatchObject({
        type: 'Warning',
        message: expect.stringContaining(appHost),
        involvedObject: { kind: 'Ingress', uid: expect.any(String) },
      })
      await answers(http, appHost, 200, '/stolen')
    })

    test('one replica writes; when it goes, the other does', async () => {
      const first = await holder()
      const pods = await installation.podNames(routerNamespace, 'deis-router')
      const leader = pods.find(name => first.includes(name))
      expect(leader).toBeDefined()
      await api.request('DELETE', `${paths.pods(routerNamespace)}/${leader}`)
      const second = await poll('another leader', 60, async () => {
        const now = await holder()
        return now !== '' && now !== first ? now : null
      })
      expect(second).not.toContain(leader)
      await api.request('POST', ingresses, ingress('late', 'late.shop.test', 'deis'))
      expect(await showsAddresses('late')).toEqual(expect.arrayContaining(published))
      await installation.rolledOut(routerNamespace, 'deis-router')
    })
  })

  test('what is wrong with a Service or with the settings is an Event too', async () => {
    await api.request(
      'POST',
      paths.services(appNamespace),
      echoService('sloppy', appName, { domains: 'sloppy.shop.test', connectTimeout: 'soon' }),
    )
    expect(await event(appNamespace, 'sloppy')).toMatchObject({ message: expect.stringContaining('connectTimeout') })
    await answers(http, 'sloppy.shop.test', 200)
    await api.request('DELETE', `${paths.services(appNamespace)}/sloppy`)
    const annotations = { 'router.deis.io/nginx.bodySize': 'much' }
    const deployment = `${paths.deployments(routerNamespace)}/deis-router`
    await api.request('PATCH', deployment, { metadata: { annotations } }, mergePatch)
    await poll('Event about bodySize', 30, async () =>
      (await events(routerNamespace, 'deis-router')).some(({ message }) => message.includes('bodySize')) ? true : null,
    )
  })

  test('it asked the API server for what it is allowed, and for no more', async () => {
    const requests = auditedRequests(api.directory, routerNamespace, 'deis-router')
    expect(requests.length).toBeGreaterThan(20)
    expect(requests.filter(({ status }) => status === 403 || status === 401)).toEqual([])
    const grants = await grantsOf(get, routerNamespace, 'deis-router')
    expect(requests.filter(each => !grants.some(grant => covers(grant, each)))).toEqual([])
    const unused = grants.filter(grant => !requests.some(each => covers(grant, each)))
    expect(unused.map(describeGrant)).toEqual([])
  })
})

test('helm uninstall leaves nothing behind', async () => {
  for (const name of ['site', 'foreign', 'classless', 'after', 'thief', 'late'])
    await api.request('DELETE', `${paths.ingresses(appNamespace)}/${name}`)
  await api.request('DELETE', '/apis/networking.k8s.io/v1/ingressclasses/theirs')
  await installation.uninstall()
  // The app's pods were replaced since.
  const lasting = (line: string) => !/^(pods|replicasets\.apps|endpointslices\.discovery\.k8s\.io) shop\//.test(line)
  const wanted = before.filter(lasting)
  await poll('the state from before', 60, async () => {
    const now = (await inventory(get)).filter(lasting)
    const more = now.filter(line => !wanted.includes(line))
    const less = wanted.filter(line => !now.includes(line))
    if (more.length > 0 || less.length > 0) throw new Error(`more: ${more.join(', ')}; less: ${less.join(', ')}`)
    return true
  })
})

interface Event {
  readonly type: string
  readonly message: string
  readonly involvedObject: { readonly kind: string; readonly uid?: string }
}

/** What there is to tell about an object, oldest first. */
async function events(namespace: string, name: string): Promise<readonly Event[]> {
  const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=involvedObject.name%3D${name}`
  return (await get<{ items: readonly Event[] }>('GET', path)).items
}

function event(namespace: string, name: string): Promise<Event> {
  return poll(`Event about ${name}`, 30, async () => (await events(namespace, name))[0] ?? null)
}

function ingress(name: string, host: string, className: string | null, path = '/'): object {
  const backend = { service: { name: appName, port: { number: 80 } } }
  return {
    metadata: { name },
    spec: {
      ...(className === null ? {} : { ingressClassName: className }),
      rules: [{ host, http: { paths: [{ path, pathType: 'Prefix', backend }] } }],
    },
  }
}
