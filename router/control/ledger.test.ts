import { expect, test } from 'vitest'
import { Ledger } from './ledger.ts'

interface Item {
  readonly id: string
  readonly list: readonly number[]
}

function ledgerWith(...items: readonly Item[]): Ledger<string, Item> {
  const ledger = new Ledger<string, Item>()
  for (const item of items) ledger.put(item)
  ledger.flush()
  return ledger
}

const a: Item = { id: 'a', list: [1] }
const changed: Item = { id: 'a', list: [2] }

const cases: readonly (readonly [name: string, act: (ledger: Ledger<string, Item>) => void, want: unknown])[] = [
  ['nothing', () => {}, { upserts: [], deletes: [] }],
  ['the same again', ledger => ledger.put({ id: 'a', list: [1] }), { upserts: [], deletes: [] }],
  ['a change', ledger => ledger.put(changed), { upserts: [changed], deletes: [] }],
  ['a drop', ledger => ledger.drop('a'), { upserts: [], deletes: ['a'] }],
  ['a drop of what is not there', ledger => ledger.drop('b'), { upserts: [], deletes: [] }],
  [
    'a drop, then the same again',
    ledger => {
      ledger.drop('a')
      ledger.put({ id: 'a', list: [1] })
    },
    { upserts: [], deletes: [] },
  ],
  [
    'a change and back',
    ledger => {
      ledger.put({ id: 'a', list: [2] })
      ledger.put({ id: 'a', list: [1] })
    },
    { upserts: [], deletes: [] },
  ],
  [
    'something new that goes at once',
    ledger => {
      ledger.put({ id: 'b', list: [] })
      ledger.drop('b')
    },
    { upserts: [], deletes: [] },
  ],
]

for (const [name, act, want] of cases) {
  test(name, () => {
    const ledger = ledgerWith(a)
    act(ledger)
    expect(ledger.flush()).toEqual(want)
    expect(ledger.flush()).toEqual({ upserts: [], deletes: [] })
  })
}

test('the whole is what was flushed, and frozen', () => {
  const ledger = ledgerWith({ id: 'a', list: [1] })
  ledger.put({ id: 'b', list: [1] })
  expect(ledger.whole()).toEqual({ upserts: [{ id: 'a', list: [1] }], deletes: [] })
  const { upserts } = ledger.flush()
  expect([upserts, upserts[0], upserts[0]?.list].every(Object.isFrozen)).toBe(true)
})
