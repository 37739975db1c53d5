import { afterEach, expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import type { Deployment, EndpointSlice, Ingress, IngressClass, Secret, Service } from '#kube/types.ts'
import type { WatchState } from '#kube/watch.ts'
import type { Patch } from '../model/patch.ts'
import type { Problem } from '../model/problem.ts'
import { standardUpstreamSettings } from '../model/upstream-settings.ts'
import { Collection } from './collection.ts'
import { Control } from './control.ts'
import { createSelfSigned } from './self-signed.ts'
import type { NamedService, Source } from './source.ts'
import { World } from './world.ts'

/** A source that a test fills by hand. Each Secret is silent until it is told of. */
class HandSource implements Source {
  readonly services = new Collection<Service>()
  readonly endpointSlices = new Collection<EndpointSlice>()
  readonly workload = new Collection<Deployment>()
  readonly workloadResource = 'deployment'
  readonly ingressList = new Collection<Ingress>()
  readonly classList = new Collection<IngressClass>()
  ingresses: Collection<Ingress> | null = null
  ingressClasses: Collection<IngressClass> | null = null
  namedServices: readonly NamedService[] = []
  readonly refusedWatches = new Set<string>()
  readonly secrets = new Map<string, Collection<Secret>>()
  /** Secrets that are followed now, and those followed ever, by `NAMESPACE/NAME`. */
  readonly following = new Set<string>()
  readonly followed: string[] = []
  readonly found: Problem[] = []

  secret(namespace: string, name: string) {
    const key = `${namespace}/${name}`
    return { changes: (signal: AbortSignal) => this.#follow(key, signal) }
  }

  listenSecret() {
    return null
  }

  async *#follow(key: string, signal: AbortSignal) {
    this.following.add(key)
    this.followed.push(key)
    try {
      yield* this.named(key).changes(signal)
    } finally {
      this.following.delete(key)
    }
  }

  named(key: string): Collection<Secret> {
    const collection = this.secrets.get(key) ?? new Collection<Secret>()
    this.secrets.set(key, collection)
    return collection
  }

  watchStates: readonly WatchState[] = []

  states(): readonly WatchState[] {
    return this.watchStates
  }

  refused(): ReadonlySet<string> {
    return this.refusedWatches
  }

  problems(): readonly Problem[] {
    return this.found
  }

  /** Switches Ingresses on. */
  withIngresses(): void {
    this.ingresses = this.ingressList
    this.ingressClasses = this.classList
  }

  /** Everything but Secrets that are not the router's own. */
  fill(...services: readonly Service[]): void {
    this.services.replace(services)
    this.endpointSlices.replace([])
    this.workload.replace([])
    this.named(platform).replace([])
    this.named(dhParameters).replace([])
    this.named(ticketKeys).replace([])
  }
}

const platform = 'deis/deis-router-platform-cert'
const dhParameters = 'deis/deis-router-dhparam'
const ticketKeys = 'deis/deis-router-ticket-keys'
const controls: Control[] = []
afterEach(() => Promise.all(controls.splice(0).map(control => control.stop())))

const className = 'deis'
const ingressClass: IngressClass = {
  metadata: { name: className },
  spec: { controller: 'router.deis.io/ingress-controller' },
}

function ingress(name: string): Ingress {
  const path = { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }
  return {
    metadata: { name, namespace: 'shop' },
    spec: { ingressClassName: className, rules: [{ host: `${name}.example.com`, http: { paths: [path] } }] },
  }
}

function bench(prepare: (source: HandSource) => void = () => {}, refuse: (patch: Patch) => void = () => {}) {
  const source = new HandSource()
  prepare(source)
  const patches: Patch[] = []
  const logged: Record<string, unknown>[] = []
  let wake = (): void => {}
  const control = new Control({
    source,
    world: new World({ namespace: 'deis', now: Date.now }),
    publish: patch => {
      refuse(patch)
      patches.push(patch)
      wake()
    },
    log: createLogger({ destination: { write: line => void logged.push(JSON.parse(line)) } }),
  })
  controls.push(control)
  control.start()
  /** Resolves when `count` patches have been published. */
  const published = async (count: number): Promise<Patch> => {
    while (patches.length < count)
      await new Promise<void>(resolve => {
        wake = resolve
      })
    return patches[count - 1]!
  }
  return { source, control, patches, published, logged }
}

function service(name: string, annotations: Record<string, string> = {}): Service {
  return {
    metadata: {
      name,
      namespace: 'shop',
      labels: { 'router.deis.io/routable': 'true' },
      annotations: { 'router.deis.io/domains': `${name}.example.com`, ...annotations },
    },
    spec: { ports: [{ name: 'http', port: 80 }] },
  }
}

function withCertificate(name: string, certificate: string): Service {
  return service(name, { 'router.deis.io/certificates': `${name}.example.com:${certificate}` })
}

const pair = createSelfSigned(Date.now())
function secret(name: string): Secret {
  return {
    metadata: { name, namespace: 'shop' },
    data: {
      'tls.crt': Buffer.from(pair.chain).toString('base64'),
      'tls.key': Buffer.from(pair.key).toString('base64'),
    },
  }
}

const certificates = (patch: Patch) =>
  patch.routes.upserts.map(({ serverName, certificate }) => `${serverName} ${certificate}`)

async function until(done: () => boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !done(); ) {
    if (Date.now() > end) throw new Error('it did not happen')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

test('nothing is published before all has been heard; then the whole world at once', async () => {
  const { source, control, patches, published } = bench()
  expect(control.waitingFor()).toEqual(['services', 'endpointslices', 'deployment'])
  source.services.replace([withCertificate('web', 'web')])
  source.endpointSlices.replace([])
  await until(() => control.waitingFor().length === 1)
  expect(control.waitingFor()).toEqual(['deployment'])
  source.workload.replace([])
  await until(() => source.following.size === 4)
  const secrets = [dhParameters, platform, ticketKeys, 'shop/web-cert']
  expect(control.waitingFor().toSorted()).toEqual(secrets.map(key => `secret ${key}`))
  source.named(platform).replace([])
  source.named(dhParameters).replace([])
  source.named(ticketKeys).replace([])
  expect(patches).toEqual([])
  source.named('shop/web-cert').replace([secret('web-cert')])
  const first = await published(1)
  expect(first.reset).toBe(true)
  expect(certificates(first)).toEqual(['web.example.com shop/web-cert'])
  expect([control.synced, control.waitingFor()]).toEqual([true, []])
})

test('after that, changes are small', async () => {
  const { source, published } = bench()
  source.fill(service('one'))
  await published(1)
  source.services.replace([service('one'), service('two')])
  const second = await published(2)
  expect(second.reset).toBe(false)
  expect(certificates(second)).toEqual(['two.example.com null'])
})

test('a burst is one patch', async () => {
  const { source, published, patches } = bench()
  source.fill()
  await published(1)
  for (let count = 1; count <= 20; count++)
    source.services.replace(Array.from({ length: count }, (_, index) => service(`app-${index}`)))
  expect((await published(2)).routes.upserts).toHaveLength(20)
  expect(patches).toHaveLength(2)
})

test('a Secret that is refused does not keep the router from being ready', async () => {
  const { source, published, control } = bench()
  source.found.push({
    code: 'forbidden',
    severity: 'error',
    object: { kind: 'Secret', namespace: 'shop', name: 'web-cert' },
    message: 'a Role is missing',
  })
  source.fill(withCertificate('web', 'web'))
  expect(certificates(await published(1))).toEqual(['web.example.com null'])
  expect(control.problems().map(({ code }) => code)).toContain('forbidden')
})

test('a Secret that says nothing keeps it so for some seconds only', async () => {
  const { source, published, logged } = bench()
  source.fill(withCertificate('web', 'web'))
  expect(certificates(await published(1))).toEqual(['web.example.com null'])
  expect(logged).toContainEqual(
    expect.objectContaining({ message: 'going on without these Secrets', secrets: ['shop/web-cert'] }),
  )
})

test('a host that changes its certificate has one all the time', async () => {
  const { source, published } = bench()
  source.fill(withCertificate('web', 'old'))
  source.named('shop/old-cert').replace([secret('old-cert')])
  expect(certificates(await published(1))).toEqual(['web.example.com shop/old-cert'])
  source.services.replace([withCertificate('web', 'new')])
  await until(() => source.following.has('shop/new-cert'))
  source.named('shop/new-cert').replace([secret('new-cert')])
  expect(certificates(await published(2))).toEqual(['web.example.com shop/new-cert'])
  expect(source.following).toEqual(new Set([platform, dhParameters, ticketKeys, 'shop/new-cert']))
})

test('a Secret that does not come holds a change back for a moment only', async () => {
  const { source, published } = bench()
  source.fill()
  await published(1)
  source.services.replace([withCertificate('web', 'missing'), service('other')])
  expect(certificates(await published(2)).sort()).toEqual(['other.example.com null', 'web.example.com null'])
})

test('a Secret is followed while somebody names it', async () => {
  const { source, published } = bench()
  source.fill(withCertificate('web', 'web'))
  source.named('shop/web-cert').replace([secret('web-cert')])
  await published(1)
  expect(source.following).toContain('shop/web-cert')
  source.services.replace([])
  await published(2)
  await until(() => !source.following.has('shop/web-cert'))
})

test('thousands of Secrets begin a few at a time', async () => {
  const { source, published, control } = bench()
  const names = Array.from({ length: 200 }, (_, index) => `app-${index}`)
  source.fill(...names.map(name => withCertificate(name, name)))
  await until(() => source.followed.length > 1)
  let most = 0
  while (!control.synced) {
    const silent = [...source.following].filter(key => source.secrets.get(key)?.synced === false)
    most = Math.max(most, silent.length)
    for (const key of silent) source.named(key).replace([])
    await new Promise(resolve => setImmediate(resolve))
  }
  expect(most).toBeLessThanOrEqual(16)
  expect((await published(1)).routes.upserts).toHaveLength(200)
  expect(new Set(source.followed).size).toBe(203)
})

test('the first publication waits for all certificates to be checked, which takes more than one step', async () => {
  const count = 300
  const { source, published } = bench()
  const apps = Array.from({ length: count }, (_, index) => `app-${index}`)
  for (const name of apps) source.named(`shop/${name}-cert`).replace([secret(`${name}-cert`)])
  source.fill(...apps.map(name => withCertificate(name, name)))
  const first = await published(1)
  expect(first.routes.upserts.filter(({ certificate }) => certificate !== null)).toHaveLength(count)
})

test('a problem is logged when it appears and when it is solved, once each', async () => {
  const { source, published, logged, control } = bench()
  const about = () =>
    logged.filter(({ kind }) => kind === 'Service').map(({ level, code, message }) => `${level} ${code} ${message}`)
  source.fill(service('web', { 'router.deis.io/maintenance': 'maybe' }))
  await published(1)
  expect(about()).toEqual([expect.stringMatching(/^warn invalid-annotation /)])
  expect(control.problems()).toHaveLength(1)
  source.services.replace([
    service('web', { 'router.deis.io/maintenance': 'maybe', 'router.deis.io/domains': 'b.example.com' }),
  ])
  await published(2)
  source.services.replace([service('web')])
  await published(3)
  expect(about()).toEqual([expect.stringMatching(/^warn invalid-annotation /), 'info invalid-annotation solved'])
  expect(control.problems()).toEqual([])
})

test('a watch that fails begins again', async () => {
  const { source, published, logged } = bench(source => {
    const follow = source.services.changes.bind(source.services)
    let calls = 0
    source.services.changes = signal => {
      if (calls++ === 0) throw new Error('a fault')
      return follow(signal)
    }
  })
  source.fill(service('web'))
  expect((await published(1)).routes.upserts).toHaveLength(1)
  expect(logged.filter(({ message }) => message === 'a watch failed and begins again')).toHaveLength(1)
})

for (const turn of [1, 2])
  test(`when publication ${turn} fails, the whole world is published the next time`, async () => {
    let calls = 0
    const { source, published, logged } = bench(undefined, () => {
      if (++calls === turn) throw new Error('a fault')
    })
    source.fill(service('web'))
    if (turn === 2) {
      await published(1)
      source.services.replace([service('web'), service('other')])
    }
    const patch = await published(turn)
    expect(patch.reset).toBe(true)
    expect(patch.routes.upserts).toHaveLength(turn)
    expect(logged.filter(({ level }) => level === 'error')).toMatchObject([
      { message: 'a change could not be put into force' },
    ])
  })

test('a watch that cannot connect is logged, before anything was published too', async () => {
  const { source, logged } = bench()
  const counts = { events: 0, relists: 0, reconnects: 0 }
  source.watchStates = [{ resource: 'services', connected: false, synced: false, ...counts, lastError: 'ECONNREFUSED' }]
  await until(() => logged.length > 0)
  expect(logged).toMatchObject([{ level: 'warn', watch: 'services', reason: 'ECONNREFUSED' }])
})

test('Ingresses are waited for as well, where they are switched on', async () => {
  const { source, control, published } = bench(source => source.withIngresses())
  expect(control.waitingFor()).toContain('ingresses')
  source.fill()
  source.classList.replace([ingressClass])
  await until(() => control.waitingFor().length === 1)
  expect(control.waitingFor()).toEqual(['ingresses'])
  source.ingressList.replace([ingress('blog')])
  expect((await published(1)).routes.upserts.map(({ serverName }) => serverName)).toEqual(['blog.example.com'])
})

test('Ingresses that we may not read keep Services waiting for some seconds only, and are served once we may', async () => {
  const { source, published, logged, control } = bench(source => {
    source.withIngresses()
    source.refusedWatches.add('ingresses').add('ingressclasses')
  })
  source.fill(service('web'))
  expect((await published(1)).routes.upserts).toHaveLength(1)
  expect(logged).toContainEqual(expect.objectContaining({ watches: ['ingressclasses', 'ingresses'] }))
  expect(control.synced).toBe(true)
  source.ingressList.replace([ingress('blog')])
  source.classList.replace([ingressClass])
  expect((await published(2)).routes.upserts.map(({ serverName }) => serverName)).toEqual(['blog.example.com'])
})

test('a Service that is followed by its name is the builder', async () => {
  const builders = new Collection<Service>()
  const slices = new Collection<EndpointSlice>()
  const { source, published } = bench(source => {
    source.namedServices = [{ namespace: 'deis', name: 'deis-builder', services: builders, endpointSlices: slices }]
  })
  source.fill()
  builders.replace([{ metadata: { name: 'deis-builder', namespace: 'deis' }, spec: { ports: [{ port: 2222 }] } }])
  slices.replace([
    {
      metadata: { name: 'b', namespace: 'deis', labels: { 'kubernetes.io/service-name': 'deis-builder' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.0.0.9'] }],
      ports: [{ port: 2223 }],
    },
  ])
  const first = await published(1)
  expect(first.builder?.upstream).toBe('deis/deis-builder:2222')
  expect(first.upstreams.upserts).toEqual([
    {
      id: 'deis/deis-builder:2222',
      endpoints: [{ address: '10.0.0.9', port: 2223 }],
      settings: standardUpstreamSettings,
    },
  ])
  builders.replace([])
  expect((await published(2)).builder).toBeNull()
})

test('stopping ends every watch', async () => {
  const { source, published, control, patches } = bench()
  source.fill(service('web'))
  await published(1)
  source.services.replace([])
  await control.stop()
  expect(source.following.size).toBe(0)
  source.services.replace([service('later')])
  await new Promise(resolve => setImmediate(resolve))
  expect(patches.length).toBeLessThanOrEqual(1)
})
