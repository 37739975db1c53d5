// What an image says of itself. As long as no registry of ours answers for images, nothing is known of them: the config
// has to say where a process listens.

import type { BuildKind } from '../domain/app.ts'

export interface Images {
  /** The first port that the image exposes; null: it exposes none, or nobody can tell. */
  exposedPort(image: string, kind: BuildKind): Promise<number | null>
}

export const unknownImages: Images = { exposedPort: async () => null }

/** Processes of this machine get ports of their own: what is said here only says that they listen. */
export const localImages: Images = { exposedPort: async () => 5000 }
