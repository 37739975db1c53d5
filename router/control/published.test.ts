import { expect, test } from 'vitest'
import { Published } from './published.ts'
import { certificateOf, patchOf, routeOf, upstreamOf } from './testdata/patches.ts'

const own = certificateOf('self-signed')

test('versions are its own and go on when the world is another one', () => {
  const published = new Published(own)
  expect(published.version).toBe(0)
  const versions = [
    patchOf({ reset: true }),
    { ...patchOf({}), version: 70 },
    { ...patchOf({ reset: true }), version: 1 },
  ]
  expect(versions.map(patch => published.publish(patch).version)).toEqual([1, 2, 3])
  expect(published.whole().version).toBe(3)
})

test('a reset brings our own certificate, once, whatever the patch says', () => {
  const published = new Published(own)
  const foreign = { ...own, fingerprint: 'of a snapshot' }
  const sent = published.publish(patchOf({ reset: true, certificates: [foreign, certificateOf('a')] }))
  expect(sent.certificates.upserts).toEqual([certificateOf('a'), own])
  expect(published.publish(patchOf({ certificates: [certificateOf('b')] })).certificates.upserts).toEqual([
    certificateOf('b'),
  ])
})

test('the whole is what all patches add up to', () => {
  const published = new Published(own)
  published.publish(patchOf({ reset: true, routes: [routeOf('gone.example', 'gone')] }))
  published.publish(
    patchOf({
      reset: true,
      routes: [routeOf('a.example', 'a'), routeOf('b.example', 'b')],
      upstreams: [upstreamOf('a', 1)],
    }),
  )
  published.publish(patchOf({ withoutRoutes: [routeOf('b.example', 'b').id], upstreams: [upstreamOf('a', 2)] }))
  expect(published.whole()).toMatchObject({
    reset: true,
    routes: { upserts: [routeOf('a.example', 'a')], deletes: [] },
    upstreams: { upserts: [upstreamOf('a', 2)], deletes: [] },
    certificates: { upserts: [own] },
  })
})

test('our own certificate is not for the disk', () => {
  const published = new Published(own)
  published.publish(patchOf({ reset: true, certificates: [certificateOf('a')] }))
  expect(published.whole().certificates.upserts).toContain(own)
  expect(published.wholeOfSource().certificates.upserts).toEqual([certificateOf('a')])
})

test('an app is there as long as a route of it is', () => {
  const published = new Published(own)
  const [first, second] = [routeOf('1.example', 'a'), routeOf('2.example', 'a')]
  const apps = () => published.apps().map(({ app, slot }) => `${app} ${slot}`)
  published.publish(patchOf({ reset: true, routes: [first, second], apps: [{ app: 'a', slot: 3 }] }))
  published.publish(patchOf({ withoutRoutes: [first.id] }))
  expect(apps()).toEqual(['a 3'])
  published.publish(patchOf({ routes: [second] }))
  expect(apps()).toEqual(['a 3'])
  published.publish(patchOf({ withoutRoutes: [second.id] }))
  expect(apps()).toEqual([])
  published.publish(patchOf({ routes: [first], apps: [{ app: 'a', slot: 4 }] }))
  expect(apps()).toEqual(['a 4'])
})

test('there is no whole before the first publication', () => {
  expect(() => new Published(own).whole()).toThrow('nothing has been published')
})

test('the builder is what the last patch that told of it said', () => {
  const published = new Published(own)
  const builder = { upstream: upstreamOf('deis-builder').id, connectTimeout: 1000, idleTimeout: 1000 }
  published.publish(patchOf({ reset: true }))
  expect([published.builder, published.whole().builder]).toEqual([null, null])
  published.publish(patchOf({ builder }))
  published.publish(patchOf({}))
  expect([published.builder, published.whole().builder]).toEqual([builder, builder])
  expect(published.wholeOfSource().builder).toEqual(builder)
  published.publish(patchOf({ reset: true }))
  expect(published.builder).toBeNull()
})
