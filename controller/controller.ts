// The controller as one thing that starts and stops: store, cluster, API, reconciler. `main.ts` runs it as a process, the
// standalone mode in its own.
//
// Its end: no new request is taken, deploys under way may finish for `drainTimeout`; those that do not are left to the
// next controller, which finds their rows.

import { randomUUID } from 'node:crypto'
import { createServer as createHttpServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Writable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { exitCode, StartupError } from '#kit/exit.ts'
import { listen } from '#kit/listening.ts'
import type { Logger } from '#kit/log.ts'
import { accounts } from './api/accounts.ts'
import { AppAccess } from './api/app-access.ts'
import { apps } from './api/apps.ts'
import { LoginAttempts } from './api/attempts.ts'
import { Authentication } from './api/authentication.ts'
import { builds } from './api/builds.ts'
import { certificates } from './api/certificates.ts'
import { config as configs } from './api/config.ts'
import { domains } from './api/domains.ts'
import { explain } from './api/explain.ts'
import { grants } from './api/grants.ts'
import { health } from './api/health.ts'
import { hooks } from './api/hooks.ts'
import { ImageAccess } from './api/image-access.ts'
import { keys } from './api/keys.ts'
import { LogStreams } from './api/log-streams.ts'
import { Metrics } from './api/metrics.ts'
import { withDocument } from './api/openapi.ts'
import { type PasswordCosts, Passwords } from './api/passwords.ts'
import { processes } from './api/processes.ts'
import { registryToken } from './api/registry-token.ts'
import { releases } from './api/releases.ts'
import { createServer } from './api/server.ts'
import { settings } from './api/settings.ts'
import { addStatusPage } from './api/status-page.ts'
import { users } from './api/users.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { ControllerConfig } from './config.ts'
import type { AppId } from './domain/app.ts'
import { IdleTrim } from './idle-trim.ts'
import { answers, Parts } from './parts.ts'
import { AppEvents } from './reconcile/app-events.ts'
import { AppLocks } from './reconcile/app-lock.ts'
import { AppLog } from './reconcile/app-log.ts'
import { AppLives } from './reconcile/apps.ts'
import { DeployHooks } from './reconcile/deploy-hooks.ts'
import { Deployer } from './reconcile/deployer.ts'
import { type Images, type LeftImages, localImages, noLeftImages, unknownImages } from './reconcile/images.ts'
import { LogDrains } from './reconcile/log-drains.ts'
import { HttpLogs } from './reconcile/logs.ts'
import { Processes } from './reconcile/processes.ts'
import { Reconciler } from './reconcile/reconciler.ts'
import { Releases } from './reconcile/releases.ts'
import { Routing } from './reconcile/routing.ts'
import { UnderWay } from './reconcile/under-way.ts'
import type { RegistryTokens } from './registry-tokens.ts'
import { RouterAdmin } from './router-admin.ts'
import type { Store } from './store/store.ts'

/** Milliseconds between two looks at idempotency keys that are too old. */
const sweepInterval = 3_600_000
/** Milliseconds that requests other than deploys may take at the end. */
const closeTimeout = 10_000
/** And deploy hooks. */
const hooksTimeout = 10_000

export interface ControllerOptions {
  readonly log: Logger
  /** Where lines of apps go; stdout when absent. */
  readonly appLines?: Writable
  /** Closed when the controller ends. */
  readonly store: Store
  /** Closed when the controller ends. */
  readonly cluster: Cluster
  readonly images?: Images
  /** Nothing is left by apps that are gone when absent. */
  readonly leftImages?: LeftImages
  /** Null or absent: there are no tokens for the registry. */
  readonly registryTokens?: RegistryTokens | null
  /** Called when it is quiet after much work; collects garbage when absent. */
  readonly onQuiet?: () => void
  /** Fewer than the standard ones: for tests. */
  readonly passwordCosts?: PasswordCosts
  /** Answers are checked against the document: for tests. */
  readonly checkAnswers?: boolean
}

export class Controller {
  readonly #options: ControllerOptions
  readonly #config: ControllerConfig
  readonly #metrics = new Metrics()
  readonly #ending = new AbortController()
  readonly #closing = new AbortController()
  readonly #reconciler: Reconciler
  readonly #deployHooks: DeployHooks
  readonly #logDrains: LogDrains
  readonly #underWay = new UnderWay()
  readonly #server: FastifyInstance
  readonly #admin: Server
  #reconciling: Promise<void> = Promise.resolve()
  #sweeper: NodeJS.Timeout | null = null
  #idleTrim: IdleTrim | null = null
  #port = 0
  #adminPort = 0

  private constructor(config: ControllerConfig, options: ControllerOptions) {
    this.#config = config
    this.#options = options
    const { store, cluster, log, appLines = process.stdout, leftImages = noLeftImages } = options
    const { defaultTags, procfilePolicy, ownRegistry, reservedNames } = config
    const images = options.images ?? (cluster.kind === 'local' ? localImages : unknownImages)
    const events = new AppEvents(randomUUID().slice(0, 8))
    const appLog = new AppLog(appLines, log, events)
    const locks = new AppLocks(store)
    const logs = new HttpLogs(config.logger)
    const logDrains = new LogDrains({ logger: config.logger, store, appLog })
    this.#logDrains = logDrains
    const metrics = this.#metrics
    const underWay = this.#underWay
    const ending = this.#ending.signal
    const unsettled = new Set<AppId>()
    const routing = new Routing({ store, cluster, unsettled })
    this.#deployHooks = new DeployHooks({ urls: config.deployHooks, secret: config.deployHookKey, appLog })
    const deployer = new Deployer({
      ...{ store, cluster, locks, appLog, log, outcomes: metrics },
      ...{ routing, underWay, unsettled, ending },
      hooks: this.#deployHooks,
      released: app => logDrains.renew(app),
    })
    const lives = new AppLives({
      ...{ store, cluster, locks, appLog, logs, logDrains, leftImages, log, defaultTags, underWay, ending },
    })
    const running = new Processes({ store, cluster, locks, appLog, log, routing, underWay, unsettled, ending })
    const makes = new Releases({
      ...{ deployer, images, appLog, defaultTags, procfilePolicy, ownRegistry },
      nodes: (tags, signal) => cluster.nodes(tags, signal),
    })
    this.#reconciler = new Reconciler({
      ...{ store, cluster, locks, deployer, lives, routing, unsettled, logDrains, appLog, log },
      repaired: count => metrics.repaired(count),
    })
    const authentication = new Authentication(store, config.builderKey)
    const access = new AppAccess(store, authentication)
    const attempts = new LoginAttempts()
    const passwords = new Passwords(options.passwordCosts)
    const router = new RouterAdmin(config.routerAdmin)
    const resources = withDocument(
      [
        ...health({ store, authentication, notReady: () => this.#notReady() }),
        ...accounts({
          ...{ store, authentication, attempts, passwords, appLog },
          registration: config.registration,
        }),
        ...users(store, authentication, appLog),
        ...keys(store, authentication, appLog),
        ...certificates(store, authentication, routing, appLog),
        ...apps({
          ...{ store, authentication, access, lives, processes: running, logs, events, appLog, reservedNames },
          logStreams: new LogStreams({ events }),
        }),
        ...builds(store, access, new ImageAccess(store, config.registryNames), makes),
        ...releases(store, access, makes),
        ...configs(store, access, makes, logDrains),
        ...processes(access, running),
        ...domains(store, access, routing, appLog, config.platformDomain),
        ...settings({ store, access, routing, appLog, autoscales: cluster.kind === 'kubernetes' }),
        ...grants(store, access, appLog),
        ...hooks(store, authentication, makes),
        ...explain(store, authentication, router),
        ...registryToken({
          ...{ store, authentication },
          tokens: options.registryTokens ?? null,
          builderKey: config.builderKey,
          nodeKey: config.registryNodeKey,
        }),
      ],
      authentication,
    )
    this.#server = createServer({
      ...{ resources, log, metrics },
      trustedProxies: config.trustedProxies,
      checkAnswers: options.checkAnswers ?? false,
      closing: this.#closing.signal,
    })
    addStatusPage(this.#server, {
      ...{ store, authentication, attempts, passwords, router, appLog },
      parts: new Parts({
        controller: async () => this.#notReady() === null,
        database: () => store.ping().then(() => true),
        router: router.isSet ? () => router.isUp() : null,
        registry: config.registry === null ? null : answers(new URL('/v2/', config.registry)),
        logger: config.logger === null ? null : answers(new URL('/healthz', config.logger)),
      }),
    })
    this.#admin = createHttpServer((request, response) => {
      if (request.url !== '/metrics') {
        response.writeHead(request.url === '/healthz' ? 200 : 404).end()
        return
      }
      metrics.registry.metrics().then(
        text => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      )
    })
  }

  /** Takes over store and cluster, also when it throws: StartupError 69 for a port that is taken. */
  static async start(config: ControllerConfig, options: ControllerOptions): Promise<Controller> {
    const controller = new Controller(config, options)
    try {
      await controller.#start()
      return controller
    } catch (error) {
      await controller.stop(0)
      throw error
    }
  }

  get port(): number {
    return this.#port
  }

  get adminPort(): number {
    return this.#adminPort
  }

  /** Resolves when every app was brought into agreement once; never while another replica does that. */
  get reconciled(): Promise<void> {
    return this.#reconciler.firstPass
  }

  async #start(): Promise<void> {
    const { store, log } = this.#options
    const { address, port, adminPort } = this.#config
    await store.idempotency.sweep()
    this.#sweeper = setInterval(() => {
      store.idempotency.sweep().catch(error => log.warn({ error: String(error) }, 'old keys could not be removed'))
    }, sweepInterval)
    this.#sweeper.unref()
    try {
      await this.#server.listen({ host: address, port })
      this.#port = (this.#server.server.address() as AddressInfo).port
      this.#adminPort = await listen(this.#admin, address, adminPort)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL')
        throw new StartupError(exitCode.unavailable, `cannot listen: ${message}`)
      throw error
    }
    this.#idleTrim = new IdleTrim(this.#server.server, () => this.#underWay.count > 0, this.#options.onQuiet)
    this.#reconciling = this.#reconciler.run(this.#closing.signal)
  }

  /** `patience`: milliseconds for deploys under way; the config's when absent. */
  async stop(patience: number = this.#config.drainTimeout): Promise<void> {
    const { store, cluster, log } = this.#options
    this.#closing.abort(new Error('the controller is ending'))
    if (this.#sweeper !== null) clearInterval(this.#sweeper)
    this.#idleTrim?.[Symbol.dispose]()
    // New connections are refused from here on; answers of deploys still go out.
    const closed = this.#server.close()
    // Fastify closes the port in a later turn.
    while (this.#server.server.listening) await setImmediate()
    if (this.#underWay.count > 0) log.info({ count: this.#underWay.count }, 'waiting for deploys and the like to end')
    const limit = setTimeout(() => this.#ending.abort(new Error('the controller is ending')), patience)
    await this.#underWay.idle()
    clearTimeout(limit)
    await this.#deployHooks.close(Math.min(patience, hooksTimeout))
    this.#ending.abort(new Error('the controller is ending'))
    const insist = setTimeout(() => this.#server.server.closeAllConnections(), closeTimeout)
    await closed
    clearTimeout(insist)
    this.#admin.closeAllConnections()
    this.#admin.close()
    await this.#reconciling
    await this.#logDrains.close()
    await cluster.close()
    await store.close()
  }

  #notReady(): string | null {
    return this.#closing.signal.aborted ? 'the controller is ending' : null
  }
}
