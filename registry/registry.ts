// The registry: its parts put together, started and stopped.

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { isDiskFull } from '#kit/full-disk.ts'
import { LineWriter } from '#kit/line-writer.ts'
import { listen, stopListening } from '#kit/listening.ts'
import type { Logger } from '#kit/log.ts'
import type { ObjectStore } from '#store/store.ts'
import { type Access, openAccess, pullAccess, TokenAccess } from './api/access.ts'
import { createAdminServer } from './api/admin.ts'
import { BlobResource } from './api/blobs.ts'
import { ListResource } from './api/lists.ts'
import { ManifestResource } from './api/manifests.ts'
import { Metrics } from './api/metrics.ts'
import { createRegistryServer } from './api/server.ts'
import { UploadResource } from './api/uploads.ts'
import type { RegistryConfig } from './config.ts'
import { Blobs } from './keep/blobs.ts'
import { type Collected, Collector } from './keep/collector.ts'
import type { Freshness } from './keep/freshness.ts'
import { Locks } from './keep/locks.ts'
import { Manifests } from './keep/manifests.ts'
import { Uploads } from './keep/uploads.ts'

export interface RegistryOptions {
  readonly log: Logger
  /** Closed when the registry ends. */
  readonly store: ObjectStore
  /** Where the access log goes. */
  readonly accessLines: Writable
  /** Milliseconds since the epoch: for tests. */
  readonly now?: () => number
}

/** Octets of the access log that may wait for its reader. */
const maxWaitingLines = 1024 * 1024
/** How often idle uploads are looked for at most, milliseconds. */
const sweepInterval = 60_000
/** How long the store may take to say that it is there, milliseconds. */
const checkTimeout = 5_000

export class Registry {
  readonly #config: RegistryConfig
  readonly #options: RegistryOptions
  readonly #server: Server
  readonly #pullServer: Server | null
  readonly #admin: Server
  readonly #lines: LineWriter
  readonly #uploads: Uploads
  readonly #collector: Collector
  readonly #closing = new AbortController()
  readonly #timers: NodeJS.Timeout[] = []
  readonly #working = new Set<Promise<unknown>>()

  private constructor(config: RegistryConfig, options: RegistryOptions) {
    this.#config = config
    this.#options = options
    const { store, log, now = Date.now } = options
    const freshness: Freshness = { grace: config.grace, now }
    const locks = new Locks()
    const blobs = new Blobs({ store, locks, freshness })
    const manifests = new Manifests({ store, locks, blobs, freshness })
    const uploads = new Uploads({ store, blobs, most: config.maxUploads, idle: config.uploadTimeout, now })
    this.#uploads = uploads
    const metrics = new Metrics(() => uploads.count)
    const ended = (result: Collected | null): void => metrics.collected(result)
    this.#collector = new Collector({ store, locks, blobs, manifests, freshness, log, ended })
    this.#lines = new LineWriter(options.accessLines, {
      maxWaiting: maxWaitingLines,
      onError: error => log.warn({ error: String(error) }, 'the access log is not taken'),
    })
    const { deletes, absoluteLocations, patience, maxConnections } = config
    const resources = {
      blobs: new BlobResource(blobs),
      uploads: new UploadResource(blobs, uploads),
      manifests: new ManifestResource(manifests),
      lists: new ListResource(manifests),
      accessLines: this.#lines,
      ...{ metrics, log, deletes, absoluteLocations, patience, maxConnections },
      underWay: (work: Promise<void>): void => void this.#work(work),
    }
    const serve = (access: Access): Server => createRegistryServer({ ...resources, access })
    this.#server = serve(config.tokens === null ? openAccess : new TokenAccess(config.tokens))
    this.#pullServer = config.pullPort === null ? null : serve(pullAccess)
    this.#admin = createAdminServer({
      metrics,
      ready: () => this.#ready(),
      collect: dryRun => this.collect({ dryRun }),
    })
  }

  /** Takes over the store, also when it throws: StartupError 69 for a port that is taken. */
  static async start(config: RegistryConfig, options: RegistryOptions): Promise<Registry> {
    const registry = new Registry(config, options)
    try {
      await registry.#start()
      return registry
    } catch (error) {
      await registry.stop(0)
      throw error
    }
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Null: there is none. */
  get pullPort(): number | null {
    return (this.#pullServer?.address() as AddressInfo | undefined)?.port ?? null
  }

  get adminPort(): number {
    return (this.#admin.address() as AddressInfo).port
  }

  /** Removes what nothing refers to. */
  collect(how: { readonly dryRun?: boolean } = {}): Promise<Collected> {
    return this.#work(this.#collector.run(this.#closing.signal, how))
  }

  async #start(): Promise<void> {
    const { address, port, pullPort, adminPort, collectInterval, uploadTimeout } = this.#config
    await listen(this.#server, address, port)
    if (this.#pullServer !== null) await listen(this.#pullServer, address, pullPort!)
    await listen(this.#admin, address, adminPort)
    this.#every(Math.min(sweepInterval, uploadTimeout), 'idle uploads could not be removed', async () => {
      const removed = await this.#uploads.sweep()
      if (removed > 0) this.#options.log.info({ removed }, 'idle uploads were removed')
    })
    if (collectInterval > 0) this.#every(collectInterval, 'the collection failed', () => this.collect())
  }

  /** The next one begins when the interval has passed and the one before has ended. */
  #every(interval: number, failure: string, work: () => Promise<unknown>): void {
    let running = false
    const timer = setInterval(() => {
      if (running) return
      running = true
      const done = work()
        .catch(error => {
          if (!this.#closing.signal.aborted) this.#options.log.warn({ error: String(error) }, failure)
        })
        .finally(() => {
          running = false
        })
      void this.#work(done)
    }, interval)
    this.#timers.push(timer.unref())
  }

  #work<T>(work: Promise<T>): Promise<T> {
    const settled = work.then(
      () => {},
      () => {},
    )
    this.#working.add(settled)
    void settled.then(() => this.#working.delete(settled))
    return work
  }

  async #ready(): Promise<void> {
    this.#closing.signal.throwIfAborted()
    await this.#options.store.check(AbortSignal.timeout(checkTimeout)).catch(error => {
      // Everything can be pulled still; who pushes is told.
      if (!isDiskFull(error)) throw error
    })
  }

  /** `patience`: milliseconds for requests under way; the config's when absent. */
  async stop(patience: number = this.#config.drainTimeout): Promise<void> {
    this.#closing.abort(new Error('the registry is ending'))
    for (const timer of this.#timers) clearInterval(timer)
    const servers = this.#pullServer === null ? [this.#server] : [this.#server, this.#pullServer]
    const over = new AbortController()
    const insist = delay(patience, undefined, { signal: over.signal }).then(
      () => {
        for (const server of servers) server.closeAllConnections()
      },
      () => {},
    )
    await Promise.all(servers.map(stopListening))
    over.abort()
    await insist
    this.#admin.closeAllConnections()
    await stopListening(this.#admin)
    await Promise.all(this.#working)
    await this.#lines[Symbol.asyncDispose]()
    await this.#options.store.close()
  }
}
