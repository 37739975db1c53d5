// What came of every request, and what was going on when one failed.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Kinds of traffic, as the report calls them. */
export type Kind = string

/** Failures of one kind for one reason. */
export interface Failure {
  readonly kind: Kind
  readonly what: string
  readonly count: number
  /** Of the first, since the beginning. */
  readonly seconds: number
  /** Events that were under way, or had just ended. */
  readonly during: readonly string[]
}

export interface KindTotals {
  readonly kind: Kind
  readonly done: number
  readonly failed: number
  /** Sent a second time, as HTTP allows: the connection told, before anything was answered, that it takes no more. */
  readonly redone: number
  /** In flight on a data thread that was killed. */
  readonly lost: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

interface Row {
  done: number
  failed: number
  redone: number
  lost: number
  readonly times: RecordableHistogram
}

/** A connection ended before the answer that it owed. */
export class Broken extends Error {}

/** How long after a kill connections may still find out, milliseconds: it takes the kernel no time, but us. */
const mourning = 1_000
/** Reasons told one by one. */
const maxReasons = 100

export class Ledger {
  readonly #started = performance.now()
  readonly #rows = new Map<Kind, Row>()
  readonly #events = new Map<string, number>()
  readonly #open = new Map<string, { count: number; endedAt: number }>()
  readonly #failures = new Map<string, Failure>()
  #killedAt = Number.NEGATIVE_INFINITY

  get seconds(): number {
    return (performance.now() - this.#started) / 1_000
  }

  get failures(): readonly Failure[] {
    return [...this.#failures.values()]
  }

  /** How often each event took place. */
  get events(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#events)
  }

  /** An event is under way until what comes back is disposed of. */
  during(event: string): Disposable {
    this.count(event)
    const open = this.#open.get(event) ?? { count: 0, endedAt: 0 }
    this.#open.set(event, open)
    open.count++
    return {
      [Symbol.dispose]() {
        open.count--
        open.endedAt = performance.now()
      },
    }
  }

  /** An event that takes no time. */
  count(event: string): void {
    this.#events.set(event, (this.#events.get(event) ?? 0) + 1)
  }

  /** A data thread is killed now: what is open on it is lost. */
  killed(): void {
    this.#killedAt = performance.now()
  }

  done(kind: Kind, startedAt: number): void {
    const row = this.#row(kind)
    row.done++
    row.times.record(Math.max(1, Math.round((performance.now() - startedAt) * 1_000)))
  }

  redone(kind: Kind): void {
    this.#row(kind).redone++
  }

  failed(kind: Kind, startedAt: number, error: unknown): void {
    const row = this.#row(kind)
    if (error instanceof Broken && this.#isOfKilled(startedAt)) {
      row.lost++
      return
    }
    row.failed++
    const what = error instanceof Error ? error.message : String(error)
    const key = `${kind} ${what}`
    const known = this.#failures.get(key)
    if (known !== undefined) this.#failures.set(key, { ...known, count: known.count + 1 })
    if (known !== undefined || this.#failures.size >= maxReasons) return
    // What has only just ended may be the cause as well.
    const recent = performance.now() - mourning
    const during = [...this.#open]
      .filter(([, { count, endedAt }]) => count > 0 || endedAt > recent)
      .map(([event]) => event)
    this.#failures.set(key, { kind, what, count: 1, seconds: this.seconds, during })
  }

  totals(): readonly KindTotals[] {
    return [...this.#rows].sort().map(([kind, { times, done, failed, redone, lost }]) => ({
      ...{ kind, done, failed, redone, lost },
      p50Ms: done === 0 ? 0 : times.percentile(50) / 1_000,
      p99Ms: done === 0 ? 0 : times.percentile(99) / 1_000,
      maxMs: done === 0 ? 0 : times.max / 1_000,
    }))
  }

  /** It may have begun before the kill, or on a connection whose end had not been told yet. */
  #isOfKilled(startedAt: number): boolean {
    const since = performance.now() - this.#killedAt
    return since < mourning && startedAt < this.#killedAt + mourning / 2
  }

  #row(kind: Kind): Row {
    let row = this.#rows.get(kind)
    if (row === undefined) {
      row = { done: 0, failed: 0, redone: 0, lost: 0, times: createHistogram() }
      this.#rows.set(kind, row)
    }
    return row
  }
}
