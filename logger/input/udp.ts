// Syslog over UDP (RFC 5426): a message is a datagram. The queue is the kernel's receive buffer, whose drops the kernel counts; so
// many datagrams a second are looked at, the rest costs no more than being received.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { exitCode, StartupError } from '#kit/exit.ts'
import { canonicalAddress } from '#kit/ip-address.ts'
import type { Logger } from '#kit/log.ts'
import type { Intake } from '../intake.ts'

export interface UdpOptions {
  readonly address: string
  /** 0: the kernel chooses. */
  readonly port: number
  readonly intake: Intake
  /** Datagrams a second. */
  readonly rate: number
  readonly log: Logger
}

/** Octets that the kernel is asked to keep for us; it may give less (`net.core.rmem_max`). */
const receiveBuffer = 4 * 1024 * 1024

export class UdpInput implements AsyncDisposable {
  readonly #socket: Socket
  readonly #options: UdpOptions
  /** Datagrams that may still be looked at, twice the rate at most. */
  #left: number
  #filledAt = performance.now()

  private constructor(socket: Socket, options: UdpOptions) {
    this.#socket = socket
    this.#options = options
    this.#left = options.rate * 2
    socket.on('message', (message, { address }) => this.#receive(message, address))
    // An answer of the network to nothing that we sent; the socket stays good.
    socket.on('error', error => options.log.warn({ error: String(error) }, 'syslog over UDP'))
  }

  /** Throws StartupError 69 for a port that is taken. */
  static async start(options: UdpOptions): Promise<UdpInput> {
    const { address, port } = options
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4' })
    try {
      socket.bind(port, address)
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      throw new StartupError(exitCode.unavailable, `cannot listen: ${(error as Error).message}`)
    }
    try {
      socket.setRecvBufferSize(receiveBuffer)
    } catch {
      // The default then.
    }
    return new UdpInput(socket, options)
  }

  get port(): number {
    return this.#socket.address().port
  }

  /** Datagrams that found no room, as the kernel counts them since the start; null: it does not say. */
  async kernelDrops(): Promise<number | null> {
    const port = this.port
    const tables = await Promise.all(['udp', 'udp6'].map(name => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')))
    return dropsOf(tables.join('\n'), port)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }

  #receive(message: Buffer, address: string): void {
    const now = performance.now()
    const { rate, intake } = this.#options
    this.#left = Math.min(rate * 2, this.#left + ((now - this.#filledAt) / 1000) * rate)
    this.#filledAt = now
    if (this.#left < 1) {
      intake.dropped(1)
      return
    }
    this.#left--
    if (message.length > 0) intake.take(message, canonicalAddress(address) ?? address, 'udp')
  }
}

/** The last column of the rows of `/proc/net/udp` with this local port; null: there is none. */
export function dropsOf(table: string, port: number): number | null {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  let drops: number | null = null
  for (const row of table.split('\n')) {
    const columns = row.trim().split(/\s+/)
    if (columns[1]?.endsWith(local)) drops = (drops ?? 0) + (Number(columns.at(-1)) || 0)
  }
  return drops
}
