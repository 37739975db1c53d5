// How annotations are read (contract section 3).

import { contract, type Row } from './contract.ts'
import { app, secret } from './given.ts'

const booleans: readonly (readonly [text: string, want: 'true' | 'false' | 'bad'])[] = [
  ['true', 'true'],
  ['True', 'true'],
  ['TRUE', 'true'],
  ['tRuE', 'true'],
  ['false', 'false'],
  ['False', 'false'],
  ['1', 'bad'],
  ['yes', 'bad'],
  ['on', 'bad'],
  ['t', 'bad'],
  [' true', 'bad'],
  ['', 'bad'],
]

const durations: readonly (readonly [text: string, isGood: boolean])[] = [
  ['10', true],
  ['1200', true],
  ['100ms', true],
  ['1s', true],
  ['2m', true],
  ['1h', true],
  ['1d', true],
  ['1w', true],
  ['1M', true],
  ['1y', true],
  ['0', false],
  ['0s', false],
  ['1h30m', false],
  ['1.5s', false],
  ['-1s', false],
  ['1 s', false],
  ['01s', false],
  ['s', false],
  ['1S', false],
  ['', false],
]

const bad: readonly (readonly [key: string, value: string, shown: RegExp])[] = [
  ['connectTimeout', 'soon', /connectTimeout.*soon.*30s/],
  ['tcpTimeout', '0', /tcpTimeout.*0.*defaultTimeout/],
  ['maintenance', 'maybe', /maintenance.*maybe.*false/],
  ['ssl.enforce', 'yes', /ssl\.enforce.*yes.*false/],
  ['nginx.proxyBuffers.size', '4g', /proxyBuffers\.size.*4g/],
  ['nginx.proxyBuffers.number', '0', /proxyBuffers\.number.*0/],
  ['referrerPolicy', 'Origin', /referrerPolicy.*Origin/],
  ['disableRequestStartHeader', '1', /disableRequestStartHeader.*1.*false/],
  ['certificates', 'bad.test : x', /certificates.*bad\.test : x/],
]

const rows: readonly Row[] = [
  ...booleans.map(
    ([text, want], index): Row => ({
      row: `§3.1 ${JSON.stringify(text)} is ${want}`,
      given: [app(`b${index}/app`, { domains: `bool-${index}.test`, maintenance: text })],
      request: { host: `bool-${index}.test` },
      expect: {
        status: want === 'true' ? 503 : 200,
        problem: {
          of: `b${index}/app`,
          says: want === 'bad' ? /invalid-annotation .*router\.deis\.io\/maintenance/ : null,
        },
      },
    }),
  ),
  ...durations.map(
    ([text, isGood], index): Row => ({
      row: `§3.5 ${JSON.stringify(text)} is ${isGood ? 'a' : 'no'} duration`,
      given: [app(`d${index}/app`, { domains: `time-${index}.test`, tcpTimeout: text })],
      request: { host: `time-${index}.test` },
      expect: {
        status: 200,
        problem: { of: `d${index}/app`, says: isGood ? null : /invalid-annotation .*tcpTimeout/ },
      },
    }),
  ),
  ...bad.map(
    ([key, value, shown], index): Row => ({
      row: `§3.2 ${key} ${JSON.stringify(value)}`,
      given: [
        app(`k${index}/app`, {
          domains: `key-${index}.test`,
          [key]: value,
          maintenance: 'true',
          ...(key === 'maintenance' && { maintenance: value }),
        }),
      ],
      request: { host: `key-${index}.test` },
      expect: { status: key === 'maintenance' ? 200 : 503, problem: { of: `k${index}/app`, says: shown } },
    }),
  ),
  {
    row: '§3.3 one of several domains is bad',
    given: [app('c1/app', 'good-one.test,bad_one.test,good-two.test')],
    steps: [
      { request: { host: 'good-one.test' }, expect: { status: 404, app: null } },
      {
        request: { host: 'good-two.test' },
        expect: { status: 404, app: null, problem: { of: 'c1/app', says: /error .*domains.*bad_one/ } },
      },
    ],
  },
  {
    row: '§3.3 corrected, the app is there',
    given: [app('c2/app', 'mend_me.test')],
    steps: [
      { request: { host: 'mend-me.test' }, expect: { status: 404 } },
      {
        change: [app('c2/app', 'mend-me.test')],
        request: { host: 'mend-me.test' },
        expect: { status: 200, problem: { of: 'c2/app', says: null } },
      },
    ],
  },
  ...(['10.0.0.1,nonsense', '10.0.0.0/33', 'localhost', '127.0.0.1;127.0.0.2', '127.0.0.1/'] as const).map(
    (list, index): Row => ({
      row: `§3.4 whitelist ${JSON.stringify(list)}`,
      given: [app(`w${index}/app`, { domains: `white-${index}.test`, whitelist: list })],
      request: { host: `white-${index}.test` },
      expect: { status: 403, app: null, problem: { of: `w${index}/app`, says: /error .*whitelist/ } },
    }),
  ),
  {
    row: '§3.4 whitelist empty: none',
    given: [app('w-e/app', { domains: 'white-e.test', whitelist: '' })],
    request: { host: 'white-e.test' },
    expect: { status: 200 },
  },
  ...([' lead.test', 'trail.test ', '', ' ', '\t'] as const).map(
    (list, index): Row => ({
      row: `§3.6 domains ${JSON.stringify(list)}`,
      given: [app(`e${index}/app`, list)],
      request: { host: list.trim() || 'nobody.test' },
      expect: { status: 404, app: null },
    }),
  ),
  {
    row: '§3.7 a trailing comma in domains',
    given: [app('f1/app', 'comma.test,')],
    steps: [
      { request: { host: 'comma.test' }, expect: { status: 200, app: 'f1/app' } },
      { request: { host: 'anything.test' }, expect: { status: 404, app: null } },
    ],
  },
  {
    row: '§3.7 doubled and leading commas',
    given: [app('f2/app', ',one-comma.test,,two-comma.test')],
    request: { host: 'two-comma.test' },
    expect: { status: 200 },
  },
  {
    row: '§3.7 commas alone',
    given: [app('f3/app', ',,')],
    request: { host: 'anything.test' },
    expect: { status: 404 },
  },
  {
    row: '§3.7 a trailing comma in certificates',
    given: [
      app('f4/app', { domains: 'cert-comma.test', certificates: 'cert-comma.test:cc,' }),
      secret('f4/cc-cert', 'cc'),
    ],
    request: { host: 'cert-comma.test', tls: 'cert-comma.test' },
    expect: { status: 200, certificate: 'cc' },
  },
  {
    row: '§3.7 a trailing comma in a whitelist lets in no more',
    given: [app('f5/app', { domains: 'list-comma.test', whitelist: '127.0.0.9,' })],
    steps: [
      { request: { host: 'list-comma.test' }, expect: { status: 403 } },
      { request: { host: 'list-comma.test', from: '127.0.0.9' }, expect: { status: 200 } },
    ],
  },
  {
    row: '§3.8 other letters are another key',
    given: [app('g1/app', { domains: 'letters.test', Maintenance: 'true', 'SSL.enforce': 'true' })],
    request: { host: 'letters.test' },
    expect: { status: 200, problem: { of: 'g1/app', says: null } },
  },
  {
    row: '§3.8 keys that nobody knows',
    given: [app('g2/app', { domains: 'unknown.test', 'nginx.whatever': 'x', 'nginx.DefaultAppName': 'y' })],
    request: { host: 'unknown.test' },
    expect: { status: 200, problem: { of: 'g2/app', says: null } },
  },
  {
    row: '§3.11 a retired key of an app',
    given: [app('g3/app', { domains: 'retired.test', tcellAppID: 'x' })],
    request: { host: 'retired.test' },
    expect: { status: 200, problem: { of: 'g3/app', says: /warning .*tcellAppID.*retired/ } },
  },
  {
    row: '§3.12 blanks around commas',
    given: [app('g4/app', 'a-blank.test ,  b-blank.test,\tc-blank.test')],
    request: { host: 'c-blank.test' },
    expect: { status: 200 },
  },
  {
    row: '§3.12 blanks in a whitelist',
    given: [app('g5/app', { domains: 'list-blank.test', whitelist: '192.0.2.1 , 127.0.0.0/8' })],
    request: { host: 'list-blank.test' },
    expect: { status: 200, problem: { of: 'g5/app', says: null } },
  },
]

/** Annotations of one app that once took the whole configuration with them. */
const poisons: readonly (readonly [what: string, annotations: Record<string, string>])[] = [
  ['a domain of 47 characters', { domains: `${'d'.repeat(42)}.test` }],
  ['a domain of 253 characters', { domains: `${`${'d'.repeat(49)}.`.repeat(5)}te` }],
  ['two equal locations', { domains: 'loc.test', proxyDomain: 'steady.test', proxyLocations: '/x,/x' }],
  ['a location at the root', { domains: 'root.test', proxyDomain: 'loc-host.test', proxyLocations: '/' }],
  ['an expression that does not compile', { domains: 'expr', regexDomain: 'expr((' }],
  [
    'a buffer larger than the busy ones',
    { domains: 'buf.test', 'nginx.proxyBuffers.enabled': 'true', 'nginx.proxyBuffers.size': '64k' },
  ],
  ['one buffer', { domains: 'one.test', 'nginx.proxyBuffers.enabled': 'true', 'nginx.proxyBuffers.number': '1' }],
  ['a number that overflows', { domains: 'over.test', 'nginx.proxyBuffers.number': '99999999999999999999' }],
  ['a timeout that overflows', { domains: 'time.test', tcpTimeout: '99999999999999999999y' }],
  ['a proxyDomain that nobody has', { domains: 'lost.test', proxyDomain: 'nobody.test', proxyLocations: '/x' }],
  ['a Secret that holds no PEM', { domains: 'pem.test', certificates: 'pem.test:pem' }],
  [
    'braces and semicolons',
    {
      domains: 'ok.test',
      regexDomain: '} server { listen 1; } #',
      proxyDomain: 'a;b',
      proxyLocations: '/x { return 200; }',
    },
  ],
  ['line ends', { domains: 'line.test', proxyLocations: '/x\r\nSet-Cookie: a=b', referrerPolicy: 'origin\r\nX: y' }],
]

/** Settings that once did. */
const poisonedSettings: readonly (readonly [key: string, value: string])[] = [
  ['ssl.ciphers', 'NOTHING:KNOWN'],
  ['ssl.sessionCache', 'shared:x:1'],
  ['ssl.earlyDataMethods', ''],
  ['largeHeaderBuffersSize', '0'],
  ['proxyRealIpCidrs', '10.0.0.0/8,'],
  ['ssl.sessionTimeout', '1M'],
  ['ssl.sessionTimeout', '5ms'],
  ['defaultTimeout', '99999999999999999999'],
  ['bodySize', '9999999999999999m'],
]

/** Settings that were pasted into the configuration as they were. */
const pastedSettings: readonly (readonly [key: string, value: string])[] = [
  ['logFormat', '"; } server { listen 8081; } "'],
  ['logFormat', '$no_such_variable " \\ $'],
  ['gzip.disable', 'x"; return 500; #'],
  ['gzip.disable', '((((a+)+)+)+$'],
  ['defaultServiceIP', '127.0.0.1; } server {'],
  ['defaultAppName', 'a"b - c\n'],
  ['platformDomain', 'p.test; include /etc/passwd'],
]

function steadyUnder(key: string, value: string, serial: string): Pick<Row, 'steps'> {
  return {
    steps: [
      { settings: { [key]: value }, request: { host: 'steady.test' }, expect: { status: 200, app: 'i/steady' } },
      {
        change: [app(`j${serial}/new`, `set-${serial}.test`)],
        request: { host: `set-${serial}.test` },
        expect: { status: 200 },
      },
    ],
  }
}

const isolation: readonly Row[] = [
  ...poisons.map(
    ([what, annotations], index): Row => ({
      row: `§3.9 ${what}`,
      given: [
        app(`i${index}/poison`, annotations),
        secret(`i${index}/pem-cert`, { 'tls.crt': 'no PEM', 'tls.key': 'none' }),
      ],
      steps: [
        { request: { host: 'steady.test' }, expect: { status: 200, app: 'i/steady' } },
        {
          change: [app(`i${index}/new`, `new-${index}.test`)],
          request: { host: `new-${index}.test` },
          expect: { status: 200 },
        },
      ],
    }),
  ),
  ...poisonedSettings.map(([key, value], index) => ({
    row: `§3.9 ${key} ${JSON.stringify(value)}`,
    ...steadyUnder(key, value, `a${index}`),
  })),
  ...pastedSettings.map(([key, value], index) => ({
    row: `§3.10 ${key} ${JSON.stringify(value)}`,
    ...steadyUnder(key, value, `b${index}`),
  })),
  {
    row: '§3.10 text of a tenant in an answer or a request is nowhere more than text',
    given: [
      app('t/text', {
        domains: 'text.test',
        referrerPolicy: 'origin"; add_header X-Hole 1; #',
        whitelist: '127.0.0.1',
      }),
    ],
    request: { host: 'text.test' },
    expect: { status: 200, fields: { 'x-hole': null, 'referrer-policy': null } },
  },
  {
    row: '§3.2 a bad setting of the router costs itself',
    steps: [
      {
        settings: { requestIDs: 'true', bodySize: 'huge', defaultTimeout: 'never' },
        request: { host: 'steady.test' },
        expect: {
          status: 200,
          fields: { 'x-request-id': /^[0-9a-f]{32}$/ },
          problem: { of: 'deis-router', says: /nginx\.bodySize.*huge.*1m/ },
        },
      },
      { expect: { problem: { of: 'deis-router', says: /nginx\.defaultTimeout.*never.*1300s/ } } },
    ],
  },
  ...(
    [
      'http2MaxHeaderSize',
      'http2MaxFieldSize',
      'loadTcellModule',
      'globalTcellAppID',
      'proxyRealIpCidr',
      'defaultDomain',
    ] as const
  ).map(
    (key): Row => ({
      row: `§3.11 ${key}`,
      steps: [
        {
          settings: { [key]: '1' },
          request: { host: 'steady.test' },
          expect: { status: 200, problem: { of: 'deis-router', says: new RegExp(`warning .*${key} is retired`) } },
        },
      ],
    }),
  ),
]

contract([
  { name: 'values', rows },
  { name: 'isolation', given: [app('i/steady', 'steady.test'), app('i/loc-host', 'loc-host.test')], rows: isolation },
])
