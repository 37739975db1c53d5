// The whole of it: an API server that tells of pods, the kubelet's directory, and a receiver of syslog.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KubeClient } from '#kube/client.ts'
import { FakeApi } from '#kube/fake.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { LogSink } from '#test/support/log-sink.ts'
import { appPod, PodLogs, podObject, type TestPod } from '#test/support/pod-logs.ts'
import { Collector } from './collector.ts'

failOnLeaks()

let directory: string
let api: FakeApi
let sink: LogSink
let logs: PodLogs
let collector: Collector | null = null

const shop = appPod('shop')
const controller: TestPod = { namespace: 'deis', name: 'deis-controller-1-2', labels: { app: 'deis-controller' } }
const router: TestPod = { namespace: 'deis', name: 'deis-router-1-2', labels: { app: 'deis-router' } }

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'collector-'))
  api = await FakeApi.start()
  sink = await LogSink.start()
  logs = new PodLogs(join(directory, 'pods'), api)
})

afterEach(async () => {
  await collector?.stop()
  collector = null
  await sink[Symbol.asyncDispose]()
  await api.close()
  await rm(directory, { recursive: true })
})

async function start(port = sink.port): Promise<Collector> {
  const kubeconfig = await api.kubeconfig(join(directory, 'kubeconfig'))
  collector = await Collector.start(
    {
      kubeconfig,
      node: 'node1',
      pods: logs.root,
      state: join(directory, 'state', 'positions.json'),
      logger: { host: '127.0.0.1', port },
      platformNamespace: 'deis',
      address: '127.0.0.1',
      adminPort: 0,
    },
    { log: pino({ level: 'silent' }), client: await KubeClient.fromKubeconfig(kubeconfig) },
  )
  return collector
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${collector!.adminPort}/metrics`)).text()
  return Number(new RegExp(`^deis_collector_${name} (.*)$`, 'm').exec(text)?.[1])
}

test('who is read, and under which name', async () => {
  const others: TestPod[] = [
    { namespace: 'helm', name: 'helm-1', labels: { app: 'helm' } },
    { ...appPod('elsewhere'), node: 'node2' },
    { namespace: 'deis', name: 'deis-builder-1', labels: { app: 'deis-builder', heritage: 'deis' } },
  ]
  for (const pod of [shop, controller, router, ...others]) logs.create(pod)
  for (const pod of others) await logs.write(pod, 'any', 'not to be read')
  await logs.write({ namespace: 'shop', name: 'unknown' }, 'any', 'not to be read')
  await logs.write(controller, 'deis-controller', '{"level":"info"}', 'WARNING [shop]: restored: Service')
  const accessLine =
    '[2026-05-31T16:56:12+00:00] - shop - 192.0.2.1 - - - 200 - "GET / HTTP/1.1" - 12 - "" - "curl/8" - "shop.example.com" - 10.0.0.1:5000 - shop.example.com - 0.012 - 0.013'
  await logs.write(router, 'deis-router', accessLine)
  await logs.write(shop, 'shop-web', 'hello')
  await start()
  await sink.until(() => sink.received.length >= 3)
  expect(sink.received.toSorted((a, b) => (a.source! < b.source! ? -1 : 1))).toEqual([
    { app: 'shop', source: 'app', process: 'web.v2.nzf60', host: 'node1', text: 'hello' },
    { app: 'shop', source: 'controller', process: null, host: 'node1', text: 'WARNING restored: Service' },
    { app: 'shop', source: 'router', process: null, host: 'node1', text: accessLine },
  ])
  expect(await metric('containers')).toBe(3)
  expect(await metric('unattributed_lines_total')).toBe(1)
  expect(await metric('lines_total{source="app"}')).toBe(1)
  const asked = api.requests.map(({ method, path, query }) => `${method} ${path} ${query.fieldSelector}`)
  expect(new Set(asked)).toEqual(new Set(['GET /api/v1/pods spec.nodeName=node1']))
})

test('pods that come, write, are rotated, and go', async () => {
  await start()
  logs.create(shop)
  await logs.write(shop, 'web', 'one')
  await sink.until(() => sink.texts.includes('one'))
  await logs.rotate(shop, 'web', '20261129-043445')
  await logs.write(shop, 'web', 'two')
  await logs.write(shop, 'sidecar', 'three')
  await sink.until(() => sink.texts.includes('two') && sink.texts.includes('three'))
  await logs.write(shop, 'web', 'last words')
  api.delete({ apiVersion: 'v1', plural: 'pods', namespace: 'shop', name: shop.name })
  await sink.until(() => sink.texts.includes('last words'))
  await logs.remove(shop)
  while ((await metric('containers')) > 1) await new Promise(resolve => setImmediate(resolve))
  expect(sink.texts).toEqual([...new Set(sink.texts)])
})

test('files that are there before the API server is', async () => {
  logs.create(shop)
  await logs.write(shop, 'web', 'one')
  api.goAway()
  await start()
  await sink.until(() => sink.connections === 1)
  api.comeBack()
  await sink.until(() => sink.texts.includes('one'))
})

test('a pod that loses its labels is not read any more', async () => {
  logs.create(shop)
  await logs.write(shop, 'web', 'one')
  await start()
  await sink.until(() => sink.texts.includes('one'))
  api.update({ ...podObject(shop), metadata: { ...podObject(shop).metadata, labels: { app: 'shop' } } })
  while ((await metric('containers')) > 0) await new Promise(resolve => setImmediate(resolve))
})

test('a stop and a start: nothing twice, nothing lost', async () => {
  logs.create(shop)
  await logs.write(shop, 'web', 'one')
  const first = await start()
  await sink.until(() => sink.texts.includes('one'))
  await first.stop()
  const kept = JSON.parse(await readFile(join(directory, 'state', 'positions.json'), 'utf8'))
  expect(Object.keys(kept.containers)).toEqual([logs.directory(shop, 'web').slice(logs.root.length + 1)])
  await logs.write(shop, 'web', 'two')
  await logs.rotate(shop, 'web', '20261129-043445')
  await logs.write(shop, 'web', 'three')
  await start()
  await sink.until(() => sink.texts.includes('three'))
  expect(sink.texts).toEqual(['one', 'two', 'three'])
})

test('a logger that is away: it goes on from the files', async () => {
  logs.create(shop)
  const { port } = sink
  await sink[Symbol.asyncDispose]()
  await logs.write(shop, 'web', 'one')
  await start(port)
  await logs.write(shop, 'web', 'two')
  await logs.rotate(shop, 'web', '20261129-043445')
  await logs.write(shop, 'web', 'three')
  sink = await LogSink.start(port)
  await sink.until(() => sink.texts.includes('three'))
  expect(sink.texts).toEqual(['one', 'two', 'three'])
})

test('a connection that breaks: lines may come twice, and none is left out', async () => {
  logs.create(shop)
  await start()
  const texts = Array.from({ length: 20_000 }, (_, index) => `line ${index} ${'x'.repeat(100)}`)
  for (let at = 0; at < texts.length; at += 1_000) {
    await logs.write(shop, 'web', ...texts.slice(at, at + 1_000))
    if (at % 5_000 === 0) {
      await sink.until(() => sink.received.length > 0)
      sink.reset()
    }
  }
  await sink.until(() => sink.received.at(-1)?.text === texts.at(-1))
  expect(new Set(texts).difference(new Set(sink.texts))).toEqual(new Set())
  expect(sink.connections).toBeGreaterThan(1)
})

test('one that writes much does not keep others waiting, and a deaf logger costs no memory', async () => {
  const noisy = appPod('noisy')
  logs.create(noisy)
  logs.create(shop)
  const line = 'y'.repeat(1_000)
  const count = 20_000
  await logs.write(noisy, 'web', ...Array.from({ length: count }, () => line))
  sink.isDeaf = true
  await start()
  await sink.until(() => sink.connections === 1)
  // As much as the kernel takes for both sides, and what may wait here. The collector runs in this process: it has had many
  // turns when it was asked so often and has sent nothing.
  let sent = 0
  for (let looks = 0; looks < 50; ) {
    const now = await metric('sent_bytes_total')
    looks = now > 0 && now === sent ? looks + 1 : 0
    sent = now
  }
  expect(sent).toBeLessThan(count * line.length * 0.9)
  await logs.write(shop, 'web', 'quiet')
  sink.isDeaf = false
  const place = (): number => sink.received.findIndex(({ app }) => app === 'shop')
  await sink.until(() => place() >= 0)
  expect(place()).toBeLessThan(count)
  await sink.until(() => sink.received.length === count + 1)
})
