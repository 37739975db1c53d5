import { describe, expect, test } from 'vitest'
import { missingTypes, parseProcfile, succeedProcfile, withoutTypes } from './procfile.ts'
import { refused } from './testdata/refused.ts'

const types = 'Process types can only contain lowercase alphanumeric characters'

describe('section 5, Builds: Procfiles', () => {
  const good: readonly (readonly [name: string, raw: unknown, want: object])[] = [
    ['none', undefined, {}],
    ['null', null, {}],
    ['an empty text', '', {}],
    ['an object', { web: 'npm start', 'my-job2': 'x' }, { web: 'npm start', 'my-job2': 'x' }],
    ['a JSON text', '{"web":"npm start"}', { web: 'npm start' }],
    ['a type named as in the prototype', { constructor: 'x' }, { constructor: 'x' }],
  ]
  for (const [name, raw, want] of good) test(name, () => expect(parseProcfile(raw)).toEqual(want))

  const bad: readonly (readonly [name: string, raw: unknown, want: string])[] = [
    ['an empty command', { web: '' }, "Command can't be empty for process type"],
    ['no command', { web: null }, "Command can't be empty for process type"],
    ['capitals', { Web: 'x' }, types],
    ['an underscore', { my_job: 'x' }, types],
    ['a hyphen at the end', { 'web-': 'x' }, types],
    ['two hyphens', { 'a--b': 'x' }, types],
    ['a slash', { 'web/cmd': 'x' }, types],
    ['a line end', { 'web\n': 'x' }, types],
    ['a name of the prototype', JSON.parse('{"__proto__":"x"}'), types],
    ['too long for a label', { ['a'.repeat(64)]: 'x' }, types],
    ['a command that is an object', { web: {} }, 'Not a valid string.'],
    [
      'a command that is too long',
      { web: 'x'.repeat(100_001) },
      'Ensure this field has no more than 100000 characters.',
    ],
    ['a list', [], 'Expected a dictionary of items but got type "list".'],
    [
      'too many',
      Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`t${i}`, 'x'])),
      'Ensure this field has no more than 100 elements.',
    ],
  ]
  for (const [name, raw, want] of bad)
    test(`refused: ${name}`, () => expect(refused(() => parseProcfile(raw))).toEqual({ procfile: [want] }))
})

describe('section 5, Builds: types that are gone', () => {
  const before = { web: 'a', worker: 'b' }
  const lenient = { rejectMissing: false, removeMissing: true }

  test('are found', () => {
    expect(missingTypes(before, { web: 'c', cron: 'd' })).toEqual(['worker'])
    expect(missingTypes({ constructor: 'a' }, {})).toEqual(['constructor'])
  })
  test('go to nothing', () => {
    expect(withoutTypes({ web: 2, worker: 3 }, ['worker', 'cron'])).toEqual({ web: 2, worker: 0 })
  })
  test('by default the new Procfile counts', () => {
    expect(succeedProcfile(before, {}, lenient)).toEqual({})
    expect(succeedProcfile(before, { web: 'c' }, lenient)).toEqual({ web: 'c' })
  })
  test('an empty one may inherit', () => {
    const policy = { rejectMissing: false, removeMissing: false }
    expect(succeedProcfile(before, {}, policy)).toEqual(before)
    expect(succeedProcfile(before, { web: 'c' }, policy)).toEqual({ web: 'c' })
  })
  test('they may be insisted on', () => {
    const policy = { rejectMissing: true, removeMissing: true }
    const message = 'Last deployed process types worker are missing in the new Procfile'
    expect(refused(() => succeedProcfile(before, { web: 'c' }, policy))).toEqual({ conflict: message })
    expect(succeedProcfile(before, { ...before, cron: 'd' }, policy)).toEqual({ ...before, cron: 'd' })
  })
})
