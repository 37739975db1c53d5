import { expect, test } from 'vitest'
import { certificateId } from './certificate.ts'
import { CertificateShelf } from './certificate-shelf.ts'
import { makePair, makeSecret } from './testdata/make-certificate.ts'

const later = Date.UTC(2040, 0)
const a = makePair('a.example', later)
const b = makePair('b.example', later)
const id = certificateId('shop', 'cert')

test('one reading takes no longer than its budget, and at least one Secret', () => {
  let time = 0
  // Each look at the clock, one before each Secret but the first, is ten milliseconds later.
  const shelf = new CertificateShelf(() => {
    time += 10
    return time
  })
  for (let index = 0; index < 10; index++)
    shelf.deliver('shop', `cert-${index}`, { kind: 'upsert', object: makeSecret('shop', `cert-${index}`, a) })
  const read = (budget: number) => shelf.read(budget).map(change => change.id)
  expect(read(25)).toEqual(['shop/cert-0', 'shop/cert-1', 'shop/cert-2'])
  expect(shelf.unfinished).toBe(true)
  expect(read(0)).toEqual(['shop/cert-3'])
  expect(shelf.isKnown(certificateId('shop', 'cert-4'))).toBe(false)
  expect(read(1000)).toHaveLength(6)
  expect([shelf.unfinished, read(1000)]).toEqual([false, []])
})

test('what waits to be read leaves what was there, and the last word counts', () => {
  const shelf = new CertificateShelf()
  shelf.deliver('shop', 'cert', { kind: 'upsert', object: makeSecret('shop', 'cert', a) })
  shelf.read(1000)
  shelf.deliver('shop', 'cert', { kind: 'upsert', object: makeSecret('shop', 'cert', { crt: a.crt, key: b.key }) })
  shelf.deliver('shop', 'cert', { kind: 'upsert', object: makeSecret('shop', 'cert', b) })
  expect(shelf.certificate(id)?.chain).toBe(a.crt)
  shelf.read(1000)
  expect([shelf.certificate(id)?.chain, shelf.problems(id, 0)]).toEqual([b.crt, []])
})

const turns: readonly (readonly [name: string, first: object | null, second: object | null, turned: boolean])[] = [
  ['the same again', a, a, false],
  ['a renewal for the same names', a, makePair('a.example', later), false],
  ['one for other names', a, b, true],
  ['one that breaks, as the last good one stays', a, { crt: a.crt }, false],
  ['one that goes', a, null, true],
  ['one that comes', null, a, true],
  ['one that comes broken', null, { crt: a.crt }, true],
]
for (const [name, first, second, turned] of turns)
  test(`what depends on it looks again: ${name}`, () => {
    const shelf = new CertificateShelf()
    const changes = [first, second].flatMap(pair => {
      const objects = pair === null ? [] : [makeSecret('shop', 'cert', pair)]
      shelf.deliver('shop', 'cert', { kind: 'reset', objects })
      return shelf.read(1000)
    })
    expect(changes[1]).toEqual({ id, turned })
  })

test('what is forgotten is not read either', () => {
  const shelf = new CertificateShelf()
  shelf.deliver('shop', 'cert', { kind: 'upsert', object: makeSecret('shop', 'cert', a) })
  shelf.forget(id)
  expect([shelf.unfinished, shelf.read(1000), shelf.isKnown(id)]).toEqual([false, [], false])
})
