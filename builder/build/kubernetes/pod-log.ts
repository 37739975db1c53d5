// Follows the log of one container to its end, over connections that break: every line once, in order.
//
// Lines are asked for with the time of each. After a break the API server is asked for those since the second of the last
// one, and what was heard before is left out.

import { LineSplitter } from '#kit/children/lines.ts'
import type { Clock } from '#kit/clock.ts'
import { type KubeClient, resourcePath } from '#kube/client.ts'
import { KubeError, TransportError } from '#kube/errors.ts'

export interface PodLogOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly hear: (line: string) => void
  /** Whether the container has ended: what comes to an end then is the end. */
  readonly hasEnded: () => boolean
  readonly signal: AbortSignal
}

/** Milliseconds between two tries, and how many in a row may bring nothing. */
const pause = 500
const maxFailures = 60

/** False: the log cannot be had to its end. Never throws. */
export async function followLog(options: PodLogOptions): Promise<boolean> {
  const { client, clock, namespace, pod, container, signal } = options
  const path = resourcePath({ apiVersion: 'v1', plural: 'pods', namespace, name: pod, subresource: 'log' })
  const lines = new TimedLines(options.hear)
  let failures = 0
  while (!signal.aborted && failures < maxFailures) {
    const endedBefore = options.hasEnded()
    const { count } = lines
    try {
      const query = { container, follow: true, timestamps: true, sinceTime: lines.since ?? undefined }
      const splitter = new LineSplitter(line => lines.push(line))
      for await (const chunk of client.octets(path, { query, signal })) splitter.push(Buffer.from(chunk))
      splitter.finish()
      if (endedBefore) return true
      // It may have ended with its container, or with the server's patience: the next answer is whole.
    } catch (error) {
      if (signal.aborted) return false
      if (error instanceof KubeError && (error.status === 404 || error.status === 403)) return false
      if (!(error instanceof KubeError || error instanceof TransportError)) return false
    }
    failures = lines.count > count ? 0 : failures + 1
    lines.begin()
    if (!options.hasEnded()) await clock.delay(pause, signal)
    else if (failures > 0) await clock.delay(pause / 5, signal)
  }
  return false
}

/** `2026-03-01T12:00:00.123456789Z TEXT`, with as many digits as there are. */
const pattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?/

/**
 * Lines with times; those that come again after `begin` are left out. Times need not rise: those of the two streams of a
 * container are written as they come.
 */
export class TimedLines {
  /** Heard so far. */
  count = 0
  readonly #hear: (line: string) => void
  /** The latest time that there was, with nine digits of a fraction. */
  #last = ''
  /** Lines of its second, heard so far. */
  #sinceSecond = 0
  /** Of those, how many come again. */
  #again = 0
  #skips = false

  constructor(hear: (line: string) => void) {
    this.#hear = hear
  }

  /** For the question for more; null: for all. */
  get since(): string | null {
    return this.#last === '' ? null : `${this.#last.slice(0, 19)}Z`
  }

  /** What was heard since that time comes once more. */
  begin(): void {
    this.#again = this.#sinceSecond
  }

  push(raw: string): void {
    const match = pattern.exec(raw)
    if (match === null) {
      // The rest of a line that is too long for one piece.
      if (!this.#skips) this.#say(raw)
      return
    }
    const [prefix, local, fraction = '', zone] = match
    const second = zone === 'Z' ? local! : new Date(`${local}${zone}`).toISOString().slice(0, 19)
    const time = `${second}.${fraction.padEnd(9, '0')}`
    const lastSecond = this.#last.slice(0, 19)
    // What is later than all that was heard is new, also where the server has thrown the rest away.
    this.#skips = this.#again > 0 && time <= this.#last
    if (this.#skips) {
      if (second === lastSecond) this.#again--
      return
    }
    this.#again = 0
    if (second > lastSecond) this.#sinceSecond = 0
    if (second >= lastSecond) this.#sinceSecond++
    if (time > this.#last) this.#last = time
    this.#say(raw.slice(prefix.length))
  }

  #say(line: string): void {
    this.count++
    this.#hear(line)
  }
}
