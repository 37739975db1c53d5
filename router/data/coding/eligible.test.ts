import { describe, expect, test } from 'vitest'
import type { RouterSettings } from '../../model/settings.ts'
import {
  type CodingFacts,
  decideCoding,
  type RequestFieldName,
  type ResponseFieldName,
  weakEntityTag,
} from './eligible.ts'
import { compileCoding } from './rules.ts'

type Settings = Pick<RouterSettings, 'gzip' | 'brotli' | 'zstd'>

/** The contract's defaults, with gzip as the only coding. */
const gzip: RouterSettings['gzip'] = {
  enabled: true,
  compLevel: 5,
  disable: ['msie6'],
  httpVersion: '1.1',
  minLength: 256,
  proxied: ['any'],
  types: [
    'application/atom+xml',
    'application/javascript',
    'application/json',
    'application/rss+xml',
    'application/vnd.ms-fontobject',
    'application/x-font-ttf',
    'application/x-web-app-manifest+json',
    'application/xhtml+xml',
    'application/xml',
    'font/opentype',
    'image/svg+xml',
    'image/x-icon',
    'text/css',
    'text/plain',
    'text/x-component',
  ],
  vary: true,
}
const off = { enabled: false, compLevel: 4 }
const on = { enabled: true, compLevel: 3 }
const now = Date.UTC(2026, 0, 2)

interface Case extends Partial<Pick<CodingFacts, 'status' | 'minorVersion' | 'contentLength'>> {
  readonly request?: Partial<Record<RequestFieldName, string>>
  readonly response?: Partial<Record<ResponseFieldName, string>>
  readonly gzip?: Partial<RouterSettings['gzip']>
  readonly others?: boolean
}

function decide({ request, response, gzip: changed, others = false, ...facts }: Case): ReturnType<typeof decideCoding> {
  const settings: Settings = { gzip: { ...gzip, ...changed }, brotli: others ? on : off, zstd: others ? on : off }
  const requestFields = { acceptEncoding: 'gzip', ...request }
  const responseFields = { contentType: 'text/html', ...response }
  return decideCoding(
    compileCoding(settings),
    {
      status: 200,
      minorVersion: 1,
      contentLength: 1000,
      ...facts,
      requestField: name => (requestFields as Partial<Record<string, string>>)[name] ?? '',
      responseField: name => (responseFields as Partial<Record<string, string>>)[name] ?? '',
    },
    now,
  )
}

const vary = 'Vary: Accept-Encoding\r\n'
/** Compressed; not compressed but for others it would be; as the app sent it. */
const outcomes = {
  coded: { coding: 'gzip', lines: `Content-Encoding: gzip\r\n${vary}`, uncodedLines: vary },
  codedOnly: { coding: 'gzip', lines: 'Content-Encoding: gzip\r\n', uncodedLines: '' },
  varies: { coding: null, lines: vary, uncodedLines: vary },
  untouched: { coding: null, lines: '', uncodedLines: '' },
} as const

type Row = readonly [name: string, of: Case, want: keyof typeof outcomes]

function rows(title: string, table: readonly Row[]): void {
  describe(title, () => {
    for (const [name, of, want] of table) test(name, () => expect(decide(of)).toEqual(outcomes[want]))
  })
}

rows('§12 what is compressed', [
  ['a page', {}, 'coded'],
  ['switched off', { gzip: { enabled: false } }, 'untouched'],
  ['switched off for all codings', { gzip: { enabled: false }, others: true }, 'untouched'],
  ['without Accept-Encoding', { request: { acceptEncoding: '' } }, 'varies'],
  ['Accept-Encoding without gzip', { request: { acceptEncoding: 'deflate' } }, 'varies'],
  ['gzip refused', { request: { acceptEncoding: 'gzip;q=0' } }, 'varies'],
  ['`*` alone', { request: { acceptEncoding: '*' } }, 'varies'],
  ['other codings switched off', { request: { acceptEncoding: 'br, zstd' } }, 'varies'],
  ...[200, 403, 404].map((status): Row => [`status ${status}`, { status }, 'coded']),
  ...[201, 202, 203, 204, 205, 206, 207, 226, 300, 301, 302, 304, 307, 400, 401, 405, 410, 416, 429, 500, 502, 503].map(
    (status): Row => [`status ${status}`, { status }, 'untouched'],
  ),
  ['length below the least', { contentLength: 255 }, 'untouched'],
  ['the least length', { contentLength: 256 }, 'coded'],
  ['length 0', { contentLength: 0 }, 'untouched'],
  ['no length', { contentLength: -1 }, 'coded'],
  ['no least length', { contentLength: 0, gzip: { minLength: 0 } }, 'coded'],
  ['already coded', { response: { contentEncoding: 'br' } }, 'untouched'],
  ['already coded, in a way', { response: { contentEncoding: 'identity' } }, 'untouched'],
  ['HTTP/1.0', { minorVersion: 0 }, 'varies'],
  ['HTTP/1.0 allowed', { minorVersion: 0, gzip: { httpVersion: '1.0' } }, 'coded'],
  ['HTTP/1.1 where 1.0 is allowed', { gzip: { httpVersion: '1.0' } }, 'coded'],
])

rows('§4 gzip.types', [
  ...gzip.types.map((contentType): Row => [contentType, { response: { contentType } }, 'coded']),
  ...['text/javascript', 'text/event-stream', 'image/png', 'application/octet-stream', 'text', 'text/htmlx'].map(
    (contentType): Row => [contentType, { response: { contentType } }, 'untouched'],
  ),
  ['no type', { response: { contentType: '' } }, 'untouched'],
  ['parameters', { response: { contentType: 'text/css; charset=utf-8' } }, 'coded'],
  ['parameters without blanks', { response: { contentType: 'text/css;charset=utf-8' } }, 'coded'],
  ['a blank before parameters', { response: { contentType: 'text/css ;charset=utf-8' } }, 'coded'],
  ['a parameter that looks like a type', { response: { contentType: 'image/png; x="text/css"' } }, 'untouched'],
  ['capitals', { response: { contentType: 'Text/CSS' } }, 'coded'],
  ['capitals in the setting', { response: { contentType: 'a/b' }, gzip: { types: ['A/B'] } }, 'coded'],
  ['text/html though not listed', { gzip: { types: [] } }, 'coded'],
  ['a type no longer listed', { response: { contentType: 'text/css' }, gzip: { types: ['a/b'] } }, 'untouched'],
  ['all types', { response: { contentType: 'image/png' }, gzip: { types: ['*'] } }, 'coded'],
])

rows('§12 Vary', [
  ['the app says so', { response: { vary: 'Accept-Encoding' } }, 'codedOnly'],
  ['the app says so among others', { response: { vary: 'Cookie,accept-encoding , Origin' } }, 'codedOnly'],
  ['the app says so uncompressed', { response: { vary: 'accept-encoding' }, minorVersion: 0 }, 'untouched'],
  ['the app says *', { response: { vary: '*' } }, 'codedOnly'],
  ['the app varies otherwise', { response: { vary: 'Cookie' } }, 'coded'],
  ['a similar name', { response: { vary: 'X-Accept-Encoding' } }, 'coded'],
  ['switched off', { gzip: { vary: false } }, 'codedOnly'],
  ['switched off, uncompressed', { gzip: { vary: false }, request: { acceptEncoding: '' } }, 'untouched'],
])

rows('RFC 9110 section 7.7: no-transform', [
  ['alone', { response: { cacheControl: 'no-transform' } }, 'untouched'],
  ['among others', { response: { cacheControl: 'max-age=60, NO-Transform' } }, 'untouched'],
  ['another directive', { response: { cacheControl: 'no-transform-x, max-age=5' } }, 'coded'],
])

rows('§4 gzip.disable', [
  ['an old browser', { request: { userAgent: 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)' } }, 'varies'],
  ['another one', { request: { userAgent: 'Mozilla/5.0' } }, 'coded'],
  ['an expression', { request: { userAgent: 'Mozilla/5.0' }, gzip: { disable: ['mozilla/\\d'] } }, 'varies'],
  ['nobody', { request: { userAgent: 'MSIE 6.0; ' }, gzip: { disable: [] } }, 'coded'],
])

const yesterday = 'Thu, 01 Jan 2026 00:00:00 GMT'
const tomorrow = 'Sat, 03 Jan 2026 00:00:00 GMT'

function via(
  proxied: string,
  response: Case['response'],
  want: 'coded' | 'varies',
  request: Case['request'] = {},
): Row {
  const name = `${proxied} and ${JSON.stringify({ ...response, ...request })}`
  return [name, { gzip: { proxied: proxied.split(' ') }, request: { via: '1.1 cache', ...request }, response }, want]
}

rows('§4 gzip.proxied', [
  ['a request that came by itself', { gzip: { proxied: ['off'] } }, 'coded'],
  via('any', {}, 'coded'),
  via('any', { cacheControl: 'max-age=60', expires: tomorrow }, 'coded'),
  via('off', {}, 'varies'),
  via('off any', {}, 'varies'),
  via('auth', {}, 'coded', { authorization: 'Basic eA==' }),
  via('auth', { cacheControl: 'public' }, 'coded', { authorization: 'Basic eA==' }),
  via('auth', { cacheControl: 'public' }, 'varies'),
  via('no-cache', { cacheControl: 'public' }, 'varies', { authorization: 'Basic eA==' }),
  via('expired', { expires: yesterday }, 'coded'),
  via('expired', { expires: tomorrow }, 'varies'),
  via('expired', { expires: '0' }, 'coded'),
  via('expired', { expires: 'never' }, 'varies'),
  via('expired', { expires: tomorrow, date: 'Sun, 04 Jan 2026 00:00:00 GMT' }, 'coded'),
  via('expired', { expires: yesterday, date: 'Wed, 31 Dec 2025 00:00:00 GMT' }, 'varies'),
  via('expired', { expires: yesterday, date: 'today' }, 'varies'),
  via('no-cache', { expires: yesterday }, 'varies'),
  via('no-cache', { expires: yesterday, cacheControl: 'no-cache' }, 'varies'),
  via('no-cache', { cacheControl: 'no-cache' }, 'coded'),
  via('no-cache', { cacheControl: 'max-age=0, No-Cache="x"' }, 'coded'),
  via('no-cache', { cacheControl: 'no-store' }, 'varies'),
  via('no-store', { cacheControl: 'no-store' }, 'coded'),
  via('private', { cacheControl: 'private, max-age=60' }, 'coded'),
  via('private', { cacheControl: 'public, max-age=60' }, 'varies'),
  via('no-cache no-store private', { cacheControl: 'private' }, 'coded'),
  via('no_last_modified', {}, 'coded'),
  via('no_last_modified', { lastModified: yesterday }, 'varies'),
  via('no_last_modified', { cacheControl: 'public' }, 'varies'),
  via('no_etag', { lastModified: yesterday }, 'coded'),
  via('no_etag', { etag: '"x"' }, 'varies'),
  via('no_last_modified no_etag', { etag: '"x"' }, 'varies'),
])

describe('the coding, when there are several', () => {
  for (const [acceptEncoding, coding] of [
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate', 'gzip'],
  ] as const) {
    test(acceptEncoding, () => {
      expect(decide({ request: { acceptEncoding }, others: true })).toEqual({
        coding,
        lines: `Content-Encoding: ${coding}\r\n${vary}`,
        uncodedLines: vary,
      })
    })
  }
})

test('levels come from the settings', () => {
  const rules = compileCoding({ gzip, brotli: { enabled: true, compLevel: 4 }, zstd: { enabled: true, compLevel: 3 } })
  expect(rules.levels).toEqual({ gzip: 5, br: 4, zstd: 3 })
  expect(rules.disabled.faults).toEqual([])
})

test('no string is made of a response whose status or length decides', () => {
  const asked: string[] = []
  const facts = { status: 304, minorVersion: 1, contentLength: -1 }
  const ask = (name: string): string => {
    asked.push(name)
    return ''
  }
  const rules = compileCoding({ gzip, brotli: off, zstd: off })
  decideCoding(rules, { ...facts, requestField: ask, responseField: ask }, now)
  decideCoding(rules, { ...facts, status: 200, contentLength: 10, requestField: ask, responseField: ask }, now)
  expect(asked).toEqual([])
})

describe('RFC 9110 section 8.8.3: the entity tag of the compressed form', () => {
  for (const [etag, want] of [
    ['"x"', 'W/"x"'],
    ['""', 'W/""'],
    ['"a,b\xe9"', 'W/"a,b\xe9"'],
    ['W/"x"', 'W/"x"'],
    ['w/"x"', ''],
    ['x', ''],
    ['"x', ''],
    ['"a", "b"', ''],
    ['"a b"', ''],
    ['', ''],
  ] as const) {
    test(etag, () => expect(weakEntityTag(etag)).toBe(want))
  }
})
