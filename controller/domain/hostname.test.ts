import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { domainInUse, domainOf, isSameDomain, parseDomain } from './hostname.ts'
import { refused } from './testdata/refused.ts'

const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`

const good: readonly (readonly [raw: string, want: string])[] = [
  ['shop', 'shop'],
  ['www.example.com', 'www.example.com'],
  ['www.example.com.', 'www.example.com'],
  [' www.example.com ', 'www.example.com'],
  ['WWW.Example.com', 'WWW.Example.com'],
  ['*.example.com', '*.example.com'],
  ['1.2.3.example', '1.2.3.example'],
  ['a-b.example', 'a-b.example'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['Bücher.Example', 'xn--bcher-kva.Example'],
  ['*.bücher.example', '*.xn--bcher-kva.example'],
  ['bu\u0308cher.example', 'xn--bcher-kva.example'],
  ['faß.example', 'xn--fa-hia.example'],
  ['XN--bcher-kva.example', 'XN--bcher-kva.example'],
  ['東京.jp', 'xn--1lqs71d.jp'],
  ['cel·la.example', 'xn--cella-sja.example'],
  [longest, longest],
]

const ace = (name: string, label: string): string =>
  `Hostname does not look valid, could not convert to ACE ${name}: ${label === '' ? 'Empty Label' : `The label ${label} is not valid`}`

const bad: readonly (readonly [raw: unknown, want: string])[] = [
  [undefined, 'This field is required.'],
  ['', 'This field may not be blank.'],
  ['*', "Hostname can't only be a wildcard"],
  ['*.', "Hostname can't only be a wildcard"],
  ['.', ace('', '')],
  ['a..b', ace('a..b', '')],
  ['.example.com', ace('.example.com', '')],
  ['example.com..', ace('example.com.', '')],
  ['*.*.example.com', ace('*.*.example.com', '*')],
  ['foo.*.com', ace('foo.*.com', '*')],
  ['*foo.com', ace('*foo.com', '*foo')],
  ['my_app.com', ace('my_app.com', 'my_app')],
  ['-a.com', ace('-a.com', '-a')],
  ['a-.com', ace('a-.com', 'a-')],
  ['ab--c.com', ace('ab--c.com', 'ab--c')],
  ['a b.com', ace('a b.com', 'a b')],
  ['a\nb.com', ace('a\nb.com', 'a\nb')],
  ['example.com:80', ace('example.com:80', 'com:80')],
  ['http://example.com/', ace('http://example.com/', 'http://example')],
  ['foo.com,bar.com', ace('foo.com,bar.com', 'com,bar')],
  [`${'a'.repeat(64)}.com`, ace(`${'a'.repeat(64)}.com`, 'a'.repeat(64))],
  ['xn--a.com', ace('xn--a.com', 'xn--a')],
  ['xn--n3h.com', ace('xn--n3h.com', 'xn--n3h')],
  ['☃.com', ace('☃.com', '☃')],
  ['a·b.com', ace('a·b.com', 'a·b')],
  ['ａｂ.com', ace('ａｂ.com', 'ａｂ')],
  ['foo\u212a.com', ace('foo\u212a.com', 'foo\u212a')],
  // Its code stands for the capital, which has none.
  ['\u13a0.com', ace('\u13a0.com', '\u13a0')],
  ['a\u200db.com', ace('a\u200db.com', 'a\u200db')],
  ['example.123', 'Hostname does not look valid.'],
  ['10.0.0.1', 'Hostname does not look valid.'],
  ['*.1', 'Hostname does not look valid.'],
  ['*.com', 'Hostname does not look valid.'],
  ['*.xn--p1ai', 'Hostname does not look valid.'],
  [`${longest}d`, 'Hostname must be 253 characters or less.'],
  ['a.'.repeat(100_000), 'Hostname must be 253 characters or less.'],
]

describe('section 5, Domains', () => {
  for (const [raw, want] of good) test(raw, () => expect(parseDomain(raw)).toBe(want))
  for (const [raw, want] of bad)
    test(`refused: ${JSON.stringify(raw)?.slice(0, 70)}`, () =>
      expect(refused(() => parseDomain(raw))).toEqual({ domain: [want] }))
})

test('section 5, Domains: to be removed in Unicode or in ACE form', () => {
  expect(domainOf('bücher.example')).toBe('xn--bcher-kva.example')
  expect(domainOf('no domain')).toBeNull()
  expect(isSameDomain('Bücher.example.', 'XN--BCHER-KVA.example')).toBe(true)
  expect(isSameDomain('bücher.example', 'bucher.example')).toBe(false)
  expect(isSameDomain('no domain', 'no domain')).toBe(false)
})

test('section 5, Domains: in use, exactly so or in another spelling', () => {
  const said = (given: string, stored: string): unknown =>
    refused(() => {
      throw domainInUse(given, stored)
    })
  expect(said('a.com', 'a.com')).toEqual({ domain: ['Domain is already in use by another application'] })
  expect(said('a.com.', 'a.com')).toEqual({ domain: ['The domain a.com is already in use by another app'] })
  expect(said('A.com', 'a.com')).toEqual({ domain: ['The domain A.com is already in use by another app'] })
})

test('what is accepted is accepted again, as it is, and is a host name', () => {
  const label = fc.oneof(fc.stringMatching(/^[a-z0-9-]{1,10}$/), fc.string({ unit: 'grapheme', maxLength: 8 }))
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 4 }), labels => {
      const domain = domainOf(labels.join('.'))
      if (domain === null) return
      expect(parseDomain(domain)).toBe(domain)
      expect(domain).toMatch(/^(\*\.)?[A-Za-z0-9.-]{1,253}$/)
    }),
  )
})
