// The word that somebody may have meant.

/** Of the candidates the one that takes the fewest edits, when these are few for its length; else null. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null
  // A word of four letters or less may differ by one edit, a long one by three.
  let least = Math.min(3, Math.ceil(word.length / 4)) + 1
  // Nobody means to type hundreds of letters, and the work grows with their square.
  if (word.length > 64) return null
  for (const candidate of candidates) {
    const edits = distance(word, candidate)
    if (edits < least) {
      least = edits
      best = candidate
    }
  }
  return best
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
function distance(from: string, to: string): number {
  let older: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let edits = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        edits = Math.min(edits, older[column - 2]! + 1)
      current.push(edits)
    }
    older = last
    last = current
  }
  return last[to.length]!
}
