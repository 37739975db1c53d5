import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { routeTo } from '#test/support/data-thread.ts'
import { RouteTable } from '../data/table/route-table.ts'
import type { Upstream } from '../data/upstream/upstream.ts'
import type { CertificateId } from '../model/certificate.ts'
import type { Hostname } from '../model/hostname.ts'
import type { HostMatch, PathMatch, Route, RouteId } from '../model/route.ts'
import { contest } from './route-match.ts'

const name = (text: string): Hostname => text as Hostname

const label = fc.constantFrom('a', 'b', 'shop', 'x-1')
const dotted = fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join('.'))
const host: fc.Arbitrary<HostMatch> = fc.oneof(
  { weight: 3, arbitrary: dotted.map(text => ({ kind: 'exact', host: name(text) }) as const) },
  {
    weight: 4,
    arbitrary: fc
      .record({ suffix: dotted, depth: fc.constantFrom('any', 'one') })
      .map(({ suffix, depth }) => ({ kind: 'wildcard', suffix: name(suffix), depth }) as const),
  },
  { weight: 2, arbitrary: label.map(text => ({ kind: 'label', label: name(text) }) as const) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('a.*', 'shop|b', '[a-z]-\\d+', '.', 'a(', '(a|b|shop|x){1,9}(a|b){1,9}')
      .map(expression => ({ kind: 'regex', expression }) as const),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'any' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'default' } as const) },
)
const pathOf = fc.constantFrom('/', '/a', '/a/', '/a//', '/a/b', '/a/b/', '/ab', '/a//b')
const path: fc.Arbitrary<PathMatch> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'prefix', path: '/' } as const) },
  {
    weight: 3,
    arbitrary: fc
      .record({ kind: fc.constantFrom('exact', 'prefix', 'text-prefix'), path: pathOf })
      .map(match => match as PathMatch),
  },
)
const route: fc.Arbitrary<Route> = fc
  .record({
    id: fc.constantFrom(...['a/b', 'a-b/c', 'a/b/c', 'b/a', 'b/b', 'c/a', 'c/b', 'd/a', 'd/b', 'd/c', 'e/a', 'e/b']),
    host,
    path,
    https: fc.boolean(),
    certificate: fc.constantFrom(null, 'a/one' as CertificateId, 'a/two' as CertificateId),
  })
  .map(({ id, ...rest }) => routeTo('x.example', 'u', { ...rest, id: `service/${id}` as RouteId }))

const asked = fc.record({
  host: fc.oneof(
    { weight: 8, arbitrary: dotted },
    fc.constantFrom('', '.', '.a', 'a.', 'a..b', '[::1]', `${'a.'.repeat(130)}b`, `${'a'.repeat(300)}.a`),
  ),
  path: fc.oneof(pathOf, fc.constantFrom('/a/b/c', '/abc', '/a//b/', '//', '/b')),
  secure: fc.boolean(),
})

test('any routes: what this finds is what the table of the data threads finds', () => {
  let found = 0
  fc.assert(
    fc.property(
      fc.uniqueArray(route, { maxLength: 12, selector: ({ id }) => id }),
      fc.array(asked, { minLength: 1, maxLength: 12 }),
      (routes, questions) => {
        const table = new RouteTable({ get: id => ({ id }) as unknown as Upstream })
        table.apply({ upserts: routes, deletes: [] })
        for (const question of questions) {
          const { winner, hosts } = contest(routes, question)
          const wanted = table.match(question.host, question.path, question.secure)?.route ?? null
          expect(winner?.id ?? null, JSON.stringify(question)).toBe(wanted?.id ?? null)
          const certificate = table.matchHost(question.host, question.secure)?.certificate ?? null
          expect(hosts[0]?.certificate ?? null, JSON.stringify(question)).toBe(certificate)
          if (winner !== null) found++
        }
      },
    ),
    { seed: 9112, numRuns: 700 },
  )
  expect(found).toBeGreaterThan(700)
})

describe('expressions', () => {
  test('beyond the bound on all together they are not looked at, here and there', () => {
    // Each takes some 50 instructions, so that about 80 fit.
    const routes = Array.from({ length: 120 }, (_, index) =>
      routeTo('x.example', 'u', {
        id: `service/ns/app-${String(index).padStart(3, '0')}/~e` as RouteId,
        host: { kind: 'regex', expression: `e${String(index).padStart(3, '0')}(aaaaaaaaaa|bbbbbbbbbb|cccccccccc)` },
      }),
    )
    const table = new RouteTable({ get: id => ({ id }) as unknown as Upstream })
    table.apply({ upserts: routes, deletes: [] })
    const hostOf = (index: number): string => `e${String(index).padStart(3, '0')}aaaaaaaaaa.example`
    const there = routes.map((_, index) => table.match(hostOf(index), '/', false)?.route.id ?? null)
    const first = there.indexOf(null)
    expect(first).toBeGreaterThan(10)
    for (const index of [0, first - 1, first, 119])
      expect(contest(routes, { host: hostOf(index), path: '/', secure: false }).winner?.id ?? null).toBe(there[index])
  })
})
