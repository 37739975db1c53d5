// The one writer of the access log on stdout: data threads hand it whole lines. A reader that is slower than the
// traffic, or gone, costs lines and never holds up a request or control.

import type { Writable } from 'node:stream'

/** Bytes that may wait for the reader. */
const maxWaiting = 8 * 1024 * 1024

export class AccessLogWriter implements AsyncDisposable {
  readonly #out: Writable
  readonly #onError: (error: Error) => void
  #dropped = 0
  #broken = false

  /** `onError` hears once of a reader that is gone. */
  constructor(out: Writable, onError: (error: Error) => void) {
    this.#out = out
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
    if (this.#broken || this.#out.destroyed || this.#out.writableLength + lines.length > maxWaiting)
      this.#dropped += countLines(lines)
    else this.#out.write(lines)
  }

  /** Waits for the reader to take what is left, for a second at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#out.writableLength > 0 && !this.#broken && !this.#out.destroyed)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, 1000)
        this.#out.write('', () => {
          clearTimeout(timer)
          resolve()
        })
      })
    this.#out.off('error', this.#onError)
  }
}

function countLines(bytes: Uint8Array): number {
  let lines = 0
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) lines++
  return lines
}
