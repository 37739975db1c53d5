// Where connections come in: the three ports, how many may be open, the PROXY header before everything else, and then
// whom each connection is for (contract sections 2, 4, 5 and 10).

import type { Server, Socket } from 'node:net'
import { counter } from '../model/counters.ts'
import type { DataThreadOptions, PortName } from '../model/message.ts'
import type { Builder } from './builder.ts'
import type { ThreadContext } from './context.ts'
import { Http2Connection } from './h2/connection.ts'
import { VersionReader } from './h2/version-reader.ts'
import type { AcceptedConnection } from './http/accepted.ts'
import { ClientConnection } from './http/connection.ts'
import { createListener, keepAliveDelay, listen } from './http/listener.ts'
import { ProxyHeaderReader } from './proxy-header.ts'
import type { TlsTerminator } from './tls-terminator.ts'

/** One line in the log for so many milliseconds in which connections are turned away. */
const complaintInterval = 10_000
/** Milliseconds until the builder's port is tried again. */
const builderRetry = 5_000
/** When there is no room, this share of all connections is freed at once: looking for idle ones takes time. */
const evictedShare = 1 / 32
const nothing = Buffer.alloc(0)

export interface EntranceOptions {
  readonly ports: Pick<DataThreadOptions, 'address' | 'httpPort' | 'httpsPort' | 'builderPort' | 'reusePort'>
  readonly context: ThreadContext
  readonly tls: TlsTerminator
  readonly builder: Builder
  /** Called after the end of each connection of a client. */
  readonly onClosed: () => void
  /** The builder's port is open now, or (null) closed. */
  readonly onBuilderPort: (port: number | null) => void
}

/** Node's error, and the port that cannot be had. */
export type ListenError = NodeJS.ErrnoException & { readonly port: number }

export class Entrance {
  readonly #connections = new Set<AcceptedConnection>()
  /**
   * How many connections may be open when the settings do not say, those to the builder and unfinished handshakes
   * included: half of the descriptors that this thread may use.
   */
  capacity = Infinity
  readonly #options: EntranceOptions
  readonly #context: ThreadContext
  readonly #servers = new Map<PortName, Server>()
  /** Connections that have not become any of these yet: their PROXY header or their handshake is under way. */
  readonly #pending = new Set<Socket>()
  /** Grows with each order about the builder's port: what an earlier one does afterwards no longer counts. */
  #builderOrder = 0
  #builderRetry: NodeJS.Timeout | undefined
  #closed = false
  #ended = false
  /** When no idle connection was found. */
  #nothingSpareAt = Number.NEGATIVE_INFINITY
  readonly #complainedAt = new Map<string, number>()

  constructor(options: EntranceOptions) {
    this.#options = options
    this.#context = options.context
    options.tls.onConnection = (socket, beneath, announced, clientCertificate) => {
      this.#pending.delete(beneath)
      // A client that has gone already has no address; one whose handshake was under way at the end comes too late.
      if (socket.remoteAddress !== undefined && !this.#ended) {
        const isHttp2 = socket.alpnProtocol === 'h2'
        const connection = isHttp2 ? this.#serveHttp2(socket, true, announced) : this.#serve(socket, true, announced)
        connection.clientCertificate = clientCertificate
      } else {
        socket.destroy()
        options.onClosed()
      }
    }
  }

  /** Opens the ports; rejects with a ListenError. The builder's port may come later. */
  async listen(): Promise<{ httpPort: number; httpsPort: number; builderPort: number | null }> {
    const { httpPort, httpsPort, builderPort } = this.#options.ports
    const http = await this.#open('http', httpPort)
    const https = await this.#open('https', httpsPort)
    const builder = builderPort === null ? null : await this.#openBuilder(builderPort)
    return { httpPort: http, httpsPort: https, builderPort: builder }
  }

  /** Connections that are served, those to the builder included, and those that will be: who is among them is waited for. */
  get open(): number {
    return this.#connections.size + this.#options.builder.size + this.#pending.size
  }

  /** Opens the builder's port, again and again until it can be had, or (null) closes it. Tells how that went. */
  async setBuilderPort(port: number | null): Promise<void> {
    this.#closeBuilder()
    this.#options.onBuilderPort(port === null ? null : await this.#openBuilder(port))
  }

  /** Takes a connection that another server accepted, as if ours had. */
  adopt(socket: Socket, port: PortName): void {
    if (this.#ended) {
      socket.destroy()
      return
    }
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveDelay)
    socket.allowHalfOpen = true
    this.#take(socket, port)
  }

  /** Accepts no more. */
  close(): void {
    this.#closed = true
    this.#closeBuilder()
    this.#close('http')
    this.#close('https')
    for (const connection of this.#connections) connection.drain()
  }

  /** Says goodbye to idle connections. */
  closeIdle(): void {
    for (const connection of this.#connections) connection.close()
  }

  /** Cuts all that is open. */
  cut(): void {
    this.#ended = true
    for (const connection of this.#connections) connection.destroy()
    for (const socket of this.#pending) socket.destroy()
    this.#options.builder.cut()
  }

  async #open(name: PortName, port: number): Promise<number> {
    const order = this.#builderOrder
    const server = createListener(socket => this.#take(socket, name))
    const { address, reusePort } = this.#options.ports
    const number = await listen(server, { address, port, reusePort }).catch(error => {
      throw Object.assign(error as Error, { port })
    })
    server.on('error', error => this.#acceptFailed(error))
    // By now it may not be wanted any more.
    if (this.#closed || (name === 'builder' && order !== this.#builderOrder)) server.close()
    else this.#servers.set(name, server)
    return number
  }

  #close(name: PortName): void {
    this.#servers.get(name)?.close()
    this.#servers.delete(name)
  }

  /** Null: not to be had now, or no longer wanted. */
  async #openBuilder(port: number): Promise<number | null> {
    const order = this.#builderOrder
    try {
      const number = await this.#open('builder', port)
      return order === this.#builderOrder ? number : null
    } catch (error) {
      const { code = 'ERROR' } = error as NodeJS.ErrnoException
      this.#complain('the builder port cannot be had', { port, code })
      if (order === this.#builderOrder)
        this.#builderRetry = setTimeout(() => void this.setBuilderPort(port), builderRetry)
      return null
    }
  }

  #closeBuilder(): void {
    this.#builderOrder++
    clearTimeout(this.#builderRetry)
    this.#close('builder')
  }

  #take(socket: Socket, port: PortName): void {
    // A client that has gone already has no address.
    if (socket.remoteAddress === undefined || !this.#admit()) {
      socket.destroy()
      return
    }
    const { useProxyProtocol: proxied, http2Cleartext } = this.#context.settings
    if (proxied || port === 'https' || (port === 'http' && http2Cleartext)) {
      this.#pending.add(socket)
      socket.on('close', () => {
        if (this.#pending.delete(socket)) this.#options.onClosed()
      })
    }
    if (!proxied) {
      this.#enter(socket, port, null, nothing, 0, 0)
      return
    }
    new ProxyHeaderReader(this.#context, socket, (address, buffer, start, end) =>
      this.#enter(socket, port, address, buffer, start, end),
    )
  }

  /** `[start, end)` of `buffer` has been read already. False: whoever has it now reads it anew. */
  #enter(
    socket: Socket,
    port: PortName,
    announced: string | null,
    buffer: Buffer,
    start: number,
    end: number,
  ): boolean {
    switch (port) {
      case 'http':
        if (!this.#context.settings.http2Cleartext) {
          this.#pending.delete(socket)
          return this.#serve(socket, false, announced).feed(buffer, start, end)
        }
        return this.#readVersion(socket, announced).feed(buffer.subarray(start, end))
      case 'https':
        this.#options.tls.accept(socket, announced, start < end ? Buffer.from(buffer.subarray(start, end)) : nothing)
        return false
      case 'builder':
        this.#pending.delete(socket)
        this.#options.builder.take(socket, Buffer.from(buffer.subarray(start, end)))
        return false
    }
  }

  /** A plain connection may speak either version. */
  #readVersion(socket: Socket, announced: string | null): VersionReader {
    return new VersionReader(this.#context, socket, (isHttp2, octets, length) => {
      this.#pending.delete(socket)
      const connection = isHttp2 ? this.#serveHttp2(socket, false, announced) : this.#serve(socket, false, announced)
      return connection.feed(octets, 0, length)
    })
  }

  #serve(socket: Socket, secure: boolean, announced: string | null): ClientConnection {
    const connection = new ClientConnection(this.#context, socket, secure, announced, this.#onClosed)
    this.#connections.add(connection)
    return connection
  }

  #serveHttp2(socket: Socket, secure: boolean, announced: string | null): Http2Connection {
    const connection = new Http2Connection(this.#context, socket, secure, announced, this.#onClosed)
    this.#connections.add(connection)
    return connection
  }

  readonly #onClosed = (connection: AcceptedConnection): void => {
    this.#connections.delete(connection)
    this.#options.onClosed()
  }

  #admit(): boolean {
    if (this.#ended) return false
    // An explicit limit may count on there being fewer connections to endpoints, but not on more descriptors.
    const capacity = Math.min(this.#context.settings.maxWorkerConnections ?? this.capacity, 2 * this.capacity)
    if (this.open < capacity || this.#makeRoom()) return true
    this.#context.counters[counter.connectionsRefused]!++
    this.#complain('connections are closed at once: as many as allowed are open', { open: this.open })
    return false
  }

  /** Closes the connections that have been idle for longest. False: none was. */
  #makeRoom(): boolean {
    const { counters, timers } = this.#context
    // Looking at all of them once in a tick is enough.
    if (this.#nothingSpareAt === timers.now) return false
    const spare = [...this.#connections].filter(connection => connection.spare)
    if (spare.length === 0) {
      this.#nothingSpareAt = timers.now
      return false
    }
    spare.sort((a, b) => a.idleSince - b.idleSince)
    for (const connection of spare.slice(0, Math.ceil(spare.length * evictedShare))) {
      counters[counter.connectionsEvicted]!++
      connection.destroy()
    }
    return true
  }

  /**
   * Mostly no file descriptors are left (EMFILE): idle connections have to make room; what else is open goes on. On
   * Linux Node closes such connections without telling us, which is why `capacity` stays below the limit.
   */
  #acceptFailed(error: Error): void {
    this.#context.counters[counter.acceptErrors]!++
    this.#makeRoom()
    this.#complain('accepting a connection failed', { code: (error as NodeJS.ErrnoException).code ?? 'ERROR' })
  }

  #complain(message: string, fields: Readonly<Record<string, string | number>>): void {
    const { now } = this.#context.timers
    if (now - (this.#complainedAt.get(message) ?? Number.NEGATIVE_INFINITY) < complaintInterval) return
    this.#complainedAt.set(message, now)
    this.#context.log(message, fields)
  }
}
