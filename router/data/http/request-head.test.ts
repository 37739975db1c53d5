import { describe, expect, test } from 'vitest'
import type { FailureCode } from '../../model/counters.ts'
import { fieldId, maxFields } from './fields.ts'
import { type HeadLimits, method, RequestHead } from './request-head.ts'
import { type HeadSummary, readRequest, type Summary, usualLimits, wellPlaced } from './testdata/request-summary.ts'

const H = 'Host: a.example\r\n'
const small: HeadLimits = { line: 40, head: 100 }

/** Every way to cut the octets in two must give what they give whole; and so must one octet at a time. */
function readEveryWay(octets: Buffer, limits: HeadLimits): Summary {
  const whole = readRequest(octets, [], limits)
  const cuts = octets.length <= 600 ? Array.from({ length: octets.length - 1 }, (_, i) => i + 1) : spread(octets.length)
  for (const cut of cuts) expect(readRequest(octets, [cut], limits), `cut at ${cut}`).toEqual(whole)
  expect(readRequest(octets, cuts, limits), 'in small pieces').toEqual(whole)
  return whole
}

function spread(length: number): number[] {
  return [...new Set([1, 2, 100, length >> 1, length - 101, length - 3, length - 2, length - 1])]
}

/** `GET ` and what follows up to and including the version is `line`; the fields come next. */
const get = (fields: string): string => `GET / HTTP/1.1\r\n${fields}\r\n`
const post = (fields: string): string => `POST / HTTP/1.1\r\n${H}${fields}\r\n`

const refused: readonly (readonly [name: string, octets: string, error?: FailureCode, limits?: HeadLimits])[] = [
  // RFC 9112 section 6.3: framing that two parsers could read in two ways.
  ['Content-Length with Transfer-Encoding', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')],
  ['Transfer-Encoding with Content-Length', post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n')],
  ['Content-Length of 0 with Transfer-Encoding', post('Transfer-Encoding: chunked\r\nContent-Length: 0\r\n')],
  ['Content-Length twice, different', post('Content-Length: 5\r\nContent-Length: 6\r\n')],
  ['Content-Length twice, equal', post('Content-Length: 5\r\nContent-Length: 5\r\n')],
  ['Content-Length twice, in other letters', post('Content-Length: 5\r\ncontent-LENGTH: 5\r\n')],
  ['Content-Length as a list', post('Content-Length: 5, 5\r\n')],
  ['Content-Length as a list without blank', post('Content-Length: 5,5\r\n')],
  ['Content-Length with plus', post('Content-Length: +5\r\n')],
  ['Content-Length with minus', post('Content-Length: -5\r\n')],
  ['Content-Length in hexadecimal', post('Content-Length: 0x5\r\n')],
  ['Content-Length with hexadecimal digit', post('Content-Length: 5a\r\n')],
  ['Content-Length with fraction', post('Content-Length: 5.0\r\n')],
  ['Content-Length with exponent', post('Content-Length: 1e3\r\n')],
  ['Content-Length with inner blank', post('Content-Length: 5 5\r\n')],
  ['Content-Length with underscore', post('Content-Length: 1_0\r\n')],
  ['Content-Length in quotes', post('Content-Length: "5"\r\n')],
  ['Content-Length of nothing', post('Content-Length:\r\n')],
  ['Content-Length of blanks', post('Content-Length: \t \r\n')],
  ['Content-Length of 17 digits', post('Content-Length: 10000000000000000\r\n')],
  ['Content-Length of 17 digits with leading zeros', post('Content-Length: 00000000000000005\r\n')],
  ['Content-Length beyond 2^53', post('Content-Length: 9007199254740992\r\n')],
  ['Content-Length in Arabic digits', post('Content-Length: \xd9\xa5\r\n')],
  ['Transfer-Encoding twice in one line', post('Transfer-Encoding: chunked, chunked\r\n')],
  ['Transfer-Encoding twice', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n')],
  ['Transfer-Encoding in two lines', post('Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n')],
  ['Transfer-Encoding of two codings', post('Transfer-Encoding: gzip, chunked\r\n')],
  ['Transfer-Encoding with chunked not last', post('Transfer-Encoding: chunked, gzip\r\n')],
  ['Transfer-Encoding of identity', post('Transfer-Encoding: identity\r\n')],
  ['Transfer-Encoding of nothing', post('Transfer-Encoding:\r\n')],
  ['Transfer-Encoding with empty element', post('Transfer-Encoding: ,chunked\r\n')],
  ['Transfer-Encoding with trailing comma', post('Transfer-Encoding: chunked,\r\n')],
  ['Transfer-Encoding with parameter', post('Transfer-Encoding: chunked;q=1\r\n')],
  ['Transfer-Encoding in quotes', post('Transfer-Encoding: "chunked"\r\n')],
  ['Transfer-Encoding with a letter more', post('Transfer-Encoding: xchunked\r\n')],
  ['Transfer-Encoding with vertical tab', post('Transfer-Encoding: \x0bchunked\r\n')],
  ['Transfer-Encoding in letters that only fold to ASCII', post('Transfer-Encoding: chun\xe2\x84\xaaed\r\n')],
  ['Transfer-Encoding in HTTP/1.0', `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n`],

  // RFC 9112 section 2.2: line ends.
  ['bare LF behind the request line', `GET / HTTP/1.1\n${H}\r\n`],
  ['bare LF behind a field', 'GET / HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n'],
  ['bare LF as the empty line', `GET / HTTP/1.1\r\n${H}\nX`],
  ['bare LFs throughout', 'GET / HTTP/1.1\nHost: a.example\n\n'],
  ['bare CR behind the request line', `GET / HTTP/1.1\r${H}\r\n`],
  ['bare CR within a value', get(`${H}X: a\rb\r\n`)],
  ['bare CR within a name', get(`${H}X\rY: a\r\n`)],
  ['bare CR as the empty line', `GET / HTTP/1.1\r\n${H}\rX`],
  ['two CRs behind a field', 'GET / HTTP/1.1\r\nHost: a.example\r\r\n\r\n'],
  ['CR LF within the target', `GET /a\r\n HTTP/1.1\r\n${H}\r\n`],
  ['LF CR', 'GET / HTTP/1.1\n\rHost: a.example\n\r\n\r'],

  // RFC 9112 section 5: field lines.
  ['obs-fold with SP', get(`${H}X: a\r\n b\r\n`)],
  ['obs-fold with HTAB', get(`${H}X: a\r\n\tb\r\n`)],
  ['obs-fold of Content-Length', post('Content-Length: 1\r\n 2\r\n')],
  ['blank line of SP', `GET / HTTP/1.1\r\n${H} \r\n\r\n`],
  ['blank before the first field', `GET / HTTP/1.1\r\n ${H}\r\n`],
  ['blank before the colon', get('Host : a.example\r\n')],
  ['blank before the colon of Content-Length', post('Content-Length : 5\r\n')],
  ['tab before the colon', get('Host\t: a.example\r\n')],
  ['blank in a name', get(`${H}X Y: a\r\n`)],
  ['no name', get(`${H}: a\r\n`)],
  ['no colon', get(`${H}X\r\n`)],
  ['NUL in a value', get(`${H}X: a\x00b\r\n`)],
  ['NUL in a name', get(`${H}X\x00: a\r\n`)],
  ['NUL behind a value', get(`${H}X: a\x00\r\n`)],
  ['control octet in a value', get(`${H}X: a\x01b\r\n`)],
  ['vertical tab in a value', get(`${H}X: a\x0bb\r\n`)],
  ['form feed in a value', get(`${H}X: a\x0cb\r\n`)],
  ['escape in a value', get(`${H}X: a\x1bb\r\n`)],
  ['DEL in a value', get(`${H}X: a\x7fb\r\n`)],
  ['8-bit octet in a name', get(`${H}X\xe9: a\r\n`)],
  ...[...'"(),/;<=>?@[\\]{}'].map(octet => [`${octet} in a name`, get(`${H}X${octet}Y: a\r\n`)] as const),

  // RFC 9112 section 3.2 and 9110 section 7.2: Host.
  ['no Host', get('')],
  ['no Host, though the target is absolute', 'GET http://a.example/ HTTP/1.1\r\n\r\n'],
  ['Host twice', get(`${H}Host: b.example\r\n`)],
  ['Host twice, equal', get(`${H}${H}`)],
  ['Host twice, in other letters', get(`${H}hOST: a.example\r\n`)],
  ['Host twice in HTTP/1.0', `GET / HTTP/1.0\r\n${H}${H}\r\n`],
  ['Host with userinfo', get('Host: user@a.example\r\n')],
  ['Host with password', get('Host: user:secret@a.example\r\n')],
  ['Host with slash', get('Host: a.example/b\r\n')],
  ['Host with scheme', get('Host: http://a.example\r\n')],
  ['Host with query', get('Host: a.example?b\r\n')],
  ['Host with fragment', get('Host: a.example#b\r\n')],
  ['Host with backslash', get('Host: a.example\\b\r\n')],
  ['Host with blank', get('Host: a.example b.example\r\n')],
  ['Host with tab', get('Host: a.example\tb.example\r\n')],
  ['Host as a list', get('Host: a.example, b.example\r\n')],
  ['Host with comma', get('Host: a.example,b.example\r\n')],
  ['Host with percent', get('Host: a%2eexample\r\n')],
  ['Host with 8-bit octet', get('Host: b\xfccher.example\r\n')],
  ['Host in quotes', get('Host: "a.example"\r\n')],
  ['Host with a port that is no number', get('Host: a.example:http\r\n')],
  ['Host with a port in hexadecimal', get('Host: a.example:0x50\r\n')],
  ['Host with signed port', get('Host: a.example:+80\r\n')],
  ['Host with two ports', get('Host: a.example:80:80\r\n')],
  ['Host with a name behind the port', get('Host: a.example:80.b.example\r\n')],
  ['Host of IPv6 without brackets', get('Host: ::1\r\n')],
  ['Host with an open bracket', get('Host: [::1\r\n')],
  ['Host with a closing bracket', get('Host: ::1]\r\n')],
  ['Host with a zone', get('Host: [fe80::1%25eth0]\r\n')],
  ['Host with something behind the brackets', get('Host: [::1]a\r\n')],
  ['Host with a name in brackets', get('Host: [xyz]\r\n')],
  ['target and Host name two hosts', `GET http://b.example/ HTTP/1.1\r\n${H}\r\n`],
  ['target and Host name two ports', 'GET http://a.example:81/ HTTP/1.1\r\nHost: a.example:82\r\n\r\n'],
  ['a port in the target only', `GET http://a.example:8080/ HTTP/1.1\r\n${H}\r\n`],
  ['a port in Host only', 'GET http://a.example/ HTTP/1.1\r\nHost: a.example:8080\r\n\r\n'],
  ['the default port of the other scheme', 'GET http://a.example/ HTTP/1.1\r\nHost: a.example:443\r\n\r\n'],
  ['the default port of the other scheme, https', 'GET https://a.example/ HTTP/1.1\r\nHost: a.example:80\r\n\r\n'],
  ['a trailing dot in Host only', 'GET http://a.example/ HTTP/1.1\r\nHost: a.example.\r\n\r\n'],
  ['Host is a prefix of the target', 'GET http://a.example/ HTTP/1.1\r\nHost: a.exampl\r\n\r\n'],
  ['an empty Host with an absolute target', 'GET http://a.example/ HTTP/1.1\r\nHost:\r\n\r\n'],
  ['HTTP/1.0: target and Host name two hosts', `GET http://b.example/ HTTP/1.0\r\n${H}\r\n`],

  // RFC 9112 section 3: the request line.
  ['nothing but a blank', ` / HTTP/1.1\r\n${H}\r\n`],
  ['no target', `GET HTTP/1.1\r\n${H}\r\n`],
  ['no version', `GET /\r\n${H}\r\n`],
  ['no version, behind a blank', `GET / \r\n${H}\r\n`],
  ['HTTP/0.9', 'GET /\r\n'],
  ['two blanks before the target', `GET  / HTTP/1.1\r\n${H}\r\n`],
  ['two blanks before the version', `GET /  HTTP/1.1\r\n${H}\r\n`],
  ['blank behind the version', `GET / HTTP/1.1 \r\n${H}\r\n`],
  ['blank before the method', ` GET / HTTP/1.1\r\n${H}\r\n`],
  ['tab before the target', `GET\t/ HTTP/1.1\r\n${H}\r\n`],
  ['tab before the version', `GET /\tHTTP/1.1\r\n${H}\r\n`],
  ['blank within the target', `GET /a b HTTP/1.1\r\n${H}\r\n`],
  ['fragment in the target', `GET /a#b HTTP/1.1\r\n${H}\r\n`],
  ['NUL in the target', `GET /a\x00b HTTP/1.1\r\n${H}\r\n`],
  ['control octet in the target', `GET /a\x01 HTTP/1.1\r\n${H}\r\n`],
  ['DEL in the target', `GET /a\x7f HTTP/1.1\r\n${H}\r\n`],
  ['NUL in the method', `G\x00ET / HTTP/1.1\r\n${H}\r\n`],
  ['slash in the method', `GET/ / HTTP/1.1\r\n${H}\r\n`],
  ['8-bit octet in the method', `G\xc9T / HTTP/1.1\r\n${H}\r\n`],
  ['method of 33 octets', `${'M'.repeat(33)} / HTTP/1.1\r\n${H}\r\n`],
  ['TLS instead of HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['http in lower case', `GET / http/1.1\r\n${H}\r\n`],
  ['another protocol', `GET / HTTPS/1.1\r\n${H}\r\n`],
  ['version without minor', `GET / HTTP/1\r\n${H}\r\n`],
  ['version with two digits', `GET / HTTP/1.10\r\n${H}\r\n`],
  ['version with leading zero', `GET / HTTP/01.1\r\n${H}\r\n`],
  ['version with letters', `GET / HTTP/1.x\r\n${H}\r\n`],
  ['version with comma', `GET / HTTP/1,1\r\n${H}\r\n`],
  ['version with sign', `GET / HTTP/+1.1\r\n${H}\r\n`],
  ['asterisk without OPTIONS', `GET * HTTP/1.1\r\n${H}\r\n`],
  ['asterisk and more', `OPTIONS *a HTTP/1.1\r\n${H}\r\n`],
  ['asterisk with options in lower case', `options * HTTP/1.1\r\n${H}\r\n`],
  ['target without slash', `GET a HTTP/1.1\r\n${H}\r\n`],
  ['target that is a query', `GET ?a HTTP/1.1\r\n${H}\r\n`],
  ['authority instead of a target', `GET a.example:80 HTTP/1.1\r\n${H}\r\n`],
  ['absolute target of another scheme', `GET ftp://a.example/ HTTP/1.1\r\n${H}\r\n`],
  ['absolute target without slashes', `GET http:a.example HTTP/1.1\r\n${H}\r\n`],
  ['absolute target without host', `GET http:/// HTTP/1.1\r\n${H}\r\n`],
  ['absolute target with nothing', 'GET http:// HTTP/1.1\r\nHost:\r\n\r\n'],
  ['absolute target with a port alone', 'GET http://:80/ HTTP/1.1\r\nHost: :80\r\n\r\n'],
  ['absolute target with userinfo', `GET http://user@a.example/ HTTP/1.1\r\n${H}\r\n`],
  ['absolute target with Host in userinfo', `GET http://a.example@b.example/ HTTP/1.1\r\n${H}\r\n`],
  ['absolute target with backslash', `GET http://a.example\\b/ HTTP/1.1\r\n${H}\r\n`],
  ['absolute target with percent in the host', `GET http://a%2eexample/ HTTP/1.1\r\n${H}\r\n`],
  ['five leading empty lines', `${'\r\n'.repeat(5)}${get(H)}`],
  ['leading bare LF', `\n${get(H)}`],
  ['leading bare CR', `\r${get(H)}`],

  // Versions that are not ours (RFC 9110 section 15.6.6).
  ['preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'version-not-supported'],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${H}\r\n`, 'version-not-supported'],
  ['HTTP/1.2', `GET / HTTP/1.2\r\n${H}\r\n`, 'version-not-supported'],
  ['HTTP/0.9 as a version', `GET / HTTP/0.9\r\n${H}\r\n`, 'version-not-supported'],
  ['HTTP/3.1', `GET / HTTP/3.1\r\n${H}\r\n`, 'version-not-supported'],

  // Contract section 9 step 1.
  ['TRACE', `TRACE / HTTP/1.1\r\n${H}\r\n`, 'method-not-allowed'],
  ['CONNECT', 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n', 'method-not-allowed'],
  ['CONNECT with a path', `CONNECT / HTTP/1.1\r\n${H}\r\n`, 'method-not-allowed'],
  ['CONNECT with doubtful framing', `CONNECT a.example:443 HTTP/1.1\r\n${H}Content-Length: x\r\n\r\n`],

  // Contract section 13: limits.
  ['request line longer than a line may be', `GET /${'a'.repeat(36)} HTTP/1.1\r\n${H}\r\n`, 'uri-too-long', small],
  ['request line without end', `GET /${'a'.repeat(60)}`, 'uri-too-long', small],
  ['long request line with a bad octet behind the limit', `GET /${'a'.repeat(36)}\x00`, 'uri-too-long', small],
  ['field longer than a line may be', get(`${H}X: ${'a'.repeat(38)}\r\n`), 'header-too-large', small],
  ['field without end', `GET / HTTP/1.1\r\nX: ${'a'.repeat(38)}`, 'header-too-large', small],
  ['name longer than a line may be', get(`${H}${'X'.repeat(41)}: a\r\n`), 'header-too-large', small],
  ['long name with a blank behind the limit', get(`${H}${'X'.repeat(41)} : a\r\n`), 'header-too-large', small],
  ['blanks longer than a line may be', get(`${H}X:${' '.repeat(39)}a\r\n`), 'header-too-large', small],
  ['long field with a bad octet behind the limit', get(`${H}X: ${'a'.repeat(38)}\x00\r\n`), 'header-too-large', small],
  ['head larger than heads may be', get(`${H}${`X: ${'a'.repeat(20)}\r\n`.repeat(3)}`), 'header-too-large', small],
  [
    'a bad octet behind the limit of the head',
    get(`${H}${`X: ${'a'.repeat(20)}\r\n`.repeat(3)}\x00`),
    'header-too-large',
    small,
  ],
  [
    'a request line that leaves no room',
    `GET /${'a'.repeat(30)} HTTP/1.1\r\n${H}\r\n`,
    'header-too-large',
    { line: 40, head: 40 },
  ],
  ['the default limit of a line', get(`${H}X: ${'a'.repeat(usualLimits.line - 2)}\r\n`), 'header-too-large'],
  ['a head without end', `GET / HTTP/1.1\r\n${`X: ${'a'.repeat(30_000)}\r\n`.repeat(5)}`, 'header-too-large'],
  ['more fields than may be', get(H + 'X: a\r\n'.repeat(maxFields)), 'header-too-large'],
  ['more nominations than may be', get(`${H}Connection: ${Array.from({ length: 33 }, (_, i) => `x${i}`).join()}\r\n`)],
  ['more nominations than may be, in many lines', get(H + 'Connection: x\r\n'.repeat(33))],
]

describe('refused', () => {
  for (const [name, text, error = 'bad-request', limits = usualLimits] of refused) {
    test(name, () => {
      expect(readEveryWay(Buffer.from(text, 'latin1'), limits)).toMatchObject({ kind: 'refused', error })
    })
  }
})

type Facts = { [K in keyof HeadSummary]?: HeadSummary[K] | string } & {
  /** Names of fields with the ids that say what becomes of them, in order. */
  readonly ids?: readonly (readonly [name: string, id: number])[]
}

const o = fieldId.other
const d = fieldId.dropped

const accepted: readonly (readonly [name: string, octets: string, facts: Facts, limits?: HeadLimits])[] = [
  [
    'the shortest',
    'A / HTTP/1.1\r\nHost:\r\n\r\n',
    { method: 'A', target: '/', path: '/', hostName: '', contentLength: -1, chunked: false },
  ],
  ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', { minorVersion: 0, hostName: '' }],
  ['one leading empty line', `\r\n${get(H)}`, { method: 'GET', line: 'GET / HTTP/1.1' }],
  ['four leading empty lines', `${'\r\n'.repeat(4)}${get(H)}`, { method: 'GET', line: 'GET / HTTP/1.1' }],
  ['method of 32 octets', `${'M'.repeat(32)} / HTTP/1.1\r\n${H}\r\n`, { method: 'M'.repeat(32), traits: 0 }],
  ['method of strange octets', `!#$%&'*+-.^_\`|~09 / HTTP/1.1\r\n${H}\r\n`, { method: "!#$%&'*+-.^_`|~09" }],
  ['methods are compared with case', `get / HTTP/1.1\r\n${H}\r\n`, { method: 'get', traits: 0 }],
  ['GET', get(H), { traits: method.idempotent }],
  ['PUT', `PUT / HTTP/1.1\r\n${H}\r\n`, { traits: method.idempotent }],
  ['DELETE', `DELETE / HTTP/1.1\r\n${H}\r\n`, { traits: method.idempotent }],
  ['HEAD', `HEAD / HTTP/1.1\r\n${H}\r\n`, { traits: method.head | method.idempotent }],
  ['POST', post(''), { traits: 0 }],
  ['PATCH', `PATCH / HTTP/1.1\r\n${H}\r\n`, { traits: 0 }],
  [
    'OPTIONS *',
    `OPTIONS * HTTP/1.1\r\n${H}\r\n`,
    { target: '*', path: '*', traits: method.options | method.idempotent },
  ],

  ['target is kept as it is', `GET //a/../%2F%00?q=?&r=/ HTTP/1.1\r\n${H}\r\n`, { path: '//a/../%2F%00?q=?&r=/' }],
  ['target of 8-bit octets', `GET /caf\xc3\xa9 HTTP/1.1\r\n${H}\r\n`, { path: '/caf\xc3\xa9' }],
  [
    'target that looks absolute behind a slash',
    `GET /http://b.example/ HTTP/1.1\r\n${H}\r\n`,
    { path: '/http://b.example/', authority: null },
  ],
  [
    'absolute target',
    `GET http://a.example/x?y HTTP/1.1\r\n${H}\r\n`,
    { authority: 'a.example', path: '/x?y', hostName: 'a.example' },
  ],
  [
    'absolute target in other letters',
    'GET HTTP://A.Example/X HTTP/1.1\r\nHost: a.eXAMPLE\r\n\r\n',
    { path: '/X', hostName: 'a.example' },
  ],
  ['absolute target without path', `GET http://a.example HTTP/1.1\r\n${H}\r\n`, { path: null }],
  ['absolute target with query only', `GET http://a.example?q HTTP/1.1\r\n${H}\r\n`, { path: '?q' }],
  ['absolute target with default port', `GET http://a.example:80/ HTTP/1.1\r\n${H}\r\n`, { hostName: 'a.example' }],
  ['Host with default port', 'GET http://a.example/ HTTP/1.1\r\nHost: a.example:80\r\n\r\n', { hostName: 'a.example' }],
  [
    'both with default port',
    'GET https://a.example:443/ HTTP/1.1\r\nHost: a.example:443\r\n\r\n',
    { hostName: 'a.example' },
  ],
  ['https with default port', `GET https://a.example:443/ HTTP/1.1\r\n${H}\r\n`, { hostName: 'a.example' }],
  ['equal ports', 'GET http://a.example:81/ HTTP/1.1\r\nHost: A.example:81\r\n\r\n', { hostName: 'a.example' }],
  [
    'HTTP/1.0 with absolute target and no Host',
    'GET http://a.example/ HTTP/1.0\r\n\r\n',
    { hostName: 'a.example', host: null },
  ],
  [
    '@ behind the host',
    `GET http://a.example/@b.example HTTP/1.1\r\n${H}\r\n`,
    { hostName: 'a.example', path: '/@b.example' },
  ],

  // Contract section 7: case, port and one trailing dot of Host do not count.
  ['Host in capitals', get('Host: A.EXAMPLE\r\n'), { host: 'A.EXAMPLE', hostName: 'a.example' }],
  ['Host with port', get('Host: a.example:8080\r\n'), { host: 'a.example:8080', hostName: 'a.example' }],
  ['Host with empty port', get('Host: a.example:\r\n'), { hostName: 'a.example' }],
  ['Host with trailing dot', get('Host: a.example.\r\n'), { hostName: 'a.example' }],
  ['Host with trailing dot and port', get('Host: a.example.:80\r\n'), { hostName: 'a.example' }],
  ['Host with two trailing dots', get('Host: a.example..\r\n'), { hostName: 'a.example.' }],
  ['Host of IPv6', get('Host: [2001:DB8::1]:80\r\n'), { hostName: '[2001:db8::1]' }],
  ['Host of IPv6 without port', get('Host: [2001:db8::1]\r\n'), { hostName: '[2001:db8::1]' }],
  ['Host of IPv4', get('Host: 192.0.2.1:80\r\n'), { hostName: '192.0.2.1' }],
  ['Host with underscore', get('Host: my_app.example\r\n'), { hostName: 'my_app.example' }],
  ['Host empty', get('Host:\r\n'), { host: null, hostName: '' }],
  ['Host of a port alone', get('Host: :80\r\n'), { hostName: '' }],
  ['Host of a dot', get('Host: .\r\n'), { hostName: '' }],
  ['Host between blanks', get('Host: \t a.example \t\r\n'), { host: 'a.example' }],

  ['Content-Length', post('Content-Length: 5\r\n'), { contentLength: 5 }],
  ['Content-Length of 0', post('Content-Length: 0\r\n'), { contentLength: 0 }],
  ['Content-Length with leading zeros', post('Content-Length: 0000000000000005\r\n'), { contentLength: 5 }],
  ['Content-Length up to 2^53 - 1', post('Content-Length: 9007199254740991\r\n'), { contentLength: 2 ** 53 - 1 }],
  ['Content-Length between blanks', post('Content-Length:\t5 \r\n'), { contentLength: 5 }],
  ['Transfer-Encoding', post('Transfer-Encoding: chunked\r\n'), { chunked: true, contentLength: -1 }],
  ['Transfer-Encoding in other letters', post('transfer-encoding: Chunked\r\n'), { chunked: true }],

  ['Connection: close', get(`${H}Connection: close\r\n`), { close: true, keepAlive: false }],
  ['Connection: keep-alive', get(`${H}Connection: Keep-Alive\r\n`), { close: false, keepAlive: true }],
  [
    'Connection with options and blanks',
    get(`${H}Connection: ,\t, keep-alive ,CLOSE,\r\n`),
    { close: true, keepAlive: true },
  ],
  [
    'Connection in two lines',
    get(`${H}Connection: keep-alive\r\nConnection: close\r\n`),
    { close: true, keepAlive: true },
  ],
  ['Connection: closed is no option we know', get(`${H}Connection: closed\r\n`), { close: false }],
  [
    'a field that Connection names before it comes',
    get(`Connection: x-a\r\n${H}X-A: 1\r\nX-B: 2\r\n`),
    {
      ids: [
        ['Connection', fieldId.connection],
        ['Host', fieldId.host],
        ['X-A', d],
        ['X-B', o],
      ],
    },
  ],
  [
    'fields that Connection names after they came',
    get(`X-A: 1\r\nx-a: 2\r\nX-AB: 3\r\n${H}Connection: close, X-a\r\n`),
    {
      ids: [
        ['X-A', d],
        ['x-a', d],
        ['X-AB', o],
        ['Host', fieldId.host],
        ['Connection', fieldId.connection],
      ],
      close: true,
    },
  ],
  [
    'Connection cannot name what frames, routes or tells the client',
    `POST / HTTP/1.1\r\nConnection: host, content-length, transfer-encoding, connection, x-forwarded-for, x-forwarded-proto, x-forwarded-port\r\n${H}Content-Length: 5\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n\r\n`,
    {
      contentLength: 5,
      ids: [
        ['Connection', fieldId.connection],
        ['Host', fieldId.host],
        ['Content-Length', fieldId.contentLength],
        ['X-Forwarded-For', fieldId.xForwardedFor],
        ['X-Forwarded-Proto', fieldId.xForwardedProto],
        ['X-Forwarded-Port', fieldId.xForwardedPort],
      ],
    },
  ],
  [
    'as many nominations as may be',
    get(`${H}Connection: ${Array.from({ length: 32 }, (_, i) => `x${i}`).join()}\r\n`),
    {},
  ],
  [
    'Transfer-Encoding that Connection names still frames',
    post('Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n'),
    { chunked: true },
  ],

  // Contract section 11.
  [
    'names with underscores are dropped',
    get(`${H}X_A: 1\r\nContent_Length: 5\r\n_: 2\r\nX-Accel_A: 3\r\nX-Accel-A_: 4\r\nX-B: _\r\n`),
    {
      ids: [
        ['Host', fieldId.host],
        ['X_A', d],
        ['Content_Length', d],
        ['_', d],
        ['X-Accel_A', d],
        ['X-Accel-A_', d],
        ['X-B', o],
      ],
      contentLength: -1,
    },
  ],
  ['Expect: 100-continue', post('Expect: 100-Continue\r\nContent-Length: 5\r\n'), { expectContinue: true }],
  [
    'Expect: 100-continue in HTTP/1.0',
    `POST / HTTP/1.0\r\n${H}Expect: 100-continue\r\n\r\n`,
    {
      expectContinue: false,
      ids: [
        ['Host', fieldId.host],
        ['Expect', d],
      ],
    },
  ],
  [
    'Expect of something else',
    post('Expect: 100-continued\r\n'),
    {
      expectContinue: false,
      ids: [
        ['Host', fieldId.host],
        ['Expect', fieldId.expect],
      ],
    },
  ],

  ['Upgrade', get(`${H}Connection: Upgrade\r\nUpgrade: websocket\r\n`), { upgrade: 'websocket' }],
  [
    'Upgrade before Connection',
    get(`${H}Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n`),
    { upgrade: 'websocket' },
  ],
  ['Upgrade without Connection: upgrade', get(`${H}Upgrade: websocket\r\n`), { upgrade: null }],
  ['Upgrade in HTTP/1.0', `GET / HTTP/1.0\r\n${H}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`, { upgrade: null }],
  ['Upgrade of nothing', get(`${H}Connection: upgrade\r\nUpgrade:\r\n`), { upgrade: null }],
  [
    'Upgrade to h2c',
    get(`${H}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n`),
    { upgrade: null },
  ],
  ['Upgrade to h2c in capitals', get(`${H}Connection: upgrade\r\nUpgrade: H2C\r\n`), { upgrade: null }],
  ['Upgrade to websocket or h2c', get(`${H}Connection: upgrade\r\nUpgrade: websocket, h2c\r\n`), { upgrade: null }],
  [
    'Upgrade twice: the last counts',
    get(`${H}Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n`),
    { upgrade: 'websocket' },
  ],
  ['Connection: upgrade without Upgrade', get(`${H}Connection: upgrade\r\n`), { upgrade: null }],

  [
    '8-bit octets and tabs in a value',
    get(`${H}X: \xe9\t\xff"\\\r\n`),
    {
      ids: [
        ['Host', fieldId.host],
        ['X', o],
      ],
    },
  ],
  [
    'an empty value',
    get(`${H}X:\r\nY: \t \r\n`),
    {
      ids: [
        ['Host', fieldId.host],
        ['X', o],
        ['Y', o],
      ],
    },
  ],
  [
    'colons in a value',
    get(`${H}X:: :\r\n`),
    {
      ids: [
        ['Host', fieldId.host],
        ['X', o],
      ],
    },
  ],
  [
    'every field that the router knows',
    get(
      'hOsT: a.example\r\nDate: x\r\nServer: x\r\nReferer: x\r\nUser-Agent: x\r\nKeep-Alive: x\r\nEarly-Data: 1\r\nTE: trailers\r\n' +
        'X-Request-Id: x\r\nAuthorization: x\r\nHTTP2-Settings: x\r\nX-Request-Start: x\r\nX-Correlation-Id: x\r\n' +
        'Proxy-Connection: x\r\nX-Accel-Buffering: no\r\nX-Accel-: x\r\nX-Accel: x\r\nTEA: x\r\n',
    ),
    {
      ids: [
        ['hOsT', fieldId.host],
        ['Date', fieldId.date],
        ['Server', fieldId.server],
        ['Referer', fieldId.referer],
        ['User-Agent', fieldId.userAgent],
        ['Keep-Alive', fieldId.keepAlive],
        ['Early-Data', fieldId.earlyData],
        ['TE', fieldId.hopByHop],
        ['X-Request-Id', fieldId.xRequestId],
        ['Authorization', fieldId.authorization],
        ['HTTP2-Settings', fieldId.hopByHop],
        ['X-Request-Start', fieldId.xRequestStart],
        ['X-Correlation-Id', fieldId.xCorrelationId],
        ['Proxy-Connection', fieldId.hopByHop],
        ['X-Accel-Buffering', fieldId.xAccel],
        ['X-Accel-', o],
        ['X-Accel', o],
        ['TEA', o],
      ],
    },
  ],

  ['a request line as long as it may be', `GET /${'a'.repeat(35)} HTTP/1.1\r\n${H}\r\n`, { length: 70 }, small],
  ['a field as long as it may be', get(`${H}X: ${'a'.repeat(37)}\r\n`), { length: 77 }, small],
  [
    'a head as large as it may be',
    get(`${H}${`X: ${'a'.repeat(20)}\r\n`.repeat(2)}X: ${'a'.repeat(10)}\r\n`),
    { length: 100 },
    small,
  ],
  ['as many fields as may be', get(H + 'X: a\r\n'.repeat(maxFields - 1)), {}],
]

describe('accepted', () => {
  for (const [name, text, { ids, ...facts }, limits = usualLimits] of accepted) {
    test(name, () => {
      const head = Buffer.from(text, 'latin1')
      const summary = readEveryWay(head, limits)
      if (summary.kind !== 'head') throw new Error(JSON.stringify(summary))
      expect(wellPlaced(summary, head)).toBe(true)
      const { fields, line, method: methodRange, target, path, authority, host } = summary
      const texts = {
        ...summary,
        line: line?.[2] ?? null,
        method: methodRange?.[2] ?? null,
        target: target?.[2] ?? null,
      }
      expect({
        ...texts,
        path: path?.[2] ?? null,
        authority: authority?.[2] ?? null,
        host: host?.[2] ?? null,
      }).toMatchObject(facts)
      if (ids !== undefined) expect(fields.map(([id, fieldName]) => [fieldName?.[2], id])).toEqual(ids)
      // What follows is not touched, whatever it is.
      expect(readRequest(Buffer.concat([head, Buffer.from('\x00\r\n\r\n')]), [], limits)).toEqual(summary)
    })
  }
})

test('an incomplete head stays incomplete, however often it is asked', () => {
  const head = Buffer.from(get(`${H}X: y\r\n`), 'latin1')
  for (let end = 0; end < head.length; end++) {
    const piece = head.subarray(0, end)
    expect(readRequest(piece).kind, `${end} octets`).toBe('incomplete')
    expect(readRequest(piece, [end >> 1, end]).kind, `${end} octets, twice`).toBe('incomplete')
  }
})

test('what the log shows of a refused request line ends with that line', () => {
  const rows = [
    ['GET /secret HTTP/1.1\r\nHost : a\r\n\r\n', 'GET /secret HTTP/1.1'],
    ['GET / \r\nHost: a.example\r\n\r\n', 'GET /'],
    ['GET / HTXP', 'GET /'],
    ['GET / HTTP/2.0\r\n', 'GET / HTTP/2.0'],
    ['GET\r\n', ''],
    ['\x00', ''],
  ] as const
  for (const [octets, line] of rows) {
    expect(readEveryWay(Buffer.from(octets, 'latin1'), usualLimits)).toMatchObject({ kind: 'refused', line })
  }
})

test('no octet is read over and over, however small the pieces are', () => {
  const octets = Buffer.from(
    `GET /${'a'.repeat(3000)} HTTP/1.1\r\n${H}${'X'.repeat(3000)}:${' '.repeat(3000)}${'a'.repeat(3000)}\r\n\r\n`,
  )
  let reads = 0
  const counted = new Proxy(octets, {
    get(target, key) {
      reads++
      return Reflect.get(target, key)
    },
  })
  const head = new RequestHead()
  head.reset()
  let result = head.parse(counted, 0, 1, usualLimits)
  for (let end = 2; end <= octets.length && result === 0; end++)
    result = head.parse(counted, head.resume, end, usualLimits)
  expect(result).toBe(octets.length)
  expect(reads / octets.length).toBeLessThan(10)
})
