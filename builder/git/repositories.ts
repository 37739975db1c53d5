// Bare repositories of the working directory: made on demand, or fetched from the store. The directory is only a cache: it
// is emptied at each start, as who was killed may have left locks and halves in it.

import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { git } from './git.ts'
import type { SavedRepositories } from './saved-repositories.ts'

/** There is one of that name, and it is another app's. */
export class OtherAppError extends Error {}

export class Repositories {
  readonly #directory: string
  readonly #saved: SavedRepositories
  readonly #signal: AbortSignal
  /** App → what is done with its repository, one thing after another. */
  readonly #turns = new Map<string, Promise<unknown>>()
  /** Name of each app in the working directory → which of that name it is. */
  readonly #uuids = new Map<string, string | null>()
  #number = 0

  private constructor(directory: string, saved: SavedRepositories, signal: AbortSignal) {
    this.#directory = directory
    this.#saved = saved
    this.#signal = signal
  }

  /** `signal` ends children that work on repositories. */
  static async open(directory: string, saved: SavedRepositories, signal: AbortSignal): Promise<Repositories> {
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return new Repositories(directory, saved, signal)
  }

  /** Where they are worked on. */
  get directory(): string {
    return this.#directory
  }

  get saved(): SavedRepositories {
    return this.#saved
  }

  /**
   * Path of the repository of the app, which is there when it resolves. `uuid` tells the app from one that had its name
   * before; null: whatever has the name. Throws OtherAppError.
   */
  open(app: string, uuid: string | null): Promise<string> {
    return this.#inTurn(app, async () => {
      const path = this.#path(app)
      if (await stat(path).catch(() => null)) {
        this.#claim(app, uuid, this.#uuids.get(app) ?? null)
        return path
      }
      const aside = join(this.#directory, `.${app}-${++this.#number}`)
      try {
        await git(['init', '--bare', '--quiet', '--template=', '--initial-branch=master', aside], {
          cwd: this.#directory,
          signal: this.#signal,
        })
        const saved = await this.#saved.find(app)
        this.#claim(app, uuid, saved?.uuid ?? null)
        if (saved !== null) await this.#saved.restore(saved, aside, this.#signal)
        await rename(aside, path)
      } catch (error) {
        await rm(aside, { recursive: true, force: true })
        throw error
      }
      return path
    })
  }

  #claim(app: string, uuid: string | null, before: string | null): void {
    if (uuid !== null && before !== null && uuid !== before) throw new OtherAppError(`${app} is another app now`)
    this.#uuids.set(app, uuid ?? before)
  }

  /** What was pushed is safe when it resolves. */
  save(app: string): Promise<void> {
    return this.#inTurn(app, async () => {
      const path = this.#path(app)
      await this.#pointHead(path)
      const compacted = await this.#saved.save(app, this.#uuids.get(app) ?? null, path, this.#signal)
      if (compacted) await git(['repack', '-a', '-d', '-q'], { cwd: path, signal: this.#signal })
    })
  }

  /** Everything of the app, in the store as well. */
  remove(app: string): Promise<void> {
    return this.#inTurn(app, async () => {
      this.#uuids.delete(app)
      await rm(this.#path(app), { recursive: true, force: true })
      await this.#saved.remove(app)
    })
  }

  /** Of the working directory only: it comes back from the store. */
  forget(app: string): Promise<void> {
    return this.#inTurn(app, async () => {
      this.#uuids.delete(app)
      await rm(this.#path(app), { recursive: true, force: true })
    })
  }

  /** Apps whose repositories are in the working directory. */
  async present(): Promise<readonly string[]> {
    const names = await readdir(this.#directory)
    return names.filter(name => /^[^.].*\.git$/.test(name)).map(name => name.slice(0, -'.git'.length))
  }

  /** A clone checks out what was pushed, whatever the branch is called. */
  async #pointHead(path: string): Promise<void> {
    const options = { cwd: path, signal: this.#signal }
    const head = (await git(['symbolic-ref', 'HEAD'], options)).trim()
    const branches = (await git(['for-each-ref', '--format=%(refname)', 'refs/heads/'], options)).trim().split('\n')
    if (branches[0] === '' || branches.includes(head)) return
    const next = ['refs/heads/main', 'refs/heads/master'].find(name => branches.includes(name)) ?? branches[0]!
    await git(['symbolic-ref', 'HEAD', next], options)
  }

  #path(app: string): string {
    return join(this.#directory, `${app}.git`)
  }

  #inTurn<T>(app: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(app) ?? Promise.resolve()
    const mine = before.then(work, work)
    this.#turns.set(app, mine)
    const clear = (): void => {
      if (this.#turns.get(app) === mine) this.#turns.delete(app)
    }
    mine.then(clear, clear)
    return mine
  }
}
