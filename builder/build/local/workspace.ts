// The directories of builds on this machine.
//
//   builds/APP-XXXXXX/   one build: home, tmp, cache, env (the app's config, a file for each variable), layers
//   caches/APP/          what the last good build of the app left for the next one
//   processes/           see kit/children/journal.ts

import { randomBytes } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { removeTree } from '#kit/remove-tree.ts'
import { type DiskLimit, diskUse } from './disk-guard.ts'

/** Names that files of the environment can have. */
const variable = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/

export class Workspace {
  readonly root: string
  readonly app: string
  readonly #caches: string

  private constructor(root: string, app: string, caches: string) {
    this.root = root
    this.app = app
    this.#caches = caches
  }

  static async make(state: string, app: string): Promise<Workspace> {
    const root = join(state, 'builds', `${app}-${randomBytes(4).toString('hex')}`)
    const workspace = new Workspace(root, app, join(state, 'caches'))
    for (const directory of [root, workspace.home, workspace.temporary, workspace.environment, workspace.layers])
      await mkdir(directory, { recursive: true, mode: 0o700 })
    return workspace
  }

  get home(): string {
    return join(this.root, 'home')
  }

  get temporary(): string {
    return join(this.root, 'tmp')
  }

  get cache(): string {
    return join(this.root, 'cache')
  }

  get environment(): string {
    return join(this.root, 'env')
  }

  get layers(): string {
    return join(this.root, 'layers')
  }

  async writeEnvironment(values: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(values))
      if (variable.test(name)) await writeFile(join(this.environment, name), value, { mode: 0o600 })
  }

  /** Takes the app's cache, or begins a new one. True: there was one. Who is killed with it in hand loses it. */
  async takeCache(): Promise<boolean> {
    try {
      await rename(join(this.#caches, this.app), this.cache)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      await mkdir(this.cache, { mode: 0o700 })
      return false
    }
  }

  /** Leaves the cache for the next build. False: it was larger than `limit`, and is gone. */
  async keepCache(limit: DiskLimit): Promise<boolean> {
    const use = await diskUse([this.cache], limit)
    if (use.bytes > limit.bytes || use.files > limit.files) return false
    await mkdir(this.#caches, { recursive: true, mode: 0o700 })
    const place = join(this.#caches, this.app)
    // That of a build of the same app that ended just before, if somebody builds it twice at a time.
    await removeTree(place)
    await rename(this.cache, place)
    return true
  }

  async remove(): Promise<void> {
    await removeTree(this.root)
  }
}

export async function removeCache(state: string, app: string): Promise<void> {
  await removeTree(join(state, 'caches', app))
}
