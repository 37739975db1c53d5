// Who follows the log of an app, for as long as it may: rights are looked at again whenever those of the app change, and now
// and then, as another replica may have changed them. Each user has so many at a time.

import type { AppId } from '../domain/app.ts'
import { Refusal } from '../domain/refusal.ts'
import type { AppEvents } from '../reconcile/app-events.ts'

const mostOfUser = 10
const mostOfAll = 1_000
/** Milliseconds. */
const checkInterval = 15_000

export interface LogStreamsOptions {
  readonly events: AppEvents
  /** Milliseconds; 15 s when absent. */
  readonly checkInterval?: number
}

/** A place that is taken. Its signal aborts when the right is gone. */
export interface LogPlace extends Disposable {
  readonly signal: AbortSignal
}

export class LogStreams {
  readonly #options: LogStreamsOptions
  readonly #ofUser = new Map<string, number>()
  #count = 0

  constructor(options: LogStreamsOptions) {
    this.#options = options
  }

  /** `isAllowed`: whether the user may still; what it throws is a no. Throws a Refusal when too many are open. */
  enter(app: AppId, user: string, isAllowed: () => Promise<boolean>): LogPlace {
    const mine = this.#ofUser.get(user) ?? 0
    if (mine >= mostOfUser || this.#count >= mostOfAll)
      throw new Refusal('too-many', 'You follow too many logs already', { retryAfter: 10 })
    this.#ofUser.set(user, mine + 1)
    this.#count++
    const over = new AbortController()
    const check = (): void =>
      void isAllowed()
        .catch(() => false)
        .then(allowed => {
          if (!allowed) over.abort(new Error('the app may not be followed any more'))
        })
    const timer = setInterval(check, this.#options.checkInterval ?? checkInterval)
    const stop = this.#options.events.onDismissed(app, check)
    let isLeft = false
    return {
      signal: over.signal,
      [Symbol.dispose]: () => {
        if (isLeft) return
        isLeft = true
        clearInterval(timer)
        stop()
        this.#leave(user)
      },
    }
  }

  #leave(user: string): void {
    this.#count--
    const left = (this.#ofUser.get(user) ?? 1) - 1
    if (left === 0) this.#ofUser.delete(user)
    else this.#ofUser.set(user, left)
  }
}
