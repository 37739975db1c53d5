// The collector: its parts put together, started and stopped.

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { listen } from '#kit/listening.ts'
import type { Logger } from '#kit/log.ts'
import type { KubeClient } from '#kube/client.ts'
import { ListWatch } from '#kube/list-watch.ts'
import type { KubeObject } from '#kube/types.ts'
import { createAdminServer } from './admin.ts'
import type { CollectorConfig } from './config.ts'
import { Containers } from './containers.ts'
import { Metrics } from './metrics.ts'
import { PodBook, trimPod } from './pods.ts'
import { readPositions, type SavedPositions, writePositions } from './positions.ts'
import { Reader } from './reader.ts'
import { SyslogSender } from './sender.ts'
import { Watches } from './watches.ts'

/** Milliseconds: the file of positions is written as often at most. */
const saveInterval = 1_000
/** And directories are compared as often at most. */
const scanPause = 100
/** And at least, with the kernel's help and without. */
const pollInterval = 30_000
const pollIntervalAlone = 1_000
/** How long the logger may take at the end to read what it was sent. */
const endTimeout = 5_000

export interface CollectorOptions {
  readonly log: Logger
  /** Closed when the collector ends. */
  readonly client: KubeClient
}

export class Collector {
  readonly #config: CollectorConfig
  readonly #options: CollectorOptions
  readonly #closing = new AbortController()
  /** The end has taken long enough. */
  readonly #over = new AbortController()
  readonly #book = new PodBook()
  readonly #watches = new Watches()
  readonly #containers: Containers
  readonly #reader: Reader
  readonly #sender: SyslogSender
  readonly #pods: ListWatch<KubeObject>
  readonly #admin: Server
  #names = Promise.withResolvers<void>()
  #loops: Promise<unknown> = Promise.resolve()
  #sending: Promise<void> = Promise.resolve()

  private constructor(config: CollectorConfig, options: CollectorOptions, saved: SavedPositions) {
    const { log, client } = options
    this.#config = config
    this.#options = options
    this.#sender = new SyslogSender({ target: config.logger, hostname: config.node, log })
    this.#pods = new ListWatch({
      ...{ client, apiVersion: 'v1', plural: 'pods', transform: trimPod },
      fieldSelector: `spec.nodeName=${config.node}`,
      onState: ({ connected, lastError }) => {
        if (!connected && lastError !== null) log.warn({ error: lastError }, 'the API server does not tell of pods')
      },
    })
    const metrics = new Metrics({
      containers: () => this.#containers.all.size,
      openFiles: () => this.#reader.openFiles,
      isConnected: () => this.#sender.connection !== null,
      connectionsLost: () => this.#sender.lost,
      octets: () => this.#sender.octets,
      isWatching: () => this.#pods.state.connected,
    })
    this.#containers = new Containers({
      ...{ root: config.pods, platformNamespace: config.platformNamespace, saved },
      ...{ book: this.#book, watches: this.#watches },
      observer: {
        lost: (file, octets) => {
          metrics.lost(octets)
          log.warn({ file, octets }, 'a log file went before it was read to its end')
        },
        malformed: () => metrics.malformed(),
        cut: () => metrics.cut(),
      },
      onChange: container => this.#reader.add(container),
      onNames: () => this.#names.resolve(),
    })
    this.#reader = new Reader({
      ...{ sender: this.#sender, log, all: this.#containers.all },
      remove: container => this.#containers.remove(container),
      counted: line => metrics.line(line?.source ?? null),
    })
    this.#admin = createAdminServer(metrics.registry)
  }

  /** Takes over the client, also when it throws: StartupError 69 for a port that is taken. */
  static async start(config: CollectorConfig, options: CollectorOptions): Promise<Collector> {
    const { log, client } = options
    const saved = await readPositions(config.state).catch(error => {
      log.warn({ file: config.state, error: String(error) }, 'positions cannot be read: all files are read anew')
      return new Map()
    })
    const collector = new Collector(config, options, saved)
    try {
      await listen(collector.#admin, config.address, config.adminPort)
    } catch (error) {
      await client.close()
      throw error
    }
    collector.#run()
    return collector
  }

  get adminPort(): number {
    return (this.#admin.address() as AddressInfo).port
  }

  /** Resolves when the logger has what was read, or does not take it in time. */
  async stop(): Promise<void> {
    this.#closing.abort(new Error('the collector is ending'))
    this.#names.resolve()
    const limit = setTimeout(() => this.#over.abort(), endTimeout)
    await this.#loops
    await this.#reader.settle(this.#over.signal)
    clearTimeout(limit)
    this.#sender.close()
    await this.#sending
    await this.#save()
    this.#watches.close()
    for (const { tail } of this.#containers.all.values()) await tail.release()
    this.#admin.closeAllConnections()
    this.#admin.close()
    await this.#options.client.close()
  }

  #run(): void {
    const { signal } = this.#closing
    const loops = [
      this.#follow(signal),
      this.#scan(signal),
      this.#keep(signal),
      this.#reader.run(signal, this.#over.signal),
    ]
    this.#loops = Promise.all(loops)
    this.#sending = this.#sender.run(signal)
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for await (const change of this.#pods.changes(signal)) {
      this.#book.apply(change)
      this.#names.resolve()
    }
  }

  async #scan(signal: AbortSignal): Promise<void> {
    const { log } = this.#options
    let polled = performance.now()
    while (!signal.aborted) {
      this.#names = Promise.withResolvers<void>()
      try {
        await this.#containers.scan()
        if (this.#pods.state.synced) await this.#containers.forgetSaved()
      } catch (error) {
        log.warn({ directory: this.#config.pods, error: String(error) }, 'the logs of pods cannot be listed')
      }
      const interval = this.#watches.isFailing ? pollIntervalAlone : pollInterval
      await this.#namesOr(polled + interval - performance.now())
      if (!signal.aborted) await delay(scanPause)
      if (performance.now() - polled < interval) continue
      polled = performance.now()
      for (const container of this.#containers.all.values()) {
        container.tail.touch()
        this.#reader.add(container)
      }
    }
  }

  async #namesOr(milliseconds: number): Promise<void> {
    const timer = setTimeout(() => this.#names.resolve(), Math.max(0, milliseconds))
    await this.#names.promise
    clearTimeout(timer)
  }

  async #keep(signal: AbortSignal): Promise<void> {
    let saved = 0
    while (!signal.aborted) {
      await delay(saveInterval, undefined, { signal }).catch(() => {})
      const { settlements } = this.#reader
      if (!signal.aborted && settlements !== saved && (await this.#save())) saved = settlements
    }
  }

  async #save(): Promise<boolean> {
    const { state } = this.#config
    try {
      await writePositions(state, this.#containers.positions())
      return true
    } catch (error) {
      this.#options.log.warn({ file: state, error: String(error) }, 'positions cannot be kept')
      return false
    }
  }
}
