// Syslog over TCP (RFC 6587) and TLS (RFC 5425). Connections are bounded, in all and for each address; while the disk is slower than
// what comes they are not read, so that their senders wait.

import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer as createTlsServer, type SecureContextOptions, type Server as TlsServer } from 'node:tls'
import { exitCode, StartupError } from '#kit/exit.ts'
import { canonicalAddress } from '#kit/ip-address.ts'
import type { Intake } from '../intake.ts'
import type { Metrics } from '../metrics.ts'
import type { LogStore } from '../store/log-store.ts'
import { Deframer } from '../syslog/framing.ts'

export interface StreamBounds {
  /** Open connections, and those of one address. */
  readonly connections: number
  readonly ofAddress: number
  /** Milliseconds without an octet after which a connection is closed. */
  readonly idle: number
}

export interface StreamOptions {
  readonly address: string
  /** 0: the kernel chooses. */
  readonly port: number
  /** Null: TCP without TLS. */
  readonly tls: TlsMaterial | null
  readonly intake: Intake
  readonly store: LogStore
  readonly metrics: Metrics
  readonly bounds: StreamBounds
}

export interface TlsMaterial extends SecureContextOptions {
  /** Whether senders have to show a certificate of `ca`. */
  readonly requestCert: boolean
}

/** Octets of a message: a line's text and its header; longer ones are cut. */
const maxMessage = 20 * 1024
/** Milliseconds. */
const handshakeTimeout = 10_000
/** After which a connection whose other end is gone without a word is noticed, milliseconds. */
const probeAfter = 60_000
/** At the end what senders have on the way is still read: until nothing has come for a while, milliseconds, and for so long at most. */
const grace = { quiet: 200, most: 2000 }

export class StreamInput implements AsyncDisposable {
  readonly #options: StreamOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #byAddress = new Map<string, number>()
  /** When the last octets came, monotonic milliseconds. */
  #readAt = 0

  private constructor(options: StreamOptions) {
    this.#options = options
    const { tls } = options
    if (tls === null) this.#server = createServer(socket => this.#read(socket))
    else
      this.#server = createTlsServer({ ...tls, handshakeTimeout, minVersion: 'TLSv1.2' }, socket => this.#read(socket))
    // Of a TLS server the connection before its handshake: that counts, too.
    this.#server.prependListener('connection', (socket: Socket) => this.#admit(socket))
    // A handshake that fails is its sender's affair.
    this.#server.on('tlsClientError', () => {})
  }

  /** Throws StartupError 69 for a port that is taken. */
  static async start(options: StreamOptions): Promise<StreamInput> {
    const input = new StreamInput(options)
    try {
      input.#server.listen(options.port, options.address)
      await once(input.#server, 'listening')
    } catch (error) {
      throw new StartupError(exitCode.unavailable, `cannot listen: ${(error as Error).message}`)
    }
    return input
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  get connections(): number {
    return this.#sockets.size
  }

  /** Another certificate, for connections from now on. Throws when it is none. */
  renew(material: TlsMaterial): void {
    ;(this.#server as TlsServer).setSecureContext({ ...material, minVersion: 'TLSv1.2' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    const began = performance.now()
    for (let now = began; this.#sockets.size > 0 && now - began < grace.most; now = performance.now()) {
      if (now - Math.max(began, this.#readAt) >= grace.quiet) break
      await delay(20)
    }
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #admit(socket: Socket): void {
    const { bounds, metrics } = this.#options
    const address = senderOf(socket)
    const ofAddress = this.#byAddress.get(address) ?? 0
    if (this.#sockets.size >= bounds.connections || ofAddress >= bounds.ofAddress) {
      metrics.connectionRefused()
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    this.#byAddress.set(address, ofAddress + 1)
    socket.on('error', () => {})
    socket.once('close', () => {
      this.#sockets.delete(socket)
      const left = this.#byAddress.get(address)! - 1
      if (left > 0) this.#byAddress.set(address, left)
      else this.#byAddress.delete(address)
    })
  }

  /** `socket` is over TLS when that is wanted. */
  #read(socket: Socket): void {
    if (socket.destroyed) return
    const { intake, store, metrics, bounds, tls } = this.#options
    const transport = tls === null ? 'tcp' : 'tls'
    const sender = senderOf(socket)
    const deframer = new Deframer(maxMessage, (octets, cut) => {
      if (cut) metrics.cut(transport)
      intake.take(octets, sender, transport)
    })
    socket.setKeepAlive(true, probeAfter)
    socket.setTimeout(bounds.idle, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#readAt = performance.now()
      deframer.push(chunk)
      if (!store.busy) return
      socket.pause()
      store.whenRoom(() => socket.resume())
    })
    // A connection that broke has brought what it has brought.
    socket.once('close', () => deframer.end())
  }
}

/** Canonical; of a connection that is gone already nobody knows it. */
function senderOf(socket: Socket): string {
  return canonicalAddress(socket.remoteAddress ?? '') ?? '0.0.0.0'
}
