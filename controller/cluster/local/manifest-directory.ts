// The router's manifest directory, as far as it is ours: two files for each app, written aside and renamed, so that the
// router never reads half of one; and what others do to them.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { makeDirectory } from '#kit/make-directory.ts'
import type { AppId } from '../../domain/app.ts'

/** `app`: Service and certificates, secret. `endpoints`: where processes listen, which changes more often. */
export type ManifestKind = 'app' | 'endpoints'

/** Looks again this often even when the watcher is silent. */
const rescanInterval = 10_000

export class ManifestDirectory implements AsyncDisposable {
  readonly directory: string
  /** File name → its text as it should be. */
  readonly #texts = new Map<string, string>()
  readonly #apps = new Map<string, AppId>()
  readonly #listeners = new Set<(app: AppId) => void>()
  #watcher: FSWatcher | null = null
  #rescan: NodeJS.Timeout | null = null

  /** Throws what the file system says. */
  constructor(directory: string) {
    makeDirectory(directory)
    this.directory = directory
  }

  /** Is there no file of an app of this name, or one that says it belongs to this uuid? */
  isFree(app: AppId, uuid: string): boolean {
    return this.#read(fileName(app, 'app'))?.includes(uuid) ?? true
  }

  /**
   * Synchronous, so that nobody sees one of our own changes half-way and takes it for another's. Tells what the file
   * was before: the same, another text, or none. Throws what the file system says.
   */
  write(app: AppId, kind: ManifestKind, text: string): 'same' | 'changed' | 'missing' {
    const name = fileName(app, kind)
    this.#apps.set(name, app)
    this.#texts.set(name, text)
    const before = this.#read(name)
    if (before === text) return 'same'
    mkdirSync(this.directory, { recursive: true })
    // Hidden, which the router passes over; a name of its own, so that one left by a crash is in nobody's way.
    const draft = join(this.directory, `.${name}.draft`)
    rmSync(draft, { force: true })
    writeFileSync(draft, text, { mode: kind === 'app' ? 0o600 : 0o644 })
    renameSync(draft, join(this.directory, name))
    return before === null ? 'missing' : 'changed'
  }

  remove(app: AppId, kind: ManifestKind): void {
    const name = fileName(app, kind)
    this.#texts.delete(name)
    this.#apps.delete(name)
    rmSync(join(this.directory, name), { force: true })
  }

  /** Calls `hear` when somebody else changed or removed a file of an app, until disposed. */
  async listen(hear: (app: AppId) => void): Promise<Disposable> {
    this.#listeners.add(hear)
    await this.#watch()
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(hear)
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#rescan !== null) clearInterval(this.#rescan)
    await this.#watcher?.close()
  }

  async #watch(): Promise<void> {
    if (this.#watcher !== null) return
    this.#rescan = setInterval(() => this.#look(), rescanInterval).unref()
    const watcher = watch(this.directory, { depth: 0, ignoreInitial: true, ignorePermissionErrors: true })
    this.#watcher = watcher
    watcher.on('all', (_event, path) => {
      const name = basename(path)
      // Others' files, and drafts, are none of our business; the directory itself is.
      if (this.#texts.has(name) || path === this.directory) this.#look(name)
    })
    await new Promise<void>(resolve => {
      watcher.once('ready', resolve)
      // Without it the directory is looked at every so often.
      watcher.on('error', () => resolve())
    })
    this.#look()
  }

  /** Which of our files are not as they should be: the one called `moved`, or else all of them. */
  #look(moved = ''): void {
    if (this.#listeners.size === 0) return
    const drifted = new Set<AppId>()
    for (const name of this.#texts.has(moved) ? [moved] : this.#texts.keys())
      if (this.#read(name) !== this.#texts.get(name)) drifted.add(this.#apps.get(name)!)
    for (const app of drifted) for (const hear of this.#listeners) hear(app)
  }

  #read(name: string): string | null {
    try {
      return readFileSync(join(this.directory, name), 'utf8')
    } catch {
      return null
    }
  }

  /** Drafts that a crash left behind. */
  clean(): void {
    for (const name of readdirSync(this.directory))
      if (/^\.(app|endpoints)-.*\.draft$/.test(name)) rmSync(join(this.directory, name), { force: true })
  }
}

function fileName(app: AppId, kind: ManifestKind): string {
  return `${kind}-${app}.yaml`
}
