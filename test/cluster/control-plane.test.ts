// The harness itself: what the suites about the router take for granted of a control plane.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ApiError, type WatchEvent } from './api-client.ts'
import { ControlPlane } from './control-plane.ts'
import { recorded } from './daemon.ts'
import { poll } from './poll.ts'

interface Stored {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string }
  readonly spec: { readonly clusterIP: string }
}

const namespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { ports: [{ port: 80 }] },
})

// What a watch of the Services of `shop` from this version on says first.
async function firstEvent(plane: ControlPlane, resourceVersion: string): Promise<WatchEvent<{ code?: number }>> {
  const path = `/api/v1/namespaces/shop/services?watch=1&timeoutSeconds=20&resourceVersion=${resourceVersion}`
  for await (const event of plane.client().watch<{ code?: number }>(path)) return event
  throw new Error('the watch ended without an event')
}

async function gone(plane: ControlPlane, resourceVersion: string): Promise<boolean> {
  try {
    const event = await firstEvent(plane, resourceVersion)
    return event.type === 'ERROR' && event.object.code === 410
  } catch (error) {
    // Found out before the first byte, it is a status and no event.
    if (error instanceof ApiError) return error.status === 410
    throw error
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('should have been rejected'),
    (error: unknown) => error,
  )
}

describe('a control plane', () => {
  const plane = new ControlPlane({ users: { alice: ['developers'] } })
  let created: Stored

  beforeAll(async () => {
    await plane.start()
    await plane.request('POST', '/api/v1/namespaces', namespace('shop'))
    created = await plane.request<Stored>('POST', '/api/v1/namespaces/shop/services', service('web'))
  })
  afterAll(() => plane.stop())

  test('keeps objects when its API server is killed and started again', async () => {
    expect(created.spec.clusterIP).toMatch(/^10\.98\./)
    const url = plane.url
    await plane.killApiServer()
    expect(await rejection(plane.request('GET', '/readyz'))).not.toBeInstanceOf(ApiError)
    await plane.startApiServer()
    expect(plane.url).toBe(url)
    const kept = await plane.request<Stored>('GET', '/api/v1/namespaces/shop/services/web')
    expect(kept.metadata.uid).toBe(created.metadata.uid)
  })

  test('answers a watch from before a compaction with 410, once its own memory is gone too', async () => {
    const old = await plane.request<Stored>('POST', '/api/v1/namespaces/shop/services', service('old'))
    await plane.request('POST', '/api/v1/namespaces/shop/services', service('new'))
    expect(await firstEvent(plane, old.metadata.resourceVersion)).toMatchObject({
      type: 'ADDED',
      object: { metadata: { name: 'new' } },
    })
    await plane.compact()
    await plane.killApiServer()
    await plane.startApiServer()
    expect(await gone(plane, old.metadata.resourceVersion)).toBe(true)
  })

  test('lets a service account do what its role says and nothing else', async () => {
    const role = {
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['services'], verbs: ['get', 'list'] }],
    }
    const binding = {
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'router', namespace: 'shop' }],
    }
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/shop'
    await plane.request('POST', '/api/v1/namespaces/shop/serviceaccounts', { metadata: { name: 'router' } })
    await plane.request('POST', `${rbac}/roles`, role)
    await plane.request('POST', `${rbac}/rolebindings`, binding)

    const router = plane.client(await plane.serviceAccountToken('shop', 'router'))
    const services = '/api/v1/namespaces/shop/services'
    // Rules reach the authorizer by a watch of its own, a moment after they are stored.
    await poll('right to read', 10, () => router.request('GET', `${services}/web`))
    const forbidden = [
      () => router.request('GET', '/api/v1/namespaces/shop/secrets'),
      () => router.request('GET', '/api/v1/services'),
      () => router.request('POST', services, service('mine')),
    ]
    for (const call of forbidden) expect(await rejection(call())).toMatchObject({ status: 403, reason: 'Forbidden' })
  })

  test('gives kubeconfigs to its users and service accounts', async () => {
    const asAdmin = await plane.kubectl(['get', 'service', 'web', '-n', 'shop', '-o', 'name'])
    expect(asAdmin).toBe('service/web\n')
    const whoIs = async (kubeconfig: string) =>
      JSON.parse(await plane.kubectl(['auth', 'whoami', '-o', 'json', `--kubeconfig=${kubeconfig}`])).status.userInfo
    expect(await whoIs(plane.kubeconfig('alice'))).toMatchObject({
      username: 'alice',
      groups: ['developers', 'system:authenticated'],
    })
    await plane.request('POST', '/api/v1/namespaces/shop/serviceaccounts', { metadata: { name: 'builder' } })
    expect(await whoIs(await plane.serviceAccountKubeconfig('shop', 'builder'))).toMatchObject({
      username: 'system:serviceaccount:shop:builder',
    })
    expect(() => plane.kubeconfig('bob')).toThrow('no user bob')
  })
})

test('flags reach the API server: without its memory a compaction is enough for a 410', async () => {
  const plane = new ControlPlane({ apiServerFlags: ['--watch-cache=false'] })
  await plane.start()
  try {
    await plane.request('POST', '/api/v1/namespaces', namespace('shop'))
    const old = await plane.request<Stored>('POST', '/api/v1/namespaces/shop/services', service('old'))
    await plane.request('POST', '/api/v1/namespaces/shop/services', service('new'))
    await plane.compact()
    expect(await gone(plane, old.metadata.resourceVersion)).toBe(true)
  } finally {
    await plane.stop()
  }
})

test('says why the API server does not start, and leaves nothing behind', async () => {
  const plane = new ControlPlane({ apiServerFlags: ['--no-such-flag'] })
  expect(String(await rejection(plane.start()))).toContain('unknown flag: --no-such-flag')
  expect(existsSync(plane.directory)).toBe(false)
})

test('is cleared away when its owner is killed', async () => {
  const program = `
    const { ControlPlane } = await import(${JSON.stringify(new URL('./control-plane.ts', import.meta.url).href)})
    const plane = new ControlPlane()
    await plane.start()
    console.log(plane.directory)
    setInterval(() => {}, 1000)`
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(owner.stdout, 'data')
  const directory = String(line).trim()
  const pids = recorded(directory)
  expect(pids).toHaveLength(2)
  owner.kill('SIGKILL')
  await poll('end of the cluster', 20, async () => (existsSync(directory) ? null : true))
  for (const pid of pids) expect(commandLine(pid)).not.toContain(directory)
})

function commandLine(pid: number): string {
  return existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ''
}
