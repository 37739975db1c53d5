import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Explanation } from '#kit/explanation.ts'
import type { KubeObject } from '#kube/types.ts'
import { app, ingress, Stage, service, settings, slice, stageTime } from '#test/support/world-stage.ts'
import { certificateId } from './certificate.ts'
import { type ExplainSources, explain, readUrl } from './explain.ts'
import { Published } from './published.ts'
import { createSelfSigned } from './self-signed.ts'
import { makePair } from './testdata/make-certificate.ts'

const later = stageTime + 90 * 86_400_000
const own = createSelfSigned(stageTime)

function sourcesOf(stage: Stage): ExplainSources {
  const published = new Published(own)
  published.publish(stage.world.whole())
  return {
    published,
    contenders: matches => stage.world.contenders(matches),
    endpoints: id => stage.world.endpoints(id),
    problems: () => stage.world.problems(),
    platformCertificate: certificateId('deis', 'deis-router-platform-cert'),
  }
}

/** Services get an endpoint each. */
function staged(...objects: readonly KubeObject[]): Stage {
  const slices = objects
    .filter(({ kind }) => kind === 'Service')
    .map(({ metadata }, index) => slice(`${metadata.namespace}/${metadata.name}`, '', 5000, `10.0.0.${index + 1}`))
  const stage = new Stage().put(...objects, ...slices)
  stage.settle()
  return stage
}

function ask(stage: Stage, url: string): Explanation {
  return explain(readUrl(url)!, sourcesOf(stage))
}

const ref = (kind: string, path: string) => {
  const [namespace = '', name = ''] = path.split('/')
  return { kind, namespace, name }
}

const shop = app('shop/shop', { domains: 'shop.example.com' })

describe('URLs', () => {
  const rows: readonly (readonly [text: string, want: readonly string[] | null])[] = [
    ['http://Shop.Example.com:8080/a?b#c', ['http', 'shop.example.com', '/a', '?b']],
    ['https://shop.example.com.', ['https', 'shop.example.com', '/', '']],
    ['wss://shop.example.com/ws', ['https', 'shop.example.com', '/ws', '']],
    ['shop.example.com/a', ['http', 'shop.example.com', '/a', '']],
    ['http://bücher.example/a/../b c', ['http', 'xn--bcher-kva.example', '/b%20c', '']],
    ['http://[::1]:8080/', ['http', '[::1]', '/', '']],
    ['ftp://shop.example.com/', null],
    ['javascript:alert(1)', null],
    ['', null],
    ['http://', null],
    [`http://a/${'x'.repeat(5000)}`, null],
  ]
  for (const [text, want] of rows)
    test(text.slice(0, 60), () => {
      const read = readUrl(text)
      expect(read === null ? null : [read.scheme, read.host, read.path, read.query]).toEqual(want)
    })

  test('neither name nor password is repeated', () => {
    expect(readUrl('http://alice:secret@shop.example.com/')?.url).toBe('http://shop.example.com/')
  })
})

describe('what answers', () => {
  test('an app: route, upstream, endpoints', () => {
    const { outcome, route, upstream, certificate, others } = ask(staged(shop), 'http://shop.example.com/x')
    expect(outcome).toMatchObject({ kind: 'app', status: null })
    expect(route).toMatchObject({
      id: 'service/shop/shop/shop.example.com',
      object: ref('Service', 'shop/shop'),
      app: 'shop',
      host: 'shop.example.com',
      path: '/',
      https: false,
    })
    expect(upstream).toMatchObject({
      id: 'shop/shop:80',
      total: 1,
      ready: 1,
      endpoints: [{ address: '10.0.0.1:5000', state: 'ready', used: true, far: false }],
    })
    expect([certificate, others]).toEqual([null, []])
  })

  test('endpoints that are not ready are there, and get nothing', () => {
    const stage = new Stage().put(shop, {
      ...slice('shop/shop', '', 5000),
      endpoints: [
        { addresses: ['10.0.0.9'], conditions: { ready: false } },
        { addresses: ['10.0.0.8'], conditions: { ready: false, serving: true, terminating: true } },
        { addresses: ['10.0.0.7'] },
      ],
    } as KubeObject)
    stage.settle()
    const { upstream } = ask(stage, 'http://shop.example.com/')
    expect(upstream).toMatchObject({ total: 3, ready: 1 })
    expect(upstream?.endpoints.map(({ address, state, used }) => [address, state, used])).toEqual([
      ['10.0.0.7:5000', 'ready', true],
      ['10.0.0.8:5000', 'leaving', false],
      ['10.0.0.9:5000', 'not-ready', false],
    ])
  })

  test('nothing: 404, and which hosts are near', () => {
    const { outcome, route, nearest } = ask(staged(shop), 'http://shop.exmaple.com/')
    expect([outcome.kind, outcome.status, route, nearest]).toEqual(['not-found', 404, null, ['shop.example.com']])
  })

  test('/healthz of a host that nobody names is the router’s', () => {
    expect(ask(staged(shop), 'http://10.1.2.3/healthz').outcome).toMatchObject({ kind: 'health', status: 200 })
    expect(ask(staged(shop), 'http://shop.example.com/healthz').outcome).toMatchObject({ kind: 'app' })
  })

  test('the default service', () => {
    const stage = staged(
      shop,
      settings({ defaultServiceEnabled: 'true', defaultServiceIP: '10.9.9.9', defaultAppName: 'catch' }),
    )
    const { outcome, route } = ask(stage, 'http://other.example/')
    expect([outcome.kind, route]).toMatchObject(['app', { object: null, app: 'catch', host: 'default' }])
  })

  test('policies in their order, with their values', () => {
    const stage = staged(
      app('shop/shop', {
        domains: 'shop.example.com',
        'ssl.enforce': 'true',
        whitelist: '10.0.0.0/8,192.0.2.1',
        maxRequests: '5',
        connectTimeout: '7s',
      }),
      settings({ enforceWhitelists: 'true', bodySize: '2m' }),
    )
    const { policies, outcome } = ask(stage, 'http://shop.example.com/a?b=c')
    expect(policies.map(({ kind, effect }) => `${kind} ${effect}`)).toEqual([
      'body-size depends',
      'endpoints passes',
      'enforce-https answers',
      'allow-list depends',
      'limits depends',
      'timeouts depends',
    ])
    expect(policies.map(({ values }) => values)).toMatchObject([
      { octets: 2 * 1024 * 1024 },
      { used: 1 },
      { location: 'https://shop.example.com/a?b=c' },
      { blocks: 2, shown: ['10.0.0.0/8', '192.0.2.1/32'] },
      { requests: 5 },
      { connectTimeout: 7000 },
    ])
    expect(outcome).toMatchObject({ kind: 'redirect', status: 301, location: 'https://shop.example.com/a?b=c' })
  })

  const outcomes: readonly (readonly [string, Readonly<Record<string, string>>, string, number])[] = [
    ['maintenance', { maintenance: 'true' }, 'maintenance', 503],
    ['an empty allow list', { whitelist: 'nonsense' }, 'refused', 403],
    ['client certificates on plain HTTP', { 'clientCertificates.secret': 'ca' }, 'refused', 403],
  ]
  for (const [name, annotations, kind, status] of outcomes)
    test(name, () => {
      const { outcome } = ask(
        staged(app('shop/shop', { domains: 'shop.example.com', ...annotations })),
        'http://shop.example.com/',
      )
      expect(outcome).toMatchObject({ kind, status })
    })

  test('without an endpoint: 503', () => {
    const stage = new Stage().put(shop)
    stage.settle()
    expect(ask(stage, 'http://shop.example.com/').outcome).toMatchObject({ kind: 'no-endpoint', status: 503 })
  })
})

describe('certificates', () => {
  const secured = app('shop/shop', { domains: 'shop.example.com', certificates: 'shop.example.com:shop' })

  test('the route’s own, with its names and expiry', () => {
    const stage = staged(secured).secret('shop/shop-cert', makePair('shop.example.com', later))
    stage.settle()
    expect(ask(stage, 'https://shop.example.com/').certificate).toMatchObject({
      kind: 'own',
      secret: ref('Secret', 'shop/shop-cert'),
      names: ['shop.example.com'],
      matches: true,
      expires: new Date(later).toISOString(),
    })
  })

  test('none that can be used: not on HTTPS, and why', () => {
    const { outcome, certificate, others, problems } = ask(staged(secured), 'https://shop.example.com/')
    expect(outcome).toMatchObject({ kind: 'not-found', status: 404 })
    expect(outcome.text).toContain('plain HTTP only')
    expect(certificate).toMatchObject({ kind: 'self-signed', secret: null, matches: false })
    expect(others).toMatchObject([{ object: ref('Service', 'shop/shop'), reason: 'not-https', owner: null }])
    expect(problems.map(({ code }) => code)).toEqual(['certificate-missing'])
  })

  test('the platform’s for what has none', () => {
    const stage = staged(settings({ platformDomain: 'example.com' }), shop)
    stage.secret('deis/deis-router-platform-cert', makePair('*.example.com', later))
    stage.settle()
    expect(ask(stage, 'https://nobody.example.com/').certificate).toMatchObject({
      kind: 'platform',
      secret: ref('Secret', 'deis/deis-router-platform-cert'),
      matches: true,
    })
  })
})

describe('who does not get it', () => {
  test('a Service whose host another one has', () => {
    const stage = staged(shop, app('zoo/zoo', { domains: 'shop.example.com' }))
    const { route, others, problems } = ask(stage, 'http://shop.example.com/')
    expect(route?.object).toEqual(ref('Service', 'shop/shop'))
    expect(others).toMatchObject([
      {
        object: ref('Service', 'zoo/zoo'),
        host: 'shop.example.com',
        reason: 'host-taken',
        owner: ref('Service', 'shop/shop'),
      },
    ])
    expect(problems.map(({ code, object }) => [code, object.name])).toEqual([['host-conflict', 'zoo']])
  })

  test('an Ingress on the host of a Service', () => {
    const stage = staged(shop, ingress('zoo/web', { rules: ['shop.example.com /a x:80'] }))
    expect(ask(stage, 'http://shop.example.com/a/b').others).toMatchObject([
      { object: ref('Ingress', 'zoo/web'), path: '/a', reason: 'host-taken', owner: ref('Service', 'shop/shop') },
    ])
    // Its path is another one.
    expect(ask(stage, 'http://shop.example.com/b').others).toEqual([])
  })

  test('a younger Ingress with the same path, one with a shorter path, and a wildcard', () => {
    const stage = staged(
      service('a/x', [80]),
      ingress('a/old', { rules: ['www.example.com /a x:80'], created: '2020-01-01T00:00:00Z' }),
      ingress('a/new', { rules: ['www.example.com /a x:80'], created: '2021-01-01T00:00:00Z' }),
      ingress('a/root', { rules: ['www.example.com / x:80'] }),
      ingress('a/wild', { rules: ['*.example.com / x:80'] }),
    )
    const { route, others } = ask(stage, 'http://www.example.com/a/b')
    expect(route?.object?.name).toBe('old')
    expect(others.map(({ object, reason, owner }) => [object?.name, reason, owner?.name])).toEqual([
      ['root', 'less-specific-path', 'old'],
      ['wild', 'less-specific-host', 'old'],
      ['new', 'path-taken', 'old'],
    ])
  })

  test('what has the host, but not the path', () => {
    const stage = staged(service('a/x', [80]), ingress('a/web', { rules: ['www.example.com /a x:80'] }))
    const { outcome, others } = ask(stage, 'http://www.example.com/b')
    expect(outcome.kind).toBe('not-found')
    expect(others).toMatchObject([{ object: ref('Ingress', 'a/web'), reason: 'other-path' }])
  })

  test('what is not routable, and an Ingress of another class', () => {
    const on = app('off/off', { domains: 'shop.example.com' })
    const off = { ...on, metadata: { ...on.metadata, labels: { 'router.deis.io/routable': 'false' } } }
    const stage = staged(off, ingress('zoo/web', { rules: ['shop.example.com / x:80'], className: 'nginx' }))
    const { others } = ask(stage, 'http://shop.example.com/')
    expect(others.map(({ object, reason, text }) => [object?.name, reason, text])).toEqual([
      ['web', 'other-class', 'its class "nginx" is not ours'],
      ['off', 'not-routable', 'its label router.deis.io/routable is not "true"'],
    ])
  })

  test('no more than 20 of them', () => {
    const many = Array.from({ length: 30 }, (_, index) => app(`a${index}/a`, { domains: 'shop.example.com' }))
    const { others, othersLeftOut } = ask(staged(...many), 'http://shop.example.com/')
    expect([others.length, othersLeftOut]).toEqual([20, 9])
  })

  test('those of whom it is for come first, and only their hosts are proposed', () => {
    const many = Array.from({ length: 30 }, (_, index) => app(`a${index}/a`, { domains: 'shop.example.com' }))
    const stage = staged(...many, app('zoo/zoo', { domains: 'shop.example.com,zoo.example.com' }))
    const sources = sourcesOf(stage)
    const ask = (url: string, ...names: readonly string[]): Explanation =>
      explain(readUrl(url)!, sources, new Set(names))
    expect(ask('http://shop.example.com/', 'zoo').others[0]?.object?.name).toBe('zoo')
    expect(ask('http://zo.example.com/', 'zoo').nearest).toEqual(['zoo.example.com'])
    expect(ask('http://zo.example.com/', 'a1').nearest).toEqual([])
  })

  test('Problems that name the host, of objects that have no route', () => {
    const stage = staged(
      app('shop/shop', { domains: 'shop.example.com', proxyDomain: 'www.example.com', proxyLocations: '/a' }),
    )
    expect(ask(stage, 'http://www.example.com/').problems.map(({ code }) => code)).toEqual(['no-backend'])
    expect(ask(stage, 'http://ww.example.com/').problems).toEqual([])
  })

  // Problems of www.example.com were those of example.com, and one that named both, of neither.
  const messages: readonly (readonly [message: string, isNamed: boolean])[] = [
    ['the host example.com is taken', true],
    ['"example.com"', true],
    ['not for example.com.', true],
    ['www.example.com', false],
    ['*.example.com', false],
    ['my-example.com', false],
    ['example.com.au', false],
    ['my-example.com goes before example.com/a', true],
  ]
  for (const [message, isNamed] of messages)
    test(`a Problem that says: ${message}`, () => {
      const object = ref('Service', 'zoo/zoo')
      const problem = { code: 'host-conflict', severity: 'warning', object, message, since: 0 } as const
      const sources = { ...sourcesOf(staged(shop)), problems: () => [problem] }
      const { problems } = explain(readUrl('http://example.com/')!, sources)
      expect(problems.length).toBe(isNamed ? 1 : 0)
    })
})

test('any world: the route is the one that the data threads take', () => {
  const names = ['a.example.com', 'b.example.com', '*.example.com', '*.a.example.com', 'web', 'shop']
  const apps = fc
    .record({ at: fc.nat(4), domains: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }) })
    .map(({ at, domains }) => app(`ns${at}/app`, { domains: domains.join(',') }))
  const rule = fc
    .record({
      host: fc.constantFrom('a.example.com', '*.example.com', 'c.example.com', '_'),
      path: fc.constantFrom('/', '/x', '/x/y'),
    })
    .map(({ host, path }) => `${host} ${path} app:80`)
  const ingresses = fc
    .record({ at: fc.nat(4), number: fc.nat(2), rules: fc.array(rule, { minLength: 1, maxLength: 3 }) })
    .map(({ at, number, rules }) => ingress(`ns${at}/web${number}`, { rules, created: `202${number}-01-01T00:00:00Z` }))
  let routed = 0
  fc.assert(
    fc.property(
      fc.array(fc.oneof(apps, ingresses), { maxLength: 8 }),
      fc.constantFrom(undefined, 'example.com'),
      (objects, platformDomain) => {
        const stage = staged(...objects, ...(platformDomain === undefined ? [] : [settings({ platformDomain })]))
        const sources = sourcesOf(stage)
        for (const host of ['a.example.com', 'x.a.example.com', 'c.example.com', 'web.example.com', 'shop.io', 'no'])
          for (const path of ['/', '/x', '/x/y/z'])
            for (const scheme of ['http', 'https']) {
              const { route, upstream } = explain(readUrl(`${scheme}://${host}${path}`)!, sources)
              const answer = stage.ask(`${host}${path}`, scheme === 'https')
              const explained =
                route === null ? '404' : upstream!.endpoints.some(({ used }) => used) ? upstream!.id : '503'
              expect(explained, `${scheme}://${host}${path}`).toBe(answer)
              if (route !== null) routed++
            }
      },
    ),
    { seed: 9112, numRuns: 60 },
  )
  expect(routed).toBeGreaterThan(500)
})
