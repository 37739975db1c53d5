// The beginning and the end of an app. Its row says `creating` or `deleting` while the cluster works, so that what a
// controller leaves half-made when it dies is found and taken away.

import type { Logger } from '#kit/log.ts'
import { type Cluster, ClusterError } from '../cluster/cluster.ts'
import type { App, AppId } from '../domain/app.ts'
import { appTaken } from '../domain/app-name.ts'
import { noConfig } from '../domain/config.ts'
import { invalid, missing, Refusal } from '../domain/refusal.ts'
import { type Store, TakenError } from '../store/store.ts'
import type { AppLocks } from './app-lock.ts'
import type { AppLog } from './app-log.ts'
import { desiredApp } from './desired.ts'
import type { LeftImages } from './images.ts'
import type { LogDrains } from './log-drains.ts'
import type { Logs } from './logs.ts'
import type { UnderWay } from './under-way.ts'

/** Milliseconds: for a namespace and a Service, and for everything to be gone. */
const createTimeout = 60_000
const destroyTimeout = 300_000

export interface AppsOptions {
  readonly store: Store
  readonly cluster: Cluster
  readonly locks: AppLocks
  readonly appLog: AppLog
  readonly logs: Logs
  readonly logDrains: LogDrains
  readonly leftImages: LeftImages
  readonly log: Logger
  /** Tags of every new app. */
  readonly defaultTags: Readonly<Record<string, string>>
  readonly underWay: UnderWay
  /** Aborts when this process has to end: what is half-made is left for the next one. */
  readonly ending: AbortSignal
}

export class AppLives {
  readonly #options: AppsOptions

  constructor(options: AppsOptions) {
    this.#options = options
  }

  /** Throws `invalid` when the name is taken, what LeftImages throws, ClusterError `taken` for a namespace that is not ours. */
  create(id: AppId, owner: string): Promise<App> {
    return this.#options.underWay.track(this.#create(id, owner))
  }

  async #create(id: AppId, owner: string): Promise<App> {
    const { store, cluster, locks, logs, appLog, logDrains, leftImages, ending } = this.#options
    await using hold = await locks.hold(id, { firm: true })
    const { desired, config } = await this.#insert(id, owner)
    const signal = AbortSignal.any([hold.signal, ending, AbortSignal.timeout(createTimeout)])
    let isInCluster = false
    try {
      await leftImages.remove(id, signal)
      isInCluster = true
      await cluster.create(desired, signal)
      await store.apps.setState(id, 'ready')
    } catch (error) {
      if (ending.aborted) throw new Refusal('unavailable', 'The controller is being restarted; try again.')
      // Whoever holds the app now takes away what is half-made.
      if (hold.signal.aborted) throw new Refusal('unavailable', 'The database was lost; try again.', { cause: error })
      const isOurs = isInCluster && !(error instanceof ClusterError && error.kind === 'taken')
      await this.#undo(desired, isOurs)
      throw error
    }
    const [app, settings] = await Promise.all([store.apps.find(id), store.settings.find(id)])
    if (app === null) throw missing('App')
    // Lines of one that had its name may have come after it was gone: requests, until the router knew.
    await logs.drop(id)
    appLog.line(id, `config ${id}-${config.slice(0, 7)} updated`)
    appLog.line(id, `${owner} created initial release`)
    appLog.line(id, `appsettings ${id}-${settings.uuid.slice(0, 7)} updated`)
    appLog.line(id, `domain ${id} added`)
    // One that had its name may have left a drain behind.
    logDrains.renew(id)
    return app
  }

  async #insert(id: AppId, owner: string) {
    const { store, defaultTags } = this.#options
    try {
      return await store.transaction(async rows => {
        const app = await rows.apps.create({ id, owner, structure: {} })
        const config = await rows.configs.create({ app: id, owner, ...noConfig, tags: defaultTags })
        const summary = `${owner} created initial release`
        await rows.releases.create({
          ...{ app: id, owner, summary, config: config.uuid, build: null, state: 'succeeded' },
        })
        await rows.settings.put({
          ...{ app: id, owner, maintenance: false, routable: true, whitelist: [], autoscale: {}, label: {} },
        })
        await rows.tls.put({ app: id, owner, httpsEnforced: null })
        await rows.domains.create({ app: id, owner, domain: id })
        return { desired: await desiredApp(rows, app, null), config: config.uuid }
      })
    } catch (error) {
      if (!(error instanceof TakenError)) throw error
      if (error.column === 'apps.id') throw invalid('id', appTaken)
      // Somebody's app answers to this very name.
      if (error.column === 'domains.domain') throw invalid('id', 'Domain is already in use by another application')
      throw error
    }
  }

  async #undo(app: Pick<App, 'id' | 'uuid'>, inCluster: boolean): Promise<void> {
    const { cluster, log } = this.#options
    try {
      if (inCluster) await cluster.destroy(app, AbortSignal.timeout(destroyTimeout))
      await this.#delete(app)
    } catch (error) {
      // Its row stays `creating`, and is looked after later.
      log.warn({ app: app.id, error: String(error) }, 'a half-made app could not be taken away yet')
    }
  }

  /** A deploy that is under way ends. Throws ClusterError when not everything is gone; it can be asked for again. */
  destroy(id: AppId): Promise<void> {
    return this.#options.underWay.track(this.#destroy(id))
  }

  async #destroy(id: AppId): Promise<void> {
    const { locks, store } = this.#options
    await using hold = await locks.hold(id, { force: true, firm: true })
    const app = await store.apps.find(id)
    if (app === null) throw missing('App')
    await this.destroyHeld(app, hold.signal)
  }

  /** As `destroy`, for whoever holds the app: also for those left `creating` or `deleting`. */
  async destroyHeld(app: Pick<App, 'id' | 'uuid'>, signal: AbortSignal): Promise<void> {
    const { store, cluster, logs, logDrains, appLog, ending } = this.#options
    await store.apps.setState(app.id, 'deleting')
    await cluster.destroy(app, AbortSignal.any([signal, ending, AbortSignal.timeout(destroyTimeout)]))
    await logs.drop(app.id)
    await this.#delete(app)
    logDrains.renew(app.id)
    appLog.forget(app.id)
  }

  /** This one, and not another of its name that was made when we had lost the lock. */
  async #delete({ id, uuid }: Pick<App, 'id' | 'uuid'>): Promise<void> {
    await this.#options.store.transaction(async rows => {
      const now = await rows.apps.lockRow(id)
      if (now?.uuid === uuid) await rows.apps.delete(id)
    })
  }
}
