// Accepts connections in control and hands them to data threads in turn: for systems where several threads cannot
// listen on one port (macOS has SO_REUSEPORT but gives every connection to one of them, Windows has none).

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { listenError, type Port } from './port.ts'

export class Acceptor {
  readonly #server: Server

  /** Throws StartupError 69 when the port cannot be had. `take` owns each socket, paused. */
  static async listen(port: Port, take: (socket: Socket) => void): Promise<Acceptor> {
    // What is read before the hand-over would stay behind.
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, take)
    try {
      server.listen({ host: port.address, port: port.number, exclusive: true })
      await once(server, 'listening')
    } catch (error) {
      throw listenError(port, (error as NodeJS.ErrnoException).code ?? String(error))
    }
    return new Acceptor(server)
  }

  private constructor(server: Server) {
    this.#server = server
    // A connection that could not be accepted is lost to its client alone.
    server.on('error', () => {})
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0
  }

  /** Accepts no more. Does not wait for connections: they are the data threads' now. */
  close(): void {
    if (this.#server.listening) this.#server.close()
    this.#server.unref()
  }
}
