// The way of a line through the logger, whoever brought it: may its app say so much, is it kept; then to whoever follows it, to the
// app's log drain and to the counters. It never throws and never waits.

import type { Followers } from './followers.ts'
import { Limits, type RateBounds } from './limits.ts'
import { isLogName, isTime, type LogLine } from './line.ts'
import type { DropReason, Metrics, Transport } from './metrics.ts'
import { parseRouterLine } from './router-line.ts'
import type { LogStore } from './store/log-store.ts'

export interface LinesOptions {
  readonly store: LogStore
  readonly followers: Followers
  readonly metrics: Metrics
  readonly bounds: RateBounds
  /** Takes the lines of apps that have a log drain. */
  readonly drains: { send(line: LogLine): void }
}

/** How long lines from before its removal may still come for an app, milliseconds: they are not the next one's of this name. */
const lateness = 60_000
/** Removals that are remembered. */
const maxRemovals = 1000

interface Removal {
  /** As lines tell their time, milliseconds since 1970. */
  readonly time: number
  /** Monotonic milliseconds: somebody may set the clock back. */
  readonly at: number
}

export class Lines {
  readonly #options: LinesOptions
  readonly #limits: Limits
  /** The oldest first. */
  readonly #removals = new Map<string, Removal>()
  readonly #timer: NodeJS.Timeout

  constructor(options: LinesOptions) {
    this.#options = options
    this.#limits = new Limits(options.bounds)
    this.#timer = setInterval(() => this.#sweep(), 1000).unref()
  }

  /** `text` is one line of bounded length. */
  write(line: LogLine, transport: Transport): void {
    const { metrics } = this.#options
    metrics.received(line.source, transport)
    const refusal = this.#refusalOf(line)
    if (refusal === null) this.#pass(line)
    else metrics.dropped(refusal)
  }

  /** Says something about the app's log in that log itself. */
  notice(app: string, sentence: string): void {
    const line: LogLine = { app, source: 'controller', process: null, time: Date.now(), text: `WARN ${sentence}` }
    const refusal = this.#options.store.append(line, line.time)
    if (refusal === null) this.#pass(line)
    else this.#options.metrics.dropped(refusal)
  }

  removed(app: string): void {
    this.#removals.delete(app)
    this.#removals.set(app, { time: Date.now(), at: performance.now() })
    for (const oldest of this.#removals.keys()) {
      if (this.#removals.size <= maxRemovals) break
      this.#removals.delete(oldest)
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#sweep()
  }

  #refusalOf(line: LogLine): DropReason | null {
    if (!isLogName(line.app) || !isTime(line.time)) return 'invalid'
    const now = performance.now()
    const removal = this.#removals.size === 0 ? undefined : this.#removals.get(line.app)
    if (removal !== undefined && line.time <= removal.time && now - removal.at < lateness) return 'removed'
    if (!this.#limits.take(line.source, line.app, Buffer.byteLength(line.text), now)) return 'rate'
    return this.#options.store.append(line, Date.now())
  }

  #pass(line: LogLine): void {
    const { followers, drains, metrics } = this.#options
    followers.publish(line)
    drains.send(line)
    if (line.source !== 'router') return
    const request = parseRouterLine(line.text)
    if (request !== null) metrics.routed(line.app, request)
  }

  #sweep(): void {
    for (const { app, source, lines } of this.#limits.sweep(performance.now())) {
      // Of an app that is not kept for other reasons there is nothing to say it in.
      if (!this.#options.store.has(app)) continue
      this.notice(
        app,
        `${lines} lines of ${source === 'app' ? 'the app' : `the ${source}`} left out, as there were too many a second`,
      )
    }
  }
}
