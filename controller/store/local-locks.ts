// Locks of one process: enough where the database lets only one process in.

import { Turnstile } from '#kit/turnstile.ts'
import type { Lock, Locks } from './store.ts'

const never = new AbortController().signal

export class LocalLocks implements Locks {
  /** Only names that somebody has. */
  readonly #names = new Map<string, Turnstile>()
  readonly #closed = new AbortController()

  async tryTake(name: string): Promise<Lock | null> {
    this.#closed.signal.throwIfAborted()
    return this.#turnstile(name).tryEnter() ? this.#lock(name) : null
  }

  async take(name: string, signal: AbortSignal): Promise<Lock> {
    const either = AbortSignal.any([signal, this.#closed.signal])
    either.throwIfAborted()
    await this.#turnstile(name).enter(either)
    return this.#lock(name)
  }

  /** Whoever waits is sent away. */
  close(): void {
    this.#closed.abort(new Error('the store is closed'))
  }

  #turnstile(name: string): Turnstile {
    let turnstile = this.#names.get(name)
    if (turnstile === undefined) {
      turnstile = new Turnstile(1)
      this.#names.set(name, turnstile)
    }
    return turnstile
  }

  #lock(name: string): Lock {
    let held = true
    return {
      lost: never,
      [Symbol.asyncDispose]: async () => {
        if (!held) return
        held = false
        const turnstile = this.#names.get(name)
        turnstile?.leave()
        if (turnstile?.isEmpty) this.#names.delete(name)
      },
    }
  }
}
