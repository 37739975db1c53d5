// Connecting to endpoints, over TCP or TLS. Certificates are checked only when the app asks for it: pods mostly have none
// that anybody could check, as their addresses come and go.

import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { ThreadContext } from '../context.ts'
import { readInto } from '../http/adopt.ts'
import type { EndpointPool } from './endpoint-pool.ts'

const keepAliveDelay = 60_000

/** Who has a connection made. */
export interface Dialer {
  /** What is said on it, by its name in ALPN (RFC 7301). */
  readonly application: 'http/1.1' | 'h2'
  /** It is there; what has been written before goes out now. */
  onConnect(): void
  /** Octets are valid during the call only. False: stop reading until the socket is resumed. */
  onRead(length: number, buffer: Buffer): boolean
  /** It is there, but what is spoken on it is something else. */
  onStranger(): void
}

/** The caller hears of its end by the socket's own events, and sets the deadline. */
export function dial(context: ThreadContext, pool: EndpointPool, dialer: Dialer): Socket {
  if (pool.secure) return dialTls(context, pool, dialer)
  const socket = connect({
    host: pool.address,
    port: pool.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelay,
    allowHalfOpen: true,
    // One buffer for the whole thread: what comes is used up or copied before the next read.
    onread: {
      buffer: context.readBuffer,
      callback: (length, buffer) => dialer.onRead(length, buffer as Buffer),
    },
  })
  socket.on('connect', () => dialer.onConnect())
  return socket
}

function dialTls({ readBuffer }: ThreadContext, pool: EndpointPool, dialer: Dialer): Socket {
  const { application } = dialer
  const { serverName, verify } = pool.transport.tls
  // The types of Node leave `allowHalfOpen` out.
  const options: ConnectionOptions & { readonly allowHalfOpen: boolean } = {
    host: pool.address,
    port: pool.port,
    allowHalfOpen: true,
    rejectUnauthorized: verify,
    ALPNProtocols: [application],
    ...(serverName !== null && { servername: serverName }),
    ...(pool.tlsSession !== null && { session: pool.tlsSession }),
  }
  const socket = connectTls(options)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, keepAliveDelay)
  // TLS 1.3 sends tickets behind the handshake (RFC 8446 section 4.6.1): the newest is the best.
  socket.on('session', session => {
    pool.tlsSession = session
  })
  socket.on('secureConnect', () => {
    // An endpoint of HTTP/1.1 need not know ALPN, one of HTTP/2 must (RFC 9113 section 3.2).
    if (application === 'h2' && socket.alpnProtocol !== 'h2') {
      dialer.onStranger()
      return
    }
    readInto(socket, readBuffer, (length, buffer) => dialer.onRead(length, buffer))
    socket.resume()
    dialer.onConnect()
  })
  return socket
}
