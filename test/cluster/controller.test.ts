// The platform's API on a real Kubernetes: an app from its first line to its last, through the controller as a process
// with PostgreSQL, under its own permissions, and through the router, which knows nothing but the objects it wrote.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { ApiError } from './api-client.ts'
import { Platform } from './platform.ts'
import { poll } from './poll.ts'
import { loadShellImage, shellImage } from './shell-image.ts'
import { ask, fingerprintOf } from './visitor.ts'

const platform = new Platform()
const { api } = platform
const host = 'www.example.com'
const image = 'localhost/echo:1'
const readiness = { 'web/cmd': { readinessProbe: { httpGet: { port: 8080, path: '/healthz' }, periodSeconds: 1 } } }

beforeAll(async () => {
  await platform.start()
  await loadShellImage(platform.node)
})
afterAll(() => platform.stop())

const call = async (method: string, path: string, body?: unknown, status = 201) => {
  const reply = await platform.call(method, path, body)
  expect([method, path, reply.status, reply.body]).toEqual([method, path, status, reply.body])
  return reply.body
}

const seen = (status: number) =>
  poll(`${status} from ${host}`, 20, async () => {
    const reply = await ask(platform.httpPort, host)
    return reply.status === status ? reply : null
  })

/** The pod that answers. */
async function pod(): Promise<string> {
  const { body } = await seen(200)
  return (JSON.parse(body) as { pod: string }).pod
}

describe('an app through API, cluster and router', () => {
  test('is created, configured and deployed', async () => {
    await call('POST', '/apps/', { id: 'shop' })
    await call('POST', '/apps/shop/config/', { values: { PORT: '8080' }, healthcheck: readiness })
    await call('POST', '/apps/shop/domains/', { domain: host })
    await call('POST', '/apps/shop/builds/', { image })
    expect(await pod()).toMatch(/^shop-cmd-/)
    const { results } = await call('GET', '/apps/shop/pods/', undefined, 200)
    expect(results).toMatchObject([{ type: 'cmd', release: 'v3', state: 'up' }])
  })

  test('a new config is a new release with new pods', async () => {
    const before = await pod()
    await call('POST', '/apps/shop/config/', { values: { WORD: 'hello' } })
    expect(await pod()).not.toBe(before)
    const { results } = await call('GET', '/apps/shop/pods/', undefined, 200)
    expect(results).toMatchObject([{ release: 'v4' }])
  })

  test('is scaled to three', async () => {
    await call('POST', '/apps/shop/scale/', { cmd: 3 }, 204)
    const { count } = await call('GET', '/apps/shop/pods/cmd/', undefined, 200)
    expect(count).toBe(3)
    const pods = new Set<string>()
    await poll('an answer from each pod', 20, async () => (pods.add(await pod()).size === 3 ? true : null))
  })

  test('gets a certificate and is served over HTTPS', async () => {
    const pair = selfSign([host], 30, Date.now())
    await call('POST', '/certs/', { name: 'shop', certificate: pair.chain, key: pair.key })
    await call('POST', '/certs/shop/domain/', { domain: host })
    await poll('the certificate', 20, async () =>
      (await fingerprintOf(platform.httpsPort, host)) === pair.fingerprint ? true : null,
    )
  })

  test('lets only the whitelist in, is in maintenance, is redirected to HTTPS', async () => {
    await call('POST', '/apps/shop/whitelist/', { addresses: ['192.0.2.0/24'] })
    await seen(403)
    await call('DELETE', '/apps/shop/whitelist/', { addresses: ['192.0.2.0/24'] }, 204)
    await seen(200)
    await call('POST', '/apps/shop/settings/', { maintenance: true })
    await seen(503)
    await call('POST', '/apps/shop/settings/', { maintenance: false })
    await seen(200)
    await call('POST', '/apps/shop/tls/', { https_enforced: true })
    expect((await seen(301)).location).toBe(`https://${host}/`)
    await call('POST', '/apps/shop/tls/', { https_enforced: false })
    await seen(200)
  })

  test('a deploy that fails says why, and the release before goes on', async () => {
    const reply = await platform.call('POST', '/apps/shop/builds/', { image: 'localhost/missing:1' })
    expect(reply.status).toBe(400)
    expect(reply.body.detail).toContain('Rolling back process types to release v4.')
    expect(reply.body.detail).toContain('image localhost/missing:1 not found')
    await seen(200)
    const { results } = await call('GET', '/apps/shop/pods/', undefined, 200)
    expect(results.map(({ release }: { release: string }) => release)).toEqual(['v4', 'v4', 'v4'])
  })

  test('rolls back', async () => {
    expect(await call('POST', '/apps/shop/releases/rollback/', { version: 3 })).toEqual({ version: 6 })
    const config = await call('GET', '/apps/shop/config/', undefined, 200)
    expect(config.values).toEqual({ PORT: '8080' })
    await seen(200)
  })

  test('a command runs to its end in a pod of its own', async () => {
    await call('POST', '/apps/', { id: 'tool' })
    await call('POST', '/apps/tool/settings/', { routable: false })
    await call('POST', '/apps/tool/builds/', { image: shellImage, procfile: { worker: 'exec sleep 3600' } })
    const { exit_code: code, output } = await call('POST', '/apps/tool/run', { command: 'echo $DEIS_APP; exit 3' }, 200)
    expect({ code, output }).toEqual({ code: 3, output: 'tool\n' })
    await call('DELETE', '/apps/tool/', undefined, 204)
  })

  test('what somebody deletes by hand comes back', async () => {
    await api.request('DELETE', '/api/v1/namespaces/shop/services/shop')
    await poll('the Service', 60, () =>
      api.request('GET', '/api/v1/namespaces/shop/services/shop').catch(error => {
        if (error instanceof ApiError && error.status === 404) return null
        throw error
      }),
    )
    await seen(200)
  })

  test('a deploy that a killed controller left is ended by the next one', async () => {
    const deploy = platform.call('POST', '/apps/shop/config/', { values: { OTHER: 'x' } }).catch(() => null)
    const { controller } = platform
    await controller.until('the deploy had begun', () => controller.lines.find(line => line.includes('added OTHER')))
    await controller.end('SIGKILL')
    expect(await deploy).toBeNull()
    platform.startController()
    const release = await poll('the release', 90, async () => {
      const { results } = await call('GET', '/apps/shop/releases/', undefined, 200)
      const { results: pods } = await call('GET', '/apps/shop/pods/', undefined, 200)
      return results[0].version === 7 && !results[0].failed && pods.length === 3 ? results[0] : null
    })
    expect(release.summary).toBe('alice added OTHER')
    await seen(200)
  })

  test('is destroyed with all it had', async () => {
    await call('DELETE', '/apps/shop/', undefined, 204)
    await seen(404)
    await expect(api.request('GET', '/api/v1/namespaces/shop')).rejects.toMatchObject({ status: 404 })
    await call('GET', '/apps/shop/', undefined, 404)
  })

  test('ends in an orderly way', async () => {
    expect(await platform.controller.end()).toBe(0)
    expect(platform.controller.log.filter(({ level }) => level === 'error')).toEqual([])
  })
})
