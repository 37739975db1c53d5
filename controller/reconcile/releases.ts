// The ways in which a release comes about: a new build, a new config, a way back. Each is decided inside the transaction
// that makes it, from what is current then (controller contract, section 5).

import { type AppId, type Build, buildKind, type Procfile, type Release } from '../domain/app.ts'
import type { Config, ConfigMaps } from '../domain/config.ts'
import { mergeConfig } from '../domain/config-change.ts'
import { decidePort, exposedPort } from '../domain/port.ts'
import { missingTypes, type ProcfilePolicy, succeedProcfile } from '../domain/procfile.ts'
import { checkRollback, rollbackVersion } from '../domain/rollback.ts'
import { summaryOfBuild, summaryOfConfig, summaryOfFailed, summaryOfRollback } from '../domain/summary.ts'
import { noNodes } from '../domain/tags.ts'
import type { Repositories } from '../store/store.ts'
import type { AppLog } from './app-log.ts'
import type { Deployer, Draft } from './deployer.ts'
import type { Images } from './images.ts'

/** Milliseconds that the cluster may take to count nodes. */
const countTimeout = 10_000
/** Times that the same request asks for nodes. */
const maxCounts = 5

export interface NewBuild {
  readonly image: string
  readonly sha: string
  readonly procfile: Procfile
  readonly dockerfile: string
}

export interface ReleasesOptions {
  readonly deployer: Deployer
  readonly images: Images
  readonly appLog: AppLog
  /** Number of nodes with these labels. */
  readonly nodes: (tags: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<number>
  readonly defaultTags: Readonly<Record<string, string>>
  readonly procfilePolicy: ProcfilePolicy
  /** Whether images are in a registry of the platform, which can be asked about them. */
  readonly ownRegistry: boolean
}

export class Releases {
  readonly #options: ReleasesOptions

  constructor(options: ReleasesOptions) {
    this.#options = options
  }

  /** A deploy that fails is an `illogical` Refusal; the build stays, and its release as failed. */
  async build(id: AppId, user: string, build: NewBuild): Promise<{ readonly build: Build; readonly release: Release }> {
    const { deployer, images, appLog, procfilePolicy } = this.#options
    const exposed = await images.exposedPort(build.image, buildKind(build))
    let made: Build | null = null
    const release = await deployer.release(id, async (rows, _app, current) => {
      const { config, build: before } = await partsOf(rows, current)
      const former = before?.procfile ?? {}
      const procfile = succeedProcfile(former, build.procfile, procfilePolicy)
      const exposedPort = exposed
      await this.#checkPort(rows, id, config, { ...build, exposedPort })
      const row = await rows.builds.create({ app: id, owner: user, ...build, procfile, exposedPort })
      // Not the first one: the transaction may be tried again.
      made = row
      return {
        owner: user,
        summary: summaryOfBuild(user, build),
        failedSummary: summaryOfFailed.build(user, row.uuid),
        config: config.uuid,
        build: row,
        gone: missingTypes(former, procfile),
        onMade: version => {
          appLog.line(id, `build ${id}-${row.uuid.slice(0, 7)} created`)
          appLog.audit({ who: user, what: 'build.create', app: id, release: version, details: { image: build.image } })
        },
      } satisfies Draft
    })
    if (made === null) throw new Error('a release was made without its build')
    return { build: made, release }
  }

  async config(id: AppId, user: string, change: unknown): Promise<Config> {
    const counted = new Set<string>()
    for (let tries = 1; ; tries++) {
      try {
        return await this.#config(id, user, change, counted)
      } catch (error) {
        // Others may change the tags meanwhile; not without end.
        if (!(error instanceof Uncounted) || tries === maxCounts) throw error
        await this.#checkTags(error)
        counted.add(textOf(error.tags))
      }
    }
  }

  /** Throws Uncounted when it would need nodes with tags that are not among those `counted`. */
  async #config(id: AppId, user: string, change: unknown, counted: ReadonlySet<string>): Promise<Config> {
    const { deployer, appLog, defaultTags } = this.#options
    let made: Config | null = null
    await deployer.release(id, async (rows, _app, current) => {
      const { config: before, build } = await partsOf(rows, current)
      const { config, changes } = mergeConfig(before, change, { user, defaultTags })
      const isTagged = changes.tags.added.length + changes.tags.changed.length > 0
      if (isTagged && !counted.has(textOf(config.tags))) throw new Uncounted(config.tags, before.tags)
      if (build !== null) await this.#checkPort(rows, id, config, build)
      const row = await rows.configs.create({ app: id, owner: user, ...config })
      made = row
      const keys = Object.entries(changes).flatMap(([map, { added, changed, deleted }]) =>
        [...added, ...changed, ...deleted].map(key => `${map}.${key}`),
      )
      return {
        owner: user,
        summary: summaryOfConfig(user, changes),
        failedSummary: summaryOfFailed.config(user),
        config: row.uuid,
        build,
        onMade: version => {
          appLog.line(id, `config ${id}-${row.uuid.slice(0, 7)} updated`)
          appLog.audit({ who: user, what: 'config.change', app: id, release: version, details: { keys } })
        },
      } satisfies Draft
    })
    if (made === null) throw new Error('a release was made without its config')
    return made
  }

  /** `requested`: a version as somebody wrote it; undefined: the one before the current one. */
  async rollback(id: AppId, user: string, requested: unknown): Promise<Release> {
    const { deployer, appLog } = this.#options
    return deployer.release(
      id,
      async (rows, _app, current) => {
        if (current === null) throw new Error(`${id} has no release`)
        const version = rollbackVersion(current, requested)
        const target = await rows.releases.find(id, version)
        checkRollback(current, target)
        const build = target.build === null ? null : await rows.builds.find(id, target.build)
        return {
          owner: user,
          summary: summaryOfRollback(user, version),
          failedSummary: summaryOfFailed.rollback(user),
          config: target.config,
          build,
          onMade: made =>
            appLog.audit({ who: user, what: 'release.rollback', app: id, release: made, details: { to: version } }),
        } satisfies Draft
      },
      { force: true },
    )
  }

  /** Controller contract, section 8, PORT: an app that is routed to has to say where it listens. */
  async #checkPort(
    rows: Repositories,
    id: AppId,
    config: ConfigMaps,
    build: Pick<Build, 'image' | 'sha' | 'dockerfile' | 'exposedPort'>,
  ): Promise<void> {
    const { routable } = await rows.settings.find(id)
    const { ownRegistry } = this.#options
    const decision = decidePort({ config, kind: buildKind(build), routable, ownRegistry })
    if (decision.kind === 'exposed') exposedPort(build.exposedPort, routable)
  }

  async #checkTags({ tags, before }: Uncounted): Promise<void> {
    if ((await this.#options.nodes(tags, AbortSignal.timeout(countTimeout))) === 0) throw noNodes(tags, before)
  }
}

/** Undoes the transaction that found out which nodes are needed: the cluster is not asked while it is open. */
class Uncounted extends Error {
  readonly tags: ConfigMaps['tags']
  readonly before: ConfigMaps['tags']

  constructor(tags: ConfigMaps['tags'], before: ConfigMaps['tags']) {
    super('it is not known yet whether there are nodes with these tags')
    this.tags = tags
    this.before = before
  }
}

function textOf(tags: ConfigMaps['tags']): string {
  return JSON.stringify(Object.entries(tags).toSorted())
}

/** Every app has a first release with a config. */
async function partsOf(rows: Repositories, release: Release | null): Promise<{ config: Config; build: Build | null }> {
  if (release === null) throw new Error('an app has no release')
  const [config, build] = await Promise.all([
    rows.configs.find(release.app, release.config),
    release.build === null ? null : rows.builds.find(release.app, release.build),
  ])
  if (config === null) throw new Error(`release v${release.version} of ${release.app} has lost its config`)
  return { config, build }
}
