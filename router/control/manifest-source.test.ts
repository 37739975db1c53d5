import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StartupError } from '#kit/exit.ts'
import type { KubeObject } from '#kube/types.ts'
import type { Change, Watcher } from '#kube/watch.ts'
import { ManifestSource, type ManifestSourceOptions } from './manifest-source.ts'

let directory: string
let source: ManifestSource | null
let stop: AbortController

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'manifests-'))
  source = null
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await source?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

const options = { namespace: 'deis', ingress: false, watchNamespace: null, workload: 'Deployment' } as const

async function open(changed: Partial<ManifestSourceOptions> = {}): Promise<ManifestSource> {
  source = await ManifestSource.open({ ...options, ...changed, directory })
  return source
}

/** Reads changes one by one, as `KIND NAME…`. */
class Following<T extends KubeObject> {
  readonly #changes: AsyncIterator<Change<T>>

  constructor(watcher: Watcher<T>) {
    this.#changes = watcher.changes(stop.signal)[Symbol.asyncIterator]()
  }

  async change(): Promise<Change<T>> {
    const { value, done } = await this.#changes.next()
    if (done) throw new Error('the watch ended')
    return value
  }

  async next(): Promise<string> {
    const change = await this.change()
    const objects = change.kind === 'reset' ? change.objects : [change.object]
    return [change.kind, ...objects.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)].join(' ')
  }
}

function service(name: string, domains = name, extra = ''): string {
  return `apiVersion: v1
kind: Service
metadata:
  name: ${name}
  labels: {router.deis.io/routable: "true"}
  annotations: {router.deis.io/domains: "${domains}"}
${extra}`
}

const write = (name: string, text: string): Promise<void> => writeFile(join(directory, name), text)

/** Problems have no event of their own: asks until the answer is right. */
async function untilProblems(check: (messages: readonly string[]) => boolean): Promise<readonly string[]> {
  for (const end = Date.now() + 10_000; ; ) {
    const messages = source!.problems().map(({ object, message }) => `${object.kind} ${object.name}: ${message}`)
    if (check(messages) || Date.now() > end) return messages
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

test('the first change is a reset with every object of every readable file', async () => {
  await mkdir(join(directory, 'apps/deeper'), { recursive: true })
  await write('a.yaml', `${service('one')}---\n${service('two', 'two', '  namespace: shop\n')}`)
  await write('apps/b.yml', service('three'))
  await write('apps/deeper/c.yaml', service('too-deep'))
  await write('.hidden.yaml', service('hidden'))
  await write('notes.txt', 'not a manifest')
  await write(
    'list.json',
    JSON.stringify({ kind: 'List', items: [{ kind: 'Service', metadata: { name: 'unlabelled' } }] }),
  )
  const { services, endpointSlices, workload } = await open()
  expect(await new Following(services).next()).toBe('reset default/one shop/two default/three')
  expect(await new Following(endpointSlices).next()).toBe('reset')
  expect(await new Following(workload).next()).toBe('reset')
})

test('each reader sees the whole collection, then what changes', async () => {
  await write('a.yaml', service('one'))
  const { services } = await open()
  const first = new Following(services)
  expect(await first.next()).toBe('reset default/one')
  await write('b.yaml', service('two'))
  expect(await first.next()).toBe('upsert default/two')
  const second = new Following(services)
  expect(await second.next()).toBe('reset default/one default/two')
  await rm(join(directory, 'a.yaml'))
  expect(await first.next()).toBe('delete default/one')
  expect(await second.next()).toBe('delete default/one')
})

test('a file that is renamed over tells only of the objects that differ', async () => {
  await write('a.yaml', `${service('one')}---\n${service('two')}`)
  const following = new Following((await open()).services)
  expect(await following.next()).toBe('reset default/one default/two')
  await write('a.yaml.new', `${service('one')}---\n${service('two', 'other')}`)
  await rename(join(directory, 'a.yaml.new'), join(directory, 'a.yaml'))
  const change = await following.change()
  expect(change).toMatchObject({
    kind: 'upsert',
    object: { metadata: { name: 'two', annotations: { 'router.deis.io/domains': 'other' } } },
  })
})

test('a mounted ConfigMap that swaps its link is read again', async () => {
  await mkdir(join(directory, '..v1'))
  await mkdir(join(directory, '..v2'))
  await write('..v1/a.yaml', service('one'))
  await write('..v2/a.yaml', service('one', 'other'))
  await symlink('..v1', join(directory, '..data'))
  await symlink('..data/a.yaml', join(directory, 'a.yaml'))
  const following = new Following((await open()).services)
  expect(await following.next()).toBe('reset default/one')
  await symlink('..v2', join(directory, '..data.new'))
  await rename(join(directory, '..data.new'), join(directory, '..data'))
  expect(await following.change()).toMatchObject({
    kind: 'upsert',
    object: { metadata: { annotations: { 'router.deis.io/domains': 'other' } } },
  })
})

test('a half-written file keeps its last good objects and is a Problem until it is whole', async () => {
  await write('a.yaml', service('one'))
  const following = new Following((await open()).services)
  expect(await following.next()).toBe('reset default/one')
  await write('a.yaml', `${service('one')}  bad: [\n`)
  const [problem] = await untilProblems(messages => messages.length === 1)
  expect(problem).toMatch(/^Manifest a\.yaml: line \d+: it is not YAML: .*; its last good version holds$/)
  await write('a.yaml', service('one', 'again'))
  expect(await following.next()).toBe('upsert default/one')
  expect(await untilProblems(messages => messages.length === 0)).toEqual([])
})

test('an emptied file keeps what it held', async () => {
  await write('a.yaml', service('one'))
  const { services } = await open()
  await write('a.yaml', '')
  await untilProblems(messages => messages.length === 1)
  expect(await new Following(services).next()).toBe('reset default/one')
})

test('a document that is no object leaves the others of its file alone', async () => {
  await write('a.yaml', `${service('one')}---\nkind: Service\nmetadata: {}\n---\njust text\n`)
  const { services } = await open()
  expect(await new Following(services).next()).toBe('reset default/one')
  expect(await untilProblems(messages => messages.length === 2)).toEqual([
    'Manifest a.yaml: line 8: this Service has no metadata.name; it is left out',
    'Manifest a.yaml: line 11: this is no Kubernetes object: it is no mapping; it is left out',
  ])
})

test('of two files with the same object the first name wins', async () => {
  await write('b.yaml', service('one', 'second'))
  await write('a.yaml', service('one', 'first'))
  const { services } = await open()
  expect(await new Following(services).change()).toMatchObject({
    kind: 'reset',
    objects: [{ metadata: { annotations: { 'router.deis.io/domains': 'first' } } }],
  })
  expect(await untilProblems(messages => messages.length === 1)).toEqual([
    'Service one: it is in a.yaml and again in b.yaml; the first one counts',
  ])
})

test('problems never quote the file', async () => {
  await write('a.yaml', 'kind: Secret\nmetadata: {name: x}\nstringData:\n  tls.key: SECRET-TEXT\n SECRET-TEXT: [\n')
  await write('b.json', '{"kind":"Secret","stringData":{"tls.key":"SECRET-TEXT"')
  await write('c.yaml', 'kind: Secret\nmetadata: {name: x}\ndata: *SECRET-TEXT\n')
  await open()
  expect(source!.problems()).toHaveLength(3)
  expect(JSON.stringify(source!.problems())).not.toContain('SECRET-TEXT')
})

test('a file over 4 MB is refused', async () => {
  await write('a.yaml', `${service('one')}# ${'x'.repeat(4 * 1024 * 1024)}\n`)
  const { services } = await open()
  expect(await new Following(services).next()).toBe('reset')
  expect(source!.problems()[0]?.message).toBe('it is larger than 4 MB; nothing holds')
})

test('one Secret, by name', async () => {
  const secret = (value: string) =>
    `kind: Secret\nmetadata: {name: web-cert, namespace: shop}\nstringData: {tls.crt: ${value}}\n`
  await open()
  const following = new Following(source!.secret('shop', 'web-cert'))
  expect(await following.next()).toBe('reset')
  await write('s.yaml', `${secret('one')}---\nkind: Secret\nmetadata: {name: other}\n`)
  expect(await following.change()).toMatchObject({ kind: 'reset', objects: [{ stringData: { 'tls.crt': 'one' } }] })
  expect(source!.states().map(({ resource }) => resource)).toContain('secret *')
  const heard: number[] = []
  const stop = source!.listenSecret('shop', 'web-cert', change => {
    if (change.kind === 'reset') heard.push(change.objects.length)
  })
  expect(heard).toEqual([1])
  // It says what it said before.
  await write('s.yaml', `${secret('one')}---\nkind: Secret\nmetadata: {name: another}\n`)
  await write('t.yaml', 'kind: Secret\nmetadata: {name: last}\n')
  await rm(join(directory, 's.yaml'))
  expect(await following.change()).toEqual({ kind: 'reset', objects: [] })
  expect(heard).toEqual([1, 0])
  stop()
})

test('the Deployment deis-router of our own namespace only', async () => {
  const deployment = (namespace: string, name: string) =>
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}, namespace: ${namespace}}\n---\n`
  await write(
    'a.yaml',
    deployment('other', 'deis-router') + deployment('deis', 'web') + deployment('deis', 'deis-router'),
  )
  const { workload } = await open()
  expect(await new Following(workload).next()).toBe('reset deis/deis-router')
})

test('the DaemonSet deis-router, when that carries the settings', async () => {
  const workload = (kind: string) =>
    `apiVersion: apps/v1\nkind: ${kind}\nmetadata: {name: deis-router, namespace: deis}\n`
  await write('a.yaml', `${workload('Deployment')}---\n${workload('DaemonSet')}`)
  const opened = await open({ workload: 'DaemonSet' })
  expect(await new Following(opened.workload).change()).toMatchObject({ objects: [{ kind: 'DaemonSet' }] })
  expect(opened.states().map(({ resource }) => resource)).toEqual([
    'services',
    'endpointslices',
    'daemonset',
    'secret *',
  ])
})

const platform = `
kind: Service
metadata: {name: deis-builder, namespace: deis}
---
kind: Service
metadata: {name: plain, namespace: shop}
---
kind: Service
metadata: {name: routable, namespace: shop, labels: {router.deis.io/routable: "true"}}
---
kind: Service
metadata: {name: routable, namespace: other, labels: {router.deis.io/routable: "true"}}
---
kind: Ingress
metadata: {name: web, namespace: shop}
---
kind: Ingress
metadata: {name: web, namespace: other}
---
kind: IngressClass
metadata: {name: deis}
`
const scopes: [name: string, changed: Partial<ManifestSourceOptions>, services: string, ingresses: string | null][] = [
  ['without Ingresses: what is routable, and the builder', {}, 'deis/deis-builder shop/routable other/routable', null],
  [
    'with Ingresses: all',
    { ingress: true },
    'deis/deis-builder shop/plain shop/routable other/routable',
    'shop/web other/web',
  ],
  [
    'of one namespace, and the builder',
    { ingress: true, watchNamespace: 'shop' },
    'deis/deis-builder shop/plain shop/routable',
    'shop/web',
  ],
]
for (const [name, changed, services, ingresses] of scopes)
  test(`scope ${name}`, async () => {
    await write('all.yaml', platform)
    const opened = await open(changed)
    expect(await new Following(opened.services).next()).toBe(`reset ${services}`)
    expect(opened.ingresses && (await new Following(opened.ingresses).next())).toBe(ingresses && `reset ${ingresses}`)
    expect(opened.ingressClasses && (await new Following(opened.ingressClasses).next())).toBe(
      ingresses && 'reset /deis',
    )
    expect(opened.states().map(({ resource }) => resource)).toEqual([
      'services',
      'endpointslices',
      'deployment',
      ...(ingresses === null ? [] : ['ingresses', 'ingressclasses']),
      'secret *',
    ])
    expect(opened.problems()).toEqual([])
  })

test('a kind that there is not is a warning', async () => {
  await write('a.yaml', 'apiVersion: networking.k8s.io/v1\nkind: Ingres\nmetadata: {name: web}\n')
  await open()
  expect(source!.problems()).toEqual([
    {
      code: 'invalid-manifest',
      severity: 'warning',
      object: { kind: 'Manifest', namespace: '', name: 'a.yaml' },
      message: 'line 1: there is no kind "Ingres" in networking.k8s.io/v1; it is left out',
    },
  ])
})

test('a directory that vanishes later keeps the last good objects', async () => {
  await write('a.yaml', service('one'))
  const { services } = await open()
  const away = `${directory}-away`
  await rename(directory, away)
  const [problem] = await untilProblems(messages => messages.length === 1)
  expect(problem).toMatch(/^Directory .*cannot be read \(ENOENT\); what it held last stays in force$/)
  expect(await new Following(services).next()).toBe('reset default/one')
  await rename(away, directory)
  expect(await untilProblems(messages => messages.length === 0)).toEqual([])
})

const missing: [name: string, make: () => Promise<string>, message: RegExp][] = [
  ['a missing directory', async () => join(directory, 'nowhere'), /cannot read .*nowhere: ENOENT/],
  [
    'a file in its place',
    async () => {
      await write('file', '')
      return join(directory, 'file')
    },
    /file is not a directory/,
  ],
]
for (const [name, make, message] of missing)
  test(`${name} cannot be started with`, async () => {
    const error: unknown = await ManifestSource.open({ ...options, directory: await make() }).catch(e => e)
    expect(error).toBeInstanceOf(StartupError)
    expect(error).toMatchObject({ exitCode: 64, message: expect.stringMatching(message) })
  })
