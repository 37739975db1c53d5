// A few HTTP/2 connections to the API server, shared by all requests and watches. undici 8 multiplexes as well, but a
// peer that vanished without a word stays unnoticed there: its PINGs have no deadline, and while one is unanswered TCP
// keep-alive is silent too (measured: nothing for 75 s). Here an unanswered PING ends the connection.

import type { OutgoingHttpHeaders } from 'node:http2'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import type { Socket } from 'node:net'
import { TransportError } from './errors.ts'

/**
 * Streams on one connection, at most; the server may want fewer (kube-apiserver: 100). Together their windows fit into
 * the connection's, so that readers who pause never keep the other streams of the connection waiting.
 */
const maxStreams = 100
const streamWindow = 256 * 1024
const connectionWindow = (maxStreams + 28) * streamWindow
/** Far above what a router needs (one watch for each Secret: 6400), and an end to a server that allows one stream. */
const maxSessions = 64
/** Connections with nothing to do are closed after so many PINGs. */
const idlePings = 4
const settingsTimeout = 10_000

export interface H2PoolOptions {
  readonly authority: URL
  /** A connected socket on which the peer speaks HTTP/2; null when it does not. Has a deadline of its own. */
  dial(): Promise<Socket | null>
  /** Between PINGs, milliseconds. A peer that vanished is noticed after two at most. */
  readonly pingInterval?: number
}

interface Pooled {
  readonly session: ClientHttp2Session
  limit: number
  open: number
  retired: boolean
}

export class H2Pool {
  readonly #options: H2PoolOptions
  readonly #pool = new Set<Pooled>()
  #dialing: Promise<boolean> | null = null
  #closed = false

  constructor(options: H2PoolOptions) {
    this.#options = options
  }

  /** Connections now. */
  get size(): number {
    return this.#pool.size
  }

  /**
   * A stream with these header fields sent, on a connection with room for it; null when the peer speaks no HTTP/2.
   * With `hasBody` the caller writes and ends it. The caller reads or destroys the stream. Throws a TransportError, or the signal's reason.
   */
  async open(headers: OutgoingHttpHeaders, hasBody: boolean, signal: AbortSignal): Promise<ClientHttp2Stream | null> {
    const pooled = await this.#claim(signal)
    if (pooled === null) return null
    try {
      if (pooled.open === 1) pooled.session.ref()
      const stream = pooled.session.request(headers, { endStream: !hasBody })
      let released = false
      const release = (): void => {
        if (released) return
        released = true
        this.#release(pooled)
      }
      // At its end, when nothing is left to send, the stream counts no more for the server; `close` is a little later.
      stream.once('end', () => {
        if (stream.writableEnded) release()
      })
      stream.once('close', release)
      return stream
    } catch (error) {
      pooled.retired = true
      this.#release(pooled)
      throw new TransportError('the connection went away', { cause: error, unprocessed: true })
    }
  }

  /** Opens no more streams on the connections of now; each is closed with its last stream. */
  retire(): void {
    for (const pooled of this.#pool) {
      pooled.retired = true
      if (pooled.open === 0) pooled.session.close()
    }
  }

  /** Ends every connection and the streams on it. */
  close(): void {
    this.#closed = true
    // With an error: without one, a stream that is being read would seem to have come to its end.
    for (const pooled of this.#pool) pooled.session.destroy(closed())
  }

  async #claim(signal: AbortSignal): Promise<Pooled | null> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#closed) throw closed()
      for (const pooled of this.#pool) {
        if (pooled.retired || pooled.open >= pooled.limit || pooled.session.closed || pooled.session.destroyed) continue
        pooled.open += 1
        return pooled
      }
      if (this.#pool.size >= maxSessions) {
        throw new TransportError(`${maxSessions} connections to the API server are in use`, { unprocessed: true })
      }
      // One dial at a time: whoever finds its connection full when it is there dials the next.
      this.#dialing ??= this.#connect().finally(() => {
        this.#dialing = null
      })
      if (!(await unlessAborted(this.#dialing, signal))) return null
    }
  }

  #release(pooled: Pooled): void {
    pooled.open -= 1
    if (pooled.open > 0 || pooled.session.destroyed) return
    if (pooled.retired) pooled.session.close()
    else pooled.session.unref()
  }

  async #connect(): Promise<boolean> {
    const socket = await this.#options.dial()
    if (socket === null) return false
    const session = connect(this.#options.authority, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: streamWindow },
      maxSessionMemory: 64,
    })
    const pooled: Pooled = { session, limit: 0, open: 0, retired: false }
    // Streams report what ends them; without a listener the same error would end the process.
    session.on('error', () => {})
    session.on('goaway', () => {
      pooled.retired = true
    })
    session.on('remoteSettings', settings => {
      pooled.limit = Math.min(settings.maxConcurrentStreams ?? maxStreams, maxStreams)
    })
    await this.#settled(session)
    if (pooled.limit < 1) {
      session.destroy()
      throw new TransportError('the API server allows no streams', { unprocessed: true })
    }
    session.setLocalWindowSize(connectionWindow)
    this.#keepChecking(pooled, socket)
    this.#pool.add(pooled)
    if (this.#closed) session.destroy(closed())
    session.unref()
    return true
  }

  /** Until the server's SETTINGS are here: only they say how many streams it takes. */
  #settled(session: ClientHttp2Session): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (message: string, cause?: unknown): void => {
        clearTimeout(timer)
        session.destroy()
        reject(new TransportError(message, { cause, unprocessed: true }))
      }
      const timer = setTimeout(() => fail('the API server does not begin HTTP/2'), settingsTimeout)
      session.once('remoteSettings', () => {
        clearTimeout(timer)
        resolve()
      })
      session.once('error', error => fail(`the connection failed: ${error.message}`, error))
      session.once('close', () => fail('the API server closed the connection'))
    })
  }

  #keepChecking(pooled: Pooled, socket: Socket): void {
    const { session } = pooled
    let awaited = false
    let received = 0
    let idle = 0
    let leaving = 0
    const timer = setInterval(() => {
      idle = pooled.open === 0 ? idle + 1 : 0
      if (idle > idlePings) {
        session.close()
        return
      }
      if (session.destroyed) return
      if (session.closed) {
        // After a GOAWAY Node sends no PING, and the server that said it waits for us to leave: watches must move on.
        leaving += 1
        if (leaving > 1) session.destroy(new TransportError('the API server ended the connection'))
        return
      }
      if (awaited) {
        // If this thread was busy, the answer may lie in the socket: let it be read before judging.
        setImmediate(() => {
          if (!awaited || socket.bytesRead > received) return
          session.destroy(new TransportError('the API server no longer answers'))
        })
        return
      }
      awaited = true
      received = socket.bytesRead
      session.ping(error => {
        if (error === null) awaited = false
      })
    }, this.#options.pingInterval ?? 15_000)
    timer.unref()
    session.once('close', () => {
      clearInterval(timer)
      this.#pool.delete(pooled)
    })
  }
}

function closed(): TransportError {
  return new TransportError('the client is closed')
}

/** The promise's outcome, or the signal's reason if that comes first; the promise itself goes on for others. */
async function unlessAborted<R>(promise: Promise<R>, signal: AbortSignal): Promise<R> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Did the server certainly not act on the stream? RFC 9113 section 8.7. */
export function isRefused(stream: ClientHttp2Stream): boolean {
  return stream.rstCode === constants.NGHTTP2_REFUSED_STREAM
}
