import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Hostname } from '../../model/hostname.ts'
import type { HostMatch } from '../../model/route.ts'
import { HostIndex, hostKey } from './host-index.ts'

/** `a.b` exact, `*.b` any depth, `+.b` one label, `a` a first label, `~e` an expression, `*` any, `-` the default. */
function hostOf(text: string): HostMatch {
  if (text === '*') return { kind: 'any' }
  if (text === '-') return { kind: 'default' }
  if (text.startsWith('~')) return { kind: 'regex', expression: text.slice(1) }
  if (text.startsWith('*.')) return { kind: 'wildcard', suffix: text.slice(2) as Hostname, depth: 'any' }
  if (text.startsWith('+.')) return { kind: 'wildcard', suffix: text.slice(2) as Hostname, depth: 'one' }
  return text.includes('.') ? { kind: 'exact', host: text as Hostname } : { kind: 'label', label: text as Hostname }
}

/** `given`: in which order they count; they are set in that of `hosts`. */
function indexOf(hosts: readonly string[], given: readonly string[] = hosts): HostIndex<string> {
  const index = new HostIndex<string>()
  for (const text of hosts) index.set(hostOf(text), text, String(given.indexOf(text)).padStart(4, '0'))
  return index
}

const rows: readonly (readonly [
  name: string,
  hosts: readonly string[],
  matches: Readonly<Record<string, string | null>>,
])[] = [
  [
    '§7 exact',
    ['www.foo.com'],
    { 'www.foo.com': 'www.foo.com', 'foo.com': null, 'a.www.foo.com': null, 'www.foo.com.au': null, '': null },
  ],
  [
    '§7 a wildcard takes any depth',
    ['*.foo.com'],
    { 'a.foo.com': '*.foo.com', 'a.b.foo.com': '*.foo.com', 'foo.com': null, 'xfoo.com': null, '.foo.com': null },
  ],
  [
    'I-H2 a wildcard of one label',
    ['+.foo.com'],
    { 'bar.foo.com': '+.foo.com', 'baz.bar.foo.com': null, 'foo.com': null, '.foo.com': null },
  ],
  [
    '§7 a dotless domain takes foo.<anything>',
    ['foo'],
    { 'foo.com': 'foo', 'foo.10.0.0.1.nip.io': 'foo', foo: null, 'foo.': null, 'a.foo.com': null, 'foobar.com': null },
  ],
  [
    '§7 an expression takes what precedes a parent domain',
    ['~foo-\\d+'],
    {
      'foo-1.com': '~foo-\\d+',
      'foo-12.a.b': '~foo-\\d+',
      'foo-.com': null,
      'xfoo-1.com': null,
      'foo-1': null,
      'foo-1.': null,
    },
  ],
  [
    '§7 alternatives of an expression are anchored like all else',
    ['~foo|bar'],
    { 'foo.com': '~foo|bar', 'bar.com': '~foo|bar', 'xfoo.com': null, 'foox.com': null, 'barx.com': null },
  ],
  [
    '§7 of labels and expressions the first given',
    ['~f.*', 'foo', '~bar', 'bar', 'baz', '~ba.'],
    { 'foo.com': '~f.*', 'far.com': '~f.*', 'bar.com': '~bar', 'baz.com': 'baz', 'bat.com': '~ba.' },
  ],
  ['§7 a wildcard before an expression', ['~a', '*.com', '-'], { 'a.com': '*.com', 'a.org': '~a', 'b.org': null }],
  ['§7 an expression that does not compile matches nothing', ['~a(', '~a[', 'b'], { 'a.com': null, 'b.com': 'b' }],
  ['§7 exact before wildcard', ['a.foo.com', '*.foo.com'], { 'a.foo.com': 'a.foo.com', 'b.foo.com': '*.foo.com' }],
  [
    '§7 the longest wildcard',
    ['*.com', '*.b.foo.com', '*.foo.com'],
    {
      'a.b.foo.com': '*.b.foo.com',
      'x.a.b.foo.com': '*.b.foo.com',
      'a.c.foo.com': '*.foo.com',
      'b.foo.com': '*.foo.com',
      'foo.com': '*.com',
    },
  ],
  ['§7 wildcard before dotless', ['foo', '*.com'], { 'foo.com': '*.com', 'foo.org': 'foo' }],
  ['§7 exact before dotless', ['foo', 'foo.com'], { 'foo.com': 'foo.com', 'foo.org': 'foo' }],
  [
    'I-H1 any comes last',
    ['*', 'a.com', '*.b.com', 'foo'],
    { 'a.com': 'a.com', 'x.b.com': '*.b.com', 'foo.org': 'foo', 'c.com': '*', '': '*', '[::1]': '*' },
  ],
  [
    'one label before any depth, of the same suffix',
    ['*.foo.com', '+.foo.com'],
    { 'a.foo.com': '+.foo.com', 'a.b.foo.com': '*.foo.com' },
  ],
  [
    'a longer suffix before one label',
    ['*.b.foo.com', '+.foo.com'],
    { 'a.b.foo.com': '*.b.foo.com', 'b.foo.com': '+.foo.com' },
  ],
  [
    'names of object members are hosts like others',
    ['constructor', 'to.string'],
    { __proto__: null, 'constructor.x': 'constructor', 'tostring.x': null },
  ],
  ['addresses', ['1.2.3.4', '*.3.4'], { '1.2.3.4': '1.2.3.4', '9.9.3.4': '*.3.4' }],
]

describe('hosts (contract section 7, ingress-and-gateway.md A2)', () => {
  for (const [name, hosts, matches] of rows) {
    test(name, () => {
      for (const order of [hosts, hosts.toReversed()]) {
        const index = indexOf(order, hosts)
        for (const [host, want] of Object.entries(matches)) expect(index.match(host), host).toBe(want)
      }
    })
  }
})

test('a host that is longer than names may be matches any host at most', () => {
  const host = `${'a.'.repeat(16_000)}foo.com`
  expect(indexOf(['*.foo.com', 'a']).match(host)).toBe(null)
  expect(indexOf(['*.foo.com', '*']).match(host)).toBe('*')
  const longest = `${'a.'.repeat(123)}foo.com`
  expect([longest.length, indexOf(['*.foo.com']).match(longest)]).toEqual([253, '*.foo.com'])
  expect(indexOf(['*.foo.com']).match(`a${longest}`)).toBe(null)
})

test('the default is beside all others', () => {
  const index = indexOf(['-', 'a.example'])
  expect([index.default, index.match('b.example')]).toEqual(['-', null])
  index.delete({ kind: 'default' })
  expect(index.default).toBe(null)
})

test('§7 an expression that comes again keeps one place, and goes at once', () => {
  const index = indexOf(['~a.', 'ab'])
  index.set({ kind: 'regex', expression: 'a.' }, 'again', '9')
  expect([index.match('ab.com'), index.match('ac.com')]).toEqual(['ab', 'again'])
  index.delete({ kind: 'regex', expression: 'a.' })
  expect(index.match('ac.com')).toBe(null)
})

test('each host is its own, whatever the others are called', () => {
  const texts = ['*', '-', '~fo+', 'foo.com', '*.foo.com', '+.foo.com', 'foo', '*.foo', '+.foo']
  expect(new Set(texts.map(text => hostKey(hostOf(text)))).size).toBe(texts.length)
  for (const text of texts) {
    const index = indexOf(texts)
    index.delete(hostOf(text))
    const without = indexOf(texts.filter(other => other !== text))
    for (const host of ['foo.com', 'a.foo.com', 'a.b.foo.com', 'foo.org', 'a.foo', 'foo', 'x.y']) {
      expect(index.match(host), `${host} without ${text}`).toBe(without.match(host))
    }
  }
})

/** The precedence as it is written, one host after the other. */
function slowMatch(hosts: readonly string[], host: string): string | null {
  const labels = host.split('.')
  const rank = (text: string): number => {
    const match = hostOf(text)
    switch (match.kind) {
      case 'exact':
        return match.host === host ? 1000 : -1
      case 'wildcard': {
        const suffix = match.suffix.split('.')
        const extra = labels.length - suffix.length
        const fits = extra >= 1 && labels.slice(extra).join('.') === match.suffix
        if (!fits || (match.depth === 'one' && extra !== 1)) return -1
        return 10 * suffix.length + (match.depth === 'one' ? 1 : 0)
      }
      case 'label':
        return labels.length > 1 && labels[0] === match.label ? 1 : -1
      case 'any':
        return 0
      case 'regex':
      case 'default':
        return -1
    }
  }
  const ranked = hosts.map(text => [text, rank(text)] as const).filter(([, value]) => value >= 0)
  return ranked.sort((a, b) => b[1] - a[1])[0]?.[0] ?? null
}

test('any hosts: the index finds what trying every host finds', () => {
  const name = fc
    .array(fc.constantFrom('a', 'b', 'com'), { minLength: 1, maxLength: 4 })
    .map(labels => labels.join('.'))
  const pattern = fc.oneof(
    name,
    name.map(text => `*.${text}`),
    name.map(text => `+.${text}`),
    fc.constant('*'),
  )
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { maxLength: 8 }), name, (hosts, asked) => {
      expect(indexOf(hosts).match(asked)).toBe(slowMatch(hosts, asked))
    }),
    { seed: 9112, numRuns: 5000 },
  )
})
