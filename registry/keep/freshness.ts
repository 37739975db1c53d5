// How long what nothing refers to is kept. Whoever is told that something is there may build on it for the grace time: an
// upload that just ended, a blob that a client asked for before it pushes a manifest that names it. So what is asked for and
// has used up half of its time is written again, and the collector removes nothing that was written within the grace time.

import type { StoredObject } from '#store/store.ts'

export interface Freshness {
  /** Milliseconds. */
  readonly grace: number
  /** Milliseconds since the epoch, by the clock that the store stamps objects with. */
  readonly now: () => number
}

/** To be written again before anybody may rely on it. */
export function needsRenewal({ modified }: StoredObject, { grace, now }: Freshness): boolean {
  return now() - modified.getTime() > grace / 2
}

/** May be removed when nothing refers to it. */
export function isStale({ modified }: StoredObject, { grace, now }: Freshness): boolean {
  return now() - modified.getTime() > grace
}
