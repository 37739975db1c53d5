// The builder in force, and the upstream that it holds.

import { isDeepStrictEqual } from 'node:util'
import type { Service } from '#kube/types.ts'
import type { Builder } from '../model/patch.ts'
import type { ObjectRef } from '../model/problem.ts'
import { translateBuilder } from './builder.ts'
import { freezeDeep } from './freeze.ts'
import type { ProblemBook } from './problem-book.ts'
import type { UpstreamBook } from './upstream-book.ts'

export interface BuilderBookOptions {
  readonly ref: ObjectRef
  readonly externalNames: boolean
  readonly upstreams: UpstreamBook
  readonly problems: ProblemBook
}

export class BuilderBook {
  readonly #options: BuilderBookOptions
  #builder: Builder | null = null
  #sent: Builder | null = null

  constructor(options: BuilderBookOptions) {
    this.#options = options
  }

  /** The Service of the builder; null: there is none. */
  put(service: Service | null): void {
    const { ref, externalNames, upstreams, problems } = this.#options
    const translation = service === null ? null : translateBuilder(ref, service, externalNames)
    problems.set('builder', translation?.problems ?? [])
    if (translation !== null) upstreams.acquire(translation.builder.upstream, translation.target)
    if (this.#builder !== null) upstreams.release(this.#builder.upstream)
    this.#builder = freezeDeep(translation?.builder ?? null)
  }

  /** What it is, if that has changed since the last call, which counts as sent. */
  flush(): { readonly builder?: Builder | null } {
    if (isDeepStrictEqual(this.#builder, this.#sent)) return {}
    this.#sent = this.#builder
    return { builder: this.#builder }
  }

  /** What was sent. */
  whole(): Builder | null {
    return this.#sent
  }
}
