import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Hostname } from '../model/hostname.ts'
import type { HostMatch } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import { claimKey } from './claims.ts'
import { HostTitles } from './host-titles.ts'

/** `*` any, `*.b` a wildcard, `a.*` a dotless domain, else an exact host. */
function hostOf(key: string): HostMatch {
  if (key === '*') return { kind: 'any' }
  if (key.startsWith('*.')) return { kind: 'wildcard', suffix: key.slice(2) as Hostname, depth: 'any' }
  if (key.endsWith('.*')) return { kind: 'label', label: key.slice(0, -2) as Hostname }
  return { kind: 'exact', host: key as Hostname }
}

function titlesFor(trusted: readonly string[] = [], hostOwnership = 'namespace'): HostTitles {
  const titles = new HostTitles()
  titles.follow({ hostOwnership, hostOwnershipTrusted: trusted } as unknown as RouterSettings)
  return titles
}

const ingress = (namespace: string, name = 'i') => ({ kind: 'Ingress', namespace, name })

function put(titles: HostTitles, namespace: string, created: string, keys: readonly string[], name = 'i'): void {
  titles.replace(ingress(namespace, name), { created, hosts: keys.map(hostOf) })
}

describe('of two namespaces', () => {
  // The first is the older one.
  const rows: readonly (readonly [older: string, younger: string, isRefused: boolean])[] = [
    ['a.example', 'a.example', true],
    ['a.example', 'b.example', false],
    ['*.example', 'a.example', true],
    ['*.example', 'b.a.example', true],
    ['*.example', '*.a.example', true],
    ['*.example', 'example', false],
    ['*.a.example', 'aa.example', false],
    ['a.example', '*.example', true],
    ['b.a.example', '*.example', true],
    ['*.a.example', '*.example', true],
    ['a.example', '*.a.example', false],
    ['a.*', 'a.example', true],
    ['a.*', 'a.b.example', true],
    ['a.*', 'b.a.example', false],
    ['a.*', '*.example', true],
    ['a.*', 'a.*', true],
    ['a.example', 'a.*', false],
    ['*.example', 'a.*', false],
    ['*', '*', true],
    ['*', 'a.example', false],
    ['a.example', '*', false],
  ]
  for (const [older, younger, isRefused] of rows)
    test(`${older}, then ${younger}: ${isRefused ? 'refused' : 'both'}`, () => {
      const titles = titlesFor()
      put(titles, 'late', '2', [younger])
      titles.settle()
      put(titles, 'soon', '1', [older])
      titles.settle()
      expect(titles.holder(older, 'soon')).toBe(null)
      expect(titles.holder(younger, 'late')?.namespace ?? null).toBe(isRefused ? 'soon' : null)
    })
})

test('nothing is refused where hosts belong to objects', () => {
  const titles = titlesFor([], 'object')
  put(titles, 'a', '1', ['x.example'])
  put(titles, 'b', '2', ['x.example'])
  expect([...titles.settle()]).toEqual([])
  expect([titles.holder('x.example', 'b'), titles.admits('b', 'a')]).toEqual([null, true])
})

test('a title is as old as the oldest object of its namespace, and goes with the last one', () => {
  const titles = titlesFor()
  put(titles, 'a', '3', ['x.example'])
  put(titles, 'b', '2', ['x.example'])
  titles.settle()
  put(titles, 'a', '1', ['x.example'], 'old')
  expect([...titles.settle()].sort()).toEqual(['Ingress a/i', 'Ingress a/old', 'Ingress b/i'])
  expect(titles.holder('x.example', 'b')).toEqual({ namespace: 'a', object: ingress('a', 'old') })
  titles.replace(ingress('a', 'old'), null)
  titles.settle()
  expect([titles.holder('x.example', 'a')?.namespace, titles.holder('x.example', 'b')]).toEqual(['b', null])
})

test('what was refused itself keeps nobody away', () => {
  const titles = titlesFor()
  put(titles, 'shop', '1', ['a.example'])
  put(titles, 'thief', '2', ['*.example'])
  put(titles, 'new', '3', ['b.example'])
  titles.settle()
  expect([titles.holder('*.example', 'thief')?.namespace, titles.holder('b.example', 'new')]).toEqual(['shop', null])
})

test('those that are trusted go first, and leave free what is below their wildcards', () => {
  const titles = titlesFor(['ops'])
  put(titles, 'shop', '1', ['deis.example', 'a.example', '*.b.example', '*.example'])
  put(titles, 'ops', '2', ['deis.example', '*.example'])
  titles.settle()
  const holders = ['deis.example', 'a.example', '*.b.example', '*.example'].map(
    key => titles.holder(key, 'shop')?.namespace,
  )
  expect(holders).toEqual(['ops', undefined, undefined, 'ops'])
  expect([titles.admits('ops', 'shop'), titles.admits('shop', 'ops')]).toEqual([true, false])
})

// Few names, so that they meet.
const keys = ['a.x', 'b.x', 'a.b.x', '*.x', '*.b.x', '*.a.b.x', 'a.*', 'b.*', '*', 'a.y', '*.y', 'x']
interface Claim {
  readonly namespace: string
  readonly name: string
  readonly created: string
  readonly keys: readonly string[]
}

function covers(wildcard: string, key: string): boolean {
  return wildcard.startsWith('*.') && key !== wildcard && key.endsWith(wildcard.slice(1))
}

/** Whether `key`, which is younger, gives way to `other`. */
function givesWay(key: string, other: string): boolean {
  if (key === other) return true
  if (key === '*' || other === '*' || key.endsWith('.*')) return false
  if (other.endsWith('.*')) return key.startsWith('*.') || key.startsWith(other.slice(0, -1))
  return covers(key, other) || covers(other, key)
}

/** The rule, told in one go: title by title in their order. */
function decide(claims: Iterable<Claim>, trusted: readonly string[]): ReadonlyMap<string, string | null> {
  const oldest = new Map<string, string>()
  for (const { namespace, created, keys } of claims)
    for (const key of keys) {
      const title = `${key} ${namespace}`
      if (created < (oldest.get(title) ?? '~')) oldest.set(title, created)
    }
  const titles = [...oldest]
    .map(([title, created]) => {
      const [key = '', namespace = ''] = title.split(' ')
      const order = [trusted.includes(namespace) ? 0 : 1, created, namespace, key].join(' ')
      return { title, key, namespace, order }
    })
    .sort((a, b) => (a.order < b.order ? -1 : 1))
  const granted: typeof titles = []
  const verdicts = new Map<string, string | null>()
  for (const one of titles) {
    const blocker = granted.find(
      other =>
        other.namespace !== one.namespace &&
        givesWay(one.key, other.key) &&
        !(trusted.includes(other.namespace) && covers(other.key, one.key)),
    )
    verdicts.set(one.title, blocker?.namespace ?? null)
    if (blocker === undefined) granted.push(one)
  }
  return verdicts
}

test('whatever comes and goes, it is what the rule says of what is there', () => {
  const claim = fc.record({
    namespace: fc.constantFrom('a', 'b', 'c'),
    name: fc.constantFrom('i', 'j'),
    created: fc.constantFrom('1', '2', '3', '4'),
    keys: fc.subarray(keys, { maxLength: 4 }),
  })
  const step = fc.record({ claim, isSettled: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom([], ['b']), (steps, trusted: readonly string[]) => {
      const titles = titlesFor(trusted)
      const claims = new Map<string, Claim>()
      const known = new Map<string, string | null>()
      for (const { claim, isSettled } of steps) {
        const { namespace, name, created, keys } = claim
        const before = claims.get(`${namespace}/${name}`)
        claims.set(`${namespace}/${name}`, claim)
        put(titles, namespace, created, keys, name)
        // Whoever puts an object looks at its hosts anyway.
        for (const key of [...keys, ...(before?.keys ?? [])]) known.delete(`${key} ${namespace}`)
        if (!isSettled) continue
        const moved = titles.settle()
        const verdicts = decide(claims.values(), trusted)
        for (const [title, verdict] of verdicts) {
          const [key = '', space = ''] = title.split(' ')
          expect([title, titles.holder(key, space)?.namespace ?? null]).toEqual([title, verdict])
          // What changed has been told.
          if (known.has(title) && known.get(title) !== verdict)
            for (const { namespace, name, keys } of claims.values())
              if (namespace === space && keys.includes(key))
                expect([...moved]).toContain(`Ingress ${namespace}/${name}`)
        }
        for (const [title, verdict] of verdicts) known.set(title, verdict)
      }
      const verdicts = decide(claims.values(), trusted)
      titles.settle()
      for (const [title, verdict] of verdicts) {
        const [key = '', space = ''] = title.split(' ')
        expect([title, titles.holder(key, space)?.namespace ?? null]).toEqual([title, verdict])
      }
    }),
    { numRuns: 500, seed: 1 },
  )
  expect(new Set(keys.map(key => claimKey(hostOf(key))))).toEqual(new Set(keys))
})
