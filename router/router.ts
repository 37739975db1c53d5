// The router as one thing that starts and stops: source → control → published → data threads, with the admin port and
// the snapshot beside them. `main.ts` runs it as a process, the standalone mode in its own.

import type { Resolver } from 'node:dns/promises'
import { availableParallelism } from 'node:os'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { StartupError } from '#kit/exit.ts'
import { LineWriter } from '#kit/line-writer.ts'
import { droppedLogLines, type Logger } from '#kit/log.ts'
import { refreshInterval, statusPage } from '#kit/status-page/page.ts'
import { version } from '#kit/version.ts'
import { KubeClient } from '#kube/client.ts'
import type { RouterConfig } from './config.ts'
import { type AdminPages, AdminServer, type Health } from './control/admin.ts'
import { problemsPage, routesPage } from './control/admin-pages.ts'
import { certificateId } from './control/certificate.ts'
import { ChangeHistory, contentOf } from './control/change-history.ts'
import { Control } from './control/control.ts'
import { DataPlane, type Ports } from './control/data-plane.ts'
import { type ExplainSources, explain, readUrl } from './control/explain.ts'
import { ExternalNames } from './control/external-names.ts'
import { KubernetesSource } from './control/kubernetes-source.ts'
import { Leadership } from './control/leadership.ts'
import { ManifestSource } from './control/manifest-source.ts'
import { Metrics } from './control/metrics.ts'
import { Published } from './control/published.ts'
import { createSelfSigned } from './control/self-signed.ts'
import { platformSecret } from './control/service.ts'
import { checkSnapshotFile, readSnapshot, SnapshotKeeper } from './control/snapshot.ts'
import type { Source } from './control/source.ts'
import { statsPage, stubStatus } from './control/stats.ts'
import { readNamespaces, readStatusQuery, routerStatus, type StatusSources } from './control/status.ts'
import { lifeOfKeys } from './control/ticket-key-list.ts'
import { sampleInterval, TrafficHistory } from './control/traffic-history.ts'
import { World } from './control/world.ts'
import type { Patch } from './model/patch.ts'

const maxThreads = 256
/** Threads that are started ahead when no flag says how many there are to be. */
const mostGuessed = 2
/** Bytes of the access log that may wait for their reader. */
const maxAccessLogWaiting = 8 * 1024 * 1024

export interface RouterOptions {
  readonly log: Logger
  /** Where the access log goes; stdout when absent. */
  readonly accessLog?: Writable
  /** The router cannot go on: the process should end with the error's code. Called at most once, after `startRouter`. */
  readonly onFatal: (error: StartupError) => void
  /** How long `/healthz` says 503 before connections are refused, milliseconds; 1000 when absent. */
  readonly grace?: number
  /** How long the source may take before the snapshot is served, milliseconds; 3000 when absent. */
  readonly snapshotPatience?: number
  /** Who is asked for external names; the name servers of the system when absent. */
  readonly resolver?: Resolver
  /** Called once, when the data threads are started; collects garbage when absent. */
  readonly onThreadsStarted?: () => void
}

interface RouterPorts extends Ports {
  readonly adminPort: number
}

export interface Router {
  /** Answers from the beginning, 503 at first. */
  readonly adminPort: number
  /** Resolves when the first configuration is in force in every data thread. Never, if that never happens. */
  readonly ready: Promise<RouterPorts>
  /** Says 503 on `/healthz` for the grace time, drains for up to `drainTimeout`, then ends everything. */
  stop(): Promise<void>
}

/** Throws StartupError 64 or 69. What it returns may not be ready yet: the source may be away. */
export async function startRouter(config: RouterConfig, options: RouterOptions): Promise<Router> {
  const router = new RunningRouter(config, options)
  try {
    await router.start()
  } catch (error) {
    await router.close()
    throw error
  }
  return router
}

class RunningRouter implements Router {
  readonly ready: Promise<RouterPorts>
  readonly #resolveReady: (ports: RouterPorts) => void
  readonly #config: RouterConfig
  readonly #options: RouterOptions
  readonly #log: Logger
  readonly #published = new Published(createSelfSigned(Date.now()))
  readonly #accessLog: LineWriter
  readonly #plane: DataPlane
  readonly #metrics: Metrics
  readonly #traffic: TrafficHistory
  readonly #changes: ChangeHistory
  readonly #stack = new AsyncDisposableStack()
  readonly #ending = new AbortController()
  #control: Control | null = null
  #world: World | null = null
  /** Null: there is no cluster whose objects could be told of. */
  #leadership: Leadership | null = null
  #names: ExternalNames | null = null
  #resolving: Promise<void> = Promise.resolve()
  #admin: AdminServer | null = null
  #keeper: SnapshotKeeper | null = null
  #snapshotTimer: NodeJS.Timeout | null = null
  /** When the snapshot that is being served was written; null: what is served is live. */
  #servedSnapshot: number | null = null
  #changedAt: number | null = null
  #planeStarted = false
  readonly #planeServes = Promise.withResolvers<void>()
  #stopping: Promise<void> | null = null

  constructor(config: RouterConfig, options: RouterOptions) {
    const { promise, resolve } = Promise.withResolvers<RouterPorts>()
    this.ready = promise
    this.#resolveReady = resolve
    this.#config = config
    this.#options = options
    this.#log = options.log.child({})
    this.#accessLog = new LineWriter(options.accessLog ?? process.stdout, {
      maxWaiting: maxAccessLogWaiting,
      onError: error => this.#log.warn({ reason: error.message }, 'nobody reads the access log any more'),
    })
    this.#plane = new DataPlane({
      address: config.address,
      httpPort: config.httpPort,
      httpsPort: config.httpsPort,
      builderPort: config.builderPort,
      drainTimeout: config.drainTimeout,
      published: this.#published,
      accessLog: this.#accessLog,
      log: this.#log,
      onHopeless: options.onFatal,
      ...(options.onThreadsStarted !== undefined && { onThreadsStarted: options.onThreadsStarted }),
    })
    this.#metrics = new Metrics({
      published: this.#published,
      counters: () => this.#plane.counters(),
      restarts: () => this.#plane.restarts,
      accessLogDropped: () => this.#accessLog.dropped,
      logDropped: droppedLogLines,
      problems: () => this.#control?.problems() ?? [],
      watches: () => this.#control?.watches() ?? [],
      leadership: () => this.#leadership?.state ?? null,
      servedSnapshot: () => this.#servedSnapshot,
      snapshotSaved: () => this.#keeper?.savedAt ?? this.#servedSnapshot,
      now: Date.now,
    })
    this.#traffic = new TrafficHistory({
      counters: () => this.#plane.counters(),
      apps: () => this.#published.apps(),
    })
    this.#changes = new ChangeHistory({
      applied: version => this.#planeServes.promise.then(() => this.#plane.applied(version)),
      now: Date.now,
    })
  }

  get adminPort(): number {
    return this.#admin?.port ?? 0
  }

  async start(): Promise<void> {
    const { address, adminPort, snapshot } = this.#config
    this.#stack.use(this.#accessLog)
    if (snapshot !== null) await checkSnapshotFile(snapshot)
    const source = this.#stack.use(await openSource(this.#config))
    await this.#plane.probe()
    // The settings are not known yet: they may want two of 64.
    this.#plane.prepare(Math.min(this.#config.workers ?? Math.min(availableParallelism(), mostGuessed), maxThreads))
    const port = { flag: '--admin-port', address, number: adminPort }
    this.#admin = this.#stack.use(await AdminServer.listen(port, this.#pages(), this.#log))
    if (snapshot !== null) {
      this.#keeper = this.#stack.use(
        new SnapshotKeeper({ file: snapshot, whole: () => this.#published.wholeOfSource(), log: this.#log }),
      )
      this.#snapshotTimer = setTimeout(() => void this.#serveSnapshot(snapshot), this.#options.snapshotPatience ?? 3000)
    }
    const sampling = setInterval(() => this.#traffic.sample(), sampleInterval)
    sampling.unref()
    this.#stack.defer(() => clearInterval(sampling))
    const world = new World({ ...this.#config, now: Date.now })
    this.#world = world
    const control = new Control({
      source,
      world,
      publish: (patch, heardAt) => this.#publishLive(patch, heardAt),
      onStep: () => {
        this.#names?.want(world.wantedNames())
        this.#plane.shareTicketKeys(world.ticketKeys())
        this.#leadership?.mark()
      },
      log: this.#log,
    })
    this.#control = control
    this.#leadership = await this.#openLeadership(world, control)
    if (this.#config.externalNames) this.#resolveNames(world, control)
    control.start()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    if (this.#snapshotTimer !== null) clearTimeout(this.#snapshotTimer)
    this.#ending.abort()
    await this.#control?.stop()
    await Promise.all([this.#leadership?.stop(), this.#resolving])
    await this.#plane.close()
    await this.#stack.disposeAsync()
  }

  async #stop(): Promise<void> {
    const { drainTimeout } = this.#config
    // Another replica leads at once, and not only when we have drained.
    void this.#leadership?.stop()
    if (this.#plane.threads().some(({ state }) => state === 'serving')) {
      this.#log.info({ timeout: drainTimeout / 1000 }, 'draining')
      await delay(this.#options.grace ?? 1000)
      const cut = await this.#plane.drain(drainTimeout)
      this.#log.info({ cut }, 'drained')
    }
    await this.close()
  }

  #publishLive(patch: Patch, heardAt: number): void {
    if (this.#servedSnapshot !== null) this.#log.info('the snapshot is no longer served')
    this.#servedSnapshot = null
    this.#publish(patch, heardAt)
    this.#keeper?.changed()
    // Who does not know the world yet must not lead: it would keep others from it, and do nothing.
    if (this.#stopping === null) this.#leadership?.start()
    this.#leadership?.mark()
  }

  async #openLeadership(world: World, control: Control): Promise<Leadership | null> {
    const { source, ingressController } = this.#config
    if (source.kind === 'manifests') return null
    return new Leadership({
      ...this.#config,
      client: await openClient(source.kubeconfig),
      controller: ingressController,
      world,
      problems: () => control.problems(),
      synced: () => control.synced,
      ticketKeyLife: () => lifeOfKeys(this.#published.settings?.tls.sessionTimeout ?? 0),
      log: this.#log,
    })
  }

  #resolveNames(world: World, control: Control): void {
    const { resolver } = this.#options
    this.#names = new ExternalNames({
      ...(resolver === undefined ? {} : { resolver }),
      deliver: (host, addresses) => {
        world.externalName(host, addresses)
        control.touch()
      },
      log: this.#log,
    })
    this.#resolving = this.#names.run(this.#ending.signal)
  }

  #publish(patch: Patch, heardAt: number): void {
    const { namespace, workload } = this.#config
    const content = contentOf(patch, this.#published, { kind: workload, namespace, name: 'deis-router' })
    const next = this.#published.publish(patch)
    this.#changes.add(content, next.version, heardAt)
    this.#changedAt = Date.now()
    this.#metrics.assign(next.apps)
    this.#followSettings()
    if (!this.#planeStarted) {
      this.#startPlane()
      return
    }
    this.#plane.apply(next)
    if (next.settings !== undefined) this.#plane.resize(this.#threads())
  }

  #startPlane(): void {
    this.#planeStarted = true
    this.#plane.start(this.#threads()).then(
      ports => {
        const { httpPort, httpsPort, builderPort } = ports
        const builder = builderPort ?? 'closed'
        this.#log.info({ http: httpPort, https: httpsPort, builder, admin: this.adminPort }, 'listening')
        this.#planeServes.resolve()
        this.#resolveReady({ ...ports, adminPort: this.adminPort })
      },
      (error: StartupError) => {
        if (this.#stopping === null) this.#options.onFatal(error)
      },
    )
  }

  #threads(): number {
    const { workers } = this.#config
    const wanted = workers ?? this.#published.settings?.workerProcesses ?? availableParallelism()
    return Math.min(wanted, maxThreads)
  }

  /** The annotation makes our own log more talkative; what data threads say follows it in both directions. */
  #followSettings(): void {
    this.#log.level = this.#published.settings?.errorLogLevel === 'debug' ? 'debug' : this.#options.log.level
  }

  async #serveSnapshot(file: string): Promise<void> {
    if (this.#published.version > 0) return
    const reading = await readSnapshot(file)
    if (reading.kind === 'unusable') this.#log.warn({ file, reason: reading.reason }, 'the snapshot is ignored')
    if (reading.kind !== 'read' || this.#published.version > 0 || this.#stopping !== null) return
    const { patch, savedAt } = reading.snapshot
    this.#log.warn(
      { file, saved: new Date(savedAt).toISOString(), waitingFor: this.#control?.waitingFor() },
      'the source is away: serving the snapshot',
    )
    this.#servedSnapshot = savedAt
    this.#publish(patch, performance.now())
  }

  #health(): Health {
    if (this.#stopping !== null) return { healthy: false, text: 'draining' }
    if (this.#published.version === 0) {
      const waitingFor = this.#control?.waitingFor() ?? []
      return { healthy: false, text: ['waiting for:', ...waitingFor].join('\n') }
    }
    const idle = this.#plane.threads().filter(({ state }) => state !== 'serving')
    if (!this.#plane.serving) {
      const names = idle.map(({ index, state }) => `data thread ${index} (${state})`)
      return { healthy: false, text: ['waiting for:', ...names].join('\n') }
    }
    if (this.#servedSnapshot === null) return { healthy: true, text: 'ok' }
    return { healthy: true, text: `ok\nserving the snapshot of ${new Date(this.#servedSnapshot).toISOString()}` }
  }

  /** For pages about what is in force, and what is not. */
  #sources(): Omit<StatusSources & ExplainSources, 'platformCertificate'> {
    return {
      published: this.#published,
      health: () => this.#health(),
      changedAt: () => this.#changedAt,
      synced: () => this.#control?.synced ?? false,
      servedSnapshot: () => this.#servedSnapshot,
      problems: () => this.#control?.problems() ?? [],
      endpoints: id => this.#world?.endpoints(id) ?? [],
      contenders: matches => this.#world?.contenders(matches) ?? [],
      sum: position => this.#plane.counters().reduce((sum, counters) => sum + counters[position]!, 0),
      traffic: this.#traffic,
      changes: this.#changes,
      now: Date.now,
    }
  }

  #pages(): AdminPages {
    const { namespace, name } = platformSecret(this.#config.namespace)
    const platformCertificate = certificateId(namespace, name)
    return {
      health: () => this.#health(),
      metrics: async () => ({ contentType: this.#metrics.contentType, text: await this.#metrics.text() }),
      problems: () => problemsPage(this.#control?.problems() ?? []),
      routes: () => routesPage(this.#published),
      explain: query => {
        const asked = readUrl(query.get('url') ?? '')
        return asked === null
          ? null
          : explain(asked, { ...this.#sources(), platformCertificate }, readNamespaces(query))
      },
      status: query => routerStatus(this.#sources(), readStatusQuery(query)),
      statusPage: query =>
        statusPage({
          title: 'Deis router',
          version,
          parts: [],
          status: routerStatus(this.#sources(), readStatusQuery(query)),
          notice: null,
          person: null,
          login: false,
          refresh: query.get('refresh') === 'off' ? null : refreshInterval,
        }),
      stats: () => statsPage(this.#metrics.traffic()),
      connections: () => stubStatus(this.#metrics.traffic()),
      config: () => ({
        version: this.#published.version,
        changedAt: this.#changedAt === null ? null : new Date(this.#changedAt).toISOString(),
        ageSeconds: this.#changedAt === null ? null : (Date.now() - this.#changedAt) / 1000,
        synced: this.#control?.synced ?? false,
        waitingFor: this.#control?.waitingFor() ?? [],
        snapshotOf: this.#servedSnapshot === null ? null : new Date(this.#servedSnapshot).toISOString(),
        watches: this.#control?.watches() ?? [],
        threads: this.#plane.threads(),
        leader: this.#leadership?.isLeader ?? false,
      }),
    }
  }
}

function openClient(kubeconfig: string | null): Promise<KubeClient> {
  return kubeconfig === null ? KubeClient.inCluster() : KubeClient.fromKubeconfig(kubeconfig)
}

function openSource(config: RouterConfig): Promise<Source & AsyncDisposable> {
  const { source } = config
  return source.kind === 'manifests'
    ? ManifestSource.open({ ...config, directory: source.directory })
    : KubernetesSource.open(source.kubeconfig, config)
}
