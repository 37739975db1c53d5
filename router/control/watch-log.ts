// Tells the log of watches that are lost and of those that are back. Secrets count as one watch: when the API server
// goes away there would be hundreds of lines.

import type { Logger } from '#kit/log.ts'
import type { WatchState } from '#kube/watch.ts'

/** Between two lines about one watch, milliseconds. */
const interval = 60_000

interface Told {
  /** What the last line said; what came after it is told once it is old enough. */
  lost: boolean
  at: number
}

export class WatchLog {
  readonly #log: Logger
  readonly #told = new Map<string, Told>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** To be called every now and then; `now` is in milliseconds of any clock that only goes on. */
  look(states: readonly WatchState[], now: number): void {
    for (const [watch, group] of byWatch(states)) {
      const failing = group.filter(({ connected, lastError }) => !connected && lastError !== null)
      const lost = failing.length > 0
      const told = this.#told.get(watch) ?? { lost: false, at: Number.NEGATIVE_INFINITY }
      if (told.lost === lost || now - told.at < interval) continue
      this.#told.set(watch, { lost, at: now })
      const counts = group.length > 1 && { failing: failing.length, of: group.length }
      if (lost) this.#log.warn({ watch, reason: failing[0]!.lastError, ...counts }, 'a watch is lost')
      else this.#log.info({ watch }, 'a watch is back')
    }
  }
}

function byWatch(states: readonly WatchState[]): ReadonlyMap<string, readonly WatchState[]> {
  return Map.groupBy(states, ({ resource }) => (resource.startsWith('secret ') ? 'secrets' : resource))
}
