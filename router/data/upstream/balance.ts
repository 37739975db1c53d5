// Which of several endpoints gets a request. All of them can: who rests, is unhealthy or far away has been left out
// before (`upstream.ts`).

import { mix } from './hash.ts'
import type { Member } from './member.ts'

/** In [0, 1). */
export type Random = () => number

/** What is in turn, for one upstream. */
export class Turn {
  #cursor = 0

  next(count: number): number {
    return this.#cursor++ % count
  }
}

/**
 * The power of two choices: of the next in turn and another one drawn by lot, the one with fewer requests in flight.
 * While all are equally busy it is the next in turn, so that all are reached.
 */
export function lessBusy(members: readonly Member[], turn: Turn, random: Random): Member {
  const count = members.length
  if (count === 1) return members[0]!
  const next = turn.next(count)
  const a = members[next]!
  const b = members[(next + 1 + Math.floor(random() * (count - 1))) % count]!
  return b.pool.inFlight < a.pool.inFlight ? b : a
}

/**
 * Rendezvous: the one whose hash goes best with the key. When one goes, only its keys move, evenly to all others, and when
 * one comes, it only takes; no table has to agree. `most`: those with so many requests in flight are left out (0: none
 * are), so that the second best has them. A new endpoint has a key from when its share has grown to it, and keeps it.
 * Null: all are left out.
 */
export function bestMatch(members: readonly Member[], key: number, now: number, most: number): Member | null {
  let best: Member | null = null
  let highest = -1
  // The best of those that are too new for this key: better than none.
  let spare: Member | null = null
  let highestSpare = -1
  for (const member of members) {
    if (most > 0 && member.inFlight >= most) continue
    const weight = mix(key, member.hash)
    if (now < member.warmAt && mix(weight, 1) / 2 ** 32 >= member.share(now)) {
      if (weight > highestSpare) {
        spare = member
        highestSpare = weight
      }
      continue
    }
    if (weight <= highest) continue
    best = member
    highest = weight
  }
  return best ?? spare
}
