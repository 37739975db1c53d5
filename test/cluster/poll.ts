// Waits for what sends no event.

import { setTimeout } from 'node:timers/promises'

/**
 * Calls `probe` until it gives something other than null, and gives that. Rejects when `seconds` have passed, with the
 * last error of `probe` as the cause, or at once when `over` rejects.
 */
export async function poll<T>(
  what: string,
  seconds: number,
  probe: () => Promise<T | null>,
  over?: Promise<never>,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    let cause: unknown
    const attempt = probe().catch((error: unknown) => {
      cause = error
      return null
    })
    const result = await (over ? Promise.race([attempt, over]) : attempt)
    if (result !== null) return result
    if (performance.now() > deadline) throw new Error(`no ${what} within ${seconds} s`, { cause })
    await setTimeout(50)
  }
}
