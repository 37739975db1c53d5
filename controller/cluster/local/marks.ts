// Which apps are ours, on disk: each with its uuid, as a namespace is marked on Kubernetes.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AppId } from '../../domain/app.ts'
import type { DesiredApp } from '../../domain/desired-app.ts'

type Mark = Pick<DesiredApp, 'id' | 'uuid'>

export class Marks {
  readonly #directory: string
  readonly #uuids = new Map<AppId, string>()

  /** Throws what the file system says. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.#directory = directory
    for (const name of readdirSync(directory)) {
      if (name.startsWith('.')) rmSync(join(directory, name), { force: true })
      // The name of a file is the id of an app that a parser let through when it was written.
      else this.#uuids.set(name as AppId, readFileSync(join(directory, name), 'utf8').trim())
    }
  }

  all(): readonly Mark[] {
    return Array.from(this.#uuids, ([id, uuid]) => ({ id, uuid }))
  }

  /** Null: there is none. */
  uuidOf(app: AppId): string | null {
    return this.#uuids.get(app) ?? null
  }

  set({ id, uuid }: Mark): void {
    const draft = join(this.#directory, `.${id}`)
    writeFileSync(draft, `${uuid}\n`, { mode: 0o600 })
    renameSync(draft, join(this.#directory, id))
    this.#uuids.set(id, uuid)
  }

  remove(app: AppId): void {
    this.#uuids.delete(app)
    rmSync(join(this.#directory, app), { force: true })
  }
}
