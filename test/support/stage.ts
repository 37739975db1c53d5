// A router's data thread with one app behind `a.example`, and clients, all closed together when the test ends.

import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { Route } from '#router/model/route.ts'
import type { UpstreamSettings } from '#router/model/upstream-settings.ts'
import { App } from './app.ts'
import { routeTo, startDataThread, type TestThread, upstreamWith, type World } from './data-thread.ts'
import { connectTlsTo, connectTo, type Peer } from './peer.ts'

export interface StageOptions extends World {
  /** How many apps there are, each an endpoint of the upstream `a`; 1 unless told. */
  readonly apps?: number
  /** Of the route `a.example`. */
  readonly route?: Partial<Route>
  /** Of the upstream `a`. */
  readonly upstream?: Partial<UpstreamSettings>
}

export class Stage implements AsyncDisposable {
  readonly thread: TestThread
  readonly apps: readonly App[]
  readonly #peers: Peer[] = []

  constructor(thread: TestThread, apps: readonly App[]) {
    this.thread = thread
    this.apps = apps
  }

  /** The first app. */
  get app(): App {
    return this.apps[0]!
  }

  async connect(): Promise<Peer> {
    const peer = await connectTo(this.thread.httpPort)
    this.#peers.push(peer)
    return peer
  }

  async connectTls(options: ConnectionOptions = {}): Promise<Peer & { socket: TLSSocket }> {
    const peer = await connectTlsTo(this.thread.httpsPort, { servername: 'a.example', ...options })
    this.#peers.push(peer)
    return peer
  }

  /** Sends `octets` in segments of `size`, each of which the router has read before the next one leaves. */
  async sendInSegments(peer: Peer, octets: string, size: number): Promise<void> {
    for (let at = 0; at < octets.length; at += size) {
      if (at > 0) await this.thread.settle()
      await peer.send(octets.slice(at, at + size))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    for (const app of this.apps) await app[Symbol.asyncDispose]()
    await this.thread[Symbol.asyncDispose]()
  }
}

export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const apps: App[] = []
  for (let i = 0; i < (options.apps ?? 1); i++) apps.push(await App.start())
  const thread = await startDataThread({
    ...options,
    routes: [routeTo('a.example', 'a', options.route), ...(options.routes ?? [])],
    upstreams: [upstreamWith('a', options.upstream ?? {}, ...apps.map(app => app.port)), ...(options.upstreams ?? [])],
  })
  return new Stage(thread, apps)
}
