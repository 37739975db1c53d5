// The two listeners of a data thread: plain HTTP, and TLS with the certificate chosen by server name (contract section 8).

import { createServer as createPlainServer, type Server, Socket } from 'node:net'
import { createServer as createTlsServer, type SecureContext, type TLSSocket } from 'node:tls'
import { counter } from '../../model/counters.ts'
import { errorPage } from '../rescue.ts'

export interface ListenerOptions {
  readonly address: string
  readonly port: number
  /** Several threads listen on the same port. */
  readonly reusePort: boolean
}

/** How long a client may take for its handshake, in milliseconds. */
const handshakeTimeout = 10_000
const backlog = 4096
/** Silence after which the kernel asks whether the client is still there, in milliseconds. */
export const keepAliveDelay = 60_000

/** Reading starts when somebody has set up where to; half-closed connections are ours to end. */
const socketOptions = {
  pauseOnConnect: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: keepAliveDelay,
  allowHalfOpen: true,
} as const

export function httpListener(onConnection: (socket: Socket) => void): Server {
  return createPlainServer(socketOptions, onConnection)
}

/** `lookup` gives the context for a server name, or null for the default, which `setSecureContext` sets. */
export function httpsListener(
  counters: Float64Array,
  lookup: (serverName: string) => SecureContext | null,
  onConnection: (socket: TLSSocket) => void,
): ReturnType<typeof createTlsServer> {
  const server = createTlsServer({
    ...socketOptions,
    // Who leaves within the handshake is gone at once, and not when the handshake has taken too long.
    allowHalfOpen: false,
    handshakeTimeout,
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
    SNICallback: (serverName, done) => {
      try {
        done(null, lookup(serverName) ?? undefined)
      } catch (error) {
        done(error as Error)
      }
    },
  })
  server.on('secureConnection', socket => {
    counters[counter.tlsHandshakes]!++
    socket.allowHalfOpen = true
    onConnection(socket)
  })
  server.on('tlsClientError', (error, socket) => {
    counters[counter.tlsHandshakeErrors]!++
    const plain = (error as NodeJS.ErrnoException).code === 'ERR_SSL_HTTP_REQUEST' ? socketBeneath(socket) : null
    if (plain === null) socket.destroy()
    else plain.end(plainOnHttps, () => socket.destroy())
  })
  return server
}

/** Contract section 8: who speaks plain HTTP to this port gets an answer that tells so. */
const plainOnHttps = Buffer.from(
  `HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: ${errorPage(400).length}\r\nConnection: close\r\n\r\n${errorPage(400)}`,
  'latin1',
)

/** The connection that carries the TLS; null where this Node does not keep it. */
function socketBeneath(socket: TLSSocket): Socket | null {
  const { _parent: plain } = socket as unknown as { readonly _parent?: unknown }
  return plain instanceof Socket && plain.writable ? plain : null
}

/** Resolves with the port; rejects with Node's error when it cannot be had. */
export function listen(server: Server, options: ListenerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: options.address, port: options.port, reusePort: options.reusePort, backlog }, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : options.port)
    })
  })
}
