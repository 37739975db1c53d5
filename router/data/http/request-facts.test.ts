import { describe, expect, test } from 'vitest'
import { AddressSet, parseCidr } from '../../model/cidr.ts'
import { LogOctets } from '../access-log.ts'
import { fieldId } from './fields.ts'
import {
  captureLog,
  clientAddressOf,
  cookieValue,
  hostNameOf,
  lastValue,
  namedValue,
  pathOf,
  targetOf,
} from './request-facts.ts'
import { RequestHead } from './request-head.ts'
import { usualLimits } from './testdata/request-summary.ts'

/** A head that begins somewhere in a buffer of other people's octets. */
function parse(text: string): { readonly head: RequestHead; readonly buffer: Buffer; readonly result: number } {
  const octets = Buffer.from(text, 'latin1')
  const buffer = Buffer.alloc(octets.length + 64, 'S')
  octets.copy(buffer, 20)
  const head = new RequestHead()
  head.reset()
  const result = head.parse(buffer, 20, 20 + octets.length, usualLimits)
  return { head, buffer, result }
}

const get = (target: string, fields = 'Host: a.example\r\n'): string => `GET ${target} HTTP/1.1\r\n${fields}\r\n`

describe('host, path and target', () => {
  const rows: readonly (readonly [request: string, host: string, path: string, target: string])[] = [
    [get('/'), 'a.example', '/', '/'],
    [get('/a/b?c=/d?e'), 'a.example', '/a/b', '/a/b?c=/d?e'],
    [get('/?'), 'a.example', '/', '/?'],
    [get('//b.example/x'), 'a.example', '//b.example/x', '//b.example/x'],
    [get('/%2e%2E/../a'), 'a.example', '/%2e%2E/../a', '/%2e%2E/../a'],
    [get('/caf\xc3\xa9'), 'a.example', '/caf\xc3\xa9', '/caf\xc3\xa9'],
    [get('http://a.example/x?y'), 'a.example', '/x', '/x?y'],
    [get('http://A.example:80'), 'a.example', '/', '/'],
    [get('http://a.example?y'), 'a.example', '/', '/?y'],
    [get('http://a.example/?y'), 'a.example', '/', '/?y'],
    ['OPTIONS * HTTP/1.1\r\nHost: A.Example.:8080\r\n\r\n', 'a.example', '*', '/'],
    ['GET / HTTP/1.0\r\n\r\n', '', '/', '/'],
    ['GET http://b.example/ HTTP/1.0\r\n\r\n', 'b.example', '/', '/'],
  ]
  for (const [request, host, path, target] of rows) {
    test(request.slice(0, request.indexOf('\r')), () => {
      const { head, buffer } = parse(request)
      expect([hostNameOf(head, buffer), pathOf(head, buffer), targetOf(head, buffer)]).toEqual([host, path, target])
    })
  }
})

test('the last value of a field counts, and none is empty', () => {
  const { head, buffer } = parse(get('/', 'Host: a\r\nX-Forwarded-Proto: http\r\nX: y\r\nx-forwarded-proto: https\r\n'))
  expect(lastValue(head, buffer, fieldId.xForwardedProto)).toBe('https')
  expect(lastValue(head, buffer, fieldId.xForwardedPort)).toBe('')
})

test('a field by its name, whatever its letters, all lines as one list', () => {
  const { head, buffer } = parse(get('/', 'Host: a\r\nX-Tenant: a\r\nX-Tenants: no\r\nx-tenant: b, c\r\nX-Empty:\r\n'))
  expect(['x-tenant', 'host', 'x-empty', 'x-ten'].map(name => namedValue(head, buffer, name))).toEqual([
    'a, b, c',
    'a',
    '',
    '',
  ])
})

describe('a cookie by its name', () => {
  const rows: readonly (readonly [fields: string, want: string])[] = [
    ['Cookie: sid=1\r\n', '1'],
    ['Cookie: a=b; sid=1;c=d\r\n', '1'],
    ['Cookie: a=b\r\ncookie: SID=2;sid=1\r\n', '1'],
    ['Cookie: sid=1; sid=2\r\n', '1'],
    ['Cookie: xsid=1; sid2=2; x=sid=3\r\n', ''],
    ['Cookie: sid=a=b\r\n', 'a=b'],
    ['Cookie: sid\r\n', ''],
    ['Cookie: sid=\r\n', ''],
    ['X-Cookie: sid=1\r\n', ''],
  ]
  for (const [fields, want] of rows) {
    test(JSON.stringify(fields), () => {
      const { head, buffer } = parse(get('/', `Host: a\r\n${fields}`))
      expect(cookieValue(head, buffer, 'sid')).toBe(want)
    })
  }
})

describe('§10 the address of the client', () => {
  const trusted = new AddressSet([parseCidr('10.0.0.0/8')!])
  const fields = 'Host: a\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.7\r\nX-Forwarded-For: 10.1.2.3\r\n'
  const rows: readonly (readonly [name: string, fields: string, peer: string, want: string])[] = [
    ['an untrusted peer is the client', fields, '192.0.2.1', '192.0.2.1'],
    ['a trusted peer tells the client', fields, '10.0.0.1', '203.0.113.7'],
    ['a trusted peer that says nothing is the client', 'Host: a\r\n', '10.0.0.1', '10.0.0.1'],
    [
      'Connection cannot make a client disappear',
      `Connection: X-Forwarded-For\r\n${fields}`,
      '10.0.0.1',
      '203.0.113.7',
    ],
    ['a peer without address is the client', fields, '', ''],
  ]
  for (const [name, text, peer, want] of rows) {
    test(name, () => {
      const { head, buffer } = parse(get('/', text))
      expect(clientAddressOf(head, buffer, peer, trusted)).toBe(want)
    })
  }
})

/** Request line, Referer, User-Agent, Host and user, as the log has them. */
function captured(text: string): readonly string[] {
  const { head, buffer } = parse(text)
  const octets = new LogOctets()
  const user = captureLog(head, buffer, octets)
  const part = (from: number, to: number): string => octets.buffer.toString('latin1', from, to)
  return [
    part(0, octets.requestLineEnd),
    part(octets.requestLineEnd, octets.refererEnd),
    part(octets.refererEnd, octets.userAgentEnd),
    part(octets.userAgentEnd, octets.hostEnd),
    user,
  ]
}

const basic = (user: string): string => `Authorization: Basic ${Buffer.from(user).toString('base64')}\r\n`

describe('§14 what the log keeps of a request', () => {
  const rows: readonly (readonly [name: string, request: string, want: readonly string[]])[] = [
    [
      'all of it, raw',
      get('/x?y', `Host: A.Example:8080\r\nReferer: http://r/\r\nUser-Agent: curl/8\r\n${basic('alice:secret')}`),
      ['GET /x?y HTTP/1.1', 'http://r/', 'curl/8', 'A.Example:8080', 'alice'],
    ],
    ['nothing but what must be', 'GET / HTTP/1.0\r\n\r\n', ['GET / HTTP/1.0', '-', '-', '-', '-']],
    [
      'empty values',
      get('/', 'Host:\r\nReferer:\r\nUser-Agent: \r\nAuthorization:\r\n'),
      ['GET / HTTP/1.1', '-', '-', '-', '-'],
    ],
    [
      'the last of several',
      get('/', 'Host: a\r\nUser-Agent: a\r\nUser-Agent: b\r\n'),
      ['GET / HTTP/1.1', '-', 'b', 'a', '-'],
    ],
    [
      'octets that must be escaped',
      get('/\xe9"\\', 'Host: a\r\nUser-Agent: "\\\t\xff\r\n'),
      ['GET /\\xE9\\x22\\x5C HTTP/1.1', '-', '\\x22\\x5C\\x09\\xFF', 'a', '-'],
    ],
    ['a leading empty line is no part', `\r\n${get('/')}`, ['GET / HTTP/1.1', '-', '-', 'a.example', '-']],
    // A request that fails: nothing of what else is in the buffer may get into the log.
    ['a bad version', 'GET / HTXP', ['GET /', '-', '-', '-', '-']],
    ['no version', 'GET /\r\n\r\n', ['', '-', '-', '-', '-']],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\n', ['PRI * HTTP/2.0', '-', '-', '-', '-']],
    ['a bad field', 'GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n', ['GET / HTTP/1.1', '-', '-', 'a', '-']],
    ['two hosts', get('/', 'Host: a\r\nHost: b - c\r\n'), ['GET / HTTP/1.1', '-', '-', 'b \\x2D c', '-']],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', ['TRACE / HTTP/1.1', '-', '-', 'a', '-']],
  ]
  for (const [name, request, want] of rows) test(name, () => expect(captured(request)).toEqual(want))
})

describe('§14 the user of Basic authentication, never the password', () => {
  const rows: readonly (readonly [name: string, field: string, want: string])[] = [
    ['user and password', basic('alice:secret'), 'alice'],
    ['a colon in the password', basic('alice:se:cret'), 'alice'],
    ['no password', basic('alice:'), 'alice'],
    ['no colon: it could be a password', basic('alice'), '-'],
    ['no user', basic(':secret'), '-'],
    ['the scheme in other letters', basic('alice:secret').replace('Basic', 'bAsIc'), 'alice'],
    ['several blanks', basic('alice:secret').replace('Basic', 'Basic  '), 'alice'],
    ['another scheme', 'Authorization: Bearer YWxpY2U6c2VjcmV0\r\n', '-'],
    ['no base64', 'Authorization: Basic !!!\r\n', '-'],
    ['octets that must be escaped', basic('a"\\\n\u00e9:secret'), 'a\\x22\\x5C\\x0A\\xC3\\xA9'],
    ['a user that imitates the log', basic('a - 200 - "GET:secret'), 'a \\x2D 200 \\x2D \\x22GET'],
    ['a long user is cut', basic(`${'u'.repeat(500)}:secret`), 'u'.repeat(128)],
  ]
  for (const [name, field, want] of rows) {
    test(name, () => expect(captured(get('/', `Host: a\r\n${field}`))[4]).toBe(want))
  }
})
