// Whole lines to a stream whose reader may be slower than we are, or gone: that costs lines, which are counted, and
// never holds up or ends the process. A reader that comes back gets what is written from then on. The access log goes to
// stdout in this way and our own log to stderr.

import type { Writable } from 'node:stream'

export interface LineWriterOptions {
  /** Bytes that may wait for the reader. */
  readonly maxWaiting: number
  /** Hears of a reader that is gone, once until there is one again. */
  readonly onError: (error: Error) => void
  /** Monotonic milliseconds; the process's own when absent. */
  readonly now?: () => number
}

/**
 * How long lines are dropped after one failed, milliseconds. A disk may be full for a while and a pipe may get another
 * reader, so it is tried again; not with every line, because each try costs a system call and an error.
 */
const pause = 1000

export class LineWriter implements AsyncDisposable {
  readonly #out: Writable
  readonly #maxWaiting: number
  readonly #onError: (error: Error) => void
  readonly #now: () => number
  #dropped = 0
  /** Since when nothing has been taken; null: what was written last was taken, as far as we know. */
  #failedAt: number | null = null

  constructor(out: Writable, { maxWaiting, onError, now }: LineWriterOptions) {
    this.#out = out
    this.#maxWaiting = maxWaiting
    this.#now = now ?? performance.now.bind(performance)
    this.#onError = error => {
      const first = this.#failedAt === null
      this.#failedAt = this.#now()
      if (first) onError(error)
    }
    out.on('error', this.#onError)
  }

  /** Lines that nobody will read. */
  get dropped(): number {
    return this.#dropped
  }

  write(lines: Uint8Array): void {
    if (this.#resting() || this.#out.destroyed || this.#out.writableLength + lines.length > this.#maxWaiting) {
      this.#dropped += countLines(lines)
      return
    }
    this.#out.write(lines, error => {
      if (error) this.#dropped += countLines(lines)
      else this.#failedAt = null
    })
  }

  #resting(): boolean {
    return this.#failedAt !== null && this.#now() - this.#failedAt < pause
  }

  /** Waits for the reader to take what is left, for `longest` milliseconds at most. */
  async flush(longest: number): Promise<void> {
    if (this.#out.writableLength === 0 || this.#failedAt !== null || this.#out.destroyed) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, longest)
      this.#out.write('', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** Waits for the reader, for a second at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush(1000)
    this.#out.off('error', this.#onError)
  }
}

function countLines(bytes: Uint8Array): number {
  let lines = 0
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) lines++
  return lines
}
