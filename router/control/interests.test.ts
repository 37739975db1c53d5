import { expect, test } from 'vitest'
import { Interests } from './interests.ts'

test('keys by what they depend on, as it changes', () => {
  const interests = new Interests()
  const keys = (topic: string) => [...interests.in(topic)]
  interests.replace('a', new Set(['x', 'y']))
  interests.replace('b', new Set(['y']))
  expect([keys('x'), keys('y'), keys('z')]).toEqual([['a'], ['a', 'b'], []])
  interests.replace('a', new Set(['y', 'z']))
  expect([keys('x'), keys('y'), keys('z')]).toEqual([[], ['a', 'b'], ['a']])
  interests.replace('a', new Set())
  interests.replace('never', new Set())
  expect([keys('x'), keys('y'), keys('z')]).toEqual([[], ['b'], []])
})
