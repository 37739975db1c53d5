import { describe, expect, test } from 'vitest'
import { parseEmail } from './email.ts'
import { refused } from './testdata/refused.ts'

describe('section 5, Users: mail addresses', () => {
  for (const raw of [
    '',
    'a@example.com',
    'a.b+c@x-y.example.com',
    '"a@b"@example.com',
    'root@localhost',
    'a@bücher.example',
  ])
    test(raw, () => expect(parseEmail(raw)).toBe(raw))
  test('left out', () => expect(parseEmail(undefined)).toBe(''))
  test('null', () => expect(parseEmail(null)).toBe(''))

  for (const raw of [
    'a',
    'a@',
    '@example.com',
    'a@b',
    'a b@example.com',
    'a@exa_mple.com',
    'a@-x.com',
    'a..b@example.com',
    'a@x.1',
    'a@example.com\nb',
  ])
    test(`refused: ${raw}`, () =>
      expect(refused(() => parseEmail(raw))).toEqual({ email: ['Enter a valid email address.'] }))
  test('refused: one too long', () => {
    const message = 'Ensure this field has no more than 254 characters.'
    expect(refused(() => parseEmail(`${'a'.repeat(250)}@b.com`))).toEqual({ email: [message] })
  })
})
