// Builds as Jobs of a Kubernetes cluster: Cloud Native Buildpacks, or buildah when there is a Dockerfile. This builder
// fetches nothing and runs nothing of what was pushed: it hands out the source, and looks on.
//
//   Job (suspended) -> Secret, owned by it -> Job runs -> log to the pusher, Pod watched -> image in the registry

import { randomBytes } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '#kit/clock.ts'
import { type Authorize, drop, expectStatus, Registry, RegistryError } from '#kit/oci/registry.ts'
import { version } from '#kit/version.ts'
import { type KubeClient, resourcePath } from '#kube/client.ts'
import { KubeError, TransportError } from '#kube/errors.ts'
import type { KubeObject } from '#kube/types.ts'
import { Output } from '../local/output.ts'
import { type Procfile, readProcfile } from '../procfile.ts'
import { BuildError, type BuildRequest, type BuildResult, type BuildStrategy, shortCommit } from '../strategy.ts'
import { awaitBuild, type Ended } from './build-pod.ts'
import { cacheRepository, cacheTag } from './buildpacks.ts'
import { imageProcessTypes } from './built-image.ts'
import { planOf } from './job.ts'
import type { Job } from './job-types.ts'
import { type BuildKind, builderContainer, buildName, fetchContainer, managedSelector } from './names.ts'
import type { JobOptions } from './options.ts'
import { pushToken } from './push-token.ts'
import { type Offer, SourceServer, type SourceServerOptions } from './source-server.ts'

export interface KubernetesStrategyOptions {
  readonly client: KubeClient
  readonly jobs: JobOptions
  readonly sources: SourceServerOptions
  readonly registry: {
    /** As we reach it. */
    readonly url: URL
    /** `HOST:PORT`, as Pods reach it; null: as we do. */
    readonly host: string | null
    /** Null: the registry lets everybody in. */
    readonly authorize: Authorize | null
  }
  readonly clock?: Clock
}

const appName = /^[a-z0-9][a-z0-9-]{0,62}$/
const fieldManager = 'deis-builder'
const userAgent = `deis-builder/${version}`
/** Seconds beside its deadline that a Job may take until it runs. */
const startTime = 900
/** Of the lifecycle: no group of buildpacks takes the source. */
const detectCodes = new Set([20, 21, 22])

export class KubernetesStrategy implements BuildStrategy {
  readonly kind = 'kubernetes'
  /** What a builder before us left running, and was removed at our start: names of Jobs. */
  readonly leftOvers: readonly string[]
  readonly #options: KubernetesStrategyOptions
  readonly #clock: Clock
  readonly #sources: SourceServer
  readonly #registry: Registry
  readonly #closing = new AbortController()
  readonly #builds = new Set<Promise<unknown>>()

  /** Throws KubeError and TransportError when the cluster cannot be asked what is left over. */
  static async open(options: KubernetesStrategyOptions, signal: AbortSignal): Promise<KubernetesStrategy> {
    const leftOvers = await removeLeftOvers(options.client, options.jobs.namespace, signal)
    return new KubernetesStrategy(options, await SourceServer.start(options.sources), leftOvers)
  }

  private constructor(options: KubernetesStrategyOptions, sources: SourceServer, leftOvers: readonly string[]) {
    this.leftOvers = leftOvers
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#sources = sources
    const { url, authorize } = options.registry
    this.#registry = new Registry({ url, authorize, userAgent })
  }

  async check(signal: AbortSignal): Promise<void> {
    const { client, jobs } = this.#options
    await client.list(jobsPath(jobs.namespace), { query: { limit: 1 }, signal })
    const response = await this.#registry.request('GET', '/v2/', { scope: '', signal })
    await expectStatus(response, [200, 401], 'the registry')
    await drop(response)
  }

  async build(request: BuildRequest): Promise<BuildResult> {
    if (!appName.test(request.app)) throw new BuildError('refused', 'This is no name of an app.')
    if (this.#closing.signal.aborted) throw new BuildError('lost', 'The builder is ending.')
    const building = this.#build(request, AbortSignal.any([request.signal, this.#closing.signal]))
    this.#builds.add(building)
    try {
      return await building
    } finally {
      this.#builds.delete(building)
    }
  }

  /** The cache's layers go with the registry's next collection. */
  async forget(app: string): Promise<void> {
    if (appName.test(app)) await this.#forgetCache(app, AbortSignal.timeout(30_000))
  }

  async close(): Promise<void> {
    this.#closing.abort(new BuildError('lost', 'The builder is ending.'))
    await Promise.allSettled(this.#builds)
    await this.#sources.close()
    await this.#registry.close()
  }

  async #build(request: BuildRequest, signal: AbortSignal): Promise<BuildResult> {
    const output = new Output(request.say)
    try {
      return await this.#run(request, output, signal)
    } catch (error) {
      throw asBuildError(signal.aborted ? signal.reason : error)
    } finally {
      output.finish()
    }
  }

  async #run(request: BuildRequest, output: Output, signal: AbortSignal): Promise<BuildResult> {
    const { app, commit, source, config } = request
    const tag = `git-${shortCommit(commit)}`
    const dockerfile = await lstat(join(source, 'Dockerfile')).catch(() => null)
    const kind: BuildKind = dockerfile?.isFile() ? 'dockerfile' : 'buildpacks'
    // Malformed: said before anything is built, not after.
    const declared = await readProcfile(source)
    const { jobs, registry } = this.#options
    const { url, authorize } = registry
    const host = registry.host ?? url.host
    const token = await pushToken(this.#registry, authorize, {
      ...{ app, signal, lifetime: jobs.deadline + startTime },
      reads: kind === 'buildpacks' ? repositoryAt(host, jobs.buildpacks.runImage) : null,
    })
    if (Object.hasOwn(config, 'DEIS_DISABLE_CACHE')) await this.#forgetCache(app, signal)
    using offer = this.#sources.offer(source)
    const target = { host, isPlain: url.protocol === 'http:', token }
    const name = buildName(kind, app, commit, randomBytes(4).toString('hex'))
    const ended = await this.#runJob({ kind, name, request, target }, offer, output, signal)
    if (ended.error !== null) {
      if (kind === 'buildpacks' && detectCodes.has(ended.exitCode ?? 0)) output.topic('Unable to select a buildpack')
      throw ended.error
    }
    const image = `${app}:${tag}`
    if (kind === 'dockerfile') return { image, procfile: declared ?? {}, fromDockerfile: true }
    const defaults = await imageProcessTypes(this.#registry, app, tag, signal)
    return { image, procfile: processTypes(declared, defaults, output), fromDockerfile: false }
  }

  async #runJob(
    build: Pick<Parameters<typeof planOf>[0], 'kind' | 'name' | 'request' | 'target'>,
    offer: Offer,
    output: Output,
    signal: AbortSignal,
  ): Promise<Ended> {
    const { client, jobs } = this.#options
    const { kind, name } = build
    const { job, secret } = planOf({ ...build, source: { url: offer.url, token: offer.token } }, jobs)
    const path = jobsPath(jobs.namespace)
    const query = { fieldManager }
    let isKept = false
    try {
      const made = await client.create<Job>(path, job, { query, signal })
      const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid: made.metadata.uid, blockOwnerDeletion: false }
      const owned = { ...secret, metadata: { ...secret.metadata, ownerReferences: [owner] } }
      await client.create(secretsPath(jobs.namespace), owned, { query, signal })
      await client.patch(`${path}/${name}`, { spec: { suspend: false } }, { signal })
      const ended = await awaitBuild({
        ...{ client, clock: this.#clock, namespace: jobs.namespace, name, signal },
        containers: [fetchContainer, builderContainer[kind]],
        hear: line => (kind === 'dockerfile' ? output.raw(line) : output.hear(line)),
        tell: text => output.detail(text),
      })
      isKept = ended.exitCode !== null
      return ended
    } finally {
      // Also when nobody waits any more: so without their signal. What has ended by itself is kept for a while, without
      // its secrets; anything else goes with its Pod.
      await quietly(client.delete(`${secretsPath(jobs.namespace)}/${name}`))
      if (!isKept)
        await quietly(client.request('DELETE', `${path}/${name}`, { body: { propagationPolicy: 'Background' } }))
    }
  }

  /** A registry that deletes nothing keeps it; builds that want no cache do not look at it. */
  async #forgetCache(app: string, signal: AbortSignal): Promise<void> {
    const repository = cacheRepository(app)
    const found = await this.#registry.manifest(repository, cacheTag, signal)
    if (found === null) return
    const scope = `repository:${repository}:delete`
    const response = await this.#registry.request('DELETE', `/v2/${repository}/manifests/${found.digest}`, {
      scope,
      signal,
    })
    await expectStatus(response, [202, 404, 405, 403, 401], 'the cache')
    await drop(response)
  }
}

/** Of an image in the registry of that host; null: it is elsewhere. */
function repositoryAt(host: string, image: string | null): string | null {
  if (!image?.startsWith(`${host}/`)) return null
  return image.slice(host.length + 1).replace(/(?::[^:/]*)?(?:@.*)?$/, '')
}

function processTypes(declared: Procfile | null, defaults: Procfile, output: Output): Procfile {
  output.topic('Discovering process types')
  const types = Object.keys(declared ?? defaults).join(', ')
  if (declared !== null) output.detail(`Procfile declares types -> ${types || '(none)'}`)
  else if (types !== '') output.detail(`Default process types -> ${types}`)
  return declared ?? defaults
}

/** Jobs that run on without anybody who looks at them, and Secrets with them. */
async function removeLeftOvers(client: KubeClient, namespace: string, signal: AbortSignal): Promise<readonly string[]> {
  interface Left extends KubeObject {
    readonly status?: { readonly completionTime?: string; readonly conditions?: readonly { readonly type: string }[] }
  }
  const query = { labelSelector: managedSelector }
  const { items } = await client.list<Left>(jobsPath(namespace), { query, signal })
  const running = items.filter(
    ({ status }) => !status?.conditions?.some(({ type }) => type === 'Complete' || type === 'Failed'),
  )
  for (const { metadata } of running) {
    const path = `${jobsPath(namespace)}/${metadata.name}`
    await unlessMissing(client.request('DELETE', path, { body: { propagationPolicy: 'Background' }, signal }))
  }
  return running.map(({ metadata }) => metadata.name)
}

function jobsPath(namespace: string): string {
  return resourcePath({ apiVersion: 'batch/v1', plural: 'jobs', namespace })
}

function secretsPath(namespace: string): string {
  return resourcePath({ apiVersion: 'v1', plural: 'secrets', namespace })
}

async function unlessMissing(call: Promise<unknown>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof KubeError && error.status === 404)) throw error
  }
}

/** What cannot be removed now ends by its own deadline, and is removed by the next builder. */
async function quietly(call: Promise<unknown>): Promise<void> {
  await call.catch(() => {})
}

function asBuildError(error: unknown): BuildError {
  if (error instanceof BuildError) return error
  const { message } = error as Error
  if (error instanceof KubeError) return new BuildError('lost', `creating builder pod (${message})`, { cause: error })
  if (error instanceof TransportError)
    return new BuildError('lost', `creating builder pod (the cluster cannot be reached: ${message})`, { cause: error })
  if (error instanceof RegistryError) return new BuildError('lost', `The registry: ${message}`, { cause: error })
  return new BuildError('lost', `The build was stopped: ${message}`, { cause: error })
}
