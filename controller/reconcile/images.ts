// What an image says of itself. As long as no registry of ours answers for images, nothing is known of them: the config
// has to say where a process listens.

import type { AppId, BuildKind } from '../domain/app.ts'

export interface Images {
  /** The first port that the image exposes; null: it exposes none, or nobody can tell. */
  exposedPort(image: string, kind: BuildKind): Promise<number | null>
}

export const unknownImages: Images = { exposedPort: async () => null }

/** Processes of this machine get ports of their own: what is said here only says that they listen. */
export const localImages: Images = { exposedPort: async () => 5000 }

/**
 * Images of an app that is gone stay in the registry (builder contract, section 5): a backup of the database may bring it
 * back. But its repository has the app's name, and whoever takes that may read and run what is there: before a name is
 * given away, all that it had goes.
 */
export interface LeftImages {
  /**
   * Resolves when nothing is left that has a tag. Throws a Refusal: `unavailable` while the registry is away, `invalid` when it
   * lets nobody delete.
   */
  remove(app: AppId, signal: AbortSignal): Promise<void>
}

/** Nobody's rights depend on names of apps. */
export const noLeftImages: LeftImages = { remove: async () => {} }
