// The way to the receiver of a log drain: found, checked, and then connected to at just the address that was checked, so that no
// name can lead elsewhere between the two.

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { addAbortListener, once } from 'node:events'
import { connect as connectTcp, isIP, isIPv6, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import type { DrainUrl } from '#kit/drain-url.ts'
import { frameMessage } from '../syslog/framing.ts'
import type { AllowedNetworks } from './networks.ts'

export interface DrainConnection extends Disposable {
  /** Resolves with how many of them the kernel took: over UDP some may be too long. Rejects when the connection is no more. */
  write(messages: readonly Buffer[]): Promise<number>
  /** Resolves when the other end has closed it or it broke. */
  readonly ended: Promise<void>
}

export interface DrainRoad {
  readonly networks: AllowedNetworks
  /** Who signs certificates of receivers. */
  readonly secureContext: () => SecureContext
  /** Addresses of a name; rejects when it has none. */
  readonly resolve: (host: string) => Promise<readonly string[]>
}

/** Milliseconds until the connection stands, its handshake included; and for the receiver to take something. */
const connectTimeout = 10_000
const writeTimeout = 30_000
/** After which a name is looked up again for UDP, which has no connections that end, milliseconds. */
const udpLifetime = 60_000

/** Rejects with a sentence for the owner of the app. */
export async function openDrainConnection(
  url: DrainUrl,
  road: DrainRoad,
  signal: AbortSignal,
): Promise<DrainConnection> {
  const addresses = isIP(url.host) === 0 ? await unlessAborted(road.resolve(url.host), signal) : [url.host]
  const address = addresses.find(each => road.networks.allows(each))
  if (address === undefined) throw new Error(`${url.host} leads to a network that log drains may not send to`)
  signal.throwIfAborted()
  return url.transport === 'udp' ? openUdp(url, address) : openStream(url, address, road, signal)
}

/**
 * Asks name servers, for some seconds. The system's own way (`getaddrinfo`) holds a thread meanwhile, of which there are few, and the
 * disk needs them.
 */
export function createResolver(): (host: string) => Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 3000, tries: 2 })
  return async host => {
    const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    const found = [four, six].flatMap(result => (result.status === 'fulfilled' ? result.value : []))
    if (found.length === 0) throw new Error(`${host} has no address`)
    return found
  }
}

async function openStream(
  url: DrainUrl,
  address: string,
  road: DrainRoad,
  signal: AbortSignal,
): Promise<DrainConnection> {
  const target = { host: address, port: url.port }
  const socket =
    url.transport === 'tcp'
      ? connectTcp(target)
      : connectTls({
          ...target,
          secureContext: road.secureContext(),
          // Without it the certificate has to name the address.
          ...(isIP(url.host) === 0 ? { servername: url.host } : {}),
          rejectUnauthorized: true,
          minVersion: 'TLSv1.2',
        })
  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(connectTimeout)])
    await once(socket, url.transport === 'tcp' ? 'connect' : 'secureConnect', { signal: deadline })
  } catch (error) {
    socket.on('error', () => {})
    socket.destroy()
    if (!signal.aborted && (error as Error).name === 'AbortError')
      throw new Error(`no connection within ${connectTimeout / 1000} s`)
    throw error
  }
  return new StreamConnection(socket)
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  using _ = addAbortListener(signal, () => reject(signal.reason))
  return await Promise.race([work, aborted])
}

class StreamConnection implements DrainConnection {
  readonly ended: Promise<void>
  readonly #socket: Socket
  #error: Error | null = null

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setKeepAlive(true, 60_000)
    socket.on('error', error => {
      this.#error = error
    })
    // Receivers of syslog say nothing; what they say is not for us. An end is one for both directions.
    socket.on('end', () => socket.destroy())
    this.ended = new Promise(resolve => socket.once('close', () => resolve()))
    socket.resume()
  }

  write(messages: readonly Buffer[]): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const timer = setTimeout(
      () => this.#socket.destroy(new Error(`it takes nothing for ${writeTimeout / 1000} s`)),
      writeTimeout,
    )
    this.#socket.write(Buffer.concat(messages.map(frameMessage)), error => {
      clearTimeout(timer)
      if (error) reject(this.#error ?? error)
      else resolve(messages.length)
    })
    return promise
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

/** Rejects when there is no socket to be had: one that only sends would never tell. */
async function openUdp({ port }: DrainUrl, address: string): Promise<DrainConnection> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  try {
    socket.bind()
    await once(socket, 'listening')
  } catch (error) {
    socket.close()
    throw error
  }
  return new UdpConnection(socket, port, address)
}

class UdpConnection implements DrainConnection {
  readonly ended: Promise<void>
  readonly #socket: UdpSocket
  readonly #port: number
  readonly #address: string
  readonly #timer: NodeJS.Timeout
  #closed = false

  constructor(socket: UdpSocket, port: number, address: string) {
    this.#port = port
    this.#address = address
    this.#socket = socket
    this.ended = new Promise(resolve => this.#socket.once('close', () => resolve()))
    this.#socket.on('error', () => {})
    this.#timer = setTimeout(() => this[Symbol.dispose](), udpLifetime).unref()
  }

  async write(messages: readonly Buffer[]): Promise<number> {
    const sent = messages.map(
      message =>
        new Promise<number>(resolve =>
          this.#socket.send(message, this.#port, this.#address, error => resolve(error === null ? 1 : 0)),
        ),
    )
    return (await Promise.all(sent)).reduce((sum, one) => sum + one, 0)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    if (!this.#closed) this.#socket.close()
    this.#closed = true
  }
}
