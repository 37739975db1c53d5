import { expect, test } from 'vitest'
import type { Patch } from '../model/patch.ts'
import { compose } from './compose.ts'
import { Published } from './published.ts'
import { certificateOf, patchOf, routeOf, upstreamOf } from './testdata/patches.ts'

const a = routeOf('a.example', 'a')
const b = routeOf('b.example', 'b')
const later = { ...a, serverName: 'later' }

const builder = { upstream: upstreamOf('deis-builder').id, connectTimeout: 1000, idleTimeout: 1000 }
const cases: [name: string, first: Patch, second: Patch][] = [
  ['put twice', patchOf({ routes: [a] }), patchOf({ routes: [later] })],
  ['put, then deleted', patchOf({ routes: [a, b] }), patchOf({ withoutRoutes: [a.id] })],
  ['deleted, then put', patchOf({ withoutRoutes: [a.id] }), patchOf({ routes: [later] })],
  ['of different kinds', patchOf({ upstreams: [upstreamOf('a', 1)] }), patchOf({ certificates: [certificateOf('c')] })],
  [
    'apps of both',
    patchOf({ routes: [a], apps: [{ app: 'a', slot: 3 }] }),
    patchOf({ routes: [b], apps: [{ app: 'b', slot: 4 }] }),
  ],
  ['settings of the first', { ...patchOf({ reset: true }), reset: false }, patchOf({ routes: [a] })],
  ['a builder, then another change', patchOf({ builder }), patchOf({ routes: [a] })],
  ['a builder that goes', patchOf({ builder }), patchOf({ builder: null })],
  ['a builder that comes', patchOf({ builder: null }), patchOf({ builder })],
  ['a reset, then a change', patchOf({ reset: true, routes: [b] }), patchOf({ routes: [a] })],
  ['a change, then a reset', patchOf({ routes: [a] }), patchOf({ reset: true, routes: [b] })],
]
for (const [name, first, second] of cases)
  test(`one step leads where two do: ${name}`, () => {
    const [inTwo, inOne] = [new Published(certificateOf('own')), new Published(certificateOf('own'))]
    const before = patchOf({ reset: true, routes: [a] })
    for (const patch of [before, first, second]) inTwo.publish(patch)
    for (const patch of [before, compose(first, second)]) inOne.publish(patch)
    expect({ ...inOne.whole(), version: 0 }).toEqual({ ...inTwo.whole(), version: 0 })
  })

test('no id is in upserts and in deletes', () => {
  const { routes } = compose(
    patchOf({ withoutRoutes: [a.id], routes: [b] }),
    patchOf({ routes: [a], withoutRoutes: [b.id] }),
  )
  expect(routes).toEqual({ upserts: [a], deletes: [b.id] })
})

test('nothing held back', () => {
  const patch = patchOf({ routes: [a] })
  expect(compose(null, patch)).toBe(patch)
})
