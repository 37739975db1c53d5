import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backendTo, routeTo } from '#test/support/data-thread.ts'
import { UpstreamStage } from '#test/support/upstream-stage.ts'
import type { CertificateId } from '../../model/certificate.ts'
import { firstAppSlot, fixedSlot, rowOffset } from '../../model/counters.ts'
import type { Hostname } from '../../model/hostname.ts'
import type { HostMatch, PathMatch, Route, RouteId } from '../../model/route.ts'
import type { UpstreamId } from '../../model/upstream.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { type CompiledRoute, RouteTable } from './route-table.ts'

const stage = new UpstreamStage()
const upstreams = new Map<UpstreamId, Upstream>()

function upstream(id: UpstreamId): Upstream {
  const known = upstreams.get(id) ?? stage.upstream(Math.random, id)
  upstreams.set(id, known)
  return known
}

function tableOf(routes: readonly Route[]): RouteTable {
  const table = new RouteTable({ get: upstream })
  table.apply({ upserts: routes, deletes: [] })
  return table
}

const id = (text: string): RouteId => text as RouteId
const certificate = 'ns/foo-cert' as CertificateId
const path = (text: string): PathMatch => ({ kind: 'prefix', path: text })

/** A host as `exchange.ts` asks for it: without paths when it has a route for all of them. */
function ask(table: RouteTable, host: string, asked: string, secure: boolean): CompiledRoute | null {
  const found = table.matchHost(host, secure)
  return found === null ? null : (found.everyPath ?? found.paths!.match(asked))
}

describe('host and path', () => {
  const table = tableOf([
    routeTo('foo.example', 'root'),
    routeTo('foo.example', 'api', { path: path('/api') }),
    routeTo('bar.example', 'bar', { path: path('/only') }),
    routeTo('*.example', 'wild'),
    routeTo('simple.example', 'simple'),
  ])
  const rows: readonly (readonly [name: string, host: string, path: string, want: string | null])[] = [
    ['A3 the longest path of the host', 'foo.example', '/api/v1', 'api'],
    ['A3 another path', 'foo.example', '/apiary', 'root'],
    ['I-H5 a host without such a path does not fall to a less specific host', 'bar.example', '/other', null],
    ['§7 a less specific host', 'other.example', '/', 'wild'],
    ['§7 an unknown host', 'example', '/', null],
    ['a host with one route for every path', 'simple.example', '/x', 'simple'],
  ]
  for (const [name, host, asked, want] of rows) {
    test(name, () => {
      expect(ask(table, host, asked, false)?.upstream.id ?? null).toBe(want)
      expect(table.match(host, asked, false)?.upstream.id ?? null).toBe(want)
    })
  }

  test('a route for every path is known without its path, and only such a one', () => {
    expect(table.matchHost('simple.example', false)?.everyPath?.upstream.id).toBe('simple')
    expect(table.matchHost('foo.example', false)?.everyPath).toBe(null)
    expect(table.matchHost('bar.example', false)?.everyPath).toBe(null)
    const exact = tableOf([routeTo('a.example', 'a', { path: { kind: 'exact', path: '/' } })])
    expect([ask(exact, 'a.example', '/', false)?.upstream.id, ask(exact, 'a.example', '/x', false)]).toEqual([
      'a',
      null,
    ])
  })
})

describe('§8 the HTTPS port', () => {
  const table = tableOf([
    routeTo('plain.example', 'plain'),
    routeTo('both.example', 'both', { certificate }),
    routeTo('mixed.example', 'mixed', { certificate }),
    routeTo('mixed.example', 'mixed-plain', { path: path('/plain') }),
    routeTo('*.example', 'wild', { certificate: 'ns/wild-cert' as CertificateId }),
  ])

  test('a host without certificate does not exist there', () => {
    const alone = tableOf([routeTo('plain.example', 'plain')])
    expect(alone.match('plain.example', '/', false)).not.toBe(null)
    expect(alone.match('plain.example', '/', true)).toBe(null)
    expect(alone.matchHost('plain.example', true)).toBe(null)
  })

  test('a host with one does, and on the other port, too', () => {
    for (const secure of [true, false]) expect(table.match('both.example', '/', secure)?.upstream.id).toBe('both')
    expect(table.matchHost('both.example', true)?.certificate).toBe(certificate)
  })

  test('names are looked for among the hosts of that port', () => {
    expect(table.match('plain.example', '/', true)?.upstream.id).toBe('wild')
    expect(table.matchHost('plain.example', true)?.certificate).toBe('ns/wild-cert')
  })

  test('of one host, only the routes with a certificate', () => {
    expect(table.match('mixed.example', '/plain', false)?.upstream.id).toBe('mixed-plain')
    expect(table.match('mixed.example', '/plain', true)?.upstream.id).toBe('mixed')
  })
})

describe('compiled routes', () => {
  test('carry what a request needs', () => {
    const table = new RouteTable({ get: upstream })
    table.assignSlot('test/a', firstAppSlot + 2)
    const route = routeTo(
      'a.example',
      'a',
      {
        serverName: '~^a\\.(?<domain>.+)$',
        backend: backendTo('a', { connectTimeout: 7, idleTimeout: 8, readAhead: 9, headLimit: 10 }),
        requestStart: true,
        referrerPolicy: 'origin',
      },
      [{ kind: 'enforce-https', exceptChallenges: true }, { kind: 'maintenance' }],
    )
    table.apply({ upserts: [route], deletes: [] })
    expect(table.match('a.example', '/', false)).toEqual({
      route,
      upstream: upstream('a' as UpstreamId),
      row: rowOffset(firstAppSlot + 2),
      maintenance: true,
      enforceHttps: true,
      exceptChallenges: true,
      allowed: null,
      clientCertificate: null,
      isDefault: false,
      requestStart: true,
      referrerPolicyLine: 'Referrer-Policy: origin\r\n',
      connectTimeout: 7,
      idleTimeout: 8,
      readAhead: 9,
      headLimit: 10,
      logApp: 'test/a',
      // §14 field 9.
      logServerName: '~^a\\x5C.(?<domain>.+)$',
    })
  })

  test('of an app without a row of its own add to the row of the others', () => {
    expect(tableOf([routeTo('a.example', 'a')]).match('a.example', '/', false)?.row).toBe(
      rowOffset(fixedSlot.otherApps),
    )
  })
})

describe('changes', () => {
  test('a route that moves to another host leaves the one it had', () => {
    const table = tableOf([routeTo('a.example', 'a', { id: id('r'), certificate })])
    table.apply({ upserts: [routeTo('b.example', 'a', { id: id('r'), certificate })], deletes: [] })
    for (const secure of [true, false]) {
      expect(table.match('a.example', '/', secure)).toBe(null)
      expect(table.match('b.example', '/', secure)).not.toBe(null)
    }
    expect(table.size).toBe(1)
  })

  test('a host that loses its certificate leaves the HTTPS port', () => {
    const table = tableOf([routeTo('a.example', 'a', { certificate })])
    table.apply({ upserts: [routeTo('a.example', 'a')], deletes: [] })
    expect([table.match('a.example', '/', true), table.match('a.example', '/', false)?.upstream.id]).toEqual([
      null,
      'a',
    ])
  })

  test('an unknown id is deleted without a word', () => {
    const table = tableOf([routeTo('a.example', 'a')])
    table.apply({ upserts: [], deletes: [id('nobody')] })
    expect(table.size).toBe(1)
  })

  test('hosts that a change does not touch stay the same objects', () => {
    const table = tableOf([routeTo('a.example', 'a'), routeTo('b.example', 'b')])
    const before = table.matchHost('a.example', false)
    table.apply({ upserts: [routeTo('b.example', 'c')], deletes: [] })
    expect(table.matchHost('a.example', false)).toBe(before)
  })

  test('references to upstreams are counted', () => {
    const table = tableOf([routeTo('a.example', 'u'), routeTo('b.example', 'u'), routeTo('c.example', 'v')])
    const u = 'u' as UpstreamId
    expect([table.refersTo(u), table.refersTo('w' as UpstreamId)]).toEqual([true, false])
    table.apply({ upserts: [], deletes: [id('service/test/u/a.example')] })
    expect(table.refersTo(u)).toBe(true)
    table.apply({ upserts: [routeTo('b.example', 'v', { id: id('service/test/u/b.example') })], deletes: [] })
    expect(table.refersTo(u)).toBe(false)
  })

  test('two routes for one path: the first by id, whenever they came', () => {
    const first = routeTo('a.example', 'first', { id: id('1') })
    const second = routeTo('a.example', 'second', { id: id('2'), certificate })
    for (const order of [
      [first, second],
      [second, first],
    ]) {
      const table = tableOf(order)
      expect(table.match('a.example', '/', false)?.upstream.id).toBe('first')
      table.apply({ upserts: [first], deletes: [] })
      expect(table.match('a.example', '/', false)?.upstream.id).toBe('first')
      table.apply({ upserts: [], deletes: [first.id] })
      expect(table.match('a.example', '/', false)?.upstream.id).toBe('second')
    }
  })
})

const name = (text: string): Hostname => text as Hostname
const hosts: readonly HostMatch[] = [
  { kind: 'exact', host: name('a.example') },
  { kind: 'exact', host: name('b.example') },
  { kind: 'wildcard', suffix: name('example'), depth: 'any' },
  { kind: 'wildcard', suffix: name('example'), depth: 'one' },
  { kind: 'label', label: name('a') },
  { kind: 'any' },
]
const paths: readonly PathMatch[] = [
  path('/'),
  path('/a'),
  path('/a/b'),
  { kind: 'exact', path: '/a' },
  { kind: 'exact', path: '/a/' },
]

const route: fc.Arbitrary<Route> = fc
  .record({
    number: fc.nat(9),
    host: fc.constantFrom(...hosts),
    path: fc.constantFrom(...paths),
    upstream: fc.constantFrom('u', 'v', 'w'),
    certificate: fc.constantFrom(null, certificate, 'ns/bar-cert' as CertificateId),
  })
  .map(({ number, host, path: match, upstream: target, certificate: shown }) =>
    routeTo('x.example', target, { id: id(`r${number}`), host, path: match, certificate: shown }),
  )

const patch = fc.record({
  upserts: fc.uniqueArray(route, { maxLength: 5, selector: ({ id: key }) => key }),
  deletes: fc.array(
    fc.nat(9).map(number => id(`r${number}`)),
    { maxLength: 3 },
  ),
})

test('any course of patches leaves the table that a fresh build of their sum would be', () => {
  fc.assert(
    fc.property(fc.array(patch, { maxLength: 8 }), fc.boolean(), (patches, reversed) => {
      const table = new RouteTable({ get: upstream })
      const sum = new Map<RouteId, Route>()
      for (const { upserts, deletes } of patches) {
        const kept = deletes.filter(key => upserts.every(({ id: other }) => other !== key))
        table.apply({ upserts, deletes: kept })
        for (const key of kept) sum.delete(key)
        for (const each of upserts) sum.set(each.id, each)
      }
      const routes = [...sum.values()]
      const fresh = tableOf(reversed ? routes.toReversed() : routes)
      expect(table.size).toBe(fresh.size)
      for (const target of ['u', 'v', 'w'] as UpstreamId[]) expect(table.refersTo(target)).toBe(fresh.refersTo(target))
      for (const host of ['a.example', 'b.example', 'c.example', 'd.c.example', 'a.org', 'x']) {
        for (const secure of [true, false]) {
          const [mine, its] = [table.matchHost(host, secure), fresh.matchHost(host, secure)]
          expect(mine?.certificate).toBe(its?.certificate)
          expect(mine?.everyPath).toEqual(its?.everyPath)
          for (const asked of ['/', '/a', '/a/', '/a/b', '/a/b/c', '/ab']) {
            expect(ask(table, host, asked, secure), `${host}${asked}`).toEqual(ask(fresh, host, asked, secure))
            expect(ask(table, host, asked, secure)).toEqual(table.match(host, asked, secure))
          }
        }
      }
    }),
    { seed: 9112, numRuns: 300 },
  )
})
