// One end of a TCP or TLS connection that a test drives by hand: it sends octets as told and reads what comes.

import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { type Head, type Message, OctetQueue, readBody, readHead } from './http-message.ts'

export interface Response extends Message {
  readonly status: number
}

export interface Request extends Message {
  readonly method: string
  readonly target: string
}

export class Peer implements AsyncDisposable {
  readonly socket: Socket
  readonly queue = new OctetQueue()
  readonly #beneath: Socket
  #closed = false
  readonly #whenClosed: Promise<string>

  /** `beneath`: the TCP connection, where `socket` is TLS. */
  constructor(socket: Socket, beneath: Socket = socket) {
    this.socket = socket
    this.#beneath = beneath
    socket.on('data', (octets: Buffer) => this.queue.push(octets))
    socket.on('end', () => this.queue.finish('end'))
    socket.on('error', error => this.queue.finish((error as NodeJS.ErrnoException).code ?? 'ERROR'))
    this.#whenClosed = new Promise(resolve => {
      socket.on('close', () => {
        this.#closed = true
        this.queue.finish('closed')
        resolve(this.queue.ended ?? '')
      })
    })
  }

  /** Resolves when the octets are with the kernel (or with nobody, on a dead connection). */
  send(octets: string | Uint8Array): Promise<void> {
    return new Promise(resolve => {
      this.socket.write(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets, () => resolve())
    })
  }

  /** Half-close: no more octets from here. */
  end(): void {
    this.socket.end()
  }

  /** RST. */
  reset(): void {
    // Node never tells that a socket is closed that was reset in the middle of its own half-close.
    if (this.#beneath.writableEnded) this.#beneath.destroy()
    else this.#beneath.resetAndDestroy()
    this.socket.destroy()
  }

  /** The next head alone. */
  head(): Promise<Head> {
    return readHead(this.queue)
  }

  /** One response, interim ones too; `of`: the method it answers, as it decides whether a body follows. */
  async response(of = 'GET'): Promise<Response> {
    const head = await readHead(this.queue)
    const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(head.line)?.[1] ?? Number.NaN)
    if (Number.isNaN(status)) throw new Error(`no status line: ${head.line}`)
    if (of === 'HEAD' || status < 200 || status === 204 || status === 304) {
      return { ...head, status, body: Buffer.alloc(0), rawBody: Buffer.alloc(0), trailers: [] }
    }
    return { ...(await readBody(this.queue, head, true)), status }
  }

  async request(): Promise<Request> {
    const head = await readHead(this.queue)
    const [method = '', target = ''] = head.line.split(' ')
    return { ...(await readBody(this.queue, head, false)), method, target }
  }

  /** Resolves when the other end has sent its last octet: `end`, or the code of an error. */
  async ended(): Promise<string> {
    while (this.queue.ended === null) await this.queue.change()
    return this.queue.ended
  }

  /** Resolves when the connection is gone in both directions. */
  closed(): Promise<string> {
    return this.#whenClosed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
    if (!this.#closed) await this.#whenClosed
  }
}

/** How a client comes to the router. */
export interface Way {
  /** Where the router listens; 127.0.0.1 unless told. */
  readonly host?: string
  /** Address that the client comes from: any of 127.0.0.0/8 where the machine has them all. */
  readonly localAddress?: string
  /** Octets that go out before anything else, TLS included: the header of a proxy in between. */
  readonly first?: string | Uint8Array
}

async function dial(port: number, { host = '127.0.0.1', localAddress, first }: Way): Promise<Socket> {
  const socket = connectPlain({ port, host, localAddress, allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  if (first !== undefined) socket.write(typeof first === 'string' ? Buffer.from(first, 'latin1') : first)
  return socket
}

/** A client's connection to the router. */
export async function connectTo(port: number, way: Way = {}): Promise<Peer> {
  return new Peer(await dial(port, way))
}

/** The same over TLS; rejects when the handshake fails. Any certificate will do. */
export async function connectTlsTo(
  port: number,
  options: ConnectionOptions = {},
  way: Way = {},
): Promise<Peer & { socket: TLSSocket }> {
  // Over a socket of its own, as TLS knows half-open only from the socket beneath.
  const plain = await dial(port, way)
  // TLS beneath which a socket is reset brings Node down (26.10), so there is a stream of JavaScript in between.
  const [near, far] = duplexPair()
  plain.pipe(far).pipe(plain)
  plain.on('error', error => near.destroy(error))
  plain.on('close', () => near.destroy())
  near.on('close', () => plain.destroy())
  const socket = connectTls({ socket: near, rejectUnauthorized: false, ...options })
  const peer = new Peer(socket, plain) as Peer & { socket: TLSSocket }
  try {
    await once(socket, 'secureConnect')
  } catch (error) {
    plain.destroy()
    throw error
  }
  return peer
}
