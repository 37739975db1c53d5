// A controller with a database and this machine as its cluster, and clients that call its API; all gone when the test
// ends. Answers are checked against the OpenAPI document as they are made.

import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { Agent, type OutgoingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { directoryImages } from '#controller/cluster/local/images.ts'
import { LocalCluster, type LocalTimes } from '#controller/cluster/local/local.ts'
import { type ControllerConfig, parseConfig } from '#controller/config.ts'
import { Controller } from '#controller/controller.ts'
import { ClusterImages } from '#controller/images/cluster-images.ts'
import { UnpackedImages } from '#controller/images/unpacked-images.ts'
import { imagesOf, leftImagesOf, openRegistry, openRegistryTokens } from '#controller/open-registry.ts'
import { openStore, type StoreTarget } from '#controller/store/open-store.ts'
import type { Store } from '#controller/store/store.ts'
import { configOf } from '#kit/command-line.ts'
import { createLogger } from '#kit/log.ts'

export const builderKey = 'builder-key-of-tests'

export interface StageOptions {
  /** A file in the stage's directory when absent. */
  readonly database?: StoreTarget
  readonly env?: Readonly<Record<string, string>>
  readonly times?: Partial<LocalTimes>
  /** Where images of apps are; none when absent. */
  readonly registry?: URL
}

export interface CallOptions {
  readonly token?: string | null
  readonly body?: unknown
  readonly headers?: OutgoingHttpHeaders
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  /** JSON where the answer says so, else text. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it in their own ways
  readonly body: any
}

/** For apps whose processes nobody talks to. */
export const idleProcfile = { web: 'exec sleep 1000', worker: 'exec sleep 1000' }

/** For apps that need not care for requests on their way. */
export const quick = { handover: 1, settle: 1 } as const

function isRaw(body: unknown): body is string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array
}

export class ControllerStage implements AsyncDisposable {
  readonly directory: string
  /** What apps are told in their logs. */
  readonly lines: string[] = []
  /** The controller's own log, JSON. */
  readonly log: Record<string, unknown>[] = []
  readonly #options: StageOptions
  #controller: Controller | null = null
  #store: Store | null = null
  #users = 0
  readonly #looking = new Set<() => void>()
  /** Of the controller that runs. */
  #agent = new Agent({ keepAlive: true })

  private constructor(directory: string, options: StageOptions) {
    this.directory = directory
    this.#options = options
  }

  static async start(options: StageOptions = {}): Promise<ControllerStage> {
    const stage = new ControllerStage(await mkdtemp(join(tmpdir(), 'controller-')), options)
    await stage.open()
    return stage
  }

  get manifests(): string {
    return join(this.directory, 'manifests')
  }

  get controller(): Controller {
    return this.#controller!
  }

  /** The controller's own: to look into. */
  get store(): Store {
    return this.#store!
  }

  get url(): string {
    return `http://127.0.0.1:${this.controller.port}`
  }

  async open(): Promise<void> {
    const {
      database = { kind: 'sqlite', file: join(this.directory, 'state.db') },
      env = {},
      times = {},
    } = this.#options
    const config = controllerConfig(this.directory, env, registryFlags(this.#options.registry))
    const log = createLogger({ destination: { write: line => void this.log.push(JSON.parse(line)) } })
    const store = await openStore(database, { log })
    const registryTokens = await openRegistryTokens(config)
    const registry = openRegistry(config, registryTokens)
    const directory = join(this.directory, 'images')
    const images =
      registry === null ? directoryImages : new ClusterImages(await UnpackedImages.open({ directory, registry }))
    const cluster = await LocalCluster.open({
      state: join(this.directory, 'processes'),
      manifests: this.manifests,
      logs: { line: (app, process, text) => void this.lines.push(`${app} ${process}: ${text}`) },
      onFault: error => void this.log.push({ level: 'error', message: error.message }),
      times: { handover: 400, ...times },
      images,
    })
    const { lines } = this
    const looking = this.#looking
    const appLines = new Writable({
      decodeStrings: false,
      write(text: string, _encoding, done) {
        lines.push(text.trimEnd())
        for (const look of looking) look()
        done()
      },
    })
    this.#store = store
    this.#controller = await Controller.start(config, {
      ...{ log, store, cluster, appLines, registryTokens },
      images: imagesOf(config, registry),
      leftImages: leftImagesOf(registry, registryTokens),
      checkAnswers: true,
      // The garbage here is the test runner's.
      onQuiet: () => {},
      // A digest at full cost takes longer than the rest of most tests.
      passwordCosts: { N: 16, r: 1, p: 1 },
    })
  }

  /** Ends the controller in an orderly way; `open` starts another on the same state. */
  async close(patience?: number): Promise<void> {
    await this.#controller?.stop(patience)
    this.#controller = null
    this.#agent.destroy()
    this.#agent = new Agent({ keepAlive: true })
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Reply> {
    const { token = null, body, headers = {} } = options
    const octets = body === undefined ? null : isRaw(body) ? Buffer.from(body) : Buffer.from(JSON.stringify(body))
    // Paths go as they are: no dot segment is resolved on the way.
    const sent = request(`${this.url}/`, {
      ...{ method, path, agent: this.#agent },
      headers: {
        // As clients send it, with a body or without.
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `token ${token}` }),
        ...(octets === null || 'transfer-encoding' in headers ? {} : { 'content-length': octets.length }),
        ...headers,
      },
    })
    const answered = once(sent, 'response')
    sent.on('error', () => {})
    sent.end(octets ?? undefined)
    const [response] = await answered
    const text = Buffer.concat(await response.toArray()).toString()
    const lines: string[] = response.rawHeaders
    const fields = new Headers(
      lines.flatMap((name, at) => (at % 2 === 0 ? [[name, lines[at + 1]!]] : [])) as [string, string][],
    )
    const isJson = fields.get('content-type') === 'application/json' && text !== ''
    return { status: response.statusCode, headers: fields, body: isJson ? JSON.parse(text) : text }
  }

  /** Resolves when apps are told such a line, or were. */
  async line(fits: (line: string) => boolean): Promise<string> {
    for (;;) {
      const found = this.lines.find(fits)
      if (found !== undefined) return found
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#looking.add(resolve)
      await promise
      this.#looking.delete(resolve)
    }
  }

  /** Registers a user, the first as administrator, and logs in. Returns the token. */
  async user(username: string = `user${++this.#users}`): Promise<string> {
    const password = `password of ${username}`
    const registered = await this.call('POST', '/v2/auth/register/', { body: { username, password, email: '' } })
    if (registered.status !== 201) throw new Error(`${username} could not register: ${JSON.stringify(registered.body)}`)
    const { body } = await this.call('POST', '/v2/auth/login/', { body: { username, password } })
    return body.token
  }

  /** A new app of the user. */
  async app(token: string, id?: string): Promise<string> {
    const { status, body } = await this.call('POST', '/v2/apps/', { token, body: id === undefined ? {} : { id } })
    if (status !== 201) throw new Error(`the app could not be made: ${JSON.stringify(body)}`)
    return body.id
  }

  /** A directory as the image of a build. */
  async image(): Promise<string> {
    const directory = join(this.directory, 'image')
    await mkdir(directory, { recursive: true })
    return directory
  }

  /** A new app that no requests go to, with processes that do nothing. Deployed as v2. */
  async idleApp(token: string, id?: string): Promise<string> {
    const app = await this.app(token, id)
    const settings = await this.call('POST', `/v2/apps/${app}/settings/`, { token, body: { routable: false } })
    const image = await this.image()
    const build = await this.call('POST', `/v2/apps/${app}/builds/`, { token, body: { image, procfile: idleProcfile } })
    if (settings.status !== 201 || build.status !== 201) throw new Error(`no app: ${JSON.stringify(build.body)}`)
    return app
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(0)
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Of a controller of this process, on `directory`; whoever starts it brings a store and a cluster. */
export function controllerConfig(
  directory: string,
  env: Readonly<Record<string, string>>,
  more: readonly string[] = [],
): ControllerConfig {
  const ports = ['--address', '127.0.0.1', '--port', '0', '--admin-port', '0']
  const flags = [...ports, '--sqlite', 'unused', '--local', directory, ...more]
  return configOf(parseConfig(flags, { DEIS_BUILDER_KEY: builderKey, ...env }, '0'))
}

function registryFlags(registry: URL | undefined): readonly string[] {
  return registry === undefined ? [] : ['--registry', registry.href]
}
