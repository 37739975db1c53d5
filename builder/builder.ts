// The builder as one thing that starts and stops: SSH, git, builds. A main program runs it as a process, the standalone mode
// in its own.
//
// Its end: no connection and no command is taken any more, pushes under way may go on for `drainTimeout`; then builds are
// ended, their refs stay where they are, and the same commits can be pushed again.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { exitCode, StartupError } from '#kit/exit.ts'
import { isDiskFull } from '#kit/full-disk.ts'
import type { Logger } from '#kit/log.ts'
import { makeDirectory } from '#kit/make-directory.ts'
import { removeTree } from '#kit/remove-tree.ts'
import { AppLocks } from './app-locks.ts'
import type { BuildStrategy } from './build/strategy.ts'
import { BuildQueue } from './build-queue.ts'
import { Cleaner } from './cleaner.ts'
import type { BuilderConfig } from './config.ts'
import { ControllerClient } from './controller-client.ts'
import { git } from './git/git.ts'
import { HookServer } from './git/hook-server.ts'
import { Repositories } from './git/repositories.ts'
import { type RepositoryStore, SavedRepositories } from './git/saved-repositories.ts'
import { GitService } from './git-service.ts'
import { HealthServer } from './health-server.ts'
import { Metrics } from './metrics.ts'
import { Pushes } from './push.ts'
import { hostKeys } from './ssh/host-keys.ts'
import { type Identity, SshServer } from './ssh/server.ts'

export interface BuilderOptions {
  readonly log: Logger
  /** Not closed with the builder: others may use it as well. */
  readonly store: RepositoryStore
  /** Closed when the builder ends. */
  readonly strategy: BuildStrategy
}

export class Builder {
  readonly #config: BuilderConfig
  readonly #options: BuilderOptions
  readonly #controller: ControllerClient
  readonly #queue: BuildQueue
  readonly #metrics: Metrics
  readonly #health: HealthServer
  /** No more work. */
  readonly #closing = new AbortController()
  /** What is still under way is given up. */
  readonly #ending = new AbortController()
  #hooks: HookServer | null = null
  #service: GitService | null = null
  #ssh: SshServer | null = null
  #cleaning: Promise<void> = Promise.resolve()
  #port = 0
  #healthPort = 0

  private constructor(config: BuilderConfig, options: BuilderOptions) {
    this.#config = config
    this.#options = options
    const { controller: url, builderKey: key, deployTimeout } = config
    this.#controller = new ControllerClient({ url, key, deployTimeout })
    this.#queue = new BuildQueue(config.builds, config.waitingBuilds)
    this.#metrics = new Metrics({
      connections: () => this.#ssh?.connections ?? 0,
      building: () => this.#queue.running,
      waiting: () => this.#queue.waiting,
    })
    const probes = {
      '/healthz': (signal: AbortSignal) => this.#healthy(signal),
      '/readiness': (signal: AbortSignal) => this.#ready(signal),
    }
    this.#health = new HealthServer(probes, this.#metrics)
  }

  /** Takes over the strategy, also when it throws: StartupError. */
  static async start(config: BuilderConfig, options: BuilderOptions): Promise<Builder> {
    const builder = new Builder(config, options)
    try {
      await builder.#start()
      return builder
    } catch (error) {
      await builder.stop(0)
      throw error
    }
  }

  get port(): number {
    return this.#port
  }

  get healthPort(): number {
    return this.#healthPort
  }

  /** Commands under way. */
  get underWay(): number {
    return this.#service?.underWay ?? 0
  }

  async #start(): Promise<void> {
    const { log, store, strategy } = this.#options
    const { work, address, port, healthPort, lockTimeout } = this.#config
    const metrics = this.#metrics
    const controller = this.#controller
    const keys = await hostKeys(this.#config.hostKeys)
    const sources = join(work, 'sources')
    try {
      makeDirectory(work, 0o700)
      await removeTree(sources)
      await mkdir(sources, { mode: 0o700 })
    } catch (error) {
      throw new StartupError(exitCode.unavailable, `the working directory cannot be used: ${(error as Error).message}`)
    }
    await git(['--version'], { cwd: work }).catch(error => {
      throw new StartupError(exitCode.unavailable, `the program git is needed: ${(error as Error).message}`)
    })
    const ending = this.#ending.signal
    const saved = new SavedRepositories(store)
    const repositories = await Repositories.open(join(work, 'repositories'), saved, ending)
    const hooks = await HookServer.start()
    this.#hooks = hooks
    const locks = new AppLocks(lockTimeout)
    const identify = async (fingerprint: string): Promise<Identity | null> => {
      const owner = await controller.owner(fingerprint)
      if (owner === null) return null
      const { username, uuids = {} } = owner
      return { username, apps: new Map(owner.apps.map(app => [app, uuids[app] ?? null])) }
    }
    const { queue, buildTimeout, tick } = { ...this.#config, queue: this.#queue }
    const pushes = new Pushes(
      {
        ...{ controller, strategy, queue, sources, buildTimeout, tick, log },
        limits: this.#config.source,
        ended: (outcome, milliseconds) => metrics.pushEnded(outcome, milliseconds),
      },
      ending,
    )
    const service = new GitService(
      {
        ...{ locks, repositories, hooks, pushes, identify, strategy, log },
        limits: this.#config.git,
        served: what => metrics.command(what),
      },
      ending,
    )
    this.#service = service
    this.#ssh = new SshServer({
      hostKeys: keys,
      proxyProtocol: this.#config.proxyProtocol,
      limits: this.#config.ssh,
      log,
      identify,
      serve: call => service.serve(call),
      refused: why => metrics.refused(why),
    })
    this.#port = await this.#ssh.listen(address, port)
    this.#healthPort = await this.#health.listen(address, healthPort)
    const cleaner = new Cleaner({
      ...{ controller, repositories, locks, strategy, log },
      interval: this.#config.cleanInterval,
    })
    this.#cleaning = cleaner.run(this.#closing.signal)
  }

  /** `patience`: milliseconds for pushes under way; the config's when absent. */
  async stop(patience: number = this.#config.drainTimeout): Promise<void> {
    const { log, strategy } = this.#options
    this.#closing.abort(new Error('the builder is ending'))
    this.#ssh?.close()
    if (this.underWay > 0) log.info({ commands: this.underWay }, 'waiting for pushes to end')
    const limit = setTimeout(() => this.#ending.abort(new Error('the builder is ending')), patience)
    await this.#service?.idle()
    clearTimeout(limit)
    await this.#cleaning
    this.#ending.abort(new Error('the builder is ending'))
    this.#ssh?.destroy()
    this.#health.close()
    await this.#hooks?.close()
    await this.#controller.close()
    await strategy.close()
  }

  async #healthy(signal: AbortSignal): Promise<boolean> {
    if (this.#ssh?.listening !== true) return false
    await this.#options.store.check(signal).catch(error => {
      // A restart would end what is under way, and make no room.
      if (!isDiskFull(error)) throw error
    })
    return true
  }

  async #ready(signal: AbortSignal): Promise<boolean> {
    if (this.#closing.signal.aborted) return false
    await this.#options.strategy.check(signal)
    return this.#controller.healthy(signal)
  }
}
