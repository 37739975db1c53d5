// Ports that refuse every connection, and that no other process can begin to listen on meanwhile: the near ends of
// connections that are open.

import { App } from './app.ts'
import { connectTo, type Peer } from './peer.ts'

export class RefusingPorts implements AsyncDisposable {
  readonly #app: App
  readonly #peers: readonly Peer[]

  static async reserve(count: number): Promise<RefusingPorts> {
    const app = await App.start()
    const peers: Peer[] = []
    for (let i = 0; i < count; i++) peers.push(await connectTo(app.port))
    return new RefusingPorts(app, peers)
  }

  private constructor(app: App, peers: readonly Peer[]) {
    this.#app = app
    this.#peers = peers
  }

  get all(): readonly number[] {
    return this.#peers.map(peer => peer.socket.localPort ?? 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    await this.#app[Symbol.asyncDispose]()
  }
}
