// Rounds of a CrashSite, the same for the same seed: which deed, and after how long the controller is killed.

import { type Deed, deeds } from './crash-site.ts'

export interface CrashRound {
  readonly deed: Deed
  /** Milliseconds. */
  readonly after: number
}

/** A deploy takes one and a half seconds here, most of them spent waiting; what is short takes milliseconds. */
const longest: Readonly<Record<Deed, number>> = {
  create: 40,
  config: 2_000,
  build: 2_000,
  scale: 1_500,
  rollback: 2_000,
  'broken build': 2_000,
  destroy: 400,
}

export function crashRounds(seed: number, count: number): readonly CrashRound[] {
  const random = mulberry32(seed)
  return Array.from({ length: count }, (_, i) => {
    const deed = deeds[i % deeds.length]!
    return { deed, after: Math.round(random() * longest[deed]) }
  })
}

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
