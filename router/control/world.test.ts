import { expect, test } from 'vitest'
import type { Deployment, EndpointSlice, Secret, Service } from '#kube/types.ts'
import { firstAppSlot } from '../model/counters.ts'
import type { Patch } from '../model/patch.ts'
import type { Problem } from '../model/problem.ts'
import { standardUpstreamSettings as settings } from '../model/upstream-settings.ts'
import { makePair, makeSecret } from './testdata/make-certificate.ts'
import { World } from './world.ts'

const start = Date.UTC(2026, 5, 1)
const later = start + 90 * 86_400_000
const empty = { upserts: [], deletes: [] }

const soon = makePair('a.example', start + 10_000)
const good = makePair('a.example', later)
const better = makePair('a.example', later)

/** Under these names `world.secret` below finds its way. */
const certificates = { soon, good, better, broken: { crt: good.crt, key: better.key } } as const

interface ServiceOptions {
  readonly domains?: string
  readonly app?: string
  readonly routable?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly port?: number
}

function service(path: string, { domains, app, routable = 'true', annotations, port = 80 }: ServiceOptions): Service {
  const [namespace, name = ''] = path.split('/')
  return {
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      labels: { 'router.deis.io/routable': routable, ...(app !== undefined && { app }) },
      annotations: {
        ...(domains !== undefined && { 'router.deis.io/domains': domains }),
        ...Object.fromEntries(
          Object.entries(annotations ?? {}).map(([key, value]) => [`router.deis.io/${key}`, value]),
        ),
      },
    },
    spec: { ports: [{ name: 'http', port }] },
  }
}

function slice(path: string, name: string, ...addresses: string[]): EndpointSlice {
  const [namespace = '', serviceName = ''] = path.split('/')
  return {
    metadata: { namespace, name, labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: 'IPv4',
    endpoints: [{ addresses, conditions: { ready: true } }],
    ports: [{ name: 'http', port: 5000 }],
  }
}

function deployment(annotations: Readonly<Record<string, unknown>>): Deployment {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`router.deis.io/nginx.${key}`, value])
  return { metadata: { name: 'deis-router', namespace: 'deis', annotations: Object.fromEntries(prefixed) } }
}

class Fixture {
  time = start
  readonly world = new World({ namespace: 'deis', now: () => this.time })

  put(...objects: readonly (Service | unknown)[]): this {
    for (const object of objects) this.world.services({ kind: 'upsert', object: object as Service })
    return this
  }

  remove(object: Service): this {
    this.world.services({ kind: 'delete', object })
    return this
  }

  slice(object: unknown): this {
    this.world.endpointSlices({ kind: 'upsert', object: object as EndpointSlice })
    return this
  }

  configure(annotations: Readonly<Record<string, unknown>>): this {
    this.world.workload({ kind: 'upsert', object: deployment(annotations) })
    return this
  }

  secret(path: string, what: keyof typeof certificates | 'absent' | 'deleted' | object): this {
    const [namespace = '', name = ''] = path.split('/')
    if (what === 'absent') this.world.secret(namespace, name, { kind: 'reset', objects: [] })
    else if (what === 'deleted') {
      this.world.secret(namespace, name, { kind: 'delete', object: { metadata: { namespace, name } } })
    } else {
      const object = typeof what === 'string' ? makeSecret(namespace, name, certificates[what]) : (what as Secret)
      this.world.secret(namespace, name, { kind: 'upsert', object })
    }
    return this
  }

  take(): Patch {
    const patch = this.world.take()
    if (patch === null) throw new Error('nothing changed')
    return patch
  }

  wanted(): readonly string[] {
    return [...this.world.wantedSecrets().keys()]
  }

  problems(): readonly string[] {
    return this.world.problems().map(({ code, object }) => `${code} ${object.namespace}/${object.name}`)
  }
}

const ids = (items: readonly { readonly id: string }[]) => items.map(({ id }) => id)
const platform = 'deis/deis-router-platform-cert'
const dhParameters = 'deis/deis-router-dhparam'
const ticketKeys = 'deis/deis-router-ticket-keys'

test('the first patch has the default settings, of an empty world as well', () => {
  const { world } = new Fixture()
  expect(world.whole()).toMatchObject({
    version: 0,
    reset: true,
    settings: { defaultTimeout: 1_300_000 },
    routes: empty,
  })
  expect(world.take()).toMatchObject({ version: 1, reset: false, settings: { platformDomain: null }, routes: empty })
  expect(world.take()).toBeNull()
  expect(world.whole()).toMatchObject({ version: 1, reset: true })
})

test('§1 a routable Service becomes a route, an upstream and an app', () => {
  const fixture = new Fixture()
    .slice(slice('shop/web', 'web-1', '10.0.0.1'))
    .put(service('shop/web', { domains: 'a.example' }))
  const patch = fixture.take()
  expect(ids(patch.routes.upserts)).toEqual(['service/shop/web/a.example'])
  expect(patch.upstreams.upserts).toEqual([
    { id: 'shop/web:80', endpoints: [{ address: '10.0.0.1', port: 5000 }], settings },
  ])
  expect(patch.apps).toEqual([{ app: 'shop/web', slot: firstAppSlot }])
  expect(fixture.problems()).toEqual([])
})

for (const routable of ['false', 'True', '']) {
  test(`§1 a Service with routable ${JSON.stringify(routable)} is not routed, and has no Problem`, () => {
    const fixture = new Fixture().put(service('shop/web', { domains: 'a.example', routable }))
    expect(fixture.take()).toMatchObject({ routes: empty, upstreams: empty, apps: [] })
    expect(fixture.problems()).toEqual([])
  })
}

test('§9 a known app without endpoints has an empty upstream', () => {
  const fixture = new Fixture().put(service('shop/web', { domains: 'a.example' }))
  expect(fixture.take().upstreams.upserts).toEqual([{ id: 'shop/web:80', endpoints: [], settings }])
})

test('§1 a Service without port 80 keeps its host and says why nothing answers', () => {
  const fixture = new Fixture()
    .slice(slice('shop/web', 'web-1', '10.0.0.1'))
    .put(service('shop/web', { domains: 'a.example', port: 8080 }))
  expect(fixture.take()).toMatchObject({
    routes: { upserts: [{ id: 'service/shop/web/a.example' }] },
    upstreams: { upserts: [{ id: 'shop/web:80', endpoints: [], settings }] },
  })
  expect(fixture.problems()).toEqual(['no-port shop/web'])
})

test('a change sends what it changes and nothing else', () => {
  const fixture = new Fixture().put(
    service('a/a', { domains: 'a1.example,a2.example' }),
    service('b/b', { domains: 'b.example' }),
  )
  fixture.take()
  const patch = fixture.put(service('a/a', { domains: 'a1.example,a3.example' })).take()
  expect(patch.routes).toMatchObject({
    upserts: [{ id: 'service/a/a/a3.example' }],
    deletes: ['service/a/a/a2.example'],
  })
  expect(patch).toMatchObject({ version: 2, upstreams: empty, certificates: empty, apps: [] })
  expect(patch.settings).toBeUndefined()
})

test('the same objects again change nothing', () => {
  const objects = () => [service('a/a', { domains: 'a.example' }), service('b/b', { domains: 'b.example' })]
  const fixture = new Fixture().put(...objects()).slice(slice('a/a', 'a-1', '10.0.0.1'))
  fixture.take()
  fixture.world.services({ kind: 'reset', objects: objects() })
  fixture.world.endpointSlices({ kind: 'reset', objects: [slice('a/a', 'a-1', '10.0.0.1')] })
  expect(fixture.configure({}).world.take()).toBeNull()
})

test('a reset takes away what it lacks', () => {
  const b = service('b/b', { domains: 'b.example' })
  const fixture = new Fixture().put(service('a/a', { domains: 'a.example' }), b)
  fixture.slice(slice('b/b', 'b-1', '10.0.0.1')).take()
  fixture.world.services({ kind: 'reset', objects: [b] })
  fixture.world.endpointSlices({ kind: 'reset', objects: [] })
  expect(fixture.take()).toMatchObject({
    routes: { upserts: [], deletes: ['service/a/a/a.example'] },
    upstreams: { upserts: [{ id: 'b/b:80', endpoints: [], settings }], deletes: ['a/a:80'] },
  })
})

test('endpoints come and go in a patch of their own', () => {
  const fixture = new Fixture().put(service('a/a', { domains: 'a.example' })).slice(slice('a/a', 'a-1', '10.0.0.1'))
  fixture.take()
  const patch = fixture.slice(slice('a/a', 'a-2', '10.0.0.2')).take()
  expect(patch.upstreams.upserts[0]?.endpoints.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.2'])
  expect(patch).toMatchObject({ routes: empty, certificates: empty })
  fixture.world.endpointSlices({ kind: 'delete', object: slice('a/a', 'a-1') })
  expect(fixture.take().upstreams.upserts[0]?.endpoints.map(({ address }) => address)).toEqual(['10.0.0.2'])
})

test('a slice that changes its Service leaves the old one', () => {
  const fixture = new Fixture().put(service('a/a', { domains: 'a.example' }), service('a/b', { domains: 'b.example' }))
  fixture.slice(slice('a/a', 'x', '10.0.0.1')).take()
  expect(fixture.slice(slice('a/b', 'x', '10.0.0.1')).take().upstreams.upserts).toEqual([
    { id: 'a/a:80', endpoints: [], settings },
    { id: 'a/b:80', endpoints: [{ address: '10.0.0.1', port: 5000 }], settings },
  ])
})

test('endpoints of Services that nobody routes to are no change', () => {
  const fixture = new Fixture()
  fixture.take()
  expect(fixture.slice(slice('a/a', 'a-1', '10.0.0.1')).world.take()).toBeNull()
})

test('§7 the first by namespace and name owns a host; the other says so and takes over', () => {
  const first = service('a/web', { domains: 'x.example' })
  const fixture = new Fixture().put(service('b/web', { domains: 'x.example,y.example' }))
  fixture.take()
  const patch = fixture.put(first).take()
  expect(patch.routes).toMatchObject({
    upserts: [{ id: 'service/a/web/x.example' }],
    deletes: ['service/b/web/x.example'],
  })
  expect(fixture.world.problems()).toMatchObject([
    {
      code: 'host-conflict',
      severity: 'warning',
      object: { kind: 'Service', namespace: 'b', name: 'web' },
      message: 'x.example belongs to Service a/web, which comes first by namespace and name',
    } satisfies Problem,
  ])
  expect(fixture.remove(first).take().routes).toMatchObject({
    upserts: [{ id: 'service/b/web/x.example' }],
    deletes: ['service/a/web/x.example'],
  })
  expect(fixture.problems()).toEqual([])
})

test('§7 a Service that loses all its hosts has no upstream, no app and needs no Secret', () => {
  const annotations = { certificates: 'x.example:web' }
  const fixture = new Fixture()
    .put(service('a/web', { domains: 'x.example' }), service('b/web', { domains: 'x.example', annotations }))
    .slice(slice('b/web', 'b-1', '10.0.0.1'))
  const patch = fixture.take()
  expect(ids(patch.upstreams.upserts)).toEqual(['a/web:80'])
  expect(patch.apps.map(({ app }) => app)).toEqual(['a/web'])
  expect(fixture.wanted()).toEqual([platform, dhParameters, ticketKeys])
  expect(fixture.slice(slice('b/web', 'b-1', '10.0.0.2')).world.take()).toBeNull()
})

test('§8 a route has its certificate once the Secret is whole, and keeps the last good pair', () => {
  const annotations = { certificates: 'a.example:web' }
  const fixture = new Fixture().put(service('shop/web', { domains: 'a.example', annotations }))
  expect(fixture.take().routes.upserts[0]?.certificate).toBeNull()
  expect(fixture.wanted()).toEqual([platform, 'shop/web-cert', dhParameters, ticketKeys])
  expect(fixture.problems()).toEqual([])

  expect(fixture.secret('shop/web-cert', 'absent').world.take()).toBeNull()
  expect(fixture.problems()).toEqual(['certificate-missing shop/web'])

  expect(fixture.secret('shop/web-cert', 'broken').world.take()).toBeNull()
  expect(fixture.problems()).toEqual(['certificate-invalid shop/web-cert'])

  expect(fixture.secret('shop/web-cert', 'good').take()).toMatchObject({
    routes: { upserts: [{ certificate: 'shop/web-cert' }] },
    certificates: { upserts: [{ id: 'shop/web-cert', chain: good.crt, key: good.key, notAfter: later }] },
  })
  expect(fixture.problems()).toEqual([])

  expect(fixture.secret('shop/web-cert', 'broken').world.take()).toBeNull()
  expect(fixture.problems()).toEqual(['certificate-invalid shop/web-cert'])
  expect(fixture.world.problems()[0]?.message).toContain('; the last good pair stays in use')

  const renewed = fixture.secret('shop/web-cert', 'better').take()
  expect(renewed).toMatchObject({ routes: empty, certificates: { upserts: [{ chain: better.crt }], deletes: [] } })
  expect(fixture.problems()).toEqual([])

  expect(fixture.secret('shop/web-cert', 'deleted').take()).toMatchObject({
    routes: { upserts: [{ certificate: null }] },
    certificates: { upserts: [], deletes: ['shop/web-cert'] },
  })
  expect(fixture.problems()).toEqual(['certificate-missing shop/web'])
})

test('§8 the platform certificate serves dotless domains; without it there is no Problem', () => {
  const fixture = new Fixture()
    .configure({ platformDomain: 'p.example' })
    .put(service('shop/web', { domains: 'web,other.p.example' }))
    .secret(platform, 'absent')
  const patch = fixture.take()
  expect(patch.routes.upserts.map(({ certificate }) => certificate)).toEqual([null, null])
  expect(patch.settings?.platformCertificate).toBeNull()
  expect(fixture.problems()).toEqual([])

  const secured = fixture.secret(platform, 'good').take()
  expect(secured).toMatchObject({
    settings: { platformCertificate: platform },
    routes: { upserts: [{ id: 'service/shop/web/web', certificate: platform }], deletes: [] },
    certificates: { upserts: [{ id: platform }] },
  })
  expect(fixture.secret(platform, 'deleted').take()).toMatchObject({
    settings: { platformCertificate: null },
    routes: { upserts: [{ certificate: null }] },
    certificates: { deletes: [platform] },
  })
})

test('a Secret that is no longer wanted is forgotten', () => {
  const annotations = { certificates: 'a.example:web' }
  const fixture = new Fixture().put(service('shop/web', { domains: 'a.example', annotations }))
  fixture.secret('shop/web-cert', 'good').take()
  const before = fixture.world.wantedSecrets()
  expect(fixture.put(service('shop/web', { domains: 'a.example' })).take()).toMatchObject({
    routes: { upserts: [{ certificate: null }] },
    certificates: { upserts: [], deletes: ['shop/web-cert'] },
  })
  expect(fixture.wanted()).toEqual([platform, dhParameters, ticketKeys])
  expect([...before.keys()]).toEqual([platform, 'shop/web-cert', dhParameters, ticketKeys])
  // Wanted again, it has to be told anew.
  expect(fixture.put(service('shop/web', { domains: 'a.example', annotations })).world.take()).toBeNull()
  expect(fixture.wanted()).toEqual([platform, 'shop/web-cert', dhParameters, ticketKeys])
})

test('wantedSecrets is the same Map while nothing changes', () => {
  const fixture = new Fixture()
  fixture.take()
  const before = fixture.world.wantedSecrets()
  fixture.put(service('a/a', { domains: 'a.example' })).take()
  expect(fixture.world.wantedSecrets()).toBe(before)
})

test('a Secret that nobody asked for goes nowhere', () => {
  const fixture = new Fixture().secret('shop/web-cert', 'good').secret('shop/bad-cert', 'broken')
  expect(fixture.take().certificates).toEqual(empty)
  expect(fixture.problems()).toEqual([])
})

test('one Secret for two domains of two Services is there until neither needs it', () => {
  const annotations = { certificates: 'a.example:web,b.example:web' }
  const a = service('shop/a', { domains: 'a.example', annotations })
  const b = service('shop/b', { domains: 'b.example', annotations })
  const fixture = new Fixture().put(a, b).secret('shop/web-cert', 'good')
  fixture.take()
  expect(fixture.remove(a).take().certificates).toEqual(empty)
  expect(fixture.remove(b).take().certificates.deletes).toEqual(['shop/web-cert'])
})

test('a certificate that expires becomes a Problem without any change', () => {
  const annotations = { certificates: 'a.example:web' }
  const fixture = new Fixture().put(service('shop/web', { domains: 'a.example', annotations }))
  fixture.secret('shop/web-cert', 'soon').take()
  expect(fixture.problems()).toEqual([])
  fixture.time += 10_001
  expect(fixture.problems()).toEqual(['certificate-expired shop/web-cert'])
  expect(fixture.world.problemChanges().added).toMatchObject([{ code: 'certificate-expired', since: fixture.time }])
  expect(fixture.world.take()).toBeNull()
  fixture.secret('shop/web-cert', 'good').take()
  expect(fixture.problems()).toEqual([])
})

test('§4 settings change what routes are made of', () => {
  const fixture = new Fixture().put(service('shop/web', { domains: 'web,a.example' }))
  expect(fixture.take().routes.upserts.map(({ host }) => host.kind)).toEqual(['label', 'exact'])
  const patch = fixture.configure({ platformDomain: 'p.example' }).take()
  expect(patch).toMatchObject({
    settings: { platformDomain: 'p.example' },
    routes: { upserts: [{ id: 'service/shop/web/web', host: { kind: 'exact', host: 'web.p.example' } }], deletes: [] },
  })
  fixture.world.workload({ kind: 'reset', objects: [] })
  expect(fixture.take()).toMatchObject({ settings: { platformDomain: null }, routes: { upserts: [{}], deletes: [] } })
})

test('§4 settings that no route depends on send themselves only', () => {
  const fixture = new Fixture().put(service('shop/web', { domains: 'a.example' }))
  fixture.take()
  expect(fixture.configure({ requestIDs: 'true' }).take()).toMatchObject({
    settings: { requestIds: true },
    routes: empty,
  })
})

test('a Deployment of another name or namespace has no say', () => {
  const fixture = new Fixture()
  fixture.take()
  for (const metadata of [
    { name: 'deis-router', namespace: 'other' },
    { name: 'other', namespace: 'deis' },
  ]) {
    const annotations = { 'router.deis.io/nginx.requestIDs': 'true' }
    fixture.world.workload({ kind: 'upsert', object: { metadata: { ...metadata, annotations } } })
  }
  expect(fixture.world.take()).toBeNull()
})

test('one annotation of the Deployment without quotes does not cost the platform domain', () => {
  const fixture = new Fixture().configure({ platformDomain: 'p.example', requestIDs: true })
  expect(fixture.take().settings).toMatchObject({ platformDomain: 'p.example', requestIds: false })
  expect(fixture.problems()).toEqual(['invalid-object deis/deis-router'])
})

const garbage: readonly (readonly [name: string, object: unknown, where: string])[] = [
  ['null', null, '/'],
  ['no name', { metadata: { namespace: 'a' } }, '/'],
  ['a number for a name', { metadata: { name: 3 } }, '/'],
  ['annotations of booleans', { metadata: { name: 'bad', namespace: 'a', annotations: { x: true } } }, 'a/bad'],
  ['labels that are a list', { metadata: { name: 'bad', namespace: 'a', labels: [] } }, 'a/bad'],
  ['ports that are no list', { ...service('a/bad', { domains: 'z.example' }), spec: { ports: 80 } }, 'a/bad'],
]

for (const [name, object, where] of garbage) {
  test(`a Service that cannot be read loses itself only: ${name}`, () => {
    const fixture = new Fixture().put(
      service('b/b', { domains: 'b.example' }),
      service('a/bad', { domains: 'z.example' }),
    )
    fixture.take()
    const isNamed = where !== '/'
    const patch = fixture.put(object).world.take()
    expect(patch?.routes ?? empty).toEqual(isNamed ? { upserts: [], deletes: ['service/a/bad/z.example'] } : empty)
    expect(fixture.problems()).toEqual([`invalid-object ${where}`])
    fixture.world.services({ kind: 'reset', objects: [service('b/b', { domains: 'b.example' })] })
    fixture.world.take()
    expect(fixture.problems()).toEqual([])
    expect(ids(fixture.world.whole().routes.upserts)).toEqual(['service/b/b/b.example'])
  })
}

test('an EndpointSlice that cannot be read loses itself only', () => {
  const fixture = new Fixture().put(service('a/a', { domains: 'a.example' })).slice(slice('a/a', 'a-1', '10.0.0.1'))
  fixture.take()
  const bad = { ...slice('a/a', 'a-2', '10.0.0.2'), endpoints: 'many' }
  expect(fixture.slice(bad).slice(null).world.take()).toBeNull()
  expect(fixture.problems()).toEqual(['invalid-object /', 'invalid-object a/a-2'])
  expect(fixture.slice(slice('a/a', 'a-2', '10.0.0.2')).take().upstreams.upserts[0]?.endpoints).toHaveLength(2)
  expect(fixture.problems()).toEqual(['invalid-object /'])
})

test('a Secret that cannot be read is a broken certificate', () => {
  const annotations = { certificates: 'a.example:web' }
  const fixture = new Fixture().put(service('shop/web', { domains: 'a.example', annotations }))
  fixture.secret('shop/web-cert', { data: 7 }).take()
  expect(fixture.problems()).toEqual(['certificate-invalid shop/web-cert'])
})

test('Services of one app share its row; a new app label is a new row', () => {
  const web = service('shop/web', { domains: 'a.example', app: 'shop' })
  const fixture = new Fixture().put(web, service('shop/api', { domains: 'b.example', app: 'shop' }))
  expect(fixture.take().apps).toEqual([{ app: 'shop', slot: firstAppSlot }])
  const patch = fixture.put(service('shop/web', { domains: 'a.example', app: 'front' })).take()
  expect(patch.apps).toEqual([{ app: 'shop/front', slot: firstAppSlot + 1 }])
  expect(patch.routes.upserts.map(({ app }) => app)).toEqual(['shop/front'])
  expect(fixture.put(web).take().apps).toEqual([])
  expect(fixture.world.whole().apps).toEqual([{ app: 'shop', slot: firstAppSlot }])
})

test('Problems of a Service go with it', () => {
  const object = service('shop/web', { domains: 'a.example', annotations: { maintenance: 'maybe' } })
  const fixture = new Fixture().put(object)
  fixture.take()
  expect(fixture.problems()).toEqual(['invalid-annotation shop/web'])
  fixture.remove(object).take()
  expect(fixture.problems()).toEqual([])
  const { added, removed } = fixture.world.problemChanges()
  expect([added, removed]).toEqual([[], []])
})

test('what is handed out is frozen', () => {
  const fixture = new Fixture()
    .put(service('shop/web', { domains: 'a.example' }))
    .slice(slice('shop/web', 'w', '10.0.0.1'))
  for (const patch of [fixture.take(), fixture.world.whole()]) {
    const { routes, upstreams, apps, settings } = patch
    const [route] = routes.upserts
    const parts = [patch, routes, routes.upserts, route, route?.host, route?.policies, route?.backend, settings, apps]
    expect(parts.every(Object.isFrozen)).toBe(true)
    expect([upstreams, upstreams.upserts[0]?.endpoints[0], apps[0]].every(Object.isFrozen)).toBe(true)
  }
})

test('5,000 Services: a change of one gives a patch about it alone, and costs a fraction of the whole', () => {
  const count = 5000
  const fixture = new Fixture().configure({ platformDomain: 'p.example' })
  const of = (index: number, domains: string) => service(`ns-${index % 50}/web-${index}`, { domains })
  const objects = Array.from({ length: count }, (_, index) => of(index, `app-${index},www.app-${index}.example`))
  const slices = objects.map(({ metadata }) =>
    slice(`${metadata.namespace}/${metadata.name}`, `${metadata.name}-1`, '10.0.0.1'),
  )
  fixture.world.services({ kind: 'reset', objects })
  fixture.world.endpointSlices({ kind: 'reset', objects: slices })
  const began = performance.now()
  const initial = fixture.take()
  const whole = performance.now() - began
  expect(initial.routes.upserts).toHaveLength(2 * count)
  expect(initial.upstreams.upserts).toHaveLength(count)

  const rounds = 100
  const beganChanges = performance.now()
  for (let round = 0; round < rounds; round++) {
    const patch = fixture.put(of(4321, `app-4321,round-${round}.example`)).take()
    expect(ids(patch.routes.upserts)).toEqual([`service/ns-21/web-4321/round-${round}.example`])
    expect(patch.routes.deletes).toHaveLength(1)
    expect([patch.upstreams, patch.certificates, patch.apps]).toEqual([empty, empty, []])
  }
  const one = (performance.now() - beganChanges) / rounds
  // An order of magnitude, in either direction of a busy machine; the measured distance is three.
  expect(one).toBeLessThan(whole / 10)
})

test('the settings of an upstream are those of its Service, whatever leads there, and go with it', () => {
  const fixture = new Fixture().put(
    service('a/a', { domains: 'a.example', annotations: { maxRequests: 'many', loadBalancing: 'round-robin' } }),
  )
  const limits = { ...settings.limits, requests: 100 }
  expect(fixture.take().upstreams.upserts).toEqual([
    { id: 'a/a:80', endpoints: [], settings: { ...settings, balance: { kind: 'round-robin' }, limits } },
  ])
  expect(fixture.world.problems()).toMatchObject([
    { code: 'invalid-annotation', severity: 'error', object: { kind: 'Service', namespace: 'a', name: 'a' } },
  ])
  const { upstreams, routes } = fixture.put(service('a/a', { domains: 'a.example' })).take()
  expect([upstreams.upserts, routes.upserts]).toEqual([[{ id: 'a/a:80', endpoints: [], settings }], []])
  expect(fixture.world.problems()).toEqual([])
})

test('what is wrong with the settings of a Service is said once, and no more when nothing leads there', () => {
  const annotations = { loadBalancing: 'fair' }
  const fixture = new Fixture().put(service('a/a', { domains: 'a.example,b.example', annotations }))
  fixture.take()
  expect(fixture.world.problems()).toHaveLength(1)
  fixture.put(service('a/a', { annotations })).take()
  expect(fixture.world.problems()).toEqual([])
})
