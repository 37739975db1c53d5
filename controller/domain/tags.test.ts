import { describe, expect, test } from 'vitest'
import { noNodes, tagFault } from './tags.ts'
import { refused } from './testdata/refused.ts'

const prefix = 'Tag key prefixes must be DNS subdomains.'
const name = 'Tag keys must be alphanumeric or "-_.", and 1-63 characters.'
const value = 'Tag values must be alphanumeric or "-_.", and 1-63 characters.'

const rows: readonly (readonly [key: string, value: string, want: string | null])[] = [
  ['rack', '1', null],
  ['rack', '', null],
  ['disk.type_a-b', 'ssd', null],
  ['example.com/rack', 'a.b-c_d', null],
  ['a'.repeat(63), 'b'.repeat(63), null],
  ['a'.repeat(64), '1', name],
  ['', '1', name],
  ['-rack', '1', name],
  ['rack.', '1', name],
  ['räck', '1', name],
  ['rack', 'b'.repeat(64), value],
  ['rack', 'a b', value],
  ['rack', '1\n', value],
  ['/rack', '1', prefix],
  ['a/b/rack', '1', prefix],
  [`${'a'.repeat(254)}/rack`, '1', 'Tag key prefixes must 253 characters or less.'],
  ['example.com/', '1', name],
]

describe('section 5, Config: tags', () => {
  for (const [key, text, want] of rows) test(`${key}=${text}`, () => expect(tagFault(key, text)).toBe(want))
})

describe('section 5, Config: tags that no node has', () => {
  const message = (tags: Record<string, string>, before: Record<string, string>): unknown =>
    refused(() => {
      throw noNodes(tags, before)
    })
  const start = 'No nodes matched the provided labels:'

  test('the first ones', () => expect(message({ a: '1', b: '2' }, {})).toEqual({ illogical: `${start} a=1, b=2` }))
  test('one more', () =>
    expect(message({ a: '1', b: '2' }, { a: '1' })).toEqual({
      illogical: `${start} a=1, b=2 - Addition of b=2 is the cause`,
    }))
  test('none added', () => expect(message({ a: '1' }, { a: '1', b: '2' })).toEqual({ illogical: `${start} a=1` }))
})
