import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/types.ts'
import {
  app,
  backend,
  type IngressText,
  ingress,
  ingressClass,
  Stage,
  service,
  settings,
  slice,
  stageTime,
} from '#test/support/world-stage.ts'
import { makePair } from './testdata/make-certificate.ts'

const controller = 'router.deis.io/ingress-controller'
const later = stageTime + 90 * 86_400_000

/** Services `a`, `b`, `c` of namespace `shop`, each with port 80 named `http` and an endpoint. */
const backends = ['a', 'b', 'c'].flatMap((name, index) => [
  service(`shop/${name}`, ['http=80']),
  slice(`shop/${name}`, 'http', 8080, `10.0.0.${index + 1}`),
])

function stage(...objects: readonly KubeObject[]): Stage {
  const made = new Stage().put(...backends, ...objects)
  made.settle()
  return made
}

const web = (text: IngressText): KubeObject => ingress('shop/web', text)
const rules = ['a.example / a:80']

describe('class selection', () => {
  const cases: readonly (readonly [name: string, object: KubeObject, withoutClass: boolean, served: boolean])[] = [
    ['I-C1 a class whose controller is ours, whatever its name', web({ rules, className: 'other-name' }), false, true],
    ['I-C2 an unknown class', web({ rules, className: 'nobody' }), false, false],
    ["I-C2 another controller's class", web({ rules, className: 'nginx' }), false, false],
    [
      'I-C3 the legacy annotation',
      web({ rules, className: null, annotations: { 'kubernetes.io/ingress.class': 'deis' } }),
      false,
      true,
    ],
    [
      'I-C3 the field wins over the annotation',
      web({ rules, className: 'nginx', annotations: { 'kubernetes.io/ingress.class': 'deis' } }),
      true,
      false,
    ],
    ['I-C4 no class', web({ rules, className: null }), false, false],
    ['I-C4 no class, and those are ours too', web({ rules, className: null }), true, true],
    ['I-C5 an explicitly empty class is nobody’s', web({ rules, className: '' }), true, false],
  ]
  for (const [name, object, ingressWithoutClass, served] of cases)
    test(name, () => {
      const made = new Stage({ ingressWithoutClass }).put(
        ...backends,
        ingressClass('other-name', controller),
        ingressClass('nginx', 'k8s.io/ingress-nginx'),
        object,
      )
      made.settle()
      expect(made.ask('a.example/')).toBe(served ? 'shop/a:80' : '404')
      expect([...made.world.ingressStatus()]).toEqual([{ namespace: 'shop', name: 'web', served, loadBalancer: [] }])
      expect(made.problems()).toEqual([])
    })

  test('I-C6 parameters of a class are warned of, and its Ingresses served', () => {
    const made = stage(web({ rules }), ingressClass('deis', controller, { kind: 'Config', name: 'c' }))
    expect(made.ask('a.example/')).toBe('shop/a:80')
    expect(made.problems()).toEqual(['unsupported /deis'])
    made.put(ingressClass('deis', controller)).settle()
    expect(made.problems()).toEqual([])
  })

  test('I-C7 class and IngressClass may change at any time', () => {
    const made = stage(web({ rules }))
    made.put(web({ rules, className: 'nginx' })).settle()
    expect(made.ask('a.example/')).toBe('404')
    made.put(ingressClass('nginx', controller)).settle()
    expect(made.ask('a.example/')).toBe('shop/a:80')
    made.remove(ingressClass('nginx', controller)).settle()
    expect([made.ask('a.example/'), [...made.world.ingressStatus()].map(({ served }) => served)]).toEqual([
      '404',
      [false],
    ])
    expect([made.routes.size, made.upstreams.size]).toEqual([0, 0])
  })
})

describe('hosts', () => {
  const cases: readonly (readonly [name: string, rules: readonly string[], want: Readonly<Record<string, string>>])[] =
    [
      [
        'I-H1 exact before wildcard before none',
        ['x.foo.com / a:80', '*.foo.com / b:80', '_ / c:80'],
        { 'x.foo.com/': 'shop/a:80', 'y.foo.com/': 'shop/b:80', 'z.com/': 'shop/c:80' },
      ],
      [
        'I-H2 a wildcard is one label',
        ['*.foo.com / a:80'],
        { 'bar.foo.com/': 'shop/a:80', 'baz.bar.foo.com/': '404', 'foo.com/': '404' },
      ],
      ['I-H3 letter case is ignored', ['Foo.COM / a:80'], { 'foo.com/': 'shop/a:80' }],
      [
        'I-H5 a host whose rules match no path does not fall to a less specific one',
        ['x.foo.com /only a:80', '*.foo.com / b:80', '_ / c:80'],
        { 'x.foo.com/only': 'shop/a:80', 'x.foo.com/': '404', 'y.foo.com/': 'shop/b:80' },
      ],
    ]
  for (const [name, rules, want] of cases)
    test(name, () => {
      const made = stage(web({ rules }))
      for (const [url, answer] of Object.entries(want)) expect([url, made.ask(url)]).toEqual([url, answer])
      expect(made.problems()).toEqual([])
    })

  for (const host of ['1.2.3.4', 'foo.com:80', '*', '*.*.com', 'my_app.com', 'foo..com'])
    test(`I-H3 ${host} is no host: it costs its rule only`, () => {
      const made = stage(web({ rules: [`${host} / a:80`, ...rules] }))
      expect([made.routes.size, made.ask('a.example/')]).toEqual([1, 'shop/a:80'])
      expect(made.problems()).toEqual(['invalid-object shop/web'])
    })

  test('I-H4 paths of a host come from several Ingresses and namespaces', () => {
    const made = stage(
      web({ rules: ['a.example /one a:80'] }),
      service('blog/d', [80]),
      slice('blog/d', '', 8080, '10.0.0.9'),
      ingress('blog/web', { rules: ['a.example /two d:80'] }),
    )
    expect([made.ask('a.example/one'), made.ask('a.example/two')]).toEqual(['shop/a:80', 'blog/d:80'])
  })

  const older = '2025-01-01T00:00:00Z'
  const newer = '2025-06-01T00:00:00Z'
  const claims: readonly (readonly [name: string, first: IngressText, second: IngressText, winner: string])[] = [
    ['the oldest has a path', { rules, created: newer }, { rules: ['a.example / b:80'], created: older }, 'shop/b:80'],
    [
      'at equal age the first by name',
      { rules, created: older },
      { rules: ['a.example / b:80'], created: older },
      'shop/a:80',
    ],
    ['what nobody dates comes last', { rules }, { rules: ['a.example / b:80'], created: newer }, 'shop/b:80'],
    [
      'ImplementationSpecific is Prefix',
      { rules: ['a.example ImplementationSpecific / a:80'], created: newer },
      { rules: ['a.example / b:80'], created: older },
      'shop/b:80',
    ],
  ]
  for (const [name, first, second, winner] of claims)
    test(`I-H4 ${name}, and the other one says so and takes over`, () => {
      const made = stage(ingress('shop/one', first), ingress('shop/two', second))
      const loser = winner === 'shop/a:80' ? 'two' : 'one'
      expect(made.ask('a.example/')).toBe(winner)
      expect(made.problems()).toEqual([`path-conflict shop/${loser}`])
      made.remove(winner === 'shop/a:80' ? ingress('shop/one', first) : ingress('shop/two', second)).settle()
      expect(made.ask('a.example/')).toBe(winner === 'shop/a:80' ? 'shop/b:80' : 'shop/a:80')
      expect(made.problems()).toEqual([])
    })

  test('I-H4 an Ingress that is made anew is younger', () => {
    const made = stage(
      ingress('shop/one', { rules, created: older }),
      ingress('shop/two', { rules: ['a.example / b:80'], created: newer }),
    )
    expect(made.ask('a.example/')).toBe('shop/a:80')
    made.put(ingress('shop/one', { rules, created: '2025-12-01T00:00:00Z' })).settle()
    expect(made.ask('a.example/')).toBe('shop/b:80')
  })

  test('I-H4 Exact and Prefix of one path are two; the same twice in one Ingress is one', () => {
    const made = stage(web({ rules: ['a.example /x a:80', 'a.example Exact /x b:80', 'a.example /x/ c:80'] }))
    expect([made.ask('a.example/x'), made.ask('a.example/x/y')]).toEqual(['shop/b:80', 'shop/a:80'])
    expect(made.problems()).toEqual(['path-conflict shop/web'])
  })
})

describe('A3 paths', () => {
  const cases: readonly (readonly [rules: readonly string[], want: Readonly<Record<string, string>>])[] = [
    [['Prefix / a:80'], { '/': 'a', '/anything': 'a' }],
    [['Exact /foo a:80'], { '/foo': 'a', '/foo/': '404', '/FOO': '404', '/bar': '404' }],
    [['Exact /foo/ a:80'], { '/foo': '404', '/foo/': 'a' }],
    [['Prefix /foo a:80'], { '/foo': 'a', '/foo/': 'a', '/foo/x': 'a', '/FOO': '404', '/foobar': '404' }],
    [['Prefix /aaa/bbb/ a:80'], { '/aaa/bbb': 'a', '/aaa/bbb/': 'a', '/aaa/bbb/c': 'a' }],
    [['Prefix /aaa/bbb a:80', 'Prefix /aaa b:80'], { '/aaa/bbb/ccc': 'a', '/aaa/ccc': 'b', '/aaaccc': '404' }],
    [['Prefix /foo a:80', 'Exact /foo b:80'], { '/foo': 'b', '/foo/x': 'a' }],
    [['ImplementationSpecific /foo a:80'], { '/foo': 'a', '/foo/x': 'a', '/foobar': '404' }],
    [['ImplementationSpecific  a:80'], { '/': 'a', '/x': 'a' }],
    [['ImplementationSpecific /a//b a:80'], { '/a//b': 'a', '/a/b': '404' }],
  ]
  for (const [rules, want] of cases)
    test(rules.join(' + '), () => {
      const made = stage(web({ rules: rules.map(rule => `a.example ${rule}`) }))
      const got = Object.keys(want).map(path => [path, made.ask(`a.example${path}`).replace(/^shop\/(.):80$/, '$1')])
      expect(Object.fromEntries(got)).toEqual(want)
      expect(made.problems()).toEqual([])
    })

  const refused = ['foo', '/a//b', '/a/./b', '/a/../b', '/a%2fb', '/a%2Fb', '/a/.', '/a/..']
  for (const pathType of ['Exact', 'Prefix'])
    for (const path of refused)
      test(`${pathType} ${path} costs itself only`, () => {
        const made = stage(web({ rules: [`a.example ${pathType} ${path} b:80`, 'a.example /ok a:80'] }))
        expect([made.routes.size, made.ask('a.example/ok')]).toEqual([1, 'shop/a:80'])
        expect(made.problems()).toEqual(['invalid-object shop/web'])
      })

  test('a pathType that there is not costs its path only', () => {
    const made = stage(web({ rules: ['a.example Regex / b:80', 'a.example /ok a:80'] }))
    expect([made.ask('a.example/ok'), made.problems()]).toEqual(['shop/a:80', ['invalid-object shop/web']])
  })
})

describe('backends', () => {
  test('I-B1 a port by number or by name, which is the same upstream', () => {
    const made = stage(web({ rules: ['a.example /number a:80', 'a.example /name a:http'] }))
    expect([made.ask('a.example/number'), made.ask('a.example/name')]).toEqual(['shop/a:80', 'shop/a:80'])
    expect([...made.upstreams]).toEqual([['shop/a:80', [{ address: '10.0.0.1', port: 8080 }]]])
  })

  test('I-B1 a name follows the Service to another port', () => {
    const made = stage(web({ rules: ['a.example / a:http'] }))
    made.put(service('shop/a', ['http=81'])).settle()
    expect(made.ask('a.example/')).toBe('shop/a:81')
    expect([...made.upstreams.keys()]).toEqual(['shop/a:81'])
  })

  test('I-B2 a resource is 503 for its path, and a Problem', () => {
    const resource = { resource: { apiGroup: 'k8s.example.com', kind: 'StorageBucket', name: 'icons' } }
    const paths = [
      { path: '/icons', pathType: 'Prefix', backend: resource },
      { path: '/', pathType: 'Prefix', backend: backend('a:80') },
    ]
    const made = stage({
      ...web({}),
      spec: { ingressClassName: 'deis', rules: [{ host: 'a.example', http: { paths } }] },
    } as KubeObject)
    expect([made.ask('a.example/icons'), made.ask('a.example/')]).toEqual(['503', 'shop/a:80'])
    expect(made.problems()).toEqual(['unsupported shop/web'])
  })

  test('I-B3 Services are those of its own namespace', () => {
    const made = stage(ingress('blog/web', { rules }))
    expect([made.ask('a.example/'), made.problems()]).toEqual(['503', ['no-backend blog/web']])
  })

  const missing: readonly (readonly [name: string, to: string, mended: KubeObject, upstream: string])[] = [
    ['no such Service', 'new:80', service('shop/new', ['http=80']), 'shop/new:80'],
    ['no such port', 'a:81', service('shop/a', ['http=81']), 'shop/a:81'],
    ['no port of that name', 'a:web', service('shop/a', ['web=80']), 'shop/a:80'],
  ]
  for (const [name, to, mended, upstream] of missing)
    test(`I-B4 ${name}: 503 for that path; it recovers`, () => {
      const made = stage(web({ rules: [`a.example /x ${to}`, 'a.example / b:80'] }))
      expect([made.ask('a.example/x'), made.ask('a.example/')]).toEqual(['503', 'shop/b:80'])
      expect(made.problems()).toEqual(['no-backend shop/web'])
      const { namespace, name: of } = mended.metadata
      made.put(mended, slice(`${namespace}/${of}`, to === 'a:web' ? 'web' : 'http', 9090, '10.0.0.7')).settle()
      expect([made.ask('a.example/x'), made.problems()]).toEqual([upstream, []])
    })

  test('I-B4 no ready endpoint is 503 and no Problem', () => {
    const made = stage(service('shop/empty', [80]), web({ rules: ['a.example / empty:80'] }))
    expect([made.ask('a.example/'), made.problems()]).toEqual(['503', []])
  })

  test('I-B5 endpoints of all slices and both families; a headless Service and one without selector too', () => {
    const made = stage(
      service('shop/all', ['http=80'], { clusterIP: 'None' }),
      slice('shop/all', 'http', 8080, '10.0.0.7', '10.0.0.8'),
      slice('shop/all', 'http', 8081, 'fd00::7'),
      web({ rules: ['a.example / all:80'] }),
    )
    expect(made.upstreams.get('shop/all:80')).toEqual([
      { address: '10.0.0.7', port: 8080 },
      { address: '10.0.0.8', port: 8080 },
      { address: 'fd00::7', port: 8081 },
    ])
  })

  test('I-B6 ExternalName is off: 503 and a Problem', () => {
    const external = service('shop/out', [80], { type: 'ExternalName', externalName: 'api.example.net' })
    const made = stage(external, web({ rules: ['a.example / out:80'] }))
    expect([made.ask('a.example/'), made.problems()]).toEqual(['503', ['unsupported shop/web']])
    expect([...made.world.wantedNames()]).toEqual([])
  })

  test('I-B6 ExternalName, switched on, leads to the addresses that it is told, but never to this machine', () => {
    const external = service('shop/out', [], { type: 'ExternalName', externalName: 'API.example.net.' })
    const made = new Stage({ externalNames: true }).put(external, web({ rules: ['a.example / out:8443'] }))
    made.settle()
    expect([...made.world.wantedNames()]).toEqual(['api.example.net'])
    expect([made.ask('a.example/'), made.problems()]).toEqual(['503', []])
    const wanted = made.world.wantedNames()
    const bad = ['127.0.0.1', '0.0.0.0', '169.254.169.254', '::1', '::', 'fe80::1', '::ffff:127.0.0.1', 'localhost']
    made.world.externalName('api.example.net', ['192.0.2.7', '2001:DB8::7', ...bad])
    made.settle()
    expect(made.upstreams.get('shop/out:8443')).toEqual([
      { address: '192.0.2.7', port: 8443 },
      { address: '2001:db8::7', port: 8443 },
    ])
    expect(made.world.wantedNames()).toBe(wanted)
    made.world.externalName('api.example.net', null)
    made.world.externalName('not-wanted.example', ['192.0.2.8'])
    made.settle()
    expect(made.ask('a.example/')).toBe('503')
    made.remove(external).settle()
    expect([...made.world.wantedNames()]).toEqual([])
  })

  test('I-B7 a default backend without rules gets every request of no other', () => {
    const made = stage(web({ fallback: 'c:80' }), ingress('shop/other', { rules }))
    expect(made.ask('any.example/path')).toBe('shop/c:80')
    expect([made.ask('a.example/'), made.ask('any.example/path', true)]).toEqual(['shop/a:80', 'shop/c:80'])
    expect([...made.routes.values()].find(({ host }) => host.kind === 'default')).toMatchObject({
      https: true,
      serverName: '_',
      app: 'shop/c',
    })
  })

  test('I-B7 with rules it answers when their host or path does not match', () => {
    const made = stage(web({ rules: ['a.example /x a:80'], fallback: 'c:80' }))
    expect(['a.example/x', 'a.example/', 'b.example/'].map(url => made.ask(url))).toEqual([
      'shop/a:80',
      'shop/c:80',
      'shop/c:80',
    ])
    // Somebody else's rule for the whole of the host goes before it, however young.
    made.put(ingress('shop/young', { rules: ['a.example / b:80'], created: '2026-01-01T00:00:00Z' })).settle()
    expect([made.ask('a.example/'), made.ask('b.example/')]).toEqual(['shop/b:80', 'shop/c:80'])
    expect(made.problems()).toEqual([])
  })

  test('I-B7 the default service of the settings goes first, then the oldest default backend', () => {
    const service = settings({ defaultServiceEnabled: 'true', defaultServiceIP: '192.0.2.1', defaultAppName: 'home' })
    const made = stage(service)
    expect(made.ask('any.example/')).toBe('default-service:80')
    const one = ingress('shop/one', { fallback: 'a:80', created: '2025-02-01T00:00:00Z' })
    const two = ingress('shop/two', { fallback: 'b:80', created: '2025-01-01T00:00:00Z' })
    made.put(one, two).settle()
    expect([made.ask('any.example/'), made.problems()]).toEqual([
      'default-service:80',
      ['path-conflict shop/one', 'host-conflict shop/two'],
    ])
    made.put(settings({})).settle()
    expect([made.ask('any.example/'), made.problems()]).toEqual(['shop/b:80', ['path-conflict shop/one']])
    made.remove(two).settle()
    expect([made.ask('any.example/'), made.problems()]).toEqual(['shop/a:80', []])
    made.put(service).remove(one).settle()
    expect([made.ask('any.example/'), made.problems()]).toEqual(['default-service:80', []])
  })

  for (const [appProtocol, problems] of [
    ['kubernetes.io/h2c', []],
    ['https', []],
    ['kubernetes.io/ws', []],
    ['http', []],
    ['mqtt', ['unsupported shop/a']],
  ] as const)
    test(`I-B8 appProtocol ${appProtocol}`, () => {
      const spec = { ports: [{ name: 'http', port: 80, appProtocol }] }
      const made = stage({ ...service('shop/a', []), spec } as KubeObject, web({ rules }))
      expect([made.ask('a.example/'), made.problems()]).toEqual(['shop/a:80', problems])
    })
})

describe('TLS', () => {
  const a = makePair('a.example', later)
  const wildcard = makePair('*.example', later)

  test('I-T1 and I-T2 exact host, then wildcard, then the default certificate', () => {
    const made = stage(
      web({
        rules: ['a.example / a:80', 'b.example / a:80', '*.example / a:80', 'c.other / a:80'],
        tls: ['exact a.example', 'star *.example'],
      }),
    )
    made.secret('shop/exact', a).secret('shop/star', wildcard).settle()
    expect(['a.example', 'b.example', 'x.example', 'c.other'].map(host => made.certificate(host))).toEqual([
      'shop/exact',
      'shop/star',
      'shop/star',
      null,
    ])
    expect(['a', 'b', 'x'].map(host => made.ask(`${host}.example/`, true))).toEqual(Array(3).fill('shop/a:80'))
    expect([made.ask('c.other/', true), made.problems()]).toEqual(['shop/a:80', []])
  })

  test('I-T3 without hosts it is for those of the rules; without secretName the default certificate holds', () => {
    const made = stage(
      web({ rules, tls: ['cert'] }),
      ingress('shop/b', { rules: ['b.example / a:80'], tls: ['- b.example'] }),
    )
    made.secret('shop/cert', a).settle()
    expect([made.certificate('a.example'), made.certificate('b.example')]).toEqual(['shop/cert', null])
    expect([made.ask('b.example/', true), made.problems()]).toEqual(['shop/a:80', []])
  })

  test('who adds a path to the host of somebody else does not get at its certificate, however old they are', () => {
    const made = stage(
      ingress('evil/old', {
        rules: ['a.example /evil a:80'],
        tls: ['none a.example'],
        created: '2020-01-01T00:00:00Z',
      }),
      ingress('shop/web', { rules: ['a.example / a:80'], tls: ['web a.example'], created: '2025-01-01T00:00:00Z' }),
    )
    made.secret('shop/web', a).settle()
    expect([made.certificate('a.example'), made.problems().includes('host-conflict evil/old')]).toEqual([
      'shop/web',
      true,
    ])
  })

  test('I-T5 of two certificates for a host the oldest Ingress has it, on all routes of the host', () => {
    const made = stage(
      ingress('shop/one', { rules: ['a.example /one a:80'], tls: ['one a.example'], created: '2025-02-01T00:00:00Z' }),
      ingress('shop/two', { rules: ['a.example /two a:80'], tls: ['two a.example'], created: '2025-01-01T00:00:00Z' }),
      ingress('shop/none', { rules: ['a.example /none a:80'] }),
    )
    made.secret('shop/one', a).secret('shop/two', a).settle()
    expect(new Set([...made.routes.values()].map(({ certificate }) => certificate))).toEqual(new Set(['shop/two']))
    expect(made.problems()).toEqual(['host-conflict shop/one'])
    expect([...made.world.wantedSecrets().keys()]).toEqual([
      'deis/deis-router-platform-cert',
      'shop/two',
      'deis/deis-router-dhparam',
      'deis/deis-router-ticket-keys',
    ])
    made.remove(ingress('shop/two', {})).settle()
    expect([made.certificate('a.example'), made.problems()]).toEqual(['shop/one', []])
  })

  test('I-T6 missing, broken, mended, deleted, made anew, renamed', () => {
    const made = stage(web({ rules, tls: ['cert a.example'] }))
    const now = () => [made.certificate('a.example'), made.ask('a.example/', true), made.problems()]
    expect(now()).toEqual([null, 'shop/a:80', ['certificate-missing shop/web']])
    made.secret('shop/cert', { crt: a.crt, key: wildcard.key }).settle()
    expect(now()).toEqual([null, 'shop/a:80', ['certificate-invalid shop/cert']])
    made.secret('shop/cert', a).settle()
    expect(now()).toEqual(['shop/cert', 'shop/a:80', []])
    made.secret('shop/cert', { crt: a.crt }).settle()
    expect(now()).toEqual(['shop/cert', 'shop/a:80', ['certificate-invalid shop/cert']])
    made.secret('shop/cert', null).settle()
    expect(now()).toEqual([null, 'shop/a:80', ['certificate-missing shop/web']])
    made.secret('shop/cert', a).settle()
    expect(now()).toEqual(['shop/cert', 'shop/a:80', []])
    made
      .secret('shop/renamed', a)
      .put(web({ rules, tls: ['renamed a.example'] }))
      .settle()
    expect(now()).toEqual(['shop/renamed', 'shop/a:80', []])
  })

  test('a certificate that is not for its host is served, and a Problem until it is', () => {
    const made = stage(web({ rules, tls: ['cert a.example'] }))
    made.secret('shop/cert', makePair('b.example', later)).settle()
    expect([made.certificate('a.example'), made.problems()]).toEqual(['shop/cert', ['certificate-invalid shop/web']])
    made.secret('shop/cert', a).settle()
    expect(made.problems()).toEqual([])
  })

  test('I-T7 redirects only where somebody asks, and never of a challenge', () => {
    const made = stage(
      web({ rules, tls: ['cert a.example'] }),
      ingress('shop/enforced', { rules: ['b.example / a:80'], annotations: { 'router.deis.io/ssl.enforce': 'true' } }),
    )
    const policies = () => [...made.routes.values()].map(({ serverName, policies }) => [serverName, policies])
    const enforced = [{ kind: 'enforce-https', exceptChallenges: true }]
    expect(policies()).toEqual([
      ['a.example', []],
      ['b.example', enforced],
    ])
    made.put(settings({ 'ssl.enforce': 'true' })).settle()
    expect(policies()).toEqual([
      ['a.example', enforced],
      ['b.example', enforced],
    ])
  })
})

const challenge = 'a.example Exact /.well-known/acme-challenge/token b:80'

describe('beside annotated Services', () => {
  test('a Service has its hosts whole; Ingresses say so and take over when it goes', () => {
    const owner = app('blog/web', { domains: 'a.example,*.foo.com' })
    const made = stage(
      owner,
      slice('blog/web', '', 5000, '10.0.0.9'),
      web({ rules: [...rules, '*.foo.com / b:80', 'b.example / b:80'] }),
    )
    expect(['a.example/', 'x.foo.com/', 'b.example/'].map(url => made.ask(url))).toEqual([
      'blog/web:80',
      'blog/web:80',
      'shop/b:80',
    ])
    expect(made.problems()).toEqual(['host-conflict shop/web', 'host-conflict shop/web'])
    made.remove(owner).settle()
    expect([made.ask('a.example/'), made.ask('x.foo.com/'), made.problems()]).toEqual(['shop/a:80', 'shop/b:80', []])
    made.put(owner).settle()
    expect(made.ask('a.example/')).toBe('blog/web:80')
  })

  test('I-T7 a challenge of its own namespace joins the host of a Service', () => {
    const owner = app('shop/c', { domains: 'a.example,*.foo.com', 'ssl.enforce': 'true' })
    const solver = ingress('shop/solver', { rules: [challenge, challenge.replace('a.example', '*.foo.com')] })
    const made = stage(service('shop/c', [80]), owner, slice('shop/c', '', 8080, '10.0.0.3'), solver)
    const path = '/.well-known/acme-challenge/token'
    expect([made.ask(`a.example${path}`), made.ask('a.example/')]).toEqual(['shop/b:80', 'shop/c:80'])
    expect([made.ask(`x.foo.com${path}`), made.ask('x.foo.com/'), made.ask('y.x.foo.com/')]).toEqual([
      'shop/b:80',
      'shop/c:80',
      'shop/c:80',
    ])
    expect(made.problems()).toEqual([])
  })

  test('a challenge of another namespace does not, not even when it is older', () => {
    const made = stage(
      app('shop/c', { domains: 'a.example' }),
      service('evil/b', [80]),
      slice('evil/b', '', 666, '10.6.6.6'),
      ingress('evil/solver', { rules: [challenge], created: '2020-01-01T00:00:00Z' }),
      ingress('shop/solver', { rules: [challenge], created: '2026-01-01T00:00:00Z' }),
    )
    expect(made.ask('a.example/.well-known/acme-challenge/token')).toBe('shop/b:80')
    expect(made.problems()).toEqual(['host-conflict evil/solver'])
  })
})

describe('annotations', () => {
  test('those of section 6 that an Ingress may carry', () => {
    const made = stage(
      settings({ requestStartHeader: 'true', referrerPolicy: 'origin' }),
      web({
        rules,
        annotations: {
          'router.deis.io/connectTimeout': '3s',
          'router.deis.io/tcpTimeout': '7s',
          'router.deis.io/maintenance': 'true',
          'router.deis.io/whitelist': '192.0.2.0/24',
          'router.deis.io/nginx.proxyBuffers.enabled': 'true',
          'router.deis.io/referrerPolicy': 'none',
          'router.deis.io/disableRequestStartHeader': 'true',
        },
      }),
      ingress('shop/z', { rules: ['z.example / a:80'] }),
    )
    const [first, second] = [...made.routes.values()]
    expect(first).toMatchObject({
      policies: [{ kind: 'maintenance' }, { kind: 'allow-list', blocks: [{ address: '192.0.2.0', prefix: 24 }] }],
      requestStart: false,
      referrerPolicy: null,
      backend: { connectTimeout: 3000, idleTimeout: 7000, readAhead: 8 * 4096 },
    })
    expect(second).toMatchObject({ policies: [], requestStart: true, referrerPolicy: 'origin' })
  })

  test('those of ingress-nginx are one Problem with a bounded list; those of others are quiet', () => {
    const many = Array.from({ length: 30 }, (_, index) => [`nginx.ingress.kubernetes.io/key-${10 + index}`, 'x'])
    const annotations = {
      'cert-manager.io/cluster-issuer': 'x',
      'kubernetes.io/tls-acme': 'true',
      'traefik.ingress.kubernetes.io/router.tls': 'true',
    }
    expect(stage(web({ rules, annotations })).problems()).toEqual([])
    const made = stage(web({ rules, annotations: { ...annotations, ...Object.fromEntries(many) } }))
    expect(made.problems()).toEqual(['unsupported shop/web'])
    expect(made.messages()[0]).toMatch(
      /^annotations of ingress-nginx are not honoured here: key-10, .*key-29 and 10 more$/,
    )
    expect(made.ask('a.example/')).toBe('shop/a:80')
  })

  test('keys of ours that mean nothing on an Ingress', () => {
    const made = stage(web({ rules, annotations: { 'router.deis.io/domains': 'x.example' } }))
    expect(made.problems()).toEqual(['annotation-without-effect shop/web'])
    expect(made.ask('x.example/')).toBe('404')
  })

  test('a whitelist that cannot be read lets nobody in', () => {
    const made = stage(web({ rules, annotations: { 'router.deis.io/whitelist': 'nonsense' } }))
    expect([...made.routes.values()][0]?.policies).toEqual([{ kind: 'allow-list', blocks: [] }])
  })
})

test('names: NAMESPACE/SERVICE, the name alone when they are equal, and the host as written', () => {
  const made = stage(
    service('a/a', [80]),
    ingress('a/web', { rules: ['A.Example / a:80'] }),
    ingress('shop/web', { rules: ['*.b.example /x a:80', '_ / a:80'] }),
  )
  expect([...made.routes.values()].map(({ id, app, serverName }) => `${id} ${app} ${serverName}`)).toEqual([
    'ingress/a/web/a.example/prefix/ a A.Example',
    'ingress/shop/web/*.b.example/prefix/x shop/a *.b.example',
    'ingress/shop/web/*/prefix/ shop/a _',
  ])
})

test('the status as last seen, of all that there are', () => {
  const made = stage(
    web({ rules, status: { ip: '192.0.2.1' } }),
    ingress('shop/other', { rules, className: 'nginx', status: { hostname: 'lb.example' } }),
    { kind: 'Ingress', metadata: { namespace: 'shop', name: 'odd' }, status: { loadBalancer: 7 } } as KubeObject,
  )
  expect([...made.world.ingressStatus()]).toEqual([
    { namespace: 'shop', name: 'web', served: true, loadBalancer: [{ ip: '192.0.2.1' }] },
    { namespace: 'shop', name: 'other', served: false, loadBalancer: [{ hostname: 'lb.example' }] },
    { namespace: 'shop', name: 'odd', served: false, loadBalancer: [] },
  ])
})

test('a change of one among thousands that share a host costs a fraction of the whole', () => {
  const count = 3000
  const of = (index: number, to: string) =>
    ingress(`shop/web-${index}`, { rules: [`a.example /p${index} ${to}:80`, `host-${index}.example / a:80`] })
  const made = new Stage().put(...backends)
  made.world.ingresses({
    kind: 'reset',
    objects: Array.from({ length: count }, (_, index) => of(index, 'a')) as never[],
  })
  const began = performance.now()
  made.settle()
  const whole = performance.now() - began
  expect(made.routes.size).toBe(2 * count)
  const rounds = 50
  const beganChanges = performance.now()
  for (let round = 0; round < rounds; round++) {
    made.world.ingresses({ kind: 'upsert', object: of(1234, round % 2 === 0 ? 'b' : 'c') as never })
    expect(made.world.take()?.routes.upserts).toHaveLength(1)
  }
  expect((performance.now() - beganChanges) / rounds).toBeLessThan(whole / 10)
})

describe('an Ingress does not take what others have', () => {
  const young = '2026-02-01T00:00:00Z'
  const old = '2020-01-01T00:00:00Z'
  const victim = (rule: string, tls: string): KubeObject =>
    ingress('shop/web', { rules: [rule], tls: [tls], created: young })

  function certificates(...objects: readonly KubeObject[]): Stage {
    const made = new Stage().put(...backends, ...objects)
    for (const path of ['shop/good', 'evil/bad']) made.secret(path, makePair('*.shop.example', later))
    made.settle()
    return made
  }

  const thefts: readonly (readonly [name: string, victim: KubeObject, host: string, rule: string, tls: string])[] = [
    [
      'the certificate of a host it has no rule for',
      victim('shop.example / a:80', 'good shop.example'),
      'shop.example',
      'mine.example / a:80',
      'bad shop.example',
    ],
    [
      'that of a wildcard it has no rule below',
      victim('x.shop.example / a:80', 'good *.shop.example'),
      'x.shop.example',
      'mine.example / a:80',
      'bad *.shop.example',
    ],
    [
      'that of a wildcard by a host of its own below it',
      victim('x.shop.example / a:80', 'good *.shop.example'),
      'x.shop.example',
      'mine.shop.example / a:80',
      'bad *.shop.example',
    ],
  ]
  for (const [name, object, host, rule, tls] of thefts)
    test(name, () => {
      const thief = ingress('evil/thief', { rules: [rule], tls: [tls], created: old })
      const made = certificates(object, thief)
      expect(made.certificate(host)).toBe('shop/good')
      made.remove(thief).settle()
      expect(made.certificate(host)).toBe('shop/good')
    })

  test('nor by a rule that others have, or whose host a Service has', () => {
    const made = certificates(
      app('deis/own', { domains: 'own.shop.example' }),
      victim('x.shop.example / a:80', '- x.shop.example'),
      ingress('evil/thief', { rules: ['own.shop.example / a:80'], tls: ['bad *.shop.example'], created: old }),
    )
    expect(made.certificate('x.shop.example')).toBeNull()
    expect(made.problems()).toContain('certificate-invalid evil/thief')
  })

  test('one that loses its last path on a host loses the certificate, and has it back with it', () => {
    const thief = {
      ...ingress('evil/thief', { tls: ['bad shop.example'], created: old }),
      spec: {
        ingressClassName: 'deis',
        defaultBackend: backend('a:80'),
        rules: [{ host: 'shop.example', http: { paths: [] } }],
        tls: [{ hosts: ['shop.example'], secretName: 'bad' }],
      },
    }
    const web = victim('shop.example / a:80', 'good shop.example')
    const made = certificates(thief)
    expect(made.certificate('shop.example')).toBe('evil/bad')
    made.put(web).settle()
    expect(made.certificate('shop.example')).toBe('shop/good')
    made.remove(web).settle()
    expect(made.certificate('shop.example')).toBe('evil/bad')
  })

  test('I-T2 a wildcard certificate serves hosts of others that name none', () => {
    const made = certificates(
      ingress('shop/wild', { rules: ['y.shop.example / a:80'], tls: ['good *.shop.example'], created: old }),
      ingress('shop/web', { rules: ['x.shop.example / a:80'], created: young }),
    )
    expect([made.certificate('x.shop.example'), made.problems()]).toEqual(['shop/good', []])
  })

  test('more than 1,000 rules, paths and TLS hosts: the rest is left out, and a Problem', () => {
    const rules = Array.from({ length: 700 }, (_, i) => `h${i}.example / a:80`)
    const made = stage(ingress('shop/big', { rules }), ingress('shop/web', { rules: ['web.example / a:80'] }))
    expect(['h0.example/', 'h499.example/', 'h500.example/', 'web.example/'].map(url => made.ask(url))).toEqual([
      'shop/a:80',
      'shop/a:80',
      '404',
      'shop/a:80',
    ])
    expect(made.problems()).toEqual(['invalid-object shop/big'])
  })

  test('a path of a million slashes does not keep the router busy', () => {
    const made = stage(web({ rules: [`a.example ImplementationSpecific ${'/'.repeat(1_000_000)}x a:80`] }))
    expect(made.ask('a.example/')).toBe('404')
  })
})

describe('a challenge of an Ingress on the host of a Service', () => {
  const challenge = ingress('shop/solver', { rules: ['a.foo.example Exact /.well-known/acme-challenge/t b:80'] })

  test('does not take the host from a wildcard on HTTPS', () => {
    const made = stage(
      app('deis/wild', { domains: '*.foo.example', certificates: '*.foo.example:wild' }),
      app('shop/own', { domains: 'a.foo.example' }),
    ).secret('deis/wild-cert', makePair('*.foo.example', later))
    made.settle()
    const before = made.certificate('a.foo.example')
    made.put(challenge).settle()
    expect([made.certificate('a.foo.example'), before]).toEqual(['deis/wild-cert', 'deis/wild-cert'])
    expect(made.ask('a.foo.example/.well-known/acme-challenge/t')).toBe('shop/b:80')
    expect([...made.routes.values()].find(({ id }) => id.startsWith('ingress/'))).toMatchObject({
      https: false,
      certificate: null,
    })
  })

  test('is on HTTPS when the Service is, as soon as it is', () => {
    const url = 'a.foo.example/.well-known/acme-challenge/t'
    const made = stage(app('shop/own', { domains: 'a.foo.example' }), challenge)
    expect(made.ask(url, true)).toBe('404')
    made.secret('shop/own-cert', makePair('*.foo.example', later))
    made.put(app('shop/own', { domains: 'a.foo.example', certificates: 'a.foo.example:own' })).settle()
    expect([made.ask(url, true), made.certificate('a.foo.example')]).toEqual(['shop/b:80', 'shop/own-cert'])
    made.put(app('shop/own', { domains: 'a.foo.example' })).settle()
    expect([made.ask(url, true), made.ask(url)]).toEqual(['404', 'shop/b:80'])
  })
})
