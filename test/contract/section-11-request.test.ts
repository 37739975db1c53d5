// What the app receives (contract section 11).

import { expect } from 'vitest'
import { get } from '#test/support/app.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { contract, type Row } from './contract.ts'
import { app, secret } from './given.ts'

const targets = [
  '/',
  '/a%2Fb',
  '//double//',
  '/../up/./here/..',
  '/%2e%2e/%00',
  '/?',
  '/?a=b&c=%20#'.slice(0, -1),
  '/;p=1/~user/$&+,:=@',
  '/%C3%BC',
  '/"quoted"<>',
  `/${'long/'.repeat(1000)}`,
]

const rows: readonly Row[] = [
  ...targets.map(
    (target): Row => ({
      row: `§11.1 ${JSON.stringify(target.slice(0, 40))}`,
      request: { host: 'r.test', target },
      expect: { status: 200, got: { line: `GET ${target} HTTP/1.1` } },
    }),
  ),
  ...(['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH'] as const).map(
    (method): Row => ({
      row: `§11.1 ${method}`,
      request: { host: 'r.test', method },
      expect: { status: 200, got: { line: `${method} / HTTP/1.1` } },
    }),
  ),
  {
    row: '§11.1 HTTP/1.0 becomes HTTP/1.1',
    request: { host: 'r.test', version: '1.0', target: '/x' },
    expect: { status: 200, got: { line: 'GET /x HTTP/1.1' } },
  },
  {
    row: '§11.2 capitals and a port',
    request: { host: 'R.Test:8080' },
    expect: { got: { fields: { host: 'r.test' } } },
  },
  { row: '§11.2 once', request: { host: 'r.test' }, expect: { got: { fields: { host: ['r.test'] } } } },
  {
    row: '§11.3 of a client it is replaced',
    request: { host: 'r.test', fields: ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-For: 192.0.2.2'] },
    expect: { got: { fields: { 'x-forwarded-for': '127.0.0.1' } } },
  },
  {
    row: '§11.3 without one it is added',
    request: { host: 'r.test', from: '127.0.0.9' },
    expect: { got: { fields: { 'x-forwarded-for': '127.0.0.9' } } },
  },
  { row: '§11.4 http', request: { host: 'r.test' }, expect: { got: { fields: { 'x-forwarded-proto': 'http' } } } },
  {
    row: '§11.4 https',
    request: { host: 'r.test', tls: 'r.test' },
    expect: { got: { fields: { 'x-forwarded-proto': 'https' } } },
  },
  {
    row: '§11.4 of TLS that ended before us',
    request: { host: 'r.test', fields: ['X-Forwarded-Proto: http', 'X-Forwarded-Proto: https'] },
    expect: { got: { fields: { 'x-forwarded-proto': ['https'] } } },
  },
  { row: '§11.5 80', request: { host: 'r.test' }, expect: { got: { fields: { 'x-forwarded-port': '80' } } } },
  {
    row: '§11.5 443',
    request: { host: 'r.test', tls: 'r.test' },
    expect: { got: { fields: { 'x-forwarded-port': '443' } } },
  },
  {
    row: '§11.5 80, whatever scheme and Host say',
    request: { host: 'r.test:8443', fields: ['X-Forwarded-Proto: https'] },
    expect: { got: { fields: { 'x-forwarded-port': '80' } } },
  },
  {
    row: '§11.5 the client’s',
    request: { host: 'r.test', fields: ['X-Forwarded-Port: 8443'] },
    expect: { got: { fields: { 'x-forwarded-port': '8443' } } },
  },
  {
    row: '§11.5 the client’s over TLS',
    request: { host: 'r.test', tls: 'r.test', fields: ['X-Forwarded-Port: 8443'] },
    expect: { got: { fields: { 'x-forwarded-port': '8443' } } },
  },
  {
    row: '§11.6 an upgrade',
    request: {
      host: 'ws.test',
      fields: ['Connection: keep-alive, Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: a'],
    },
    expect: {
      status: 101,
      fields: { upgrade: 'websocket', connection: /^upgrade$/i },
      got: { fields: { upgrade: 'websocket', connection: /^upgrade$/i, 'sec-websocket-key': 'a' } },
    },
  },
  {
    row: '§11.6 octets of an upgraded connection, both ways',
    run: async stage => {
      const client = await stage.connect('http')
      await client.send(get('ws.test', '/', 'Connection: Upgrade', 'Upgrade: websocket'))
      expect((await client.head()).line).toMatch(/^HTTP\/1\.1 101 /)
      expect((await client.queue.take(6)).toString('latin1')).toBe('\x81\x04ping')
    },
  },
  {
    row: '§11.6 an upgrade over TLS',
    request: { host: 'ws.test', tls: 'ws.test', fields: ['Connection: Upgrade', 'Upgrade: websocket'] },
    expect: { status: 101 },
  },
  {
    row: '§11.6 the app refuses an upgrade',
    request: { host: 'r.test', fields: ['Connection: Upgrade', 'Upgrade: websocket'] },
    expect: { status: 200 },
  },
  {
    row: '§11.6 what Connection nominates stays here',
    request: {
      host: 'r.test',
      fields: ['Connection: close, X-Hop', 'X-Hop: 1', 'Keep-Alive: 5', 'TE: trailers', 'X-End: 2'],
    },
    expect: { got: { fields: { 'x-hop': null, 'keep-alive': null, 'x-end': '2' } } },
  },
  {
    row: '§11.6 two requests on one connection to the pod',
    run: async stage => {
      const client = await stage.connect('http')
      const before = stage.connectionsOf('r/kept')
      for (let i = 0; i < 5; i++) {
        await client.send(get('kept.test'))
        expect((await client.response()).status).toBe(200)
      }
      expect(stage.connectionsOf('r/kept') - before).toBe(1)
    },
  },
  {
    row: '§11.10 fields of other proxies',
    request: {
      host: 'r.test',
      fields: ['X-Real-IP: 192.0.2.9', 'X-Forwarded-Host: other.test', 'Forwarded: for=192.0.2.9;host=other.test'],
    },
    expect: {
      got: {
        fields: {
          'x-real-ip': '192.0.2.9',
          'x-forwarded-host': 'other.test',
          forwarded: 'for=192.0.2.9;host=other.test',
        },
      },
    },
  },
  {
    row: '§11.10 they are not invented',
    request: { host: 'r.test' },
    expect: { got: { fields: { 'x-real-ip': null, 'x-forwarded-host': null, forwarded: null } } },
  },
  {
    row: '§11.11 an underscore',
    request: { host: 'r.test', fields: ['X_Forwarded_For: 1', 'My_Field: 2', 'My-Field: 3'] },
    expect: { got: { raw: /^(?!.*_).*My-Field: 3/s } },
  },
  {
    row: '§11.12 a client that waits is told to go on',
    run: async stage => {
      const client = await stage.connect('http')
      await client.send('POST /expect HTTP/1.1\r\nHost: r.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
      expect((await client.response()).status).toBe(100)
      await client.send('hello')
      expect((await client.response()).status).toBe(200)
      const last = stage.received.findLast(request => request.target === '/expect')
      expect([last?.body.toString(), last === undefined ? [] : fieldValue(last, 'expect')]).toEqual([
        'hello',
        undefined,
      ])
    },
  },
  {
    row: '§11.12 and so is one that does not wait',
    request: { host: 'r.test', method: 'POST', fields: ['Expect: 100-continue'], body: 'hello' },
    expect: { got: { body: 'hello' } },
  },
  {
    row: '§11.13 chunks',
    request: {
      host: 'r.test',
      method: 'POST',
      fields: ['Transfer-Encoding: chunked'],
      body: '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    },
    expect: { status: 200, got: { body: 'abcde', fields: { 'transfer-encoding': 'chunked', 'content-length': null } } },
  },
  {
    row: '§11.13 a length',
    request: { host: 'r.test', method: 'POST', body: 'abcde' },
    expect: { got: { body: 'abcde', fields: { 'content-length': '5', 'transfer-encoding': null } } },
  },
  {
    row: '§11.13 the app is asked before the body has come',
    run: async stage => {
      const client = await stage.connect('http')
      await client.send('POST /early HTTP/1.1\r\nHost: early.test\r\nContent-Length: 10\r\n\r\nfirst')
      const pod = await stage.rawPod('r/early')
      expect((await pod.head()).line).toBe('POST /early HTTP/1.1')
      expect((await pod.queue.take(5)).toString()).toBe('first')
      await client.send('later')
      expect((await pod.queue.take(5)).toString()).toBe('later')
      await pod.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      expect((await client.response()).status).toBe(200)
    },
  },
  {
    row: '§11.14 from the plain port',
    request: { host: 'r.test', fields: ['Early-Data: 1'] },
    expect: { got: { fields: { 'early-data': null } } },
  },
  {
    row: '§11.14 over TLS',
    request: { host: 'r.test', tls: 'r.test', fields: ['Early-Data: 1'] },
    expect: { got: { fields: { 'early-data': null } } },
  },
]

const id = /^[0-9a-f]{32}$/
const ids: readonly Row[] = [
  {
    row: '§11.7 a fresh one',
    request: { host: 'r.test' },
    expect: { got: { fields: { 'x-request-id': id } }, fields: { 'x-request-id': id } },
  },
  {
    row: '§11.7 a client’s is overwritten',
    request: { host: 'r.test', fields: ['X-Request-Id: mine'] },
    expect: { got: { fields: { 'x-request-id': id } } },
  },
  {
    row: '§11.7 another one for each request, and the same for app and client',
    run: async stage => {
      const client = await stage.connect('http')
      const seen = new Set<string>()
      for (let i = 0; i < 20; i++) {
        await client.send(get('r.test'))
        const response = await client.response()
        const sent = stage.received.at(-1)!
        expect(fieldValue(response, 'x-request-id')).toBe(fieldValue(sent, 'x-request-id'))
        expect(fieldValue(response, 'x-correlation-id')).toBe(fieldValue(sent, 'x-correlation-id'))
        seen.add(fieldValue(response, 'x-request-id') ?? '')
      }
      expect(seen.size).toBe(20)
    },
  },
  { row: '§11.8 a fresh one', request: { host: 'r.test' }, expect: { got: { fields: { 'x-correlation-id': id } } } },
  {
    row: '§11.8 behind the client’s',
    request: { host: 'r.test', fields: ['X-Correlation-Id: mine'] },
    expect: { got: { fields: { 'x-correlation-id': /^mine,[0-9a-f]{32}$/ } } },
  },
  {
    row: '§11.9 t= and three digits',
    request: { host: 'r.test' },
    expect: { got: { fields: { 'x-request-start': /^t=\d{10}\.\d{3}$/ } } },
  },
  {
    row: '§11.9 a client’s is replaced',
    request: { host: 'r.test', fields: ['X-Request-Start: t=1.000'] },
    expect: { got: { fields: { 'x-request-start': /^t=\d{10}\.\d{3}$/ } } },
  },
]

const given = [
  app('r/app', { domains: 'r.test', certificates: 'r.test:r' }),
  secret('r/r-cert', 'r'),
  app('r/kept', 'kept.test'),
  app('r/early', 'early.test', { answer: { kind: 'by hand' } }),
  app(
    'r/ws',
    { domains: 'ws.test', certificates: 'ws.test:r' },
    { answer: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x04ping' },
  ),
]

contract([
  { name: 'request', given, rows },
  { name: 'ids', settings: { requestIDs: 'true', requestStartHeader: 'true' }, given, rows: ids },
])
