// A cluster of one machine: processes of apps are child processes of ours, and the router reads of them in a directory
// of manifests, where it finds what it would find on Kubernetes. Limits of CPU and autoscaling mean nothing here, and
// limits of memory need /proc.
//
// On disk, in the state directory: which apps are ours; which processes run, so that a controller that was killed leaves
// none behind for long (see journal.ts); and what they write (see own-files.ts). Which release of an app should run is the store's to know: after a start
// nothing runs until `repair` or `deploy` says so, and until then the router knows of no endpoints.

import { existsSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { BackoffRange } from '#kit/backoff.ts'
import { claimState } from '#kit/children/claim.ts'
import { Journal } from '#kit/children/journal.ts'
import { MemoryGuard } from '#kit/children/memory-guard.ts'
import { type Clock, systemClock } from '#kit/clock.ts'
import type { AppId } from '../../domain/app.ts'
import type { DesiredApp, DesiredRelease } from '../../domain/desired-app.ts'
import { own } from '../../domain/json-map.ts'
import { largestDelay } from '../../domain/probes.ts'
import { routedTypeOf } from '../../domain/structure.ts'
import { type Cluster, ClusterError, type DeployOptions, type Process, type RunResult } from '../cluster.ts'
import { duration, parseDuration } from './duration.ts'
import { directoryImages, type ImageDirectory, type Images } from './images.ts'
import { type Change, LocalApp } from './local-app.ts'
import { ManifestDirectory } from './manifest-directory.ts'
import { Marks } from './marks.ts'
import { runOnce } from './one-off.ts'
import { OwnFiles } from './own-files.ts'
import { Ports } from './ports.ts'
import type { Logs, ProcessHost, ProcessSpec } from './process.ts'
import type { Wanted } from './rollout.ts'
import { type SpecOptions, specOf } from './specs.ts'

/** Milliseconds, all of them. */
export interface LocalTimes {
  /** How long a process may take to end, unless its config says otherwise. */
  readonly grace: number
  /** How long a batch of processes may take to be up, unless the config says otherwise. */
  readonly deploy: number
  /** How long the router may take to hear that traffic turns, before the old processes are told to end. */
  readonly handover: number
  /** How long a process without a readiness probe has to live to count as up. */
  readonly settle: number
  /** After living so long, the end of a process is not held against it. */
  readonly stable: number
  /** Between the ends of a process and its next start. */
  readonly backoff: BackoffRange
  readonly restart: number
  /** Of one-off commands. */
  readonly run: number
  /** Between two looks at how much memory processes hold. */
  readonly memory: number
  /** How long what a killed controller left behind may take to end. */
  readonly leftOvers: number
}

const minutes = 60_000
const standardTimes: LocalTimes = {
  grace: 30_000,
  deploy: 2 * minutes,
  handover: 1_000,
  settle: 1_000,
  stable: 30_000,
  backoff: { base: 1_000, cap: 60_000 },
  restart: 5 * minutes,
  run: 20 * minutes,
  memory: 2_000,
  leftOvers: 5_000,
}

/** Processes of one app, without those that are ending. */
const maxProcesses = 100
/** With them: deploys can be faster than processes end. */
const maxWithEnding = 3 * maxProcesses
const maxRuns = 20
/** Processes that start at the same time, unless the config says otherwise. */
const standardBatch = 10

export interface LocalOptions {
  /** Where we keep what we have to remember. */
  readonly state: string
  /** The router's manifest directory. */
  readonly manifests: string
  readonly logs: Logs
  /** The router could not be told of a change that nobody waits for. */
  readonly onFault: (error: Error) => void
  readonly images?: Images
  /** Of this machine, as its one node. */
  readonly labels?: Readonly<Record<string, string>>
  readonly times?: Partial<LocalTimes>
  readonly clock?: Clock
}

export class LocalCluster implements Cluster {
  readonly kind = 'local'
  /** What a killed controller left running, and was ended at our start: names of processes. */
  readonly leftOvers: readonly string[]
  readonly #state: string
  readonly #images: Images
  readonly #labels: Readonly<Record<string, string>>
  readonly #times: LocalTimes
  readonly #onFault: (error: Error) => void
  readonly #host: ProcessHost
  readonly #manifests: ManifestDirectory
  readonly #marks: Marks
  readonly #claim: Disposable
  readonly #apps = new Map<AppId, LocalApp>()
  readonly #runs = new Map<AppId, Set<Promise<unknown>>>()
  /** Of one-off commands. */
  readonly #running = new Set<ProcessSpec>()
  readonly #closing = new AbortController()

  /** Throws StartupError 69 while another controller has the state directory; else what the file system says. */
  static async open(given: LocalOptions): Promise<LocalCluster> {
    // Processes of apps work elsewhere, and are told of a directory in there.
    const options = { ...given, state: resolve(given.state), manifests: resolve(given.manifests) }
    const claim = claimState(options.state, 'controller')
    try {
      const times = { ...standardTimes, ...options.times }
      const journal = new Journal(join(options.state, 'processes'))
      const leftOvers = await journal.clear(times.leftOvers)
      // Now that nobody runs there.
      const files = await OwnFiles.open(join(options.state, 'files'))
      return new LocalCluster(options, times, { journal, files }, claim, leftOvers)
    } catch (error) {
      claim[Symbol.dispose]()
      throw error
    }
  }

  private constructor(
    options: LocalOptions,
    times: LocalTimes,
    { journal, files }: Pick<ProcessHost, 'journal' | 'files'>,
    claim: Disposable,
    leftOvers: readonly string[],
  ) {
    const { settle, stable, backoff } = times
    this.leftOvers = leftOvers
    this.#state = options.state
    this.#images = options.images ?? directoryImages
    this.#labels = options.labels ?? {}
    this.#times = times
    this.#onFault = options.onFault
    this.#claim = claim
    this.#marks = new Marks(join(options.state, 'apps'))
    this.#manifests = new ManifestDirectory(options.manifests)
    this.#manifests.clean()
    const memory = new MemoryGuard(times.memory)
    const clock = options.clock ?? systemClock
    this.#host = { journal, files, ports: new Ports(), memory, logs: options.logs, clock, settle, stable, backoff }
    // Nobody listens there any more, or somebody else does.
    for (const { id } of this.#marks.all()) this.#manifests.remove(id, 'endpoints')
  }

  async check(): Promise<void> {
    for (const directory of [this.#state, this.#manifests.directory])
      await access(directory, constants.W_OK).catch((error: Error) => {
        throw new ClusterError('unreachable', `${directory} cannot be written: ${error.message}`, { cause: error })
      })
  }

  async create(app: DesiredApp): Promise<void> {
    this.#publish(app)
  }

  async publish(app: DesiredApp): Promise<void> {
    this.#publish(app)
  }

  async deploy(app: DesiredApp, options: DeployOptions): Promise<void> {
    const local = this.#publish(app)
    const { release } = app
    if (release === null) return
    const wanted = await this.#wanted(app, release)
    await local.rollOut(wanted, this.#change(app, release, options))
    this.#images.sweep(this.#directories()).catch(this.#onFault)
  }

  async repair(app: DesiredApp): Promise<readonly string[]> {
    const { words, local } = this.#route(app)
    // Nothing of it is to run; a first deploy that failed late may have left something.
    if (app.release === null) {
      const { deploy: timeout, handover } = this.#times
      const nothing = { routed: null, batch: standardBatch, timeout, handover, onProgress: () => {} }
      return local.processes.staying().length === 0 ? words : [...words, ...local.bringBack([], nothing)]
    }
    const wanted = await this.#wanted(app, app.release)
    const change = this.#change(app, app.release, { onProgress: () => {} })
    return [...words, ...local.bringBack(wanted, change)]
  }

  /** As `deploy` does: what runs already and is as it should be stays. */
  async scale(app: DesiredApp, options: DeployOptions): Promise<void> {
    await this.deploy(app, options)
  }

  async processes(app: AppId): Promise<readonly Process[]> {
    return this.#apps.get(app)?.list() ?? []
  }

  async restart(app: AppId, names: readonly string[], signal: AbortSignal): Promise<readonly Process[]> {
    const local = this.#apps.get(app)
    if (local === undefined) return []
    this.#refuseTooMany(local, names.length)
    const { restart: timeout, handover } = this.#times
    const change = { signal, timeout, handover, batch: standardBatch, onProgress: () => {} }
    const fresh = await local.replace(names, change)
    return local.list().filter(({ name }) => fresh.some(process => process.name === name))
  }

  async run(app: DesiredApp, command: string, signal: AbortSignal): Promise<RunResult> {
    const { release } = app
    if (release === null) throw new ClusterError('failed', 'there is nothing built that could run')
    const { gone } = this.#claimed(app)
    const runs = this.#runs.get(app.id) ?? new Set()
    if (runs.size >= maxRuns)
      throw new ClusterError('failed', `${maxRuns} commands of ${app.id} run already, more are not possible at a time`)
    this.#runs.set(app.id, runs)
    const running = this.#run(app, release, command, AbortSignal.any([signal, gone]))
    runs.add(running)
    try {
      return await running
    } finally {
      runs.delete(running)
    }
  }

  async destroy({ id, uuid }: Pick<DesiredApp, 'id' | 'uuid'>): Promise<void> {
    if (this.#marks.uuidOf(id) !== uuid) return
    const local = this.#claimed({ id, uuid })
    await this.#end(local, new ClusterError('failed', `${id} was destroyed`), true)
    // Last: whoever is interrupted before finds it, and does it again.
    this.#marks.remove(id)
  }

  async apps(): Promise<readonly Pick<DesiredApp, 'id' | 'uuid'>[]> {
    return this.#marks.all()
  }

  async nodes(tags: Readonly<Record<string, string>>): Promise<number> {
    return Object.entries(tags).every(([name, value]) => own(this.#labels, name) === value) ? 1 : 0
  }

  async *drift(signal: AbortSignal): AsyncIterable<AppId> {
    const over = AbortSignal.any([signal, this.#closing.signal])
    const drifted = new Set<AppId>()
    let wake = (): void => {}
    const hear = (app: AppId): void => {
      drifted.add(app)
      wake()
    }
    over.addEventListener('abort', () => wake(), { once: true })
    using _listening = await this.#manifests.listen(hear)
    while (!over.aborted) {
      const [app] = drifted
      if (app === undefined) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
        continue
      }
      drifted.delete(app)
      yield app
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    const reason = new ClusterError('unreachable', 'the controller is ending')
    this.#closing.abort(reason)
    await Promise.all([...this.#apps.values()].map(local => this.#end(local, reason, false)))
    await this.#images.close()
    await this.#manifests[Symbol.asyncDispose]()
    this.#host.memory[Symbol.dispose]()
    this.#claim[Symbol.dispose]()
  }

  async #run(app: DesiredApp, release: DesiredRelease, command: string, signal: AbortSignal): Promise<RunResult> {
    const image = await this.#images.unpack(release.build.image)
    const build = { ...release.build, procfile: { run: command } }
    const spec = specOf(app, { ...release, build }, 'run', this.#specOptions(image))
    this.#running.add(spec)
    try {
      return await runOnce(spec, this.#host, this.#times.run, signal)
    } finally {
      this.#running.delete(spec)
    }
  }

  /** Those that something runs in, or in a copy of. */
  #directories(): ReadonlySet<string> {
    const processes = [...this.#apps.values()].flatMap(local => local.processes.all().map(({ spec }) => spec))
    return new Set([...processes, ...this.#running].map(({ directory }) => directory))
  }

  async #end(local: LocalApp, reason: Error, forget: boolean): Promise<void> {
    const runs = [...(this.#runs.get(local.id) ?? [])]
    const handover = forget ? this.#times.handover : 0
    await Promise.all([local.end(reason, forget, handover), Promise.allSettled(runs)])
    this.#apps.delete(local.id)
    this.#runs.delete(local.id)
  }

  #publish(app: DesiredApp): LocalApp {
    return this.#route(app).local
  }

  #route(app: DesiredApp): { readonly local: LocalApp; readonly words: readonly string[] } {
    const local = this.#claimed(app)
    return { local, words: local.route(app.routing, app.release?.port ?? null) }
  }

  /** Ours, or made ours. Throws ClusterError `taken`. */
  #claimed({ id, uuid }: Pick<DesiredApp, 'id' | 'uuid'>): LocalApp {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason
    const mark = this.#marks.uuidOf(id)
    if (mark === null ? !this.#manifests.isFree(id, uuid) : mark !== uuid)
      throw new ClusterError('taken', `${id} exists already, and is another one's`)
    if (mark === null) this.#marks.set({ id, uuid })
    const known = this.#apps.get(id)
    if (known !== undefined) return known
    const local = new LocalApp({ id, uuid }, this.#host, this.#manifests, this.#onFault)
    this.#apps.set(id, local)
    return local
  }

  async #wanted(app: DesiredApp, release: DesiredRelease): Promise<readonly Wanted[]> {
    const types = Object.entries(app.structure).filter(([, count]) => count > 0)
    if (types.length === 0) return []
    const total = types.reduce((sum, [, count]) => sum + count, 0)
    this.#refuseTooMany(this.#claimed(app), total)
    if ((await this.nodes(release.config.tags)) === 0)
      throw new ClusterError('failed', `No nodes matched the provided labels: ${labelsOf(release.config.tags)}`)
    const image = await this.#images.unpack(release.build.image)
    const options = this.#specOptions(image)
    return types.map(([type, count]) => ({ spec: specOf(app, release, type, options), count }))
  }

  #refuseTooMany(local: LocalApp, total: number): void {
    if (total > maxProcesses)
      throw new ClusterError('failed', `an app has ${maxProcesses} processes at most on this machine, not ${total}`)
    if (local.processes.all().length + total > maxWithEnding)
      throw new ClusterError('failed', 'too many processes of former releases are still ending; try again later')
  }

  #specOptions({ directory, root, environment }: ImageDirectory): SpecOptions {
    return {
      directory,
      root,
      environment,
      hasProfile: existsSync(join(directory, '.profile.d')),
      shell: existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh',
      path: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
      language: process.env.LANG ?? 'C.UTF-8',
      grace: this.#times.grace,
    }
  }

  #change<Given>(
    { structure }: DesiredApp,
    { config }: DesiredRelease,
    given: Given,
  ): Given & Omit<Change, 'signal' | 'onProgress'> {
    const batch = Number(own(config.values, 'DEIS_DEPLOY_BATCHES') ?? standardBatch)
    const delays = Object.values(config.healthcheck).map(largestDelay)
    const timeout = parseDuration(own(config.values, 'DEIS_DEPLOY_TIMEOUT'), this.#times.deploy)
    return {
      ...given,
      routed: routedTypeOf(structure),
      batch: Number.isInteger(batch) && batch > 0 ? batch : standardBatch,
      timeout: duration((timeout + 1_000 * Math.max(0, ...delays)) / 1_000),
      handover: this.#times.handover,
    }
  }
}

function labelsOf(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')
}
