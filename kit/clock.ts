// Time as an argument, so that tests can let it stand still and pass.

import { setTimeout as delay } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds, only compared with each other; they never jump. */
  now(): number
  /** Milliseconds since the epoch; they jump when somebody sets the machine's clock. */
  wallClock(): number
  /** Resolves after `duration` milliseconds, or as soon as `signal` aborts; never rejects. */
  delay(duration: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallClock: Date.now,
  delay: (duration, signal) => delay(duration, undefined, { signal }).catch(() => {}),
}
