// After much work the heap keeps room for more of it, tens of megabytes, and V8 collects what is old only when something
// new needs the room. So once it is quiet everything is collected, which stops the process for a tenth of a second.

import type { Server } from 'node:http'
import { collectGarbage } from '#kit/collect-garbage.ts'

/** Milliseconds. */
const interval = 5_000
/** Requests in one interval; probes alone are fewer. */
const quiet = 20
/** Requests that are worth it. */
const much = 200

export class IdleTrim implements Disposable {
  readonly #server: Server
  readonly #isBusy: () => boolean
  readonly #trim: () => void
  readonly #timer: NodeJS.Timeout
  #recent = 0
  /** The start is much work as well. */
  #sinceTrim = much

  /** `isBusy`: whether something goes on that is not seen by its requests. */
  constructor(server: Server, isBusy: () => boolean, trim: () => void = collectGarbage) {
    this.#server = server
    this.#isBusy = isBusy
    this.#trim = trim
    server.on('request', this.#count)
    this.#timer = setInterval(() => this.#look(), interval)
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    this.#server.off('request', this.#count)
    clearInterval(this.#timer)
  }

  readonly #count = (): void => {
    this.#recent++
    this.#sinceTrim++
  }

  #look(): void {
    const isQuiet = this.#recent < quiet && !this.#isBusy()
    this.#recent = 0
    if (!isQuiet || this.#sinceTrim < much) return
    this.#sinceTrim = 0
    this.#trim()
  }
}
