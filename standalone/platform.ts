// The whole platform in this process: each service with the command line that it would have of its own, so that every
// default is theirs. The router alone is reached from outside; the others listen on 127.0.0.1, where the kernel chooses,
// and the router is told of them as in a cluster, by manifests.
//
// Start: router (it takes longest, and its ports go into what follows) → logger → registry → controller → builder →
// manifests → the API answers through the router. End: what comes in first, apps when nobody asks them any more.

import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { exitCode, StartupError } from '#kit/exit.ts'
import { LineWriter } from '#kit/line-writer.ts'
import type { Logger } from '#kit/log.ts'
import { version } from '#kit/version.ts'
import { parseConfig as parseRouterConfig } from '#router/config.ts'
import { probePort } from '#router/control/port.ts'
import { type Router, startRouter } from '#router/router.ts'
import type { PlatformConfig } from './config.ts'
import { dataPaths } from './data-paths.ts'
import { type LineSink, requestLines } from './lines.ts'
import { Manifests } from './manifests.ts'
import { namespace, ownHost, platformDomain, registryService } from './names.ts'
import { Secrets } from './secrets.ts'
import type { RunningController } from './services/controller.ts'
import { ownConfig, type RunningService } from './services/running.ts'

/** How long the router may take to know the API, milliseconds. */
const answerTimeout = 30_000
/** How long open requests may go on at the end, seconds. */
const drainTimeout = 3
/** And deploys, pushes and the like, milliseconds: they can be done again. */
const patience = 1_000
/** Octets of the access log that may wait for the terminal. */
const maxWaitingLines = 1024 * 1024

export interface PlatformPorts {
  readonly http: number
  readonly https: number
  readonly builder: number
  readonly admin: number
}

export interface PlatformOptions {
  readonly log: Logger
  /** The platform cannot go on. Not called before `start` has resolved. */
  readonly onFatal: (error: unknown) => void
}

export class Platform {
  readonly #config: PlatformConfig
  readonly #options: PlatformOptions
  readonly #failed = Promise.withResolvers<never>()
  #started = false
  #secrets: Secrets | null = null
  #ports: PlatformPorts | null = null
  #router: Router | null = null
  #logger: (RunningService & LineSink) | null = null
  #registry: RunningService | null = null
  #controller: RunningController | null = null
  #builder: RunningService | null = null
  #stopping: Promise<void> | null = null

  private constructor(config: PlatformConfig, options: PlatformOptions) {
    this.#config = config
    this.#options = options
    this.#failed.promise.catch(() => {})
  }

  /** Resolves when the API answers through the router. Throws what is wrong; nothing of the platform runs then. */
  static async start(config: PlatformConfig, options: PlatformOptions): Promise<Platform> {
    const platform = new Platform(config, options)
    try {
      await platform.#start()
      platform.#started = true
      return platform
    } catch (error) {
      await platform.stop().catch(() => {})
      throw platform.#secrets?.advised(error) ?? error
    }
  }

  /** IP address of the ports. */
  get address(): string {
    return this.#config.address
  }

  get ports(): PlatformPorts {
    return this.#ports!
  }

  /** Whether the data directory had an administrator, and so users, before this start. */
  get hasAdministrator(): boolean {
    return this.#controller!.hasAdministrator
  }

  /** Resolves when nothing of the platform runs any more, apps included. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #start(): Promise<void> {
    const paths = dataPaths(this.#config.data)
    const secrets = new Secrets(paths.secrets)
    this.#secrets = secrets
    const manifests = new Manifests(paths.manifests)
    manifests.prepare(secrets.certificate())
    const lines: LineSink = { write: line => this.#logger?.write(line) }
    const router = await this.#startRouter(paths.manifests, lines)
    // While the router's threads load, so do we.
    const [ports, { startLogger, startRegistry, startController, startBuilder, keepTokenKeys }] = await Promise.all([
      this.#portsOf(router),
      loadServices(),
    ])
    this.#ports = ports
    const tokenKeys = await keepTokenKeys(secrets.registryTokens)
    const builderKey = secrets.builderKey()
    this.#logger = await startLogger({ log: this.#logOf('logger'), directory: paths.logs })
    this.#registry = await startRegistry({
      log: this.#logOf('registry'),
      directory: paths.registry,
      tokenKey: tokenKeys.open,
      tokenRealm: `http://deis.${platformDomain}:${ports.http}/v2/registry/token`,
      tokenService: registryService,
    })
    const registry = urlOf(this.#registry)
    this.#controller = await startController({
      ...{ lines, registry, builderKey },
      log: this.#logOf('controller'),
      database: paths.database,
      apps: paths.apps,
      manifests: paths.manifests,
      routerAdmin: `http://${this.#host}:${ports.admin}`,
      logger: this.#logger.port,
      tokenKey: tokenKeys.secret,
    })
    this.#builder = await startBuilder({
      ...{ registry, builderKey },
      log: this.#logOf('builder'),
      controller: urlOf(this.#controller),
      repositories: paths.repositories,
      builds: paths.builds,
      work: paths.work,
      hostKeys: secrets.hostKeys,
    })
    manifests.publish({ controller: this.#controller.port, builder: this.#builder.port })
    await Promise.race([this.#answers(), this.#failed.promise])
  }

  async #startRouter(manifests: string, lines: LineSink): Promise<Router> {
    const { address, httpPort, httpsPort, builderPort, adminPort, accessLog } = this.#config
    const args = [
      ...['--manifests', manifests, '--address', address],
      ...['--http-port', String(httpPort), '--https-port', String(httpsPort)],
      ...['--builder-port', String(builderPort), '--admin-port', String(adminPort)],
      // One thread is plenty for one person, and each takes memory.
      ...['--workers', '1', '--drain-timeout', String(drainTimeout)],
    ]
    const config = ownConfig(() => parseRouterConfig(args, { POD_NAMESPACE: namespace }, version))
    // The router alone would go on without it, and try again.
    await probePort({ flag: '--builder-port', address, number: builderPort })
    const shown = accessLog ? new LineWriter(process.stdout, { maxWaiting: maxWaitingLines, onError: () => {} }) : null
    const onFatal = (error: unknown): void => {
      this.#failed.reject(error)
      if (this.#started) this.#options.onFatal(error)
    }
    const router = await startRouter(config, {
      ...{ onFatal, grace: 0 },
      // There is more to come; the controller collects garbage when all is quiet.
      onThreadsStarted: () => {},
      log: this.#logOf('router'),
      accessLog: requestLines(lines, shown),
    })
    this.#router = router
    return router
  }

  /** Lines of all services are one log. */
  #logOf(service: string): Logger {
    return this.#options.log.child({ service })
  }

  async #portsOf(router: Router): Promise<PlatformPorts> {
    const { httpPort, httpsPort, builderPort, adminPort } = await Promise.race([router.ready, this.#failed.promise])
    if (builderPort === null)
      throw new StartupError(exitCode.unavailable, 'the port of the builder cannot be had (--builder-port)')
    return { http: httpPort, https: httpsPort, builder: builderPort, admin: adminPort }
  }

  /** The router is told by the file system, some milliseconds later. */
  async #answers(): Promise<void> {
    const end = performance.now() + answerTimeout
    let last = 'nothing'
    while (performance.now() < end && this.#stopping === null) {
      last = await statusOf(this.#host, this.ports.http, `deis.${platformDomain}`, '/readiness')
      if (last === '200') return
      await delay(5)
    }
    throw new StartupError(exitCode.unavailable, `the API does not answer through the router: ${last}`)
  }

  get #host(): string {
    return ownHost(this.#config.address)
  }

  async #stop(): Promise<void> {
    const faults: unknown[] = []
    const end = async (...parts: (Promise<unknown> | undefined)[]): Promise<void> => {
      for (const result of await Promise.allSettled(parts)) if (result.status === 'rejected') faults.push(result.reason)
    }
    await end(this.#router?.stop(), this.#builder?.stop(patience))
    await end(this.#controller?.stop(patience))
    await end(this.#registry?.stop(patience), this.#logger?.stop(patience))
    if (faults.length > 0) throw faults[0]
  }
}

/** Only now: the router is first. */
async function loadServices() {
  const [{ startLogger }, { startRegistry }, { keepTokenKeys, startController }, { startBuilder }] = await Promise.all([
    import('./services/logger.ts'),
    import('./services/registry.ts'),
    import('./services/controller.ts'),
    import('./services/builder.ts'),
  ])
  return { startLogger, startRegistry, keepTokenKeys, startController, startBuilder }
}

function urlOf({ port }: RunningService): string {
  return `http://127.0.0.1:${port}`
}

/** The status of one request; why there is none. */
function statusOf(host: string, port: number, name: string, path: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const request = get({
    ...{ host: host.replace(/[[\]]/g, ''), port, path, agent: false, timeout: 2_000 },
    headers: { host: name },
  })
  request.on('response', response => {
    response.resume()
    resolve(String(response.statusCode))
  })
  request.on('timeout', () => request.destroy(new Error('no answer in 2 s')))
  request.on('error', error => resolve(error.message))
  return promise
}
