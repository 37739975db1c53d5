// The keys of session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1), which all data threads share, so that a client
// may resume with any of them. Node takes one set of keys at a time: a rotation ends all tickets of before, which then
// cost a full handshake. So keys live for half a day, and never for less than a session may be resumed.

import { randomBytes } from 'node:crypto'

const hour = 3_600_000
const shortestLife = 12 * hour
/** The most that TLS 1.3 lets a ticket live (RFC 8446 section 4.6.1). */
const longestLife = 7 * 24 * hour

/** How long keys are used when sessions may be resumed for `sessionTimeout`; milliseconds. */
export function lifeOfKeys(sessionTimeout: number): number {
  return Math.min(Math.max(shortestLife, sessionTimeout), longestLife)
}

export class TicketKeys implements Disposable {
  readonly #onRotated: (keys: Uint8Array) => void
  #keys = newKeys()
  #madeAt = performance.now()
  #life = shortestLife
  #timer: NodeJS.Timeout

  /** `onRotated` is called with each new set. */
  constructor(onRotated: (keys: Uint8Array) => void) {
    this.#onRotated = onRotated
    this.#timer = this.#wait()
  }

  /** 48 octets. A secret: it goes to data threads and nowhere else. */
  get current(): Uint8Array {
    return this.#keys
  }

  /** Milliseconds for which sessions may be resumed. */
  outlive(sessionTimeout: number): void {
    const life = lifeOfKeys(sessionTimeout)
    if (life === this.#life) return
    this.#life = life
    clearTimeout(this.#timer)
    this.#timer = this.#wait()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  #wait(): NodeJS.Timeout {
    const left = Math.max(0, this.#madeAt + this.#life - performance.now())
    return setTimeout(() => this.#rotate(), left).unref()
  }

  #rotate(): void {
    this.#keys = newKeys()
    this.#madeAt = performance.now()
    this.#timer = this.#wait()
    this.#onRotated(this.#keys)
  }
}

/** In a buffer of its own: what crosses to a thread takes the whole buffer along. */
function newKeys(): Uint8Array {
  return new Uint8Array(randomBytes(48))
}
