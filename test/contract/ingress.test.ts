// What an Ingress controller does, row by row (ids `I-…`).

import { once } from 'node:events'
import { expect, test } from 'vitest'
import { get } from '#test/support/app.ts'
import { contract, type Group, type Row, type Want } from './contract.ts'
import { app, type Given, ingress, ingressClass, ourController, pair, secret, service } from './given.ts'
import { Stage } from './stage.ts'

const early = '2026-01-01T00:00:00Z'
const late = '2026-02-01T00:00:00Z'
const others = 'example.com/other'

/** An Ingress with one Service of its name behind `/`. */
function simple(path: string, host: string, options: Parameters<typeof ingress>[2] = {}): readonly Given[] {
  return [service(path), ingress(path, { [host]: { '/': `${path.split('/')[1]}:80` } }, options)]
}

const classes: readonly Row[] = [
  {
    row: 'I-C1 a class that names our controller',
    given: simple('c1/a', 'c1.test'),
    request: { host: 'c1.test' },
    expect: { status: 200, app: 'c1/a' },
  },
  {
    row: 'I-C1 another class of ours',
    given: simple('c1/b', 'c1b.test', { className: 'also-ours' }),
    request: { host: 'c1b.test' },
    expect: { status: 200, app: 'c1/b' },
  },
  {
    row: 'I-C1 a class of ours by another name than ours',
    given: [ingressClass('nginx', ourController), ...simple('c1/c', 'c1c.test', { className: 'nginx' })],
    request: { host: 'c1c.test' },
    expect: { status: 200 },
  },
  {
    row: 'I-C2 a class that there is not',
    given: simple('c2/a', 'c2.test', { className: 'unheard-of' }),
    request: { host: 'c2.test' },
    expect: { status: 404, app: null, problem: { of: 'c2/a', says: null } },
  },
  {
    row: 'I-C2 a class of another controller',
    given: simple('c2/b', 'c2b.test', { className: 'theirs' }),
    request: { host: 'c2b.test' },
    expect: { status: 404, app: null, problem: { of: 'c2/b', says: null } },
  },
  {
    row: 'I-C3 the annotation alone',
    given: simple('c3/a', 'c3.test', { className: null, annotations: { 'kubernetes.io/ingress.class': 'ours' } }),
    request: { host: 'c3.test' },
    expect: { status: 200 },
  },
  {
    row: 'I-C3 the annotation of another',
    given: simple('c3/b', 'c3b.test', { className: null, annotations: { 'kubernetes.io/ingress.class': 'theirs' } }),
    request: { host: 'c3b.test' },
    expect: { status: 404 },
  },
  {
    row: 'I-C3 the field is ours, the annotation theirs',
    given: simple('c3/c', 'c3c.test', { annotations: { 'kubernetes.io/ingress.class': 'theirs' } }),
    request: { host: 'c3c.test' },
    expect: { status: 200 },
  },
  {
    row: 'I-C3 the field is theirs, the annotation ours',
    given: simple('c3/d', 'c3d.test', { className: 'theirs', annotations: { 'kubernetes.io/ingress.class': 'ours' } }),
    request: { host: 'c3d.test' },
    expect: { status: 404 },
  },
  {
    row: 'I-C4 neither',
    given: simple('c4/a', 'c4.test', { className: null }),
    request: { host: 'c4.test' },
    expect: { status: 404 },
  },
  {
    row: 'I-C5 a default class adopts nobody here',
    given: [
      ingressClass('default', ourController, { 'ingressclass.kubernetes.io/is-default-class': 'true' }),
      ...simple('c5/a', 'c5.test', { className: null }),
    ],
    request: { host: 'c5.test' },
    expect: { status: 404 },
  },
  {
    row: 'I-C5 an empty name is no class',
    given: simple('c5/b', 'c5b.test', { className: '' }),
    request: { host: 'c5b.test' },
    expect: { status: 404 },
  },
  {
    row: 'I-C6 parameters of an unknown kind',
    given: [
      ingressClass(
        'params',
        ourController,
        {},
        { parameters: { apiGroup: 'example.com', kind: 'Whatever', name: 'x', scope: 'Cluster' } },
      ),
      ...simple('c6/a', 'c6.test', { className: 'params' }),
    ],
    request: { host: 'c6.test' },
    expect: { status: 200, problem: { of: 'params', says: /^warning .*parameters/ } },
  },
  {
    row: 'I-C7 the class of an Ingress changes',
    given: simple('c7/a', 'c7.test', { className: 'theirs' }),
    steps: [
      { request: { host: 'c7.test' }, expect: { status: 404 } },
      {
        change: [ingress('c7/a', { 'c7.test': { '/': 'a:80' } })],
        request: { host: 'c7.test' },
        expect: { status: 200 },
      },
      {
        change: [ingress('c7/a', { 'c7.test': { '/': 'a:80' } }, { className: 'theirs' })],
        request: { host: 'c7.test' },
        expect: { status: 404 },
      },
    ],
  },
  {
    row: 'I-C7 the class itself comes, and goes',
    given: simple('c7/b', 'c7b.test', { className: 'comes' }),
    steps: [
      { request: { host: 'c7b.test' }, expect: { status: 404 } },
      { change: [ingressClass('comes')], request: { host: 'c7b.test' }, expect: { status: 200 } },
      { gone: ['IngressClass/comes'], request: { host: 'c7b.test' }, expect: { status: 404 } },
    ],
  },
]

const hosts: readonly Row[] = [
  {
    row: 'I-H1 exact, wildcard, none',
    given: [
      service('h1/exact'),
      service('h1/wild'),
      service('h1/none'),
      ingress('h1/i', { 'a.h1.test': { '/': 'exact:80' }, '*.h1.test': { '/': 'wild:80' }, '': { '/': 'none:80' } }),
    ],
    steps: [
      { request: { host: 'a.h1.test' }, expect: { app: 'h1/exact' } },
      { request: { host: 'b.h1.test' }, expect: { app: 'h1/wild' } },
      { request: { host: 'h1.test' }, expect: { app: 'h1/none' } },
      { request: { host: 'whatever' }, expect: { app: 'h1/none' } },
      { request: { bytes: 'GET / HTTP/1.0\r\n\r\n' }, expect: { app: 'h1/none' } },
    ],
  },
]

const moreHosts: readonly Row[] = [
  {
    row: 'I-H2 one label',
    given: simple('h2/a', '*.h2.test'),
    steps: [
      { request: { host: 'bar.h2.test' }, expect: { status: 200, app: 'h2/a' } },
      { request: { host: 'baz.bar.h2.test' }, expect: { status: 404, app: null } },
      { request: { host: 'h2.test' }, expect: { status: 404, app: null } },
    ],
  },
  {
    row: 'I-H3 case and port',
    given: simple('h3/a', 'h3.test'),
    steps: [
      { request: { host: 'H3.TEST:8080' }, expect: { status: 200, app: 'h3/a' } },
      { request: { host: 'h3.test.' }, expect: { status: 200 } },
    ],
  },
  ...(['*', '127.0.0.1', 'h3.test:80', 'a.*.h3.test', 'under_score.h3.test', '-h3.test'] as const).map(
    (host, index): Row => ({
      row: `I-H3 ${host} is no host; the other rule holds`,
      given: [
        service(`h3-${index}/a`),
        ingress(`h3-${index}/i`, { [host]: { '/': 'a:80' }, [`good-${index}.h3.test`]: { '/': 'a:80' } }),
      ],
      steps: [
        { request: { host: `good-${index}.h3.test` }, expect: { status: 200, app: `h3-${index}/a` } },
        {
          request: { host: 'nobody.h3.test' },
          expect: { status: 404, problem: { of: `h3-${index}/i`, says: /host/ } },
        },
      ],
    }),
  ),
  {
    row: 'I-H4 paths of several namespaces',
    given: [
      service('h4-b/b'),
      service('h4-a/a'),
      ingress('h4-b/i', { 'h4.test': { '/b': 'b:80' } }),
      ingress('h4-a/i', { 'h4.test': { '/a': 'a:80' } }),
    ],
    steps: [
      { request: { host: 'h4.test', target: '/a' }, expect: { app: 'h4-a/a' } },
      { request: { host: 'h4.test', target: '/b' }, expect: { app: 'h4-b/b' } },
      { request: { host: 'h4.test', target: '/c' }, expect: { status: 404 } },
    ],
  },
  {
    row: 'I-H4 the oldest wins',
    given: [
      service('h4-y/young'),
      ingress('h4-y/i', { 'age.test': { '/': 'young:80' } }, { created: late }),
      service('h4-z/old'),
      ingress('h4-z/i', { 'age.test': { '/': 'old:80' } }, { created: early }),
    ],
    steps: [
      {
        request: { host: 'age.test' },
        expect: { app: 'h4-z/old', problem: { of: 'h4-y/i', says: /^warning path-conflict .*age\.test.*h4-z\/i/ } },
      },
      {
        gone: ['Ingress/h4-z/i'],
        request: { host: 'age.test' },
        expect: { app: 'h4-y/young', problem: { of: 'h4-y/i', says: null } },
      },
    ],
  },
  {
    row: 'I-H4 of the same age, the first by namespace and name',
    given: [
      service('h4-t/a'),
      service('h4-s/a'),
      ingress('h4-t/i', { 'tie.test': { '/': 'a:80' } }),
      ingress('h4-s/j', { 'tie.test': { '/': 'a:80' } }),
      ingress('h4-s/k', { 'tie.test': { '/': 'a:80' } }),
    ],
    request: { host: 'tie.test' },
    expect: { app: 'h4-s/a', problem: { of: 'h4-s/k', says: /path-conflict/ } },
  },
  {
    row: 'I-H4 the same path of another type is another path',
    given: [
      service('h4-u/prefix'),
      service('h4-u/exact'),
      ingress('h4-u/i', { 'type.test': { '/x': 'prefix:80' } }, { created: early }),
      ingress('h4-u/j', { 'type.test': { '= /x': 'exact:80' } }, { created: late }),
    ],
    steps: [
      {
        request: { host: 'type.test', target: '/x' },
        expect: { app: 'h4-u/exact', problem: { of: 'h4-u/j', says: null } },
      },
      { request: { host: 'type.test', target: '/x/y' }, expect: { app: 'h4-u/prefix' } },
    ],
  },
  {
    row: 'I-H4 an annotated Service owns its host whole',
    given: [app('h4-v/app', 'owned.test'), ...simple('h4-v/a', 'owned.test')],
    request: { host: 'owned.test' },
    expect: { app: 'h4-v/app', problem: { of: 'h4-v/a', says: /host-conflict .*owned\.test/ } },
  },
  {
    row: 'I-H5 no path of the host',
    given: [
      service('h5/exact'),
      service('h5/wild'),
      ingress('h5/i', { 'a.h5.test': { '/only': 'exact:80' }, '*.h5.test': { '/': 'wild:80' } }),
    ],
    steps: [
      { request: { host: 'a.h5.test', target: '/only/x' }, expect: { app: 'h5/exact' } },
      { request: { host: 'a.h5.test', target: '/other' }, expect: { status: 404, app: null } },
      { request: { host: 'b.h5.test', target: '/other' }, expect: { app: 'h5/wild' } },
    ],
  },
]

/** Rules (path → Service), requests, and who answers; null: 404. */
const paths: readonly (readonly [
  id: 'I-P1' | 'I-P2' | 'I-P3' | 'I-P4' | 'I-P5' | 'I-P6',
  rules: readonly string[],
  asked: Readonly<Record<string, number | null>>,
])[] = [
  ['I-P2', ['/'], { '/': 0, '/anything': 0, '/a/b/c': 0 }],
  ['I-P1', ['= /foo'], { '/foo': 0, '/foo/': null, '/FOO': null, '/bar': null, '/foo/x': null }],
  ['I-P1', ['= /foo/'], { '/foo': null, '/foo/': 0 }],
  ['I-P2', ['/foo'], { '/foo': 0, '/foo/': 0, '/foo/x': 0, '/FOO': null, '/foobar': null }],
  ['I-P2', ['/foo/'], { '/foo': 0, '/foo/': 0, '/foo/x': 0, '/foobar': null }],
  ['I-P2', ['/aaa/bbb/'], { '/aaa/bbb': 0, '/aaa/bbb/': 0, '/aaa/bbb/c': 0, '/aaa/bbbc': null, '/aaa': null }],
  ['I-P4', ['/aaa/bbb', '/aaa'], { '/aaa/bbb/ccc': 0, '/aaa/bbb': 0, '/aaa/ccc': 1, '/aaaccc': null }],
  ['I-P4', ['/aaa', '/aaa/bbb'], { '/aaa/bbb/ccc': 1, '/aaa/ccc': 0 }],
  ['I-P4', ['/foo', '= /foo'], { '/foo': 1, '/foo/': 0, '/foo/x': 0 }],
  ['I-P4', ['= /foo', '/foo'], { '/foo': 0, '/foo/': 1 }],
  ['I-P4', ['/', '/aaa', '= /aaa/bbb'], { '/x': 0, '/aaa/x': 1, '/aaa/bbb': 2, '/aaa/bbb/': 1 }],
  ['I-P3', ['~ /foo'], { '/foo': 0, '/foo/x': 0, '/foobar': null }],
  ['I-P3', ['~ '], { '/': 0, '/anything': 0 }],
  ['I-P3', ['~ /re/.*'], { '/re/x': null, '/re/.*': 0 }],
  ['I-P5', ['= /foo', '/q'], { '/foo?x=y': 0, '/q?/foo': 1, '/other?/foo': null }],
  ['I-P6', ['/a/b', '/c'], { '/a/./b': null, '/a//b': null, '/c/../a/b': 1, '/%61/b': null, '/a%2Fb': null }],
  ['I-P6', ['/a%20b'], { '/a%20b/c': 0 }],
]

const pathRows: readonly Row[] = paths.map(([id, rules, asked], index) => ({
  row: pathRow(id, rules, asked),
  given: [
    ...rules.map((_, at) => service(`p${index}/s${at}`)),
    ingress(`p${index}/i`, { [`p${index}.test`]: Object.fromEntries(rules.map((rule, at) => [rule, `s${at}:80`])) }),
  ],
  steps: Object.entries(asked).map(([target, at]) => ({
    request: { host: `p${index}.test`, target },
    expect: {
      status: at === null ? 404 : 200,
      app: at === null ? null : `p${index}/s${at}`,
      ...(at !== null && { got: { line: `GET ${target} HTTP/1.1` } }),
    },
  })),
}))

function pathRow(id: string, rules: readonly string[], asked: Readonly<Record<string, number | null>>): string {
  return `${id} ${rules.join(', ') || '(empty)'} for ${Object.keys(asked).join(' ')}`
}

const two = [
  { name: 'web', port: 80, targetPort: 'app' },
  { name: 'metrics', port: 9100 },
]

const backends: readonly Row[] = [
  {
    row: 'I-B1 by number',
    given: [service('b1/a', { ports: two }), ingress('b1/i', { 'b1.test': { '/': 'a:80' } })],
    request: { host: 'b1.test' },
    expect: { status: 200 },
  },
  {
    row: 'I-B1 by name',
    given: [service('b1/b', { ports: two }), ingress('b1/j', { 'b1b.test': { '/': 'b:metrics' } })],
    request: { host: 'b1b.test' },
    expect: { status: 200 },
  },
  {
    row: 'I-B1 another number than 80',
    given: [service('b1/c', { ports: two }), ingress('b1/k', { 'b1c.test': { '/': 'c:9100' } })],
    request: { host: 'b1c.test' },
    expect: { status: 200 },
  },
  {
    row: 'I-B1 a port without a name',
    given: [service('b1/d', { ports: [{ port: 8080 }] }), ingress('b1/l', { 'b1d.test': { '/': 'd:8080' } })],
    request: { host: 'b1d.test' },
    expect: { status: 200 },
  },
  {
    row: 'I-B2 beside a Service',
    given: [
      service('b2/a'),
      ingress('b2/i', {
        'b2.test': { '/good': 'a:80', '/bucket': { resource: { apiGroup: 'example.com', kind: 'Bucket', name: 'x' } } },
      }),
    ],
    steps: [
      { request: { host: 'b2.test', target: '/good' }, expect: { status: 200 } },
      {
        request: { host: 'b2.test', target: '/bucket' },
        expect: { status: 503, app: null, problem: { of: 'b2/i', says: /Bucket/ } },
      },
    ],
  },
  {
    row: 'I-B3 a Service of another namespace is none',
    given: [service('b3-other/shop'), ingress('b3/i', { 'b3.test': { '/': 'shop:80' } })],
    request: { host: 'b3.test' },
    expect: { status: 503, app: null, problem: { of: 'b3/i', says: /b3\/shop|shop/ } },
  },
  {
    row: 'I-B3 nor with a path for a name',
    given: [ingress('b3/j', { 'b3j.test': { '/': '../b3-other/shop:80' } })],
    request: { host: 'b3j.test' },
    expect: { app: null },
  },
  {
    row: 'I-B4 no Service, until there is one',
    given: [service('b4/a'), ingress('b4/i', { 'b4.test': { '/': 'a:80', '/missing': 'missing:80' } })],
    steps: [
      {
        request: { host: 'b4.test', target: '/missing' },
        expect: { status: 503, problem: { of: 'b4/i', says: /no-backend .*missing/ } },
      },
      { request: { host: 'b4.test' }, expect: { status: 200, app: 'b4/a' } },
      {
        change: [service('b4/missing')],
        request: { host: 'b4.test', target: '/missing' },
        expect: { status: 200, app: 'b4/missing', problem: { of: 'b4/i', says: null } },
      },
      { gone: ['Service/b4/missing'], request: { host: 'b4.test', target: '/missing' }, expect: { status: 503 } },
    ],
  },
  {
    row: 'I-B4 no such port',
    given: [
      service('b4/ports', { ports: two }),
      ingress('b4/j', { 'b4j.test': { '/': 'ports:web', '/number': 'ports:81', '/name': 'ports:nope' } }),
    ],
    steps: [
      {
        request: { host: 'b4j.test', target: '/number' },
        expect: { status: 503, problem: { of: 'b4/j', says: /no-backend .*81/ } },
      },
      {
        request: { host: 'b4j.test', target: '/name' },
        expect: { status: 503, problem: { of: 'b4/j', says: /no-backend .*nope/ } },
      },
      { request: { host: 'b4j.test' }, expect: { status: 200 } },
    ],
  },
  {
    row: 'I-B4 no ready pod',
    given: [service('b4/empty', { pods: 'none' }), ingress('b4/k', { 'b4k.test': { '/': 'empty:80' } })],
    steps: [
      { request: { host: 'b4k.test' }, expect: { status: 503, app: null } },
      { change: [service('b4/empty')], request: { host: 'b4k.test' }, expect: { status: 200 } },
    ],
  },
  {
    row: 'I-B5 a hundred requests reach all of ten pods',
    given: [service('b5/a', { replicas: 10 }), ingress('b5/i', { 'b5.test': { '/': 'a:80' } })],
    run: async stage => {
      for (let i = 0; i < 100; i++) {
        const client = await stage.connect('http')
        await client.send(get('b5.test', '/', 'User-Agent: ten-pods', 'Connection: close'))
        expect((await client.response()).status).toBe(200)
      }
      await stage.process.until('a hundred lines', () => (lines(stage).length >= 100 ? true : undefined))
      expect(new Set(lines(stage).map(line => line.split(' - ')[10])).size).toBe(10)
    },
  },
  {
    row: 'I-B5 not those that are not ready',
    given: [service('b5/unready', { pods: 'not ready' }), ingress('b5/j', { 'b5j.test': { '/': 'unready:80' } })],
    request: { host: 'b5j.test' },
    expect: { status: 503, app: null },
  },
  {
    row: 'I-B5 a terminating one that serves, when there is no other',
    given: [service('b5/last', { pods: 'terminating' }), ingress('b5/k', { 'b5k.test': { '/': 'last:80' } })],
    request: { host: 'b5k.test' },
    expect: { status: 200, app: 'b5/last' },
  },
  {
    row: 'I-B5 a headless Service',
    given: [
      service('b5/headless', { spec: { clusterIP: 'None' } }),
      ingress('b5/l', { 'b5l.test': { '/': 'headless:80' } }),
    ],
    request: { host: 'b5l.test' },
    expect: { status: 200, app: 'b5/headless' },
  },
  {
    row: 'I-B6 off by default',
    given: [
      service('b6/ext', { pods: 'none', spec: { type: 'ExternalName', externalName: 'example.com' } }),
      ingress('b6/i', { 'b6.test': { '/': 'ext:80' } }),
    ],
    request: { host: 'b6.test' },
    expect: { status: 503, app: null, problem: { of: 'b6/i', says: /ExternalName/ } },
  },
  {
    row: 'I-B8 kubernetes.io/ws',
    given: [
      service('b8/ws', {
        ports: [{ name: 'ws', port: 80, appProtocol: 'kubernetes.io/ws' }],
        answer: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      }),
      ingress('b8/i', { 'b8.test': { '/': 'ws:80' } }),
    ],
    request: { host: 'b8.test', fields: ['Connection: Upgrade', 'Upgrade: websocket'] },
    expect: { status: 101 },
  },
  {
    row: 'I-R1 answers and requests',
    given: simple('r1/a', 'r1.test'),
    request: { host: 'r1.test', method: 'PUT', target: '/Path/%41?q', body: 'x', fields: ['User-Agent: Suite/1.0'] },
    expect: {
      status: 200,
      fields: { 'content-type': 'text/plain', date: /GMT$/, server: /./ },
      got: { line: 'PUT /Path/%41?q HTTP/1.1', fields: { host: 'r1.test', 'user-agent': 'Suite/1.0' } },
    },
  },
]

function lines(stage: Stage): readonly string[] {
  return stage.process.accessLog.filter(line => line.includes('"ten-pods"'))
}

const beside: readonly Row[] = [
  {
    row: 'I-B7 beside rules: for hosts and paths that do not match',
    given: [
      service('b7/rule'),
      service('b7/rest'),
      ingress('b7/i', { 'b7.test': { '/only': 'rule:80' } }, { defaultBackend: 'rest:80' }),
    ],
    steps: [
      { request: { host: 'b7.test', target: '/only' }, expect: { app: 'b7/rule' } },
      { request: { host: 'b7.test', target: '/other' }, expect: { app: 'b7/rest' } },
      { request: { host: 'unknown.b7.test', target: '/x' }, expect: { app: 'b7/rest' } },
    ],
  },
]

const alone: readonly Row[] = [
  {
    row: 'I-B7 without rules: everything, unchanged',
    given: [service('d/all'), ingress('d/i', {}, { defaultBackend: 'all:80' })],
    steps: [
      {
        request: { host: 'any.test', method: 'DELETE', target: '/x//y?z' },
        expect: { status: 200, app: 'd/all', got: { line: 'DELETE /x//y?z HTTP/1.1' } },
      },
      { request: { host: 'other.test', tls: 'other.test' }, expect: { status: 200, app: 'd/all' } },
      { request: { bytes: 'GET / HTTP/1.0\r\n\r\n' }, expect: { status: 200, app: 'd/all' } },
      { gone: ['Ingress/d/i'], request: { host: 'any.test' }, expect: { status: 404 } },
    ],
  },
]

const tls: readonly Row[] = [
  {
    row: 'I-T1 hosts and Secret',
    given: [...simple('t1/a', 't1.test', { tls: [{ hosts: ['t1.test'], secretName: 't1' }] }), secret('t1/t1', 't1')],
    request: { host: 't1.test', tls: 't1.test' },
    expect: { status: 200, app: 't1/a', certificate: 't1' },
  },
  {
    row: 'I-T1 leaf first, then the chain',
    given: [
      ...simple('t1/c', 't1c.test', { tls: [{ hosts: ['t1c.test'], secretName: 'chain' }] }),
      secret('t1/chain', { 'tls.crt': pair('t1-leaf').crt + pair('t1-issuer').crt, 'tls.key': pair('t1-leaf').key }),
    ],
    request: { host: 't1c.test', tls: 't1c.test' },
    expect: { status: 200, certificate: 't1-leaf' },
  },
  {
    row: 'I-T2 exact before wildcard before default',
    given: [
      service('t2/a'),
      ingress(
        't2/i',
        { 'x.t2.test': { '/': 'a:80' }, '*.t2.test': { '/': 'a:80' } },
        {
          tls: [
            { hosts: ['x.t2.test'], secretName: 'exact' },
            { hosts: ['*.t2.test'], secretName: 'wild' },
          ],
        },
      ),
      secret('t2/exact', 't2-exact'),
      secret('t2/wild', 't2-wild'),
    ],
    steps: [
      { request: { host: 'x.t2.test', tls: 'X.T2.test' }, expect: { status: 200, certificate: 't2-exact' } },
      { request: { host: 'y.t2.test', tls: 'y.t2.test' }, expect: { status: 200, certificate: 't2-wild' } },
      { request: { host: 'z.y.t2.test', tls: 'z.y.t2.test' }, expect: { status: 404, certificate: 'self-signed' } },
      { request: { host: 't2.test', tls: 't2.test' }, expect: { status: 404, certificate: 'self-signed' } },
    ],
  },
  {
    row: 'I-T2 a host without TLS of its own: the default certificate',
    given: simple('t2/plain', 't2p.test'),
    request: { host: 't2p.test', tls: 't2p.test' },
    expect: { status: 200, certificate: 'self-signed' },
  },
  {
    row: 'I-T2 a wildcard certificate for an exact host of the rules',
    given: [
      ...simple('t2/under', 'u.t2u.test', { tls: [{ hosts: ['*.t2u.test'], secretName: 'wide' }] }),
      secret('t2/wide', 't2-wide'),
    ],
    request: { host: 'u.t2u.test', tls: 'u.t2u.test' },
    expect: { status: 200, certificate: 't2-wide' },
  },
  {
    row: 'I-T3 no hosts: those of the rules',
    given: [
      service('t3/a'),
      ingress('t3/i', { 't3.test': { '/': 'a:80' }, 't3b.test': { '/': 'a:80' } }, { tls: [{ secretName: 't3' }] }),
      secret('t3/t3', 't3'),
    ],
    steps: [
      { request: { host: 't3.test', tls: 't3.test' }, expect: { status: 200, certificate: 't3' } },
      { request: { host: 't3b.test', tls: 't3b.test' }, expect: { status: 200, certificate: 't3' } },
    ],
  },
  {
    row: 'I-T3 no Secret: the default certificate',
    given: simple('t3/c', 't3c.test', { tls: [{ hosts: ['t3c.test'] }] }),
    request: { host: 't3c.test', tls: 't3c.test' },
    expect: { status: 200, certificate: 'self-signed', problem: { of: 't3/c', says: null } },
  },
  {
    row: 'I-T4 the name of one, the Host of another',
    given: [
      ...simple('t4/a', 't4a.test', { tls: [{ hosts: ['t4a.test'], secretName: 'a' }] }),
      secret('t4/a', 't4-a'),
      ...simple('t4/b', 't4b.test', { tls: [{ hosts: ['t4b.test'], secretName: 'b' }] }),
      secret('t4/b', 't4-b'),
    ],
    request: { host: 't4b.test', tls: 't4a.test' },
    expect: { status: 200, app: 't4/b', certificate: 't4-a' },
  },
  {
    row: 'I-T5 the oldest',
    given: [
      service('t5-a/s'),
      ingress(
        't5-a/young',
        { 't5.test': { '/young': 's:80' } },
        { created: late, tls: [{ hosts: ['t5.test'], secretName: 'c' }] },
      ),
      secret('t5-a/c', 't5-young'),
      service('t5-b/s'),
      ingress(
        't5-b/old',
        { 't5.test': { '/old': 's:80' } },
        { created: early, tls: [{ hosts: ['t5.test'], secretName: 'c' }] },
      ),
      secret('t5-b/c', 't5-old'),
    ],
    steps: [
      {
        request: { host: 't5.test', target: '/young', tls: 't5.test' },
        expect: { status: 200, app: 't5-a/s', certificate: 't5-old' },
      },
      {
        gone: ['Ingress/t5-b/old'],
        request: { host: 't5.test', target: '/young', tls: 't5.test' },
        expect: { certificate: 't5-young' },
      },
    ],
  },
  {
    row: 'I-T6 missing, made, broken, mended, deleted, made again',
    given: simple('t6/a', 't6.test', { tls: [{ hosts: ['t6.test'], secretName: 'c' }] }),
    steps: [
      {
        request: { host: 't6.test', tls: 't6.test' },
        expect: {
          status: 200,
          certificate: 'self-signed',
          problem: { of: 't6/a', says: /^warning certificate-missing .*t6\/c/ },
        },
      },
      {
        change: [secret('t6/c', 't6.test')],
        request: { host: 't6.test', tls: 't6.test' },
        expect: { status: 200, certificate: 't6.test', problem: { of: 't6/a', says: null } },
      },
      {
        change: [secret('t6/c', { 'tls.crt': pair('t6.test').crt, 'tls.key': pair('t6.test#other').key })],
        request: { host: 't6.test', tls: 't6.test' },
        expect: { status: 200, certificate: 't6.test', problem: { of: 't6/c', says: /certificate-invalid/ } },
      },
      {
        change: [secret('t6/c', 't6.test#mended')],
        request: { host: 't6.test', tls: 't6.test' },
        expect: { certificate: 't6.test#mended', problem: { of: 't6/c', says: null } },
      },
      {
        gone: ['Secret/t6/c'],
        request: { host: 't6.test', tls: 't6.test' },
        expect: { status: 200, certificate: 'self-signed' },
      },
      {
        change: [secret('t6/c', 't6.test#again')],
        request: { host: 't6.test', tls: 't6.test' },
        expect: { certificate: 't6.test#again' },
      },
    ],
  },
  {
    row: 'I-T6 another Secret of another name',
    given: [
      ...simple('t6/b', 't6b.test', { tls: [{ hosts: ['t6b.test'], secretName: 'one' }] }),
      secret('t6/one', 't6-one'),
      secret('t6/two', 't6-two'),
    ],
    steps: [
      { request: { host: 't6b.test', tls: 't6b.test' }, expect: { certificate: 't6-one' } },
      {
        change: [
          ingress('t6/b', { 't6b.test': { '/': 'b:80' } }, { tls: [{ hosts: ['t6b.test'], secretName: 'two' }] }),
        ],
        request: { host: 't6b.test', tls: 't6b.test' },
        expect: { certificate: 't6-two' },
      },
    ],
  },
  {
    row: 'I-T6 a Secret of another namespace is none',
    given: [
      ...simple('t6/d', 't6d.test', { tls: [{ hosts: ['t6d.test'], secretName: 'far' }] }),
      secret('t6-far/far', 't6-far'),
    ],
    request: { host: 't6d.test', tls: 't6d.test' },
    expect: { status: 200, certificate: 'self-signed' },
  },
  {
    row: 'I-T7 plain HTTP on a host with a certificate',
    given: [
      ...simple('t7/a', 't7.test', {
        tls: [{ hosts: ['t7.test'], secretName: 'c' }],
        annotations: { 'cert-manager.io/cluster-issuer': 'x', 'kubernetes.io/tls-acme': 'true' },
      }),
      secret('t7/c', 't7.test'),
    ],
    request: { host: 't7.test' },
    expect: { status: 200, app: 't7/a', problem: { of: 't7/a', says: null } },
  },
  {
    row: 'I-T7 redirected, but for challenges, which another Ingress answers',
    given: [
      ...simple('t7/r', 't7r.test', {
        tls: [{ hosts: ['t7r.test'], secretName: 'c' }],
        annotations: { 'router.deis.io/ssl.enforce': 'true' },
      }),
      service('t7/solver'),
      ingress(
        't7/cm-acme-http-solver',
        { 't7r.test': { '~ /.well-known/acme-challenge/token': 'solver:80' } },
        { created: late },
      ),
    ],
    steps: [
      {
        request: { host: 't7r.test', target: '/x' },
        expect: { status: 301, fields: { location: 'https://t7r.test/x' } },
      },
      {
        request: { host: 't7r.test', target: '/.well-known/acme-challenge/token' },
        expect: { status: 200, app: 't7/solver' },
      },
      {
        request: { host: 't7r.test', target: '/.well-known/acme-challenge/other' },
        expect: { status: 200, app: 't7/r' },
      },
      { request: { host: 't7r.test', target: '/.well-known/acme-challengeX' }, expect: { status: 301 } },
      { request: { host: 't7r.test', tls: 't7r.test' }, expect: { status: 200 } },
    ],
  },
  {
    row: 'I-T7 a solver on the host of an annotated Service, of its namespace only',
    given: [
      app('t7-s/app', 't7s.test'),
      service('t7-s/solver'),
      ingress('t7-s/cm', { 't7s.test': { '~ /.well-known/acme-challenge/token': 'solver:80' } }),
      service('t7-x/thief'),
      ingress('t7-x/cm', { 't7s.test': { '~ /.well-known/acme-challenge/theirs': 'thief:80' } }),
    ],
    steps: [
      {
        request: { host: 't7s.test', target: '/.well-known/acme-challenge/token' },
        expect: { status: 200, app: 't7-s/solver' },
      },
      {
        request: { host: 't7s.test', target: '/.well-known/acme-challenge/theirs' },
        expect: { app: 't7-s/app', problem: { of: 't7-x/cm', says: /host-conflict/ } },
      },
    ],
  },
]

const redirecting: readonly Row[] = [
  {
    row: 'I-T2 the default certificate is the platform’s, where there is one',
    given: [...simple('t9/a', 't9.test'), secret('deis/deis-router-platform-cert', 'platform')],
    request: { host: 't9.test', tls: 't9.test' },
    expect: { status: 200, app: 't9/a', certificate: 'platform' },
  },
  {
    row: 'I-T7 the redirect of the whole router spares challenges',
    given: simple('t8/a', 't8.test'),
    steps: [
      { request: { host: 't8.test', target: '/x' }, expect: { status: 301 } },
      {
        request: { host: 't8.test', target: '/.well-known/acme-challenge/token' },
        expect: { status: 200, app: 't8/a' },
      },
    ],
  },
]

const behind: readonly Row[] = [
  {
    row: 'I-B7 neither rule nor default backend: the default service of the whole router',
    given: [service('ds/a'), ingress('ds/i', { 'ds.test': { '/only': 'a:80' } })],
    steps: [
      { request: { host: 'ds.test', target: '/only' }, expect: { status: 200, app: 'ds/a' } },
      {
        request: { host: 'ds.test', target: '/other' },
        expect: { app: null, log: { 1: 'fallback', 10: '127.0.0.253:80' } },
      },
    ],
  },
]

/** Keys of ours on an Ingress, and what comes of them. */
const keys: readonly (readonly [key: string, value: string, expect: Want])[] = [
  ['maintenance', 'true', { status: 503, app: null, body: /Site Maintenance/ }],
  ['whitelist', '192.0.2.1', { status: 403, app: null }],
  ['whitelist', '127.0.0.0/8', { status: 200 }],
  ['whitelist', '127.0.0.1,oops', { status: 403, app: null }],
  ['ssl.enforce', 'true', { status: 301, app: null }],
  ['referrerPolicy', 'origin', { status: 200, fields: { 'referrer-policy': 'origin' } }],
  ['disableRequestStartHeader', 'true', { status: 200, got: { fields: { 'x-request-start': null } } }],
  ['tcpTimeout', '300ms', { status: 504 }],
]
const annotated: readonly Row[] = keys.map(([key, value, want], index) => ({
  row: `I-K1 ${key} ${value}`,
  given: [
    service(`k/s${index}`, key === 'tcpTimeout' ? { answer: { kind: 'silence' } } : {}),
    ingress(
      `k/i${index}`,
      { [`k${index}.test`]: { '/': `s${index}:80` } },
      { annotations: { [`router.deis.io/${key}`]: value } },
    ),
  ],
  request: { host: `k${index}.test` },
  expect: want,
}))

const ours: readonly Given[] = [ingressClass('ours'), ingressClass('also-ours'), ingressClass('theirs', others)]
const groups: readonly Group[] = [
  { name: 'class', given: ours, rows: classes },
  { name: 'no host', given: ours, rows: hosts },
  { name: 'host', given: ours, rows: moreHosts },
  { name: 'path', given: ours, rows: pathRows },
  { name: 'backend', given: ours, rows: backends },
  { name: 'default backend beside rules', given: ours, rows: beside },
  { name: 'default backend alone', given: ours, rows: alone },
  {
    name: 'default service',
    settings: { defaultServiceEnabled: 'true', defaultServiceIP: '127.0.0.253', defaultAppName: 'fallback' },
    given: ours,
    rows: behind,
  },
  { name: 'keys of ours', settings: { requestStartHeader: 'true' }, given: ours, rows: annotated },
  { name: 'TLS', given: ours, rows: tls },
  { name: 'TLS with a redirect for all', settings: { 'ssl.enforce': 'true' }, given: ours, rows: redirecting },
]
contract(groups)

// Rows that have a process of their own, for its flags or its end.
const adopted = [
  { row: 'I-C4 adopted by --ingress-without-class on', host: 'adopted.test', status: 200 },
  { row: 'I-C4 but those of others are not', host: 'theirs.test', status: 404 },
  { row: 'I-C1 a controller of the name that --ingress-controller says', host: 'renamed.test', status: 200 },
  { row: 'I-C1 and not of the usual one', host: 'usual.test', status: 404 },
]
test(adopted.map(({ row }) => row).join(', '), async () => {
  await using stage = await Stage.start({
    args: ['--ingress-without-class', 'on', '--ingress-controller', 'example.com/renamed'],
  })
  await stage.set({}, [
    ...simple('o/a', 'adopted.test', { className: null }),
    ...simple('o/b', 'theirs.test', { className: 'theirs' }),
    ...simple('o/c', 'renamed.test', { className: 'renamed' }),
    ...simple('o/d', 'usual.test', { className: 'ours' }),
    ingressClass('ours'),
    ingressClass('theirs', others),
    ingressClass('renamed', 'example.com/renamed'),
  ])
  for (const { host, status } of adopted) {
    const client = await stage.connect('http')
    await client.send(get(host))
    expect([host, (await client.response()).status]).toEqual([host, status])
  }
})

const external = { row: 'I-B6 never loopback or link-local, with --external-names on' }
test(external.row, async () => {
  await using stage = await Stage.start({ args: ['--external-names', 'on'] })
  const names = [
    'localhost',
    '127.0.0.1',
    '169.254.169.254',
    '::1',
    '0.0.0.0',
    '::ffff:127.0.0.1',
    '[::1]',
    '127.1',
    '0x7f000001',
    '2130706433',
  ]
  await stage.set({}, [
    ingressClass('ours'),
    ...names.map((externalName, index) =>
      service(`x/ext-${index}`, { pods: 'none', spec: { type: 'ExternalName', externalName } }),
    ),
    ingress('x/i', Object.fromEntries(names.map((_, index) => [`ext-${index}.test`, { '/': `ext-${index}:80` }]))),
  ])
  for (const [index, name] of names.entries()) {
    const client = await stage.connect('http')
    await client.send(get(`ext-${index}.test`))
    expect([name, (await client.response()).status]).toEqual([name, 503])
  }
})

const ending = { row: 'I-S5 SIGTERM: not ready any more, what is open is finished, then it ends' }
test(ending.row, async () => {
  await using stage = await Stage.start()
  await stage.set({}, [
    ingressClass('ours'),
    service('e/a', { answer: { kind: 'by hand' } }),
    ingress('e/i', { 'end.test': { '/': 'a:80' } }),
  ])
  expect((await stage.adminText('/healthz')).status).toBe(200)
  const client = await stage.connect('http')
  await client.send(get('end.test'))
  const pod = await stage.rawPod('e/a')
  await pod.head()
  stage.process.child.kill('SIGTERM')
  await stage.process.until('it drained', () => stage.process.log.find(({ message }) => message === 'draining'))
  expect((await stage.adminText('/healthz')).status).toBe(503)
  await pod.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone')
  expect((await client.response()).body.toString()).toBe('done')
  client.end()
  if (stage.process.child.exitCode === null) await once(stage.process.child, 'exit')
  expect(stage.process.child.exitCode).toBe(0)
})
