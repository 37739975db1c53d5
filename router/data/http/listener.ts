// The listeners of a data thread. All are plain TCP: TLS begins behind them, after the PROXY header if there is one.

import { createServer, type Server, type Socket } from 'node:net'

export interface ListenerOptions {
  readonly address: string
  readonly port: number
  /** Several threads listen on the same port. */
  readonly reusePort: boolean
}

const backlog = 4096
/** Silence after which the kernel asks whether the client is still there, in milliseconds. */
export const keepAliveDelay = 60_000

/** Reading starts when somebody has set up where to; half-closed connections are ours to end. */
export const socketOptions = {
  pauseOnConnect: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: keepAliveDelay,
  allowHalfOpen: true,
} as const

export function createListener(onConnection: (socket: Socket) => void): Server {
  return createServer(socketOptions, onConnection)
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
