// How much a source of an app may say: so many lines and octets a second, and twice as much at once. What is beyond is left out, and
// counted, so that its log can say how much there was.

import type { LogSource } from './line.ts'

export interface RateBounds {
  /** A second. */
  readonly lines: number
  readonly octets: number
}

interface Bucket {
  lines: number
  octets: number
  /** When it was last filled, monotonic milliseconds. */
  at: number
  leftOut: number
}

export interface LeftOut {
  readonly app: string
  readonly source: LogSource
  readonly lines: number
}

/** Seconds that a bucket holds. */
const burst = 2
/** Buckets at once: invented names must not take memory without end. */
const maxBuckets = 30_000

export class Limits {
  readonly #bounds: RateBounds
  readonly #buckets: Readonly<Record<LogSource, Map<string, Bucket>>> = {
    app: new Map(),
    controller: new Map(),
    router: new Map(),
  }

  constructor(bounds: RateBounds) {
    this.#bounds = bounds
  }

  /** Whether the line may be kept. `now`: monotonic milliseconds. */
  take(source: LogSource, app: string, octets: number, now: number): boolean {
    const buckets = this.#buckets[source]
    let bucket = buckets.get(app)
    if (bucket === undefined) {
      if (buckets.size >= maxBuckets) return false
      bucket = { lines: this.#bounds.lines * burst, octets: this.#bounds.octets * burst, at: now, leftOut: 0 }
      buckets.set(app, bucket)
    }
    this.#fill(bucket, now)
    // A line that is longer than all that a bucket holds would never pass.
    if (bucket.lines < 1 || bucket.octets < Math.min(octets, this.#bounds.octets)) {
      bucket.leftOut++
      return false
    }
    bucket.lines--
    bucket.octets -= octets
    return true
  }

  /** What was left out since the last call; who has been silent is forgotten. */
  sweep(now: number): LeftOut[] {
    const leftOut: LeftOut[] = []
    for (const source of ['app', 'controller', 'router'] as const) {
      for (const [app, bucket] of this.#buckets[source]) {
        if (bucket.leftOut > 0) leftOut.push({ app, source, lines: bucket.leftOut })
        bucket.leftOut = 0
        if (now - bucket.at >= burst * 1000) this.#buckets[source].delete(app)
      }
    }
    return leftOut
  }

  #fill(bucket: Bucket, now: number): void {
    const seconds = (now - bucket.at) / 1000
    bucket.at = now
    bucket.lines = Math.min(this.#bounds.lines * burst, bucket.lines + seconds * this.#bounds.lines)
    bucket.octets = Math.min(this.#bounds.octets * burst, bucket.octets + seconds * this.#bounds.octets)
  }
}
