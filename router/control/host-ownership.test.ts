// `nginx.hostOwnership: namespace`, on a cluster where tenants write Services and Ingresses (docs/adr/0019).

import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/types.ts'
import { app, ingress, Stage, service, settings, slice, stageTime } from '#test/support/world-stage.ts'
import { certificateId } from './certificate.ts'
import { explain, readUrl } from './explain.ts'
import { Published } from './published.ts'
import { createSelfSigned } from './self-signed.ts'
import { makePair } from './testdata/make-certificate.ts'

const later = stageTime + 90 * 86_400_000
const first = '2025-01-01T00:00:00Z'
const second = '2025-02-01T00:00:00Z'
const third = '2025-03-01T00:00:00Z'
const owned = { hostOwnership: 'namespace' }

/** Apps and Services with an endpoint each. */
function stage(annotations: Readonly<Record<string, string>>, ...objects: readonly KubeObject[]): Stage {
  const backends = ['shop', 'thief'].map(space => service(`${space}/web`, ['http=80']))
  const all = [...backends, ...objects]
  const slices = all
    .filter(({ kind }) => kind === 'Service')
    .map(({ metadata }, at) => {
      const port = metadata.name === 'web' ? 'http' : ''
      return slice(`${metadata.namespace}/${metadata.name}`, port, 5000, `10.0.0.${at + 1}`)
    })
  const made = new Stage().put(settings(annotations), ...all, ...slices)
  made.settle()
  return made
}

const shopIngress = (host: string, created = first) => ingress('shop/i', { rules: [`${host} / web:80`], created })
const thiefIngress = (rule: string, created = second) => ingress('thief/i', { rules: [`${rule} web:80`], created })

describe('what a tenant may do to another by default, and not where hosts belong to namespaces', () => {
  interface Story {
    readonly name: string
    /** The victim's is the older one. */
    readonly objects: readonly KubeObject[]
    readonly url: string
    readonly secure?: boolean
    readonly byDefault: string
    readonly owned: string
    readonly problem: string
  }
  const shop = app('shop/app', { domains: 'shop.corp.test' }, first)
  const stories: readonly Story[] = [
    {
      name: 'an app takes paths of another app’s domains',
      objects: [
        shop,
        app(
          'thief/app',
          { domains: 'thief.corp.test', proxyDomain: 'shop.corp.test', proxyLocations: '/login' },
          second,
        ),
      ],
      url: 'shop.corp.test/login',
      byDefault: 'thief/app:80',
      owned: 'shop/app:80',
      problem: 'path-conflict thief/app',
    },
    {
      name: 'an Ingress takes a path of another’s host',
      objects: [shopIngress('shop.corp.test'), thiefIngress('shop.corp.test /login')],
      url: 'shop.corp.test/login',
      byDefault: 'thief/web:80',
      owned: 'shop/web:80',
      problem: 'host-conflict thief/i',
    },
    {
      name: 'an Ingress takes a name below an app’s wildcard',
      objects: [app('shop/app', { domains: '*.shop.corp.test' }, first), thiefIngress('login.shop.corp.test /')],
      url: 'login.shop.corp.test/',
      byDefault: 'thief/web:80',
      owned: 'shop/app:80',
      problem: 'host-conflict thief/i',
    },
    {
      name: 'an app takes a name below an Ingress’ wildcard',
      objects: [shopIngress('*.shop.corp.test'), app('thief/app', { domains: 'login.shop.corp.test' }, second)],
      url: 'login.shop.corp.test/',
      byDefault: 'thief/app:80',
      owned: 'shop/web:80',
      problem: 'host-conflict thief/app',
    },
    {
      name: 'a narrower wildcard takes names of a wider one',
      objects: [
        app('shop/app', { domains: '*.corp.test' }, first),
        app('thief/app', { domains: '*.shop.corp.test' }, second),
      ],
      url: 'a.shop.corp.test/',
      byDefault: 'thief/app:80',
      owned: 'shop/app:80',
      problem: 'host-conflict thief/app',
    },
    {
      name: 'an Ingress takes a host of a dotless domain',
      objects: [app('shop/app', { domains: 'shop' }, first), thiefIngress('shop.corp.test /')],
      url: 'shop.corp.test/',
      byDefault: 'thief/web:80',
      owned: 'shop/app:80',
      problem: 'host-conflict thief/i',
    },
    {
      name: 'a wildcard takes all dotless domains below a parent',
      objects: [app('shop/app', { domains: 'shop' }, first), thiefIngress('*.corp.test /')],
      url: 'shop.corp.test/',
      byDefault: 'thief/web:80',
      owned: 'shop/app:80',
      problem: 'host-conflict thief/i',
    },
    {
      name: 'a wildcard takes the HTTPS half of a host without a certificate',
      objects: [shop, ingress('thief/i', { rules: ['*.corp.test / web:80'], created: second })],
      url: 'shop.corp.test/',
      secure: true,
      byDefault: 'thief/web:80',
      owned: '404',
      problem: 'host-conflict thief/i',
    },
    {
      name: 'an app takes the host of another by its name',
      objects: [
        app('zoo/app', { domains: 'zoo.corp.test' }, first),
        app('a/app', { domains: 'zoo.corp.test' }, second),
      ],
      url: 'zoo.corp.test/',
      byDefault: 'a/app:80',
      owned: 'zoo/app:80',
      problem: 'host-conflict a/app',
    },
    {
      name: 'an app takes the host of an older Ingress',
      objects: [shopIngress('shop.corp.test'), app('thief/app', { domains: 'shop.corp.test' }, second)],
      url: 'shop.corp.test/',
      byDefault: 'thief/app:80',
      owned: 'shop/web:80',
      problem: 'host-conflict thief/app',
    },
  ]
  for (const { name, objects, url, secure = false, byDefault, owned: want, problem } of stories)
    test(name, () => {
      expect(stage({}, ...objects).ask(url, secure)).toBe(byDefault)
      const made = stage(owned, ...objects)
      expect(made.ask(url, secure)).toBe(want)
      expect(made.problems()).toContain(problem)
      // In whatever order they come.
      expect(stage(owned, ...objects.toReversed()).ask(url, secure)).toBe(want)
      made.put(settings({})).settle()
      expect(made.ask(url, secure)).toBe(byDefault)
    })
})

test('a loser is told whose namespace it is, and no more', () => {
  const rules = ['*.corp.test / web:80', 'secret-project.corp.test / web:80']
  const made = stage(
    owned,
    app('shop/secret', { domains: 'secret-project.corp.test' }, first),
    ingress('thief/i', { rules, created: second }),
    app(
      'thief/app',
      { domains: 'thief.test', proxyDomain: 'secret-project.corp.test', proxyLocations: '/a,/b' },
      second,
    ),
  )
  const told = made.world.problems().filter(({ object }) => object.namespace === 'thief')
  expect(told.map(({ code, object, message }) => [code, object.name, message])).toEqual([
    [
      'host-conflict',
      'i',
      '*.corp.test is not served: it, or a host that overlaps with it, belongs to namespace shop, which claimed it first',
    ],
    [
      'host-conflict',
      'i',
      'secret-project.corp.test is not served: it, or a host that overlaps with it, belongs to namespace shop, which claimed it first',
    ],
    [
      'path-conflict',
      'app',
      'router.deis.io/proxyLocations: the hosts of "secret-project.corp.test" belong to namespace shop, and nginx.hostOwnership lets no other have paths of them',
    ],
  ])
})

test('who lost takes over by itself when the owner goes, and gives back when it returns', () => {
  const owner = app('shop/app', { domains: '*.corp.test' }, first)
  const made = stage(owned, owner, thiefIngress('a.corp.test /'))
  expect(made.ask('a.corp.test/')).toBe('shop/app:80')
  made.remove(owner).settle()
  expect([made.ask('a.corp.test/'), made.ask('b.corp.test/'), made.problems()]).toEqual(['thief/web:80', '404', []])
  made.put(owner).settle()
  expect(made.ask('a.corp.test/')).toBe('shop/app:80')
})

test('within a namespace the rules are those of the contracts', () => {
  const made = stage(
    owned,
    app('shop/app', { domains: '*.corp.test,shop.corp.test' }, first),
    app('shop/hooks', { domains: 'hooks.test', proxyDomain: 'shop.corp.test', proxyLocations: '/hooks' }, third),
    ingress('shop/i', {
      rules: ['a.corp.test / web:80', 'shop.corp.test / web:80', 'shop.corp.test /.well-known/acme-challenge/t web:80'],
      created: second,
    }),
  )
  const urls = ['a.corp.test/', 'b.corp.test/', 'shop.corp.test/', 'shop.corp.test/hooks']
  expect(urls.map(url => made.ask(url))).toEqual(['shop/web:80', 'shop/app:80', 'shop/app:80', 'shop/hooks:80'])
  expect(made.ask('shop.corp.test/.well-known/acme-challenge/t')).toBe('shop/web:80')
  expect(made.problems()).toEqual(['host-conflict shop/i'])
})

test('an older claim of the same namespace keeps younger ones of it in force', () => {
  const made = stage(
    owned,
    shopIngress('*.corp.test'),
    thiefIngress('a.corp.test /'),
    app('shop/app', { domains: 'a.corp.test' }, third),
  )
  expect(made.ask('a.corp.test/')).toBe('shop/app:80')
})

test('an app that has lost a host is not asked for its paths', () => {
  // By name the first, so that the contract's order would make it the owner of the entry.
  const made = stage(
    owned,
    app('shop/app', { domains: 'shop.corp.test' }, first),
    app('shop/hooks', { domains: 'hooks.test', proxyDomain: 'shop.corp.test', proxyLocations: '/hooks' }, first),
    app('a/app', { domains: 'shop.corp.test,a.test' }, second),
  )
  expect([made.ask('shop.corp.test/hooks'), made.ask('a.test/hooks')]).toEqual(['shop/hooks:80', 'a/app:80'])
})

test('trusted namespaces go first, may have paths anywhere, and leave names below their wildcards free', () => {
  const made = stage(
    { ...owned, hostOwnershipTrusted: 'ops deis' },
    app('shop/app', { domains: 'shop.corp.test,status.corp.test' }, first),
    app('ops/app', { domains: '*.corp.test,status.corp.test' }, second),
    app('ops/pages', { domains: 'pages.test', proxyDomain: 'shop.corp.test', proxyLocations: '/pages' }, second),
    app('thief/app', { domains: 'x.test', proxyDomain: 'status.corp.test', proxyLocations: '/x' }, second),
  )
  const urls = ['shop.corp.test/', 'shop.corp.test/pages', 'status.corp.test/', 'status.corp.test/x', 'b.corp.test/']
  expect(urls.map(url => made.ask(url))).toEqual(['shop/app:80', 'ops/pages:80', ...Array(3).fill('ops/app:80')])
})

test('expressions of hosts are not in force', () => {
  const made = stage(
    { ...owned, enableRegexDomains: 'true' },
    app('shop/app', { domains: 'shop', regexDomain: 'shop-\\d+' }, first),
  )
  expect([made.ask('shop.corp.test/'), made.ask('shop-1.corp.test/')]).toEqual(['shop/app:80', '404'])
  expect(made.problems()).toEqual(['annotation-without-effect shop/app'])
})

test('a value that cannot be read protects', () => {
  const made = stage(
    { hostOwnership: 'namespaces' },
    shopIngress('shop.corp.test'),
    thiefIngress('shop.corp.test /login'),
  )
  expect(made.ask('shop.corp.test/login')).toBe('shop/web:80')
  expect(made.problems()).toEqual(['invalid-annotation deis/deis-router', 'host-conflict thief/i'])
})

test('the certificate of a wildcard is not shown for hosts of another namespace', () => {
  const objects = [
    ingress('shop/i', { rules: ['a.corp.test / web:80'], tls: ['wild *.corp.test'], created: first }),
    ingress('shop/j', { rules: ['c.corp.test / web:80'], created: second }),
    thiefIngress('b.corp.test /'),
  ]
  const certificatesOf = (annotations: Readonly<Record<string, string>>) => {
    const made = stage(annotations, ...objects)
    made.secret('shop/wild', makePair('*.corp.test', later)).settle()
    return ['a.corp.test', 'b.corp.test', 'c.corp.test'].map(host => made.certificate(host))
  }
  expect(certificatesOf({})).toEqual(['shop/wild', 'shop/wild', 'shop/wild'])
  expect(certificatesOf(owned)).toEqual(['shop/wild', null, 'shop/wild'])
})

test('/explain says who has it and why', () => {
  const made = stage(
    owned,
    app('shop/app', { domains: 'shop.corp.test' }, first),
    app('thief/app', { domains: 'thief.test', proxyDomain: 'shop.corp.test', proxyLocations: '/login' }, second),
    app('thief/late', { domains: '*.corp.test' }, third),
    thiefIngress('shop.corp.test /'),
  )
  const published = new Published(createSelfSigned(stageTime))
  published.publish(made.world.whole())
  const { outcome, others } = explain(readUrl('http://shop.corp.test/login')!, {
    published,
    contenders: matches => made.world.contenders(matches),
    endpoints: id => made.world.endpoints(id),
    problems: () => made.world.problems(),
    platformCertificate: certificateId('deis', 'deis-router-platform-cert'),
  })
  const owner = { kind: 'Service', namespace: 'shop', name: 'app' }
  const held = 'the host, or one that overlaps with it, belongs to another namespace, which claimed it first'
  const common = { owner, reason: 'host-taken', text: held, path: '/' }
  expect(outcome.text).toBe('shop/app answers')
  expect(others).toEqual([
    {
      object: { kind: 'Service', namespace: 'thief', name: 'app' },
      host: 'shop.corp.test',
      path: '/login*',
      reason: 'path-taken',
      owner,
      text: 'the host belongs to another namespace, and only its own apps may have paths of it',
    },
    { object: { kind: 'Service', namespace: 'thief', name: 'late' }, host: '*.corp.test', ...common },
    { object: { kind: 'Ingress', namespace: 'thief', name: 'i' }, host: 'shop.corp.test', ...common },
  ])
})
