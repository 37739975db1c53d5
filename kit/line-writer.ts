// Whole lines to a stream whose reader may be slower than we are, or gone: that costs lines, which are counted, and
// never holds up or ends the process. The access log goes to stdout in this way and our own log to stderr.

import type { Writable } from 'node:stream'

export interface LineWriterOptions {
  /** Bytes that may wait for the reader. */
  readonly maxWaiting: number
  /** Hears once of a reader that is gone. */
  readonly onError: (error: Error) => void
}

export class LineWriter implements AsyncDisposable {
  readonly #out: Writable
  readonly #maxWaiting: number
  readonly #onError: (error: Error) => void
  #dropped = 0
  #broken = false

  constructor(out: Writable, { maxWaiting, onError }: LineWriterOptions) {
    this.#out = out
    this.#maxWaiting = maxWaiting
    this.#onError = error => {
      if (!this.#broken) onError(error)
      this.#broken = true
    }
    out.on('error', this.#onError)
  }

  /** Lines that nobody will read. */
  get dropped(): number {
    return this.#dropped
  }

  write(lines: Uint8Array): void {
    if (this.#broken || this.#out.destroyed || this.#out.writableLength + lines.length > this.#maxWaiting)
      this.#dropped += countLines(lines)
    else this.#out.write(lines)
  }

  /** Waits for the reader to take what is left, for `longest` milliseconds at most. */
  async flush(longest: number): Promise<void> {
    if (this.#out.writableLength === 0 || this.#broken || this.#out.destroyed) return
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
