import { describe, expect, test } from 'vitest'
import { quoted, readBoolean, readText, type TextRules } from './field.ts'
import { refused } from './testdata/refused.ts'

const texts: readonly (readonly [name: string, raw: unknown, rules: TextRules, want: string])[] = [
  ['a text', 'shop', {}, 'shop'],
  ['white space around it', ' \tshop\n', {}, 'shop'],
  ['kept white space', ' shop ', { trim: false }, ' shop '],
  ['a number', 5, {}, '5'],
  ['the longest', 'abc', { most: 3 }, 'abc'],
  ['the longest, in characters of two units', '🦦🦦', { most: 2 }, '🦦🦦'],
  ['an empty one that may be', '  ', { blank: true }, ''],
]
const faults: readonly (readonly [name: string, raw: unknown, rules: TextRules, want: string])[] = [
  ['nothing', undefined, {}, 'This field is required.'],
  ['null', null, {}, 'This field may not be null.'],
  ['an empty one', '', {}, 'This field may not be blank.'],
  ['white space alone', ' \n ', {}, 'This field may not be blank.'],
  ['a boolean', true, {}, 'Not a valid string.'],
  ['an object', { toString: () => 'shop' }, {}, 'Not a valid string.'],
  ['a list', ['shop'], {}, 'Not a valid string.'],
  ['one too long', 'abcd', { most: 3 }, 'Ensure this field has no more than 3 characters.'],
  ['one far too long', 'a'.repeat(1_000_000), { most: 3 }, 'Ensure this field has no more than 3 characters.'],
  ['a zero character', 'a\0b', {}, 'Null characters are not allowed.'],
  ['half a pair', 'a\ud800', {}, 'Unpaired surrogates are not allowed.'],
]

describe('section 1: texts', () => {
  for (const [name, raw, rules, want] of texts) test(name, () => expect(readText('id', raw, rules)).toBe(want))
  for (const [name, raw, rules, want] of faults)
    test(`refused: ${name}`, () => expect(refused(() => readText('id', raw, rules))).toEqual({ id: [want] }))
})

describe('section 1: booleans', () => {
  for (const raw of [true, 'true', 'True', '1', 1, 't', 'on'])
    test(`${raw}`, () => expect(readBoolean('x', raw)).toBe(true))
  for (const raw of [false, 'false', 'False', '0', 0, 'no'])
    test(`${raw}`, () => expect(readBoolean('x', raw)).toBe(false))
  for (const [raw, text] of [
    ['maybe', 'maybe'],
    [2, '2'],
    [{}, '{}'],
    [null, 'null'],
  ] as const)
    test(`refused: ${text}`, () =>
      expect(refused(() => readBoolean('x', raw))).toEqual({ x: [`"${text}" is not a valid boolean.`] }))
})

describe('what was sent, in a message', () => {
  const rows: readonly (readonly [name: string, raw: unknown, want: string])[] = [
    ['a text', 'a"b', 'a"b'],
    ['an object', { a: 1, b: [true, null, 'x"'], c: {} }, '{"a":1,"b":[true,null,"x\\""],"c":{}}'],
    ['nothing', undefined, 'undefined'],
    ['a long text', 'x'.repeat(500), `${'x'.repeat(200)}...`],
    ['a long list', Array.from({ length: 1_000_000 }, () => 7), `[${'7,'.repeat(100).slice(0, 199)}...`],
    ['a zero character', 'a\0b', 'ab'],
    ['one level too many', [[[[[[7]]]]]], '[[[[[[...]]]]]]'],
  ]
  for (const [name, raw, want] of rows) test(name, () => expect(quoted(raw)).toBe(want))

  test('no halves of pairs', () => expect(quoted(`${'x'.repeat(199)}🦦`).isWellFormed()).toBe(true))

  test('depth costs nothing', () => {
    const deep = JSON.parse(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`)
    expect(quoted(deep)).toBe('[[[[[[...]]]]]]')
  })
})
