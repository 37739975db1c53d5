// Annotations of an app's Service (contract section 6).

import { expect } from 'vitest'
import { get } from '#test/support/app.ts'
import { contract, type Row } from './contract.ts'
import { type Answer, app, secret } from './given.ts'
import type { Stage } from './stage.ts'

const silence: Answer = { kind: 'silence' }
const upgraded = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const websocket = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
]

const waiting: readonly Row[] = [
  {
    row: '§6.1 nobody completes the connection',
    given: [app('t/unreachable', { domains: 'unreachable.test', connectTimeout: '500ms' }, { pods: 'unreachable' })],
    request: { host: 'unreachable.test' },
    expect: { status: 504, log: { 4: '504', 10: /^127\.0\.0\.1:\d+$/ } },
  },
  {
    row: '§6.2 silence after the request',
    given: [app('t/silent', { domains: 'silent.test', tcpTimeout: '500ms' }, { answer: silence })],
    request: { host: 'silent.test' },
    expect: { status: 504, app: 't/silent' },
  },
  {
    row: '§6.2 without a unit it counts seconds',
    given: [app('t/seconds', { domains: 'seconds.test', tcpTimeout: '1' }, { answer: silence })],
    request: { host: 'seconds.test' },
    expect: { status: 504, app: 't/seconds' },
  },
  {
    row: '§6.3 an answer that takes longer than tcpTimeout, but never so long between two parts',
    given: [
      app(
        't/slow',
        { domains: 'slow.test', tcpTimeout: '2s' },
        {
          answer: {
            kind: 'parts',
            pause: 400,
            parts: ['HTTP/1.1 200 OK\r\n', 'Content-Length: 5\r\n\r\n', 'a', 'b', 'c', 'd', 'e'],
          },
        },
      ),
    ],
    request: { host: 'slow.test' },
    expect: { status: 200, body: 'abcde' },
  },
  {
    row: '§6.4 a WebSocket on which nothing moves',
    given: [app('t/socket', { domains: 'socket.test', tcpTimeout: '500ms' }, { answer: [upgraded, 'first'] })],
    run: async stage => {
      const client = await stage.connect('http')
      await client.send(get('socket.test', '/', ...websocket))
      expect((await client.head()).line).toBe('HTTP/1.1 101 Switching Protocols')
      expect((await client.queue.take(5)).toString()).toBe('first')
      await client.ended()
    },
  },
]

const names: readonly (readonly [path: string, label: string | undefined, name: string])[] = [
  ['name-a/web', undefined, 'name-a/web'],
  ['name-b/web', 'shop', 'name-b/shop'],
  ['name-c/name-c', undefined, 'name-c'],
  ['name-d/web', 'name-d', 'name-d'],
  ['deis/deis-controller', undefined, 'deis/deis-controller'],
  ['name-e/web', '', 'name-e/web'],
]

const plain: readonly Row[] = [
  {
    row: '§6.5 the page, for that app only',
    given: [
      app('m/down', { domains: 'down.test', maintenance: 'True' }),
      app('m/up', { domains: 'up.test', maintenance: 'False' }),
    ],
    steps: [
      { request: { host: 'down.test' }, expect: { status: 503, app: null, body: /Site Maintenance/ } },
      { request: { host: 'up.test' }, expect: { status: 200, app: 'm/up' } },
    ],
  },
  {
    row: '§6.6 the redirect, for that app only',
    given: [
      app('r/safe', { domains: 'safe.test', 'ssl.enforce': 'true', certificates: 'safe.test:safe' }),
      secret('r/safe-cert', 'safe'),
      app('r/open', { domains: 'open.test', 'ssl.enforce': 'False' }),
    ],
    steps: [
      {
        request: { host: 'safe.test', target: '/x' },
        expect: { status: 301, fields: { location: 'https://safe.test/x' } },
      },
      { request: { host: 'safe.test', tls: 'safe.test' }, expect: { status: 200 } },
      { request: { host: 'open.test' }, expect: { status: 200 } },
    ],
  },
  ...(
    [
      ['ssl.hsts.enabled', 'true'],
      ['ssl.protocols', 'TLSv1.3'],
      ['ssl.ciphers', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
    ] as const
  ).map(
    ([key, value], index): Row => ({
      row: `§6.7 ${key}`,
      given: [
        app(`s/no-effect-${index}`, {
          domains: `no-effect-${index}.test`,
          [key]: value,
          certificates: `no-effect-${index}.test:ne`,
        }),
        ...(index === 0 ? [secret('s/ne-cert', 'ne')] : []),
      ],
      steps: [
        {
          request: { host: `no-effect-${index}.test` },
          expect: {
            status: 200,
            problem: { of: `s/no-effect-${index}`, says: new RegExp(`${key.replaceAll('.', '\\.')}.*no effect`) },
          },
        },
        {
          request: { host: `no-effect-${index}.test`, tls: `no-effect-${index}.test`, maxVersion: 'TLSv1.2' },
          expect: { status: 200, fields: { 'strict-transport-security': null } },
        },
      ],
    }),
  ),
  ...names.map(
    ([path, label, name], index): Row => ({
      row: `§6.11 ${path}${label === undefined ? '' : ` with label app ${JSON.stringify(label)}`} is ${name}`,
      given: [app(path, `name-${index}.test`, { labels: label === undefined ? {} : { app: label } })],
      request: { host: `name-${index}.test` },
      expect: { status: 200, log: { 1: name } },
    }),
  ),
]

const ids: readonly Row[] = [
  {
    row: '§6.9 not opted out',
    given: [app('q/in', 'in.test')],
    request: { host: 'in.test' },
    expect: { got: { fields: { 'x-request-start': /^t=/ } } },
  },
  {
    row: '§6.9 opted out',
    given: [app('q/out', { domains: 'out.test', disableRequestStartHeader: 'true' })],
    request: { host: 'out.test' },
    expect: { status: 200, got: { fields: { 'x-request-start': null } } },
  },
  {
    row: '§6.9 "false" does not opt out',
    given: [app('q/false', { domains: 'false.test', disableRequestStartHeader: 'false' })],
    request: { host: 'false.test' },
    expect: { got: { fields: { 'x-request-start': /^t=/ } } },
  },
  {
    row: '§6.10 the router’s',
    given: [app('q/none', 'policy-router.test')],
    request: { host: 'policy-router.test' },
    expect: { fields: { 'referrer-policy': 'origin' } },
  },
  {
    row: '§6.10 the app’s',
    given: [app('q/own', { domains: 'policy-own.test', referrerPolicy: 'same-origin' })],
    request: { host: 'policy-own.test' },
    expect: { fields: { 'referrer-policy': 'same-origin' } },
  },
  {
    row: '§6.10 none',
    given: [app('q/no', { domains: 'policy-none.test', referrerPolicy: 'none' })],
    request: { host: 'policy-none.test' },
    expect: { fields: { 'referrer-policy': null } },
  },
]

const large = 4 * 1024 * 1024
const largeAnswer = [`HTTP/1.1 200 OK\r\nContent-Length: ${large}\r\n\r\n`, 'x'.repeat(large)] as const

const buffers: readonly Row[] = [
  {
    row: '§6.8 the router’s: an app is rid of its answer before its client reads',
    given: [app('bu/on', 'buffer-on.test', { answer: largeAnswer })],
    run: stage => getsRid(stage, 'bu/on', 'buffer-on.test'),
  },
  {
    row: '§6.8 switched off by the app: the answer comes as the client reads',
    given: [
      app('bu/off', { domains: 'buffer-off.test', 'nginx.proxyBuffers.enabled': 'false' }, { answer: largeAnswer }),
    ],
    request: { host: 'buffer-off.test' },
    expect: { status: 200, body: largeAnswer[1] },
  },
]

async function getsRid(stage: Stage, key: string, host: string): Promise<void> {
  const client = await stage.connect('http')
  client.socket.pause()
  await client.send(get(host))
  await stage.sent(key)
  client.socket.resume()
  expect((await client.response()).body).toHaveLength(large)
}

const hostApp = app('host/app', {
  domains: 'host.test,*.host.test,other.test',
  whitelist: '127.0.0.0/24',
  referrerPolicy: 'origin',
  disableRequestStartHeader: 'true',
})
const handler = app('hand/ler', {
  domains: 'handler.test',
  proxyDomain: 'host.test',
  proxyLocations: '/webhooks,/webhooks/deep/,/a%2Fb',
  whitelist: '192.0.2.1',
  referrerPolicy: 'same-origin',
})

const locations: readonly Row[] = [
  {
    row: '§6.12 a prefix goes to the handler',
    request: { host: 'host.test', target: '/webhooks' },
    expect: { status: 200, app: 'hand/ler' },
  },
  {
    row: '§6.12 on another domain of the host app',
    request: { host: 'other.test', target: '/webhooks/x' },
    expect: { status: 200, app: 'hand/ler' },
  },
  {
    row: '§6.12 on its wildcard',
    request: { host: 'a.host.test', target: '/webhooks/x' },
    expect: { status: 200, app: 'hand/ler' },
  },
  {
    row: '§6.12 all else stays',
    request: { host: 'host.test', target: '/web' },
    expect: { status: 200, app: 'host/app' },
  },
  {
    row: '§6.12 the name in the log is the handler’s',
    request: { host: 'host.test', target: '/webhooks' },
    expect: { log: { 9: '"host.test"' } },
  },
  {
    row: '§6.13 plain text: no segment',
    request: { host: 'host.test', target: '/webhooksX' },
    expect: { app: 'hand/ler' },
  },
  {
    row: '§6.13 the case of a path counts',
    request: { host: 'host.test', target: '/Webhooks' },
    expect: { app: 'host/app' },
  },
  {
    row: '§6.13 the path is passed unchanged',
    request: { host: 'host.test', target: '/webhooks//x/%2e%2E/?y' },
    expect: { app: 'hand/ler', got: { line: 'GET /webhooks//x/%2e%2E/?y HTTP/1.1' } },
  },
  {
    row: '§6.13 the longest wins',
    request: { host: 'host.test', target: '/webhooks/longer/x' },
    expect: { app: 'hand/longer' },
  },
  {
    row: '§6.13 only where it matches',
    request: { host: 'host.test', target: '/webhooks/long' },
    expect: { app: 'hand/ler' },
  },
  {
    row: '§6.15 the host app’s whitelist lets in',
    request: { host: 'host.test', target: '/webhooks' },
    expect: { status: 200 },
  },
  {
    row: '§6.15 the host app’s whitelist keeps out',
    request: { host: 'host.test', target: '/webhooks', from: '127.0.1.1' },
    expect: { status: 403, app: null },
  },
  {
    row: '§6.15 the host app’s referrer policy',
    request: { host: 'host.test', target: '/webhooks' },
    expect: { fields: { 'referrer-policy': 'origin' } },
  },
  {
    row: '§6.15 the host app’s request start',
    request: { host: 'host.test', target: '/webhooks' },
    expect: { app: 'hand/ler', got: { fields: { 'x-request-start': null } } },
  },
  {
    row: '§6.14 maintenance of the handler',
    request: { host: 'host.test', target: '/maintained' },
    expect: { status: 503, body: /Site Maintenance/ },
  },
  {
    row: '§6.14 a handler without pods',
    request: { host: 'host.test', target: '/empty' },
    expect: { status: 503, app: null },
  },
  {
    row: '§6.14 enforcement of the handler',
    request: { host: 'host.test', target: '/enforced' },
    expect: { status: 301, fields: { location: 'https://host.test/enforced' } },
  },
  {
    row: '§6.14 timeouts of the handler',
    request: { host: 'host.test', target: '/timed' },
    expect: { status: 504, app: 'hand/timed' },
  },
  {
    row: '§6.14 maintenance of the host app leaves locations alone',
    given: [
      app('ma/host', { domains: 'kept.test', maintenance: 'true' }),
      app('ma/hand', { domains: 'kept-hand.test', proxyDomain: 'kept.test', proxyLocations: '/api' }),
    ],
    steps: [
      { request: { host: 'kept.test', target: '/api' }, expect: { status: 200, app: 'ma/hand' } },
      { request: { host: 'kept.test', target: '/' }, expect: { status: 503 } },
    ],
  },
  {
    row: '§6.16 no domains',
    request: { host: 'host.test', target: '/domainless' },
    expect: { status: 200, app: 'host/app' },
  },
  {
    row: '§6.15 on its own host the handler’s own whitelist counts',
    request: { host: 'handler.test', target: '/webhooks', from: '127.0.0.1' },
    expect: { status: 403 },
  },
  {
    row: '§6.12 an entry has to be literal',
    given: [app('li/hand', { domains: 'literal.test', proxyDomain: 'a.host.test', proxyLocations: '/literal' })],
    request: { host: 'a.host.test', target: '/literal' },
    expect: { status: 200, app: 'host/app', problem: { of: 'li/hand', says: /a\.host\.test/ } },
  },
  {
    row: '§6.17 a proxyDomain that nobody has costs its locations only',
    given: [app('lo/lost', { domains: 'lost.test', proxyDomain: 'nowhere.test', proxyLocations: '/x' })],
    steps: [
      {
        request: { host: 'lost.test' },
        expect: { status: 200, app: 'lo/lost', problem: { of: 'lo/lost', says: /nowhere\.test/ } },
      },
      {
        change: [app('lo/found', 'nowhere.test')],
        request: { host: 'nowhere.test', target: '/x' },
        expect: { status: 200, app: 'lo/lost', problem: { of: 'lo/lost', says: null } },
      },
      { gone: ['Service/lo/found'], request: { host: 'nowhere.test', target: '/x' }, expect: { status: 404 } },
    ],
  },
]

contract([
  { name: 'plain', rows: plain },
  { name: 'headers', settings: { requestStartHeader: 'true', referrerPolicy: 'origin' }, rows: ids },
  {
    name: 'locations',
    settings: { requestStartHeader: 'true' },
    given: [
      hostApp,
      handler,
      app('hand/longer', { domains: 'longer.test', proxyDomain: 'host.test', proxyLocations: '/webhooks/longer' }),
      app('hand/maintained', {
        domains: 'maintained.test',
        proxyDomain: 'host.test',
        proxyLocations: '/maintained',
        maintenance: 'true',
      }),
      app(
        'hand/empty',
        { domains: 'empty.test', proxyDomain: 'host.test', proxyLocations: '/empty' },
        { pods: 'none' },
      ),
      app('hand/enforced', {
        domains: 'enforced.test',
        proxyDomain: 'host.test',
        proxyLocations: '/enforced',
        'ssl.enforce': 'true',
      }),
      app(
        'hand/timed',
        { domains: 'timed.test', proxyDomain: 'host.test', proxyLocations: '/timed', tcpTimeout: '500ms' },
        { answer: silence },
      ),
      app('hand/domainless', { proxyDomain: 'host.test', proxyLocations: '/domainless' }),
    ],
    rows: locations,
  },
  {
    name: 'buffers',
    settings: { 'proxyBuffers.enabled': 'true', 'proxyBuffers.number': '64', 'proxyBuffers.size': '64k' },
    rows: buffers,
  },
  { name: 'times', rows: waiting, together: true },
])
