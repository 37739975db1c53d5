// What the router is told of an app changes with its rows: both or neither. The rows are written, the cluster is told
// inside the same transaction and while the app's row is locked, so that of two changes the later one is also the one
// that the cluster hears last.

import { isDeepStrictEqual } from 'node:util'
import { isDiskFull } from '#kit/full-disk.ts'
import { Turnstile } from '#kit/turnstile.ts'
import { type Cluster, ClusterError } from '../cluster/cluster.ts'
import type { App, AppId } from '../domain/app.ts'
import type { DesiredApp } from '../domain/desired-app.ts'
import { missing, Refusal } from '../domain/refusal.ts'
import { LocalLocks } from '../store/local-locks.ts'
import type { Repositories, Store } from '../store/store.ts'
import { desiredApp } from './desired.ts'

/** Milliseconds that a transaction may be open for it: less than a database lets others wait for the row. */
const publishTimeout = 10_000
/** Milliseconds to wait for those who change the same app. */
const patience = 30_000
/** Transactions at a time: a cluster that is slow to hear must not take every connection of the database. */
const width = 4

export interface RoutingOptions {
  readonly store: Store
  readonly cluster: Cluster
  /** Apps of which the cluster may have heard what did not come to be: they are repaired soon. */
  readonly unsettled: Set<AppId>
}

export class Routing {
  readonly #options: RoutingOptions
  readonly #turns = new LocalLocks()
  readonly #places = new Turnstile(width)

  constructor(options: RoutingOptions) {
    this.#options = options
  }

  /**
   * `work` changes rows; it may run more than once. What it throws undoes them, and so does a cluster that cannot be
   * told: ClusterError.
   */
  async change<T>(id: AppId, work: (rows: Repositories, app: App) => Promise<T>): Promise<T> {
    return this.#publishing(id, async (rows, publish) => {
      const app = await rows.apps.lockRow(id)
      if (app?.state !== 'ready') throw missing('App')
      const result = await work(rows, app)
      await publish(await desiredApp(rows, app, await rows.releases.current(id)))
      return result
    })
  }

  /**
   * After something slow, which told the cluster of the routing as it was when it began. `told`: what was told; null:
   * it is told again in any case. `work` changes rows along with it.
   */
  async renew(id: AppId, told: DesiredApp | null, work?: (rows: Repositories) => Promise<void>): Promise<void> {
    await this.#publishing(id, async (rows, publish) => {
      const app = await rows.apps.lockRow(id)
      await work?.(rows)
      if (app?.state !== 'ready') return
      const desired = await desiredApp(rows, app, await rows.releases.current(id))
      if (!isDeepStrictEqual(desired.routing, told?.routing)) await publish(desired)
    })
  }

  async #publishing<T>(
    id: AppId,
    work: (rows: Repositories, publish: (app: DesiredApp) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const { store, cluster, unsettled } = this.#options
    const limit = AbortSignal.timeout(patience)
    let began = false
    const publish = (app: DesiredApp): Promise<void> => {
      began = true
      return cluster.publish(app, AbortSignal.timeout(publishTimeout))
    }
    try {
      await using _turn = await this.#turns.take(id, limit)
      await this.#places.enter(limit)
      try {
        return await store.transaction(rows => work(rows, publish))
      } finally {
        this.#places.leave()
      }
    } catch (error) {
      // The rows are as they were; what the cluster heard is not known.
      if (began) unsettled.add(id)
      else if (limit.aborted && error === limit.reason)
        throw new Refusal('unavailable', `Other changes of ${id} take too long`, { cause: error })
      throw error
    }
  }
}

/** Settings and whitelists tell of a cluster that cannot be told with 400 (controller contract, section 1); a full disk stays one. */
export async function illogicalIfUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof ClusterError && !isDiskFull(error.cause))
      throw new Refusal('illogical', error.message, { cause: error })
    throw error
  }
}
