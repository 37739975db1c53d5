// Asks one endpoint from time to time whether it is well, over connections of its own. Endpoints of HTTP/2 are only connected
// to: whether an app can answer, its readiness probe knows better than half an HTTP/2 client would.

import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { version } from '#kit/version.ts'
import type { HealthCheck as HealthCheckSettings, UpstreamSettings } from '../../model/upstream-settings.ts'
import { Timed, type TimerWheel } from '../timers.ts'
import type { EndpointPool } from './endpoint-pool.ts'

/** As much of an answer as says what came of it: `HTTP/1.1 200 `. */
const statusLength = 13

export interface HealthCheckOptions {
  readonly pool: EndpointPool
  readonly settings: UpstreamSettings
  readonly check: HealthCheckSettings
  /** A number of the endpoint's own: not all are to be asked at once. */
  readonly spread: number
  readonly timers: TimerWheel
  /** What a check came to. */
  readonly onResult: (well: boolean) => void
  /** The endpoint is another than it was taken for. */
  readonly onTurn: (healthy: boolean) => void
}

export class HealthCheck extends Timed {
  readonly #options: HealthCheckOptions
  #socket: Socket | null = null
  #answer = ''
  #healthy = true
  /** Results in a row that say the contrary. */
  #contrary = 0
  #stopped = false

  constructor(options: HealthCheckOptions) {
    super()
    this.#options = options
    const { timers, check, spread } = options
    timers.set(this, spread % check.interval)
  }

  stop(): void {
    this.#stopped = true
    this.#options.timers.remove(this)
    this.#socket?.destroy()
    this.#socket = null
  }

  override onDeadline(): void {
    if (this.#socket === null) this.#ask()
    else this.#conclude(this.#socket, false)
  }

  #ask(): void {
    const { pool, settings, check, timers } = this.#options
    const { protocol, tls } = settings
    const host = pool.address
    const { port } = pool
    this.#answer = ''
    const isSecure = protocol === 'https'
    const socket = isSecure
      ? connectTls({
          host,
          port,
          rejectUnauthorized: tls.verify,
          ...(tls.serverName && { servername: tls.serverName }),
        })
      : connect({ host, port, noDelay: true })
    this.#socket = socket
    timers.set(this, check.timeout)
    socket.on(isSecure ? 'secureConnect' : 'connect', () => {
      if (protocol === 'h2' || protocol === 'h2c') this.#conclude(socket, true)
      else {
        const name = tls.serverName ?? pool.name
        const agent = `deis-router-health-check/${version}`
        socket.write(`GET ${check.path} HTTP/1.1\r\nHost: ${name}\r\nUser-Agent: ${agent}\r\nConnection: close\r\n\r\n`)
      }
    })
    socket.on('data', (octets: Buffer) => this.#read(socket, octets))
    socket.on('error', () => this.#conclude(socket, false))
    socket.on('close', () => this.#conclude(socket, false))
  }

  #read(socket: Socket, octets: Buffer): void {
    this.#answer += octets.toString('latin1', 0, statusLength - this.#answer.length)
    if (this.#answer.length < statusLength) return
    const [, status = '0'] = /^HTTP\/1\.[01] ([0-9]{3})[ \r]$/.exec(this.#answer) ?? []
    this.#conclude(socket, Number(status) >= 200 && Number(status) < 400)
  }

  #conclude(socket: Socket, well: boolean): void {
    if (this.#socket !== socket) return
    this.#socket = null
    socket.destroy()
    if (this.#stopped) return
    const { check, timers, onResult, onTurn } = this.#options
    timers.set(this, check.interval)
    onResult(well)
    if (well === this.#healthy) {
      this.#contrary = 0
      return
    }
    if (++this.#contrary < (well ? check.healthy : check.unhealthy)) return
    this.#contrary = 0
    this.#healthy = well
    onTurn(well)
  }
}
