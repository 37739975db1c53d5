// Clients that ask once and then stay.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type Scheme = 'http' | 'https'

const request = 'GET /healthz HTTP/1.1\r\nHost: idle.bench.example\r\n\r\n'

/** One connection, after one answer. Throws when it is closed instead. */
async function openOne(scheme: Scheme, port: number): Promise<Socket> {
  const address = { host: '127.0.0.1', port }
  const socket =
    scheme === 'http'
      ? connect(address)
      : connectTls({ ...address, servername: 'idle.bench.example', rejectUnauthorized: false, minVersion: 'TLSv1.3' })
  await once(socket, scheme === 'http' ? 'connect' : 'secureConnect')
  socket.write(request)
  const [octets] = (await once(socket, 'data')) as [Buffer]
  if (!/^HTTP\/1\.1 (200|404) /.test(octets.toString('latin1'))) throw new Error('an answer of another kind')
  socket.resume()
  return socket
}

/** Connections that stay open until this is disposed of. */
export class IdleConnections implements Disposable {
  readonly #scheme: Scheme
  readonly #port: number
  readonly #sockets: Socket[] = []
  #lost = 0

  constructor(scheme: Scheme, port: number) {
    this.#scheme = scheme
    this.#port = port
  }

  /** How many were closed by the other end. */
  get lost(): number {
    return this.#lost
  }

  /** Opens more, until there are so many. */
  async grow(count: number): Promise<void> {
    const atOnce = 16
    while (this.#sockets.length < count) {
      const missing = Math.min(atOnce, count - this.#sockets.length)
      const opened = await Promise.all(Array.from({ length: missing }, () => openOne(this.#scheme, this.#port)))
      for (const socket of opened) {
        socket.on('error', () => {})
        socket.on('close', () => this.#lost++)
      }
      this.#sockets.push(...opened)
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) {
      socket.removeAllListeners('close')
      socket.destroy()
    }
  }
}
