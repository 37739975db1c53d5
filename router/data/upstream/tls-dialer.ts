// TLS towards endpoints. Their certificates are checked only when the app asks for it: pods mostly have none that anybody
// could check, as their addresses come and go.

import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { EndpointPool } from './endpoint-pool.ts'

/** Connects, and resumes the last session with this endpoint if there was one. The caller sets the deadline. */
export function connectTls(pool: EndpointPool, protocol: 'http/1.1' | 'h2'): TLSSocket {
  const { serverName, verify } = pool.transport.tls
  // The types of Node leave `allowHalfOpen` out.
  const options: ConnectionOptions & { readonly allowHalfOpen: boolean } = {
    host: pool.address,
    port: pool.port,
    allowHalfOpen: true,
    rejectUnauthorized: verify,
    ALPNProtocols: [protocol],
    ...(serverName !== null && { servername: serverName }),
    ...(pool.tlsSession !== null && { session: pool.tlsSession }),
  }
  const socket = connect(options)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 60_000)
  // TLS 1.3 sends tickets behind the handshake (RFC 8446 section 4.6.1): the newest is the best.
  socket.on('session', session => {
    pool.tlsSession = session
  })
  return socket
}
