// The logger: its parts put together, started and stopped.

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { listen, stopListening } from '#kit/listening.ts'
import type { Logger as ProgramLog } from '#kit/log.ts'
import { createAdminServer } from './api/admin.ts'
import { createApiServer } from './api/server.ts'
import type { LoggerConfig } from './config.ts'
import { createResolver } from './drains/drain-connection.ts'
import { LogDrains } from './drains/log-drains.ts'
import { AllowedNetworks } from './drains/networks.ts'
import { Followers } from './followers.ts'
import { StreamInput } from './input/stream.ts'
import { UdpInput } from './input/udp.ts'
import { Intake } from './intake.ts'
import { type LogLine, oneLine } from './line.ts'
import { Lines } from './lines.ts'
import { Metrics } from './metrics.ts'
import type { OpenFile } from './store/files.ts'
import { LogStore } from './store/log-store.ts'
import { readTlsFiles, watchTlsFiles } from './tls-files.ts'

export interface LoggerOptions {
  readonly log: ProgramLog
  /** How files of the store are opened, and names of receivers looked up: for tests. */
  readonly open?: OpenFile
  readonly resolve?: (host: string) => Promise<readonly string[]>
}

/** How long at the end log drains may take for what waits, milliseconds. */
const drainPatience = 2_000
/** Followers of one app, as a part of all: its users must not take the places of all others. */
const appShareOfFollowers = 0.25

export class Logger {
  readonly #config: LoggerConfig
  readonly #options: LoggerOptions
  readonly #store: LogStore
  readonly #followers: Followers
  readonly #drains: LogDrains
  readonly #metrics: Metrics
  readonly #lines: Lines
  readonly #api: Server
  readonly #admin: Server
  #udp: UdpInput | null = null
  #tcp: StreamInput | null = null
  #tls: StreamInput | null = null
  #tlsWatch: Disposable | null = null

  private constructor(config: LoggerConfig, options: LoggerOptions) {
    const { log } = options
    this.#config = config
    this.#options = options
    this.#store = LogStore.open({
      directory: config.folder,
      appSize: config.appSize,
      totalSize: config.totalSize,
      maxApps: config.maxApps,
      log,
      onDropped: lines => this.#metrics.dropped('disk', lines),
      ...(options.open === undefined ? {} : { open: options.open }),
    })
    this.#followers = new Followers({
      all: config.maxFollowers,
      ofApp: Math.ceil(config.maxFollowers * appShareOfFollowers),
    })
    this.#metrics = new Metrics({
      store: this.#store,
      connections: () => ({ tcp: this.#tcp?.connections ?? 0, tls: this.#tls?.connections ?? 0 }),
      followers: () => this.#followers.count,
      drains: () => this.#drains.states(),
      kernelDrops: async () => (await this.#udp?.kernelDrops()) ?? null,
    })
    try {
      this.#drains = LogDrains.open({
        file: join(config.folder, 'drains.json'),
        road: {
          networks: new AllowedNetworks(config.drainNetworks),
          secureContext: contextOf(config.drainAuthorities),
          resolve: options.resolve ?? createResolver(),
        },
        most: config.maxDrains,
        log,
        count: (outcome, lines) => this.#metrics.drainLines(outcome, lines),
        notice: (app, sentence) => this.#lines.notice(app, sentence),
      })
    } catch (error) {
      void this.#store.close()
      throw error
    }
    this.#lines = new Lines({
      store: this.#store,
      followers: this.#followers,
      metrics: this.#metrics,
      drains: this.#drains,
      bounds: { lines: config.appLines, octets: config.appOctets },
    })
    this.#api = createApiServer({
      store: this.#store,
      followers: this.#followers,
      drains: this.#drains,
      log,
      remove: app => this.#remove(app),
      onLeftOut: lines => this.#metrics.followerDropped(lines),
    })
    this.#admin = createAdminServer(this.#metrics.registry)
  }

  /** Throws a StartupError when the folder is taken or no folder, when a port is taken, when TLS files are none. */
  static async start(config: LoggerConfig, options: LoggerOptions): Promise<Logger> {
    const logger = new Logger(config, options)
    try {
      await logger.#start()
      return logger
    } catch (error) {
      await logger.stop()
      throw error
    }
  }

  get httpPort(): number {
    return (this.#api.address() as AddressInfo).port
  }

  /** Null: off. */
  get adminPort(): number | null {
    return (this.#admin.address() as AddressInfo | null)?.port ?? null
  }

  get udpPort(): number | null {
    return this.#udp?.port ?? null
  }

  get tcpPort(): number | null {
    return this.#tcp?.port ?? null
  }

  get tlsPort(): number | null {
    return this.#tls?.port ?? null
  }

  /** A line of this process. Never throws; what cannot be kept is counted. */
  write(line: LogLine): void {
    this.#lines.write({ ...line, text: oneLine(line.text) }, 'local')
  }

  /** What has come is on disk, and sent to log drains whose receivers take it. */
  async stop(): Promise<void> {
    this.#tlsWatch?.[Symbol.dispose]()
    await Promise.all([this.#tcp?.[Symbol.asyncDispose](), this.#tls?.[Symbol.asyncDispose]()])
    await this.#udp?.[Symbol.asyncDispose]()
    this.#lines[Symbol.dispose]()
    this.#followers.endAll()
    await Promise.all([this.#store.flush(), this.#drains.close(drainPatience)])
    this.#api.closeIdleConnections()
    const insist = setTimeout(() => this.#api.closeAllConnections(), drainPatience)
    await stopListening(this.#api)
    clearTimeout(insist)
    this.#admin.closeAllConnections()
    await stopListening(this.#admin)
    await this.#store.close()
  }

  async #start(): Promise<void> {
    const { address, httpPort, adminPort, udpPort, tcpPort, tls, udpRate } = this.#config
    const { log } = this.#options
    const intake = new Intake(this.#lines, this.#metrics)
    if (udpPort !== null) this.#udp = await UdpInput.start({ address, port: udpPort, intake, rate: udpRate, log })
    const { maxConnections: connections, connectionsPerAddress: ofAddress, idleTimeout: idle } = this.#config
    const common = {
      ...{ address, intake },
      store: this.#store,
      metrics: this.#metrics,
      bounds: { connections, ofAddress, idle },
    }
    if (tcpPort !== null) this.#tcp = await StreamInput.start({ ...common, port: tcpPort, tls: null })
    if (tls !== null) {
      const input = await StreamInput.start({ ...common, port: tls.port, tls: readTlsFiles(tls) })
      this.#tls = input
      this.#tlsWatch = watchTlsFiles(tls, log, material => input.renew(material))
    }
    if (adminPort !== null) await listen(this.#admin, address, adminPort)
    await listen(this.#api, address, httpPort)
  }

  async #remove(app: string): Promise<void> {
    this.#lines.removed(app)
    this.#followers.end(app)
    try {
      await this.#drains.delete(app)
    } finally {
      // Whatever becomes of the log drain: a disk that is too full to forget it is the better for it.
      await this.#store.remove(app)
      this.#metrics.forget(app)
    }
  }
}

/** Made when it is first needed, as reading all authorities takes a while. */
function contextOf(authorities: string | null): () => SecureContext {
  let context: SecureContext | null = null
  return () => {
    context ??= createSecureContext({ ca: [...getCACertificates(), ...(authorities === null ? [] : [authorities])] })
    return context
  }
}
