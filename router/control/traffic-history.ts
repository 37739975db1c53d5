// The last five minutes of traffic, for status pages: the counters of the data threads, read every few seconds into rings of
// a fixed size. It costs the request path nothing; `/metrics` is for those who want more, and for longer.

import type { TrafficSeries } from '#kit/router-status.ts'
import { appCounter, durationBuckets, firstAppSlot, maxApps, rowOffset } from '../model/counters.ts'
import type { AppSlot } from '../model/patch.ts'

/** Milliseconds between two samples. */
export const sampleInterval = 5000
const length = 60
/** Apps with a ring of their own: 1.2 kB each, and only for those that have had traffic within it. */
const mostRings = 1000

const statusClasses = 5
/** Where answers of 500 and more are counted. */
const serverErrors = appCounter.status + 4
/** What of a row is looked at: all up to the last bucket. */
const width = appCounter.duration + durationBuckets.length + 1

export interface TrafficHistoryOptions {
  /** One for each data thread. */
  readonly counters: () => readonly Float64Array[]
  /** Those that there are now. */
  readonly apps: () => readonly AppSlot[]
  /** Milliseconds. */
  readonly now?: () => number
}

/** Numbers of one app, or of all, a place for each sample. */
class Ring {
  readonly requests = new Float32Array(length)
  readonly errors = new Float32Array(length)
  readonly seconds = new Float32Array(length)
  readonly slow = new Float32Array(length)
  /** The counters at the last sample. */
  readonly last = new Float64Array(width)
  /** Samples since the last one with traffic. */
  idle = 0
  slot: number

  constructor(slot: number) {
    this.slot = slot
  }

  /** What is counted from here on is in this row; what it holds already is not ours. */
  move(slot: number, row: Float64Array): void {
    this.slot = slot
    this.last.set(row)
  }

  /** Notes at `place` what has been added since the last sample. */
  note(place: number, row: Float64Array): void {
    const { last } = this
    const requests = requestsOf(row) - requestsOf(last)
    this.idle = requests > 0 ? 0 : this.idle + 1
    this.requests[place] = requests
    this.errors[place] = row[serverErrors]! - last[serverErrors]!
    this.seconds[place] = row[appCounter.durationSum]! - last[appCounter.durationSum]!
    this.slow[place] = requests === 0 ? 0 : slowest(row, last)
    last.set(row)
  }
}

export class TrafficHistory {
  readonly #options: TrafficHistoryOptions
  readonly #now: () => number
  readonly #all = new Ring(-1)
  readonly #rings = new Map<string, Ring>()
  /** Requests by row at the last sample. */
  readonly #counts = new Float64Array(maxApps)
  /** Seconds that each sample speaks of. */
  readonly #elapsed = new Float32Array(length)
  readonly #row = new Float64Array(width)
  readonly #sum = new Float64Array(width)
  /** One behind the highest row that was ever used. */
  #end = firstAppSlot
  #last: number
  #samples = 0

  constructor(options: TrafficHistoryOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#last = this.#now()
  }

  /** To be called every `sampleInterval`. */
  sample(): void {
    const now = this.#now()
    const place = this.#samples++ % length
    this.#elapsed[place] = Math.max(0.001, (now - this.#last) / 1000)
    this.#last = now
    const threads = this.#options.counters()
    const owners = new Map<number, string>()
    for (const { app, slot } of this.#options.apps()) {
      if (slot < firstAppSlot) continue
      owners.set(slot, app)
      this.#end = Math.max(this.#end, slot + 1)
    }
    this.#sum.fill(0)
    // Rows whose app is gone count as well: what was answered stays answered.
    for (let slot = 0; slot < this.#end; slot++) {
      const row = this.#read(threads, slot)
      for (let at = 0; at < width; at++) this.#sum[at]! += row[at]!
      const app = owners.get(slot)
      const requests = requestsOf(row)
      if (app !== undefined) this.#ringOf(app, slot, row, requests)?.note(place, row)
      this.#counts[slot] = requests
    }
    this.#all.note(place, this.#sum)
    const live = new Set(owners.values())
    for (const [app, { idle }] of this.#rings) if (!live.has(app) || idle >= length) this.#rings.delete(app)
  }

  /** Of all that was answered, whoever's it was. */
  all(): TrafficSeries {
    return this.#series([this.#all])
  }

  /** Null: it has had no traffic, or there is no room for it. */
  app(name: string): TrafficSeries | null {
    const ring = this.#rings.get(name)
    return ring === undefined ? null : this.#series([ring])
  }

  /** Of those apps together that `includes` says yes to. */
  apps(includes: (app: string) => boolean): TrafficSeries {
    return this.#series([...this.#rings].filter(([app]) => includes(app)).map(([, ring]) => ring))
  }

  #read(threads: readonly Float64Array[], slot: number): Float64Array {
    const row = this.#row
    const offset = rowOffset(slot)
    row.fill(0)
    for (const counters of threads) for (let at = 0; at < width; at++) row[at]! += counters[offset + at]!
    return row
  }

  /** The ring of an app; made when there is traffic for it. Null: there is none to be noted. */
  #ringOf(app: string, slot: number, row: Float64Array, requests: number): Ring | null {
    const known = this.#rings.get(app)
    if (known !== undefined) {
      if (known.slot !== slot) known.move(slot, row)
      return known
    }
    const before = this.#counts[slot]!
    if (requests === before || this.#rings.size >= mostRings) return null
    const ring = new Ring(slot)
    // A row that has been used already, by this app long ago or by another one: from here on.
    if (before > 0) ring.move(slot, row)
    this.#rings.set(app, ring)
    return ring
  }

  #series(rings: readonly Ring[]): TrafficSeries {
    const count = Math.min(this.#samples, length)
    const places = Array.from({ length: count }, (_, index) => (this.#samples - count + index) % length)
    const sum = (place: number, read: (ring: Ring) => Float32Array): number =>
      rings.reduce((total, ring) => total + read(ring)[place]!, 0)
    const requests = places.map(place => sum(place, ring => ring.requests))
    const ifAny = (index: number, value: () => number): number | null =>
      requests[index] === 0 ? null : rounded(value())
    return {
      seconds: sampleInterval / 1000,
      requests: places.map((place, index) => rounded(requests[index]! / this.#elapsed[place]!)),
      errors: places.map(place => rounded(sum(place, ring => ring.errors) / this.#elapsed[place]!)),
      mean: places.map((place, index) =>
        ifAny(index, () => (1000 * sum(place, ring => ring.seconds)) / requests[index]!),
      ),
      slow: places.map((place, index) => ifAny(index, () => Math.max(...rings.map(ring => ring.slow[place]!)))),
    }
  }
}

function requestsOf(row: Float64Array): number {
  let requests = 0
  for (let index = 0; index < statusClasses; index++) requests += row[appCounter.status + index]!
  return requests
}

/** Milliseconds that 99 of 100 requests between two readings of a row took no longer than, evenly spread in their bucket. */
function slowest(row: Float64Array, last: Float64Array): number {
  const counts = Array.from({ length: durationBuckets.length + 1 }, (_, index) => {
    const at = appCounter.duration + index
    return row[at]! - last[at]!
  })
  let left = 0.99 * counts.reduce((sum, count) => sum + count, 0)
  for (const [index, count] of counts.entries()) {
    if (count === 0 || left > count) {
      left -= count
      continue
    }
    const lower = index === 0 ? 0 : durationBuckets[index - 1]!
    // What lies beyond the last bound is at least that.
    const upper = durationBuckets[index] ?? lower
    return 1000 * (lower + ((upper - lower) * left) / count)
  }
  return 0
}

/** To three digits that count: a page needs no more. */
function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
