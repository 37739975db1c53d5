// Expressions of `regexDomain` (contract section 7). A tenant writes them and every request for an unknown host is held
// against them, so the engine takes linear time and the expression is bounded.

import { RE2JS } from 're2js'

const maxLength = 128
/** Instructions of the compiled program: the time for one host is at most this times its length. */
const maxProgram = 60

/** The expression, to be matched with `matches` against a whole host name; or why it cannot be used. */
export type HostExpression =
  | { readonly kind: 'expression'; readonly pattern: RE2JS; readonly size: number }
  | { readonly kind: 'bad'; readonly reason: string }

/** Instructions of all expressions together that a host is held against: a few milliseconds in the worst case. */
export const maxExpressions = 4_000

/** RE2 syntax. It has to match all that precedes a dot and a parent domain which is not empty. */
export function compileHostExpression(text: string): HostExpression {
  if (text.length > maxLength) return { kind: 'bad', reason: `is longer than ${maxLength} characters` }
  try {
    // Compiled by itself first: an unbalanced parenthesis could close ours.
    RE2JS.compile(text)
    const pattern = RE2JS.compile(`(?:${text})\\..+`, RE2JS.CASE_INSENSITIVE)
    const size = pattern.programSize()
    if (size <= maxProgram) return { kind: 'expression', pattern, size }
    return { kind: 'bad', reason: 'is too complex' }
  } catch (error) {
    return { kind: 'bad', reason: `does not compile: ${(error as Error).message.slice(0, 120)}` }
  }
}
