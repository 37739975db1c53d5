// Problems in the log: each once when it appears and once when it is solved.

import type { Logger } from '#kit/log.ts'
import type { DatedProblem, ProblemChanges } from './problem-book.ts'

/** Lines for one step; `/problems` has them all. */
const maxLines = 100

export function logProblems(log: Logger, { added, removed }: ProblemChanges): void {
  for (const problem of added.slice(0, maxLines)) {
    const { code, object, message } = problem
    log[levelOf(problem)]({ code, object: nameOf(problem), kind: object.kind }, message)
  }
  for (const problem of removed.slice(0, maxLines)) {
    const { code, object } = problem
    const level = levelOf(problem) === 'debug' ? 'debug' : 'info'
    log[level]({ code, object: nameOf(problem), kind: object.kind }, 'solved')
  }
  const more = Math.max(0, added.length - maxLines) + Math.max(0, removed.length - maxLines)
  if (more > 0) log.warn({ more }, 'more problems came or went; GET /problems on the admin port lists all')
}

function levelOf({ code, severity }: DatedProblem): 'debug' | 'warn' | 'error' {
  if (code === 'annotation-without-effect') return 'debug'
  return severity === 'error' ? 'error' : 'warn'
}

function nameOf({ object }: DatedProblem): string {
  return object.namespace === '' ? object.name : `${object.namespace}/${object.name}`
}
