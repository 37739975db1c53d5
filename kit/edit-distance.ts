// How many slips of a typist are between two words (optimal string alignment). Pure.

/** Letters to add, remove, change or swap with the next; `furthest` and one as soon as it is more than that. */
export function editDistance(a: string, b: string, furthest: number): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(!isSame))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1)
      next.push(least)
    }
    if (Math.min(...next) > furthest) return furthest + 1
    before = row
    row = next
  }
  return row.at(-1)!
}
