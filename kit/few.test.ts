import { expect, test } from 'vitest'
import { added, type Few, membersOf, removed } from './few.ts'

const cases: readonly (readonly [name: string, steps: readonly string[], want: readonly string[]])[] = [
  ['nothing', [], []],
  ['one', ['+a'], ['a']],
  ['one twice', ['+a', '+a'], ['a']],
  ['a member longer than a letter is one member', ['+abc'], ['abc']],
  ['two', ['+a', '+b'], ['a', 'b']],
  ['the other of one', ['+a', '-b'], ['a']],
  ['the last goes', ['+a', '-a'], []],
  ['nothing goes from nothing', ['-a'], []],
  ['two go', ['+a', '+b', '-a', '-b'], []],
  ['one of three', ['+a', '+b', '+c', '-b'], ['a', 'c']],
  ['again after the last', ['+a', '-a', '+b', '+a'], ['b', 'a']],
]

for (const [name, steps, want] of cases)
  test(name, () => {
    let few: Few
    for (const step of steps) few = step.startsWith('+') ? added(few, step.slice(1)) : removed(few, step.slice(1))
    expect([...membersOf(few)]).toEqual(want)
    expect(few === undefined).toBe(want.length === 0)
  })
