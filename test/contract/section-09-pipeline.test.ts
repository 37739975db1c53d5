// What is checked in which order, and who answers (contract section 9).

import { expect } from 'vitest'
import { get } from '#test/support/app.ts'
import { contract, type Row } from './contract.ts'
import { type Answer, app, secret } from './given.ts'

const page = '<!DOCTYPE html>\n<title>Site Maintenance</title>\n'
const elsewhere = '192.0.2.1'

const malformed: readonly (readonly [what: string, status: number, bytes: string])[] = [
  ['no Host', 400, 'GET / HTTP/1.1\r\nUser-Agent: UA\r\n\r\n'],
  ['two Hosts', 400, 'GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\nUser-Agent: UA\r\n\r\n'],
  ['a Host that is none', 400, 'GET / HTTP/1.1\r\nHost: a b\r\nUser-Agent: UA\r\n\r\n'],
  [
    'both lengths',
    400,
    'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['two lengths', 400, 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
  ['a length that is none', 400, 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: +5\r\n\r\nhello'],
  ['an unknown coding', 400, 'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['a blank before the colon', 400, 'GET / HTTP/1.1\r\nHost : a.test\r\n\r\n'],
  ['a folded line', 400, 'GET / HTTP/1.1\r\nHost: a.test\r\nX: a\r\n b\r\n\r\n'],
  ['a NUL', 400, 'GET / HTTP/1.1\r\nHost: a.test\r\nX: a\0b\r\n\r\n'],
  ['no version', 400, 'GET /\r\nHost: a.test\r\n\r\n'],
  ['TRACE', 405, 'TRACE / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: UA\r\n\r\n'],
  ['TRACE of an unknown host', 405, 'TRACE / HTTP/1.1\r\nHost: nobody.test\r\nUser-Agent: UA\r\n\r\n'],
]

const reset: Answer = { kind: 'reset' }
const broken: readonly (readonly [what: string, answer: Answer])[] = [
  ['resets', reset],
  ['closes', { kind: 'parts', parts: [], pause: 0 }],
  ['closes in the head', { kind: 'parts', parts: ['HTTP/1.1 200 OK\r\nContent-'], pause: 0 }],
  ['says no status line', 'hello, this is version 0.9\r\n\r\n'],
  ['says a field that is none', 'HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n'],
  ['says a NUL in a field', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n'],
  ['says both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['says a status that is none', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'],
  ['says a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(300_000)}\r\n\r\n`],
]

function megabytes(host: string): string {
  return `POST / HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: UA\r\nContent-Length: 2000000\r\n\r\n`
}

const pipeline: readonly Row[] = [
  ...malformed.map(
    ([what, status, bytes]): Row => ({ row: `§9.1 ${what}`, request: { bytes }, expect: { status, app: null } }),
  ),
  {
    row: '§9.2 an unknown host',
    request: { host: 'nobody.test' },
    expect: { status: 404, app: null, fields: { 'content-type': 'text/html' } },
  },
  {
    row: '§9.3 Early-Data of a client does not reach the app, and changes nothing',
    request: { host: 'a.test', method: 'POST', fields: ['Early-Data: 1'], body: 'x' },
    expect: { status: 200, got: { fields: { 'early-data': null } } },
  },
  {
    row: '§9.4 before the redirect',
    given: [app('big/enforced', { domains: 'big-enforced.test', 'ssl.enforce': 'true' })],
    request: { bytes: megabytes('big-enforced.test') },
    expect: { status: 413, app: null },
  },
  {
    row: '§9.4 before maintenance',
    given: [app('big/down', { domains: 'big-down.test', maintenance: 'true' })],
    request: { bytes: megabytes('big-down.test') },
    expect: { status: 413, app: null },
  },
  {
    row: '§9.4 before 503',
    given: [app('big/empty', 'big-empty.test', { pods: 'none' })],
    request: { bytes: megabytes('big-empty.test') },
    expect: { status: 413, app: null },
  },
  {
    row: '§9.4 before 403',
    given: [app('big/listed', { domains: 'big-listed.test', whitelist: elsewhere })],
    request: { bytes: megabytes('big-listed.test') },
    expect: { status: 413, app: null },
  },
  {
    row: '§9.4 chunks, once they are more than that',
    request: {
      bytes: `POST / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: UA\r\nTransfer-Encoding: chunked\r\n\r\n${`10000\r\n${'x'.repeat(0x10000)}\r\n`.repeat(17)}0\r\n\r\n`,
    },
    expect: { status: 413 },
  },
  {
    row: '§9.4 the requests after it are none the worse',
    steps: Array.from({ length: 3 }, () => ({ request: { host: 'a.test' }, expect: { status: 200, app: 'a/a' } })),
  },
  {
    row: '§9.5 before the redirect',
    given: [app('m/enforced', { domains: 'm-enforced.test', maintenance: 'true', 'ssl.enforce': 'true' })],
    request: { host: 'm-enforced.test' },
    expect: { status: 503, body: page, fields: { location: null } },
  },
  {
    row: '§9.5 403 for who is not on the whitelist, before the redirect too',
    given: [
      app('m/listed', { domains: 'm-listed.test', maintenance: 'true', 'ssl.enforce': 'true', whitelist: '127.0.0.2' }),
    ],
    steps: [
      { request: { host: 'm-listed.test' }, expect: { status: 403, app: null } },
      { request: { host: 'm-listed.test', from: '127.0.0.2' }, expect: { status: 503, body: page } },
    ],
  },
  {
    row: '§9.5 before no pods',
    given: [app('m/empty', { domains: 'm-empty.test', maintenance: 'true' }, { pods: 'none' })],
    request: { host: 'm-empty.test' },
    expect: { status: 503, body: page },
  },
  {
    row: '§9.6 before the redirect',
    given: [app('n/enforced', { domains: 'n-enforced.test', 'ssl.enforce': 'true' }, { pods: 'none' })],
    request: { host: 'n-enforced.test' },
    expect: { status: 503, fields: { location: null, 'content-type': 'text/html' } },
  },
  {
    row: '§9.6 before the whitelist',
    given: [app('n/listed', { domains: 'n-listed.test', whitelist: elsewhere }, { pods: 'none' })],
    request: { host: 'n-listed.test' },
    expect: { status: 503, app: null },
  },
  {
    row: '§9.6 a pod that is not ready',
    given: [app('n/unready', 'n-unready.test', { pods: 'not ready' })],
    steps: [
      { request: { host: 'n-unready.test' }, expect: { status: 503, app: null } },
      {
        change: [app('n/unready', 'n-unready.test')],
        request: { host: 'n-unready.test' },
        expect: { status: 200, app: 'n/unready' },
      },
    ],
  },
  {
    row: '§9.7 before the whitelist',
    given: [app('e/listed', { domains: 'e-listed.test', whitelist: elsewhere, 'ssl.enforce': 'true' })],
    steps: [
      { request: { host: 'e-listed.test' }, expect: { status: 301 } },
      { request: { host: 'e-listed.test', fields: ['X-Forwarded-Proto: https'] }, expect: { status: 403, app: null } },
    ],
  },
  {
    row: '§9.8 listed and not',
    given: [app('w/listed', { domains: 'w-listed.test', whitelist: '127.0.0.2,127.0.1.0/24' })],
    steps: [
      {
        request: { host: 'w-listed.test' },
        expect: {
          status: 403,
          app: null,
          fields: { 'content-type': 'text/html' },
          log: { 1: 'w/listed', 2: '127.0.0.1', 4: '403', 10: '-' },
        },
      },
      { request: { host: 'w-listed.test', from: '127.0.0.2' }, expect: { status: 200, app: 'w/listed' } },
      { request: { host: 'w-listed.test', from: '127.0.1.200' }, expect: { status: 200 } },
      { request: { host: 'w-listed.test', from: '127.0.2.1' }, expect: { status: 403 } },
    ],
  },
  {
    row: '§9.9 refuses',
    given: [app('b/refuses', 'refuses.test', { pods: 'refusing' })],
    request: { host: 'refuses.test' },
    expect: { status: 502, fields: { 'content-type': 'text/html' }, log: { 4: '502', 10: /^127\.0\.0\.1:\d+$/ } },
  },
  ...broken.map(
    ([what, answer], index): Row => ({
      row: `§9.9 ${what}`,
      given: [app(`b/broken-${index}`, `broken-${index}.test`, { answer })],
      request: { host: `broken-${index}.test`, method: 'POST', body: 'x' },
      expect: { status: 502, app: `b/broken-${index}` },
    }),
  ),
  {
    row: '§9.10 another pod, when one refuses',
    given: [app('re/tried', 'tried.test', { replicas: 1 })],
    run: async stage => {
      // Half of the endpoints refuse; whichever is asked first, the request is answered.
      await stage.addEndpoint('re/tried', await stage.refusingPort())
      for (let i = 0; i < 6; i++) {
        const client = await stage.connect('http')
        await client.send(get('tried.test').replace('GET', i % 2 === 0 ? 'GET' : 'POST'))
        expect((await client.response()).status).toBe(200)
      }
    },
  },
  {
    row: '§9.10 a POST that reached an app is not sent again',
    given: [app('re/once', 'once.test', { replicas: 3, answer: reset })],
    request: { host: 'once.test', method: 'POST', body: 'pay' },
    expect: { status: 502, app: 're/once' },
  },
  ...(['http', 'https'] as const).flatMap((port): Row[] => {
    const way = port === 'https' ? { tls: 'nobody.test' } : {}
    return [
      ...(['/healthz', '/healthz/'] as const).map(
        (target): Row => ({
          row: `§9.11 ${target} on ${port}`,
          request: { host: 'nobody.test', target, ...way },
          expect: { status: 200, body: '', app: null, fields: { 'content-type': 'text/plain' }, log: null },
        }),
      ),
      {
        row: `§9.11 / on ${port}`,
        request: { host: 'nobody.test', ...way },
        expect: { status: 404, app: null, log: { 1: 'router-default-vhost', 9: '"_"', 10: '-' } },
      },
      {
        row: `§9.11 /healthz/x on ${port}`,
        request: { host: 'nobody.test', target: '/healthz/x', ...way },
        expect: { status: 404 },
      },
    ]
  }),
  {
    row: '§9.12 /healthz of an app',
    request: { host: 'a.test', target: '/healthz' },
    expect: { status: 200, app: 'a/a', body: 'a/a', log: { 1: 'a' } },
  },
  {
    row: '§9.17 ready in the second slice only',
    given: [app('sl/app', 'slices.test', { pods: 'none' })],
    run: async stage => {
      const { port } = await stage.extraPod('sl/app')
      await stage.addEndpoint('sl/app', port, { name: 'a-first', ready: false })
      await stage.addEndpoint('sl/app', port, { name: 'b-second', ready: true })
      const client = await stage.connect('http')
      await client.send(get('slices.test'))
      expect((await client.response()).status).toBe(200)
    },
  },
]

const maintenance: readonly Row[] = [
  ...(['GET', 'HEAD'] as const).map(
    (method): Row => ({
      row: `§9.15 ${method}`,
      request: { host: 'down.test', method, target: '/any/path?x' },
      expect: {
        status: 503,
        app: null,
        body: method === 'HEAD' ? '' : page,
        fields: {
          'content-type': 'text/html',
          'content-length': '48',
          'x-request-id': null,
          'x-correlation-id': null,
          'strict-transport-security': null,
          'referrer-policy': null,
        },
      },
    }),
  ),
  ...(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'] as const).map(
    (method): Row => ({
      row: `§9.16 ${method}`,
      request: { host: 'down.test', method, body: 'x' },
      expect: { status: 503, app: null, body: page },
    }),
  ),
]

const defaultService: readonly Row[] = [
  {
    row: '§9.13 it is asked at port 80 of its address',
    // Whether anybody listens there is the machine's business; nobody does on most, so that this is 502.
    request: { host: 'nobody.test' },
    expect: { app: null, log: { 1: 'fallback', 10: '127.0.0.253:80' } },
  },
  {
    row: '§9.13 /healthz is still the router’s',
    request: { host: 'nobody.test', target: '/healthz' },
    expect: { status: 200, body: '' },
  },
  {
    row: '§9.13 no ids',
    request: { host: 'nobody.test' },
    expect: { fields: { 'x-request-id': null, 'x-correlation-id': null }, log: { 1: 'fallback' } },
  },
  {
    row: '§9.13 no redirect, though all apps have one',
    request: { host: 'nobody.test' },
    expect: { fields: { location: null }, log: { 1: 'fallback' } },
  },
  { row: '§9.13 apps are still apps', request: { host: 'app.test' }, expect: { status: 301 } },
  {
    row: '§9.14 over TLS',
    request: { host: 'nobody.test', tls: 'nobody.test' },
    expect: { certificate: 'platform', fields: { 'strict-transport-security': null }, log: { 1: 'fallback' } },
  },
  {
    row: '§9.13 HTTP/1.0 without Host too',
    request: { bytes: 'GET / HTTP/1.0\r\nUser-Agent: UA\r\n\r\n' },
    expect: { log: { 1: 'fallback', 10: '127.0.0.253:80' } },
  },
  {
    row: '§9.13 disabled again: 404',
    steps: [
      {
        settings: { defaultServiceIP: '127.0.0.253', defaultAppName: 'fallback' },
        request: { host: 'nobody.test' },
        expect: { status: 404 },
      },
    ],
  },
  {
    row: '§9.13 without an address: 404',
    steps: [
      {
        settings: { defaultServiceEnabled: 'true', defaultAppName: 'fallback' },
        request: { host: 'nobody.test' },
        expect: { status: 404 },
      },
    ],
  },
  {
    row: '§9.13 without a name: 404',
    steps: [
      {
        settings: { defaultServiceEnabled: 'true', defaultServiceIP: '127.0.0.253' },
        request: { host: 'nobody.test' },
        expect: { status: 404 },
      },
    ],
  },
  {
    row: '§9.13 no whitelist',
    steps: [
      {
        settings: {
          defaultServiceEnabled: 'true',
          defaultServiceIP: '127.0.0.253',
          defaultAppName: 'fallback',
          enforceWhitelists: 'true',
        },
        request: { host: 'nobody.test' },
        expect: { log: { 1: 'fallback' } },
      },
      { request: { host: 'app.test' }, expect: { status: 403 } },
    ],
  },
]

contract([
  {
    name: 'pipeline',
    given: [app('a/a', 'a.test'), secret('x/unused-cert', 'unused')],
    rows: pipeline,
  },
  {
    name: 'maintenance page',
    settings: { requestIDs: 'true', referrerPolicy: 'origin', 'ssl.hsts.enabled': 'true' },
    given: [app('a/down', { domains: 'down.test', maintenance: 'true' })],
    rows: maintenance,
  },
  {
    name: 'default service',
    settings: {
      defaultServiceEnabled: 'true',
      defaultServiceIP: '127.0.0.253',
      defaultAppName: 'fallback',
      requestIDs: 'true',
      'ssl.enforce': 'true',
    },
    given: [app('d/app', 'app.test'), secret('deis/deis-router-platform-cert', 'platform')],
    rows: defaultService,
  },
])
