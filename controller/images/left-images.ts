// What apps that are gone have left in our registry.

import { type Registry, RegistryError } from '#kit/oci/registry.ts'
import type { AppId } from '../domain/app.ts'
import { invalid, Refusal } from '../domain/refusal.ts'
import type { LeftImages } from '../reconcile/images.ts'

/** Milliseconds, for all images of an app. */
const timeout = 30_000

export class RegistryLeftImages implements LeftImages {
  readonly #registry: Registry

  constructor(registry: Registry) {
    this.#registry = registry
  }

  async remove(app: AppId, signal: AbortSignal): Promise<void> {
    const late = AbortSignal.timeout(timeout)
    try {
      await this.#remove(app, AbortSignal.any([signal, late]))
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RegistryError) && !late.aborted) throw error
      if (error instanceof RegistryError && error.status === 405)
        throw invalid('id', 'An app of this name left images that the registry does not delete: choose another name.')
      const why = `Images of an app that had this name cannot be looked for: ${(error as Error).message}`
      throw new Refusal('unavailable', why, { cause: error })
    }
  }

  /** What is below an app's name is the app's too. */
  async #remove(app: AppId, signal: AbortSignal): Promise<void> {
    await this.#empty(app, signal)
    const below = `${app}/`
    for (let last: string | undefined = below; last?.startsWith(below); ) {
      const page = await this.#registry.repositories(last, signal)
      for (const repository of page) if (repository.startsWith(below)) await this.#empty(repository, signal)
      last = page.at(-1)
    }
  }

  async #empty(repository: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const tags = await this.#registry.tags(repository, signal)
      if (tags.length === 0) return
      for (const tag of tags) await this.#registry.deleteTagged(repository, tag, signal)
    }
  }
}
