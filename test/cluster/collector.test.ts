// The collector on a real node, by a service account that has its role and nothing else: what containers write comes out as
// syslog under the right names, with the files that a kubelet and containerd make of it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LogSink } from '#test/support/log-sink.ts'
import { startCollector } from '#test/support/service-process.ts'
import { auditedRequests, auditFlags } from './audit-log.ts'
import { covers, describeGrant, grantsOf } from './grants.ts'
import { NodeRuntime } from './node.ts'
import { nodeName } from './node-site.ts'
import { loadShellImage, shellImage } from './shell-image.ts'

const node = new NodeRuntime({ apiServerFlags: auditFlags })
const api = node.controlPlane
let directory: string
let sink: LogSink
let args: readonly string[]

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'collector-cluster-'))
  sink = await LogSink.start()
  await node.start()
  await loadShellImage(node)
  for (const name of ['deis', 'shop', 'helm']) await api.request('POST', '/api/v1/namespaces', { metadata: { name } })
  await api.request('POST', '/api/v1/namespaces/deis/serviceaccounts', { metadata: { name: 'deis-collector' } })
  await api.kubectl(['apply', '-f', join(import.meta.dirname, '../../examples/cluster/collector-role.yaml')])
  const kubeconfig = await api.serviceAccountKubeconfig('deis', 'deis-collector')
  args = [
    ...['--kubeconfig', kubeconfig, '--node', nodeName, '--pods', join(api.directory, 'log/pods')],
    ...['--state', join(directory, 'positions.json'), '--logger', `127.0.0.1:${sink.port}`],
  ]
})
afterAll(async () => {
  await node.stop()
  await sink?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

interface Writer {
  readonly namespace: string
  readonly name: string
  readonly container: string
  readonly labels: Readonly<Record<string, string>>
  readonly script: string
}

async function run({ namespace, name, container, labels, script }: Writer): Promise<void> {
  const command = ['/bin/bash', '-c', `${script}; sleep 3600`]
  await api.request('POST', `/api/v1/namespaces/${namespace}/pods`, {
    metadata: { name, labels },
    spec: {
      containers: [{ name: container, image: shellImage, imagePullPolicy: 'Never', command }],
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
    },
  })
}

const shop = { heritage: 'deis', app: 'shop', type: 'web', version: 'v2' }
const accessLine =
  '[2026-05-31T16:56:12+00:00] - shop - 192.0.2.1 - - - 200 - "GET / HTTP/1.1" - 12 - "" - "curl/8" - "shop.example.com" - 10.0.0.1:5000 - shop.example.com - 0.012 - 0.013'

test('lines of apps, of the controller and of the router, and of nobody else', async () => {
  await using _collector = await startCollector(args)
  await run({
    ...{ namespace: 'shop', name: 'shop-web-845861952-nzf60', container: 'shop-web', labels: shop },
    // More than containerd writes in one record, and more than the logger takes as one line.
    script: `echo hello; echo oops >&2; i=0; l=; while [ $i -lt 2000 ]; do l=$l-123456789; i=$((i+1)); done; echo $l`,
  })
  await run({
    ...{ namespace: 'deis', name: 'deis-controller-1-2', container: 'deis-controller', labels: { app: 'x' } },
    script: `echo 'WARNING [shop]: restored: Service'`,
  })
  await run({
    ...{ namespace: 'deis', name: 'deis-router-1-2', container: 'deis-router', labels: { app: 'x' } },
    script: `echo '${accessLine}'`,
  })
  await run({
    ...{ namespace: 'helm', name: 'other', container: 'other', labels: { app: 'shop' } },
    script: 'echo not to be read',
  })
  await sink.until(() => sink.received.length >= 6)
  const host = nodeName
  const web = { app: 'shop', source: 'app', process: 'web.v2.nzf60', host }
  const long = '-123456789'.repeat(2000)
  const sorted = sink.received.toSorted((a, b) => (a.source! < b.source! ? -1 : 1))
  expect(sorted.filter(({ text }) => text.length < 200)).toEqual([
    { ...web, text: expect.stringMatching(/^(hello|oops)$/) },
    { ...web, text: expect.stringMatching(/^(hello|oops)$/) },
    { app: 'shop', source: 'controller', process: null, host, text: 'WARNING restored: Service' },
    { app: 'shop', source: 'router', process: null, host, text: accessLine },
  ])
  expect(
    sorted
      .filter(({ text }) => text.length >= 200)
      .map(({ text }) => text)
      .join(''),
  ).toBe(long)
})

test('a pod that writes while the collector is not there, and one that is gone at once', async () => {
  sink.received.length = 0
  await run({
    ...{ namespace: 'shop', name: 'shop-web-845861952-late1', container: 'shop-web', labels: shop },
    script: 'i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done',
  })
  {
    await using first = await startCollector(args)
    await sink.until(() => sink.texts.includes('line 10'))
    await first.end('SIGKILL')
  }
  await using second = await startCollector(args)
  await sink.until(() => sink.texts.includes('line 499'))
  expect(new Set(sink.texts.filter(text => text.startsWith('line'))).size).toBe(500)
  await run({
    ...{ namespace: 'shop', name: 'shop-run-1-gone1', container: 'shop', labels: { ...shop, type: 'run' } },
    script: 'echo last words',
  })
  await sink.until(() => sink.texts.includes('last words'))
  await api.request('DELETE', '/api/v1/namespaces/shop/pods/shop-run-1-gone1')
  expect(await second.end('SIGTERM')).toBe(0)
})

test('it was let do what it asked for, and may do nothing that it never does', async () => {
  const requests = auditedRequests(api.directory, 'deis', 'deis-collector')
  const grants = await grantsOf((method, path) => api.request(method, path), 'deis', 'deis-collector')
  expect(requests.filter(({ status }) => status === 403)).toEqual([])
  expect(grants.filter(grant => !requests.some(request => covers(grant, request))).map(describeGrant)).toEqual([])
})
