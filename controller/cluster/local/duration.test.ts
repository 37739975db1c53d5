import { expect, test } from 'vitest'
import { duration, parseDuration } from './duration.ts'

const rows: [text: string | undefined, wanted: number][] = [
  [undefined, 7],
  ['', 7],
  ['0', 0],
  ['30', 30_000],
  ['999999', 999_999_000],
  ['1000000', 7],
  ['-1', 7],
  ['1.5', 7],
  ['soon', 7],
]
for (const [text, wanted] of rows) test(`${text}`, () => expect(parseDuration(text, 7)).toBe(wanted))

test('no timer is given more than it takes', () => {
  expect(duration(1.5)).toBe(1_500)
  expect(duration(2 ** 40)).toBe(2 ** 31 - 1)
})
