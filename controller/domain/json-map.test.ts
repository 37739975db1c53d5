import { describe, expect, test } from 'vitest'
import { own, readBody, readMap, textOfValue } from './json-map.ts'
import { refused } from './testdata/refused.ts'

describe('section 5, Config: maps may be objects or JSON texts of such', () => {
  test('an object', () => expect(readMap('values', { A: '1' })).toEqual(new Map([['A', '1']])))
  test('a text', () => expect(readMap('values', '{"A":1}')).toEqual(new Map([['A', 1]])))
  test('none', () => expect(readMap('values', undefined)).toBeNull())
  test('names of the prototype are keys like others', () => {
    const map = readMap('values', '{"__proto__":{"a":1},"constructor":null}')!
    expect([...map.keys()]).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>).a).toBeUndefined()
  })

  const expected = 'Expected a dictionary of items but got type'
  const rows: readonly (readonly [name: string, raw: unknown, want: string])[] = [
    ['null', null, 'This field may not be null.'],
    ['a list', [], `${expected} "list".`],
    ['a number', 1, `${expected} "int".`],
    ['a text of a list', '[]', `${expected} "list".`],
    ['a text of null', 'null', `${expected} "NoneType".`],
    ['a text of a text', '"{}"', `${expected} "str".`],
    ['no JSON', '{', 'Value must be valid JSON.'],
    ['an empty text', '', 'Value must be valid JSON.'],
    ['a zero character in a key', { 'a\0': 1 }, 'Null characters are not allowed.'],
    [
      'too many',
      Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`K${i}`, i])),
      'Ensure this field has no more than 10000 elements.',
    ],
  ]
  for (const [name, raw, want] of rows)
    test(`refused: ${name}`, () => expect(refused(() => readMap('values', raw))).toEqual({ values: [want] }))

  test('refused or read, but never fatal: very deep', () => {
    const deep = `{"a":${'['.repeat(200_000)}`
    expect(refused(() => readMap('values', deep))).toEqual({ values: ['Value must be valid JSON.'] })
  })
})

describe('section 1: bodies', () => {
  test('none is an empty one', () => expect([undefined, null, ''].map(readBody)).toEqual([{}, {}, {}]))
  for (const [raw, type] of [
    [[], 'list'],
    ['x', 'str'],
    [true, 'bool'],
    [1.5, 'float'],
  ] as const)
    test(`refused: ${type}`, () => {
      const message = `Invalid data. Expected a dictionary, but got ${type}.`
      expect(refused(() => readBody(raw))).toEqual({ non_field_errors: [message] })
    })
})

test('section 4, Config: values are text', () => {
  const values = ['a', '', 8000, 0.5, true, false, 2 ** 53, JSON.parse('1e400'), {}, [], null, 'a\0', '\udc00']
  expect(values.map(textOfValue)).toEqual([
    'a',
    '',
    '8000',
    '0.5',
    'True',
    'False',
    null,
    null,
    null,
    null,
    null,
    null,
    null,
  ])
})

test('own ignores prototypes', () => {
  expect(own({ a: 1 } as Record<string, unknown>, 'toString')).toBeUndefined()
  expect(own({ a: 1 }, 'a')).toBe(1)
})
