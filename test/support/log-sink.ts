// A receiver of syslog over TCP (octet counting) that keeps what it gets: stands at the end of a connection as the logger
// does, and can be away, deaf or in a hurry.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { decodeMessage } from '#logger/syslog/decode.ts'

export interface Received {
  readonly app: string | null
  readonly source: string | null
  readonly process: string | null
  readonly host: string | null
  readonly text: string
}

export class LogSink implements AsyncDisposable {
  readonly received: Received[] = []
  /** Connections so far. */
  connections = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #waiting = new Set<() => void>()
  #isDeaf = false

  private constructor() {
    this.#server = createServer(socket => this.#serve(socket))
  }

  static async start(port = 0): Promise<LogSink> {
    const sink = new LogSink()
    sink.#server.listen(port, '127.0.0.1')
    await once(sink.#server, 'listening')
    return sink
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get texts(): string[] {
    return this.received.map(({ text }) => text)
  }

  /** Nothing is taken from connections, or again. */
  set isDeaf(isDeaf: boolean) {
    this.#isDeaf = isDeaf
    for (const socket of this.#sockets) isDeaf ? socket.pause() : socket.resume()
  }

  /** Resolves when `isSo` is true, looked at whenever something has come. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
    }
  }

  /** Breaks what is open. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reset()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket): void {
    this.connections++
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      for (;;) {
        const blank = rest.indexOf(0x20)
        const end = blank + 1 + Number(rest.toString('latin1', 0, blank))
        if (blank < 0 || rest.length < end) break
        this.#take(rest.subarray(blank + 1, end))
        rest = rest.subarray(end)
      }
      this.#wake()
    })
    if (this.#isDeaf) socket.pause()
    this.#wake()
  }

  #take(octets: Buffer): void {
    const message = decodeMessage(octets, 0)
    if (message.kind !== 'rfc5424') throw new Error(`no message of RFC 5424: ${octets}`)
    const { appName: app, msgId: source, procId: process, hostname: host, text } = message
    this.received.push({ app, source, process, host, text })
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }
}
