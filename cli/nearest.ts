// The word that somebody may have meant.

import { editDistance } from '#kit/edit-distance.ts'

/** Of the candidates the one that takes the fewest edits, when these are few for its length; else null. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null
  // A word of four letters or less may differ by one edit, a long one by three.
  let least = Math.min(3, Math.ceil(word.length / 4)) + 1
  // Nobody means to type hundreds of letters, and the work grows with their square.
  if (word.length > 64) return null
  for (const candidate of candidates) {
    const edits = editDistance(word, candidate, least)
    if (edits < least) {
      least = edits
      best = candidate
    }
  }
  return best
}
