// A data thread: its listeners, its table, its connections. It learns everything by messages and shares only counters.

import { performance } from 'node:perf_hooks'
import type { SecureContext } from 'node:tls'
import { assertNever } from '#kit/assert-never.ts'
import { version } from '#kit/version.ts'
import type { Certificate, CertificateId } from '../model/certificate.ts'
import { AddressSet } from '../model/cidr.ts'
import { counter } from '../model/counters.ts'
import type { DataThreadOptions, FromData, ToData } from '../model/message.ts'
import type { Patch } from '../model/patch.ts'
import type { RouterSettings } from '../model/settings.ts'
import { readSharedPatch } from '../model/shared-certificates.ts'
import { AccessLog } from './access-log.ts'
import { Builder } from './builder.ts'
import { CertificateStore } from './certificates.ts'
import { ClockText } from './clock.ts'
import { compileCoding } from './coding/rules.ts'
import type { ThreadContext } from './context.ts'
import { Entrance, type ListenError } from './entrance.ts'
import type { Guard } from './guarded-servers.ts'
import { Http2Shared } from './h2/shared.ts'
import { hopLine } from './hop-mark.ts'
import { hstsLine } from './hsts.ts'
import { idleGrace } from './http/connection.ts'
import { Slab } from './http/slab.ts'
import { RouteTable } from './table/route-table.ts'
import { TimerWheel } from './timers.ts'
import { normalizeServerName, TlsTerminator } from './tls-terminator.ts'
import { UpstreamRegistry } from './upstream/registry.ts'

// Measured on downloads: 128 kB costs a sixth less CPU than 64 kB; more would only let slow clients hold more.
const readBufferSize = 128 * 1024

const logLinesPerTick = 5

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
  readonly #send: Send
  readonly #context: ThreadContext
  readonly #certificates = new CertificateStore((message, fields) => this.#log(message, fields))
  readonly #upstreams: UpstreamRegistry
  readonly #builder: Builder
  readonly #tls: TlsTerminator
  readonly #entrance: Entrance
  readonly #listens: boolean
  readonly #ticker: NodeJS.Timeout
  /** While draining: when idle connections are closed, and when all others are cut. */
  #closeIdle: NodeJS.Timeout | undefined
  #cutAll: NodeJS.Timeout | undefined
  #ended = false
  #logAllowance = logLinesPerTick

  constructor(options: DataThreadOptions, send: Send, { clock, tick }: Pace = realTime) {
    this.#send = send
    this.#listens = options.reusePort
    const settings = options.world.settings
    if (settings === undefined) throw new TypeError('the first patch has no settings')
    const shared = {
      counters: new Float64Array(options.counters),
      timers: new TimerWheel(clock, tick),
      log: (message: string, fields: Readonly<Record<string, string | number>>) => this.#log(message, fields),
    }
    this.#upstreams = new UpstreamRegistry(shared)
    this.#context = {
      ...shared,
      readBuffer: Buffer.allocUnsafeSlow(readBufferSize),
      slab: new Slab(),
      clock: new ClockText(serverToken(settings), Date.now()),
      http2: new Http2Shared(),
      accessLog: new AccessLog(lines => send({ kind: 'access-log', lines }, [lines.buffer])),
      table: new RouteTable(this.#upstreams),
      settings,
      trusted: new AddressSet(settings.proxyRealIpCidrs),
      limits: limitsOf(settings),
      hstsLine: hstsLine(settings.tls.hsts),
      hopLine: hopLine(settings.maxHops),
      coding: compileCoding(settings),
      draining: false,
    }
    const onClosed = (): void => {
      if (this.#context.draining && this.#entrance.open === 0) this.#drained()
    }
    this.#builder = new Builder(this.#context, onClosed)
    this.#tls = new TlsTerminator({
      context: this.#context,
      certificates: this.#certificates,
      ticketKeys: options.ticketKeys,
      lookup: name => this.#lookup(name),
      guards: () => this.#context.table.isGuarded,
      guard: (name, shown) => this.#guard(name, shown),
    })
    this.#entrance = new Entrance({
      ports: options,
      context: this.#context,
      tls: this.#tls,
      builder: this.#builder,
      onClosed,
      onBuilderPort: port => send({ kind: 'builder-port', port }, []),
    })
    this.#entrance.capacity = options.capacity
    this.#apply(readSharedPatch(options.world))
    this.#ticker = setInterval(() => this.#tick(), tick)
  }

  /** Opens the listeners and reports their ports, or what failed. */
  async listen(): Promise<void> {
    if (!this.#listens) {
      this.#send({ kind: 'listening', httpPort: 0, httpsPort: 0, builderPort: null }, [])
      return
    }
    try {
      this.#send({ kind: 'listening', ...(await this.#entrance.listen()) }, [])
    } catch (error) {
      const { code = 'ERROR', message, port } = error as ListenError
      this.#send({ kind: 'listen-failed', port, code, message }, [])
    }
  }

  onMessage(message: ToData): void {
    switch (message.kind) {
      case 'patch':
        this.#apply(readSharedPatch(message.patch))
        this.#send({ kind: 'applied', version: message.patch.version }, [])
        break
      case 'drain':
        this.#drain(message.timeout)
        break
      case 'socket':
        this.#entrance.adopt(message.socket, message.port)
        break
      case 'builder-port':
        void this.#entrance.setBuilderPort(message.port)
        break
      case 'ticket-keys':
        this.#tls.setTicketKeys(message.keys)
        break
      case 'capacity':
        this.#entrance.capacity = message.connections
        break
      default:
        assertNever(message)
    }
  }

  /** Runs to its end between two events, so that every request sees the world before it or after it. */
  #apply(patch: Patch): void {
    const context = this.#context
    if (patch.settings !== undefined) this.#applySettings(patch.settings)
    const table = patch.reset ? new RouteTable(this.#upstreams) : context.table
    if (patch.reset) {
      this.#upstreams.retain(new Set(patch.upstreams.upserts.map(upstream => upstream.id)))
      this.#certificates.retain(new Set(patch.certificates.upserts.map(certificate => certificate.id)))
      this.#tls.retainAuthorities(new Set(patch.authorities.upserts.map(authorities => authorities.id)))
    }
    this.#upstreams.apply(patch.upstreams)
    this.#certificates.apply(patch.certificates)
    this.#tls.applyAuthorities(patch.authorities)
    for (const { app, slot } of patch.apps) table.assignSlot(app, slot)
    table.apply(patch.routes)
    context.table = table
    if (patch.builder !== undefined) this.#builder.configure(patch.builder, this.#upstreams)
    this.#upstreams.prune(id => table.refersTo(id) || this.#builder.refersTo(id))
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
    context.trusted = new AddressSet(settings.proxyRealIpCidrs)
    context.limits = limitsOf(settings)
    context.accessLog.use(settings.logFormat)
    context.hstsLine = hstsLine(settings.tls.hsts)
    context.hopLine = hopLine(settings.maxHops)
    context.coding = compileCoding(settings)
    context.clock.server = serverToken(settings)
    context.clock.update(Date.now())
    this.#tls.configure(settings.tls)
    this.#tls.offerHttp2(settings.http2Enabled)
  }

  /** What clients see that send no server name, or one that no route has: the platform's certificate, else our own. */
  #useDefaultCertificate(): void {
    const ids = [this.#context.settings.platformCertificate, 'self-signed' as CertificateId]
    const certificates = ids.map(id => (id === null ? null : this.#certificates.get(id)))
    this.#tls.useDefault(certificates.filter(certificate => certificate !== null))
  }

  /** What clients and endpoints can provoke any number of is cut here, before it can flood control. */
  #log(message: string, fields: Readonly<Record<string, string | number>>): void {
    if (--this.#logAllowance < 0) return
    this.#send({ kind: 'log', level: 'error', message, fields }, [])
  }

  #lookup(serverName: string): SecureContext | null {
    const id = this.#context.table.matchHost(normalizeServerName(serverName), true)?.certificate ?? null
    return id === null ? null : this.#certificates.context(id)
  }

  #guard(serverName: string, shown: Certificate | null): Guard | null {
    const host = this.#context.table.matchHost(serverName, true)
    if (host === null || host.authorities === null) return null
    const own = host.certificate === null ? null : this.#certificates.get(host.certificate)
    const certificate = own ?? shown
    return certificate === null ? null : { certificate, authorities: host.authorities }
  }

  #tick(): void {
    const { counters, timers, clock, accessLog } = this.#context
    counters[counter.heartbeat]!++
    this.#logAllowance = logLinesPerTick
    timers.advance()
    clock.update(Date.now())
    accessLog.flush()
  }

  #drain(timeout: number): void {
    const context = this.#context
    if (context.draining) return
    context.draining = true
    this.#entrance.close()
    this.#upstreams.stopChecks()
    if (this.#entrance.open === 0) {
      this.#drained()
      return
    }
    const grace = Math.min(idleGrace, timeout / 2)
    this.#closeIdle = setTimeout(() => this.#entrance.closeIdle(), grace)
    this.#cutAll = setTimeout(() => this.#drained(), timeout)
  }

  /** Cuts what is left, and says how much that was. Once. */
  #drained(): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#closeIdle)
    clearTimeout(this.#cutAll)
    const cut = this.#entrance.open
    this.#entrance.cut()
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
