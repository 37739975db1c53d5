// Whatever somebody writes into an object costs that object at most: all keys of sections 4 to 6 and all fields of an
// Ingress, with values that are right, nearly right, hostile, huge. The translation is the real one; the routes go
// into a real table.

import { expect, test } from 'vitest'
import type { Deployment, EndpointSlice, Ingress, IngressClass, Secret, Service } from '#kube/types.ts'
import { makePair, makeSecret } from '#router/control/testdata/make-certificate.ts'
import { World } from '#router/control/world.ts'
import { RouteTable } from '#router/data/table/route-table.ts'
import type { Delta, Patch } from '#router/model/patch.ts'
import type { Problem } from '#router/model/problem.ts'
import type { Route } from '#router/model/route.ts'
import type { Upstream } from '#router/model/upstream.ts'
import { ourController } from './given.ts'

const seed = 20261122
const now = Date.UTC(2026, 5, 1)
const longestMessage = 1024

/** Mulberry32: the same numbers everywhere. */
function generator(state: number): () => number {
  let at = state
  return () => {
    at = (at + 0x6d2b79f5) | 0
    let t = Math.imul(at ^ (at >>> 15), 1 | at)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

type Random = () => number

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!
}

type Kind =
  | 'bool'
  | 'int'
  | 'duration'
  | 'size'
  | 'enum'
  | 'cidrs'
  | 'domains'
  | 'domain'
  | 'map'
  | 'words'
  | 'text'
  | 'paths'
  | 'regex'

/** Right, or right but for a detail. */
const plausible: Readonly<Record<Kind, readonly string[]>> = {
  bool: ['true', 'false', 'True', 'FALSE', 'tru', '1', 'yes', ' true', 'true\n'],
  int: [
    '1',
    '4',
    '512',
    '0',
    '-1',
    '01',
    '1.5',
    '1e3',
    '2147483647',
    '2147483648',
    '9007199254740993',
    '18446744073709551616',
    '٣',
    '１２',
  ],
  duration: [
    '1s',
    '10',
    '30s',
    '5m',
    '1h',
    '1d',
    '1w',
    '1M',
    '1y',
    '250ms',
    '0',
    '1h30m',
    '999999999999y',
    '285616415y',
    '9007199254740991ms',
    '1 s',
    '+1s',
  ],
  size: ['1', '4k', '1m', '8K', '2M', '0', '1g', '8796093022207k', '9007199254740992', '4 k', '4kb'],
  enum: [
    'on',
    'off',
    'any',
    'none',
    'extend',
    'override',
    'origin',
    '1.0',
    '1.1',
    'error',
    'debug',
    'Origin',
    'ANY',
    'auto',
    'proxies',
  ],
  cidrs: [
    '10.0.0.0/8',
    '192.0.2.1',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/33',
    '10.0.0.0/8,',
    '1.2.3.4, 5.6.7.8',
    '1.2.3',
    '1.2.3.4/',
    '256.1.1.1',
    '::ffff:1.2.3.4/96',
    'fe80::1%eth0',
    '127.0.0.1/08',
  ],
  domains: [
    'own.fuzz',
    'own-a.fuzz,own-b.fuzz',
    '*.own.fuzz',
    'ownlabel',
    'own_bad.fuzz',
    'own.fuzz,',
    ',',
    '*.com',
    'a.*.fuzz',
    'own.fuzz:80',
    'own.fuzz.',
    'xn--own.fuzz',
    'OWN.Fuzz',
    'own..fuzz',
    '*',
  ],
  domain: ['own.fuzz', 'p.fuzz', 'p', 'p--q.fuzz', 'steady.test', '*.p.fuzz', 'p.f'],
  map: [
    'own.fuzz:own',
    'own.fuzz:own,',
    'own.fuzz : own',
    'own.fuzz:..',
    'own.fuzz:../../deis/x',
    'own.fuzz:own,own.fuzz:two',
    'own.fuzz',
    ':own',
    'own.fuzz:',
  ],
  words: [
    'GET|HEAD',
    'TLSv1.2 TLSv1.3',
    'SSLv3',
    'text/css text/plain',
    'no-cache no-store',
    'msie6',
    'ECDHE-RSA-AES128-GCM-SHA256:!aNULL',
    '[A|B]',
    'shared:x:1m builtin',
    'builtin:0',
    'DEFAULT:@SECLEVEL=0',
  ],
  text: ['$remote_addr "$request"', 'plain', '10.0.0.1', 'app', '', '${', '$', '$http_', '127.0.0.1:80'],
  paths: ['/x', '/x,/y', '/', '//', 'x', '/x?y', '/x#', '/../', '/%2f', '/x,', '/x /y'],
  regex: [
    'ownlabel-\\d+',
    '(ownlabel',
    'ownlabel(a+)+$',
    'ownlabel.*',
    'ownlabel{1,1000}{1,1000}',
    '(?i)ownlabel',
    '(?<n>ownlabel)',
    '(?=ownlabel)',
    'ownlabel\\1',
    '[^',
    '|ownlabel',
    '',
    'ownlabel)|(.*',
  ],
}

const hostile: readonly string[] = [
  '\0',
  'a\0b',
  '\r\nX-Injected: 1',
  '"; } server { listen 1; } #',
  '$\u007bjndi:ldap://x}',
  '{{7*7}}',
  '`id`',
  '$(id)',
  '../../../etc/passwd',
  '<script>alert(1)</script>',
  "' OR 1=1 --",
  '__proto__',
  'constructor',
  'toString',
  '\u202eltr',
  '\ud800',
  '\u212a',
  '\u0130',
  'ａｂｃ',
  '💥',
  '\u2028',
  '   ',
  '\t',
  ',',
  ',,,,,,',
  '-',
  '.',
  '*',
  '*.*',
  'NaN',
  'Infinity',
  '-0',
  '0x10',
  'null',
  'undefined',
  '[object Object]',
  '%00',
  '%s%s%n',
]

const huge: readonly string[] = [
  'x'.repeat(10_000),
  '1'.repeat(5_000),
  ','.repeat(5_000),
  ' '.repeat(5_000),
  'a.'.repeat(3_000),
  '('.repeat(2_000),
  `${'10.0.0.0/8,'.repeat(500)}10.0.0.0/8`,
  `${'d.fuzz,'.repeat(500)}e.fuzz`,
  '/x,'.repeat(500),
]

function valueFor(random: Random, kind: Kind): string {
  const roll = random()
  if (roll < 0.55) return pick(random, plausible[kind])
  if (roll < 0.7) return pick(random, plausible[pick(random, Object.keys(plausible) as Kind[])])
  if (roll < 0.82) return pick(random, hostile)
  if (roll < 0.84) return pick(random, huge)
  const base = pick(random, plausible[kind])
  const at = Math.floor(random() * (base.length + 1))
  switch (Math.floor(random() * 4)) {
    case 0:
      return base.slice(0, at) + pick(random, hostile) + base.slice(at)
    case 1:
      return base.slice(0, at) + base.slice(at + 1)
    case 2:
      return `${base},${pick(random, plausible[kind])}`
    default:
      return base.slice(0, at) + String.fromCharCode(Math.floor(random() * 0x250)) + base.slice(at)
  }
}

const appKeys: readonly (readonly [key: string, kind: Kind])[] = [
  ['domains', 'domains'],
  ['certificates', 'map'],
  ['whitelist', 'cidrs'],
  ['connectTimeout', 'duration'],
  ['tcpTimeout', 'duration'],
  ['maintenance', 'bool'],
  ['ssl.enforce', 'bool'],
  ['ssl.hsts.maxAge', 'int'],
  ['nginx.proxyBuffers.enabled', 'bool'],
  ['nginx.proxyBuffers.number', 'int'],
  ['nginx.proxyBuffers.size', 'size'],
  ['nginx.proxyBuffers.busySize', 'size'],
  ['regexDomain', 'regex'],
  ['disableRequestStartHeader', 'bool'],
  ['referrerPolicy', 'enum'],
  ['proxyDomain', 'domain'],
  ['proxyLocations', 'paths'],
  ['tcellAppID', 'text'],
]

const builderKeys: readonly (readonly [key: string, kind: Kind])[] = [
  ['nginx.connectTimeout', 'duration'],
  ['nginx.tcpTimeout', 'duration'],
]

const routerKeys: readonly (readonly [key: string, kind: Kind])[] = [
  ['workerProcesses', 'int'],
  ['maxWorkerConnections', 'int'],
  ['trafficStatusZoneSize', 'size'],
  ['defaultTimeout', 'duration'],
  ['serverNameHashMaxSize', 'size'],
  ['serverNameHashBucketSize', 'size'],
  ['requestIDs', 'bool'],
  ['requestStartHeader', 'bool'],
  ['gzip.enabled', 'bool'],
  ['gzip.compLevel', 'int'],
  ['gzip.disable', 'words'],
  ['gzip.httpVersion', 'enum'],
  ['gzip.minLength', 'int'],
  ['gzip.proxied', 'words'],
  ['gzip.types', 'words'],
  ['gzip.vary', 'enum'],
  ['brotli.enabled', 'bool'],
  ['brotli.compLevel', 'int'],
  ['zstd.enabled', 'bool'],
  ['zstd.compLevel', 'int'],
  ['bodySize', 'size'],
  ['largeHeaderBuffersCount', 'int'],
  ['largeHeaderBuffersSize', 'size'],
  ['disableServerTokens', 'bool'],
  ['proxyRealIpCidrs', 'cidrs'],
  ['forwardedFrom', 'enum'],
  ['useProxyProtocol', 'bool'],
  ['errorLogLevel', 'enum'],
  ['platformDomain', 'domain'],
  ['enforceWhitelists', 'bool'],
  ['defaultWhitelist', 'cidrs'],
  ['whitelistMode', 'enum'],
  ['defaultServiceEnabled', 'bool'],
  ['defaultServiceIP', 'text'],
  ['defaultAppName', 'text'],
  ['http2Enabled', 'bool'],
  ['logFormat', 'text'],
  ['proxyBuffers.enabled', 'bool'],
  ['proxyBuffers.number', 'int'],
  ['proxyBuffers.size', 'size'],
  ['proxyBuffers.busySize', 'size'],
  ['referrerPolicy', 'enum'],
  ['enableRegexDomains', 'bool'],
  ['loadModsecurityModule', 'bool'],
  ['ssl.enforce', 'bool'],
  ['ssl.protocols', 'words'],
  ['ssl.ciphers', 'words'],
  ['ssl.sessionCache', 'words'],
  ['ssl.sessionTimeout', 'duration'],
  ['ssl.useSessionTickets', 'bool'],
  ['ssl.bufferSize', 'size'],
  ['ssl.earlyDataMethods', 'words'],
  ['ssl.hsts.enabled', 'bool'],
  ['ssl.hsts.maxAge', 'int'],
  ['ssl.hsts.includeSubDomains', 'bool'],
  ['ssl.hsts.preload', 'bool'],
  ['http2MaxHeaderSize', 'text'],
  ['http2MaxFieldSize', 'text'],
  ['loadTcellModule', 'text'],
  ['globalTcellAppID', 'text'],
  ['proxyRealIpCidr', 'text'],
  ['defaultDomain', 'text'],
]

// What is wrong with one may be for another to say: `defaultServiceEnabled` needs two more.
const allRouterKeys = routerKeys.map(([key]) => `router.deis.io/nginx.${key}`)

/** A World with steady objects in it, and what its Patches add up to, in a table like that of a data thread. */
class Cluster {
  readonly world = new World({ namespace: 'deis', now: () => now })
  readonly routes = new Map<string, Route>()
  readonly upstreams = new Map<string, Upstream>()
  readonly certificates = new Map<string, object>()
  readonly #table: RouteTable
  readonly #secrets: ReadonlyMap<string, Secret>
  readonly #told = new Set<string>()
  settings: Patch['settings']

  constructor() {
    this.#table = new RouteTable({ get: id => ({ id, endpoints: [] }) as never })
    const steady = makeSecret('a-steady', 'steady-cert', makePair('steady.test', now + 86_400_000))
    const own = makeSecret('own', 'own-cert', makePair('own.fuzz', now + 86_400_000))
    this.#secrets = new Map([
      ['a-steady/steady-cert', steady],
      ['own/own-cert', own],
    ])
    const { world } = this
    world.workload({ kind: 'reset', objects: [] })
    world.ingressClasses({ kind: 'reset', objects: [ingressClass] })
    world.ingresses({ kind: 'reset', objects: [steadyIngress] })
    world.endpointSlices({ kind: 'reset', objects: [sliceOf('a-steady', 'app'), sliceOf('own', 'app')] })
    world.services({ kind: 'reset', objects: [steadyService] })
    this.settle()
  }

  settle(): void {
    for (let more = true; more; ) {
      const patch = this.world.take()
      more = patch !== null
      if (patch !== null) this.#apply(patch)
      for (const [path, { namespace, name }] of this.world.wantedSecrets()) {
        if (this.#told.has(path)) continue
        this.#told.add(path)
        const object = this.#secrets.get(path)
        const absent = { metadata: { namespace, name } }
        this.world.secret(
          namespace,
          name,
          object === undefined ? { kind: 'delete', object: absent } : { kind: 'upsert', object },
        )
        more = true
      }
      for (const path of [...this.#told]) if (!this.world.wantedSecrets().has(path)) this.#told.delete(path)
      for (const name of this.world.wantedNames()) {
        if (this.#told.has(`name ${name}`)) continue
        this.#told.add(`name ${name}`)
        this.world.externalName(name, null)
        more = true
      }
    }
  }

  #apply(patch: Patch): void {
    if (patch.settings !== undefined) this.settings = patch.settings
    for (const { app, slot } of patch.apps) this.#table.assignSlot(app, slot)
    this.#table.apply(patch.routes)
    merge(this.routes, patch.routes)
    merge(this.upstreams, patch.upstreams)
    merge(this.certificates as Map<string, { readonly id: string }>, patch.certificates)
  }

  /** All that is not of the namespace `own` or nobody's, as text. */
  others(): string {
    const foreign = <T>(map: ReadonlyMap<string, T>): readonly T[] =>
      [...map]
        .filter(([id]) => !isOwn(id))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, one]) => one)
    return JSON.stringify([foreign(this.routes), foreign(this.upstreams), foreign(this.certificates)])
  }

  /** Which app and host the table finds. */
  matches(host: string, path: string): string | null {
    const found = this.#table.matchHost(host, false)
    const route = found === null ? null : (found.everyPath ?? found.paths!.match(path))
    return route === null ? null : `${route.logApp} ${route.logServerName}`
  }

  problemsOf(name: string): readonly Problem[] {
    return this.world.problems().filter(({ object }) => object.name === name)
  }
}

/** Of the namespace that is fuzzed, or the upstream of all rules that go nowhere. */
function isOwn(id: string): boolean {
  return /(^|\/)own\//.test(id) || id === 'nowhere:0'
}

function merge<T extends { readonly id: string }>(map: Map<string, T>, { upserts, deletes }: Delta<T, string>): void {
  for (const id of deletes) map.delete(id)
  for (const one of upserts) map.set(one.id, one)
}

function serviceOf(namespace: string, annotations: Readonly<Record<string, string>>): Service {
  return {
    metadata: { namespace, name: 'app', labels: { 'router.deis.io/routable': 'true' }, annotations },
    spec: { ports: [{ name: 'http', port: 80 }] },
  }
}

function sliceOf(namespace: string, service: string): EndpointSlice {
  return {
    metadata: { namespace, name: `${service}-1`, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'http', port: 5000 }],
  }
}

const steadyService = serviceOf('a-steady', {
  'router.deis.io/domains': 'steady.test,*.steady.test,steadylabel',
  'router.deis.io/certificates': 'steady.test:steady',
  'router.deis.io/whitelist': '10.0.0.0/8',
  'router.deis.io/tcpTimeout': '5s',
})
const ingressClass: IngressClass = { metadata: { name: 'ours' }, spec: { controller: ourController } }
const steadyIngress: Ingress = {
  metadata: { namespace: 'a-steady', name: 'ingress', creationTimestamp: '2020-01-01T00:00:00Z' },
  spec: {
    ingressClassName: 'ours',
    rules: [
      {
        host: 'ingress.test',
        http: {
          paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'app', port: { number: 80 } } } }],
        },
      },
    ],
    tls: [{ hosts: ['ingress.test'], secretName: 'steady-cert' }],
  },
}

/** Of problems with an annotation one of `keys` has to be named. */
function checkProblems(problems: readonly Problem[], keys: readonly string[], context: unknown): void {
  for (const { code, message } of problems) {
    const complain = (what: string): never => {
      throw new Error(`${what}: ${JSON.stringify(message).slice(0, 300)} for ${JSON.stringify(context).slice(0, 500)}`)
    }
    if (message.length > longestMessage) complain(`${message.length} characters`)
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(message)) complain('a control character')
    const isAboutKey = ['invalid-annotation', 'annotation-without-effect', 'not-enforced'].includes(code)
    if (isAboutKey && !keys.some(key => message.includes(key))) complain('no key')
  }
}

function annotationsFrom(
  random: Random,
  prefix: string,
  keys: readonly (readonly [string, Kind])[],
  most: number,
): Record<string, string> {
  const annotations: Record<string, string> = {}
  const count = 1 + Math.floor(random() * most)
  for (let i = 0; i < count; i++) {
    const [key, kind] = pick(random, keys)
    annotations[prefix + key] = valueFor(random, kind)
  }
  return annotations
}

test(`annotations of a Service (seed ${seed})`, { timeout: 60_000 }, () => {
  const random = generator(seed)
  const cluster = new Cluster()
  const before = cluster.others()
  let values = 0
  while (values < 45_000) {
    const annotations: Record<string, string> = {
      'router.deis.io/domains': 'own.fuzz,ownlabel',
      ...annotationsFrom(random, 'router.deis.io/', appKeys, 8),
    }
    values += Object.keys(annotations).length
    cluster.world.services({ kind: 'upsert', object: serviceOf('own', annotations) })
    cluster.settle()
    const context = annotations
    const others = cluster.others()
    // A location on the steady host is what `proxyLocations` is for; everything else is nobody else's business.
    const isGuest = annotations['router.deis.io/proxyDomain']?.includes('steady') === true
    if (!isGuest && others !== before) throw new Error(`others changed with ${JSON.stringify(context).slice(0, 2000)}`)
    if (cluster.matches('steady.test', '/') !== 'a-steady/app steady.test')
      throw new Error(`the steady host is gone with ${JSON.stringify(context).slice(0, 2000)}`)
    checkProblems(cluster.problemsOf('app'), Object.keys(annotations), context)
  }
  cluster.world.services({ kind: 'delete', object: serviceOf('own', {}) })
  cluster.settle()
  expect(cluster.others()).toBe(before)
  expect([...cluster.routes.keys()].filter(id => id.includes('/own/'))).toEqual([])
})

test(`annotations of the builder (seed ${seed + 1})`, { timeout: 60_000 }, () => {
  const random = generator(seed + 1)
  const cluster = new Cluster()
  const before = cluster.others()
  for (let i = 0; i < 2_000; i++) {
    const annotations = annotationsFrom(random, 'router.deis.io/', builderKeys, 2)
    const object: Service = {
      metadata: { namespace: 'deis', name: 'deis-builder', annotations },
      spec: { ports: [{ port: 2222 }] },
    }
    cluster.world.namedService('deis', 'deis-builder', { kind: 'upsert', object })
    cluster.settle()
    const { builder } = cluster.world.whole()
    for (const time of [builder?.connectTimeout, builder?.idleTimeout])
      expect(Number.isSafeInteger(time) && time! > 0).toBe(true)
    checkProblems(cluster.problemsOf('deis-builder'), Object.keys(annotations), annotations)
  }
  cluster.world.namedService('deis', 'deis-builder', {
    kind: 'delete',
    object: { metadata: { namespace: 'deis', name: 'deis-builder' } },
  })
  cluster.settle()
  expect(cluster.world.whole().builder).toBe(null)
  expect(cluster.others()).toBe(before)
})

/** Numbers that a setting must have, whatever was written. */
function checkSettings(settings: NonNullable<Patch['settings']>, context: unknown): void {
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'number' && !(Number.isSafeInteger(value) && value >= 0))
      throw new Error(`${path} is ${value} with ${JSON.stringify(context).slice(0, 500)}`)
    if (value === undefined || (typeof value === 'string' && value.length > 20_000))
      throw new Error(`${path} is ${String(value).slice(0, 50)} with ${JSON.stringify(context).slice(0, 500)}`)
    if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) walk(inner, `${path}.${key}`)
  }
  walk(settings, 'settings')
  if (settings.largeHeaderBuffers.size < 1 || settings.largeHeaderBuffers.count < 1)
    throw new Error('no room for heads')
  if (settings.defaultTimeout < 1) throw new Error('no time')
}

test(`annotations of the router (seed ${seed + 2})`, { timeout: 60_000 }, () => {
  const random = generator(seed + 2)
  const cluster = new Cluster()
  const before = cluster.others()
  let values = 0
  while (values < 35_000) {
    const annotations = annotationsFrom(random, 'router.deis.io/nginx.', routerKeys, 12)
    values += Object.keys(annotations).length
    const object: Deployment = { metadata: { namespace: 'deis', name: 'deis-router', annotations } }
    cluster.world.workload({ kind: 'upsert', object })
    cluster.settle()
    checkSettings(cluster.settings!, annotations)
    checkProblems(cluster.problemsOf('deis-router'), allRouterKeys, annotations)
    if (cluster.matches('steady.test', '/') !== 'a-steady/app steady.test')
      throw new Error(`the steady host is gone with ${JSON.stringify(annotations).slice(0, 2000)}`)
  }
  cluster.world.workload({ kind: 'upsert', object: { metadata: { namespace: 'deis', name: 'deis-router' } } })
  cluster.settle()
  expect(cluster.others()).toBe(before)
})

const odd: readonly unknown[] = [
  null,
  0,
  -1,
  80,
  65_536,
  1.5,
  true,
  '',
  'x',
  [],
  [null],
  {},
  { name: 'app' },
  'app',
  'http',
  '80',
  1e308,
]
const pathTypes = ['Exact', 'Prefix', 'ImplementationSpecific', 'exact', '', 'Regex']

function somehow<T>(random: Random, value: T): T {
  return random() < 0.06 ? (pick(random, odd) as T) : value
}

function ingressFrom(random: Random): Ingress {
  const host = () => somehow(random, valueFor(random, pick(random, ['domains', 'domain', 'cidrs'] as const)))
  const many = <T>(make: () => T): readonly T[] => Array.from({ length: Math.floor(random() * 3) }, make)
  const backend = () =>
    somehow(random, {
      ...(random() < 0.9 && {
        service: somehow(random, {
          name: somehow(random, random() < 0.6 ? 'app' : valueFor(random, 'text')),
          port: somehow(
            random,
            random() < 0.5
              ? { number: somehow(random, pick(random, [80, 0, 65_535, 443])) }
              : { name: somehow(random, valueFor(random, 'text')) },
          ),
        }),
      }),
      ...(random() < 0.1 && { resource: somehow(random, { kind: 'Bucket', name: 'x' }) }),
    })
  const path = () =>
    somehow(random, {
      path: somehow(random, valueFor(random, 'paths')),
      pathType: somehow(random, pick(random, pathTypes)),
      backend: backend(),
    })
  const spec = {
    ingressClassName: somehow(random, 'ours'),
    rules: somehow(
      random,
      many(() => somehow(random, { host: host(), http: somehow(random, { paths: somehow(random, many(path)) }) })),
    ),
    tls: somehow(
      random,
      many(() =>
        somehow(random, {
          hosts: somehow(random, many(host)),
          secretName: somehow(random, random() < 0.5 ? 'own-cert' : valueFor(random, 'text')),
        }),
      ),
    ),
    ...(random() < 0.1 && { defaultBackend: backend() }),
  }
  const metadata = {
    namespace: 'own',
    name: 'fuzzed',
    creationTimestamp: somehow(random, pick(random, ['2026-01-01T00:00:00Z', '2019-01-01T00:00:00Z', 'yesterday', ''])),
    annotations: somehow(random, annotationsFrom(random, 'router.deis.io/', appKeys, 4)),
  }
  return { metadata, spec: somehow(random, spec) } as unknown as Ingress
}

test(`fields of an Ingress (seed ${seed + 3})`, { timeout: 60_000 }, () => {
  const random = generator(seed + 3)
  const cluster = new Cluster()
  cluster.world.services({ kind: 'upsert', object: serviceOf('own', {}) })
  cluster.settle()
  const before = cluster.others()
  for (let i = 0; i < 3_000; i++) {
    const object = ingressFrom(random)
    cluster.world.ingresses({ kind: 'upsert', object })
    cluster.settle()
    if (cluster.others() !== before)
      throw new Error(
        `others changed: ${cluster.others()}\nnot ${before}\nwith ${JSON.stringify(object).slice(0, 3000)}`,
      )
    for (const [host, found] of [
      ['steady.test', 'a-steady/app steady.test'],
      ['ingress.test', 'a-steady/app ingress.test'],
    ] as const)
      if (cluster.matches(host, '/') !== found)
        throw new Error(`${host} is gone with ${JSON.stringify(object).slice(0, 3000)}`)
    checkProblems(cluster.problemsOf('fuzzed'), ['router.deis.io/'], object)
  }
  cluster.world.ingresses({ kind: 'delete', object: { metadata: { namespace: 'own', name: 'fuzzed' } } })
  cluster.settle()
  expect(cluster.others()).toBe(before)
})
