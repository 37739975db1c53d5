import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/types.ts'
import { app, ingress, Stage, service, settings, slice, stageTime } from '#test/support/world-stage.ts'
import { makePair } from './testdata/make-certificate.ts'

const later = stageTime + 90 * 86_400_000

/** Apps with an endpoint each; other objects as they are. */
function stage(...objects: readonly KubeObject[]): Stage {
  const slices = objects
    .filter(({ kind }) => kind === 'Service')
    .map(({ metadata }, index) => slice(`${metadata.namespace}/${metadata.name}`, '', 5000, `10.0.0.${index + 1}`))
  const made = new Stage().put(...objects, ...slices)
  made.settle()
  return made
}

const host = (annotations: Readonly<Record<string, string>> = {}): KubeObject =>
  app('shop/host', { domains: 'a.example,*.foo.com,web', ...annotations })
const handler = (
  locations: string,
  annotations: Readonly<Record<string, string>> = {},
  name = 'shop/hooks',
): KubeObject =>
  app(name, { domains: 'hooks.example', proxyDomain: 'a.example', proxyLocations: locations, ...annotations })

describe('§6 proxyDomain and proxyLocations', () => {
  test('on every domain of the host app, by plain text prefix, the longest first', () => {
    const made = stage(host(), handler('/webhooks,/webhooks/deep'), handler('/webhooks/deep/er', {}, 'shop/other'))
    for (const domain of ['a.example', 'x.foo.com', 'web.any.example']) {
      const got = ['/', '/webhooks', '/webhooksX', '/webhooks/deep/x', '/webhooks/deep/er', '/Webhooks'].map(path =>
        made.ask(domain + path).replace('shop/', ''),
      )
      expect(got).toEqual(['host:80', 'hooks:80', 'hooks:80', 'hooks:80', 'other:80', 'host:80'])
    }
    expect([made.ask('hooks.example/'), made.problems()]).toEqual(['shop/hooks:80', ['host-conflict shop/other']])
    expect([...made.routes.keys()].filter(id => id.startsWith('service/shop/host/a.example'))).toEqual([
      'service/shop/host/a.example',
      'service/shop/host/a.example/webhooks',
      'service/shop/host/a.example/webhooks/deep',
      'service/shop/host/a.example/webhooks/deep/er',
    ])
  })

  test('what comes from the handler and what from the host app', () => {
    const made = stage(
      settings({ requestStartHeader: 'true', referrerPolicy: 'origin' }),
      host({
        whitelist: '192.0.2.0/24',
        referrerPolicy: 'same-origin',
        disableRequestStartHeader: 'true',
        certificates: 'a.example:web',
        maintenance: 'true',
        connectTimeout: '1s',
      }),
      handler('/x', {
        connectTimeout: '3s',
        tcpTimeout: '7s',
        'ssl.enforce': 'true',
        'nginx.proxyBuffers.enabled': 'true',
        whitelist: '198.51.100.0/24',
        referrerPolicy: 'no-referrer',
      }),
    )
    made.secret('shop/web-cert', makePair('a.example', later)).settle()
    expect(made.routes.get('service/shop/host/a.example/x')).toMatchObject({
      app: 'shop/host',
      serverName: 'a.example',
      path: { kind: 'text-prefix', path: '/x' },
      https: true,
      certificate: 'shop/web-cert',
      policies: [
        { kind: 'enforce-https', exceptChallenges: false },
        { kind: 'allow-list', blocks: [{ address: '192.0.2.0' }] },
      ],
      requestStart: false,
      referrerPolicy: 'same-origin',
      backend: { upstream: 'shop/hooks:80', connectTimeout: 3000, idleTimeout: 7000, readAhead: 8 * 4096 },
    })
    expect(made.routes.get('service/shop/host/*.foo.com/x')).toMatchObject({ https: false, certificate: null })
  })

  test('availability is that of the handler', () => {
    const made = stage(host(), handler('/x'))
    made.remove(slice('shop/hooks', '', 5000)).settle()
    expect([made.ask('a.example/x'), made.ask('a.example/')]).toEqual(['503', 'shop/host:80'])
  })

  test('changes on either side move the routes', () => {
    const made = stage(host(), handler('/x'))
    made.put(handler('/y')).settle()
    expect([made.ask('a.example/x'), made.ask('a.example/y')]).toEqual(['shop/host:80', 'shop/hooks:80'])
    made.put(handler('/y', { proxyDomain: 'web' })).settle()
    expect(made.ask('a.example/y')).toBe('shop/hooks:80')
    made.put(app('shop/host', { domains: 'b.example' })).settle()
    expect([made.ask('a.example/y'), made.ask('b.example/y'), made.problems()]).toEqual([
      '404',
      'shop/host:80',
      ['no-backend shop/hooks'],
    ])
    made.put(app('shop/host', { domains: 'web,b.example' })).settle()
    expect([made.ask('b.example/y'), made.problems()]).toEqual(['shop/hooks:80', []])
    made.remove(handler('')).settle()
    expect([made.ask('b.example/y'), made.upstreams.has('shop/hooks:80')]).toEqual(['shop/host:80', false])
    made.put(handler('/y', { proxyDomain: 'web' })).settle()
    made.remove(host()).settle()
    expect([made.ask('b.example/y'), made.problems()]).toEqual(['404', ['no-backend shop/hooks']])
  })

  test('the host app is the first by namespace and name that has the entry', () => {
    const second = app('zoo/host', { domains: 'a.example,z.example' })
    const made = stage(second, handler('/x'))
    expect(made.ask('z.example/x')).toBe('shop/hooks:80')
    made.put(host(), slice('shop/host', '', 5000, '10.0.0.9')).settle()
    expect([made.ask('a.example/x'), made.ask('z.example/x')]).toEqual(['shop/hooks:80', 'zoo/host:80'])
    made.remove(host()).settle()
    expect(made.ask('z.example/x')).toBe('shop/hooks:80')
  })

  test('of two handlers with one prefix the first has it, and the other one takes over', () => {
    const made = stage(
      host(),
      handler('/x,/y', {}, 'shop/one'),
      app('shop/two', { domains: 'two.example', proxyDomain: 'web', proxyLocations: '/x,/z' }),
    )
    expect(['/x', '/y', '/z'].map(path => made.ask(`a.example${path}`))).toEqual([
      'shop/one:80',
      'shop/one:80',
      'shop/two:80',
    ])
    expect(made.problems()).toEqual(['path-conflict shop/two'])
    made.remove(handler('', {}, 'shop/one')).settle()
    expect([made.ask('a.example/x'), made.problems()]).toEqual(['shop/two:80', []])
  })

  test('the prefix / does not replace a whole app: it is refused, the others hold', () => {
    const made = stage(host(), handler('/,/x'))
    expect(['/', '/any', '/x'].map(path => made.ask(`a.example${path}`))).toEqual([
      'shop/host:80',
      'shop/host:80',
      'shop/hooks:80',
    ])
    expect(made.problems()).toEqual(['invalid-annotation shop/hooks'])
    made.put(handler('/')).settle()
    expect([made.ask('a.example/x'), made.problems()]).toEqual(['shop/host:80', ['invalid-annotation shop/hooks']])
  })

  describe('one annotation does not exhaust everybody', () => {
    const prefixes = (count: number, start = ''): string =>
      Array.from({ length: count }, (_, i) => `/${start}${i}`).join(',')
    const domains = (count: number): string => Array.from({ length: count }, (_, i) => `d${i}.example`).join(',')
    const routesOf = (made: Stage): number => made.routes.size

    test('a handler has a hundred prefixes, whatever it lists', () => {
      const made = stage(app('shop/host', { domains: 'a.example' }), handler(prefixes(100_000)))
      expect(routesOf(made)).toBe(2 + 100)
      expect([made.ask('a.example/99'), made.problems()]).toEqual(['shop/hooks:80', ['invalid-annotation shop/hooks']])
      expect(made.messages()).toEqual([expect.stringContaining('at most 100 prefixes are taken; the last 99900')])
    })

    test('no longer than a thousand characters', () => {
      const made = stage(app('shop/host', { domains: 'a.example' }), handler(`/${'x'.repeat(1024)},/y`))
      expect([routesOf(made), made.problems()]).toEqual([3, ['invalid-annotation shop/hooks']])
    })

    test('an app has a thousand routes for locations, over all its hosts and handlers', () => {
      const made = stage(
        app('shop/host', { domains: `a.example,${domains(199)}` }),
        handler(prefixes(4, 'one'), {}, 'shop/one'),
        app('shop/two', { domains: 'two.example', proxyDomain: 'a.example', proxyLocations: prefixes(90, 'two') }),
      )
      expect(routesOf(made)).toBe(200 + 2 + 1000)
      expect(['/one3', '/two0', '/two1'].map(path => made.ask(`d7.example${path}`))).toEqual([
        'shop/one:80',
        'shop/two:80',
        'shop/host:80',
      ])
      expect(made.problems()).toEqual(['path-conflict shop/two'])
      expect(made.messages()).toEqual([expect.stringContaining('89 of its prefixes are left out: on 200 hosts')])
    })

    test('a Service with more than 500 domains is not routed, and its neighbour is', () => {
      const made = stage(app('shop/big', { domains: domains(501) }), app('shop/web', { domains: 'web.example' }))
      expect([routesOf(made), made.ask('web.example/')]).toEqual([1, 'shop/web:80'])
      expect(made.world.problems()).toMatchObject([{ code: 'invalid-annotation', severity: 'error' }])
      made.put(app('shop/big', { domains: domains(500) })).settle()
      expect([routesOf(made), made.problems()]).toEqual([501, []])
    })

    test('a whitelist of more than 1,000 entries lets nobody in', () => {
      const whitelist = (count: number): string =>
        Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}`).join(',')
      const policies = (count: number): unknown =>
        stage(app('shop/web', { domains: 'web.example', whitelist: whitelist(count) }))
          .routes.get('service/shop/web/web.example')
          ?.policies.map(policy => (policy.kind === 'allow-list' ? policy.blocks.length : policy.kind))
      expect([policies(1000), policies(1001)]).toEqual([[1000], [0]])
    })
  })

  test('a handler that is its own host', () => {
    const made = stage(app('shop/web', { domains: 'a.example', proxyDomain: 'a.example', proxyLocations: '/x' }))
    expect([made.ask('a.example/x'), made.ask('a.example/'), made.problems()]).toEqual([
      'shop/web:80',
      'shop/web:80',
      [],
    ])
  })

  const mistakes: readonly (readonly [name: string, handler: KubeObject, problem: string, answer: string])[] = [
    ['a bad prefix costs itself only', handler('x, /ok ,'), 'invalid-annotation', 'shop/hooks:80'],
    ['a handler without domains', handler('/ok', { domains: '' }), 'invalid-annotation', 'shop/host:80'],
    [
      'no proxyDomain',
      app('shop/hooks', { domains: 'h.example', proxyLocations: '/ok' }),
      'invalid-annotation',
      'shop/host:80',
    ],
    ['a proxyDomain that nobody has', handler('/ok', { proxyDomain: 'no.example' }), 'no-backend', 'shop/host:80'],
    ['one that is no literal entry', handler('/ok', { proxyDomain: 'x.foo.com' }), 'no-backend', 'shop/host:80'],
  ]
  for (const [name, object, problem, answer] of mistakes)
    test(name, () => {
      const made = stage(host(), object)
      expect([made.ask('a.example/ok'), made.ask('a.example/'), made.problems()]).toEqual([
        answer,
        'shop/host:80',
        [`${problem} shop/hooks`],
      ])
    })
})

describe('§7 regexDomain', () => {
  const on = settings({ enableRegexDomains: 'true', platformDomain: 'p.example' })
  const web = (regexDomain: string, domains = 'foo'): KubeObject => app('shop/web', { domains, regexDomain })

  test('the entry answers to its label and to the expression, below any parent domain', () => {
    const made = stage(on, web('foo-\\d+', 'foo,bar,a.example'))
    const asked = [
      'foo.p.example',
      'foo.other.example',
      'foo-12.any.example',
      'foo-x.any.example',
      'foo-12',
      'bar.p.example',
    ]
    expect(asked.map(name => made.ask(`${name}/`))).toEqual([
      'shop/web:80',
      'shop/web:80',
      'shop/web:80',
      '404',
      '404',
      'shop/web:80',
    ])
    expect([...made.routes.values()].map(({ id, serverName }) => [id, serverName])).toEqual([
      ['service/shop/web/foo', '~^foo\\.(?<domain>.+)$'],
      ['service/shop/web/~foo', '~^foo-\\d+\\.(?<domain>.+)$'],
      ['service/shop/web/bar', 'bar.p.example'],
      ['service/shop/web/a.example', 'a.example'],
    ])
    expect(made.problems()).toEqual([])
  })

  test('certificates are those of dotless entries', () => {
    const made = stage(on, web('foo-\\d+'))
    made.secret('deis/deis-router-platform-cert', makePair('*.p.example', later)).settle()
    expect([...made.routes.values()].map(({ certificate, https }) => [certificate, https])).toEqual([
      ['deis/deis-router-platform-cert', true],
      ['deis/deis-router-platform-cert', true],
    ])
    expect(made.problems()).toEqual([])
  })

  const refused: readonly (readonly [name: string, settings: KubeObject, regex: string, problem: string])[] = [
    ['switched off', settings({ platformDomain: 'p.example' }), 'foo-\\d+', 'annotation-without-effect'],
    ['it does not compile', on, 'foo(', 'invalid-annotation'],
    ['it is longer than 256 characters', on, `foo${'x'.repeat(254)}`, 'invalid-annotation'],
    ['it lacks the text of the entry', on, 'fo-\\d+', 'invalid-annotation'],
  ]
  for (const [name, object, regex, problem] of refused)
    test(`as if it were not there: ${name}`, () => {
      const made = stage(object, web(regex))
      expect([...made.routes.keys()]).toEqual(['service/shop/web/foo'])
      expect([made.ask('foo.p.example/'), made.ask('foo.q.example/'), made.problems()]).toEqual([
        'shop/web:80',
        '404',
        [`${problem} shop/web`],
      ])
    })

  test('the first by namespace and name has an expression', () => {
    const made = stage(on, web('foo-\\d+'), app('blog/web', { domains: 'foo', regexDomain: 'foo-\\d+' }))
    expect(made.ask('foo-1.x/')).toBe('blog/web:80')
    expect(made.problems()).toEqual(['host-conflict shop/web', 'host-conflict shop/web'])
  })
})

describe('§5 the builder', () => {
  const builder = (
    annotations: Readonly<Record<string, string>> = {},
    ports: readonly number[] = [2222],
  ): KubeObject => {
    const object = service('deis/deis-builder', ports)
    return { ...object, metadata: { ...object.metadata, annotations } }
  }

  test('its upstream and times; what changes is told, and that it went', () => {
    const made = stage(builder())
    expect(made.builder).toEqual({ upstream: 'deis/deis-builder:2222', connectTimeout: 10_000, idleTimeout: 1_200_000 })
    expect(made.upstreams.get('deis/deis-builder:2222')).toEqual([{ address: '10.0.0.1', port: 5000 }])
    expect(made.world.whole().builder).toEqual(made.builder)
    const annotations = { 'router.deis.io/nginx.connectTimeout': '3s', 'router.deis.io/nginx.tcpTimeout': '1h' }
    const patch = made.put(builder(annotations)).settle()
    expect(patch?.builder).toMatchObject({ connectTimeout: 3000, idleTimeout: 3_600_000 })
    expect(made.put(builder(annotations)).settle()).toBeNull()
    expect(made.remove(builder()).settle()).toMatchObject({ builder: null })
    expect([made.builder, made.upstreams.size, made.world.whole().builder]).toEqual([null, 0, null])
  })

  test('that of another namespace is not ours', () => {
    expect(stage(service('shop/deis-builder', [2222])).builder).toBeNull()
  })

  test('mistakes cost their own key; without its port it has no endpoints', () => {
    const made = stage(builder({ 'router.deis.io/nginx.tcpTimeout': '1h30m' }, [22]))
    expect(made.builder).toMatchObject({ idleTimeout: 1_200_000 })
    expect(made.upstreams.get('deis/deis-builder:2222')).toEqual([])
    expect(made.problems()).toEqual(['invalid-annotation deis/deis-builder', 'no-port deis/deis-builder'])
  })

  test('an upstream lasts while anybody leads there', () => {
    const rule = ingress('deis/git', { rules: ['git.example / deis-builder:2222'] })
    const made = stage(builder(), rule)
    made.remove(rule).settle()
    expect(made.upstreams.has('deis/deis-builder:2222')).toBe(true)
    made.put(rule).settle()
    made.remove(builder()).settle()
    expect([made.upstreams.get('deis/deis-builder:2222'), made.builder]).toEqual([[], null])
    made.remove(rule).settle()
    expect(made.upstreams.size).toBe(0)
  })
})

describe('§9 the default service', () => {
  const enabled = { defaultServiceEnabled: 'true', defaultServiceIP: '192.0.2.1', defaultAppName: 'home' }

  test('answers for hosts that nobody asks for, on both ports', () => {
    const made = stage(settings(enabled), app('shop/web', { domains: 'a.example' }))
    expect([made.ask('any.example/'), made.ask('any.example/', true), made.ask('a.example/')]).toEqual([
      'default-service:80',
      'default-service:80',
      'shop/web:80',
    ])
    expect(made.routes.get('default-service')).toMatchObject({
      app: 'home',
      serverName: '_',
      policies: [],
      certificate: null,
    })
    expect(made.upstreams.get('default-service:80')).toEqual([{ address: '192.0.2.1', port: 80 }])
    made.put(settings({ ...enabled, defaultServiceIP: '2001:DB8::1' })).settle()
    expect(made.upstreams.get('default-service:80')).toEqual([{ address: '2001:db8::1', port: 80 }])
    made.put(settings({})).settle()
    expect([made.ask('any.example/'), made.upstreams.has('default-service:80')]).toEqual(['404', false])
  })

  for (const address of ['', 'home.example', '192.0.2.1:80', '192.0.2.0/24', 'fe80::1%eth0'])
    test(`without an IP address there is none: ${JSON.stringify(address)}`, () => {
      const made = stage(settings({ ...enabled, defaultServiceIP: address }))
      expect([made.ask('any.example/'), made.problems()]).toEqual(['404', ['invalid-annotation deis/deis-router']])
    })
})

describe('§8 certificates', () => {
  const pair = makePair('a.example', later)
  const web = (certificates: string, domains = 'a.example'): KubeObject => app('shop/web', { domains, certificates })

  test('a certificate that is not for its domain is served, and a Problem until it is', () => {
    const made = stage(web('a.example:web'))
    made.secret('shop/web-cert', makePair('b.example', later)).settle()
    expect([made.certificate('a.example'), made.problems()]).toEqual([
      'shop/web-cert',
      ['certificate-invalid shop/web'],
    ])
    made.secret('shop/web-cert', pair).settle()
    expect([made.certificate('a.example'), made.problems()]).toEqual(['shop/web-cert', []])
  })

  test('a wildcard covers one label; the platform’s has to be for the platform domain', () => {
    const made = stage(
      settings({ platformDomain: 'p.example' }),
      web('a.example:web,*.b.example:web', 'a.example,*.b.example,x'),
    )
    made.secret('shop/web-cert', makePair('*.example', later)).settle()
    expect(made.messages()).toEqual([
      'the certificate in Secret shop/web-cert is not for *.b.example; it is served there all the same',
    ])
    made.secret('deis/deis-router-platform-cert', makePair('p.example', later)).settle()
    expect(made.problems()).toEqual([
      'certificate-invalid deis/deis-router-platform-cert',
      'certificate-invalid shop/web',
    ])
    made.secret('deis/deis-router-platform-cert', makePair('*.p.example', later)).settle()
    expect(made.problems()).toEqual(['certificate-invalid shop/web'])
  })

  test('a route keeps the certificate it has until the next one has been heard of', () => {
    const made = stage(web('a.example:old'))
    made.secret('shop/old-cert', pair).settle()
    const { world } = made
    world.services({ kind: 'upsert', object: web('a.example:new') })
    expect(world.take()).toBeNull()
    expect([...world.wantedSecrets().keys()].sort()).toEqual([
      'deis/deis-router-dhparam',
      'deis/deis-router-platform-cert',
      'deis/deis-router-ticket-keys',
      'shop/new-cert',
      'shop/old-cert',
    ])
    made.settle()
    expect([made.certificate('a.example'), made.problems()]).toEqual([null, ['certificate-missing shop/web']])
    expect(world.wantedSecrets().has('shop/old-cert')).toBe(false)
  })
})

test('ExternalName Services are switched off for apps too', () => {
  const object = app('shop/web', { domains: 'a.example' })
  const external = { ...object, spec: { type: 'ExternalName', externalName: 'api.example.net' } } as KubeObject
  const off = stage(external)
  expect([off.ask('a.example/'), off.problems()]).toEqual(['503', ['unsupported shop/web']])
  const on = new Stage({ externalNames: true }).put(external)
  on.settle()
  on.world.externalName('api.example.net', ['192.0.2.7'])
  on.settle()
  expect([on.ask('a.example/'), on.problems()]).toEqual(['shop/web:80', []])
})

test('the settings of a DaemonSet, when that is the workload', () => {
  const made = new Stage({ workload: 'DaemonSet' }).put(
    { ...settings({ platformDomain: 'p.example' }), kind: 'DaemonSet' },
    app('shop/web', { domains: 'web' }),
  )
  made.settle()
  expect(made.ask('web.p.example/')).toBe('503')
})

test('the addresses of a Service', () => {
  const spec = { type: 'LoadBalancer', clusterIP: '10.96.0.1', externalIPs: ['192.0.2.9', 7] }
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb.example' }, 'nonsense'] } }
  const made = stage({ ...service('deis/deis-router', [80]), spec, status } as KubeObject)
  expect(made.world.service('deis', 'deis-router')).toEqual({
    metadata: { namespace: 'deis', name: 'deis-router' },
    spec: { type: 'LoadBalancer', clusterIP: '10.96.0.1', externalIPs: ['192.0.2.9'] },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb.example' }] } },
  })
  expect(made.world.service('deis', 'other')).toBeNull()
})
