// Builds on this machine, without a cluster: buildpacks run as child processes, and what they leave is packed as an image
// by ourselves; for Dockerfiles there has to be a container engine.
//
// Programs of a build are those of whoever pushes. They have a directory, an environment, limits and an end of their own,
// but they are the user that we are: a builder of this kind is for people who trust each other.

import { randomUUID } from 'node:crypto'
import { lstat, mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { claimState } from '#kit/children/claim.ts'
import { Journal } from '#kit/children/journal.ts'
import { MemoryGuard } from '#kit/children/memory-guard.ts'
import { Registry, RegistryError, withPassword } from '#kit/oci/registry.ts'
import { removeTree } from '#kit/remove-tree.ts'
import { version } from '#kit/version.ts'
import { packImage, partOf } from '../../image/pack.ts'
import { pushImage } from '../../image/push.ts'
import { readTree } from '../../image/tree.ts'
import { type Procfile, readProcfile, readSmallFile } from '../procfile.ts'
import { BuildError, type BuildRequest, type BuildResult, type BuildStrategy, shortCommit } from '../strategy.ts'
import { type Bench, type Buildpack, compile, detect, exited, release, selectBuiltIn } from './buildpack.ts'
import { buildDockerfile } from './container-engine.ts'
import { fetchBuildpack } from './custom-buildpack.ts'
import type { DiskLimit } from './disk-guard.ts'
import { parseIgnored } from './ignored.ts'
import { Output } from './output.ts'
import { type BuildLimits, Steps } from './steps.ts'
import { removeCache, Workspace } from './workspace.ts'

export interface LocalLimits extends BuildLimits {
  /** Of what goes into an image. */
  readonly image: DiskLimit
  readonly cache: DiskLimit
}

const megabyte = 2 ** 20
export const standardLimits: LocalLimits = {
  time: 15 * 60_000,
  memory: 2048 * megabyte,
  disk: { bytes: 6144 * megabyte, files: 1_000_000 },
  image: { bytes: 2048 * megabyte, files: 300_000 },
  cache: { bytes: 1024 * megabyte, files: 300_000 },
}

export interface LocalStrategyOptions {
  /** Where builds are made, and what is kept between them. Of this strategy alone. */
  readonly state: string
  readonly registry: URL
  /** Of the builder; null: the registry lets everybody in. */
  readonly credentials: { readonly username: string; readonly password: string } | null
  /** Where tokens for the registry are had; null: where the registry says. */
  readonly tokens: URL | null
  readonly limits?: Partial<LocalLimits>
  /** Milliseconds between two looks at the memory of programs, and at the disk. */
  readonly interval?: number
  /** Of our own environment; nothing else of it gets into a build. */
  readonly path?: string
}

/** Binaries that are made for it run on the distributions that we run on. */
const stack = 'heroku-22'
const userAgent = `deis-builder/${version}`
/** Names that directories can have. */
const appName = /^[a-z0-9][a-z0-9-]{0,62}$/

export class LocalStrategy implements BuildStrategy {
  readonly kind = 'local'
  /** What a killed builder left running, and was ended at our start: names of programs. */
  readonly leftOvers: readonly string[]
  readonly #options: LocalStrategyOptions
  readonly #limits: LocalLimits
  readonly #interval: number
  readonly #journal: Journal
  readonly #memory: MemoryGuard
  readonly #claim: Disposable
  readonly #registry: Registry
  readonly #closing = new AbortController()
  readonly #builds = new Set<Promise<unknown>>()
  /** Apps that are being built → whether they were forgotten meanwhile. */
  readonly #forgotten = new Map<string, boolean>()

  /** Throws StartupError 69 while another builder has the state directory. */
  static async open(given: LocalStrategyOptions): Promise<LocalStrategy> {
    const options = { ...given, state: resolve(given.state) }
    const claim = claimState(options.state, 'builder')
    try {
      const journal = new Journal(join(options.state, 'processes'))
      const leftOvers = await journal.clear(0)
      const builds = join(options.state, 'builds')
      await mkdir(builds, { recursive: true, mode: 0o700 })
      for (const name of await readdir(builds)) await removeTree(join(builds, name))
      return new LocalStrategy(options, journal, claim, leftOvers)
    } catch (error) {
      claim[Symbol.dispose]()
      throw error
    }
  }

  private constructor(
    options: LocalStrategyOptions,
    journal: Journal,
    claim: Disposable,
    leftOvers: readonly string[],
  ) {
    this.leftOvers = leftOvers
    this.#options = options
    this.#limits = { ...standardLimits, ...options.limits }
    this.#interval = options.interval ?? 1_000
    this.#journal = journal
    this.#memory = new MemoryGuard(this.#interval)
    this.#claim = claim
    const { registry, credentials, tokens } = options
    const authorize =
      credentials === null ? null : withPassword(credentials.username, credentials.password, { url: tokens, userAgent })
    this.#registry = new Registry({ url: registry, authorize, userAgent })
  }

  async check(signal: AbortSignal): Promise<void> {
    const response = await this.#registry.request('GET', '/v2/', { scope: '', signal })
    await response.body.dump().catch(() => {})
    // It may well want to know who asks: it is there.
    if (response.statusCode !== 200 && response.statusCode !== 401)
      throw new RegistryError('refused', `the registry answers ${response.statusCode}`)
  }

  async build(request: BuildRequest): Promise<BuildResult> {
    if (!appName.test(request.app)) throw new BuildError('refused', 'This is no name of an app.')
    if (this.#closing.signal.aborted) throw new BuildError('lost', 'The builder is ending.')
    const building = this.#build(request)
    this.#builds.add(building)
    try {
      return await building
    } finally {
      this.#builds.delete(building)
    }
  }

  async forget(app: string): Promise<void> {
    if (!appName.test(app)) return
    if (this.#forgotten.has(app)) this.#forgotten.set(app, true)
    await removeCache(this.#options.state, app)
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new BuildError('lost', 'The builder is ending.'))
    await Promise.allSettled(this.#builds)
    this.#memory[Symbol.dispose]()
    await this.#registry.close()
    this.#claim[Symbol.dispose]()
  }

  async #build(request: BuildRequest): Promise<BuildResult> {
    const output = new Output(request.say)
    const workspace = await Workspace.make(this.#options.state, request.app)
    this.#forgotten.set(request.app, false)
    try {
      using steps = new Steps({
        app: request.app,
        directories: [request.source, workspace.root],
        journal: this.#journal,
        memory: this.#memory,
        limits: this.#limits,
        interval: this.#interval,
        signal: AbortSignal.any([request.signal, this.#closing.signal]),
      })
      const environment = await this.#environment(request, workspace)
      const bench: Bench = { steps, workspace, output, source: request.source, environment }
      try {
        return await this.#run(request, bench)
      } catch (error) {
        // What ended the build, whatever it was doing just then.
        throw steps.signal.aborted ? asBuildError(steps.signal.reason) : asBuildError(error)
      }
    } finally {
      output.finish()
      this.#forgotten.delete(request.app)
      await workspace.remove()
    }
  }

  async #run(request: BuildRequest, bench: Bench): Promise<BuildResult> {
    const { app, commit, source, config } = request
    const image = `${app}:git-${shortCommit(commit)}`
    const dockerfile = await lstat(join(source, 'Dockerfile')).catch(() => null)
    if (dockerfile?.isFile()) {
      const { registry, credentials } = this.#options
      const destination = { host: this.#registry.host, isPlain: registry.protocol === 'http:', credentials }
      await buildDockerfile(bench, image, config, destination)
      return { image, procfile: (await readProcfile(source)) ?? {}, fromDockerfile: true }
    }
    return { image, procfile: await this.#buildApp(request, bench), fromDockerfile: false }
  }

  async #buildApp({ app, commit, config }: BuildRequest, bench: Bench): Promise<Procfile> {
    const { workspace, output, source, steps } = bench
    await workspace.writeEnvironment(config)
    const isCached = config.DEIS_DISABLE_CACHE === undefined
    if (!isCached) await removeCache(this.#options.state, app)
    else output.topic('Restoring cache...')
    const restored = await workspace.takeCache()
    if (isCached)
      output.detail(restored ? 'Done!' : 'No cache file found. If this is the first deploy, it will be created now.')
    const buildpack = await this.#buildpack(config.BUILDPACK_URL, bench)
    output.topic(`${buildpack.name} app detected`)
    try {
      await compile(buildpack, bench)
    } catch (error) {
      // One that was cut short is not to be trusted any more; one that merely did not like the source is.
      if (isCached && !steps.signal.aborted) await this.#keepCache(bench)
      throw error
    }
    const released = await release(buildpack, bench)
    const procfile = await this.#processTypes(buildpack, released.processTypes, bench)
    if (isCached) {
      output.topic('Checking for changes inside the cache directory...')
      if (!(await this.#keepCache(bench))) output.detail('It is too large to be kept.')
    }
    const ignored = parseIgnored((await readSmallFile(join(source, '.slugignore'))) ?? '')
    const entries = await readTree(source, {
      includes: path => path !== '.git' && !path.endsWith('/.git') && !ignored(path),
      partOf,
      maxEntries: this.#limits.image.files,
      maxSize: this.#limits.image.bytes,
      signal: steps.signal,
    })
    const { layers: scratch } = workspace
    const { environment } = released
    const packed = await packImage(entries, { scratch, procfile, environment, signal: steps.signal })
    output.topic(`Compiled slug size is ${sizeText(packed.size)}`)
    await pushImage(this.#registry, app, `git-${shortCommit(commit)}`, packed, { signal: steps.signal })
    return procfile
  }

  async #buildpack(url: string | undefined, bench: Bench): Promise<Buildpack> {
    const { output } = bench
    let found: Buildpack | null
    if (url === undefined || url === '') found = await selectBuiltIn(bench)
    else {
      output.topic('Fetching custom buildpack')
      found = await detect(await fetchBuildpack(url, bench), bench)
    }
    if (found !== null) return found
    output.topic('Unable to select a buildpack')
    if (url === undefined)
      output.detail(
        'An app has a package.json, requirements.txt, go.mod or index.html, or a BUILDPACK_URL in its config.',
      )
    throw exited(1)
  }

  async #processTypes({ name }: Buildpack, defaults: Procfile, { output, source }: Bench): Promise<Procfile> {
    output.topic('Discovering process types')
    const declared = await readProcfile(source)
    const types = Object.keys(declared ?? defaults)
    if (declared !== null) output.detail(`Procfile declares types -> ${types.join(', ') || '(none)'}`)
    else if (types.length > 0) output.detail(`Default process types for ${name} -> ${types.join(', ')}`)
    return declared ?? defaults
  }

  async #keepCache({ workspace }: Bench): Promise<boolean> {
    if (this.#forgotten.get(workspace.app) === true) return true
    return await workspace.keepCache(this.#limits.cache)
  }

  async #environment(
    { app, commit, config }: BuildRequest,
    workspace: Workspace,
  ): Promise<Readonly<Record<string, string>>> {
    const { home, temporary } = workspace
    // Programs that we bring are written for the Node that we run on.
    const path = `${this.#options.path ?? process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'}:${dirname(process.execPath)}`
    return {
      ...{ HOME: home, TMPDIR: temporary, PATH: path, LANG: process.env.LANG ?? 'C.UTF-8' },
      ...{ DEIS_APP: app, SOURCE_VERSION: shortCommit(commit), STACK: stack, REQUEST_ID: randomUUID() },
      ...(config.BUILDPACK_URL === undefined ? {} : { BUILDPACK_URL: config.BUILDPACK_URL }),
      ...(config.SSH_KEY === undefined ? {} : await sshCommand(config.SSH_KEY, home)),
    }
  }
}

/** For private dependencies; ssh looks for the home in the password file, and so has to be told. */
async function sshCommand(key: string, home: string): Promise<Readonly<Record<string, string>>> {
  const directory = join(home, '.ssh')
  const file = join(directory, 'id_rsa')
  await mkdir(directory, { mode: 0o700 })
  await writeFile(file, Buffer.from(key, 'base64'), { mode: 0o600 })
  const options = '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -o BatchMode=yes'
  return { GIT_SSH_COMMAND: `ssh -i '${file.replaceAll("'", "'\\''")}' ${options}` }
}

function asBuildError(error: unknown): BuildError {
  if (error instanceof BuildError) return error
  const { message } = error as Error
  if (error instanceof RegistryError)
    return new BuildError('lost', `The image cannot be pushed: ${message}`, { cause: error })
  return new BuildError('lost', `The build was stopped: ${message}`, { cause: error })
}

/** As `du -h` says it. */
function sizeText(bytes: number): string {
  let value = bytes / 1024
  for (const unit of ['K', 'M']) {
    if (value < 1024) return `${value < 10 ? value.toFixed(1) : Math.round(value)}${unit}`
    value /= 1024
  }
  return `${value.toFixed(1)}G`
}
