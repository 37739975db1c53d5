// The sessions with one endpoint, and the requests that wait for a stream of them. One session carries as many streams as
// the endpoint takes; only when it takes no more another one is opened, up to a bound.

import { counter } from '../../model/counters.ts'
import type { ThreadContext } from '../context.ts'
import { goneCode, type UpstreamListener } from './channel.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import { type ChannelOwner, Http2Channel } from './h2-channel.ts'
import { Http2Session, type SessionOwner } from './h2-session.ts'

const maxSessions = 8
/** Requests that wait for a stream of one endpoint; each waits for its connectTimeout at most. */
const maxWaiting = 1024
/** Streams that a session will have room for, as long as its endpoint has not said how many. */
const assumedRoom = 100

export class Http2Sessions implements SessionOwner, ChannelOwner {
  readonly pool: EndpointPool
  readonly #context: ThreadContext
  /** Those that take streams, or will. */
  readonly #sessions = new Set<Http2Session>()
  readonly #waiting: Http2Channel[] = []
  #connecting = 0
  #connectTimeout = 0

  constructor(context: ThreadContext, pool: EndpointPool) {
    this.#context = context
    this.pool = pool
  }

  /** A channel for one request: on a stream at once, or as soon as there is one. */
  open(listener: UpstreamListener, connectTimeout: number): Http2Channel {
    const channel = new Http2Channel(this.#context, this, this.pool, listener)
    const session = this.#roomiest()
    if (session !== null && this.#waiting.length === 0) {
      channel.attach(session)
      if (session.opened > 1) this.#context.counters[counter.upstreamReused]!++
      return channel
    }
    if (this.#waiting.length >= maxWaiting) {
      process.nextTick(() => channel.onNoStream('ERR_NO_STREAM'))
      return channel
    }
    this.#waiting.push(channel)
    this.#connectTimeout = connectTimeout
    this.#context.timers.set(channel, connectTimeout)
    this.#dial()
    return channel
  }

  abandon(channel: Http2Channel): void {
    const at = this.#waiting.indexOf(channel)
    if (at >= 0) this.#waiting.splice(at, 1)
  }

  /** The endpoint is gone: what is open finishes, what waits has to go elsewhere. */
  retire(): void {
    // First, or a session would be opened for those who wait.
    this.#failWaiting(goneCode.closed)
    for (const session of [...this.#sessions]) session.drain()
  }

  onSessionReady(): void {
    this.#connecting--
    this.#serve()
  }

  onSessionRoom(): void {
    if (this.#waiting.length > 0) this.#serve()
  }

  onSessionDraining(session: Http2Session): void {
    this.#sessions.delete(session)
    if (this.#waiting.length > 0) this.#dial()
  }

  onSessionGone(session: Http2Session, code: string, wasReady: boolean): void {
    this.#sessions.delete(session)
    if (!wasReady) this.#connecting--
    if (this.#waiting.length === 0) return
    if (wasReady) this.#dial()
    // One that could not be made could not be made a moment later either: who waits has to do with those that are there.
    else if (this.#sessions.size === 0) this.#failWaiting(code)
  }

  /** Of those that take streams the one with the fewest; null: none has room. */
  #roomiest(): Http2Session | null {
    let best: Http2Session | null = null
    for (const session of this.#sessions)
      if (session.room > 0 && (best === null || session.size < best.size)) best = session
    return best
  }

  #dial(): void {
    if (this.#sessions.size >= maxSessions || this.#connecting * assumedRoom >= this.#waiting.length) return
    this.#connecting++
    this.#sessions.add(new Http2Session(this.#context, this, this.#connectTimeout))
  }

  /** Gives streams to those who wait, first come, first served. */
  #serve(): void {
    while (this.#waiting.length > 0) {
      const session = this.#roomiest()
      if (session === null) {
        this.#dial()
        return
      }
      const channel = this.#waiting.shift()!
      channel.attach(session)
      channel.listener?.onUpstreamConnect()
    }
  }

  #failWaiting(code: string): void {
    for (const channel of this.#waiting.splice(0)) channel.onNoStream(code)
  }
}
