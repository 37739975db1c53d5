// All Problems there are, by the object or part that has them, each with the time since which it has lasted.

import type { Problem } from '../model/problem.ts'
import { refKey } from './object-shape.ts'

export interface DatedProblem extends Problem {
  /** Milliseconds since the epoch. */
  readonly since: number
}

export interface ProblemChanges {
  readonly added: readonly DatedProblem[]
  readonly removed: readonly DatedProblem[]
}

// A Service may claim thousands of hosts and lose them all: what one owner can put here is bounded.
const mostPerOwner = 50

function identity({ code, severity, object, message }: Problem): string {
  return `${code} ${severity} ${refKey(object)} ${message}`
}

function capped(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= mostPerOwner) return problems
  const kept = problems.slice(0, mostPerOwner - 1)
  const rest = problems.length - kept.length
  const next = problems[kept.length]!
  return [...kept, { ...next, message: `and ${rest} more, of which the first is: ${next.message}` }]
}

export class ProblemBook {
  readonly #now: () => number
  readonly #owners = new Map<string, ReadonlyMap<string, DatedProblem>>()
  readonly #added = new Map<string, DatedProblem>()
  readonly #removed = new Map<string, DatedProblem>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Makes `problems` all that `owner` has. One that it had before keeps its time. */
  set(owner: string, problems: readonly Problem[]): void {
    const before = this.#owners.get(owner)
    if (before === undefined && problems.length === 0) return
    const after = new Map<string, DatedProblem>()
    for (const problem of capped(problems)) {
      const key = identity(problem)
      if (after.has(key)) continue
      const known = before?.get(key)
      after.set(key, known ?? Object.freeze({ ...problem, since: this.#now() }))
      if (known === undefined) this.#move(`${owner} ${key}`, after.get(key)!, this.#removed, this.#added)
    }
    for (const [key, problem] of before ?? []) {
      if (!after.has(key)) this.#move(`${owner} ${key}`, problem, this.#added, this.#removed)
    }
    if (after.size > 0) this.#owners.set(owner, after)
    else this.#owners.delete(owner)
  }

  /** All Problems, ordered by object. */
  list(): readonly DatedProblem[] {
    return [...this.#owners.values()]
      .flatMap(problems => [...problems])
      .map(([key, problem]) => ({ order: `${refKey(problem.object)} ${key}`, problem }))
      .sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
      .map(({ problem }) => problem)
  }

  /** What came and went since the last call; what did both is in neither. For the log, which names each once. */
  changes(): ProblemChanges {
    const changes = { added: [...this.#added.values()], removed: [...this.#removed.values()] }
    this.#added.clear()
    this.#removed.clear()
    return changes
  }

  #move(key: string, problem: DatedProblem, undone: Map<string, DatedProblem>, done: Map<string, DatedProblem>): void {
    if (!undone.delete(key)) done.set(key, problem)
  }
}
