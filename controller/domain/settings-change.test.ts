import { describe, expect, test } from 'vitest'
import { changeTls, mergeSettings, type SettingsFields } from './settings-change.ts'
import { refused } from './testdata/refused.ts'

const fresh: SettingsFields = { maintenance: false, routable: true, whitelist: [], autoscale: {}, label: {} }
const rule = { min: 1, max: 5, cpu_percent: 80 }

const good: readonly (readonly [
  name: string,
  current: Partial<SettingsFields>,
  change: unknown,
  want: Partial<SettingsFields>,
])[] = [
  ['maintenance', {}, { maintenance: true }, { maintenance: true }],
  ['routable, in words', {}, { routable: 'False' }, { routable: false }],
  [
    'null leaves a field as it was',
    { maintenance: true },
    { maintenance: null, routable: false },
    { maintenance: true, routable: false },
  ],
  ['a rule', {}, { autoscale: { web: rule } }, { autoscale: { web: rule } }],
  ['a rule as JSON text', {}, { autoscale: JSON.stringify({ web: rule }) }, { autoscale: { web: rule } }],
  [
    'unknown parts of a rule are ignored',
    {},
    { autoscale: { web: { ...rule, more: 1 } } },
    { autoscale: { web: rule } },
  ],
  [
    'a rule beside another',
    { autoscale: { web: rule } },
    { autoscale: { worker: rule } },
    { autoscale: { web: rule, worker: rule } },
  ],
  ['a rule is removed', { autoscale: { web: rule } }, { autoscale: { web: null } }, { autoscale: {} }],
  ['a label', {}, { label: { team: 'a', empty: '' } }, { label: { team: 'a', empty: '' } }],
  ['a number for a label', {}, { label: { team: 7 } }, { label: { team: '7' } }],
  ['a label is removed', { label: { team: 'a', b: 'c' } }, { label: { team: null } }, { label: { b: 'c' } }],
  ['a whitelist is replaced', { whitelist: ['::1'] }, { whitelist: ['::2'] }, { whitelist: ['::2'] }],
]

describe('section 5, Settings: merging', () => {
  for (const [name, current, change, want] of good)
    test(name, () =>
      expect(mergeSettings({ ...fresh, ...current }, change, 'ann').settings).toEqual({ ...fresh, ...want }),
    )

  test('fields that differ are named', () => {
    const change = { maintenance: true, routable: true, label: { a: 'b' } }
    expect(mergeSettings(fresh, change, 'ann').changed).toEqual(['maintenance', 'label'])
  })

  test('names of the prototype are ordinary labels', () => {
    const { settings } = mergeSettings(fresh, { label: '{"__proto__":"a"}' }, 'ann')
    expect(Object.entries(settings.label)).toEqual([['__proto__', 'a']])
  })
})

const nothing = { conflict: 'ann changed nothing' }
const rules = (value: unknown): unknown => ({ autoscale: { web: value } })
const invalidRule = (value: unknown, why: string): object => ({
  autoscale: [`could not validate ${JSON.stringify(value)}: ${why}`],
})

const bad: readonly (readonly [name: string, current: Partial<SettingsFields>, change: unknown, want: object])[] = [
  ['nothing', {}, {}, nothing],
  ['the same again', {}, { maintenance: false, routable: true }, nothing],
  ['the same rule', { autoscale: { web: rule } }, rules({ cpu_percent: 80, max: 5, min: 1 }), nothing],
  ['the same whitelist in another order', { whitelist: ['::1', '::2'] }, { whitelist: ['::2', '::1'] }, nothing],
  ['no boolean', {}, { maintenance: 'maybe' }, { maintenance: ['"maybe" is not a valid boolean.'] }],
  ['no such rule', {}, rules(null), { absent: 'web does not exist under autoscale' }],
  ['no such label', {}, { label: { toString: null } }, { absent: 'toString does not exist under label' }],
  ['a label that is an object', {}, { label: { a: {} } }, { label: ['Not a valid string.'] }],
  [
    'labels without end',
    {},
    { label: { a: 'x'.repeat(65_536) } },
    { label: ['Ensure this field has no more than 65536 characters.'] },
  ],
  [
    'no process type',
    {},
    { autoscale: { 'Web!': rule } },
    { autoscale: ['Process types can only contain lowercase alphanumeric characters'] },
  ],
  [
    'a rule without min',
    {},
    rules({ max: 1, cpu_percent: 1 }),
    invalidRule({ max: 1, cpu_percent: 1 }, "'min' is a required property"),
  ],
  [
    'a rule in words',
    {},
    rules({ ...rule, max: '5' }),
    invalidRule({ ...rule, max: '5' }, "'5' is not of type 'integer'"),
  ],
  [
    'a rule of fractions',
    {},
    rules({ ...rule, max: 5.5 }),
    invalidRule({ ...rule, max: 5.5 }, "5.5 is not of type 'integer'"),
  ],
  ['a rule that is a list', {}, rules([]), invalidRule([], "[] is not of type 'object'")],
  ['min 0', {}, rules({ ...rule, min: 0 }), { illogical: 'min replicas needs to be 1 or higher' }],
  [
    'max below min',
    {},
    rules({ ...rule, min: 6 }),
    { illogical: 'max replicas needs to be equal to or higher than min replicas' },
  ],
  ['max without end', {}, rules({ ...rule, max: 1001 }), { illogical: 'max replicas needs to be 1000 or lower' }],
  ['no percent', {}, rules({ ...rule, cpu_percent: 0 }), { illogical: 'cpu_percent needs to be between 1 and 10000' }],
  ['an address', {}, { whitelist: ['x'] }, { illogical: 'The address x is not valid' }],
]

describe('section 5, Settings: refused', () => {
  for (const [name, current, change, want] of bad)
    test(name, () => expect(refused(() => mergeSettings({ ...fresh, ...current }, change, 'ann'))).toEqual(want))
})

describe('section 5, TLS', () => {
  test('false on a fresh app is a change', () =>
    expect(changeTls({ httpsEnforced: null }, { https_enforced: false }, 'ann')).toBe(false))
  test('true', () => expect(changeTls({ httpsEnforced: false }, { https_enforced: 'true' }, 'ann')).toBe(true))
  test('the same again', () =>
    expect(refused(() => changeTls({ httpsEnforced: true }, { https_enforced: true }, 'ann'))).toEqual(nothing))
  test('none', () =>
    expect(refused(() => changeTls({ httpsEnforced: null }, {}, 'ann'))).toEqual({
      https_enforced: ['This field is required.'],
    }))
  test('no boolean', () =>
    expect(refused(() => changeTls({ httpsEnforced: null }, { https_enforced: null }, 'ann'))).toEqual({
      https_enforced: ['"null" is not a valid boolean.'],
    }))
})
