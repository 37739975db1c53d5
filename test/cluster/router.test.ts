// The router against a real Kubernetes: its own service account and RBAC, real pods behind real Services, and an API
// server that is changed, killed and started again underneath it.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { RouterProcess } from '#test/support/router-process.ts'
import { ApiError } from './api-client.ts'
import { NodeRuntime } from './node.ts'
import { poll } from './poll.ts'
import { routerPermissions } from './router-permissions.ts'
import { ask as askAt, fingerprintOf, type Visit } from './visitor.ts'

const node = new NodeRuntime()
const api = node.controlPlane
let router: RouterProcess
let ports: { http: number; https: number; admin: number }

const echo = {
  name: 'echo',
  image: 'localhost/echo:1',
  imagePullPolicy: 'Never',
  readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
}
const deployment = (name: string, replicas: number) => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [echo], terminationGracePeriodSeconds: 2 },
    },
  },
})
/** A routable Service of the pods of `backend`. */
const service = (name: string, annotations: Record<string, string>, backend = 'web') => ({
  metadata: {
    name,
    labels: { app: name, 'router.deis.io/routable': 'true' },
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([key, value]) => [`router.deis.io/${key}`, value]),
    ),
  },
  spec: { selector: { app: backend }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
})
const services = '/api/v1/namespaces/default/services'
const secrets = '/api/v1/namespaces/default/secrets'
const mergePatch = 'application/merge-patch+json'

const ask = (host: string, port = ports.http, path = '/') => askAt(port, host, path)

/** Asks until the status is the wanted one: a change needs its way through the API server. */
function status(host: string, wanted: number): Promise<Visit> {
  return poll(`${wanted} from ${host}`, 20, async () => {
    const reply = await ask(host)
    return reply.status === wanted ? reply : null
  })
}

function shows(name: string, fingerprint: string): Promise<true> {
  return poll(`certificate of ${name}`, 20, async () =>
    (await fingerprintOf(ports.https, name)) === fingerprint ? true : null,
  )
}

async function problems(): Promise<readonly { code: string; object: { name: string }; message: string }[]> {
  const { body } = await ask('admin', ports.admin, '/problems')
  return (JSON.parse(body) as { problems: { code: string; object: { name: string }; message: string }[] }).problems
}

async function metric(name: string): Promise<number> {
  const { body } = await ask('admin', ports.admin, '/metrics')
  const lines = body.split('\n').filter(line => line.startsWith(name))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

function tlsSecret(name: string, pair: { chain: string; key: string }) {
  return { metadata: { name }, type: 'Opaque', stringData: { 'tls.crt': pair.chain, 'tls.key': pair.key } }
}

function example(file: string): string {
  return readFileSync(new URL(`../../examples/cluster/${file}`, import.meta.url), 'utf8')
}

beforeAll(async () => {
  await node.start()
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: 'deis' } })
  await api.kubectl(['apply', '-f', '-'], await routerPermissions())
  await api.request('POST', '/apis/apps/v1/namespaces/default/deployments', deployment('web', 2))
  const kubeconfig = await api.serviceAccountKubeconfig('deis', 'deis-router')
  router = new RouterProcess(['--kubeconfig', kubeconfig, '--workers', '2'])
  ports = await router.ready()
  await poll('ready pods', 60, async () => {
    const web = await api.request<{ status: { readyReplicas?: number } }>(
      'GET',
      '/apis/apps/v1/namespaces/default/deployments/web',
    )
    return web.status.readyReplicas === 2 ? true : null
  })
})
afterAll(async () => {
  await router?.[Symbol.asyncDispose]()
  await node.stop()
})

describe('routes', () => {
  test('an annotated Service is served by all its pods, and its app hears who asks', async () => {
    await api.request('POST', services, service('web', { domains: 'www.web.test' }))
    const { body } = await status('www.web.test', 200)
    expect(JSON.parse(body)).toMatchObject({ host: 'www.web.test', headers: { 'X-Forwarded-For': ['127.0.0.1'] } })
    const pods = new Set<string>()
    for (let i = 0; i < 20; i++) pods.add((JSON.parse((await ask('www.web.test')).body) as { pod: string }).pod)
    expect(pods.size).toBe(2)
  })

  test('changed annotations are in force at once: domains, maintenance, enforced HTTPS', async () => {
    const annotate = (annotations: Record<string, string | null>) =>
      api.request('PATCH', `${services}/web`, { metadata: { annotations } }, mergePatch)
    await annotate({ 'router.deis.io/domains': 'www.web.test,other.web.test' })
    await status('other.web.test', 200)
    await annotate({ 'router.deis.io/maintenance': 'True' })
    expect((await status('www.web.test', 503)).body).toContain('Site Maintenance')
    await annotate({ 'router.deis.io/maintenance': null, 'router.deis.io/ssl.enforce': 'true' })
    await status('www.web.test', 301)
    await annotate({ 'router.deis.io/ssl.enforce': null, 'router.deis.io/domains': 'www.web.test' })
    await status('www.web.test', 200)
    await status('other.web.test', 404)
  })

  test('a bad value costs only itself and is a Problem', async () => {
    await api.request('POST', services, service('sloppy', { domains: 'sloppy.web.test', connectTimeout: 'soon' }))
    await status('sloppy.web.test', 200)
    expect(await problems()).toContainEqual(
      expect.objectContaining({ code: 'invalid-annotation', object: expect.objectContaining({ name: 'sloppy' }) }),
    )
  })

  test('the first Service by name keeps a host that two claim', async () => {
    await api.request('POST', services, service('zz-late', { domains: 'www.web.test,late.web.test' }, 'nothing'))
    await status('late.web.test', 503)
    expect((await ask('www.web.test')).status).toBe(200)
    expect(await problems()).toContainEqual(
      expect.objectContaining({ code: 'host-conflict', object: expect.objectContaining({ name: 'zz-late' }) }),
    )
    await api.request('DELETE', `${services}/zz-late`)
  })

  test('without the label there is no route; without pods there is no answer but 503', async () => {
    const scale = (replicas: number) =>
      api.request('PATCH', '/apis/apps/v1/namespaces/default/deployments/web', { spec: { replicas } }, mergePatch)
    await scale(0)
    await status('www.web.test', 503)
    await scale(1)
    await status('www.web.test', 200)
    const label = (value: string) =>
      api.request(
        'PATCH',
        `${services}/web`,
        { metadata: { labels: { 'router.deis.io/routable': value } } },
        mergePatch,
      )
    await label('false')
    await status('www.web.test', 404)
    await label('true')
    await status('www.web.test', 200)
    await api.request('DELETE', `${services}/sloppy`)
    await status('sloppy.web.test', 404)
  })

  test('an annotation of the Deployment deis-router changes the router', async () => {
    const own = {
      ...deployment('deis-router', 0),
      metadata: { name: 'deis-router', annotations: { 'router.deis.io/nginx.platformDomain': 'apps.test' } },
    }
    await api.request('POST', services, service('short', { domains: 'short' }))
    await status('short.anything.test', 200)
    await api.request('POST', '/apis/apps/v1/namespaces/deis/deployments', own)
    await status('short.apps.test', 200)
    await status('short.anything.test', 404)
    await api.request('DELETE', '/apis/apps/v1/namespaces/deis/deployments/deis-router')
    await status('short.anything.test', 200)
  })
})

describe('certificates', () => {
  const first = selfSign(['www.web.test'], 30, Date.now())
  const second = selfSign(['www.web.test'], 30, Date.now())

  test('a Secret that the router may not read is a Problem, and is served once a Role allows it', async () => {
    await api.request('POST', secrets, tlsSecret('hello-cert', first))
    await api.request(
      'PATCH',
      `${services}/web`,
      { metadata: { annotations: { 'router.deis.io/certificates': 'www.web.test:hello' } } },
      mergePatch,
    )
    await poll('Problem', 20, async () => ((await problems()).some(({ code }) => code === 'forbidden') ? true : null))
    expect((await ask('www.web.test')).status).toBe(200)
    await api.kubectl(['apply', '-f', '-'], example('certificate-role.yaml'))
    await shows('www.web.test', first.fingerprint)
    await poll('end of the Problem', 20, async () =>
      (await problems()).some(({ code }) => code === 'forbidden') ? null : true,
    )
  })

  test('a rotated Secret shows in the next handshake; a broken pair keeps the last good one', async () => {
    const put = (pair: { chain: string; key: string }) =>
      api.request(
        'PATCH',
        `${secrets}/hello-cert`,
        { stringData: { 'tls.crt': pair.chain, 'tls.key': pair.key } },
        mergePatch,
      )
    await put(second)
    await shows('www.web.test', second.fingerprint)
    await put({ chain: first.chain, key: second.key })
    await poll('Problem', 20, async () =>
      (await problems()).some(({ code }) => code === 'certificate-invalid') ? true : null,
    )
    expect(await fingerprintOf(ports.https, 'www.web.test')).toBe(second.fingerprint)
    await put(first)
    await shows('www.web.test', first.fingerprint)
    expect((await problems()).some(({ code }) => code === 'certificate-invalid')).toBe(false)
  })

  test('the router can read no other Secret', async () => {
    const token = api.client(await api.serviceAccountToken('deis', 'deis-router'))
    const refused = async (path: string): Promise<number> =>
      token.request('GET', path).then(
        () => 200,
        (error: unknown) => (error instanceof ApiError ? error.status : 0),
      )
    expect(await refused('/api/v1/secrets')).toBe(403)
    expect(await refused(secrets)).toBe(403)
    expect(await refused(`${secrets}/hello-cert`)).toBe(200)
  })
})

describe('the API server goes and comes back', () => {
  test('traffic goes on while it is away, and changes arrive when it is back', async () => {
    await api.killApiServer()
    for (let i = 0; i < 20; i++) expect((await ask('www.web.test')).status).toBe(200)
    await poll('lost watch', 20, async () =>
      (await metric('deis_router_watch_connected{resource="services"}')) === 0 ? true : null,
    )
    expect((await ask('www.web.test')).status).toBe(200)
    await api.startApiServer()
    await api.request('POST', services, service('after', { domains: 'after.web.test' }))
    // The backoff between two attempts to connect is at most 30 s.
    await poll('new route', 60, async () => ((await ask('after.web.test')).status === 200 ? true : null))
  })

  test('a watch whose version has expired lists again, and what went meanwhile is gone', async () => {
    const relists = await metric('deis_router_watch_relists_total')
    router.child.kill('SIGSTOP')
    await api.request('DELETE', `${services}/after`)
    for (let i = 0; i < 30; i++)
      await api.request('PATCH', `${services}/short`, { metadata: { labels: { turn: String(i) } } }, mergePatch)
    await api.request('POST', services, service('fresh', { domains: 'fresh.web.test' }))
    await api.compact()
    // A server that starts anew has no memory of older versions either.
    await api.killApiServer()
    await api.startApiServer()
    router.child.kill('SIGCONT')
    await poll('new route', 60, async () => ((await ask('fresh.web.test')).status === 200 ? true : null))
    await status('after.web.test', 404)
    expect((await ask('www.web.test')).status).toBe(200)
    // Not always that of Services: what its socket held from before it was stopped may bring that one up to date.
    await poll('list', 60, async () => ((await metric('deis_router_watch_relists_total')) > relists ? true : null))
  })

  test('SIGTERM: an orderly end', async () => {
    router.child.kill('SIGTERM')
    expect(await router.exited).toBe(0)
    expect(router.accessLog.length).toBeGreaterThan(50)
  })
})
