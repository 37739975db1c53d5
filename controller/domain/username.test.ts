import { describe, expect, test } from 'vitest'
import { refused } from './testdata/refused.ts'
import { parseUsername } from './username.ts'

const shape = 'Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.'

describe('section 5, Users: names', () => {
  for (const name of ['ann', 'Ann.B+c@example-1_x', 'björn', '李', '٣', 'a'.repeat(150), '__proto__'])
    test(name, () => expect(parseUsername(name)).toBe(name))

  const rows: readonly (readonly [raw: unknown, want: string])[] = [
    [undefined, 'This field is required.'],
    ['', 'This field may not be blank.'],
    ['a b', shape],
    ['a/b', shape],
    ['a\nb', shape],
    ['a\u200bb', shape],
    ['🦦', shape],
    ['a'.repeat(151), 'Ensure this field has no more than 150 characters.'],
    ['AnonymousUser', 'A user with that username already exists.'],
    [['ann'], 'Not a valid string.'],
  ]
  for (const [raw, want] of rows)
    test(`refused: ${raw}`, () => expect(refused(() => parseUsername(raw))).toEqual({ username: [want] }))
})
