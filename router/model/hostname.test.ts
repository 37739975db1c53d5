import { expect, test } from 'vitest'
import { parseHostname } from './hostname.ts'

const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`

const rows: readonly (readonly [name: string, raw: string, want: string | null])[] = [
  ['one label', 'foo', 'foo'],
  ['one letter', 'f', 'f'],
  ['several labels', 'www.foo.com', 'www.foo.com'],
  ['capitals', 'WWW.Foo.COM', 'www.foo.com'],
  ['digits', '1.2.3.4', '1.2.3.4'],
  ['inner hyphens, several of them', 'a-b--c.x', 'a-b--c.x'],
  ['punycode', 'xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['a label of 63', `${'a'.repeat(63)}.com`, `${'a'.repeat(63)}.com`],
  ['a label of 64', `${'a'.repeat(64)}.com`, null],
  ['253 characters', longest, longest],
  ['254 characters', `${longest}d`, null],
  ['nothing', '', null],
  ['a dot', '.', null],
  ['a trailing dot', 'foo.com.', null],
  ['a leading dot', '.foo.com', null],
  ['an empty label', 'foo..com', null],
  ['a leading hyphen', '-foo.com', null],
  ['a trailing hyphen', 'foo-.com', null],
  ['a hyphen alone', 'foo.-.com', null],
  ['an underscore', 'my_app.com', null],
  ['a port', 'foo.com:80', null],
  ['a wildcard', '*.foo.com', null],
  ['a blank', 'foo .com', null],
  ['a line end', 'foo.com\n', null],
  ['an umlaut', 'bücher.example', null],
  ['a letter that only lower-cases to k', 'foo\u212a.com', null],
  ['a letter that only lower-cases to i and a dot', 'foo\u0130.com', null],
  ['an address with brackets', '[::1]', null],
]

for (const [name, raw, want] of rows) test(`RFC 1123 section 2.1: ${name}`, () => expect(parseHostname(raw)).toBe(want))
