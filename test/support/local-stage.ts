// A cluster of child processes in a temporary directory, with apps made of a few lines of shell or JavaScript.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cluster } from '#controller/cluster/cluster.ts'
import { directoryImages, type Images } from '#controller/cluster/local/images.ts'
import { LocalCluster, type LocalOptions } from '#controller/cluster/local/local.ts'
import type { AppId, Build } from '#controller/domain/app.ts'
import { type ConfigMaps, noConfig } from '#controller/domain/config.ts'
import type { DesiredApp, DesiredRelease, Routing } from '#controller/domain/desired-app.ts'

/** A web server that says `TEXT of PORT`, and stops in an orderly way: it answers what it has accepted. */
const server = `
const { createServer } = require('node:http')
const server = createServer((request, response) => {
  setTimeout(() => response.end((process.env.TEXT ?? '') + ' of ' + process.env.PORT), 5)
})
setTimeout(() => server.listen(process.env.PORT, '127.0.0.1', () => console.log('listening')), Number(process.env.SLOW ?? 0))
process.on('SIGTERM', () => {
  console.log('ending')
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
`

/** Starts it from a Procfile. */
export const serve = `exec ${process.execPath} server.cjs`

/** Directories as images that processes may not write to, as those of a registry are. */
export const sharedImages: Images = {
  ...directoryImages,
  unpack: async image => ({ ...(await directoryImages.unpack(image)), root: image }),
}

export interface Line {
  readonly app: string
  readonly process: string
  readonly text: string
}

export class LocalStage implements AsyncDisposable {
  readonly directory: string
  /** Where the app is unpacked. */
  readonly image: string
  readonly lines: Line[] = []
  readonly faults: Error[] = []
  readonly #listeners = new Set<() => void>()
  #cluster: LocalCluster | null = null

  private constructor(directory: string) {
    this.directory = directory
    this.image = join(directory, 'image')
  }

  /** Without a cluster yet. */
  static async prepare(): Promise<LocalStage> {
    const stage = new LocalStage(await mkdtemp(join(tmpdir(), 'local-')))
    await mkdir(stage.image)
    await mkdir(stage.manifests)
    await writeFile(join(stage.image, 'server.cjs'), server)
    return stage
  }

  static async start(options: Partial<LocalOptions> = {}): Promise<LocalStage> {
    const stage = await LocalStage.prepare()
    await stage.open(options)
    return stage
  }

  get state(): string {
    return join(this.directory, 'state')
  }

  get manifests(): string {
    return join(this.directory, 'manifests')
  }

  get cluster(): Cluster {
    return this.#cluster!
  }

  async open({ times, ...options }: Partial<LocalOptions> = {}): Promise<LocalCluster> {
    this.#cluster = await LocalCluster.open({
      state: this.state,
      manifests: this.manifests,
      logs: {
        line: (app, process, text) => {
          this.lines.push({ app, process, text })
          for (const listener of this.#listeners) listener()
        },
      },
      onFault: error => this.faults.push(error),
      ...options,
      times: {
        grace: 10_000,
        handover: 0,
        settle: 50,
        backoff: { base: 10, cap: 20 },
        memory: 50,
        ...times,
      },
    })
    return this.#cluster
  }

  /** Resolves when a line was said that `match` fits, or has been already. */
  async said(match: RegExp): Promise<Line> {
    for (;;) {
      const line = this.lines.find(({ text }) => match.test(text))
      if (line !== undefined) return line
      await new Promise<void>(resolve => {
        const listener = (): void => {
          this.#listeners.delete(listener)
          resolve()
        }
        this.#listeners.add(listener)
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster?.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}

const at = new Date('2026-01-02T03:04:05.678Z')

export const routing: Routing = {
  routable: true,
  maintenance: false,
  httpsEnforced: null,
  whitelist: [],
  domains: [{ domain: 'shop', certificate: null }],
  certificates: [],
}

export interface AppParts {
  readonly image: string
  readonly id?: string
  readonly uuid?: string
  readonly version?: number
  readonly structure?: Readonly<Record<string, number>>
  readonly procfile?: Readonly<Record<string, string>>
  readonly config?: Partial<ConfigMaps>
  readonly port?: number | null
  readonly routing?: Partial<Routing>
  readonly build?: Partial<Build>
}

/** One web process of the server, unless told otherwise. */
export function desired(parts: AppParts): DesiredApp {
  const id = (parts.id ?? 'shop') as AppId
  const build: Build = {
    uuid: 'b0000000-0000-4000-8000-000000000000',
    app: id,
    owner: 'ann',
    image: parts.image,
    sha: 'abcdef0123456789',
    procfile: parts.procfile ?? { web: serve },
    dockerfile: '',
    exposedPort: null,
    created: at,
    updated: at,
    ...parts.build,
  }
  const release: DesiredRelease = {
    version: parts.version ?? 2,
    summary: 'ann deployed abcdef0',
    created: at,
    build,
    config: { ...noConfig, ...parts.config },
    port: parts.port === undefined ? 5000 : parts.port,
  }
  return {
    uuid: parts.uuid ?? 'a0000000-0000-4000-8000-000000000000',
    id,
    structure: parts.structure ?? { web: 1 },
    routing: { ...routing, ...parts.routing },
    autoscale: {},
    release,
  }
}

/** How tests deploy: without limit of time but the stage's, telling nobody. */
export function options(signal: AbortSignal = new AbortController().signal) {
  return { signal, onProgress: () => {} }
}
