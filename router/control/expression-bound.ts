// Expressions of hosts are bounded all together (contract section 7; ADR 10): data threads look at none beyond the bound,
// and here is who is told.

import { compileHostExpression, maxExpressions } from '../model/host-expression.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'

export interface Expression {
  readonly object: ObjectRef
  readonly text: string
}

/** `expressions` in the order in which they count. */
export function expressionProblems(expressions: readonly Expression[]): readonly Problem[] {
  const problems: Problem[] = []
  let total = 0
  for (const { object, text } of expressions) {
    total += sizeOf(text)
    if (total <= maxExpressions) continue
    const message =
      'router.deis.io/regexDomain: the expressions of all apps together are too complex, so that this one is not looked at'
    problems.push({ code: 'invalid-annotation', severity: 'error', object, message })
  }
  return problems
}

const maxKnown = 1024
const known = new Map<string, number>()

/** Compiling takes long; this is asked for all of them with each change. */
function sizeOf(text: string): number {
  let size = known.get(text)
  if (size === undefined) {
    const compiled = compileHostExpression(text)
    size = compiled.kind === 'expression' ? compiled.size : 0
    if (known.size >= maxKnown) known.clear()
    known.set(text, size)
  }
  return size
}
