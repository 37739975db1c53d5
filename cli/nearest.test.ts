import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

const rows: readonly [word: string, found: string | null][] = [
  ['apps:lsit', 'apps:list'],
  ['confg', 'config'],
  ['sacle', 'scale'],
  ['x', null],
  ['frobnicate', null],
  ['a'.repeat(1000), null],
]
test.each(rows)('%s', (word, found) => {
  expect(nearest(word, ['apps:list', 'config', 'scale', 'ps'])).toBe(found)
})
