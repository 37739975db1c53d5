// Who may deploy which image. Those of the platform's registry belong to apps: nodes may fetch all of them, so who names one
// has to be somebody who could fetch it himself.

import { mayUse } from '../domain/access.ts'
import type { App } from '../domain/app.ts'
import { type OwnRegistryNames, ownRepository } from '../domain/own-registry.ts'
import { Refusal } from '../domain/refusal.ts'
import type { User } from '../domain/user.ts'
import type { Store } from '../store/store.ts'

/** Whether the user may read and write a repository of our registry: what is below an app's name is the app's. */
export async function mayUseRepository(store: Store, user: User, repository: string): Promise<boolean> {
  const app = await store.apps.find(repository.split('/', 1)[0]!)
  if (app?.state !== 'ready') return false
  return mayUse(user, app, await store.grants.has(app.id, user.username), 'POST')
}

export class ImageAccess {
  readonly #store: Store
  readonly #names: OwnRegistryNames | null

  /** `names` null: the platform has no registry. */
  constructor(store: Store, names: OwnRegistryNames | null) {
    this.#store = store
    this.#names = names
  }

  /** Throws a Refusal unless the user may have the app run the image. */
  async check(user: User, app: App, image: string): Promise<void> {
    const repository = this.#names === null ? null : ownRepository(image, this.#names)
    if (repository === null || user.isSuperuser || repository.split('/', 1)[0] === app.id) return
    // Whether there is such an app is not told.
    if (!(await mayUseRepository(this.#store, user, repository)))
      throw new Refusal('illogical', `image ${image} is of an app that you may not use`)
  }
}
