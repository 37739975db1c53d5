// A data thread for tests, run in the test's own thread on ports of the kernel's choice.

import { readRouterSettings } from '#router/control/router-settings.ts'
import { DataThread } from '#router/data/thread.ts'
import type { Authorities } from '#router/model/authorities.ts'
import type { Certificate } from '#router/model/certificate.ts'
import { appCounter, counter, createCounters, firstAppSlot, retryReasons, rowOffset } from '#router/model/counters.ts'
import { parseHostname } from '#router/model/hostname.ts'
import type { FromData, ToData } from '#router/model/message.ts'
import type { Builder, Patch } from '#router/model/patch.ts'
import type { Backend, HostMatch, Policy, Route, RouteId } from '#router/model/route.ts'
import type { RouterSettings } from '#router/model/settings.ts'
import { sharePatch } from '#router/model/shared-certificates.ts'
import type { Upstream, UpstreamId } from '#router/model/upstream.ts'
import { standardUpstreamSettings, type UpstreamSettings } from '#router/model/upstream-settings.ts'

export const empty = { upserts: [], deletes: [] } as const

export interface World {
  readonly routes?: readonly Route[]
  readonly upstreams?: readonly Upstream[]
  readonly certificates?: readonly Certificate[]
  readonly authorities?: readonly Authorities[]
  readonly settings?: Partial<RouterSettings>
  /** With it the builder's port is open. */
  readonly builder?: Builder
  /** Sets of 48 octets; the same for all threads unless told. */
  readonly ticketKeys?: Uint8Array
  /** How many connections may be open when the settings do not say; any number unless told. */
  readonly capacity?: number
  /** False: it opens no listeners; hand it sockets with `message`. */
  readonly listens?: boolean
}

/** Gauges that count what is open; all zero when nothing is. */
export interface OpenNow {
  readonly http: number
  readonly https: number
  readonly tunnels: number
  readonly builder: number
  readonly upstream: number
  readonly upstreamIdle: number
}

export interface TestThread extends AsyncDisposable {
  readonly httpPort: number
  readonly httpsPort: number
  /** 0: closed. */
  readonly builderPort: number
  readonly counters: Float64Array
  /** Lines of the access log so far. */
  logs(): readonly string[]
  /** What the thread said of itself so far. */
  complaints(): readonly string[]
  /** Resolves when `count` lines have been logged. */
  logged(count: number): Promise<readonly string[]>
  apply(patch: Partial<Patch>): void
  message(message: ToData): void
  /** Opens (0: on a port of the kernel's choice) or closes the builder's port; resolves with what it is then. */
  setBuilderPort(port: number | null): Promise<number | null>
  count(name: keyof typeof counter): number
  /** Requests sent to an endpoint again, for whatever reason. */
  retries(): number
  /** Answers of a status class (1 to 5) in the row of `app`. */
  answers(app: string, statusClass: number): number
  open(): OpenNow
  /** Resolves once `open()` is what `wanted` says; gauges have no event, so it looks again after each round of the loop. */
  opens(wanted: Partial<OpenNow>): Promise<void>
  /** Resolves when what the kernel has by now has come through the loop, which all peers of a test share. */
  settle(): Promise<void>
  /** Resolves when `progress()` has not changed for so long that it will not by itself. */
  stalled(progress: () => number): Promise<void>
  /** Lets the thread's clock jump; resolves when it has looked at what is due. */
  elapse(milliseconds: number): Promise<void>
  /** Ends all connections and listeners; resolves with how many connections had to be cut. */
  stop(timeout?: number): Promise<number>
  /** Stops it, and throws when something is still counted as open. */
  [Symbol.asyncDispose](): Promise<void>
}

export function defaultSettings(overrides: Partial<RouterSettings> = {}): RouterSettings {
  const ref = { kind: 'Deployment', namespace: 'deis', name: 'deis-router' }
  // Bodies of any size, unless a test is about their limit.
  return { ...readRouterSettings({}, ref, null).settings, bodySize: 0, ...overrides }
}

/** A route for an exact host, `*.suffix`, or (without a dot) a first label, to the upstream of the same name. */
export function routeTo(
  host: string,
  upstream: string,
  overrides: Partial<Route> = {},
  policies: readonly Policy[] = [],
): Route {
  const base: Route = {
    id: `service/test/${upstream}/${host}` as RouteId,
    app: `test/${upstream}`,
    serverName: host,
    host: hostMatch(host),
    path: { kind: 'prefix', path: '/' },
    https: (overrides.certificate ?? null) !== null,
    certificate: null,
    policies,
    requestStart: false,
    referrerPolicy: null,
    backend: backendTo(upstream),
  }
  return { ...base, ...overrides }
}

export function backendTo(upstream: string, overrides: Partial<Backend> = {}): Backend {
  const base = { connectTimeout: 2_000, idleTimeout: 5_000, readAhead: 0, headLimit: 65_536 }
  return { upstream: upstream as UpstreamId, ...base, ...overrides }
}

function hostMatch(host: string): HostMatch {
  const name = parseHostname(host.startsWith('*.') ? host.slice(2) : host)
  if (name === null) throw new Error(`no host name: ${host}`)
  if (host.startsWith('*.')) return { kind: 'wildcard', suffix: name, depth: 'any' }
  return host.includes('.') ? { kind: 'exact', host: name } : { kind: 'label', label: name }
}

export function upstreamAt(name: string, ...ports: readonly number[]): Upstream {
  return upstreamWith(name, {}, ...ports)
}

/** With settings that differ from the standard. */
export function upstreamWith(name: string, settings: Partial<UpstreamSettings>, ...ports: readonly number[]): Upstream {
  const endpoints = ports.map(port => ({ address: '127.0.0.1', port }))
  return { id: name as UpstreamId, endpoints, settings: { ...standardUpstreamSettings, ...settings } }
}

export async function startDataThread(world: World): Promise<TestThread> {
  const buffer = createCounters()
  const counters = new Float64Array(buffer)
  const apps = [...new Set((world.routes ?? []).map(route => route.app))].map((app, i) => ({
    app,
    slot: firstAppSlot + i,
  }))
  let version = 1
  let log = ''
  const complaints: string[] = []
  const builderPorts: ((port: number | null) => void)[] = []
  let ahead = 0
  const waiting: (() => void)[] = []
  const ticks: (() => void)[] = []
  let drained: Promise<number> | null = null
  let onDrained: ((cut: number) => void) | null = null
  const listening = Promise.withResolvers<FromData>()
  const thread = new DataThread(
    {
      index: 0,
      address: '127.0.0.1',
      httpPort: 0,
      httpsPort: 0,
      builderPort: world.builder === undefined ? null : 0,
      reusePort: world.listens ?? true,
      capacity: world.capacity ?? Number.POSITIVE_INFINITY,
      ticketKeys: world.ticketKeys ?? Buffer.alloc(48, 'ticket'),
      counters: buffer,
      world: sharePatch({
        version,
        reset: true,
        settings: defaultSettings(world.settings),
        routes: { upserts: world.routes ?? [], deletes: [] },
        upstreams: { upserts: world.upstreams ?? [], deletes: [] },
        certificates: { upserts: world.certificates ?? [], deletes: [] },
        authorities: { upserts: world.authorities ?? [], deletes: [] },
        builder: world.builder ?? null,
        apps,
      }),
    },
    message => {
      if (message.kind === 'access-log') {
        log += Buffer.from(message.lines).toString('latin1')
        for (const wake of waiting.splice(0)) wake()
      } else if (message.kind === 'drained') {
        if (onDrained === null) throw new Error('drained, and nobody asked, or said twice')
        onDrained(message.cut)
        onDrained = null
      } else if (message.kind === 'builder-port') builderPorts.shift()?.(message.port)
      else if (message.kind === 'log') complaints.push(message.message)
      else if (message.kind === 'listening' || message.kind === 'listen-failed') listening.resolve(message)
    },
    {
      clock: () => {
        // The wheel asks once in every tick, before it looks at what is due.
        for (const wake of ticks.splice(0)) wake()
        return performance.now() + ahead
      },
      tick: 10,
    },
  )
  await thread.listen()
  const message = await listening.promise
  if (message.kind !== 'listening') throw new Error('the data thread does not listen')
  const logs = (): string[] => log.split('\n').slice(0, -1)
  const open = (): OpenNow => ({
    http: counters[counter.httpOpen]!,
    https: counters[counter.httpsOpen]!,
    tunnels: counters[counter.tunnelsOpen]!,
    builder: counters[counter.builderOpen]!,
    upstream: counters[counter.upstreamOpen]!,
    upstreamIdle: counters[counter.upstreamIdle]!,
  })
  const opens = async (wanted: Partial<OpenNow>): Promise<void> => {
    const deadline = performance.now() + 5_000
    for (;;) {
      const now = open()
      if (Object.entries(wanted).every(([name, value]) => now[name as keyof OpenNow] === value)) return
      if (performance.now() > deadline)
        throw new Error(`open now: ${JSON.stringify(now)}, wanted: ${JSON.stringify(wanted)}`)
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
  }
  const tick = (): Promise<void> => new Promise(resolve => ticks.push(resolve))
  const stop = (timeout: number): Promise<number> => {
    drained ??= new Promise(resolve => {
      onDrained = resolve
      thread.onMessage({ kind: 'drain', timeout })
    })
    return drained
  }
  return {
    httpPort: message.httpPort,
    httpsPort: message.httpsPort,
    builderPort: message.builderPort ?? 0,
    counters,
    logs,
    complaints: () => complaints,
    async logged(count) {
      while (logs().length < count) await new Promise<void>(resolve => waiting.push(resolve))
      return logs()
    },
    apply(patch) {
      version++
      const nothing = { routes: empty, upstreams: empty, certificates: empty, authorities: empty, apps: [] }
      const whole = { version, reset: false, ...nothing, ...patch }
      thread.onMessage({ kind: 'patch', patch: sharePatch(whole) })
    },
    message: toData => thread.onMessage(toData),
    setBuilderPort(port) {
      const answer = new Promise<number | null>(resolve => builderPorts.push(resolve))
      thread.onMessage({ kind: 'builder-port', port })
      return answer
    },
    count: name => counters[counter[name]]!,
    retries: () => retryReasons.reduce((sum, _, index) => sum + counters[counter.upstreamRetries + index]!, 0),
    answers(app, statusClass) {
      const slot = apps.find(row => row.app === app)?.slot
      if (slot === undefined) throw new Error(`no such app: ${app}`)
      return counters[rowOffset(slot) + appCounter.status + statusClass - 1]!
    },
    open,
    opens,
    settle,
    async stalled(progress) {
      for (let still = 0, seen = progress(); still < 5; still++) {
        await settle()
        await tick()
        if (progress() !== seen) still = 0
        seen = progress()
      }
    },
    async elapse(milliseconds) {
      await settle()
      ahead += milliseconds
      await tick()
    },
    stop: (timeout = 100) => stop(timeout),
    async [Symbol.asyncDispose]() {
      await stop(100)
      await opens({ http: 0, https: 0, tunnels: 0, builder: 0, upstream: 0, upstreamIdle: 0 })
    },
  }
}
