// The builder's port (contract section 5): raw TCP to one of the builder's endpoints. SSH, whose pushes may be silent for
// minutes, so there is no limit but the idle timeout; allow lists do not count here.

import type { Socket } from 'node:net'
import { counter } from '../model/counters.ts'
import type { Builder as BuilderData } from '../model/patch.ts'
import type { UpstreamId } from '../model/upstream.ts'
import type { ThreadContext } from './context.ts'
import { readInto } from './http/adopt.ts'
import { Tunnel, type TunnelClient } from './http/upgrade.ts'
import { Timed } from './timers.ts'
import { Attempts } from './upstream/attempts.ts'
import type { UpstreamListener } from './upstream/channel.ts'
import { UpstreamConnection } from './upstream/connection.ts'
import type { UpstreamRegistry } from './upstream/registry.ts'
import type { Upstream } from './upstream/upstream.ts'

interface Target {
  readonly upstream: Upstream
  readonly connectTimeout: number
  readonly idleTimeout: number
}

/** Connections to the builder, those that are open and those to come. */
export class Builder {
  readonly #context: ThreadContext
  readonly #onClosed: () => void
  readonly #connections = new Set<BuilderConnection>()
  #id: UpstreamId | null = null
  #target: Target | null = null

  /** `onClosed` is called after each connection's end. */
  constructor(context: ThreadContext, onClosed: () => void) {
    this.#context = context
    this.#onClosed = onClosed
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size
  }

  /** Where connections go from now on; those that are open stay where they are. */
  configure(builder: BuilderData | null, upstreams: UpstreamRegistry): void {
    this.#id = builder?.upstream ?? null
    this.#target = builder === null ? null : { ...builder, upstream: upstreams.get(builder.upstream) }
  }

  refersTo(id: UpstreamId): boolean {
    return id === this.#id
  }

  /** Takes over a paused connection; `early`: what it has sent already. Closes it at once when no endpoint is there. */
  take(socket: Socket, early: Buffer): void {
    this.#context.counters[counter.builderAccepted]!++
    if (this.#target === null || !this.#target.upstream.available) {
      socket.destroy()
      this.#onClosed()
      return
    }
    const connection = new BuilderConnection(this.#context, socket, this.#target, early, () => {
      this.#connections.delete(connection)
      this.#onClosed()
    })
    this.#connections.add(connection)
    connection.dial()
  }

  /** Cuts all that are open. */
  cut(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}

class BuilderConnection extends Timed implements UpstreamListener, TunnelClient {
  readonly socket: Socket
  readonly #context: ThreadContext
  readonly #target: Target
  readonly #onClosed: () => void
  #early: Buffer
  readonly #attempts = new Attempts()
  #dialing: UpstreamConnection | null = null
  #tunnel: Tunnel | null = null
  #ended = false
  #gone = false

  constructor(context: ThreadContext, socket: Socket, target: Target, early: Buffer, onClosed: () => void) {
    super()
    this.#context = context
    this.socket = socket
    this.#target = target
    this.#early = early
    this.#onClosed = onClosed
    context.counters[counter.builderOpen]!++
    this.#attempts.begin(context, target.upstream, null)
    socket.on('drain', () => this.#tunnel?.onClientDrain())
    socket.on('end', () => this.#onEnd())
    socket.on('error', () => this.#onGone(true))
    socket.on('close', () => this.#onGone(false))
  }

  /** Connects to the next endpoint. The client is not read before that. */
  dial(): void {
    const member = this.#attempts.claim()
    if (member === null) this.destroy()
    else this.#dialing = new UpstreamConnection(this.#context, member.pool, this, this.#target.connectTimeout)
  }

  onUpstreamConnect(): void {
    const upstream = this.#dialing!
    const { counters, readBuffer } = this.#context
    this.#attempts.reached()
    this.#dialing = null
    // From here on the tunnel counts.
    counters[counter.builderOpen]!--
    const { idleTimeout } = this.#target
    const tunnel = new Tunnel(this.#context, this, upstream, idleTimeout, () => {}, counter.builderOpen)
    this.#tunnel = tunnel
    const early = this.#early
    this.#early = Buffer.alloc(0)
    const reading = tunnel.onClientData(early, 0, early.length)
    if (this.#ended) tunnel.onClientEnd()
    readInto(this.socket, readBuffer, (octets, buffer) => tunnel.onClientData(buffer, 0, octets))
    if (reading) this.socket.resume()
  }

  onUpstreamGone(code: string): void {
    this.#dialing = null
    if (this.#attempts.mayConnectElsewhere(code)) this.dial()
    else this.destroy()
  }

  // The tunnel takes the upstream connection over before any of these can come.
  onUpstreamData(): boolean {
    return true
  }
  onUpstreamDrain(): void {}
  onUpstreamEnd(): void {}

  setDeadline(delay: number): void {
    this.#context.timers.set(this, delay)
  }

  get blocked(): boolean {
    return this.socket.writableNeedDrain
  }

  end(): void {
    this.socket.end()
  }

  send(from: number): boolean {
    const { slab } = this.#context
    this.socket.write(slab.buffer.subarray(from, slab.at))
    if (this.socket.writableLength === 0) slab.at = from
    return !this.blocked
  }

  resume(): void {
    this.socket.resume()
  }

  destroy(): void {
    this.socket.destroy()
    this.#onGone(false)
  }

  override onDeadline(): void {
    this.#tunnel?.close()
  }

  #onEnd(): void {
    this.#ended = true
    this.#tunnel?.onClientEnd()
  }

  #onGone(failed: boolean): void {
    if (this.#gone) return
    this.#gone = true
    this.#context.timers.remove(this)
    if (this.#tunnel !== null) this.#tunnel.onClientGone(failed)
    else {
      this.#context.counters[counter.builderOpen]!--
      this.#dialing?.destroy()
      this.#dialing = null
    }
    this.#attempts.end()
    this.#onClosed()
  }
}
