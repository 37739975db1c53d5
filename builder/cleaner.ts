// Removes what is kept of apps that the controller no longer has (builder contract, section 5): repositories, caches of
// builds. An app is gone when the controller says so twice, a round apart; no answer is no such word.

import type { Logger } from '#kit/log.ts'
import type { AppLocks } from './app-locks.ts'
import type { BuildStrategy } from './build/strategy.ts'
import type { ControllerClient } from './controller-client.ts'
import type { Repositories } from './git/repositories.ts'

export interface CleanerOptions {
  readonly controller: ControllerClient
  readonly repositories: Repositories
  readonly locks: AppLocks
  readonly strategy: BuildStrategy
  readonly log: Logger
  /** Between rounds, milliseconds. */
  readonly interval: number
}

/** Apps that are asked about in a round; the next one goes on behind them. */
const mostAsked = 50

export class Cleaner {
  readonly #options: CleanerOptions
  /** Gone, as it was said in the last round. */
  #suspects = new Set<string>()
  #last = ''

  constructor(options: CleanerOptions) {
    this.#options = options
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { interval, log } = this.#options
    while (!signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, interval)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
      clearTimeout(timer)
      if (signal.aborted) return
      try {
        await this.round(signal)
      } catch (error) {
        if (!signal.aborted) log.debug({ error: String(error) }, 'what is left of apps could not be looked for')
      }
    }
  }

  async round(signal: AbortSignal): Promise<void> {
    const { controller } = this.#options
    const suspects = this.#suspects
    const confirmed = new Set<string>()
    for (const app of new Set([...suspects, ...(await this.#next())])) {
      signal.throwIfAborted()
      if (await controller.hasApp(app, signal)) continue
      if (suspects.has(app) && (await this.#remove(app))) continue
      confirmed.add(app)
    }
    this.#suspects = confirmed
  }

  async #next(): Promise<readonly string[]> {
    const { repositories } = this.#options
    const apps: string[] = []
    for await (const app of repositories.saved.apps(this.#last)) if (apps.push(app) === mostAsked) break
    this.#last = apps.length < mostAsked ? '' : apps.at(-1)!
    // A push that failed leaves an empty one, in the working directory only.
    return [...apps, ...(await repositories.present())]
  }

  /** False: somebody is at it. */
  async #remove(app: string): Promise<boolean> {
    const { repositories, locks, strategy, log } = this.#options
    const lock = locks.take(app)
    if (lock === null) return false
    try {
      await repositories.remove(app)
      await strategy.forget(app)
      log.info({ app }, 'what was kept of an app that is gone was removed')
      return true
    } finally {
      lock.release()
    }
  }
}
