// Certificates, the scheme of a request, the redirect and HSTS (contract section 8).

import { once } from 'node:events'
import { connect } from 'node:net'
import { expect } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { fieldValues } from '#test/support/http-message.ts'
import { contract, type Fields, type Row } from './contract.ts'
import { app, pair, pairName, secret } from './given.ts'

const certificates: readonly Row[] = [
  {
    row: '§8.1 a full name',
    given: [app('a/one', { domains: 'one.test', certificates: 'one.test:one' }), secret('a/one-cert', 'one')],
    steps: [
      { request: { host: 'one.test', tls: 'one.test' }, expect: { status: 200, certificate: 'one' } },
      { request: { host: 'one.test', tls: 'ONE.Test' }, expect: { status: 200, certificate: 'one' } },
    ],
  },
  {
    row: '§8.1 a wildcard, of any depth',
    given: [app('a/wild', { domains: '*.wild.test', certificates: '*.wild.test:wild' }), secret('a/wild-cert', 'wild')],
    steps: [
      { request: { host: 'x.wild.test', tls: 'x.wild.test' }, expect: { status: 200, certificate: 'wild' } },
      { request: { host: 'y.x.wild.test', tls: 'y.x.wild.test' }, expect: { status: 200, certificate: 'wild' } },
      { request: { host: 'wild.test', tls: 'wild.test' }, expect: { status: 404, certificate: 'platform' } },
    ],
  },
  {
    row: '§8.1 a mapping of a wildcard is not one of a name below it',
    given: [app('a/literal', { domains: 'x.lit.test', certificates: '*.lit.test:lit' }), secret('a/lit-cert', 'lit')],
    request: { host: 'x.lit.test', tls: 'x.lit.test' },
    expect: { status: 404, certificate: 'platform' },
  },
  {
    row: '§8.1 a mapping with other letters',
    given: [app('a/letters', { domains: 'Let.test', certificates: 'lET.test:let' }), secret('a/let-cert', 'let')],
    request: { host: 'let.test', tls: 'let.test' },
    expect: { status: 200, certificate: 'let' },
  },
  {
    row: '§8.1 a Secret of another namespace is none',
    given: [
      app('a/foreign', { domains: 'foreign.test', certificates: 'foreign.test:foreign' }),
      secret('b/foreign-cert', 'foreign'),
    ],
    request: { host: 'foreign.test', tls: 'foreign.test' },
    expect: { status: 404, certificate: 'platform' },
  },
  {
    row: '§8.2 no mapping, with enforcement: 301 to what is 404',
    given: [app('a/bare', { domains: 'bare.test', 'ssl.enforce': 'true' })],
    steps: [
      { request: { host: 'bare.test' }, expect: { status: 301, fields: { location: 'https://bare.test/' } } },
      {
        request: { host: 'bare.test', tls: 'bare.test' },
        expect: { status: 404, app: null, certificate: 'platform', log: { 1: 'router-default-vhost' } },
      },
    ],
  },
  {
    row: '§8.2 the Secret comes later, and goes',
    given: [app('a/late', { domains: 'late.test', certificates: 'late.test:late' })],
    steps: [
      { request: { host: 'late.test', tls: 'late.test' }, expect: { status: 404, certificate: 'platform' } },
      {
        change: [secret('a/late-cert', 'late')],
        request: { host: 'late.test', tls: 'late.test' },
        expect: { status: 200, certificate: 'late' },
      },
      {
        change: [secret('a/late-cert', 'renewed')],
        request: { host: 'late.test', tls: 'late.test' },
        expect: { status: 200, certificate: 'renewed' },
      },
      {
        gone: ['Secret/a/late-cert'],
        request: { host: 'late.test', tls: 'late.test' },
        expect: { status: 404, certificate: 'platform' },
      },
    ],
  },
  {
    row: '§8.3 a dotless domain',
    given: [app('a/dotless', 'dotless')],
    request: { host: 'dotless.p.test', tls: 'dotless.p.test' },
    expect: { status: 200, certificate: 'platform' },
  },
  {
    row: '§8.3 a mapping of a dotless domain',
    given: [app('a/mapped', { domains: 'mapped', certificates: 'mapped:mapped' }), secret('a/mapped-cert', 'mapped')],
    request: { host: 'mapped.p.test', tls: 'mapped.p.test' },
    expect: { status: 200, certificate: 'platform' },
  },
  {
    row: '§8.5 a full name below the platform domain without a mapping',
    given: [app('a/full', 'full.p.test')],
    steps: [
      { request: { host: 'full.p.test' }, expect: { status: 200 } },
      {
        request: { host: 'full.p.test', tls: 'full.p.test' },
        expect: { status: 404, app: null, certificate: 'platform' },
      },
    ],
  },
  {
    row: '§8.5 and with one',
    given: [app('a/own', { domains: 'own.p.test', certificates: 'own.p.test:own' }), secret('a/own-cert', 'own')],
    request: { host: 'own.p.test', tls: 'own.p.test' },
    expect: { status: 200, certificate: 'own' },
  },
  {
    row: '§8.6 an unknown name',
    request: { host: 'nobody.test', tls: 'nobody.test' },
    expect: { status: 404, certificate: 'platform' },
  },
  {
    row: '§8.6 no name',
    request: { host: 'nobody.test', tls: null },
    expect: { status: 404, certificate: 'platform' },
  },
  {
    row: '§8.6 no name, and /healthz',
    request: { host: 'nobody.test', tls: null, target: '/healthz' },
    expect: { status: 200, certificate: 'platform' },
  },
  {
    row: '§8.7 the name of one app and the Host of another',
    given: [
      app('s/a', { domains: 'sni-a.test', certificates: 'sni-a.test:sni-a' }),
      secret('s/sni-a-cert', 'sni-a'),
      app('s/b', { domains: 'sni-b.test', certificates: 'sni-b.test:sni-b' }),
      secret('s/sni-b-cert', 'sni-b'),
      app('s/c', 'sni-c.test'),
    ],
    steps: [
      { request: { host: 'sni-b.test', tls: 'sni-a.test' }, expect: { status: 200, app: 's/b', certificate: 'sni-a' } },
      { request: { host: 'sni-c.test', tls: 'sni-a.test' }, expect: { status: 404, app: null, certificate: 'sni-a' } },
      { request: { host: 'nobody.test', tls: 'sni-a.test' }, expect: { status: 404, app: null } },
      { request: { host: 'sni-a.test', tls: null }, expect: { status: 200, app: 's/a', certificate: 'platform' } },
    ],
  },
  {
    row: '§8.7 the name has the precedence that hosts have',
    given: [
      app('s/deep', {
        domains: '*.deep.prec.test,*.prec.test,x.deep.prec.test',
        certificates: '*.deep.prec.test:deep,*.prec.test:shallow,x.deep.prec.test:exact',
      }),
      secret('s/deep-cert', 'deep'),
      secret('s/shallow-cert', 'shallow'),
      secret('s/exact-cert', 'exact'),
    ],
    steps: [
      { request: { host: 'x.deep.prec.test', tls: 'x.deep.prec.test' }, expect: { certificate: 'exact' } },
      { request: { host: 'y.deep.prec.test', tls: 'y.deep.prec.test' }, expect: { certificate: 'deep' } },
      { request: { host: 'deep.prec.test', tls: 'deep.prec.test' }, expect: { certificate: 'shallow' } },
    ],
  },
  {
    row: '§8.8 leaf and what follows it',
    given: [
      app('s/chain', { domains: 'chain.test', certificates: 'chain.test:chain' }),
      secret('s/chain-cert', { 'tls.crt': pair('leaf').crt + pair('issuer').crt, 'tls.key': pair('leaf').key }),
    ],
    run: async stage => {
      const client = await stage.connectTls({ servername: 'chain.test' })
      expect(pairName(client.socket)).toBe('leaf')
      // Node links a chain by issuer; what does not belong together can be seen in the handshake only.
      const { raw } = client.socket.getPeerCertificate(true)
      expect(pair('leaf').crt.replaceAll(/-----[A-Z ]+-----|\s/g, '')).toBe(raw.toString('base64'))
    },
  },
  {
    row: '§8.9 plain HTTP where TLS is spoken',
    run: async stage => {
      const socket = connect(stage.port('https'), stage.address)
      let got = ''
      socket.on('data', (octets: Buffer) => {
        got += octets.toString('latin1')
      })
      socket.on('error', () => {})
      socket.write(get('one.test'))
      await once(socket, 'close')
      expect(got).toMatch(/^HTTP\/1\.1 400 /)
    },
  },
  {
    row: '§8.10 a pair that does not match, from the start',
    given: [
      app('q/mismatch', { domains: 'mismatch.test', certificates: 'mismatch.test:mm' }),
      secret('q/mm-cert', { 'tls.crt': pair('mm').crt, 'tls.key': pair('other').key }),
    ],
    steps: [
      { request: { host: 'mismatch.test' }, expect: { status: 200 } },
      {
        request: { host: 'mismatch.test', tls: 'mismatch.test' },
        expect: { status: 404, certificate: 'platform', problem: { of: 'q/mm-cert', says: /certificate-invalid/ } },
      },
      { request: { host: 'dotless.p.test', tls: 'dotless.p.test' }, expect: { status: 200 } },
    ],
  },
  {
    row: '§8.10 a pair that breaks keeps the last good one, and others change on',
    given: [
      app('q/breaks', { domains: 'breaks.test', certificates: 'breaks.test:br' }),
      secret('q/br-cert', 'br'),
      app('q/beside', { domains: 'beside.test', certificates: 'beside.test:be' }),
      secret('q/be-cert', 'be'),
    ],
    steps: [
      { request: { host: 'breaks.test', tls: 'breaks.test' }, expect: { certificate: 'br' } },
      {
        change: [
          secret('q/br-cert', { 'tls.crt': pair('br-2').crt, 'tls.key': pair('other').key }),
          secret('q/be-cert', 'be-2'),
        ],
        request: { host: 'breaks.test', tls: 'breaks.test' },
        expect: { status: 200, certificate: 'br', problem: { of: 'q/br-cert', says: /certificate-invalid/ } },
      },
      { request: { host: 'beside.test', tls: 'beside.test' }, expect: { status: 200, certificate: 'be-2' } },
      {
        change: [secret('q/br-cert', 'br-2')],
        request: { host: 'breaks.test', tls: 'breaks.test' },
        expect: { status: 200, certificate: 'br-2', problem: { of: 'q/br-cert', says: null } },
      },
    ],
  },
  {
    row: '§8.18 the owner’s certificate, whichever was written last',
    given: [
      app('t-a/owner', { domains: 'both.test', certificates: 'both.test:both' }),
      secret('t-a/both-cert', 'both-a'),
      app('t-b/later', { domains: 'both.test', certificates: 'both.test:both' }),
      secret('t-b/both-cert', 'both-b'),
    ],
    steps: [
      {
        request: { host: 'both.test', tls: 'both.test' },
        expect: { status: 200, app: 't-a/owner', certificate: 'both-a' },
      },
      {
        change: [secret('t-b/both-cert', 'both-b2')],
        request: { host: 'both.test', tls: 'both.test' },
        expect: { app: 't-a/owner', certificate: 'both-a' },
      },
    ],
  },
]

const withoutPlatform: readonly Row[] = [
  {
    row: '§8.4 404 on HTTPS',
    request: { host: 'dotless.p.test', tls: 'dotless.p.test' },
    expect: { status: 404, app: null, certificate: 'self-signed' },
  },
  {
    row: '§8.6 an unknown name is shown what the router made',
    request: { host: 'nobody.test', tls: 'nobody.test' },
    expect: { status: 404, certificate: 'self-signed' },
  },
  {
    row: '§8.3 the platform certificate comes and goes',
    steps: [
      {
        change: [secret('deis/deis-router-platform-cert', 'platform')],
        request: { host: 'dotless.p.test', tls: 'dotless.p.test' },
        expect: { status: 200, certificate: 'platform' },
      },
      {
        gone: ['Secret/deis/deis-router-platform-cert'],
        request: { host: 'dotless.p.test', tls: 'dotless.p.test' },
        expect: { status: 404, certificate: 'self-signed' },
      },
    ],
  },
]

/** Last element of the field, what becomes of a request that enforces HTTPS, and the scheme that the app sees. */
const schemes: readonly (readonly [lines: readonly string[], redirect: 'https' | 'wss' | null, seen: string])[] = [
  [[], 'https', 'http'],
  [['http'], 'https', 'http'],
  [['HTTPS'], 'https', 'http'],
  [['Https'], 'https', 'http'],
  [['foo'], 'https', 'http'],
  [['https, http'], 'https', 'http'],
  [[''], 'https', 'http'],
  [['https;'], 'https', 'http'],
  [['https'], null, 'https'],
  [['http,https'], null, 'https'],
  [['http, https'], null, 'https'],
  [['https,http , https'], null, 'https'],
  [['http', 'https'], null, 'https'],
  [['https', 'http'], 'https', 'http'],
  [['ws'], 'wss', 'ws'],
  [['https,ws'], 'wss', 'ws'],
  [['wss'], null, 'wss'],
]

const scheme: readonly Row[] = schemes.flatMap(([lines, redirect, seen]): Row[] => {
  const fields = lines.map(line => `X-Forwarded-Proto: ${line}`)
  const name = lines.length === 0 ? 'absent' : lines.map(line => JSON.stringify(line)).join(' and ')
  return [
    {
      row: `§8.12 ${name} where HTTPS is enforced`,
      request: { host: 'enforced.test', target: '/a%2F//../b?c=d&e', fields },
      expect:
        redirect === null
          ? { status: 200, app: 'e/enforced', got: { fields: { 'x-forwarded-proto': seen } } }
          : { status: 301, app: null, fields: { location: `${redirect}://enforced.test/a%2F//../b?c=d&e` } },
    },
    {
      row: `§8.12 ${name} where it is not`,
      request: { host: 'free.test', fields },
      expect: { status: 200, got: { fields: { 'x-forwarded-proto': seen } } },
    },
  ]
})

const redirects: readonly Row[] = [
  ...(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const).map(
    (method): Row => ({
      row: `§8.13 ${method}`,
      request: { host: 'Enforced.TEST:8080', method, target: '/x?y', ...(method === 'POST' && { body: 'z' }) },
      expect: {
        status: 301,
        app: null,
        fields: {
          location: 'https://enforced.test/x?y',
          'content-type': 'text/html',
          'strict-transport-security': null,
          'content-length': /^\d{1,3}$/,
        },
      },
    }),
  ),
  {
    row: '§8.13 the ids are on it',
    request: { host: 'enforced.test', fields: ['X-Correlation-Id: mine'] },
    expect: { status: 301, fields: { 'x-request-id': /^[0-9a-f]{32}$/, 'x-correlation-id': /^mine,[0-9a-f]{32}$/ } },
  },
  { row: '§8.13 the body is HTML', request: { host: 'enforced.test' }, expect: { status: 301, body: /<html>.*301/is } },
  {
    row: '§8.13 the name below a wildcard is kept',
    request: { host: 'Q.wild.test' },
    expect: { status: 301, fields: { location: 'https://q.wild.test/' } },
  },
  {
    row: '§8.14 a challenge of ACME',
    request: { host: 'enforced.test', target: '/.well-known/acme-challenge/token' },
    expect: { status: 301, app: null },
  },
  { row: '§8.14 /healthz', request: { host: 'enforced.test', target: '/healthz' }, expect: { status: 301, app: null } },
  ...(['http', 'ws', 'foo', 'https, http'] as const).map(
    (value): Row => ({
      row: `§8.11 over TLS with X-Forwarded-Proto ${value}`,
      request: { host: 'enforced.test', tls: 'enforced.test', fields: [`X-Forwarded-Proto: ${value}`] },
      expect: { status: 200, got: { fields: { 'x-forwarded-proto': 'https' } } },
    }),
  ),
  {
    row: '§8.12 from a peer that is no proxy of ours',
    request: { host: 'enforced.test', from: '127.0.0.77', fields: ['X-Forwarded-Proto: https'] },
    expect: { status: 200 },
  },
]

const forwardedFrom: readonly Row[] = [
  {
    row: '§8.12 forwardedFrom proxies: of others it does not count',
    steps: [
      {
        settings: { forwardedFrom: 'proxies', proxyRealIpCidrs: '127.0.0.7' },
        request: { host: 'enforced.test', fields: ['X-Forwarded-Proto: https', 'X-Forwarded-Port: 444'] },
        expect: { status: 301 },
      },
      {
        request: { host: 'free.test', fields: ['X-Forwarded-Proto: https', 'X-Forwarded-Port: 444'] },
        expect: { got: { fields: { 'x-forwarded-proto': 'http', 'x-forwarded-port': '80' } } },
      },
      {
        request: {
          host: 'enforced.test',
          from: '127.0.0.7',
          fields: ['X-Forwarded-Proto: https', 'X-Forwarded-Port: 444'],
        },
        expect: { status: 200, got: { fields: { 'x-forwarded-proto': 'https', 'x-forwarded-port': '444' } } },
      },
    ],
  },
]

const value = 'max-age=15552000'
const present: Fields = { 'strict-transport-security': value }
const absent: Fields = { 'strict-transport-security': null }
const fromLoadBalancer = ['X-Forwarded-Proto: https']

const statuses = [200, 204, 301, 304, 404, 500]
const hsts: readonly Row[] = [
  ...statuses.map(
    (status): Row => ({
      row: `§8.15 the app says ${status}`,
      given: [
        app(
          `hs/s${status}`,
          { domains: `s${status}.test`, certificates: `s${status}.test:hs` },
          { answer: `HTTP/1.1 ${status} X\r\n${status === 204 || status === 304 ? '' : 'Content-Length: 0\r\n'}\r\n` },
        ),
      ],
      request: { host: `s${status}.test`, tls: `s${status}.test` },
      expect: { status, fields: present },
    }),
  ),
  {
    row: '§8.15 TLS ended before us',
    request: { host: 'plain.test', fields: fromLoadBalancer },
    expect: { status: 200, fields: present },
  },
  {
    row: '§8.15 on 502',
    given: [app('hs/refused', 'refused.test', { pods: 'refusing' })],
    request: { host: 'refused.test', fields: fromLoadBalancer },
    expect: { status: 502, fields: present },
  },
  {
    row: '§8.15 on 504',
    given: [app('hs/silent', { domains: 'silent.test', tcpTimeout: '300ms' }, { answer: { kind: 'silence' } })],
    request: { host: 'silent.test', fields: fromLoadBalancer },
    expect: { status: 504, fields: present },
  },
  {
    row: '§8.15 on 403',
    given: [app('hs/listed', { domains: 'listed.test', whitelist: '192.0.2.1' })],
    request: { host: 'listed.test', fields: fromLoadBalancer },
    expect: { status: 403, fields: present },
  },
  {
    row: '§8.16 not on wss',
    request: { host: 'plain.test', fields: ['X-Forwarded-Proto: wss'] },
    expect: { status: 200, fields: absent },
  },
  { row: '§8.16 not on the redirect', request: { host: 'plain.test' }, expect: { status: 301, fields: absent } },
  {
    row: '§8.16 not on the default host',
    request: { host: 'nobody.test', tls: 'nobody.test' },
    expect: { status: 404, fields: absent },
  },
  {
    row: '§8.16 not on its /healthz',
    request: { host: 'nobody.test', tls: 'nobody.test', target: '/healthz' },
    expect: { status: 200, fields: absent },
  },
  {
    row: '§8.16 not in maintenance',
    given: [app('hs/down', { domains: 'down.test', maintenance: 'true' })],
    request: { host: 'down.test', fields: fromLoadBalancer },
    expect: { status: 503, fields: absent },
  },
  {
    row: '§8.16 not without pods',
    given: [app('hs/empty', 'empty.test', { pods: 'none' })],
    request: { host: 'empty.test', fields: fromLoadBalancer },
    expect: { status: 503, fields: absent },
  },
  {
    row: '§8.17 beside the app’s own',
    given: [app('hs/own', 'own-hsts.test', { answer: ok('x', 'Strict-Transport-Security: max-age=1') })],
    run: async stage => {
      const client = await stage.connect('http')
      await client.send(get('own-hsts.test', '/', ...fromLoadBalancer))
      expect([...fieldValues(await client.response(), 'strict-transport-security')].sort()).toEqual([
        'max-age=1',
        value,
      ])
    },
  },
]

const enforced = { domains: 'enforced.test,*.wild.test', 'ssl.enforce': 'true', certificates: 'enforced.test:enforced' }
const schemeApps = [app('e/enforced', enforced), secret('e/enforced-cert', 'enforced'), app('e/free', 'free.test')]

contract([
  {
    name: 'certificates',
    settings: { platformDomain: 'p.test' },
    given: [secret('deis/deis-router-platform-cert', 'platform')],
    rows: certificates,
  },
  {
    name: 'without a platform certificate',
    settings: { platformDomain: 'p.test' },
    given: [app('np/dotless', 'dotless')],
    rows: withoutPlatform,
  },
  { name: 'scheme', given: schemeApps, rows: scheme },
  { name: 'redirect', settings: { requestIDs: 'true' }, given: schemeApps, rows: redirects },
  { name: 'whose fields count', given: schemeApps, rows: forwardedFrom },
  {
    name: 'HSTS',
    settings: { 'ssl.hsts.enabled': 'true' },
    given: [app('hs/plain', 'plain.test'), secret('hs/hs-cert', 'hs')],
    rows: hsts,
  },
])
