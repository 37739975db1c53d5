// One connection through the proxy: octets both ways, each direction with an end of its own, and as fast as the slower side
// takes them.

import { connect, type Socket } from 'node:net'
import type { HostAndPort } from '#kit/host-and-port.ts'

export interface RelayOptions {
  readonly target: HostAndPort
  /** Milliseconds. */
  readonly connectTimeout: number
  readonly idleTimeout: number
  /** Called once, when the registry answers or cannot be reached. */
  readonly onConnect: (error: Error | null) => void
  /** Called once, with the octets from and to the client. */
  readonly onClose: (received: number, sent: number) => void
}

export class Relay {
  readonly #client: Socket
  readonly #upstream: Socket

  /** Takes over a connection that allows half-open ends and was not read from. */
  constructor(client: Socket, { target, connectTimeout, idleTimeout, onConnect, onClose }: RelayOptions) {
    const upstream = connect({ ...target, allowHalfOpen: true, noDelay: true, keepAlive: true })
    this.#client = client
    this.#upstream = upstream
    const fail = (error: Error): void => {
      onConnect(error)
      // Not an orderly end: it would look like an answer that is empty.
      client.resetAndDestroy()
    }
    const late = (): void => {
      upstream.destroy(new Error(`no connection within ${connectTimeout / 1000} s`))
    }
    upstream.setTimeout(connectTimeout, late)
    upstream.once('error', fail)
    client.on('error', () => this.#break())
    client.once('close', () => {
      this.destroy()
      onClose(client.bytesRead, client.bytesWritten)
    })
    upstream.once('connect', () => {
      onConnect(null)
      upstream.off('timeout', late)
      upstream.off('error', fail)
      upstream.on('error', () => this.#break())
      for (const socket of [client, upstream]) socket.on('timeout', () => this.destroy())
      this.patience = idleTimeout
      // Not `pipeline`: it takes the end of one direction for that of both.
      client.pipe(upstream)
      upstream.pipe(client)
    })
  }

  /** Milliseconds that nothing may move; then it is closed. */
  set patience(milliseconds: number) {
    this.#client.setTimeout(milliseconds)
    // Until it is connected it has a limit of its own.
    if (!this.#upstream.connecting) this.#upstream.setTimeout(milliseconds)
  }

  /** One side is broken: whoever takes the end of the connection for that of a message must not take it for a whole one. */
  #break(): void {
    this.#client.resetAndDestroy()
    this.#upstream.resetAndDestroy()
  }

  destroy(): void {
    this.#client.destroy()
    this.#upstream.destroy()
  }
}
