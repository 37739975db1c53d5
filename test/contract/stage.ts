// The router process that the rows of one file share, with its apps, clients and manifests. Rows see it from outside
// only: ports, log lines, admin pages.

import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { get as httpGet } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { ok, App as TcpApp } from '#test/support/app.ts'
import { FullBacklog } from '#test/support/full-backlog.ts'
import { connectTlsTo, connectTo, type Peer, type Request, type Way } from '#test/support/peer.ts'
import { RefusingPorts } from '#test/support/refusing-ports.ts'
import { RouterProcess } from '#test/support/router-process.ts'
import { type Answer, type App, type Given, prefixed } from './given.ts'

/** A request that an app got. */
export interface Received extends Request {
  /** `NAMESPACE/NAME` of the Service. */
  readonly app: string
}

export type PortName = 'http' | 'https' | 'admin' | 'builder'

export interface StageOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Where it listens; 127.0.0.1 unless told. */
  readonly host?: string
  /** Data threads; null: as the settings say. One unless told. */
  readonly workers?: number | null
  /** What it finds at its start. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface AdminProblem {
  readonly code: string
  readonly severity: string
  readonly object: { readonly kind: string; readonly namespace: string; readonly name: string }
  readonly message: string
}

interface RoutesPage {
  readonly version: number
  readonly routes: readonly { readonly host: string; readonly app: string }[]
}

interface ConfigPage {
  readonly version: number
  readonly threads: readonly { readonly state: string; readonly appliedVersion: number }[]
}

/** An address of this machine that no other test has: ports on it are all free. */
export function ownAddress(): string {
  const { pid } = process
  return `127.${100 + ((pid >> 16) & 63)}.${(pid >> 8) & 255}.${pid & 255}`
}

/** How long a change may take to come into force. */
const patience = 10_000

export class Stage implements AsyncDisposable {
  readonly process: RouterProcess
  readonly received: Received[] = []
  readonly #directory: string
  readonly #host: string
  readonly #stack: AsyncDisposableStack
  readonly #ports: Readonly<Record<string, number>>
  readonly #apps = new Map<string, readonly TcpApp[]>()
  readonly #answers = new Map<string, Answer | undefined>()
  readonly #peers = new Set<Peer>()
  readonly #answered: string[] = []
  readonly #byHand: [key: string, peer: Peer][] = []
  readonly #waiting: (() => void)[] = []
  readonly #dead = new Map<string, readonly number[]>()
  #objects = new Map<string, object>()
  #settings: Readonly<Record<string, string>> = {}
  #serial: number

  static async start(options: StageOptions = {}): Promise<Stage> {
    const { args = [], env = {}, host = '127.0.0.1', workers = 1, settings } = options
    const stack = new AsyncDisposableStack()
    try {
      const directory = await mkdtemp(join(tmpdir(), 'router-contract-'))
      stack.defer(() => rm(directory, { recursive: true }))
      if (settings !== undefined) await writeFile(join(directory, 'world.json'), JSON.stringify(deploymentOf(settings)))
      const threads = workers === null ? [] : ['--workers', String(workers)]
      const router = stack.use(
        new RouterProcess(['--address', host, '--manifests', directory, ...threads, ...args], env),
      )
      const ports = await router.ready()
      return new Stage(directory, host, router, ports, stack)
    } catch (error) {
      await stack.disposeAsync()
      throw error
    }
  }

  private constructor(
    directory: string,
    host: string,
    router: RouterProcess,
    ports: Readonly<Record<string, number>>,
    stack: AsyncDisposableStack,
  ) {
    this.#directory = directory
    this.#host = host
    this.process = router
    this.#ports = ports
    this.#stack = stack
    this.#serial = 0
  }

  port(name: PortName): number {
    const port = this.#ports[name]
    if (port === undefined) throw new Error(`the router did not say on which port ${name} is`)
    return port
  }

  get address(): string {
    return this.#host
  }

  // ------------------------------------------------------------------------------------------------- manifests

  /** Replaces everything: the settings (keys without `router.deis.io/nginx.`) and all objects. */
  async set(settings: Readonly<Record<string, string>>, given: readonly Given[]): Promise<void> {
    this.#settings = settings
    this.#objects = new Map()
    await this.change(given)
  }

  /** Adds or replaces objects, takes those away that `gone` names (`KIND/NAMESPACE/NAME`), and waits for all of it. */
  async change(given: readonly Given[], gone: readonly string[] = []): Promise<void> {
    for (const one of given)
      for (const [identity, object] of await this.#objectsOf(one)) this.#objects.set(identity, object)
    for (const identity of gone)
      if (!this.#objects.delete(identity)) throw new Error(`there is no ${identity} to take away`)
    await this.#publish()
  }

  get currentSettings(): Readonly<Record<string, string>> {
    return this.#settings
  }

  /** One more slice of the Service `key`, with one address of this machine. */
  async addEndpoint(key: string, port: number, { name = 'more', ready = true } = {}): Promise<void> {
    const [namespace = '', service = ''] = key.split('/')
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace, name: `${service}-${name}`, labels: { 'kubernetes.io/service-name': service } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready } }],
      ports: [{ name: 'http', port, protocol: 'TCP' }],
    }
    await this.change([slice])
  }

  /** A pod that no slice names yet. */
  extraPod(key: string): Promise<TcpApp> {
    return this.#startApp(key)
  }

  /** A port of this machine that refuses connections. */
  async refusingPort(): Promise<number> {
    return (await this.#deadPorts('refusing'))[0]!
  }

  async settings(settings: Readonly<Record<string, string>>): Promise<void> {
    this.#settings = settings
    await this.#publish()
  }

  /** Another file beside the objects; not waited for. */
  async write(name: string, content: string): Promise<void> {
    await writeFile(join(this.#directory, name), content)
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#directory, name))
  }

  /** One file renamed into place, so that the router sees all of a change or nothing of it; the marker tells when. */
  async #publish(): Promise<void> {
    const host = `change-${++this.#serial}.marker.invalid`
    const marker = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'change',
        namespace: 'marker',
        labels: { 'router.deis.io/routable': 'true' },
        annotations: { 'router.deis.io/domains': host },
      },
      spec: { ports: [{ port: 80 }] },
    }
    const items = [deploymentOf(this.#settings), marker, ...this.#objects.values()]
    const next = join(this.#directory, '.next')
    await writeFile(next, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
    await rename(next, join(this.#directory, 'world.json'))
    await this.#until(async () => {
      const { routes, version } = await this.admin<RoutesPage>('/routes')
      if (!routes.some(route => route.host === host)) return false
      const { threads } = await this.admin<ConfigPage>('/config')
      return threads.every(thread => thread.state === 'serving' && thread.appliedVersion >= version)
    }, 'the change came into force')
  }

  async #until(holds: () => Promise<boolean>, what: string): Promise<void> {
    for (const deadline = performance.now() + patience; !(await holds()); await delay(3))
      if (performance.now() > deadline) throw new Error(`not within ${patience} ms: ${what}`)
  }

  async #objectsOf(given: Given): Promise<readonly (readonly [identity: string, object: object])[]> {
    if (!('metadata' in given)) return this.#appObjects(given)
    const { namespace, name } = given.metadata
    return [[`${given.kind}/${namespace === undefined ? '' : `${namespace}/`}${name}`, given]]
  }

  async #appObjects(app: App): Promise<readonly (readonly [identity: string, object: object])[]> {
    const { namespace, name, labels, annotations, ports } = app
    const key = `${namespace}/${name}`
    this.#answers.set(key, app.answer)
    const pods = await this.#podsOf(app)
    const spec = { clusterIP: '192.0.2.1', ports, ...app.spec }
    const objects: [string, object][] = [
      [
        `Service/${key}`,
        { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name, labels, annotations }, spec },
      ],
    ]
    for (const [index, { address, port }] of pods.entries()) {
      const slice = {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { namespace, name: `${name}-${index}`, labels: { 'kubernetes.io/service-name': name } },
        addressType: address.includes(':') ? 'IPv6' : 'IPv4',
        endpoints: [{ addresses: [address], conditions: conditionsOf(app.pods) }],
        // As in a cluster: every port of the Service appears by its name, with the port that the pod has for it.
        ports: ports.map(({ name: portName = '', protocol = 'TCP' }) => ({ name: portName, port, protocol })),
      }
      objects.push([`EndpointSlice/${key}-${index}`, slice])
    }
    // What a former version of the app had more of is gone.
    for (let index = pods.length; this.#objects.delete(`EndpointSlice/${key}-${index}`); ) index++
    return objects
  }

  async #podsOf(app: App): Promise<readonly { readonly address: string; readonly port: number }[]> {
    const { pods, replicas } = app
    if (pods === 'none') return []
    if (typeof pods === 'object') return pods.map(address => ({ address, port: 80 }))
    if (pods === 'refusing' || pods === 'unreachable')
      return (await this.#deadPorts(pods)).map(port => ({ address: '127.0.0.1', port }))
    const key = `${app.namespace}/${app.name}`
    const running = this.#apps.get(key) ?? []
    const more: TcpApp[] = []
    while (running.length + more.length < replicas) more.push(await this.#startApp(key))
    this.#apps.set(key, [...running, ...more])
    return [...running, ...more].slice(0, replicas).map(({ port }) => ({ address: '127.0.0.1', port }))
  }

  async #startApp(key: string): Promise<TcpApp> {
    const app = this.#stack.use(await TcpApp.start())
    void this.#serve(app, key)
    return app
  }

  async #serve(app: TcpApp, key: string): Promise<void> {
    for (;;) void this.#serveOne(await app.connection(), key)
  }

  async #serveOne(peer: Peer, key: string): Promise<void> {
    const answer = this.#answers.get(key)
    if (typeof answer === 'object' && 'kind' in answer && answer.kind === 'by hand') {
      this.#byHand.push([key, peer])
      return this.#stir()
    }
    for (;;) {
      const request = await peer.request().catch(() => null)
      if (request === null) return peer.end()
      this.received.push({ ...request, app: key })
      this.#stir()
      const answer = this.#answers.get(key) ?? ok(key, 'Content-Type: text/plain')
      if (typeof answer === 'string') await peer.send(answer)
      else if (typeof answer === 'function') await peer.send(answer(request))
      else if ('kind' in answer && answer.kind === 'parts') {
        for (const part of answer.parts) {
          await peer.send(part)
          await delay(answer.pause)
        }
        return peer.end()
      } else if ('kind' in answer && answer.kind === 'reset') return peer.reset()
      else if ('kind' in answer && answer.kind === 'silence') await peer.closed()
      else if (Array.isArray(answer)) for (const part of answer) await peer.send(part)
      this.#answered.push(key)
      this.#stir()
    }
  }

  #stir(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** The pod's end of the next connection to an app that answers by hand. */
  async rawPod(key: string): Promise<Peer> {
    for (;;) {
      const at = this.#byHand.findIndex(([app]) => app === key)
      if (at >= 0) return this.#byHand.splice(at, 1)[0]![1]
      await new Promise<void>(wake => this.#waiting.push(wake))
    }
  }

  /** Connections that the pods of an app have accepted so far. */
  connectionsOf(key: string): number {
    return (this.#apps.get(key) ?? []).reduce((sum, { accepted }) => sum + accepted, 0)
  }

  /** Resolves when the app has got a request. */
  async asked(key: string): Promise<void> {
    while (!this.received.some(({ app }) => app === key)) await new Promise<void>(wake => this.#waiting.push(wake))
  }

  /** Resolves when the app is rid of all of an answer. */
  async sent(key: string): Promise<void> {
    while (!this.#answered.includes(key)) await new Promise<void>(wake => this.#waiting.push(wake))
  }

  async #deadPorts(how: 'refusing' | 'unreachable'): Promise<readonly number[]> {
    const known = this.#dead.get(how)
    if (known !== undefined) return known
    const ports =
      how === 'refusing'
        ? this.#stack.use(await RefusingPorts.reserve(1)).all
        : [this.#stack.use(await FullBacklog.start()).port]
    this.#dead.set(how, ports)
    return ports
  }

  // --------------------------------------------------------------------------------------------------- clients

  async connect(port: PortName, way: Way = {}): Promise<Peer> {
    const peer = await connectTo(this.port(port), { host: this.#host, ...way })
    this.#peers.add(peer)
    return peer
  }

  async connectTls(options: ConnectionOptions, way: Way = {}): Promise<Peer & { socket: TLSSocket }> {
    const peer = await connectTlsTo(this.port('https'), options, { host: this.#host, ...way })
    this.#peers.add(peer)
    return peer
  }

  /** Closes the connections of all clients. */
  async hangUp(): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    this.#peers.clear()
  }

  // --------------------------------------------------------------------------------------------- what it shows

  /** A page of the admin port. */
  async admin<T>(path: string): Promise<T> {
    return JSON.parse((await this.adminText(path)).body) as T
  }

  adminText(path: string): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const options = { host: this.#host, port: this.port('admin'), path, agent: false }
      httpGet(options, response => {
        text(response).then(body => resolve({ status: response.statusCode ?? 0, body }), reject)
      }).on('error', reject)
    })
  }

  async problems(): Promise<readonly AdminProblem[]> {
    return (await this.admin<{ readonly problems: readonly AdminProblem[] }>('/problems')).problems
  }

  /** Resolves with the line of the access log that has `mark` in it. */
  logLine(mark: string): Promise<string> {
    return this.process.until(`a line of the access log with ${mark}`, () =>
      this.process.accessLog.find(line => line.includes(mark)),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hangUp()
    await this.#stack.disposeAsync()
  }
}

function deploymentOf(settings: Readonly<Record<string, string>>): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'deis-router', namespace: 'deis', annotations: prefixed('router.deis.io/nginx.', settings) },
  }
}

function conditionsOf(pods: App['pods']): object {
  if (pods === 'not ready') return { ready: false }
  if (pods === 'terminating') return { ready: false, serving: true, terminating: true }
  return { ready: true }
}
