import { expect, test } from 'vitest'
import { certificateOf } from '#test/support/certificates.ts'
import type { CertificateId } from '../model/certificate.ts'
import { CertificateStore } from './certificates.ts'

const made = certificateOf('test/one')

/** `count` certificates with one pair: contexts do not care whose it is. */
function storeOf(count: number): { readonly store: CertificateStore; readonly ids: readonly CertificateId[] } {
  const store = new CertificateStore(() => {})
  const ids = Array.from({ length: count }, (_, index) => `test/${index}` as CertificateId)
  store.apply({ upserts: ids.map(id => ({ ...made, id })), deletes: [] })
  return { store, ids }
}

test('a context is kept from the second handshake on', () => {
  const { store, ids } = storeOf(1)
  const [first, second, third] = [1, 2, 3].map(() => store.context(ids[0]!))
  expect(first).not.toBe(null)
  expect(second).not.toBe(first)
  expect(third).toBe(second)
})

test('who asks for each name once pushes nobody out', () => {
  const { store, ids } = storeOf(600)
  const [busy, ...others] = ids
  store.context(busy!)
  const kept = store.context(busy!)
  for (const id of others) store.context(id)
  expect(store.context(busy!)).toBe(kept)
})

test('of those that are kept the one used longest ago goes first', () => {
  const { store, ids } = storeOf(502)
  const keep = (id: CertificateId) => [store.context(id), store.context(id)][1]
  const [first, second, ...others] = ids
  const [a, b] = [keep(first!), keep(second!)]
  for (const id of others.slice(0, 498)) keep(id)
  expect([store.context(first!), store.context(second!)]).toEqual([a, b])
  // Both were just used, and so others go for these.
  for (const id of others.slice(498)) keep(id)
  expect([store.context(first!), store.context(second!)]).toEqual([a, b])
  expect(store.context(others[0]!)).not.toBe(null)
})

test('a changed or deleted certificate leaves nothing behind', () => {
  const { store, ids } = storeOf(1)
  const id = ids[0]!
  store.context(id)
  const before = store.context(id)
  store.apply({ upserts: [{ ...made, id }], deletes: [] })
  expect(store.context(id)).not.toBe(before)
  store.apply({ upserts: [], deletes: [id] })
  expect(store.context(id)).toBe(null)
})
