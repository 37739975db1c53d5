// How long to wait before trying again. Full jitter: every delay between zero and the step is as likely, so that many
// clients that lost the same server do not come back in step.

export interface BackoffRange {
  /** Upper bound of the first delay, milliseconds. */
  readonly base: number
  /** Upper bound of every delay, milliseconds. */
  readonly cap: number
}

/**
 * The delay before the next try after `failures` failures in a row (1 is the first), in whole milliseconds: uniform
 * from 0 up to `base` doubled for each further failure, never above `cap`. `random` gives numbers in [0, 1).
 */
export function fullJitter(failures: number, range: BackoffRange, random: () => number): number {
  if (failures < 1) return 0
  // Past 2^31 any sensible cap is reached; a larger exponent would only run towards Infinity.
  const step = Math.min(range.cap, range.base * 2 ** Math.min(failures - 1, 31))
  return Math.floor(random() * (step + 1))
}
