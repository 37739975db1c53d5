// Which host goes to which app (contract section 7).

import { contract, type Row } from './contract.ts'
import { app, secret } from './given.ts'

const exact: readonly Row[] = [
  { row: '§7.1 the host itself', request: { host: 'www.foo.test' }, expect: { status: 200, app: 'h1/www' } },
  { row: '§7.1 not what is below it', request: { host: 'a.www.foo.test' }, expect: { status: 404, app: null } },
  { row: '§7.1 not what is above it', request: { host: 'www' }, expect: { status: 404, app: null } },
  { row: '§7.1 not a longer name', request: { host: 'www.foo.test.com' }, expect: { status: 404, app: null } },
  { row: '§7.2 one label', request: { host: 'a.wild.test' }, expect: { status: 200, app: 'h1/wild' } },
  { row: '§7.2 three labels', request: { host: 'c.b.a.wild.test' }, expect: { status: 200, app: 'h1/wild' } },
  { row: '§7.2 never the apex', request: { host: 'wild.test' }, expect: { status: 404, app: null } },
  { row: '§7.2 not a name that only ends like it', request: { host: 'awild.test' }, expect: { status: 404 } },
  {
    row: '§7.7 capitals',
    request: { host: 'WWW.Foo.TEST' },
    expect: { status: 200, got: { fields: { host: 'www.foo.test' } } },
  },
  {
    row: '§7.7 a port',
    request: { host: 'www.foo.test:8080' },
    expect: { status: 200, got: { fields: { host: 'www.foo.test' } } },
  },
  {
    row: '§7.7 a trailing dot',
    request: { host: 'www.foo.test.' },
    expect: { status: 200, got: { fields: { host: 'www.foo.test' } } },
  },
  {
    row: '§7.7 a trailing dot and a port',
    request: { host: 'www.foo.test.:80' },
    expect: { status: 200, got: { fields: { host: 'www.foo.test' } } },
  },
  { row: '§7.7 two trailing dots are no name', request: { host: 'www.foo.test..' }, expect: { app: null } },
  { row: '§7.7 capitals in domains', request: { host: 'big.foo.test' }, expect: { status: 200, app: 'h1/big' } },
  { row: '§7.9 exact beats wildcard', request: { host: 'www.wild.test' }, expect: { app: 'h1/in-wild' } },
  { row: '§7.9 the longer wildcard', request: { host: 'x.deep.wild.test' }, expect: { app: 'h1/deep' } },
  { row: '§7.9 the longer wildcard, two labels', request: { host: 'y.x.deep.wild.test' }, expect: { app: 'h1/deep' } },
  {
    row: '§7.9 the apex of the longer is in the shorter',
    request: { host: 'deep.wild.test' },
    expect: { app: 'h1/wild' },
  },
  { row: '§7.9 wildcard beats expression', request: { host: 'shop.wild.test' }, expect: { app: 'h1/wild' } },
  { row: '§7.9 exact beats expression', request: { host: 'shop.exact.test' }, expect: { app: 'h1/exact-shop' } },
  { row: '§7.9 what nobody has', request: { host: 'nobody.test' }, expect: { status: 404, app: null } },
  { row: '§7.4 a parent of one label', request: { host: 'shop.test' }, expect: { status: 200, app: 'h1/shop' } },
  {
    row: '§7.4 a parent of several',
    request: { host: 'shop.192.0.2.1.nip.io' },
    expect: { status: 200, app: 'h1/shop' },
  },
  { row: '§7.4 not the bare label', request: { host: 'shop' }, expect: { status: 404, app: null } },
  { row: '§7.4 not with a dot alone', request: { host: 'shop.' }, expect: { status: 404, app: null } },
  { row: '§7.4 not a longer label', request: { host: 'shops.test' }, expect: { status: 404, app: null } },
  { row: '§7.4 not in second place', request: { host: 'www.shop.test' }, expect: { status: 404, app: null } },
  {
    row: '§7.10 an absolute target that agrees with Host',
    request: { host: 'www.foo.test', target: 'http://www.foo.test/x?y' },
    expect: { status: 200, app: 'h1/www' },
  },
  {
    row: '§7.10 an absolute target that contradicts it',
    request: { host: 'nobody.test', target: 'http://www.foo.test/x' },
    expect: { status: 400, app: null },
  },
  {
    row: '§7.10 an absolute target of HTTP/1.0 without Host',
    request: { bytes: 'GET http://www.foo.test/x HTTP/1.0\r\nUser-Agent: UA\r\n\r\n' },
    expect: { status: 200, app: 'h1/www' },
  },
  {
    row: '§7.11 HTTP/1.0 without Host',
    request: { bytes: 'GET / HTTP/1.0\r\nUser-Agent: UA\r\n\r\n' },
    expect: { status: 404, app: null, log: { 1: 'router-default-vhost', 9: '"_"' } },
  },
  {
    row: '§7.11 HTTP/1.0 with Host',
    request: { host: 'www.foo.test', version: '1.0' },
    expect: { status: 200, app: 'h1/www' },
  },
  {
    row: '§7.12 the first namespace wins',
    given: [app('h2-b/twin', 'twin.test'), app('h2-a/twin', 'twin.test')],
    request: { host: 'twin.test' },
    expect: {
      status: 200,
      app: 'h2-a/twin',
      problem: { of: 'h2-b/twin', says: /warning host-conflict .*twin\.test.*h2-a\/twin/ },
    },
  },
  {
    row: '§7.12 in one namespace the first name wins',
    given: [app('h2/z', '*.zoo.test'), app('h2/y', 'own-y.test,*.zoo.test')],
    request: { host: 'a.zoo.test' },
    expect: { status: 200, app: 'h2/y', problem: { of: 'h2/z', says: /warning host-conflict/ } },
  },
  {
    row: '§7.12 the loser keeps its other domains, and inherits the one when the winner goes',
    given: [app('h3/b', 'left.test,both.test'), app('h3/a', 'both.test')],
    steps: [
      { request: { host: 'left.test' }, expect: { app: 'h3/b' } },
      { request: { host: 'both.test' }, expect: { app: 'h3/a' } },
      {
        gone: ['Service/h3/a'],
        request: { host: 'both.test' },
        expect: { status: 200, app: 'h3/b', problem: { of: 'h3/b', says: null } },
      },
    ],
  },
  {
    row: '§7.13 the owner without a certificate keeps HTTPS to itself',
    given: [
      app('h4-a/plain', 'split.test'),
      app('h4-b/secure', { domains: 'split.test', certificates: 'split.test:split' }),
      secret('h4-b/split-cert', 'split'),
    ],
    steps: [
      { request: { host: 'split.test' }, expect: { status: 200, app: 'h4-a/plain' } },
      {
        request: { host: 'split.test', tls: 'split.test' },
        expect: { status: 404, app: null, certificate: 'self-signed' },
      },
    ],
  },
  {
    row: '§7.14 twice the same, in other letters too',
    given: [app('h5/dup', 'dup.test, DUP.test,dup.test')],
    request: { host: 'dup.test' },
    expect: { status: 200, app: 'h5/dup', problem: { of: 'h5/dup', says: null } },
  },
  {
    row: '§7.8 :authority is as good as Host',
    given: [secret('h6/h2-cert', 'h2'), app('h6/h2', { domains: 'h2.test', certificates: 'h2.test:h2' })],
    request: { host: 'h2.test', tls: 'h2.test', alpn: ['h2', 'http/1.1'] },
    expect: {
      alpn: 'h2',
      status: 200,
      app: 'h6/h2',
      got: { line: 'GET / HTTP/1.1', fields: { host: 'h2.test' } },
      log: { 5: '"GET / HTTP/2.0"' },
    },
  },
]

const longLabel = 'l'.repeat(63)
const validity: readonly (readonly [entry: string, host: string | null])[] = [
  ['double--hyphen.test', 'double--hyphen.test'],
  ['xn--bcher-kva.test', 'xn--bcher-kva.test'],
  ['7digits.test', '7digits.test'],
  [`${longLabel}.test`, `${longLabel}.test`],
  [
    'a-name-of-more-than-forty-seven-characters.and-then.some.test',
    'a-name-of-more-than-forty-seven-characters.and-then.some.test',
  ],
  ['under_score.test', null],
  ['-hyphen.test', null],
  ['hyphen-.test', null],
  ['short.t', null],
  ['*.test', null],
  ['a.*.test', null],
  ['*a.test', null],
  ['port.test:80', null],
  ['dot.test.', null],
  ['.dot.test', null],
  ['two..dots.test', null],
  ['*', null],
  [`${longLabel}l.test`, null],
  ['b\u00fccher.test', null],
]

const names: readonly Row[] = validity.map(([entry, host], index) => ({
  row: `§7.6 ${JSON.stringify(entry)} is ${host === null ? 'no domain' : 'a domain'}`,
  given: [app(`n${index}/app`, `beside-${index}.test,${entry}`)],
  steps: [
    { request: { host: `beside-${index}.test` }, expect: { status: host === null ? 404 : 200 } },
    ...(host === null ? [] : [{ request: { host }, expect: { status: 200, app: `n${index}/app` } }]),
    {
      expect: { problem: { of: `n${index}/app`, says: host === null ? /^error invalid-annotation .*domains/ : null } },
    },
  ],
}))

const platform: readonly Row[] = [
  { row: '§7.3 below the platform domain', request: { host: 'foo.p.test' }, expect: { status: 200, app: 'p1/foo' } },
  { row: '§7.3 below no other', request: { host: 'foo.q.test' }, expect: { status: 404, app: null } },
  { row: '§7.3 not deeper', request: { host: 'a.foo.p.test' }, expect: { status: 404, app: null } },
  { row: '§7.3 not bare', request: { host: 'foo' }, expect: { status: 404, app: null } },
  {
    row: '§7.3 the platform domain itself is nobody’s',
    request: { host: 'p.test' },
    expect: { status: 404, app: null },
  },
  {
    row: '§7.14 dotless and in full are one host',
    given: [app('p2/bar', 'bar,bar.p.test')],
    request: { host: 'bar.p.test' },
    expect: { status: 200, app: 'p2/bar', problem: { of: 'p2/bar', says: null } },
  },
  {
    row: '§7.12 dotless and in full of two Services',
    given: [app('p3/b', 'full'), app('p3/a', 'full.p.test')],
    request: { host: 'full.p.test' },
    expect: { status: 200, app: 'p3/a', problem: { of: 'p3/b', says: /host-conflict/ } },
  },
  {
    row: '§7.3 changing the platform domain moves all of them',
    steps: [
      {
        settings: { platformDomain: 'q.test' },
        request: { host: 'foo.q.test' },
        expect: { status: 200, app: 'p1/foo' },
      },
      { request: { host: 'foo.p.test' }, expect: { status: 404, app: null } },
      {
        settings: { platformDomain: 'p.test' },
        request: { host: 'foo.p.test' },
        expect: { status: 200, app: 'p1/foo' },
      },
    ],
  },
  ...(['p', 'p..test', 'p.t', 'p--q.test', '*.p.test'] as const).map(
    (bad): Row => ({
      row: `§7.3 ${bad} is no platform domain`,
      steps: [
        {
          settings: { platformDomain: bad },
          request: { host: 'foo.anything.test' },
          expect: { status: 200, app: 'p1/foo', problem: { of: 'deis-router', says: /platformDomain/ } },
        },
      ],
    }),
  ),
]

const expressions: readonly Row[] = [
  { row: '§7.5 the expression', request: { host: 'foo-12.any.test' }, expect: { status: 200, app: 'e1/foo' } },
  { row: '§7.5 the domain itself too', request: { host: 'foo.any.test' }, expect: { status: 200, app: 'e1/foo' } },
  {
    row: '§7.5 below a parent of several labels',
    request: { host: 'foo-1.b.any.test' },
    expect: { status: 200, app: 'e1/foo' },
  },
  { row: '§7.5 in capitals', request: { host: 'FOO-1.ANY.test' }, expect: { status: 200, app: 'e1/foo' } },
  { row: '§7.5 anchored in front', request: { host: 'xfoo-1.any.test' }, expect: { status: 404, app: null } },
  { row: '§7.5 anchored behind', request: { host: 'foo-1x.any.test' }, expect: { status: 404, app: null } },
  { row: '§7.5 not without a parent', request: { host: 'foo-1' }, expect: { status: 404, app: null } },
  { row: '§7.5 not what does not match', request: { host: 'foo-.any.test' }, expect: { status: 404, app: null } },
  {
    row: '§7.5 in spite of the platform domain',
    request: { host: 'foo-3.elsewhere.test' },
    expect: { status: 200, app: 'e1/foo' },
  },
  {
    row: '§7.5 the domain has to be part of the expression',
    given: [app('e2/odd', { domains: 'odd', regexDomain: 'even-\\d+' })],
    steps: [
      {
        request: { host: 'even-1.any.test' },
        expect: { status: 404, app: null, problem: { of: 'e2/odd', says: /regexDomain/ } },
      },
      { request: { host: 'odd.pl.test' }, expect: { status: 200, app: 'e2/odd' } },
    ],
  },
  {
    row: '§7.5 what does not compile costs itself',
    given: [app('e3/bad', { domains: 'bad', regexDomain: 'bad(' })],
    steps: [
      {
        request: { host: 'bad.pl.test' },
        expect: { status: 200, app: 'e3/bad', problem: { of: 'e3/bad', says: /regexDomain/ } },
      },
      { request: { host: 'foo-5.any.test' }, expect: { app: 'e1/foo' } },
    ],
  },
  {
    row: '§7.9 of two expressions the first Service’s',
    given: [
      app('e5/b', { domains: 'two', regexDomain: 'two-.*' }),
      app('e5/a', { domains: 'two-x', regexDomain: 'two-x\\d*' }),
    ],
    steps: [
      { request: { host: 'two-x1.any.test' }, expect: { status: 200, app: 'e5/a' } },
      { request: { host: 'two-y.any.test' }, expect: { status: 200, app: 'e5/b' } },
    ],
  },
  {
    row: '§7.5 an expression that would take an engine with backtracking for ever',
    given: [app('e6/slow', { domains: 'slow', regexDomain: 'slow(a+)+b' })],
    request: { host: `slow${'a'.repeat(50)}.any.test` },
    expect: { status: 404, app: null },
  },
  {
    row: '§7.5 off by default',
    steps: [
      {
        settings: { platformDomain: 'pl.test' },
        request: { host: 'foo-12.any.test' },
        expect: { status: 404, app: null },
      },
      { request: { host: 'foo.pl.test' }, expect: { status: 200, app: 'e1/foo' } },
    ],
  },
]

contract([
  {
    name: 'without a platform domain',
    given: [
      app('h1/www', 'www.foo.test'),
      app('h1/big', 'BIG.Foo.test'),
      app('h1/wild', '*.wild.test'),
      app('h1/deep', '*.deep.wild.test'),
      app('h1/in-wild', 'www.wild.test'),
      app('h1/exact-shop', 'shop.exact.test'),
      app('h1/shop', 'shop'),
    ],
    rows: exact,
  },
  { name: 'what is a domain', rows: names },
  {
    name: 'with a platform domain',
    settings: { platformDomain: 'p.test' },
    given: [app('p1/foo', 'foo')],
    rows: platform,
  },
  {
    name: 'expressions',
    settings: { platformDomain: 'pl.test', enableRegexDomains: 'true' },
    given: [app('e1/foo', { domains: 'foo', regexDomain: 'foo-\\d+' })],
    rows: expressions,
  },
])
