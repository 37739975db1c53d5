// The order of texts by code unit: the same on every machine, whatever its language.

/** Negative when `a` comes first, 0 when they are equal. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
