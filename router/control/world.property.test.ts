// Whatever comes in, in whatever order: the Patches add up to what a fresh World makes of the final objects.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Deployment, EndpointSlice, Ingress, IngressClass, Secret, Service } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { Builder, Delta, Patch } from '../model/patch.ts'
import { claimKey } from './claims.ts'
import { makePair, makeSecret } from './testdata/make-certificate.ts'
import { World } from './world.ts'

const now = Date.UTC(2026, 5, 1)
const pairs = [makePair('one.example', now + 86_400_000), makePair('two.example', now + 86_400_000)] as const

/** What the data threads know: Patches applied one after the other, each checked against what it is applied to. */
class Model {
  readonly routes = new Map<string, Patch['routes']['upserts'][number]>()
  readonly upstreams = new Map<string, Patch['upstreams']['upserts'][number]>()
  readonly certificates = new Map<string, Patch['certificates']['upserts'][number]>()
  readonly slots = new Map<string, number>()
  settings: Patch['settings']
  builder: Builder | null = null
  version = 0

  apply(patch: Patch): void {
    expect(patch.version).toBe(this.version + 1)
    expect(patch.reset).toBe(false)
    this.version = patch.version
    if (patch.settings !== undefined) {
      expect(patch.settings).not.toEqual(this.settings)
      this.settings = patch.settings
    }
    if (patch.builder !== undefined) {
      expect(patch.builder).not.toEqual(this.builder)
      this.builder = patch.builder
    }
    merge(this.routes, patch.routes)
    merge(this.upstreams, patch.upstreams)
    merge(this.certificates, patch.certificates)
    for (const { app, slot } of patch.apps) this.slots.set(app, slot)
    this.check()
  }

  check(): void {
    const slots = new Set<string>()
    const certificates = new Map<string, string>()
    for (const { host, path, backend, certificate, app } of this.routes.values()) {
      const slot = `${claimKey(host)} ${path.kind} ${path.path}`
      expect(slots.has(slot)).toBe(false)
      slots.add(slot)
      expect(this.upstreams.has(backend.upstream)).toBe(true)
      expect(this.slots.has(app)).toBe(true)
      if (certificate === null) continue
      expect(this.certificates.has(certificate)).toBe(true)
      expect(certificates.get(claimKey(host)) ?? certificate).toBe(certificate)
      certificates.set(claimKey(host), certificate)
    }
    const upstreams = new Set([...this.routes.values()].map(({ backend }) => backend.upstream as string))
    if (this.builder !== null) upstreams.add(this.builder.upstream)
    expect([...this.upstreams.keys()].sort()).toEqual([...upstreams].sort())
    const apps = new Set([...this.routes.values()].map(({ app }) => app))
    expect(new Set([...apps].map(app => this.slots.get(app))).size).toBe(apps.size)
  }

  /** Without the version and the rows of the counters, which depend on the past. */
  content(): unknown {
    return [
      this.settings,
      this.builder,
      ...[this.routes, this.upstreams, this.certificates].map(map => sorted<{ id: string }>(map.values())),
    ]
  }
}

function sorted<T extends { readonly id: string }>(items: Iterable<T>): readonly T[] {
  return [...items].sort((a, b) => (a.id < b.id ? -1 : 1))
}

function merge<T extends { readonly id: string }>(map: Map<string, T>, { upserts, deletes }: Delta<T, string>): void {
  for (const id of deletes) expect(map.delete(id)).toBe(true)
  for (const item of upserts) {
    expect(deletes).not.toContain(item.id)
    expect(item).not.toEqual(map.get(item.id))
    map.set(item.id, item)
  }
}

type Fact =
  | { readonly kind: 'services'; readonly change: Change<unknown> }
  | { readonly kind: 'slices'; readonly change: Change<unknown> }
  | { readonly kind: 'deployment'; readonly change: Change<unknown> }
  | { readonly kind: 'ingresses'; readonly change: Change<unknown> }
  | { readonly kind: 'classes'; readonly change: Change<unknown> }
  /** Null: the Secret goes. */
  | { readonly kind: 'secret'; readonly path: string; readonly secret: unknown }
  | { readonly kind: 'take' }

const keyOf = (object: unknown): string | null => {
  const { metadata } = (object ?? {}) as { metadata?: { namespace?: unknown; name?: unknown } | null }
  return typeof metadata?.name === 'string' ? `${String(metadata.namespace)}/${metadata.name}` : null
}

/** A cluster, as far as the sources would show it, and a caller that watches the Secrets that World wants. */
class Cluster {
  readonly world = new World({ namespace: 'a', now: () => now, externalNames: true, ingressWithoutClass: true })
  readonly model = new Model()
  readonly services = new Map<string, unknown>()
  readonly slices = new Map<string, unknown>()
  readonly deployments = new Map<string, unknown>()
  readonly ingresses = new Map<string, unknown>()
  readonly classes = new Map<string, unknown>()
  readonly secrets = new Map<string, unknown>()
  /** By watched Secret, what World last took for a good pair. */
  readonly lastGood = new Map<string, unknown>()
  readonly #untaken = new Set<string>()

  tell(fact: Fact): void {
    switch (fact.kind) {
      case 'services':
        track(this.services, fact.change)
        this.world.services(fact.change as Change<Service>)
        return
      case 'slices':
        track(this.slices, fact.change)
        this.world.endpointSlices(fact.change as Change<EndpointSlice>)
        return
      case 'deployment':
        track(this.deployments, fact.change)
        this.world.workload(fact.change as Change<Deployment>)
        return
      case 'ingresses':
        track(this.ingresses, fact.change)
        this.world.ingresses(fact.change as Change<Ingress>)
        return
      case 'classes':
        track(this.classes, fact.change)
        this.world.ingressClasses(fact.change as Change<IngressClass>)
        return
      case 'secret':
        if (fact.secret === null) this.secrets.delete(fact.path)
        else this.secrets.set(fact.path, fact.secret)
        if (this.lastGood.has(fact.path)) this.deliver(fact.path, this.secrets.get(fact.path) ?? null)
        return
      case 'take':
        this.take()
    }
  }

  deliver(path: string, secret: unknown): void {
    const [namespace = '', name = ''] = path.split('/')
    const object = (secret ?? { metadata: { namespace, name } }) as Secret
    this.world.secret(namespace, name, { kind: secret === null ? 'delete' : 'upsert', object })
    this.#untaken.add(path)
  }

  take(): boolean {
    const patch = this.world.take()
    if (patch !== null) this.model.apply(patch)
    for (const path of this.#untaken) {
      const secret = this.secrets.get(path) ?? null
      if (secret === null || isGood(secret)) this.lastGood.set(path, secret)
    }
    this.#untaken.clear()
    const wanted = this.world.wantedSecrets()
    for (const path of [...this.lastGood.keys()]) if (!wanted.has(path)) this.lastGood.delete(path)
    for (const path of wanted.keys()) {
      if (this.lastGood.has(path)) continue
      this.lastGood.set(path, null)
      this.deliver(path, this.secrets.get(path) ?? null)
    }
    return patch !== null || this.#untaken.size > 0 || this.world.unfinished
  }

  settle(): void {
    while (this.take()) {}
  }

  /** What a World makes of the same objects that sees them for the first time, last good pairs first. */
  fresh(): Cluster {
    const fresh = new Cluster()
    fresh.tell({ kind: 'services', change: { kind: 'reset', objects: [...this.services.values()] } })
    fresh.tell({ kind: 'slices', change: { kind: 'reset', objects: [...this.slices.values()] } })
    fresh.tell({ kind: 'deployment', change: { kind: 'reset', objects: [...this.deployments.values()] } })
    fresh.tell({ kind: 'classes', change: { kind: 'reset', objects: [...this.classes.values()] } })
    fresh.tell({ kind: 'ingresses', change: { kind: 'reset', objects: [...this.ingresses.values()] } })
    for (const [path, secret] of this.lastGood) if (secret !== null) fresh.secrets.set(path, secret)
    fresh.settle()
    for (const path of this.lastGood.keys()) {
      fresh.tell({ kind: 'secret', path, secret: this.secrets.get(path) ?? null })
    }
    fresh.settle()
    return fresh
  }

  problems(): readonly string[] {
    return this.world
      .problems()
      .filter(({ object }) => object.name !== '')
      .map(({ code, severity, object, message }) => `${severity} ${code} ${object.namespace}/${object.name} ${message}`)
  }
}

function track(objects: Map<string, unknown>, change: Change<unknown>): void {
  if (change.kind === 'reset') objects.clear()
  for (const object of change.kind === 'reset' ? change.objects : [change.object]) {
    const key = keyOf(object)
    if (key === null) continue
    objects.delete(key)
    if (change.kind !== 'delete') objects.set(key, object)
  }
}

const goodSecrets = new Set<unknown>()
const isGood = (secret: unknown) => goodSecrets.has(secret)

// Few names and hosts, so that they meet.
const namespace = fc.constantFrom('a', 'a-b', 'b')
const name = fc.constantFrom('x', 'y', 'z')
const domain = fc.constantFrom('foo', 'bar', 'foo.p.example', 'foo.example', '*.foo.example')
const domains = fc.oneof(
  { weight: 8, arbitrary: fc.array(domain, { minLength: 1, maxLength: 3 }).map(list => list.join(',')) },
  { weight: 1, arbitrary: fc.constantFrom('', ',', 'foo,', 'foo,b_d') },
)
const certificates = fc.constantFrom('foo.example:one', 'foo.p.example:two', '*.foo.example:one,foo.example:two')
const annotations = fc.record(
  {
    'router.deis.io/domains': domains,
    'router.deis.io/certificates': certificates,
    'router.deis.io/maintenance': fc.constantFrom('true', 'False', 'maybe'),
    'router.deis.io/tcpTimeout': fc.constantFrom('10s', '0'),
    'router.deis.io/regexDomain': fc.constantFrom('foo-\\d+', 'foo-.*', 'foo('),
    'router.deis.io/proxyDomain': fc.constantFrom('foo', 'bar', 'foo.example', '*.foo.example'),
    'router.deis.io/proxyLocations': fc.constantFrom('/x', '/x,/x/y', '/', 'x,/y', ''),
  },
  { requiredKeys: ['router.deis.io/domains'] },
)
const labels = fc.record(
  {
    'router.deis.io/routable': fc.constantFrom(...Array(7).fill('true'), 'false'),
    app: fc.constantFrom('x', 'shop', ''),
  },
  { requiredKeys: ['router.deis.io/routable'] },
)
const creationTimestamp = fc.constantFrom('2025-01-01T00:00:00Z', '2025-02-01T00:00:00Z', 'never')
const plainService = fc.record({
  metadata: fc.record({ namespace, name, creationTimestamp, labels, annotations }),
  spec: fc.record({ ports: fc.constantFrom([{ port: 80 }], [{ name: 'http', port: 80 }], [{ port: 8080 }], []) }),
})
const externalService = fc.record({
  metadata: fc.record({ namespace, name, labels, annotations }),
  spec: fc.record({ type: fc.constant('ExternalName'), externalName: fc.constantFrom('x.example', 'y.example', '') }),
})
const builderService = fc.record({
  metadata: fc.record({
    namespace: fc.constant('a'),
    name: fc.constant('deis-builder'),
    annotations: fc.record(
      { 'router.deis.io/nginx.tcpTimeout': fc.constantFrom('5s', '6s', 'x') },
      { requiredKeys: [] },
    ),
  }),
  spec: fc.record({ ports: fc.constantFrom([{ port: 2222 }], [{ port: 22 }]) }),
})
const goodService = fc.oneof({ weight: 8, arbitrary: plainService }, builderService, externalService)
const goodSlice = fc.record({
  metadata: fc.record({
    namespace,
    name: fc.constantFrom('s', 't'),
    labels: fc.oneof(name, fc.constant('deis-builder')).map(service => ({ 'kubernetes.io/service-name': service })),
  }),
  addressType: fc.constant('IPv4'),
  endpoints: fc.array(
    fc.record({
      addresses: fc.array(fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0'), { minLength: 1, maxLength: 2 }),
      conditions: fc.record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() }),
    }),
    { maxLength: 2 },
  ),
  ports: fc.constantFrom([{ port: 5000 }], [{ name: 'http', port: 5000 }], []),
})
const goodDeployment = fc.record({
  metadata: fc.record({
    namespace: fc.constantFrom('a', 'b'),
    name: fc.constant('deis-router'),
    annotations: fc.record(
      {
        'router.deis.io/nginx.platformDomain': fc.constantFrom('p.example', 'q.example', 'nonsense'),
        'router.deis.io/nginx.ssl.enforce': fc.constantFrom('true', 'false', true as unknown as string),
        'router.deis.io/nginx.requestIDs': fc.constantFrom('true', 'false'),
        'router.deis.io/nginx.enableRegexDomains': fc.constantFrom('true', 'false'),
        'router.deis.io/nginx.hostOwnership': fc.constantFrom('object', 'namespace', 'nobody'),
        'router.deis.io/nginx.hostOwnershipTrusted': fc.constantFrom('', 'b', 'a-b b', 'A'),
        'router.deis.io/nginx.defaultServiceEnabled': fc.constantFrom('true', 'false'),
        'router.deis.io/nginx.defaultServiceIP': fc.constantFrom('192.0.2.1', '192.0.2.2', 'nonsense'),
      },
      { requiredKeys: [] },
    ),
  }),
})

const backend = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      service: fc.record({
        name: fc.oneof(name, fc.constant('deis-builder')),
        port: fc.constantFrom({ number: 80 }, { name: 'http' }, { number: 8080 }, { number: 2222 }),
      }),
    }),
  },
  fc.constantFrom({ resource: { kind: 'Bucket', name: 'b' } }, {}, { service: { name: '?' } }),
)
const ingressHost = fc.constantFrom(
  'foo.example',
  'a.foo.example',
  '*.foo.example',
  'foo.p.example',
  '',
  'b_d',
  undefined,
)
const rule = fc.record({
  host: ingressHost,
  http: fc.record({
    paths: fc.array(
      fc.record({
        path: fc.constantFrom('/', '/x', '/x/', '/x/y', '/.well-known/acme-challenge/t', '//', ''),
        pathType: fc.constantFrom('Prefix', 'Exact', 'ImplementationSpecific'),
        backend,
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
})
const goodIngress = fc.record({
  metadata: fc.record(
    {
      namespace,
      name: fc.constantFrom('i', 'j', 'k'),
      creationTimestamp,
      annotations: fc.record(
        {
          'router.deis.io/maintenance': fc.constantFrom('true', 'maybe'),
          'nginx.ingress.kubernetes.io/use-regex': fc.constant('true'),
          'kubernetes.io/ingress.class': fc.constantFrom('ours', 'theirs'),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['namespace', 'name'] },
  ),
  spec: fc.record(
    {
      ingressClassName: fc.constantFrom('ours', 'ours', 'theirs', 'unknown', ''),
      defaultBackend: backend,
      rules: fc.array(rule, { maxLength: 3 }),
      tls: fc.array(
        fc.record(
          { hosts: fc.subarray(['foo.example', '*.foo.example']), secretName: fc.constantFrom('one-cert', 'two-cert') },
          { requiredKeys: ['secretName'] },
        ),
        { maxLength: 2 },
      ),
    },
    { requiredKeys: ['rules'] },
  ),
})
const goodClass = fc.record({
  metadata: fc.record({ name: fc.constantFrom('ours', 'theirs') }),
  spec: fc.record(
    {
      controller: fc.constantFrom('router.deis.io/ingress-controller', 'router.deis.io/ingress-controller', 'other'),
      parameters: fc.constantFrom({ kind: 'Config', name: 'c' }, 7),
    },
    { requiredKeys: ['controller'] },
  ),
})

const nameless = fc.oneof(
  fc.anything().filter(value => keyOf(value) === null),
  fc.constantFrom({}, { metadata: null }, { metadata: {} }, { metadata: { name: 7, namespace: 'a' } }),
)

/** Objects with a name of `names`, and nonsense in every other place. */
const nonsense = (names: fc.Arbitrary<string>, pathType = 'Prefix') =>
  fc.record(
    {
      metadata: fc.record(
        { namespace, name: names, labels: fc.oneof(labels, fc.anything()), annotations: fc.anything() },
        { requiredKeys: ['namespace', 'name'] },
      ),
      spec: fc.oneof(
        fc.anything(),
        fc.record({ ports: fc.anything() }),
        fc.record(
          {
            ingressClassName: fc.constantFrom('ours', undefined),
            controller: fc.constant('router.deis.io/ingress-controller'),
            defaultBackend: fc.anything(),
            rules: fc.oneof(
              fc.anything(),
              fc.array(fc.record({ host: fc.anything(), http: fc.record({ paths: fc.array(fc.anything()) }) })),
              fc.array(
                fc.record({
                  http: fc.record({
                    paths: fc.array(
                      fc.record({
                        path: fc.oneof(fc.anything(), fc.string()),
                        pathType: fc.constant(pathType),
                        backend: fc.anything(),
                      }),
                    ),
                  }),
                }),
              ),
            ),
            tls: fc.oneof(fc.anything(), fc.array(fc.record({ hosts: fc.anything(), secretName: fc.anything() }))),
          },
          { requiredKeys: [] },
        ),
      ),
      status: fc.anything(),
      addressType: fc.oneof(fc.constant('IPv4'), fc.anything()),
      endpoints: fc.oneof(fc.anything(), fc.array(fc.record({ addresses: fc.anything(), conditions: fc.anything() }))),
      ports: fc.anything(),
    },
    { requiredKeys: ['metadata'] },
  )

/** Classes have no namespace. */
const nonsenseClass = nonsense(fc.constantFrom('ours', 'theirs')).map(({ metadata, ...rest }) => {
  const { namespace: _, ...named } = metadata
  return { ...rest, metadata: named }
})

function changeOf(object: fc.Arbitrary<unknown>): fc.Arbitrary<Change<unknown>> {
  return fc.oneof(
    { weight: 10, arbitrary: object.map(object => ({ kind: 'upsert', object }) as const) },
    { weight: 2, arbitrary: object.map(object => ({ kind: 'delete', object }) as const) },
    {
      weight: 1,
      // A collection has each object once.
      arbitrary: fc
        .uniqueArray(object, { minLength: 2, maxLength: 6, selector: object => keyOf(object) ?? Symbol('nameless') })
        .map(objects => ({ kind: 'reset', objects }) as const),
    },
  )
}

const secretNames = ['one-cert', 'two-cert', 'deis-router-platform-cert']
const secretPath = fc.tuple(namespace, fc.constantFrom(...secretNames)).map(([space, secret]) => `${space}/${secret}`)
const secretFact = fc
  .tuple(
    secretPath,
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('one', 'two', 'one', 'two', 'mixed', 'half', 'gone') },
      fc.anything(),
    ),
  )
  .map(([path, what]): Fact => {
    const [space = '', secretName = ''] = path.split('/')
    const [one, two] = pairs
    const good = what === 'one' ? one : what === 'two' ? two : null
    if (good !== null) {
      const secret = makeSecret(space, secretName, good)
      goodSecrets.add(secret)
      return { kind: 'secret', path, secret }
    }
    if (what === 'gone') return { kind: 'secret', path, secret: null }
    if (what === 'mixed')
      return { kind: 'secret', path, secret: makeSecret(space, secretName, { ...one, key: two.key }) }
    if (what === 'half') return { kind: 'secret', path, secret: makeSecret(space, secretName, { crt: one.crt }) }
    return { kind: 'secret', path, secret: what ?? {} }
  })

const take = fc.constant<Fact>({ kind: 'take' })

function facts(
  services: fc.Arbitrary<unknown>,
  slices: fc.Arbitrary<unknown>,
  deployments: fc.Arbitrary<unknown>,
  ingresses: fc.Arbitrary<unknown>,
  classes: fc.Arbitrary<unknown>,
): fc.Arbitrary<Fact> {
  return fc.oneof(
    { weight: 8, arbitrary: changeOf(services).map((change): Fact => ({ kind: 'services', change })) },
    { weight: 4, arbitrary: changeOf(slices).map((change): Fact => ({ kind: 'slices', change })) },
    { weight: 1, arbitrary: changeOf(deployments).map((change): Fact => ({ kind: 'deployment', change })) },
    { weight: 8, arbitrary: changeOf(ingresses).map((change): Fact => ({ kind: 'ingresses', change })) },
    { weight: 2, arbitrary: changeOf(classes).map((change): Fact => ({ kind: 'classes', change })) },
    { weight: 8, arbitrary: secretFact },
    { weight: 3, arbitrary: take },
  )
}

/** What a World that followed `sequence` says is what one says that only sees where it ends. */
function expectAsFresh(sequence: readonly Fact[]): void {
  const cluster = new Cluster()
  for (const step of sequence) cluster.tell(step)
  cluster.settle()
  const fresh = cluster.fresh()
  expect(cluster.model.content()).toEqual(fresh.model.content())
  expect(cluster.problems()).toEqual(fresh.problems())
  const said = ({ world }: Cluster) => [
    [...world.wantedSecrets().keys()].sort(),
    [...world.wantedNames()].sort(),
    [...world.ingressStatus()].map(({ namespace, name, served }) => `${namespace}/${name} ${served}`).sort(),
  ]
  expect(said(cluster)).toEqual(said(fresh))

  const whole = cluster.world.whole()
  expect(whole.version).toBe(cluster.model.version)
  expect([
    whole.settings,
    whole.builder,
    ...[whole.routes, whole.upstreams, whole.certificates].map(({ upserts }) => sorted<{ id: string }>(upserts)),
  ]).toEqual(cluster.model.content())
  for (const { app, slot } of whole.apps) expect(cluster.model.slots.get(app)).toBe(slot)
}

test('incremental is fresh: any changes, garbage among them', () => {
  const fact = facts(
    fc.oneof({ weight: 12, arbitrary: goodService }, nonsense(name), nameless),
    fc.oneof({ weight: 12, arbitrary: goodSlice }, nonsense(fc.constantFrom('s', 't')), nameless),
    fc.oneof({ weight: 5, arbitrary: goodDeployment }, nonsense(fc.constant('deis-router')), nameless),
    fc.oneof({ weight: 12, arbitrary: goodIngress }, nonsense(fc.constantFrom('i', 'j', 'k')), nameless),
    fc.oneof({ weight: 8, arbitrary: goodClass }, nonsenseClass, nameless),
  )
  fc.assert(fc.property(fc.array(fact, { minLength: 10, maxLength: 60, size: 'max' }), expectAsFresh), {
    numRuns: 250,
    seed: 1,
  })
})

test('incremental is fresh: a few Ingresses and Services that meet on the same hosts', () => {
  const ours = goodIngress.map(({ metadata, spec }) => ({ metadata, spec: { ...spec, ingressClassName: 'ours' } }))
  const fact: fc.Arbitrary<Fact> = fc.oneof(
    { weight: 10, arbitrary: changeOf(ours).map((change): Fact => ({ kind: 'ingresses', change })) },
    { weight: 2, arbitrary: changeOf(plainService).map((change): Fact => ({ kind: 'services', change })) },
    { weight: 1, arbitrary: changeOf(goodClass).map((change): Fact => ({ kind: 'classes', change })) },
    { weight: 3, arbitrary: secretFact },
    { weight: 4, arbitrary: take },
  )
  const first: Fact = {
    kind: 'classes',
    change: {
      kind: 'upsert',
      object: { metadata: { name: 'ours' }, spec: { controller: 'router.deis.io/ingress-controller' } },
    },
  }
  fc.assert(
    fc.property(fc.array(fact, { minLength: 5, maxLength: 40, size: 'max' }), sequence =>
      expectAsFresh([first, ...sequence]),
    ),
    { numRuns: 250, seed: 3 },
  )
})

/** Whose the routes are: of what overlaps nothing is another namespace's. */
function expectOwned({ model }: Cluster): void {
  const owners = new Map<string, string>()
  for (const { id, host, backend } of model.routes.values()) {
    const [kind, namespace = ''] = id.split('/')
    if (kind === 'default-service' || host.kind === 'default') continue
    if (!backend.upstream.startsWith('nowhere')) expect(backend.upstream.split('/')[0]).toBe(namespace)
    expect(owners.get(claimKey(host)) ?? namespace).toBe(namespace)
    owners.set(claimKey(host), namespace)
  }
  for (const [key, namespace] of owners)
    for (const [other, owner] of owners)
      if (key.startsWith('*.') && other.endsWith(key.slice(1)))
        expect([key, other, owner]).toEqual([key, other, namespace])
}

test('incremental is fresh where hosts belong to namespaces, and nobody has a part of what is another’s', () => {
  const ours = goodIngress.map(({ metadata, spec }) => ({ metadata, spec: { ...spec, ingressClassName: 'ours' } }))
  const owned = goodDeployment.map(({ metadata }) => {
    const annotations = { ...metadata.annotations, 'router.deis.io/nginx.hostOwnership': 'namespace' }
    return { metadata: { ...metadata, namespace: 'a', annotations } }
  })
  const change = (kind: 'services' | 'ingresses' | 'deployment', objects: fc.Arbitrary<unknown>) =>
    changeOf(objects).map((change): Fact => ({ kind, change }))
  const fact: fc.Arbitrary<Fact> = fc.oneof(
    { weight: 10, arbitrary: change('ingresses', ours) },
    { weight: 10, arbitrary: change('services', plainService) },
    { weight: 1, arbitrary: change('deployment', goodDeployment) },
    { weight: 3, arbitrary: secretFact },
    { weight: 4, arbitrary: take },
  )
  const upsert = (object: unknown) => ({ kind: 'upsert', object }) as const
  const spec = { controller: 'router.deis.io/ingress-controller' }
  const classes: Fact = { kind: 'classes', change: upsert({ metadata: { name: 'ours' }, spec }) }
  fc.assert(
    fc.property(fc.array(fact, { minLength: 5, maxLength: 40, size: 'max' }), owned, (sequence, settings) => {
      const { 'router.deis.io/nginx.hostOwnershipTrusted': _, ...annotations } = settings.metadata.annotations
      const untrusting = { metadata: { ...settings.metadata, annotations } }
      const deployment = (object: unknown): Fact => ({ kind: 'deployment', change: upsert(object) })
      expectAsFresh([classes, deployment(settings), ...sequence, deployment(settings)])
      const cluster = new Cluster()
      for (const step of [classes, ...sequence, deployment(untrusting)]) cluster.tell(step)
      cluster.settle()
      expectOwned(cluster)
    }),
    { numRuns: 100, seed: 4 },
  )
})

test('garbage never changes what others have', () => {
  const good = facts(goodService, goodSlice, goodDeployment, goodIngress, goodClass)
  const strange = fc.constantFrom('bad', 'worse')
  // A backend that nobody can read keeps its path all the same, and answers 503 there.
  const litter = nonsense(strange, 'Nonsense')
  const garbage: fc.Arbitrary<Fact> = fc.oneof(
    fc
      .tuple(fc.constantFrom('services', 'slices', 'deployment', 'ingresses', 'classes'), fc.oneof(litter, nameless))
      .map(([kind, object]): Fact => ({ kind, change: { kind: 'upsert', object } })),
  )
  const step = fc.oneof(
    { weight: 2, arbitrary: good.map(fact => ({ fact, isGarbage: false })) },
    { weight: 1, arbitrary: garbage.map(fact => ({ fact, isGarbage: true })) },
  )
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), sequence => {
      const clean = new Cluster()
      const littered = new Cluster()
      for (const { fact, isGarbage } of sequence) {
        littered.tell(fact)
        if (!isGarbage) clean.tell(fact)
      }
      clean.settle()
      littered.settle()
      expect(littered.model.content()).toEqual(clean.model.content())
    }),
    { numRuns: 150, seed: 2 },
  )
})
