// Makes the cluster agree with the store whatever happened to either: at the start, when something of an app was changed
// by hand, and from time to time. One replica does it; the lock `leader` says which.

import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '#kit/log.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { AppId } from '../domain/app.ts'
import type { Store } from '../store/store.ts'
import type { AppLocks, Hold } from './app-lock.ts'
import type { AppLog } from './app-log.ts'
import type { AppLives } from './apps.ts'
import type { Deployer } from './deployer.ts'
import { desiredApp } from './desired.ts'
import type { LogDrains } from './log-drains.ts'
import type { Routing } from './routing.ts'

/** Milliseconds. */
const fullPassInterval = 600_000
const leftoverInterval = 15_000
/** And what could not be done is tried again after so long, then after twice as long, up to that. */
const firstRetry = 1_000
const retryInterval = 5_000
const repairTimeout = 60_000
/** Apps that are looked at side by side. */
const width = 4

export interface ReconcilerOptions {
  readonly store: Store
  readonly cluster: Cluster
  readonly locks: AppLocks
  readonly deployer: Deployer
  readonly lives: AppLives
  readonly routing: Routing
  /** Apps that something went wrong with: looked at soon, by the process that knows of it. */
  readonly unsettled: Set<AppId>
  readonly logDrains: LogDrains
  readonly appLog: AppLog
  readonly repaired: (count: number) => void
  readonly log: Logger
}

export class Reconciler {
  readonly #options: ReconcilerOptions
  readonly #firstPass = Promise.withResolvers<void>()
  #hasPassed = false

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  /** Resolves when every app was looked at once, by us; never when another replica does it. */
  get firstPass(): Promise<void> {
    return this.#firstPass.promise
  }

  /** Until the signal aborts. Never rejects: what goes wrong is logged and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#reign(signal), this.#settle(signal)])
  }

  async #reign(signal: AbortSignal): Promise<void> {
    const { store, log } = this.#options
    while (!signal.aborted) {
      try {
        await using lock = await store.locks.take('leader', signal)
        await this.#lead(AbortSignal.any([signal, lock.lost]))
      } catch (error) {
        if (signal.aborted) return
        log.error({ error: messageOf(error) }, 'reconciling stopped; it is tried again')
      }
      await delay(retryInterval, undefined, { signal }).catch(() => {})
    }
  }

  async #lead(signal: AbortSignal): Promise<void> {
    // What one of them throws ends the others.
    const failed = new AbortController()
    const term = AbortSignal.any([signal, failed.signal])
    const parts = [this.#passes(term), this.#leftovers(term), this.#drift(term)]
    const results = await Promise.allSettled(
      parts.map(part =>
        part.catch(error => {
          failed.abort(error)
          throw error
        }),
      ),
    )
    const broken = results.find(result => result.status === 'rejected')
    if (broken !== undefined && !signal.aborted) throw broken.reason
  }

  async #passes(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Side by side: a deploy that was left may take its time, and fail, while all other apps wait to run again.
      const apps = await this.#options.store.apps.all()
      await Promise.all([this.#endLeftovers(signal), this.#each(apps, signal, app => this.#repair(app.id, signal))])
      for (const { id } of apps) this.#options.logDrains.renew(id)
      await this.#reportStrangers(signal)
      this.#hasPassed = true
      this.#firstPass.resolve()
      this.#options.log.info('every app was looked at')
      await delay(fullPassInterval, undefined, { signal }).catch(() => {})
    }
  }

  async #leftovers(signal: AbortSignal): Promise<void> {
    let pause = firstRetry
    while (!signal.aborted) {
      await delay(pause, undefined, { signal }).catch(() => {})
      // The database may take a moment to see that whoever had them is gone.
      const isBusy = !signal.aborted && (await this.#endLeftovers(signal))
      pause = isBusy ? Math.min(2 * pause, leftoverInterval) : leftoverInterval
    }
  }

  async #drift(signal: AbortSignal): Promise<void> {
    for await (const id of this.#options.cluster.drift(signal)) await this.#repair(id, signal)
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const { unsettled } = this.#options
    let pause = firstRetry
    while (!signal.aborted) {
      await delay(pause, undefined, { signal }).catch(() => {})
      const some = [...unsettled]
      unsettled.clear()
      await this.#each(some, signal, id => this.#repair(id, signal))
      pause = unsettled.size === 0 ? firstRetry : Math.min(2 * pause, leftoverInterval)
    }
  }

  /** Deploys, creations and removals whose process is gone: it no longer holds the app. True: some could not be ended. */
  async #endLeftovers(signal: AbortSignal): Promise<boolean> {
    const { store, deployer, lives, log } = this.#options
    const [unfinished, apps] = await Promise.all([store.releases.unfinished(), store.apps.all()])
    const deploying = new Set(unfinished.map(release => release.app))
    const leftover = apps.filter(app => app.state !== 'ready' || deploying.has(app.id))
    let isBusy = false
    await this.#each(leftover, signal, async app => {
      const busy = await this.#held(app.id, async hold => {
        const now = await store.apps.find(app.id)
        if (now === null) return
        if (now.state === 'ready') {
          await deployer.endUnfinished(app.id, hold)
          return
        }
        log.warn({ app: app.id, state: now.state }, 'a half-made app is taken away')
        await lives.destroyHeld(now, hold.signal)
      })
      isBusy ||= busy
    })
    return isBusy
  }

  async #repair(id: AppId, signal: AbortSignal): Promise<void> {
    const { store, cluster, routing, appLog, log, repaired, unsettled } = this.#options
    const busy = await this.#held(id, async hold => {
      const desired = await store.transaction(async rows => {
        const now = await rows.apps.find(id)
        if (now?.state !== 'ready') return null
        // A deploy that was left is ended, and not undone before.
        if ((await rows.releases.unfinished()).some(({ app }) => app === id)) return null
        return desiredApp(rows, now, await rows.releases.current(id))
      })
      if (desired === null) return
      const limit = AbortSignal.any([signal, hold.signal, AbortSignal.timeout(repairTimeout)])
      const changes = await cluster.repair(desired, limit)
      await routing.renew(id, desired)
      if (changes.length === 0) return
      repaired(changes.length)
      // What runs on this machine ends with us, and is started again with us.
      log[cluster.kind === 'local' && !this.#hasPassed ? 'info' : 'warn'](
        { app: id, changes },
        'brought back what differed',
      )
      appLog.line(id, `restored: ${changes.join(', ')}`, 'WARNING')
    })
    if (busy) unsettled.add(id)
  }

  /** Nothing is removed that the store does not know: it may be the store that is the wrong one. */
  async #reportStrangers(signal: AbortSignal): Promise<void> {
    const { store, cluster, log } = this.#options
    const [known, there] = await Promise.all([store.apps.all(), cluster.apps(signal)])
    const uuids = new Set(known.map(app => app.uuid))
    for (const { id, uuid } of there)
      if (!uuids.has(uuid)) log.warn({ app: id, uuid }, 'the cluster runs an app that the database does not know')
  }

  /** True when the app is busy, or it failed. */
  async #held(id: AppId, work: (hold: Hold) => Promise<void>): Promise<boolean> {
    const { locks, log } = this.#options
    try {
      await using hold = await locks.tryHold(id)
      if (hold === null) return true
      await work(hold)
      return false
    } catch (error) {
      log.error({ app: id, error: messageOf(error) }, 'an app could not be reconciled; it is tried again')
      return true
    }
  }

  async #each<T>(items: readonly T[], signal: AbortSignal, work: (item: T) => Promise<unknown>): Promise<void> {
    const rest = items.values()
    const worker = async (): Promise<void> => {
      for (const item of rest) if (!signal.aborted) await work(item)
    }
    await Promise.all(Array.from({ length: width }, worker))
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
