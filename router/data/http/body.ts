// Where the body of a message ends (RFC 9112 section 6.3). It counts octets as they pass and keeps none.

import { ChunkedReader } from './chunked.ts'

export type BodyKind = 'none' | 'length' | 'chunked' | 'until-close'

export class Body {
  kind: BodyKind = 'none'
  done = true
  readonly chunked = new ChunkedReader()
  /** Octets of a chunked body's payload so far. */
  payload = 0
  #remaining = 0

  none(): void {
    this.kind = 'none'
    this.done = true
    this.payload = 0
  }

  length(octets: number): void {
    this.kind = 'length'
    this.#remaining = octets
    this.done = octets === 0
    this.payload = 0
  }

  start(kind: 'chunked' | 'until-close'): void {
    this.kind = kind
    this.done = false
    this.payload = 0
    if (kind === 'chunked') this.chunked.reset()
  }

  /** Position behind the octets of `[start, end)` that belong to this body; -1: malformed. Sets `done`. */
  read(buffer: Uint8Array, start: number, end: number): number {
    switch (this.kind) {
      case 'none':
        return start
      case 'length': {
        const take = Math.min(this.#remaining, end - start)
        this.#remaining -= take
        this.done = this.#remaining === 0
        return start + take
      }
      case 'chunked': {
        const at = this.chunked.read(buffer, start, end)
        this.payload += this.chunked.payload
        this.done = this.chunked.done
        return at
      }
      case 'until-close':
        return end
    }
  }

  /** Like `read` for a chunked body, but writes the payload without its framing to `copyTo`; its length is `chunked.payload`. */
  unchunk(buffer: Uint8Array, start: number, end: number, copyTo: Uint8Array, copyAt: number): number {
    const at = this.chunked.read(buffer, start, end, copyTo, copyAt)
    this.done = this.chunked.done
    return at
  }
}
