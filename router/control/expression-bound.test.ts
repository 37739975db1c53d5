import { expect, test } from 'vitest'
import { expressionProblems } from './expression-bound.ts'

test('those behind the bound are told, and only they', () => {
  const object = (i: number) => ({ kind: 'Service', namespace: 'shop', name: `app-${i}` })
  const expressions = Array.from({ length: 400 }, (_, i) => ({ object: object(i), text: `foo-[0-9]+-${i}` }))
  const problems = expressionProblems(expressions)
  expect(problems.length).toBeGreaterThan(50)
  expect(problems.length).toBeLessThan(350)
  expect(problems.map(problem => problem.object)).toEqual(expressions.slice(-problems.length).map(e => e.object))
  expect(expressionProblems(expressions.slice(0, 50))).toEqual([])
})
