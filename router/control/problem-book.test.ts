import { expect, test } from 'vitest'
import type { Problem } from '../model/problem.ts'
import { ProblemBook } from './problem-book.ts'

const problem = (name: string, message: string, code: Problem['code'] = 'host-conflict'): Problem => ({
  code,
  severity: 'warning',
  object: { kind: 'Service', namespace: 'shop', name },
  message,
})

function book() {
  let time = 0
  return new ProblemBook(() => ++time)
}

test('a Problem that stays keeps its time; one that comes back has a new one', () => {
  const problems = book()
  problems.set('a', [problem('a', 'one')])
  problems.set('a', [problem('a', 'one'), problem('a', 'two')])
  expect(problems.list().map(({ message, since }) => [message, since])).toEqual([
    ['one', 1],
    ['two', 2],
  ])
  problems.set('a', [])
  problems.set('a', [problem('a', 'one')])
  expect(problems.list().map(({ message, since }) => [message, since])).toEqual([['one', 3]])
})

test('changes name each once', () => {
  const problems = book()
  const drain = () => {
    const { added, removed } = problems.changes()
    return [added.map(({ message }) => message), removed.map(({ message }) => message)]
  }
  problems.set('a', [problem('a', 'one'), problem('a', 'one')])
  problems.set('a', [problem('a', 'one')])
  expect(drain()).toEqual([['one'], []])
  expect(drain()).toEqual([[], []])
  problems.set('a', [problem('a', 'two')])
  expect(drain()).toEqual([['two'], ['one']])
  problems.set('a', [])
  problems.set('a', [problem('a', 'two')])
  expect(drain()).toEqual([[], []])
  problems.set('a', [problem('a', 'two'), problem('a', 'three')])
  problems.set('a', [problem('a', 'two')])
  expect(drain()).toEqual([[], []])
})

test('owners do not see each other', () => {
  const problems = book()
  problems.set('a', [problem('x', 'one')])
  problems.set('b', [problem('x', 'one')])
  problems.set('a', [])
  expect(problems.list()).toHaveLength(1)
})

test('the list is ordered by object', () => {
  const problems = book()
  problems.set('b', [problem('b', 'one')])
  problems.set('a', [problem('a', 'two'), problem('a', 'one')])
  expect(problems.list().map(({ object, message }) => `${object.name} ${message}`)).toEqual(['a one', 'a two', 'b one'])
})

test('one owner cannot fill the book', () => {
  const problems = book()
  problems.set(
    'a',
    Array.from({ length: 10_000 }, (_, index) => problem('a', `host ${index}`)),
  )
  const list = problems.list()
  expect(list).toHaveLength(50)
  expect(list.map(({ message }) => message)).toContain('and 9951 more, of which the first is: host 49')
})
