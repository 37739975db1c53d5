// An app behind the router that a test drives by hand, connection by connection: it can say anything, also what no
// HTTP server would.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { Peer, type Request } from './peer.ts'

export class App implements AsyncDisposable {
  readonly #server: Server
  readonly #peers = new Set<Peer>()
  readonly #waiting: Peer[] = []
  readonly #wanted: ((peer: Peer) => void)[] = []
  /** Connections accepted so far. */
  accepted = 0

  static async start(address = '127.0.0.1'): Promise<App> {
    const app = new App()
    app.#server.listen({ port: 0, host: address })
    await once(app.#server, 'listening')
    return app
  }

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      this.accepted++
      const peer = new Peer(socket)
      this.#peers.add(peer)
      const wanted = this.#wanted.shift()
      if (wanted === undefined) this.#waiting.push(peer)
      else wanted(peer)
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The next connection that nobody has asked for yet, now or when it comes. */
  connection(): Promise<Peer> {
    const waiting = this.#waiting.shift()
    return waiting === undefined ? new Promise(resolve => this.#wanted.push(resolve)) : Promise.resolve(waiting)
  }

  /** Answers every request of every connection from now on, until the app closes. */
  serve(answer: (request: Request, peer: Peer) => string | Uint8Array): void {
    void this.#serveAll(answer)
  }

  async #serveAll(answer: (request: Request, peer: Peer) => string | Uint8Array): Promise<void> {
    for (;;) void serveOne(await this.connection(), answer)
  }

  /** Accepts no more: connecting is refused from now on. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.close()
  }
}

async function serveOne(peer: Peer, answer: (request: Request, peer: Peer) => string | Uint8Array): Promise<void> {
  for (;;) {
    const request = await peer.request().catch(() => null)
    if (request === null) {
      peer.end()
      return
    }
    await peer.send(answer(request, peer))
  }
}

export function ok(body: string, ...fields: readonly string[]): string {
  return `HTTP/1.1 200 OK\r\n${fields.map(field => `${field}\r\n`).join('')}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

export function get(host: string, target = '/', ...fields: readonly string[]): string {
  return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields.map(field => `${field}\r\n`).join('')}\r\n`
}
