import { expect, test } from 'vitest'
import { hashText, mix, opaqueName } from './hash.ts'

test('published vectors of FNV-1a: replicas of another version must agree', () => {
  expect([hashText(''), hashText('a'), hashText('foobar')]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968])
})

test('mixing is always the same, and a bit more in either hash changes about half of all bits', () => {
  expect(mix(1, 2)).toBe(mix(1, 2))
  let changed = 0
  for (let i = 0; i < 1000; i++) {
    const a = hashText(`a${i}`)
    const b = hashText(`b${i}`)
    const other = i % 2 === 0 ? mix(a ^ (1 << (i % 32)), b) : mix(a, b ^ (1 << (i % 32)))
    for (let bits = mix(a, b) ^ other; bits !== 0; bits &= bits - 1) changed++
  }
  expect(Math.abs(changed / 1000 - 16)).toBeLessThan(1)
})

test('the name in a cookie tells apart endpoints and apps, can stand in one, and shows neither', () => {
  const names = [
    opaqueName('a/a:80', '10.0.0.1:80'),
    opaqueName('a/b:80', '10.0.0.1:80'),
    opaqueName('a/a:80', '10.0.0.1:81'),
  ]
  expect(new Set(names).size).toBe(3)
  for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{16}$/)
})
