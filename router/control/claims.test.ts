import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Hostname } from '../model/hostname.ts'
import type { HostMatch } from '../model/route.ts'
import { Claims, claimKey } from './claims.ts'

const service = (path: string) => {
  const [namespace = '', name = ''] = path.split('/')
  return { kind: 'Service', namespace, name }
}

const name = (text: string) => text as Hostname
/** Claims of one rank. */
const things = (...names: readonly string[]) => new Map(names.map(thing => [thing, '']))

const keys: readonly (readonly [host: HostMatch, key: string])[] = [
  [{ kind: 'exact', host: name('foo.com') }, 'foo.com'],
  [{ kind: 'exact', host: name('foo') }, 'foo'],
  [{ kind: 'wildcard', suffix: name('foo.com'), depth: 'any' }, '*.foo.com'],
  [{ kind: 'wildcard', suffix: name('foo.com'), depth: 'one' }, '*.foo.com'],
  [{ kind: 'label', label: name('foo') }, 'foo.*'],
  [{ kind: 'regex', expression: 'foo-\\d+' }, '~foo-\\d+'],
  [{ kind: 'any' }, '*'],
  [{ kind: 'default' }, '-'],
]

for (const [host, key] of keys) test(`key of ${JSON.stringify(host)}`, () => expect(claimKey(host)).toBe(key))

const orders: readonly (readonly [name: string, first: string, second: string])[] = [
  ['§7 namespace first', 'a/z', 'b/a'],
  ['§7 then name', 'a/a', 'a/b'],
  ['§7 the whole namespace, not its beginning', 'a/z', 'a-b/a'],
  ['§7 by code unit', 'a/a-b', 'a/aa'],
]

for (const [title, first, second] of orders) {
  test(title, () => {
    for (const order of [
      [first, second],
      [second, first],
    ]) {
      const claims = new Claims()
      for (const path of order) claims.replace(service(path), things('foo.com'))
      expect(claims.owner('foo.com')).toEqual(service(first))
      expect(claims.claimants('foo.com')).toEqual([service(first), service(second)])
    }
  })
}

test('only hosts whose owner changed are reported', () => {
  const claims = new Claims()
  expect([...claims.replace(service('b/b'), things('x', 'y'))]).toEqual(['x', 'y'])
  expect([...claims.replace(service('c/c'), things('x', 'z'))]).toEqual(['z'])
  expect([...claims.replace(service('a/a'), things('x'))]).toEqual(['x'])
  expect([...claims.replace(service('a/a'), things('x'))]).toEqual([])
  expect([...claims.replace(service('b/b'), things('y'))]).toEqual([])
  expect([...claims.replace(service('a/a'), things())]).toEqual(['x'])
  expect(claims.owner('x')).toEqual(service('c/c'))
  expect([...claims.replace(service('c/c'), things())]).toEqual(['x', 'z'])
  expect(claims.owner('x')).toBeNull()
  expect(claims.claimants('x')).toEqual([])
})

test('as deciding every host anew after each change would have it', () => {
  const path = fc.constantFrom('a/a', 'a/b', 'a-b/a', 'b/a', 'b/b')
  const hosts = fc.subarray(['x', 'y', 'z'])
  fc.assert(
    fc.property(fc.array(fc.tuple(path, hosts), { maxLength: 20 }), changes => {
      const claims = new Claims()
      const wanted = new Map<string, readonly string[]>()
      const owners = (host: string) =>
        [...wanted]
          .filter(([, list]) => list.includes(host))
          .map(([owner]) => owner)
          .sort((a, b) => (a.replace('/', ' ') < b.replace('/', ' ') ? -1 : 1))
      for (const [owner, list] of changes) {
        const before = new Map(['x', 'y', 'z'].map(host => [host, owners(host)[0]]))
        wanted.set(owner, list)
        const moved = claims.replace(service(owner), things(...list))
        for (const host of ['x', 'y', 'z']) {
          expect(claims.claimants(host)).toEqual(owners(host).map(service))
          expect(moved.has(host)).toBe(before.get(host) !== owners(host)[0])
        }
      }
    }),
    { seed: 1 },
  )
})

test('I-H4 the least rank first, whatever the names; then namespace and name', () => {
  const claims = new Claims()
  claims.replace(service('a/a'), new Map([['x', '2026']]))
  claims.replace(service('b/b'), new Map([['x', '2025']]))
  claims.replace(service('b/a'), new Map([['x', '2025']]))
  expect(claims.claimants('x')).toEqual(['b/a', 'b/b', 'a/a'].map(service))
})

test('a claim may change its rank, which counts as moved only if the owner is another one then', () => {
  const claims = new Claims()
  claims.replace(service('a/a'), new Map([['x', '1']]))
  claims.replace(service('b/b'), new Map([['x', '2']]))
  expect([...claims.replace(service('a/a'), new Map([['x', '0']]))]).toEqual([])
  expect([...claims.replace(service('a/a'), new Map([['x', '3']]))]).toEqual(['x'])
  expect(claims.claimants('x')).toEqual(['b/b', 'a/a'].map(service))
  expect([...claims.replace(service('a/a'), new Map([['x', '4']]))]).toEqual([])
})

test('thousands of claimants of one thing are entered and withdrawn fast', () => {
  const claims = new Claims()
  const count = 20_000
  const began = performance.now()
  for (let i = 0; i < count; i++) claims.replace(service(`ns/app-${(i * 7919) % count}`), things('x'))
  for (let i = count - 1; i > 0; i--) claims.replace(service(`ns/app-${i}`), things())
  expect(claims.claimants('x')).toEqual([service('ns/app-0')])
  // Quadratic comparisons would take minutes.
  expect(performance.now() - began).toBeLessThan(20_000)
})
