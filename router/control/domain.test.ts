import { expect, test } from 'vitest'
import { parseHostname } from '../model/hostname.ts'
import { hostOf, isDotless, parseDomainEntry } from './domain.ts'

const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`

const entries: readonly (readonly [name: string, raw: string, want: string | null])[] = [
  ['§7 no dot', 'foo', 'foo'],
  ['§7 one character', 'f', 'f'],
  ['§7 digits', '42', '42'],
  ['§7 inner hyphens', 'foo-bar', 'foo-bar'],
  ['§7 double hyphens and punycode', 'xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['§7 case', 'Foo.EXAMPLE', 'foo.example'],
  ['§7 wildcard', '*.foo.com', '*.foo.com'],
  ['§7 253 characters', long, long],
  ['§7 254 characters', `${long}d`, null],
  ['§7 label of 64', `${'a'.repeat(64)}.com`, null],
  ['§7 underscore', 'foo_bar.com', null],
  ['§7 last label of one character', 'foo.c', null],
  ['§7 *.com', '*.com', null],
  ['§7 inner wildcard', 'a.*.com', null],
  ['§7 wildcard within a label', 'a*.foo.com', null],
  ['§7 two wildcards', '*.*.foo.com', null],
  ['§7 lone wildcard', '*', null],
  ['§7 port', 'foo.com:80', null],
  ['§7 trailing dot', 'foo.com.', null],
  ['§7 leading dot', '.foo.com', null],
  ['§7 outer hyphen', '-foo', null],
  ['§7 outer hyphen', 'foo-.com', null],
  ['§7 empty', '', null],
  ['§7 a letter that only lower-cases to ASCII', 'foo\u212a.com', null],
]

for (const [name, raw, want] of entries) {
  test(`${name}: ${JSON.stringify(raw.slice(0, 40))}`, () => expect(parseDomainEntry(raw)).toBe(want))
}

const hosts: readonly (readonly [name: string, entry: string, platform: string | null, want: unknown])[] = [
  ['§7 with a dot', 'www.foo.com', null, { host: { kind: 'exact', host: 'www.foo.com' }, serverName: 'www.foo.com' }],
  [
    '§7 with a dot, below the platform domain',
    'x.p.com',
    'p.com',
    { host: { kind: 'exact', host: 'x.p.com' }, serverName: 'x.p.com' },
  ],
  [
    '§7 wildcard, any depth',
    '*.foo.com',
    'p.com',
    { host: { kind: 'wildcard', suffix: 'foo.com', depth: 'any' }, serverName: '*.foo.com' },
  ],
  [
    '§7 no dot, platform domain',
    'foo',
    'p.com',
    { host: { kind: 'exact', host: 'foo.p.com' }, serverName: 'foo.p.com' },
  ],
  [
    '§7 §14 no dot, no platform domain',
    'foo',
    null,
    { host: { kind: 'label', label: 'foo' }, serverName: '~^foo\\.(?<domain>.+)$' },
  ],
  ['§7 no dot, too long with the platform domain', 'a'.repeat(63), long.slice(0, 200), null],
]

for (const [name, entry, platform, want] of hosts) {
  test(name, () => {
    expect(hostOf(parseDomainEntry(entry)!, platform === null ? null : parseHostname(platform)!)).toEqual(want)
  })
}

test('§8 which entries take the platform certificate', () => {
  expect(['foo', 'foo.com', '*.foo.com'].map(entry => isDotless(parseDomainEntry(entry)!))).toEqual([
    true,
    false,
    false,
  ])
})
