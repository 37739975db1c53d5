// The processes of an app: how many, which, again, and one for a single command.

import type { Logger } from '#kit/log.ts'
import { type Cluster, ClusterError, type Process, type RunResult } from '../cluster/cluster.ts'
import type { AppId } from '../domain/app.ts'
import { missing, Refusal } from '../domain/refusal.ts'
import { mergeStructure, parseScale } from '../domain/structure.ts'
import type { Store } from '../store/store.ts'
import { type AppLocks, Superseded } from './app-lock.ts'
import type { AppLog } from './app-log.ts'
import { desiredApp } from './desired.ts'
import type { Routing } from './routing.ts'
import type { UnderWay } from './under-way.ts'

export interface ProcessesOptions {
  readonly store: Store
  readonly cluster: Cluster
  readonly locks: AppLocks
  readonly appLog: AppLog
  readonly routing: Routing
  readonly underWay: UnderWay
  /** Apps whose processes may be others than the store says: they are repaired soon. */
  readonly unsettled: Set<AppId>
  readonly log: Logger
  /** Aborts when this process has to end. */
  readonly ending: AbortSignal
}

export class Processes {
  readonly #options: ProcessesOptions

  constructor(options: ProcessesOptions) {
    this.#options = options
  }

  /**
   * `wanted`: process types with their numbers, as somebody wrote them. When the cluster cannot bring it about, all is as
   * it was.
   */
  async scale(id: AppId, who: string, wanted: unknown): Promise<void> {
    await this.#options.underWay.track(this.#scale(id, who, wanted))
  }

  async #scale(id: AppId, who: string, wanted: unknown): Promise<void> {
    const { store, cluster, locks, appLog, routing, unsettled, log, ending } = this.#options
    await using hold = await locks.hold(id)
    const change = await store.transaction(async rows => {
      const app = await rows.apps.lockRow(id)
      if (app?.state !== 'ready') throw missing('App')
      // Left by a process that died: what comes of it has its own structure, or brings back the one before.
      if ((await rows.releases.unfinished()).some(({ app }) => app === id)) throw locks.busy(id)
      const release = await rows.releases.current(id)
      const build = release?.build == null ? null : await rows.builds.find(id, release.build)
      const counts = parseScale(wanted, build)
      const structure = mergeStructure(app.structure, counts)
      if (structure === app.structure) return null
      await rows.apps.setStructure(id, structure)
      const before = await desiredApp(rows, app, release)
      return { before, after: { ...before, structure }, counts }
    })
    if (change === null) return
    const words = Object.entries(change.counts)
      .map(([type, count]) => `${type}=${count}`)
      .join(' ')
    appLog.line(id, `${who} scaled pods ${words}`)
    appLog.audit({ who, what: 'app.scale', app: id, details: { structure: words } })
    const onProgress = (): void => {}
    try {
      await cluster.scale(change.after, { signal: AbortSignal.any([hold.signal, ending]), onProgress })
      await routing.renew(id, change.after)
    } catch (error) {
      unsettled.add(id)
      // The rows stay as they were asked for, and whoever starts next, or has the app now, sees to it.
      if (ending.aborted)
        throw new Refusal('unavailable', 'The controller is being restarted; the scaling goes on then.')
      const superseded = hold.signal.reason instanceof Superseded
      if (hold.signal.aborted && !superseded)
        throw new Refusal('unavailable', 'The database was lost; the scaling goes on when it is back.', {
          cause: error,
        })
      await store.apps.setStructure(id, change.before.structure)
      if (superseded) throw new Refusal('conflict', `(scale): ${hold.signal.reason.message}`)
      const signal = AbortSignal.any([hold.signal, ending, AbortSignal.timeout(undoTimeout)])
      await cluster.scale(change.before, { signal, onProgress }).catch(failure => {
        log.warn({ app: id, error: String(failure) }, 'the former number of processes is not reached yet')
      })
      throw error instanceof ClusterError ? new Refusal('unavailable', `(scale): ${error.message}`) : error
    }
  }

  /** Those that a user is shown: of the current release, neither gone nor going. */
  async list(id: AppId, type: string | null, name: string | null, signal: AbortSignal): Promise<readonly Process[]> {
    const { store, cluster } = this.#options
    const [current, all] = await Promise.all([store.releases.current(id), cluster.processes(id, signal)])
    return all.filter(
      process =>
        process.version === current?.version &&
        (type === null || process.type === type) &&
        (name === null || process.name === name || process.name === `${id}-${name}`) &&
        !hidden.has(process.state),
    )
  }

  /**
   * Restarts all, those of a type, or one. A name decides whatever type it comes with, and when no process has it, it may
   * be a type: clients cut types out of names (controller contract, section 5, "Trap").
   */
  async restart(id: AppId, type: string | null, name: string | null, who: string): Promise<readonly Process[]> {
    const { cluster, appLog } = this.#options
    const signal = AbortSignal.timeout(restartTimeout)
    const all = await this.list(id, null, null, signal)
    const chosen =
      name === null
        ? all.filter(process => type === null || process.type === type)
        : (nonEmpty(all.filter(process => process.name === name || process.name === `${id}-${name}`)) ??
          all.filter(process => process.type === name))
    if (chosen.length === 0) return []
    const names = chosen.map(process => process.name)
    appLog.line(id, `${who} restarted ${names.join(' ')}`)
    appLog.audit({ who, what: 'app.restart', app: id, details: { processes: names } })
    return cluster.restart(id, names, signal)
  }

  /** Holds the caller until the command has ended: 20 minutes at most. */
  async run(id: AppId, command: string, who: string): Promise<RunResult> {
    const { store, cluster, appLog } = this.#options
    const desired = await store.transaction(async rows => {
      const app = await rows.apps.find(id)
      if (app?.state !== 'ready') throw missing('App')
      return desiredApp(rows, app, await rows.releases.current(id))
    })
    if (desired.release === null)
      throw new Refusal('illogical', 'No build associated with this release to run this command')
    appLog.line(id, `${who} runs '${command}'`)
    appLog.audit({ who, what: 'app.run', app: id, release: desired.release.version })
    return cluster.run(desired, command, AbortSignal.timeout(runTimeout))
  }
}

/** Milliseconds, a little more than the cluster's own limits: those tell better what went wrong. */
const restartTimeout = 330_000
const runTimeout = 1_230_000
const undoTimeout = 30_000

const hidden: ReadonlySet<string> = new Set(['down', 'crashed', 'destroyed'])

function nonEmpty<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list
}
