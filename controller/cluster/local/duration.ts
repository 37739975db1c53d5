// Seconds that a user may have written → milliseconds that a timer takes.

/** A timer that is given more fires at once. */
const longest = 2 ** 31 - 1

export function duration(seconds: number): number {
  return Math.min(seconds * 1_000, longest)
}

/** `text`: whole seconds; anything else, or none, is `otherwise` milliseconds. */
export function parseDuration(text: string | undefined, otherwise: number): number {
  return text !== undefined && /^\d{1,6}$/.test(text) ? duration(Number(text)) : otherwise
}
