import { describe, expect, test } from 'vitest'
import { checkRollback, rollbackVersion } from './rollback.ts'
import { refused } from './testdata/refused.ts'

const below = { illogical: 'version cannot be below 0' }
const first = { illogical: 'Cannot roll back to initial release.' }
const none = { illogical: 'Release matching query does not exist.' }
const integer = { version: ['A valid integer is required.'] }

const rows: readonly (readonly [current: number, requested: unknown, want: unknown])[] = [
  [4, undefined, 3],
  [4, null, 3],
  [4, 2, 2],
  [4, '2', 2],
  [4, 4, 4],
  [4, 9, 9],
  [2, undefined, first],
  [1, undefined, below],
  [4, 1, first],
  [4, 0, below],
  [4, -1, below],
  [4, '-3', below],
  [4, 'v2', integer],
  [4, '', integer],
  [4, 2.5, integer],
  [4, {}, integer],
  [4, true, integer],
  [4, 2 ** 31, none],
  [4, '99999999999999999999', none],
]

describe('section 5, Releases: the version to roll back to', () => {
  for (const [version, requested, want] of rows)
    test(`v${version}, ${JSON.stringify(requested)}`, () => {
      let got: unknown
      const refusal = refused(() => {
        got = rollbackVersion({ version }, requested)
      })
      expect(got ?? refusal).toEqual(want)
    })
})

describe('section 5, Releases: what is found there', () => {
  const failed = { illogical: 'Cannot roll back to failed release.' }
  const cases = [
    ['a build and a config', { build: 'b2' }, { state: 'succeeded', build: 'b1' }, 'accepted'],
    ['a config alone, as now', { build: null }, { state: 'succeeded', build: null }, 'accepted'],
    ['nothing', { build: 'b2' }, null, none],
    ['one that failed', { build: 'b2' }, { state: 'failed', build: 'b1' }, failed],
    ['one under way', { build: 'b2' }, { state: 'deploying', build: 'b1' }, failed],
    [
      'no build where there is one now',
      { build: 'b2' },
      { state: 'succeeded', build: null },
      { illogical: 'No build associated with this release' },
    ],
  ] as const
  for (const [name, current, target, want] of cases)
    test(name, () => expect(refused(() => checkRollback(current, target))).toEqual(want))
})
