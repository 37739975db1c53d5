// Which IngressClasses are ours (ingress contract I-C1 and I-C6): those whose `spec.controller` is our name, whatever they
// are called themselves.

import type { IngressClass } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { Problem } from '../model/problem.ts'
import { ObjectSet } from './object-set.ts'
import { refKey } from './object-shape.ts'
import type { ProblemBook } from './problem-book.ts'
import { isFields } from './shape.ts'

export class IngressClasses {
  readonly #controller: string
  readonly #problems: ProblemBook
  readonly #objects = new ObjectSet('IngressClass')
  readonly #ours = new Set<string>()

  /** `controller`: our name. */
  constructor(controller: string, problems: ProblemBook) {
    this.#controller = controller
    this.#problems = problems
  }

  apply(change: Change<IngressClass>): void {
    this.#objects.apply(change)
  }

  get hasNameless(): boolean {
    return this.#objects.hasNameless
  }

  /** Names of the classes that came to be ours, or no longer are, since the last call. */
  read(): readonly string[] {
    const turned: string[] = []
    for (const [key, ref] of this.#objects.takeDirty()) {
      const object = this.#objects.get(key)?.object
      const spec = isFields(object) && isFields(object.spec) ? object.spec : {}
      const isOurs = spec.controller === this.#controller
      if (isOurs !== this.#ours.has(ref.name)) turned.push(ref.name)
      if (isOurs) this.#ours.add(ref.name)
      else this.#ours.delete(ref.name)
      const hasParameters = spec.parameters !== undefined && spec.parameters !== null
      const problem: Problem = {
        code: 'unsupported',
        severity: 'warning',
        object: ref,
        message: `spec.parameters${nameOf(spec.parameters)} mean nothing here; Ingresses of the class are served without`,
      }
      this.#problems.set(refKey(ref), isOurs && hasParameters ? [problem] : [])
    }
    return turned
  }

  isOurs(name: string): boolean {
    return this.#ours.has(name)
  }
}

function nameOf(parameters: unknown): string {
  const { kind, name } = isFields(parameters) ? parameters : {}
  return typeof kind === 'string' && typeof name === 'string' ? ` (${kind.slice(0, 63)} ${name.slice(0, 63)})` : ''
}
