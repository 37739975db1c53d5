// One that wants a host, or a path of it, and does not get it: for explanations.

import type { ObjectRef } from '../model/problem.ts'
import type { HostMatch, PathMatch } from '../model/route.ts'

export interface Contender {
  readonly object: ObjectRef
  readonly host: HostMatch
  readonly path: PathMatch
  readonly reason: 'host-taken' | 'path-taken' | 'not-routable' | 'other-class'
  /** Who has it instead; null: that is not why. */
  readonly owner: ObjectRef | null
  /** A clause: why. It names no other object. */
  readonly why: string
}
