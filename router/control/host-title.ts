// What the objects of one namespace claim of one host, and the order in which that is granted: see `host-titles.ts`.

import { compareText } from '#kit/compare-text.ts'

export interface HostTitle {
  /** `claimKey` of the host. */
  readonly key: string
  readonly namespace: string
  readonly isTrusted: boolean
  /** When the oldest of its objects was created, comparable as text. */
  readonly created: string
  /** Its objects, by `refKey`, each with when it was created. */
  readonly claims: Map<string, string>
  /** The first granted title that it gives way to; null: it is granted; undefined: not decided yet. */
  blocker: HostTitle | null | undefined
  /** It is no title any more. */
  isGone: boolean
}

/** The order of grants: negative when `a` goes first. */
export function compareTitles(a: HostTitle, b: HostTitle): number {
  return (
    Number(b.isTrusted) - Number(a.isTrusted) ||
    compareText(a.created, b.created) ||
    compareText(a.namespace, b.namespace) ||
    compareText(a.key, b.key)
  )
}
