import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PathMatch } from '../../model/route.ts'
import { PathTrie } from './path-trie.ts'

/** `=/foo` is exact, `/foo` a prefix. */
function rule(text: string): PathMatch {
  return text.startsWith('=') ? { kind: 'exact', path: text.slice(1) } : { kind: 'prefix', path: text }
}

function trieOf(rules: readonly string[]): PathTrie<string> {
  const trie = new PathTrie<string>()
  for (const text of rules) trie.insert(rule(text), text)
  return trie
}

const rows: readonly (readonly [
  name: string,
  rules: readonly string[],
  matches: Readonly<Record<string, string | null>>,
])[] = [
  ['A3 prefix / takes all', ['/'], { '/': '/', '/a': '/', '/a/b/': '/', '//': '/', '*': '/' }],
  [
    'A3 exact',
    ['=/foo'],
    { '/foo': '=/foo', '/foo/': null, '/FOO': null, '/bar': null, '/': null, '/foobar': null, '/fo': null },
  ],
  ['A3 exact with slash', ['=/foo/'], { '/foo': null, '/foo/': '=/foo/', '/foo//': null, '/foo/a': null }],
  ['A3 exact of the root', ['=/'], { '/': '=/', '/a': null, '//': null }],
  [
    'A3 prefix',
    ['/foo'],
    { '/foo': '/foo', '/foo/': '/foo', '/foo/x': '/foo', '/FOO': null, '/foobar': null, '/': null, '/a/foo': null },
  ],
  [
    'A3 prefix ignores its own slash',
    ['/aaa/bbb/'],
    { '/aaa/bbb': '/aaa/bbb/', '/aaa/bbb/': '/aaa/bbb/', '/aaa/bbb/c': '/aaa/bbb/', '/aaa': null },
  ],
  [
    'A3 the longer prefix wins',
    ['/aaa', '/aaa/bbb'],
    { '/aaa/bbb/ccc': '/aaa/bbb', '/aaa/ccc': '/aaa', '/aaaccc': null, '/aaa/bbbb': '/aaa' },
  ],
  ['A3 order does not matter', ['/aaa/bbb', '/aaa'], { '/aaa/bbb/ccc': '/aaa/bbb', '/aaa/ccc': '/aaa' }],
  ['A3 exact before prefix', ['/foo', '=/foo'], { '/foo': '=/foo', '/foo/': '/foo', '/foo/x': '/foo' }],
  [
    'A3 exact before prefix with slash',
    ['/foo/', '=/foo', '=/foo/'],
    { '/foo': '=/foo', '/foo/': '=/foo/', '/foo/x': '/foo/' },
  ],
  [
    'A3 a longer prefix before a shorter one, through nodes without rule',
    ['/', '/a/b/c'],
    { '/a': '/', '/a/b': '/', '/a/b/c': '/a/b/c', '/a/b/d': '/' },
  ],
  ['A3 an exact rule does not take what is below', ['/', '=/a'], { '/a': '=/a', '/a/b': '/' }],
  [
    'paths are compared raw',
    ['/a%2Fb', '/../x', '/%61'],
    { '/a%2Fb/c': '/a%2Fb', '/a%2fb': null, '/a/b': null, '/../x': '/../x', '/a': null },
  ],
  [
    'empty segments count',
    ['/a//b', '=//', '//x'],
    { '/a//b/c': '/a//b', '/a/b': null, '//': '=//', '/': null, '//x/y': '//x' },
  ],
  ['an empty path is the root (A3)', [''], { '/': '', '/a': '' }],
  [
    'names of object members are paths like others',
    ['/__proto__', '/constructor'],
    { '/__proto__/x': '/__proto__', '/toString': null, '/constructor': '/constructor' },
  ],
]

describe('paths (ingress-and-gateway.md A3)', () => {
  for (const [name, rules, matches] of rows) {
    test(name, () => {
      const trie = trieOf(rules)
      for (const [path, want] of Object.entries(matches)) expect(trie.match(path), path).toBe(want)
    })
  }
})

test('a path that is taken stays taken', () => {
  const trie = new PathTrie<string>()
  expect(trie.insert({ kind: 'prefix', path: '/a' }, 'first')).toBe(true)
  expect(trie.insert({ kind: 'prefix', path: '/a/' }, 'second')).toBe(false)
  expect(trie.insert({ kind: 'exact', path: '/a' }, 'third')).toBe(true)
  expect(trie.insert({ kind: 'exact', path: '/a' }, 'fourth')).toBe(false)
  expect(trie.insert({ kind: 'exact', path: '/a/' }, 'fifth')).toBe(true)
  expect(['/a', '/a/', '/a/b'].map(path => trie.match(path))).toEqual(['third', 'fifth', 'first'])
})

/** The rules of A3 as they are written, one rule after the other. */
function slowMatch(rules: readonly string[], path: string): string | null {
  let best: string | null = null
  let rank = -1
  for (const text of rules) {
    const { kind, path: raw } = rule(text)
    const own = kind === 'prefix' ? raw.replace(/\/$/, '') : raw
    const matches = kind === 'exact' ? path === own : own === '' || path === own || path.startsWith(`${own}/`)
    // An exact rule and a prefix of the same length: the exact one.
    const length = 2 * own.replace(/(?<=.)\/$/, '').length + (kind === 'exact' ? 1 : 0)
    if (matches && length > rank) {
      best = text
      rank = length
    }
  }
  return best
}

test('any rules: the trie finds what trying every rule finds', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', '', 'A', '%2F', '..')
  const path = fc
    .tuple(fc.constantFrom('a', 'b', 'ab'), fc.array(segment, { maxLength: 3 }))
    .map(([first, rest]) => `/${[first, ...rest].join('/')}`)
  const anyRule = fc
    .tuple(fc.boolean(), fc.oneof(path, fc.constant('/')))
    .map(([exact, text]) => (exact ? '=' : '') + text)
  // Prefixes that differ in their slash alone are one rule, of which the first stays.
  const rules = fc.uniqueArray(anyRule, {
    maxLength: 8,
    selector: text => (text.startsWith('=') ? text : text.replace(/\/$/, '')),
  })
  fc.assert(
    fc.property(rules, fc.oneof(path, fc.constant('/')), (texts, asked) => {
      expect(trieOf(texts).match(asked)).toBe(slowMatch(texts, asked))
    }),
    { seed: 9112, numRuns: 5000 },
  )
})
