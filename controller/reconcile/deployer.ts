// From a release to processes that run it:
//
//   hold the app ─▶ one transaction: build, config, release `deploying` ─▶ cluster ─▶ `succeeded`, routing once more
//                                                                            └─ failed ─▶ `failed`, the release before again
//
// The row `deploying` is written before the cluster is asked for anything and leaves that state after it has answered. A
// controller that dies in between leaves it behind, and whoever finds it (Reconciler) ends what was begun.

import type { Logger } from '#kit/log.ts'
import { type Cluster, ClusterError } from '../cluster/cluster.ts'
import type { App, AppId, Build, Release, Structure } from '../domain/app.ts'
import type { DesiredApp } from '../domain/desired-app.ts'
import { withoutTypes } from '../domain/procfile.ts'
import { missing, Refusal } from '../domain/refusal.ts'
import { structureOfBuild } from '../domain/structure.ts'
import type { Repositories, Store } from '../store/store.ts'
import type { AppLocks, Hold } from './app-lock.ts'
import { Superseded } from './app-lock.ts'
import type { AppLog } from './app-log.ts'
import type { DeployHooks } from './deploy-hooks.ts'
import { desiredApp } from './desired.ts'
import type { Routing } from './routing.ts'
import type { UnderWay } from './under-way.ts'

/** What a release is to be made of, decided in a transaction that sees the app as it is. */
export interface Draft {
  readonly owner: string
  readonly summary: string
  /** If the deploy fails. */
  readonly failedSummary: string
  /** UUID. */
  readonly config: string
  readonly build: Build | null
  /** Process types that are no more. */
  readonly gone?: readonly string[]
  /** Called once, when it is certain that the release is made. */
  readonly onMade?: (version: number) => void
}

export interface DeployOutcomes {
  deployBegan(): void
  deployEnded(outcome: 'succeeded' | 'failed' | 'recovered', milliseconds: number): void
}

export interface DeployerOptions {
  readonly store: Store
  readonly cluster: Cluster
  readonly locks: AppLocks
  readonly appLog: AppLog
  readonly hooks: DeployHooks
  readonly routing: Routing
  /** Called when a release has come about, or has failed: what is current may be another. */
  readonly released: (app: AppId) => void
  readonly underWay: UnderWay
  /** Apps of which the cluster may run something else than the store says: they are repaired soon. */
  readonly unsettled: Set<AppId>
  readonly outcomes: DeployOutcomes
  readonly log: Logger
  /** Aborts when this process has to end: deploys under way are left for the next one. */
  readonly ending: AbortSignal
}

export class Deployer {
  readonly #options: DeployerOptions

  constructor(options: DeployerOptions) {
    this.#options = options
  }

  /**
   * Makes a release from a draft, and deploys it if there is a build. Throws what `draft` throws, a `conflict` Refusal
   * when the app is busy, and an `illogical` one with the cause when the deploy failed. `force`: another deploy makes way.
   */
  async release(
    id: AppId,
    draft: (rows: Repositories, app: App, current: Release | null) => Promise<Draft>,
    options: { readonly force?: boolean } = {},
  ): Promise<Release> {
    return this.#options.underWay.track(this.#release(id, draft, options).finally(() => this.#options.released(id)))
  }

  async #release(
    id: AppId,
    draft: (rows: Repositories, app: App, current: Release | null) => Promise<Draft>,
    options: { readonly force?: boolean },
  ): Promise<Release> {
    const { store, locks, unsettled } = this.#options
    // A deploy must not make way for what is refused then.
    if (options.force) await this.#rehearse(id, draft)
    await using hold = await locks.hold(id, options)
    if (options.force) await this.#failUnfinished(id)
    else await this.#endUnfinished(id, hold)
    const making = store.transaction(async rows => {
      const app = await rows.apps.lockRow(id)
      if (app?.state !== 'ready') throw missing('App')
      const current = await rows.releases.current(id)
      const drafted = await draft(rows, app, current)
      const { owner, summary, config, build } = drafted
      const state = build === null ? 'succeeded' : 'deploying'
      const release = await rows.releases.create({
        ...{ app: id, owner, summary, config, state },
        build: build?.uuid ?? null,
        ...(build === null ? {} : { formerStructure: app.structure }),
      })
      if (build === null) return { release, drafted, desired: null, former: app.structure }
      const before = current?.build == null ? null : await rows.builds.find(id, current.build)
      const left = withoutTypes(app.structure, drafted.gone ?? [])
      const structure = structureOfBuild(left, build, before)
      await rows.apps.setStructure(id, structure)
      const desired = await desiredApp(rows, { ...app, structure }, release)
      return { release, drafted, desired, former: app.structure }
    })
    const { release, drafted, desired, former } = await making.catch(error => {
      // Whoever made way for it has left the cluster as it was in that moment.
      if (options.force) unsettled.add(id)
      throw error
    })
    drafted.onMade?.(release.version)
    this.#announce(release, desired)
    if (desired === null) return release
    // Waited for, and not only returned: the app is given back when this ends.
    return await this.#deploy(release, desired, {
      hold,
      failedSummary: drafted.failedSummary,
      structureIfFailed: former,
      outcome: 'succeeded',
    })
  }

  /**
   * Ends what a process that died has begun: deploys that release once more, or fails it. For whoever holds the app.
   * Returns whether there was something to end.
   */
  async endUnfinished(id: AppId, hold: Hold): Promise<boolean> {
    return this.#options.underWay.track(this.#endUnfinished(id, hold).finally(() => this.#options.released(id)))
  }

  /** What `draft` refuses it refuses here, and nothing is made. */
  async #rehearse(
    id: AppId,
    draft: (rows: Repositories, app: App, current: Release | null) => Promise<Draft>,
  ): Promise<void> {
    const undone = new Error('rehearsed')
    const rehearsal = this.#options.store.transaction(async rows => {
      const app = await rows.apps.find(id)
      if (app?.state !== 'ready') throw missing('App')
      await draft(rows, app, await rows.releases.current(id))
      throw undone
    })
    await rehearsal.catch(error => {
      if (error !== undone) throw error
    })
  }

  /** Of a process that died, when something else is to run instead. */
  async #failUnfinished(id: AppId): Promise<void> {
    await this.#options.store.transaction(async rows => {
      const app = await rows.apps.lockRow(id)
      const unfinished = (await rows.releases.unfinished()).filter(release => release.app === id)
      if (app === null || unfinished.length === 0) return
      for (const release of unfinished)
        await rows.releases.finish(release.uuid, 'failed', `${release.summary} which failed`)
      // Should there be several, the first of them knows how it was before all.
      const former = unfinished[0]?.formerStructure
      if (former != null) await rows.apps.setStructure(id, former)
    })
  }

  async #endUnfinished(id: AppId, hold: Hold): Promise<boolean> {
    const { store, log } = this.#options
    const unfinished = (await store.releases.unfinished()).filter(({ app }) => app === id)
    for (const release of unfinished) {
      const { desired, former, formerDesired } = await store.transaction(async rows => {
        const app = await rows.apps.lockRow(id)
        if (app === null) throw missing('App')
        const current = await rows.releases.current(id)
        const former = release.formerStructure ?? app.structure
        const desired = await desiredApp(rows, app, release)
        return { desired, former, formerDesired: await desiredApp(rows, { ...app, structure: former }, current) }
      })
      log.warn({ app: id, release: release.version }, 'a deploy was left half-way; it is ended now')
      await this.#keepUp(formerDesired, hold)
      await this.#deploy(release, desired, {
        hold,
        failedSummary: `${release.summary} which failed`,
        structureIfFailed: former,
        outcome: 'recovered',
      }).catch(error => {
        if (!(error instanceof Refusal)) throw error
      })
    }
    return unfinished.length > 0
  }

  /** Where the processes ended with the one that died, the release before answers until the new one does. */
  async #keepUp(former: DesiredApp, hold: Hold): Promise<void> {
    const { cluster, log, ending } = this.#options
    if (former.release === null) return
    const signal = AbortSignal.any([hold.signal, ending])
    try {
      if ((await cluster.processes(former.id, signal)).length === 0) await cluster.repair(former, signal)
    } catch (error) {
      log.warn({ app: former.id, error: String(error) }, 'the release before could not be started')
    }
  }

  async #deploy(
    release: Release,
    desired: DesiredApp,
    options: {
      readonly hold: Hold
      readonly failedSummary: string
      readonly structureIfFailed: Structure
      readonly outcome: 'succeeded' | 'recovered'
    },
  ): Promise<Release> {
    const { cluster, routing, appLog, outcomes, unsettled, log, ending } = this.#options
    const { app, version } = release
    const signal = AbortSignal.any([options.hold.signal, ending])
    const onProgress = (message: string): void => appLog.progress(app, version, message)
    const began = performance.now()
    outcomes.deployBegan()
    let ended: 'succeeded' | 'failed' | 'recovered' = 'failed'
    let isUp = false
    appLog.deployed(app, version, 'started', release.summary)
    try {
      await cluster.deploy(desired, { signal, onProgress })
      isUp = true
      // Domains and settings may have changed while it came up.
      await routing.renew(app, null, rows => rows.releases.finish(release.uuid, 'succeeded'))
      ended = options.outcome
      appLog.deployed(app, version, 'succeeded', release.summary)
      return { ...release, state: 'succeeded' }
    } catch (error) {
      // Nobody is left who could say how it ended: the next process does.
      if (ending.aborted)
        throw new Refusal('unavailable', 'The controller is being restarted; the deploy goes on then.')
      unsettled.add(app)
      if (options.hold.signal.aborted && !(options.hold.signal.reason instanceof Superseded))
        throw new Refusal('unavailable', 'The database was lost; the deploy goes on when it is back.', { cause: error })
      // Processes are there, and only the rows do not say so: whoever finds them ends it.
      if (isUp && !(error instanceof ClusterError || error instanceof Refusal)) throw error
      const cause = causeOf(error)
      if (cause === null) log.error({ app, release: version, error: stackOf(error) }, 'a deploy broke')
      throw await this.#failed(release, cause ?? 'the controller has a fault, see its log', options)
    } finally {
      outcomes.deployEnded(ended, performance.now() - began)
    }
  }

  /** The refusal that tells of it, once the release before runs again. */
  async #failed(
    release: Release,
    cause: string,
    options: { readonly hold: Hold; readonly failedSummary: string; readonly structureIfFailed: Structure },
  ): Promise<Refusal> {
    const { store, cluster, routing, appLog, log, unsettled, ending } = this.#options
    const { app, version } = release
    const former = await store.transaction(async rows => {
      const row = await rows.apps.lockRow(app)
      const last = await rows.releases.current(app)
      await rows.releases.finish(release.uuid, 'failed', options.failedSummary)
      await rows.apps.setStructure(app, options.structureIfFailed)
      if (row === null) return null
      const desired = await desiredApp(rows, { ...row, structure: options.structureIfFailed }, last)
      return { version: last?.version ?? 0, desired }
    })
    appLog.deployed(app, version, 'failed', cause)
    if (former?.desired.release == null) {
      // What there is of it goes as what is left over.
      unsettled.add(app)
      return new Refusal('illogical', `(app::deploy): ${cause}`)
    }
    const rolledBack = `There was a problem deploying v${version}. Rolling back process types to release v${former.version}.`
    appLog.line(app, rolledBack, 'ERROR')
    const signal = AbortSignal.any([options.hold.signal, ending])
    // Who takes our place deploys something of its own.
    if (!signal.aborted)
      try {
        await cluster.deploy(former.desired, {
          signal,
          onProgress: message => appLog.progress(app, former.version, message),
        })
        await routing.renew(app, former.desired)
        unsettled.delete(app)
      } catch (error) {
        log.error({ app, release: former.version, error: String(error) }, 'the rollback failed as well')
      }
    return new Refusal('illogical', `(app::deploy): ${rolledBack}\n${cause}`)
  }

  #announce(release: Release, desired: DesiredApp | null): void {
    const { appLog, hooks } = this.#options
    appLog.line(release.app, release.summary)
    hooks.send(release, desired?.release?.build.sha ?? '')
  }
}

/** What the user is told; null: it is a fault of ours. */
function causeOf(error: unknown): string | null {
  if (error instanceof ClusterError) return error.message
  return error instanceof Superseded ? error.message : null
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
