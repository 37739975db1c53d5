import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAppId, suggestAppId } from './app-name.ts'
import { adjectives, nouns } from './app-words.ts'
import { refused } from './testdata/refused.ts'

const reserved = new Set(['deis', 'deis-builder'])
const shape =
  'App name must start with an alphabetic character, cannot end with a hyphen and can only contain a-z (lowercase), 0-9 and hyphens.'
const slug = 'Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.'
const long = 'Ensure this field has no more than 63 characters.'

describe('section 5, Apps: names', () => {
  for (const name of ['a', 'shop', 'a1', 'my-shop-2', 'a--b', 'a'.repeat(63), 'constructor', ' shop '])
    test(name, () => expect(parseAppId(name, reserved)).toBe(name.trim()))

  const rows: readonly (readonly [raw: unknown, want: readonly string[]])[] = [
    [undefined, ['This field is required.']],
    ['', ['This field may not be blank.']],
    ['1shop', [shape]],
    ['-shop', [shape]],
    ['shop-', [shape]],
    ['Shop', [shape]],
    ['my_shop', [shape]],
    ['my.shop', [shape, slug]],
    ['my shop', [shape, slug]],
    ['shöp', [shape, slug]],
    ['../deis', [shape, slug]],
    ['__proto__', [shape]],
    ['deis', ['deis is a reserved name.']],
    ['deis-builder', ['deis-builder is a reserved name.']],
    ['a'.repeat(64), [long]],
    [`${'a'.repeat(64)}.`, [shape, long, slug]],
  ]
  for (const [raw, want] of rows)
    test(`refused: ${raw}`, () => expect(refused(() => parseAppId(raw, reserved))).toEqual({ id: want }))
})

describe('a name for whoever has none', () => {
  test('there are some ten thousand', () => {
    expect(new Set(adjectives).size).toBe(adjectives.length)
    expect(new Set(nouns).size).toBe(nouns.length)
    expect(adjectives.length).toBeGreaterThanOrEqual(100)
    expect(nouns.length).toBeGreaterThanOrEqual(100)
  })

  test('each is allowed', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(random, random, fc.nat({ max: 10 }), (first, second, attempt) => {
        const numbers = [first, second, first]
        const name = suggestAppId(() => numbers.shift()!, attempt)
        expect(parseAppId(name, reserved)).toBe(name)
      }),
    )
  })

  test('digits are added when words alone were taken', () => {
    expect(suggestAppId(() => 0, 4)).toMatch(/^[a-z]+-[a-z]+$/)
    expect(suggestAppId(() => 0, 5)).toMatch(/^[a-z]+-[a-z]+-1000$/)
  })
})
