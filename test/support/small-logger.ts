// What the controller needs of a logger, on a real socket: lines of apps that are kept, followed and dropped, and log drains
// that are remembered. Its answers are those of the logger's API.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export class SmallLogger implements AsyncDisposable {
  /** `GET /logs/shop?log_lines=5`, … */
  readonly requests: string[] = []
  readonly drains = new Map<string, string>()
  /** Answers to requests of drains: a status and a sentence; null: as a logger does. */
  refusal: readonly [status: number, sentence: string] | null = null
  readonly #lines = new Map<string, string[]>()
  readonly #followers = new Map<string, Set<ServerResponse>>()
  readonly #waiting = new Set<() => void>()
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request, response).then(() => this.#wake())
    })
  }

  static async start(port = 0): Promise<SmallLogger> {
    const logger = new SmallLogger()
    logger.#server.listen(port, '127.0.0.1')
    await once(logger.#server, 'listening')
    return logger
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** As Kubernetes says where the logger is. */
  get env(): Readonly<Record<string, string>> {
    return { DEIS_LOGGER_SERVICE_HOST: '127.0.0.1', DEIS_LOGGER_SERVICE_PORT_HTTP: String(this.port) }
  }

  write(app: string, line: string): void {
    this.#lines.set(app, [...(this.#lines.get(app) ?? []), line])
    for (const follower of this.#followers.get(app) ?? []) follower.write(`${line}\n`)
  }

  followers(app: string): number {
    return this.#followers.get(app)?.size ?? 0
  }

  /** Octets that followers have not taken. */
  waiting(app: string): number {
    return [...(this.#followers.get(app) ?? [])].reduce((sum, { writableLength }) => sum + writableLength, 0)
  }

  /** Ends what is followed: orderly, or not. */
  end(app: string, how: 'end' | 'destroy'): void {
    for (const follower of this.#followers.get(app) ?? []) follower[how]()
  }

  /** Resolves when it is so, looked at after each request and each follower that goes. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    if (this.#server.listening) await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    this.requests.push(`${method} ${url}`)
    const { pathname, searchParams } = new URL(url, 'http://logger')
    const [, kind, app = ''] = pathname.split('/')
    const end = (status: number, body = ''): unknown => response.writeHead(status).end(body)
    if (kind === 'drains') {
      const body = await text(request)
      if (this.refusal !== null) return void end(...this.refusal)
      if (method === 'DELETE') this.drains.delete(app)
      else this.drains.set(app, (JSON.parse(body) as { url: string }).url)
      return void end(204)
    }
    if (method === 'DELETE') {
      this.#lines.delete(app)
      return void end(200)
    }
    const count = Number(searchParams.get('log_lines'))
    const lines = count === 0 ? [] : (this.#lines.get(app) ?? []).slice(-count)
    const older = lines.map(line => `${line}\n`).join('')
    if (searchParams.get('follow') !== 'true') return void (older === '' ? end(204) : end(200, older))
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' })
    response.flushHeaders()
    response.write(older)
    const followers = this.#followers.get(app) ?? new Set()
    this.#followers.set(app, followers.add(response))
    response.once('close', () => {
      followers.delete(response)
      this.#wake()
    })
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }
}
