// A data thread: its listeners, its table, its connections. It learns everything by messages and shares only counters.

import type { Server, Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { SecureContext } from 'node:tls'
import { version } from '#kit/version.ts'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import { toBlockList } from '../model/cidr.ts'
import { counter } from '../model/counters.ts'
import type { DataThreadOptions, FromData, ToData } from '../model/message.ts'
import type { Patch } from '../model/patch.ts'
import type { RouterSettings } from '../model/settings.ts'
import { AccessLog } from './access-log.ts'
import { CertificateStore, contextOptions } from './certificates.ts'
import { ClockText } from './clock.ts'
import type { ThreadContext } from './context.ts'
import { ClientConnection, idleGrace } from './http/connection.ts'
import { httpListener, httpsListener, keepAliveDelay, listen } from './http/listener.ts'
import { Slab } from './http/slab.ts'
import { RouteTable } from './table/route-table.ts'
import { TimerWheel } from './timers.ts'
import { UpstreamRegistry } from './upstream/registry.ts'

// Measured on downloads: 128 kB costs a sixth less CPU than 64 kB; more would only let slow clients hold more.
const readBufferSize = 128 * 1024

const logLinesPerTick = 5
/** One line in the log for so many milliseconds in which accepting fails. */
const acceptFailureInterval = 10_000

export type Send = (message: FromData, transfer: readonly ArrayBuffer[]) => void

/** How time passes for a thread. */
export interface Pace {
  /** Monotonic milliseconds; every deadline is measured with it. */
  clock(): number
  /** Milliseconds between two looks at what is due and at what is to be logged. */
  readonly tick: number
}

const realTime: Pace = { clock: () => performance.now(), tick: 100 }

export class DataThread {
  readonly #options: DataThreadOptions
  readonly #send: Send
  readonly #context: ThreadContext
  readonly #certificates = new CertificateStore()
  readonly #upstreams = new UpstreamRegistry()
  readonly #connections = new Set<ClientConnection>()
  readonly #http: Server
  readonly #https: ReturnType<typeof httpsListener>
  readonly #ticker: NodeJS.Timeout
  /** While draining: when idle connections are closed, and when all others are cut. */
  #closeIdle: NodeJS.Timeout | undefined
  #cutAll: NodeJS.Timeout | undefined
  #ended = false
  #logAllowance = logLinesPerTick
  #acceptFailedAt = Number.NEGATIVE_INFINITY
  #defaultCertificate: Certificate | null = null

  constructor(options: DataThreadOptions, send: Send, { clock, tick }: Pace = realTime) {
    this.#options = options
    this.#send = send
    const settings = options.world.settings
    if (settings === undefined) throw new TypeError('the first patch has no settings')
    this.#context = {
      counters: new Float64Array(options.counters),
      readBuffer: Buffer.allocUnsafeSlow(readBufferSize),
      slab: new Slab(),
      timers: new TimerWheel(clock, tick),
      clock: new ClockText(serverToken(settings), Date.now()),
      accessLog: new AccessLog(lines => send({ kind: 'access-log', lines }, [lines.buffer])),
      log: (message, fields) => this.#log(message, fields),
      table: new RouteTable(this.#upstreams),
      settings,
      trusted: toBlockList(settings.proxyRealIpCidrs),
      limits: limitsOf(settings),
      draining: false,
    }
    const onClosed = (connection: ClientConnection): void => {
      this.#connections.delete(connection)
      if (this.#context.draining && this.#connections.size === 0) this.#drained()
    }
    const accept = (socket: Socket, secure: boolean): void => {
      // A client that has gone already has no address; one whose handshake was under way at the end comes too late.
      if (socket.remoteAddress === undefined || this.#ended) socket.destroy()
      else this.#connections.add(new ClientConnection(this.#context, socket, secure, onClosed))
    }
    this.#http = httpListener(socket => accept(socket, false))
    this.#https = httpsListener(
      this.#context.counters,
      name => this.#lookup(name),
      socket => accept(socket, true),
    )
    this.#apply(options.world)
    this.#ticker = setInterval(() => this.#tick(), tick)
  }

  /** Opens the listeners and reports their ports, or what failed. */
  async listen(): Promise<void> {
    const { address, httpPort, httpsPort, reusePort } = this.#options
    if (!reusePort) {
      this.#send({ kind: 'listening', httpPort: 0, httpsPort: 0 }, [])
      return
    }
    let port = httpPort
    try {
      const http = await listen(this.#http, { address, port, reusePort })
      port = httpsPort
      const https = await listen(this.#https, { address, port, reusePort })
      for (const server of [this.#http, this.#https]) server.on('error', error => this.#acceptFailed(error))
      this.#send({ kind: 'listening', httpPort: http, httpsPort: https }, [])
    } catch (error) {
      const { code = 'ERROR', message } = error as NodeJS.ErrnoException
      this.#send({ kind: 'listen-failed', port, code, message }, [])
    }
  }

  onMessage(message: ToData): void {
    switch (message.kind) {
      case 'patch':
        this.#apply(message.patch)
        this.#send({ kind: 'applied', version: message.patch.version }, [])
        break
      case 'drain':
        this.#drain(message.timeout)
        break
      case 'socket':
        this.#adopt(message.socket, message.secure)
        break
    }
  }

  /** Takes a connection that another server accepted, as if ours had. */
  #adopt(socket: Socket, secure: boolean): void {
    if (this.#ended) {
      socket.destroy()
      return
    }
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveDelay)
    socket.allowHalfOpen = !secure
    const server = secure ? this.#https : this.#http
    server.emit('connection', socket)
  }

  /** Runs to its end between two events, so that every request sees the world before it or after it. */
  #apply(patch: Patch): void {
    const context = this.#context
    if (patch.settings !== undefined) this.#applySettings(patch.settings)
    const table = patch.reset ? new RouteTable(this.#upstreams) : context.table
    if (patch.reset) {
      this.#upstreams.retain(new Set(patch.upstreams.upserts.map(upstream => upstream.id)))
      this.#certificates.retain(new Set(patch.certificates.upserts.map(certificate => certificate.id)))
    }
    this.#upstreams.apply(patch.upstreams)
    this.#certificates.apply(patch.certificates)
    for (const { app, slot } of patch.apps) table.assignSlot(app, slot)
    table.apply(patch.routes)
    context.table = table
    this.#upstreams.prune(id => table.refersTo(id))
    this.#useDefaultCertificate()
    const { counters } = context
    counters[counter.routes] = table.size
    counters[counter.certificates] = this.#certificates.size
    counters[counter.configAppliedAt] = Date.now()
    counters[counter.configVersion] = patch.version
  }

  #applySettings(settings: RouterSettings): void {
    const context = this.#context
    context.settings = settings
    context.trusted = toBlockList(settings.proxyRealIpCidrs)
    context.limits = limitsOf(settings)
    context.clock.server = serverToken(settings)
    context.clock.update(Date.now())
  }

  /** What clients see that send no server name, or one that no route has: the platform's certificate, else our own. */
  #useDefaultCertificate(): void {
    const { platformCertificate } = this.#context.settings
    const certificate =
      (platformCertificate === null ? null : this.#certificates.get(platformCertificate)) ??
      this.#certificates.get('self-signed' as CertificateId)
    if (certificate === null || certificate === this.#defaultCertificate) return
    this.#defaultCertificate = certificate
    try {
      this.#https.setSecureContext(contextOptions(certificate))
    } catch (error) {
      // What was shown before stays; the rest of the patch shall not suffer.
      const { code = 'ERROR' } = error as NodeJS.ErrnoException
      this.#log('the default certificate cannot be used', { certificate: certificate.id, code })
    }
  }

  /** What clients and endpoints can provoke any number of is cut here, before it can flood control. */
  #log(message: string, fields: Readonly<Record<string, string | number>>): void {
    if (--this.#logAllowance < 0) return
    this.#send({ kind: 'log', level: 'error', message, fields }, [])
  }

  /** Mostly no file descriptors are left (EMFILE): what is open goes on, and so does accepting once some are. */
  #acceptFailed(error: Error): void {
    const { now } = this.#context.timers
    if (now - this.#acceptFailedAt < acceptFailureInterval) return
    this.#acceptFailedAt = now
    this.#log('accepting a connection failed', { code: (error as NodeJS.ErrnoException).code ?? 'ERROR' })
  }

  #lookup(serverName: string): SecureContext | null {
    const lower = serverName.toLowerCase()
    const name = lower.endsWith('.') ? lower.slice(0, -1) : lower
    const id = this.#context.table.matchHost(name, true)?.certificate ?? null
    return id === null ? null : this.#certificates.context(id)
  }

  #tick(): void {
    const { timers, clock, accessLog } = this.#context
    this.#logAllowance = logLinesPerTick
    timers.advance()
    clock.update(Date.now())
    accessLog.flush()
  }

  #drain(timeout: number): void {
    const context = this.#context
    if (context.draining) return
    context.draining = true
    this.#http.close()
    this.#https.close()
    if (this.#connections.size === 0) {
      this.#drained()
      return
    }
    const grace = Math.min(idleGrace, timeout / 2)
    this.#closeIdle = setTimeout(() => {
      for (const connection of this.#connections) connection.close()
    }, grace)
    this.#cutAll = setTimeout(() => this.#drained(), timeout)
  }

  /** Cuts what is left, and says how much that was. Once. */
  #drained(): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#closeIdle)
    clearTimeout(this.#cutAll)
    const cut = this.#connections.size
    for (const connection of this.#connections) connection.destroy()
    this.#upstreams.retain(new Set())
    clearInterval(this.#ticker)
    this.#context.accessLog.flush()
    this.#send({ kind: 'drained', cut }, [])
  }
}

/** Contract section 16: `disableServerTokens` hides the version. */
function serverToken(settings: RouterSettings): string {
  return settings.disableServerTokens ? 'deis-router' : `deis-router/${version}`
}

function limitsOf({ largeHeaderBuffers: { count, size } }: RouterSettings): { line: number; head: number } {
  return { line: size, head: count * size }
}
