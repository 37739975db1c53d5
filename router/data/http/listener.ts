// The two listeners of a data thread: plain HTTP, and TLS with the certificate chosen by server name (contract section 8).

import { createServer as createPlainServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type SecureContext, type TLSSocket } from 'node:tls'
import { counter } from '../../model/counters.ts'

export interface ListenerOptions {
  readonly address: string
  readonly port: number
  /** Several threads listen on the same port. */
  readonly reusePort: boolean
}

/** How long a client may take for its handshake, in milliseconds. */
const handshakeTimeout = 10_000
const backlog = 4096

/** Reading starts when somebody has set up where to; half-closed connections are ours to end. */
const socketOptions = {
  pauseOnConnect: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
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
    onConnection(socket)
  })
  server.on('tlsClientError', (_error, socket) => {
    counters[counter.tlsHandshakeErrors]!++
    socket.destroy()
  })
  return server
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
