import { expect, test } from 'vitest'
import {
  boolean,
  certificateMap,
  cidrList,
  domainList,
  duration,
  integer,
  oneOf,
  type Parser,
  setOf,
  size,
  sizeOrZero,
  words,
} from './annotation.ts'

const bad = Symbol('bad')

function read(parser: Parser<unknown>, raw: string): unknown {
  const parsed = parser(raw)
  if (parsed.kind === 'bad') return bad
  return parsed.value instanceof Map ? [...parsed.value] : parsed.value
}

const ip4 = (address: string, prefix = 32) => ({ address, prefix, family: 'ipv4' })
const ip6 = (address: string, prefix = 128) => ({ address, prefix, family: 'ipv6' })
const set = setOf('off', 'any', 'auth')
const label63 = 'a'.repeat(63)

const cases: readonly (readonly [section: string, parser: Parser<unknown>, raw: string, want: unknown])[] = [
  ['§3 bool', boolean, 'true', true],
  ['§3 bool, as the controller writes it', boolean, 'True', true],
  ['§3 bool, as the controller writes it', boolean, 'False', false],
  ['§3 bool', boolean, 'FALSE', false],
  ['§3 bool', boolean, '1', bad],
  ['§3 bool', boolean, 'yes', bad],
  ['§3 bool', boolean, 'on', bad],
  ['§3 bool', boolean, '', bad],
  ['§3 bool', boolean, ' true', bad],
  ['§3 bool', boolean, 'true\n', bad],

  ['§3 int', integer(), '1', 1],
  ['§3 int', integer(), '768', 768],
  ['§3 int', integer(), '0', bad],
  ['§3 int, leading 0', integer(), '08', bad],
  ['§3 int', integer(), '-1', bad],
  ['§3 int', integer(), '1.0', bad],
  ['§3 int', integer(), '1e3', bad],
  ['§3 int, largest', integer(), '9007199254740991', Number.MAX_SAFE_INTEGER],
  ['§3 int, overflow', integer(), '9007199254740992', bad],
  ['§3 int, overflow', integer(), '9'.repeat(400), bad],
  ['§4 int from 0', integer(0), '0', 0],
  ['§4 1–9', integer(1, 9), '9', 9],
  ['§4 1–9', integer(1, 9), '10', bad],

  ['§3 duration without unit', duration, '10', 10_000],
  ['§3 duration without unit', duration, '1200', 1_200_000],
  ['§3 duration', duration, '250ms', 250],
  ['§3 duration', duration, '30s', 30_000],
  ['§3 duration, m is a minute', duration, '5m', 300_000],
  ['§3 duration', duration, '2h', 7_200_000],
  ['§3 duration', duration, '1d', 86_400_000],
  ['§3 duration', duration, '1w', 604_800_000],
  ['§3 duration, M is 30 days', duration, '1M', 2_592_000_000],
  ['§3 duration, y is 365 days', duration, '1y', 31_536_000_000],
  ['§3 duration', duration, '0', bad],
  ['§3 duration', duration, '0s', bad],
  ['§3 duration', duration, '1h30m', bad],
  ['§3 duration', duration, '1.5s', bad],
  ['§3 duration', duration, '5S', bad],
  ['§3 duration', duration, '5 s', bad],
  ['§3 duration', duration, '', bad],
  ['§3 duration, overflow', duration, '9007199254741s', bad],
  ['§3 duration, overflow', duration, '1000000y', bad],

  ['§3 size', size, '512', 512],
  ['§3 size', size, '4k', 4096],
  ['§3 size', size, '4K', 4096],
  ['§3 size', size, '1m', 1_048_576],
  ['§3 size', size, '1M', 1_048_576],
  ['§3 size', size, '1g', bad],
  ['§3 size', size, '0', bad],
  ['§3 size', size, '1kb', bad],
  ['§3 size, overflow', size, '9007199254740991k', bad],
  ['§3 bodySize', sizeOrZero, '0', 0],
  ['§3 bodySize', sizeOrZero, '2m', 2_097_152],
  ['§3 bodySize', sizeOrZero, '0k', bad],

  ['§3 enum', oneOf('extend', 'override'), 'extend', 'extend'],
  ['§3 enum is case-sensitive', oneOf('extend', 'override'), 'Extend', bad],

  ['§4 set', set, 'any', ['any']],
  ['§4 set', set, 'off  auth', ['off', 'auth']],
  ['§4 set, repeated', set, 'auth auth', ['auth']],
  ['§4 set', set, 'auth never', bad],
  ['§4 set', set, '', bad],
  ['§4 words', words(/^[a-z]+\/[a-z]+$/, 'types'), 'text/css text/html', ['text/css', 'text/html']],
  ['§4 words', words(/^[a-z]+\/[a-z]+$/, 'types'), 'text', bad],

  ['§3 IP list', cidrList, '10.0.0.0/8', [ip4('10.0.0.0', 8)]],
  ['§3 IP list, blanks around commas', cidrList, '1.2.3.4 , 10.0.0.0/8', [ip4('1.2.3.4'), ip4('10.0.0.0', 8)]],
  ['§3 IP list, prefix 0', cidrList, '0.0.0.0/0', [ip4('0.0.0.0', 0)]],
  ['§3 IP list, IPv6', cidrList, '2001:db8::/32,::1', [ip6('2001:db8::', 32), ip6('::1')]],
  ['§3 IP list, trailing comma', cidrList, '1.2.3.4,', [ip4('1.2.3.4')]],
  ['§3 IP list, trailing comma and blank', cidrList, '1.2.3.4, ', [ip4('1.2.3.4')]],
  ['§3 IP list as a whole', cidrList, '1.2.3.4,nonsense', bad],
  ['§3 IP list', cidrList, '10.0.0.0/33', bad],
  ['§3 IP list', cidrList, '::/129', bad],
  ['§3 IP list', cidrList, '1.2.3', bad],
  ['§3 IP list', cidrList, '', bad],
  ['§3 IP list', cidrList, ',', bad],

  ['§3 domains', domainList, 'foo', ['foo']],
  ['§3 domains, case-insensitive', domainList, 'WWW.Foo.com', ['www.foo.com']],
  ['§3 domains', domainList, 'foo,www.foo.com , *.foo.com', ['foo', 'www.foo.com', '*.foo.com']],
  ['§3 domains, trailing comma', domainList, 'foo,', ['foo']],
  ['§3 domains, empty element', domainList, 'foo,,bar', ['foo', 'bar']],
  ['§3 domains, leading blank', domainList, ' foo', bad],
  ['§3 domains, trailing blank', domainList, 'foo ', bad],
  ['§3 domains, trailing line end', domainList, 'foo\n', bad],
  ['§3 domains, empty', domainList, '', bad],
  ['§3 domains, blank', domainList, '  ', bad],
  ['§3 domains as a whole', domainList, 'foo,bad_domain', bad],
  ['§3 domains, 47 characters are fine here', domainList, `${'a'.repeat(47)}.com`, [`${'a'.repeat(47)}.com`]],
  ['§3 domains, no Unicode blank', domainList, 'foo,\u00a0bar', bad],

  ['§3 map', certificateMap, 'foo.com:bar', [['foo.com', 'bar']]],
  [
    '§3 map',
    certificateMap,
    'Foo.com:bar , *.foo.com:b-2',
    [
      ['foo.com', 'bar'],
      ['*.foo.com', 'b-2'],
    ],
  ],
  ['§3 map, trailing comma', certificateMap, 'foo.com:bar,', [['foo.com', 'bar']]],
  ['§3 map, one domain twice', certificateMap, 'foo.com:a,foo.com:b', [['foo.com', 'b']]],
  ['§3 map, blank at the colon', certificateMap, 'foo.com: bar', bad],
  ['§3 map, dot in certname', certificateMap, 'foo.com:bar.baz', bad],
  ['§3 map, outer hyphen', certificateMap, 'foo.com:-bar', bad],
  ['§3 map, no certname', certificateMap, 'foo.com:', bad],
  ['§3 map, no colon', certificateMap, 'foo.com', bad],
  ['§3 map, Secret name too long', certificateMap, `foo.com:${'a'.repeat(249)}`, bad],
  ['§3 map', certificateMap, `${label63}.com:${'a'.repeat(248)}`, [[`${label63}.com`, 'a'.repeat(248)]]],
]

for (const [section, parser, raw, want] of cases) {
  test(`${section}: ${JSON.stringify(raw.slice(0, 60))}`, () => expect(read(parser, raw)).toEqual(want))
}

test('a reason says what would have been right', () => {
  expect(duration('soon')).toEqual({
    kind: 'bad',
    reason: 'is no duration (a whole number from 1 and one of ms s m h d w M y)',
  })
})

const strangers: [parser: Parser<unknown>, raw: string, named: string][] = [
  [domainList, `${'good.example,'.repeat(50)}bad_domain`, '"bad_domain"'],
  [cidrList, '10.0.0.0/8, 10.0.0.0/33', '"10.0.0.0/33"'],
  [certificateMap, 'a.example:a,b.example', '"b.example"'],
  [set, 'any never', '"never"'],
  [words(/^[a-z]+\/[a-z]+$/, 'types'), 'text/css text', '"text"'],
]
for (const [parser, raw, named] of strangers)
  test(`a list that is spoilt by ${named} says so`, () => {
    expect(parser(raw)).toMatchObject({ kind: 'bad', reason: expect.stringContaining(`: ${named} is none`) })
  })

test('a list of nothing but blanks is read in linear time', () => {
  // Quadratic work on these would outlast the time limit of the test.
  expect(read(cidrList, `1.2.3.4${' '.repeat(2_000_000)}x`)).toBe(bad)
  expect(read(domainList, `foo,${' '.repeat(2_000_000)}bar`)).toEqual(['foo', 'bar'])
})

const sizes: readonly (readonly [
  name: string,
  parse: Parser<unknown>,
  element: (index: number) => string,
  most: number,
])[] = [
  ['domains', domainList, index => `d${index}.example`, 500],
  ['certificates', certificateMap, index => `d${index}.example:c`, 500],
  ['addresses', cidrList, index => `10.0.${index >> 8}.${index & 255}`, 1000],
]
for (const [name, parse, element, most] of sizes)
  test(`a list of ${name} has at most ${most} elements`, () => {
    const list = (count: number): string => Array.from({ length: count }, (_, index) => element(index)).join(',')
    expect(parse(list(most)).kind).toBe('value')
    expect(parse(list(most + 1))).toEqual({ kind: 'bad', reason: expect.stringContaining(`at most ${most}`) })
  })
